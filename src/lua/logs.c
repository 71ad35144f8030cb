/* SPDX-License-Identifier: MIT */
/* srDebug ... srCritical, srLogGetLevel ... The component of a line is the plugin. */
#include "lua/host.h"

#include <smartrest/log.h>

enum { LINE = 2000 }; /* what it costs to write one */

/* Upvalue: the level. More arguments than one are joined by tabs, as print() does. */
static int write_line(lua_State *L)
{
    const enum sr_log_level level =
        (enum sr_log_level)lua_tointeger(L, lua_upvalueindex(1));
    const int count = lua_gettop(L);
    luaL_Buffer text;
    const char *line;

    if (!sr_log_is_enabled(level))
        return 0;
    luaL_buffinit(L, &text);
    for (int i = 1; i <= count; i++) {
        if (i > 1)
            luaL_addchar(&text, '\t');
        luaL_tolstring(L, i, NULL);
        sr_lua_charge(L, LINE + 2 * lua_rawlen(L, -1));
        luaL_addvalue(&text);
    }
    luaL_pushresult(&text);
    line = lua_tostring(L, -1);
    sr_log_write(level, sr_lua_plugin_of(L)->name, "%.*s", SR_LOG_LINE_MAX, line);
    return 0;
}

static int get_level(lua_State *L)
{
    lua_pushinteger(L, sr_log_get_level());
    return 1;
}

static int set_level(lua_State *L)
{
    lua_Integer level = luaL_checkinteger(L, 1);

    luaL_argcheck(L, level >= SR_LOG_DEBUG && level <= SR_LOG_OFF, 1,
                  "levels are 0 (debug) to 5 (critical), and 6 (off)");
    sr_log_set_level((enum sr_log_level)level);
    return 0;
}

static int get_quota(lua_State *L)
{
    lua_pushinteger(L, sr_log_get_quota());
    return 1;
}

static int set_quota(lua_State *L)
{
    lua_Integer kb = luaL_checkinteger(L, 1);

    luaL_argcheck(L, kb > 0 && kb <= (lua_Integer)UINT32_MAX, 1, "KB, more than 0");
    sr_log_set_quota((uint32_t)kb);
    return 0;
}

int sr_lua_open_log(lua_State *L)
{
    static const struct {
        const char *name;
        enum sr_log_level level;
    } levels[] = {
        {"srDebug",     SR_LOG_DEBUG   },
        { "srInfo",     SR_LOG_INFO    },
        { "srNotice",   SR_LOG_NOTICE  },
        { "srWarning",  SR_LOG_WARNING },
        { "srError",    SR_LOG_ERROR   },
        { "srCritical", SR_LOG_CRITICAL},
        { "print",      SR_LOG_NOTICE  }, /* stdout is the program's */
    };
    static const luaL_Reg functions[] = {
        {"srLogGetLevel",  get_level},
        { "srLogSetLevel", set_level},
        { "srLogGetQuota", get_quota},
        { "srLogSetQuota", set_quota},
        { NULL,            NULL     },
    };

    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
        lua_pushinteger(L, levels[i].level);
        lua_pushcclosure(L, write_line, 1);
        lua_setglobal(L, levels[i].name);
    }
    lua_pushglobaltable(L);
    luaL_setfuncs(L, functions, 0);
    sr_lua_pay(L, "srLogSetLevel");
    sr_lua_pay(L, "srLogSetQuota");
    return 0;
}
