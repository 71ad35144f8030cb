/* SPDX-License-Identifier: MIT */
#include "lua/fixture.h"

#include "agent/dispatch.h"
#include "lua/compat.h"
#include <dirent.h>
#include <smartrest/loop.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

struct world world;

enum { PATIENCE_MS = 30000 };

static void append(char *text, size_t size, const char *more, const char *end)
{
    size_t len = strlen(text);

    snprintf(text + len, size - len, "%s%s", more, end);
}

static void on_log(enum sr_log_level level, const char *component, const char *text,
                   void *arg)
{
    (void)arg;
    append(world.log, sizeof world.log, sr_log_level_name(level), " ");
    append(world.log, sizeof world.log, component, ": ");
    append(world.log, sizeof world.log, text, "\n");
}

static int say(lua_State *L)
{
    for (int i = 1; i <= lua_gettop(L); i++) {
        append(world.said, sizeof world.said, luaL_tolstring(L, i, NULL),
               i < lua_gettop(L) ? " " : ";");
        lua_pop(L, 1);
    }
    return 0;
}

void make_world(const struct sr_lua_options *options, const char *server)
{
    memset(&world, 0, sizeof world);
    strcpy(world.dir, "/tmp/sr-lua-test-XXXXXX");
    assert_non_null(mkdtemp(world.dir));
    sr_log_set_level(SR_LOG_DEBUG);
    sr_log_set_sink(on_log, NULL);
    assert_int_equal(sr_agent_new(server, "plugged", &world.agent), 0);
    assert_int_equal(sr_agent_set_xid(world.agent, "1001"), 0);
    assert_int_equal(sr_agent_set_id(world.agent, "4711"), 0);
    assert_int_equal(
        sr_agent_set_credentials(world.agent, "t100", "device_plugged", "secret"), 0);
    assert_int_equal(sr_lua_new(world.agent, options, &world.lua), 0);
    assert_int_equal(sr_lua_add_function(world.lua, "say", say, NULL), 0);
}

static void remove_folder(const char *path)
{
    DIR *folder = opendir(path);
    struct dirent *entry;
    char file[512];

    while (folder && (entry = readdir(folder))) {
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
            continue;
        snprintf(file, sizeof file, "%s/%s", path, entry->d_name);
        if (unlink(file))
            remove_folder(file);
    }
    if (folder)
        closedir(folder);
    rmdir(path);
}

void end_world(void)
{
    world.lua = sr_lua_free(world.lua);
    world.agent = sr_agent_free(world.agent);
    sr_log_set_sink(NULL, NULL);
    remove_folder(world.dir);
}

int begin(void **state)
{
    (void)state;
    make_world(NULL, "http://127.0.0.1:9");
    return 0;
}

int end(void **state)
{
    (void)state;
    end_world();
    return 0;
}

const char *write_file(const char *name, const char *text)
{
    static char path[256];
    char beside[300];
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", world.dir, name);
    snprintf(beside, sizeof beside, "%s.new", path);
    file = fopen(beside, "w");
    assert_non_null(file);
    assert_int_equal(fputs(text, file) < 0, 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(rename(beside, path), 0);
    return path;
}

int load(const char *name, const char *text)
{
    char file[64];

    snprintf(file, sizeof file, "%s.lua", name);
    return sr_lua_load(world.lua, write_file(file, text));
}

void run_init(const char *name, const char *body)
{
    char *text;
    int rc;

    assert_true(asprintf(&text, "function init()\n%s\nreturn 0 end", body) > 0);
    rc = load(name, text);
    if (rc)
        print_message("%s\n%s\n", sr_lua_error(world.lua), world.log);
    assert_int_equal(rc, 0);
    free(text);
}

void receive(const char *xid, const char *rows)
{
    uint64_t seen = 0, malformed = 0;

    sr_agent_received_text(world.agent, &(struct sr_origin){ &sr_smartrest1, xid },
                           rows, strlen(rows), &seen, &malformed);
}

struct wait {
    const char *where, *text;
};

static void on_patience_over(struct sr_agent *agent, struct sr_timer *timer, void *arg)
{
    (void)timer;
    *(bool *)arg = true;
    sr_agent_stop(agent);
}

static void poke(struct sr_agent *agent, struct sr_timer *timer, void *arg)
{
    const struct wait *wait = arg;

    (void)timer;
    if (strstr(wait->where, wait->text))
        sr_agent_stop(agent);
}

static void wait_for(const char *where, const char *text)
{
    struct wait wait = { where, text };
    struct sr_timer *patience, *look;
    bool over = false;

    sr_timer_new(world.agent, PATIENCE_MS, on_patience_over, &over, &patience);
    sr_timer_new(world.agent, 2, poke, &wait, &look);
    sr_timer_start(patience);
    sr_timer_start(look);
    sr_agent_loop(world.agent);
    sr_timer_free(patience);
    sr_timer_free(look);
    if (over)
        fail_msg("nobody said '%s', but: %s\n%s", text, world.said, world.log);
}

void wait_said(const char *text)
{
    wait_for(world.said, text);
}

void wait_logged(const char *text)
{
    wait_for(world.log, text);
}

static void on_moment_over(struct sr_agent *agent, struct sr_timer *timer, void *arg)
{
    (void)timer;
    (void)arg;
    sr_agent_stop(agent);
}

void settle(void)
{
    struct sr_timer *moment;

    sr_timer_new(world.agent, 5, on_moment_over, NULL, &moment);
    sr_timer_start(moment);
    sr_agent_loop(world.agent);
    sr_timer_free(moment);
}

void turn(void)
{
    uv_run(sr_loop_uv(sr_agent_get_loop(world.agent)), UV_RUN_NOWAIT);
}

void forget_said(void)
{
    *world.said = '\0';
}

struct sr_lua_plugin plugin_named(const char *name)
{
    struct sr_lua_plugin plugin;

    for (size_t i = 0; sr_lua_plugin(world.lua, i, &plugin) == 0; i++)
        if (!strcmp(plugin.name, name))
            return plugin;
    fail_msg("there is no plugin '%s'", name);
    return plugin;
}

bool is_slow(void)
{
    return getenv("VALGRIND") != NULL;
}
