/* SPDX-License-Identifier: MIT */
/* Buffered rows on disk: how they get there, how they are read back, and what happens while
 * the disk does not work. */
#include "outbox/outbox_p.h"
#include "store/segment.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    RETRY_MS = 1000,
    RETRY_MOST_MS = 60 * 1000,
    RECORD = 32,            /* what a row costs on disk besides its text, about */
    LOSSES_EVERY_MS = 1000, /* flash is not worn by each single one */
    FILES_AT_ONCE = 2 /* that give way on a full disk; the first may be a small one */
};

/* --- does it work? -------------------------------------------------------- */

static void say(struct sr_outbox *box, bool fails, const char *text)
{
    box->disk_fails = fails;
    box->news = true;
    snprintf(box->disk_text, sizeof box->disk_text, "%s", text);
}

static void try_later(struct sr_outbox *box)
{
    uint64_t pause_ms = box->retry_pause_ms * 2;

    if (pause_ms < RETRY_MS)
        pause_ms = RETRY_MS;
    if (pause_ms > RETRY_MOST_MS)
        pause_ms = RETRY_MOST_MS;
    box->retry_pause_ms = pause_ms;
    box->retry_ms = sr_clock_now(box->clock).boot_ms + pause_ms;
}

void sr_box_disk_failed(struct sr_outbox *box, const char *why)
{
    if (!box->disk_fails)
        say(box, true, *why ? why : "the disk does not work");
    try_later(box);
}

static void disk_works(struct sr_outbox *box)
{
    box->retry_pause_ms = 0;
    if (box->disk_fails)
        say(box, false, "");
}

bool sr_outbox_disk_news(struct sr_outbox *box, bool *ret_fails, char *text,
                         size_t size)
{
    bool any;

    pthread_mutex_lock(&box->lock);
    any = box->disk_fails != box->disk_told;
    if (any) {
        *ret_fails = box->disk_told = box->disk_fails;
        snprintf(text, size, "%s", box->disk_text);
    }
    pthread_mutex_unlock(&box->lock);
    return any;
}

/* --- what is done --------------------------------------------------------- */

static void write_losses(struct sr_outbox *box, bool now)
{
    uint64_t now_ms;

    if (!box->losses_dirty)
        return;
    now_ms = sr_clock_now(box->clock).boot_ms;
    if (!now && now_ms < box->losses_next_ms)
        return;
    sr_store_set_losses(box->store, &box->losses);
    box->losses_dirty = false;
    box->losses_next_ms = now_ms + LOSSES_EVERY_MS;
}

void sr_box_write_done(struct sr_outbox *box)
{
    if (!box->done_any)
        return;
    box->done_any = false;
    write_losses(box, true); /* something is written anyway */
    sr_store_done(box->store, box->done_first, box->done_last);
}

void sr_box_done(struct sr_outbox *box, uint64_t seq)
{
    if (!box->store)
        return;
    if (box->done_any && seq == box->done_last + 1) {
        box->done_last = seq;
        return;
    }
    sr_box_write_done(box);
    box->done_any = true;
    box->done_first = box->done_last = seq;
}

void sr_box_write_down(struct sr_outbox *box, bool losses_too)
{
    if (!box->store)
        return;
    sr_box_write_done(box);
    sr_box_count_unreadable(box);
    write_losses(box, losses_too);
}

/* --- writing ------------------------------------------------------------------ */

/* The first row that waits and is on disk. */
static struct list *first_stored(struct sr_outbox *box)
{
    struct list *list = sr_box_first_buffered(box, SR_PART_ALL);

    return list && (list->head->prio & NODE_WRITTEN) ? list : NULL;
}

/* At the bound of the disk: drops those rows of the oldest file that wait, since room comes
 * back by whole files. If all of them are under way, some of the next. False if there is
 * nothing to drop. */
static bool drop_stored(struct sr_outbox *box)
{
    uint64_t first, last = 0, chunk = box->options.cap / 256, gone = 0;
    struct list *list;

    chunk = chunk < 65536 ? chunk : 65536;
    if (!sr_store_oldest(box->store, &first, &last))
        return false;
    while ((list = first_stored(box)) && (list->head->seq <= last || gone <= chunk)) {
        struct node *node = sr_list_pop(list);

        gone += node->seq <= last ? chunk + 1 : RECORD + node->len;
        sr_box_meet(box, node, SR_FATE_FULL);
    }
    sr_box_write_down(box, false);
    return gone > 0;
}

static int append(struct sr_outbox *box, struct node *node)
{
    struct sr_entry entry;
    int rc = sr_box_to_entry(box, node, &entry) ? sr_store_append(box->store, &entry)
                                                : SR_E_NOMEM;

    if (rc)
        return rc;
    node->prio |= NODE_WRITTEN;
    box->disk_rows++;
    box->disk_bytes += node->len;
    return 0;
}

int sr_box_write(struct sr_outbox *box, struct node *node)
{
    int rc;

    do
        rc = append(box, node);
    while (rc == SR_E_FULL && box->policy[SR_CLASS_BUFFERED] == SR_DROP_OLDEST &&
           drop_stored(box));
    if (!rc)
        disk_works(box);
    else if (rc == SR_E_IO)
        sr_box_disk_failed(box, sr_store_error(box->store));
    return rc;
}

/* A row in memory, and the list it is in. */
struct item {
    struct node *node;
    struct list *list;
};

static int by_seq(const void *a, const void *b)
{
    uint64_t x = ((const struct item *)a)->node->seq,
             y = ((const struct item *)b)->node->seq;

    return (x > y) - (x < y);
}

static void collect_from(struct list *list, struct item *items, size_t *count)
{
    for (struct node *node = list->head; node; node = node->next)
        if (!(node->prio & (NODE_WRITTEN | NODE_ORPHAN)))
            items[(*count)++] = (struct item){ node, list };
}

/* All buffered rows that are in memory only, by number. Returns 0 or SR_E_NOMEM. */
static int collect(struct sr_outbox *box, struct item **ret_items, size_t *ret_count)
{
    struct item *items = malloc((box->rows + 1) * sizeof *items);
    size_t count = 0;

    if (!items)
        return SR_E_NOMEM;
    for (struct batch *batch = box->batches; batch; batch = batch->next)
        collect_from(&batch->rows[SR_CLASS_BUFFERED], items, &count);
    collect_from(&box->waiting[MIDDLE], items, &count);
    collect_from(&box->waiting[LIVE], items, &count);
    qsort(items, count, sizeof *items, by_seq);
    *ret_items = items;
    *ret_count = count;
    return 0;
}

/* Returns 0 or why not all could be written. */
static int write_items(struct sr_outbox *box, struct item *items, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int rc = append(box, items[i].node);

        if (rc)
            return rc;
        items[i].list->unwritten -= cost_of(items[i].node);
        box->unwritten_rows--;
    }
    return 0;
}

/* Writes what waits in memory for the disk. What is too large for any segment would be in the
 * way of all others: sr_store_append() has none of these, sr_outbox_put() refuses them. */
static int write_all(struct sr_outbox *box)
{
    struct item *items;
    size_t count;
    int rc;

    do {
        rc = collect(box, &items, &count);
        if (rc)
            return rc;
        rc = write_items(box, items, count);
        free(items);
    } while (rc == SR_E_FULL && box->policy[SR_CLASS_BUFFERED] == SR_DROP_OLDEST &&
             drop_stored(box));
    return rc;
}

static void note_attempt(struct sr_outbox *box, int rc)
{
    if (!rc)
        disk_works(box);
    else if (rc == SR_E_IO)
        sr_box_disk_failed(box, sr_store_error(box->store));
    else
        try_later(box);
}

static void try_store(struct sr_outbox *box)
{
    note_attempt(box,
                 box->unwritten_rows ? write_all(box) : sr_store_probe(box->store));
}

bool sr_box_make_disk_room(struct sr_outbox *box)
{
    if (!box->store || !box->disk_fails ||
        box->policy[SR_CLASS_BUFFERED] != SR_DROP_OLDEST ||
        sr_clock_now(box->clock).boot_ms < box->make_room_ms)
        return false;
    for (int i = 0; i < FILES_AT_ONCE && box->disk_fails; i++) {
        if (!sr_store_disk_full(box->store) || !drop_stored(box))
            break;
        try_store(box);
    }
    if (box->disk_fails)
        box->make_room_ms = box->retry_ms;
    return !box->disk_fails && !box->unwritten_rows;
}

/* --- opening ------------------------------------------------------------------ */

/* The number that `seq` gets: as many rows are before it as now, behind `base`. */
static uint64_t renumbered(const struct item *items, size_t count, uint64_t base,
                           uint64_t seq)
{
    size_t low = 0, high = count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (items[middle].node->seq < seq)
            low = middle + 1;
        else
            high = middle;
    }
    return base + low;
}

static void renumber_volatile(struct list *list, const struct item *items, size_t count,
                              uint64_t base)
{
    for (struct node *node = list->head; node; node = node->next)
        node->seq = renumbered(items, count, base, node->seq);
}

/* What is in memory gets numbers from `base` on, without holes: a hole looks like a loss if the
 * files are damaged later. */
static int renumber(struct sr_outbox *box, uint64_t base)
{
    struct item *items;
    size_t count;

    if (collect(box, &items, &count))
        return SR_E_NOMEM;
    renumber_volatile(&box->waiting[OLD_VOLATILE], items, count, base);
    renumber_volatile(&box->waiting[LIVE_VOLATILE], items, count, base);
    for (struct batch *batch = box->batches; batch; batch = batch->next)
        renumber_volatile(&batch->rows[SR_CLASS_VOLATILE], items, count, base);
    for (size_t i = 0; i < CHECKPOINTS; i++)
        box->checkpoints[i].seq =
            renumbered(items, count, base, box->checkpoints[i].seq);
    box->mark = renumbered(items, count, base, box->mark);
    for (size_t i = 0; i < count; i++)
        items[i].node->seq = base + i;
    box->next_seq = base + count;
    free(items);
    return 0;
}

static void add_losses(struct sr_outbox *box, const struct sr_losses *stored)
{
    struct sr_losses *losses = &box->losses;
    bool none = !losses->rows[0] && !losses->rows[1];

    if (!stored->rows[0] && !stored->rows[1])
        return;
    if (none || stored->from_ms < losses->from_ms)
        losses->from_ms = stored->from_ms;
    if (none || stored->to_ms > losses->to_ms)
        losses->to_ms = stored->to_ms;
    losses->rows[0] += stored->rows[0];
    losses->rows[1] += stored->rows[1];
    box->losses_dirty = box->losses_dirty || !none;
}

static void count_damaged(struct sr_outbox *box,
                          const struct sr_store_recovery *recovery)
{
    if (!recovery->rows_lost)
        return;
    box->stats.fates[SR_FATE_DAMAGED][SR_CLASS_BUFFERED] += recovery->rows_lost;
    sr_box_lose(box, SR_FATE_DAMAGED, SR_CLASS_BUFFERED, recovery->rows_lost,
                sr_clock_now(box->clock).wall_ms);
}

static int open_store(struct sr_outbox *box, struct sr_store_recovery *recovery,
                      char *why, size_t why_size)
{
    struct sr_store *store;
    struct sr_losses losses;
    int rc = sr_store_open(box->dir, &box->options, &store, recovery, why, why_size);

    if (rc)
        return rc;
    if (renumber(box, sr_store_next_seq(store))) {
        sr_store_close(store);
        snprintf(why, why_size, "%s", sr_strerror(SR_E_NOMEM));
        return SR_E_NOMEM;
    }
    box->store = store;
    if (recovery->rows) {
        box->lo = 0;
        box->hi = sr_store_next_seq(store);
    }
    sr_store_losses(store, &losses);
    add_losses(box, &losses);
    count_damaged(box, recovery);
    note_attempt(box, write_all(box));
    sr_box_write_down(box, true);
    return 0;
}

static int begin(struct sr_outbox *box, const char *dir,
                 const struct sr_store_options *options,
                 struct sr_store_recovery *recovery, char *why, size_t why_size)
{
    int rc;

    if (box->dir || box->closed) {
        snprintf(why, why_size, "an outbox is open already");
        return SR_E_STATE;
    }
    box->dir = strdup(dir);
    if (!box->dir) {
        snprintf(why, why_size, "%s", sr_strerror(SR_E_NOMEM));
        return SR_E_NOMEM;
    }
    box->options = *options;
    box->options.boot_tag = sr_clock_now(box->clock).boot_tag;
    rc = open_store(box, recovery, why, why_size);
    if (rc == SR_E_IO) {
        *recovery = (struct sr_store_recovery){ 0 };
        sr_box_disk_failed(box, why);
        return 0;
    }
    if (rc) {
        free(box->dir);
        box->dir = NULL;
    }
    return rc;
}

int sr_outbox_open(struct sr_outbox *box, const char *dir,
                   const struct sr_store_options *options,
                   struct sr_store_recovery *ret_recovery, char *why, size_t why_size)
{
    struct sr_store_recovery recovery = { 0 };
    int rc;

    pthread_mutex_lock(&box->lock);
    rc = begin(box, dir, options, &recovery, why, why_size);
    pthread_mutex_unlock(&box->lock);
    if (!rc && ret_recovery)
        *ret_recovery = recovery;
    return rc;
}

void sr_box_try_disk(struct sr_outbox *box, bool now)
{
    struct sr_store_recovery recovery = { 0 };
    char why[sizeof box->disk_text];

    if (!box->dir || (box->store && !box->unwritten_rows && !box->disk_fails) ||
        (!now && sr_clock_now(box->clock).boot_ms < box->retry_ms))
        return;
    if (box->store)
        try_store(box);
    else if (open_store(box, &recovery, why, sizeof why))
        sr_box_disk_failed(box, why);
    else
        snprintf(box->recovery_note, sizeof box->recovery_note, "%s", recovery.note);
}

void sr_outbox_retry_disk(struct sr_outbox *box)
{
    pthread_mutex_lock(&box->lock);
    if (!box->closed)
        sr_box_try_disk(box, true);
    pthread_mutex_unlock(&box->lock);
}

uint64_t sr_outbox_retry_in_ms(struct sr_outbox *box)
{
    uint64_t now, due = UINT64_MAX;

    pthread_mutex_lock(&box->lock);
    if (box->disk_fails) {
        now = sr_clock_now(box->clock).boot_ms;
        due = box->retry_ms > now ? box->retry_ms - now : 0;
    }
    pthread_mutex_unlock(&box->lock);
    return due;
}

void sr_outbox_set_disk_cap(struct sr_outbox *box, uint64_t cap)
{
    pthread_mutex_lock(&box->lock);
    box->options.cap = cap;
    if (box->store)
        sr_store_set_cap(box->store, cap);
    pthread_mutex_unlock(&box->lock);
}

void sr_box_set_aside(struct sr_outbox *box, const struct node *node, const char *why,
                      size_t file_max)
{
    struct sr_entry entry;
    struct sr_quarantine_cost cost;
    int rc;

    if (!box->dir || !file_max)
        return; /* none is wanted */
    rc = !sr_box_to_entry(box, node, &entry) ? SR_E_NOMEM
         : box->store ? sr_store_quarantine(box->store, &entry, why, file_max)
                      : SR_E_IO;
    if (rc)
        snprintf(box->not_kept, sizeof box->not_kept, "%s",
                 rc == SR_E_TOOBIG ? "larger than quarantine_capacity"
                 : rc != SR_E_IO   ? sr_strerror(rc)
                 : box->store      ? sr_store_error(box->store)
                                   : box->disk_text);
    if (!box->store)
        return;
    sr_store_quarantine_cost(box->store, &cost);
    box->pushed.rows += cost.rows;
    if (*cost.kept_as)
        memcpy(box->pushed.kept_as, cost.kept_as, sizeof cost.kept_as);
}

bool sr_outbox_quarantine_news(struct sr_outbox *box, char *text, size_t size)
{
    char older[64] = "";
    bool any;

    pthread_mutex_lock(&box->lock);
    any = *box->not_kept || box->pushed.rows || *box->pushed.kept_as;
    if (box->pushed.rows)
        snprintf(older, sizeof older, "; %llu older row%s in quarantine made room",
                 (unsigned long long)box->pushed.rows,
                 box->pushed.rows == 1 ? "" : "s");
    snprintf(text, size, "%s%s%s%s%s",
             *box->not_kept ? "; lost, not in quarantine: " : "", box->not_kept, older,
             *box->pushed.kept_as ? "; the quarantine file was damaged, kept as " : "",
             box->pushed.kept_as);
    box->not_kept[0] = '\0';
    box->pushed = (struct sr_quarantine_cost){ 0 };
    pthread_mutex_unlock(&box->lock);
    return any;
}

static bool note_removed(struct sr_outbox *box, char *text, size_t size)
{
    char first[SR_STORE_ASIDE_NAME], more[32] = "";
    unsigned removed = box->store ? sr_store_aside_removed(box->store, first) : 0;

    if (removed > 1)
        snprintf(more, sizeof more, " and %u more", removed - 1);
    if (removed)
        snprintf(text, size,
                 "%s/%s%s removed: only the newest files set aside are kept", box->dir,
                 first, more);
    return removed > 0;
}

bool sr_outbox_disk_note(struct sr_outbox *box, char *text, size_t size)
{
    bool any;

    pthread_mutex_lock(&box->lock);
    any = *box->recovery_note != '\0';
    if (any)
        snprintf(text, size, "%s", box->recovery_note);
    box->recovery_note[0] = '\0';
    any = any || note_removed(box, text, size);
    pthread_mutex_unlock(&box->lock);
    return any;
}

/* --- the end -------------------------------------------------------------------- */

static void end_list(struct sr_outbox *box, struct list *list)
{
    struct node *node;

    while ((node = sr_list_pop(list)))
        sr_box_meet(box, node,
                    node->prio & NODE_WRITTEN ? SR_FATE_STORED : SR_FATE_LOST);
}

void sr_outbox_close(struct sr_outbox *box)
{
    pthread_mutex_lock(&box->lock);
    sr_box_try_disk(box, true);
    box->stats.fates[SR_FATE_STORED][SR_CLASS_BUFFERED] += sr_box_gap(box).rows;
    for (struct batch *batch = box->batches; batch; batch = batch->next)
        for (int class = 0; class < SR_CLASSES; class ++)
            end_list(box, &batch->rows[class]);
    for (int i = 0; i < LISTS; i++)
        end_list(box, &box->waiting[i]);
    sr_box_tell_awaiting(box, UINT64_MAX, SR_FATE_STORED);
    sr_box_write_down(box, true);
    box->lo = box->hi;
    box->closed = true;
    pthread_mutex_unlock(&box->lock);
}

void sr_box_release_disk(struct sr_outbox *box)
{
    sr_box_write_down(box, true);
    sr_store_close(box->store);
    sr_told_free(box->awaiting);
    free(box->dir);
}
