/* SPDX-License-Identifier: MIT */
/* After a sync that failed: the rows that it was for are written anew. */
#include "store/store_p.h"

#include <fcntl.h>
#include <unistd.h>

/* Copies live rows of segment `index` with numbers behind `safe` to the end of the log, and notes
 * in the segment what they were. */
static int copy_segment(struct sr_store *store, size_t index, uint64_t safe)
{
    struct suspects suspects = { .rows = 0 };
    uint32_t offset = sr_store_seek(&store->segments[index], safe);
    uint32_t end = store->segments[index].end;
    uint64_t above = store->segments[index].above;

    while (offset < end) {
        struct sr_segment_record record;
        struct sr_entry *entry = &record.entry;
        int rc = sr_store_read(store, &store->segments[index], offset, &record);

        if (rc)
            return rc;
        offset += record.size;
        if (record.kind != SR_RECORD_ROW || entry->seq <= safe || entry->seq <= above)
            continue;
        if (suspects.rows++ == 0)
            suspects.offset = record.offset;
        if (sr_ranges_find(&store->done, entry->seq))
            continue;
        suspects.live++;
        suspects.live_bytes += entry->len;
        rc = sr_store_find_name(store, &store->segments[index], &record);
        if (rc)
            return rc;
        rc = sr_store_put(store, entry, true);
        if (rc)
            return rc;
    }
    store->segments[index].suspects = suspects;
    return 0;
}

/* The copies hold: the first ones go. */
static void drop_suspects(struct sr_store *store, size_t old, uint64_t safe)
{
    for (size_t i = 0; i < old; i++) {
        struct segment *segment = &store->segments[i];
        char name[SR_SEGMENT_NAME_MAX];
        int fd;

        if (segment->rows == 0 || segment->last <= safe)
            continue;
        if (segment->live == 0) { /* nothing was copied, and it goes */
            sr_store_end_at(store, segment, segment->end, safe);
            continue;
        }
        segment->rows -= segment->suspects.rows;
        segment->live -= segment->suspects.live;
        segment->live_bytes -= segment->suspects.live_bytes;
        sr_store_end_at(store, segment, segment->suspects.offset, safe);
        sr_store_name(name, segment->header.number);
        fd = sr_store_reopen(store, name, O_RDWR);
        if (fd < 0)
            continue; /* the next to open the log finds rows twice, and takes one */
        store->disk->ftruncate(store->disk->arg, fd, segment->end);
        close(fd);
    }
    sr_store_remove_dead(store);
}

static void drop_copies(struct sr_store *store, size_t old)
{
    sr_store_seal(store);
    while (store->count > old) {
        sr_store_unlink_segment(store, store->segments[store->count - 1].header.number);
        sr_store_drop_segment(store, store->count - 1);
    }
}

/* The rows that may not have reached the medium are written anew, to another segment, and
 * synced. The bound does not hold meanwhile. */
int sr_store_heal(struct sr_store *store)
{
    uint64_t safe;
    size_t old = store->count;
    struct sr_instant last;
    int rc;

    if (!sr_sync_failed(store, &safe))
        return 0;
    store->heal_next_ms = sr_store_now_ms() + STORE_HEAL_MS;
    store->healing = true;
    last = sr_store_last_instant(store);
    rc = sr_store_rotate(store, &last, safe + 1);
    if (rc) { /* nothing was copied: what there is stays */
        store->healing = false;
        return rc;
    }
    old = store->has_active ? store->count - 1 : store->count;
    for (size_t i = 0; !rc && i < old; i++)
        if (store->segments[i].live > 0 && store->segments[i].last > safe)
            rc = copy_segment(store, i, safe);
    if (!rc)
        rc = sr_sync_retry(store);
    store->healing = false;
    if (rc)
        drop_copies(store, old);
    else
        drop_suspects(store, old, safe);
    return rc;
}
