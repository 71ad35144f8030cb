/* SPDX-License-Identifier: MIT */
#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <time.h>
/* after what it needs */
#include <cmocka.h>

static void stamp(int64_t wall_ms, const char *expected)
{
    char text[SR_STAMP_LEN + 1];

    sr_stamp(wall_ms, text);
    assert_string_equal(text, expected);
}

static void a_stamp_is_utc_with_milliseconds(void **state)
{
    (void)state;
    stamp(0, "1970-01-01T00:00:00.000Z");
    stamp(INT64_C(1795380300123), "2026-11-22T20:45:00.123Z");
    stamp(INT64_C(1709164799999), "2024-02-28T23:59:59.999Z");
    stamp(INT64_C(1709164800000), "2024-02-29T00:00:00.000Z");
    stamp(INT64_C(2147483648000), "2038-01-19T03:14:08.000Z");
}

static void a_stamp_has_four_digits_for_the_year_whatever_the_clock_says(void **state)
{
    (void)state;
    stamp(-1, "1970-01-01T00:00:00.000Z");
    stamp(INT64_MIN, "1970-01-01T00:00:00.000Z");
    stamp(INT64_C(253402300799999), "9999-12-31T23:59:59.999Z");
    stamp(INT64_C(253402300800000), "9999-12-31T23:59:59.999Z");
    stamp(INT64_MAX, "9999-12-31T23:59:59.999Z");
}

static uint64_t age(struct sr_instant then, struct sr_instant now)
{
    return sr_instant_age(&then, &now);
}

static void within_a_boot_the_age_is_by_its_clock(void **state)
{
    (void)state;
    assert_int_equal(
        age((struct sr_instant){ 5000, 100, 1 }, (struct sr_instant){ -9999, 350, 1 }),
        250);
    assert_int_equal(
        age((struct sr_instant){ 5000, 100, 1 }, (struct sr_instant){ 9000, 99, 1 }),
        0);
}

static void over_boots_the_age_is_by_the_wall_clock(void **state)
{
    (void)state;
    assert_int_equal(
        age((struct sr_instant){ 5000, 100, 1 }, (struct sr_instant){ 9000, 7, 2 }),
        4000);
    assert_int_equal(
        age((struct sr_instant){ 5000, 100, 1 }, (struct sr_instant){ 4000, 7, 2 }), 0);
    assert_true(age((struct sr_instant){ INT64_MIN, 0, 1 },
                    (struct sr_instant){ INT64_MAX, 0, 2 }) == UINT64_MAX);
}

static int64_t wall(struct sr_instant then, struct sr_instant now)
{
    return sr_instant_wall(&then, &now);
}

static void the_wall_time_is_counted_back_from_a_right_clock(void **state)
{
    (void)state;
    assert_int_equal(
        wall((struct sr_instant){ 0, 100, 1 }, (struct sr_instant){ 1000000, 400, 1 }),
        999700);
    /* of another boot: the moment of this one */
    assert_int_equal(
        wall((struct sr_instant){ 0, 100, 1 }, (struct sr_instant){ 1000000, 400, 2 }),
        999600);
    wall((struct sr_instant){ 0, 0, 1 },
         (struct sr_instant){ INT64_MIN, UINT64_MAX, 2 }); /* no overflow */
}

static void the_systems_clock_goes_on_and_knows_its_boot(void **state)
{
    struct sr_instant a = sr_clock_now(&sr_system_clock), b;
    struct timespec t;

    (void)state;
    clock_gettime(CLOCK_REALTIME, &t);
    b = sr_clock_now(&sr_system_clock);
    assert_true(a.boot_ms <= b.boot_ms);
    assert_int_equal(a.boot_tag, b.boot_tag);
    assert_true(a.wall_ms / 1000 - t.tv_sec <= 1);
    assert_true(a.wall_ms > INT64_C(1600000000000));
}

static void fake_now(void *arg, struct sr_instant *ret_now)
{
    *ret_now = *(const struct sr_instant *)arg;
}

static void tests_bring_their_own_time(void **state)
{
    struct sr_instant now = { 1, 2, 3 };
    struct sr_clock clock = { fake_now, &now };

    (void)state;
    assert_int_equal(sr_clock_now(&clock).boot_ms, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stamp_is_utc_with_milliseconds),
        cmocka_unit_test(a_stamp_has_four_digits_for_the_year_whatever_the_clock_says),
        cmocka_unit_test(within_a_boot_the_age_is_by_its_clock),
        cmocka_unit_test(over_boots_the_age_is_by_the_wall_clock),
        cmocka_unit_test(the_wall_time_is_counted_back_from_a_right_clock),
        cmocka_unit_test(the_systems_clock_goes_on_and_knows_its_boot),
        cmocka_unit_test(tests_bring_their_own_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
