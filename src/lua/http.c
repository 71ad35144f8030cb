/* SPDX-License-Identifier: MIT */
/* SrNetHttp(server[, xid[, auth]]): post(text) response() clear() status timeout.
 *
 * As the vendor's: a request is a POST of rows to server/s, under the X-Id. `auth` is a
 * header line or its value; without it, and only to the agent's own server, it is the
 * agent's. */
#include "lua/connections.h"
#include <smartrest/http.h>
#include <smartrest/loop.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char type_name[] = "sr_http";

struct http {
    struct object object; /* first */
    char url[1024], xid[256], auth[1024], login[1024];
    double timeout_s; /* 0: the agent's */
    long status;
    struct bytes response;
    struct post_op *op;
};

struct post_op {
    struct op op; /* first */
    struct http *http;
    struct sr_http_request *request;
    int rc;
    char error[300];
};

static void free_post(struct op *op)
{
    struct post_op *post = (struct post_op *)op;

    sr_http_cancel(post->request);
    if (post->http)
        post->http->op = NULL;
    free(post);
}

static int push_post(lua_State *L, struct op *op)
{
    struct post_op *post = (struct post_op *)op;

    if (post->rc || !post->http)
        return sr_lua_push_failure(L, post->rc, post->error);
    lua_pushinteger(L, (lua_Integer)post->http->response.len);
    return 1;
}

static void on_answer(void *arg, const struct sr_http_result *result)
{
    struct post_op *post = arg;
    struct http *http = post->http;

    post->request = NULL;
    post->rc = result->rc;
    snprintf(post->error, sizeof post->error, "%s", result->error);
    if (http) {
        http->status = result->status;
        sr_lua_bytes_release(&http->response);
        if (!sr_lua_bytes_add(&http->response, result->body, result->len))
            post->rc = SR_E_TOOBIG;
    }
    if (!post->rc && (result->status < 200 || result->status > 299)) {
        post->rc = SR_E_REFUSED;
        snprintf(post->error, sizeof post->error, "HTTP status %ld", result->status);
    }
    sr_lua_wake(&post->op);
}

/* --- methods ---------------------------------------------------------------------- */

static struct http *check(lua_State *L)
{
    return sr_lua_object_check(L, 1, type_name);
}

/* One client for all plugins: it keeps connections alive. */
static int client(struct sr_lua *lua, struct sr_http **ret_client)
{
    struct net_options *options;
    int rc = 0;

    if (!lua->http) {
        options = malloc(sizeof *options);
        if (!options)
            return SR_E_NOMEM;
        sr_lua_net_options(lua->agent, options);
        rc = sr_http_new(sr_agent_get_loop(lua->agent), &options->net, &lua->http);
        free(options);
    }
    *ret_client = lua->http;
    return rc;
}

static bool is_agents_server(const struct http *http)
{
    const char *server = sr_agent_server(http->object.plugin->lua->agent);
    size_t len = strlen(server);

    while (len && server[len - 1] == '/')
        len--;
    return !strncmp(http->url, server, len) && http->url[len] == '/';
}

static size_t add_auth(struct http *http, struct sr_http_call *call,
                       struct sr_http_header *header)
{
    const struct sr_agent *agent = http->object.plugin->lua->agent;

    if (*http->auth) {
        *header = (struct sr_http_header){ "Authorization", http->auth };
        return 1;
    }
    if (is_agents_server(http) && *sr_agent_tenant(agent)) {
        snprintf(http->login, sizeof http->login, "%s/%s", sr_agent_tenant(agent),
                 sr_agent_username(agent));
        call->user = http->login;
        call->password = sr_agent_password(agent);
    }
    return 0;
}

static int request(struct http *http, struct post_op *post, const char *text,
                   size_t len)
{
    struct sr_http_header headers[3] = {
        {"Content-Type", "text/plain"}
    };
    struct sr_http_call call = {
        .url = http->url,
        .headers = headers,
        .header_count = 1,
        .body = text,
        .len = len,
        .answer_max = http->response.max,
        .timeout_ms = (unsigned)(http->timeout_s * 1000),
    };
    struct sr_http *on;
    int rc = client(http->object.plugin->lua, &on);

    if (rc)
        return rc;
    if (*http->xid)
        headers[call.header_count++] = (struct sr_http_header){ "X-Id", http->xid };
    call.header_count += add_auth(http, &call, &headers[call.header_count]);
    return sr_http_request(on, &call, on_answer, post, &post->request);
}

static int post(lua_State *L)
{
    struct http *http = check(L);
    size_t len;
    const char *text = luaL_checklstring(L, 2, &len);
    struct post_op *new;

    sr_lua_check_wait(L, "post()");
    if (http->op)
        return luaL_error(L, "post(): another post waits for its answer");
    new = calloc(1, sizeof *new);
    if (!new)
        return luaL_error(L, "not enough memory");
    new->op.free = free_post;
    new->op.push = push_post;
    new->http = http;
    new->rc = request(http, new, text, len);
    new->op.done = new->rc != 0;
    http->op = new;
    return sr_lua_wait(L, &new->op);
}

static int response(lua_State *L)
{
    struct http *http = check(L);

    lua_pushlstring(L, http->response.data ? http->response.data : "",
                    http->response.len);
    return 1;
}

static int clear(lua_State *L)
{
    sr_lua_bytes_release(&check(L)->response);
    return 0;
}

static int set_timeout(lua_State *L)
{
    check(L)->timeout_s = sr_lua_check_seconds(L, 2);
    return 0;
}

static int get(lua_State *L)
{
    const char *name = luaL_checkstring(L, 2);

    if (!strcmp(name, "status"))
        lua_pushinteger(L, check(L)->status);
    else if (!strcmp(name, "timeout"))
        lua_pushnumber(L, check(L)->timeout_s);
    else
        sr_lua_push_method(L);
    return 1;
}

static int set(lua_State *L)
{
    struct http *http = check(L);
    const char *name = luaL_checkstring(L, 2);

    if (strcmp(name, "timeout"))
        return luaL_error(L, "'%s' cannot be set", name);
    http->timeout_s = sr_lua_check_seconds(L, 3);
    return 0;
}

static void let_go(struct object *object)
{
    struct http *http = (struct http *)object;

    if (http->op)
        http->op->http = NULL;
    sr_lua_bytes_release(&http->response);
    sr_lua_object_free(object);
}

/* --- making ------------------------------------------------------------------------- */

static void copy_text(lua_State *L, int at, char *to, size_t size)
{
    const char *text = luaL_optstring(L, at, "");

    luaL_argcheck(L, strlen(text) < size, at, "too long");
    strcpy(to, text);
}

/* A URL without a path gets the platform's. */
static void copy_url(lua_State *L, struct http *http)
{
    const char *url = luaL_checkstring(L, 1), *host = strstr(url, "://");
    size_t len = strlen(url);

    luaL_argcheck(L, host && len + 3 < sizeof http->url, 1, "http:// or https:// ...");
    while (len && url[len - 1] == '/')
        len--;
    memcpy(http->url, url, len);
    strcpy(http->url + len, strchr(host + 3, '/') && url[len] != '/' ? "" : "/s");
}

static int new_http(lua_State *L)
{
    static const char line[] = "Authorization:";
    struct http *http;
    const char *auth;

    lua_settop(L, 3);
    http = sr_lua_object_new(L, type_name, sizeof *http, let_go);
    http->response.max = 4 << 20;
    copy_url(L, http);
    copy_text(L, 2, http->xid, sizeof http->xid);
    copy_text(L, 3, http->auth, sizeof http->auth);
    if (!strncasecmp(http->auth, line, sizeof line - 1)) {
        auth = http->auth + sizeof line - 1;
        auth += strspn(auth, " ");
        memmove(http->auth, auth, strlen(auth) + 1);
    }
    http->auth[strcspn(http->auth, "\r\n")] = '\0';
    return 1;
}

int sr_lua_open_http(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"post",        post                 },
        { "response",   response             },
        { "clear",      clear                },
        { "setTimeout", set_timeout          },
        { "__index",    get                  },
        { "__newindex", set                  },
        { "__gc",       sr_lua_object_collect},
        { NULL,         NULL                 },
    };

    luaL_newmetatable(L, type_name);
    luaL_setfuncs(L, functions, 0);
    lua_register(L, "SrNetHttp", new_http);
    return 0;
}
