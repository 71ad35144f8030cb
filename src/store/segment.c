/* SPDX-License-Identifier: MIT */
#include "store/segment.h"

#include "store/crc32c.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* With a CR LF and an end-of-file of old, that show when a file was treated as text. */
static const uint8_t magic[8] = { 'S', 'R', 'L', 'O', 'G', '\r', '\n', 0x1a };
static const uint8_t zeros[SR_RECORD_HEAD];

/* --- numbers -------------------------------------------------------------------- */

static void put(uint8_t *bytes, uint64_t number, int count)
{
    for (int i = 0; i < count; i++)
        bytes[i] = (uint8_t)(number >> 8 * i);
}

static uint64_t get(const uint8_t *bytes, int count)
{
    uint64_t number = 0;

    for (int i = 0; i < count; i++)
        number |= (uint64_t)bytes[i] << 8 * i;
    return number;
}

/* Of 48 bits; clocks that say more say what these can say. */
static uint64_t clamp48(uint64_t number)
{
    const uint64_t most = (UINT64_C(1) << 48) - 1;

    return number > most ? most : number;
}

static uint64_t from_signed48(int64_t number)
{
    const int64_t most = (INT64_C(1) << 47) - 1;

    number = number > most ? most : number < -most ? -most : number;
    return (uint64_t)number & ((UINT64_C(1) << 48) - 1);
}

static int64_t to_signed48(uint64_t bits)
{
    return bits >> 47 ? (int64_t)bits - (INT64_C(1) << 48) : (int64_t)bits;
}

/* --- names and header ------------------------------------------------------------ */

bool sr_segment_is_name(const char *name, uint64_t *ret_number)
{
    size_t digits = strspn(name, "0123456789");
    unsigned long long number;

    if (digits < 10 || digits > 19 || strcmp(name + digits, ".seg") != 0 ||
        (digits > 10 && name[0] == '0'))
        return false;
    number = strtoull(name, NULL, 10);
    if (number == 0)
        return false;
    *ret_number = number;
    return true;
}

void sr_segment_put_header(const struct sr_segment_header *header,
                           uint8_t bytes[SR_SEGMENT_HEADER])
{
    memcpy(bytes, magic, sizeof magic);
    put(bytes + 8, SR_SEGMENT_VERSION, 2);
    put(bytes + 10, (uint64_t)header->content, 2);
    put(bytes + 12, header->salt, 4);
    put(bytes + 16, header->number, 8);
    put(bytes + 24, header->base, 8);
    put(bytes + 32, header->boot_tag, 4);
    put(bytes + 36, sr_crc32c(0, bytes, 36), 4);
}

static const char *get_header(const uint8_t *bytes, size_t len,
                              struct sr_segment_header *header)
{
    if (len < SR_SEGMENT_HEADER)
        return "too short for a header";
    if (memcmp(bytes, magic, sizeof magic) != 0)
        return "not a file of an outbox";
    /* Before the checksum: another version may have another header. */
    if (get(bytes + 8, 2) != SR_SEGMENT_VERSION)
        return "of a version that is not known here";
    if (get(bytes + 36, 4) != sr_crc32c(0, bytes, 36))
        return "wrong checksum of the header";
    header->content = (enum sr_segment_content)get(bytes + 10, 2);
    header->salt = (uint32_t)get(bytes + 12, 4);
    header->number = get(bytes + 16, 8);
    header->base = get(bytes + 24, 8);
    header->boot_tag = (uint32_t)get(bytes + 32, 4);
    if (header->content != SR_CONTENT_LOG && header->content != SR_CONTENT_QUARANTINE)
        return "of a kind that is not known here";
    return NULL;
}

/* --- records ---------------------------------------------------------------------- */

/* 0: crc, 4; 4: length of the text, 2; 6: kind; 7: prio; 8: seq, 8; 16: wall_ms, 6; 22: boot_ms,
 * 6; 28: ttl_s, 4. */
static uint32_t checksum(const struct sr_segment_header *header, size_t offset,
                         const uint8_t *head, const void *text, size_t len)
{
    uint32_t crc =
        sr_crc32c(header->salt + (uint32_t)offset, head + 4, SR_RECORD_HEAD - 4);

    return sr_crc32c(crc, text, len);
}

static size_t padded(size_t len)
{
    return (SR_RECORD_HEAD + len + 7) / 8 * 8;
}

size_t sr_segment_record_size(const uint8_t head[SR_RECORD_HEAD])
{
    return padded(get(head + 4, 2));
}

size_t sr_segment_put_record(const struct sr_segment_header *header, size_t offset,
                             enum sr_record_kind kind, const struct sr_entry *entry,
                             uint8_t head[SR_RECORD_HEAD])
{
    put(head + 4, entry->len, 2);
    put(head + 6, (uint64_t)kind, 1);
    put(head + 7, (uint64_t)entry->prio, 1);
    put(head + 8, entry->seq, 8);
    put(head + 16, from_signed48(entry->put.wall_ms), 6);
    put(head + 22, clamp48(entry->put.boot_ms), 6);
    put(head + 28, entry->ttl_s, 4);
    put(head, checksum(header, offset, head, entry->row, entry->len), 4);
    return padded(entry->len);
}

uint64_t sr_segment_guess_row(const uint8_t head[SR_RECORD_HEAD])
{
    return head[6] == SR_RECORD_ROW ? get(head + 8, 8) : 0;
}

static bool known_kind(unsigned kind)
{
    return kind >= SR_RECORD_ROW && kind <= SR_RECORD_QUARANTINE;
}

static void get_record(const struct sr_segment_header *header, const uint8_t *bytes,
                       size_t offset, struct sr_segment_record *record)
{
    size_t len = get(bytes + 4, 2);

    *record = (struct sr_segment_record){
        .kind = (enum sr_record_kind)bytes[6],
        .offset = (uint32_t)offset,
        .size = (uint32_t)padded(len),
        .entry = {.seq = get(bytes + 8, 8),
                  .prio = bytes[7],
                  .ttl_s = (uint32_t)get(bytes + 28, 4),
                  .put = { .wall_ms = to_signed48(get(bytes + 16, 6)),
                            .boot_ms = get(bytes + 22, 6),
                            .boot_tag = header->boot_tag },
                  .row = (const char *)bytes + SR_RECORD_HEAD,
                  .len = len},
        .why = "",
    };
}

/* The content of a quarantine record: length of the reason, 1; reason; row. */
static bool split_quarantine(struct sr_segment_record *record)
{
    struct sr_entry *entry = &record->entry;
    size_t why_len;

    if (entry->len < 1)
        return false;
    why_len = (uint8_t)entry->row[0];
    if (entry->len < 1 + why_len)
        return false;
    record->why = entry->row + 1;
    record->why_len = why_len;
    entry->row += 1 + why_len;
    entry->len -= 1 + why_len;
    return true;
}

int sr_segment_decode(const struct sr_segment_header *header, const uint8_t *bytes,
                      size_t len, size_t offset, struct sr_segment_record *ret_record,
                      const char **ret_why)
{
    struct sr_segment_record record;

    if (len == 0 || memcmp(bytes, zeros, len < sizeof zeros ? len : sizeof zeros) == 0)
        return SR_E_END;
    *ret_why = "the file ends within a record";
    if (len < SR_RECORD_HEAD)
        return SR_E_CORRUPT;
    *ret_why = "bytes that are no record";
    if (!known_kind(bytes[6]))
        return SR_E_CORRUPT;
    get_record(header, bytes, offset, &record);
    *ret_why = "the file ends within a record";
    if (SR_RECORD_HEAD + record.entry.len > len)
        return SR_E_CORRUPT;
    *ret_why = "wrong checksum of a record";
    if (get(bytes, 4) !=
        checksum(header, offset, bytes, record.entry.row, record.entry.len))
        return SR_E_CORRUPT;
    *ret_why = "a record that makes no sense";
    if (record.kind == SR_RECORD_QUARANTINE && !split_quarantine(&record))
        return SR_E_CORRUPT;
    *ret_record = record;
    return 0;
}

/* --- reading ----------------------------------------------------------------------- */

static bool all_zero(const uint8_t *bytes, size_t len)
{
    return len == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, len - 1) == 0);
}

void sr_segment_read(struct sr_segment_reader *reader,
                     const struct sr_segment_header *header, const void *bytes,
                     size_t len)
{
    *reader = (struct sr_segment_reader){
        .bytes = bytes,
        .len = len,
        .offset = SR_SEGMENT_HEADER,
        .header = *header,
        .why = "",
        .patience = 4 * (uint64_t)len + SR_RECORD_MAX,
    };
}

int sr_segment_open(struct sr_segment_reader *reader, const void *bytes, size_t len)
{
    static const struct sr_segment_header none;
    const char *why;

    sr_segment_read(reader, &none, bytes, len);
    reader->offset = 0;
    if (all_zero(bytes, len))
        return SR_E_END;
    why = get_header(bytes, len, &reader->header);
    if (why) {
        reader->why = why;
        return SR_E_CORRUPT;
    }
    reader->offset = SR_SEGMENT_HEADER;
    return 0;
}

int sr_segment_next(struct sr_segment_reader *reader,
                    struct sr_segment_record *ret_record)
{
    const uint8_t *bytes = reader->bytes + reader->offset;
    size_t rest = reader->len - reader->offset;
    int rc = sr_segment_decode(&reader->header, bytes, rest, reader->offset, ret_record,
                               &reader->why);

    if (rc == SR_E_END && !all_zero(bytes, rest)) {
        reader->why = "zeros where a record should be";
        return SR_E_CORRUPT;
    }
    if (rc == 0) /* the zeros behind the last text may be missing */
        reader->offset += ret_record->size < rest ? ret_record->size : rest;
    return rc;
}

/* To know whether a candidate is a record, all of its bytes have to be read. A file made of
 * nothing but candidates shall not cost minutes. */
bool sr_segment_resync(struct sr_segment_reader *reader)
{
    struct sr_segment_record record;
    const char *why;
    size_t at =
        reader->offset + SR_RECORD_HEAD - 8; /* what is damaged had a head, too */

    while ((at += 8) + SR_RECORD_HEAD <= reader->len) {
        const uint8_t *bytes = reader->bytes + at;
        size_t size = sr_segment_record_size(bytes);

        if (!known_kind(bytes[6]))
            continue;
        if (size > reader->patience)
            return false;
        reader->patience -= size;
        if (sr_segment_decode(&reader->header, bytes, reader->len - at, at, &record,
                              &why) == 0) {
            reader->offset = at;
            return true;
        }
    }
    return false;
}

/* --- snapshots and quarantine --------------------------------------------------------- */

/* next, 8; rows lost, volatile and buffered, 8 each; first and last loss, 8 each; then for each
 * range first and last, 8 each. */
enum { SNAPSHOT_FIXED = 40, RANGE_SIZE = 16 };

size_t sr_snapshot_encode(const struct sr_snapshot *snapshot,
                          uint8_t bytes[SR_SNAPSHOT_MAX])
{
    uint8_t *at = bytes + SNAPSHOT_FIXED;

    put(bytes, snapshot->next, 8);
    put(bytes + 8, snapshot->losses.rows[0], 8);
    put(bytes + 16, snapshot->losses.rows[1], 8);
    put(bytes + 24, (uint64_t)snapshot->losses.from_ms, 8);
    put(bytes + 32, (uint64_t)snapshot->losses.to_ms, 8);
    for (size_t i = 0; i < snapshot->ranges; i++, at += RANGE_SIZE) {
        put(at, snapshot->range[i].first, 8);
        put(at + 8, snapshot->range[i].last, 8);
    }
    return (size_t)(at - bytes);
}

int sr_snapshot_decode(const struct sr_segment_record *record,
                       struct sr_snapshot *ret_snapshot)
{
    const uint8_t *bytes = (const uint8_t *)record->entry.row;
    size_t len = record->entry.len, ranges;

    if (record->kind != SR_RECORD_SNAPSHOT || len < SNAPSHOT_FIXED ||
        len > SR_SNAPSHOT_MAX || (len - SNAPSHOT_FIXED) % RANGE_SIZE)
        return SR_E_CORRUPT;
    ranges = (len - SNAPSHOT_FIXED) / RANGE_SIZE;
    ret_snapshot->next = get(bytes, 8);
    ret_snapshot->losses = (struct sr_losses){
        .rows = {get(bytes + 8, 8), get(bytes + 16, 8)},
        .from_ms = (int64_t)get(bytes + 24, 8),
        .to_ms = (int64_t)get(bytes + 32, 8),
    };
    ret_snapshot->ranges = ranges;
    for (size_t i = 0; i < ranges; i++) {
        const uint8_t *at = bytes + SNAPSHOT_FIXED + i * RANGE_SIZE;
        struct sr_range *range = &ret_snapshot->range[i];

        *range = (struct sr_range){ get(at, 8), get(at + 8, 8) };
        if (range->first > range->last || range->last >= ret_snapshot->next ||
            (i > 0 && range->first <= range[-1].last))
            return SR_E_CORRUPT;
    }
    return 0;
}

size_t sr_quarantine_encode(const struct sr_entry *entry, const char *why,
                            uint8_t bytes[SR_RECORD_TEXT_MAX])
{
    size_t why_len = strnlen(why, SR_QUARANTINE_WHY_MAX);
    size_t room = SR_RECORD_TEXT_MAX - 1 - why_len;
    size_t len = entry->len < room ? entry->len : room;

    bytes[0] = (uint8_t)why_len;
    memcpy(bytes + 1, why, why_len);
    if (len > 0)
        memcpy(bytes + 1 + why_len, entry->row, len);
    return 1 + why_len + len;
}
