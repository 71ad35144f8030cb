/* SPDX-License-Identifier: MIT */
/* Rows name channels: in memory, on disk, and back. */
#include "outbox/outbox.h"

#include "protocol/protocol.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* after what it needs */
#include <cmocka.h>

#include "outbox/outbox_fixture.h"

static int put_on(struct sr_outbox *box, const char *name, const char *row, int prio)
{
    struct sr_outbox_row put = {
        .text = row,
        .len = strlen(row),
        .prio = prio,
        .to = {&sr_smartrest1, name, strlen(name)},
    };

    return put_row(box, &put);
}

static int put_number(struct sr_outbox *box, uint32_t number, const char *row)
{
    struct sr_outbox_row put = { .text = row, .len = strlen(row), .channel = number };

    return put_row(box, &put);
}

/* "name:row " of each. */
static bool note_channel(void *arg, const struct sr_outbox_offer *offer)
{
    struct notes *notes = arg;
    size_t used = strlen(notes->text);

    if (notes->rows == notes->rows_max)
        return false;
    notes->rows++;
    snprintf(notes->text + used, sizeof notes->text - used, "%s:%.*s ",
             offer->channel->name, (int)offer->len, offer->text);
    return true;
}

static void expect(struct sr_outbox *box, uint32_t ticket, size_t most,
                   const char *expected)
{
    struct notes notes = { .rows_max = most };

    ticket_take(box, ticket, SR_PART_ALL, true, note_channel, &notes);
    assert_string_equal(notes.text, expected);
}

static void a_row_has_the_channel_it_was_put_on(void **state)
{
    struct sr_outbox *box = roomy_box();
    uint32_t number = 0, again = 0;

    (void)state;
    assert_int_equal(sr_outbox_channel(box, &sr_smartrest1, "child", 5, &number), 0);
    assert_int_equal(sr_outbox_channel(box, &sr_smartrest1, "child", 5, &again), 0);
    assert_int_equal(number, again);
    assert_string_equal(sr_outbox_channel_at(box, number)->name, "child");
    assert_int_equal(put_number(box, number, "1"), 0);
    assert_int_equal(put_on(box, "child", "2", 0), 0);
    assert_int_equal(put_on(box, "other", "3", 0), 0);
    assert_int_equal(put(box, "4"), 0);
    expect(box, 1, 9, "child:1 child:2 other:3 :4 ");
    sr_outbox_free(box);
}

static void order_is_kept_over_channels_of_a_class(void **state)
{
    struct sr_outbox *box = roomy_box();

    (void)state;
    for (int i = 0; i < 3; i++) {
        put_on(box, "a", "1", SR_PRIO_BUF);
        put_on(box, "b", "2", 0);
        put(box, "3");
        keep(box, "4");
    }
    expect(box, 1, 5, "a:1 b:2 :3 :4 a:1 ");
    expect(box, 2, 2, "b:2 :3 ");
    sr_outbox_requeue(box);
    expect(box, 3, 99, "a:1 b:2 :3 :4 a:1 b:2 :3 :4 a:1 b:2 :3 :4 ");
    sr_outbox_free(box);
}

static void a_channel_that_nobody_has_is_refused(void **state)
{
    struct sr_outbox *box = roomy_box();

    (void)state;
    assert_int_equal(put_number(box, 1, "1"), SR_E_INVAL);
    assert_int_equal(put_number(box, 70000, "1"), SR_E_INVAL);
    assert_int_equal(put_on(box, "child", "1", 0), 0);     /* gets number 1 */
    assert_int_equal(put_number(box, 1, "2"), SR_E_INVAL); /* it is not kept for us */
    assert_null(sr_outbox_channel_at(box, 1));
    expect(box, 1, 9, "child:1 ");
    sr_outbox_free(box);
}

static void what_is_read_back_from_disk_has_its_channel(void **state)
{
    struct place *place = *state;
    struct sr_outbox *box = open_box(place, 1 << 20);

    put_on(box, "first", "1,a", SR_PRIO_BUF);
    keep(box, "2,b");
    put_on(box, "second", "3,\"c\nd\"", SR_PRIO_BUF);
    box = reopen(place, box);
    put_on(box, "third", "4", SR_PRIO_BUF);
    put_on(box, "first", "5", SR_PRIO_BUF);
    expect(box, 1, 9, "first:1,a :2,b second:3,\"c\nd\" third:4 first:5 ");
    sr_outbox_free(box);
}

static void what_memory_forgets_keeps_its_channel_on_disk(void **state)
{
    struct place *place = *state;
    struct sr_outbox *box = open_box(place, 8192);
    char name[24], row[24], expected[64];

    for (int i = 0; i < 2000; i++) {
        snprintf(name, sizeof name, "child-%d", i);
        snprintf(row, sizeof row, "%d", i);
        assert_int_equal(put_on(box, name, row, SR_PRIO_BUF), 0);
    }
    for (int i = 0; i < 2000; i++) {
        snprintf(expected, sizeof expected, "child-%d:%d ", i, i);
        expect(box, 1, 1, expected);
        ticket_ack(box, 1);
    }
    sr_outbox_free(box);
}

static void who_asks_which_row_it_is_sees_its_channel(void **state)
{
    struct sr_outbox *box = roomy_box();
    char text[8];

    (void)state;
    put_on(box, "child", "1,a", 0);
    expect(box, 1, 1, "child:1,a ");
    ticket_peek(box, 1, text, sizeof text);
    assert_string_equal(text, "child,1");
    ticket_peek(box, 1, text, 4);
    assert_string_equal(text, "chi");
    sr_outbox_free(box);
}

/* Some are kept for rows that come back from disk. */
static void at_the_bound_of_channels_a_row_is_refused(void **state)
{
    struct sr_outbox *box = box_of(400000);
    char name[24];
    int rc = 0, i = 0;

    (void)state;
    for (; !rc; i++) {
        snprintf(name, sizeof name, "%d", i);
        rc = put_on(box, name, "1", 0);
    }
    assert_int_equal(rc, SR_E_FULL);
    assert_true(i > 60000);
    assert_int_equal(put_on(box, "0", "1", 0), 0); /* who is there may go on */
    assert_int_equal(put(box, "1"), 0);
    sr_outbox_free(box);
}

/* The channel of the new row is the one that no row has named for longest, and the row that makes room
 * is the last one of another. */
static void a_row_that_pushes_another_out_keeps_its_channel(void **state)
{
    struct sr_outbox *box = box_of(2);
    char name[16];

    (void)state;
    assert_int_equal(put_on(box, "pushed out", "1,aa", 0), 0);
    ticket_take(box, 2, SR_PART_ALL, true, note_channel,
                &(struct notes){ .rows_max = 1 });
    for (int i = 0; i < 256; i++) {
        snprintf(name, sizeof name, "c%d", i);
        assert_int_equal(put_on(box, name, "1,bb", 0), 0);
        ticket_take(box, 1, SR_PART_ALL, true, note_channel,
                    &(struct notes){ .rows_max = 1 });
        assert_int_equal(ticket_ack(box, 1), 1);
    }
    ticket_hold(box, 2);
    ticket_release_one(box, 2);
    assert_int_equal(put(box, "1,cc"), 0);
    assert_int_equal(put_on(box, "c0", "1,dd", 0), 0);
    assert_int_equal(met(box, SR_FATE_FULL), 1);
    expect(box, 1, 9, ":1,cc c0:1,dd ");
    sr_outbox_free(box);
}

static void a_row_that_is_refused_leaves_no_channel_behind(void **state)
{
    struct sr_outbox *box = box_of(1);
    char name[24];

    (void)state;
    sr_outbox_set_policy(box, SR_CLASS_VOLATILE, SR_REFUSE);
    assert_int_equal(put_on(box, "first", "0001", 0), 0);
    for (int i = 0; i < 100000; i++) {
        snprintf(name, sizeof name, "%d", i);
        assert_int_equal(put_on(box, name, "0002", 0), SR_E_FULL);
    }
    expect(box, 1, 9, "first:0001 ");
    ticket_ack(box, 1);
    assert_int_equal(put_on(box, "last", "0003", 0), 0);
    expect(box, 1, 9, "last:0003 ");
    sr_outbox_free(box);
}

static const struct sr_channel *channel(struct sr_outbox *box, const char *name)
{
    uint32_t number = 0;

    assert_int_equal(
        sr_outbox_channel(box, &sr_smartrest1, name, strlen(name), &number), 0);
    return sr_outbox_channel_at(box, number);
}

static void others_pass_the_rows_of_a_channel_that_is_held(void **state)
{
    struct sr_outbox *box = roomy_box();

    (void)state;
    put_on(box, "a", "1", 0);
    put_on(box, "b", "2", 0);
    put_on(box, "a", "3", SR_PRIO_BUF);
    put_on(box, "b", "4", SR_PRIO_BUF);
    sr_outbox_hold_channel(box, channel(box, "a"), true);
    sr_outbox_hold_channel(box, channel(box, "a"), true);
    expect(box, 1, 1, "b:2 ");
    put_on(box, "a", "5", 0);
    put_on(box, "b", "6", 0);
    expect(box, 2, 9, "b:4 b:6 ");
    expect(box, 3, 9, "");
    assert_int_equal(waits(box), 0);
    sr_outbox_requeue(box);
    expect(box, 4, 9, "b:2 b:4 b:6 ");
    sr_outbox_requeue(box);
    sr_outbox_hold_channel(box, channel(box, "a"), false);
    expect(box, 5, 9, "a:1 b:2 a:3 b:4 a:5 b:6 ");
    sr_outbox_free(box);
}

static void each_channel_is_held_by_itself(void **state)
{
    struct sr_outbox *box = roomy_box();

    (void)state;
    sr_outbox_hold_channel(box, channel(box, "a"), true);
    sr_outbox_hold_channel(box, channel(box, "b"), true);
    for (int i = 0; i < 2; i++) {
        put_on(box, "a", "1", 0);
        put_on(box, "b", "2", SR_PRIO_BUF);
        put_on(box, "c", "3", 0);
    }
    expect(box, 1, 9, "c:3 c:3 ");
    sr_outbox_hold_channel(box, channel(box, "b"), false);
    expect(box, 2, 9, "b:2 b:2 ");
    sr_outbox_release(box);
    expect(box, 3, 9, "a:1 a:1 ");
    put_on(box, "a", "4", 0);
    expect(box, 4, 9, "a:4 ");
    sr_outbox_free(box);
}

/* Those that were under way when it was held, too. */
static void rows_come_back_in_order_however_they_went_aside(void **state)
{
    struct sr_outbox *box = roomy_box();

    (void)state;
    for (int i = 1; i <= 4; i++) {
        char row[2] = { (char)('0' + i), '\0' };

        put_on(box, "a", row, 0);
    }
    expect(box, 1, 2, "a:1 a:2 ");
    sr_outbox_hold_channel(box, channel(box, "a"), true);
    expect(box, 2, 9, "");
    sr_outbox_requeue(box);
    expect(box, 3, 9, "");
    sr_outbox_hold_channel(box, channel(box, "a"), false);
    expect(box, 4, 9, "a:1 a:2 a:3 a:4 ");
    sr_outbox_free(box);
}

static void rows_on_disk_are_passed_as_well(void **state)
{
    struct place *place = *state;
    struct sr_outbox *box = open_box(place, 64 * 1024);
    char row[24], expected[64];

    for (int i = 0; i < 100; i++) {
        snprintf(row, sizeof row, "%d", i);
        put_on(box, i % 2 ? "a" : "b", row, SR_PRIO_BUF);
    }
    box = reopen(place, box);
    sr_outbox_hold_channel(box, channel(box, "a"), true);
    for (int i = 0; i < 100; i += 2) {
        snprintf(expected, sizeof expected, "b:%d ", i);
        expect(box, 1, 1, expected);
        ticket_ack(box, 1);
    }
    expect(box, 1, 1, "");
    sr_outbox_hold_channel(box, channel(box, "a"), false);
    for (int i = 1; i < 100; i += 2) {
        snprintf(expected, sizeof expected, "a:%d ", i);
        expect(box, 1, 1, expected);
        ticket_ack(box, 1);
    }
    sr_outbox_free(box);
}

static void what_is_aside_takes_half_of_the_bound(void **state)
{
    struct sr_outbox *box = box_of(100);

    (void)state;
    sr_outbox_hold_channel(box, channel(box, "a"), true);
    for (int i = 0; i < 90; i++)
        put_on(box, "a", "0001", 0);
    put_on(box, "b", "0002", 0);
    expect(box, 1, 9, ""); /* it cannot pass them all */
    assert_int_equal(waits(box), 41);
    sr_outbox_hold_channel(box, channel(box, "a"), false);
    assert_int_equal(waits(box), 91);
    sr_outbox_free(box);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_has_the_channel_it_was_put_on),
        cmocka_unit_test(order_is_kept_over_channels_of_a_class),
        cmocka_unit_test(a_channel_that_nobody_has_is_refused),
        cmocka_unit_test_setup_teardown(what_is_read_back_from_disk_has_its_channel,
                                        make_place, remove_place),
        cmocka_unit_test_setup_teardown(what_memory_forgets_keeps_its_channel_on_disk,
                                        make_place, remove_place),
        cmocka_unit_test(who_asks_which_row_it_is_sees_its_channel),
        cmocka_unit_test(at_the_bound_of_channels_a_row_is_refused),
        cmocka_unit_test(a_row_that_pushes_another_out_keeps_its_channel),
        cmocka_unit_test(a_row_that_is_refused_leaves_no_channel_behind),
        cmocka_unit_test(others_pass_the_rows_of_a_channel_that_is_held),
        cmocka_unit_test(each_channel_is_held_by_itself),
        cmocka_unit_test(rows_come_back_in_order_however_they_went_aside),
        cmocka_unit_test_setup_teardown(rows_on_disk_are_passed_as_well, make_place,
                                        remove_place),
        cmocka_unit_test(what_is_aside_takes_half_of_the_bound),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
