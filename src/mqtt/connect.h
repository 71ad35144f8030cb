/* SPDX-License-Identifier: MIT */
/* The blocking part of an MQTT connection in a thread: name resolution, TCP to whichever address
 * answers, TLS, and CONNECT.
 *
 *     sr_connect_start -> done, or sr_connect_abandon
 *
 * getaddrinfo() cannot be interrupted, and libuv's pool waits for its jobs when a loop
 * closes. So each attempt is a detached thread that owns the mosquitto client until it
 * hands it over; abandoned, it frees the client itself when the system lets go of it. */
#ifndef MQTT_CONNECT_H
#define MQTT_CONNECT_H

#include "loop/loop.h"
#include "mqtt/plug.h"
#include "mqtt/stream.h"
#include <smartrest/net.h>
#include <sys/socket.h>

struct sr_connect;

/* Copied. */
struct sr_connect_options {
    const char *host;
    uint16_t port;
    bool tls;
    const struct sr_net *net;
    unsigned keepalive_s;
    struct sockaddr_storage last; /* tried after all others; ss_family 0: none */
};

/* All of it is the callee's from here on. */
struct sr_connected {
    struct mosquitto *client;        /* its CONNECT has been sent, unless it failed */
    struct sr_stream *stream;        /* NULL: failed, and `why` is for people */
    struct sr_plug plug;             /* between the two */
    struct sockaddr_storage address; /* that TCP reached; ss_family 0: none */
    char why[SR_WHY_MAX];
};

typedef void (*sr_connect_fn)(void *arg, const struct sr_connected *result);

/* Takes `client` over on success. Returns 0 or SR_E_NOMEM. */
int sr_connect_start(struct sr_loop *loop, struct mosquitto *client,
                     const struct sr_connect_options *options, sr_connect_fn fn,
                     void *arg, struct sr_connect **ret_connect);

/* The address that TCP has reached so far; ss_family 0: none. */
void sr_connect_address(struct sr_connect *connect, struct sockaddr_storage *ret);

/* `fn` will not be called. Accepts NULL. */
void sr_connect_abandon(struct sr_connect *connect);

#endif
