/* SPDX-License-Identifier: MIT */
/* A pair of sockets between libmosquitto and us, in place of its own connection.
 *
 * libmosquitto opens its socket itself and reads from it as much as a packet announces. We want to
 * choose the address, to speak TLS ourselves, and to look at each packet's header first
 * (mqtt/gate.h). There is no call to hand it a socket, so it connects to a listener of ours on the
 * loopback interface for a moment (or, where that is down, at a path), and then its socket is replaced, under the same number, by one
 * end of a pair. What it had written by then, its CONNECT, is handed over. */
#ifndef MQTT_PLUG_H
#define MQTT_PLUG_H

#include <mosquitto.h>
#include <stddef.h>

struct sr_plug {
    int fd;      /* our end, not blocking; -1: none */
    char *bytes; /* that libmosquitto has written already */
    size_t len;
};

/* May block for a moment. Returns MOSQ_ERR_SUCCESS, or an error of libmosquitto's; errno then says
 * more if it is MOSQ_ERR_ERRNO. */
int sr_plug_connect(struct sr_plug *plug, struct mosquitto *client,
                    unsigned keepalive_s);
/* Forgets the bytes, in which there may be a password. */
void sr_plug_sent(struct sr_plug *plug);
/* To be called after mosquitto_destroy(). */
void sr_plug_release(struct sr_plug *plug);

#endif
