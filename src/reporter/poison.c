/* SPDX-License-Identifier: MIT */
#include "reporter/poison.h"

#include <string.h>

enum {
    HASTE_MAX =
        4, /* as many are accused before a longer pause; a server that refuses everything
                      is not to be asked in haste */
    SPREE_MAX = 8,
    HALVE_AT = 8,
    GROWTH_MAX =
        10, /* others go in payloads of 2^10 rows at most while a row is on trial */
    PAUSE_FIRST_MS = 1000,
    BUSY_MS = 60 * 1000 /* overdue for so long, a row is let in although others wait */
};

void sr_poison_init(struct sr_poison *poison, unsigned after, uint32_t pause_max_ms)
{
    *poison = (struct sr_poison){ .after = after, .pause_max_ms = pause_max_ms };
}

bool sr_poison_searching(const struct sr_poison *poison)
{
    return poison->suspects || poison->accused_count;
}

bool sr_poison_suspects(const struct sr_poison *poison, uint64_t first)
{
    return sr_poison_searching(poison) || (poison->drops && poison->head == first);
}

/* A line may drop large payloads more often: like is compared with like. */
static size_t class_of(size_t bytes)
{
    static const size_t most[SR_LINES - 1] = { 1024, 4096, 12 * 1024 };
    size_t i = 0;

    while (i < SR_LINES - 1 && bytes > most[i])
        i++;
    return i;
}

static struct sr_line *line_for(struct sr_poison *poison, size_t bytes)
{
    return &poison->lines[class_of(bytes)];
}

/* The drops under the head are the line's, or the head is another one now. */
static void forget_head(struct sr_poison *poison)
{
    poison->drops = 0;
    memset(poison->noted, 0, sizeof poison->noted);
}

/* They are the head's. */
static void take_drops(struct sr_poison *poison)
{
    for (size_t i = 0; i < SR_LINES; i++)
        sr_line_forget(&poison->lines[i], poison->noted[i]);
    forget_head(poison);
}

/* --- the accused ------------------------------------------------------------ */

static struct sr_accused *find(struct sr_poison *poison, uint64_t id)
{
    for (size_t i = 0; i < poison->accused_count; i++)
        if (poison->accused[i].id == id)
            return &poison->accused[i];
    return NULL;
}

static void forget(struct sr_poison *poison, struct sr_accused *accused)
{
    size_t behind = poison->accused_count - (size_t)(accused - poison->accused) - 1;

    memmove(accused, accused + 1, behind * sizeof *accused);
    poison->accused_count--;
}

/* The one that was let in: the next payload is its own, or the one that is under way. */
static bool is_guest(const struct sr_accused *accused)
{
    return !accused->batch || accused->let_in;
}

static bool has_guest(const struct sr_poison *poison)
{
    for (size_t i = 0; i < poison->accused_count; i++)
        if (is_guest(&poison->accused[i]))
            return true;
    return false;
}

/* If a payload begins with another row, the guest has gone another way (its time was over, it was
 * dropped at the bound): it would have been first. Of an empty queue the same is true. */
static void see_guest(struct sr_poison *poison, bool empty, uint64_t first)
{
    for (size_t i = 0; i < poison->accused_count; i++)
        if (is_guest(&poison->accused[i]) &&
            (empty || poison->accused[i].id != first)) {
            forget(poison, &poison->accused[i]);
            return;
        }
}

static void let_in(struct sr_poison *poison, struct sr_accused *accused, bool picked)
{
    if (has_guest(poison))
        return; /* one at a time */
    accused->let_in = true;
    accused->picked = picked;
}

static void put_off(const struct sr_poison *poison, struct sr_accused *accused,
                    uint64_t now_ms)
{
    uint64_t pause =
        accused->pause_ms ? UINT64_C(4) * accused->pause_ms : PAUSE_FIRST_MS;

    if (pause > poison->pause_max_ms)
        pause = poison->pause_max_ms;
    accused->pause_ms = (uint32_t)pause;
    accused->due_ms = now_ms + pause;
}

static void give_drops_back(struct sr_poison *poison, const struct sr_accused *accused)
{
    sr_line_note(line_for(poison, accused->bytes), 0, accused->drops);
}

/* Nobody is to blame, it seems. */
static void give_up(struct sr_poison *poison)
{
    for (size_t i = 0; i < poison->accused_count; i++) {
        poison->accused[i].acquitted = true;
        give_drops_back(poison, &poison->accused[i]);
    }
    poison->suspects = 0;
    forget_head(poison);
}

/* --- room ------------------------------------------------------------------- */

/* A line may drop large payloads more often; some bytes more make no difference. */
static bool is_comparable(const struct sr_accused *accused, size_t bytes)
{
    return accused->refused || bytes + bytes / 8 + 64 >= accused->bytes;
}

/* Small payloads, that there are many to compare with; but if it takes long, the others are not to
 * suffer. */
static bool has_room_beside(const struct sr_accused *accused, size_t rows, size_t bytes)
{
    unsigned growth = accused->trial.drops / 4;

    return !is_comparable(accused, bytes) ||
           rows < (size_t)1 << (growth < GROWTH_MAX ? growth : GROWTH_MAX);
}

bool sr_poison_has_room(const struct sr_poison *poison, size_t rows, size_t bytes)
{
    if (!rows || !sr_poison_searching(poison))
        return true;
    if (has_guest(poison))
        return false;
    if (poison->suspects)
        return rows < poison->suspects / 2;
    for (size_t i = 0; i < poison->accused_count; i++)
        if (has_room_beside(&poison->accused[i], rows, bytes))
            return true;
    return false;
}

/* --- how others fare -------------------------------------------------------- */

static void compare(struct sr_poison *poison, struct sr_accused *accused,
                    const struct sr_batch *batch, bool acked)
{
    if (accused->witnessed && accused->trial.wait && is_comparable(accused, batch->len))
        sr_trial_other(&accused->trial, line_for(poison, accused->bytes), acked);
}

static bool others_lack_witness(const struct sr_poison *poison,
                                const struct sr_accused *accused)
{
    for (size_t i = 0; i < poison->accused_count; i++)
        if (!poison->accused[i].witnessed && &poison->accused[i] != accused)
            return true;
    return false;
}

/* A first witness. If there was none for several, the line was down: they are in a hurry. */
static void begin_trial(struct sr_poison *poison, struct sr_accused *accused,
                        size_t others, uint32_t random)
{
    accused->owed = others_lack_witness(poison, accused) || accused->owed;
    accused->witnessed = true;
    accused->again = 0;
    sr_trial_begin(&accused->trial, line_for(poison, accused->bytes), others, random);
}

/* Nothing gets through: more attempts of its own each time, that it is not overtaken. */
static void begin_spree(struct sr_poison *poison, struct sr_accused *accused)
{
    if (has_guest(poison))
        return;
    accused->spree = accused->spree ? 2 * accused->spree : 1;
    if (accused->spree > SPREE_MAX)
        accused->spree = SPREE_MAX;
    accused->again = accused->spree;
    let_in(poison, accused, false);
}

static void see_other(struct sr_poison *poison, struct sr_batch *batch, bool acked,
                      uint32_t random)
{
    for (size_t i = 0; i < poison->accused_count; i++) {
        struct sr_accused *accused = &poison->accused[i];

        compare(poison, accused, batch, acked);
        if (!accused->witnessed && acked)
            begin_trial(poison, accused, batch->others, random + (uint32_t)i);
        else if (!accused->witnessed && !accused->refused)
            begin_spree(poison, accused);
        if (accused->refused && acked)
            let_in(poison, accused, false);
    }
}

/* Whose moment is there? */
static void look_at_moments(struct sr_poison *poison, uint64_t now_ms)
{
    for (size_t i = 0; i < poison->accused_count && !has_guest(poison); i++) {
        struct sr_accused *accused = &poison->accused[i];

        if (accused->owed) {
            accused->owed = false;
            let_in(poison, accused, false);
        } else if (accused->witnessed && !accused->refused && !accused->trial.wait) {
            let_in(poison, accused, true);
        } else if (now_ms >= accused->due_ms + BUSY_MS) {
            let_in(poison, accused, false);
            put_off(poison, accused, now_ms);
        }
    }
}

/* --- failures --------------------------------------------------------------- */

static bool fail_again(struct sr_poison *poison, struct sr_accused *accused,
                       struct sr_batch *batch, bool refused, uint32_t random)
{
    accused->alone++;
    accused->refused = refused;
    if (refused) {
        accused->guilty = accused->witnessed;
    } else {
        accused->drops++;
        if (accused->picked)
            sr_trial_dropped(&accused->trial, line_for(poison, accused->bytes),
                             batch->others, random);
        accused->guilty = accused->witnessed && accused->alone >= poison->after &&
                          sr_trial_proves(&accused->trial);
        if (accused->again && --accused->again)
            return false; /* it stays where it is */
    }
    accused->batch = batch;
    accused->set_aside = true;
    return accused->guilty;
}

static bool accuse(struct sr_poison *poison, struct sr_batch *batch, bool refused,
                   uint64_t now_ms)
{
    struct sr_accused *accused = &poison->accused[poison->accused_count];

    if (poison->accused_count == SR_ACCUSED_MAX) {
        give_up(poison);
        return false;
    }
    *accused = (struct sr_accused){
        .id = batch->first,
        .batch = batch,
        .bytes = batch->len,
        .alone = 1,
        .drops = poison->drops,
        .refused = refused,
        .set_aside = true,
    };
    take_drops(poison);
    put_off(poison, accused, now_ms);
    poison->suspects = 0;
    return ++poison->accused_count <= HASTE_MAX;
}

/* If nothing has got through since others were accused, it may be the line that is down. */
static unsigned drops_wanted(const struct sr_poison *poison)
{
    unsigned wanted = poison->after;

    for (size_t i = 0; i < poison->accused_count; i++)
        wanted += !poison->accused[i].witnessed;
    return wanted;
}

/* While a search by drops goes on, all payloads that drop have the suspects in them. */
static void count_drop(struct sr_poison *poison, struct sr_batch *batch)
{
    size_t class = class_of(batch->len);

    if (poison->head != batch->first && !(poison->suspects && poison->by_drops))
        forget_head(poison);
    poison->head = batch->first;
    poison->drops++;
    poison->noted[class]++;
    sr_line_note(&poison->lines[class], 0, 1);
}

/* Is the same row the first one once too often? To send less at once is worth a try in any case: the
 * server may not take as much. */
static bool head_is_suspect(const struct sr_poison *poison, struct sr_batch *batch)
{
    size_t class = class_of(batch->len);

    if (poison->drops < drops_wanted(poison))
        return false;
    return (batch->rows > 1 && poison->drops >= HALVE_AT) ||
           !sr_line_explains(&poison->lines[class], poison->drops,
                             poison->noted[class]);
}

static bool fail_first(struct sr_poison *poison, struct sr_batch *batch, bool refused,
                       uint64_t now_ms, uint32_t random)
{
    if (!refused) {
        see_other(poison, batch, false, random);
        count_drop(poison, batch);
        if (!head_is_suspect(poison, batch))
            return false;
        if (batch->rows == 1 && !batch->others && !poison->accused_count)
            return false; /* it fails as any other row does */
    }
    if (batch->rows == 1)
        return accuse(poison, batch, refused, now_ms);
    poison->suspects = batch->rows;
    poison->by_drops = !refused;
    return true;
}

bool sr_poison_failed(struct sr_poison *poison, struct sr_batch *batch,
                      enum sr_failure failure, uint64_t now_ms, uint32_t random)
{
    bool refused = failure == SR_FAILURE_REFUSED, goes_on;
    struct sr_accused *accused;

    see_guest(poison, false, batch->first);
    accused = find(poison, batch->first);
    if (accused)
        goes_on = fail_again(poison, accused, batch, refused, random);
    else
        goes_on = fail_first(poison, batch, refused, now_ms, random);
    look_at_moments(poison, now_ms);
    return goes_on;
}

/* --- successes -------------------------------------------------------------- */

static void clear_some(struct sr_poison *poison, struct sr_batch *batch)
{
    size_t rows = batch->rows;

    poison->suspects -= rows < poison->suspects ? rows : poison->suspects;
    if (!poison->suspects && (poison->by_drops || poison->head == batch->first)) {
        forget_head(poison);
        poison->by_drops = false;
    }
}

void sr_poison_acked(struct sr_poison *poison, struct sr_batch *batch, uint64_t now_ms,
                     uint32_t random)
{
    struct sr_accused *accused;

    see_guest(poison, false, batch->first);
    accused = find(poison, batch->first);
    if (accused) { /* innocent */
        give_drops_back(poison, accused);
        forget(poison, accused);
    } else {
        see_other(poison, batch, true, random);
        clear_some(poison, batch);
    }
    sr_line_note(line_for(poison, batch->len), 1, 0);
    look_at_moments(poison, now_ms);
}

/* --- when nothing else waits -------------------------------------------------- */

static void let_in_when_due(struct sr_poison *poison, struct sr_accused *accused,
                            uint64_t now_ms)
{
    bool sole = poison->accused_count == 1;

    if (accused->refused && sole && accused->alone >= poison->after)
        accused->guilty = true;
    else if (accused->refused)
        let_in(poison, accused, false);
    else if (now_ms >= accused->due_ms && !has_guest(poison)) {
        let_in(poison, accused, false);
        put_off(poison, accused, now_ms);
    }
}

uint64_t sr_poison_stuck(struct sr_poison *poison, uint64_t now_ms)
{
    uint64_t due_ms = UINT64_MAX;

    poison->suspects = 0;
    see_guest(poison, true, 0);
    for (size_t i = 0; i < poison->accused_count; i++) {
        struct sr_accused *accused = &poison->accused[i];

        let_in_when_due(poison, accused, now_ms);
        if (accused->due_ms < due_ms)
            due_ms = accused->due_ms;
    }
    if (due_ms == UINT64_MAX)
        return due_ms;
    return due_ms > now_ms ? due_ms - now_ms : 0;
}

/* --- orders ------------------------------------------------------------------- */

/* Returns whether there was one for this row. */
static bool order_for(struct sr_poison *poison, struct sr_accused *accused,
                      enum sr_poison_order *ret_order, struct sr_batch **ret_batch)
{
    *ret_batch = accused->batch;
    if (accused->set_aside) {
        accused->set_aside = false;
        *ret_order = SR_POISON_HOLD;
        return true;
    }
    if (!accused->guilty && !accused->acquitted && !accused->let_in)
        return false;
    *ret_order = accused->guilty ? SR_POISON_CONVICT : SR_POISON_RELEASE;
    accused->let_in = false;
    accused->batch = NULL;
    if (accused->guilty || accused->acquitted)
        forget(poison, accused);
    return true;
}

enum sr_poison_order sr_poison_next(struct sr_poison *poison,
                                    struct sr_batch **ret_batch)
{
    enum sr_poison_order order = SR_POISON_DONE;

    for (size_t i = 0; i < poison->accused_count;)
        if (!order_for(poison, &poison->accused[i], &order, ret_batch))
            i++;
        else if (*ret_batch)
            return order;
        else
            i = 0; /* it was let in before: nothing is left to do for it */
    *ret_batch = NULL;
    return SR_POISON_DONE;
}
