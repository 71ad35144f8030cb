/* SPDX-License-Identifier: MIT */
/* MQTT on the loop, by libmosquitto. This folder alone includes <mosquitto.h>.
 *
 *     sr_mqtt_new -> sr_mqtt_start -> up ... publish, subscribe ... down -> up ... -> free
 *
 * A client that was started connects, and connects again after every loss, until it is
 * freed; pauses grow with each failure and are forgotten once a connection has lasted
 * SR_MQTT_HEALTHY_MS. Nothing blocks the loop: name resolution and TCP connect happen in
 * a thread of their own (connect.c). Every connection is a clean session; what was not
 * acknowledged on the last one is the caller's to publish again. */
#ifndef MQTT_MQTT_H
#define MQTT_MQTT_H

#include "loop/loop.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SR_MQTT_CONNECT_MS = 15 * 1000, /* for name, TCP, TLS and CONNACK together */
    SR_MQTT_HEALTHY_MS = 10 * 1000,
    SR_MQTT_PACKET_MAX = 16184 /* header included; docs/protocol/mqtt.md */
};

struct sr_mqtt;

struct sr_mqtt_options {
    const char *host;
    uint16_t port;
    bool tls;
    const char *ca_file; /* PEM, or NULL for the system's */
    const char *client_id, *user, *password;
};

/* All are called on the loop, and may call everything here, sr_mqtt_free() included. */
struct sr_mqtt_events {
    void (*up)(void *arg);
    /* A connection, or the attempt at one (`was_up` false), is over. `reason` is for
     * people and names the broker. The next attempt is already arranged. */
    void (*down)(void *arg, bool was_up, const char *reason);
    void (*message)(void *arg, const char *topic, const char *payload, size_t len);
    void (*acked)(void *arg, int message_id);
    /* `refused`: index of the first refused topic, -1 if there is none. */
    void (*subscribed)(void *arg, int message_id, int refused);
};

/* Copies the options. Returns 0, SR_E_NOMEM. */
int sr_mqtt_new(struct sr_loop *loop, const struct sr_mqtt_options *options,
                const struct sr_mqtt_events *events, void *arg,
                struct sr_mqtt **ret_mqtt);
/* Returns at once. Accepts NULL. */
void sr_mqtt_free(struct sr_mqtt *mqtt);

/* `keepalive_s`: 0, none, or 5 to 65535. */
void sr_mqtt_start(struct sr_mqtt *mqtt, unsigned keepalive_s);

/* QoS 0 or 1. *ret_message_id comes back in `acked` (QoS 1). Returns 0; SR_E_STATE when not
 * connected; SR_E_TOOBIG; SR_E_UNREACHABLE, the connection broke: `down` follows from the
 * loop, nothing is queued. */
int sr_mqtt_publish(struct sr_mqtt *mqtt, const char *topic, const char *payload,
                    size_t len, int qos, int *ret_message_id);
int sr_mqtt_subscribe(struct sr_mqtt *mqtt, const char *const *topics, int count,
                      int qos, int *ret_message_id);

/* Gives the connection up as lost; `down` is called from the loop with `reason` (static). */
void sr_mqtt_drop(struct sr_mqtt *mqtt, const char *reason);

#endif
