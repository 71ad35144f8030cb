/* SPDX-License-Identifier: MIT */
#include "push/fake_platform.h"

#include "support/server.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CONNECTIONS_MAX = 4096, REQUESTS_MAX = 16384 };

struct platform {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    platform_part part;
    void *arg;
    int listener;
    uint16_t port;
    bool stopping;
    unsigned releases;
    pthread_t acceptor;
    struct connection {
        struct platform *platform;
        pthread_t thread;
        int fd; /* -1: closed */
    } connections[CONNECTIONS_MAX];
    unsigned count, requests;
    atomic_bool leaves_checks;
    atomic_uint checks;
    struct {
        char *head, *body;
    } seen[REQUESTS_MAX];
};

/* --- requests --------------------------------------------------------------- */

static bool read_head(int fd, char *head, size_t size)
{
    size_t len = 0;

    while (len < size - 1 && server_read(fd, head + len, 1)) {
        head[++len] = '\0';
        if (len >= 4 && !strcmp(head + len - 4, "\r\n\r\n"))
            return true;
    }
    return false;
}

static bool read_request(struct exchange *x)
{
    const char *field;
    size_t len;

    if (!read_head(x->fd, x->head, sizeof x->head))
        return false;
    field = strcasestr(x->head, "\r\nContent-Length:");
    len = field ? (size_t)strtoul(field + 17, NULL, 10) : 0;
    x->body = calloc(1, len + 1);
    if (!server_read(x->fd, x->body, len)) {
        free(x->body);
        return false;
    }
    return true;
}

static bool keep(struct exchange *x)
{
    struct platform *p = x->platform;
    bool room;

    pthread_mutex_lock(&p->lock);
    room = p->requests < REQUESTS_MAX;
    if (room) {
        x->number = p->requests;
        p->seen[p->requests].head = strdup(x->head);
        p->seen[p->requests].body = x->body;
        p->requests++;
    }
    pthread_mutex_unlock(&p->lock);
    if (!room)
        free(x->body);
    return room;
}

/* The question whether a template collection is known. */
static bool answer_check(struct exchange *x)
{
    atomic_fetch_add(&x->platform->checks, 1);
    free(x->body);
    return answer(x, "20,24830\n");
}

static bool is_check(const struct exchange *x)
{
    return !*x->body && strcasestr(x->head, "\r\nX-Id:") &&
           !atomic_load(&x->platform->leaves_checks);
}

static bool go_on(struct exchange *x)
{
    struct platform *p = x->platform;

    if (!read_request(x))
        return false;
    return is_check(x) ? answer_check(x) : keep(x) && p->part(x, p->arg);
}

static void *serve(void *arg)
{
    struct connection *connection = arg;
    struct platform *p = connection->platform;
    struct exchange x = { .platform = p, .fd = connection->fd };

    while (go_on(&x))
        ;
    pthread_mutex_lock(&p->lock);
    close(connection->fd);
    connection->fd = -1;
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

static void *accept_all(void *arg)
{
    struct platform *p = arg;
    int fd;

    while ((fd = accept4(p->listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
        struct connection *connection;

        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
        pthread_mutex_lock(&p->lock);
        connection = &p->connections[p->count];
        if (p->stopping || p->count == CONNECTIONS_MAX) {
            close(fd);
        } else {
            *connection = (struct connection){ .platform = p, .fd = fd };
            pthread_create(&connection->thread, NULL, serve, connection);
            p->count++;
        }
        pthread_mutex_unlock(&p->lock);
    }
    return NULL;
}

/* --- life --------------------------------------------------------------------- */

static int listen_anywhere(uint16_t *ret_port)
{
    struct sockaddr_in address = { .sin_family = AF_INET };
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) || listen(fd, 64) ||
        getsockname(fd, (struct sockaddr *)&address, &len)) {
        close(fd);
        return -1;
    }
    *ret_port = ntohs(address.sin_port);
    return fd;
}

struct platform *platform_start(platform_part part, void *arg)
{
    struct platform *p = calloc(1, sizeof *p);
    sigset_t all, old;

    p->part = part;
    p->arg = arg;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->changed, NULL);
    p->listener = listen_anywhere(&p->port);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    pthread_create(&p->acceptor, NULL, accept_all, p);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return p;
}

void platform_stop(struct platform *p)
{
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    p->stopping = true;
    for (unsigned i = 0; i < p->count; i++)
        if (p->connections[i].fd >= 0)
            shutdown(p->connections[i].fd, SHUT_RDWR);
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->lock);
    shutdown(p->listener, SHUT_RDWR);
    pthread_join(p->acceptor, NULL);
    for (unsigned i = 0; i < p->count; i++)
        pthread_join(p->connections[i].thread, NULL);
    close(p->listener);
    for (unsigned i = 0; i < p->requests; i++) {
        free(p->seen[i].head);
        free(p->seen[i].body);
    }
    pthread_cond_destroy(&p->changed);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

void platform_leave_checks(struct platform *p, bool yes)
{
    atomic_store(&p->leaves_checks, yes);
}

unsigned platform_checks(struct platform *p)
{
    return atomic_load(&p->checks);
}

uint16_t platform_port(const struct platform *p)
{
    return p->port;
}

/* --- what has come -------------------------------------------------------------- */

unsigned platform_requests(struct platform *p)
{
    unsigned n;

    pthread_mutex_lock(&p->lock);
    n = p->requests;
    pthread_mutex_unlock(&p->lock);
    return n;
}

const char *platform_head(struct platform *p, unsigned i)
{
    return i < platform_requests(p) ? p->seen[i].head : NULL;
}

const char *platform_body(struct platform *p, unsigned i)
{
    return i < platform_requests(p) ? p->seen[i].body : NULL;
}

unsigned platform_count(struct platform *p, const char *body)
{
    unsigned n = platform_requests(p), count = 0;

    for (unsigned i = 0; i < n; i++)
        count += !strcmp(p->seen[i].body, body);
    return count;
}

/* --- for parts -------------------------------------------------------------------- */

bool asks(const struct exchange *x, const char *start)
{
    return !strncmp(x->body, start, strlen(start));
}

bool raw(struct exchange *x, const void *bytes, size_t len)
{
    return server_write(x->fd, bytes, len);
}

bool answer_status(struct exchange *x, int status, const char *body)
{
    char head[100];
    int len =
        snprintf(head, sizeof head, "HTTP/1.1 %d Status\r\nContent-Length: %zu\r\n\r\n",
                 status, strlen(body));

    return raw(x, head, (size_t)len) && raw(x, body, strlen(body));
}

bool answer(struct exchange *x, const char *body)
{
    return answer_status(x, 200, body);
}

bool begin_chunks(struct exchange *x)
{
    static const char head[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

    return raw(x, head, sizeof head - 1);
}

bool chunk(struct exchange *x, const char *bytes)
{
    char size[20];
    int len = snprintf(size, sizeof size, "%zx\r\n", strlen(bytes));

    return raw(x, size, (size_t)len) && raw(x, bytes, strlen(bytes)) &&
           raw(x, "\r\n", 2);
}

bool end_chunks(struct exchange *x)
{
    return raw(x, "0\r\n\r\n", 5);
}

static bool is_over(int fd)
{
    struct pollfd poller = { .fd = fd, .events = POLLRDHUP };

    return poll(&poller, 1, 0) > 0;
}

bool hold(struct exchange *x)
{
    struct platform *p = x->platform;
    bool released;

    pthread_mutex_lock(&p->lock);
    while (!p->stopping && !p->releases && !is_over(x->fd)) {
        struct timespec soon;

        clock_gettime(CLOCK_REALTIME, &soon);
        soon.tv_nsec += 10 * 1000 * 1000;
        soon.tv_sec += soon.tv_nsec / 1000000000;
        soon.tv_nsec %= 1000000000;
        pthread_cond_timedwait(&p->changed, &p->lock, &soon);
    }
    released = !p->stopping && p->releases && !is_over(x->fd);
    if (released)
        p->releases--;
    pthread_mutex_unlock(&p->lock);
    return released;
}

void platform_release(struct platform *p)
{
    pthread_mutex_lock(&p->lock);
    p->releases++;
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->lock);
}
