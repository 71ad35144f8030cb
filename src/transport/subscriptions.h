/* SPDX-License-Identifier: MIT */
/* What an agent subscribes to, and what of it the broker has granted. No I/O.
 *
 *     sr_subscriptions_add ... -> sr_subscriptions_reset -> sr_subscriptions_ask
 *         -> sr_subscriptions_hear -> sr_subscriptions_missing
 *
 * One SUBSCRIBE asks for all topics of one QoS that are missing; a SUBACK answers them in
 * order. A topic is granted only if the SUBACK says so: a code above 2 refuses it, and so does
 * a SUBACK that ends before it. */
#ifndef TRANSPORT_SUBSCRIPTIONS_H
#define TRANSPORT_SUBSCRIPTIONS_H

#include <stdbool.h>
#include <stddef.h>

enum { SR_SUBSCRIPTIONS_QOS = 2 }; /* 0 and 1 are asked for */

struct sr_subscription {
    char *topic;
    int qos;
    bool granted; /* on this connection */
};

struct sr_subscriptions {
    struct sr_subscription *all;
    size_t count, room;
    const char **asked; /* room for `room` topics */
    int ids
        [SR_SUBSCRIPTIONS_QOS]; /* of the SUBSCRIBE under way for each QoS; 0: none */
    bool downgraded;            /* a topic was granted with a lower QoS, ever */
};

/* For `room` topics. Returns 0, SR_E_NOMEM. */
int sr_subscriptions_init(struct sr_subscriptions *subs, size_t room);
/* Zeroed is fine. */
void sr_subscriptions_release(struct sr_subscriptions *subs);
/* Adds the topic, if it is not there yet. Returns 0, SR_E_NOMEM. */
int sr_subscriptions_add(struct sr_subscriptions *subs, const char *topic, int qos);

/* A new connection: nothing is granted or under way. */
void sr_subscriptions_reset(struct sr_subscriptions *subs);
/* The topics with `qos` that are missing, valid until the next call. The caller puts the
 * message id of the SUBSCRIBE into `ids`. Returns their number. */
size_t sr_subscriptions_ask(struct sr_subscriptions *subs, int qos,
                            const char *const **ret_topics);
/* A SUBACK. Returns the QoS of the SUBSCRIBE that it answers, -1 if there is none. */
int sr_subscriptions_hear(struct sr_subscriptions *subs, int message_id,
                          const int *granted, int count);
/* Is a SUBSCRIBE under way? */
bool sr_subscriptions_asked(const struct sr_subscriptions *subs);
/* Writes the missing topics with blanks between, cut if need be. Returns their number. */
size_t sr_subscriptions_missing(const struct sr_subscriptions *subs, char *text,
                                size_t size);

#endif
