/* SPDX-License-Identifier: MIT */
/* A segment whose header is damaged: mending stays within the bytes, and what it makes is a header with
 * which the file can be read, and needs no mending. Bits of the first byte: 1, checksums are made
 * right; then 2, zeros instead of the header; 4, instead of what is before its salt. */
#include "segment_fix.h"

static void mend(uint8_t *bytes, size_t len)
{
    struct sr_segment_header header, other;
    struct sr_segment_reader reader;
    struct sr_segment_record record;
    uint64_t rows = 0;
    int rc = sr_segment_mend(bytes, len, 7, &header);

    must(rc == 0 || rc == SR_E_CORRUPT);
    if (rc)
        return;
    must(len > sr_segment_begin(&header) && header.number == 7 && header.base > 0);
    sr_segment_put_header(&header, bytes);
    must(sr_segment_open(&reader, bytes, len) == 0);
    must(reader.header.salt == header.salt && reader.header.base == header.base);
    while ((rc = sr_segment_next(&reader, &record)) != SR_E_END) {
        if (rc && !sr_segment_resync(&reader))
            break;
        rows += rc == 0;
    }
    must(rows > 0);
    must(sr_segment_mend(bytes, len, 7, &other) == SR_E_CORRUPT);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    uint8_t *bytes = malloc(len); /* exactly as long, so that an overrun shows */
    size_t zeros;

    if (len > 0 && bytes) {
        memcpy(bytes, data + 1, len - 1);
        if (data[0] & 1)
            fix_up(bytes, len - 1, SR_CONTENT_LOG, 7);
        zeros = data[0] & 2 ? SR_SEGMENT_HEADER : data[0] & 4 ? 12 : 0;
        memset(bytes, 0, zeros < len - 1 ? zeros : len - 1);
        mend(bytes, len - 1);
    }
    free(bytes);
    return 0;
}
