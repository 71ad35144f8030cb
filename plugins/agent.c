/* SPDX-License-Identifier: MIT */
/* An agent that is all plugins: templates from a file, everything else in Lua.
 *
 *     smartrest-plugins [options] -- TEMPLATES [watch] [look=SECONDS] [lib=DIR]... PLUGIN...
 *
 * With --broker it reports by MQTT, without by HTTP and device push. A plugin is a file or
 * a directory of files; lib= names where `require` looks; with `watch` a plugin is loaded
 * anew when its file has changed. look= is how often it asks for operations without a reason,
 * besides each time that the connection has been made anew; 900 if it is not given. Options are those of the examples.
 *
 * Plugins say what the device can do by agent.supports('c8y_Restart'). The agent tells the
 * platform, and asks for operations that were made while nobody listened. */
#include <signal.h>
#include <smartrest/lua.h>
#include <smartrest/smartrest.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>
#include <lua.h>

enum {
    OPERATIONS_MAX = 32,
    NAME_MAX_BYTES = 64, /* of an operation */
    TELL_MS = 100,
    LINGER_MS = 100, /* operations go through several rows, one after the other */
    ASK_MS = 15 * 60 * 1000
};

struct device {
    struct sr_agent *agent;
    struct sr_lua *lua;
    struct sr_reporter *reporter;
    struct sr_push *push;  /* by HTTP */
    struct sr_timer *tell; /* soon after a plugin has named an operation */
    struct sr_timer *look; /* asks anyway */
    uint64_t look_ms;
    bool watch;
    char *operations[OPERATIONS_MAX];
    size_t count;
};

static int fail(struct device *device, const char *why)
{
    fprintf(stderr, "smartrest-plugins: %s\n", why);
    sr_lua_free(device->lua);
    sr_agent_free(device->agent);
    return 1;
}

/* --- operations made while nobody listened ------------------------------------------ */

/* 107: those that wait; 108: those that an agent before this one left under way. */
static void ask(struct device *device)
{
    const char *id = sr_agent_id(device->agent);

    sr_agent_sendf(device->agent, "107,%s", id);
    sr_agent_sendf(device->agent, "108,%s", id);
}

/* What was made between two connections is not pushed by the second one. */
static void connected(struct sr_agent *agent, void *arg)
{
    (void)agent;
    ask(arg);
}

static void look(struct sr_agent *agent, struct sr_timer *timer, void *arg)
{
    (void)agent;
    (void)timer;
    ask(arg);
}

/* --- what the device can do: each plugin says its part ------------------------------ */

static void tell_operations(struct sr_agent *agent, struct sr_timer *timer, void *arg)
{
    struct device *device = arg;
    char list[OPERATIONS_MAX * (NAME_MAX_BYTES + sizeof "\"\",")] = "";

    for (size_t i = 0; i < device->count; i++) {
        if (i)
            strcat(list, ",");
        sprintf(list + strlen(list), "\"%s\"", device->operations[i]);
    }
    sr_agent_sendf_prio(agent, SR_PRIO_BUF, "104,%s,%s", sr_agent_id(agent), list);
    ask(device);
    sr_timer_stop(timer);
}

static bool is_name(const char *text)
{
    size_t len = strlen(text);

    return len && len <= NAME_MAX_BYTES &&
           len == strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                               "0123456789_");
}

/* agent.supports('c8y_Restart') */
static int supports(struct lua_State *L)
{
    struct device *device = lua_touserdata(L, lua_upvalueindex(1));
    const char *name = luaL_checkstring(L, 1);

    luaL_argcheck(L, is_name(name), 1, "the name of an operation expected");
    for (size_t i = 0; i < device->count; i++)
        if (!strcmp(device->operations[i], name)) { /* the plugin was loaded anew */
            sr_timer_start(device->tell);
            return 0;
        }
    if (device->count == OPERATIONS_MAX)
        return luaL_error(L, "more than %d operations", OPERATIONS_MAX);
    device->operations[device->count] = strdup(name);
    if (!device->operations[device->count])
        return luaL_error(L, "out of memory");
    device->count++;
    sr_timer_start(device->tell);
    return 0;
}

/* --- life ------------------------------------------------------------------------------ */

static int integrate(struct device *device, const char *templates)
{
    struct sr_template_error error;
    struct sr_template tmpl;
    int rc = sr_template_read(templates, &tmpl, &error);

    if (rc)
        return fail(device, error.text);
    if (sr_agent_integrate(device->agent, tmpl.version, tmpl.rows))
        rc = fail(device, sr_agent_error(device->agent));
    sr_template_release(&tmpl);
    return rc;
}

static int report(struct device *device, const char *broker)
{
    struct sr_agent *agent = device->agent;

    if (broker ? sr_reporter_new_mqtt(agent, broker, &device->reporter)
               : sr_reporter_new_http(agent, &device->reporter))
        return -1;
    if (sr_reporter_set_linger(device->reporter, LINGER_MS) ||
        sr_reporter_start(device->reporter))
        return -1;
    sr_agent_on_connected(agent, connected, device);
    return broker ? 0
                  : sr_push_new(agent, &device->push) || sr_push_start(device->push);
}

static int start_timers(struct device *device)
{
    return sr_timer_new(device->agent, TELL_MS, tell_operations, device,
                        &device->tell) ||
           sr_timer_new(device->agent, device->look_ms, look, device, &device->look) ||
           sr_timer_start(device->look);
}

static int new_host(struct device *device)
{
    const struct sr_lua_options options = { .watch_files = device->watch };

    return sr_lua_new(device->agent, &options, &device->lua) ||
           sr_lua_add_function(device->lua, "agent.supports", supports, device);
}

/* `watch` and `look=SECONDS`. */
static bool take_word(struct device *device, const char *word)
{
    char *end;
    long seconds;

    if (!strcmp(word, "watch")) {
        device->watch = true;
        return true;
    }
    if (strncmp(word, "look=", 5))
        return false;
    seconds = strtol(word + 5, &end, 10);
    if (end == word + 5 || *end || seconds < 1 || seconds > ASK_MS / 1000)
        return false;
    device->look_ms = (uint64_t)seconds * 1000;
    return true;
}

/* A plugin that cannot be loaded is logged, and the others go on. */
static void load(struct device *device, char *const paths[])
{
    for (; *paths; paths++)
        if (!strncmp(*paths, "lib=", 4))
            sr_lua_add_path(device->lua, *paths + 4);
        else if (sr_lua_load(device->lua, *paths))
            sr_error("%s", sr_lua_error(device->lua));
}

static int run(struct device *device, const struct sr_options *options,
               const char *broker, char *const paths[])
{
    struct sr_agent *agent = device->agent;

    sr_agent_set_wait(agent, options->wait_ms);
    if (sr_agent_set_ca_file(agent, options->ca_file) ||
        sr_agent_stop_on(agent, SIGINT) || sr_agent_stop_on(agent, SIGTERM) ||
        sr_agent_bootstrap(agent, options->credentials))
        return fail(device, sr_agent_error(agent));
    if (integrate(device, *paths++))
        return 1;
    while (*paths && take_word(device, *paths))
        paths++;
    if (start_timers(device) || new_host(device))
        return fail(device, "out of memory");
    load(device, paths);
    if (report(device, broker) || sr_agent_loop(agent))
        return fail(device, sr_agent_error(agent));
    sr_lua_free(device->lua);
    sr_agent_free(agent);
    return 0;
}

/* Where `--` stands in argv; argc if it does not. */
static int end_of_options(int argc, char **argv)
{
    int i = 1;

    while (i < argc && strcmp(argv[i], "--"))
        i++;
    return i;
}

int main(int argc, char **argv)
{
    static const char none[] = "mqtt://localhost"; /* known by its address */
    struct sr_options options = { .broker = none };
    struct device device = { .look_ms = ASK_MS };
    int end = end_of_options(argc, argv), rc;

    if (sr_options_parse(&options, end, argv))
        return options.exit_status;
    if (argc - end < 3) {
        fprintf(
            stderr,
            "usage: smartrest-plugins [options] -- TEMPLATES [watch] [look=SECONDS] "
            "[lib=DIR]... PLUGIN...\n");
        return 2;
    }
    if (sr_agent_new(options.server, options.device_id, &device.agent))
        return fail(&device, "out of memory");
    rc = run(&device, &options, options.broker == none ? NULL : options.broker,
             argv + end + 1);
    for (size_t i = 0; i < device.count; i++)
        free(device.operations[i]);
    return rc;
}
