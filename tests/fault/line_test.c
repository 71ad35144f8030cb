/* SPDX-License-Identifier: MIT */
/* A line that delays, chokes, breaks, lies and falls silent, between whole agents and a
 * whole sandbox. What is tried over it is a table of scenarios; each fault is tried with
 * all of them, on many lines at once. */
#include "../e2e/world.h"
#include "support/fault_proxy.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

enum { LINES_MAX = 64 };

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

/* --- a line, and the agent at its end --------------------------------------------- */

struct scenario;

struct line {
    const struct scenario *scenario;
    struct fault_proxy *http, *mqtt;
    char server[64], broker[64], id[64], credentials[256], templates[96];
    char object[32], operation[32];
    struct program agent;
};

static void line_open(struct line *line, const struct scenario *scenario,
                      const char *name, int number)
{
    *line = (struct line){ .scenario = scenario };
    line->http = fault_proxy_start((uint16_t)world.sandbox.http_port);
    line->mqtt = fault_proxy_start((uint16_t)world.sandbox.mqtt_port);
    assert_non_null(line->http);
    assert_non_null(line->mqtt);
    snprintf(line->server, sizeof line->server, "http://127.0.0.1:%d",
             fault_proxy_port(line->http));
    snprintf(line->broker, sizeof line->broker, "mqtt://127.0.0.1:%d",
             fault_proxy_port(line->mqtt));
    snprintf(line->id, sizeof line->id, "%s-%d", name, number);
    snprintf(line->credentials, sizeof line->credentials, "%s/%s.credentials",
             world.sandbox.dir, line->id);
    snprintf(line->templates, sizeof line->templates, "templates=e2e_%s", line->id);
}

static void line_close(struct line *line)
{
    program_kill(&line->agent);
    fault_proxy_stop(line->http);
    fault_proxy_stop(line->mqtt);
}

/* Runs a program with up to five words and the options that lead over this line. */
static void line_run(struct line *line, const char *path, const char *const words[])
{
    const char *argv[24] = { path };
    const char *const options[] = { "-s", line->server, "-b",      line->broker,
                                    "-d", line->id,     "-c",      line->credentials,
                                    "-v", "-w",         "forever", NULL };
    int n = 1;

    for (int i = 0; words && words[i]; i++)
        argv[n++] = words[i];
    for (int i = 0; options[i]; i++)
        argv[n++] = options[i];
    program_start(&line->agent, argv);
}

static void await_success(struct line *line)
{
    int status = program_await_end(&line->agent, 2 * PATIENCE_MS);

    if (!WIFEXITED(status) || WEXITSTATUS(status))
        fail_msg("%s ended with %#x: %s", line->id, (unsigned)status,
                 line->agent.text[1]);
}

/* Reads what any of the agents says within a second; false if all are silent for good. */
static bool listen_to(struct line *lines, int count)
{
    struct pollfd fds[2 * LINES_MAX];
    bool open = false;

    assert_in_range(count, 1, LINES_MAX);
    for (int i = 0; i < count; i++) {
        fds[2 * i] = (struct pollfd){ .fd = lines[i].agent.out, .events = POLLIN };
        fds[2 * i + 1] = (struct pollfd){ .fd = lines[i].agent.err, .events = POLLIN };
        open = open || lines[i].agent.out >= 0 || lines[i].agent.err >= 0;
    }
    poll(fds, 2 * (nfds_t)count, open ? 1000 : 0);
    for (int i = 0; i < count; i++)
        if (fds[2 * i].revents || fds[2 * i + 1].revents)
            program_drain(&lines[i].agent);
    return open;
}

/* --- hello: bootstrap --------------------------------------------------------------- */

static void say_hello(struct line *line)
{
    line_run(line, EXAMPLES "/01-hello", NULL);
}

static void expect_credentials(struct line *line)
{
    char tenant[64], user[128], password[128], rest[8], greeting[256];
    FILE *file = fopen(line->credentials, "r");

    assert_non_null(file);
    assert_int_equal(fscanf(file, "%63s %127s %127s %7s", tenant, user, password, rest),
                     3);
    fclose(file);
    assert_int_equal(strlen(password), 24);
    snprintf(greeting, sizeof greeting, "Hello, t4711/device_%s!\n", line->id);
    assert_string_equal(line->agent.text[0], greeting);
}

/* --- integrate ------------------------------------------------------------------------ */

static void integrate(struct line *line)
{
    line_run(line, LOAD_AGENT,
             (const char *const[]){ "0", "1000", "http", line->templates, NULL });
}

/* How many managed objects this device has made. */
static size_t objects_of(const struct line *line)
{
    json_t *list = operator_get(
        &world, "/inventory/managedObjects?fragmentType=c8y_IsDevice&pageSize=2000");
    json_t *object;
    char owner[80];
    size_t i, n = 0;

    snprintf(owner, sizeof owner, "device_%s", line->id);
    json_array_foreach(json_object_get(list, "managedObjects"), i, object)
    {
        const char *whose = json_string_value(json_object_get(object, "owner"));

        n += whose && !strcmp(whose, owner);
    }
    json_decref(list);
    return n;
}

/* One external id; and one object, or a second one without external id if the answer to
 * its creation (row 101) was what got lost: nothing could have told the agent. */
static void expect_device(struct line *line)
{
    size_t objects = objects_of(line);

    operator_find_device(&world, line->id, line->object);
    if (objects > 1)
        print_message("%s: made %zu objects, one of them known\n", line->id, objects);
    assert_in_range(objects, 1, fault_proxy_count(line->http, FAULT_CUTS) + 1);
}

/* --- measurements ----------------------------------------------------------------------- */

enum { ROWS = 60 };

static void measure_by_http(struct line *line)
{
    line_run(line, LOAD_AGENT,
             (const char *const[]){ "60", "2000", "http", line->templates, NULL });
}

static void measure_by_mqtt(struct line *line)
{
    line_run(
        line, LOAD_AGENT,
        (const char *const[]){ "60", "2000", "keepalive=5", line->templates, NULL });
}

/* Every number from 0 on, each for the first time in its turn; what comes twice was under
 * way when the line was cut. */
static void expect_rows(struct line *line, long rows)
{
    size_t count;

    if (!*line->object)
        operator_find_device(&world, line->id, line->object);
    count = operator_await_numbers(&world, line->object, rows);
    if (!fault_proxy_count(line->http, FAULT_CUTS) &&
        !fault_proxy_count(line->mqtt, FAULT_CUTS) &&
        !fault_proxy_count(line->http, FAULT_SWALLOWED) &&
        !fault_proxy_count(line->mqtt, FAULT_SWALLOWED))
        assert_int_equal(count, rows);
    assert_in_range(count, rows, 2 * rows);
}

static void expect_measurements(struct line *line)
{
    expect_rows(line, ROWS);
    assert_true(program_has_said(&line->agent, "acked 60 dropped 0"));
}

/* --- an operation --------------------------------------------------------------------------- */

static void await_operations(struct line *line)
{
    line_run(line, LOAD_AGENT,
             (const char *const[]){ "0", "1000", "keepalive=5", "operations=1",
                                    line->templates, NULL });
}

static void await_pushed(struct line *line)
{
    line_run(line, LOAD_AGENT,
             (const char *const[]){ "0", "1000", "http", "operations=1",
                                    line->templates, NULL });
}

static void make_operation(struct line *line)
{
    if (!*line->object)
        operator_find_device(&world, line->id, line->object);
    operator_restart(&world, line->object, line->operation);
}

static void expect_operation(struct line *line)
{
    operator_await_status(&world, line->object, line->operation, "SUCCESSFUL");
    assert_true(program_has_said(&line->agent, "operations 1 "));
}

/* --- the scenarios ---------------------------------------------------------------------------- */

static const struct scenario {
    const char *name;
    void (*prepare)(
        struct line *line);         /* what comes before, over a sound line, or NULL */
    void (*run)(struct line *line); /* starts the agent */
    void (*act)(struct line *line); /* what happens while it runs, or NULL */
    void (*expect)(struct line *line); /* once it has ended */
    bool by_mqtt;                      /* which line the fault is on */
} scenarios[] = {
    {"hello",      NULL,      say_hello,        NULL,           expect_credentials,  false},
    { "integrate", say_hello, integrate,        NULL,           expect_device,       false},
    { "http",      integrate, measure_by_http,  NULL,           expect_measurements, false},
    { "mqtt",      integrate, measure_by_mqtt,  NULL,           expect_measurements, true },
    { "operation", integrate, await_operations, make_operation, expect_operation,
     true                                                                                 },
    { "push",      integrate, await_pushed,     make_operation, expect_operation,    false},
};
enum { SCENARIOS = sizeof scenarios / sizeof *scenarios };

static struct fault_proxy *faulty(const struct line *line)
{
    return line->scenario->by_mqtt ? line->mqtt : line->http;
}

static void prepare(struct line *lines, int count)
{
    for (int i = 0; i < count; i++)
        if (lines[i].scenario->prepare)
            lines[i].scenario->prepare(&lines[i]);
    for (int i = 0; i < count; i++)
        if (lines[i].scenario->prepare)
            await_success(&lines[i]);
}

/* The agents that operations are for: do they listen, or have they ended? */
static bool all_listen(const struct line *lines, int count)
{
    for (int i = 0; i < count; i++)
        if (lines[i].scenario->act && lines[i].agent.err >= 0 &&
            !program_has_said(&lines[i].agent, "subscribed"))
            return false;
    return true;
}

/* One that is hindered for long finds its operation as a pending one. */
static void run(struct line *lines, int count)
{
    int64_t until = test_now_us() + 2000 * 1000;

    for (int i = 0; i < count; i++)
        lines[i].scenario->run(&lines[i]);
    while (!all_listen(lines, count) && test_now_us() < until)
        listen_to(lines, count);
    for (int i = 0; i < count; i++)
        if (lines[i].scenario->act)
            lines[i].scenario->act(&lines[i]);
}

static void expect_success(struct line *lines, int count)
{
    for (int i = 0; i < count; i++) {
        await_success(&lines[i]);
        lines[i].scenario->expect(&lines[i]);
    }
}

static struct line *open_lines(int count)
{
    struct line *lines = calloc((size_t)count, sizeof *lines);

    assert_non_null(lines);
    return lines;
}

static void close_lines(struct line *lines, int count)
{
    for (int i = 0; i < count; i++)
        line_close(&lines[i]);
    free(lines);
}

/* --- what one run costs without faults ------------------------------------------------------------ */

struct cost {
    uint64_t bytes[2], connections;
};

static uint64_t on_line(struct line *line, enum fault_count what)
{
    return fault_proxy_count(faulty(line), what);
}

static void measure_cost(const struct scenario *scenario, struct cost *ret_cost)
{
    static int number;
    struct line *line = open_lines(1);

    line_open(line, scenario, "cost", number++);
    prepare(line, 1);
    ret_cost->bytes[FAULT_UP] = on_line(line, FAULT_BYTES_UP);
    ret_cost->bytes[FAULT_DOWN] = on_line(line, FAULT_BYTES_DOWN);
    ret_cost->connections = on_line(line, FAULT_CONNECTIONS);
    run(line, 1);
    expect_success(line, 1);
    ret_cost->bytes[FAULT_UP] =
        on_line(line, FAULT_BYTES_UP) - ret_cost->bytes[FAULT_UP];
    ret_cost->bytes[FAULT_DOWN] =
        on_line(line, FAULT_BYTES_DOWN) - ret_cost->bytes[FAULT_DOWN];
    ret_cost->connections = on_line(line, FAULT_CONNECTIONS) - ret_cost->connections;
    close_lines(line, 1);
}

/* --- cut at every stage ------------------------------------------------------------------------------ */

enum { STAGES = 12 }; /* in each direction, from the first byte to the last */

/* Where a fault goes: evenly over the bytes of a run, in one direction, then the other. */
static enum fault_way way_of(int i)
{
    return i < STAGES ? FAULT_UP : FAULT_DOWN;
}

static uint64_t byte_of(const struct cost *cost, int i)
{
    return (cost->bytes[way_of(i)] - 1) * (uint64_t)(i % STAGES) / (STAGES - 1);
}

static void cut_at_every_stage(const struct scenario *scenario)
{
    struct line *lines = open_lines(2 * STAGES);
    uint64_t cuts = 0, connections[2 * STAGES];
    struct cost cost;

    measure_cost(scenario, &cost);
    for (int i = 0; i < 2 * STAGES; i++)
        line_open(&lines[i], scenario, scenario->name, i + 1);
    prepare(lines, 2 * STAGES);
    for (int i = 0; i < 2 * STAGES; i++) {
        connections[i] = on_line(&lines[i], FAULT_CONNECTIONS);
        fault_proxy_cut_after(faulty(&lines[i]), way_of(i), byte_of(&cost, i),
                              i % 2 ? FAULT_FIN : FAULT_RESET);
    }
    run(lines, 2 * STAGES);
    expect_success(lines, 2 * STAGES);

    for (int i = 0; i < 2 * STAGES; i++) {
        cuts += on_line(&lines[i], FAULT_CUTS);
        assert_in_range(on_line(&lines[i], FAULT_CONNECTIONS) - connections[i], 1,
                        cost.connections + 2);
    }
    print_message("%s: %lu bytes up, %lu down; cut %lu times\n", scenario->name,
                  (unsigned long)cost.bytes[FAULT_UP],
                  (unsigned long)cost.bytes[FAULT_DOWN], (unsigned long)cuts);
    /* Rows are not joined the same way each time, so that the last byte may not come. */
    assert_in_range(cuts, 2 * STAGES - 6, 2 * STAGES);
    close_lines(lines, 2 * STAGES);
}

static void hello_survives_a_cut_at_every_stage(void **state)
{
    (void)state;
    cut_at_every_stage(&scenarios[0]);
}

static void integrate_survives_a_cut_at_every_stage(void **state)
{
    (void)state;
    cut_at_every_stage(&scenarios[1]);
}

static void measurements_by_http_survive_a_cut_at_every_stage(void **state)
{
    (void)state;
    cut_at_every_stage(&scenarios[2]);
}

static void measurements_by_mqtt_survive_a_cut_at_every_stage(void **state)
{
    (void)state;
    cut_at_every_stage(&scenarios[3]);
}

static void operation_survives_a_cut_at_every_stage(void **state)
{
    (void)state;
    cut_at_every_stage(&scenarios[4]);
}

static void pushed_operation_survives_a_cut_at_every_stage(void **state)
{
    (void)state;
    cut_at_every_stage(&scenarios[5]);
}

/* --- slow lines ------------------------------------------------------------------------------------------ */

static void succeed_over_slow_lines(const char *name,
                                    void (*fault)(struct fault_proxy *proxy,
                                                  unsigned amount),
                                    unsigned amount)
{
    struct line *lines = open_lines(SCENARIOS);

    for (int i = 0; i < SCENARIOS; i++)
        line_open(&lines[i], &scenarios[i], name, i);
    prepare(lines, SCENARIOS);
    for (int i = 0; i < SCENARIOS; i++) {
        fault(lines[i].http, amount);
        fault(lines[i].mqtt, amount);
    }
    run(lines, SCENARIOS);
    expect_success(lines, SCENARIOS);
    close_lines(lines, SCENARIOS);
}

static void all_succeed_over_a_line_with_delay(void **state)
{
    (void)state;
    succeed_over_slow_lines("delay", fault_proxy_delay, 200);
}

static void all_succeed_over_a_thin_line(void **state)
{
    (void)state;
    succeed_over_slow_lines("thin", fault_proxy_throttle, 2000);
}

/* --- black holes ------------------------------------------------------------------------------------------- */

/* Lets each line pass as soon as its agent has noticed that it is silent. */
static void pass_when_noticed(struct line *lines, int count, int within_ms)
{
    int64_t until = test_now_us() + 1000ll * within_ms;
    bool passed[LINES_MAX] = { false };
    int left = count;

    while (left) {
        for (int i = 0; i < count; i++)
            if (!passed[i] && program_has_said(&lines[i].agent, "trying again")) {
                fault_proxy_pass(faulty(&lines[i]));
                passed[i] = true;
                left--;
            }
        if (left && (!listen_to(lines, count) || test_now_us() > until))
            fail_msg("%d agents did not notice in %d ms that nobody answers", left,
                     within_ms);
    }
}

static void stream_by_http(struct line *line)
{
    line_run(line, LOAD_AGENT,
             (const char *const[]){ "3000", "1500", "http", line->templates, NULL });
}

static void stream_by_mqtt(struct line *line)
{
    line_run(
        line, LOAD_AGENT,
        (const char *const[]){ "3000", "1500", "keepalive=5", line->templates, NULL });
}

static void expect_stream(struct line *line)
{
    expect_rows(line, 3000);
    assert_true(program_has_said(&line->agent, "acked 3000 dropped 0"));
}

/* Silence from the beginning, and silence in the middle of a stream of rows; both last
 * until the agent has noticed, by time-out or keep-alive. */
static void all_recover_from_a_black_hole(void **state)
{
    static const struct scenario streams[] = {
        {"stream-http",  integrate, stream_by_http, NULL, expect_stream, false},
        { "stream-mqtt", integrate, stream_by_mqtt, NULL, expect_stream, true },
    };
    enum { LINES = SCENARIOS + 2 };
    struct line *lines = open_lines(LINES);
    uint64_t before[2];

    (void)state;
    for (int i = 0; i < LINES; i++)
        line_open(&lines[i], i < SCENARIOS ? &scenarios[i] : &streams[i - SCENARIOS],
                  "hole", i);
    prepare(lines, LINES);
    for (int i = 0; i < 2; i++)
        before[i] = on_line(&lines[SCENARIOS + i], FAULT_BYTES_UP);
    run(&lines[SCENARIOS], 2);
    for (int i = 0; i < 2; i++) {
        struct fault_proxy *proxy = faulty(&lines[SCENARIOS + i]);

        assert_true(fault_proxy_await(proxy, FAULT_BYTES_UP, before[i] + 15000));
        fault_proxy_blackhole(proxy);
    }
    for (int i = 0; i < SCENARIOS; i++)
        fault_proxy_blackhole(faulty(&lines[i]));
    run(lines, SCENARIOS);
    pass_when_noticed(lines, LINES, 40 * 1000);
    expect_success(lines, LINES);
    for (int i = 0; i < LINES; i++)
        assert_in_range(on_line(&lines[i], FAULT_CONNECTIONS), 2, 12);
    close_lines(lines, LINES);
}

/* --- lies ------------------------------------------------------------------------------------------------------ */

/* Ended by itself, or ends when told to: whatever it has read. */
static void expect_survivor(struct line *line)
{
    int status;

    if (line->agent.err >= 0) {
        program_interrupt(&line->agent);
    } else {
        status = program_await_end(&line->agent, 1000);
        if (!WIFEXITED(status) || WEXITSTATUS(status) > 1)
            fail_msg("%s ended with %#x: %s", line->id, (unsigned)status,
                     line->agent.text[1]);
    }
    if (program_has_said(&line->agent, "Sanitizer") ||
        program_has_said(&line->agent, "runtime error"))
        fail_msg("%s: %s", line->id, line->agent.text[1]);
}

static void flipped_bits_kill_and_hang_nobody(void **state)
{
    enum { PER_SCENARIO = 10, LINES = SCENARIOS * PER_SCENARIO };
    struct line *lines = open_lines(LINES);
    struct cost costs[SCENARIOS];
    int64_t until;
    uint64_t flips = 0;

    (void)state;
    for (int i = 0; i < SCENARIOS; i++)
        measure_cost(&scenarios[i], &costs[i]);
    for (int i = 0; i < LINES; i++)
        line_open(&lines[i], &scenarios[i / PER_SCENARIO], "flip", i);
    prepare(lines, LINES);
    for (int i = 0; i < LINES; i++) {
        enum fault_way way = i % 2 ? FAULT_DOWN : FAULT_UP;
        uint64_t bytes = costs[i / PER_SCENARIO].bytes[way];

        fault_proxy_corrupt(faulty(&lines[i]), way,
                            bytes * (uint64_t)(i % PER_SCENARIO) / PER_SCENARIO);
    }
    run(lines, LINES);
    until = test_now_us() + 12 * 1000 * 1000;
    while (test_now_us() < until && listen_to(lines, LINES))
        ;
    for (int i = 0; i < LINES; i++) {
        expect_survivor(&lines[i]);
        flips += on_line(&lines[i], FAULT_FLIPS);
    }
    assert_in_range(flips, LINES * 3 / 4, LINES);
    close_lines(lines, LINES);
    for (int i = 0; i < SCENARIOS; i++) /* and the sandbox is well, too */
        measure_cost(&scenarios[i], &costs[i]);
}

/* --- storms ---------------------------------------------------------------------------------------------------- */

/* The pauses grow: ten attempts take at least 0.125 s * (1 + 1.3 + ... + 1.3^8). */
static void expect_no_storm(struct line *line, int64_t since_us)
{
    uint64_t before = 1;

    assert_true(fault_proxy_await(faulty(line), FAULT_CONNECTIONS, before + 9));
    assert_in_range(test_now_us() - since_us, 2500 * 1000, 20 * 1000 * 1000);
}

/* Connections that end at once: before an answer, and behind the broker's greeting. */
static void a_server_that_hangs_up_is_not_stormed(void **state)
{
    static const struct scenario hang_up[] = {
        {"hello",      NULL,      say_hello,       NULL, expect_credentials,  false},
        { "http-rows", integrate, measure_by_http, NULL, expect_measurements, false},
        { "broker",    integrate, measure_by_mqtt, NULL, expect_measurements, true },
        { "greeting",  integrate, measure_by_mqtt, NULL, expect_measurements, true },
    };
    enum { LINES = sizeof hang_up / sizeof *hang_up, GREETING = 3 };
    struct line *lines = open_lines(LINES);
    int64_t since;

    (void)state;
    for (int i = 0; i < LINES; i++)
        line_open(&lines[i], &hang_up[i], "storm", i);
    prepare(lines, LINES);
    for (int i = 0; i < GREETING; i++)
        fault_proxy_redirect(faulty(&lines[i]), 1); /* nobody is there */
    since = test_now_us();
    run(lines, LINES);
    for (uint64_t n = 1; n <= 9; n++) {
        fault_proxy_cut_after(lines[GREETING].mqtt, FAULT_DOWN, 4, FAULT_FIN);
        assert_true(fault_proxy_await(lines[GREETING].mqtt, FAULT_CUTS, n));
    }
    for (int i = 0; i < LINES; i++) {
        if (lines[i].scenario != &hang_up[1] && lines[i].scenario != &hang_up[GREETING])
            expect_no_storm(&lines[i], since);
        fault_proxy_redirect(lines[i].http, (uint16_t)world.sandbox.http_port);
        fault_proxy_redirect(lines[i].mqtt, (uint16_t)world.sandbox.mqtt_port);
    }
    assert_in_range(test_now_us() - since, 2000 * 1000, 30 * 1000 * 1000);
    expect_success(lines, LINES);
    close_lines(lines, LINES);
}

/* --- operations over a line that comes and goes ------------------------------------------------------------------ */

static void await_three_operations(struct line *line)
{
    line_run(line, LOAD_AGENT,
             (const char *const[]){ "0", "1000", "keepalive=5", "operations=3",
                                    line->templates, NULL });
}

static void operations_made_while_the_line_is_cut_are_carried_out(void **state)
{
    static const struct scenario three = { "three", integrate, await_three_operations,
                                           NULL,    NULL,      true };
    struct line *line = open_lines(1);
    char ids[3][32];

    (void)state;
    line_open(line, &three, "cut-operation", 0);
    prepare(line, 1);
    operator_find_device(&world, line->id, line->object);
    run(line, 1);
    program_await(&line->agent, "subscribed");

    operator_restart(&world, line->object, ids[0]);
    fault_proxy_cut(line->mqtt, FAULT_RESET);
    fault_proxy_refuse(line->mqtt);
    program_await(&line->agent, "trying again");
    operator_restart(&world, line->object, ids[1]);
    fault_proxy_pass(line->mqtt);
    program_await(&line->agent, "connected again");
    operator_restart(&world, line->object, ids[2]);

    await_success(line);
    assert_true(program_has_said(&line->agent, "operations 3 "));
    for (int i = 0; i < 3; i++)
        operator_await_status(&world, line->object, ids[i], "SUCCESSFUL");
    assert_in_range(on_line(line, FAULT_CONNECTIONS), 2, 3);
    close_lines(line, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hello_survives_a_cut_at_every_stage),
        cmocka_unit_test(integrate_survives_a_cut_at_every_stage),
        cmocka_unit_test(measurements_by_http_survive_a_cut_at_every_stage),
        cmocka_unit_test(measurements_by_mqtt_survive_a_cut_at_every_stage),
        cmocka_unit_test(operation_survives_a_cut_at_every_stage),
        cmocka_unit_test(pushed_operation_survives_a_cut_at_every_stage),
        cmocka_unit_test(operations_made_while_the_line_is_cut_are_carried_out),
        cmocka_unit_test(all_succeed_over_a_line_with_delay),
        cmocka_unit_test(all_succeed_over_a_thin_line),
        cmocka_unit_test(a_server_that_hangs_up_is_not_stormed),
        cmocka_unit_test(flipped_bits_kill_and_hang_nobody),
        cmocka_unit_test(all_recover_from_a_black_hole),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, start, end);
}
