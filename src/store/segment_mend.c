/* SPDX-License-Identifier: MIT */
/* A segment whose header is damaged. The records are whole, but the salt of their checksums is gone
 * with the header. A checksum can be run backwards, to what it began with: that is salt and offset.
 * Two records, one behind the other, that tell the same salt are no accident. The rest of the
 * header is in the file's name and in the numbers of the rows. */
#include "store/segment.h"

#include "store/crc32c.h"

#include <string.h>

static uint64_t get(const uint8_t *bytes, int count)
{
    uint64_t number = 0;

    for (int i = 0; i < count; i++)
        number |= (uint64_t)bytes[i] << 8 * i;
    return number;
}

/* --- the salt ------------------------------------------------------------------------ */

/* The salt with which there is a record at `at`. False if its head or the zeros behind its text
 * are none. */
static bool salt_at(const uint8_t *bytes, size_t len, size_t at, uint32_t *ret_salt,
                    size_t *ret_size)
{
    const uint8_t *head = bytes + at;
    size_t text, size;

    if (len - at < SR_RECORD_HEAD || head[6] < SR_RECORD_ROW ||
        head[6] > SR_RECORD_VOID)
        return false;
    text = (size_t)get(head + 4, 2);
    size = sr_segment_record_size(head);
    if (len - at < size)
        return false;
    for (size_t i = SR_RECORD_HEAD + text; i < size; i++)
        if (head[i])
            return false;
    *ret_salt =
        sr_crc32c_before((uint32_t)get(head, 4), head + 4, SR_RECORD_HEAD - 4 + text) -
        (uint32_t)at;
    *ret_size = size;
    return true;
}

/* As with sr_segment_resync(), a file made of nothing but candidates shall not cost minutes. */
static bool find_salt(const uint8_t *bytes, size_t len, uint32_t *ret_salt)
{
    uint64_t patience = 4 * (uint64_t)len + 2 * SR_RECORD_MAX;

    for (size_t at = 8; at + SR_RECORD_HEAD <= len; at += 8) {
        uint32_t salt, other;
        size_t size, next_size;

        if (!salt_at(bytes, len, at, &salt, &size))
            continue;
        if (size > patience)
            return false;
        patience -= size;
        if (!salt_at(bytes, len, at + size, &other, &next_size))
            continue;
        if (salt == other) {
            *ret_salt = salt;
            return true;
        }
        patience -= next_size < patience ? next_size : patience;
    }
    return false;
}

/* --- the rest ---------------------------------------------------------------------------- */

/* The lowest number that the records allow: of the first row, or of a snapshot before it. 0: there
 * are no records. */
static uint64_t find_base(struct sr_segment_reader *reader)
{
    struct sr_segment_record record;
    struct sr_snapshot snapshot;
    uint64_t base = 0;
    int rc;

    while ((rc = sr_segment_next(reader, &record)) != SR_E_END) {
        if (rc && !sr_segment_resync(reader))
            break;
        if (rc)
            continue;
        if (record.kind == SR_RECORD_ROW)
            return !base || record.entry.seq < base ? record.entry.seq : base;
        if (!base && !sr_snapshot_decode(&record, &snapshot))
            base = snapshot.next;
    }
    return base;
}

static bool fits(struct sr_segment_header *header, const uint8_t *bytes, size_t len)
{
    struct sr_segment_reader reader;

    sr_segment_read(&reader, header, bytes, len);
    header->base = find_base(&reader);
    return header->base > 0;
}

/* As its header says, though it is damaged? Who knows that version can have the file. But a header
 * whose checksum is right for our version has nothing else wrong. */
static bool is_another_version(const uint8_t *bytes)
{
    uint8_t header[SR_SEGMENT_HEADER];

    if (memcmp(bytes, "SRLOG\r\n\x1a", 8) != 0 ||
        get(bytes + 8, 2) == SR_SEGMENT_VERSION)
        return false;
    memcpy(header, bytes, sizeof header);
    header[8] = SR_SEGMENT_VERSION;
    header[9] = 0;
    return get(bytes + 36, 4) != sr_crc32c(0, header, 36);
}

int sr_segment_mend(const void *file, size_t len, uint64_t number,
                    struct sr_segment_header *ret_header)
{
    const uint8_t *bytes = file;
    struct sr_segment_header header = { .content = SR_CONTENT_LOG, .number = number };

    if (len < SR_SEGMENT_HEADER + SR_RECORD_HEAD || is_another_version(bytes) ||
        get(bytes + 36, 4) ==
            sr_crc32c(0, bytes, 36)) /* whole, and not what is wanted */
        return SR_E_CORRUPT;
    header.boot_tag = (uint32_t)get(bytes + 32, 4); /* a wrong one is another boot's */
    header.salt = (uint32_t)get(bytes + 12, 4); /* perhaps that is not what is wrong */
    if (fits(&header, bytes, len)) {
        *ret_header = header;
        return 0;
    }
    if (!find_salt(bytes, len, &header.salt) || !fits(&header, bytes, len))
        return SR_E_CORRUPT;
    *ret_header = header;
    return 0;
}
