/* SPDX-License-Identifier: MIT */
/* Who is connected over MQTT, as which device, and what they subscribed to. The
 * broker tells a plugin only of single events; this is what they add up to.
 * Belongs to the broker's thread.
 *
 *     begin (CONNECT) -> subscribe, unsubscribe ... -> end (gone) -> sweep
 *
 * A client that asked for a persistent session leaves its subscriptions behind,
 * and finds them again when it comes back in the same form: the broker has told
 * it "session present", so it will not subscribe again. */
#ifndef SANDBOX_SESSION_H
#define SANDBOX_SESSION_H

#include "platform.h"

#include <stdbool.h>
#include <stddef.h>

#define SB_FILTERS_MAX 256 /* of one session */

struct mosquitto;

struct sb_subscription {
    char *filter;
    int qos;
};

struct sb_session_key {
    const struct mosquitto *client; /* NULL: asleep, a persistent session without one */
    const char *device_id;          /* points to the identity's */
};

struct sb_session {
    struct sb_session_key key; /* first: what the two trees compare */
    char *client_id;
    struct sb_identity identity;
    bool settled; /* `clean` is known */
    bool clean;
    bool gone; /* disconnected; its last will may still come */
    struct sb_session *next_gone;
    struct sb_subscription *subs;
    size_t sub_count;
};

struct sb_sessions {
    void *by_client, *by_device; /* tsearch(3) trees */
    struct sb_session *gone;
};

/* `[d:]<device>[:<template>]` -> device. False if it has another form. */
bool sb_client_id_device(const char *client_id, char *ret_device, size_t size);

/* MQTT's filter rules: `+` one level, `#` the rest, none of them for `$...`. */
bool sb_topic_matches(const char *filter, const char *topic);

/* The device's session from now on. Its former one stops being the device's, and
 * hands over its subscriptions if it is persistent and of the same client id.
 * NULL when out of memory. */
struct sb_session *sb_sessions_begin(struct sb_sessions *all,
                                     const struct mosquitto *client,
                                     const char *client_id,
                                     const struct sb_identity *identity);
void sb_sessions_end(struct sb_sessions *all, struct sb_session *session);

/* Forgets the clients that are gone. Call it when no event of theirs can come. */
void sb_sessions_sweep(struct sb_sessions *all);
void sb_sessions_clear(struct sb_sessions *all);

struct sb_session *sb_sessions_of_client(struct sb_sessions *all,
                                         const struct mosquitto *client);
/* Also one that sleeps. */
struct sb_session *sb_sessions_of_device(struct sb_sessions *all,
                                         const char *device_id);

/* False: too many, or out of memory. A known filter gets the new QoS. */
bool sb_session_subscribe(struct sb_session *session, const char *filter, int qos);
void sb_session_unsubscribe(struct sb_session *session, const char *filter);

/* Highest QoS of the subscriptions that match, -1 if none does. */
int sb_session_qos(const struct sb_session *session, const char *topic);

#endif
