/* SPDX-License-Identifier: MIT */
/* A connection's bytes, plain or by TLS. Never blocks.
 *
 *     sr_stream_new -> sr_stream_read, sr_stream_write ... -> sr_stream_free
 *
 * Functions return a number of bytes; 0, the peer has ended the connection (read only); or -1
 * with errno: EAGAIN, try again when the descriptor is ready, and then sr_stream_wants_write()
 * says for what; EPROTO, TLS failed, and sr_stream_why() says how; or the system's. The caller
 * holds SIGPIPE, see sr_sigpipe_hold(). */
#ifndef MQTT_STREAM_H
#define MQTT_STREAM_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum {
    SR_STREAM_CHUNK =
        16 * 1024, /* a TLS record: a read of so much leaves nothing inside */
    SR_WHY_MAX = 320
};

struct sr_stream {
    int fd;
    SSL *ssl; /* NULL: plain */
    bool wants_write;
    char why[SR_WHY_MAX];
    char host[256]; /* for texts */
};

/* Takes `fd`, connected and not blocking. NULL: no memory. */
struct sr_stream *sr_stream_new(int fd, const char *host);
/* Says goodbye by TLS, and closes. Accepts NULL. */
void sr_stream_free(struct sr_stream *stream);

ssize_t sr_stream_read(struct sr_stream *stream, void *buf, size_t size);
ssize_t sr_stream_write(struct sr_stream *stream, const void *bytes, size_t len);
/* The last call that said EAGAIN waits to write; else to read. */
bool sr_stream_wants_write(const struct sr_stream *stream);
const char *sr_stream_why(const struct sr_stream *stream);

#endif
