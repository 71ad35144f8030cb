/* SPDX-License-Identifier: MIT */
/* For tests: HTTP on a bare socket, where a client library would hide what comes when.
 * Whatever goes wrong fails the test. */
#ifndef SANDBOX_TEST_WIRE_H
#define SANDBOX_TEST_WIRE_H

#include "test_sandbox.h"

struct wire {
    int fd;
    char *in; /* what has come and is not read yet; NUL-terminated */
    size_t len, cap;
};

struct reply {
    int status;
    char head[4096];
    char *body; /* NUL-terminated */
    size_t len;
};

void wire_open(struct wire *wire, const struct sandbox *sandbox);
void wire_close(struct wire *wire);

void wire_send(struct wire *wire, const void *bytes, size_t len);
/* `headers`: further lines, each with its CR LF. `account` is user:password. */
void wire_begin(struct wire *wire, const char *account, const char *method,
                const char *path, const char *headers, size_t body_len);
void wire_request(struct wire *wire, const char *account, const char *method,
                  const char *path, const char *headers, const char *body);

/* Waits until `text` has come; it stays unread. */
void wire_await(struct wire *wire, const char *text);
/* Is nothing there, and does nothing come for so long? */
bool wire_silent(struct wire *wire, int ms);
void wire_await_close(struct wire *wire);

/* Waits for a whole answer; reply_free() it. */
struct reply wire_read(struct wire *wire);
void reply_free(struct reply *reply);

/* printf() into one of a few static buffers. */
const char *say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* What a process occupies of the memory. */
long memory_kib(pid_t pid);

/* One request on a connection of its own. */
struct reply talk(const struct sandbox *sandbox, const char *account,
                  const char *method, const char *path, const char *headers,
                  const char *body);

#endif
