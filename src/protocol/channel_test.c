/* SPDX-License-Identifier: MIT */
#include "protocol/channel.h"

#include "protocol/protocol.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
/* after what it needs */
#include <cmocka.h>

static const struct sr_protocol other = { .name = "other" };

static int set_up(void **state)
{
    struct sr_channels *channels = calloc(1, sizeof *channels);

    *state = channels;
    return channels ? sr_channels_init(channels) : -1;
}

static int tear_down(void **state)
{
    sr_channels_release(*state);
    free(*state);
    return 0;
}

static struct sr_channel *get(struct sr_channels *channels,
                              const struct sr_protocol *protocol, const char *name)
{
    struct sr_channel *channel = NULL;

    assert_int_equal(
        sr_channels_get(channels, protocol, name, strlen(name), 0, &channel), 0);
    return channel;
}

static struct sr_channel *child(struct sr_channels *channels, unsigned i)
{
    char name[32];

    snprintf(name, sizeof name, "child-%u", i);
    return get(channels, &sr_smartrest1, name);
}

static void the_own_collection_is_number_0(void **state)
{
    const struct sr_channel *own = sr_channels_at(*state, SR_CHANNEL_OWN);

    assert_non_null(own);
    assert_int_equal(own->number, 0);
    assert_ptr_equal(own->protocol, &sr_smartrest1);
    assert_string_equal(own->name, "");
}

static void the_same_name_is_the_same_channel(void **state)
{
    struct sr_channel *a = get(*state, &sr_smartrest1, "child");

    assert_int_not_equal(a->number, SR_CHANNEL_OWN);
    assert_string_equal(a->name, "child");
    assert_ptr_equal(get(*state, &sr_smartrest1, "child"), a);
    assert_ptr_equal(sr_channels_at(*state, a->number), a);
}

static void a_name_in_another_protocol_is_another_channel(void **state)
{
    struct sr_channel *a = get(*state, &sr_smartrest1, "child");

    assert_ptr_not_equal(get(*state, &other, "child"), a);
    assert_ptr_not_equal(get(*state, &sr_smartrest1, "chil"), a);
    assert_ptr_not_equal(get(*state, &sr_smartrest1, "childe"), a);
    assert_ptr_equal(get(*state, &other, "child")->protocol, &other);
}

static void a_number_that_nobody_has_is_no_channel(void **state)
{
    assert_null(sr_channels_at(*state, 1));
    assert_null(sr_channels_at(*state, SR_CHANNELS_MAX));
    assert_null(sr_channels_at(*state, UINT32_MAX));
}

static void a_number_is_not_used_again_while_rows_name_it(void **state)
{
    struct sr_channel *kept = get(*state, &sr_smartrest1, "kept");
    const uint32_t number = kept->number;

    sr_channels_use(*state, kept);
    sr_channels_use(*state, kept);
    sr_channels_drop(*state, kept);
    for (unsigned i = 0; i < 3u * SR_CHANNELS_MAX; i++)
        assert_int_not_equal(child(*state, i)->number, number);
    assert_ptr_equal(sr_channels_at(*state, number), kept);
    assert_ptr_equal(get(*state, &sr_smartrest1, "kept"), kept);
}

static void a_number_is_used_again_when_no_row_names_it(void **state)
{
    const struct sr_channels *channels = *state;

    for (unsigned i = 0; i < 3u * SR_CHANNELS_MAX; i++) {
        struct sr_channel *channel = child(*state, i);

        sr_channels_use(*state, channel);
        sr_channels_drop(*state, channel);
    }
    assert_true(channels->room < 2000); /* of those that are there at a time */
}

static void what_is_used_all_the_time_keeps_its_number(void **state)
{
    const uint32_t number = child(*state, 0)->number;

    for (unsigned i = 0; i < 1000; i++) {
        struct sr_channel *channel = child(*state, i % 20);

        sr_channels_use(*state, channel);
        sr_channels_drop(*state, channel);
    }
    assert_int_equal(child(*state, 0)->number, number);
}

static void what_is_pinned_stays(void **state)
{
    struct sr_channel *pinned = get(*state, &sr_smartrest1, "pinned");

    sr_channels_pin(*state, pinned);
    sr_channels_pin(*state, pinned);
    for (unsigned i = 0; i < 1000; i++)
        child(*state, i);
    sr_channels_use(*state, pinned);
    sr_channels_drop(*state, pinned);
    for (unsigned i = 1000; i < 2000; i++)
        child(*state, i);
    assert_ptr_equal(sr_channels_at(*state, pinned->number), pinned);
}

static void at_the_bound_it_is_full_until_a_channel_is_let_go(void **state)
{
    struct sr_channel *channel = NULL, *first = child(*state, 0);

    for (unsigned i = 0; i < SR_CHANNELS_MAX; i++)
        sr_channels_use(*state, child(*state, i));
    assert_int_equal(sr_channels_get(*state, &sr_smartrest1, "more", 4, 0, &channel),
                     SR_E_FULL);
    assert_null(channel);
    assert_int_equal(child(*state, 7)->rows, 1); /* who is there is found */
    sr_channels_drop(*state, first);
    assert_int_equal(get(*state, &sr_smartrest1, "more")->number, 1);
}

static void some_numbers_can_be_kept_free(void **state)
{
    enum { SPARE = 1000 };
    struct sr_channel *channel = NULL;

    for (unsigned i = 0; i < SR_CHANNELS_MAX - SPARE; i++)
        sr_channels_use(*state, child(*state, i));
    assert_int_equal(
        sr_channels_get(*state, &sr_smartrest1, "more", 4, SPARE, &channel), SR_E_FULL);
    assert_int_equal(
        sr_channels_get(*state, &sr_smartrest1, "more", 4, SPARE - 1, &channel), 0);
}

static double seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Seconds for `rows` rows that go round `children` channels. */
static double time_rows(struct sr_channels *channels, unsigned children, unsigned rows)
{
    double begin;

    for (unsigned i = 0; i < children; i++)
        sr_channels_use(channels, child(channels, i));
    begin = seconds();
    for (unsigned i = 0; i < rows; i++) {
        struct sr_channel *channel = child(channels, i % children);

        sr_channels_use(channels, channel);
        sr_channels_drop(channels, channel);
    }
    return seconds() - begin;
}

/* log2(10,000) / log2(10) is 4; caches take their part. A list would take 1,000 times as long. */
static void ten_thousand_channels_cost_a_row_little_more_than_ten(void **state)
{
    double few = time_rows(*state, 10, 100000), many = time_rows(*state, 10000, 100000);

    assert_true(many < 40 * few);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_own_collection_is_number_0, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(the_same_name_is_the_same_channel, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_name_in_another_protocol_is_another_channel,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_number_that_nobody_has_is_no_channel, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_number_is_not_used_again_while_rows_name_it,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_number_is_used_again_when_no_row_names_it,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_used_all_the_time_keeps_its_number,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_pinned_stays, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            at_the_bound_it_is_full_until_a_channel_is_let_go, set_up, tear_down),
        cmocka_unit_test_setup_teardown(some_numbers_can_be_kept_free, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(
            ten_thousand_channels_cost_a_row_little_more_than_ten, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
