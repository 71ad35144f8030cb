/* SPDX-License-Identifier: MIT */
/* c8y:run(command[, options]) -> output, code[, reason]; os.execute(), io.popen(c, 'r').
 *
 * The callback waits, the loop does not. A command is a text for /bin/sh or a table of
 * words. It runs in a session of its own, so that all of it can be killed, and is when it
 * takes too long or its plugin goes. */
#include "base/fd.h"
#include "lua/connections.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <smartrest/loop.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

enum {
    TIMEOUT_S = 60,
    GRACE_MS = 200,
    OUTPUT_MAX = 1 << 20,
    WORDS_MAX = 100,
    STARTED = 300000 /* units: what it costs to start a process */
};

struct run;

/* libuv holds on to handles until the end of a turn, or longer: each is a heap object of
 * its own. The first members are what libuv and the loop know them by. */
struct process {
    uv_process_t uv;
    struct run *run; /* NULL: nobody waits any more */
};
struct output {
    uv_pipe_t uv;
    struct run *run;
    char buffer[4096];
};

enum form { RUN, EXECUTE, POPEN };

struct run {
    struct op op; /* first */
    enum form form;
    struct process *process; /* until it has ended */
    struct output *output;   /* until all has come */
    struct sr_timer *timer;
    struct bytes text;
    pid_t pid; /* and of its session */
    bool cut, overdue;
    int error; /* of libuv: it did not begin */
    int64_t code;
    int signal;
};

/* --- ending -------------------------------------------------------------------------- */

static void free_handle(uv_handle_t *handle)
{
    free(handle);
}

static void close_output(struct run *run)
{
    if (!run->output)
        return;
    run->output->run = NULL;
    uv_close((uv_handle_t *)&run->output->uv, free_handle);
    run->output = NULL;
}

/* A daemon may have it: a pipe that nobody reads would end or stop it, so it is read until
 * the daemon is gone. */
static void let_go_of_output(struct run *run)
{
    if (!run->output)
        return;
    run->output->run = NULL;
    uv_unref((uv_handle_t *)&run->output->uv);
    run->output = NULL;
}

/* The process and what it has started. Not once it has ended: what is left of it then is
 * meant to stay, and its number may be somebody else's. */
static void kill_all(const struct run *run)
{
    if (run->pid > 0 && run->process)
        kill(-run->pid, SIGKILL);
}

static void free_run(struct op *op)
{
    struct run *run = (struct run *)op;

    kill_all(run);
    if (run->process) { /* it is waited for, and closed when it has ended */
        run->process->run = NULL;
        close_output(run);
    }
    let_go_of_output(run);
    sr_timer_free(run->timer);
    sr_lua_bytes_release(&run->text);
    free(run);
}

static void wake_if_over(struct run *run)
{
    if (run->process || run->output || run->op.done)
        return;
    if (run->timer)
        sr_timer_stop(run->timer);
    sr_lua_wake(&run->op);
}

/* The end of the process counts, not that of its output, which a daemon may hold open for
 * as long as it lives. There is a moment for what others of its session still write. */
static void on_process_end(uv_process_t *handle, int64_t code, int signal)
{
    struct process *process = (struct process *)handle;
    struct run *run = process->run;

    uv_close((uv_handle_t *)handle, free_handle);
    if (!run)
        return;
    run->process = NULL;
    run->code = code;
    run->signal = signal;
    if (run->output) {
        sr_timer_set_interval(run->timer, GRACE_MS);
        sr_timer_start(run->timer);
    }
    wake_if_over(run);
}

static void add_output(struct run *run, const char *bytes, size_t len);

/* What the process has written is in the pipe, however late the loop is. */
static void drain(struct run *run)
{
    struct output *output = run->output;
    size_t total = 0;
    uv_os_fd_t fd;
    ssize_t len;

    if (!output || uv_fileno((uv_handle_t *)&output->uv, &fd))
        return;
    while (total < OUTPUT_MAX &&
           (len = read(fd, output->buffer, sizeof output->buffer)) > 0) {
        add_output(run, output->buffer, (size_t)len);
        total += (size_t)len;
    }
}

static void on_time(struct sr_agent *agent, struct sr_timer *timer, void *arg)
{
    struct run *run = arg;

    (void)agent;
    sr_timer_stop(timer);
    if (run->process) {
        run->overdue = true;
        kill_all(run);
        close_output(run);
    } else {
        drain(run);
        let_go_of_output(run);
    }
    wake_if_over(run);
}

/* --- output ----------------------------------------------------------------------------- */

static void on_room(uv_handle_t *handle, size_t wanted, uv_buf_t *room)
{
    struct output *output = (struct output *)handle;

    (void)wanted;
    *room = uv_buf_init(output->buffer, sizeof output->buffer);
}

/* What is beyond the bound is read and dropped: a full pipe would stop the process. */
static void add_output(struct run *run, const char *bytes, size_t len)
{
    size_t room = run->text.max - run->text.len;

    if (len > room) {
        run->cut = true;
        len = room;
    }
    if (!sr_lua_bytes_add(&run->text, bytes, len))
        run->cut = true;
}

static void on_output(uv_stream_t *handle, ssize_t len, const uv_buf_t *from)
{
    struct output *output = (struct output *)handle;
    struct run *run = output->run;

    if (run && len >= 0) {
        add_output(run, from->base, (size_t)len);
    } else if (run) {
        close_output(run);
        wake_if_over(run);
    } else if (len < 0 && !uv_is_closing((uv_handle_t *)handle)) {
        uv_close((uv_handle_t *)handle, free_handle); /* the daemon is gone */
    }
}

/* --- results ------------------------------------------------------------------------------ */

static int push_run_result(lua_State *L, const struct run *run)
{
    lua_pushlstring(L, run->text.data ? run->text.data : "", run->text.len);
    lua_pushinteger(L, run->signal ? 128 + run->signal : (lua_Integer)run->code);
    if (!run->overdue && !run->cut)
        return 2;
    lua_pushstring(L, run->overdue ? "timeout" : "cut");
    return 3;
}

/* As os.execute() and a popen'ed file's close(): true or nil, "exit" or "signal", number. */
static int push_exit(lua_State *L, int64_t code, int signal)
{
    if (!signal && code == 0)
        lua_pushboolean(L, 1);
    else
        lua_pushnil(L);
    lua_pushstring(L, signal ? "signal" : "exit");
    lua_pushinteger(L, signal ? signal : (lua_Integer)code);
    return 3;
}

static int close_popen(lua_State *L)
{
    struct stream *stream = luaL_checkudata(L, 1, LUA_FILEHANDLE);

    sr_lua_plugin_of(L)->files--;
    fclose(stream->lua.f);
    return push_exit(L, stream->code, stream->signal);
}

static int push_popen_result(lua_State *L, const struct run *run)
{
    const char *text = run->text.data ? run->text.data : "";
    int results = sr_lua_push_file(L, text, run->text.len, close_popen);
    struct stream *stream;

    if (results == 1) {
        stream = lua_touserdata(L, -1);
        stream->code = run->code;
        stream->signal = run->signal;
    }
    return results;
}

static int push_run(lua_State *L, struct op *op)
{
    struct run *run = (struct run *)op;

    if (run->error) {
        lua_pushnil(L);
        lua_pushstring(L, uv_strerror(run->error));
        return 2;
    }
    switch (run->form) {
    case EXECUTE: return push_exit(L, run->code, run->signal);
    case POPEN: return push_popen_result(L, run);
    default: return push_run_result(L, run);
    }
}

/* --- beginning ------------------------------------------------------------------------------ */

/* The words of the command at 2, which are Lua's. */
static void take_words(lua_State *L, char *words[WORDS_MAX + 1])
{
    static char shell[] = "/bin/sh", option[] = "-c";
    size_t count = 0;

    if (!lua_istable(L, 2)) {
        words[count++] = shell;
        words[count++] = option;
        words[count++] = (char *)(uintptr_t)luaL_checkstring(L, 2);
    } else {
        for (; count < WORDS_MAX && lua_rawgeti(L, 2, (lua_Integer)count + 1);
             count++) {
            luaL_argcheck(L, lua_type(L, -1) == LUA_TSTRING, 2, "a table of words");
            words[count] = (char *)(uintptr_t)lua_tostring(L, -1);
            lua_pop(L, 1); /* the table keeps it */
        }
        luaL_argcheck(L, count > 0 && count < WORDS_MAX, 2, "1 to 99 words");
    }
    words[count] = NULL;
}

/* Both of the child's outputs go into one pipe, in the order in which it writes. Returns
 * the end that is the child's, or libuv's error. */
static int open_output(uv_loop_t *loop, struct run *run)
{
    int ends[2], error;

    run->output = calloc(1, sizeof *run->output);
    if (!run->output)
        return UV_ENOMEM;
    run->output->run = run;
    uv_pipe_init(loop, &run->output->uv, 0);
    if (sr_fd_pipe(ends, 0))
        return -errno;
    error = uv_pipe_open(&run->output->uv, ends[0]);
    if (!error)
        error = uv_read_start((uv_stream_t *)&run->output->uv, on_room, on_output);
    if (error) {
        close(ends[0]);
        close(ends[1]);
        return error;
    }
    return ends[1];
}

static int spawn_into(struct run *run, uv_loop_t *loop, char **words, int fd)
{
    uv_stdio_container_t stdio[3] = {
        {.flags = UV_IGNORE                     },
        {  .flags = UV_INHERIT_FD, .data.fd = fd < 0 ? STDOUT_FILENO : fd },
        { .flags = UV_INHERIT_FD, .data.fd = fd < 0 ? STDERR_FILENO : fd },
    };
    const uv_process_options_t options = {
        .exit_cb = on_process_end,
        .file = words[0],
        .args = words,
        .flags = UV_PROCESS_DETACHED, /* a session of its own */
        .stdio_count = 3,
        .stdio = stdio,
    };
    struct sealed sealed;
    int error;

    run->process = calloc(1, sizeof *run->process);
    if (!run->process)
        return UV_ENOMEM;
    run->process->run = run;
    sr_lua_seal(&sealed);
    error = uv_spawn(loop, &run->process->uv, &options);
    sr_lua_unseal(&sealed);
    if (error) {
        uv_close((uv_handle_t *)&run->process->uv, free_handle);
        run->process = NULL;
    } else {
        run->pid = run->process->uv.pid;
    }
    return error;
}

static int spawn(struct run *run, uv_loop_t *loop, char **words)
{
    int fd = run->form == EXECUTE ? -1 : open_output(loop, run), error;

    if (run->form != EXECUTE && fd < 0)
        return fd;
    error = spawn_into(run, loop, words, fd);
    if (fd >= 0)
        close(fd);
    return error;
}

static int begin(lua_State *L, enum form form, double timeout_s, size_t max)
{
    struct plugin *plugin = sr_lua_plugin_of(L);
    uv_loop_t *loop = sr_loop_uv(sr_agent_get_loop(plugin->lua->agent));
    char *words[WORDS_MAX + 1];
    struct run *run;

    take_words(L, words);
    sr_lua_charge(L, STARTED);
    run = calloc(1, sizeof *run);
    if (!run || sr_timer_new(plugin->lua->agent, (uint64_t)(timeout_s * 1000), on_time,
                             run, &run->timer)) {
        free(run);
        return luaL_error(L, "not enough memory");
    }
    run->op.free = free_run;
    run->op.push = push_run;
    run->form = form;
    run->text.max = max;
    run->error = spawn(run, loop, words);
    if (run->error)
        run->op.done = true;
    else if (timeout_s > 0)
        sr_timer_start(run->timer);
    return sr_lua_wait(L, &run->op);
}

/* --- as Lua sees it -------------------------------------------------------------------------- */

static double option(lua_State *L, const char *name, double otherwise, double max)
{
    double value = otherwise;

    if (lua_istable(L, 3)) {
        lua_getfield(L, 3, name);
        value = luaL_optnumber(L, -1, otherwise);
        lua_pop(L, 1);
    }
    if (!(value >= 0 && value <= max))
        luaL_error(L, "%s: 0 to %f", name, max);
    return value;
}

static int run(lua_State *L)
{
    double timeout_s, max;

    sr_lua_check_wait(L, "c8y:run()");
    timeout_s = option(L, "timeout", TIMEOUT_S, 1e6);
    max = option(L, "max", OUTPUT_MAX, (double)sr_lua_plugin_of(L)->memory_max);
    return begin(L, RUN, timeout_s, (size_t)max);
}

static int execute(lua_State *L)
{
    if (lua_isnoneornil(L, 1)) { /* is there a shell? */
        lua_pushboolean(L, 1);
        return 1;
    }
    luaL_checkstring(L, 1);
    sr_lua_check_wait(L, "os.execute()");
    lua_settop(L, 1);
    lua_pushnil(L);
    lua_insert(L, 1);
    return begin(L, EXECUTE, 0, 0);
}

static int popen_read(lua_State *L)
{
    const char *mode = luaL_optstring(L, 2, "r");

    luaL_checkstring(L, 1);
    luaL_argcheck(L, *mode == 'r', 2, "plugins can only read from processes");
    sr_lua_check_wait(L, "io.popen()");
    lua_settop(L, 1);
    lua_pushnil(L);
    lua_insert(L, 1);
    return begin(L, POPEN, 0, OUTPUT_MAX);
}

static void add(lua_State *L, const char *table, const char *name, lua_CFunction fn)
{
    if (lua_getglobal(L, table) == LUA_TTABLE) {
        lua_pushcfunction(L, fn);
        lua_setfield(L, -2, name);
    }
    lua_pop(L, 1);
}

int sr_lua_open_processes(lua_State *L)
{
    if (sr_lua_plugin_of(L)->lua->options.deny & SR_LUA_PROCESSES)
        return 0;
    add(L, "c8y", "run", run);
    add(L, "os", "execute", execute);
    add(L, "io", "popen", popen_read);
    return 0;
}
