/* SPDX-License-Identifier: MIT */
#include "lua/connections.h"

#include <smartrest/settings.h>
#include <stdlib.h>
#include <string.h>

bool sr_lua_bytes_add(struct bytes *bytes, const char *data, size_t len)
{
    char *more;

    if (len > bytes->max - bytes->len)
        return false;
    if (!len)
        return true;
    more = realloc(bytes->data, bytes->len + len);
    if (!more)
        return false;
    memcpy(more + bytes->len, data, len);
    bytes->data = more;
    bytes->len += len;
    return true;
}

void sr_lua_bytes_drop(struct bytes *bytes, size_t len)
{
    bytes->len -= len;
    if (bytes->len)
        memmove(bytes->data, bytes->data + len, bytes->len);
}

void sr_lua_bytes_release(struct bytes *bytes)
{
    free(bytes->data);
    bytes->data = NULL;
    bytes->len = 0;
}

void sr_lua_net_options(const struct sr_agent *agent, struct net_options *options)
{
    static const char *const names[] = { "ca_file", "ca_path", "cert_file", "key_file",
                                         "proxy" };
    const char **const texts[] = { &options->net.ca_file, &options->net.ca_path,
                                   &options->net.cert_file, &options->net.key_file,
                                   &options->net.proxy };
    char number[32];

    memset(options, 0, sizeof *options);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!sr_agent_get(agent, names[i], options->texts[i],
                          sizeof options->texts[i]) &&
            *options->texts[i])
            *texts[i] = options->texts[i];
    if (!sr_agent_get(agent, "verify", number, sizeof number))
        options->net.insecure = !strcmp(number, "0");
    if (!sr_agent_get(agent, "connect_timeout", number, sizeof number))
        options->net.connect_ms = (unsigned)strtoul(number, NULL, 10);
    if (!sr_agent_get(agent, "request_timeout", number, sizeof number))
        options->net.timeout_ms = (unsigned)strtoul(number, NULL, 10);
}

/* c8y.resp is a text, "" where there is none, as with the vendor's. It is the callback's own, so that two that wait at the same time do not mix up;
 * outside of one it is what came last. */
void sr_lua_set_resp(lua_State *L, const char *bytes, size_t len)
{
    struct plugin *plugin = sr_lua_plugin_of(L);
    int *const places[] = { &plugin->resp, &plugin->current->resp };

    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        luaL_unref(L, LUA_REGISTRYINDEX, *places[i]);
        *places[i] = LUA_NOREF;
    }
    plugin->current->resp_set = true;
    if (!len)
        return;
    lua_pushlstring(L, bytes, len);
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        lua_pushvalue(L, -1);
        *places[i] = luaL_ref(L, LUA_REGISTRYINDEX);
    }
    lua_pop(L, 1);
}

int sr_lua_push_resp(lua_State *L)
{
    struct plugin *plugin = sr_lua_plugin_of(L);
    bool own = plugin->current && plugin->current->resp_set;
    int ref = own ? plugin->current->resp : plugin->resp;

    if (ref == LUA_NOREF)
        lua_pushliteral(L, "");
    else
        lua_rawgeti(L, LUA_REGISTRYINDEX, ref);
    return 1;
}

int sr_lua_push_failure(lua_State *L, int rc, const char *error)
{
    lua_pushinteger(L, -1);
    lua_pushstring(L, error && *error ? error : sr_strerror(rc));
    return 2;
}

double sr_lua_check_seconds(lua_State *L, int at)
{
    lua_Number seconds;

    sr_lua_charge(L, lua_rawlen(L, at)); /* a text as a number */
    seconds = luaL_checknumber(L, at);

    luaL_argcheck(L, seconds >= 0 && seconds <= 1e6, at, "seconds, 0 or more");
    return seconds;
}
