/* SPDX-License-Identifier: MIT */
/* Random operations, and what a simple model says of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* after what it needs */
#include <cmocka.h>

#include "outbox/outbox_fixture.h"

/* --- the bound of memory ------------------------------------------------------ */

/* The outbox as one would write it without care for speed. */
struct model {
    struct {
        int row, len;
        uint32_t ticket; /* 0: waiting */
    } rows[512];
    size_t count, cap, dropped;
};

static size_t model_bytes(const struct model *m, bool waiting_too)
{
    size_t bytes = 0;

    for (size_t i = 0; i < m->count; i++)
        if (waiting_too || m->rows[i].ticket)
            bytes += sr_outbox_overhead + (size_t)m->rows[i].len;
    return bytes;
}

static void model_remove(struct model *m, size_t i)
{
    memmove(&m->rows[i], &m->rows[i + 1], (m->count - i - 1) * sizeof m->rows[0]);
    m->count--;
}

static bool model_drop_oldest(struct model *m)
{
    for (size_t i = 0; i < m->count; i++)
        if (!m->rows[i].ticket) {
            model_remove(m, i);
            m->dropped++;
            return true;
        }
    return false;
}

static int model_put(struct model *m, int row, int len)
{
    size_t need = sr_outbox_overhead + (size_t)len;

    if (need > m->cap)
        return SR_E_TOOBIG;
    if (model_bytes(m, false) + need > m->cap)
        return SR_E_FULL;
    while (model_bytes(m, true) + need > m->cap)
        model_drop_oldest(m);
    m->rows[m->count].row = row;
    m->rows[m->count].len = len;
    m->rows[m->count++].ticket = 0;
    return 0;
}

static size_t model_ack(struct model *m, uint32_t ticket)
{
    size_t acked = 0;

    for (size_t i = 0; i < m->count;)
        if (m->rows[i].ticket == ticket) {
            model_remove(m, i);
            acked++;
        } else {
            i++;
        }
    return acked;
}

/* Takes up to `want` rows, and compares each with the model's. */
struct comparison {
    struct model *model;
    uint32_t ticket;
    size_t want;
};

static bool compare(void *arg, const struct sr_outbox_offer *offer)
{
    struct comparison *c = arg;
    struct model *m = c->model;
    size_t i = 0;

    if (!c->want)
        return false;
    while (m->rows[i].ticket)
        i++;
    assert_int_equal(offer->len, m->rows[i].len);
    assert_memory_equal(offer->text, &m->rows[i].row, sizeof(int));
    m->rows[i].ticket = c->ticket;
    c->want--;
    return true;
}

static void agrees_with(struct sr_outbox *box, const struct model *m)
{
    struct sr_outbox_stats stats = stats_of(box);
    struct sr_outbox_waiting got = sr_outbox_waiting(box, SR_PART_ALL);
    size_t waiting = 0, waiting_bytes = 0;

    for (size_t i = 0; i < m->count; i++)
        if (!m->rows[i].ticket) {
            waiting++;
            waiting_bytes += (size_t)m->rows[i].len;
        }
    assert_int_equal(stats.rows, m->count);
    assert_int_equal(stats.bytes, model_bytes(m, true));
    assert_int_equal(stats.memory_bytes, stats.bytes);
    assert_int_equal(met(box, SR_FATE_FULL), m->dropped);
    assert_int_equal(stats.rows_put, stats.rows + stats.rows_acked + m->dropped);
    assert_int_equal(got.rows, waiting);
    assert_int_equal(got.bytes, waiting_bytes);
}

static void requeue_both(struct sr_outbox *box, struct model *m)
{
    sr_outbox_requeue(box);
    for (size_t i = 0; i < m->count; i++)
        m->rows[i].ticket = 0;
}

static void shrink_both(struct sr_outbox *box, struct model *m, size_t cap)
{
    m->cap = cap;
    sr_outbox_set_cap(box, cap);
    while (model_bytes(m, true) > cap && model_drop_oldest(m))
        ;
}

static void put_both(struct sr_outbox *box, struct model *m, int row, int len)
{
    char text[200] = { 0 };

    memcpy(text, &row, sizeof row);
    assert_int_equal(
        put_row(box, &(struct sr_outbox_row){ .text = text, .len = (size_t)len }),
        model_put(m, row, len));
}

static void the_bound_of_memory_is_what_a_simple_model_says(void **state)
{
    struct model m = { .cap = 6000 };
    struct sr_outbox *box;
    uint32_t ticket = 0, which;
    unsigned seed = 20;

    (void)state;
    assert_int_equal(sr_outbox_new(m.cap, NULL, &box), 0);
    for (int i = 0; i < 30000; i++) {
        struct comparison c = { &m, ++ticket, (size_t)rand_r(&seed) % 6 };
        int what = rand_r(&seed) % 20;

        if (what == 0)
            requeue_both(box, &m);
        if (what == 1)
            shrink_both(box, &m, (size_t)rand_r(&seed) % 8000);
        if (what >= 2 && what < 6)
            ticket_take(box, ticket, SR_PART_ALL, false, compare, &c);
        if (what >= 6 && what < 10) {
            which = ticket > 5 ? ticket - (uint32_t)rand_r(&seed) % 5 : 1;
            assert_int_equal(ticket_ack(box, which), model_ack(&m, which));
        }
        if (what >= 10)
            put_both(box, &m, i, (int)sizeof i + rand_r(&seed) % 100);
        agrees_with(box, &m);
    }
    sr_outbox_free(box);
}

/* --- everything else ------------------------------------------------------------ */

enum { ROWS_MAX = 40000 };
enum state { GONE, WAITS, FLIES, HELD };

struct row {
    bool buffered;
    enum state state;
    uint32_t ticket;
};

struct world {
    struct place *place, *spare; /* NULL: in memory only */
    struct sr_outbox *box;
    struct row rows[ROWS_MAX]; /* the index is what the row says */
    int count, oldest;         /* none before is there still */
    int mark;                  /* rows from this one on were put after it */
    uint32_t ticket;
    unsigned seed;
    bool dead; /* the disk */
};

static unsigned upto(struct world *w, unsigned n)
{
    return (unsigned)rand_r(&w->seed) % n;
}

/* The first row that waits, from `i` on. */
static int next_waiting(const struct world *w, int i, bool buffered)
{
    while (i < w->count &&
           (w->rows[i].state != WAITS || w->rows[i].buffered != buffered))
        i++;
    return i;
}

struct world_taking {
    struct world *world;
    enum sr_outbox_part part;
    unsigned want;
    int last;
};

/* All of the backlog, in the order of sending; of live rows, as many as are in memory, each in
 * the order of sending of its class. */
static bool compare_row(void *arg, const struct sr_outbox_offer *offer)
{
    struct world_taking *t = arg;
    struct world *w = t->world;
    char text[32];
    int row, v = next_waiting(w, w->oldest, false),
             b = next_waiting(w, w->oldest, true);

    if (!t->want)
        return false;
    t->want--;
    assert_true(offer->len < sizeof text);
    memcpy(text, offer->text, offer->len);
    text[offer->len] = '\0';
    row = atoi(text);
    assert_in_range(row, 0, w->count - 1);
    assert_int_equal(w->rows[row].state, WAITS);
    assert_int_equal(w->rows[row].buffered, (offer->prio & SR_PRIO_BUF) != 0);
    if (t->part == SR_PART_LIVE) {
        assert_false(offer->backlog);
        assert_true(row >= w->mark && row > t->last);
        if (!w->rows[row].buffered)
            assert_int_equal(row, next_waiting(w, w->mark, false));
    } else if (t->part == SR_PART_ALL) {
        assert_int_equal(row, v < b ? v : b);
    } else {
        assert_true(offer->backlog);
        assert_int_equal(row, w->rows[row].buffered ? b : v);
        assert_true(row < w->mark || w->rows[row].buffered);
    }
    t->last = row;
    w->rows[row].state = FLIES;
    w->rows[row].ticket = w->ticket;
    return true;
}

static void world_take(struct world *w)
{
    struct world_taking t = { w, (enum sr_outbox_part)upto(w, 3), upto(w, 30), -1 };

    w->ticket++;
    ticket_take(w->box, w->ticket, t.part, false, compare_row, &t);
}

static void world_put(struct world *w, bool buffered)
{
    struct row row = { .buffered = buffered, .state = WAITS };
    char text[32];

    if (w->count == ROWS_MAX)
        return;
    snprintf(text, sizeof text, "%d,%.*s", w->count, (int)upto(w, 12),
             "abcdefghijklmn");
    if (!(row.buffered ? keep : put)(w->box, text))
        w->rows[w->count++] = row;
}

static int all_in(struct world *w, enum state from, uint32_t ticket, enum state to)
{
    int rows = 0;

    for (int i = w->oldest; i < w->count; i++)
        if (w->rows[i].state == from && (!ticket || w->rows[i].ticket == ticket)) {
            w->rows[i].state = to;
            rows++;
        }
    while (w->oldest < w->count && w->rows[w->oldest].state == GONE)
        w->oldest++;
    return rows;
}

static void world_ack(struct world *w)
{
    uint32_t ticket = w->ticket > 4 ? w->ticket - upto(w, 4) : 1;
    int rows = all_in(w, FLIES, ticket, GONE) + all_in(w, HELD, ticket, GONE);

    assert_int_equal(ticket_ack(w->box, ticket), rows);
}

static void world_hold(struct world *w)
{
    if (!w->ticket)
        return;
    ticket_hold(w->box, w->ticket);
    all_in(w, FLIES, w->ticket, HELD);
}

/* What kill -9 leaves is what the files have at that moment. What was acknowledged while the
 * disk failed is written down with the next row. */
static void kill_box(struct world *w)
{
    struct place *place = w->place;

    world_put(w, true);
    copy_place(place, w->spare);
    w->place = w->spare;
    w->spare = place;
}

/* After the end of the process: what is on disk waits, volatile rows are no more. */
static void world_reopen(struct world *w)
{
    if (!w->place || w->dead)
        return;
    pass_ms(&w->place->clock, 60000);
    ticket_take(w->box, ++w->ticket, SR_PART_LIVE, false, note,
                &(struct notes){ 0 }); /* all is on disk now */
    if (upto(w, 2))
        kill_box(w);
    sr_outbox_free(w->box);
    w->box = open_box(w->place, 6000);
    sr_outbox_set_policy(w->box, SR_CLASS_VOLATILE, SR_REFUSE);
    sr_outbox_set_policy(w->box, SR_CLASS_BUFFERED, SR_REFUSE);
    for (int i = w->oldest; i < w->count; i++)
        if (w->rows[i].state != GONE)
            w->rows[i].state = w->rows[i].buffered ? WAITS : GONE;
    w->mark = w->count;
}

static void world_disk(struct world *w)
{
    if (!w->place)
        return;
    w->dead = w->place->dead_write = !w->dead;
    pass_ms(&w->place->clock, upto(w, 3) * 30000);
}

static void world_release_one(struct world *w)
{
    uint32_t ticket = w->ticket > 4 ? w->ticket - upto(w, 4) : 1;

    ticket_release_one(w->box, ticket);
    all_in(w, HELD, ticket, WAITS);
}

static void world_step(struct world *w)
{
    unsigned what = upto(w, 1000);

    if (what < 550)
        world_put(w, upto(w, 3) != 0);
    else if (what < 780)
        world_take(w);
    else if (what < 960)
        world_ack(w);
    else if (what < 968) {
        sr_outbox_fail(w->box, 1000000);
        all_in(w, FLIES, 0, WAITS);
    } else if (what < 974)
        world_hold(w);
    else if (what < 977)
        world_release_one(w);
    else if (what < 980) {
        sr_outbox_release(w->box);
        all_in(w, HELD, 0, WAITS);
    } else if (what < 985) {
        sr_outbox_mark(w->box);
        w->mark = w->count;
    } else if (what < 990)
        world_disk(w);
    else if (what < 992)
        world_reopen(w);
}

static void world_agrees(struct world *w)
{
    size_t waiting = 0, rows = 0;

    for (int i = w->oldest; i < w->count; i++) {
        rows += w->rows[i].state != GONE;
        waiting += w->rows[i].state == WAITS;
    }
    assert_int_equal(stats_of(w->box).rows, rows);
    assert_int_equal(waits(w->box), waiting);
}

/* All that is left arrives, once and in order. */
static void world_drain(struct world *w)
{
    sr_outbox_requeue(w->box);
    sr_outbox_release(w->box);
    all_in(w, FLIES, 0, WAITS);
    all_in(w, HELD, 0, WAITS);
    while (waits(w->box)) {
        struct world_taking t = { w, SR_PART_ALL, 50, -1 };

        w->ticket++;
        assert_true(
            ticket_take(w->box, w->ticket, SR_PART_ALL, false, compare_row, &t) > 0);
        ticket_ack(w->box, w->ticket);
        all_in(w, FLIES, w->ticket, GONE);
    }
    assert_int_equal(w->oldest, w->count);
    assert_int_equal(stats_of(w->box).rows, 0);
    assert_int_equal(stats_of(w->box).memory_bytes, 0);
}

static void run_world(struct place *place, struct place *spare, unsigned seed,
                      int steps)
{
    static struct world world;
    struct world *w = &world;

    *w = (struct world){ .place = place, .spare = spare, .seed = seed };
    w->box = place ? open_box(place, 6000) : box_of(1000);
    sr_outbox_set_policy(w->box, SR_CLASS_VOLATILE, SR_REFUSE);
    sr_outbox_set_policy(w->box, SR_CLASS_BUFFERED, SR_REFUSE);
    for (int i = 0; i < steps; i++) {
        world_step(w);
        if (i % 16 == 0)
            world_agrees(w);
    }
    world_drain(w);
    sr_outbox_free(w->box);
}

static void in_memory_nothing_is_lost_doubled_or_out_of_order(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 3; seed++)
        run_world(NULL, NULL, seed, 5000);
}

static void on_disk_nothing_is_lost_doubled_or_out_of_order(void **state)
{
    for (unsigned seed = 1; seed <= 3; seed++) {
        void *place, *spare;

        (void)state;
        assert_int_equal(make_place(&place), 0);
        assert_int_equal(make_place(&spare), 0);
        run_world(place, spare, seed, 4000);
        remove_place(&place);
        remove_place(&spare);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_bound_of_memory_is_what_a_simple_model_says),
        cmocka_unit_test(in_memory_nothing_is_lost_doubled_or_out_of_order),
        cmocka_unit_test(on_disk_nothing_is_lost_doubled_or_out_of_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
