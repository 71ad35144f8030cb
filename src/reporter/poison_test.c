/* SPDX-License-Identifier: MIT */
/* The search for poison, against a box of rows and a server that exist in this file only. */
#include "reporter/poison.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
/* after what it needs */
#include <cmocka.h>

enum { ROWS_MAX = 200 * 1000, BATCH = 512, AFTER = 3, PAUSE_MAX_MS = 900 * 1000 };

enum kind { GOOD, REFUSED, DROPS };
enum place { WAITS, ASIDE, ACKED, CONVICTED };

struct row {
    unsigned char kind, place;
    unsigned short bytes; /* 0: 50 */
    uint32_t ticket;      /* number of its batch */
};

struct world {
    struct sr_poison poison;
    struct sr_batch batches[SR_ACCUSED_MAX + 2]; /* number 0: not in use */
    uint64_t now_ms, dice;
    size_t batch, rows, first,
        behind;     /* first that is not done; behind the last sent */
    enum kind mood; /* of the server, to all rows */
    /* Does the line drop a payload of these bytes? */
    bool (*line)(struct world *world, size_t bytes);
    unsigned arg;     /* of `line` */
    unsigned on_this; /* payloads on this connection */
    uint64_t good_until_ms, bad_until_ms;
    uint32_t tickets;
    unsigned payloads, alone; /* with a bad row, alone */
    size_t acked, convicted, innocent_convicted, overtaken;
    struct row row[ROWS_MAX];
};
static struct world world_of_tests;

/* SplitMix64 */
static uint32_t roll(struct world *world)
{
    uint64_t z = world->dice += 0x9e3779b97f4a7c15u;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (uint32_t)((z ^ z >> 31) >> 16);
}

static struct world *new_world(size_t rows, uint64_t seed)
{
    struct world *world = &world_of_tests;

    memset(world, 0, offsetof(struct world, row));
    memset(world->row, 0, rows * sizeof *world->row);
    world->rows = rows;
    world->batch = BATCH;
    world->dice = seed;
    sr_poison_init(&world->poison, AFTER, PAUSE_MAX_MS);
    return world;
}

static void meet(struct world *world, struct row *row, enum sr_poison_order order)
{
    if (order == SR_POISON_HOLD) {
        row->place = ASIDE;
    } else if (order == SR_POISON_RELEASE) {
        row->place = WAITS;
    } else {
        row->place = CONVICTED;
        world->convicted++;
        world->innocent_convicted += row->kind == GOOD;
    }
}

static void obey(struct world *world)
{
    enum sr_poison_order order;
    struct sr_batch *batch;

    while ((order = sr_poison_next(&world->poison, &batch)) != SR_POISON_DONE) {
        for (size_t i = world->first; i < world->behind; i++)
            if (world->row[i].ticket == batch->number && world->row[i].place < ACKED)
                meet(world, &world->row[i], order);
        batch->held = order == SR_POISON_HOLD;
        if (!batch->held)
            batch->number = 0;
    }
}

static struct sr_batch *spare_batch(struct world *world)
{
    size_t i = 0;

    while (world->batches[i].number)
        i++;
    return &world->batches[i];
}

/* What the server makes of a payload: what the first bad row in it deserves. */
static enum kind send(struct world *world, struct sr_batch *payload)
{
    enum kind kind = world->mood;

    *payload = (struct sr_batch){ .number = ++world->tickets };
    for (size_t i = world->first; i < world->rows && payload->rows < world->batch;
         i++) {
        struct row *row = &world->row[i];

        if (row->place != WAITS)
            continue;
        if (!sr_poison_has_room(&world->poison, payload->rows, payload->len))
            break;
        if (!payload->rows++)
            payload->first = 1000 + i;
        payload->len += row->bytes ? row->bytes : 50;
        row->ticket = payload->number;
        kind = kind == GOOD ? (enum kind)row->kind : kind;
        if (i >= world->behind)
            world->behind = i + 1;
    }
    return kind;
}

static size_t others_of(const struct world *world, const struct sr_batch *payload)
{
    size_t others = world->rows - world->behind;

    for (size_t i = world->first; i < world->behind; i++)
        others +=
            world->row[i].place == WAITS && world->row[i].ticket != payload->number;
    return others;
}

static void acknowledge(struct world *world, struct sr_batch *payload)
{
    size_t done = world->first;

    world->now_ms += 50;
    world->on_this++;
    for (size_t i = world->first; i < world->behind; i++) {
        struct row *row = &world->row[i];

        world->overtaken += row->place == ASIDE;
        if (row->place == WAITS && row->ticket == payload->number) {
            row->place = ACKED;
            world->acked++;
        }
        done += i == done && row->place >= ACKED;
    }
    sr_poison_acked(&world->poison, payload, world->now_ms, roll(world));
}

static void fail_it(struct world *world, struct sr_batch *payload, enum kind kind)
{
    enum sr_failure failure = kind == REFUSED ? SR_FAILURE_REFUSED : SR_FAILURE_DROP;

    world->now_ms += 1000;
    world->on_this = 0;
    sr_poison_failed(&world->poison, payload, failure, world->now_ms, roll(world));
}

static void skip_done(struct world *world)
{
    while (world->first < world->rows && world->row[world->first].place >= ACKED)
        world->first++;
}

/* One payload. False if nothing waits. */
static bool turn(struct world *world)
{
    struct sr_batch *payload = spare_batch(world);
    enum kind kind = send(world, payload);
    uint64_t in_ms;

    if (!payload->rows) {
        payload->number = 0;
        in_ms = sr_poison_stuck(&world->poison, world->now_ms);
        world->now_ms += in_ms == UINT64_MAX ? 0 : in_ms;
        obey(world);
        return false;
    }
    world->payloads++;
    world->alone += payload->rows == 1 && kind == DROPS && world->mood == GOOD;
    payload->others = others_of(world, payload);
    if (kind == GOOD && world->line && world->line(world, payload->len))
        kind = DROPS;
    if (kind == GOOD)
        acknowledge(world, payload);
    else
        fail_it(world, payload, kind);
    obey(world);
    if (!payload->held)
        payload->number = 0;
    skip_done(world);
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
        assert_int_equal(world->row[i].place,
                         world->row[i].kind == GOOD ? ACKED : CONVICTED);
    assert_false(sr_poison_searching(&world->poison));
    assert_true(sr_poison_has_room(&world->poison, SIZE_MAX - 1, 1));
}

/* --- one row -------------------------------------------------------------- */

static void a_refused_row_is_found_wherever_it_is(void **state)
{
    (void)state;
    for (size_t at = 0; at < 499; at++) {
        struct world *world = new_world(500, at);

        world->row[at].kind = REFUSED;
        run(world, 60);
        expect_justice(world);
        assert_in_range(world->payloads, 3,
                        20); /* 500, 250, 125 ... 1, and the witness */
    }
}

static void a_row_that_ends_connections_is_found_wherever_it_is(void **state)
{
    (void)state;
    for (size_t at = 0; at < 400; at++) {
        struct world *world = new_world(500, at);

        world->row[at].kind = DROPS;
        run(world, 1000);
        expect_justice(world);
        assert_in_range(world->alone, AFTER, AFTER + 3);
    }
}

static void where_many_others_go_it_is_tried_alone_that_many_times(void **state)
{
    (void)state;
    for (size_t batch = 2; batch <= 512; batch *= 2)
        for (uint64_t seed = 0; seed < 40; seed++) {
            struct world *world = new_world(1450, seed);

            world->batch = batch;
            world->row[roll(world) % 900].kind = DROPS;
            run(world, 5000);
            expect_justice(world);
            assert_in_range(world->alone, AFTER, AFTER + 1);
        }
}

static void a_refused_row_that_is_the_last_one_waits_for_a_witness(void **state)
{
    struct world *world = new_world(3, 1);

    (void)state;
    world->rows = 2;
    world->row[0].kind = world->row[1].kind = REFUSED;
    run(world, 100);
    assert_int_equal(world->convicted, 0);
    world->rows = 3;
    run(world, 100);
    expect_justice(world);
}

static void all_alone_it_is_guilty_after_as_many_refusals(void **state)
{
    struct world *world = new_world(1, 1);

    (void)state;
    world->row[0].kind = REFUSED;
    for (int i = 0; i < AFTER; i++) {
        assert_int_equal(world->convicted, 0);
        turn(world); /* refused */
        turn(world); /* nothing else */
    }
    expect_justice(world);
}

static void all_alone_it_is_never_guilty_of_dropped_connections(void **state)
{
    struct world *world = new_world(1, 1);

    (void)state;
    world->row[0].kind = DROPS;
    run(world, 1000);
    assert_int_equal(world->convicted, 0);
    assert_int_equal(world->payloads, 1000); /* it is never put aside */
}

/* --- several --------------------------------------------------------------- */

static void neighbours_are_found_as_well(void **state)
{
    (void)state;
    for (int kind = REFUSED; kind <= DROPS; kind++)
        for (size_t count = 2; count <= 20; count++) {
            struct world *world = new_world(20000, count);

            for (size_t i = 0; i < count; i++)
                world->row[40 + i].kind = (unsigned char)kind;
            run(world, 50000);
            expect_justice(world);
        }
}

static void any_mixture_comes_to_the_right_end(void **state)
{
    (void)state;
    for (uint64_t round = 0; round < 100; round++) {
        struct world *world = new_world(20000, round);
        size_t some = roll(world) % 300;

        for (size_t i = 0; i < some; i++)
            if (roll(world) % 20 == 0)
                world->row[i].kind = roll(world) % 2 ? REFUSED : DROPS;
        run(world, 50000);
        expect_justice(world);
    }
}

/* --- outages ---------------------------------------------------------------- */

static void a_server_that_takes_nothing_blames_nobody(void **state)
{
    (void)state;
    for (int mood = REFUSED; mood <= DROPS; mood++)
        for (unsigned turns = 1; turns < 400; turns++) {
            struct world *world = new_world(200, turns);

            world->mood = (enum kind)mood;
            run(world, turns);
            assert_int_equal(world->convicted, 0);
            world->mood = GOOD;
            run(world, 1000);
            expect_justice(world);
        }
}

/* A server that ends the connection over a payload that is too large for it says nothing of rows. */
static bool too_large(struct world *world, size_t bytes)
{
    return bytes > world->arg;
}

static void a_limit_that_the_server_keeps_to_itself_blames_nobody(void **state)
{
    struct world *world = new_world(50 * 1000, 1);

    (void)state;
    world->line = too_large;
    world->arg = 1100;
    run(world, 100 * 1000);
    expect_justice(world);
    assert_int_equal(world->convicted, 0);
}

/* --- lines that drop by themselves ---------------------------------------------- */

static bool at_random(struct world *world, size_t bytes)
{
    (void)bytes;
    return roll(world) % 100 < world->arg;
}

/* All for ten minutes, then none for up to an hour. */
static bool in_bursts(struct world *world, size_t bytes)
{
    (void)bytes;
    if (world->now_ms >= world->bad_until_ms) {
        world->good_until_ms = world->now_ms + roll(world) % (world->arg * 1000);
        world->bad_until_ms = world->good_until_ms + 10 * 60 * 1000;
    }
    return world->now_ms >= world->good_until_ms;
}

/* 2 %, and of large payloads most. */
static bool large_ones(struct world *world, size_t bytes)
{
    return roll(world) % 100 < (bytes > 1000 ? world->arg : 2);
}

static bool the_nth_of_each_connection(struct world *world, size_t bytes)
{
    (void)bytes;
    return world->on_this + 1 >= world->arg;
}

/* Good and bad stretches of a few payloads. */
static bool in_fits(struct world *world, size_t bytes)
{
    (void)bytes;
    if (roll(world) % world->arg == 0)
        world->bad_until_ms = world->bad_until_ms ? 0 : 1;
    return world->bad_until_ms && roll(world) % 10 < 9;
}

struct line {
    const char *name;
    bool (*drops)(struct world *world, size_t bytes);
    unsigned arg;
};
static const struct line lines[] = {
    {"0 %",                 at_random,                  0   },
    { "5 %",                at_random,                  5   },
    { "20 %",               at_random,                  20  },
    { "50 %",               at_random,                  50  },
    { "80 %",               at_random,                  80  },
    { "10 min at times",    in_bursts,                  3600},
    { "10 min often",       in_bursts,                  60  },
    { "80 % of large ones", large_ones,                 80  },
    { "95 % of large ones", large_ones,                 95  },
    { "the 2nd of each",    the_nth_of_each_connection, 2   },
    { "the 5th of each",    the_nth_of_each_connection, 5   },
    { "the 40th of each",   the_nth_of_each_connection, 40  },
    { "fits",               in_fits,                    8   },
    { "long fits",          in_fits,                    60  },
};
enum { LINES = sizeof lines / sizeof *lines };

static struct world *world_on(const struct line *line, size_t rows, size_t batch,
                              uint64_t seed)
{
    struct world *world = new_world(rows, seed);

    world->line = line->drops;
    world->arg = line->arg;
    world->batch = batch;
    for (size_t i = 0; i < rows; i++)
        if (roll(world) % 50 == 0)
            world->row[i].bytes = 15000;
    return world;
}

static void an_innocent_row_is_never_blamed_and_all_get_through(void **state)
{
    static const size_t batches[] = { 1, 10, 512 };
    uint64_t payloads = 0;

    (void)state;
    for (size_t i = 0; i < 3 * LINES * 25; i++) {
        const struct line *line = &lines[i % LINES];
        struct world *world = world_on(line, 1450, batches[i / LINES % 3], i);

        run(world, 1000 * 1000);
        if (world->convicted || world->acked != 1450)
            fail_msg("%s, round %zu: %zu set aside, %zu acknowledged", line->name, i,
                     world->convicted, world->acked);
        expect_justice(world);
        payloads += world->payloads;
    }
    print_message("%lu payloads\n", (unsigned long)payloads);
}

/* As long as a device lives. */
static void nor_on_a_line_that_is_used_for_long(void **state)
{
    uint64_t payloads = 0;

    (void)state;
    for (size_t i = 0; i < LINES; i++) {
        struct world *world = world_on(&lines[i], ROWS_MAX, 2, i);

        run(world, 2000 * 1000);
        if (world->convicted || world->acked != ROWS_MAX)
            fail_msg("%s: %zu set aside, %zu acknowledged", lines[i].name,
                     world->convicted, world->acked);
        payloads += world->payloads;
        print_message("%s: %u payloads, overtaken %zu times\n", lines[i].name,
                      world->payloads, world->overtaken);
    }
    print_message("%lu payloads\n", (unsigned long)payloads);
}

/* --- a row that ends connections, on such a line ---------------------------------- */

/* Attempts with that row alone, at most; docs/outbox.md says them. */
static const unsigned tries_max[] = { AFTER + 3, 40, 100, 150, 1000 };

/* How often it was tried until it was found; it is at `at`. */
static unsigned find_one(const struct line *line, size_t at, size_t batch,
                         uint64_t seed)
{
    struct world *world = new_world(ROWS_MAX, seed);

    world->line = line->drops;
    world->arg = line->arg;
    world->batch = batch;
    world->row[at].kind = DROPS;
    for (unsigned i = 0; !world->convicted && i < 300 * 1000; i++)
        turn(world);
    assert_int_equal(world->convicted, 1);
    assert_int_equal(world->innocent_convicted, 0);
    return world->alone;
}

static void expect_found(const struct line *line, unsigned most)
{
    static const size_t batches[] = { 1, 10, 100 };
    enum { ROUNDS = 60 };
    unsigned sum = 0, max = 0;

    for (uint64_t i = 0; i < ROUNDS; i++) {
        size_t at = i % 4 ? i * 104729 % 1450 : 0; /* 0: when the connection comes up */
        unsigned tries = find_one(line, at, batches[i % 3], i);

        sum += tries;
        max = tries > max ? tries : max;
    }
    print_message("%s: found after %u tries, %u at most\n", line->name, sum / ROUNDS,
                  max);
    assert_in_range(max, AFTER, most);
}

static void a_row_that_ends_connections_is_found_on_each_line(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof tries_max / sizeof *tries_max; i++)
        expect_found(&lines[i], tries_max[i]);
    for (size_t i = sizeof tries_max / sizeof *tries_max; i < LINES; i++)
        if (lines[i].drops != the_nth_of_each_connection || lines[i].arg > 2)
            expect_found(&lines[i], 2000);
}

/* --- details ------------------------------------------------------------------- */

static void a_head_that_changes_is_not_suspected(void **state)
{
    struct sr_poison poison;

    (void)state;
    sr_poison_init(&poison, AFTER, PAUSE_MAX_MS);
    for (uint32_t i = 1; i < 50; i++) {
        assert_false(sr_poison_failed(
            &poison, &(struct sr_batch){ .number = i, .first = i / 2, .rows = 9 },
            SR_FAILURE_DROP, 0, 0));
        assert_false(sr_poison_searching(&poison));
    }
}

static void one_that_was_acknowledged_is_counted_anew(void **state)
{
    struct sr_batch payload = { .number = 1, .first = 7, .rows = 9 };
    struct sr_poison poison;

    (void)state;
    sr_poison_init(&poison, AFTER, PAUSE_MAX_MS);
    sr_poison_failed(&poison, &payload, SR_FAILURE_DROP, 0, 0);
    sr_poison_failed(&poison, &payload, SR_FAILURE_DROP, 0, 0);
    sr_poison_acked(&poison, &payload, 0, 0);
    sr_poison_failed(&poison, &payload, SR_FAILURE_DROP, 0, 0);
    assert_false(sr_poison_searching(&poison));
}

/* It was dropped at the bound, or its time was over. */
static void an_accused_row_that_goes_another_way_holds_nothing_up(void **state)
{
    struct world *world = new_world(1000, 1);

    (void)state;
    world->row[0].kind = DROPS;
    while (world->alone < 2 || world->row[0].place != WAITS) /* let in again */
        turn(world);
    assert_true(sr_poison_searching(&world->poison));
    world->row[0].place = ACKED;
    world->acked++;
    run(world, 2000);
    assert_int_equal(world->acked, 1000);
    turn(world);
    assert_false(sr_poison_searching(&world->poison));
}

/* Nothing else is sent: it is let in at pauses that grow, and gets through at last. */
static void an_innocent_row_that_is_aside_goes_when_nothing_else_does(void **state)
{
    struct world *world = new_world(2, 1);
    uint64_t began;

    (void)state;
    world->batch = 1;
    world->mood = DROPS;
    while (world->row[0].place != ASIDE)
        turn(world);
    world->row[1].place = ACKED;
    world->acked++;
    began = world->now_ms;
    for (int i = 0; i < 40; i++)
        turn(world);
    assert_in_range(world->now_ms - began, 1000 * 1000, 40 * 2 * PAUSE_MAX_MS);
    world->mood = GOOD;
    run(world, 3);
    expect_justice(world);
}

static void haste_ends_when_too_many_are_accused(void **state)
{
    struct sr_poison poison;
    unsigned hasty = 0;

    (void)state;
    sr_poison_init(&poison, AFTER, PAUSE_MAX_MS);
    for (uint32_t i = 1; i <= SR_ACCUSED_MAX; i++)
        hasty += sr_poison_failed(
            &poison, &(struct sr_batch){ .number = i, .first = i, .rows = 1 },
            SR_FAILURE_REFUSED, 0, 0);
    assert_in_range(hasty, 1, 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_refused_row_is_found_wherever_it_is),
        cmocka_unit_test(a_row_that_ends_connections_is_found_wherever_it_is),
        cmocka_unit_test(where_many_others_go_it_is_tried_alone_that_many_times),
        cmocka_unit_test(a_refused_row_that_is_the_last_one_waits_for_a_witness),
        cmocka_unit_test(all_alone_it_is_guilty_after_as_many_refusals),
        cmocka_unit_test(all_alone_it_is_never_guilty_of_dropped_connections),
        cmocka_unit_test(neighbours_are_found_as_well),
        cmocka_unit_test(any_mixture_comes_to_the_right_end),
        cmocka_unit_test(a_server_that_takes_nothing_blames_nobody),
        cmocka_unit_test(a_limit_that_the_server_keeps_to_itself_blames_nobody),
        cmocka_unit_test(an_innocent_row_is_never_blamed_and_all_get_through),
        cmocka_unit_test(nor_on_a_line_that_is_used_for_long),
        cmocka_unit_test(a_row_that_ends_connections_is_found_on_each_line),
        cmocka_unit_test(a_head_that_changes_is_not_suspected),
        cmocka_unit_test(one_that_was_acknowledged_is_counted_anew),
        cmocka_unit_test(an_accused_row_that_goes_another_way_holds_nothing_up),
        cmocka_unit_test(an_innocent_row_that_is_aside_goes_when_nothing_else_does),
        cmocka_unit_test(haste_ends_when_too_many_are_accused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
