/* SPDX-License-Identifier: MIT */
/* The table `c8y`: what needs no file of its own. */
#include "lua/connections.h"
#include <math.h>
#include <smartrest/log.h>
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

static lua_Number check_finite(lua_State *L, lua_Number number)
{
    if (!isfinite(number))
        luaL_error(L, "a row has no value for %s", isnan(number) ? "NaN" : "infinity");
    return number;
}

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
            sr_row_double(row, check_finite(L, lua_tonumber(L, at)));
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
            sr_lua_charge(L, 100 + lua_rawlen(L, -1) + lua_rawlen(L, -2));
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
        sr_lua_charge(L, 20);
        lua_rawgeti(L, at, i);
        add_value(L, out, -1);
        lua_pop(L, 1);
    }
    return push_row(L, out);
}

static void row_of_values(lua_State *L)
{
    const int count = lua_gettop(L);
    struct sr_row *out = begin_row(L);

    for (int i = 2; i <= count; i++)
        add_value(L, out, i);
    push_row(L, out);
}

/* c8y:row(103, c8y.ID, 20.5) -> "103,4711,20.5", each value quoted if it needs it. Plugins find out by it
 * what fits: what it makes goes by each transport. */
static int row(lua_State *L)
{
    if (lua_istable(L, 2))
        row_of_table(L, 2);
    else
        row_of_values(L);
    if (lua_rawlen(L, -1) > SR_ROW_MAX)
        return luaL_error(L, "no row: %s", sr_strerror(SR_E_TOOBIG));
    return 1;
}

/* --- text inside of JSON -------------------------------------------------------------- */

/* Bytes of the character at `p`, of which `left` are there; 0 if it is not UTF-8. */
static size_t character(const unsigned char *p, size_t left)
{
    static const struct {
        unsigned char from, to, second_from, second_to, len;
    } forms[] = {
        {0x00,  0x7f, 0,    0,    1},
        { 0xc2, 0xdf, 0x80, 0xbf, 2},
        { 0xe0, 0xe0, 0xa0, 0xbf, 3},
        { 0xe1, 0xec, 0x80, 0xbf, 3},
        { 0xed, 0xed, 0x80, 0x9f, 3}, /* no surrogates */
        { 0xee, 0xef, 0x80, 0xbf, 3},
        { 0xf0, 0xf0, 0x90, 0xbf, 4},
        { 0xf1, 0xf3, 0x80, 0xbf, 4},
        { 0xf4, 0xf4, 0x80, 0x8f, 4},
    };
    size_t i = 0, n;

    while (i < sizeof forms / sizeof *forms && (*p < forms[i].from || *p > forms[i].to))
        i++;
    if (i == sizeof forms / sizeof *forms || forms[i].len > left)
        return 0;
    if (forms[i].len > 1 && (p[1] < forms[i].second_from || p[1] > forms[i].second_to))
        return 0;
    for (n = 2; n < forms[i].len; n++)
        if (p[n] < 0x80 || p[n] > 0xbf)
            return 0;
    return forms[i].len;
}

/* Pushes `text` as the inside of a JSON string; what is not UTF-8 becomes U+FFFD, as %pJ
 * has it in C. */
static void push_json(lua_State *L, const char *text, size_t len)
{
    static const char digits[] = "0123456789abcdef";
    luaL_Buffer out;
    size_t n;

    luaL_buffinit(L, &out);
    for (size_t i = 0; i < len; i += n ? n : 1) {
        unsigned char c = (unsigned char)text[i];

        sr_lua_charge(L, 1);
        n = character((const unsigned char *)text + i, len - i);
        if (c == '"' || c == '\\') {
            luaL_addchar(&out, '\\');
            luaL_addchar(&out, text[i]);
        } else if (c < 0x20 || c == 0x7f) {
            luaL_addstring(&out, "\\u00");
            luaL_addchar(&out, digits[c >> 4]);
            luaL_addchar(&out, digits[c & 15]);
        } else if (n) {
            luaL_addlstring(&out, text + i, n);
        } else {
            luaL_addstring(&out, "\xef\xbf\xbd");
        }
    }
    luaL_pushresult(&out);
}

/* c8y:json(text) */
static int json(lua_State *L)
{
    size_t len;
    const char *text = luaL_checklstring(L, 2, &len);

    push_json(L, text, len);
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

enum { TOLD = 20, TELL_EACH = 100 };

/* Who looks at the returned value knows; the log says it to all others. A plugin that goes
 * on in this way does not fill the log. */
static void tell_refusal(struct plugin *plugin, const char *text, size_t len, int rc)
{
    size_t id = strcspn(text, ",\r\n");
    const bool too_big =
        rc == SR_E_TOOBIG; /* then it is worth to say how large it may be */

    if (++plugin->refused > TOLD && plugin->refused % TELL_EACH)
        return;
    sr_log_write(
        SR_LOG_WARNING, plugin->name,
        "c8y:send(): message %.*s of %zu bytes was not sent: %s%s%s (%llu so far)",
        (int)(id < 20 ? id : 20), text, len, sr_strerror(rc), too_big ? ": " : "",
        too_big ? sr_agent_error(plugin->lua->agent) : "",
        (unsigned long long)plugin->refused);
}

/* What becomes of it is told as the argument at `options` says; 0: nobody asks. */
static int send_text(lua_State *L, int at, int prio, int options)
{
    struct plugin *plugin = sr_lua_plugin_of(L);
    size_t len;
    const char *text = luaL_checklstring(L, at, &len);
    int rc;

    sr_lua_charge(L, 1000 + len);
    if (strlen(text) != len) /* a NUL in it */
        rc = SR_E_SYNTAX;
    else if (options)
        rc = sr_lua_send(L, text, prio, options);
    else
        rc = sr_agent_send(plugin->lua->agent, text, prio);
    if (rc)
        tell_refusal(plugin, text, len, rc);
    return push_rc(L, rc);
}

/* c8y:send(row[, prio[, what]]): a text, or a table as c8y:row() takes it; `what` see
 * deliveries.c. */
static int send(lua_State *L)
{
    int prio;

    sr_lua_charge(L, lua_rawlen(L, 3)); /* a text as a number */
    prio = (int)luaL_optinteger(L, 3, 0);
    lua_settop(L, 4);
    if (!lua_istable(L, 2))
        return send_text(L, 2, prio, 4);
    row_of_table(L, 2);
    return send_text(L, lua_gettop(L), prio, 4);
}

enum { ARGUMENTS_MAX = 32 };

/* Replaces the stack from `top` + 1 on by the text of `argument`, made by string.format()
 * with `len` bytes of `conversion`. */
static void format_value(lua_State *L, const char *conversion, size_t len, int argument)
{
    const int top = lua_gettop(L);

    bool is_float = strchr("aAeEfFgG", conversion[len - 1]) != NULL;

    if (is_float ? lua_isnumber(L, argument) : lua_type(L, argument) == LUA_TNUMBER)
        check_finite(L, lua_tonumber(L, argument));
    lua_getglobal(L, "string");
    lua_getfield(L, -1, "format");
    lua_pushlstring(L, conversion, len);
    lua_pushvalue(L, argument);
    lua_call(L, 2, 1);
    lua_replace(L, top + 1);
    lua_settop(L, top + 1);
}

/* %pJ: the same as in C. */
static void format_json(lua_State *L, int argument)
{
    size_t len;
    const char *text;

    luaL_checkany(L, argument);
    if (lua_isnil(L, argument))
        lua_pushliteral(L, "");
    else
        luaL_tolstring(L, argument, NULL);
    text = lua_tolstring(L, -1, &len);
    push_json(L, text, len);
    lua_remove(L, -2);
}

/* Pushes the text of the conversion at *p. */
static void convert(lua_State *L, const char **p, int argument)
{
    static const char letters[] = "cdiouxXaAeEfFgGs";
    size_t len;

    if (!strncmp(*p, "%pJ", 3)) {
        format_json(L, argument);
        *p += 3;
        return;
    }
    len = strcspn(*p + 1, letters) + 2;
    if (len > 16 || !(*p)[len - 1])
        luaL_error(L, "c8y:sendf(): a conversion that is none");
    format_value(L, *p, len, argument);
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
    luaL_argcheck(L, len <= SR_ROW_MAX_HTTP, at, "too long");
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
