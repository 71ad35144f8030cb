/* SPDX-License-Identifier: MIT */
/* The records of version 1. They are read as ever; what is written of them are voids, over damage in
 * files that are there. */
#include "store/segment_p.h"

#include <string.h>

/* 0: crc, 4; 4: length of the text, 2; 6: kind; 7: prio; 8: seq, 8; 16: wall_ms, 6; 22: boot_ms,
 * 6; 28: ttl_s, 4. */
enum { HEAD = 32, PRIO_XID = 2 };

size_t sr_record1_put(enum sr_record_kind kind, const struct sr_entry *entry,
                      uint8_t *head)
{
    sr_put(head + 4, entry->len, 2);
    sr_put(head + 6, (uint64_t)kind, 1);
    sr_put(head + 7, (uint64_t)entry->prio, 1);
    sr_put(head + 8, entry->seq, 8);
    sr_put(head + 16, (uint64_t)sr_clamp_signed48(entry->put.wall_ms), 6);
    sr_put(head + 22, sr_clamp48(entry->put.boot_ms), 6);
    sr_put(head + 28, entry->ttl_s, 4);
    return HEAD;
}

uint64_t sr_record1_guess(const uint8_t *head)
{
    return head[6] == SR_RECORD_ROW ? sr_get(head + 8, 8) : 0;
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

/* A row of another collection begins with the name of that. */
static void split_xid(struct sr_segment_record *record)
{
    struct sr_entry *entry = &record->entry;
    const char *comma = memchr(entry->row, ',', entry->len);
    size_t len = comma ? (size_t)(comma - entry->row) : 0;

    if (!(entry->prio & PRIO_XID) || !len || len > SR_CHANNEL_TEXT_MAX - 16)
        return;
    record->bare_xid = true;
    entry->prio &= ~PRIO_XID;
    entry->channel = 1;
    entry->channel_name = entry->row;
    entry->channel_len = len;
    entry->row += len + 1;
    entry->len -= len + 1;
}

bool sr_record1_get(const struct sr_segment_header *header, const uint8_t *bytes,
                    struct sr_segment_record *record)
{
    record->kind = (enum sr_record_kind)bytes[6];
    record->entry = (struct sr_entry){
        .seq = sr_get(bytes + 8, 8),
        .prio = bytes[7],
        .ttl_s = (uint32_t)sr_get(bytes + 28, 4),
        .put = {.wall_ms = sr_get_signed48(bytes + 16),
                .boot_ms = sr_get(bytes + 22, 6),
                .boot_tag = header->boot_tag},
        .row = (const char *)bytes + HEAD,
        .len = sr_get(bytes + 4, 2),
    };
    if (record->kind == SR_RECORD_QUARANTINE && !split_quarantine(record))
        return false;
    if (record->kind == SR_RECORD_ROW || record->kind == SR_RECORD_QUARANTINE)
        split_xid(record);
    return true;
}
