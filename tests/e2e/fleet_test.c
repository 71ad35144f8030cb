/* SPDX-License-Identifier: MIT */
/* Many devices on one sandbox. */
#include "world.h"

#include <stdio.h>

static struct world world;

static int start(void **state)
{
    (void)state;
    world_prepare(&world);
    world_start(&world, "--auto-accept");
    return 0;
}

static int end(void **state)
{
    (void)state;
    world_end(&world);
    return 0;
}

static void forty_devices_see_their_own_answers_and_operations_only(void **state)
{
    const char *argv[] = { FLEET_AGENT,       "40", "25", world.server, world.broker,
                           world.sandbox.dir, NULL };
    struct program fleet;

    (void)state;
    program_start(&fleet, argv);
    program_await(&fleet, "all connected");
    for (int i = 0; i < 40; i++) {
        char id[32], object[32], operation[32];

        snprintf(id, sizeof id, "fleet-%d", i);
        operator_find_device(&world, id, object);
        operator_restart(&world, object, operation);
        operator_await_status(&world, object, operation, "SUCCESSFUL");
    }
    if (program_await_end(&fleet, PATIENCE_MS))
        fail_msg("%s%s", fleet.text[0], fleet.text[1]);
    assert_int_equal(operator_count_devices(&world), 40);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forty_devices_see_their_own_answers_and_operations_only),
    };

    return cmocka_run_group_tests(tests, start, end);
}
