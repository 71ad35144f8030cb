/* SPDX-License-Identifier: MIT */
/* For the tests: an agent, a Lua host, plugins written by the test, and what they say.
 *
 *     make_world(&options) -> load("p", "function init() ... end") -> receive, run_until
 *     -> end_world
 *
 * Plugins of the tests speak by say(text...), which is remembered. */
#ifndef LUA_FIXTURE_H
#define LUA_FIXTURE_H

#include <setjmp.h>
#include <smartrest/lua.h>
#include <smartrest/smartrest.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
/* after those that it needs */
#include <cmocka.h>

struct world {
    struct sr_agent *agent;
    struct sr_lua *lua;
    char dir[64];
    char said[65536]; /* each with `;` behind */
    char log[65536];  /* lines that were logged */
};

extern struct world world;

/* For cmocka: set-up with default options, and its end. */
int begin(void **state);
int end(void **state);

/* Begins anew with other options. */
void make_world(const struct sr_lua_options *options, const char *server);
void end_world(void);

/* Writes a file into the world's directory; returns its path, valid until the next. */
const char *write_file(const char *name, const char *text);
/* Writes and loads the plugin `name`. */
int load(const char *name, const char *text);
/* load() with an init() around `body`; must succeed. */
void run_init(const char *name, const char *body);

/* Rows as if they came from the platform; `xid` NULL: the agent's own collection. */
void receive(const char *xid, const char *rows);

/* Runs the loop until something was said that has `text` in it; fails after 30 s. */
void wait_said(const char *text);
void wait_logged(const char *text);
/* One turn of the loop, without a sleep. */
void turn(void);
/* Runs the loop for a moment: whatever is due. */
void settle(void);
void forget_said(void);

struct sr_lua_plugin plugin_named(const char *name);

#define expect_said(text)   assert_string_equal(world.said, text)
#define expect_logged(text) assert_non_null(strstr(world.log, text))

/* Valgrind and sanitizers make everything slower. */
bool is_slow(void);

#endif
