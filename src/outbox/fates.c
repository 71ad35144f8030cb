/* SPDX-License-Identifier: MIT */
#include "outbox/outbox_p.h"

#include <stdlib.h>
#include <string.h>

/* When the row was sent. A clock that was wrong then may be right now. */
static int64_t sent_at(const struct sr_outbox *box, const struct node *node)
{
    struct sr_instant put = sr_node_put_at(node), now;

    if (put.wall_ms >= box->valid_after_ms)
        return put.wall_ms;
    now = sr_clock_now(box->clock);
    return now.wall_ms >= box->valid_after_ms ? sr_instant_wall(&put, &now)
                                              : put.wall_ms;
}

static void widen(int64_t *from_ms, int64_t *to_ms, bool first, int64_t wall_ms)
{
    if (first || wall_ms < *from_ms)
        *from_ms = wall_ms;
    if (first || wall_ms > *to_ms)
        *to_ms = wall_ms;
}

static void add_to_losses(struct sr_losses *losses, int class, uint64_t rows,
                          int64_t wall_ms)
{
    widen(&losses->from_ms, &losses->to_ms, !losses->rows[0] && !losses->rows[1],
          wall_ms);
    losses->rows[class] += rows;
}

void sr_box_lose(struct sr_outbox *box, enum sr_fate fate, int class, uint64_t rows,
                 int64_t wall_ms)
{
    struct sr_loss *loss = &box->lost[fate][class];

    widen(&loss->from_ms, &loss->to_ms, !loss->rows, wall_ms);
    loss->rows += rows;
    box->news = box->lost_any = true;
    if (fate != SR_FATE_FULL && fate != SR_FATE_RETRIES && fate != SR_FATE_DAMAGED)
        return;
    add_to_losses(&box->losses, class, rows, wall_ms);
    add_to_losses(&box->losses_since, class, rows, wall_ms);
    box->losses_dirty = true;
}

void sr_box_tell(struct sr_outbox *box, struct told *told, enum sr_fate fate)
{
    told->fate = fate;
    told->next = NULL;
    *box->due_end = told;
    box->due_end = &told->next;
    box->due_bytes += sizeof *told;
    box->news = true;
}

/* Numbers of rows that were never written need not be told: the store takes numbers that are
 * left out for done. */
static void leave_disk(struct sr_outbox *box, const struct node *node,
                       enum sr_fate fate)
{
    if (!(node->prio & NODE_WRITTEN)) {
        box->unwritten_rows -= !(node->prio & NODE_ORPHAN);
        return;
    }
    box->disk_rows--;
    box->disk_bytes -= node->len;
    if (fate != SR_FATE_STORED)
        sr_box_done(box, node->seq);
}

void sr_box_meet(struct sr_outbox *box, struct node *node, enum sr_fate fate)
{
    int class = class_of(node);

    box->stats.fates[fate][class]++;
    if (fate != SR_FATE_DELIVERED && fate != SR_FATE_STORED)
        sr_box_lose(box, fate, class, 1, sent_at(box, node));
    if (node->told)
        sr_box_tell(box, node->told, fate);
    if (class == SR_CLASS_BUFFERED)
        leave_disk(box, node, fate);
    box->memory -= cost_of(node);
    box->rows--;
    sr_channels_drop(&box->channels, node->channel);
    free(node);
}

void sr_told_free(struct told *told)
{
    struct told *next;

    for (; told; told = next) {
        next = told->next;
        free(told);
    }
}

/* --- what the agent asks for ---------------------------------------------- */

bool sr_outbox_next_fate(struct sr_outbox *box, struct sr_outbox_fate *ret_fate)
{
    struct told *told;

    pthread_mutex_lock(&box->lock);
    told = box->due;
    if (told) {
        *ret_fate = (struct sr_outbox_fate){ told->fn, told->arg, told->fate };
        box->due = told->next;
        if (!box->due)
            box->due_end = &box->due;
        box->due_bytes -= sizeof *told;
    }
    pthread_mutex_unlock(&box->lock);
    free(told);
    return told != NULL;
}

static bool next_loss(struct sr_outbox *box, struct sr_loss *ret_loss)
{
    for (int fate = 0; fate < SR_FATES; fate++)
        for (int class = 0; class < SR_CLASSES; class ++) {
            struct sr_loss *loss = &box->lost[fate][class];

            if (!loss->rows)
                continue;
            *ret_loss = *loss;
            ret_loss->fate = (enum sr_fate)fate;
            ret_loss->buffered = class == SR_CLASS_BUFFERED;
            *loss = (struct sr_loss){ 0 };
            return true;
        }
    box->lost_any = false;
    return false;
}

bool sr_outbox_has_news(struct sr_outbox *box)
{
    bool any;

    pthread_mutex_lock(&box->lock);
    any = box->due || box->lost_any || box->disk_fails || box->disk_told ||
          *box->recovery_note ||
          (box->store && sr_store_aside_removed(box->store, NULL) > 0);
    pthread_mutex_unlock(&box->lock);
    return any;
}

bool sr_outbox_next_loss(struct sr_outbox *box, struct sr_loss *ret_loss)
{
    bool any;

    pthread_mutex_lock(&box->lock);
    any = next_loss(box, ret_loss);
    pthread_mutex_unlock(&box->lock);
    return any;
}

void sr_outbox_losses(struct sr_outbox *box, struct sr_losses *ret_losses)
{
    pthread_mutex_lock(&box->lock);
    *ret_losses = box->losses_asked = box->losses;
    box->losses_since = (struct sr_losses){ 0 };
    pthread_mutex_unlock(&box->lock);
}

static bool same_losses(const struct sr_losses *a, const struct sr_losses *b)
{
    return a->rows[0] == b->rows[0] && a->rows[1] == b->rows[1] &&
           a->from_ms == b->from_ms && a->to_ms == b->to_ms;
}

/* Another answer than the last was told: what remains cannot be dated any better. */
static void subtract(struct sr_losses *losses, const struct sr_losses *told)
{
    for (int class = 0; class < SR_CLASSES; class ++)
        losses->rows[class] -= losses->rows[class] < told->rows[class]
                                   ? losses->rows[class]
                                   : told->rows[class];
    if (!losses->rows[0] && !losses->rows[1])
        *losses = (struct sr_losses){ 0 };
}

void sr_outbox_settle(struct sr_outbox *box, const struct sr_losses *told)
{
    pthread_mutex_lock(&box->lock);
    if (same_losses(told, &box->losses_asked))
        box->losses = box->losses_since;
    else
        subtract(&box->losses, told);
    box->losses_asked = box->losses_since = (struct sr_losses){ 0 };
    box->losses_dirty = true;
    sr_box_write_down(box, true);
    pthread_mutex_unlock(&box->lock);
}
