/* SPDX-License-Identifier: MIT */
#include "log/limit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* How many of `lines` at one moment are written. */
static unsigned written(struct sr_log_limit *limit, unsigned lines, uint64_t now_ms)
{
    unsigned n = 0;

    while (lines--)
        n += sr_log_limit_allows(limit, now_ms);
    return n;
}

static void a_few_lines_are_written_and_the_others_counted_once(void **state)
{
    struct sr_log_limit limit = { 0 };

    (void)state;
    assert_int_equal(written(&limit, 50000, 7), SR_LOG_FEW);
    assert_int_equal(sr_log_limit_due_ms(&limit), 7 + SR_LOG_PERIOD_MS);
    assert_int_equal(sr_log_limit_count(&limit, 6 + SR_LOG_PERIOD_MS), 0);
    assert_int_equal(sr_log_limit_count(&limit, 7 + SR_LOG_PERIOD_MS),
                     50000 - SR_LOG_FEW);
    assert_int_equal(sr_log_limit_count(&limit, 7 + SR_LOG_PERIOD_MS), 0);
    assert_int_equal(sr_log_limit_due_ms(&limit), UINT64_MAX);
}

static void lines_that_are_few_are_all_written(void **state)
{
    struct sr_log_limit limit = { 0 };

    (void)state;
    for (uint64_t now = 0; now < 100 * SR_LOG_PERIOD_MS; now += SR_LOG_PERIOD_MS)
        assert_int_equal(written(&limit, SR_LOG_FEW, now), SR_LOG_FEW);
    assert_int_equal(sr_log_limit_due_ms(&limit), UINT64_MAX);
}

/* The clock may have begun just now, and the machine be up for long. */
static void the_first_lines_are_written_at_any_time(void **state)
{
    const uint64_t times[] = { 0, 1, SR_LOG_PERIOD_MS, UINT64_C(1) << 40 };

    (void)state;
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        struct sr_log_limit limit = { 0 };

        assert_int_equal(written(&limit, 10, times[i]), SR_LOG_FEW);
    }
}

static void a_flood_that_lasts_has_a_few_lines_and_a_count_in_each_period(void **state)
{
    struct sr_log_limit limit = { 0 };
    unsigned lines = 0;
    uint64_t counted = 0, counts = 0;

    (void)state;
    for (uint64_t now = 0; now < 10 * SR_LOG_PERIOD_MS; now++) {
        if (now == sr_log_limit_due_ms(&limit)) {
            counted += sr_log_limit_count(&limit, now);
            counts++;
        }
        lines += written(&limit, 1, now);
    }
    counted += sr_log_limit_count(&limit, 11 * SR_LOG_PERIOD_MS);
    assert_int_equal(counts, 9);
    assert_int_equal(lines, 10 * SR_LOG_FEW);
    assert_int_equal(lines + counted, 10 * SR_LOG_PERIOD_MS);
}

/* Without a timer: nothing is written before the count, so that it is of one stretch. */
static void a_count_that_is_fetched_late_has_all(void **state)
{
    struct sr_log_limit limit = { 0 };

    (void)state;
    written(&limit, 10, 0);
    assert_int_equal(written(&limit, 10, 5 * SR_LOG_PERIOD_MS), 0);
    assert_int_equal(sr_log_limit_count(&limit, 5 * SR_LOG_PERIOD_MS), 20 - SR_LOG_FEW);
    assert_int_equal(written(&limit, 10, 5 * SR_LOG_PERIOD_MS), SR_LOG_FEW);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_few_lines_are_written_and_the_others_counted_once),
        cmocka_unit_test(lines_that_are_few_are_all_written),
        cmocka_unit_test(the_first_lines_are_written_at_any_time),
        cmocka_unit_test(a_flood_that_lasts_has_a_few_lines_and_a_count_in_each_period),
        cmocka_unit_test(a_count_that_is_fetched_late_has_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
