/* SPDX-License-Identifier: MIT */
#include "base/backoff.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* after what it needs */
#include <cmocka.h>

/* The bounds of the next pause: what all-zero and the worst random bits make of it. */
static uint32_t shortest(struct sr_backoff backoff)
{
    return sr_backoff_next(&backoff, 0);
}

static uint32_t longest(struct sr_backoff backoff)
{
    uint32_t longest = 0;

    for (uint32_t random = 0; random < 70000; random++) {
        struct sr_backoff copy = backoff;
        uint32_t pause = sr_backoff_next(&copy, random);

        longest = pause > longest ? pause : longest;
    }
    return longest;
}

static void the_first_pause_is_about_a_fifth_of_a_second(void **state)
{
    const struct sr_backoff none = { 0 };

    (void)state;
    assert_int_equal(shortest(none), SR_BACKOFF_FIRST_MS / 2);
    assert_int_equal(longest(none), SR_BACKOFF_FIRST_MS);
}

static void pauses_grow_by_three_tenths_up_to_a_minute(void **state)
{
    struct sr_backoff backoff = { 0 };
    uint32_t before = SR_BACKOFF_FIRST_MS;

    (void)state;
    for (int i = 0; i < 100; i++) {
        sr_backoff_next(&backoff, 12345);
        assert_in_range(longest(backoff), before, SR_BACKOFF_MAX_MS);
        assert_true(longest(backoff) >= before * 13 / 10 - 1 ||
                    longest(backoff) == SR_BACKOFF_MAX_MS);
        before = longest(backoff);
    }
    assert_int_equal(before, SR_BACKOFF_MAX_MS);
    assert_int_equal(shortest(backoff), SR_BACKOFF_MAX_MS / 2);
}

static void five_short_outages_cost_less_than_two_seconds_each(void **state)
{
    struct sr_backoff backoff = { 0 };

    (void)state;
    for (int i = 0; i < 5; i++)
        assert_in_range(sr_backoff_next(&backoff, UINT32_MAX), 0, 2000);
}

static void a_reset_begins_anew(void **state)
{
    struct sr_backoff backoff = { 0 };

    (void)state;
    for (int i = 0; i < 50; i++)
        sr_backoff_next(&backoff, 0);
    sr_backoff_reset(&backoff);
    assert_int_equal(longest(backoff), SR_BACKOFF_FIRST_MS);
}

static void every_random_number_stays_in_bounds(void **state)
{
    static const uint32_t extremes[] = { 0, 1, 0x7fffffff, 0x80000000, UINT32_MAX };

    (void)state;
    for (size_t i = 0; i < sizeof extremes / sizeof *extremes; i++) {
        struct sr_backoff backoff = { 0 };

        for (int k = 0; k < 40; k++)
            assert_in_range(sr_backoff_next(&backoff, extremes[i]),
                            SR_BACKOFF_FIRST_MS / 2, SR_BACKOFF_MAX_MS);
    }
}

static void a_longer_bound_is_reached_and_left_again(void **state)
{
    struct sr_backoff backoff = { 0 };
    const uint32_t day_ms = 86400 * 1000;

    (void)state;
    for (int i = 0; i < 100; i++)
        assert_in_range(sr_backoff_next_within(&backoff, day_ms, 12345), 1, day_ms);
    assert_in_range(sr_backoff_next_within(&backoff, day_ms, UINT32_MAX), day_ms / 2,
                    day_ms);
    assert_in_range(longest(backoff), SR_BACKOFF_MAX_MS, SR_BACKOFF_MAX_MS);
    sr_backoff_next(&backoff, 0);
    assert_int_equal(backoff.next_ms, SR_BACKOFF_MAX_MS);
}

static void a_bound_below_the_first_pause_is_kept(void **state)
{
    struct sr_backoff backoff = { 0 };

    (void)state;
    for (uint32_t i = 0; i < 20; i++)
        assert_in_range(sr_backoff_next_within(&backoff, 100, i), 50, 100);
}

static void the_systems_random_bits_differ(void **state)
{
    uint32_t ones = 0, zeros = 0;

    (void)state;
    for (int i = 0; i < 64; i++) {
        uint32_t bits = sr_random32();

        ones |= bits;
        zeros |= ~bits;
    }
    assert_int_equal(ones, UINT32_MAX);
    assert_int_equal(zeros, UINT32_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_pause_is_about_a_fifth_of_a_second),
        cmocka_unit_test(pauses_grow_by_three_tenths_up_to_a_minute),
        cmocka_unit_test(five_short_outages_cost_less_than_two_seconds_each),
        cmocka_unit_test(a_reset_begins_anew),
        cmocka_unit_test(every_random_number_stays_in_bounds),
        cmocka_unit_test(a_longer_bound_is_reached_and_left_again),
        cmocka_unit_test(a_bound_below_the_first_pause_is_kept),
        cmocka_unit_test(the_systems_random_bits_differ),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
