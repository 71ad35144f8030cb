/* SPDX-License-Identifier: MIT */
/* Code from texts and files: load, loadfile, dofile, package.searchpath, and what require
 * finds. Source only; files are regular ones, so that no FIFO or device holds up the agent;
 * and each piece that is compiled is paid for. */
#include "lua/host.h"
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"

enum {
    PIECE = 4096,
    COMPILED = 8,     /* units for a byte */
    OPENED = 2000,    /* for a file that is looked for */
    PATH_LEN = 65536, /* of package.path and the like */
    NAME_LEN = 1024
};

/* --- texts ---------------------------------------------------------------------- */

struct source {
    const char *text;
    size_t len;
    int function; /* its place on the stack, whose texts are the source; or 0 */
    int kept;     /* the place where the present text is kept */
};

/* Has the function give the next text. */
static void read_more(lua_State *L, struct source *source)
{
    luaL_checkstack(L, 2, "too many nested functions");
    lua_pushvalue(L, source->function);
    lua_call(L, 0, 1);
    if (!lua_isnil(L, -1) && lua_type(L, -1) != LUA_TSTRING &&
        lua_type(L, -1) != LUA_TNUMBER)
        luaL_error(L, "reader function must return a string");
    lua_replace(L, source->kept);
    source->text = lua_tolstring(L, source->kept, &source->len);
    if (!source->text)
        source->len = 0;
}

static const char *read_piece(lua_State *L, void *arg, size_t *ret_len)
{
    struct source *source = arg;
    const char *piece;

    if (!source->len && source->function)
        read_more(L, source);
    piece = source->text;
    *ret_len = source->len < PIECE ? source->len : PIECE;
    sr_lua_charge(L, COMPILED * *ret_len);
    if (!*ret_len)
        return NULL;
    source->text += *ret_len;
    source->len -= *ret_len;
    return piece;
}

static int compile(lua_State *L, struct source *source, const char *name)
{
    return lua_load(L, read_piece, source, name, "t");
}

/* load(chunk[, name[, mode[, env]]]); the mode is that of source. */
static int load(lua_State *L)
{
    const bool has_env = !lua_isnone(L, 4);
    struct source source = { .function = 0, .kept = 5 };
    const char *name;

    lua_settop(L, 5);
    source.text = lua_tolstring(L, 1, &source.len);
    if (!source.text) {
        luaL_checktype(L, 1, LUA_TFUNCTION);
        source.function = 1;
        source.len = 0;
    }
    name = luaL_optstring(L, 2, source.text ? source.text : "=(load)");
    if (compile(L, &source, name)) {
        lua_pushnil(L);
        lua_insert(L, -2);
        return 2;
    }
    if (has_env) {
        lua_pushvalue(L, 4);
        if (!lua_setupvalue(L, -2, 1))
            lua_pop(L, 1);
    }
    return 1;
}

/* --- files ------------------------------------------------------------------------ */

static bool is_readable(const char *path, struct stat *ret_info)
{
    if (stat(path, ret_info))
        return false;
    errno = S_ISDIR(ret_info->st_mode) ? EISDIR : EINVAL;
    return S_ISREG(ret_info->st_mode) && !access(path, R_OK);
}

static ssize_t read_file(const char *path, char *to, size_t size)
{
    int fd = sr_fd_open_file(path), error;
    size_t len = 0;
    ssize_t got = fd < 0 ? -1 : 1;

    while (got > 0 && len < size) {
        got = read(fd, to + len, size - len);
        if (got > 0)
            len += (size_t)got;
    }
    error = errno;
    if (fd >= 0)
        close(fd);
    errno = error;
    return got < 0 ? -1 : (ssize_t)len;
}

/* Behind a byte order mark and a first line that begins with #, of which the line's end
 * stays. */
static void skip_head(struct source *source)
{
    const char *end;

    if (source->len >= 3 && !memcmp(source->text, "\xef\xbb\xbf", 3)) {
        source->text += 3;
        source->len -= 3;
    }
    if (!source->len || *source->text != '#')
        return;
    end = memchr(source->text, '\n', source->len);
    source->len = end ? source->len - (size_t)(end - source->text) : 0;
    source->text = end;
}

/* Pushes the function, or the reason. Returns as lua_load(). */
static int load_path(lua_State *L, const char *path)
{
    struct source source = { .function = 0 };
    struct stat info;
    ssize_t len = -1;
    char *text;

    sr_lua_charge(L, OPENED);
    if (is_readable(path, &info)) {
        text = sr_lua_userdata(L, (size_t)info.st_size + 1);
        len = read_file(path, text, (size_t)info.st_size);
        source.text = text;
    }
    if (len < 0) {
        lua_pushfstring(L, "cannot open %s: %s", path, sr_fd_file_error(errno));
        return LUA_ERRFILE;
    }
    source.len = (size_t)len;
    skip_head(&source);
    return compile(L, &source, lua_pushfstring(L, "@%s", path));
}

/* loadfile(path[, mode[, env]]) */
static int load_file(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1); /* else it would be stdin */
    const bool has_env = !lua_isnone(L, 3);

    if (load_path(L, path)) {
        lua_pushnil(L);
        lua_insert(L, -2);
        return 2;
    }
    if (has_env) {
        lua_pushvalue(L, 3);
        if (!lua_setupvalue(L, -2, 1))
            lua_pop(L, 1);
    }
    return 1;
}

static int all_results(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    (void)context;
    return lua_gettop(L) - 1;
}

static int do_file(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1);

    lua_settop(L, 1);
    if (load_path(L, path))
        return lua_error(L);
    lua_replace(L, 2);
    lua_settop(L, 2);
    lua_callk(L, 0, LUA_MULTRET, 0, all_results);
    return all_results(L, LUA_OK, 0);
}

/* --- require -------------------------------------------------------------------------- */

static const char *check_short(lua_State *L, int at, const char *otherwise, size_t max)
{
    size_t len;
    const char *text = luaL_optlstring(L, at, otherwise, &len);

    luaL_argcheck(L, len <= max, at, "too long");
    return text;
}

/* package.searchpath(name, path[, sep[, rep]]) */
static int search_path(lua_State *L)
{
    const char *name = check_short(L, 1, NULL, NAME_LEN);
    const char *path = check_short(L, 2, NULL, PATH_LEN), *file;
    const char *sep = check_short(L, 3, ".", NAME_LEN);
    const char *rep = check_short(L, 4, "/", NAME_LEN);
    struct stat info;

    luaL_checkstring(L, 1);
    luaL_checkstring(L, 2);
    lua_settop(L, 4);
    if (*sep)
        name = luaL_gsub(L, name, sep, rep);
    lua_pushliteral(L, ""); /* where it is not, at the top */
    for (size_t len; *path; path += len + (path[len] == ';')) {
        len = strcspn(path, ";");
        if (!len)
            continue;
        lua_pushlstring(L, path, len);
        file = luaL_gsub(L, lua_tostring(L, -1), "?", name);
        lua_remove(L, -2);
        sr_lua_charge(L, OPENED + lua_rawlen(L, -2));
        if (is_readable(file, &info))
            return 1;
        lua_pushfstring(L, "%sno file '%s'",
                        lua_rawlen(L, -2) || LUA_VERSION_NUM < 504 ? "\n\t" : "", file);
        lua_remove(L, -2);
        lua_concat(L, 2);
    }
    lua_pushnil(L);
    lua_insert(L, -2);
    return 2;
}

/* Upvalue: package. As Lua's own. */
static int search_source(lua_State *L)
{
    const char *file;

    luaL_checkstring(L, 1);
    lua_pushcfunction(L, search_path);
    lua_pushvalue(L, 1);
    lua_getfield(L, lua_upvalueindex(1), "path");
    if (!lua_isstring(L, -1))
        return luaL_error(L, "package.path is not a text");
    lua_call(L, 2, 2);
    if (lua_isnil(L, -2))
        return 1; /* why not */
    file = lua_tostring(L, -2);
    if (load_path(L, file))
        return luaL_error(L, "cannot load module '%s': %s", lua_tostring(L, 1),
                          lua_tostring(L, -1));
    lua_pushstring(L, file);
    return 2;
}

int sr_lua_open_code(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"loadfile", load_file},
        { "dofile",  do_file  },
        { NULL,      NULL     },
    };

    lua_register(L, "load", load);
    if (!(sr_lua_plugin_of(L)->lua->options.deny & SR_LUA_FILES)) {
        lua_pushglobaltable(L);
        luaL_setfuncs(L, functions, 0);
    }
    lua_getglobal(L, LUA_LOADLIBNAME);
    lua_pushcfunction(L, search_path);
    lua_setfield(L, -2, "searchpath");
    lua_getfield(L, -1, "searchers");
    lua_pushvalue(L, -2);
    lua_pushcclosure(L, search_source, 1);
    lua_rawseti(L, -2, 2);
    return 0;
}
