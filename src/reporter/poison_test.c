/* SPDX-License-Identifier: MIT */
/* The search for poison, against a box of rows and a server that exist in this file only. */
#include "reporter/poison.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
/* after what it needs */
#include <cmocka.h>

enum { ROWS_MAX = 600, BATCH = 512, AFTER = 3 };

enum kind { GOOD, REFUSED, DROPS };
enum place { WAITS, ASIDE, ACKED, CONVICTED };

struct world {
    struct sr_poison poison;
    size_t rows;
    enum kind kind[ROWS_MAX];
    enum place place[ROWS_MAX];
    uint32_t ticket[ROWS_MAX]; /* ASIDE */
    enum kind mood;            /* of the server, to all rows */
    uint32_t tickets;
    unsigned payloads;
    size_t acked, convicted;
};

static void make_world(struct world *world, size_t rows)
{
    *world = (struct world){ .rows = rows };
    sr_poison_init(&world->poison, AFTER);
}

static void obey(struct world *world)
{
    enum sr_poison_order order;
    uint32_t ticket;

    while ((order = sr_poison_next(&world->poison, &ticket)) != SR_POISON_DONE)
        for (size_t i = 0; i < world->rows; i++) {
            bool meant = world->ticket[i] == ticket && world->place[i] != ACKED;

            if (order == SR_POISON_HOLD && meant)
                world->place[i] = ASIDE;
            else if (order == SR_POISON_CONVICT && meant && ++world->convicted)
                world->place[i] = CONVICTED;
            else if (order == SR_POISON_RELEASE && world->place[i] == ASIDE)
                world->place[i] = WAITS;
        }
}

/* What the server makes of a payload: what the first bad row in it deserves. */
static enum kind send(struct world *world, struct sr_payload *payload, size_t max)
{
    enum kind kind = world->mood;

    *payload = (struct sr_payload){ .ticket = ++world->tickets };
    for (size_t i = 0; i < world->rows && payload->rows < max; i++) {
        if (world->place[i] != WAITS)
            continue;
        if (!payload->rows++)
            payload->first = 1000 + i;
        world->ticket[i] = payload->ticket;
        kind = kind == GOOD ? world->kind[i] : kind;
    }
    payload->only = true;
    for (size_t i = 0; i < world->rows; i++)
        if (world->place[i] == WAITS && world->ticket[i] != payload->ticket)
            payload->only = false;
    return kind;
}

static void acknowledge(struct world *world, const struct sr_payload *payload)
{
    for (size_t i = 0; i < world->rows; i++)
        if (world->place[i] == WAITS && world->ticket[i] == payload->ticket) {
            world->place[i] = ACKED;
            world->acked++;
        }
    sr_poison_acked(&world->poison, payload);
}

/* One payload. False if nothing waits. */
static bool turn(struct world *world)
{
    size_t limit = sr_poison_limit(&world->poison);
    struct sr_payload payload;
    enum kind kind = send(world, &payload, limit < BATCH ? limit : BATCH);

    if (!payload.rows) {
        sr_poison_stuck(&world->poison);
        obey(world);
        return false;
    }
    world->payloads++;
    if (kind == GOOD)
        acknowledge(world, &payload);
    else
        sr_poison_failed(&world->poison, &payload, kind == REFUSED);
    obey(world);
    return true;
}

static void run(struct world *world, unsigned turns)
{
    while (turns-- && world->acked + world->convicted < world->rows)
        turn(world);
}

static void expect_justice(const struct world *world)
{
    for (size_t i = 0; i < world->rows; i++)
        assert_int_equal(world->place[i], world->kind[i] == GOOD ? ACKED : CONVICTED);
    assert_false(sr_poison_searching(&world->poison));
    assert_true(sr_poison_limit(&world->poison) == SIZE_MAX);
}

/* --- one row -------------------------------------------------------------- */

static void a_refused_row_is_found_wherever_it_is(void **state)
{
    (void)state;
    for (size_t at = 0; at < 499; at++) {
        struct world world;

        make_world(&world, 500);
        world.kind[at] = REFUSED;
        run(&world, 60);
        expect_justice(&world);
        assert_in_range(world.payloads, 3,
                        20); /* 500, 250, 125 ... 1, and the witness */
    }
}

static void a_row_that_ends_connections_is_found_wherever_it_is(void **state)
{
    (void)state;
    for (size_t at = 0; at < 490; at++) {
        struct world world;

        make_world(&world, 500);
        world.kind[at] = DROPS;
        run(&world, 80);
        expect_justice(&world);
        assert_in_range(world.payloads, 3 + 2 * AFTER, 30);
    }
}

static void a_refused_row_that_is_the_last_one_waits_for_a_witness(void **state)
{
    struct world world;

    (void)state;
    make_world(&world, 2);
    world.kind[0] = world.kind[1] = REFUSED;
    run(&world, 100);
    assert_int_equal(world.convicted, 0);
    world.rows = 3;
    run(&world, 100);
    expect_justice(&world);
}

static void all_alone_it_is_guilty_after_as_many_refusals(void **state)
{
    struct world world;

    (void)state;
    make_world(&world, 1);
    world.kind[0] = REFUSED;
    for (int i = 0; i < AFTER; i++) {
        assert_int_equal(world.convicted, 0);
        turn(&world); /* refused */
        turn(&world); /* nothing else */
    }
    expect_justice(&world);
}

static void all_alone_it_is_never_guilty_of_dropped_connections(void **state)
{
    struct world world;

    (void)state;
    make_world(&world, 1);
    world.kind[0] = DROPS;
    run(&world, 1000);
    assert_int_equal(world.convicted, 0);
    assert_int_equal(world.payloads, 1000); /* it is never put aside */
}

/* --- several --------------------------------------------------------------- */

static void neighbours_are_found_as_well(void **state)
{
    (void)state;
    for (int kind = REFUSED; kind <= DROPS; kind++)
        for (size_t count = 2; count <= 20; count++) {
            struct world world;

            make_world(&world, 100);
            for (size_t i = 0; i < count; i++)
                world.kind[40 + i] = (enum kind)kind;
            run(&world, 20000);
            expect_justice(&world);
        }
}

static void any_mixture_comes_to_the_right_end(void **state)
{
    (void)state;
    srand(11);
    for (int round = 0; round < 300; round++) {
        struct world world;

        /* The last ones are the witnesses. */
        make_world(&world, 1 + AFTER + (size_t)rand() % 300);
        for (size_t i = 0; i < world.rows - AFTER; i++)
            if (rand() % 20 == 0)
                world.kind[i] = rand() % 2 ? REFUSED : DROPS;
        run(&world, 20000);
        expect_justice(&world);
    }
}

/* --- outages ---------------------------------------------------------------- */

static void a_server_that_takes_nothing_blames_nobody(void **state)
{
    (void)state;
    for (int mood = REFUSED; mood <= DROPS; mood++)
        for (unsigned turns = 1; turns < 400; turns++) {
            struct world world;

            make_world(&world, 200);
            world.mood = (enum kind)mood;
            run(&world, turns);
            assert_int_equal(world.convicted, 0);
            world.mood = GOOD;
            run(&world, 500);
            expect_justice(&world);
        }
}

static void a_connection_that_drops_now_and_then_blames_nobody(void **state)
{
    (void)state;
    srand(12);
    for (int round = 0; round < 300; round++) {
        struct world world;

        make_world(&world, 300);
        for (int i = 0; i < 2000 && world.acked < world.rows; i++) {
            world.mood = rand() % 6 ? GOOD : DROPS;
            turn(&world);
        }
        world.mood = GOOD;
        run(&world, 500);
        assert_int_equal(world.convicted, 0);
        expect_justice(&world);
    }
}

static void a_head_that_changes_is_not_suspected(void **state)
{
    struct sr_poison poison;

    (void)state;
    sr_poison_init(&poison, AFTER);
    for (uint32_t i = 1; i < 50; i++) {
        assert_false(sr_poison_failed(
            &poison, &(struct sr_payload){ .ticket = i, .first = i / 2, .rows = 9 },
            false));
        assert_false(sr_poison_searching(&poison));
    }
}

static void one_that_was_acknowledged_is_counted_anew(void **state)
{
    const struct sr_payload payload = { .ticket = 1, .first = 7, .rows = 9 };
    struct sr_poison poison;

    (void)state;
    sr_poison_init(&poison, AFTER);
    sr_poison_failed(&poison, &payload, false);
    sr_poison_failed(&poison, &payload, false);
    sr_poison_acked(&poison, &payload);
    sr_poison_failed(&poison, &payload, false);
    assert_false(sr_poison_searching(&poison));
}

/* It was dropped at the bound, or its time was over. */
static void an_accused_row_that_goes_another_way_holds_nothing_up(void **state)
{
    struct world world;

    (void)state;
    make_world(&world, 100);
    world.kind[0] = DROPS;
    run(&world, 10);
    assert_true(sr_poison_searching(&world.poison));
    assert_int_equal(world.place[0], WAITS);
    world.place[0] = ACKED;
    world.acked++;
    run(&world, 200);
    assert_int_equal(world.acked, 100);
    turn(&world);
    assert_false(sr_poison_searching(&world.poison));
}

static void haste_ends_when_too_many_are_accused(void **state)
{
    struct sr_poison poison;
    unsigned hasty = 0;

    (void)state;
    sr_poison_init(&poison, AFTER);
    for (uint32_t i = 1; i <= SR_ACCUSED_MAX; i++)
        hasty += sr_poison_failed(
            &poison, &(struct sr_payload){ .ticket = i, .first = i, .rows = 1 }, true);
    assert_in_range(hasty, 1, 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_refused_row_is_found_wherever_it_is),
        cmocka_unit_test(a_row_that_ends_connections_is_found_wherever_it_is),
        cmocka_unit_test(a_refused_row_that_is_the_last_one_waits_for_a_witness),
        cmocka_unit_test(all_alone_it_is_guilty_after_as_many_refusals),
        cmocka_unit_test(all_alone_it_is_never_guilty_of_dropped_connections),
        cmocka_unit_test(neighbours_are_found_as_well),
        cmocka_unit_test(any_mixture_comes_to_the_right_end),
        cmocka_unit_test(a_server_that_takes_nothing_blames_nobody),
        cmocka_unit_test(a_connection_that_drops_now_and_then_blames_nobody),
        cmocka_unit_test(a_head_that_changes_is_not_suspected),
        cmocka_unit_test(one_that_was_acknowledged_is_counted_anew),
        cmocka_unit_test(an_accused_row_that_goes_another_way_holds_nothing_up),
        cmocka_unit_test(haste_ends_when_too_many_are_accused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
