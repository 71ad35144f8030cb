/* SPDX-License-Identifier: MIT */
/* What a person sees who follows the README: example 07 against the sandbox. */
#include "world.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

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

static void registers_integrates_and_reports_in_one_run(void **state)
{
    struct program agent;
    char object[32];
    json_t *measurements, *value;

    (void)state;
    example_start(&agent, &world, "07-mqtt", "gw-0001");
    operator_register(&world, "gw-0001");
    operator_find_device(&world, "gw-0001", object);

    measurements = operator_await_measurements(&world, object, 1);
    value =
        json_object_get(json_object_get(json_object_get(json_array_get(measurements, 0),
                                                        "c8y_CPUMeasurement"),
                                        "Workload"),
                        "value");
    assert_true(json_is_number(value));
    assert_true(json_number_value(value) >= 0 && json_number_value(value) <= 100);
    json_decref(measurements);
    program_interrupt(&agent);
}

static void keeps_credentials_to_itself(void **state)
{
    char path[128];
    struct stat st;

    (void)state;
    snprintf(path, sizeof path, "%s/gw-0001.credentials", world.sandbox.dir);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
}

static void after_a_restart_it_is_the_same_device(void **state)
{
    size_t devices = operator_count_devices(&world);
    struct program agent;
    char before[32], after[32];

    (void)state;
    operator_find_device(&world, "gw-0001", before);
    example_start(&agent, &world, "02-integrate", "gw-0001");
    assert_int_equal(program_await_end(&agent, PATIENCE_MS), 0);
    assert_true(program_has_said(&agent, before));
    assert_false(program_has_said(&agent, "waiting for device"));

    operator_find_device(&world, "gw-0001", after);
    assert_string_equal(before, after);
    assert_int_equal(operator_count_devices(&world), devices);
}

/* It is EXECUTING for a second only, which who looks now and then may miss. */
static void restart_operation_is_executed_and_then_successful(void **state)
{
    struct program agent;
    char object[32], operation[32];

    (void)state;
    example_start(&agent, &world, "07-mqtt", "gw-0001");
    operator_find_device(&world, "gw-0001", object);
    program_await(&agent, "subscribed");
    operator_restart(&world, object, operation);
    operator_await_status(&world, object, operation, "SUCCESSFUL");
    program_await(&agent, "restarting device");
    program_interrupt(&agent);
}

static void supported_operations_are_a_list_of_one(void **state)
{
    char object[32];
    json_t *device, *list;

    (void)state;
    operator_find_device(&world, "gw-0001", object);
    device = operator_get(&world, "/inventory/managedObjects/%s", object);
    list = json_object_get(device, "c8y_SupportedOperations");
    assert_int_equal(json_array_size(list), 1);
    assert_string_equal(json_string_value(json_array_get(list, 0)), "c8y_Restart");
    json_decref(device);
}

static void hello_says_who_it_is(void **state)
{
    struct program agent;

    (void)state;
    example_start(&agent, &world, "01-hello", "gw-hello");
    operator_register(&world, "gw-hello");
    assert_int_equal(program_await_end(&agent, PATIENCE_MS), 0);
    assert_string_equal(agent.text[0], "Hello, t4711/device_gw-hello!\n");
}

static void measurement_reports_by_http(void **state)
{
    struct program agent;
    char object[32];

    (void)state;
    example_start(&agent, &world, "03-measurement", "gw-http");
    operator_register(&world, "gw-http");
    operator_find_device(&world, "gw-http", object);
    json_decref(operator_await_measurements(&world, object, 1));
    program_interrupt(&agent);
}

static void passwords_are_in_no_output(void **state)
{
    struct program agent;
    char path[128], tenant[64], user[128], password[128];
    char credentials[200];
    const char *argv[] = { EXAMPLES "/07-mqtt", "-s",  world.server, "-b",
                           world.broker,        "-d",  "gw-0001",    "-c",
                           credentials,         "-vv", NULL };
    FILE *file;

    (void)state;
    snprintf(path, sizeof path, "%s/gw-0001.credentials", world.sandbox.dir);
    file = fopen(path, "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%63s %127s %127s", tenant, user, password), 3);
    fclose(file);

    snprintf(credentials, sizeof credentials, "%s", path);
    program_start(&agent, argv);
    program_await(&agent, "subscribed");
    program_interrupt(&agent);
    assert_false(program_has_said(&agent, password));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(registers_integrates_and_reports_in_one_run),
        cmocka_unit_test(keeps_credentials_to_itself),
        cmocka_unit_test(after_a_restart_it_is_the_same_device),
        cmocka_unit_test(restart_operation_is_executed_and_then_successful),
        cmocka_unit_test(supported_operations_are_a_list_of_one),
        cmocka_unit_test(hello_says_who_it_is),
        cmocka_unit_test(measurement_reports_by_http),
        cmocka_unit_test(passwords_are_in_no_output),
    };

    return cmocka_run_group_tests(tests, start, end);
}
