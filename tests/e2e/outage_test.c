/* SPDX-License-Identifier: MIT */
/* Servers that are not there, not there yet, and not there any more. */
#include "world.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct world world;

static int prepare(void **state)
{
    (void)state;
    world_prepare(&world);
    return 0;
}

static int end(void **state)
{
    (void)state;
    world_end(&world);
    return 0;
}

static void load_start(struct program *program, const char *rows,
                       const char *per_second, const char *id)
{
    static char credentials[256];
    const char *argv[] = { LOAD_AGENT,  rows,         per_second, "-s", world.server,
                           "-b",        world.broker, "-d",       id,   "-c",
                           credentials, "-v",         NULL };

    snprintf(credentials, sizeof credentials, "%s/%s.credentials", world.sandbox.dir,
             id);
    program_start(program, argv);
}

static void broker_killed_under_load_loses_nothing(void **state)
{
    struct program agent;
    char object[32];
    int64_t back;

    (void)state;
    world_start(&world, "--auto-accept");
    load_start(&agent, "6000", "2000", "gw-load");
    operator_find_device(&world, "gw-load", object);
    json_decref(operator_await_measurements(&world, object, 500));

    world_kill(&world);
    program_await(&agent, "trying again");
    world_start(&world, "--auto-accept");
    back = test_now_us();
    program_await(&agent, "connected again");
    assert_in_range(test_now_us() - back, 0, 20 * 1000 * 1000);

    assert_int_equal(program_await_end(&agent, PATIENCE_MS), 0);
    assert_true(program_has_said(&agent, "acked 6000 dropped 0"));
    operator_await_numbers(&world, object, 6000);
}

static void agent_that_starts_first_connects_when_the_servers_come(void **state)
{
    struct program agent;
    char object[32];

    (void)state;
    load_start(&agent, "10", "1000", "gw-early");
    program_await(&agent, "trying again");
    world_start(&world, "--auto-accept");
    assert_int_equal(program_await_end(&agent, PATIENCE_MS), 0);
    operator_find_device(&world, "gw-early", object);
    json_decref(operator_await_measurements(&world, object, 10));
}

/* With credentials from before, and HTTP reachable: the broker alone is late. */
static void agent_connects_when_only_the_broker_was_late(void **state)
{
    struct program agent;
    char broker[64];
    struct world late;

    (void)state;
    world_start(&world, "--auto-accept");
    world_prepare(&late);
    strcpy(broker, world.broker);
    strcpy(world.broker, late.broker);
    load_start(&agent, "10", "1000", "gw-late");
    strcpy(world.broker, broker);
    program_await(&agent, "trying again");

    /* The broker moves to the port that the agent tries. */
    world_kill(&world);
    world.sandbox.mqtt_port = late.sandbox.mqtt_port;
    world_start(&world, "--auto-accept");
    assert_int_equal(program_await_end(&agent, PATIENCE_MS), 0);
    world_end(&late);
}

/* A host name that nobody knows yet: in a mount namespace of its own the agent reads a
 * hosts file that the test writes. */
static void write_hosts(const char *path, const char *line)
{
    FILE *hosts = fopen(path, "w");

    assert_non_null(hosts);
    fprintf(hosts, "127.0.0.1 localhost\n%s\n", line);
    fclose(hosts);
}

static void start_with_hosts(struct program *program, const char *hosts,
                             const char *resolver, const char *id)
{
    static char wrapped[2048];
    const char *argv[] = { "/usr/bin/unshare", "-rm", "/bin/sh", "-c", wrapped, NULL };

    snprintf(
        wrapped, sizeof wrapped,
        "mount --bind %s /etc/hosts && mount --bind %s /etc/resolv.conf && "
        "exec '%s' 10 1000 -v -s http://platform.test:%d -b mqtt://platform.test:%d "
        "-d %s -c %s/%s.credentials",
        hosts, resolver, LOAD_AGENT, world.sandbox.http_port, world.sandbox.mqtt_port,
        id, world.sandbox.dir, id);
    program_start(program, argv);
}

static void agent_connects_when_its_name_can_be_resolved(void **state)
{
    char hosts[128], resolver[128];
    struct program agent;

    (void)state;
    snprintf(hosts, sizeof hosts, "%s/hosts", world.sandbox.dir);
    snprintf(resolver, sizeof resolver, "%s/resolv.conf", world.sandbox.dir);
    write_hosts(hosts, "");
    close(open(resolver, O_CREAT | O_WRONLY, 0644));
    world_start(&world, "--auto-accept");
    start_with_hosts(&agent, hosts, resolver, "gw-name");
    program_await(&agent, "esolve");
    write_hosts(hosts, "127.0.0.1 platform.test");
    assert_int_equal(program_await_end(&agent, PATIENCE_MS), 0);
}

/* --- Ctrl-C --------------------------------------------------------------------- */

static void interrupt_ends_it_while_the_server_is_missing(void **state)
{
    struct program agent;

    (void)state;
    example_start(&agent, &world, "07-mqtt", "gw-int");
    program_await(&agent, "trying again");
    assert_in_range(program_interrupt(&agent), 0, 500);
}

static void interrupt_ends_it_while_nobody_accepts(void **state)
{
    struct program agent;

    (void)state;
    world_start(&world, NULL);
    example_start(&agent, &world, "07-mqtt", "gw-int");
    program_await(&agent, "waiting for device");
    assert_in_range(program_interrupt(&agent), 0, 500);
}

/* A server that accepts and never answers; a name server that does neither. */
static void interrupt_ends_it_while_a_server_is_silent(void **state)
{
    struct program agent;
    struct world silent;
    char server[64];
    int fd;

    (void)state;
    world_prepare(&silent);
    fd = listen_on(silent.sandbox.http_port);
    strcpy(server, world.server);
    strcpy(world.server, silent.server);
    example_start(&agent, &world, "01-hello", "gw-silent");
    strcpy(world.server, server);
    assert_int_equal(
        poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, PATIENCE_MS), 1);
    assert_in_range(program_interrupt(&agent), 0, 500);
    close(fd);
    world_end(&silent);
}

static void interrupt_ends_it_while_connected(void **state)
{
    struct program agent;

    (void)state;
    world_start(&world, "--auto-accept");
    example_start(&agent, &world, "07-mqtt", "gw-int");
    program_await(&agent, "subscribed");
    assert_in_range(program_interrupt(&agent), 0, 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(broker_killed_under_load_loses_nothing, prepare,
                                        end),
        cmocka_unit_test_setup_teardown(
            agent_that_starts_first_connects_when_the_servers_come, prepare, end),
        cmocka_unit_test_setup_teardown(agent_connects_when_only_the_broker_was_late,
                                        prepare, end),
        cmocka_unit_test_setup_teardown(agent_connects_when_its_name_can_be_resolved,
                                        prepare, end),
        cmocka_unit_test_setup_teardown(interrupt_ends_it_while_the_server_is_missing,
                                        prepare, end),
        cmocka_unit_test_setup_teardown(interrupt_ends_it_while_nobody_accepts, prepare,
                                        end),
        cmocka_unit_test_setup_teardown(interrupt_ends_it_while_a_server_is_silent,
                                        prepare, end),
        cmocka_unit_test_setup_teardown(interrupt_ends_it_while_connected, prepare,
                                        end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
