/* SPDX-License-Identifier: MIT */
#include "support/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

struct connection {
    struct server *server;
    int fd;
    unsigned number;
    pthread_t thread; /* of a parallel server */
    bool over;        /* `fd` is closed */
    struct connection *next;
};

struct server {
    pthread_t thread;
    pthread_mutex_t lock;
    server_part part;
    void *arg;
    int listener;
    struct connection *open; /* and those that ended since the last accept */
    unsigned connections;
    bool parallel, stopping;
    uint16_t port;
};

/* `where`: an address of IPv4 or, with colons, of IPv6. */
static int bind_to(const char *where, uint16_t port, uint16_t *ret_port)
{
    struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
    struct sockaddr_in four = { .sin_family = AF_INET, .sin_port = htons(port) };
    bool is_six = strchr(where, ':');
    void *address = is_six ? (void *)&six : (void *)&four;
    socklen_t len = is_six ? sizeof six : sizeof four;
    int fd = socket(is_six ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    inet_pton(AF_INET, where, &four.sin_addr);
    inet_pton(AF_INET6, where, &six.sin6_addr);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int));
    if (bind(fd, address, len) || getsockname(fd, address, &len)) {
        close(fd);
        return -1;
    }
    *ret_port = ntohs(is_six ? six.sin6_port : four.sin_port);
    return fd;
}

static int listen_on(const char *where, uint16_t port, uint16_t *ret_port)
{
    int fd = bind_to(where, port, ret_port);

    if (fd >= 0 && listen(fd, 64)) {
        close(fd);
        return -1;
    }
    return fd;
}

/* NULL if the server is stopping. */
static struct connection *begin(struct server *server, int fd)
{
    struct connection *connection = NULL;

    pthread_mutex_lock(&server->lock);
    if (!server->stopping) {
        connection = calloc(1, sizeof *connection);
        connection->server = server;
        connection->fd = fd;
        connection->number = server->connections++;
        connection->next = server->open;
        server->open = connection;
    }
    pthread_mutex_unlock(&server->lock);
    return connection;
}

static void *play(void *arg)
{
    struct connection *connection = arg;
    struct server *server = connection->server;

    server->part(connection->fd, connection->number, server->arg);
    pthread_mutex_lock(&server->lock);
    connection->over = true;
    close(connection->fd);
    pthread_mutex_unlock(&server->lock);
    return NULL;
}

/* Joins the threads of connections that have ended; with `all`, of the others, too. */
static void reap(struct server *server, bool all)
{
    struct connection **link = &server->open, *connection;

    while ((connection = *link)) {
        bool over;

        pthread_mutex_lock(&server->lock);
        over = connection->over;
        pthread_mutex_unlock(&server->lock);
        if (!over && !all) {
            link = &connection->next;
            continue;
        }
        if (server->parallel)
            pthread_join(connection->thread, NULL);
        pthread_mutex_lock(&server->lock);
        *link = connection->next;
        pthread_mutex_unlock(&server->lock);
        free(connection);
    }
}

static void *run(void *arg)
{
    const struct timeval patience = { .tv_sec = 20 };
    struct server *server = arg;
    struct connection *connection;
    int fd;

    while ((fd = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
        reap(server, false);
        connection = begin(server, fd);
        if (!connection)
            close(fd);
        else if (server->parallel)
            pthread_create(&connection->thread, NULL, play, connection);
        else
            play(connection);
    }
    return NULL;
}

static struct server *start(const char *where, uint16_t port, bool parallel,
                            server_part part, void *arg)
{
    struct server *server = calloc(1, sizeof *server);
    sigset_t all, old;

    server->part = part;
    server->arg = arg;
    server->parallel = parallel;
    pthread_mutex_init(&server->lock, NULL);
    server->listener = listen_on(where, port, &server->port);
    if (server->listener < 0) {
        free(server);
        return NULL;
    }
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    pthread_create(&server->thread, NULL, run, server);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return server;
}

struct server *server_start(uint16_t port, server_part part, void *arg)
{
    return start("127.0.0.1", port, false, part, arg);
}

struct server *server_start_at(const char *where, uint16_t port, server_part part,
                               void *arg)
{
    return start(where, port, false, part, arg);
}

struct server *server_start_parallel(uint16_t port, server_part part, void *arg)
{
    return start("127.0.0.1", port, true, part, arg);
}

void server_stop(struct server *server)
{
    if (!server)
        return;
    pthread_mutex_lock(&server->lock);
    server->stopping = true;
    for (struct connection *each = server->open; each; each = each->next)
        if (!each->over)
            shutdown(each->fd, SHUT_RDWR);
    pthread_mutex_unlock(&server->lock);
    shutdown(server->listener, SHUT_RDWR);
    pthread_join(server->thread, NULL);
    reap(server, true);
    close(server->listener);
    pthread_mutex_destroy(&server->lock);
    free(server);
}

uint16_t server_port(const struct server *server)
{
    return server->port;
}

unsigned server_connections(struct server *server)
{
    unsigned n;

    pthread_mutex_lock(&server->lock);
    n = server->connections;
    pthread_mutex_unlock(&server->lock);
    return n;
}

bool server_write(int fd, const void *bytes, size_t len)
{
    const char *at = bytes;

    while (len) {
        ssize_t n = send(fd, at, len, MSG_NOSIGNAL);

        if (n <= 0)
            return false;
        at += n;
        len -= (size_t)n;
    }
    return true;
}

bool server_read(int fd, void *bytes, size_t len)
{
    char *at = bytes;

    while (len) {
        ssize_t n = recv(fd, at, len, 0);

        if (n <= 0)
            return false;
        at += n;
        len -= (size_t)n;
    }
    return true;
}

void server_drain(int fd)
{
    char waste[4096];

    while (recv(fd, waste, sizeof waste, 0) > 0)
        ;
}

void server_reset_on_close(int fd)
{
    const struct linger at_once = { .l_onoff = 1 };

    setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

/* The descriptor stays open: a port that somebody has bound is given to no other test's
 * server, nor to a connection as its own end, which might even meet itself there. */
uint16_t free_port(void)
{
    uint16_t port = 0;

    bind_to("127.0.0.1", 0, &port);
    return port;
}

uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}
