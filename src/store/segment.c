/* SPDX-License-Identifier: MIT */
#include "store/segment_p.h"

#include "store/crc32c.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* With a CR LF and an end-of-file of old, that show when a file was treated as text. */
static const uint8_t magic[8] = { 'S', 'R', 'L', 'O', 'G', '\r', '\n', 0x1a };
/* In front of the X-Id of a row of version 1 (SR_PRIO_XID), to name a channel. */
#define XID_CHANNEL "smartrest1:"
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

/* Behind ".damaged": nothing, or the number from 2 on. 0: something else. */
static unsigned which_aside(const char *end)
{
    size_t digits;

    if (!*end)
        return 1;
    if (*end++ != '.')
        return 0;
    digits = strspn(end, "0123456789");
    if (digits == 0 || digits > 9 || end[digits] || *end == '0' ||
        strcmp(end, "1") == 0)
        return 0;
    return (unsigned)strtoul(end, NULL, 10);
}

bool sr_segment_is_aside(const char *name, struct sr_aside *ret_aside)
{
    const char *end = strstr(name, SR_DAMAGED_SUFFIX);
    struct sr_aside aside = { .number = SR_ASIDE_QUARANTINE };
    char of[SR_SEGMENT_NAME_MAX];

    if (!end || (size_t)(end - name) >= sizeof of)
        return false;
    memcpy(of, name, (size_t)(end - name));
    of[end - name] = '\0';
    aside.which = which_aside(end + strlen(SR_DAMAGED_SUFFIX));
    if (!aside.which ||
        (strcmp(of, SR_QUARANTINE_NAME) != 0 && !sr_segment_is_name(of, &aside.number)))
        return false;
    *ret_aside = aside;
    return true;
}

/* Both have the same 36 bytes in front. */
size_t sr_segment_put_header(const struct sr_segment_header *header,
                             uint8_t bytes[SR_SEGMENT_HEADER])
{
    size_t end = sr_segment_begin(header) - 4;

    memcpy(bytes, magic, sizeof magic);
    sr_put(bytes + 8, header->version, 2);
    sr_put(bytes + 10, (uint64_t)header->content, 2);
    sr_put(bytes + 12, header->salt, 4);
    sr_put(bytes + 16, header->number, 8);
    sr_put(bytes + 24, header->base, 8);
    sr_put(bytes + 32, header->boot_tag, 4);
    if (header->version > 1) {
        sr_put(bytes + 36, (uint64_t)sr_clamp_signed48(header->wall_ms), 6);
        sr_put(bytes + 42, sr_clamp48(header->boot_ms), 6);
        sr_put(bytes + 48, header->before_salt, 4);
        sr_put(bytes + 52, header->before_number, 8);
    }
    sr_put(bytes + end, sr_crc32c(0, bytes, end), 4);
    return end + 4;
}

static void get_fields(const uint8_t *bytes, struct sr_segment_header *header)
{
    header->content = (enum sr_segment_content)sr_get(bytes + 10, 2);
    header->salt = (uint32_t)sr_get(bytes + 12, 4);
    header->number = sr_get(bytes + 16, 8);
    header->base = sr_get(bytes + 24, 8);
    header->boot_tag = (uint32_t)sr_get(bytes + 32, 4);
    if (header->version == 1)
        return;
    header->wall_ms = sr_get_signed48(bytes + 36);
    header->boot_ms = sr_get(bytes + 42, 6);
    header->before_salt = (uint32_t)sr_get(bytes + 48, 4);
    header->before_number = sr_get(bytes + 52, 8);
}

bool sr_segment_is_header(const uint8_t *bytes, size_t len, unsigned version)
{
    const struct sr_segment_header header = { .version = version };
    size_t end = sr_segment_begin(&header) - 4;
    uint8_t copy[SR_SEGMENT_HEADER];

    if (len < end + 4)
        return false;
    memcpy(copy, bytes, end);
    sr_put(copy + 8, version, 2);
    return sr_get(bytes + end, 4) == sr_crc32c(0, copy, end);
}

static int get_header(const uint8_t *bytes, size_t len,
                      struct sr_segment_header *header, const char **ret_why)
{
    size_t end;

    *ret_why = "too short for a header";
    if (len < SR_SEGMENT_HEADER_1)
        return SR_E_CORRUPT;
    *ret_why = "not a file of an outbox";
    if (memcmp(bytes, magic, sizeof magic) != 0)
        return SR_E_CORRUPT;
    /* Before the checksum: another version may have another header. */
    header->version = (unsigned)sr_get(bytes + 8, 2);
    *ret_why = "wrong checksum of the header";
    if (header->version == 0 || header->version > SR_SEGMENT_VERSION) {
        if (header->version == 0 || sr_segment_is_header(bytes, len, 1) ||
            sr_segment_is_header(bytes, len, 2))
            return SR_E_CORRUPT; /* the version is all that is wrong */
        *ret_why = "of a version that is not known here";
        return SR_E_STATE;
    }
    end = sr_segment_begin(header) - 4;
    *ret_why = "too short for a header";
    if (len < end + 4)
        return SR_E_CORRUPT;
    *ret_why = "wrong checksum of the header";
    if (!sr_segment_is_header(bytes, len, header->version))
        return SR_E_CORRUPT;
    get_fields(bytes, header);
    *ret_why = "of a kind that is not known here";
    return header->content == SR_CONTENT_LOG || header->content == SR_CONTENT_QUARANTINE
               ? 0
               : SR_E_CORRUPT;
}

/* --- what the versions differ in ------------------------------------------------- */

size_t sr_segment_begin(const struct sr_segment_header *header)
{
    return header->version == 1 ? SR_SEGMENT_HEADER_1 : SR_SEGMENT_HEADER;
}

size_t sr_segment_grain(const struct sr_segment_header *header)
{
    return header->version == 1 ? 8 : 4;
}

size_t sr_segment_head_min(const struct sr_segment_header *header)
{
    return header->version == 1 ? SR_RECORD_HEAD_1 : SR_RECORD_HEAD_MIN;
}

bool sr_segment_is_kind(const struct sr_segment_header *header, const uint8_t *head)
{
    if (header->version == 1)
        return head[6] >= SR_RECORD_ROW && head[6] <= SR_RECORD_QUARANTINE;
    return head[7] & 0x80;
}

size_t sr_segment_record_len(const struct sr_segment_header *header,
                             const uint8_t *head)
{
    return sr_segment_head_min(header) + sr_get(head + 4, header->version == 1 ? 2 : 3);
}

static size_t padded(const struct sr_segment_header *header, size_t len)
{
    size_t grain = sr_segment_grain(header);

    return (len + grain - 1) / grain * grain;
}

size_t sr_segment_record_size(const struct sr_segment_header *header,
                              const uint8_t *head)
{
    return padded(header, sr_segment_record_len(header, head));
}

uint64_t sr_segment_guess_row(const struct sr_segment_header *header,
                              const uint8_t *head, size_t len)
{
    return header->version == 1 ? sr_record1_guess(head)
                                : sr_record2_guess(header, head, len);
}

/* A file that is used again has another salt; and another number, that changes how checksums of two
 * records differ: so nobody who has lost the header takes records of its earlier life for those of
 * this one. */
uint32_t sr_record_seed(const struct sr_segment_header *header, size_t offset)
{
    uint32_t step = header->version == 1 ? 1 : 2 * (uint32_t)header->number + 1;

    return header->salt + step * (uint32_t)offset;
}

/* --- records ---------------------------------------------------------------------- */

/* Of `len` bytes, from behind the checksum on. */
static uint32_t checksum(const struct sr_segment_header *header, size_t offset,
                         const uint8_t *bytes, size_t len)
{
    return sr_crc32c(sr_record_seed(header, offset), bytes + 4, len - 4);
}

size_t sr_segment_put_record(const struct sr_segment_header *header, size_t offset,
                             enum sr_record_kind kind, const struct sr_entry *entry,
                             uint8_t head[SR_RECORD_HEAD_MAX], size_t *ret_size)
{
    size_t len = header->version == 1 ? sr_record1_put(kind, entry, head)
                                      : sr_record2_put(header, kind, entry, head);
    uint32_t crc = checksum(header, offset, head, len);

    sr_put(head, sr_crc32c(crc, entry->row, entry->len), 4);
    *ret_size = padded(header, len + entry->len);
    return len;
}

static bool all_zero(const uint8_t *bytes, size_t len)
{
    return len == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, len - 1) == 0);
}

int sr_segment_decode(const struct sr_segment_header *header, const uint8_t *bytes,
                      size_t len, size_t offset, struct sr_segment_record *ret_record,
                      const char **ret_why)
{
    struct sr_segment_record record = { .offset = (uint32_t)offset, .why = "" };
    size_t head = sr_segment_head_min(header), size;

    if (all_zero(bytes, len < head ? len : head))
        return SR_E_END;
    *ret_why = "the file ends within a record";
    if (len < head)
        return SR_E_CORRUPT;
    *ret_why = "bytes that are no record";
    if (!sr_segment_is_kind(header, bytes))
        return SR_E_CORRUPT;
    *ret_why = "the file ends within a record";
    size = sr_segment_record_len(header, bytes);
    if (size > len)
        return SR_E_CORRUPT;
    *ret_why = "wrong checksum of a record";
    if (sr_get(bytes, 4) != checksum(header, offset, bytes, size))
        return SR_E_CORRUPT;
    *ret_why = "a record that makes no sense";
    if (!(header->version == 1 ? sr_record1_get(header, bytes, &record)
                               : sr_record2_get(header, bytes, &record)))
        return SR_E_CORRUPT;
    record.size = (uint32_t)padded(header, size);
    *ret_record = record;
    return 0;
}

size_t sr_segment_channel(const struct sr_segment_record *record,
                          char name[SR_CHANNEL_TEXT_MAX + 1])
{
    const struct sr_entry *entry = &record->entry;
    size_t prefix = record->bare_xid ? strlen(XID_CHANNEL) : 0;

    memcpy(name, XID_CHANNEL, prefix);
    if (entry->channel_len)
        memcpy(name + prefix, entry->channel_name, entry->channel_len);
    name[prefix + entry->channel_len] = '\0';
    return prefix + entry->channel_len;
}

/* --- reading ----------------------------------------------------------------------- */

void sr_segment_read(struct sr_segment_reader *reader,
                     const struct sr_segment_header *header, const void *bytes,
                     size_t len)
{
    *reader = (struct sr_segment_reader){
        .bytes = bytes,
        .len = len,
        .offset = sr_segment_begin(header),
        .header = *header,
        .why = "",
        .patience = 4 * (uint64_t)len + SR_RECORD_MAX,
    };
}

int sr_segment_open(struct sr_segment_reader *reader, const void *bytes, size_t len)
{
    static const struct sr_segment_header none;
    int rc;

    sr_segment_read(reader, &none, bytes, len);
    reader->offset = 0;
    if (all_zero(bytes, len))
        return SR_E_END;
    rc = get_header(bytes, len, &reader->header, &reader->why);
    if (!rc)
        reader->offset = sr_segment_begin(&reader->header);
    return rc;
}

/* Does the log go on somewhere behind reader->offset? */
static bool goes_on(const struct sr_segment_reader *reader)
{
    struct sr_segment_reader ahead = *reader;

    return sr_segment_resync(&ahead);
}

/* Is there a record of the file's life before this one? */
static bool is_stale(const struct sr_segment_reader *reader)
{
    const struct sr_segment_header *header = &reader->header;
    struct sr_segment_header before = { .version = header->version,
                                        .salt = header->before_salt,
                                        .number = header->before_number };
    struct sr_segment_record record;
    const char *why;

    return before.number && sr_segment_decode(&before, reader->bytes + reader->offset,
                                              reader->len - reader->offset,
                                              reader->offset, &record, &why) == 0;
}

/* Behind the end there may be anything that was written in the file's life before; but no record of
 * this one. */
static bool is_end(const struct sr_segment_reader *reader, int rc)
{
    const uint8_t *bytes = reader->bytes + reader->offset;
    size_t rest = reader->len - reader->offset;

    if (rc == SR_E_END)
        return all_zero(bytes, rest) ||
               (reader->header.before_number && !goes_on(reader));
    return is_stale(reader) && !goes_on(reader);
}

int sr_segment_next(struct sr_segment_reader *reader,
                    struct sr_segment_record *ret_record)
{
    size_t rest = reader->len - reader->offset;
    int rc = sr_segment_decode(&reader->header, reader->bytes + reader->offset, rest,
                               reader->offset, ret_record, &reader->why);

    if (rc == 0) { /* the zeros behind the last text may be missing */
        reader->offset += ret_record->size < rest ? ret_record->size : rest;
        return 0;
    }
    if (is_end(reader, rc))
        return SR_E_END;
    if (rc == SR_E_END)
        reader->why = "zeros where a record should be";
    return SR_E_CORRUPT;
}

/* To know whether a candidate is a record, all of its bytes have to be read. A file made of
 * nothing but candidates shall not cost minutes. */
bool sr_segment_resync(struct sr_segment_reader *reader)
{
    const struct sr_segment_header *header = &reader->header;
    size_t grain = sr_segment_grain(header), head = sr_segment_head_min(header);
    struct sr_segment_record record;
    const char *why;
    size_t at = reader->offset + head - grain; /* what is damaged had a head, too */

    while ((at += grain) + head <= reader->len) {
        const uint8_t *bytes = reader->bytes + at;
        size_t size = sr_segment_record_size(header, bytes);

        if (!sr_segment_is_kind(header, bytes) || size > reader->len - at + grain)
            continue;
        if (size > reader->patience)
            return false;
        reader->patience -= size;
        if (sr_segment_decode(header, bytes, reader->len - at, at, &record, &why) ==
            0) {
            reader->offset = at;
            return true;
        }
    }
    return false;
}

/* --- snapshots and quarantine --------------------------------------------------------- */

/* Version 1: next, 8; rows lost, volatile and buffered, 8 each; first and last loss, 8 each; then for
 * each range first and last, 8 each. Version 2: next, 8; of the header: base, 8; wall_ms, 6; boot_ms, 6;
 * boot tag, 4; ranges, 1: how many, and LOSSES if losses follow; losses, 32; ranges. */
enum { FIXED_1 = 40, FIXED = 33, LOSSES = 0x80, LOSSES_SIZE = 32, RANGE_SIZE = 16 };

static bool any_losses(const struct sr_losses *losses)
{
    return losses->rows[0] || losses->rows[1] || losses->from_ms || losses->to_ms;
}

size_t sr_snapshot_encode(const struct sr_segment_header *header,
                          const struct sr_snapshot *snapshot,
                          uint8_t bytes[SR_SNAPSHOT_MAX])
{
    const struct sr_losses *losses = &snapshot->losses;
    uint8_t *at = bytes + FIXED;

    sr_put(bytes, snapshot->next, 8);
    sr_put(bytes + 8, header->base, 8);
    sr_put(bytes + 16, (uint64_t)sr_clamp_signed48(header->wall_ms), 6);
    sr_put(bytes + 22, sr_clamp48(header->boot_ms), 6);
    sr_put(bytes + 28, header->boot_tag, 4);
    bytes[32] = (uint8_t)(snapshot->ranges | (any_losses(losses) ? LOSSES : 0));
    if (any_losses(losses)) {
        sr_put(at, losses->rows[0], 8);
        sr_put(at + 8, losses->rows[1], 8);
        sr_put(at + 16, (uint64_t)losses->from_ms, 8);
        sr_put(at + 24, (uint64_t)losses->to_ms, 8);
        at += LOSSES_SIZE;
    }
    for (size_t i = 0; i < snapshot->ranges; i++, at += RANGE_SIZE) {
        sr_put(at, snapshot->range[i].first, 8);
        sr_put(at + 8, snapshot->range[i].last, 8);
    }
    return (size_t)(at - bytes);
}

bool sr_snapshot_header(const struct sr_segment_record *record,
                        struct sr_segment_header *header)
{
    const uint8_t *bytes = (const uint8_t *)record->entry.row;

    if (record->kind != SR_RECORD_SNAPSHOT || record->entry.len < FIXED)
        return false;
    header->base = sr_get(bytes + 8, 8);
    header->wall_ms = sr_get_signed48(bytes + 16);
    header->boot_ms = sr_get(bytes + 22, 6);
    header->boot_tag = (uint32_t)sr_get(bytes + 28, 4);
    return true;
}

static struct sr_losses get_losses(const uint8_t *at)
{
    return (struct sr_losses){
        .rows = {sr_get(at, 8), sr_get(at + 8, 8)},
        .from_ms = (int64_t)sr_get(at + 16, 8),
        .to_ms = (int64_t)sr_get(at + 24, 8),
    };
}

static int get_ranges(const uint8_t *at, struct sr_snapshot *snapshot)
{
    for (size_t i = 0; i < snapshot->ranges; i++, at += RANGE_SIZE) {
        struct sr_range *range = &snapshot->range[i];

        *range = (struct sr_range){ sr_get(at, 8), sr_get(at + 8, 8) };
        if (range->first > range->last || range->last >= snapshot->next ||
            (i > 0 && range->first <= range[-1].last))
            return SR_E_CORRUPT;
    }
    return 0;
}

static int decode_1(const uint8_t *bytes, size_t len, struct sr_snapshot *snapshot)
{
    if (len < FIXED_1 || (len - FIXED_1) % RANGE_SIZE ||
        (len - FIXED_1) / RANGE_SIZE > SR_SNAPSHOT_RANGES)
        return SR_E_CORRUPT;
    snapshot->next = sr_get(bytes, 8);
    snapshot->losses = get_losses(bytes + 8);
    snapshot->ranges = (len - FIXED_1) / RANGE_SIZE;
    return get_ranges(bytes + FIXED_1, snapshot);
}

static int decode_2(const uint8_t *bytes, size_t len, struct sr_snapshot *snapshot)
{
    const uint8_t *at = bytes + FIXED;
    bool losses;

    if (len < FIXED)
        return SR_E_CORRUPT;
    losses = bytes[32] & LOSSES;
    snapshot->next = sr_get(bytes, 8);
    snapshot->ranges = bytes[32] & ~(unsigned)LOSSES;
    if (snapshot->ranges > SR_SNAPSHOT_RANGES ||
        len != FIXED + (losses ? LOSSES_SIZE : 0) + snapshot->ranges * RANGE_SIZE)
        return SR_E_CORRUPT;
    snapshot->losses = (struct sr_losses){ 0 };
    if (losses)
        snapshot->losses = get_losses(at);
    return get_ranges(at + (losses ? LOSSES_SIZE : 0), snapshot);
}

int sr_snapshot_decode(const struct sr_segment_header *header,
                       const struct sr_segment_record *record,
                       struct sr_snapshot *ret_snapshot)
{
    const uint8_t *bytes = (const uint8_t *)record->entry.row;
    size_t len = record->entry.len;

    if (record->kind != SR_RECORD_SNAPSHOT)
        return SR_E_CORRUPT;
    return header->version == 1 ? decode_1(bytes, len, ret_snapshot)
                                : decode_2(bytes, len, ret_snapshot);
}

size_t sr_quarantine_encode(const struct sr_entry *entry, const char *why,
                            uint8_t bytes[SR_QUARANTINE_MAX])
{
    size_t why_len = strnlen(why, SR_QUARANTINE_WHY_MAX), name_len = entry->channel_len;
    size_t len = entry->len < SR_RECORD_TEXT_MAX ? entry->len : SR_RECORD_TEXT_MAX;
    uint8_t *at = bytes;

    name_len = name_len < SR_CHANNEL_TEXT_MAX ? name_len : SR_CHANNEL_TEXT_MAX;
    *at++ = (uint8_t)why_len;
    memcpy(at, why, why_len);
    at += why_len;
    sr_put(at, name_len, 2);
    if (name_len > 0)
        memcpy(at + 2, entry->channel_name, name_len);
    at += 2 + name_len;
    if (len > 0)
        memcpy(at, entry->row, len);
    return (size_t)(at - bytes) + len;
}
