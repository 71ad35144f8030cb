/* SPDX-License-Identifier: MIT */
/* The way in: room, policies, and when who sends should look. */
#include "outbox/outbox_p.h"

#include <stdlib.h>
#include <string.h>

/* --- room in memory ------------------------------------------------------- */

/* What dropping could free for a row of `class`. Volatile rows never displace buffered ones. */
static size_t droppable(const struct sr_outbox *box, int class)
{
    size_t bytes = 0;

    if (box->policy[SR_CLASS_VOLATILE] == SR_DROP_OLDEST)
        bytes += box->waiting[OLD_VOLATILE].cost + box->waiting[LIVE_VOLATILE].cost;
    if (class == SR_CLASS_BUFFERED && box->policy[SR_CLASS_BUFFERED] == SR_DROP_OLDEST)
        bytes += box->waiting[MIDDLE].unwritten + box->waiting[LIVE].unwritten;
    return bytes;
}

static bool drop_first(struct sr_outbox *box, struct list *list)
{
    if (!list || !list->head)
        return false;
    sr_box_meet(box, sr_list_pop(list), SR_FATE_FULL);
    return true;
}

/* Of those in memory only: what is on disk is not lost for the memory of its callback. */
static bool drop_buffered(struct sr_outbox *box)
{
    return sr_box_trim(box) || drop_first(box, &box->waiting[MIDDLE]) ||
           drop_first(box, &box->waiting[LIVE]);
}

/* Volatile rows go first. */
static bool drop_oldest(struct sr_outbox *box, int class)
{
    if (box->policy[SR_CLASS_VOLATILE] == SR_DROP_OLDEST &&
        (drop_first(box, &box->waiting[OLD_VOLATILE]) ||
         drop_first(box, &box->waiting[LIVE_VOLATILE])))
        return true;
    return class == SR_CLASS_BUFFERED &&
           box->policy[SR_CLASS_BUFFERED] == SR_DROP_OLDEST && drop_buffered(box);
}

static void trim_for(struct sr_outbox *box, size_t need)
{
    while (box->memory + need > box->cap && sr_box_trim(box))
        ;
}

/* Returns 0 or SR_E_FULL; then nothing was dropped. */
static int make_room(struct sr_outbox *box, int class, size_t need)
{
    trim_for(box, need);
    if (box->memory + need <= box->cap)
        return 0;
    if (box->policy[class] != SR_DROP_OLDEST ||
        box->memory + need > box->cap + droppable(box, class))
        return SR_E_FULL;
    while (box->memory + need > box->cap && drop_oldest(box, class))
        ;
    return 0;
}

void sr_outbox_set_cap(struct sr_outbox *box, size_t cap)
{
    pthread_mutex_lock(&box->lock);
    box->cap = cap;
    while (box->memory > cap &&
           (sr_box_trim(box) || drop_oldest(box, SR_CLASS_BUFFERED)))
        ;
    sr_box_write_down(box, false);
    pthread_mutex_unlock(&box->lock);
}

/* --- one row ---------------------------------------------------------------- */

static int make_node(const struct sr_outbox_row *row, uint64_t now_ms,
                     struct node **ret_node)
{
    struct node *node;

    if (row->len > SR_OUTBOX_ROW_MAX)
        return SR_E_TOOBIG;
    node = malloc(sizeof *node + row->len);
    if (!node)
        return SR_E_NOMEM;
    *node = (struct node){ .put_ms = now_ms,
                           .len = (uint32_t)row->len,
                           .ttl_s = row->ttl_s,
                           .prio = (unsigned)row->prio & NODE_PRIO };
    memcpy(node->text, row->text, row->len);
    if (sr_text_has_now(row->text, row->len))
        node->prio |= SR_ROW_UNSTAMPED;
    if (row->told) {
        node->told = malloc(sizeof *node->told);
        if (!node->told) {
            free(node);
            return SR_E_NOMEM;
        }
        *node->told = (struct told){ .fn = row->told, .arg = row->arg };
    }
    *ret_node = node;
    return 0;
}

static void discard(struct node *node)
{
    if (node)
        free(node->told);
    free(node);
}

/* Reads the clock once in a millisecond, unless the moment matters. */
static void date(struct sr_outbox *box, struct node *node)
{
    if (box->clock != &sr_system_clock || node->put_ms != box->last_now_ms ||
        node->ttl_s || (node->prio & SR_ROW_UNSTAMPED)) {
        box->last_now = sr_clock_now(box->clock);
        box->last_now_ms = node->put_ms;
    }
    node->wall_ms = box->last_now.wall_ms;
    node->boot_ms = box->last_now.boot_ms;
    node->boot_tag = box->last_now.boot_tag;
    if ((node->prio & SR_ROW_UNSTAMPED) && sr_box_clock_valid(box, &box->last_now)) {
        sr_text_stamp(node->text, node->len, node->wall_ms);
        node->prio &= ~(unsigned)SR_ROW_UNSTAMPED;
    }
}

static void count_in(struct sr_outbox *box, struct node *node)
{
    node->index = ++box->stats.rows_put;
    box->rows++;
    box->memory += cost_of(node);
    if (class_of(node) == SR_CLASS_BUFFERED && !(node->prio & NODE_WRITTEN))
        box->unwritten_rows++;
}

static int append_volatile(struct sr_outbox *box, struct node *node)
{
    int rc = make_room(box, SR_CLASS_VOLATILE, cost_of(node));

    if (rc)
        return rc;
    count_in(box, node);
    node->seq = box->next_seq;
    sr_list_append(&box->waiting[LIVE_VOLATILE], node);
    return 0;
}

/* A row on disk needs no memory but for its callback. */
static int write_buffered(struct sr_outbox *box, struct node *node)
{
    int rc = node->told ? make_room(box, SR_CLASS_BUFFERED, sizeof *node->told) : 0;

    node->seq = box->next_seq;
    return rc ? rc : sr_box_write(box, node);
}

/* Would buffered rows in memory be the next to give way? Volatile ones go before them. */
static bool is_scarce(struct sr_outbox *box, size_t need)
{
    trim_for(box, need);
    return box->memory + need > box->cap + droppable(box, SR_CLASS_VOLATILE);
}

static int append_buffered(struct sr_outbox *box, struct node *node)
{
    int rc = SR_E_IO;

    if (!box->store || box->unwritten_rows) /* else the row itself is the attempt */
        sr_box_try_disk(box, false);
    if (box->store && !box->unwritten_rows)
        rc = write_buffered(box, node);
    if (rc == SR_E_IO && is_scarce(box, cost_of(node)) && sr_box_make_disk_room(box))
        rc = write_buffered(box, node);
    if (rc == SR_E_IO)
        rc = make_room(box, SR_CLASS_BUFFERED, cost_of(node));
    if (rc)
        return rc;
    count_in(box, node);
    node->seq = box->next_seq++;
    sr_list_append(&box->waiting[LIVE], node);
    trim_for(box, 0);
    return 0;
}

/* Is it the only one that waits? */
static bool is_first(const struct sr_outbox *box)
{
    return box->waiting[LIVE].rows + box->waiting[LIVE_VOLATILE].rows == 1 &&
           sr_box_waiting(box, SR_PART_ALL).rows == 1;
}

/* Did the last row, of `len` bytes, change what there is to do? */
static bool batch_due(struct sr_outbox *box, size_t len)
{
    const bool first = is_first(box);

    box->fresh.rows = first ? 1 : box->fresh.rows + 1;
    box->fresh.bytes = first ? len : box->fresh.bytes + len;
    if (box->fresh.rows < box->batch_rows && box->fresh.bytes < box->batch_bytes)
        return first;
    box->fresh.rows = box->fresh.bytes = 0;
    return true;
}

/* Rows with a callback may not come faster than callbacks are called. */
static bool too_many_due(const struct sr_outbox *box, const struct node *node)
{
    size_t most = box->cap / 4 > 4096 ? box->cap / 4 : 4096;

    return node->told && box->due_bytes > most;
}

/* For a row that meets its fate before it waits. */
static int end_at_once(struct sr_outbox *box, struct node *node, enum sr_fate fate)
{
    count_in(box, node);
    sr_box_meet(box, node, fate);
    return 0;
}

/* The node has its channel. */
static int place(struct sr_outbox *box, struct node *node, bool *ret_waits)
{
    int class = class_of(node), rc;

    if (class == SR_CLASS_BUFFERED && box->dir &&
        node->len > sr_store_row_max(box->options.cap))
        return SR_E_TOOBIG;
    date(box, node);
    if (box->asleep && class == SR_CLASS_VOLATILE)
        return end_at_once(box, node, SR_FATE_ASLEEP);
    rc = class == SR_CLASS_BUFFERED ? append_buffered(box, node)
                                    : append_volatile(box, node);
    if (rc == SR_E_FULL && box->policy[class] == SR_DROP_NEWEST)
        return end_at_once(box, node, SR_FATE_FULL);
    *ret_waits = !rc;
    return rc;
}

/* Takes the node over if it returns 0; *ret_waits: and it waits. The channel is in use from the
 * beginning: room is made by dropping rows, and with the last of theirs other channels go. */
static int admit(struct sr_outbox *box, const struct sr_outbox_row *row,
                 struct node *node, bool *ret_waits)
{
    int rc;

    if (box->closed)
        return SR_E_STATE;
    if (cost_of(node) > box->cap)
        return SR_E_TOOBIG;
    if (too_many_due(box, node))
        return SR_E_FULL;
    rc = sr_box_channel_of(box, row, &node->channel);
    if (rc)
        return rc;
    sr_channels_use(&box->channels, node->channel);
    rc = place(box, node, ret_waits);
    if (rc)
        sr_channels_drop(&box->channels, node->channel);
    return rc;
}

/* With SR_SYNC_ROW: the store if it is to be waited for, and the row's number. */
static struct sr_store *to_commit(struct sr_outbox *box, uint64_t *ret_seq)
{
    *ret_seq = box->next_seq - 1;
    return box->options.sync == SR_SYNC_ROW && !box->unwritten_rows ? box->store : NULL;
}

/* The lock is not held: several threads share one fdatasync. */
static void commit(struct sr_outbox *box, struct sr_store *store, uint64_t seq)
{
    if (!sr_store_commit(store, seq))
        return;
    pthread_mutex_lock(&box->lock);
    sr_box_disk_failed(box, sr_store_error(store));
    pthread_mutex_unlock(&box->lock);
}

int sr_outbox_put(struct sr_outbox *box, const struct sr_outbox_row *row,
                  uint64_t now_ms, bool *ret_due)
{
    struct sr_store *store = NULL;
    struct node *node = NULL;
    bool waits = false;
    uint64_t seq;
    int rc = make_node(row, now_ms, &node);

    if (rc)
        return rc;
    pthread_mutex_lock(&box->lock);
    rc = admit(box, row, node, &waits);
    sr_box_write_down(box, false);
    if (rc == SR_E_FULL)
        box->stats.rows_refused++;
    if (box->news || (waits && batch_due(box, row->len)))
        *ret_due = true;
    box->news = false;
    if (waits && (row->prio & SR_PRIO_BUF))
        store = to_commit(box, &seq);
    pthread_mutex_unlock(&box->lock);
    if (store)
        commit(box, store, seq);
    if (rc)
        discard(node);
    return rc;
}
