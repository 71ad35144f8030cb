/* SPDX-License-Identifier: MIT */
#include "protocol/protocol.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
/* after what it needs */
#include <cmocka.h>

static bool valid(const char *name)
{
    return sr_smartrest1.valid(name, strlen(name));
}

static void every_protocol_is_found_by_its_name(void **state)
{
    const struct sr_protocol *protocol;
    size_t count = 0;

    (void)state;
    while ((protocol = sr_protocol_at(count))) {
        assert_ptr_equal(sr_protocol_named(protocol->name, strlen(protocol->name)),
                         protocol);
        assert_null(strchr(protocol->name, ':'));
        count++;
    }
    assert_true(count >= 1);
    assert_null(sr_protocol_named("smartrest", 9));
    assert_null(sr_protocol_named("", 0));
}

static void a_protocol_of_a_test_comes_and_goes(void **state)
{
    static const struct sr_protocol added = { .name = "added" };

    (void)state;
    sr_protocol_add(&added);
    assert_ptr_equal(sr_protocol_named("added", 5), &added);
    sr_protocol_add(NULL);
    assert_null(sr_protocol_named("added", 5));
}

static void the_name_of_a_collection_goes_into_rows_headers_and_topics(void **state)
{
    static const char *const good[] = { "24830", "com.acme.gw-v1", "a/b",
                                        "gr\xc3\xbc" },
                             *const bad[] = {
                                 "",   "a b",  "a,b",   "a\"b", "a+b",
                                 "a#", "a\nb", "a\xff", "\x7f", "a\xc2\x85"
                             };
    char long_name[258];

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(valid(good[i]));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(valid(bad[i]));
    memset(long_name, 'n', sizeof long_name);
    assert_true(sr_smartrest1.valid(long_name, 255));
    assert_false(sr_smartrest1.valid(long_name, 256));
    assert_false(sr_smartrest1.valid("a\0b", 3));
}

static void a_row_begins_with_a_message_id(void **state)
{
    static const char *const good[] = { "1", "400,a", "1,\"a\nb\"\n2,b", " 1,a" },
                             *const bad[] = {
                                 "", " ", "\n1", ",1", "\"1\",2", "1,\"a"
                             };

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(sr_smartrest1.check(good[i], strlen(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(sr_smartrest1.check(bad[i], strlen(bad[i])));
}

static void all_collections_go_the_same_way(void **state)
{
    struct sr_route route;

    (void)state;
    sr_smartrest1.route(SR_BY_MQTT, "child", &route);
    assert_string_equal(route.to, "s/ul");
    sr_smartrest1.route(SR_BY_HTTP, "child", &route);
    assert_string_equal(route.to, "/s");
    assert_null(route.content_type);
}

static void what_arrives_has_an_origin(void **state)
{
    const char *name;

    (void)state;
    assert_int_equal(sr_smartrest1.hear("s/dl", &name), SR_HEAR_ROWS);
    assert_null(name);
    assert_int_equal(sr_smartrest1.hear("s/ol/24830", &name), SR_HEAR_ROWS);
    assert_string_equal(name, "24830");
    assert_int_equal(sr_smartrest1.hear("s/e", &name), SR_HEAR_ERRORS);
    assert_int_equal(sr_smartrest1.hear("s/ds", &name), SR_HEAR_NOTHING);
    assert_int_equal(sr_smartrest1.hear("s/o", &name), SR_HEAR_NOTHING);
}

static void operations_of_a_collection_need_its_topic(void **state)
{
    struct sr_topic topics[SR_TOPICS_MAX];

    (void)state;
    assert_int_equal(sr_smartrest1.topics("24830", topics), 3);
    assert_string_equal(topics[0].name, "s/dl");
    assert_int_equal(topics[0].qos, 1);
    assert_string_equal(topics[1].name, "s/ol/24830");
    assert_int_equal(topics[1].qos, 1);
    assert_string_equal(topics[2].name, "s/e");
    assert_int_equal(topics[2].qos, 0);
    assert_int_equal(sr_smartrest1.topics(NULL, topics), 2);
}

/* 16,184 bytes of a packet: 5 of the longest header, 6 of the topic, 2 of the message id, the rest
 * is payload; in which `15,<X-Id>` and its line end are. */
static void the_longest_row_is_what_a_packet_has_left(void **state)
{
    (void)state;
    assert_int_equal(sr_protocol_overhead(&sr_smartrest1, SR_BY_MQTT, "child"),
                     16184 - 16172);
    assert_int_equal(sr_protocol_row_max(&sr_smartrest1, SR_BY_MQTT, "child", false),
                     16172 - strlen("15,child\n"));
    assert_int_equal(sr_protocol_row_max(&sr_smartrest1, SR_BY_MQTT, "", true),
                     16172 - strlen("15,\n") - 255);
    assert_int_equal(sr_protocol_row_max(&sr_smartrest1, SR_BY_HTTP, "child", false),
                     262144);
    assert_int_equal(sr_protocol_row_max(&sr_smartrest1, SR_BY_HTTP, "", true), 262144);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_protocol_is_found_by_its_name),
        cmocka_unit_test(a_protocol_of_a_test_comes_and_goes),
        cmocka_unit_test(the_name_of_a_collection_goes_into_rows_headers_and_topics),
        cmocka_unit_test(a_row_begins_with_a_message_id),
        cmocka_unit_test(all_collections_go_the_same_way),
        cmocka_unit_test(what_arrives_has_an_origin),
        cmocka_unit_test(operations_of_a_collection_need_its_topic),
        cmocka_unit_test(the_longest_row_is_what_a_packet_has_left),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
