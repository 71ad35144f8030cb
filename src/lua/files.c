/* SPDX-License-Identifier: MIT */
/* The io library, so that no file holds up the agent: descriptors do not block, so what
 * has nothing to read says so, and children do not inherit them; a plugin has a bounded
 * number of them open; there is no stdin. */
#include "base/fd.h"
#include "lua/host.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILES_MAX = 64 };

static int fail(lua_State *L, const char *path, int error)
{
    lua_pushnil(L);
    lua_pushfstring(L, "%s: %s", path, strerror(error));
    lua_pushinteger(L, error);
    return 3;
}

static int close_file(lua_State *L)
{
    luaL_Stream *stream = luaL_checkudata(L, 1, LUA_FILEHANDLE);
    FILE *file = stream->f;

    sr_lua_plugin_of(L)->files--;
    return luaL_fileresult(L, fclose(file) == 0, NULL);
}

/* "r", "w", "a", with "+", with "b", as io.open() has them; -1 for others. */
static int flags_of(const char *mode)
{
    static const struct {
        char letter;
        int flags;
    } modes[] = {
        {'r',  0                 },
        { 'w', O_CREAT | O_TRUNC },
        { 'a', O_CREAT | O_APPEND},
    };
    bool both = mode[0] && mode[1] == '+';
    const char *rest = mode + 1 + both;

    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
        if (mode[0] == modes[i].letter && (!*rest || !strcmp(rest, "b")))
            return modes[i].flags | O_NONBLOCK | O_CLOEXEC | O_NOCTTY |
                   (both             ? O_RDWR
                    : mode[0] == 'r' ? O_RDONLY
                                     : O_WRONLY);
    return -1;
}

/* Pushes a handle without a file; its `closef` stays NULL, so that it counts as closed. */
static luaL_Stream *push_stream(lua_State *L)
{
    struct stream *stream = sr_lua_userdata(L, sizeof *stream);

    *stream = (struct stream){ 0 };
    luaL_setmetatable(L, LUA_FILEHANDLE);
    return &stream->lua;
}

static void close_quietly(lua_State *L, luaL_Stream *stream)
{
    struct plugin *plugin = sr_lua_plugin_of(L);

    if (!stream->closef || !stream->f || stream->closef == plugin->no_close)
        return;
    stream->closef = NULL;
    fclose(stream->f);
    plugin->files--;
}

/* Lua's own looks its metatable up, for which memory may be missing: then the file would stay
 * open. Also __close. */
static int collect(lua_State *L)
{
    close_quietly(L, lua_touserdata(L, 1));
    return 0;
}

/* Without a name. */
static FILE *temporary(void)
{
    char path[] = P_tmpdir "/sr-lua-XXXXXX";
    int fd = sr_fd_raise(mkostemp(path, O_CLOEXEC));
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w+b");

    if (fd >= 0)
        unlink(path);
    if (!file && fd >= 0)
        close(fd);
    return file;
}

static bool has_room(lua_State *L)
{
    struct plugin *plugin = sr_lua_plugin_of(L);

    if (plugin->files >= FILES_MAX)
        lua_gc(L, LUA_GCCOLLECT, 0); /* forgotten ones are closed by this */
    return plugin->files < FILES_MAX;
}

static int open_file(lua_State *L, const char *path, const char *mode, int flags)
{
    luaL_Stream *stream;
    int fd;

    if (!has_room(L))
        return fail(L, path, EMFILE);
    stream = push_stream(L);
    fd = sr_fd_open(path, flags, 0666);
    if (fd < 0)
        return fail(L, path, errno);
    stream->f = fdopen(fd, mode);
    if (!stream->f) {
        close(fd);
        return fail(L, path, errno);
    }
    stream->closef = close_file;
    sr_lua_plugin_of(L)->files++;
    return 1;
}

static int io_open(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1), *mode = luaL_optstring(L, 2, "r");
    int flags = flags_of(mode);

    luaL_argcheck(L, flags != -1, 2, "invalid mode");
    return open_file(L, path, mode, flags);
}

/* io.input(path) and io.output(path): upvalue 1 is Lua's own, 2 the mode. */
static int io_default(lua_State *L)
{
    const char *mode = lua_tostring(L, lua_upvalueindex(2));

    lua_settop(L, 1);
    if (lua_type(L, 1) == LUA_TSTRING) {
        if (open_file(L, lua_tostring(L, 1), mode, flags_of(mode)) != 1)
            return luaL_error(L, "%s", lua_tostring(L, -2));
        lua_replace(L, 1);
    }
    if (lua_isnil(L, 1))
        lua_settop(L, 0); /* asks which it is */
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, 1);
    return 1;
}

/* Upvalues: what file:lines() returned, the file, which is closed at its end. */
static int next_line(lua_State *L)
{
    luaL_Stream *stream = lua_touserdata(L, lua_upvalueindex(2));

    lua_settop(L, 0);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_call(L, 0, LUA_MULTRET);
    if (lua_isnoneornil(L, 1))
        close_quietly(L, stream);
    return lua_gettop(L);
}

/* io.lines(path, ...) */
static int io_lines(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1);
    struct stat info;

    if (stat(path, &info) == 0 && !S_ISREG(info.st_mode))
        return luaL_error(L, "%s: no regular file; use io.open()", path);
    if (open_file(L, path, "r", flags_of("r")) != 1)
        return luaL_error(L, "%s", lua_tostring(L, -2));
    lua_replace(L, 1);
    lua_getfield(L, 1, "lines");
    lua_insert(L, 2);
    lua_pushvalue(L, 1);
    lua_insert(L, 3); /* file, lines, file, formats */
    lua_call(L, lua_gettop(L) - 2, 1);
    lua_pushvalue(L, 1);
    lua_pushcclosure(L, next_line, 2);
    lua_pushnil(L);
    lua_pushnil(L);
    lua_pushvalue(L, 1); /* closed when the loop is left */
    return 4;
}

static int io_tmpfile(lua_State *L)
{
    return sr_lua_push_file(L, "", 0, close_file);
}

static void replace_default(lua_State *L, const char *name, const char *mode)
{
    lua_getfield(L, -1, name);
    lua_pushstring(L, mode);
    lua_pushcclosure(L, io_default, 2);
    lua_setfield(L, -2, name);
}

/* Reading from stdin would wait for somebody to type. */
static void close_stdin(lua_State *L)
{
    lua_getfield(L, -1, "input");
    lua_pushliteral(L, "/dev/null");
    lua_call(L, 1, 1);
    lua_setfield(L, -2, "stdin");
}

/* In 5.3 a file's metatable is the table of its methods, too. */
static void hide_metatable(lua_State *L)
{
    luaL_getmetatable(L, LUA_FILEHANDLE);
    lua_newtable(L);
    lua_getfield(L, -2, "__index");
    lua_pushnil(L);
    while (lua_next(L, -2)) {
        lua_pushvalue(L, -2);
        lua_insert(L, -2);
        lua_rawset(L, -5);
    }
    lua_pop(L, 1);
    lua_pushnil(L);
    lua_setfield(L, -2, "__gc");
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, collect);
    lua_setfield(L, -2, "__gc");
    lua_pushcfunction(L, collect);
    lua_setfield(L, -2, "__close");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 1);
}

int sr_lua_open_files(lua_State *L)
{
    if (sr_lua_plugin_of(L)->lua->options.deny & SR_LUA_FILES)
        return 0;
    luaL_requiref(L, LUA_IOLIBNAME, luaopen_io, 1);
    lua_getfield(L, -1, "stdout");
    sr_lua_plugin_of(L)->no_close = ((luaL_Stream *)lua_touserdata(L, -1))->closef;
    lua_pop(L, 1);
    hide_metatable(L);
    lua_pushcfunction(L, io_open);
    lua_setfield(L, -2, "open");
    replace_default(L, "input", "r");
    replace_default(L, "output", "w");
    lua_pushcfunction(L, io_lines);
    lua_setfield(L, -2, "lines");
    lua_pushcfunction(L, io_tmpfile);
    lua_setfield(L, -2, "tmpfile");
    lua_pushnil(L); /* comes back in another form: process.c */
    lua_setfield(L, -2, "popen");
    close_stdin(L);
    sr_lua_pay_all(L);
    luaL_getmetatable(L, LUA_FILEHANDLE);
    lua_getfield(L, -1, "__index");
    sr_lua_pay_all(L);
    return 0;
}

int sr_lua_push_file(lua_State *L, const char *text, size_t len, lua_CFunction closef)
{
    luaL_Stream *stream;
    FILE *file;

    if (!has_room(L))
        return fail(L, "popen", EMFILE);
    stream = push_stream(L);
    file = temporary();
    if (!file)
        return fail(L, "popen", errno);
    if (fwrite(text, 1, len, file) != len || fflush(file)) {
        fclose(file);
        return fail(L, "popen", EIO);
    }
    rewind(file);
    stream->f = file;
    stream->closef = closef;
    sr_lua_plugin_of(L)->files++;
    return 1;
}
