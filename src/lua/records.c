/* SPDX-License-Identifier: MIT */
/* record.size, record:value(i), record:type(i), and what is beyond the vendor's: #record,
 * record[i], record:number(i), record:values([from]). */
#include "lua/host.h"
#include <string.h>

static const char type_name[] = "sr_record";

static struct record *check(lua_State *L)
{
    struct record *record = sr_lua_object_check(L, 1, type_name);

    if (!record->record)
        luaL_error(L, "the record is over with its callback: keep its values instead");
    return record;
}

static size_t index_of(lua_State *L, int at)
{
    lua_Integer i;

    sr_lua_charge(L, lua_rawlen(L, at)); /* a text as a number */
    i = luaL_checkinteger(L, at);
    return i < 0 || i > INT32_MAX ? SIZE_MAX : (size_t)i;
}

static void push_value(lua_State *L, struct sr_record *record, size_t i)
{
    size_t len;
    const char *bytes = sr_record_bytes(record, i, &len);

    lua_pushlstring(L, bytes ? bytes : "", len);
}

static int value(lua_State *L)
{
    struct record *record = check(L);

    push_value(L, record->record, index_of(L, 2));
    return 1;
}

/* The numbers of the vendor's tokens. */
static int type(lua_State *L)
{
    static const int numbers[] = {
        [SR_NONE] = 0, [SR_STRING] = 2, [SR_INTEGER] = 3, [SR_FLOAT] = 4
    };
    struct record *record = check(L);

    lua_pushinteger(L, numbers[sr_record_type(record->record, index_of(L, 2))]);
    return 1;
}

static int number(lua_State *L)
{
    struct record *record = check(L);
    size_t i = index_of(L, 2);
    int64_t whole;
    double real;

    if (!sr_record_int(record->record, i, &whole))
        lua_pushinteger(L, whole);
    else if (!sr_record_double(record->record, i, &real))
        lua_pushnumber(L, real);
    else
        lua_pushnil(L);
    return 1;
}

static int values(lua_State *L)
{
    struct record *record = check(L);
    size_t from = lua_isnoneornil(L, 2) ? 2 : index_of(L, 2);
    size_t size = sr_record_size(record->record);

    lua_newtable(L);
    for (size_t i = from; i < size; i++) {
        push_value(L, record->record, i);
        lua_rawseti(L, -2, (lua_Integer)(i - from + 1));
    }
    return 1;
}

static int size(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)sr_record_size(check(L)->record));
    return 1;
}

static int get(lua_State *L)
{
    const char *name;

    if (lua_isinteger(L, 2))
        return value(L);
    name = luaL_checkstring(L, 2);
    if (!strcmp(name, "size"))
        return size(L);
    sr_lua_push_method(L);
    return 1;
}

static void let_go(struct object *object)
{
    sr_lua_record_end((struct record *)object);
    sr_lua_object_free(object);
}

void sr_lua_push_record(lua_State *L, struct sr_record *from, struct task *task)
{
    struct record *record = sr_lua_object_new(L, type_name, sizeof *record, let_go);

    record->record = from;
    record->task = task;
    task->record = record;
}

void sr_lua_record_keep(struct record *record)
{
    struct sr_record *copy;

    if (record->owned || !record->record)
        return;
    record->owned = sr_record_copy(record->record, &copy) == 0;
    record->record = record->owned ? copy : NULL; /* over, if memory is */
}

void sr_lua_record_end(struct record *record)
{
    if (record->owned)
        sr_record_free(record->record);
    if (record->task)
        record->task->record = NULL;
    record->record = NULL;
    record->task = NULL;
    record->owned = false;
}

int sr_lua_open_records(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"value",    value                },
        { "type",    type                 },
        { "number",  number               },
        { "values",  values               },
        { "__index", get                  },
        { "__len",   size                 },
        { "__gc",    sr_lua_object_collect},
        { NULL,      NULL                 },
    };

    luaL_newmetatable(L, type_name);
    luaL_setfuncs(L, functions, 0);
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    return 0;
}
