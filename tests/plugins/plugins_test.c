/* SPDX-License-Identifier: MIT */
/* The plugins of plugins/, one after the other, against a whole sandbox: what an operator
 * sees and does over REST. */
#include "credentials.h"
#include "support/child.h"

#include <math.h>
#include <signal.h>
#include <smartrest/template.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
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

/* --- files of a test --------------------------------------------------------------- */

static const char *in_dir(char path[256], const char *name)
{
    snprintf(path, 256, "%s/%s", world.sandbox.dir, name);
    return path;
}

static void write_text(const char *name, const char *text)
{
    char path[256];
    FILE *file = fopen(in_dir(path, name), "w");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void expect_text(const char *name, const char *text)
{
    char path[256], found[4096];
    FILE *file = fopen(in_dir(path, name), "r");
    size_t n;

    assert_non_null(file);
    n = fread(found, 1, sizeof found - 1, file);
    found[n] = '\0';
    fclose(file);
    assert_string_equal(found, text);
}

static bool exists(const char *name)
{
    char path[256];

    return access(in_dir(path, name), F_OK) == 0;
}

/* Lua text; each %s in it is the folder. */
static void settings(const char *lua)
{
    const char *dir = world.sandbox.dir;
    char text[2048];

    snprintf(text, sizeof text, lua, dir, dir, dir);
    write_text("settings.lua", text);
}

/* --- a device with one plugin --------------------------------------------------------- */

struct subject {
    const char *id;
    const char *plugin; /* a name of those in plugins/, or a path */
    bool by_http;
    bool watch;            /* it is loaded anew when it has changed */
    const char *more;      /* one more plugin; its path */
    const char *templates; /* or those of plugins/ */
    struct program agent;
    char object[32];
};

static void run_agent(struct subject *subject)
{
    char plugin[256], lib[256], credentials[256];
    const char *argv[24] = { PLUGINS_AGENT, "-s",
                             world.server,  "-d",
                             subject->id,   "-c",
                             credentials,   subject->by_http ? "-vv" : "-v" };
    const char *format = *subject->plugin == '/' ? "%s" : PLUGINS "/%s.lua";
    int n = 8;

    snprintf(plugin, sizeof plugin, format, subject->plugin);
    snprintf(lib, sizeof lib, "lib=%s", world.sandbox.dir);
    snprintf(credentials, sizeof credentials, "%s/%s.credentials", world.sandbox.dir,
             subject->id);
    if (!subject->by_http) {
        argv[n++] = "-b";
        argv[n++] = world.broker;
    }
    argv[n++] = "--";
    argv[n++] = subject->templates ? subject->templates : PLUGINS "/templates.txt";
    if (subject->watch)
        argv[n++] = "watch";
    argv[n++] = lib;
    argv[n++] = "lib=" PLUGINS "/lib";
    argv[n++] = plugin;
    argv[n++] = subject->more;
    program_start(&subject->agent, argv);
}

static bool supports(const struct subject *subject, const char *operation)
{
    json_t *device =
        operator_get(&world, "/inventory/managedObjects/%s", subject->object);
    json_t *each;
    size_t i;
    bool found = false;

    json_array_foreach(json_object_get(device, "c8y_SupportedOperations"), i,
                       each) if (!strcmp(json_string_value(each), operation)) found =
        true;
    json_decref(device);
    return found;
}

struct wish {
    const struct subject *subject;
    const char *operation;
};

static bool is_supported(void *arg)
{
    const struct wish *wish = arg;

    return supports(wish->subject, wish->operation);
}

static void write_credentials(const char *id)
{
    struct credentials credentials;
    char name[64], text[300];

    credentials_get(&world, id, &credentials);
    snprintf(name, sizeof name, "%s.credentials", id);
    snprintf(text, sizeof text, "%s\n%s\n%s\n", credentials.tenant, credentials.user,
             credentials.password);
    write_text(name, text);
}

/* `operation`: what the plugin will say that it can do; NULL: nothing. */
static void new_device(struct subject *subject, const char *operation)
{
    write_credentials(subject->id);
    run_agent(subject);
    operator_find_device(&world, subject->id, subject->object);
    if (operation) {
        struct wish wish = { subject, operation };

        await_true(is_supported, &wish, operation);
    }
    if (subject->by_http)
        program_await(&subject->agent, "connect: subscribed");
}

static void run_again(struct subject *subject)
{
    program_interrupt(&subject->agent);
    run_agent(subject);
}

/* --- operations ------------------------------------------------------------------------ */

/* `fragment`: "\"c8y_Restart\":{}". */
static void operate(const struct subject *subject, const char *fragment,
                    char ret_operation[32])
{
    char body[20000];
    struct answer answer;

    snprintf(body, sizeof body, "{\"deviceId\":\"%s\",%s}", subject->object, fragment);
    answer = http_call(&world.sandbox, OPERATOR, "POST", "/devicecontrol/operations",
                       NULL, body);
    assert_int_equal(answer.status, 201);
    json_member(answer.body, "id", ret_operation, 32);
}

/* Awaits `status`; the caller owns the operation. */
static json_t *await_operation(const struct subject *subject, const char *operation,
                               const char *status)
{
    operator_await_status(&world, subject->object, operation, status);
    return operator_get(&world, "/devicecontrol/operations/%s", operation);
}

static void expect_success(const struct subject *subject, const char *operation)
{
    json_decref(await_operation(subject, operation, "SUCCESSFUL"));
}

/* Fails, and the reason has `words` in it. */
static void expect_failure(const struct subject *subject, const char *operation,
                           const char *words)
{
    json_t *json = await_operation(subject, operation, "FAILED");
    const char *reason = json_string_value(json_object_get(json, "failureReason"));

    assert_non_null(reason);
    assert_non_null(strstr(reason, words));
    json_decref(json);
}

/* A member's text of the operation's fragment; the caller frees it. */
static char *text_of(json_t *json, const char *fragment, const char *name)
{
    const char *text =
        json_string_value(json_object_get(json_object_get(json, fragment), name));

    assert_non_null(text);
    return strdup(text);
}

/* --- metrics ---------------------------------------------------------------------------- */

struct series {
    const struct subject *subject;
    const char *type;
    json_t *measurement;
};

static bool has_measurement(void *arg)
{
    struct series *series = arg;
    json_t *list = operator_get(&world, "/measurement/measurements?source=%s&type=%s",
                                series->subject->object, series->type);

    series->measurement =
        json_incref(json_array_get(json_object_get(list, "measurements"), 0));
    json_decref(list);
    return series->measurement != NULL;
}

/* The first measurement of that type; the caller owns it. */
static json_t *await_measurement(const struct subject *subject, const char *type)
{
    struct series series = { .subject = subject, .type = type };

    await_true(has_measurement, &series, type);
    return series.measurement;
}

static double value_of(json_t *measurement, const char *type, const char *name)
{
    json_t *value = json_object_get(
        json_object_get(json_object_get(measurement, type), name), "value");

    assert_true(json_is_number(value));
    return json_number_value(value);
}

static double busy_since_boot(void)
{
    double t[8] = { 0 }, total = 0;
    FILE *stat = fopen("/proc/stat", "r");

    assert_non_null(stat);
    assert_int_equal(fscanf(stat, "cpu %lf %lf %lf %lf %lf %lf %lf %lf", &t[0], &t[1],
                            &t[2], &t[3], &t[4], &t[5], &t[6], &t[7]),
                     8);
    fclose(stat);
    for (int i = 0; i < 8; i++)
        total += t[i];
    return 100 * (1 - (t[3] + t[4]) / total);
}

static double meminfo(const char *name)
{
    char line[128];
    double kib = -1;
    FILE *file = fopen("/proc/meminfo", "r");

    assert_non_null(file);
    while (fgets(line, sizeof line, file))
        if (!strncmp(line, name, strlen(name)) && line[strlen(name)] == ':')
            kib = atof(line + strlen(name) + 1);
    fclose(file);
    assert_true(kib >= 0);
    return kib / 1024;
}

static void assert_near(double value, double truth, double within)
{
    if (fabs(value - truth) > within)
        fail_msg("%f is not within %f of %f", value, within, truth);
}

static void metrics_are_what_proc_says(void **state)
{
    struct subject subject = { .id = "pl-metrics", .plugin = "metrics" };
    struct statvfs disk;
    double load[3];
    json_t *m;

    (void)state;
    settings("return { metrics = { interval = 1, interfaces = { 'lo' } } }");
    new_device(&subject, NULL);

    m = await_measurement(&subject, "c8y_CPUMeasurement"); /* the first: since boot */
    assert_near(value_of(m, "c8y_CPUMeasurement", "Workload"), busy_since_boot(), 3);
    json_decref(m);

    m = await_measurement(&subject, "c8y_MemoryMeasurement");
    assert_near(value_of(m, "c8y_MemoryMeasurement", "Total"), meminfo("MemTotal"), 1);
    assert_near(value_of(m, "c8y_MemoryMeasurement", "Used"),
                meminfo("MemTotal") - meminfo("MemAvailable"), meminfo("MemTotal") / 4);
    json_decref(m);

    m = await_measurement(&subject, "c8y_DiskMeasurement");
    assert_int_equal(statvfs("/", &disk), 0);
    assert_near(value_of(m, "c8y_DiskMeasurement", "Total"),
                (double)disk.f_blocks * (double)disk.f_frsize / 1048576, 2);
    assert_near(
        value_of(m, "c8y_DiskMeasurement", "Used"),
        (double)(disk.f_blocks - disk.f_bfree) * (double)disk.f_frsize / 1048576, 2048);
    json_decref(m);

    m = await_measurement(&subject,
                          "c8y_NetworkMeasurement"); /* the agent's own traffic */
    assert_true(value_of(m, "c8y_NetworkMeasurement", "lo_rx") > 0);
    assert_near(value_of(m, "c8y_NetworkMeasurement", "lo_rx"),
                value_of(m, "c8y_NetworkMeasurement", "lo_tx"), 1);
    json_decref(m);

    m = await_measurement(&subject, "c8y_LoadMeasurement");
    assert_int_equal(getloadavg(load, 3), 3);
    assert_near(value_of(m, "c8y_LoadMeasurement", "Load15"), load[2], 2);
    json_decref(m);
    program_interrupt(&subject.agent);
}

/* --- restart ------------------------------------------------------------------------------- */

/* A plugin that is the one of that name, and says which edition it is. */
static void write_edition(const char *plugin, const char *edition)
{
    char text[1024];

    snprintf(text, sizeof text,
             "dofile('" PLUGINS "/%s.lua')\nlocal begin = init\n"
             "function init() srNotice('edition %s') return begin() end\n",
             plugin, edition);
    write_text("edition.lua", text);
}

static bool is_there(void *arg)
{
    return exists(arg);
}

static bool is_gone(void *arg)
{
    return !exists(arg);
}

static void await_file(const char *name)
{
    await_true(is_there, (void *)(uintptr_t)name, name);
}

static void await_no_file(const char *name)
{
    await_true(is_gone, (void *)(uintptr_t)name, name);
}

static void remove_file(const char *name)
{
    char path[256];

    unlink(in_dir(path, name));
}

static void restarts(struct subject *subject)
{
    char operation[32], other[32];

    settings("return { restart = { command = { 'touch', \"%s/it's acted\" }, "
             "state = '%s/state', reboots = false } }");
    new_device(subject, "c8y_Restart");
    operate(subject, "\"c8y_Restart\":{}", operation);
    await_file("it's acted");
    json_decref(await_operation(subject, operation, "EXECUTING"));
    operate(subject, "\"c8y_Restart\":{}", other);
    expect_failure(subject, other, "restarts the device already");
    assert_true(exists("state"));

    run_again(subject);
    expect_success(subject, operation);
    await_no_file("state"); /* once the answer has come */
    program_interrupt(&subject->agent);
    remove_file("it's acted");
}

static void by_mqtt_a_restart_is_successful_after_the_next_start(void **state)
{
    struct subject subject = { .id = "pl-restart-m", .plugin = "restart" };

    (void)state;
    restarts(&subject);
}

static void by_http_a_restart_is_successful_after_the_next_start(void **state)
{
    struct subject subject = { .id = "pl-restart-h",
                               .plugin = "restart",
                               .by_http = true };

    (void)state;
    restarts(&subject);
}

static void a_restart_that_fails_is_told(void **state)
{
    struct subject subject = { .id = "pl-restart-f", .plugin = "restart" };
    char operation[32];

    (void)state;
    settings("return { restart = { command = { 'false' }, state = '%s/state' } }");
    new_device(&subject, "c8y_Restart");
    operate(&subject, "\"c8y_Restart\":{}", operation);
    expect_failure(&subject, operation, "false ended with status 1");
    assert_false(exists("state"));
    assert_false(exists("state.status"));

    settings("return { restart = { command = { 'true' }, state = '%s/state', "
             "timeout = 1 } }");
    run_again(&subject);
    operate(&subject, "\"c8y_Restart\":{}", operation);
    expect_failure(&subject, operation, "the device is still up after 1 s");

    settings("return { restart = { command = { 'true' }, state = '%s/no/state' } }");
    run_again(&subject);
    operate(&subject, "\"c8y_Restart\":{}", operation);
    expect_failure(&subject, operation, "No such file or directory");
    program_interrupt(&subject.agent);
}

/* Meanwhile the plugin is loaded anew, which is no restart at all. */
static void an_agent_that_comes_back_without_a_reboot_says_so(void **state)
{
    char operation[32], other[32], path[256];
    struct subject subject = { .id = "pl-restart-r",
                               .plugin = in_dir(path, "edition.lua"),
                               .watch = true };

    (void)state;
    settings("return { restart = { command = { 'touch', '%s/acted' }, "
             "state = '%s/state' } }");
    write_edition("restart", "one");
    new_device(&subject, "c8y_Restart");
    operate(&subject, "\"c8y_Restart\":{}", operation);
    await_file("acted");
    write_edition("restart", "two");
    program_await(&subject.agent, "edition two");
    operate(&subject, "\"c8y_Restart\":{}", other);
    expect_failure(&subject, other, "restarts the device already");
    json_decref(await_operation(&subject, operation, "EXECUTING"));

    run_again(&subject);
    expect_failure(&subject, operation, "the device was not");
    program_interrupt(&subject.agent);
    remove_file("acted");
}

/* --- log files --------------------------------------------------------------------------------- */

static const char log_text[] = "2026-03-01T10:00:00Z one pump started\n"
                               "2026-03-01T11:00:00Z two pump stopped\n"
                               "   with a line that continues: pump\n"
                               "2026-03-01T11:30:00+01:00 three pump, an hour off\n"
                               "2026-03-01T12:00:00Z four valve\n"
                               "2026-03-01T12:30:00Z five pump\n"
                               "2026-03-01T14:00:00Z six pump\n";

/* What the operator gets; valid until the next. */
static const char *log_of(struct subject *subject, const char *members)
{
    static struct answer answer;
    char operation[32], fragment[512], *file;
    json_t *json;

    snprintf(fragment, sizeof fragment, "\"c8y_LogfileRequest\":{%s}", members);
    operate(subject, fragment, operation);
    json = await_operation(subject, operation, "SUCCESSFUL");
    file = text_of(json, "c8y_LogfileRequest", "file");
    assert_ptr_equal(strstr(file, world.server), file);
    answer = http_call(&world.sandbox, OPERATOR, "GET", file + strlen(world.server),
                       NULL, NULL);
    assert_int_equal(answer.status, 200);
    free(file);
    json_decref(json);
    return answer.body;
}

static void request_log(struct subject *subject, const char *members,
                        const char *expected)
{
    assert_string_equal(log_of(subject, members), expected);
}

static void refuse_log(struct subject *subject, const char *name, const char *from,
                       const char *reason)
{
    char operation[32], fragment[512];

    snprintf(fragment, sizeof fragment,
             "\"c8y_LogfileRequest\":{\"logFile\":\"%s\",\"dateFrom\":\"%s\","
             "\"dateTo\":\"\",\"searchText\":\"\",\"maximumLines\":2}",
             name, from);
    operate(subject, fragment, operation);
    expect_failure(subject, operation, reason);
}

static void expect_output(struct subject *subject, const char *command,
                          const char *status, const char *output);

static void a_log_is_uploaded_by_range_and_search_text(void **state)
{
    struct subject subject = { .id = "pl-log", .plugin = "logfile" };

    (void)state;
    write_text("device.log", log_text);
    settings(
        "return { logfile = { logs = { device = '%s/device.log', gone = '/gone' } } }");
    new_device(&subject, "c8y_LogfileRequest");
    request_log(&subject,
                "\"logFile\":\"device\",\"dateFrom\":\"2026-03-01T10:15:00.000Z\","
                "\"dateTo\":\"2026-03-01T13:00:00.000Z\",\"searchText\":\"pump\","
                "\"maximumLines\":100",
                "2026-03-01T11:00:00Z two pump stopped\n"
                "   with a line that continues: pump\n"
                "2026-03-01T11:30:00+01:00 three pump, an hour off\n"
                "2026-03-01T12:30:00Z five pump\n");
    request_log(&subject,
                "\"logFile\":\"device\",\"dateFrom\":\"2026-03-01T00:00:00+0100\","
                "\"dateTo\":\"2026-03-02T00:00:00+0100\",\"searchText\":\"\","
                "\"maximumLines\":2",
                "2026-03-01T12:30:00Z five pump\n2026-03-01T14:00:00Z six pump\n");

    refuse_log(&subject, "other", "", "there is no log 'other'");
    refuse_log(&subject, "gone", "", "/gone: No such file");
    refuse_log(&subject, "device", "yesterday", "'yesterday' is not a time");
    program_interrupt(&subject.agent);
}

/* A value that is missing keeps the platform from writing a row with it. */
static void a_log_request_without_some_values_is_carried_out(void **state)
{
    struct subject subject = { .id = "pl-log-few", .plugin = "logfile" };
    char operation[32];

    (void)state;
    write_text("device.log", log_text);
    settings("return { logfile = { logs = { device = '%s/device.log' } } }");
    new_device(&subject, "c8y_LogfileRequest");
    request_log(&subject,
                "\"logFile\":\"device\",\"dateFrom\":\"2026-03-01T12:15:00Z\","
                "\"dateTo\":\"2026-03-01T13:00:00Z\",\"maximumLines\":100",
                "2026-03-01T12:30:00Z five pump\n");
    request_log(&subject, "\"logFile\":\"device\",\"maximumLines\":1",
                "2026-03-01T14:00:00Z six pump\n");
    operate(&subject, "\"c8y_LogfileRequest\":{}", operation);
    expect_failure(&subject, operation, "no logFile");

    program_interrupt(&subject.agent); /* and what is asked for later */
    operate(&subject,
            "\"c8y_LogfileRequest\":{\"logFile\":\"device\",\"maximumLines\":1}",
            operation);
    run_agent(&subject);
    expect_success(&subject, operation);
    program_interrupt(&subject.agent);
}

static void a_command_or_configuration_without_its_text_fails(void **state)
{
    struct subject shell = { .id = "pl-shell-few", .plugin = "shell", .by_http = true };
    struct subject configuration = { .id = "pl-conf-few", .plugin = "configuration" };
    char operation[32];

    (void)state;
    write_text("device.conf", "speed = 1\n");
    settings("return { shell = { enabled = true, allow = { 'echo' } },\n"
             "configuration = { file = '%s/device.conf' } }");
    new_device(&shell, "c8y_Command");
    operate(&shell, "\"c8y_Command\":{}", operation);
    expect_failure(&shell, operation, "no 'text'");
    expect_output(&shell, "echo a", "SUCCESSFUL", "a\n");
    program_interrupt(&shell.agent);

    new_device(&configuration, "c8y_Configuration");
    operate(&configuration, "\"c8y_Configuration\":{}", operation);
    expect_failure(&configuration, operation, "no 'config'");
    expect_text("device.conf", "speed = 1\n");
    program_interrupt(&configuration.agent);
}

static void write_syslog(void)
{
    const time_t now = time(NULL), times[] = { now - 7200, now - 1800, now + 200000 };
    char text[256] = "", line[64];
    struct tm tm;

    for (int i = 0; i < 3; i++) {
        localtime_r(&times[i], &tm);
        strftime(line, sizeof line, "%b %e %H:%M:%S", &tm);
        sprintf(text + strlen(text), "%s host %d\n", line, i);
    }
    write_text("system.log", text);
}

/* Local times of Central Europe: the last one of syslog must be of last year, since it
 * would be in the future. */
static void a_log_in_local_time_is_understood_over_the_change_of_clocks(void **state)
{
    struct subject subject = { .id = "pl-log-dst", .plugin = "logfile" };
    char members[256], from[32];
    const char *found;
    const time_t hour_ago = time(NULL) - 3600;

    (void)state;
    setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
    tzset();
    write_text("device.log",
               "2026-03-29 01:59:59 before\n2026-03-29 03:00:00.5 after\n"
               "2026-10-25 01:30:00 summer\n2026-10-25 03:00:00 winter\n");
    write_syslog();
    settings("return { logfile = { logs = { device = '%s/device.log', "
             "system = '%s/system.log' } } }");
    new_device(&subject, "c8y_LogfileRequest");
    request_log(&subject,
                "\"logFile\":\"device\",\"dateFrom\":\"2026-03-29T01:00:00Z\","
                "\"dateTo\":\"2026-10-25T02:59:59+0100\",\"searchText\":\"\","
                "\"maximumLines\":9",
                "2026-03-29 03:00:00.5 after\n2026-10-25 01:30:00 summer\n");
    strftime(from, sizeof from, "%Y-%m-%dT%H:%M:%SZ", gmtime(&hour_ago));
    snprintf(members, sizeof members,
             "\"logFile\":\"system\",\"dateFrom\":\"%s\",\"dateTo\":\"\","
             "\"searchText\":\"host\",\"maximumLines\":9",
             from);
    found = log_of(&subject, members);
    assert_non_null(strstr(found, "host 1\n"));
    assert_null(strstr(found, "host 0"));
    assert_null(strstr(found, "host 2"));
    program_interrupt(&subject.agent);
    unsetenv("TZ");
    tzset();
}

static void a_log_goes_up_as_an_event_cut_to_its_last_lines(void **state)
{
    struct subject subject = { .id = "pl-log-ev", .plugin = "logfile" };
    char log[20000] = "", operation[32], *text;
    json_t *json, *list;

    (void)state;
    for (int i = 0; i < 400; i++)
        sprintf(log + strlen(log), "line %03d with some \"quotes\" in it\n", i);
    write_text("device.log", log);
    settings("return { logfile = { logs = { device = '%s/device.log' }, "
             "upload = 'event' } }");
    new_device(&subject, "c8y_LogfileRequest");
    operate(&subject,
            "\"c8y_LogfileRequest\":{\"logFile\":\"device\",\"dateFrom\":\"\","
            "\"dateTo\":\"\",\"searchText\":\"\",\"maximumLines\":1000}",
            operation);
    json = await_operation(&subject, operation, "SUCCESSFUL");
    text = text_of(json, "c8y_LogfileRequest", "note");
    assert_non_null(strstr(text, "of 13600 bytes"));
    free(text);
    json_decref(json);

    list = operator_get(&world, "/event/events?source=%s&type=c8y_LogfileEvent",
                        subject.object);
    text = strdup(json_string_value(
        json_object_get(json_array_get(json_object_get(list, "events"), 0), "text")));
    assert_memory_equal(text, "line ", 5);
    assert_true(strlen(text) > 5000);
    assert_string_equal(text + strlen(text) - 34,
                        "line 399 with some \"quotes\" in it\n");
    free(text);
    json_decref(list);
    program_interrupt(&subject.agent);
}

/* --- configuration ------------------------------------------------------------------------------ */

static void expect_shown(const struct subject *subject, const char *text)
{
    json_t *device =
        operator_get(&world, "/inventory/managedObjects/%s", subject->object);
    char *shown = text_of(device, "c8y_Configuration", "config");

    assert_string_equal(shown, text);
    free(shown);
    json_decref(device);
}

static void a_configuration_is_shown_and_replaced(void **state)
{
    struct subject subject = { .id = "pl-conf", .plugin = "configuration" };
    char operation[32], path[256];
    struct stat file;

    (void)state;
    write_text("device.real", "speed = 1\n");
    assert_int_equal(chmod(in_dir(path, "device.real"), 0640), 0);
    unlink(in_dir(path, "device.conf"));
    assert_int_equal(symlink("device.real", path), 0);
    settings("return { configuration = { file = '%s/device.conf' } }");
    new_device(&subject, "c8y_Configuration");
    expect_shown(&subject, "speed = 1\n");

    operate(
        &subject,
        "\"c8y_Configuration\":{\"config\":\"name = \\\"P, 1\\\"\\n# \\u00e9\\\\n\\n\"}",
        operation);
    expect_success(&subject, operation);
    expect_text("device.conf", "name = \"P, 1\"\n# \xc3\xa9\\n\n");
    assert_int_equal(lstat(in_dir(path, "device.conf"), &file), 0);
    assert_true(S_ISLNK(file.st_mode)); /* and stays one */
    assert_int_equal(stat(in_dir(path, "device.real"), &file), 0);
    assert_int_equal(file.st_mode & 0777, 0640);
    expect_shown(&subject, "name = \"P, 1\"\n# \xc3\xa9\\n\n");

    write_text("device.conf", "speed = 3\n");
    operate(&subject, "\"c8y_SendConfiguration\":{}", operation);
    expect_success(&subject, operation);
    expect_shown(&subject, "speed = 3\n");
    program_interrupt(&subject.agent);
    unlink(in_dir(path, "device.conf"));
}

static void a_configuration_that_is_too_long_changes_nothing(void **state)
{
    struct subject subject = { .id = "pl-conf-max", .plugin = "configuration" };
    char fragment[16000], operation[32];
    size_t n;

    (void)state;
    write_text("device.conf", "speed = 1\n");
    settings("return { configuration = { file = '%s/device.conf' } }");
    new_device(&subject, "c8y_Configuration");
    n = (size_t)sprintf(fragment, "\"c8y_Configuration\":{\"config\":\"");
    for (int i = 0; i < 7000; i++, n += 2)
        memcpy(fragment + n, "\\\"", 3);
    strcpy(fragment + n, "\"}");
    operate(&subject, fragment, operation);
    expect_failure(&subject, operation, "does not fit a row");

    memset(fragment + n - 14000, 'x', 14000);
    operate(&subject, fragment, operation);
    expect_failure(&subject, operation, "14000 bytes, more than 8192");
    expect_text("device.conf", "speed = 1\n");
    program_interrupt(&subject.agent);
}

static void a_configuration_that_does_not_apply_is_taken_back(void **state)
{
    struct subject subject = { .id = "pl-apply", .plugin = "configuration" };
    char operation[32];

    (void)state;
    write_text("device.conf", "speed = 1\n");
    settings("return { configuration = { file = '%s/device.conf', "
             "apply = { 'grep', '-q', 'speed', '%s/device.conf' } } }");
    new_device(&subject, "c8y_Configuration");
    operate(&subject, "\"c8y_Configuration\":{\"config\":\"speed = 2\\n\"}", operation);
    expect_success(&subject, operation);
    operate(&subject, "\"c8y_Configuration\":{\"config\":\"nonsense\\n\"}", operation);
    expect_failure(&subject, operation, "status 1: ; the old file is back");
    expect_text("device.conf", "speed = 2\n");
    expect_shown(&subject, "speed = 2\n");
    program_interrupt(&subject.agent);
}

/* --- shell ------------------------------------------------------------------------------------------ */

static void expect_output(struct subject *subject, const char *command,
                          const char *status, const char *output)
{
    char operation[32], fragment[512], *result;
    json_t *json;

    snprintf(fragment, sizeof fragment, "\"c8y_Command\":{\"text\":\"%s\"}", command);
    operate(subject, fragment, operation);
    json = await_operation(subject, operation, status);
    result = text_of(json, "c8y_Command", "result");
    assert_string_equal(result, output);
    free(result);
    json_decref(json);
}

/* They wait for one another in the plugin. */
static void expect_refusals(struct subject *subject, const char *many)
{
    const struct {
        const char *command, *reason;
    } refusals[] = {
        {"sleep 600",     "killed after 3 s"                    },
        { "false",        "false ended with status 1"           },
        { "nobody",       "nobody: no such file"                },
        { "ls /",         "'ls' is not on the allow-list"       },
        { "/bin/echo hi", "'/bin/echo' is not on the allow-list"},
        { "echo 'open",   "a quote is not closed"               },
        { "",             "there is no command"                 },
        { many,           "more than 2000 bytes"                },
    };
    enum { COUNT = sizeof refusals / sizeof *refusals };
    char operation[COUNT][32], fragment[4000];

    for (int i = 0; i < COUNT; i++) {
        snprintf(fragment, sizeof fragment, "\"c8y_Command\":{\"text\":\"%s\"}",
                 refusals[i].command);
        operate(subject, fragment, operation[i]);
    }
    for (int i = 0; i < COUNT; i++)
        expect_failure(subject, operation[i], refusals[i].reason);
}

static void commands_run_if_they_are_on_the_list(void **state)
{
    struct subject subject = { .id = "pl-shell", .plugin = "shell" };
    char many[2100];

    (void)state;
    setenv("LC_ALL", "C", 1); /* for what ls says */
    settings(
        "return { shell = { enabled = true, timeout = 3, output_max = 40, "
        "allow = { 'echo', 'seq', 'sleep', 'ls /nowhere', 'false', 'nobody' } } }");
    new_device(&subject, "c8y_Command");
    expect_output(&subject, "echo 'a, b' \\\"c\\\"; ls", "SUCCESSFUL", "a, b c; ls\n");
    expect_output(&subject, "seq 1 10000", "SUCCESSFUL",
                  "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n13\n14\n15\n16\n1\n[cut]");
    expect_output(&subject, "ls /nowhere", "FAILED",
                  "ls: cannot access '/nowhere': No such fi\n[cut]");
    memset(many, 'e', sizeof many);
    many[sizeof many - 1] = '\0';
    expect_refusals(&subject, many);
    program_interrupt(&subject.agent);
}

/* e with acute is two bytes; 0xff is none of UTF-8; quotes grow threefold in a row. */
static void by_http_output_is_cut_between_characters_and_to_a_row(void **state)
{
    struct subject subject = { .id = "pl-shell-h", .plugin = "shell", .by_http = true };
    char text[8001], command[300], path[256], operation[32], *result;
    json_t *json;

    (void)state;
    write_text("accents", "\xc3\xa9\xff"
                          "abc\x01"
                          "def\xc3\xa9\xc3\xa9");
    settings(
        "return { shell = { enabled = true, allow = { 'cat' }, output_max = 11 } }");
    new_device(&subject, "c8y_Command");
    snprintf(command, sizeof command, "cat %s", in_dir(path, "accents"));
    expect_output(&subject, command, "SUCCESSFUL",
                  "\xc3\xa9\xef\xbf\xbd"
                  "abc\x01"
                  "def\n[cut]");

    memset(text, '"', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    write_text("accents", text);
    settings("return { shell = { enabled = true, allow = { 'cat' } } }");
    run_again(&subject);
    snprintf(text, sizeof text, "\"c8y_Command\":{\"text\":\"%s\"}", command);
    program_await(&subject.agent, "connect: subscribed");
    operate(&subject, text, operation);
    json = await_operation(&subject, operation, "SUCCESSFUL");
    result = text_of(json, "c8y_Command", "result");
    assert_true(strlen(result) > 3000 && strlen(result) < 5200);
    assert_string_equal(result + strlen(result) - 8, "\"\"\n[cut]");
    free(result);
    json_decref(json);
    program_interrupt(&subject.agent);
}

/* --- operations, whatever they are ----------------------------------------------------- */

/* A program of the folder that leaves a line in `ran` each time. */
static void write_counter(void)
{
    char path[256], script[512];

    snprintf(script, sizeof script, "#!/bin/sh\necho ran >>%s/ran\n",
             world.sandbox.dir);
    write_text("count", script);
    assert_int_equal(chmod(in_dir(path, "count"), 0755), 0);
    settings("return { shell = { enabled = true, allow = { '%s/count' } } }");
}

static void command_counter(struct subject *subject, char operation[32])
{
    char fragment[400];

    snprintf(fragment, sizeof fragment, "\"c8y_Command\":{\"text\":\"%s/count\"}",
             world.sandbox.dir);
    operate(subject, fragment, operation);
}

/* Under another name, and with answers that look as if operations were pushed again. */
static void write_other_templates(void)
{
    char text[16384] = "plugins_twice_1\n", line[2048];
    FILE *file = fopen(PLUGINS "/templates.txt", "r");

    assert_non_null(file);
    assert_non_null(fgets(line, sizeof line, file)); /* their name */
    while (fgets(line, sizeof line, file))
        strcat(text, line);
    fclose(file);
    strcat(text,
           "11,506,$.operations,$.c8y_Command,$.id,$.deviceId,$.c8y_Command.text\n");
    write_text("templates.txt", text);
}

/* It is asked five times, so that each operation comes ten times. */
static void what_was_asked_for_while_nobody_listened_is_done_once(void **state)
{
    char operation[32], ask[256], templates[256];
    struct subject subject = { .id = "pl-offline", .plugin = "shell" };

    (void)state;
    write_counter();
    new_device(&subject, "c8y_Command");
    program_interrupt(&subject.agent);
    command_counter(&subject, operation);

    write_text("ask.lua", "function init()\n"
                          "  for _ = 1, 5 do c8y:send { 107, c8y.ID } end\n"
                          "  return 0\nend\n");
    write_other_templates();
    subject.more = in_dir(ask, "ask.lua");
    subject.templates = in_dir(templates, "templates.txt");
    run_agent(&subject);
    expect_success(&subject, operation);
    command_counter(&subject, operation);
    expect_success(&subject, operation);
    expect_text("ran", "ran\nran\n");
    program_interrupt(&subject.agent);
    remove_file("ran");
}

/* The connection is cut while the agent is stopped, so that the operation is there before
 * it has a new one. */
static void what_was_asked_for_during_an_outage_is_done(void **state)
{
    struct subject subject = { .id = "pl-outage", .plugin = "shell" };
    char operation[32];

    (void)state;
    write_counter();
    new_device(&subject, "c8y_Command");
    child_signal(subject.agent.pid, SIGSTOP);
    world_kill(&world);
    world_start(&world, NULL);
    command_counter(&subject, operation);
    child_signal(subject.agent.pid, SIGCONT);
    expect_success(&subject, operation);
    expect_text("ran", "ran\n");
    program_interrupt(&subject.agent);
    remove_file("ran");
}

static void what_an_agent_left_under_way_has_failed(void **state)
{
    struct subject subject = { .id = "pl-left", .plugin = "shell" };
    char operation[32];

    (void)state;
    settings("return { shell = { enabled = true, allow = { 'sleep' } } }");
    new_device(&subject, "c8y_Command");
    operate(&subject, "\"c8y_Command\":{\"text\":\"sleep 600\"}", operation);
    program_await(&subject.agent, "running sleep");
    program_kill(&subject.agent);
    run_agent(&subject);
    expect_failure(&subject, operation, "the agent ended while it was under way");
    program_interrupt(&subject.agent);
}

static void a_mistake_of_a_plugin_fails_its_operation(void **state)
{
    char operations[4][32], fragment[64], path[256];
    const char *commands[] = { "raise", "later", "fine", "spin" };
    struct subject subject = { .id = "pl-wrong", .plugin = in_dir(path, "wrong.lua") };

    (void)state;
    write_text("wrong.lua",
               "local plugin = require 'plugin'\n"
               "function init()\n"
               "  plugin.operation('c8y_Command', 506, function(operation, _, what)\n"
               "    if what == 'raise' then error('this went wrong') end\n"
               "    while what == 'spin' do end\n"
               "    if what == 'fine' then return true end\n"
               "    local timer\n"
               "    timer = c8y:addTimer(10, function()\n"
               "      plugin.failed(operation, 'later')\n"
               "      timer:stop()\n"
               "    end)\n"
               "    timer:start()\n"
               "    return 'later'\n"
               "  end, { 540 })\n"
               "  return 0\n"
               "end\n");
    settings("return {}");
    new_device(&subject, "c8y_Command");
    for (int i = 0; i < 4; i++) {
        sprintf(fragment, "\"c8y_Command\":{\"text\":\"%s\"}", commands[i]);
        operate(&subject, fragment, operations[i]);
    }
    expect_failure(&subject, operations[0], "this went wrong");
    expect_failure(&subject, operations[1], "later");
    expect_success(&subject, operations[2]);
    expect_failure(&subject, operations[3], "the plugin was ended while it ran");
    program_interrupt(&subject.agent);
}

static void a_plugin_that_has_changed_is_loaded_anew_and_acts_once(void **state)
{
    char operation[32], path[256];
    struct subject subject = { .id = "pl-reload",
                               .plugin = in_dir(path, "edition.lua"),
                               .watch = true };

    (void)state;
    write_counter();
    write_edition("shell", "one");
    new_device(&subject, "c8y_Command");
    program_await(&subject.agent, "edition one");
    write_edition("shell", "two");
    program_await(&subject.agent, "edition two");
    command_counter(&subject, operation);
    expect_success(&subject, operation);
    expect_text("ran", "ran\n");
    program_interrupt(&subject.agent);
    remove_file("ran");
}

static void without_being_enabled_the_shell_offers_nothing(void **state)
{
    struct subject subject = { .id = "pl-shell-off", .plugin = "shell" };

    (void)state;
    settings("return { shell = { allow = { 'echo' } } }");
    new_device(&subject, NULL);
    program_await(&subject.agent, "shell: not enabled");
    program_await(&subject.agent, "shell: loaded");
    assert_false(supports(&subject, "c8y_Command"));
    program_interrupt(&subject.agent);
}

static void a_setting_that_cannot_be_is_named(void **state)
{
    struct subject subject = { .id = "pl-shell-off", .plugin = "shell" };

    (void)state;
    settings("return { shell = { alow = { 'echo' } } }");
    run_agent(&subject);
    program_await(&subject.agent, "shell has no setting 'alow'");
    program_interrupt(&subject.agent);
    settings("return { shell = { allow = 'echo' } }");
    run_agent(&subject);
    program_await(&subject.agent, "shell.allow is a string, and has to be a table");
    program_interrupt(&subject.agent);
    settings("return { shell = {");
    run_agent(&subject);
    program_await(&subject.agent, "settings.lua:");
    program_interrupt(&subject.agent);
}

/* --- templates ------------------------------------------------------------------------- */

static void print_finding(const struct sr_template_finding *f, void *count)
{
    if (f->is_note)
        return;
    print_message("templates.txt:%zu:%zu: %s [%s]\n", f->line, f->column, f->text,
                  f->rule);
    ++*(int *)count;
}

static void the_lint_finds_nothing_in_the_templates(void **state)
{
    int count = 0;

    (void)state;
    assert_int_equal(
        sr_template_lint_file(PLUGINS "/templates.txt", print_finding, &count), 0);
    assert_int_equal(count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_lint_finds_nothing_in_the_templates),
        cmocka_unit_test(metrics_are_what_proc_says),
        cmocka_unit_test(by_mqtt_a_restart_is_successful_after_the_next_start),
        cmocka_unit_test(by_http_a_restart_is_successful_after_the_next_start),
        cmocka_unit_test(a_restart_that_fails_is_told),
        cmocka_unit_test(an_agent_that_comes_back_without_a_reboot_says_so),
        cmocka_unit_test(a_log_is_uploaded_by_range_and_search_text),
        cmocka_unit_test(a_log_request_without_some_values_is_carried_out),
        cmocka_unit_test(a_command_or_configuration_without_its_text_fails),
        cmocka_unit_test(a_log_in_local_time_is_understood_over_the_change_of_clocks),
        cmocka_unit_test(a_log_goes_up_as_an_event_cut_to_its_last_lines),
        cmocka_unit_test(a_configuration_is_shown_and_replaced),
        cmocka_unit_test(a_configuration_that_is_too_long_changes_nothing),
        cmocka_unit_test(a_configuration_that_does_not_apply_is_taken_back),
        cmocka_unit_test(commands_run_if_they_are_on_the_list),
        cmocka_unit_test(by_http_output_is_cut_between_characters_and_to_a_row),
        cmocka_unit_test(what_was_asked_for_while_nobody_listened_is_done_once),
        cmocka_unit_test(what_was_asked_for_during_an_outage_is_done),
        cmocka_unit_test(what_an_agent_left_under_way_has_failed),
        cmocka_unit_test(a_mistake_of_a_plugin_fails_its_operation),
        cmocka_unit_test(a_plugin_that_has_changed_is_loaded_anew_and_acts_once),
        cmocka_unit_test(without_being_enabled_the_shell_offers_nothing),
        cmocka_unit_test(a_setting_that_cannot_be_is_named),
    };

    return cmocka_run_group_tests(tests, start, end);
}
