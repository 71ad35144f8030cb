/* SPDX-License-Identifier: MIT */
/* The way out: offers, batches, and what becomes of rows that were on their way. */
#include "outbox/outbox_p.h"

#include <stdlib.h>
#include <string.h>

/* --- which row is next ---------------------------------------------------- */

static struct list *first_of(struct sr_outbox *box, int old, int live,
                             enum sr_outbox_part part)
{
    if (part != SR_PART_LIVE && box->waiting[old].head)
        return &box->waiting[old];
    if (part != SR_PART_BACKLOG && box->waiting[live].head)
        return &box->waiting[live];
    return NULL;
}

struct list *sr_box_first_buffered(struct sr_outbox *box, enum sr_outbox_part part)
{
    if (part == SR_PART_LIVE)
        return first_of(box, MIDDLE, LIVE, part);
    if (!box->waiting[FRONT].head && box->lo < box->hi)
        sr_box_read_ahead(box);
    if (box->waiting[FRONT].head)
        return &box->waiting[FRONT];
    if (box->lo < box->hi)
        return NULL; /* it cannot be read now: what is behind it waits as well */
    return first_of(box, MIDDLE, LIVE, part);
}

/* Backlog goes before live rows, of whatever class. */
struct list *sr_box_first(struct sr_outbox *box, enum sr_outbox_part part)
{
    struct list *v = first_of(box, OLD_VOLATILE, LIVE_VOLATILE, part);
    struct list *b = sr_box_first_buffered(box, part);

    if (v && b)
        return v->head->seq <= b->head->seq ? v : b;
    if (v && part != SR_PART_LIVE && box->lo < box->hi && v->head->seq > box->lo)
        return NULL; /* rows before it cannot be read now */
    return v ? v : b;
}

bool sr_box_is_backlog(const struct sr_outbox *box, const struct list *list)
{
    return list != &box->waiting[LIVE] && list != &box->waiting[LIVE_VOLATILE];
}

/* --- batches -------------------------------------------------------------- */

static struct batch *batch_of(struct sr_batch *base)
{
    return (struct batch *)base;
}

/* One that was used before, or a new one; NULL without memory. */
struct batch *sr_box_begin_batch(struct sr_outbox *box)
{
    struct batch *batch = box->spare_batches;

    if (batch)
        box->spare_batches = batch->next;
    else
        batch = malloc(sizeof *batch);
    if (!batch)
        return NULL;
    batch->base = (struct sr_batch){ .number = ++box->last_batch };
    for (int class = 0; class < SR_CLASSES; class ++)
        sr_list_init(&batch->rows[class]);
    batch->next = box->batches;
    batch->link = &box->batches;
    if (batch->next)
        batch->next->link = &batch->next;
    box->batches = batch;
    return batch;
}

/* It has no rows any more. */
void sr_box_end_batch(struct sr_outbox *box, struct batch *batch)
{
    if (batch == box->aside)
        box->aside = NULL;
    *batch->link = batch->next;
    if (batch->next)
        batch->next->link = batch->link;
    batch->base.number = 0;
    batch->next = box->spare_batches;
    box->spare_batches = batch;
}

/* --- take ------------------------------------------------------------------- */

struct taking {
    struct batch *batch;
    bool stamp_anyway;
    sr_outbox_accept accept;
    void *arg;
    struct sr_instant now;
    bool now_known;
};

static const struct sr_instant *now_of(struct sr_outbox *box, struct taking *taking)
{
    if (!taking->now_known)
        taking->now = sr_clock_now(box->clock);
    taking->now_known = true;
    return &taking->now;
}

/* The row's text with the time in it, or NULL if it has to wait. */
static const char *text_of(struct sr_outbox *box, struct taking *taking,
                           struct node *node)
{
    const struct sr_instant *now;

    if (!(node->prio & SR_ROW_UNSTAMPED))
        return node->text;
    now = now_of(box, taking);
    if (!sr_box_clock_valid(box, now) && !taking->stamp_anyway)
        return NULL;
    return sr_box_stamped(box, node, now);
}

/* The time of a right clock stays; another may be right when the row has to go again. */
static void keep_stamp(struct sr_outbox *box, struct taking *taking, struct node *node,
                       const char *text)
{
    if (text == node->text || !sr_box_clock_valid(box, now_of(box, taking)))
        return;
    memcpy(node->text, text, node->len);
    node->prio &= ~(unsigned)SR_ROW_UNSTAMPED;
}

/* The numbers of the two classes may be the same. */
static uint64_t key_of(const struct node *node)
{
    return class_of(node) == SR_CLASS_BUFFERED ? node->seq * 2 + 1 : node->index * 2;
}

/* Did it take the first row of the list? */
static bool take_one(struct sr_outbox *box, struct taking *taking, struct list *list)
{
    struct node *node = list->head;
    const char *text = text_of(box, taking, node);
    struct sr_outbox_offer offer = {
        .id = class_of(node) == SR_CLASS_BUFFERED ? node->seq : node->index,
        .text = text,
        .len = node->len,
        .prio = node->prio & NODE_PRIO,
        .channel = node->channel,
        .backlog = sr_box_is_backlog(box, list),
    };

    if (!text || !taking->accept(taking->arg, &offer))
        return false;
    keep_stamp(box, taking, node, text);
    if (!taking->batch->base.rows++)
        taking->batch->base.first = key_of(node);
    sr_list_append(&taking->batch->rows[class_of(node)], sr_list_pop(list));
    return true;
}

static void take(struct sr_outbox *box, struct taking *taking, enum sr_outbox_part part)
{
    struct list *list;

    while ((list = sr_box_first(box, part))) {
        if (list->head->ttl_s && sr_node_expired(list->head, now_of(box, taking)))
            sr_box_meet(box, sr_list_pop(list), SR_FATE_EXPIRED);
        else if (list->head->channel->held && sr_box_put_by(box, list))
            continue;
        else if (list->head->channel->held || !take_one(box, taking, list))
            break;
    }
}

struct sr_batch *sr_outbox_take(struct sr_outbox *box, enum sr_outbox_part part,
                                bool stamp_anyway, sr_outbox_accept accept, void *arg,
                                struct sr_outbox_view *view)
{
    struct taking taking = { .stamp_anyway = stamp_anyway,
                             .accept = accept,
                             .arg = arg };
    struct batch *batch;

    pthread_mutex_lock(&box->lock);
    sr_box_try_disk(box, false);
    taking.batch = batch = sr_box_begin_batch(box);
    if (batch && !box->closed)
        take(box, &taking, part);
    if (batch && !batch->base.rows) {
        sr_box_end_batch(box, batch);
        batch = NULL;
    }
    sr_box_write_down(box, false);
    sr_box_look(box, view);
    pthread_mutex_unlock(&box->lock);
    return batch ? &batch->base : NULL;
}

bool sr_outbox_wants_clock(struct sr_outbox *box)
{
    struct list *first;
    struct sr_instant now;
    bool wants;

    pthread_mutex_lock(&box->lock);
    first = sr_box_first(box, SR_PART_ALL);
    wants = first && (first->head->prio & SR_ROW_UNSTAMPED);
    if (wants) {
        now = sr_clock_now(box->clock);
        wants = !sr_box_clock_valid(box, &now);
    }
    pthread_mutex_unlock(&box->lock);
    return wants;
}

/* --- and then ----------------------------------------------------------------- */

/* With `why`: and into the quarantine file. */
static size_t settle(struct sr_outbox *box, struct batch *batch, enum sr_fate fate,
                     const char *why, size_t file_max)
{
    struct node *node;
    size_t rows = 0;

    for (int class = 0; class < SR_CLASSES; class ++)
        while ((node = sr_list_pop(&batch->rows[class]))) {
            if (why)
                sr_box_set_aside(box, node, why, file_max);
            sr_box_meet(box, node, fate);
            rows++;
        }
    sr_box_end_batch(box, batch);
    sr_box_write_down(box, false);
    return rows;
}

size_t sr_outbox_ack(struct sr_outbox *box, struct sr_batch *batch,
                     struct sr_outbox_view *view)
{
    size_t acked;

    pthread_mutex_lock(&box->lock);
    acked = settle(box, batch_of(batch), SR_FATE_DELIVERED, NULL, 0);
    box->stats.rows_acked += acked;
    sr_box_look(box, view);
    pthread_mutex_unlock(&box->lock);
    return acked;
}

size_t sr_outbox_quarantine(struct sr_outbox *box, struct sr_batch *batch,
                            const char *why, size_t file_max)
{
    size_t rows;

    pthread_mutex_lock(&box->lock);
    rows = settle(box, batch_of(batch), SR_FATE_POISON, why, file_max);
    pthread_mutex_unlock(&box->lock);
    return rows;
}

void sr_outbox_peek(struct sr_outbox *box, const struct sr_batch *batch, char *text,
                    size_t size)
{
    const struct batch *inner = (const struct batch *)batch;
    const struct node *first = NULL;

    *text = '\0';
    pthread_mutex_lock(&box->lock);
    for (int class = 0; !first && class < SR_CLASSES; class ++)
        first = inner->rows[class].head;
    if (first)
        sr_node_show(first, text, size);
    pthread_mutex_unlock(&box->lock);
}

void sr_outbox_hold(struct sr_outbox *box, struct sr_batch *batch)
{
    pthread_mutex_lock(&box->lock);
    batch->held = true;
    pthread_mutex_unlock(&box->lock);
}

/* The list where a row that comes back belongs; NULL is the gap. */
static struct list *place_of(struct sr_outbox *box, const struct node *node)
{
    struct list *w = box->waiting;

    if (class_of(node) == SR_CLASS_VOLATILE)
        return &w[node->index < box->mark_index ? OLD_VOLATILE : LIVE_VOLATILE];
    if (node->seq >= box->mark)
        return &w[LIVE];
    if (!(node->prio & (NODE_WRITTEN | NODE_ORPHAN)))
        return &w[MIDDLE];
    if (box->lo < box->hi && node->seq >= box->hi)
        return &w[MIDDLE];
    if (box->lo < box->hi)
        return node->seq < box->lo || (node->prio & NODE_ORPHAN) ? &w[FRONT] : NULL;
    return w[MIDDLE].head && w[MIDDLE].head->seq < node->seq ? &w[MIDDLE] : &w[FRONT];
}

void sr_box_come_back(struct sr_outbox *box, struct node *node, struct hint *hint)
{
    struct list *list = place_of(box, node);

    if (!list) {
        sr_box_forget(box, node);
        return;
    }
    if (list != hint->list)
        *hint = (struct hint){ .list = list };
    sr_list_insert(list, node, &hint->node);
}

static bool gives_up(struct node *node, uint32_t retries)
{
    node->failures += node->failures < (1u << 24) - 1;
    return class_of(node) == SR_CLASS_VOLATILE && node->failures > retries;
}

static void batch_comes_back(struct sr_outbox *box, struct batch *batch, bool failed,
                             uint32_t retries)
{
    struct node *node;

    for (int class = 0; class < SR_CLASSES; class ++) {
        struct hint hint = { 0 };

        while ((node = sr_list_pop(&batch->rows[class])))
            if (failed && gives_up(node, retries))
                sr_box_meet(box, node, SR_FATE_RETRIES);
            else
                sr_box_come_back(box, node, &hint);
    }
    sr_box_end_batch(box, batch);
}

static void all_come_back(struct sr_outbox *box, bool held, bool failed,
                          uint32_t retries)
{
    struct batch *next;

    pthread_mutex_lock(&box->lock);
    for (struct batch *batch = box->batches; batch; batch = next) {
        next = batch->next;
        if (batch->base.held == held)
            batch_comes_back(box, batch, failed, retries);
    }
    sr_box_write_down(box, false);
    pthread_mutex_unlock(&box->lock);
}

static void one_comes_back(struct sr_outbox *box, struct sr_batch *batch, bool held)
{
    pthread_mutex_lock(&box->lock);
    if (batch->held == held)
        batch_comes_back(box, batch_of(batch), false, 0);
    sr_box_write_down(box, false);
    pthread_mutex_unlock(&box->lock);
}

void sr_outbox_return(struct sr_outbox *box, struct sr_batch *batch)
{
    one_comes_back(box, batch, false);
}

void sr_outbox_release_one(struct sr_outbox *box, struct sr_batch *batch)
{
    one_comes_back(box, batch, true);
}

void sr_outbox_release(struct sr_outbox *box)
{
    pthread_mutex_lock(&box->lock);
    sr_box_release_channels(box);
    pthread_mutex_unlock(&box->lock);
    all_come_back(box, true, false, 0);
}

void sr_outbox_requeue(struct sr_outbox *box)
{
    all_come_back(box, false, false, 0);
}

void sr_outbox_fail(struct sr_outbox *box, uint32_t retries)
{
    all_come_back(box, false, true, retries);
}

void sr_outbox_sleep(struct sr_outbox *box, bool asleep)
{
    struct node *node;

    pthread_mutex_lock(&box->lock);
    box->asleep = asleep;
    for (int list = OLD_VOLATILE; asleep && list <= LIVE_VOLATILE; list++)
        while ((node = sr_list_pop(&box->waiting[list])))
            sr_box_meet(box, node, SR_FATE_ASLEEP);
    sr_box_write_down(box, false);
    pthread_mutex_unlock(&box->lock);
}
