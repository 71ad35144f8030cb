/* SPDX-License-Identifier: MIT */
/* A generic MQTT 3.1.1 client on a loop, with or without an agent.
 *
 *     sr_mqtt_new -> sr_mqtt_subscribe ... -> sr_mqtt_connect -> up ... sr_mqtt_publish
 *                 ... down -> up ... -> sr_mqtt_disconnect -> sr_mqtt_free
 *
 * Once told to connect it does, and does so again after every loss, with pauses that grow;
 * subscriptions are made anew each time. Nothing blocks, name resolution included. Functions
 * are called from the loop, one at a time, and may call everything here. Loop thread only.
 *
 * This is not what carries an agent's rows: that is sr_reporter_new_mqtt(). */
#ifndef SMARTREST_MQTT_H
#define SMARTREST_MQTT_H

#include <smartrest/error.h>
#include <smartrest/net.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct sr_loop;
struct sr_mqtt;

/* A message that is published or has come. */
struct sr_mqtt_message {
    const char *topic;   /* without wildcards */
    const char *payload; /* NUL-terminated behind `len` when it has come */
    size_t len;          /* bytes */
    int qos;             /* 0, 1 or 2 */
    bool retained;       /* to be kept by the broker; or: was kept by it */
};

/* Copied, texts included. */
struct sr_mqtt_options {
    const char *host;         /* name or address */
    uint16_t port;            /* 0: 1883, with TLS 8883 */
    bool tls;                 /* verified as `net` says */
    const struct sr_net *net; /* NULL: the defaults */
    const char *client_id;    /* NULL: a random one */
    const char *user;         /* NULL: none */
    const char *password;     /* NULL: none */
    unsigned keepalive_s;     /* 0, none, or 5 to 65535 */
    bool keep_session;        /* the broker's, over connections; needs a client id */
    const struct sr_mqtt_message
        *will; /* published by the broker if this client is lost */
};

/* Each may be NULL. */
struct sr_mqtt_events {
    void (*up)(void *arg); /* connected; subscriptions are under way */
    /* A connection, or the attempt at one (`was_up` false), is over; the next one is
     * arranged. `reason` is for people and names the broker. */
    void (*down)(void *arg, bool was_up, const char *reason);
    /* A message that no subscription's function has got. */
    void (*message)(void *arg, const struct sr_mqtt_message *message);
    /* The broker has refused a subscription, or not answered it within connect_ms of the
     * options. It is asked for again by the next connection, or by sr_mqtt_subscribe(). */
    void (*refused)(void *arg, const char *filter);
};

/* `message` is valid during the call. */
typedef void (*sr_mqtt_fn)(void *arg, const struct sr_mqtt_message *message);

/* `rc` 0: the message has left (QoS 0), or the broker has it (1 and 2). SR_E_UNREACHABLE:
 * the connection broke first, and nobody knows. */
typedef void (*sr_mqtt_done_fn)(void *arg, int rc);

/* On success *ret_mqtt is the caller's, to be freed before the loop. Returns 0; SR_E_NOMEM;
 * SR_E_INVAL: NULL, a keep-alive out of bounds, or, and then the log says which: no host or one of more
 * than 253 bytes, a client id or user that is not UTF-8 without control characters, a client id, user,
 * password or will of more than 65535 bytes, an empty client id, keep_session without client id, a
 * password without user, a will that is no message, or a file of `net` that is not what it should
 * be. */
SR_API int sr_mqtt_new(struct sr_loop *loop, const struct sr_mqtt_options *options,
                       const struct sr_mqtt_events *events, void *arg,
                       struct sr_mqtt **ret_mqtt);

/* Disconnects first. Returns at once. Accepts NULL. Returns NULL. */
SR_API struct sr_mqtt *sr_mqtt_free(struct sr_mqtt *mqtt);

/* Returns 0, SR_E_INVAL (NULL), SR_E_STATE (it is connecting or connected), SR_E_NOMEM. */
SR_API int sr_mqtt_connect(struct sr_mqtt *mqtt);

/* Tells the broker, so that there is no will, and stays away until sr_mqtt_connect().
 * `down` and the functions of publishes under way are not called any more. Accepts NULL. */
SR_API void sr_mqtt_disconnect(struct sr_mqtt *mqtt);

/* Between `up` and `down`. false for NULL. */
SR_API bool sr_mqtt_is_up(const struct sr_mqtt *mqtt);

/* Publishes a copy. `done` (may be NULL) is called once unless the client is disconnected
 * before. Returns 0; or, and then nothing was sent: SR_E_STATE, not connected (nothing is
 * queued over outages); SR_E_FULL, 1000 messages or sr_mqtt_set_send_max() bytes are under
 * way: wait for one of them; SR_E_INVAL, a topic with wildcards, empty or not UTF-8, or a
 * QoS that is none; SR_E_TOOBIG, more than MQTT can; SR_E_UNREACHABLE, the connection broke:
 * `down` follows; SR_E_NOMEM. */
SR_API int sr_mqtt_publish(struct sr_mqtt *mqtt, const struct sr_mqtt_message *message,
                           sr_mqtt_done_fn done, void *arg);
/* Bytes of payloads under way; the default is 4 MiB. Accepts NULL. */
SR_API void sr_mqtt_set_send_max(struct sr_mqtt *mqtt, size_t max);

/* Subscribes to `filter` (`+` is one level, `#` at the end any number; neither matches
 * topics that begin with `$`), now if connected and at every connection. Messages that match
 * go to `fn`: to each function with a filter that does. A later call for the same filter
 * replaces function and QoS. A message that is larger, with
 * its topic, than receive_max of the options is refused at its header: the connection ends, and
 * `down` says so. Returns 0, SR_E_INVAL (not a filter), SR_E_NOMEM. */
SR_API int sr_mqtt_subscribe(struct sr_mqtt *mqtt, const char *filter, int qos,
                             sr_mqtt_fn fn, void *arg);
/* The same for `count` filters; all or none. */
SR_API int sr_mqtt_subscribe_many(struct sr_mqtt *mqtt, const char *const *filters,
                                  size_t count, int qos, sr_mqtt_fn fn, void *arg);

/* Takes effect at once: the function is not called any more. Returns 0, also if it was not
 * subscribed; SR_E_INVAL. */
SR_API int sr_mqtt_unsubscribe(struct sr_mqtt *mqtt, const char *filter);
/* The same for `count` filters. */
SR_API int sr_mqtt_unsubscribe_many(struct sr_mqtt *mqtt, const char *const *filters,
                                    size_t count);

/* Does a message to `topic` go to a subscription of `filter`? */
SR_API bool sr_mqtt_matches(const char *filter, const char *topic);

#ifdef __cplusplus
}
#endif
#endif
