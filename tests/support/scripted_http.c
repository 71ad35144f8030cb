/* SPDX-License-Identifier: MIT */
#include "support/scripted_http.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { REQUESTS_MAX = 4096, HEAD_MAX = 8192 };

struct scripted_http {
    struct server *server;
    struct http_step *steps;
    size_t count;
    http_judge judge; /* or NULL */
    void *judge_arg;
    pthread_mutex_t lock;
    unsigned requests;
    atomic_uint begun;
    atomic_bool platform;
    _Atomic(const struct http_step *) portal;
    atomic_uint checks;
    struct {
        char *head, *body;
        unsigned connection;
    } seen[REQUESTS_MAX];
};

static bool read_head(int fd, char *head)
{
    size_t len = 0;

    while (len < HEAD_MAX - 1 && server_read(fd, head + len, 1)) {
        head[++len] = '\0';
        if (len >= 4 && !strcmp(head + len - 4, "\r\n\r\n"))
            return true;
    }
    return false;
}

static size_t content_length(const char *head)
{
    const char *field = strcasestr(head, "\r\nContent-Length:");

    return field ? (size_t)strtoul(field + 17, NULL, 10) : 0;
}

static bool answer_check(struct scripted_http *http, int fd)
{
    static const char answer[] =
        "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n20,24830\n";

    atomic_fetch_add(&http->checks, 1);
    return server_write(fd, answer, sizeof answer - 1);
}

/* Keeps it. False if there is no room; the body is the server's in any case. */
static bool keep(struct scripted_http *http, unsigned connection, const char *head,
                 char *body)
{
    bool room;

    pthread_mutex_lock(&http->lock);
    room = http->requests < REQUESTS_MAX;
    if (room) {
        http->seen[http->requests].connection = connection;
        http->seen[http->requests].head = strdup(head);
        http->seen[http->requests++].body = body;
    }
    pthread_mutex_unlock(&http->lock);
    if (!room)
        free(body);
    return room;
}

/* The request's body, NULL if the connection is over. */
static const char *read_request(struct scripted_http *http, int fd, unsigned connection)
{
    char head[HEAD_MAX], *body;
    size_t len;

    do {
        if (!read_head(fd, head))
            return NULL;
        len = content_length(head);
    } while (atomic_load(&http->platform) && !atomic_load(&http->portal) && !len &&
             strcasestr(head, "\r\nX-Id:") && answer_check(http, fd));
    body = calloc(1, len + 1);
    if (!server_read(fd, body, len)) {
        free(body);
        return NULL;
    }
    return keep(http, connection, head, body) ? body : NULL;
}

static bool answer(int fd, const struct http_step *step)
{
    const char *body = step->body ? step->body : "";
    char head[200];
    size_t len = strlen(body), head_len;
    bool fine = true;

    head_len = (size_t)snprintf(head, sizeof head,
                                "HTTP/1.1 %d Status\r\nContent-Length: %zu\r\n\r\n",
                                step->status ? step->status : 200, len);
    if (step->how != HTTP_SPLIT) {
        len -= step->how == HTTP_TRUNCATED;
        return server_write(fd, head, head_len) && server_write(fd, body, len) &&
               step->how != HTTP_TRUNCATED;
    }
    for (size_t i = 0; fine && i < head_len; i++)
        fine = server_write(fd, head + i, 1);
    for (size_t i = 0; fine && i < len; i++)
        fine = server_write(fd, body + i, 1);
    return fine;
}

static bool answer_with_nuls(int fd, const struct http_step *step)
{
    char text[1024];
    int len =
        snprintf(text, sizeof text, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s",
                 strlen(step->body), step->body);

    for (int i = 0; i < len; i++)
        if (text[i] == '~')
            text[i] = '\0';
    return server_write(fd, text, (size_t)len);
}

static void answer_without_end(int fd)
{
    static const char head[] = "HTTP/1.1 200 OK\r\n\r\n", row[] = "500,1,and so on\n";

    if (!server_write(fd, head, sizeof head - 1))
        return;
    while (server_write(fd, row, sizeof row - 1))
        ;
}

static void answer_without_body(int fd)
{
    static const char head[] = "HTTP/1.1 200 OK\r\n", line[] = "X-More: and so on\r\n";

    if (!server_write(fd, head, sizeof head - 1))
        return;
    while (server_write(fd, line, sizeof line - 1))
        ;
}

/* False: the connection is over. */
static bool play(int fd, const struct http_step *step)
{
    switch (step->how) {
    case HTTP_ANSWER:
    case HTTP_SPLIT:
    case HTTP_TRUNCATED: return answer(fd, step);
    case HTTP_NULS: return answer_with_nuls(fd, step);
    case HTTP_SILENT: server_drain(fd); return false;
    case HTTP_RAW: server_write(fd, step->body, strlen(step->body)); return false;
    case HTTP_ENDLESS_HEAD: answer_without_body(fd); return false;
    case HTTP_ENDLESS: answer_without_end(fd); return false;
    case HTTP_CLOSE:
    case HTTP_SLAM:
    default: return false;
    }
}

static const struct http_step *step_at(const struct scripted_http *http, size_t i)
{
    return &http->steps[i < http->count ? i : http->count - 1];
}

static const struct http_step *next_step(struct scripted_http *http)
{
    const struct http_step *portal = atomic_load(&http->portal);

    return portal ? portal : step_at(http, atomic_fetch_add(&http->begun, 1));
}

/* One request, and what the judge says of it. */
static bool play_judge(struct scripted_http *http, int fd, unsigned connection)
{
    struct http_step step = { HTTP_ANSWER, 0, "" };
    const char *body = read_request(http, fd, connection);

    if (!body)
        return false;
    step.status = http->judge(http->judge_arg, body);
    return step.status && play(fd, &step);
}

static void serve(int fd, unsigned number, void *arg)
{
    struct scripted_http *http = arg;
    char byte;

    while (http->judge)
        if (!play_judge(http, fd, number))
            return;
    /* A connection that ends before its first byte is no request, and takes no step. */
    for (;;) {
        if (step_at(http, atomic_load(&http->begun))->how == HTTP_SLAM) {
            server_reset_on_close(fd);
            server_read(fd, &byte, 1);
            next_step(http);
            return;
        }
        if (!read_request(http, fd, number) || !play(fd, next_step(http)))
            return;
    }
}

struct scripted_http *scripted_http_start(uint16_t port, const struct http_step *steps,
                                          size_t count)
{
    struct scripted_http *http = calloc(1, sizeof *http);

    pthread_mutex_init(&http->lock, NULL);
    http->steps = memcpy(malloc(count * sizeof *steps), steps, count * sizeof *steps);
    http->count = count;
    http->server = server_start_parallel(port, serve, http);
    if (!http->server) {
        free(http->steps);
        free(http);
        return NULL;
    }
    return http;
}

void scripted_http_set_judge(struct scripted_http *http, http_judge judge, void *arg)
{
    http->judge_arg = arg;
    http->judge = judge;
}

void scripted_http_set_portal(struct scripted_http *http,
                              const struct http_step *portal)
{
    atomic_store(&http->portal, portal);
}

void scripted_http_be_platform(struct scripted_http *http, bool yes)
{
    atomic_store(&http->platform, yes);
}

unsigned scripted_http_checks(struct scripted_http *http)
{
    return atomic_load(&http->checks);
}

void scripted_http_stop(struct scripted_http *http)
{
    if (!http)
        return;
    server_stop(http->server);
    for (unsigned i = 0; i < http->requests; i++) {
        free(http->seen[i].head);
        free(http->seen[i].body);
    }
    pthread_mutex_destroy(&http->lock);
    free(http->steps);
    free(http);
}

uint16_t scripted_http_port(const struct scripted_http *http)
{
    return server_port(http->server);
}

unsigned scripted_http_requests(struct scripted_http *http)
{
    unsigned n;

    pthread_mutex_lock(&http->lock);
    n = http->requests;
    pthread_mutex_unlock(&http->lock);
    return n;
}

unsigned scripted_http_connections(struct scripted_http *http)
{
    return server_connections(http->server);
}

const char *scripted_http_head(struct scripted_http *http, unsigned i)
{
    return i < scripted_http_requests(http) ? http->seen[i].head : NULL;
}

const char *scripted_http_body(struct scripted_http *http, unsigned i)
{
    return i < scripted_http_requests(http) ? http->seen[i].body : NULL;
}

unsigned scripted_http_connection(struct scripted_http *http, unsigned i)
{
    return i < scripted_http_requests(http) ? http->seen[i].connection : 0;
}
