/* SPDX-License-Identifier: MIT */
/* Buffered rows on disk. */
#include <pthread.h>
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

enum { ROOMY = 1 << 20, TIGHT = 4096 };

/* --- restarts ------------------------------------------------------------- */

static void buffered_rows_survive_a_restart_and_volatile_ones_do_not(void **state)
{
    struct place *place = *state;
    struct sr_outbox *box = open_box(place, ROOMY);

    keep(box, "one1");
    put(box, "two2");
    keep(box, "3333");
    assert_int_equal(stats_of(box).disk_rows, 2);
    assert_int_equal(stats_of(box).rows, 3);
    box = reopen(place, box);
    assert_int_equal(waits(box), 2);
    assert_int_equal(sr_outbox_rows_put(box), 0);
    take(box, 1, 9, "one1 3333 ");
    sr_outbox_free(box);
}

static void what_was_acknowledged_does_not_come_back(void **state)
{
    struct place *place = *state;
    struct sr_outbox *box = open_box(place, ROOMY);

    keep_rows(box, 1, 6);
    take(box, 1, 2, "0001 0002 ");
    take(box, 2, 2, "0003 0004 ");
    ticket_ack(box, 2);
    box = reopen(place, box);
    take(box, 1, 9, "0001 0002 0005 0006 ");
    ticket_ack(box, 1);
    box = reopen(place, box);
    assert_int_equal(stats_of(box).rows, 0);
    keep(box, "7777");
    box = reopen(place, box);
    take(box, 1, 9, "7777 ");
    sr_outbox_free(box);
}

static void a_killed_process_leaves_all_it_had_accepted(void **state)
{
    struct place *place = *state, *copy;
    struct sr_outbox *box = open_box(place, ROOMY), *after;
    void *other;

    assert_int_equal(make_place(&other), 0);
    copy = other;
    keep_rows(box, 1, 100);
    take(box, 1, 2, "0001 0002 ");
    ticket_ack(box, 1);
    take(box, 2, 1, "0003 ");
    copy_place(place, copy);
    after = open_box(copy, ROOMY);
    expect_rows(after, 3, 100);
    assert_int_equal(waits(after), 0);
    sr_outbox_free(after);
    remove_place(&other);
    sr_outbox_free(box);
}

static void rows_of_an_earlier_run_are_backlog_and_go_first(void **state)
{
    struct place *place = *state;
    struct sr_outbox *box = open_box(place, ROOMY);

    keep_rows(box, 1, 3);
    box = reopen(place, box);
    keep(box, "live");
    assert_true(sr_outbox_waiting(box, SR_PART_ALL).backlog);
    assert_int_equal(sr_outbox_waiting(box, SR_PART_ALL).oldest_ms, 0);
    assert_int_equal(sr_outbox_waiting(box, SR_PART_BACKLOG).rows, 3);
    assert_int_equal(sr_outbox_waiting(box, SR_PART_LIVE).rows, 1);
    take_part(box, 1, SR_PART_LIVE, 9, "live ");
    take_part(box, 2, SR_PART_BACKLOG, 9, "0001 0002 0003 ");
    sr_outbox_free(box);
}

static void two_boxes_do_not_share_a_directory(void **state)
{
    struct place *place = *state;
    struct sr_outbox *box = open_box(place, ROOMY), *other = roomy_box();
    char why[256] = "";

    assert_int_equal(
        sr_outbox_open(other, place->dir, &place->options, NULL, why, sizeof why),
        SR_E_BUSY);
    assert_non_null(strstr(why, place->dir));
    /* the second may go elsewhere, or on without */
    keep(other, "1111");
    take(other, 1, 9, "1111 ");
    sr_outbox_free(other);
    assert_int_equal(
        sr_outbox_open(box, place->dir, &place->options, NULL, why, sizeof why),
        SR_E_STATE);
    sr_outbox_free(box);
}

/* --- memory and disk ----------------------------------------------------------- */

static void a_backlog_larger_than_memory_comes_back_in_order(void **state)
{
    struct place *place = *state;
    struct sr_outbox *box = open_box(place, TIGHT);
    struct sr_outbox_stats stats;

    keep_rows(box, 1, 1000);
    stats = stats_of(box);
    assert_int_equal(stats.rows, 1000);
    assert_int_equal(stats.bytes, 1000 * (sr_outbox_overhead + 4));
    assert_true(stats.memory_bytes <= TIGHT);
    assert_int_equal(waits(box), 1000);
    assert_int_equal(sr_outbox_waiting(box, SR_PART_ALL).bytes, 4000);
    expect_rows(box, 1, 700);
    assert_int_equal(waits(box), 300);
    keep_rows(box, 1001, 1100);
    assert_true(stats_of(box).memory_bytes <= TIGHT);
    expect_rows(box, 701, 1100);
    assert_int_equal(stats_of(box).rows, 0);
    assert_int_equal(stats_of(box).memory_bytes, 0);
    sr_outbox_free(box);
}

static void volatile_rows_keep_their_place_among_rows_on_disk(void **state)
{
    struct place *place = *state;
    struct sr_outbox *box = open_box(place, TIGHT);

    keep_rows(box, 1, 10);
    put(box, "10.5");
    keep_rows(box, 11, 300);
    put(box, "300+");
    expect_rows(box, 1, 10);
    take(box, 1, 1, "10.5 ");
    expect_rows(box, 11, 300);
    take(box, 2, 1, "300+ ");
    sr_outbox_free(box);
}

static void rows_on_disk_make_room_in_memory_without_loss(void **state)
{
    struct place *place = *state;
    struct sr_outbox *box = open_box(place, TIGHT);

    keep_rows(box, 1, 100);
    for (int i = 0; i < 40; i++)
        assert_int_equal(put(box, "vvvv"), 0);
    assert_int_equal(waits(box), 140);
    assert_int_equal(met(box, SR_FATE_FULL), 0);
    expect_rows(box, 1, 100);
    sr_outbox_free(box);
}

static void rows_under_way_go_back_into_the_gap(void **state)
{
    struct place *place = *state;
    struct sr_outbox *box = open_box(place, TIGHT);

    keep_rows(box, 1, 20);
    take(box, 1, 2, "0001 0002 ");
    take_part(box, 2, SR_PART_LIVE, 1, "0003 ");
    keep_rows(box, 21, 300); /* 4 and all behind it are forgotten, 3 is under way */
    take(box, 3, 1, "0004 ");
    sr_outbox_requeue(box);
    assert_int_equal(waits(box), 300);
    expect_rows(box, 1, 300);
    sr_outbox_free(box);
}

static void a_row_under_way_is_not_read_a_second_time(void **state)
{
    struct place *place = *state;
    struct sr_outbox *box = open_box(place, TIGHT);

    keep_rows(box, 1, 3);
    sr_outbox_mark(box);
    keep_rows(box, 4, 5);
    take_part(box, 1, SR_PART_LIVE, 1, "0004 ");
    keep_rows(box, 6, 200); /* the gap is around 4 now */
    take(box, 2, 5, "0001 0002 0003 0005 0006 ");
    ticket_ack(box, 2);
    sr_outbox_requeue(box);
    take(box, 3, 2, "0004 0007 ");
    ticket_ack(box, 3);
    expect_rows(box, 8, 200);
    assert_int_equal(stats_of(box).rows, 0);
    sr_outbox_free(box);
}

static void a_row_under_way_that_is_in_the_gap_goes_back_into_it(void **state)
{
    struct place *place = *state;
    struct sr_outbox *box = open_box(place, TIGHT);

    keep_rows(box, 1, 3);
    sr_outbox_mark(box);
    put_told(box, "0004", SR_PRIO_BUF);
    keep_rows(box, 5, 5);
    take_part(box, 1, SR_PART_LIVE, 1, "0004 ");
    keep_rows(box, 6, 100);
    put_told(box, "0101", SR_PRIO_BUF);
    keep_rows(box, 102, 200);
    sr_outbox_requeue(box);
    assert_int_equal(waits(box), 200);
    expect_rows(box, 1, 200);
    assert_string_equal(next_fates(box), "0004:delivered 0101:delivered ");
    sr_outbox_free(box);
}

static void volatile_rows_wait_for_those_before_them_that_are_not_read_yet(void **state)
{
    struct place *place = *state;
    struct notes all = { .rows_max = 1000 }, rest = { .rows_max = 1000 };
    struct sr_outbox *box = open_box(place, TIGHT);

    keep_rows(box, 1, 300);
    put(box, "last");
    ticket_take(box, 1, SR_PART_ALL, false, note, &all);
    assert_true(all.rows > 10 && all.rows < 300); /* more would be too much memory */
    assert_true(stats_of(box).memory_bytes <= 3 * TIGHT);
    assert_int_equal(ticket_take(box, 2, SR_PART_ALL, false, note, &rest), 0);
    ticket_ack(box, 1);
    expect_rows(box, (int)all.rows + 1, 300);
    take(box, 3, 9, "last ");
    sr_outbox_free(box);
}

static void a_held_row_survives_the_gap_and_a_restart(void **state)
{
    struct place *place = *state;
    struct sr_outbox *box = open_box(place, TIGHT);

    keep_rows(box, 1, 200);
    take(box, 1, 1, "0001 ");
    ticket_hold(box, 1);
    take(box, 2, 2, "0002 0003 ");
    sr_outbox_fail(box, 0);
    take(box, 3, 2, "0002 0003 ");
    sr_outbox_release(box);
    take(box, 4, 2, "0001 0004 ");
    ticket_ack(box, 3);
    box = reopen(place, box);
    take(box, 1, 2, "0001 0004 ");
    sr_outbox_free(box);
}

/* --- the bound of the disk -------------------------------------------------------- */

static void fill(struct sr_outbox *box, int rows, int rc)
{
    char row[1024];
    int got = 0;

    memset(row, 'x', sizeof row);
    for (int i = 0; i < rows && !got; i++) {
        snprintf(row, sizeof row, "%04d", i);
        row[4] = ',';
        row[sizeof row - 1] = '\0';
        got = keep(box, row);
    }
    assert_int_equal(got, rc);
}

static void at_the_bound_of_the_disk_the_oldest_rows_go(void **state)
{
    struct place *place = *state;
    struct notes first = { .rows_max = 1 };
    struct sr_outbox *box;
    struct sr_outbox_stats stats;
    struct sr_losses losses;

    place->options.cap = SR_STORE_CAP_MIN;
    box = open_box(place, ROOMY);
    fill(box, 600, 0);
    stats = stats_of(box);
    assert_true(stats.disk_bytes <= SR_STORE_CAP_MIN);
    assert_true(stats.fates[SR_FATE_FULL][SR_CLASS_BUFFERED] > 300);
    assert_int_equal(stats.rows + stats.fates[SR_FATE_FULL][SR_CLASS_BUFFERED], 600);
    assert_true(stats.rows > 150); /* not more than needed went */
    sr_outbox_losses(box, &losses);
    assert_int_equal(losses.rows[SR_CLASS_BUFFERED], 600 - stats.rows);
    ticket_take(box, 1, SR_PART_ALL, false, note, &first);
    assert_int_equal(atoi(first.text), 600 - (int)stats.rows);
    sr_outbox_free(box);
}

static void at_the_bound_of_the_disk_new_rows_are_refused_or_dropped(void **state)
{
    struct place *place = *state;
    struct sr_outbox *box;
    uint64_t rows;

    place->options.cap = SR_STORE_CAP_MIN;
    box = open_box(place, ROOMY);
    sr_outbox_set_policy(box, SR_CLASS_BUFFERED, SR_REFUSE);
    fill(box, 600, SR_E_FULL);
    rows = stats_of(box).rows;
    assert_int_equal(stats_of(box).rows_refused, 1);
    assert_int_equal(met(box, SR_FATE_FULL), 0);
    assert_int_equal(sr_outbox_rows_put(box), rows);
    sr_outbox_set_policy(box, SR_CLASS_BUFFERED, SR_DROP_NEWEST);
    fill(box, 10, 0);
    assert_int_equal(met(box, SR_FATE_FULL), 10);
    assert_int_equal(stats_of(box).rows, rows);
    sr_outbox_set_disk_cap(box, 2 * SR_STORE_CAP_MIN);
    fill(box, 10, 0);
    assert_int_equal(stats_of(box).rows, rows + 10);
    sr_outbox_free(box);
}

static void rows_under_way_are_not_dropped_for_the_disk(void **state)
{
    struct place *place = *state;
    struct notes taken = { .rows_max = 3 };
    struct sr_outbox *box;

    place->options.cap = SR_STORE_CAP_MIN;
    box = open_box(place, ROOMY);
    fill(box, 100, 0);
    assert_int_equal(ticket_take(box, 1, SR_PART_ALL, false, note, &taken), 3);
    fill(box, 400, 0);
    assert_int_equal(ticket_ack(box, 1), 3);
    sr_outbox_free(box);
}

/* --- losses, quarantine, fates ------------------------------------------------------- */

static void losses_are_kept_over_a_restart_until_they_are_told(void **state)
{
    struct place *place = *state;
    struct sr_outbox *box = open_box(place, TIGHT);
    struct sr_losses losses, more;

    for (int i = 0; i < 100; i++)
        put(box, "vvvv");
    sr_outbox_losses(box, &losses);
    assert_true(losses.rows[SR_CLASS_VOLATILE] > 0);
    assert_int_equal(losses.from_ms, place->clock.now.wall_ms);
    box = reopen(place, box);
    sr_outbox_losses(box, &more);
    assert_memory_equal(&more, &losses, sizeof more);
    sr_outbox_settle(box, &more);
    box = reopen(place, box);
    sr_outbox_losses(box, &losses);
    assert_int_equal(losses.rows[SR_CLASS_VOLATILE], 0);
    sr_outbox_free(box);
}

static void callbacks_of_rows_on_disk_only_are_called_in_the_end(void **state)
{
    struct place *place = *state;
    struct sr_outbox *box = open_box(place, TIGHT);

    put_told(box, "one1", SR_PRIO_BUF);
    put_told(box, "two2", SR_PRIO_BUF);
    put_told(box, "3333", SR_PRIO_BUF);
    keep_rows(box, 4, 200);
    assert_string_equal(next_fates(box), "");
    take(box, 1, 2, "one1 two2 ");
    ticket_ack(box, 1);
    assert_string_equal(next_fates(box), "one1:delivered two2:delivered ");
    take(box, 2, 1, "3333 ");
    keep_rows(box, 201, 400);
    put_told(box, "last", SR_PRIO_BUF);
    keep_rows(box, 401, 600);
    put_told(box, "vvvv", 0);
    sr_outbox_close(box);
    assert_string_equal(next_fates(box), "3333:stored vvvv:lost last:stored ");
    assert_int_equal(put(box, "late"), SR_E_STATE);
    take(box, 3, 9, "");
    box = reopen(place, box);
    take(box, 1, 2, "3333 0004 ");
    sr_outbox_free(box);
}

/* Rows "0001"... with callbacks, until one is refused. Returns their number. */
static int fill_with_callbacks(struct sr_outbox *box)
{
    static char rows[1000][16];
    int i = 0;

    do {
        assert_in_range(i, 0, 999);
        snprintf(rows[i], sizeof rows[i], "%04d", i + 1);
    } while (put_told(box, rows[i++], SR_PRIO_BUF) == 0);
    return i - 1;
}

static void rows_on_disk_are_not_lost_for_the_memory_of_callbacks(void **state)
{
    struct place *place = *state;
    struct sr_outbox *box = open_box(place, TIGHT);
    int rows;

    put(box, "vola"); /* gives way */
    rows = fill_with_callbacks(box);
    assert_true(rows > 50 && rows < 200);
    assert_int_equal(put_told(box, "more", SR_PRIO_BUF), SR_E_FULL);
    assert_int_equal(stats_of(box).rows_refused, 2);
    assert_int_equal(stats_of(box).fates[SR_FATE_FULL][SR_CLASS_BUFFERED], 0);
    assert_int_equal(stats_of(box).fates[SR_FATE_FULL][SR_CLASS_VOLATILE], 1);
    assert_true(stats_of(box).memory_bytes <= TIGHT);
    sr_outbox_set_cap(box, TIGHT / 2);
    assert_int_equal(stats_of(box).rows, rows);
    sr_outbox_set_cap(box, TIGHT);
    assert_int_equal(keep(box, "none"), 0); /* none to call: needs no memory */
    expect_rows(box, 1, rows);
    assert_int_equal(put_told(box, "last", SR_PRIO_BUF), 0);
    take(box, 1, 2, "none last ");
    sr_outbox_free(box);
}

static void when_the_disk_fails_rows_do_not_displace_those_with_callbacks(void **state)
{
    struct place *place = *state;
    struct sr_outbox *box = open_box(place, TIGHT);
    int rows = fill_with_callbacks(box);

    place->dead = true;
    assert_int_equal(keep(box, "more"), SR_E_FULL);
    assert_int_equal(met(box, SR_FATE_FULL), 0);
    place->dead = false;
    expect_rows(box, 1, rows);
    sr_outbox_free(box);
}

static void a_poisonous_row_goes_to_the_quarantine_file_and_not_again(void **state)
{
    struct place *place = *state;
    struct sr_outbox *box = open_box(place, ROOMY);
    char command[128];

    keep(box, "bad1");
    keep(box, "good");
    take(box, 1, 1, "bad1 ");
    assert_int_equal(ticket_quarantine(box, 1, "refused: 422", 65536), 1);
    snprintf(command, sizeof command, "grep -q 'refused: 422' %s/quarantine*",
             place->dir);
    assert_int_equal(system(command), 0);
    box = reopen(place, box);
    take(box, 1, 9, "good ");
    sr_outbox_free(box);
}

static void expect_cost(struct sr_outbox *box, size_t file_max, const char *text)
{
    char cost[400];

    keep(box, "bad1");
    take(box, 1, 1, "bad1 ");
    assert_int_equal(ticket_quarantine(box, 1, "refused: 422", file_max), 1);
    assert_int_equal(sr_outbox_quarantine_news(box, cost, sizeof cost), *text != '\0');
    if (*text)
        assert_non_null(strstr(cost, text));
    else
        assert_string_equal(cost, "");
}

static void what_quarantine_costs_is_told_once(void **state)
{
    struct place *place = *state;
    struct sr_outbox *box = open_box(place, ROOMY);
    char command[128];

    expect_cost(box, 159, "");
    expect_cost(box, 159, "");
    expect_cost(box, 159, "; 1 older row");
    expect_cost(box, 50, "; lost, not in quarantine: larger than quarantine_capacity");
    expect_cost(box, 0, "");
    snprintf(command, sizeof command, "printf x >%s/quarantine", place->dir);
    assert_int_equal(system(command), 0);
    expect_cost(box, 159,
                "; the quarantine file was damaged, kept as quarantine.damaged");
    expect_cost(box, 159, "");
    sr_outbox_free(box);
}

static void a_row_that_quarantine_cannot_take_is_told(void **state)
{
    struct place *place = *state;
    struct sr_outbox *box = open_box(place, ROOMY);
    char cost[400];

    keep(box, "bad1");
    take(box, 1, 1, "bad1 ");
    place->dead = true;
    assert_int_equal(ticket_quarantine(box, 1, "refused: 422", 65536), 1);
    assert_true(sr_outbox_quarantine_news(box, cost, sizeof cost));
    assert_non_null(strstr(cost, "; lost, not in quarantine: "));
    assert_non_null(strstr(cost, "quarantine: cannot "));
    assert_false(sr_outbox_quarantine_news(box, cost, sizeof cost));
    assert_string_equal(cost, "");
    place->dead = false;
    sr_outbox_free(box);
}

/* --- threads ---------------------------------------------------------------------------- */

enum { PUTTERS = 4, ROWS = 250 };

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
        if (keep(putter->box, row))
            return putter;
    }
    return NULL;
}

static void threads_put_durably_while_another_takes(void **state)
{
    struct place *place = *state;
    struct putter putters[PUTTERS];
    pthread_t threads[PUTTERS];
    int next[PUTTERS] = { 0 }, got = 0;
    struct sr_outbox *box;
    void *failed;

    place->options.sync = SR_SYNC_ROW;
    box = open_box(place, TIGHT);
    for (int i = 0; i < PUTTERS; i++) {
        putters[i] = (struct putter){ box, i };
        pthread_create(&threads[i], NULL, put_rows, &putters[i]);
    }
    while (got < PUTTERS * ROWS) {
        struct notes one = { .rows_max = 1 };
        int putter, number;

        if (!ticket_take(box, 1, SR_PART_ALL, false, note, &one))
            continue;
        assert_int_equal(sscanf(one.text, "%d,%d", &putter, &number), 2);
        assert_int_equal(next[putter]++, number);
        got += (int)ticket_ack(box, 1);
    }
    for (int i = 0; i < PUTTERS; i++) {
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    assert_int_equal(stats_of(box).rows, 0);
    sr_outbox_free(box);
}

#define place_test(name) cmocka_unit_test_setup_teardown(name, make_place, remove_place)

int main(void)
{
    const struct CMUnitTest tests[] = {
        place_test(buffered_rows_survive_a_restart_and_volatile_ones_do_not),
        place_test(what_was_acknowledged_does_not_come_back),
        place_test(a_killed_process_leaves_all_it_had_accepted),
        place_test(rows_of_an_earlier_run_are_backlog_and_go_first),
        place_test(two_boxes_do_not_share_a_directory),
        place_test(a_backlog_larger_than_memory_comes_back_in_order),
        place_test(volatile_rows_keep_their_place_among_rows_on_disk),
        place_test(rows_on_disk_make_room_in_memory_without_loss),
        place_test(rows_under_way_go_back_into_the_gap),
        place_test(a_row_under_way_is_not_read_a_second_time),
        place_test(a_held_row_survives_the_gap_and_a_restart),
        place_test(at_the_bound_of_the_disk_the_oldest_rows_go),
        place_test(at_the_bound_of_the_disk_new_rows_are_refused_or_dropped),
        place_test(rows_under_way_are_not_dropped_for_the_disk),
        place_test(losses_are_kept_over_a_restart_until_they_are_told),
        place_test(callbacks_of_rows_on_disk_only_are_called_in_the_end),
        place_test(rows_on_disk_are_not_lost_for_the_memory_of_callbacks),
        place_test(when_the_disk_fails_rows_do_not_displace_those_with_callbacks),
        place_test(a_poisonous_row_goes_to_the_quarantine_file_and_not_again),
        place_test(what_quarantine_costs_is_told_once),
        place_test(a_row_that_quarantine_cannot_take_is_told),
        place_test(threads_put_durably_while_another_takes),
        place_test(a_row_under_way_that_is_in_the_gap_goes_back_into_it),
        place_test(volatile_rows_wait_for_those_before_them_that_are_not_read_yet),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
