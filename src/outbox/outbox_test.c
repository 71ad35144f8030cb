/* SPDX-License-Identifier: MIT */
#include "outbox/outbox.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* after what it needs */
#include <cmocka.h>

enum { ROOMY = 1 << 20 };

static struct sr_outbox *new_box(size_t rows_of_4_bytes)
{
    struct sr_outbox *box;

    assert_int_equal(sr_outbox_new(rows_of_4_bytes * (sr_outbox_overhead + 4), &box),
                     0);
    return box;
}

static int put(struct sr_outbox *box, const char *row)
{
    bool due;

    return sr_outbox_put(box, row, strlen(row), 0, 0, &due);
}

static bool put_is_due(struct sr_outbox *box, const char *row)
{
    bool due = false;

    assert_int_equal(sr_outbox_put(box, row, strlen(row), 0, 0, &due), 0);
    return due;
}

/* Takes rows one by one and notes them, with a blank behind each. */
struct notes {
    char text[4096];
    size_t rows, rows_max;
};

static bool note(void *arg, const char *row, size_t len, int prio)
{
    struct notes *notes = arg;
    size_t used = strlen(notes->text);

    (void)prio;
    if (notes->rows == notes->rows_max)
        return false;
    notes->rows++;
    snprintf(notes->text + used, sizeof notes->text - used, "%.*s ", (int)len, row);
    return true;
}

static void take(struct sr_outbox *box, uint32_t ticket, size_t rows,
                 const char *expected)
{
    struct notes notes = { .rows_max = rows };
    size_t taken = sr_outbox_take(box, ticket, note, &notes);

    assert_int_equal(taken, notes.rows);
    assert_string_equal(notes.text, expected);
}

static void expect(struct sr_outbox *box, size_t rows, size_t waiting, size_t dropped)
{
    struct sr_outbox_stats stats;

    sr_outbox_stats(box, &stats);
    assert_int_equal(stats.rows, rows);
    assert_int_equal(sr_outbox_waiting(box).rows, waiting);
    assert_int_equal(stats.rows_dropped, dropped);
}

static void rows_come_out_in_the_order_they_went_in(void **state)
{
    struct sr_outbox *box = new_box(100);

    (void)state;
    put(box, "one1");
    put(box, "two2");
    put(box, "3333");
    take(box, 1, 2, "one1 two2 ");
    put(box, "4444");
    take(box, 2, 9, "3333 4444 ");
    take(box, 3, 9, "");
    sr_outbox_free(box);
}

static void an_acknowledged_row_is_forgotten_and_others_are_not(void **state)
{
    struct sr_outbox *box = new_box(100);

    (void)state;
    put(box, "one1");
    put(box, "two2");
    put(box, "3333");
    take(box, 1, 1, "one1 ");
    take(box, 2, 1, "two2 ");
    assert_int_equal(sr_outbox_ack(box, 1), 1);
    expect(box, 2, 1, 0);
    assert_int_equal(sr_outbox_ack(box, 2), 1);
    expect(box, 1, 1, 0);
    take(box, 3, 9, "3333 ");
    sr_outbox_free(box);
}

static void acknowledgements_may_come_out_of_order_twice_or_for_nothing(void **state)
{
    struct sr_outbox *box = new_box(100);

    (void)state;
    put(box, "one1");
    put(box, "two2");
    put(box, "3333");
    assert_int_equal(sr_outbox_ack(box, 0), 0);
    assert_int_equal(sr_outbox_ack(box, 1), 0);
    take(box, 1, 1, "one1 ");
    take(box, 2, 1, "two2 ");
    take(box, 3, 1, "3333 ");
    assert_int_equal(sr_outbox_ack(box, 3), 1);
    assert_int_equal(sr_outbox_ack(box, 1), 1);
    assert_int_equal(sr_outbox_ack(box, 1), 0);
    assert_int_equal(sr_outbox_ack(box, 99), 0);
    expect(box, 1, 0, 0);
    sr_outbox_requeue(box);
    put(box, "4444");
    take(box, 4, 9, "two2 4444 ");
    sr_outbox_free(box);
}

static void a_row_under_way_may_be_dropped_too(void **state)
{
    struct sr_outbox *box = new_box(100);

    (void)state;
    put(box, "one1");
    put(box, "two2");
    take(box, 1, 1, "one1 ");
    assert_int_equal(sr_outbox_drop(box, 2), 0);
    assert_int_equal(sr_outbox_drop(box, 1), 1);
    expect(box, 1, 1, 1);
    sr_outbox_free(box);
}

static void requeued_rows_are_in_their_old_place(void **state)
{
    struct sr_outbox *box = new_box(100);

    (void)state;
    put(box, "one1");
    put(box, "two2");
    take(box, 1, 1, "one1 ");
    put(box, "3333");
    take(box, 2, 1, "two2 ");
    sr_outbox_requeue(box);
    sr_outbox_requeue(box);
    expect(box, 3, 3, 0);
    put(box, "4444");
    take(box, 3, 9, "one1 two2 3333 4444 ");
    assert_int_equal(sr_outbox_ack(box, 1), 0); /* the old ticket is void */
    assert_int_equal(sr_outbox_ack(box, 3), 4);
    sr_outbox_free(box);
}

static void the_bound_is_exact_and_counts_each_rows_keeping(void **state)
{
    struct sr_outbox *box = new_box(2);
    struct sr_outbox_stats stats;

    (void)state;
    put(box, "one1");
    put(box, "two2");
    expect(box, 2, 2, 0);
    sr_outbox_stats(box, &stats);
    assert_int_equal(stats.bytes, 2 * (sr_outbox_overhead + 4));
    put(box, "");
    expect(box, 2, 2, 1);
    sr_outbox_free(box);
}

static void at_the_bound_the_oldest_waiting_rows_make_room(void **state)
{
    struct sr_outbox *box = new_box(3);

    (void)state;
    put(box, "one1");
    put(box, "two2");
    put(box, "3333");
    assert_int_equal(put(box, "44445"), 0); /* a byte more than one row leaves */
    expect(box, 2, 2, 2);
    take(box, 1, 9, "3333 44445 ");
    sr_outbox_free(box);
}

static void rows_under_way_are_never_dropped(void **state)
{
    struct sr_outbox *box = new_box(3);

    (void)state;
    put(box, "one1");
    put(box, "two2");
    take(box, 1, 2, "one1 two2 ");
    put(box, "3333");
    put(box, "4444");
    expect(box, 3, 1, 1);
    sr_outbox_requeue(box);
    take(box, 2, 9, "one1 two2 4444 ");
    sr_outbox_free(box);
}

static void is_full_when_rows_under_way_take_all_room(void **state)
{
    struct sr_outbox *box = new_box(2);

    (void)state;
    put(box, "one1");
    put(box, "two2");
    take(box, 1, 9, "one1 two2 ");
    assert_int_equal(put(box, "3333"), SR_E_FULL);
    expect(box, 2, 0, 0);
    sr_outbox_ack(box, 1);
    assert_int_equal(put(box, "3333"), 0);
    sr_outbox_free(box);
}

static void a_refused_row_drops_nothing(void **state)
{
    struct sr_outbox *box = new_box(3);
    char large[1000] = { 0 };

    (void)state;
    memset(large, 'x', sizeof large - 1);
    put(box, "one1");
    put(box, "two2");
    assert_int_equal(put(box, large), SR_E_TOOBIG);
    expect(box, 2, 2, 0);

    take(box, 1, 2, "one1 two2 ");
    put(box, "3333");
    /* One row's room could be had by dropping, but it is not enough. */
    assert_int_equal(put(box, "44445"), SR_E_FULL);
    expect(box, 3, 1, 0);
    sr_outbox_free(box);
}

static void shrinking_drops_the_oldest_waiting_rows_at_once(void **state)
{
    struct sr_outbox *box = new_box(4);

    (void)state;
    put(box, "one1");
    put(box, "two2");
    put(box, "3333");
    put(box, "4444");
    take(box, 1, 1, "one1 ");
    sr_outbox_set_cap(box, 2 * (sr_outbox_overhead + 4));
    expect(box, 2, 1, 2);
    sr_outbox_set_cap(box, 0);
    expect(box, 1, 0, 3); /* the one under way stays */
    assert_int_equal(put(box, ""), SR_E_TOOBIG);
    sr_outbox_ack(box, 1);
    sr_outbox_set_cap(box, 1 << 20);
    put(box, "5555");
    take(box, 2, 9, "5555 ");
    sr_outbox_free(box);
}

static void a_box_without_room_refuses_everything(void **state)
{
    struct sr_outbox *box;

    (void)state;
    for (size_t cap = 0; cap < 2; cap++) {
        assert_int_equal(sr_outbox_new(cap, &box), 0);
        assert_int_equal(put(box, ""), SR_E_TOOBIG);
        assert_int_equal(put(box, "1"), SR_E_TOOBIG);
        expect(box, 0, 0, 0);
        sr_outbox_free(box);
    }
}

static void says_when_who_sends_should_look(void **state)
{
    struct sr_outbox *box;

    (void)state;
    assert_int_equal(sr_outbox_new(ROOMY, &box), 0);
    sr_outbox_set_batch(box, 3, 100);
    assert_true(put_is_due(box, "first"));
    assert_false(put_is_due(box, "second"));
    assert_true(put_is_due(box, "third: the batch is full"));
    assert_false(put_is_due(box, "4"));
    sr_outbox_set_batch(box, 1000, 64);
    assert_true(put_is_due(box, "a row that makes the batch full in bytes"));
    assert_false(put_is_due(box, "5"));
    sr_outbox_free(box);
}

static void says_since_when_the_oldest_row_waits(void **state)
{
    struct sr_outbox *box;
    bool due;

    (void)state;
    assert_int_equal(sr_outbox_new(ROOMY, &box), 0);
    assert_int_equal(sr_outbox_waiting(box).oldest_ms, 0);
    sr_outbox_put(box, "one1", 4, 0, 100, &due);
    sr_outbox_put(box, "two2", 4, 0, 200, &due);
    assert_int_equal(sr_outbox_waiting(box).oldest_ms, 100);
    assert_int_equal(sr_outbox_waiting(box).bytes, 8);
    take(box, 1, 1, "one1 ");
    assert_int_equal(sr_outbox_waiting(box).oldest_ms, 200);
    sr_outbox_requeue(box);
    assert_int_equal(sr_outbox_waiting(box).oldest_ms, 100);
    sr_outbox_free(box);
}

/* --- from several threads ------------------------------------------------ */

enum { PUTTERS = 4, ROWS = 2000 };

struct putter {
    struct sr_outbox *box;
    int number;
};

static void *put_rows(void *arg)
{
    struct putter *putter = arg;
    char row[32];
    bool due;

    for (int i = 0; i < ROWS; i++) {
        int len = snprintf(row, sizeof row, "%d,%d", putter->number, i);

        sr_outbox_put(putter->box, row, (size_t)len, 0, 0, &due);
    }
    return NULL;
}

static void threads_may_put_while_another_takes_and_acknowledges(void **state)
{
    struct putter putters[PUTTERS];
    pthread_t threads[PUTTERS];
    int next[PUTTERS] = { 0 };
    struct sr_outbox *box;
    uint32_t ticket = 0;
    size_t acked = 0;

    (void)state;
    assert_int_equal(sr_outbox_new(64 << 20, &box), 0);
    for (int i = 0; i < PUTTERS; i++) {
        putters[i] = (struct putter){ box, i };
        pthread_create(&threads[i], NULL, put_rows, &putters[i]);
    }
    while (acked < PUTTERS * ROWS) {
        struct notes one = { .rows_max = 1 };
        int putter, number;

        if (!sr_outbox_take(box, ++ticket, note, &one))
            continue;
        sscanf(one.text, "%d,%d", &putter, &number);
        assert_int_equal(next[putter]++, number);
        acked += sr_outbox_ack(box, ticket);
    }
    for (int i = 0; i < PUTTERS; i++)
        pthread_join(threads[i], NULL);
    expect(box, 0, 0, 0);
    sr_outbox_free(box);
}

/* --- against a model ------------------------------------------------------ */

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

static bool compare(void *arg, const char *row, size_t len, int prio)
{
    struct comparison *c = arg;
    struct model *m = c->model;
    size_t i = 0;

    (void)prio;
    if (!c->want)
        return false;
    while (m->rows[i].ticket)
        i++;
    assert_int_equal(len, m->rows[i].len);
    assert_memory_equal(row, &m->rows[i].row, sizeof(int));
    m->rows[i].ticket = c->ticket;
    c->want--;
    return true;
}

static void agrees_with(struct sr_outbox *box, const struct model *m)
{
    struct sr_outbox_stats stats;
    size_t waiting = 0, waiting_bytes = 0;

    for (size_t i = 0; i < m->count; i++)
        if (!m->rows[i].ticket) {
            waiting++;
            waiting_bytes += (size_t)m->rows[i].len;
        }
    sr_outbox_stats(box, &stats);
    assert_int_equal(stats.rows, m->count);
    assert_int_equal(stats.bytes, model_bytes(m, true));
    assert_int_equal(stats.rows_dropped, m->dropped);
    assert_int_equal(stats.rows_put,
                     stats.rows + stats.rows_acked + stats.rows_dropped);
    assert_int_equal(sr_outbox_waiting(box).rows, waiting);
    assert_int_equal(sr_outbox_waiting(box).bytes, waiting_bytes);
}

static void random_operations_do_what_a_simple_model_does(void **state)
{
    struct model m = { .cap = 3000 };
    struct sr_outbox *box;
    uint32_t ticket = 0;
    unsigned seed = 20;
    char row[200] = { 0 };
    bool due;

    (void)state;
    assert_int_equal(sr_outbox_new(m.cap, &box), 0);
    for (int i = 0; i < 100000; i++) {
        struct comparison c = { &m, 0, 0 };
        int len = (int)sizeof i + rand_r(&seed) % 100;

        switch (rand_r(&seed) % 20) {
        case 0:
            sr_outbox_requeue(box);
            for (size_t k = 0; k < m.count; k++)
                m.rows[k].ticket = 0;
            break;
        case 1:
            m.cap = (size_t)rand_r(&seed) % 4000;
            sr_outbox_set_cap(box, m.cap);
            while (model_bytes(&m, true) > m.cap && model_drop_oldest(&m))
                ;
            break;
        case 2:
        case 3:
        case 4:
        case 5:
            c = (struct comparison){ &m, ++ticket, (size_t)rand_r(&seed) % 6 };
            sr_outbox_take(box, ticket, compare, &c);
            break;
        case 6:
        case 7:
        case 8:
        case 9: {
            uint32_t which = ticket > 5 ? ticket - (uint32_t)rand_r(&seed) % 5 : 1;

            assert_int_equal(sr_outbox_ack(box, which), model_ack(&m, which));
            break;
        }
        default:
            memcpy(row, &i, sizeof i);
            assert_int_equal(sr_outbox_put(box, row, (size_t)len, 0, 0, &due),
                             model_put(&m, i, len));
        }
        agrees_with(box, &m);
    }
    sr_outbox_free(box);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_come_out_in_the_order_they_went_in),
        cmocka_unit_test(an_acknowledged_row_is_forgotten_and_others_are_not),
        cmocka_unit_test(acknowledgements_may_come_out_of_order_twice_or_for_nothing),
        cmocka_unit_test(a_row_under_way_may_be_dropped_too),
        cmocka_unit_test(requeued_rows_are_in_their_old_place),
        cmocka_unit_test(the_bound_is_exact_and_counts_each_rows_keeping),
        cmocka_unit_test(at_the_bound_the_oldest_waiting_rows_make_room),
        cmocka_unit_test(rows_under_way_are_never_dropped),
        cmocka_unit_test(is_full_when_rows_under_way_take_all_room),
        cmocka_unit_test(a_refused_row_drops_nothing),
        cmocka_unit_test(shrinking_drops_the_oldest_waiting_rows_at_once),
        cmocka_unit_test(a_box_without_room_refuses_everything),
        cmocka_unit_test(says_when_who_sends_should_look),
        cmocka_unit_test(says_since_when_the_oldest_row_waits),
        cmocka_unit_test(threads_may_put_while_another_takes_and_acknowledges),
        cmocka_unit_test(random_operations_do_what_a_simple_model_does),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
