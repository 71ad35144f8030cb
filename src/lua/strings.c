/* SPDX-License-Identifier: MIT */
/* The functions of Lua's string library that can run for long, on sr_lua_match(). */
#include "lua/host.h"
#include "lua/pattern.h"
#include <stdlib.h>
#include <string.h>

/* A position as Lua counts: from 1, negative from the end; cut to 1 and more. Beyond the end all
 * are the same; so a large one fits a size_t of 32 bits. */
static size_t position(lua_Integer at, size_t len)
{
    if (at > (lua_Integer)len + 1)
        return len + 2;
    if (at > 0)
        return (size_t)at;
    if (at == 0 || at < -(lua_Integer)len)
        return 1;
    return len + (size_t)at + 1;
}

static int find_plain(lua_State *L, const char *text, size_t len, const char *what,
                      size_t what_len, size_t from)
{
    const char *found;

    sr_lua_charge(L, (len - from) / 4);
    found = what_len ? memmem(text + from, len - from, what, what_len) : text + from;

    if (!found) {
        lua_pushnil(L);
        return 1;
    }
    lua_pushinteger(L, found - text + 1);
    lua_pushinteger(L, (lua_Integer)(found - text) + (lua_Integer)what_len);
    return 2;
}

static bool has_specials(const char *pattern, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (pattern[i] && strchr("^$*+?.([%-", pattern[i]))
            return true;
    return false;
}

static int search(lua_State *L, bool find)
{
    size_t len, pattern_len, from;
    const char *text = luaL_checklstring(L, 1, &len), *end;
    const char *pattern = luaL_checklstring(L, 2, &pattern_len);
    bool anchored = *pattern == '^';
    struct match match;

    from = position(luaL_optinteger(L, 3, 1), len) - 1;
    if (from > len) {
        lua_pushnil(L);
        return 1;
    }
    if (find && (lua_toboolean(L, 4) || !has_specials(pattern, pattern_len)))
        return find_plain(L, text, len, pattern, pattern_len, from);
    sr_lua_match_init(&match, L, text, len, pattern + pattern_len);
    for (const char *at = text + from; at <= match.text_end; at++) {
        match.level = 0;
        end = sr_lua_match(&match, at, pattern + anchored);
        if (end && !find)
            return sr_lua_push_captures(&match, at, end);
        if (end) {
            lua_pushinteger(L, at - text + 1);
            lua_pushinteger(L, end - text);
            return sr_lua_push_captures(&match, NULL, NULL) + 2;
        }
        if (anchored)
            break;
    }
    lua_pushnil(L);
    return 1;
}

static int find(lua_State *L)
{
    return search(L, true);
}

static int match_once(lua_State *L)
{
    return search(L, false);
}

/* --- gmatch ------------------------------------------------------------------------ */

/* Upvalues: text, pattern, where to go on from, where the last match ended (0: none). */
static int next_match(lua_State *L)
{
    size_t len, pattern_len;
    const char *text = lua_tolstring(L, lua_upvalueindex(1), &len), *end;
    const char *pattern = lua_tolstring(L, lua_upvalueindex(2), &pattern_len);
    const char *at = text + lua_tointeger(L, lua_upvalueindex(3));
    const char *last = text + lua_tointeger(L, lua_upvalueindex(4)) - 1;
    struct match match;

    sr_lua_match_init(&match, L, text, len, pattern + pattern_len);
    for (; at <= match.text_end; at++) {
        match.level = 0;
        end = sr_lua_match(&match, at, pattern);
        if (!end || end == last) /* no empty match behind a match */
            continue;
        lua_pushinteger(L, end - text);
        lua_replace(L, lua_upvalueindex(3));
        lua_pushinteger(L, end - text + 1);
        lua_replace(L, lua_upvalueindex(4));
        return sr_lua_push_captures(&match, at, end);
    }
    lua_pushinteger(L, (lua_Integer)len + 1);
    lua_replace(L, lua_upvalueindex(3));
    return 0;
}

static int gmatch(lua_State *L)
{
    size_t len, from;

    luaL_checklstring(L, 1, &len);
    luaL_checkstring(L, 2);
    from = position(luaL_optinteger(L, 3, 1), len) - 1;
    lua_settop(L, 2);
    lua_pushinteger(L, (lua_Integer)(from > len ? len + 1 : from));
    lua_pushinteger(L, 0);
    lua_pushcclosure(L, next_match, 4);
    return 1;
}

/* --- gsub ---------------------------------------------------------------------------- */

static void add_template(struct match *m, luaL_Buffer *out, const char *at,
                         const char *end)
{
    size_t len;
    const char *text = lua_tolstring(m->L, 3, &len);

    for (size_t i = 0; i < len; i++) {
        sr_lua_charge(m->L, 1);
        if (text[i] != '%') {
            luaL_addchar(out, text[i]);
            continue;
        }
        if (++i < len && text[i] == '%') {
            luaL_addchar(out, '%');
        } else if (i < len && text[i] == '0') {
            luaL_addlstring(out, at, (size_t)(end - at));
        } else if (i < len && text[i] >= '1' && text[i] <= '9') {
            sr_lua_push_capture(m, text[i] - '1', at, end);
            luaL_tolstring(m->L, -1, NULL); /* a position is a number */
            lua_remove(m->L, -2);
            luaL_addvalue(out);
        } else {
            luaL_error(m->L, "invalid use of '%%' in replacement string");
        }
    }
}

/* What stands for the match: by a table, a function or a text. */
static void add_replacement(struct match *m, luaL_Buffer *out, const char *at,
                            const char *end)
{
    lua_State *L = m->L;
    int kind = lua_type(L, 3);

    if (kind == LUA_TFUNCTION) {
        lua_pushvalue(L, 3);
        lua_call(L, sr_lua_push_captures(m, at, end), 1);
    } else if (kind == LUA_TTABLE) {
        sr_lua_push_capture(m, 0, at, end);
        lua_gettable(L, 3);
    } else {
        add_template(m, out, at, end);
        return;
    }
    if (!lua_toboolean(L, -1)) {
        lua_pop(L, 1);
        luaL_addlstring(out, at, (size_t)(end - at));
    } else if (!lua_isstring(L, -1)) {
        luaL_error(L, "invalid replacement value (a %s)", luaL_typename(L, -1));
    } else {
        luaL_addvalue(out);
    }
}

static int gsub(lua_State *L)
{
    size_t len, pattern_len;
    const char *text = luaL_checklstring(L, 1, &len), *at = text, *end, *last = NULL;
    const char *pattern = luaL_checklstring(L, 2, &pattern_len);
    lua_Integer max = luaL_optinteger(L, 4, (lua_Integer)len + 1), count = 0;
    const int kind = lua_type(L, 3);
    const bool anchored = *pattern == '^';
    struct match match;
    luaL_Buffer out;

    luaL_argcheck(L,
                  kind == LUA_TNUMBER || kind == LUA_TSTRING || kind == LUA_TTABLE ||
                      kind == LUA_TFUNCTION,
                  3, "string/function/table expected");
    luaL_buffinit(L, &out);
    sr_lua_match_init(&match, L, text, len, pattern + pattern_len);
    while (count < max) {
        match.level = 0;
        end = sr_lua_match(&match, at, pattern + anchored);
        if (end && end != last) {
            count++;
            add_replacement(&match, &out, at, end);
            at = last = end;
        } else if (at < match.text_end) {
            luaL_addchar(&out, *at++);
        } else {
            break;
        }
        if (anchored)
            break;
    }
    luaL_addlstring(&out, at, (size_t)(match.text_end - at));
    luaL_pushresult(&out);
    lua_pushinteger(L, count);
    return 2;
}

/* --- rep ------------------------------------------------------------------------------- */

/* Upvalue: Lua's own, which makes nothing out of nothing for as long as it is told to. */
static int rep(lua_State *L)
{
    size_t len, between = 0;

    luaL_checklstring(L, 1, &len);
    luaL_checkinteger(L, 2);
    luaL_optlstring(L, 3, "", &between);
    lua_settop(L, 3);
    if (len == 0 && between == 0) {
        lua_pushliteral(L, "");
        return 1;
    }
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, 3, 1);
    return 1;
}

int sr_lua_open_strings(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"find",    find      },
        { "match",  match_once},
        { "gmatch", gmatch    },
        { "gsub",   gsub      },
        { NULL,     NULL      },
    };
    static const char *const paid[] = {
        "byte",     "char", "format",  "lower",  "pack",
        "packsize", "rep",  "reverse", "unpack", "upper"
    };

    luaL_requiref(L, LUA_STRLIBNAME, luaopen_string, 1);
    luaL_setfuncs(L, functions, 0);
    lua_getfield(L, -1, "rep");
    lua_pushcclosure(L, rep, 1);
    lua_setfield(L, -2, "rep");
    lua_pushnil(L); /* and machine code of Lua's has no place here: see load() */
    lua_setfield(L, -2, "dump");
    for (size_t i = 0; i < sizeof paid / sizeof *paid; i++)
        sr_lua_pay(L, paid[i]);
    return 0;
}
