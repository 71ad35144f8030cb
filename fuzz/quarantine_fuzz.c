/* SPDX-License-Identifier: MIT */
/* A quarantine file with any bytes: another row is added to it, or to a new one, and the bound
 * holds. The first byte: odd, checksums are made right; the second: the bound. */
#include "segment_fix.h"

static void read_back(const char *dir, size_t max)
{
    static uint8_t bytes[SR_SEGMENT_MAX];
    struct sr_segment_reader reader;
    struct sr_segment_record record, last = { .why = "" };
    char path[128];
    ssize_t len;
    int fd, rc;

    snprintf(path, sizeof path, "%s/%s", dir, SR_QUARANTINE_NAME);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    must(fd >= 0);
    len = read(fd, bytes, sizeof bytes);
    close(fd);
    must(len > 0 && (size_t)len <= max);
    must(sr_segment_open(&reader, bytes, (size_t)len) == 0);
    must(reader.header.content == SR_CONTENT_QUARANTINE);
    while ((rc = sr_segment_next(&reader, &record)) == 0) {
        must(record.kind == SR_RECORD_QUARANTINE);
        last = record;
    }
    must(rc == SR_E_END);
    must(last.entry.len == 5 && memcmp(last.entry.row, "1,2,3", 5) == 0);
    must(last.why_len == 8 && memcmp(last.why, "HTTP 422", 8) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    const struct sr_entry entry = { .seq = 1, .row = "1,2,3", .len = 5 };
    static bool registered;
    struct sr_store_recovery recovery;
    struct sr_store *store;
    uint8_t *bytes = malloc(len + 1);
    const char *dir;
    size_t max;

    if (!registered)
        atexit(fix_leave);
    registered = true;
    if (len >= 2 && bytes) {
        memcpy(bytes, data + 2, len - 2);
        if (data[0] & 1)
            fix_up(bytes, len - 2, SR_CONTENT_QUARANTINE, 0);
        max = 100 + 16 * (size_t)data[1];
        dir = fix_directory(SR_QUARANTINE_NAME, bytes, len - 2);
        store = fix_open(dir, &recovery);
        must(sr_store_quarantine(store, &entry, "HTTP 422", max) == 0);
        read_back(dir, max > len ? max : len);
        must(sr_store_quarantine(store, &entry, "HTTP 422", max) == 0);
        read_back(dir, max);
        sr_store_close(store);
    }
    free(bytes);
    return 0;
}
