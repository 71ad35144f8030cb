/* SPDX-License-Identifier: MIT */
/* A segment whose header is damaged. The records are whole, but the salt of their checksums is gone
 * with the header. A checksum can be run backwards, to what it began with: that is salt and offset.
 * Two records, one behind the other, that tell the same salt are no accident. The rest of the
 * header is in the file's name and in the numbers of the rows. */
#include "store/segment_p.h"

#include "store/crc32c.h"

#include <string.h>

/* --- the salt ------------------------------------------------------------------------ */

/* The salt with which there is a record at `at`. False if its head or the zeros behind its text
 * are none. */
static bool salt_at(const struct sr_segment_header *header, const uint8_t *bytes,
                    size_t len, size_t at, uint32_t *ret_salt, size_t *ret_size)
{
    const struct sr_segment_header unsalted = { .version = header->version,
                                                .number = header->number };
    const uint8_t *head = bytes + at;
    size_t text, size;

    if (len - at < sr_segment_head_min(header) || !sr_segment_is_kind(header, head))
        return false;
    text = sr_segment_record_len(header, head);
    size = sr_segment_record_size(header, head);
    if (len - at < size)
        return false;
    for (size_t i = text; i < size; i++)
        if (head[i])
            return false;
    *ret_salt = sr_crc32c_before((uint32_t)sr_get(head, 4), head + 4, text - 4) -
                sr_record_seed(&unsalted, at);
    *ret_size = size;
    return true;
}

/* As with sr_segment_resync(), a file made of nothing but candidates shall not cost minutes. */
static bool find_salt(struct sr_segment_header *header, const uint8_t *bytes,
                      size_t len)
{
    uint64_t patience = 4 * (uint64_t)len + 2 * SR_RECORD_MAX;
    size_t grain = sr_segment_grain(header), head = sr_segment_head_min(header);

    for (size_t at = 8; at + head <= len; at += grain) {
        uint32_t salt, other;
        size_t size, next_size;

        if (!salt_at(header, bytes, len, at, &salt, &size))
            continue;
        if (size > patience)
            return false;
        patience -= size;
        if (!salt_at(header, bytes, len, at + size, &other, &next_size))
            continue;
        if (salt == other) {
            header->salt = salt;
            return true;
        }
        patience -= next_size < patience ? next_size : patience;
    }
    return false;
}

/* --- the rest ---------------------------------------------------------------------------- */

/* Version 1: the lowest number that the records allow: of the first row, or of a snapshot before it.
 * Version 2: what the first snapshot says. False: there is no such record. */
static bool find_base(struct sr_segment_reader *reader,
                      struct sr_segment_header *header)
{
    struct sr_segment_record record;
    struct sr_snapshot snapshot;
    int rc;

    header->base = 0;
    while ((rc = sr_segment_next(reader, &record)) != SR_E_END) {
        if (rc && !sr_segment_resync(reader))
            break;
        if (rc)
            continue;
        if (header->version > 1 && sr_snapshot_header(&record, header))
            return header->base > 0;
        if (header->version > 1)
            continue;
        if (record.kind == SR_RECORD_ROW) {
            if (!header->base || record.entry.seq < header->base)
                header->base = record.entry.seq;
            break;
        }
        if (!header->base && !sr_snapshot_decode(header, &record, &snapshot))
            header->base = snapshot.next;
    }
    return header->base > 0;
}

static bool fits(struct sr_segment_header *header, const uint8_t *bytes, size_t len)
{
    struct sr_segment_reader reader;

    sr_segment_read(&reader, header, bytes, len);
    return find_base(&reader, header);
}

/* Is that not what is wrong? Or, as it says, though it is damaged, of a version whose programs can have the
 * file? */
static bool has_header(const uint8_t *bytes, size_t len)
{
    struct sr_segment_reader reader;
    unsigned version = (unsigned)sr_get(bytes + 8, 2);

    return sr_segment_open(&reader, bytes, len) == SR_E_STATE ||
           ((version == 1 || version == SR_SEGMENT_VERSION) &&
            sr_segment_is_header(bytes, len, version));
}

/* The salt that is in the header may not be what is wrong. */
static bool mend_as(unsigned version, const uint8_t *bytes, size_t len,
                    struct sr_segment_header *header)
{
    header->version = version;
    if (len < sr_segment_begin(header) + sr_segment_head_min(header))
        return false;
    header->boot_tag = (uint32_t)sr_get(bytes + 32, 4); /* a wrong one is another's */
    header->salt = (uint32_t)sr_get(bytes + 12, 4);
    header->before_number = UINT64_MAX; /* perhaps it had a life before this one */
    return fits(header, bytes, len) ||
           (find_salt(header, bytes, len) && fits(header, bytes, len));
}

int sr_segment_mend(const void *file, size_t len, uint64_t number,
                    struct sr_segment_header *ret_header)
{
    const uint8_t *bytes = file;
    struct sr_segment_header header = { .content = SR_CONTENT_LOG, .number = number };

    if (len < SR_SEGMENT_HEADER || has_header(bytes, len))
        return SR_E_CORRUPT;
    if (!mend_as(SR_SEGMENT_VERSION, bytes, len, &header) &&
        !mend_as(1, bytes, len, &header))
        return SR_E_CORRUPT;
    *ret_header = header;
    return 0;
}
