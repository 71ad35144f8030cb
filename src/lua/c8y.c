/* SPDX-License-Identifier: MIT */
/* The table `c8y`: what needs no file of its own. */
#include "lua/connections.h"
#include <smartrest/outbox.h>
#include <smartrest/row.h>
#include <stdlib.h>
#include <string.h>

int sr_lua_ref_callback(lua_State *L, int i)
{
    if (lua_type(L, i) != LUA_TSTRING && !lua_isfunction(L, i))
        luaL_argerror(L, i, "a function, or the name of a global one");
    lua_pushvalue(L, i);
    return luaL_ref(L, LUA_REGISTRYINDEX);
}

void sr_lua_unref(struct plugin *plugin, int ref)
{
    if (plugin->L)
        luaL_unref(plugin->L, LUA_REGISTRYINDEX, ref);
}

void sr_lua_push_method(lua_State *L)
{
    const char *name = luaL_checkstring(L, 2);

    if (name[0] == '_') { /* metamethods are not for plugins */
        lua_pushnil(L);
        return;
    }
    lua_getmetatable(L, 1);
    lua_pushvalue(L, 2);
    lua_rawget(L, -2);
}

/* --- rows out of values ------------------------------------------------------------ */

static void add_value(lua_State *L, struct sr_row *row, int at)
{
    size_t len;
    const char *text;

    switch (lua_type(L, at)) {
    case LUA_TNIL: sr_row_string(row, NULL); break;
    case LUA_TBOOLEAN:
        sr_row_string(row, lua_toboolean(L, at) ? "true" : "false");
        break;
    case LUA_TNUMBER:
        if (lua_isinteger(L, at))
            sr_row_int(row, lua_tointeger(L, at));
        else
            sr_row_double(row, lua_tonumber(L, at));
        break;
    case LUA_TSTRING:
        text = lua_tolstring(L, at, &len);
        sr_row_bytes(row, text, len);
        break;
    default: luaL_error(L, "a %s cannot be a value of a row", luaL_typename(L, at));
    }
}

/* The host's one row to build in, so that an error on the way leaves nothing behind. */
static struct sr_row *begin_row(lua_State *L)
{
    struct sr_row *row = &sr_lua_plugin_of(L)->lua->row;

    sr_row_clear(row);
    return row;
}

static int push_row(lua_State *L, struct sr_row *row)
{
    int rc = sr_row_error(row);

    if (rc)
        return luaL_error(L, "no row: %s", sr_strerror(rc));
    lua_pushlstring(L, sr_row_text(row), sr_row_len(row));
    return 1;
}

/* A table of values, or of such tables: a row or more. */
static int row_of_table(lua_State *L, int at)
{
    const lua_Integer count = (lua_Integer)lua_rawlen(L, at);
    struct sr_row *out;

    if (lua_rawgeti(L, at, 1) == LUA_TTABLE) {
        lua_pushliteral(L, "");
        for (lua_Integer i = 1; i <= count; i++) {
            luaL_argcheck(L, lua_rawgeti(L, at, i) == LUA_TTABLE, at,
                          "a table of rows");
            luaL_argcheck(L, lua_rawgeti(L, -1, 1) != LUA_TTABLE, at, "too deep");
            lua_pop(L, 1);
            row_of_table(L, lua_gettop(L));
            lua_remove(L, -2);
            if (i > 1) {
                lua_pushliteral(L, "\n");
                lua_insert(L, -2);
            }
            lua_concat(L, i > 1 ? 3 : 2);
        }
        lua_remove(L, -2);
        return 1;
    }
    lua_pop(L, 1);
    out = begin_row(L);
    for (lua_Integer i = 1; i <= count; i++) {
        lua_rawgeti(L, at, i);
        add_value(L, out, -1);
        lua_pop(L, 1);
    }
    return push_row(L, out);
}

/* c8y:row(103, c8y.ID, 20.5) -> "103,4711,20.5", each value quoted if it needs it. */
static int row(lua_State *L)
{
    const int count = lua_gettop(L);
    struct sr_row *out;

    if (lua_istable(L, 2))
        return row_of_table(L, 2);
    out = begin_row(L);
    for (int i = 2; i <= count; i++)
        add_value(L, out, i);
    return push_row(L, out);
}

/* c8y:json(text): as the inside of a JSON string. */
static int json(lua_State *L)
{
    static const char digits[] = "0123456789abcdef";
    size_t len;
    const char *text = luaL_checklstring(L, 2, &len);
    luaL_Buffer out;

    luaL_buffinit(L, &out);
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];

        if (c == '"' || c == '\\') {
            luaL_addchar(&out, '\\');
            luaL_addchar(&out, text[i]);
        } else if (c < 0x20 || c == 0x7f) {
            luaL_addstring(&out, "\\u00");
            luaL_addchar(&out, digits[c >> 4]);
            luaL_addchar(&out, digits[c & 15]);
        } else {
            luaL_addchar(&out, text[i]);
        }
    }
    luaL_pushresult(&out);
    return 1;
}

/* --- sending ------------------------------------------------------------------------- */

/* 0; or -1 and why not. */
static int push_rc(lua_State *L, int rc)
{
    if (rc)
        return sr_lua_push_failure(L, rc, NULL);
    lua_pushinteger(L, 0);
    return 1;
}

/* What becomes of it is told as the argument at `options` says; 0: nobody asks. */
static int send_text(lua_State *L, int at, int prio, int options)
{
    size_t len;
    const char *text = luaL_checklstring(L, at, &len);

    if (strlen(text) != len) /* a NUL in it */
        return push_rc(L, SR_E_SYNTAX);
    if (options)
        return push_rc(L, sr_lua_send(L, text, prio, options));
    return push_rc(L, sr_agent_send(sr_lua_plugin_of(L)->lua->agent, text, prio));
}

/* c8y:send(row[, prio[, what]]): a text, or a table as c8y:row() takes it; `what` see
 * deliveries.c. */
static int send(lua_State *L)
{
    int prio = (int)luaL_optinteger(L, 3, 0);

    lua_settop(L, 4);
    if (!lua_istable(L, 2))
        return send_text(L, 2, prio, 4);
    row_of_table(L, 2);
    return send_text(L, lua_gettop(L), prio, 4);
}

enum { ARGUMENTS_MAX = 32 };

/* Replaces the conversion at *p by %s, and pushes its text, made by string.format(). */
static void convert(lua_State *L, const char **p, int argument)
{
    static const char letters[] = "cdiouxXaAeEfFgGs";
    size_t len = strcspn(*p + 1, letters) + 2;
    int top;

    if (len > 16 || !(*p)[len - 1])
        luaL_error(L, "c8y:sendf(): a conversion that is none");
    top = lua_gettop(L);
    lua_getglobal(L, "string");
    lua_getfield(L, -1, "format");
    lua_pushlstring(L, *p, len);
    lua_pushvalue(L, argument);
    lua_call(L, 2, 1);
    lua_replace(L, top + 1);
    lua_settop(L, top + 1);
    *p += len;
}

/* The format with %s for each conversion; the texts are pushed. Returns how many. */
static int convert_all(lua_State *L, int at, char *format)
{
    int count = 0;

    for (const char *p = lua_tostring(L, at); *p;) {
        if (*p != '%') {
            *format++ = *p++;
        } else if (p[1] == '%') {
            *format++ = '%';
            *format++ = '%';
            p += 2;
        } else {
            luaL_argcheck(L, count < ARGUMENTS_MAX, at, "too many conversions");
            convert(L, &p, at + 1 + count++);
            *format++ = '%';
            *format++ = 's';
        }
    }
    *format = '\0';
    return count;
}

static void format_row(struct sr_row *row, const char *format, const char *const *a)
{
    sr_row_format(row, format, a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], a[8],
                  a[9], a[10], a[11], a[12], a[13], a[14], a[15], a[16], a[17], a[18],
                  a[19], a[20], a[21], a[22], a[23], a[24], a[25], a[26], a[27], a[28],
                  a[29], a[30], a[31]);
}

/* Format at `at`, arguments behind: as sr_agent_sendf(), values quoted when they need it. */
static int send_formatted(lua_State *L, int at, int prio)
{
    const char *texts[ARGUMENTS_MAX] = { NULL };
    const int top = lua_gettop(L);
    size_t len;
    char *format;
    struct sr_row *out;
    int count;

    luaL_checklstring(L, at, &len);
    luaL_argcheck(L, len <= SR_ROW_MAX, at, "too long");
    luaL_checkstack(L, ARGUMENTS_MAX + 8, "too many arguments");
    format = sr_lua_userdata(L, 2 * len + 1);
    count = convert_all(L, at, format);
    for (int i = 0; i < count; i++)
        texts[i] = lua_tostring(L, top + 2 + i);
    out = begin_row(L);
    format_row(out, format, texts);
    push_row(L, out);
    return send_text(L, lua_gettop(L), prio, 0);
}

/* c8y:sendf([prio, ]format, ...) */
static int sendf(lua_State *L)
{
    if (lua_isinteger(L, 2))
        return send_formatted(L, 3, (int)lua_tointeger(L, 2));
    return send_formatted(L, 2, 0);
}

/* --- properties ------------------------------------------------------------------------ */

static const char *now(const struct sr_agent *agent)
{
    (void)agent;
    return SR_NOW;
}

static const struct {
    const char *name;
    const char *(*get)(const struct sr_agent *agent);
} properties[] = {
    {"server",    sr_agent_server   },
    { "ID",       sr_agent_id       },
    { "XID",      sr_agent_xid      },
    { "deviceID", sr_agent_device_id},
    { "now",      now               },
};

static int get(lua_State *L)
{
    const char *name = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "";
    const size_t count = sizeof properties / sizeof *properties;

    for (size_t i = 0; i < count; i++)
        if (!strcmp(name, properties[i].name)) {
            lua_pushstring(L, properties[i].get(sr_lua_plugin_of(L)->lua->agent));
            return 1;
        }
    return strcmp(name, "resp") ? 0 : sr_lua_push_resp(L);
}

int sr_lua_open_c8y(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"send",   send },
        { "sendf", sendf},
        { "row",   row  },
        { "json",  json },
        { NULL,    NULL },
    };

    luaL_newlib(L, functions);
    lua_pushstring(L, sr_lua_plugin_of(L)->name);
    lua_setfield(L, -2, "plugin");
    lua_createtable(L, 0, 2);
    lua_pushcfunction(L, get);
    lua_setfield(L, -2, "__index");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_setmetatable(L, -2);
    lua_setglobal(L, "c8y");
    return 0;
}
