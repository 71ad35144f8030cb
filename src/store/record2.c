/* SPDX-License-Identifier: MIT */
/* The records of version 2. The first 8 bytes are the same for all kinds, those to come too, so a
 * reader gets over what it does not know:
 *
 *     0: crc, 4; 4: length of what follows, 3; 7: kind
 *
 * A row goes on with a byte of flags, that say which fields follow: number, channel, time, difference of
 * the clocks, time to live, priority. Each row can be read by itself: number and time count from those in
 * the header, and not from the row before. */
#include "store/segment_p.h"

#include <string.h>

enum { HEAD = SR_RECORD_HEAD_MIN, PRIO_USUAL = 1 };
enum {
    HAS_PRIO = 1, /* else PRIO_USUAL */
    HAS_TTL = 2,
    HAS_CHANNEL = 4,
    HAS_SKEW = 8,
    TIME_SHIFT = 4, /* two bits: index of time_len */
    KNOWN_FLAGS = 0x3f
};
/* Of the time since the header's, on the clock since boot; the last is that clock itself. */
static const int time_len[4] = { 2, 3, 4, 6 };
enum { TIME_WHOLE = 3 };

/* --- numbers of varying length: 7 bits a byte, low ones first, the last has no high bit --- */

static size_t put_varint(uint8_t *bytes, uint64_t number)
{
    size_t n = 0;

    for (; number >= 0x80; number >>= 7)
        bytes[n++] = (uint8_t)(number | 0x80);
    bytes[n++] = (uint8_t)number;
    return n;
}

static uint64_t zigzag(int64_t number)
{
    return number < 0 ? ~((uint64_t)number << 1) : (uint64_t)number << 1;
}

static int64_t unzigzag(uint64_t bits)
{
    return (int64_t)(bits >> 1 ^ (~(bits & 1) + 1));
}

struct cursor {
    const uint8_t *at, *end;
    bool bad; /* it was shorter than that */
};

static uint64_t take(struct cursor *cursor, int count)
{
    const uint8_t *at = cursor->at;

    if (cursor->end - at < count) {
        cursor->bad = true;
        return 0;
    }
    cursor->at += count;
    return sr_get(at, count);
}

static uint64_t take_varint(struct cursor *cursor)
{
    uint64_t number = 0;

    for (int shift = 0; shift < 64; shift += 7) {
        uint64_t byte = take(cursor, 1);

        number |= (byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return number;
    }
    cursor->bad = true;
    return number;
}

/* --- writing ------------------------------------------------------------------------- */

static unsigned choose_time(const struct sr_segment_header *header, uint64_t boot_ms,
                            uint64_t *ret_time)
{
    uint64_t since = boot_ms - header->boot_ms;

    *ret_time = boot_ms;
    if (boot_ms < header->boot_ms || since >> 32)
        return TIME_WHOLE;
    *ret_time = since;
    return since >> 24 ? 2 : since >> 16 ? 1 : 0;
}

static size_t put_fields(const struct sr_segment_header *header,
                         const struct sr_entry *entry, uint8_t *flags)
{
    uint64_t boot_ms = sr_clamp48(entry->put.boot_ms), time;
    unsigned code = choose_time(header, boot_ms, &time);
    int64_t skew = sr_clamp_signed48(entry->put.wall_ms) - header->wall_ms -
                   ((int64_t)boot_ms - (int64_t)header->boot_ms);
    uint8_t *at = flags + 1;

    *flags =
        (uint8_t)((entry->prio != PRIO_USUAL ? HAS_PRIO : 0) |
                  (entry->ttl_s ? HAS_TTL : 0) | (entry->channel ? HAS_CHANNEL : 0) |
                  (skew ? HAS_SKEW : 0) | code << TIME_SHIFT);
    at += put_varint(at, entry->seq - header->base);
    if (entry->channel)
        at += put_varint(at, entry->channel);
    sr_put(at, time, time_len[code]);
    at += time_len[code];
    if (skew)
        at += put_varint(at, zigzag(skew));
    if (entry->ttl_s)
        at += put_varint(at, entry->ttl_s);
    if (entry->prio != PRIO_USUAL)
        *at++ = (uint8_t)entry->prio;
    return (size_t)(at - flags);
}

size_t sr_record2_put(const struct sr_segment_header *header, enum sr_record_kind kind,
                      const struct sr_entry *entry, uint8_t *head)
{
    size_t fields = 0;

    if (kind == SR_RECORD_ROW || kind == SR_RECORD_QUARANTINE)
        fields = put_fields(header, entry, head + HEAD);
    else if (kind == SR_RECORD_CHANNEL)
        fields = put_varint(head + HEAD, entry->channel);
    sr_put(head + 4, fields + entry->len, 3);
    head[7] = (uint8_t)kind;
    return HEAD + fields;
}

/* --- reading ------------------------------------------------------------------------- */

static void take_time(struct cursor *cursor, const struct sr_segment_header *header,
                      unsigned flags, struct sr_instant *put)
{
    unsigned code = flags >> TIME_SHIFT & 3;
    uint64_t time = take(cursor, time_len[code]);
    int64_t skew = flags & HAS_SKEW ? unzigzag(take_varint(cursor)) : 0;

    put->boot_ms = code == TIME_WHOLE ? time : header->boot_ms + time;
    put->wall_ms = (int64_t)((uint64_t)header->wall_ms + (uint64_t)skew + put->boot_ms -
                             header->boot_ms);
    put->boot_tag = header->boot_tag;
}

static bool take_fields(struct cursor *cursor, const struct sr_segment_header *header,
                        struct sr_segment_record *record)
{
    struct sr_entry *entry = &record->entry;
    unsigned flags = (unsigned)take(cursor, 1);
    uint64_t ttl_s;

    entry->seq = header->base + take_varint(cursor);
    if (flags & ~(unsigned)KNOWN_FLAGS) {
        record->kind =
            SR_RECORD_UNKNOWN; /* of a later program, but its number counts */
        return !cursor->bad;
    }
    entry->channel = flags & HAS_CHANNEL ? (uint32_t)take_varint(cursor) : 0;
    take_time(cursor, header, flags, &entry->put);
    ttl_s = flags & HAS_TTL ? take_varint(cursor) : 0;
    entry->ttl_s = (uint32_t)ttl_s;
    entry->prio = flags & HAS_PRIO ? (int)take(cursor, 1) : PRIO_USUAL;
    return !cursor->bad && ttl_s <= UINT32_MAX && entry->channel <= SR_SEGMENT_CHANNELS;
}

/* Length of the reason, 1; reason; length of the channel's name, 2; name; row. */
static bool split_quarantine(struct cursor *cursor, struct sr_segment_record *record)
{
    struct sr_entry *entry = &record->entry;

    record->why_len = take(cursor, 1);
    record->why = (const char *)cursor->at;
    if ((size_t)(cursor->end - cursor->at) < record->why_len)
        return false;
    cursor->at += record->why_len;
    entry->channel_len = take(cursor, 2);
    if (cursor->bad || (size_t)(cursor->end - cursor->at) < entry->channel_len ||
        entry->channel_len > SR_CHANNEL_TEXT_MAX)
        return false;
    entry->channel = entry->channel_len > 0;
    entry->channel_name = entry->channel_len ? (const char *)cursor->at : NULL;
    cursor->at += entry->channel_len;
    return true;
}

static bool take_channel(struct cursor *cursor, struct sr_entry *entry)
{
    uint64_t number = take_varint(cursor);
    size_t len = (size_t)(cursor->end - cursor->at);

    entry->channel = (uint32_t)number;
    return !cursor->bad && number > 0 && number <= SR_SEGMENT_CHANNELS && len > 0 &&
           len <= SR_CHANNEL_TEXT_MAX;
}

bool sr_record2_get(const struct sr_segment_header *header, const uint8_t *bytes,
                    struct sr_segment_record *record)
{
    struct cursor cursor = { .at = bytes + HEAD };
    bool fine = true;

    cursor.end = cursor.at + sr_get(bytes + 4, 3);
    record->kind = (enum sr_record_kind)bytes[7];
    record->entry = (struct sr_entry){ 0 };
    switch (record->kind) {
    case SR_RECORD_QUARANTINE:
    case SR_RECORD_ROW:
        fine = take_fields(&cursor, header, record);
        if (fine && record->kind == SR_RECORD_QUARANTINE)
            fine = split_quarantine(&cursor, record);
        break;
    case SR_RECORD_CHANNEL: fine = take_channel(&cursor, &record->entry); break;
    case SR_RECORD_SNAPSHOT:
    case SR_RECORD_VOID: break;
    default: record->kind = SR_RECORD_UNKNOWN;
    }
    record->entry.row = (const char *)cursor.at;
    record->entry.len = (size_t)(cursor.end - cursor.at);
    return fine;
}

uint64_t sr_record2_guess(const struct sr_segment_header *header, const uint8_t *head,
                          size_t len)
{
    struct cursor cursor = { .at = head + HEAD + 1, .end = head + len };
    uint64_t number;

    if (head[7] != SR_RECORD_ROW || len <= HEAD)
        return 0;
    number = take_varint(&cursor);
    return cursor.bad ? 0 : header->base + number;
}
