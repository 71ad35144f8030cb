/* SPDX-License-Identifier: MIT */
/* The inside of the Lua host, shared by the files of this folder. It is a customer of the
 * SDK's public headers, of Lua and of libuv, and of nothing else.
 *
 *     host.c      sr_lua_*: the list of plugins, load, reload, what the application adds
 *     plugin.c    one plugin: its Lua state from the file to the end
 *     turns.c     what has to wait for the next turn of the loop
 *     task.c      one callback under way: a coroutine, under limits, its failure counted
 *     limit.c     memory and run time of a state
 *     sandbox.c   Lua's own libraries, without what could harm or block the agent
 *     c8y.c ...   what a plugin sees
 */
#ifndef LUA_HOST_H
#define LUA_HOST_H

#include "lua/compat.h"
#include <locale.h>
#include <smartrest/agent.h>
#include <smartrest/lua.h>
#include <smartrest/record.h>
#include <smartrest/row.h>
#include <smartrest/timer.h>

struct changes;
struct grave;
struct object;
struct op;
struct plugin;
struct task;
struct turns;

enum {
    TIMERS_MAX = 1000,   /* of a plugin */
    HANDLERS_MAX = 1000, /* of a plugin */
    QUEUE_MAX = 10000,   /* messages, and events of luv's, that wait for a plugin */
    IDLE_MAX = 4         /* coroutines kept for the next callbacks of a plugin */
};

/* What the application has added, in order. */
struct addition {
    char *name; /* NULL: a library */
    sr_lua_fn fn;
    void *arg;
};

struct sr_lua {
    struct sr_agent *agent;
    struct sr_lua_options options; /* with the defaults filled in */
    char *path;                    /* of libraries: patterns, each with `;` behind */
    struct addition *additions;
    size_t addition_count;
    struct plugin **plugins;
    size_t count;
    struct slot *slots;
    uint64_t handler_number; /* handlers made so far */
    struct changes *changes; /* of files, or NULL */
    struct sr_row row;       /* to build in */
    struct sr_http *http;    /* of c8y:post() and SrNetHttp; made when first needed */
    locale_t c_locale;       /* in which plugins run */
    int depth;               /* plugins' code that is on the stack */
    bool doomed;             /* freed from there */
    bool sweep;              /* handlers were removed from there */
    uint64_t turn;           /* of the loop, from 1 */
    struct turns *turns;
    bool listens; /* for "connected": operations.c */
    char error[768];
};

/* Remembers a sentence for sr_lua_error() and returns `rc`. */
int sr_lua_fail(struct sr_lua *lua, int rc, const char *format, ...) SR_PRINTF(3, 4);

/* Plugins' code runs between these two. */
void sr_lua_enter(struct plugin *plugin);
void sr_lua_leave(struct plugin *plugin);
/* The second half of it, for who only did lua->depth++. */
void sr_lua_host_leave(struct sr_lua *lua);

/* --- a plugin ------------------------------------------------------------- */

/* A callback that waits for a later turn of the loop; a member of what it is about. */
struct job {
    struct plugin *plugin; /* NULL: it does not wait */
    struct job *next, **at;
    void (*run)(struct job *job);
    void (*drop)(struct job *job); /* the plugin goes; NULL: nothing to do */
    void *owner;
};

/* What is to be done with a plugin once none of its code is on the stack. */
enum todo { TODO_NOTHING, TODO_STOP, TODO_RELOAD };

struct plugin {
    struct sr_lua *lua;
    char *name, *path;
    enum sr_lua_state state;
    enum todo todo;
    enum sr_lua_state stop_state; /* the state after TODO_STOP */
    int load_rc;                  /* of the last load */
    int watched;                  /* the folder's number, if files are */
    bool changed;
    char error[512];

    lua_State *L; /* NULL while unloaded */
    int depth;    /* its code on the stack */
    struct task *current, *tasks, *idle;
    unsigned idle_count;
    struct object *objects; /* that Lua has boxes of, or had */
    bool closing; /* they are gone, or soon will be; finalizers have nothing to do */
    struct handler *handlers;
    struct grave *grave; /* for the state, if luv was asked for */
    bool has_luv;
    struct delivery *deliveries; /* rows under way whose fate somebody wants to know */
    unsigned delivery_count;

    /* Memory. */
    size_t memory, memory_peak, memory_max;
    size_t big; /* bytes of it in big blocks */

    /* Run time of the present stretch. */
    bool measured; /* the clock has been read: began_ns */
    uint64_t began_ns;
    bool expired;
    size_t work;        /* units since the clock was last looked at */
    lua_State *running; /* the coroutine, or NULL */
    uint64_t turn;      /* in which its code ran last */
    uint64_t spent_ns;  /* then */
    unsigned runs;      /* of its callbacks, then */
    bool sampled;       /* this one is measured from its beginning */
    struct job *jobs, **jobs_end;
    unsigned queued;     /* messages and events of luv's that wait: QUEUE_MAX */
    size_t queued_bytes; /* of those messages, outside of the state: memory_max */
    bool overflowed;     /* some were dropped since none waited */
    int no_wait;         /* coroutines on the stack that cannot be left */
    uint64_t ops;        /* begun so far; each has a number */

    uint64_t loads, calls, failures, failures_in_a_row, dropped, refused, longest_ns;
    unsigned timer_count, handler_count, waiting;
    int files;              /* open ones */
    lua_CFunction no_close; /* of files that are the program's */
    int resp;               /* reference to the last c8y.resp */
    struct job tell;        /* that operations come again */
    int connected;          /* reference to the function of c8y:onConnected() */
};

struct plugin *sr_lua_plugin_of(lua_State *L);

int sr_lua_plugin_new(struct sr_lua *lua, const char *path, struct plugin **ret_plugin);
void sr_lua_plugin_free(struct plugin *plugin);

/* Runs file and init(). Unloads what is loaded, but not before the file is known to be Lua.
 * Returns as sr_lua_load(). */
int sr_lua_plugin_start(struct plugin *plugin);
/* At once if none of its code runs, else as soon as none does. */
void sr_lua_plugin_stop(struct plugin *plugin, enum sr_lua_state state);
/* What plugin->todo says. When plugin->depth is 0. */
void sr_lua_plugin_settle(struct plugin *plugin);

/* Runs `fn` in the plugin's state, protected, with `arg` as its only argument. Returns
 * Lua's status; *text (which may be NULL) gets the message. */
int sr_lua_protected(struct plugin *plugin, lua_CFunction fn, void *arg, char *text,
                     size_t size);

/* --- tasks ------------------------------------------------------------------ */

/* What a task runs, and who is told of its end. */
struct call {
    const char *kind; /* "timer" ... */
    int fn;           /* reference to a function, or to the name of one */
    /* Pushes arguments, and returns their number; protected. Or NULL. */
    int (*push)(lua_State *L, struct task *task, void *arg);
    void *arg;
    /* Called once; `co` has the results, if `ok`. Or NULL. */
    void (*done)(void *owner, lua_State *co, bool ok);
    void *owner;
};

struct task {
    struct plugin *plugin;
    struct task *next;
    lua_State *co;
    int co_ref;
    bool running; /* on the stack */
    struct op *op;
    struct job job; /* it goes on, or begins with `args` arguments */
    int args;
    int resp;      /* reference to c8y.resp of this task */
    bool resp_set; /* it has one, perhaps none */
    void (*done)(void *owner, lua_State *co, bool ok);
    void *owner;
    struct record *record; /* to be kept while it waits; NULL if Lua let go of it */
    char what[96];         /* "timer 'blink'" */
};

/* Starts a callback. True if it waits for something: `done` comes later. The caller stands
 * between sr_lua_enter() and sr_lua_leave(), since the plugin may be stopped by it. */
bool sr_lua_call(struct plugin *plugin, const struct call *call);
/* The same for the function and `args` arguments on top of the plugin's stack, which are
 * popped; nobody is told of the end. */
void sr_lua_call_pushed(struct plugin *plugin, const char *what, int args);
/* Of a plugin that is unloaded. */
void sr_lua_tasks_drop(struct plugin *plugin);
/* Counts a failure outside of a task, and stops the plugin when there are too many. */
void sr_lua_count_failure(struct plugin *plugin, const char *what, const char *text);
void sr_lua_count_success(struct plugin *plugin);
/* Logs `text`, which may have a traceback in it, line by line. */
void sr_lua_log_failure(struct plugin *plugin, const char *what, const char *text);

/* --- waiting: an operation of the loop that a callback waits for ------------ */

/* First member of what is under way. It is the task's from sr_lua_wait() on, and freed
 * when the results have been taken or nobody wants them any more. */
struct op {
    struct task *task;
    uint64_t number;
    bool done;
    /* Ends what is under way, if anything, and frees. */
    void (*free)(struct op *op);
    /* Pushes the results; may raise errors. */
    int (*push)(lua_State *L, struct op *op);
};

/* Raises an error where a callback cannot wait: inside of a comparison, of require... */
void sr_lua_check_wait(lua_State *L, const char *what);
/* For `return sr_lua_wait(L, op)`: the op is under way or already done. */
int sr_lua_wait(lua_State *L, struct op *op);
/* From the loop: it is done. The callback goes on, and may free the op. */
void sr_lua_wake(struct op *op);

/* --- turns of the loop ------------------------------------------------------ */

/* Each callback of the loop's asks first: has the plugin used up its time of this turn, or do
 * earlier callbacks still wait? */
bool sr_lua_must_wait(const struct plugin *plugin);
/* Then its job runs in a later turn, between sr_lua_enter() and sr_lua_leave(). Nothing
 * happens if it waits already. */
void sr_lua_postpone(struct plugin *plugin, struct job *job);
/* Nothing happens if it does not wait. */
void sr_lua_job_cancel(struct job *job);
/* Of a plugin that is closing. */
void sr_lua_jobs_drop(struct plugin *plugin);
/* Its time of this turn is used up. */
bool sr_lua_is_spent(const struct plugin *plugin);
/* True: there is room for one more, of `bytes` outside of the state, which is counted in
 * plugin->queued; else it is counted as dropped, and the first of a series has a warning that
 * names `what`. One that is alone always has room: it would not have been refused, had it come when
 * the plugin had nothing to do. */
bool sr_lua_queue(struct plugin *plugin, const char *what, size_t bytes);
/* It waits no longer. */
void sr_lua_unqueue(struct plugin *plugin, size_t bytes);
/* Counts one as dropped, because of `why`. */
void sr_lua_overflow(struct plugin *plugin, const char *what, const char *why);

/* libuv's handles. */
int sr_lua_turns_new(struct sr_lua *lua);
void sr_lua_turns_free(struct turns *turns);

/* --- limits ----------------------------------------------------------------- */

void *sr_lua_alloc(void *plugin, void *old, size_t old_size, size_t size);
void sr_lua_limit_begin(struct plugin *plugin);
void sr_lua_limit_end(struct plugin *plugin);
/* Raises an error when the stretch has been too long. For C code that may go on for long,
 * and for what would get around the count of instructions. */
void sr_lua_limit_check(lua_State *L);
/* Sets the hook of a state. */
void sr_lua_limit_hook(lua_State *L);
/* Code of `to` runs from now on (NULL: none). Returns whose ran before. */
lua_State *sr_lua_limit_switch(struct plugin *plugin, lua_State *to);

/* Work in C is counted in units of some nanoseconds, a byte or an element each; after so many
 * the clock is looked at, and an error raised when the stretch has been too long. Call it
 * before or within whatever may go through more than a few hundred. */
enum { SR_LUA_WORK = 1 << 19 };
static inline void sr_lua_charge(lua_State *L, size_t units)
{
    struct plugin *plugin = *(struct plugin **)lua_getextraspace(L);

    plugin->work += units;
    if (plugin->work > SR_LUA_WORK || plugin->expired)
        sr_lua_limit_check(L);
}

/* Has the function `name` of the table on top charge for its arguments and results, or all
 * functions in C of it. Not for those that wait. */
void sr_lua_pay(lua_State *L, const char *name);
void sr_lua_pay_all(lua_State *L);

/* --- what a plugin sees: each opens its part in a new state, protected ------- */

int sr_lua_open_sandbox(lua_State *L);
int sr_lua_open_strings(lua_State *L);
int sr_lua_open_tables(lua_State *L);
int sr_lua_open_code(lua_State *L);
int sr_lua_open_coroutines(lua_State *L);
int sr_lua_open_files(lua_State *L);
int sr_lua_open_c8y(lua_State *L);
int sr_lua_open_log(lua_State *L);
int sr_lua_open_records(lua_State *L);
int sr_lua_open_timers(lua_State *L);

int sr_lua_open_handlers(lua_State *L);
int sr_lua_open_operations(lua_State *L);
int sr_lua_open_transfers(lua_State *L);
int sr_lua_open_sockets(lua_State *L);
int sr_lua_open_http(lua_State *L);
int sr_lua_open_processes(lua_State *L);
int sr_lua_open_luv(lua_State *L);

/* A file, as Lua's io library has it. */
struct stream {
    luaL_Stream lua; /* first */
    int64_t code;    /* of a process whose output it is */
    int signal;
};

/* A file with `text` in it, whose close is `closef`, which counts plugin->files down. On
 * top is a struct stream. Returns as io.open(). */
int sr_lua_push_file(lua_State *L, const char *text, size_t len, lua_CFunction closef);

/* For __index of a userdata: the method named by argument 2, or nil. */
void sr_lua_push_method(lua_State *L);

/* A name or a function at `i`, as a reference. */
int sr_lua_ref_callback(lua_State *L, int i);
void sr_lua_unref(struct plugin *plugin, int ref);

/* --- handlers, timers -------------------------------------------------------- */

void sr_lua_handlers_drop(struct plugin *plugin);
/* Forgets handlers that were dropped while they might be in use. When lua->depth is 0. */
void sr_lua_handlers_sweep(struct sr_lua *lua);
/* The host no longer listens to the agent. */
void sr_lua_operations_release(struct sr_lua *lua);
void sr_lua_deliveries_drop(struct plugin *plugin);
/* Sends `row`, with what the argument at `at` asks for. Returns as sr_agent_send(). */
int sr_lua_send(lua_State *L, const char *row, int prio, int at);
/* Takes plugin->L: closes what luv has on the loop, and then the state, when it may be. */
void sr_lua_bury(struct plugin *plugin);
void sr_lua_grave_free(struct grave *grave);

/* --- changed files ----------------------------------------------------------- */

int sr_lua_changes_new(struct sr_lua *lua, struct changes **ret_changes);
void sr_lua_changes_free(struct changes *changes);
/* From now on, if files are watched. */
void sr_lua_watch_file(struct plugin *plugin);

/* --- processes --------------------------------------------------------------------- */

/* Between these two a process that is started inherits 0, 1 and 2 only. */
struct sealed {
    int *fds;
    size_t count;
};
void sr_lua_seal(struct sealed *sealed);
void sr_lua_unseal(struct sealed *sealed);

/* Functions of luv that are ours; ends with one without a name. `type` and `method`: where it is a
 * method, too. */
struct sr_lua_tamed {
    const char *name;
    lua_CFunction fn;
    const char *type, *method;
};
extern const struct sr_lua_tamed sr_lua_tamed[];

/* --- objects that Lua holds ------------------------------------------------------ */

/* First member of each. */
struct object {
    struct plugin *plugin;
    struct object *next, **at;
    size_t size;
    /* Lua let go of it (`held` is false), or the plugin is closing, and it has to be freed.
     * Runs in a finalizer: it must not raise errors. */
    void (*let_go)(struct object *object);
    bool held;
};

/* `size` zeroed bytes with a struct object at the beginning, and its box on the stack, of
 * metatable `type`, whose __gc is sr_lua_object_collect(). Raises errors of memory. */
void *sr_lua_object_new(lua_State *L, const char *type, size_t size,
                        void (*let_go)(struct object *object));
void sr_lua_object_free(struct object *object);
/* The one at `at`; raises an error if it is none. */
void *sr_lua_object_check(lua_State *L, int at, const char *type);
int sr_lua_object_collect(lua_State *L);
/* Of a plugin that is closing: all of them go. */
void sr_lua_objects_drop(struct plugin *plugin);

/* --- records ------------------------------------------------------------------ */

/* A record in Lua's hands. `from` is the library's; kept by sr_lua_record_keep(). */
struct record {
    struct object object;     /* first */
    struct sr_record *record; /* NULL: over */
    bool owned;
    struct task *task; /* that has it as its record */
};
void sr_lua_push_record(lua_State *L, struct sr_record *record, struct task *task);
/* Makes a copy, before the library's goes. */
void sr_lua_record_keep(struct record *record);
void sr_lua_record_end(struct record *record);

#endif
