/* SPDX-License-Identifier: MIT */
/* Backlog and live rows, rows set aside, times to live, SR_NOW, and what flushing asks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
/* after what it needs */
#include <cmocka.h>

#include "outbox/outbox_fixture.h"

/* --- parts ------------------------------------------------------------------------- */

static void what_was_put_before_the_mark_is_backlog(void **state)
{
    struct sr_outbox *box = roomy_box();

    (void)state;
    put(box, "old1");
    keep(box, "old2");
    assert_int_equal(sr_outbox_waiting(box, SR_PART_BACKLOG).rows, 0);
    sr_outbox_mark(box);
    keep(box, "new1");
    put(box, "new2");
    assert_int_equal(sr_outbox_waiting(box, SR_PART_BACKLOG).rows, 2);
    assert_int_equal(sr_outbox_waiting(box, SR_PART_LIVE).rows, 2);
    assert_int_equal(sr_outbox_waiting(box, SR_PART_LIVE).bytes, 8);
    assert_true(sr_outbox_waiting(box, SR_PART_ALL).backlog);
    assert_false(sr_outbox_waiting(box, SR_PART_LIVE).backlog);
    take_part(box, 1, SR_PART_LIVE, 1, "new1 ");
    take_part(box, 2, SR_PART_BACKLOG, 9, "old1 old2 ");
    take_part(box, 3, SR_PART_ALL, 9, "new2 ");
    sr_outbox_requeue(box);
    take_part(box, 4, SR_PART_LIVE, 9, "new1 new2 ");
    take_part(box, 5, SR_PART_ALL, 9, "old1 old2 ");
    sr_outbox_free(box);
}

static void live_rows_under_way_are_backlog_after_the_next_mark(void **state)
{
    struct sr_outbox *box = roomy_box();

    (void)state;
    keep(box, "old1");
    sr_outbox_mark(box);
    keep(box, "new1");
    put(box, "new2");
    keep(box, "new3");
    take_part(box, 1, SR_PART_LIVE, 2, "new1 new2 ");
    sr_outbox_mark(box);
    put(box, "last");
    sr_outbox_requeue(box);
    take_part(box, 2, SR_PART_BACKLOG, 9, "old1 new1 new2 new3 ");
    take_part(box, 3, SR_PART_LIVE, 9, "last ");
    sr_outbox_free(box);
}

static uint64_t next_id(struct sr_outbox *box, uint32_t ticket)
{
    struct notes one = { .rows_max = 1 };

    assert_int_equal(ticket_take(box, ticket, SR_PART_ALL, false, note, &one), 1);
    return one.id;
}

static void a_row_keeps_its_id_and_ids_grow(void **state)
{
    struct sr_outbox *box = roomy_box();
    uint64_t first, second, other;

    (void)state;
    keep(box, "one1");
    keep(box, "two2");
    put(box, "vvv1");
    put(box, "vvv2");
    first = next_id(box, 1);
    second = next_id(box, 2);
    assert_true(first < second);
    other = next_id(box, 3);
    sr_outbox_requeue(box);
    put(box, "vvv3");
    assert_int_equal(next_id(box, 4), first);
    assert_int_equal(next_id(box, 5), second);
    assert_int_equal(next_id(box, 6), other);
    assert_true(next_id(box, 7) > other);
    sr_outbox_free(box);
}

/* --- aside -------------------------------------------------------------------------- */

static void what_is_held_stays_aside_until_it_is_released(void **state)
{
    struct sr_outbox *box = roomy_box();

    (void)state;
    keep(box, "one1");
    put(box, "two2");
    keep(box, "3333");
    take(box, 1, 2, "one1 two2 ");
    ticket_hold(box, 1);
    ticket_hold(box, 77); /* unknown */
    sr_outbox_fail(box, 0);
    sr_outbox_requeue(box);
    take(box, 2, 9, "3333 ");
    sr_outbox_fail(box, 0);
    sr_outbox_release(box);
    take(box, 3, 9, "one1 two2 3333 ");
    sr_outbox_free(box);
}

static void one_of_those_that_are_held_waits_again_in_its_place(void **state)
{
    struct sr_outbox *box = roomy_box();

    (void)state;
    keep(box, "one1");
    keep(box, "two2");
    keep(box, "3333");
    take(box, 1, 1, "one1 ");
    take(box, 2, 1, "two2 ");
    ticket_hold(box, 1);
    ticket_hold(box, 2);
    ticket_release_one(box, 77); /* unknown */
    ticket_release_one(box, 2);
    take(box, 3, 9, "two2 3333 ");
    ticket_release_one(box, 3); /* not held */
    sr_outbox_fail(box, 0);
    ticket_release_one(box, 1);
    take(box, 4, 9, "one1 two2 3333 ");
    sr_outbox_free(box);
}

static void what_is_held_can_be_acknowledged_or_set_aside_for_good(void **state)
{
    struct sr_outbox *box = roomy_box();

    (void)state;
    put_told(box, "one1", SR_PRIO_BUF);
    put_told(box, "two2", SR_PRIO_BUF);
    take(box, 1, 1, "one1 ");
    take(box, 2, 1, "two2 ");
    ticket_hold(box, 1);
    ticket_hold(box, 2);
    assert_int_equal(ticket_ack(box, 1), 1);
    assert_int_equal(ticket_quarantine(box, 2, "why", 100), 1);
    assert_string_equal(next_fates(box), "one1:delivered two2:poison ");
    sr_outbox_release(box);
    assert_int_equal(waits(box), 0);
    sr_outbox_free(box);
}

/* --- times to live ------------------------------------------------------------------- */

static struct sr_outbox *box_by(struct hand_clock *clock)
{
    struct sr_outbox *box;

    hand_clock_init(clock);
    assert_int_equal(sr_outbox_new(1 << 20, &clock->clock, &box), 0);
    return box;
}

static int put_ttl(struct sr_outbox *box, const char *row, uint32_t ttl_s, int prio)
{
    return put_row(box,
                   &(struct sr_outbox_row){
                       .text = row, .len = strlen(row), .prio = prio, .ttl_s = ttl_s });
}

static void a_row_that_is_too_old_is_not_sent(void **state)
{
    struct hand_clock clock;
    struct sr_outbox *box = box_by(&clock);

    (void)state;
    put_ttl(box, "brief", 10, 0);
    put_ttl(box, "long", 11, SR_PRIO_BUF);
    put(box, "ever");
    pass_ms(&clock, 9999);
    take(box, 1, 1, "brief ");
    sr_outbox_requeue(box);
    pass_ms(&clock, 1);
    take(box, 2, 9, "long ever ");
    assert_int_equal(met(box, SR_FATE_EXPIRED), 1);
    sr_outbox_requeue(box);
    pass_ms(&clock, 1000);
    take(box, 3, 9, "ever ");
    assert_int_equal(met(box, SR_FATE_EXPIRED), 2);
    sr_outbox_free(box);
}

static void the_age_is_by_the_clock_since_boot_whatever_the_wall_clock_does(
    void **state)
{
    struct hand_clock clock;
    struct sr_outbox *box = box_by(&clock);

    (void)state;
    put_ttl(box, "row1", 10, 0);
    clock.now.wall_ms += 1000000000;
    take(box, 1, 9, "row1 ");
    sr_outbox_requeue(box);
    clock.now.wall_ms -= 2000000000;
    take(box, 1, 9, "row1 ");
    sr_outbox_requeue(box);
    clock.now.boot_ms += 10000;
    take(box, 1, 9, "");
    sr_outbox_free(box);
}

static void over_a_reboot_the_age_is_by_the_wall_clock(void **state)
{
    struct place *place = *state;
    struct sr_outbox *box = open_box(place, 1 << 20);

    put_ttl(box, "old1", 60, SR_PRIO_BUF);
    pass_ms(&place->clock, 10000);
    put_ttl(box, "new1", 60, SR_PRIO_BUF);
    place->clock.now.boot_tag++;
    place->clock.now.boot_ms = 5000;
    place->clock.now.wall_ms += 50000;
    box = reopen(place, box);
    take(box, 1, 9, "new1 ");
    assert_int_equal(met(box, SR_FATE_EXPIRED), 1);
    box = reopen(place, box);
    place->clock.now.wall_ms -= 1000000; /* no age is less than nothing */
    take(box, 1, 9, "new1 ");
    sr_outbox_free(box);
}

/* --- SR_NOW ---------------------------------------------------------------------------- */

static void the_time_of_the_send_takes_the_place_of_sr_now(void **state)
{
    struct hand_clock clock;
    struct sr_outbox *box = box_by(&clock);

    (void)state;
    clock.now.wall_ms = INT64_C(1795380300123); /* 2026-11-22T20:45:00.123Z */
    put(box, "a," SR_NOW ",b," SR_NOW);
    clock.now.wall_ms += 1;
    put(box, SR_NOW);
    put(box, "\x1a"
             "sr_nowhere");
    pass_ms(&clock, 60000);
    assert_false(sr_outbox_wants_clock(box));
    take(box, 1, 9,
         "a,2026-11-22T20:45:00.123Z,b,2026-11-22T20:45:00.123Z "
         "2026-11-22T20:45:00.124Z \x1a"
         "sr_nowhere ");
    sr_outbox_free(box);
}

enum { YEAR_2025 = 1735689600 };

static void a_row_waits_for_the_clock_and_gets_the_time_counted_back(void **state)
{
    struct hand_clock clock;
    struct sr_outbox *box = box_by(&clock);

    (void)state;
    sr_outbox_set_clock_valid(box, INT64_C(1000) * YEAR_2025);
    clock.now.wall_ms = 1000;
    put(box, "first");
    put(box, SR_NOW);
    put(box, "last");
    assert_false(sr_outbox_wants_clock(box));
    pass_ms(&clock, 7000);
    take(box, 1, 9, "first ");
    assert_true(sr_outbox_wants_clock(box));
    take(box, 1, 9, "");
    clock.now.wall_ms = INT64_C(1795380300000);
    assert_false(sr_outbox_wants_clock(box));
    take(box, 2, 9, "2026-11-22T20:44:53.000Z last ");
    sr_outbox_requeue(box);
    pass_ms(&clock, 5);
    clock.now.wall_ms += 3000; /* the same row says the same when it goes again */
    take(box, 3, 2, "first 2026-11-22T20:44:53.000Z ");
    sr_outbox_free(box);
}

static void a_row_with_its_time_waits_for_no_clock_that_jumps_back(void **state)
{
    struct hand_clock clock;
    struct sr_outbox *box = box_by(&clock);

    (void)state;
    sr_outbox_set_clock_valid(box, INT64_C(1000) * YEAR_2025);
    clock.now.wall_ms = INT64_C(1795380300000);
    put(box, SR_NOW);
    clock.now.wall_ms = 0;
    assert_false(sr_outbox_wants_clock(box));
    take(box, 1, 9, "2026-11-22T20:45:00.000Z ");
    sr_outbox_free(box);
}

static void a_row_may_go_with_a_wrong_time_and_is_right_when_it_goes_again(void **state)
{
    struct hand_clock clock;
    struct sr_outbox *box = box_by(&clock);
    struct notes notes = { .rows_max = 9 };

    (void)state;
    sr_outbox_set_clock_valid(box, INT64_C(1000) * YEAR_2025);
    clock.now.wall_ms = 86400000;
    put(box, SR_NOW);
    pass_ms(&clock, 500);
    ticket_take(box, 1, SR_PART_ALL, true, note, &notes);
    assert_string_equal(notes.text, "1970-01-02T00:00:00.000Z ");
    sr_outbox_requeue(box);
    clock.now.wall_ms = INT64_C(1795380300000);
    take(box, 2, 9, "2026-11-22T20:44:59.500Z ");
    sr_outbox_free(box);
}

static void a_row_of_an_earlier_boot_gets_the_moment_of_this_boot(void **state)
{
    struct place *place = *state;
    struct sr_outbox *box = open_box(place, 1 << 20);

    sr_outbox_set_clock_valid(box, INT64_C(1000) * YEAR_2025);
    place->clock.now.wall_ms = 0;
    keep(box, "a," SR_NOW);
    sr_outbox_free(box);
    place->clock.now = (struct sr_instant){ 2000, 2000, 8 };
    box = open_box(place, 1 << 20);
    sr_outbox_set_clock_valid(box, INT64_C(1000) * YEAR_2025);
    assert_true(sr_outbox_wants_clock(box));
    take(box, 1, 9, "");
    place->clock.now.boot_ms = 10000;
    place->clock.now.wall_ms = INT64_C(1795380300000);
    take(box, 1, 9, "a,2026-11-22T20:44:50.000Z ");
    sr_outbox_free(box);
}

static void losses_of_before_the_clock_was_right_are_counted_back(void **state)
{
    struct hand_clock clock;
    struct sr_outbox *box = box_by(&clock);
    struct sr_losses losses;

    (void)state;
    sr_outbox_set_clock_valid(box, INT64_C(1000) * YEAR_2025);
    clock.now.wall_ms = 0;
    put(box, "row1");
    pass_ms(&clock, 4000);
    clock.now.wall_ms = INT64_C(1795380300000);
    sr_outbox_set_cap(box, 0);
    sr_outbox_losses(box, &losses);
    assert_int_equal(losses.from_ms, INT64_C(1795380296000));
    sr_outbox_free(box);
}

/* --- flushing --------------------------------------------------------------------------- */

static void rows_are_settled_when_all_up_to_them_have_met_their_fate(void **state)
{
    struct sr_outbox *box = roomy_box();
    uint64_t two, three;

    (void)state;
    assert_true(sr_outbox_settled(box, 0));
    keep(box, "one1");
    put(box, "two2");
    two = sr_outbox_rows_put(box);
    assert_false(sr_outbox_settled(box, two));
    keep(box, "3333");
    three = sr_outbox_rows_put(box);
    assert_false(sr_outbox_settled(box, three));
    take(box, 1, 1, "one1 ");
    ticket_ack(box, 1);
    assert_false(sr_outbox_settled(box, two));
    take(box, 2, 1, "two2 ");
    assert_false(sr_outbox_settled(box, two));
    ticket_hold(box, 2);
    assert_false(sr_outbox_settled(box, two));
    ticket_ack(box, 2);
    assert_true(sr_outbox_settled(box, two));
    assert_false(sr_outbox_settled(box, three));
    sr_outbox_set_cap(box, 0); /* dropped is settled */
    assert_true(sr_outbox_settled(box, three));
    sr_outbox_free(box);
}

static void rows_on_disk_only_are_not_settled(void **state)
{
    struct place *place = *state;
    struct sr_outbox *box = open_box(place, 4096);
    uint64_t some;

    keep_rows(box, 1, 300);
    box = reopen(place, box);
    sr_outbox_set_cap(box, 4096);
    keep_rows(box, 301, 400);
    some = sr_outbox_rows_put(box);
    keep_rows(box, 401, 600);
    assert_false(sr_outbox_settled(box, some));
    expect_rows(box, 1, 399);
    assert_false(sr_outbox_settled(box, some));
    expect_rows(box, 400, 400);
    assert_true(sr_outbox_settled(box, some));
    sr_outbox_free(box);
}

#define place_test(name) cmocka_unit_test_setup_teardown(name, make_place, remove_place)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_put_before_the_mark_is_backlog),
        cmocka_unit_test(live_rows_under_way_are_backlog_after_the_next_mark),
        cmocka_unit_test(a_row_keeps_its_id_and_ids_grow),
        cmocka_unit_test(what_is_held_stays_aside_until_it_is_released),
        cmocka_unit_test(one_of_those_that_are_held_waits_again_in_its_place),
        cmocka_unit_test(what_is_held_can_be_acknowledged_or_set_aside_for_good),
        cmocka_unit_test(a_row_that_is_too_old_is_not_sent),
        cmocka_unit_test(
            the_age_is_by_the_clock_since_boot_whatever_the_wall_clock_does),
        place_test(over_a_reboot_the_age_is_by_the_wall_clock),
        cmocka_unit_test(the_time_of_the_send_takes_the_place_of_sr_now),
        cmocka_unit_test(a_row_waits_for_the_clock_and_gets_the_time_counted_back),
        cmocka_unit_test(
            a_row_may_go_with_a_wrong_time_and_is_right_when_it_goes_again),
        place_test(a_row_of_an_earlier_boot_gets_the_moment_of_this_boot),
        cmocka_unit_test(losses_of_before_the_clock_was_right_are_counted_back),
        cmocka_unit_test(rows_are_settled_when_all_up_to_them_have_met_their_fate),
        place_test(rows_on_disk_only_are_not_settled),
        cmocka_unit_test(a_row_with_its_time_waits_for_no_clock_that_jumps_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
