/* SPDX-License-Identifier: MIT */
#include "agent/agent_p.h"

#include <setjmp.h>
#include <smartrest/smartrest.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* after what it needs */
#include <cmocka.h>

static int set_up(void **state)
{
    return sr_agent_new("http://localhost", "device", (struct sr_agent **)state);
}

static int tear_down(void **state)
{
    sr_agent_free(*state);
    return 0;
}

static void an_operation_is_taken_once(void **state)
{
    assert_true(sr_agent_take_operation(*state, "24902"));
    assert_true(sr_agent_take_operation(*state, "24903"));
    assert_false(sr_agent_take_operation(*state, "24902"));
    assert_false(sr_agent_take_operation(*state, "24903"));
    assert_true(sr_agent_take_operation(*state, "2490"));
}

static void what_is_no_id_is_never_new(void **state)
{
    char long_id[300] = "";

    memset(long_id, '1', sizeof long_id - 1);
    assert_false(sr_agent_take_operation(NULL, "1"));
    assert_false(sr_agent_take_operation(*state, NULL));
    assert_false(sr_agent_take_operation(*state, ""));
    assert_false(sr_agent_take_operation(*state, "1,2"));
    assert_false(sr_agent_take_operation(*state, long_id));
}

static bool take(void *state, unsigned number)
{
    char id[16];

    snprintf(id, sizeof id, "%u", number);
    return sr_agent_take_operation(state, id);
}

static void the_last_ones_are_known_and_older_ones_make_room(void **state)
{
    for (unsigned i = 0; i < SR_OPERATIONS_KEPT; i++)
        assert_true(take(*state, i));
    for (unsigned i = 0; i < SR_OPERATIONS_KEPT; i++)
        assert_false(take(*state, i));
    assert_true(take(*state, SR_OPERATIONS_KEPT));
    assert_false(take(*state, 1));
    assert_true(take(*state, 0));
}

/* --- connected ---------------------------------------------------------- */

static char told[32]; /* who was, a letter each */
static char y[] = "y", z[] = "z";

static void hear(struct sr_agent *agent, void *name)
{
    (void)agent;
    strcat(told, name);
}

static void expect_told(struct sr_agent *agent, const char *names)
{
    *told = '\0';
    sr_agent_connected(agent);
    assert_int_equal(strlen(told), strlen(names));
    for (const char *name = names; *name; name++)
        assert_non_null(strchr(told, *name));
}

static void all_who_asked_are_told_that_the_way_down_is_open(void **state)
{
    static char a[] = "a", b[] = "b", c[] = "c";

    expect_told(*state, "");
    assert_int_equal(sr_agent_add_connected(*state, hear, b), 0);
    assert_int_equal(sr_agent_add_connected(*state, hear, c), 0);
    expect_told(*state, "bc");
    sr_agent_on_connected(*state, hear, a);
    expect_told(*state, "abc");
    sr_agent_remove_connected(*state, hear, b);
    sr_agent_remove_connected(*state, hear, b);
    expect_told(*state, "ac");
    sr_agent_on_connected(*state, NULL, NULL);
    expect_told(*state, "c");
}

static void add_two(struct sr_agent *agent, void *arg)
{
    (void)arg;
    sr_agent_remove_connected(agent, add_two, NULL);
    sr_agent_remove_connected(agent, hear, y);
    sr_agent_add_connected(agent, hear, y);
    sr_agent_add_connected(agent, hear, z);
}

static void those_who_come_and_go_meanwhile_count_from_the_next_time(void **state)
{
    sr_agent_add_connected(*state, hear, y);
    sr_agent_add_connected(*state, add_two, NULL);
    expect_told(*state, "");
    expect_told(*state, "yz");
}

static void who_asks_without_an_agent_or_a_function_is_refused(void **state)
{
    assert_int_equal(sr_agent_add_connected(NULL, hear, NULL), SR_E_INVAL);
    assert_int_equal(sr_agent_add_connected(*state, NULL, NULL), SR_E_INVAL);
    sr_agent_remove_connected(NULL, hear, NULL);
    sr_agent_remove_connected(*state, NULL, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_operation_is_taken_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_no_id_is_never_new, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            the_last_ones_are_known_and_older_ones_make_room, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            all_who_asked_are_told_that_the_way_down_is_open, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            those_who_come_and_go_meanwhile_count_from_the_next_time, set_up,
            tear_down),
        cmocka_unit_test_setup_teardown(
            who_asks_without_an_agent_or_a_function_is_refused, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
