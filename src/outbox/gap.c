/* SPDX-License-Identifier: MIT */
/* The gap: rows that are on disk only. How rows get there, and are read back. */
#include "outbox/outbox_p.h"

#include <stdlib.h>
#include <string.h>

enum { READ_AHEAD = 64 * 1024 };

/* --- forgetting what is on disk ------------------------------------------- */

/* Mostly the last one. */
static void await(struct sr_outbox *box, struct told *told, uint64_t seq)
{
    struct told **link = &box->awaiting;

    if (box->awaiting_last && box->awaiting_last->seq < seq)
        link = &box->awaiting_last->next;
    while (*link && (*link)->seq < seq)
        link = &(*link)->next;
    told->seq = seq;
    told->next = *link;
    *link = told;
    if (!told->next)
        box->awaiting_last = told;
    box->awaiting_bytes += sizeof *told;
    box->memory += sizeof *told;
}

static struct told *awaiting_pop(struct sr_outbox *box)
{
    struct told *told = box->awaiting;

    box->awaiting = told->next;
    if (!box->awaiting)
        box->awaiting_last = NULL;
    box->awaiting_bytes -= sizeof *told;
    box->memory -= sizeof *told;
    return told;
}

void sr_box_forget(struct sr_outbox *box, struct node *node)
{
    if (box->lo == box->hi)
        box->lo = box->hi = node->seq;
    if (box->hi <= node->seq)
        box->hi = node->seq + 1;
    if (box->mark < box->hi)
        box->mark = box->hi;
    box->memory -= cost_of(node);
    box->rows--;
    box->disk_rows--;
    box->disk_bytes -= node->len;
    if (node->told)
        await(box, node->told, node->seq);
    sr_channels_drop(&box->channels, node->channel);
    free(node);
}

bool sr_box_trim(struct sr_outbox *box)
{
    struct list *list = &box->waiting[box->waiting[MIDDLE].head ? MIDDLE : LIVE];

    if (!list->head || !(list->head->prio & NODE_WRITTEN))
        return false;
    sr_box_forget(box, sr_list_pop(list));
    return true;
}

/* --- reading ahead ----------------------------------------------------------- */

static bool is_under_way(const struct sr_outbox *box, uint64_t seq)
{
    for (const struct batch *batch = box->batches; batch; batch = batch->next) {
        const struct list *rows = &batch->rows[SR_CLASS_BUFFERED];

        if (!rows->head || seq < rows->head->seq || seq > sr_list_last(rows)->seq)
            continue;
        for (const struct node *node = rows->head; node; node = node->next)
            if (node->seq == seq)
                return true;
    }
    return false;
}

void sr_box_tell_awaiting(struct sr_outbox *box, uint64_t seq, enum sr_fate fate)
{
    while (box->awaiting && box->awaiting->seq < seq)
        sr_box_tell(box, awaiting_pop(box), fate);
}

static bool is_gone(struct sr_outbox *box, const struct node *node)
{
    struct sr_entry entry;
    int rc = sr_store_next(box->store, node->seq, &entry);

    return rc == SR_E_END || (!rc && entry.seq != node->seq);
}

/* Rows of the list that the store lost go on in memory only. Returns their number. */
static uint64_t find_orphans(struct sr_outbox *box, struct list *list)
{
    uint64_t orphans = 0;

    for (struct node *node = list->head; node; node = node->next) {
        if (!(node->prio & NODE_WRITTEN) || !is_gone(box, node))
            continue;
        node->prio = (node->prio & ~(unsigned)NODE_WRITTEN) | NODE_ORPHAN;
        list->unwritten += cost_of(node);
        box->disk_rows--;
        box->disk_bytes -= node->len;
        orphans++;
    }
    return orphans;
}

static uint64_t find_all_orphans(struct sr_outbox *box)
{
    uint64_t orphans = 0;

    for (struct batch *batch = box->batches; batch; batch = batch->next)
        orphans += find_orphans(box, &batch->rows[SR_CLASS_BUFFERED]);
    for (int i = FRONT; i <= LIVE; i++)
        orphans += find_orphans(box, &box->waiting[i]);
    return orphans;
}

bool sr_box_count_unreadable(struct sr_outbox *box)
{
    uint64_t rows, before = box->unreadable;

    if (sr_store_rows_unreadable(box->store) == before)
        return false;
    sr_box_write_done(box);
    rows = find_all_orphans(box);
    box->unreadable = sr_store_rows_unreadable(box->store);
    rows = box->unreadable - before > rows ? box->unreadable - before - rows : 0;
    box->stats.fates[SR_FATE_DAMAGED][SR_CLASS_BUFFERED] += rows;
    if (rows)
        sr_box_lose(box, SR_FATE_DAMAGED, SR_CLASS_BUFFERED, rows,
                    sr_clock_now(box->clock).wall_ms);
    return true;
}

/* A row of a protocol that this program does not know: that of a later one, which has been rolled back.
 * It stays on disk for that, and waits for nothing here. */
static void leave(struct sr_outbox *box, const struct sr_entry *entry)
{
    box->disk_rows++;
    box->disk_bytes += entry->len;
    sr_box_tell_awaiting(box, entry->seq + 1, SR_FATE_STORED);
}

/* Returns 0; SR_E_FULL or SR_E_NOMEM: later; SR_E_NOTFOUND: never. */
static int read_in(struct sr_outbox *box, const struct sr_entry *entry)
{
    struct sr_channel *channel;
    struct node *node;
    int rc = sr_box_from_entry(box, entry, &channel);

    if (rc)
        return rc;
    node = malloc(sizeof *node + entry->len);
    if (!node)
        return SR_E_NOMEM;
    *node = (struct node){
        .seq = entry->seq,
        .wall_ms = entry->put.wall_ms,
        .boot_ms = entry->put.boot_ms,
        .boot_tag = entry->put.boot_tag,
        .channel = channel,
        .len = (uint32_t)entry->len,
        .ttl_s = entry->ttl_s,
        .prio = ((unsigned)entry->prio & (NODE_PRIO | SR_ROW_UNSTAMPED)) | SR_PRIO_BUF |
                NODE_WRITTEN,
    };
    memcpy(node->text, entry->row, node->len);
    sr_channels_use(&box->channels, channel);
    if (box->awaiting && box->awaiting->seq == entry->seq)
        node->told = awaiting_pop(box);
    box->memory += cost_of(node);
    box->rows++;
    box->disk_rows++;
    box->disk_bytes += node->len;
    sr_list_append(&box->waiting[FRONT], node);
    return 0;
}

/* 64 KiB, or a quarter of the bound; and a batch, or half of the bound. */
static bool has_read_enough(const struct sr_outbox *box)
{
    const struct list *front = &box->waiting[FRONT];
    size_t ahead = box->cap / 4 < READ_AHEAD ? box->cap / 4 : READ_AHEAD;

    return front->rows && front->cost >= ahead &&
           (front->rows >= box->batch_rows || front->bytes >= box->batch_bytes ||
            front->cost >= box->cap / 2);
}

/* Rows under way from disk take as much memory again as the bound, and no more. */
static bool too_much_under_way(const struct sr_outbox *box)
{
    size_t cost = 0;

    for (const struct batch *batch = box->batches; batch; batch = batch->next)
        if (!batch->base.held)
            cost += batch->rows[SR_CLASS_BUFFERED].cost;
    return cost && cost >= box->cap;
}

static void read_gap(struct sr_outbox *box)
{
    struct sr_entry entry;

    while (box->lo < box->hi && !has_read_enough(box) && !too_much_under_way(box)) {
        int rc = sr_store_next(box->store, box->lo, &entry);

        if (sr_box_count_unreadable(box))
            continue; /* and it has read elsewhere meanwhile */
        if (rc == SR_E_NOMEM)
            return;
        if (rc || entry.seq >= box->hi) {
            sr_box_tell_awaiting(box, box->hi, SR_FATE_DAMAGED);
            box->lo = box->hi;
            return;
        }
        sr_box_tell_awaiting(box, entry.seq, SR_FATE_DAMAGED);
        rc = is_under_way(box, entry.seq) ? 0 : read_in(box, &entry);
        if (rc == SR_E_NOTFOUND)
            leave(box, &entry);
        else if (rc)
            return;
        box->lo = entry.seq + 1;
    }
}

/* What comes last makes room for what comes first. */
void sr_box_read_ahead(struct sr_outbox *box)
{
    read_gap(box);
    while (box->memory > box->cap && sr_box_trim(box))
        ;
}
