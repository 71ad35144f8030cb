/* SPDX-License-Identifier: MIT */
#include "outbox/outbox_p.h"

#include <stdlib.h>
#include <string.h>

const size_t sr_outbox_overhead = sizeof(struct node);

int sr_outbox_new(size_t cap, const struct sr_clock *clock, struct sr_outbox **ret_box)
{
    struct sr_outbox *box = calloc(1, sizeof *box);

    if (!box)
        return SR_E_NOMEM;
    if (sr_channels_init(&box->channels)) {
        free(box);
        return SR_E_NOMEM;
    }
    pthread_mutex_init(&box->lock, NULL);
    box->clock = clock ? clock : &sr_system_clock;
    box->last_now_ms = UINT64_MAX;
    for (int i = 0; i < LISTS; i++)
        sr_list_init(&box->waiting[i]);
    box->due_end = &box->due;
    box->next_seq = 1;
    box->cap = cap;
    box->batch_rows = box->batch_bytes = SIZE_MAX;
    *ret_box = box;
    return 0;
}

static void free_rows(struct list *list)
{
    struct node *node;

    while ((node = sr_list_pop(list))) {
        free(node->told);
        free(node);
    }
}

static void free_batches(struct batch *batch)
{
    struct batch *next;

    for (; batch; batch = next) {
        next = batch->next;
        for (int class = 0; class < SR_CLASSES; class ++)
            free_rows(&batch->rows[class]);
        free(batch);
    }
}

void sr_outbox_free(struct sr_outbox *box)
{
    if (!box)
        return;
    for (int i = 0; i < LISTS; i++)
        free_rows(&box->waiting[i]);
    free_batches(box->batches);
    free_batches(box->spare_batches);
    sr_told_free(box->due);
    sr_box_release_disk(box);
    sr_channels_release(&box->channels);
    free(box->scratch);
    free(box->named);
    pthread_mutex_destroy(&box->lock);
    free(box);
}

/* --- settings --------------------------------------------------------------- */

void sr_outbox_set_policy(struct sr_outbox *box, int class, enum sr_at_bound policy)
{
    pthread_mutex_lock(&box->lock);
    box->policy[class] = policy;
    pthread_mutex_unlock(&box->lock);
}

void sr_outbox_set_clock_valid(struct sr_outbox *box, int64_t valid_after_ms)
{
    pthread_mutex_lock(&box->lock);
    box->valid_after_ms = valid_after_ms;
    pthread_mutex_unlock(&box->lock);
}

/* What of all that waits has made no batch full. */
static void count_fresh(struct sr_outbox *box, const struct sr_outbox_waiting *all)
{
    box->fresh.rows = all->rows % box->batch_rows;
    box->fresh.bytes = all->bytes % box->batch_bytes;
}

void sr_outbox_set_batch(struct sr_outbox *box, size_t rows, size_t bytes)
{
    struct sr_outbox_waiting all;

    pthread_mutex_lock(&box->lock);
    box->batch_rows = rows;
    box->batch_bytes = bytes;
    all = sr_box_waiting(box, SR_PART_ALL);
    count_fresh(box, &all);
    pthread_mutex_unlock(&box->lock);
}

/* --- what there is ------------------------------------------------------------ */

void sr_outbox_mark(struct sr_outbox *box)
{
    pthread_mutex_lock(&box->lock);
    box->mark = box->next_seq;
    box->mark_index = box->stats.rows_put + 1;
    sr_list_move(&box->waiting[OLD_VOLATILE], &box->waiting[LIVE_VOLATILE]);
    sr_list_move(&box->waiting[MIDDLE], &box->waiting[LIVE]);
    pthread_mutex_unlock(&box->lock);
}

/* Files may have more bytes than fit a size_t of 32 bits. The other half is for what memory has
 * beside them. */
static size_t clamp(uint64_t number)
{
    return number > SIZE_MAX / 2 ? SIZE_MAX / 2 : (size_t)number;
}

struct sr_outbox_waiting sr_box_gap(const struct sr_outbox *box)
{
    struct sr_store_stats stored;

    if (box->lo == box->hi)
        return (struct sr_outbox_waiting){ 0 };
    sr_store_stats(box->store, &stored);
    return (struct sr_outbox_waiting){
        .rows = clamp(stored.rows - box->disk_rows),
        .bytes = clamp(stored.bytes - box->disk_bytes),
    };
}

static void add(struct sr_outbox_waiting *all, const struct list *list)
{
    all->rows += list->rows;
    all->bytes += list->bytes;
}

/* Asked for each row that is put. */
struct sr_outbox_waiting sr_box_waiting(const struct sr_outbox *box,
                                        enum sr_outbox_part part)
{
    struct sr_outbox_waiting all = { 0 };

    if (part != SR_PART_LIVE) {
        if (box->lo != box->hi)
            all = sr_box_gap(box);
        add(&all, &box->waiting[OLD_VOLATILE]);
        add(&all, &box->waiting[FRONT]);
        add(&all, &box->waiting[MIDDLE]);
    }
    if (part != SR_PART_BACKLOG) {
        add(&all, &box->waiting[LIVE_VOLATILE]);
        add(&all, &box->waiting[LIVE]);
    }
    return all;
}

static struct sr_outbox_waiting look_at(struct sr_outbox *box, enum sr_outbox_part part)
{
    struct sr_outbox_waiting waiting = sr_box_waiting(box, part);
    struct list *first = waiting.rows ? sr_box_first(box, part) : NULL;

    if (first) {
        waiting.oldest_ms = first->head->put_ms;
        waiting.backlog = sr_box_is_backlog(box, first);
    }
    return waiting;
}

struct sr_outbox_waiting sr_outbox_waiting(struct sr_outbox *box,
                                           enum sr_outbox_part part)
{
    struct sr_outbox_waiting waiting;

    pthread_mutex_lock(&box->lock);
    waiting = look_at(box, part);
    pthread_mutex_unlock(&box->lock);
    return waiting;
}

void sr_box_look(struct sr_outbox *box, struct sr_outbox_view *view)
{
    int parts = !view ? 0 : view->apart ? SR_PARTS : SR_PART_ALL + 1;

    for (int part = 0; part < parts; part++)
        view->part[part] = look_at(box, (enum sr_outbox_part)part);
    if (parts)
        count_fresh(box, &view->part[SR_PART_ALL]);
}

void sr_outbox_look(struct sr_outbox *box, struct sr_outbox_view *view)
{
    pthread_mutex_lock(&box->lock);
    sr_box_look(box, view);
    pthread_mutex_unlock(&box->lock);
}

/* --- flushing --------------------------------------------------------------- */

/* Where the buffered rows of the first `rows_put` end: exact if sr_outbox_rows_put() has just
 * said that number, otherwise a little later. */
static uint64_t checkpoint(struct sr_outbox *box, uint64_t rows_put)
{
    for (int i = 0; i < CHECKPOINTS; i++)
        if (box->checkpoints[i].rows_put == rows_put)
            return box->checkpoints[i].seq;
    return box->next_seq;
}

static void set_checkpoint(struct sr_outbox *box, unsigned i, uint64_t rows_put,
                           uint64_t seq)
{
    box->checkpoints[i].rows_put = rows_put;
    box->checkpoints[i].seq = seq;
}

/* The first is for the last answer, the others are in use. */
static void keep_checkpoint(struct sr_outbox *box, uint64_t rows_put, uint64_t seq)
{
    for (int i = 1; i < CHECKPOINTS; i++)
        if (box->checkpoints[i].rows_put == rows_put)
            return;
    box->next_checkpoint = box->next_checkpoint % (CHECKPOINTS - 1) + 1;
    set_checkpoint(box, box->next_checkpoint, rows_put, seq);
}

uint64_t sr_outbox_rows_put(struct sr_outbox *box)
{
    uint64_t rows;

    pthread_mutex_lock(&box->lock);
    rows = box->stats.rows_put;
    set_checkpoint(box, 0, rows, box->next_seq);
    pthread_mutex_unlock(&box->lock);
    return rows;
}

static bool begins_before(const struct list *list, uint64_t seq)
{
    return list->head && list->head->seq < seq;
}

static bool begins_at_most(const struct list *list, uint64_t index)
{
    return list->head && list->head->index <= index;
}

static bool buffered_settled(struct sr_outbox *box, uint64_t seq)
{
    for (struct batch *batch = box->batches; batch; batch = batch->next)
        if (begins_before(&batch->rows[SR_CLASS_BUFFERED], seq))
            return false;
    sr_box_first_buffered(box, SR_PART_ALL);
    if (box->lo < box->hi && !box->waiting[FRONT].head)
        return box->lo >= seq; /* no memory to look */
    return !begins_before(&box->waiting[FRONT], seq) &&
           !begins_before(&box->waiting[MIDDLE], seq) &&
           !begins_before(&box->waiting[LIVE], seq);
}

static bool volatile_settled(const struct sr_outbox *box, uint64_t index)
{
    for (struct batch *batch = box->batches; batch; batch = batch->next)
        if (begins_at_most(&batch->rows[SR_CLASS_VOLATILE], index))
            return false;
    return !begins_at_most(&box->waiting[OLD_VOLATILE], index) &&
           !begins_at_most(&box->waiting[LIVE_VOLATILE], index);
}

bool sr_outbox_settled(struct sr_outbox *box, uint64_t rows_put)
{
    uint64_t seq;
    bool settled;

    pthread_mutex_lock(&box->lock);
    seq = checkpoint(box, rows_put);
    settled = volatile_settled(box, rows_put) && buffered_settled(box, seq);
    keep_checkpoint(box, rows_put, seq);
    sr_box_write_down(box, false);
    pthread_mutex_unlock(&box->lock);
    return settled;
}

/* --- statistics --------------------------------------------------------------- */

static void add_disk(const struct sr_outbox *box, struct sr_outbox_stats *stats)
{
    struct sr_store_stats stored;

    sr_store_stats(box->store, &stored);
    stats->disk_rows = stored.rows;
    stats->disk_bytes = stored.disk_bytes;
    stats->rows += stored.rows - box->disk_rows;
    stats->bytes += (stored.rows - box->disk_rows) * sr_outbox_overhead + stored.bytes -
                    box->disk_bytes;
}

void sr_outbox_stats(struct sr_outbox *box, struct sr_outbox_stats *ret_stats)
{
    pthread_mutex_lock(&box->lock);
    *ret_stats = box->stats;
    ret_stats->rows = box->rows;
    ret_stats->bytes = ret_stats->memory_bytes = box->memory;
    ret_stats->disk_fails = box->disk_fails;
    if (box->store)
        add_disk(box, ret_stats);
    pthread_mutex_unlock(&box->lock);
}
