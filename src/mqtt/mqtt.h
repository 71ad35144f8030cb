/* SPDX-License-Identifier: MIT */
/* MQTT on the loop, by libmosquitto. This folder alone includes <mosquitto.h>.
 *
 *     sr_mqtt_link_new -> sr_mqtt_link_start -> up ... publish, subscribe ... down -> up ... -> free
 *
 * A client that was started connects, and connects again after every loss, until it is
 * freed; pauses grow with each failure and are forgotten once a connection has lasted
 * SR_MQTT_HEALTHY_MS. Nothing blocks the loop: name resolution and TCP connect happen in
 * a thread of their own (connect.c). Every connection is a clean session; what was not
 * acknowledged on the last one is the caller's to publish again. */
#ifndef MQTT_MQTT_H
#define MQTT_MQTT_H

#include "loop/loop.h"
#include <smartrest/net.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifndef SR_MQTT_CONNECT_MS             /* tests are less patient */
#define SR_MQTT_CONNECT_MS (15 * 1000) /* for name, TCP, TLS and CONNACK together */
#endif

enum {
    SR_MQTT_HEALTHY_MS =
        10 * 1000,             /* unless sr_mqtt_link_set_patience() says otherwise */
    SR_MQTT_PACKET_MAX = 16184 /* header included; docs/protocol/mqtt.md */
};

struct sr_mqtt_link;

struct sr_mqtt_link_options {
    const char *host;
    uint16_t port;
    bool tls;
    struct sr_net net;
    const char *client_id, *user, *password; /* each may be NULL */
    bool keep_session;                       /* the broker's, over connections */
    const char *will_topic;                  /* NULL: none */
    const char *will_payload;
    size_t will_len;
    int will_qos;
    bool will_retained;
};

/* A message in full. */
struct sr_mqtt_link_message {
    const char *topic, *payload;
    size_t len;
    int qos;
    bool retained;
};

/* All are called on the loop, and may call everything here, sr_mqtt_link_free() included. */
struct sr_mqtt_link_events {
    void (*up)(void *arg);
    /* A connection, or the attempt at one (`was_up` false), is over. `reason` is for
     * people and names the broker. The next attempt is already arranged. */
    void (*down)(void *arg, bool was_up, const char *reason);
    void (*message)(void *arg, const char *topic, const char *payload, size_t len);
    /* Also when a publish with QoS 0 has left. */
    void (*acked)(void *arg, int message_id);
    /* What the broker says of each topic, in order: `granted` is a QoS, or above 2 for a
     * refusal. `count` need not be the number of topics. See sr_mqtt_link_granted(). */
    void (*subscribed)(void *arg, int message_id, const int *granted, int count);
    /* In place of `message`, for who wants to know more; or NULL. */
    void (*received)(void *arg, const struct sr_mqtt_link_message *message);
};

/* What in the options MQTT cannot transport: the end of a sentence, static; or NULL. */
const char *sr_mqtt_link_wrong(const struct sr_mqtt_link_options *options);

/* Copies the options, which are right. Returns 0, SR_E_INVAL, SR_E_NOMEM. */
int sr_mqtt_link_new(struct sr_loop *loop, const struct sr_mqtt_link_options *options,
                     const struct sr_mqtt_link_events *events, void *arg,
                     struct sr_mqtt_link **ret_mqtt);
/* Returns at once. Accepts NULL. */
void sr_mqtt_link_free(struct sr_mqtt_link *mqtt);

/* `keepalive_s`: 0, none, or 5 to 65535. */
void sr_mqtt_link_start(struct sr_mqtt_link *mqtt, unsigned keepalive_s);

/* QoS 0 or 1. *ret_message_id comes back in `acked` (QoS 1). Returns 0; SR_E_STATE when not
 * connected; SR_E_TOOBIG; SR_E_UNREACHABLE, the connection broke: `down` follows from the
 * loop, nothing is queued. */
int sr_mqtt_link_publish(struct sr_mqtt_link *mqtt, const char *topic,
                         const char *payload, size_t len, int qos, int *ret_message_id);
int sr_mqtt_link_subscribe(struct sr_mqtt_link *mqtt, const char *const *topics,
                           int count, int qos, int *ret_message_id);

/* The same with QoS 2, a retained message and no limit but that of MQTT. `topic` and filters
 * are valid. */
int sr_mqtt_link_send(struct sr_mqtt_link *mqtt,
                      const struct sr_mqtt_link_message *message, int *ret_message_id);
int sr_mqtt_link_unsubscribe(struct sr_mqtt_link *mqtt, const char *topic);
bool sr_mqtt_link_is_up(const struct sr_mqtt_link *mqtt);

/* Is topic `i` of a SUBSCRIBE granted by this SUBACK? One without a word about it refuses. */
static inline bool sr_mqtt_link_granted(const int *granted, int count, int i)
{
    return i < count && granted[i] >= 0 && granted[i] <= 2;
}

/* Copies with texts of their own, as sr_mqtt_link_new() makes one. Returns 0, SR_E_INVAL,
 * SR_E_NOMEM. */
int sr_mqtt_link_options_copy(const struct sr_mqtt_link_options *from,
                              struct sr_mqtt_link_options *ret);
void sr_mqtt_link_options_release(struct sr_mqtt_link_options *options);

/* Writes the broker's URL, for people. */
void sr_mqtt_link_name(const struct sr_mqtt_link_options *options, char *text,
                       size_t size);

/* How the last connection, or the attempt at one, ended. */
struct sr_mqtt_link_end {
    int connack;        /* the code of a refusal; 0: there was none */
    bool closed;        /* it was up, and the broker closed it */
    uint64_t lasted_ms; /* so long it was up */
};
struct sr_mqtt_link_end sr_mqtt_link_end(const struct sr_mqtt_link *mqtt);
/* From now on pauses grow up to `pause_max_ms`, and begin anew after a connection of
 * `healthy_ms`. */
void sr_mqtt_link_set_patience(struct sr_mqtt_link *mqtt, uint32_t pause_max_ms,
                               uint32_t healthy_ms);

/* Gives the connection up as lost; `down` is called from the loop with `reason` (static). */
void sr_mqtt_link_drop(struct sr_mqtt_link *mqtt, const char *reason);

#endif
