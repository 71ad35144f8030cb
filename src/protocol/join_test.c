/* SPDX-License-Identifier: MIT */
#include "protocol/join.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
/* after what it needs */
#include <cmocka.h>

static const struct sr_channel own = { .protocol = &sr_smartrest1 };

/* A test has few of them. */
static const struct sr_channel *another(const char *name)
{
    static struct sr_channel *channels[4];
    size_t i = 0;

    while (channels[i] && strcmp(channels[i]->name, name))
        i++;
    if (!channels[i])
        channels[i] = calloc(1, sizeof *channels[i] + strlen(name) + 1);
    channels[i]->protocol = &sr_smartrest1;
    channels[i]->number = (uint32_t)i + 1;
    channels[i]->len = (uint16_t)strlen(name);
    strcpy(channels[i]->name, name);
    return channels[i];
}

/* The payload has as many bytes on the heap as it may need, so that a sanitizer sees one too
 * many. */
static struct sr_join begin(size_t max, size_t rows_max)
{
    static const size_t alone = sizeof "15,24830\n1,a" - 1;
    struct sr_join join;

    sr_join_init(&join, SR_BY_HTTP, "24830", malloc(max > alone ? max : alone), max,
                 rows_max);
    return join;
}

static bool add(struct sr_join *join, const char *row)
{
    return sr_join_add(join, &own, row, strlen(row));
}

static bool add_for_another(struct sr_join *join, const char *row)
{
    char name[16] = "";
    size_t len = strcspn(row, ",");

    memcpy(name, row, len);
    row += len + 1;
    return sr_join_add(join, another(name), row, strlen(row));
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

        assert_true(add(&join, "1,a")); /* it may have more, alone */
        assert_int_equal(add(&join, "2,b"), max >= strlen("15,24830\n1,a\n2,b"));
        if (join.rows > 1)
            assert_int_equal(add_for_another(&join, "other,3,c"), max >= strlen(whole));
        assert_true(join.rows == 1 || join.len <= max);
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

/* What a payload by `by` may have, to the byte. */
static void expect_limit(enum sr_carrier by, size_t most)
{
    size_t room = sr_join_room(by);
    char *payload = malloc(room), *row = malloc(most + 1);
    struct sr_join join;

    memset(row, '1', most + 1);
    sr_join_init(&join, by, "24830", payload, 1000, 10);
    assert_int_equal(sr_join_row_max(&join, &own), most);
    assert_false(sr_join_add(&join, &own, row, most + 1));
    assert_true(sr_join_add(&join, &own, row, most));
    assert_int_equal(join.len, strlen("15,24830\n") + most);
    assert_false(sr_join_add(&join, &own, "1", 1)); /* it goes alone */
    free(payload);
    free(row);
}

static void one_row_alone_may_have_all_that_its_carrier_takes(void **state)
{
    (void)state;
    expect_limit(SR_BY_MQTT, 16172 - strlen("15,24830\n"));
    expect_limit(SR_BY_HTTP,
                 sr_smartrest1.payload_max[SR_BY_HTTP] - strlen("15,24830\n"));
}

static void route_by_name(enum sr_carrier by, const char *name,
                          struct sr_route *ret_route)
{
    (void)by;
    strcpy(ret_route->to, name);
}

static void who_shares_a_payload_is_the_protocols_business(void **state)
{
    static const struct sr_protocol by_channel = { .name = "a",
                                                   .joining = SR_JOIN_CHANNEL,
                                                   .payload_max = { 1000, 1000 },
                                                   .route = route_by_name },
                                    document = { .name = "b",
                                                 .joining = SR_JOIN_NEVER,
                                                 .payload_max = { 1000, 1000 },
                                                 .route = route_by_name };
    static const struct sr_channel a = { .protocol = &by_channel, .number = 1 },
                                   b = { .protocol = &by_channel, .number = 2 },
                                   c = { .protocol = &document, .number = 3 };
    struct sr_join join = begin(100, 10);

    (void)state;
    assert_true(sr_join_add(&join, &a, "1,a", 3));
    assert_false(sr_join_add(&join, &b, "2,b", 3));
    assert_false(sr_join_add(&join, &c, "{}", 2));
    assert_false(sr_join_add(&join, &own, "3,c", 3));
    assert_true(sr_join_add(&join, &a, "4,d", 3));
    expect(&join, "1,a\n4,d");
    join = begin(100, 10);
    assert_true(sr_join_add(&join, &c, "{}", 2));
    assert_false(sr_join_add(&join, &c, "{}", 2));
    expect(&join, "{}");
}

static void what_a_carrier_does_not_take_is_too_large_for_it(void **state)
{
    static const struct sr_protocol mqtt_only = {
        .name = "a", .payload_max = {1000, 0},
             .route = route_by_name
    };
    static const struct sr_channel channel = { .protocol = &mqtt_only, .number = 1 };
    struct sr_join join = begin(100, 10);

    (void)state;
    assert_int_equal(sr_join_row_max(&join, &channel), 0);
    assert_false(sr_join_add(&join, &channel, "1", 1));
    expect(&join, "");
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
        cmocka_unit_test(one_row_alone_may_have_all_that_its_carrier_takes),
        cmocka_unit_test(who_shares_a_payload_is_the_protocols_business),
        cmocka_unit_test(what_a_carrier_does_not_take_is_too_large_for_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
