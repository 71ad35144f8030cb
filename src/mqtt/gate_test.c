/* SPDX-License-Identifier: MIT */
#include "mqtt/gate.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after what it needs */
#include <cmocka.h>
#include <string.h>

enum { MAX = 1000 };

static int set_up(void **state)
{
    static struct sr_gate gate;

    sr_gate_init(&gate, MAX);
    *state = &gate;
    return 0;
}

static int tear_down(void **state)
{
    sr_gate_release(*state);
    return 0;
}

/* In one piece. Returns how much passes. */
static size_t look(struct sr_gate *gate, const void *bytes, size_t len,
                   enum sr_gate_verdict expected)
{
    size_t pass = 99;

    assert_int_equal(sr_gate_look(gate, bytes, len, &pass), expected);
    return pass;
}

#define PASSES(gate, text) \
    assert_int_equal(look(gate, text, sizeof text - 1, SR_GATE_PASS), sizeof text - 1)

static void packets_of_every_type_pass(void **state)
{
    PASSES(*state, "\x20\2\0\0\x90\3\0\1\0\x40\2\0\1\xd0\0\x30\3\0\1a\x62\2\0\7");
}

static void a_packet_that_is_too_large_stops_at_its_length(void **state)
{
    /* 1,001 bytes behind a packet that is as large as can be. */
    static char bytes[3 + MAX + 3] = "\x30\xe8\x07";

    memcpy(bytes + 3 + MAX, "\x32\xe9\x07", 3);
    assert_int_equal(look(*state, bytes, sizeof bytes, SR_GATE_TOO_LARGE),
                     sizeof bytes - 1);
}

/* libmosquitto allocates when it has the last byte of the length. */
static void a_length_may_come_byte_by_byte(void **state)
{
    static const char publish[] = "\x30\xff\xff\xff\x7f";

    for (int i = 0; i < 4; i++)
        assert_int_equal(look(*state, publish + i, 1, SR_GATE_PASS), 1);
    assert_int_equal(look(*state, publish + 4, 1, SR_GATE_TOO_LARGE), 0);
}

static void a_length_of_five_bytes_is_none(void **state)
{
    assert_int_equal(look(*state, "\x30\x80\x80\x80\x80\x01", 6, SR_GATE_MALFORMED), 5);
}

static void a_type_of_zero_is_none(void **state)
{
    assert_int_equal(look(*state, "\xd0\0\0\x80\x80\x80\x7f", 7, SR_GATE_MALFORMED), 2);
}

/* libmosquitto only says that the protocol is broken. */
static void a_suback_without_codes_is_named(void **state)
{
    assert_int_equal(look(*state, "\x90\x02\0\x01", 4, SR_GATE_NO_CODES), 1);
}

/* 65,535 topics in one SUBSCRIBE are legal. */
static void an_answer_may_be_larger_than_a_message(void **state)
{
    PASSES(*state, "\x90\x81\x80\x04");
    sr_gate_release(*state);
    set_up(state);
    assert_int_equal(look(*state, "\x90\x82\x80\x04", 4, SR_GATE_TOO_LARGE), 3);
}

/* A message with QoS 2, 1 byte of topic, in pieces of `step` bytes. */
static enum sr_gate_verdict send_qos_2(struct sr_gate *gate, uint16_t id, size_t step)
{
    char bytes[2 + 105] = "\x34\x69\0\1t";
    enum sr_gate_verdict verdict = SR_GATE_PASS;
    size_t pass;

    bytes[5] = (char)(id >> 8);
    bytes[6] = (char)id;
    for (size_t at = 0; at < sizeof bytes && !verdict; at += step)
        verdict =
            sr_gate_look(gate, bytes + at,
                         at + step < sizeof bytes ? step : sizeof bytes - at, &pass);
    return verdict;
}

static void release(struct sr_gate *gate, uint16_t id)
{
    const char bytes[] = { 0x62, 2, (char)(id >> 8), (char)id };

    assert_int_equal(look(gate, bytes, sizeof bytes, SR_GATE_PASS), 4);
}

/* Each costs 105 bytes and 256 for what is around it: two fit into 1,000. */
static void messages_that_are_not_released_are_bounded(void **state)
{
    assert_int_equal(send_qos_2(*state, 1, 7), SR_GATE_PASS);
    assert_int_equal(send_qos_2(*state, 2, 1), SR_GATE_PASS);
    assert_int_equal(send_qos_2(*state, 3, 100), SR_GATE_TOO_MANY);
}

static void what_is_released_makes_room(void **state)
{
    assert_int_equal(send_qos_2(*state, 1, 100), SR_GATE_PASS);
    for (uint16_t i = 2; i < 5000; i++) {
        assert_int_equal(send_qos_2(*state, i, i % 110 + 1), SR_GATE_PASS);
        release(*state, (uint16_t)(i - 1));
        release(*state, 60000); /* never sent */
    }
    assert_int_equal(((struct sr_gate *)*state)->held_count, 1);
    release(*state, 4999);
    assert_int_equal(((struct sr_gate *)*state)->held_cost, 0);
}

/* libmosquitto keeps each of them. */
static void an_id_that_comes_twice_counts_twice(void **state)
{
    assert_int_equal(send_qos_2(*state, 1, 100), SR_GATE_PASS);
    assert_int_equal(send_qos_2(*state, 1, 100), SR_GATE_PASS);
    release(*state, 1);
    assert_int_equal(send_qos_2(*state, 1, 100), SR_GATE_PASS);
    assert_int_equal(send_qos_2(*state, 1, 100), SR_GATE_TOO_MANY);
}

static void one_message_may_be_as_large_as_the_limit(void **state)
{
    PASSES(*state, "\x34\xe8\x07\0\1t\0\1");
}

static void other_messages_are_not_counted(void **state)
{
    for (int i = 0; i < 100; i++)
        PASSES(*state, "\x32\5\0\1t\0\1\x30\3\0\1t");
    assert_int_equal(((struct sr_gate *)*state)->held_cost, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(packets_of_every_type_pass),
        TEST(a_packet_that_is_too_large_stops_at_its_length),
        TEST(a_length_may_come_byte_by_byte),
        TEST(a_length_of_five_bytes_is_none),
        TEST(a_suback_without_codes_is_named),
        TEST(a_type_of_zero_is_none),
        TEST(an_answer_may_be_larger_than_a_message),
        TEST(messages_that_are_not_released_are_bounded),
        TEST(what_is_released_makes_room),
        TEST(an_id_that_comes_twice_counts_twice),
        TEST(one_message_may_be_as_large_as_the_limit),
        TEST(other_messages_are_not_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
