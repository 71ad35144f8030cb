/* SPDX-License-Identifier: MIT */
/* The bound of memory by class and policy; fates, losses, sleep. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
/* after what it needs */
#include <cmocka.h>

#include "outbox/outbox_fixture.h"

/* --- at the bound --------------------------------------------------------------- */

static void volatile_rows_make_room_before_buffered_ones(void **state)
{
    struct sr_outbox *box = box_of(3);

    (void)state;
    keep(box, "bbb1");
    put(box, "vvv1");
    keep(box, "bbb2");
    keep(box, "bbb3");
    assert_int_equal(stats_of(box).fates[SR_FATE_FULL][SR_CLASS_VOLATILE], 1);
    keep(box, "bbb4");
    assert_int_equal(stats_of(box).fates[SR_FATE_FULL][SR_CLASS_BUFFERED], 1);
    take(box, 1, 9, "bbb2 bbb3 bbb4 ");
    sr_outbox_free(box);
}

static void a_volatile_row_never_displaces_a_buffered_one(void **state)
{
    struct sr_outbox *box = box_of(2);

    (void)state;
    keep(box, "bbb1");
    keep(box, "bbb2");
    assert_int_equal(put(box, "vvv1"), SR_E_FULL);
    assert_int_equal(stats_of(box).rows_refused, 1);
    sr_outbox_set_policy(box, SR_CLASS_VOLATILE, SR_DROP_NEWEST);
    assert_int_equal(put(box, "vvv1"), 0);
    assert_int_equal(stats_of(box).fates[SR_FATE_FULL][SR_CLASS_VOLATILE], 1);
    take(box, 1, 9, "bbb1 bbb2 ");
    sr_outbox_free(box);
}

static void refuse_refuses_and_drops_nothing(void **state)
{
    struct sr_outbox *box = box_of(2);
    struct sr_losses losses;

    (void)state;
    sr_outbox_set_policy(box, SR_CLASS_VOLATILE, SR_REFUSE);
    put(box, "vvv1");
    put(box, "vvv2");
    assert_int_equal(put(box, "vvv3"), SR_E_FULL);
    assert_int_equal(stats_of(box).rows_refused, 1);
    assert_int_equal(sr_outbox_rows_put(box), 2);
    /* nor do rows of the other class take its place */
    assert_int_equal(keep(box, "bbb1"), SR_E_FULL);
    sr_outbox_losses(box, &losses);
    assert_int_equal(losses.rows[SR_CLASS_VOLATILE], 0);
    take(box, 1, 9, "vvv1 vvv2 ");
    sr_outbox_free(box);
}

static void drop_newest_accepts_the_row_and_drops_it(void **state)
{
    struct sr_outbox *box = box_of(2);
    struct sr_losses losses;
    bool due = false;

    (void)state;
    sr_outbox_set_policy(box, SR_CLASS_BUFFERED, SR_DROP_NEWEST);
    keep(box, "bbb1");
    keep(box, "bbb2");
    assert_int_equal(sr_outbox_put(box,
                                   &(struct sr_outbox_row){
                                       .text = "bbb3", .len = 4, .prio = SR_PRIO_BUF },
                                   0, &due),
                     0);
    assert_true(due); /* there is something to tell */
    assert_int_equal(sr_outbox_rows_put(box), 3);
    assert_int_equal(stats_of(box).rows_refused, 0);
    sr_outbox_losses(box, &losses);
    assert_int_equal(losses.rows[SR_CLASS_BUFFERED], 1);
    take(box, 1, 9, "bbb1 bbb2 ");
    sr_outbox_free(box);
}

static void shrinking_leaves_rows_that_are_not_to_be_dropped(void **state)
{
    struct sr_outbox *box = box_of(4);

    (void)state;
    sr_outbox_set_policy(box, SR_CLASS_BUFFERED, SR_REFUSE);
    keep(box, "bbb1");
    put(box, "vvv1");
    keep(box, "bbb2");
    sr_outbox_set_cap(box, sr_outbox_overhead + 4);
    assert_int_equal(stats_of(box).rows, 2);
    assert_int_equal(keep(box, "bbb3"), SR_E_FULL);
    take(box, 1, 9, "bbb1 bbb2 ");
    ticket_ack(box, 1);
    assert_int_equal(keep(box, "bbb3"), 0);
    sr_outbox_free(box);
}

static void a_row_may_be_as_long_as_a_record_can_say(void **state)
{
    static char row[SR_OUTBOX_ROW_MAX + 2];
    struct sr_outbox *box = roomy_box();

    (void)state;
    memset(row, 'x', sizeof row - 1);
    assert_int_equal(put(box, row), SR_E_TOOBIG);
    row[SR_OUTBOX_ROW_MAX] = '\0';
    assert_int_equal(put(box, row), 0);
    assert_int_equal(sr_outbox_rows_put(box), 1);
    sr_outbox_free(box);
}

/* --- fates ------------------------------------------------------------------------ */

static void each_callback_is_told_once_what_became_of_its_row(void **state)
{
    struct sr_outbox *box = roomy_box();

    (void)state;
    put_told(box, "one1", 0);
    put_told(box, "two2", SR_PRIO_BUF);
    put_told(box, "3333", 0);
    put_told(box, "4444", 0);
    take(box, 1, 2, "one1 two2 ");
    take(box, 2, 1, "3333 ");
    assert_string_equal(next_fates(box), "");
    ticket_ack(box, 1);
    ticket_quarantine(box, 2, "why", 0);
    assert_string_equal(next_fates(box), "one1:delivered two2:delivered 3333:poison ");
    assert_string_equal(next_fates(box), "");
    sr_outbox_sleep(box, true);
    put_told(box, "5555", 0);
    put_told(box, "kept", SR_PRIO_BUF);
    assert_string_equal(next_fates(box), "4444:asleep 5555:asleep ");
    sr_outbox_close(box);
    assert_string_equal(next_fates(box), "kept:lost ");
    sr_outbox_free(box);
}

static void callbacks_of_dropped_rows_are_told_too(void **state)
{
    struct sr_outbox *box = roomy_box();
    size_t one;

    (void)state;
    put_told(box, "one1", 0);
    one = stats_of(box).memory_bytes;
    assert_true(one > sr_outbox_overhead + 4);
    sr_outbox_set_cap(box, 2 * one);
    put_told(box, "two2", 0);
    put_told(box, "3333", 0);
    assert_string_equal(next_fates(box), "one1:full ");
    sr_outbox_set_policy(box, SR_CLASS_VOLATILE, SR_REFUSE);
    assert_int_equal(put_told(box, "4444", 0), SR_E_FULL);
    assert_string_equal(next_fates(box), ""); /* the call failed: no callback */
    sr_outbox_set_policy(box, SR_CLASS_VOLATILE, SR_DROP_NEWEST);
    put_told(box, "5555", 0);
    assert_string_equal(next_fates(box), "5555:full ");
    sr_outbox_free(box); /* what is not told is freed */
}

static void callbacks_that_nobody_asks_for_have_a_bound(void **state)
{
    struct sr_outbox *box = box_of(2);
    int rc = 0, rows = 0;

    (void)state;
    sr_outbox_sleep(box, true);
    for (; rows < 10000 && !rc; rows++)
        rc = put_told(box, "vvvv", 0);
    assert_int_equal(rc, SR_E_FULL);
    assert_true(rows > 10);
    next_fates(box);
    assert_int_equal(put_told(box, "vvvv", 0), 0);
    sr_outbox_free(box);
}

static void a_put_says_when_a_fate_is_to_be_told(void **state)
{
    struct sr_outbox *box = box_of(4);

    (void)state;
    put_is_due(box, "one1");
    assert_false(put_is_due(box, "two2"));
    put_is_due(box, "3333");
    put_is_due(box, "4444");
    assert_true(put_is_due(box, "5555")); /* one is dropped */
    sr_outbox_free(box);
}

/* --- retries and sleep ----------------------------------------------------------------- */

static void volatile_rows_are_given_up_after_that_many_retries(void **state)
{
    struct sr_outbox *box = roomy_box();

    (void)state;
    put(box, "vvv1");
    keep(box, "bbb1");
    for (uint32_t i = 1; i <= 3; i++) {
        take(box, i, 9, "vvv1 bbb1 ");
        sr_outbox_fail(box, 3);
    }
    sr_outbox_requeue(box); /* this is no failure */
    take(box, 4, 9, "vvv1 bbb1 ");
    put(box, "vvv2");
    sr_outbox_fail(box, 3);
    assert_int_equal(met(box, SR_FATE_RETRIES), 1);
    take(box, 5, 9, "bbb1 vvv2 ");
    sr_outbox_free(box);
}

static void without_retries_the_first_failure_is_the_last(void **state)
{
    struct sr_outbox *box = roomy_box();

    (void)state;
    put(box, "vvv1");
    put(box, "vvv2");
    take(box, 1, 1, "vvv1 ");
    sr_outbox_fail(box, 0);
    take(box, 2, 9, "vvv2 ");
    sr_outbox_free(box);
}

static void asleep_volatile_rows_are_discarded_and_rows_under_way_are_not(void **state)
{
    struct sr_outbox *box = roomy_box();

    (void)state;
    put(box, "fly1");
    put(box, "vvv1");
    keep(box, "bbb1");
    take(box, 1, 1, "fly1 ");
    sr_outbox_sleep(box, true);
    put(box, "vvv2");
    keep(box, "bbb2");
    assert_int_equal(met(box, SR_FATE_ASLEEP), 2);
    sr_outbox_requeue(box);
    sr_outbox_sleep(box, false);
    put(box, "vvv3");
    take(box, 2, 9, "fly1 bbb1 bbb2 vvv3 ");
    sr_outbox_free(box);
}

/* --- losses ------------------------------------------------------------------------------ */

static void losses_are_told_by_fate_and_class_with_their_times(void **state)
{
    struct hand_clock clock;
    struct sr_outbox *box;
    struct sr_loss loss;

    (void)state;
    hand_clock_init(&clock);
    clock.now.wall_ms = 5000;
    assert_int_equal(sr_outbox_new(2 * (sr_outbox_overhead + 4), &clock.clock, &box),
                     0);
    put(box, "vvv1");
    pass_ms(&clock, 1000);
    put(box, "vvv2");
    pass_ms(&clock, 1000);
    keep(box, "bbb1");
    keep(box, "bbb2");
    keep(box, "bbb3");
    assert_true(sr_outbox_next_loss(box, &loss));
    assert_int_equal(loss.fate, SR_FATE_FULL);
    assert_false(loss.buffered);
    assert_int_equal(loss.rows, 2);
    assert_int_equal(loss.from_ms, 5000);
    assert_int_equal(loss.to_ms, 6000);
    assert_true(sr_outbox_next_loss(box, &loss));
    assert_true(loss.buffered);
    assert_int_equal(loss.rows, 1);
    assert_int_equal(loss.from_ms, 7000);
    assert_false(sr_outbox_next_loss(box, &loss));
    sr_outbox_free(box);
}

static void what_was_lost_while_the_report_was_under_way_stays(void **state)
{
    struct sr_outbox *box = box_of(1);
    struct sr_losses told, left;

    (void)state;
    for (int i = 0; i < 6; i++)
        put(box, "vvvv");
    sr_outbox_losses(box, &told);
    assert_int_equal(told.rows[SR_CLASS_VOLATILE], 5);
    put(box, "vvvv");
    put(box, "vvvv");
    sr_outbox_settle(box, &told);
    sr_outbox_losses(box, &left);
    assert_int_equal(left.rows[SR_CLASS_VOLATILE], 2);
    /* an answer of before is not told twice */
    sr_outbox_settle(box, &told);
    sr_outbox_losses(box, &left);
    assert_int_equal(left.rows[SR_CLASS_VOLATILE], 0);
    assert_int_equal(left.from_ms, 0);
    sr_outbox_free(box);
}

static void sleep_expiry_and_poison_are_no_losses_to_report(void **state)
{
    struct sr_outbox *box = roomy_box();
    struct sr_losses losses;
    struct sr_loss loss;

    (void)state;
    put(box, "vvv1");
    put(box, "vvv2");
    take(box, 1, 1, "vvv1 ");
    ticket_quarantine(box, 1, "why", 0);
    sr_outbox_sleep(box, true);
    sr_outbox_losses(box, &losses);
    assert_int_equal(losses.rows[SR_CLASS_VOLATILE], 0);
    assert_true(sr_outbox_next_loss(box, &loss));
    assert_int_equal(loss.fate, SR_FATE_ASLEEP);
    assert_true(sr_outbox_next_loss(box, &loss));
    assert_int_equal(loss.fate, SR_FATE_POISON);
    sr_outbox_free(box);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(volatile_rows_make_room_before_buffered_ones),
        cmocka_unit_test(a_volatile_row_never_displaces_a_buffered_one),
        cmocka_unit_test(refuse_refuses_and_drops_nothing),
        cmocka_unit_test(drop_newest_accepts_the_row_and_drops_it),
        cmocka_unit_test(shrinking_leaves_rows_that_are_not_to_be_dropped),
        cmocka_unit_test(a_row_may_be_as_long_as_a_record_can_say),
        cmocka_unit_test(each_callback_is_told_once_what_became_of_its_row),
        cmocka_unit_test(callbacks_of_dropped_rows_are_told_too),
        cmocka_unit_test(callbacks_that_nobody_asks_for_have_a_bound),
        cmocka_unit_test(a_put_says_when_a_fate_is_to_be_told),
        cmocka_unit_test(volatile_rows_are_given_up_after_that_many_retries),
        cmocka_unit_test(without_retries_the_first_failure_is_the_last),
        cmocka_unit_test(asleep_volatile_rows_are_discarded_and_rows_under_way_are_not),
        cmocka_unit_test(losses_are_told_by_fate_and_class_with_their_times),
        cmocka_unit_test(what_was_lost_while_the_report_was_under_way_stays),
        cmocka_unit_test(sleep_expiry_and_poison_are_no_losses_to_report),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
