/* SPDX-License-Identifier: MIT */
#include "mqtt/stream.h"

#include "mqtt/tls.h"
#include <errno.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct sr_stream *sr_stream_new(int fd, const char *host)
{
    struct sr_stream *stream = calloc(1, sizeof *stream);

    if (!stream)
        return NULL;
    stream->fd = fd;
    snprintf(stream->host, sizeof stream->host, "%s", host);
    return stream;
}

void sr_stream_free(struct sr_stream *stream)
{
    if (!stream)
        return;
    if (stream->ssl && SSL_is_init_finished(stream->ssl))
        SSL_shutdown(stream->ssl); /* one way, and as far as it goes */
    SSL_free(stream->ssl);
    ERR_clear_error();
    close(stream->fd);
    free(stream);
}

/* What a call of OpenSSL that took or gave nothing means. `len` 0 or less. */
static ssize_t failed(struct sr_stream *stream, int len)
{
    int saved = errno, error = SSL_get_error(stream->ssl, len);

    stream->wants_write = error == SSL_ERROR_WANT_WRITE;
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
        errno = EAGAIN;
        return -1;
    }
    if (error == SSL_ERROR_ZERO_RETURN || sr_tls_is_end(error, saved))
        return 0;
    if (error == SSL_ERROR_SYSCALL && saved) {
        errno = saved;
        return -1;
    }
    sr_tls_why(stream->ssl, stream->host, stream->why, sizeof stream->why);
    errno = EPROTO;
    return -1;
}

/* A server that refuses our certificate says so and closes; what was written meanwhile breaks
 * first, and its word is still to be read. */
static void look_for_alert(struct sr_stream *stream)
{
    int saved = errno, n, error;
    char byte;

    ERR_clear_error();
    n = SSL_read(stream->ssl, &byte, 1);
    error = n > 0 ? SSL_ERROR_NONE : SSL_get_error(stream->ssl, n);
    errno = saved;
    if (error != SSL_ERROR_SSL || sr_tls_is_end(error, 0))
        return;
    sr_tls_why(stream->ssl, stream->host, stream->why, sizeof stream->why);
    errno = EPROTO;
}

ssize_t sr_stream_read(struct sr_stream *stream, void *buf, size_t size)
{
    int len;

    if (!stream->ssl)
        return recv(stream->fd, buf, size, 0);
    ERR_clear_error();
    errno = 0;
    len = SSL_read(stream->ssl, buf, (int)size);
    return len > 0 ? len : failed(stream, len);
}

ssize_t sr_stream_write(struct sr_stream *stream, const void *bytes, size_t len)
{
    ssize_t rc;
    int n;

    if (!stream->ssl) {
        rc = send(stream->fd, bytes, len, MSG_NOSIGNAL);
        stream->wants_write = rc < 0 && errno == EAGAIN;
        return rc;
    }
    ERR_clear_error();
    errno = 0;
    n = SSL_write(stream->ssl, bytes, (int)len);
    if (n > 0) {
        stream->wants_write = false;
        return n;
    }
    rc = failed(stream, n);
    if (!rc)
        errno = EPIPE;
    if (errno == EPIPE || errno == ECONNRESET)
        look_for_alert(stream);
    return -1;
}

bool sr_stream_wants_write(const struct sr_stream *stream)
{
    return stream->wants_write;
}

const char *sr_stream_why(const struct sr_stream *stream)
{
    return stream->why;
}
