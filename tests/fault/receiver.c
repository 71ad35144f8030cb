/* SPDX-License-Identifier: MIT */
#include "receiver.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    CONNECTIONS = RECEIVER_FDS - 1,
    ROOM = 160 * 1024, /* for the largest request, and what comes behind it */
    WAITING = 64,      /* acknowledgements that wait */
    LATE_US = 4000
};

struct connection {
    int fd;
    char *bytes;
    size_t len;
    uint16_t waiting[WAITING]; /* message ids; by HTTP without meaning */
    size_t count;
    int64_t due_us; /* for all of them */
};

struct receiver {
    bool by_mqtt, deaf;
    struct receiver_calls calls;
    int listener;
    uint16_t port;
    struct connection *connections[CONNECTIONS]; /* oldest first */
    size_t count;
};

int64_t receiver_now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000ll + now.tv_nsec / 1000;
}

/* --- life ----------------------------------------------------------------------- */

static bool listen_anywhere(struct receiver *r)
{
    struct sockaddr_in a = { .sin_family = AF_INET,
                             .sin_addr = { htonl(INADDR_LOOPBACK) },
                             .sin_port = htons(r->port) };
    socklen_t len = sizeof a;

    r->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    setsockopt(r->listener, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int));
    if (r->listener < 0 || bind(r->listener, (struct sockaddr *)&a, sizeof a) ||
        listen(r->listener, 64) ||
        getsockname(r->listener, (struct sockaddr *)&a, &len))
        return false;
    r->port = ntohs(a.sin_port);
    return true;
}

struct receiver *receiver_start(bool by_mqtt, const struct receiver_calls *calls)
{
    struct receiver *r = calloc(1, sizeof *r);

    r->by_mqtt = by_mqtt;
    r->calls = *calls;
    if (listen_anywhere(r))
        return r;
    receiver_stop(r);
    return NULL;
}

static void hang_up(struct receiver *r, size_t i)
{
    struct connection *c = r->connections[i];

    close(c->fd);
    free(c->bytes);
    free(c);
    r->count--;
    memmove(r->connections + i, r->connections + i + 1,
            (r->count - i) * sizeof *r->connections);
}

void receiver_stop(struct receiver *r)
{
    if (!r)
        return;
    while (r->count)
        hang_up(r, 0);
    if (r->listener >= 0)
        close(r->listener);
    free(r);
}

uint16_t receiver_port(const struct receiver *r)
{
    return r->port;
}

void receiver_set_deaf(struct receiver *r, bool deaf)
{
    if (r->deaf == deaf)
        return;
    r->deaf = deaf;
    if (!deaf) {
        if (!listen_anywhere(r))
            abort();
        return;
    }
    while (r->count)
        hang_up(r, 0);
    close(r->listener);
    r->listener = -1;
}

/* --- answers -------------------------------------------------------------------- */

static bool say(struct connection *c, const void *bytes, size_t len)
{
    return send(c->fd, bytes, len, MSG_NOSIGNAL) == (ssize_t)len;
}

static void acknowledge(struct receiver *r, struct connection *c)
{
    static const char fine[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

    for (size_t i = 0; i < c->count; i++)
        if (r->by_mqtt)
            say(c,
                (unsigned char[]){ 0x40, 2, (unsigned char)(c->waiting[i] >> 8),
                                   (unsigned char)c->waiting[i] },
                4);
        else
            say(c, fine, sizeof fine - 1);
    c->count = 0;
    c->due_us = 0;
}

/* False: the connection is over. */
static bool take_payload(struct receiver *r, struct connection *c, const char *text,
                         size_t len, uint16_t id)
{
    enum receiver_answer answer = r->calls.payload(r->calls.arg, text, len);

    if (answer == RECEIVER_HANG_UP || c->count == WAITING)
        return false;
    c->waiting[c->count++] = id;
    if (answer == RECEIVER_ACK_LATE && !c->due_us)
        c->due_us = receiver_now_us() + LATE_US;
    if (!c->due_us)
        acknowledge(r, c);
    return true;
}

/* --- MQTT: bytes used, 0 for more, -1 for the end ------------------------------- */

static bool take_packet(struct receiver *r, struct connection *c, unsigned char head,
                        const unsigned char *body, size_t len)
{
    size_t topic;

    switch (head >> 4) {
    case 1: return say(c, "\x20\x02\0\0", 4);
    case 8: {
        unsigned char granted[64] = { 0x90, 0, body[0], body[1] };
        unsigned char filters = 0;

        for (size_t at = 2; at + 2 < len; filters++)
            at += 3u + ((size_t)body[at] << 8 | body[at + 1]);
        granted[1] = (unsigned char)(2 + filters);
        return say(c, granted, 4u + filters);
    }
    case 3:
        topic = 2 + ((size_t)body[0] << 8 | body[1]);
        return take_payload(r, c, (const char *)body + topic + 2, len - topic - 2,
                            (uint16_t)(body[topic] << 8 | body[topic + 1]));
    case 12: return say(c, "\xd0\0", 2);
    default: return head >> 4 != 14;
    }
}

static long parse_mqtt(struct receiver *r, struct connection *c)
{
    const unsigned char *bytes = (const unsigned char *)c->bytes;
    size_t len = 0, at = 1;

    for (int shift = 0; shift < 28; shift += 7) {
        if (at >= c->len)
            return 0;
        len |= (size_t)(bytes[at] & 127) << shift;
        if (!(bytes[at++] & 128))
            break;
    }
    if (at + len > c->len)
        return 0;
    if (!take_packet(r, c, bytes[0], bytes + at, len))
        return -1;
    return (long)(at + len);
}

/* --- HTTP: the same ------------------------------------------------------------- */

/* The registration check, by which a plain connection's platform is known. */
static bool answer_check(struct connection *c)
{
    static const char known[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n20,1\n";

    return say(c, known, sizeof known - 1);
}

static long parse_http(struct receiver *r, struct connection *c)
{
    char *end, *field;
    size_t head, len;
    bool done;

    c->bytes[c->len] = '\0';
    end = strstr(c->bytes, "\r\n\r\n");
    if (!end)
        return 0;
    head = (size_t)(end - c->bytes) + 4;
    *end = '\0';
    field = strcasestr(c->bytes, "\r\nContent-Length:");
    *end = '\r';
    len = field ? strtoul(field + 17, NULL, 10) : 0;
    if (head + len > c->len)
        return 0;
    done = len ? take_payload(r, c, c->bytes + head, len, 0) : answer_check(c);
    return done ? (long)(head + len) : -1;
}

/* --- turning -------------------------------------------------------------------- */

/* False: the connection is over. */
static bool parse(struct receiver *r, struct connection *c)
{
    long used;

    while (c->len && (used = r->by_mqtt ? parse_mqtt(r, c) : parse_http(r, c)) != 0) {
        if (used < 0)
            return false;
        c->len -= (size_t)used;
        memmove(c->bytes, c->bytes + used, c->len);
    }
    return c->len < ROOM - 1;
}

static bool listen_to(struct receiver *r, struct connection *c)
{
    ssize_t n;

    while ((n = recv(c->fd, c->bytes + c->len, ROOM - 1 - c->len, MSG_DONTWAIT)) > 0) {
        c->len += (size_t)n;
        if (!parse(r, c))
            return false;
    }
    if (c->due_us && receiver_now_us() >= c->due_us)
        acknowledge(r, c);
    return n < 0 && errno == EAGAIN;
}

static void welcome(struct receiver *r, int fd)
{
    struct connection *c = calloc(1, sizeof *c);

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
    c->fd = fd;
    c->bytes = malloc(ROOM);
    r->connections[r->count++] = c;
}

static void listen_to_all(struct receiver *r)
{
    for (size_t i = 0; i < r->count;) {
        if (listen_to(r, r->connections[i]))
            i++;
        else
            hang_up(r, i);
    }
}

/* Each is read to its end, if it has one, before the next is accepted. */
void receiver_turn(struct receiver *r)
{
    int fd;

    listen_to_all(r);
    while (r->count < CONNECTIONS && r->listener >= 0 &&
           (fd = accept4(r->listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
        welcome(r, fd);
        r->calls.connected(r->calls.arg);
        listen_to_all(r);
    }
}

size_t receiver_fds(const struct receiver *r, struct pollfd fds[RECEIVER_FDS])
{
    size_t n = 0;

    if (r->listener >= 0)
        fds[n++] = (struct pollfd){ .fd = r->listener, .events = POLLIN };
    for (size_t i = 0; i < r->count; i++)
        fds[n++] = (struct pollfd){ .fd = r->connections[i]->fd, .events = POLLIN };
    return n;
}

int64_t receiver_due_us(const struct receiver *r)
{
    int64_t due = INT64_MAX;

    for (size_t i = 0; i < r->count; i++)
        if (r->connections[i]->due_us && r->connections[i]->due_us < due)
            due = r->connections[i]->due_us;
    return due;
}
