/* SPDX-License-Identifier: MIT */
#include "protocol/join.h"

#include <setjmp.h>
#include <smartrest/agent.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
/* after what it needs */
#include <cmocka.h>

/* The payload is exactly `max` bytes on the heap, so that a sanitizer sees one too many. */
static struct sr_join begin(size_t max, size_t rows_max)
{
    struct sr_join join;

    sr_join_init(&join, "24830", malloc(max), max, rows_max);
    return join;
}

static bool add(struct sr_join *join, const char *row)
{
    return sr_join_add(join, row, strlen(row), 0);
}

static bool add_for_another(struct sr_join *join, const char *row)
{
    return sr_join_add(join, row, strlen(row), SR_PRIO_XID);
}

static void expect(struct sr_join *join, const char *payload)
{
    assert_int_equal(join->len, strlen(payload));
    assert_memory_equal(join->payload, payload, join->len);
    free(join->payload);
}

static void the_payload_begins_with_the_collection(void **state)
{
    struct sr_join join = begin(100, 10);

    (void)state;
    assert_true(add(&join, "103,4711,12.5"));
    expect(&join, "15,24830\n103,4711,12.5");
}

static void rows_keep_their_order_with_a_line_end_between(void **state)
{
    struct sr_join join = begin(100, 10);

    (void)state;
    assert_true(add(&join, "1,a"));
    assert_true(add(&join, "2,b"));
    assert_true(add(&join, "3,c"));
    expect(&join, "15,24830\n1,a\n2,b\n3,c");
}

static void a_row_of_another_collection_brings_its_own_15(void **state)
{
    struct sr_join join = begin(100, 10);

    (void)state;
    assert_true(add(&join, "1,a"));
    assert_true(add_for_another(&join, "other,2,b"));
    assert_true(add_for_another(&join, "other,3,c"));
    assert_true(add_for_another(&join, "others,4,d"));
    assert_true(add(&join, "5,e"));
    expect(&join, "15,24830\n1,a\n15,other\n2,b\n3,c\n15,others\n4,d\n15,24830\n5,e");
}

static void a_payload_may_begin_with_another_collection(void **state)
{
    struct sr_join join = begin(100, 10);

    (void)state;
    assert_true(add_for_another(&join, "other,2,b"));
    expect(&join, "15,other\n2,b");
}

static void the_own_collection_by_number_needs_no_second_15(void **state)
{
    struct sr_join join = begin(100, 10);

    (void)state;
    assert_true(add(&join, "1,a"));
    assert_true(add_for_another(&join, "24830,2,b"));
    expect(&join, "15,24830\n1,a\n2,b");
}

static void stops_exactly_at_the_limit_in_rows(void **state)
{
    struct sr_join join = begin(100, 2);

    (void)state;
    assert_true(add(&join, "1,a"));
    assert_true(add(&join, "2,b"));
    assert_false(add(&join, "3,c"));
    expect(&join, "15,24830\n1,a\n2,b");
}

static void stops_exactly_at_the_limit_in_bytes(void **state)
{
    static const char whole[] = "15,24830\n1,a\n2,b\n15,other\n3,c";

    (void)state;
    for (size_t max = 1; max <= sizeof whole; max++) {
        struct sr_join join = begin(max, 10);

        assert_int_equal(add(&join, "1,a"), max >= strlen("15,24830\n1,a"));
        if (join.rows)
            assert_int_equal(add(&join, "2,b"), max >= strlen("15,24830\n1,a\n2,b"));
        if (join.rows > 1)
            assert_int_equal(add_for_another(&join, "other,3,c"), max >= strlen(whole));
        assert_true(join.len <= max);
        assert_memory_equal(join.payload, whole, join.len);
        free(join.payload);
    }
}

static void a_refused_row_changes_nothing(void **state)
{
    struct sr_join join = begin(strlen("15,24830\n1,a\n2,b"), 10);

    (void)state;
    assert_true(add(&join, "1,a"));
    assert_false(add_for_another(&join, "other,2,b"));
    assert_true(add(&join, "2,b"));
    expect(&join, "15,24830\n1,a\n2,b");
}

static void several_rows_in_one_stay_together(void **state)
{
    struct sr_join join = begin(100, 10);

    (void)state;
    assert_true(add_for_another(&join, "other,1,a\n2,b"));
    assert_true(add(&join, "3,c"));
    expect(&join, "15,other\n1,a\n2,b\n15,24830\n3,c");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_payload_begins_with_the_collection),
        cmocka_unit_test(rows_keep_their_order_with_a_line_end_between),
        cmocka_unit_test(a_row_of_another_collection_brings_its_own_15),
        cmocka_unit_test(a_payload_may_begin_with_another_collection),
        cmocka_unit_test(the_own_collection_by_number_needs_no_second_15),
        cmocka_unit_test(stops_exactly_at_the_limit_in_rows),
        cmocka_unit_test(stops_exactly_at_the_limit_in_bytes),
        cmocka_unit_test(a_refused_row_changes_nothing),
        cmocka_unit_test(several_rows_in_one_stay_together),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
