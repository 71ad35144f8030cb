/* SPDX-License-Identifier: MIT */
/* Rows and snapshots become records behind the last one. */
#include "store/store_p.h"

#include <errno.h>
#include <string.h>

static const uint8_t zeros[8];

/* iovec is for reading, too, and knows no const. */
static void *writable(const void *bytes)
{
    void *copy;

    memcpy(&copy, &bytes, sizeof copy);
    return copy;
}

/* Room that was only reserved costs the file system an entry in its journal when it is written to the
 * first time, with each sync: more bytes than most rows have, and time. So zeros go ahead, and each
 * sync but the first of so many bytes is one of data alone. It does not matter if that fails.
 * Page by page: what is written in one piece the kernel may keep in one, and count as one. */
static void fill_ahead(struct sr_store *store, struct segment *segment, uint32_t end)
{
    static uint8_t
        nothing[STORE_GRAIN]; /* not const: it shall take no room in the file */
    uint32_t at = segment->filled > segment->end ? segment->filled : segment->end;
    uint32_t to = sr_store_round_up(end, STORE_FILL);

    to = to < segment->size ? to : segment->size;
    while (end > segment->filled && at < to) {
        uint32_t page = sr_store_round_up(at + 1, sizeof nothing),
                 len = (page < to ? page : to) - at;
        struct iovec part = { nothing, len };

        if (sr_store_write(store, store->sync->active, &part, 1, at))
            return;
        at += len;
    }
    segment->filled = at > segment->filled ? at : segment->filled;
}

/* There is room for it in the active segment. If it fails, nobody knows what is in the file
 * behind its end: it is sealed. */
int sr_store_write_record(struct sr_store *store, enum sr_record_kind kind,
                          const struct sr_entry *entry)
{
    struct segment *segment = sr_store_active(store);
    uint8_t head[SR_RECORD_HEAD];
    size_t size =
        sr_segment_put_record(&segment->header, segment->end, kind, entry, head);
    struct iovec parts[3] = {
        {head,                  sizeof head                    },
        { writable(entry->row), entry->len                     },
        { writable(zeros),      size - sizeof head - entry->len},
    };

    fill_ahead(store, segment, segment->end + (uint32_t)size);
    if (sr_store_write(store, store->sync->active, parts, 3, segment->end)) {
        sr_store_fail_segment(store, segment->header.number, "cannot write", errno);
        sr_store_seal(store);
        return SR_E_IO;
    }
    segment->end += (uint32_t)size;
    return 0;
}

/* `copy`: it was in the log before, and is needed at once. */
int sr_store_put(struct sr_store *store, const struct sr_entry *entry, bool copy)
{
    size_t need = (SR_RECORD_HEAD + entry->len + 7) / 8 * 8;
    uint64_t base = copy ? entry->seq : store->next_seq;
    struct segment *segment;
    int rc = sr_store_make_room(store, need, entry->put.boot_tag, base, !copy);

    if (rc)
        return rc;
    rc = sr_store_write_record(store, SR_RECORD_ROW, entry);
    if (rc)
        return rc;
    segment = sr_store_active(store);
    if (segment->rows++ == 0)
        segment->first = entry->seq;
    segment->last = entry->seq;
    segment->live++;
    segment->live_bytes += entry->len;
    sr_store_mark(segment, entry->seq, segment->end - (uint32_t)need);
    sr_sync_wrote(store, entry->seq, false);
    return 0;
}

int sr_store_append(struct sr_store *store, const struct sr_entry *entry)
{
    int rc;

    if (entry->len > SR_RECORD_TEXT_MAX)
        return SR_E_TOOBIG;
    if (entry->seq < store->next_seq || entry->seq >= STORE_SEQ_MAX)
        return SR_E_INVAL;
    rc = sr_store_heal(store);
    if (!rc)
        rc = sr_store_put(store, entry, false);
    if (rc)
        return rc;
    if (entry->seq > store->next_seq)
        sr_store_add_done(store, store->next_seq, entry->seq - 1);
    store->next_seq = entry->seq + 1;
    store->error->text[0] = '\0';
    if (store->snapshot_due)
        sr_store_write_snapshot(store);
    return 0;
}
