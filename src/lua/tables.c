/* SPDX-License-Identifier: MIT */
/* The functions of Lua's table library that can run for long: each element is paid for, and
 * a border far beyond what is in a table is refused. */
#include "lua/host.h"

enum { LONG = 4 << 20, ELEMENT = 10, META = 1000 };

static lua_Integer check_length(lua_State *L, lua_Integer max)
{
    lua_Integer length;

    luaL_checktype(L, 1, LUA_TTABLE);
    if (luaL_getmetafield(L, 1, "__len") != LUA_TNIL)
        luaL_error(L, "not for tables with a length of their own (__len)");
    length = luaL_len(L, 1);
    luaL_argcheck(L, length <= max, 1, "too long");
    return length;
}

static void check_range(lua_State *L, lua_Integer from, lua_Integer to)
{
    if (to >= from && (lua_Unsigned)to - (lua_Unsigned)from >= LONG)
        luaL_error(L, "too many elements");
}

/* Metamethods can go through a chain of tables for each element. */
static void charge_element(lua_State *L, int table)
{
    size_t units = ELEMENT;

    if (lua_getmetatable(L, table)) {
        lua_pop(L, 1);
        units = META;
    }
    sr_lua_charge(L, units);
}

/* t[to] = t[from], of the tables at these places of the stack. */
static void copy(lua_State *L, int from_at, lua_Integer from, int to_at, lua_Integer to)
{
    charge_element(L, from_at);
    charge_element(L, to_at);
    lua_geti(L, from_at, from);
    lua_seti(L, to_at, to);
}

static int insert(lua_State *L)
{
    lua_Integer at, end = check_length(L, LONG) + 1;

    if (lua_gettop(L) == 2) {
        lua_seti(L, 1, end);
        return 0;
    }
    if (lua_gettop(L) != 3)
        return luaL_error(L, "wrong number of arguments to 'insert'");
    at = luaL_checkinteger(L, 2);
    luaL_argcheck(L, at >= 1 && at <= end, 2, "position out of bounds");
    for (lua_Integer i = end; i > at; i--)
        copy(L, 1, i - 1, 1, i);
    lua_seti(L, 1, at);
    return 0;
}

static int remove_element(lua_State *L)
{
    lua_Integer size = check_length(L, LONG), at = luaL_optinteger(L, 2, size);

    luaL_argcheck(L, at == size || (at >= 1 && at <= size + 1), 2,
                  "position out of bounds");
    lua_geti(L, 1, at);
    for (; at < size; at++)
        copy(L, 1, at + 1, 1, at);
    lua_pushnil(L);
    lua_seti(L, 1, at);
    return 1;
}

static int move(lua_State *L)
{
    lua_Integer from = luaL_checkinteger(L, 2), last = luaL_checkinteger(L, 3);
    lua_Integer to = luaL_checkinteger(L, 4);
    const int target = lua_isnoneornil(L, 5) ? 1 : 5;
    lua_Integer count;

    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_checktype(L, target, LUA_TTABLE);
    if (last >= from) {
        check_range(L, from, last);
        count = last - from + 1;
        luaL_argcheck(L, to <= LUA_MAXINTEGER - count + 1, 4,
                      "destination wrap around");
        if (to > last || to <= from || target != 1)
            for (lua_Integer i = 0; i < count; i++)
                copy(L, 1, from + i, target, to + i);
        else
            for (lua_Integer i = count - 1; i >= 0; i--)
                copy(L, 1, from + i, target, to + i);
    }
    lua_pushvalue(L, target);
    return 1;
}

static void add_element(lua_State *L, luaL_Buffer *out, lua_Integer i)
{
    charge_element(L, 1);
    lua_geti(L, 1, i);
    if (!lua_isstring(L, -1))
        luaL_error(L, "invalid value (at index %I) in table for 'concat'",
                   (LUAI_UACINT)i);
    sr_lua_charge(L, lua_rawlen(L, -1));
    luaL_addvalue(out);
}

static int concat(lua_State *L)
{
    lua_Integer from = luaL_optinteger(L, 3, 1), to;
    size_t between_len;
    const char *between = luaL_optlstring(L, 2, "", &between_len);
    luaL_Buffer out;

    luaL_checktype(L, 1, LUA_TTABLE);
    to = lua_isnoneornil(L, 4) ? check_length(L, LONG) : luaL_checkinteger(L, 4);
    check_range(L, from, to);
    luaL_buffinit(L, &out);
    for (lua_Integer i = from; i <= to; i++) {
        add_element(L, &out, i);
        if (i < to)
            luaL_addlstring(&out, between, between_len);
        if (i == LUA_MAXINTEGER)
            break;
    }
    luaL_pushresult(&out);
    return 1;
}

static int unpack(lua_State *L)
{
    lua_Integer from = luaL_optinteger(L, 2, 1);
    lua_Integer to = lua_isnoneornil(L, 3) ? luaL_len(L, 1) : luaL_checkinteger(L, 3);
    lua_Unsigned count = (lua_Unsigned)to - (lua_Unsigned)from;

    if (from > to)
        return 0;
    if (count >= LONG || !lua_checkstack(L, (int)count + 1))
        return luaL_error(L, "too many results to unpack");
    for (lua_Unsigned i = 0; i <= count; i++) {
        charge_element(L, 1);
        lua_geti(L, 1, (lua_Integer)((lua_Unsigned)from + i));
    }
    return (int)count + 1;
}

/* Upvalue: the plugin's own comparison, or nil. */
static int is_less(lua_State *L)
{
    size_t left = lua_rawlen(L, 1), right = lua_rawlen(L, 2);

    sr_lua_charge(L, 5 * ELEMENT + (left < right ? left : right));
    if (lua_isnil(L, lua_upvalueindex(1))) {
        lua_pushboolean(L, lua_compare(L, 1, 2, LUA_OPLT));
        return 1;
    }
    lua_settop(L, 2);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, 2, 1);
    return 1;
}

/* Upvalue: Lua's own. */
static int sort(lua_State *L)
{
    check_length(L, LONG / 4);
    if (!lua_isnoneornil(L, 2))
        luaL_checktype(L, 2, LUA_TFUNCTION);
    lua_settop(L, 2);
    lua_pushcclosure(L, is_less, 1);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, 2, 0);
    return 0;
}

int sr_lua_open_tables(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"insert",  insert        },
        { "remove", remove_element},
        { "move",   move          },
        { "concat", concat        },
        { "unpack", unpack        },
        { NULL,     NULL          },
    };

    luaL_requiref(L, LUA_TABLIBNAME, luaopen_table, 1);
    luaL_setfuncs(L, functions, 0);
    lua_getfield(L, -1, "sort");
    lua_pushcclosure(L, sort, 1);
    lua_setfield(L, -2, "sort");
    return 0;
}
