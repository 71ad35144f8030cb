/* SPDX-License-Identifier: MIT */
#include "reporter/payloads.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
/* after what it needs */
#include <cmocka.h>

static char *next(struct sr_payloads *payloads)
{
    char *buffer = sr_payloads_spare(payloads);

    sr_payloads_take(payloads, buffer);
    return buffer;
}

static void payloads_under_way_are_not_written_over_whatever_order_they_end_in(
    void **state)
{
    struct sr_payloads payloads;
    char *a, *b, *c;

    (void)state;
    assert_int_equal(sr_payloads_init(&payloads, 3, 10), 0);
    a = next(&payloads);
    b = next(&payloads);
    c = next(&payloads);
    sr_payloads_give(&payloads, b);
    assert_ptr_equal(next(&payloads), b);
    sr_payloads_give(&payloads, c);
    sr_payloads_give(&payloads, a);
    assert_ptr_equal(next(&payloads), a);
    assert_ptr_equal(next(&payloads), c);
    assert_true(a != b && b != c && a != c);
    sr_payloads_release(&payloads);
}

static void the_last_one_stays_until_the_next_is_made(void **state)
{
    struct sr_payloads payloads;
    char *last;

    (void)state;
    assert_int_equal(sr_payloads_init(&payloads, 1, 10), 0);
    for (int i = 0; i < 5; i++) {
        last = next(&payloads);
        sr_payloads_give(&payloads, last);
        sr_payloads_give(&payloads, NULL);
        assert_true(sr_payloads_spare(&payloads) != last);
    }
    sr_payloads_release(&payloads);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            payloads_under_way_are_not_written_over_whatever_order_they_end_in),
        cmocka_unit_test(the_last_one_stays_until_the_next_is_made),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
