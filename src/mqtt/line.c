/* SPDX-License-Identifier: MIT */
#include "mqtt/line.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

enum {
    CHUNKS = 4, /* read in one turn, before others have theirs */
    PACKETS =
        256 /* written, the same; who is told that one has left may have the next ready */
};

bool sr_line_open(struct sr_line *line, const struct sr_connected *connected,
                  size_t max)
{
    *line = (struct sr_line){
        .client = connected->client,
        .stream = connected->stream,
        .plug = connected->plug,
        .chunk = malloc(SR_STREAM_CHUNK),
        .out = malloc(SR_STREAM_CHUNK),
    };
    sr_gate_init(&line->gate, max);
    return line->chunk && line->out;
}

void sr_line_close(struct sr_line *line)
{
    if (!line->client)
        return;
    mosquitto_destroy(line->client);
    sr_plug_release(&line->plug);
    sr_stream_free(line->stream);
    sr_gate_release(&line->gate);
    free(line->chunk);
    free(line->out);
    *line = (struct sr_line){ .plug.fd = -1 };
}

/* A call of the stream failed, and errno says how. */
static int broken(struct sr_line *line)
{
    line->error = errno;
    if (errno != EPROTO)
        return MOSQ_ERR_ERRNO;
    snprintf(line->why, sizeof line->why, "%s", sr_stream_why(line->stream));
    return MOSQ_ERR_TLS;
}

/* --- in --------------------------------------------------------------------- */

static int refuse(struct sr_line *line, enum sr_gate_verdict verdict)
{
    size_t max = line->gate.max;

    switch (verdict) {
    case SR_GATE_TOO_LARGE:
        snprintf(line->why, sizeof line->why,
                 "the broker sends %u bytes in one packet, more than receive_max (%zu)",
                 (unsigned)line->gate.len, max);
        return MOSQ_ERR_OVERSIZE_PACKET;
    case SR_GATE_TOO_MANY:
        snprintf(line->why, sizeof line->why,
                 "the broker sends messages with QoS 2 and does not release them: more "
                 "than receive_max (%zu bytes) wait",
                 max);
        return MOSQ_ERR_OVERSIZE_PACKET;
    case SR_GATE_NO_CODES:
        snprintf(line->why, sizeof line->why,
                 "the broker sends a SUBACK without return codes");
        return MOSQ_ERR_PROTOCOL;
    case SR_GATE_MALFORMED: return MOSQ_ERR_PROTOCOL;
    default: return MOSQ_ERR_NOMEM;
    }
}

/* libmosquitto reads a packet or some at each call, and something at least. */
static int feed(struct sr_line *line)
{
    int rc = MOSQ_ERR_SUCCESS, waiting = 0, before;

    while (!rc && !line->stop) {
        before = waiting;
        if (mosquitto_socket(line->client) < 0)
            return MOSQ_ERR_CONN_LOST;
        if (ioctl(mosquitto_socket(line->client), FIONREAD, &waiting) || !waiting ||
            waiting == before)
            break;
        errno = 0;
        rc = mosquitto_loop_read(line->client, 1);
        line->error = errno;
    }
    return rc;
}

static int pass_on(struct sr_line *line, size_t len)
{
    size_t pass;
    enum sr_gate_verdict verdict = sr_gate_look(&line->gate, line->chunk, len, &pass);
    int rc;

    /* The pair is empty, and takes more than a chunk. */
    if (pass && send(line->plug.fd, line->chunk, pass, MSG_NOSIGNAL | MSG_DONTWAIT) !=
                    (ssize_t)pass) {
        line->error = errno;
        return MOSQ_ERR_ERRNO;
    }
    rc = feed(line);
    if (!rc && !line->stop && verdict)
        rc = refuse(line, verdict);
    return rc;
}

int sr_line_in(struct sr_line *line)
{
    int rc = MOSQ_ERR_SUCCESS;
    ssize_t n;

    for (int i = 0; i < CHUNKS && !rc && !line->stop; i++) {
        n = sr_stream_read(line->stream, line->chunk, SR_STREAM_CHUNK);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            break;
        if (n < 0)
            return broken(line);
        if (n == 0)
            return MOSQ_ERR_CONN_LOST;
        rc = pass_on(line, (size_t)n);
    }
    return rc;
}

/* --- out -------------------------------------------------------------------- */

/* False when the stream takes no more for now, or is broken. */
static bool send_rest(struct sr_line *line, int *ret_rc)
{
    ssize_t n;

    while (line->out_len) {
        n = sr_stream_write(line->stream, line->out + line->out_at, line->out_len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            *ret_rc = errno == EAGAIN ? MOSQ_ERR_SUCCESS : broken(line);
            return false;
        }
        line->out_at += (size_t)n;
        line->out_len -= (size_t)n;
        line->sent += (uint64_t)n;
    }
    return true;
}

int sr_line_flush(struct sr_line *line)
{
    int rc = MOSQ_ERR_SUCCESS;
    ssize_t n;

    while (send_rest(line, &rc)) {
        n = recv(line->plug.fd, line->out, SR_STREAM_CHUNK, MSG_DONTWAIT);
        if (n <= 0)
            break;
        line->out_at = 0;
        line->out_len = (size_t)n;
    }
    return rc;
}

/* The pair is empty when nothing is left in `out`: then libmosquitto can write. */
int sr_line_out(struct sr_line *line)
{
    int rc = sr_line_flush(line);

    for (int i = 0;
         i < PACKETS && !rc && !line->out_len && mosquitto_want_write(line->client);
         i++) {
        errno = 0;
        rc = mosquitto_loop_write(line->client, 1);
        line->error = errno;
        if (!rc)
            rc = sr_line_flush(line);
    }
    return rc;
}

bool sr_line_wants_write(const struct sr_line *line)
{
    return line->out_len || sr_stream_wants_write(line->stream) ||
           mosquitto_want_write(line->client);
}
