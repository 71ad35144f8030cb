/* SPDX-License-Identifier: MIT */
/* A connection: what the broker sends goes from the stream through the gate and the plug to
 * libmosquitto, and what that sends the other way.
 *
 *     sr_line_open -> sr_line_in, sr_line_out ... -> sr_line_close
 *
 * Functions that return an int return MOSQ_ERR_SUCCESS or how the connection ended, an error of
 * libmosquitto's; then `error` is the system's for MOSQ_ERR_ERRNO, and `why`, if it is not empty,
 * says it in words. */
#ifndef MQTT_LINE_H
#define MQTT_LINE_H

#include "mqtt/connect.h"
#include "mqtt/gate.h"
#include <stdbool.h>
#include <stdint.h>

struct sr_line {
    struct mosquitto *client; /* NULL: closed */
    struct sr_stream *stream;
    struct sr_plug plug;
    struct sr_gate gate;
    char *chunk; /* of what comes in */
    char *out;   /* taken from libmosquitto, not by the stream yet */
    size_t out_at, out_len;
    uint64_t sent; /* bytes taken by the stream */
    bool stop;     /* reads no further: the application has freed the client */
    int error;
    char why[SR_WHY_MAX];
};

/* Takes what `connected` has. `max`: see sr_gate_init(). False: no memory; close it all the same. */
bool sr_line_open(struct sr_line *line, const struct sr_connected *connected,
                  size_t max);
void sr_line_close(struct sr_line *line);

/* Reads what has come, a bounded part of it, and has libmosquitto look at it. */
int sr_line_in(struct sr_line *line);
/* Sends what libmosquitto has written, without a call into it: also legal in its callbacks. */
int sr_line_flush(struct sr_line *line);
/* Sends all that it has to send, as far as the stream takes it. */
int sr_line_out(struct sr_line *line);
bool sr_line_wants_write(const struct sr_line *line);

#endif
