/* SPDX-License-Identifier: MIT */
/* libcurl resolves, connects, goes through proxies and greets with TLS; then it lends the
 * connection (CURLOPT_CONNECT_ONLY), and the loop watches it. */
#include <smartrest/socket.h>

#include "base/net.h"
#include "http/multi.h"
#include "loop/handles.h"
#include "socket/queue.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* connect -> CONNECTING -> UP -> closed, failed or lost: CLOSED */
enum state { CLOSED, CONNECTING, UP };

enum { PIECE = 16 * 1024, PIECES_A_TURN = 16, SEND_MAX = 1024 * 1024, HOST_MAX = 253 };

/* The connection's descriptor, watched. */
struct socket_watch {
    struct sr_poll poll; /* first */
    struct sr_socket *socket;
};

struct sr_socket {
    struct sr_loop *loop;
    struct sr_net net;
    struct sr_socket_events events;
    void *arg;

    enum state state;
    struct sr_multi multi; /* CONNECTING, UP */
    CURL *easy;
    curl_socket_t fd; /* UP */
    struct socket_watch *watch;
    struct sr_deadline
        again; /* there is more to read that the kernel does not know of */
    struct sr_queue queue;
    size_t send_max;
    bool tls, paused;
    bool finishing; /* the end follows what is queued */
    bool finished;  /* it has been sent */
    bool ended;     /* the peer's has come */

    struct sr_grave grave;
    char peer[HOST_MAX + 10];
    char curl_error[CURL_ERROR_SIZE];
    char error[HOST_MAX + 10 + CURL_ERROR_SIZE + 4];
};

/* --- life --------------------------------------------------------------- */

static void on_again(void *arg);

int sr_socket_new(struct sr_loop *loop, const struct sr_net *net,
                  const struct sr_socket_events *events, void *arg,
                  struct sr_socket **ret_socket)
{
    struct sr_socket *s;
    int rc;

    if (!loop || !events || !ret_socket)
        return SR_E_INVAL;
    s = calloc(1, sizeof *s);
    if (!s)
        return SR_E_NOMEM;
    s->loop = loop;
    s->events = *events;
    s->arg = arg;
    s->send_max = SEND_MAX;
    rc = sr_net_take(net, &s->net);
    if (!rc)
        rc = sr_deadline_init(&s->again, loop, on_again, s);
    if (rc) {
        sr_net_release(&s->net);
        free(s);
        return rc;
    }
    *ret_socket = s;
    return 0;
}

void sr_socket_close(struct sr_socket *s)
{
    struct sr_sigpipe hold;

    if (!s || s->state == CLOSED)
        return;
    s->state = CLOSED;
    sr_deadline_clear(&s->again);
    if (s->watch)
        sr_poll_close(&s->watch->poll);
    s->watch = NULL;
    sr_sigpipe_hold(&hold);
    curl_multi_remove_handle(s->multi.curl, s->easy);
    curl_easy_cleanup(s->easy);
    sr_sigpipe_release(&hold);
    s->easy = NULL;
    sr_multi_release(&s->multi);
    sr_queue_release(&s->queue);
}

static void destroy(void *object)
{
    struct sr_socket *s = object;

    sr_socket_close(s);
    sr_deadline_release(&s->again);
    sr_net_release(&s->net);
    free(s);
}

struct sr_socket *sr_socket_free(struct sr_socket *s)
{
    if (!s)
        return NULL;
    sr_socket_close(s);
    sr_loop_bury(s->loop, &s->grave, destroy, s);
    return NULL;
}

static void lose(struct sr_socket *s, int rc, const char *why)
{
    snprintf(s->error, sizeof s->error, "%s: %s", s->peer, why);
    sr_socket_close(s);
    if (s->events.down)
        s->events.down(s->arg, rc, s->error);
}

static void lose_by(struct sr_socket *s, CURLcode code)
{
    int rc = SR_E_UNREACHABLE;
    char copy[CURL_ERROR_SIZE];

    sr_multi_redact(s->curl_error);
    if (code == CURLE_OPERATION_TIMEDOUT)
        rc = SR_E_TIMEOUT;
    else if (code == CURLE_OUT_OF_MEMORY)
        rc = SR_E_NOMEM;
    snprintf(copy, sizeof copy, "%s",
             *s->curl_error ? s->curl_error : curl_easy_strerror(code));
    lose(s, rc, copy);
}

/* --- the connection ----------------------------------------------------- */

static void update_watch(struct sr_socket *s)
{
    int events = 0;

    if (s->state != UP)
        return;
    if (!s->paused && !s->ended)
        events |= SR_READABLE;
    if (s->queue.len || (s->finishing && !s->finished))
        events |= SR_WRITABLE;
    sr_poll_set(&s->watch->poll, events);
}

/* Everything is with the system: the end may follow. */
static void drained(struct sr_socket *s)
{
    if (s->finishing && !s->finished) {
        s->finished = true;
        shutdown(s->fd, SHUT_WR);
    }
    if (s->events.drained)
        s->events.drained(s->arg);
}

static void flush(struct sr_socket *s)
{
    CURLcode code = CURLE_OK;
    const char *bytes;
    size_t len, sent;

    while (!code && (len = sr_queue_peek(&s->queue, &bytes))) {
        code = curl_easy_send(s->easy, bytes, len, &sent);
        if (!code)
            sr_queue_pop(&s->queue, sent);
    }
    if (!code)
        drained(s);
    else if (code != CURLE_AGAIN)
        lose_by(s, code);
}

static void end_of_peer(struct sr_socket *s)
{
    s->ended = true;
    if (!s->events.ended)
        lose(s, 0, "the peer closed the connection");
    else
        s->events.ended(s->arg);
}

/* TLS may hold bytes that no poll will ever tell of, so it is read until it has none. */
static void receive(struct sr_socket *s)
{
    char bytes[PIECE];
    size_t len;
    CURLcode code = CURLE_OK;

    for (int i = 0; i < PIECES_A_TURN; i++) {
        if (s->state != UP || s->paused || s->ended)
            return;
        code = curl_easy_recv(s->easy, bytes, sizeof bytes, &len);
        if (code || !len)
            break;
        if (s->events.data)
            s->events.data(s->arg, bytes, len);
    }
    if (s->state != UP || s->paused || code == CURLE_AGAIN)
        return;
    if (code)
        lose_by(s, code);
    else if (!len)
        end_of_peer(s);
    else
        sr_deadline_set(&s->again, 0);
}

static void exchange(struct sr_socket *s, int events)
{
    if (events & SR_READABLE)
        receive(s);
    if (s->state == UP && (events & SR_WRITABLE))
        flush(s);
    update_watch(s);
}

static void on_again(void *arg)
{
    exchange(arg, SR_READABLE);
}

static void on_poll(struct sr_poll *poll, int events)
{
    exchange(((struct socket_watch *)poll)->socket, events);
}

static int watch_fd(struct sr_socket *s)
{
    struct socket_watch *watch = calloc(1, sizeof *watch);

    if (!watch)
        return SR_E_NOMEM;
    if (sr_poll_init(&watch->poll, s->loop, s->fd, on_poll)) {
        free(watch);
        return SR_E_NOMEM;
    }
    watch->socket = s;
    s->watch = watch;
    return 0;
}

/* --- connecting --------------------------------------------------------- */

static void connected(struct sr_socket *s)
{
    curl_easy_getinfo(s->easy, CURLINFO_ACTIVESOCKET, &s->fd);
    if (s->fd == CURL_SOCKET_BAD || watch_fd(s)) {
        lose(s, SR_E_NOMEM, "out of memory");
        return;
    }
    s->state = UP;
    if (s->events.up)
        s->events.up(s->arg);
    if (s->state == UP && !s->paused)
        sr_deadline_set(&s->again, 0); /* what came with the greeting */
}

static void on_multi(void *arg)
{
    struct sr_socket *s = arg;
    CURLcode code;

    if (s->state != CONNECTING || !sr_multi_next(&s->multi, &code))
        return;
    if (code)
        lose_by(s, code);
    else
        connected(s);
    update_watch(s);
}

static bool is_host(const char *host)
{
    static const char good[] = "0123456789abcdefghijklmnopqrstuvwxyz"
                               "ABCDEFGHIJKLMNOPQRSTUVWXYZ.-_:";
    size_t len = strlen(host);

    return len && len <= HOST_MAX && strspn(host, good) == len;
}

#define SET(option, value) \
    (rc = rc ? rc : (int)curl_easy_setopt(s->easy, CURLOPT_##option, value))

static int set_options(struct sr_socket *s)
{
    int rc = sr_multi_apply(s->easy, &s->net);
    char url[HOST_MAX + 20];

    snprintf(url, sizeof url, "http%s://%s", s->tls ? "s" : "", s->peer);
    SET(URL, url);
    SET(CONNECT_ONLY, 1L);
    SET(SSL_ENABLE_ALPN, 0L);
    SET(CONNECTTIMEOUT_MS, sr_net_long(sr_net_connect_ms(&s->net)));
    SET(PROXY, s->net.proxy ? s->net.proxy : "");
    SET(HTTPPROXYTUNNEL, 1L);
    SET(ERRORBUFFER, s->curl_error);
    SET(PRIVATE, s);
    return rc;
}

static int begin(struct sr_socket *s)
{
    int rc = sr_multi_init(&s->multi, s->loop, on_multi, s);

    if (rc)
        return rc;
    s->easy = curl_easy_init();
    if (s->easy && !set_options(s) && !curl_multi_add_handle(s->multi.curl, s->easy))
        return 0;
    curl_easy_cleanup(s->easy);
    s->easy = NULL;
    sr_multi_release(&s->multi);
    return SR_E_NOMEM;
}

int sr_socket_connect(struct sr_socket *s, const char *host, uint16_t port, bool tls)
{
    bool ipv6;
    int rc;

    if (!s || !host || !port || !is_host(host))
        return SR_E_INVAL;
    if (s->state != CLOSED)
        return SR_E_STATE;
    ipv6 = strchr(host, ':') != NULL;
    snprintf(s->peer, sizeof s->peer, "%s%s%s:%u", ipv6 ? "[" : "", host,
             ipv6 ? "]" : "", (unsigned)port);
    *s->curl_error = '\0';
    s->tls = tls;
    s->paused = s->finishing = s->finished = s->ended = false;
    rc = begin(s);
    if (!rc)
        s->state = CONNECTING;
    return rc;
}

/* --- what the application asks for -------------------------------------- */

int sr_socket_send(struct sr_socket *s, const void *bytes, size_t len)
{
    int rc;

    if (!s || (!bytes && len))
        return SR_E_INVAL;
    if (s->state == CLOSED || s->finishing)
        return SR_E_STATE;
    if (s->queue.len > s->send_max || len > s->send_max - s->queue.len)
        return SR_E_FULL;
    rc = sr_queue_put(&s->queue, bytes, len);
    update_watch(s);
    return rc;
}

void sr_socket_set_send_max(struct sr_socket *s, size_t max)
{
    if (s)
        s->send_max = max;
}

size_t sr_socket_queued(const struct sr_socket *s)
{
    return s ? s->queue.len : 0;
}

void sr_socket_pause(struct sr_socket *s, bool paused)
{
    if (!s || s->state == CLOSED || s->paused == paused)
        return;
    s->paused = paused;
    if (!paused && s->state == UP)
        sr_deadline_set(&s->again, 0);
    update_watch(s);
}

int sr_socket_finish(struct sr_socket *s)
{
    if (!s)
        return SR_E_INVAL;
    if (s->state == CLOSED || s->tls)
        return SR_E_STATE;
    s->finishing = true;
    update_watch(s);
    return 0;
}

const char *sr_socket_error(const struct sr_socket *s)
{
    return s ? s->error : "";
}
