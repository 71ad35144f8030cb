/* SPDX-License-Identifier: MIT */
/* What is done: counted, written down in snapshots, and what has become superfluous removed. */
#include "store/store_p.h"

#include <string.h>

enum { PROBE = 1024 }; /* bytes that most rows do not need more than */

/* --- snapshots ------------------------------------------------------------- */

/* The ranges that have the most numbers, as many as fit. */
static void make_snapshot(const struct sr_store *store, struct sr_snapshot *snapshot)
{
    struct sr_ranges ranges = store->done;

    while (ranges.count > SR_SNAPSHOT_RANGES)
        sr_ranges_forget(&ranges);
    snapshot->next = store->next_seq;
    snapshot->losses = store->losses;
    snapshot->ranges = ranges.count;
    memcpy(snapshot->range, ranges.range, ranges.count * sizeof *ranges.range);
}

struct sr_entry sr_store_snapshot(const struct sr_store *store,
                                  const struct sr_segment_header *header,
                                  uint8_t bytes[SR_SNAPSHOT_MAX])
{
    struct sr_snapshot snapshot;

    make_snapshot(store, &snapshot);
    return (struct sr_entry){ .seq = store->next_seq,
                              .row = (const char *)bytes,
                              .len = sr_snapshot_encode(header, &snapshot, bytes) };
}

static int try_snapshot(struct sr_store *store)
{
    uint8_t bytes[SR_SNAPSHOT_MAX];
    struct sr_instant last = sr_store_last_instant(store);
    struct segment *segment = sr_store_active(store);
    struct sr_entry entry = { .len = 0 };
    int rc;

    if (segment)
        entry = sr_store_snapshot(store, &segment->header, bytes);
    if (!segment || segment->end + SR_RECORD_HEAD_MAX + entry.len > segment->size)
        return sr_store_rotate(store, &last, store->next_seq);
    rc = sr_store_write_record(store, SR_RECORD_SNAPSHOT, &entry);
    if (!rc)
        sr_sync_wrote(store, 0, false);
    return rc;
}

/* Writes down what is done and lost, and removes what has become superfluous: if the disk is full
 * that first. If it fails it is tried again with the next. */
void sr_store_write_snapshot(struct sr_store *store)
{
    int rc = try_snapshot(store);
    bool gone = sr_store_remove_dead(store);

    if (rc && (sr_store_drop_spare(store) || gone)) {
        sr_sync_settle(
            store); /* who syncs a file has it open, and its room is not free */
        rc = try_snapshot(store);
    }
    store->snapshot_due = rc != 0;
}

int sr_store_probe(struct sr_store *store)
{
    struct sr_instant last = sr_store_last_instant(store);
    int rc = sr_store_heal(store);

    if (!rc)
        rc = sr_store_make_room(store, PROBE, &last, store->next_seq, true);
    if (rc && rc != SR_E_FULL) /* the bound is no fault of the disk */
        return rc;
    sr_store_write_snapshot(store);
    if (store->snapshot_due)
        return SR_E_IO;
    store->error->text[0] = '\0';
    return 0;
}

/* --- done ------------------------------------------------------------------ */

/* They come twice, from now on too; see docs/outbox.md. */
static void count_again(struct sr_store *store, struct sr_range forgotten)
{
    for (size_t i = 0; i < store->count; i++) {
        struct segment *segment = &store->segments[i];
        struct tally tally;

        if (segment->rows == 0 || segment->last < forgotten.first ||
            segment->first > forgotten.last)
            continue;
        sr_store_tally(store, segment, forgotten.first, forgotten.last, &tally);
        segment->live += tally.rows;
        segment->live_bytes += tally.bytes;
    }
}

void sr_store_add_done(struct sr_store *store, uint64_t first, uint64_t last)
{
    struct sr_range forgotten;

    if (sr_ranges_add(&store->done, first, last, &forgotten))
        count_again(store, forgotten);
}

/* Takes rows from the counts of those that are live. Before they are among the done. */
static void discount(struct sr_store *store, size_t index, uint64_t first,
                     uint64_t last)
{
    struct segment *segment = &store->segments[index];
    struct tally tally;

    if (segment->live == 0)
        return;
    if (first <= segment->first && last >= segment->last) {
        segment->live = 0;
        segment->live_bytes = 0;
        return;
    }
    segment->bad = sr_store_tally(store, segment, first, last, &tally) != 0;
    if (segment->bad)
        return; /* counted anew in a moment */
    segment->live -= tally.rows < segment->live ? tally.rows : segment->live;
    segment->live_bytes -=
        tally.bytes < segment->live_bytes ? tally.bytes : segment->live_bytes;
}

/* Between two ranges without live rows in between there is nothing to tell apart. */
static void join_done(struct sr_store *store)
{
    struct sr_ranges *done = &store->done;

    for (size_t i = done->count; i-- > 1;) {
        uint64_t first = done->range[i - 1].last + 1, last = done->range[i].first - 1;
        size_t at = sr_store_locate(store, first);

        while (at < store->count && store->segments[at].rows == 0)
            at++;
        if (at == store->count || store->segments[at].first > last)
            sr_store_add_done(store, first, last);
    }
}

void sr_store_done(struct sr_store *store, uint64_t first, uint64_t last)
{
    if (last >= STORE_SEQ_MAX) /* "all": none that is still to come */
        last = store->next_seq - 1;
    if (first > last)
        return;
    for (size_t i = sr_store_locate(store, first); i < store->count; i++) {
        if (store->segments[i].rows > 0 && store->segments[i].first > last)
            break;
        discount(store, i, first, last);
    }
    sr_store_add_done(store, first, last);
    if (store->next_seq <= last)
        store->next_seq = last + 1;
    if (store->done.count > 1)
        join_done(store);
    for (size_t i = store->count; i-- > 0;)
        if (store->segments[i].bad)
            sr_store_give_up(store, i);
    if (sr_store_now_ms() >= store->heal_next_ms)
        sr_store_heal(store);
    sr_store_write_snapshot(store);
}

int sr_store_give_up(struct sr_store *store, size_t index)
{
    struct segment *segment = &store->segments[index];
    uint64_t last = segment->last, gone;
    char name[SR_SEGMENT_NAME_MAX];

    sr_store_name(name, segment->header.number);
    if (sr_store_cut(store, segment, &gone))
        return SR_E_NOMEM;
    segment->bad = false;
    store->unreadable += gone;
    if (store->has_active && index == store->count - 1)
        sr_store_seal(store);
    sr_store_add_done(store, segment->last + 1, last);
    if (segment->live == 0) {
        sr_store_rename_aside(store, name);
        sr_store_drop_segment(store, index);
    }
    sr_store_write_snapshot(store);
    return 0;
}
