/* SPDX-License-Identifier: MIT */
/* Examples 04 and 05: operations by device push, and templates from a file, against the
 * sandbox. */
#include "world.h"

#include <stdlib.h>
#include <string.h>

static struct world world;

static int start(void **state)
{
    (void)state;
    world_prepare(&world);
    world_start(&world, NULL);
    return 0;
}

static int end(void **state)
{
    (void)state;
    world_end(&world);
    return 0;
}

/* Says everything: only then one sees when it listens. */
static void start_example(struct program *agent, const char *name, const char *id)
{
    char path[512], credentials[256];
    const char *argv[] = { path, "-s",        world.server, "-d", id,
                           "-c", credentials, "-vv",        NULL };

    snprintf(path, sizeof path, "%s/%s", EXAMPLES, name);
    snprintf(credentials, sizeof credentials, "%s/%s.credentials", world.sandbox.dir,
             id);
    program_start(agent, argv);
}

/* Operations made before a device listens do not reach it by push. */
static void await_listening(struct program *agent)
{
    program_await(agent, "subscribed");
}

static void start_device(struct program *agent, const char *example, const char *id,
                         char ret_object[32])
{
    start_example(agent, example, id);
    operator_register(&world, id);
    operator_find_device(&world, id, ret_object);
    await_listening(agent);
}

/* It is EXECUTING for a second only, which who looks now and then may miss. */
static void restart_runs(const char *object)
{
    char operation[32];

    operator_restart(&world, object, operation);
    operator_await_status(&world, object, operation, "SUCCESSFUL");
}

static size_t times_said(const struct program *program, const char *text)
{
    size_t times = 0;

    for (const char *at = program->text[1]; (at = strstr(at, text)); at++)
        times++;
    return times;
}

static void expect_restart_is_supported(const char *object)
{
    json_t *device = operator_get(&world, "/inventory/managedObjects/%s", object);
    json_t *list = json_object_get(device, "c8y_SupportedOperations");

    assert_int_equal(json_array_size(list), 1);
    assert_string_equal(json_string_value(json_array_get(list, 0)), "c8y_Restart");
    json_decref(device);
}

/* First of all, while nobody has registered the collection: with the file's templates. */
static void with_templates_from_a_file_it_does_the_same(void **state)
{
    struct program agent;
    char object[32];

    (void)state;
    start_device(&agent, "05-template", "gw-file", object);
    restart_runs(object);
    expect_restart_is_supported(object);
    program_interrupt(&agent);
}

static void operations_come_by_device_push(void **state)
{
    struct program agent;
    char object[32];

    (void)state;
    start_device(&agent, "04-operation", "gw-push", object);
    json_decref(operator_await_measurements(&world, object, 1));
    restart_runs(object);
    restart_runs(object);
    expect_restart_is_supported(object);
    program_interrupt(&agent);
}

static void no_restart_is_lost_or_doubled(void **state)
{
    struct program agent;
    char object[32], operation[20][32];
    json_t *list;

    (void)state;
    start_example(&agent, "04-operation", "gw-push");
    operator_find_device(&world, "gw-push", object);
    await_listening(&agent);
    for (int i = 0; i < 20; i++)
        operator_restart(&world, object, operation[i]);
    for (int i = 0; i < 20; i++)
        operator_await_status(&world, object, operation[i], "SUCCESSFUL");
    program_interrupt(&agent);

    list = operator_get(
        &world, "/devicecontrol/operations?deviceId=%s&pageSize=100&status=SUCCESSFUL",
        object);
    assert_int_equal(json_array_size(json_object_get(list, "operations")), 22);
    json_decref(list);
    assert_int_equal(times_said(&agent, "restarting device"), 20);
}

/* Made at once, before the agent is connected again, or just after: it is fetched, or pushed. */
static void after_an_outage_it_listens_again(void **state)
{
    struct program agent;
    char object[32];

    (void)state;
    start_example(&agent, "04-operation", "gw-push");
    operator_find_device(&world, "gw-push", object);
    await_listening(&agent);
    world_kill(&world);
    world_start(&world, NULL);
    restart_runs(object);
    program_interrupt(&agent);
}

static void ends_at_once_though_a_request_is_held(void **state)
{
    struct program agent;

    (void)state;
    start_example(&agent, "04-operation", "gw-push");
    await_listening(&agent);
    assert_true(program_interrupt(&agent) < 10 * 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(with_templates_from_a_file_it_does_the_same),
        cmocka_unit_test(operations_come_by_device_push),
        cmocka_unit_test(no_restart_is_lost_or_doubled),
        cmocka_unit_test(after_an_outage_it_listens_again),
        cmocka_unit_test(ends_at_once_though_a_request_is_held),
    };

    return cmocka_run_group_tests(tests, start, end);
}
