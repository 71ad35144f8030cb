/* SPDX-License-Identifier: MIT */
#include "reporter/bucket.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* after what it needs */
#include <cmocka.h>

/* Takes one token after the other at `now_ms` until there is none; how many were they? */
static unsigned take_all(struct sr_bucket *bucket, uint64_t now_ms)
{
    unsigned taken = 0;

    if (!sr_bucket_ready(bucket, now_ms))
        return 0;
    for (; sr_bucket_has(bucket) && taken < 1000000; taken++)
        sr_bucket_take(bucket, 1);
    return taken;
}

static void a_rate_of_0_is_no_limit(void **state)
{
    struct sr_bucket bucket;

    (void)state;
    sr_bucket_init(&bucket, 0, 5);
    assert_int_equal(take_all(&bucket, 5), 1000000);
    assert_true(sr_bucket_ready(&bucket, 5));
    assert_int_equal(sr_bucket_wait_ms(&bucket), 0);
}

static void at_first_a_seconds_worth_goes_at_once(void **state)
{
    struct sr_bucket bucket;

    (void)state;
    sr_bucket_init(&bucket, 100, 7000);
    assert_int_equal(take_all(&bucket, 7000), 100);
    assert_int_equal(take_all(&bucket, 7000), 0);
}

/* Whoever asks, and however often, gets no more than the rate. */
static void no_more_goes_than_the_rate_and_one_second_of_it(void **state)
{
    static const uint64_t rates[] = { 1, 3, 7, 100, 999, 20000 };

    (void)state;
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++)
        for (uint64_t step_ms = 1; step_ms < 3000; step_ms = step_ms * 3 + 1) {
            struct sr_bucket bucket;
            uint64_t taken = 0, now = 0;

            sr_bucket_init(&bucket, rates[i], 0);
            for (; now <= 20000; now += step_ms) {
                taken += take_all(&bucket, now);
                assert_true(taken <= rates[i] + rates[i] * now / 1000);
            }
            if (step_ms <= 1000) /* longer than that, and the bucket runs over */
                assert_true(taken + rates[i] / 4 + 1 >= rates[i] * (now / 1000));
        }
}

static void one_that_ran_empty_waits_until_it_is_a_quarter_full(void **state)
{
    struct sr_bucket bucket;

    (void)state;
    sr_bucket_init(&bucket, 100, 0);
    take_all(&bucket, 0);
    assert_false(sr_bucket_ready(&bucket, 249));
    assert_int_equal(sr_bucket_wait_ms(&bucket), 1);
    assert_true(sr_bucket_ready(&bucket, 250));
    assert_int_equal(take_all(&bucket, 250), 25);
}

static void one_that_did_not_run_empty_does_not_wait(void **state)
{
    struct sr_bucket bucket;

    (void)state;
    sr_bucket_init(&bucket, 100, 0);
    sr_bucket_take(&bucket, 99);
    assert_true(sr_bucket_ready(&bucket, 0));
}

static void the_wait_is_exactly_long_enough(void **state)
{
    static const uint64_t rates[] = { 1, 2, 3, 7, 64, 1000, 1536, 1000000000000 };

    (void)state;
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        struct sr_bucket bucket;
        uint64_t wait;

        sr_bucket_init(&bucket, rates[i], 0);
        sr_bucket_take(&bucket, rates[i]);
        assert_false(sr_bucket_ready(&bucket, 0));
        wait = sr_bucket_wait_ms(&bucket);
        assert_false(sr_bucket_ready(&bucket, wait - 1));
        assert_true(sr_bucket_ready(&bucket, wait));
    }
}

static void what_is_larger_than_the_bucket_goes_and_is_owed(void **state)
{
    struct sr_bucket bucket;

    (void)state;
    sr_bucket_init(&bucket, 1000, 0);
    assert_true(sr_bucket_ready(&bucket, 0));
    sr_bucket_take(&bucket, 15360);
    assert_false(sr_bucket_has(&bucket));
    assert_false(sr_bucket_ready(&bucket, 14360));
    assert_true(sr_bucket_ready(&bucket, 14360 + 250));
}

static void a_long_rest_fills_it_and_no_more(void **state)
{
    struct sr_bucket bucket;

    (void)state;
    sr_bucket_init(&bucket, 10, 0);
    take_all(&bucket, 0);
    assert_int_equal(take_all(&bucket, UINT64_MAX / 2), 10);
    /* A clock that goes back brings nothing. */
    assert_int_equal(take_all(&bucket, 1000), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rate_of_0_is_no_limit),
        cmocka_unit_test(at_first_a_seconds_worth_goes_at_once),
        cmocka_unit_test(no_more_goes_than_the_rate_and_one_second_of_it),
        cmocka_unit_test(one_that_ran_empty_waits_until_it_is_a_quarter_full),
        cmocka_unit_test(one_that_did_not_run_empty_does_not_wait),
        cmocka_unit_test(the_wait_is_exactly_long_enough),
        cmocka_unit_test(what_is_larger_than_the_bucket_goes_and_is_owed),
        cmocka_unit_test(a_long_rest_fills_it_and_no_more),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
