/* SPDX-License-Identifier: MIT */
#include "test_wire.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

void wire_open(struct wire *wire, const struct sandbox *sandbox)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)sandbox->http_port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int on = 1;

    *wire = (struct wire){ .fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) };
    assert_true(wire->fd >= 0);
    assert_int_equal(
        connect(wire->fd, (const struct sockaddr *)&address, sizeof address), 0);
    setsockopt(wire->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

void wire_close(struct wire *wire)
{
    close(wire->fd);
    free(wire->in);
    *wire = (struct wire){ .fd = -1 };
}

/* --- out -------------------------------------------------------------------------- */

void wire_send(struct wire *wire, const void *bytes, size_t len)
{
    const char *p = bytes;

    while (len) {
        ssize_t n = send(wire->fd, p, len, MSG_NOSIGNAL);

        if (n <= 0)
            fail_msg("the connection was closed with %zu bytes unsent", len);
        p += n;
        len -= (size_t)n;
    }
}

static void base64(const char *text, char *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                 "0123456789+/";
    size_t len = strlen(text);

    for (size_t i = 0; i < len; i += 3, out += 4) {
        const unsigned char *p = (const unsigned char *)text + i;
        unsigned second = i + 1 < len ? p[1] : 0, third = i + 2 < len ? p[2] : 0;
        unsigned bits = (unsigned)p[0] << 16 | second << 8 | third;

        out[0] = digits[bits >> 18];
        out[1] = digits[bits >> 12 & 63];
        out[2] = i + 1 < len ? digits[bits >> 6 & 63] : '=';
        out[3] = i + 2 < len ? digits[bits & 63] : '=';
    }
    *out = '\0';
}

void wire_begin(struct wire *wire, const char *account, const char *method,
                const char *path, const char *headers, size_t body_len)
{
    char basic[512], head[2048];
    int n;

    base64(account, basic);
    n = snprintf(head, sizeof head,
                 "%s %s HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic %s\r\n%s"
                 "Content-Length: %zu\r\n\r\n",
                 method, path, basic, headers ? headers : "", body_len);
    assert_true(n < (int)sizeof head);
    wire_send(wire, head, (size_t)n);
}

void wire_request(struct wire *wire, const char *account, const char *method,
                  const char *path, const char *headers, const char *body)
{
    size_t len = body ? strlen(body) : 0;

    wire_begin(wire, account, method, path, headers, len);
    if (len)
        wire_send(wire, body, len);
}

/* --- in ----------------------------------------------------------------------------- */

/* False at the end of the stream. */
static bool receive(struct wire *wire)
{
    struct pollfd fd = { .fd = wire->fd, .events = POLLIN };
    ssize_t n;

    if (wire->cap - wire->len < 65536) {
        wire->cap = wire->cap * 2 + 131072;
        wire->in = realloc(wire->in, wire->cap);
        assert_non_null(wire->in);
    }
    if (poll(&fd, 1, PATIENCE_MS) != 1)
        fail_msg("nothing came; so far: %.*s", (int)wire->len, wire->in);
    n = recv(wire->fd, wire->in + wire->len, wire->cap - wire->len - 1, 0);
    if (n <= 0)
        return false;
    wire->len += (size_t)n;
    wire->in[wire->len] = '\0';
    return true;
}

static void need(struct wire *wire, size_t len)
{
    while (wire->len < len)
        if (!receive(wire))
            fail_msg("closed in the middle of: %s", wire->in ? wire->in : "nothing");
}

void wire_await(struct wire *wire, const char *text)
{
    while (!wire->in || !strstr(wire->in, text))
        if (!receive(wire))
            fail_msg("closed before \"%s\": %s", text, wire->in ? wire->in : "");
}

bool wire_silent(struct wire *wire, int ms)
{
    struct pollfd fd = { .fd = wire->fd, .events = POLLIN };

    return wire->len == 0 && poll(&fd, 1, ms) == 0;
}

void wire_await_close(struct wire *wire)
{
    while (receive(wire))
        ;
}

static void consume(struct wire *wire, size_t len)
{
    wire->len -= len;
    memmove(wire->in, wire->in + len, wire->len + 1);
}

static void append(struct reply *reply, const char *bytes, size_t len)
{
    reply->body = realloc(reply->body, reply->len + len + 1);
    assert_non_null(reply->body);
    memcpy(reply->body + reply->len, bytes, len);
    reply->len += len;
    reply->body[reply->len] = '\0';
}

static void read_plain(struct wire *wire, struct reply *reply, size_t len)
{
    need(wire, len);
    append(reply, wire->in ? wire->in : "", len);
    if (len)
        consume(wire, len);
}

static void read_chunks(struct wire *wire, struct reply *reply)
{
    size_t len;

    append(reply, "", 0);
    do {
        wire_await(wire, "\r\n");
        len = strtoull(wire->in, NULL, 16);
        consume(wire, (size_t)(strstr(wire->in, "\r\n") - wire->in) + 2);
        need(wire, len + 2);
        append(reply, wire->in, len);
        consume(wire, len + 2);
    } while (len);
}

struct reply wire_read(struct wire *wire)
{
    struct reply reply = { 0 };
    const char *length;
    size_t len;

    wire_await(wire, "\r\n\r\n");
    len = (size_t)(strstr(wire->in, "\r\n\r\n") - wire->in) + 4;
    assert_true(len < sizeof reply.head);
    memcpy(reply.head, wire->in, len);
    consume(wire, len);
    assert_int_equal(sscanf(reply.head, "HTTP/1.1 %d", &reply.status), 1);
    length = strcasestr(reply.head, "\r\nContent-Length:");
    if (strcasestr(reply.head, "\r\nTransfer-Encoding: chunked"))
        read_chunks(wire, &reply);
    else
        read_plain(wire, &reply, length ? strtoull(length + 17, NULL, 10) : 0);
    return reply;
}

void reply_free(struct reply *reply)
{
    free(reply->body);
    reply->body = NULL;
}

struct reply talk(const struct sandbox *sandbox, const char *account,
                  const char *method, const char *path, const char *headers,
                  const char *body)
{
    struct wire wire;
    struct reply reply;

    wire_open(&wire, sandbox);
    wire_request(&wire, account, method, path, headers, body);
    reply = wire_read(&wire);
    wire_close(&wire);
    return reply;
}

/* --- small things --------------------------------------------------------------- */

const char *say(const char *format, ...)
{
    static char buffers[8][1024];
    static int next;
    char *text = buffers[next++ % 8];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof buffers[0], format, args);
    va_end(args);
    return text;
}

long memory_kib(pid_t pid)
{
    char line[256];
    long kib = 0;
    FILE *file = fopen(say("/proc/%d/status", (int)pid), "r");

    assert_non_null(file);
    while (fgets(line, sizeof line, file))
        if (sscanf(line, "VmRSS: %ld", &kib) == 1)
            break;
    fclose(file);
    return kib;
}
