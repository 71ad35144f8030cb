/* SPDX-License-Identifier: MIT */
/* Who waits for what: the listeners of the real-time endpoints, the channels they
 * subscribed to, and the notes that they have not fetched yet. It knows no wire
 * format: notes are texts that others made, an answer is written by the listener's
 * form (realtime.c, bayeux.c).
 *
 *     handshake -> subscribe ... -> connect -> (answer) -> connect ... -> disconnect
 *     queue, queue ... -> flush
 *
 * A connect makes a poll: it has an answer at once, or gets it by a flush, by
 * expiring, or because the listener ends. A listener without a poll ends after the
 * grace. Not thread-safe: the platform's lock is around it. */
#ifndef SANDBOX_PUSH_H
#define SANDBOX_PUSH_H

#include "text.h"

#include <stdint.h>

enum {
    SB_LISTENERS_MAX = 8192,
    SB_LISTENER_CHANNELS_MAX = 256,
    SB_CHANNEL_XIDS_MAX = 16,
    SB_NOTES_MAX = 100000,             /* waiting for one listener */
    SB_NOTES_BYTES_MAX = 32 << 20,     /* the same */
    SB_NOTES_TOTAL_MAX = 256 << 20,    /* bytes waiting for all listeners */
    SB_ANSWER_NOTES_BYTES = 256 << 10, /* in one answer, or a single larger note */
    SB_CLIENT_ID_SIZE = 29,
    SB_POLL_TAG_SIZE = 64,
};

enum sb_channel_kind {
    SB_NEW_OPERATIONS, /* for an agent and what is below it */
    SB_OPERATIONS,
    SB_ALARMS,
    SB_EVENTS,
    SB_MEASUREMENTS,
    SB_MANAGED_OBJECTS,
};

struct sb_channel {
    enum sb_channel_kind kind;
    int64_t id; /* of a managed object */
};

struct sb_push;
struct sb_listener;
struct sb_poll;

/* A note of `rows` rows, made by collection `xid`. */
struct sb_note {
    struct sb_note *next;
    int64_t batch; /* number of the first answer it was in; 0: none yet */
    size_t rows, len;
    const char *xid; /* "" for none */
    char text[];
};

enum sb_answer_kind {
    SB_ANSWER_NOTES,
    SB_ANSWER_TIME_OVER,
    SB_ANSWER_UNKNOWN, /* the listener is no more: shake hands again */
};

struct sb_answer {
    enum sb_answer_kind kind;
    const struct sb_note *first;
    size_t count;
    int64_t batch; /* in reliable mode, else 0 */
    bool several;  /* the listener uses more than one X-Id */
    int64_t timeout_ms;
    const char *tag; /* what sb_listener_connect() got */
};

/* How a listener is spoken to. */
struct sb_push_form {
    void (*write)(const struct sb_answer *answer, struct sb_text *body);
};

struct sb_push *sb_push_new(int64_t grace_ms, int64_t timeout_ms);
/* Accepts NULL. Polls that are still open are answered and outlive it. */
void sb_push_free(struct sb_push *push);

/* --- listeners ------------------------------------------------------------- */

/* NULL: there are too many, or no memory. */
struct sb_listener *sb_push_handshake(struct sb_push *push, const char *user,
                                      const struct sb_push_form *form, bool reliable);
/* The listener with that client id, if it is this user's and of this form. */
struct sb_listener *sb_push_find(struct sb_push *push, const char *client_id,
                                 const char *user, const struct sb_push_form *form);
const char *sb_listener_client_id(const struct sb_listener *listener);

/* Again: other X-Ids. False: too many channels, or no memory. */
bool sb_listener_subscribe(struct sb_listener *listener, struct sb_channel channel,
                           const char *const xids[], size_t count);
void sb_listener_unsubscribe(struct sb_listener *listener, struct sb_channel channel);
void sb_listener_disconnect(struct sb_listener *listener);

/* `ack`: the batch that arrived, 0 for none. `timeout_ms` -1: the usual one. A poll
 * that was waiting is over. NULL without memory. */
struct sb_poll *sb_listener_connect(struct sb_listener *listener, int64_t ack,
                                    int64_t timeout_ms, const char *tag);

/* --- notes ----------------------------------------------------------------- */

struct sb_subscription {
    struct sb_listener *listener;
    const struct sb_push_form *form;
    const char *const *xids;
    size_t xid_count;
    struct sb_subscription *next; /* of the same channel */
};

/* The channel's subscriptions, NULL for none. Valid until one is made or ends. */
const struct sb_subscription *sb_push_subscriptions(struct sb_push *push,
                                                    struct sb_channel channel);
/* A listener that would have too much ends at the next occasion: it must not go on
 * as if it had seen everything. */
void sb_listener_queue(struct sb_listener *listener, const char *xid, size_t rows,
                       const char *text, size_t len);
/* Answers the polls of all who have something. */
void sb_push_flush(struct sb_push *push);

struct sb_push_count {
    size_t listeners, polls, notes, bytes; /* polls: that wait */
};
struct sb_push_count sb_push_count(struct sb_push *push);

/* --- polls ------------------------------------------------------------------ */

/* How long it may wait for its answer. */
int64_t sb_poll_timeout(const struct sb_poll *poll);
/* ready(arg) is called once: now, or when the answer is there. */
void sb_poll_await(struct sb_poll *poll, void (*ready)(void *arg), void *arg);
/* The time is over: makes the answer if there is none. */
void sb_poll_expire(struct sb_poll *poll);
/* False as long as there is no answer. *ret_body, if any, is for free(). */
bool sb_poll_take(struct sb_poll *poll, char **ret_body, size_t *ret_len);
/* `delivered` false: the client was gone; what was for it waits for its return. */
void sb_poll_close(struct sb_poll *poll, bool delivered);

#endif
