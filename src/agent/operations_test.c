/* SPDX-License-Identifier: MIT */
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_operation_is_taken_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_no_id_is_never_new, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            the_last_ones_are_known_and_older_ones_make_room, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
