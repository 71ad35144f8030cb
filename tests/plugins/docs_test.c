/* SPDX-License-Identifier: MIT */
/* docs/lua.md: each listing in Lua is run, and has to log what it says:
 *
 *     -- logs: TEXT    a line of the log has TEXT in it; behind the one before
 *     -- fails         callbacks of the listing may fail
 *     -- operator: restart    once it is loaded the operator makes a restart operation
 *     -- operator: reload     the plugin is loaded anew when the first line has been logged
 *
 * And every function that a plugin sees has to be in one of them. */
#include "credentials.h"

#include <lauxlib.h>
#include <lua.h>
#include <smartrest/lua.h>
#include <smartrest/smartrest.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LISTINGS_MAX = 64, EXPECTED_MAX = 32, NAMES_MAX = 128 };

static const char other_templates[] =
    "10,200,GET,/identity/externalIds/c8y_Serial/%%,,application/json,%%,STRING,\n"
    "11,600,$.managedObject,,$.id\n";

struct listing {
    char *text;
    size_t line; /* of the page */
};

static struct world world;
static struct sr_agent *agent;
static struct sr_lua *lua;
static char *page;
static struct listing listings[LISTINGS_MAX];
static size_t listing_count;

/* --- the page ------------------------------------------------------------------------ */

static char *read_page(void)
{
    FILE *file = fopen(PAGE, "r");
    char *text = calloc(1, 1 << 20);

    assert_non_null(file);
    assert_non_null(text);
    assert_true(fread(text, 1, (1 << 20) - 1, file) > 0);
    fclose(file);
    return text;
}

static size_t line_of(const char *at)
{
    size_t line = 1;

    for (const char *p = page; p < at; p++)
        line += *p == '\n';
    return line;
}

static void find_listings(void)
{
    static const char begin[] = "\n```lua\n", end[] = "\n```\n";

    for (const char *at = page; (at = strstr(at, begin));) {
        const char *text = at + strlen(begin), *stop = strstr(text, end);

        assert_non_null(stop);
        assert_true(listing_count < LISTINGS_MAX);
        listings[listing_count++] =
            (struct listing){ strndup(text, (size_t)(stop - text)), line_of(text) };
        at = stop;
    }
    assert_true(listing_count > 10);
}

/* --- what the plugins log ---------------------------------------------------------------- */

static struct {
    char *expected[EXPECTED_MAX];
    size_t count, seen;
    char all[32768];
} story;

/* Takes note of what plugins say, and of nothing else. */
static void on_log(enum sr_log_level level, const char *component, const char *text,
                   void *arg)
{
    size_t len = strlen(story.all);

    (void)level;
    (void)arg;
    if (strcmp(component, "example"))
        return;
    snprintf(story.all + len, sizeof story.all - len, "%s\n", text);
    if (story.seen < story.count && strstr(text, story.expected[story.seen]))
        story.seen++;
}

static void expect_story(const char *text)
{
    static const char mark[] = "-- logs: ";

    for (size_t i = 0; i < story.count; i++)
        free(story.expected[i]);
    memset(&story, 0, sizeof story);
    while ((text = strstr(text, mark))) {
        size_t len;

        text += strlen(mark);
        len = strcspn(text, "\n");
        assert_true(story.count < EXPECTED_MAX);
        story.expected[story.count++] = strndup(text, len);
    }
}

/* --- the agent ------------------------------------------------------------------------------ */

static void register_other_templates(const struct credentials *credentials)
{
    char account[300];

    snprintf(account, sizeof account, "%s/%s:%s", credentials->tenant,
             credentials->user, credentials->password);
    call_well(&world, account, "POST", "/s", "com_example_pump", other_templates, 200);
}

static int start(void **state)
{
    struct credentials credentials;
    struct sr_template templates;
    struct sr_reporter *reporter;

    (void)state;
    page = read_page();
    find_listings();
    world_prepare(&world);
    world_start(&world, NULL);
    setenv("TMPDIR", world.sandbox.dir, 1);
    credentials_get(&world, "docs", &credentials);
    register_other_templates(&credentials);
    sr_log_set_level(SR_LOG_DEBUG);
    sr_log_set_sink(on_log, NULL);
    assert_int_equal(sr_agent_new(world.server, "docs", &agent), 0);
    assert_int_equal(sr_agent_set_credentials(agent, credentials.tenant,
                                              credentials.user, credentials.password),
                     0);
    assert_int_equal(sr_template_read(TEMPLATES, &templates, NULL), 0);
    assert_int_equal(sr_agent_integrate(agent, templates.version, templates.rows), 0);
    sr_template_release(&templates);
    assert_int_equal(sr_reporter_new_mqtt(agent, world.broker, &reporter), 0);
    assert_int_equal(sr_reporter_set_linger(reporter, 0), 0);
    assert_int_equal(sr_reporter_start(reporter), 0);
    assert_int_equal(sr_lua_new(agent, NULL, &lua), 0);
    return 0;
}

static int end(void **state)
{
    (void)state;
    lua = sr_lua_free(lua);
    agent = sr_agent_free(agent);
    sr_log_set_sink(NULL, NULL);
    world_end(&world);
    expect_story("");
    for (size_t i = 0; i < listing_count; i++)
        free(listings[i].text);
    free(page);
    return 0;
}

/* --- running one ---------------------------------------------------------------------------- */

static struct sr_lua_plugin plugin_now(void)
{
    struct sr_lua_plugin plugin;

    assert_int_equal(sr_lua_plugin(lua, 0, &plugin), 0);
    return plugin;
}

static void write_plugin(const char *text, char path[128])
{
    bool whole = strstr(text, "function init()");
    FILE *file;

    snprintf(path, 128, "%s/example.lua", world.sandbox.dir);
    file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file, whole ? "%s\n" : "function init()\n%s\nreturn 0\nend\n", text);
    assert_int_equal(fclose(file), 0);
}

static bool reload; /* when the first line has been logged */

static void look(struct sr_agent *of, struct sr_timer *timer, void *over)
{
    enum sr_lua_state state = plugin_now().state;

    (void)timer;
    if (reload && story.seen && state == SR_LUA_RUNNING) {
        reload = false;
        assert_int_equal(sr_lua_reload(lua, "example"), 0);
        return;
    }
    if (*(bool *)over || state > SR_LUA_RUNNING ||
        (state == SR_LUA_RUNNING && story.seen == story.count))
        sr_agent_stop(of);
}

static void on_patience_over(struct sr_agent *of, struct sr_timer *timer, void *over)
{
    (void)of;
    (void)timer;
    *(bool *)over = true;
}

static void run_until_told(void)
{
    struct sr_timer *looking, *patience;
    bool over = false;

    assert_int_equal(sr_timer_new(agent, 2, look, &over, &looking), 0);
    assert_int_equal(
        sr_timer_new(agent, PATIENCE_MS, on_patience_over, &over, &patience), 0);
    sr_timer_start(looking);
    sr_timer_start(patience);
    assert_int_equal(sr_agent_loop(agent), 0);
    sr_timer_free(looking);
    sr_timer_free(patience);
}

/* `failures` there were before. */
static bool told_its_story(const struct listing *listing, uint64_t failures)
{
    struct sr_lua_plugin plugin = plugin_now();

    if (story.seen < story.count) {
        print_message("docs/lua.md:%zu: nobody logged '%s', but:\n%s", listing->line,
                      story.expected[story.seen], story.all);
        return false;
    }
    if (plugin.failures != failures && !strstr(listing->text, "-- fails")) {
        print_message("docs/lua.md:%zu: %s\n%s", listing->line, plugin.error,
                      story.all);
        return false;
    }
    return true;
}

static bool runs(const struct listing *listing)
{
    char path[128], operation[32];
    struct sr_lua_plugin before = { 0 };
    bool well;

    sr_lua_plugin(lua, 0, &before);
    expect_story(listing->text);
    write_plugin(listing->text, path);
    if (sr_lua_load(lua, path)) {
        print_message("docs/lua.md:%zu: %s\n", listing->line, sr_lua_error(lua));
        return false;
    }
    if (strstr(listing->text, "-- operator: restart"))
        operator_restart(&world, sr_agent_id(agent), operation);
    reload = strstr(listing->text, "-- operator: reload");
    run_until_told();
    well = told_its_story(listing, before.failures);
    assert_int_equal(sr_lua_unload(lua, "example"), 0);
    return well;
}

static void each_listing_logs_what_it_says(void **state)
{
    int wrong = 0;

    (void)state;
    for (size_t i = 0; i < listing_count; i++)
        wrong += !runs(&listings[i]);
    assert_int_equal(wrong, 0);
}

/* --- what a plugin sees ---------------------------------------------------------------------- */

/* As the listings have to write them: "c8y:send", "timer:start", "srDebug". */
static char names[NAMES_MAX][64];
static size_t name_count;

static void add_name(const char *before, const char *name)
{
    assert_true(name_count < NAMES_MAX);
    snprintf(names[name_count++], sizeof *names, "%s%s", before, name);
}

static bool is_luas(const char *name)
{
    static const char all[] =
        " _G _VERSION assert collectgarbage coroutine debug dofile error getmetatable io "
        "ipairs load loadfile math next os package pairs pcall rawequal rawget rawlen "
        "rawset require select setmetatable string table tonumber tostring type utf8 warn "
        "xpcall bit32 unpack loadstring ";
    char word[80];

    snprintf(word, sizeof word, " %s ", name);
    return strstr(all, word);
}

/* The names in the table on top, which is popped. Values are named with a dot. */
static void add_names_of(lua_State *L, const char *object)
{
    char before[40];

    assert_int_equal(lua_type(L, -1), LUA_TTABLE);
    for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
        const char *name = lua_tostring(L, -2);

        if (!strncmp(name, "__", 2) ||
            (!*object && (is_luas(name) || lua_istable(L, -1))))
            continue;
        snprintf(before, sizeof before, "%s%s", object,
                 !*object                ? ""
                 : lua_isfunction(L, -1) ? ":"
                                         : ".");
        add_name(before, name);
    }
    lua_pop(L, 1);
}

static int look_around(lua_State *L)
{
    static const char *const types[][2] = {
        {"sr_timer",   "timer" },
        { "sr_record", "record"},
        { "sr_socket", "socket"},
        { "sr_http",   "http"  },
    };

    if (name_count)
        return 0;
    lua_pushglobaltable(L);
    add_names_of(L, "");
    lua_getglobal(L, "c8y");
    add_names_of(L, "c8y");
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        luaL_getmetatable(L, types[i][0]);
        add_names_of(L, types[i][1]);
    }
    return 0;
}

static bool is_in_a_listing(const char *name)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
    size_t len = strlen(name);

    for (size_t i = 0; i < listing_count; i++)
        for (const char *at = listings[i].text; (at = strstr(at, name)); at += len)
            if (!at[len] || !strchr(letters, at[len]))
                return true;
    return false;
}

static void every_function_has_an_example(void **state)
{
    /* Made when they are asked for. */
    static const char *const values[] = {
        "c8y.server",     "c8y.ID",         "c8y.now",        "c8y.XID",
        "c8y.deviceID",   "c8y.resp",       "timer.isActive", "record.size",
        "timer.interval", "socket.timeout", "http.timeout",   "http.status",
        "require 'luv'",
    };
    char path[128];
    int missing = 0;

    (void)state;
    assert_int_equal(sr_lua_add_library(lua, look_around, NULL), 0);
    write_plugin("", path);
    assert_int_equal(sr_lua_load(lua, path), 0);
    assert_true(name_count > 40);
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        add_name("", values[i]);
    for (size_t i = 0; i < name_count; i++)
        if (!is_in_a_listing(names[i])) {
            print_message("no listing of docs/lua.md uses %s\n", names[i]);
            missing++;
        }
    assert_int_equal(missing, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_listing_logs_what_it_says),
        cmocka_unit_test(every_function_has_an_example),
    };

    return cmocka_run_group_tests(tests, start, end);
}
