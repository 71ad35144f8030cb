/* SPDX-License-Identifier: MIT */
/* Plugins in Lua, with the vendor's names in them: c8y, srDebug, SrNetSocket...
 *
 *     sr_lua_new -> sr_lua_add_path, sr_lua_add_function
 *                -> sr_lua_load ... sr_agent_loop ... sr_lua_reload
 *                -> sr_lua_free, then sr_agent_free
 *
 * In a library of its own, libsmartrest-lua, so that who needs no Lua carries none.
 *
 * Each plugin has a Lua state of its own and runs on the agent's loop. Its callbacks are
 * coroutines: while one waits in c8y:post(), c8y:getf() or a socket's recv() the loop goes
 * on. What goes wrong in a plugin is caught, logged with a traceback and counted; it never
 * ends the agent. docs/lua.md has what a plugin sees. Loop thread only. */
#ifndef SMARTREST_LUA_H
#define SMARTREST_LUA_H

#include <smartrest/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct lua_State;
struct sr_agent;
struct sr_lua;

/* What plugins may be denied; bits that may be combined. */
enum sr_lua_deny {
    SR_LUA_FILES = 1,     /* io, os.remove, os.rename, os.tmpname, postf, getf */
    SR_LUA_PROCESSES = 2, /* os.execute, io.popen, c8y:run, and processes of luv */
    SR_LUA_LUV = 4        /* require 'luv', which has all of these and sockets */
};

/* Limits and options; zeroed, or NULL in its place, is the default. */
struct sr_lua_options {
    unsigned run_ms; /* of processor time at a stretch, between two waits of a
                              callback; after half of it in one turn of the loop a plugin's
                              further callbacks wait for the next turns; 0: 1000 */
    size_t
        memory_max; /* bytes of each plugin's Lua state, and as many again of messages
                              that wait for it; 0: 16 MiB */
    unsigned failures_max; /* in a row stop a plugin; 0: 10; UINT_MAX: none do */
    unsigned deny;         /* of enum sr_lua_deny */
    bool native_modules;   /* modules in C may be loaded; no limit holds them */
    bool watch_files;      /* reload a plugin when its file has changed */
    bool last_handler; /* of two plugins that handle one message id, the later one has
                              it alone, as with the vendor's agents; false: both get it */
};

/* How a plugin is. */
enum sr_lua_state {
    SR_LUA_STARTING, /* init() waits for something */
    SR_LUA_RUNNING,  /* init() has returned 0 */
    SR_LUA_FAILED,   /* unloaded: it could not be loaded, or init() did not return 0 */
    SR_LUA_STOPPED   /* unloaded after failures in a row, or by sr_lua_unload() */
};

/* A plugin, as sr_lua_plugin() sees it. Its texts are valid until the plugin is loaded,
 * reloaded, unloaded or runs. */
struct sr_lua_plugin {
    const char *name;        /* of the file, without .lua */
    const char *path;        /* of the file */
    enum sr_lua_state state; /* now */
    const char *error; /* what went wrong last, without traceback; "" if nothing */
    uint64_t loads;    /* successful ones */
    uint64_t calls;    /* of init and callbacks */
    uint64_t failures; /* of them */
    uint64_t failures_in_a_row; /* up to now */
    uint64_t
        dropped;   /* messages, and events of luv's, that came while 10,000 waited, or
                         messages of memory_max bytes; the first of a series is logged */
    size_t memory; /* bytes of its state */
    size_t memory_peak; /* the most it has been */
    unsigned timers;    /* that it has */
    unsigned handlers;  /* that it has */
    unsigned waiting;   /* callbacks that wait for something */
    uint64_t
        longest_us;   /* processor time of the longest stretch that was measured: those
                             of some thousand instructions and more */
    uint64_t refused; /* rows that c8y:send() did not take; each has a warning in the
                           log, or every hundredth once they are many */
};

/* `options` are copied. On success *ret_lua is the caller's, to be freed before `agent`.
 * Returns 0, SR_E_INVAL (NULL, or unknown bits), SR_E_NOMEM, SR_E_IO (files cannot be
 * watched). */
SR_API int sr_lua_new(struct sr_agent *agent, const struct sr_lua_options *options,
                      struct sr_lua **ret_lua);

/* Unloads all plugins: their timers, handlers and transfers go. From inside a plugin's
 * call the rest is done when that has returned. Accepts NULL. Returns NULL. */
SR_API struct sr_lua *sr_lua_free(struct sr_lua *lua);

/* What went wrong last, as a sentence that names plugin and line; valid until the next
 * call that fails. Accepts NULL. */
SR_API const char *sr_lua_error(const struct sr_lua *lua);

/* --- before load ----------------------------------------------------------- */

/* Where `require` looks, before the system's places: a directory, or a pattern with `?`
 * for the module's name. For plugins loaded later. Returns 0, SR_E_INVAL (NULL, "", or a
 * `;` in it), SR_E_NOMEM. */
SR_API int sr_lua_add_path(struct sr_lua *lua, const char *path);

/* A function of the application's, in the form of a lua_CFunction. It runs in the "C" locale,
 * as plugins do: on the loop's thread, while Lua has it, and nowhere else. */
typedef int (*sr_lua_fn)(struct lua_State *L);

/* Makes `fn` the global function `name` of plugins loaded later, or the field of a global
 * table: "pump.start". `arg` is its first upvalue, a light userdata. It must leave by
 * return or by Lua's own errors. Returns 0, SR_E_INVAL, SR_E_NOMEM. */
SR_API int sr_lua_add_function(struct sr_lua *lua, const char *name, sr_lua_fn fn,
                               void *arg);

/* The same for whatever else: `open` runs in the state of each plugin loaded later,
 * before its file, protected, with `arg` as a light userdata on the stack: it makes
 * metatables, objects, constants. What it raises fails the plugin. */
SR_API int sr_lua_add_library(struct sr_lua *lua, sr_lua_fn open, void *arg);

/* --- plugins --------------------------------------------------------------- */

/* Loads the plugin `path`, or all files *.lua of the directory `path`, in the order of
 * their names; what is loaded already is loaded anew. After the file its global function
 * init() runs and must return 0; if it waits for something, this returns 0 meanwhile, and
 * the state is SR_LUA_STARTING. A plugin that fails is unloaded, the reason is logged;
 * others of the directory are loaded nevertheless.
 * Returns 0; SR_E_NOTFOUND; SR_E_IO; SR_E_SYNTAX, not Lua; SR_E_REFUSED, file or init()
 * raised an error, or there is no init(), or it did not return 0; SR_E_STATE, from inside
 * of this plugin; SR_E_INVAL; SR_E_NOMEM. Of a directory it is the first error. */
SR_API int sr_lua_load(struct sr_lua *lua, const char *path);

/* Loads the plugin `name` (NULL: each one) anew from its file. If the file cannot be
 * read or is not Lua, what runs goes on running; otherwise it is unloaded with its timers,
 * handlers and what it waits for, and then loaded. From inside of the plugin: as soon as
 * that has returned, but SR_E_STATE from inside of its init(). Errors as sr_lua_load(). */
SR_API int sr_lua_reload(struct sr_lua *lua, const char *name);

/* Unloads the plugin `name`. Returns 0 or SR_E_NOTFOUND. */
SR_API int sr_lua_unload(struct sr_lua *lua, const char *name);

/* How plugin `i` is, from 0 in the order of loading. Returns 0, SR_E_NOTFOUND behind the
 * last one, SR_E_INVAL for NULL. */
SR_API int sr_lua_plugin(const struct sr_lua *lua, size_t i,
                         struct sr_lua_plugin *ret_plugin);

/* "starting", "running", "failed", "stopped"; a static string. */
SR_API const char *sr_lua_state_name(enum sr_lua_state state);

#ifdef __cplusplus
}
#endif
#endif
