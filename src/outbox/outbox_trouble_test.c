/* SPDX-License-Identifier: MIT */
/* A disk that fails, comes late, or gives back something else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
/* after what it needs */
#include <cmocka.h>

#include "outbox/outbox_fixture.h"

enum { ROOMY = 1 << 20, TIGHT = 4096 };

/* --- a disk that fails --------------------------------------------------------------- */

static bool news(struct sr_outbox *box, bool *fails)
{
    static char text[512];

    return sr_outbox_disk_news(box, fails, text, sizeof text) &&
           *fails == (*text != '\0');
}

static void a_failing_disk_is_told_once_and_used_again_when_it_works(void **state)
{
    struct place *place = *state;
    struct sr_outbox *box = open_box(place, ROOMY);
    bool fails;

    keep_rows(box, 1, 2);
    assert_false(news(box, &fails));
    place->dead = true;
    keep_rows(box, 3, 4);
    assert_true(stats_of(box).disk_fails);
    assert_true(news(box, &fails) && fails);
    assert_false(news(box, &fails));
    assert_int_equal(waits(box), 4);

    place->dead = false;
    keep_rows(box, 5, 5); /* not tried yet */
    assert_int_equal(stats_of(box).disk_rows, 2);
    pass_ms(&place->clock, 1000);
    keep_rows(box, 6, 6);
    assert_false(stats_of(box).disk_fails);
    assert_true(news(box, &fails) && !fails);
    assert_int_equal(stats_of(box).disk_rows, 6);
    box = reopen(place, box);
    expect_rows(box, 1, 6);
    sr_outbox_free(box);
}

static void the_pauses_between_attempts_grow(void **state)
{
    struct place *place = *state;
    struct sr_outbox *box = open_box(place, ROOMY);

    place->dead = true;
    keep_rows(box, 1, 1);
    for (int i = 0; i < 10; i++) {
        pass_ms(&place->clock, 60000);
        take(box, 1, 0, "");
    }
    place->dead = false;
    pass_ms(&place->clock, 59000);
    take(box, 1, 0, "");
    assert_true(stats_of(box).disk_fails);
    pass_ms(&place->clock, 1000);
    take(box, 1, 0, "");
    assert_false(stats_of(box).disk_fails);
    assert_int_equal(stats_of(box).disk_rows, 1);
    sr_outbox_free(box);
}

/* The row that waited in memory is acknowledged, and none needs the disk. */
static struct sr_outbox *box_with_nothing_to_write(struct place *place)
{
    struct sr_outbox *box = open_box(place, ROOMY);

    keep_rows(box, 1, 1);
    place->dead = true;
    keep_rows(box, 2, 2);
    take(box, 1, 2, "0001 0002 ");
    ticket_ack(box, 1);
    assert_true(stats_of(box).disk_fails);
    assert_int_equal(stats_of(box).rows, 0);
    return box;
}

static void a_disk_that_works_again_is_told_though_no_row_waits_for_it(void **state)
{
    struct place *place = *state;
    struct sr_outbox *box = box_with_nothing_to_write(place);
    bool fails;

    assert_true(news(box, &fails) && fails);
    pass_ms(&place->clock, 60000);
    sr_outbox_retry_disk(box);
    assert_false(news(box, &fails));
    place->dead = false;
    sr_outbox_retry_disk(box);
    assert_true(news(box, &fails) && !fails);
    assert_int_equal(sr_outbox_retry_in_ms(box), UINT64_MAX);
    keep_rows(box, 3, 3);
    box = reopen(place, box);
    expect_rows(box, 3, 3);
    sr_outbox_free(box);
}

static void a_disk_that_no_row_waits_for_is_tried_with_growing_pauses(void **state)
{
    struct place *place = *state;
    struct sr_outbox *box = box_with_nothing_to_write(place);
    uint64_t before = 0;

    for (int i = 0; i < 10; i++) {
        uint64_t pause_ms = sr_outbox_retry_in_ms(box);

        assert_true(pause_ms > before || pause_ms == 60000);
        before = pause_ms;
        pass_ms(&place->clock, pause_ms);
        assert_int_equal(sr_outbox_retry_in_ms(box), 0);
        sr_outbox_retry_disk(box);
    }
    assert_int_equal(before, 60000);
    place->dead = false;
    take(box, 2, 0, ""); /* not yet */
    assert_true(stats_of(box).disk_fails);
    pass_ms(&place->clock, 60000);
    take(box, 2, 0, "");
    assert_false(stats_of(box).disk_fails);
    sr_outbox_free(box);
}

static void a_disk_without_room_for_the_next_row_is_not_told_to_work(void **state)
{
    struct place *place = *state;
    struct sr_outbox *box = open_box(place, ROOMY);
    struct notes written = { 0 }, rest = { .rows_max = 9 };

    keep_rows(box, 1, 1);
    place->small = true;
    place->room = 0;
    while (!stats_of(box).disk_fails)
        keep_rows(box, 1, 1);
    written.rows_max = (size_t)stats_of(box).disk_rows;
    ticket_take(box, 1, SR_PART_ALL, false, note, &written);
    assert_int_equal(ticket_take(box, 2, SR_PART_ALL, false, note, &rest), 1);
    ticket_ack(box, 2);
    place->room = 16 * 1024; /* for a snapshot only */
    sr_outbox_retry_disk(box);
    assert_true(stats_of(box).disk_fails);
    place->room = 1 << 20;
    sr_outbox_retry_disk(box);
    assert_false(stats_of(box).disk_fails);
    sr_outbox_free(box);
}

static void rows_under_way_go_to_the_disk_too_when_it_is_back(void **state)
{
    struct place *place = *state;
    struct sr_outbox *box = open_box(place, ROOMY);

    keep_rows(box, 1, 2);
    place->dead = true;
    keep_rows(box, 3, 8);
    take(box, 1, 4, "0001 0002 0003 0004 ");
    take(box, 2, 2, "0005 0006 ");
    ticket_ack(box, 2);
    place->dead = false;
    pass_ms(&place->clock, 1000);
    keep_rows(box, 9, 9);
    assert_int_equal(stats_of(box).disk_rows, 7);
    box = reopen(place, box);
    expect_rows(box, 1, 4);
    expect_rows(box, 7, 9);
    sr_outbox_free(box);
}

static void while_the_disk_fails_memory_is_the_bound(void **state)
{
    struct place *place = *state;
    struct sr_outbox *box = open_box(place, TIGHT);
    struct sr_outbox_stats stats;

    keep_rows(box, 1, 100);
    place->dead = true;
    keep_rows(box, 101, 200);
    stats = stats_of(box);
    assert_true(stats.memory_bytes <= TIGHT);
    assert_int_equal(stats.rows + stats.fates[SR_FATE_FULL][SR_CLASS_BUFFERED], 200);
    assert_true(stats.fates[SR_FATE_FULL][SR_CLASS_BUFFERED] > 0);
    assert_int_equal(stats.disk_rows, 100);
    place->dead = false;
    pass_ms(&place->clock, 1000);
    keep_rows(box, 201, 201);
    expect_rows(box, 1, 100);
    expect_rows(box, 101 + (int)stats.fates[SR_FATE_FULL][SR_CLASS_BUFFERED], 201);
    sr_outbox_free(box);
}

static void on_a_full_disk_the_oldest_rows_give_way(void **state)
{
    struct place *place = *state;
    struct sr_outbox *box = open_box(place, TIGHT);
    struct sr_outbox_stats stats;
    int full;

    keep_rows(box, 1, 4000);
    place->small = true;
    place->room = 0;
    keep_rows(box, 4001, 9000);
    stats = stats_of(box);
    full = (int)stats.fates[SR_FATE_FULL][SR_CLASS_BUFFERED];
    assert_true(stats.memory_bytes <= TIGHT);
    assert_true(full > 0 && stats.disk_rows > 1000);
    assert_int_equal(stats.rows, 9000 - full);
    expect_rows(box, full + 1, 9000);
    sr_outbox_free(box);
}

static void rows_on_a_full_disk_stay_if_that_is_the_policy(void **state)
{
    struct place *place = *state;
    struct sr_outbox *box = open_box(place, TIGHT);
    int rc = 0;

    sr_outbox_set_policy(box, SR_CLASS_BUFFERED, SR_REFUSE);
    keep_rows(box, 1, 4000);
    place->small = true;
    place->room = 0;
    for (int i = 4001; !rc && i <= 9000; i++)
        rc = keep(box, "more");
    assert_int_equal(rc, SR_E_FULL);
    assert_int_equal(met(box, SR_FATE_FULL), 0);
    expect_rows(box, 1, 4000);
    sr_outbox_free(box);
}

static void rows_do_not_give_way_on_a_disk_that_stays_full(void **state)
{
    struct place *place = *state;
    struct sr_outbox *box = open_box(place, TIGHT);
    uint64_t left;

    keep_rows(box, 1, 9000);
    place->dead_write = true; /* "No space left on device" */
    keep_rows(box, 9001, 9200);
    left = stats_of(box).disk_rows;
    assert_true(left < 9000); /* that was an attempt */
    assert_true(left > 9000 - 2 * 3293 - 1);
    keep_rows(box, 9201, 9400);
    assert_int_equal(stats_of(box).disk_rows, left);
    pass_ms(&place->clock, 60000);
    keep_rows(box, 9401, 9401);
    assert_true(stats_of(box).disk_rows < left);
    sr_outbox_free(box);
}

static void a_directory_that_appears_later_is_used_then(void **state)
{
    struct place *place = *state;
    char dir[sizeof place->dir + 8], gone[sizeof dir + 8], why[256] = "";
    struct sr_outbox *box;
    bool fails;

    snprintf(dir, sizeof dir, "%s", place->dir);
    snprintf(gone, sizeof gone, "%s/a/b", dir);
    assert_int_equal(sr_outbox_new(ROOMY, &place->clock.clock, &box), 0);
    assert_int_equal(sr_outbox_open(box, gone, &place->options, NULL, why, sizeof why),
                     0);
    assert_true(news(box, &fails) && fails);
    assert_non_null(strstr(why, "/a"));
    keep(box, "one1");
    put(box, "two2");
    keep(box, "3333");
    take(box, 1, 1, "one1 ");
    snprintf(gone, sizeof gone, "%s/a", dir);
    mkdir(gone, 0700);
    pass_ms(&place->clock, 1000);
    keep(box, "4444");
    assert_true(news(box, &fails) && !fails);
    assert_int_equal(stats_of(box).disk_rows, 3);
    sr_outbox_requeue(box);
    take(box, 2, 9, "one1 two2 3333 4444 ");
    ticket_ack(box, 2);
    sr_outbox_free(box);
    snprintf(gone, sizeof gone, "rm -r %s/a", dir);
    assert_int_equal(system(gone), 0);
}

static void rows_that_waited_in_memory_come_behind_what_the_store_has(void **state)
{
    struct place *place = *state;
    struct sr_outbox *box = open_box(place, ROOMY);
    char why[256];

    keep_rows(box, 1, 3);
    sr_outbox_free(box);
    assert_int_equal(sr_outbox_new(ROOMY, &place->clock.clock, &box), 0);
    keep(box, "gone");
    keep(box, "5555");
    put(box, "5.50");
    keep(box, "6666");
    take(box, 1, 1, "gone ");
    ticket_ack(box, 1);
    take(box, 2, 1, "5555 ");
    assert_int_equal(
        sr_outbox_open(box, place->dir, &place->options, NULL, why, sizeof why), 0);
    keep(box, "7777");
    sr_outbox_requeue(box);
    take(box, 3, 9, "0001 0002 0003 5555 5.50 6666 7777 ");
    box = reopen(place, box);
    take(box, 3, 9, "0001 0002 0003 5555 6666 7777 ");
    sr_outbox_free(box);
}

static void a_row_is_accepted_though_it_cannot_be_synced(void **state)
{
    struct place *place = *state;
    struct sr_outbox *box;
    bool fails;

    place->options.sync = SR_SYNC_ROW;
    box = open_box(place, ROOMY);
    keep_rows(box, 1, 1);
    place->dead_sync = true;
    keep_rows(box, 2, 2);
    assert_true(news(box, &fails) && fails);
    keep_rows(box, 3, 3);
    place->dead_sync = false;
    pass_ms(&place->clock, 60000);
    keep_rows(box, 4, 4);
    assert_true(news(box, &fails) && !fails);
    expect_rows(box, 1, 4);
    sr_outbox_free(box);
}

/* --- damage ------------------------------------------------------------ */

/* In the oldest file. */
static void flip_a_byte(const struct place *place)
{
    char command[256];

    snprintf(command, sizeof command,
             "f=$(ls %s/*.seg | head -n 1) && printf Z |"
             " dd of=$f bs=1 seek=1000 conv=notrunc 2>/dev/null",
             place->dir);
    assert_int_equal(system(command), 0);
}

static void rows_in_a_damaged_file_are_counted_as_losses(void **state)
{
    struct place *place = *state;
    struct sr_outbox *box = open_box(place, ROOMY);
    struct sr_losses losses;
    struct sr_loss loss;

    keep_rows(box, 1, 200);
    sr_outbox_free(box);
    flip_a_byte(place);
    box = open_box(place, ROOMY);
    sr_outbox_losses(box, &losses);
    assert_true(losses.rows[SR_CLASS_BUFFERED] > 0);
    assert_int_equal(losses.rows[SR_CLASS_BUFFERED] + waits(box), 200);
    assert_true(sr_outbox_next_loss(box, &loss));
    assert_int_equal(loss.fate, SR_FATE_DAMAGED);
    assert_true(loss.buffered);
    assert_int_equal(loss.rows, losses.rows[SR_CLASS_BUFFERED]);
    assert_false(sr_outbox_next_loss(box, &loss));
    assert_int_equal(met(box, SR_FATE_DAMAGED), loss.rows);
    sr_outbox_free(box);
}

static void callbacks_of_rows_that_cannot_be_read_any_more_say_so(void **state)
{
    struct place *place = *state;
    struct sr_outbox *box = open_box(place, TIGHT);

    keep_rows(box, 1, 100);
    put_told(box, "mine", SR_PRIO_BUF);
    keep_rows(box, 101, 400);
    flip_a_byte(place); /* in one of the first rows */
    for (int i = 0; i < 400; i++) {
        struct notes one = { .rows_max = 1 };

        if (!ticket_take(box, 1, SR_PART_ALL, false, note, &one))
            break;
        ticket_ack(box, 1);
    }
    assert_int_equal(stats_of(box).rows, 0);
    assert_true(met(box, SR_FATE_DAMAGED) > 0);
    assert_int_equal(met(box, SR_FATE_DAMAGED) + met(box, SR_FATE_DELIVERED), 401);
    assert_string_equal(next_fates(box), "mine:damaged ");
    sr_outbox_free(box);
}

static void rows_in_memory_are_sent_though_the_disk_has_lost_them(void **state)
{
    struct place *place = *state;
    struct sr_outbox *box = open_box(place, TIGHT);
    int rows = 0;

    keep_rows(box, 1, 400);
    place->dead_read = true; /* the last rows are in memory, the first on disk only */
    while (waits(box)) {
        struct notes one = { .rows_max = 1 };

        rows += (int)ticket_take(box, 1, SR_PART_ALL, false, note, &one);
        ticket_ack(box, 1);
    }
    assert_true(rows > 10);
    assert_int_equal(met(box, SR_FATE_DAMAGED) + (unsigned)rows, 400);
    assert_int_equal(stats_of(box).rows, 0);
    assert_int_equal(stats_of(box).bytes, 0);
    sr_outbox_free(box);
}

static void a_damaged_file_does_not_hold_up_the_callbacks_before_the_next(void **state)
{
    struct place *place = *state;
    struct sr_outbox *box = open_box(place, TIGHT);
    int taken = 0;

    keep_rows(box, 1, 100);
    put_told(box, "mine", SR_PRIO_BUF);
    keep_rows(box, 102, 9000); /* several files */
    flip_a_byte(place);
    for (; taken < 60; taken++) {
        struct notes one = { .rows_max = 1 };

        assert_int_equal(ticket_take(box, 1, SR_PART_ALL, false, note, &one), 1);
        ticket_ack(box, 1);
    }
    assert_string_equal(next_fates(box), "mine:damaged ");
    assert_true(waits(box) > 1000);
    sr_outbox_free(box);
}

static void what_could_not_be_written_is_written_at_the_end_if_it_can(void **state)
{
    struct place *place = *state;
    struct sr_outbox *box = open_box(place, ROOMY);

    place->dead = true;
    put_told(box, "one1", SR_PRIO_BUF);
    place->dead = false;
    sr_outbox_close(box);
    assert_string_equal(next_fates(box), "one1:stored ");
    assert_int_equal(stats_of(box).fates[SR_FATE_STORED][SR_CLASS_BUFFERED], 1);
    box = reopen(place, box);
    place->dead = true;
    put_told(box, "two2", SR_PRIO_BUF);
    sr_outbox_close(box);
    assert_string_equal(next_fates(box), "two2:lost ");
    place->dead = false;
    box = reopen(place, box);
    take(box, 1, 9, "one1 ");
    sr_outbox_free(box);
}

#define place_test(name) cmocka_unit_test_setup_teardown(name, make_place, remove_place)

int main(void)
{
    const struct CMUnitTest tests[] = {
        place_test(a_failing_disk_is_told_once_and_used_again_when_it_works),
        place_test(the_pauses_between_attempts_grow),
        place_test(a_disk_that_works_again_is_told_though_no_row_waits_for_it),
        place_test(a_disk_that_no_row_waits_for_is_tried_with_growing_pauses),
        place_test(a_disk_without_room_for_the_next_row_is_not_told_to_work),
        place_test(rows_under_way_go_to_the_disk_too_when_it_is_back),
        place_test(while_the_disk_fails_memory_is_the_bound),
        place_test(on_a_full_disk_the_oldest_rows_give_way),
        place_test(rows_on_a_full_disk_stay_if_that_is_the_policy),
        place_test(rows_do_not_give_way_on_a_disk_that_stays_full),
        place_test(a_directory_that_appears_later_is_used_then),
        place_test(rows_that_waited_in_memory_come_behind_what_the_store_has),
        place_test(a_row_is_accepted_though_it_cannot_be_synced),
        place_test(rows_in_a_damaged_file_are_counted_as_losses),
        place_test(callbacks_of_rows_that_cannot_be_read_any_more_say_so),
        place_test(rows_in_memory_are_sent_though_the_disk_has_lost_them),
        place_test(a_damaged_file_does_not_hold_up_the_callbacks_before_the_next),
        place_test(what_could_not_be_written_is_written_at_the_end_if_it_can),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
