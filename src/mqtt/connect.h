/* SPDX-License-Identifier: MIT */
/* The blocking part of an MQTT connection, name resolution and TCP connect, in a thread.
 *
 *     sr_connect_start -> done, or sr_connect_abandon
 *
 * getaddrinfo() cannot be interrupted, and libuv's pool waits for its jobs when a loop
 * closes. So each attempt is a detached thread that owns the mosquitto client until it
 * hands it over; abandoned, it frees the client itself when the system lets go of it. */
#ifndef MQTT_CONNECT_H
#define MQTT_CONNECT_H

#include "loop/loop.h"
#include <mosquitto.h>

struct sr_connect;

/* `rc`: of mosquitto_connect(); `error`: of the system, or of getaddrinfo() for
 * MOSQ_ERR_EAI. The client is the callee's from here on. */
typedef void (*sr_connect_fn)(void *arg, struct mosquitto *client, int rc, int error);

/* Takes `client` over on success. Returns 0 or SR_E_NOMEM. */
int sr_connect_start(struct sr_loop *loop, struct mosquitto *client, const char *host,
                     uint16_t port, unsigned keepalive_s, sr_connect_fn fn, void *arg,
                     struct sr_connect **ret_connect);

/* `fn` will not be called. Accepts NULL. */
void sr_connect_abandon(struct sr_connect *connect);

#endif
