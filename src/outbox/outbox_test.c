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

#include "outbox/outbox_fixture.h"

static void expect(struct sr_outbox *box, size_t rows, size_t waiting, size_t dropped)
{
    assert_int_equal(stats_of(box).rows, rows);
    assert_int_equal(waits(box), waiting);
    assert_int_equal(met(box, SR_FATE_FULL), dropped);
}

static void rows_come_out_in_the_order_they_went_in(void **state)
{
    struct sr_outbox *box = box_of(100);

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
    struct sr_outbox *box = box_of(100);

    (void)state;
    put(box, "one1");
    put(box, "two2");
    put(box, "3333");
    take(box, 1, 1, "one1 ");
    take(box, 2, 1, "two2 ");
    assert_int_equal(ticket_ack(box, 1), 1);
    expect(box, 2, 1, 0);
    assert_int_equal(ticket_ack(box, 2), 1);
    expect(box, 1, 1, 0);
    take(box, 3, 9, "3333 ");
    sr_outbox_free(box);
}

static void acknowledgements_may_come_out_of_order_twice_or_for_nothing(void **state)
{
    struct sr_outbox *box = box_of(100);

    (void)state;
    put(box, "one1");
    put(box, "two2");
    put(box, "3333");
    assert_int_equal(ticket_ack(box, 0), 0);
    assert_int_equal(ticket_ack(box, 1), 0);
    take(box, 1, 1, "one1 ");
    take(box, 2, 1, "two2 ");
    take(box, 3, 1, "3333 ");
    assert_int_equal(ticket_ack(box, 3), 1);
    assert_int_equal(ticket_ack(box, 1), 1);
    assert_int_equal(ticket_ack(box, 1), 0);
    assert_int_equal(ticket_ack(box, 99), 0);
    expect(box, 1, 0, 0);
    sr_outbox_requeue(box);
    put(box, "4444");
    take(box, 4, 9, "two2 4444 ");
    sr_outbox_free(box);
}

static void a_row_that_nobody_takes_is_forgotten_as_poison(void **state)
{
    struct sr_outbox *box = box_of(100);

    (void)state;
    put(box, "one1");
    put(box, "two2");
    take(box, 1, 1, "one1 ");
    assert_int_equal(ticket_quarantine(box, 2, "no such ticket", 0), 0);
    assert_int_equal(ticket_quarantine(box, 1, "no such template", 0), 1);
    expect(box, 1, 1, 0);
    assert_int_equal(met(box, SR_FATE_POISON), 1);
    assert_int_equal(met(box, SR_FATE_DELIVERED), 0);
    sr_outbox_free(box);
}

static void requeued_rows_are_in_their_old_place(void **state)
{
    struct sr_outbox *box = box_of(100);

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
    assert_int_equal(ticket_ack(box, 1), 0); /* the old ticket is void */
    assert_int_equal(ticket_ack(box, 3), 4);
    sr_outbox_free(box);
}

static void the_bound_is_exact_and_counts_each_rows_keeping(void **state)
{
    struct sr_outbox *box = box_of(2);
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
    struct sr_outbox *box = box_of(3);

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
    struct sr_outbox *box = box_of(3);

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
    struct sr_outbox *box = box_of(2);

    (void)state;
    put(box, "one1");
    put(box, "two2");
    take(box, 1, 9, "one1 two2 ");
    assert_int_equal(put(box, "3333"), SR_E_FULL);
    expect(box, 2, 0, 0);
    ticket_ack(box, 1);
    assert_int_equal(put(box, "3333"), 0);
    sr_outbox_free(box);
}

static void a_refused_row_drops_nothing(void **state)
{
    struct sr_outbox *box = box_of(3);
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
    struct sr_outbox *box = box_of(4);

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
    ticket_ack(box, 1);
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
        assert_int_equal(sr_outbox_new(cap, NULL, &box), 0);
        assert_int_equal(put(box, ""), SR_E_TOOBIG);
        assert_int_equal(put(box, "1"), SR_E_TOOBIG);
        expect(box, 0, 0, 0);
        sr_outbox_free(box);
    }
}

static void says_when_who_sends_should_look(void **state)
{
    struct sr_outbox *box = roomy_box();

    (void)state;
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

static uint64_t oldest(struct sr_outbox *box)
{
    return sr_outbox_waiting(box, SR_PART_ALL).oldest_ms;
}

static void says_since_when_the_oldest_row_waits(void **state)
{
    struct sr_outbox *box = roomy_box();
    const struct sr_outbox_row one = { .text = "one1", .len = 4 },
                               two = { .text = "two2", .len = 4 };
    bool due;

    (void)state;
    assert_int_equal(oldest(box), 0);
    sr_outbox_put(box, &one, 100, &due);
    sr_outbox_put(box, &two, 200, &due);
    assert_int_equal(oldest(box), 100);
    assert_int_equal(sr_outbox_waiting(box, SR_PART_ALL).bytes, 8);
    take(box, 1, 1, "one1 ");
    assert_int_equal(oldest(box), 200);
    sr_outbox_requeue(box);
    assert_int_equal(oldest(box), 100);
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

    for (int i = 0; i < ROWS; i++) {
        snprintf(row, sizeof row, "%d,%d", putter->number, i);
        (i % 2 ? put : keep)(putter->box, row);
    }
    return NULL;
}

static void threads_may_put_while_another_takes_and_acknowledges(void **state)
{
    struct putter putters[PUTTERS];
    pthread_t threads[PUTTERS];
    int next[PUTTERS] = { 0 };
    struct sr_outbox *box = roomy_box();
    uint32_t ticket = 0;
    size_t acked = 0;

    (void)state;
    for (int i = 0; i < PUTTERS; i++) {
        putters[i] = (struct putter){ box, i };
        pthread_create(&threads[i], NULL, put_rows, &putters[i]);
    }
    while (acked < PUTTERS * ROWS) {
        struct notes one = { .rows_max = 1 };
        int putter, number;

        if (!ticket_take(box, ++ticket, SR_PART_ALL, false, note, &one))
            continue;
        sscanf(one.text, "%d,%d", &putter, &number);
        assert_int_equal(next[putter]++, number);
        acked += ticket_ack(box, ticket);
    }
    for (int i = 0; i < PUTTERS; i++)
        pthread_join(threads[i], NULL);
    expect(box, 0, 0, 0);
    sr_outbox_free(box);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_come_out_in_the_order_they_went_in),
        cmocka_unit_test(an_acknowledged_row_is_forgotten_and_others_are_not),
        cmocka_unit_test(acknowledgements_may_come_out_of_order_twice_or_for_nothing),
        cmocka_unit_test(a_row_that_nobody_takes_is_forgotten_as_poison),
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
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
