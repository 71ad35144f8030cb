/* SPDX-License-Identifier: MIT */
/* Example 06-lua against the sandbox: the same plugin over HTTP with push, and over MQTT. */
#include "credentials.h"

#include <stdio.h>
#include <unistd.h>

/* The first measurement comes after ten seconds: both run side by side. */
struct example {
    const char *id, *listening;
    struct program program;
    char object[32];
};

static struct world world;
static struct example by_http = { .id = "gw-lua-http",
                                  .listening = "connect: subscribed" };
static struct example by_mqtt = { .id = "gw-lua-mqtt", .listening = "mqtt: connected" };

static void write_credentials(const char *path, const char *id)
{
    struct credentials credentials;
    FILE *file;

    credentials_get(&world, id, &credentials);
    file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file, "%s\n%s\n%s\n", credentials.tenant, credentials.user,
            credentials.password);
    assert_int_equal(fclose(file), 0);
}

static void start_example(struct example *example, const char *broker)
{
    char credentials[256];
    const char *argv[16] = { EXAMPLE,     "-s", world.server, "-d",
                             example->id, "-c", credentials,  "-vv" };

    snprintf(credentials, sizeof credentials, "%s/%s.credentials", world.sandbox.dir,
             example->id);
    if (access(credentials, F_OK))
        write_credentials(credentials, example->id);
    if (broker) {
        argv[8] = "-b";
        argv[9] = broker;
    }
    program_start(&example->program, argv);
}

static int start(void **state)
{
    (void)state;
    world_prepare(&world);
    world_start(&world, NULL);
    start_example(&by_http, NULL);
    start_example(&by_mqtt, world.broker);
    return 0;
}

static int end(void **state)
{
    (void)state;
    program_kill(&by_http.program);
    program_kill(&by_mqtt.program);
    world_end(&world);
    return 0;
}

/* The operation is EXECUTING for a second only, which who looks now and then may miss. */
static void works_as_a_device(struct example *example)
{
    char operation[32];

    operator_find_device(&world, example->id, example->object);
    program_await(&example->program, example->listening);
    operator_restart(&world, example->object, operation);
    operator_await_status(&world, example->object, operation, "SUCCESSFUL");
    program_await(&example->program, "operation: restarting device");
    json_decref(operator_await_measurements(&world, example->object, 1));
    program_interrupt(&example->program);
}

static void start_anew(struct example *example, const char *broker)
{
    program_kill(&example->program);
    start_example(example, broker);
}

/* It is made while nobody listens, so nobody delivers it. */
static void carries_out_what_was_made_meanwhile(struct example *example,
                                                const char *broker)
{
    char operation[32];

    operator_restart(&world, example->object, operation);
    start_anew(example, broker);
    operator_await_status(&world, example->object, operation, "SUCCESSFUL");
    program_interrupt(&example->program);
}

static void by_http_a_plugin_measures_and_restarts(void **state)
{
    (void)state;
    works_as_a_device(&by_http);
}

static void by_mqtt_the_same_plugin_does_the_same(void **state)
{
    (void)state;
    works_as_a_device(&by_mqtt);
}

static void what_was_made_while_the_connection_was_away_is_carried_out(void **state)
{
    (void)state;
    carries_out_what_was_made_meanwhile(&by_http, NULL);
    carries_out_what_was_made_meanwhile(&by_mqtt, world.broker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_http_a_plugin_measures_and_restarts),
        cmocka_unit_test(by_mqtt_the_same_plugin_does_the_same),
        cmocka_unit_test(what_was_made_while_the_connection_was_away_is_carried_out),
    };

    return cmocka_run_group_tests(tests, start, end);
}
