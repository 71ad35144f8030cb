/* SPDX-License-Identifier: MIT */
/* What the files about transfers, sockets and HTTP have in common. */
#ifndef LUA_CONNECTIONS_H
#define LUA_CONNECTIONS_H

#include "lua/host.h"
#include <smartrest/net.h>

/* Bytes with a bound, outside of Lua's memory. Zeroed is empty. */
struct bytes {
    char *data;
    size_t len, max;
};
/* False: more than `max`, or memory is out; nothing was added. */
bool sr_lua_bytes_add(struct bytes *bytes, const char *data, size_t len);
/* The first `len` of them go. */
void sr_lua_bytes_drop(struct bytes *bytes, size_t len);
void sr_lua_bytes_release(struct bytes *bytes);

/* The agent's connection options. */
struct net_options {
    struct sr_net net;
    char texts[5][4096];
};
void sr_lua_net_options(const struct sr_agent *agent, struct net_options *options);

/* Remembers `len` bytes (NULL and 0: nothing) as c8y.resp of the running callback. */
void sr_lua_set_resp(lua_State *L, const char *bytes, size_t len);
int sr_lua_push_resp(lua_State *L);

/* The argument `at`: seconds, 0 to a million. */
double sr_lua_check_seconds(lua_State *L, int at);

/* -1 and why. */
int sr_lua_push_failure(lua_State *L, int rc, const char *error);

#endif
