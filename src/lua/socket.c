/* SPDX-License-Identifier: MIT */
/* SrNetSocket(server): connect() send(s) recv(n) response() clear() close() timeout.
 *
 * `server` is host:port, or with tcp:// or tls:// before it. What comes is taken from the
 * system up to a bound, and then waits there, so that the peer has to. recv(n) moves up to
 * n bytes of it behind what response() shows. */
#include "lua/connections.h"
#include <smartrest/loop.h>
#include <smartrest/socket.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char type_name[] = "sr_socket";

enum { READ_AHEAD = 64 * 1024, RESPONSE_MAX = 4 << 20, TIMEOUT_S = 10 };

struct socket {
    struct object object; /* first */
    struct sr_socket *socket;
    char host[256];
    uint16_t port;
    bool tls;
    bool up, ended; /* by the peer */
    bool paused;
    double timeout_s;
    struct bytes came, response;
    struct wait_op *op; /* who waits for it */
    char error[300];
};

/* --- waiting ---------------------------------------------------------------------- */

enum kind { CONNECTING, SENDING, RECEIVING };

struct wait_op {
    struct op op;          /* first */
    struct socket *socket; /* NULL: gone */
    struct sr_timer *timer;
    enum kind kind;
    size_t len; /* to be sent or received */
    int rc;
};

static void free_wait(struct op *op)
{
    struct wait_op *wait = (struct wait_op *)op;

    if (wait->socket)
        wait->socket->op = NULL;
    sr_timer_free(wait->timer);
    free(wait);
}

static void wake(struct socket *s, int rc)
{
    struct wait_op *wait = s->op;

    if (!wait || wait->op.done)
        return;
    wait->rc = rc;
    sr_timer_stop(wait->timer);
    sr_lua_wake(&wait->op);
}

static int receive(lua_State *L, struct socket *s, size_t max)
{
    size_t len = s->came.len < max ? s->came.len : max;

    if (!sr_lua_bytes_add(&s->response, s->came.data, len))
        return sr_lua_push_failure(L, SR_E_TOOBIG, "the response is full: clear it");
    sr_lua_bytes_drop(&s->came, len);
    if (s->paused && s->came.len < READ_AHEAD / 2) {
        s->paused = false;
        sr_socket_pause(s->socket, false);
    }
    lua_pushinteger(L, (lua_Integer)len);
    return 1;
}

static int push_wait(lua_State *L, struct op *op)
{
    struct wait_op *wait = (struct wait_op *)op;
    struct socket *s = wait->socket;

    if (!s)
        return sr_lua_push_failure(L, SR_E_STOPPED, NULL);
    if (wait->kind == RECEIVING && s->came.len)
        return receive(L, s, wait->len);
    if (wait->rc)
        return sr_lua_push_failure(L, wait->rc,
                                   wait->rc == SR_E_TIMEOUT ? "timed out" : s->error);
    lua_pushinteger(L, wait->kind == SENDING ? (lua_Integer)wait->len : 0);
    return 1;
}

static void on_overdue(struct sr_agent *agent, struct sr_timer *timer, void *arg)
{
    struct wait_op *wait = arg;

    (void)agent;
    sr_timer_stop(timer);
    wait->rc = SR_E_TIMEOUT;
    if (wait->kind == CONNECTING && wait->socket) {
        sr_socket_close(wait->socket->socket);
        wait->socket->up = false;
    }
    sr_lua_wake(&wait->op);
}

static int wait_for(lua_State *L, struct socket *s, enum kind kind, size_t len)
{
    struct wait_op *wait = calloc(1, sizeof *wait);
    double ms = s->timeout_s * 1000;

    if (!wait || sr_timer_new(s->object.plugin->lua->agent, ms < 1 ? 1 : (uint64_t)ms,
                              on_overdue, wait, &wait->timer)) {
        free(wait);
        return luaL_error(L, "not enough memory");
    }
    wait->op.free = free_wait;
    wait->op.push = push_wait;
    wait->socket = s;
    wait->kind = kind;
    wait->len = len;
    s->op = wait;
    sr_timer_start(wait->timer);
    return sr_lua_wait(L, &wait->op);
}

/* --- events -------------------------------------------------------------------------- */

static void on_up(void *arg)
{
    struct socket *s = arg;

    s->up = true;
    if (s->op && s->op->kind == CONNECTING)
        wake(s, 0);
}

static void on_data(void *arg, const char *bytes, size_t len)
{
    struct socket *s = arg;

    if (!sr_lua_bytes_add(&s->came, bytes, len)) { /* memory is out */
        snprintf(s->error, sizeof s->error, "out of memory");
        sr_socket_close(s->socket);
        s->up = false;
        wake(s, SR_E_NOMEM);
        return;
    }
    if (s->came.len >= READ_AHEAD) {
        s->paused = true;
        sr_socket_pause(s->socket, true);
    }
    if (s->op && s->op->kind == RECEIVING)
        wake(s, 0);
}

static void on_drained(void *arg)
{
    struct socket *s = arg;

    if (s->op && s->op->kind == SENDING)
        wake(s, 0);
}

static void on_down(void *arg, int rc, const char *error)
{
    struct socket *s = arg;

    s->up = false;
    s->ended = rc == 0;
    snprintf(s->error, sizeof s->error, "%s", error);
    if (s->op)
        wake(s, s->op->kind == RECEIVING ? rc : rc ? rc : SR_E_UNREACHABLE);
}

/* --- methods ---------------------------------------------------------------------------- */

static struct socket *check(lua_State *L)
{
    return sr_lua_object_check(L, 1, type_name);
}

static struct socket *check_free(lua_State *L, const char *what)
{
    struct socket *s = check(L);

    sr_lua_check_wait(L, what);
    if (s->op)
        luaL_error(L, "%s: somebody else waits for this socket", what);
    return s;
}

static int make(struct socket *s)
{
    static const struct sr_socket_events events = {
        .up = on_up, .data = on_data, .drained = on_drained, .down = on_down
    };
    struct net_options *options = malloc(sizeof *options);
    struct sr_agent *agent = s->object.plugin->lua->agent;
    int rc;

    if (!options)
        return SR_E_NOMEM;
    sr_lua_net_options(agent, options);
    rc = sr_socket_new(sr_agent_get_loop(agent), &options->net, &events, s, &s->socket);
    free(options);
    return rc;
}

static int connect(lua_State *L)
{
    struct socket *s = check_free(L, "connect()");
    int rc = s->socket ? 0 : make(s);

    if (rc)
        return sr_lua_push_failure(L, rc, NULL);
    sr_socket_close(s->socket);
    sr_lua_bytes_release(&s->came);
    s->up = s->ended = s->paused = false;
    *s->error = '\0';
    rc = sr_socket_connect(s->socket, s->host, s->port, s->tls);
    if (rc)
        return sr_lua_push_failure(L, rc, NULL);
    return wait_for(L, s, CONNECTING, 0);
}

static int send(lua_State *L)
{
    struct socket *s = check_free(L, "send()");
    size_t len;
    const char *text = luaL_checklstring(L, 2, &len);
    int rc = s->up ? sr_socket_send(s->socket, text, len) : SR_E_STATE;

    if (rc)
        return sr_lua_push_failure(L, rc, s->up ? NULL : "not connected");
    if (sr_socket_queued(s->socket))
        return wait_for(L, s, SENDING, len);
    lua_pushinteger(L, (lua_Integer)len);
    return 1;
}

static int recv(lua_State *L)
{
    struct socket *s = check_free(L, "recv()");
    lua_Integer max;

    sr_lua_charge(L, lua_rawlen(L, 2)); /* a text as a number */
    max = luaL_optinteger(L, 2, READ_AHEAD);

    luaL_argcheck(L, max > 0, 2, "bytes, more than 0");
    if (s->came.len)
        return receive(L, s, (size_t)max);
    if (s->ended) {
        lua_pushinteger(L, 0);
        return 1;
    }
    if (!s->up)
        return sr_lua_push_failure(L, SR_E_STATE,
                                   *s->error ? s->error : "not connected");
    return wait_for(L, s, RECEIVING, (size_t)max);
}

static int response(lua_State *L)
{
    struct socket *s = check(L);

    lua_pushlstring(L, s->response.data ? s->response.data : "", s->response.len);
    return 1;
}

static int clear(lua_State *L)
{
    sr_lua_bytes_release(&check(L)->response);
    return 0;
}

static int close_socket(lua_State *L)
{
    struct socket *s = check(L);

    if (s->socket)
        sr_socket_close(s->socket);
    s->up = false;
    snprintf(s->error, sizeof s->error, "closed");
    wake(s, SR_E_STOPPED);
    return 0;
}

static int set_timeout(lua_State *L)
{
    check(L)->timeout_s = sr_lua_check_seconds(L, 2);
    return 0;
}

static int get(lua_State *L)
{
    if (!strcmp(luaL_checkstring(L, 2), "timeout"))
        lua_pushnumber(L, check(L)->timeout_s);
    else
        sr_lua_push_method(L);
    return 1;
}

static int set(lua_State *L)
{
    struct socket *s = check(L);
    const char *name = luaL_checkstring(L, 2);

    if (strcmp(name, "timeout"))
        return luaL_error(L, "a socket's '%s' cannot be set", name);
    s->timeout_s = sr_lua_check_seconds(L, 3);
    return 0;
}

static void let_go(struct object *object)
{
    struct socket *s = (struct socket *)object;

    if (s->op)
        s->op->socket = NULL;
    sr_socket_free(s->socket);
    sr_lua_bytes_release(&s->came);
    sr_lua_bytes_release(&s->response);
    sr_lua_object_free(object);
}

/* --- making ------------------------------------------------------------------------------ */

/* [tcp://|tls://]host:port, the host of IPv6 in brackets. */
static bool parse_server(struct socket *s, const char *text)
{
    const char *colon, *host;
    unsigned long port;
    size_t len;
    char *end;

    s->tls = !strncmp(text, "tls://", 6);
    if (s->tls || !strncmp(text, "tcp://", 6))
        text += 6;
    colon = strrchr(text, ':');
    if (!colon || colon == text || colon[1] < '0' || colon[1] > '9')
        return false;
    port = strtoul(colon + 1, &end, 10);
    host = text;
    len = (size_t)(colon - text);
    if (*host == '[' && len > 2 && host[len - 1] == ']') {
        host++;
        len -= 2;
    }
    if (*end || port == 0 || port > UINT16_MAX || len == 0 || len >= sizeof s->host)
        return false;
    memcpy(s->host, host, len);
    s->host[len] = '\0';
    s->port = (uint16_t)port;
    return true;
}

static int new_socket(lua_State *L)
{
    const char *server = luaL_checkstring(L, 1);
    struct socket *s = sr_lua_object_new(L, type_name, sizeof *s, let_go);

    luaL_argcheck(L, parse_server(s, server), 1,
                  "host:port, tcp://host:port or tls://host:port");
    s->timeout_s = TIMEOUT_S;
    s->came.max = READ_AHEAD + 32 * 1024; /* one read more may come */
    s->response.max = RESPONSE_MAX;
    return 1;
}

int sr_lua_open_sockets(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"connect",     connect              },
        { "send",       send                 },
        { "recv",       recv                 },
        { "response",   response             },
        { "clear",      clear                },
        { "close",      close_socket         },
        { "setTimeout", set_timeout          },
        { "__index",    get                  },
        { "__newindex", set                  },
        { "__gc",       sr_lua_object_collect},
        { NULL,         NULL                 },
    };

    luaL_newmetatable(L, type_name);
    luaL_setfuncs(L, functions, 0);
    lua_register(L, "SrNetSocket", new_socket);
    return 0;
}
