/* SPDX-License-Identifier: MIT */
/* The reporter's inside: from the outbox to a transport and back.
 *
 *     transport: sr_reporter_up ... send -> sr_reporter_acked, _received ... _down
 *
 * The reporter knows when what goes out; a transport knows how. */
#ifndef REPORTER_REPORTER_H
#define REPORTER_REPORTER_H

#include "base/settings.h"
#include "loop/loop.h"
#include "outbox/outbox.h"
#include "protocol/protocol.h"
#include <smartrest/outbox.h>
#include <smartrest/reporter.h>

/* --- what a transport is to the reporter ------------------------------- */

struct sr_transport {
    const struct sr_transport_ops *ops;
};

struct sr_transport_ops {
    enum sr_carrier carrier; /* what a protocol knows it as */
    size_t payload_max;      /* bytes, of several rows */
    unsigned window_max;     /* payloads under way */
    bool connects;           /* has a connection that can be up without traffic */
    void (*start)(struct sr_transport *transport);
    /* Sends the payload of a batch while up, where its channel says. Returns 0, and calls
     * sr_reporter_acked() with it or sr_reporter_down() later; until then the batch and its
     * payload stay where they are. Or an error, meaning try later. Calls neither from inside. */
    int (*send)(struct sr_transport *transport, struct sr_batch *batch);
    /* An acknowledgement is overdue: start over, and say sr_reporter_down(). */
    void (*drop)(struct sr_transport *transport, const char *reason);
    void (*free)(struct sr_transport *transport);
};

/* --- what the reporter is to a transport ------------------------------- */

/* There is a connection; or, without any, the next payload may go: what is said of an outage then
 * waits for an acknowledgement. */
void sr_reporter_up(struct sr_reporter *reporter);
/* All that is under way is not acknowledged any more. `reason` is for people. */
void sr_reporter_down(struct sr_reporter *reporter, enum sr_attempt attempt,
                      const char *reason);
void sr_reporter_acked(struct sr_reporter *reporter, struct sr_batch *batch);
/* The platform does not take this payload, not now and not later. Its rows wait again, or have
 * met their fate; sr_reporter_down() is to follow, for a pause. Returns whether a short one
 * will do, since the next payload is another. */
struct sr_refusal {
    const char *why; /* for people */
    bool too_large;  /* that is what it says */
};
bool sr_reporter_refused(struct sr_reporter *reporter, struct sr_batch *batch,
                         const struct sr_refusal *refusal);
/* The platform's answer to that payload, and to no other; its rows are from `origin`. It acknowledges
 * the payload unless it says that nothing was taken. */
void sr_reporter_answered(struct sr_reporter *reporter, struct sr_batch *batch,
                          const struct sr_origin *origin, struct sr_rows *rows);
/* By MQTT, behind sr_reporter_up(): each subscription of this connection is granted, and operations
 * come. Only now `connected` of the configuration is called. */
void sr_reporter_subscribed(struct sr_reporter *reporter);
/* A trouble has begun, or lasts; or, `text` NULL, is over, if it was there. */
void sr_reporter_trouble(struct sr_reporter *reporter, enum sr_trouble trouble,
                         const char *text);
/* The longest pause between attempts as things are. */
uint32_t sr_reporter_pause_max_ms(const struct sr_reporter *reporter);
/* Rows from the platform. */
void sr_reporter_received(struct sr_reporter *reporter, const struct sr_origin *origin,
                          struct sr_rows *rows);

/* --- what the reporter is to the agent --------------------------------- */

struct sr_reporter_config {
    struct sr_loop *loop;
    struct sr_outbox *outbox;
    struct sr_settings *settings; /* the agent's; fixed once the reporter is started */
    /* Dispatches rows from there and counts them. */
    void (*received)(void *arg, const struct sr_origin *origin, struct sr_rows *rows,
                     uint64_t *rows_seen, uint64_t *malformed);
    /* A trouble begins; or, `text` NULL, is over. SR_TROUBLE_POISON only begins. NULL: nobody
     * wants to know. */
    void (*trouble)(void *arg, enum sr_trouble trouble, const char *text);
    /* Rows may have met their fates: sr_outbox_next_fate() and sr_outbox_next_loss() know. Called on
     * the loop, from where everything may be called. NULL: nobody wants to know. */
    void (*settled)(void *arg);
    /* The id of the device's managed object, to tell when it is gone. NULL, or returns
     * NULL or "": not known. */
    const char *(*own_id)(void *arg);
    /* The platform answers (again): MQTT is connected, or the first HTTP request since the start or
     * a failure was acknowledged. Called on the loop, from where everything may be called. NULL:
     * nobody wants to know. */
    void (*up)(void *arg);
    /* The way down is open (again): by MQTT each subscription is granted; by HTTP at the
     * start, and when a request was acknowledged after an outage (a refused payload is none).
     * After the rows that waited were looked at. Called as `up` is; NULL, too. */
    void (*connected)(void *arg);
    void *arg;
};

int sr_reporter_make(const struct sr_reporter_config *config,
                     struct sr_reporter **ret_reporter);
/* From a callback, too: it is gone when the turn is over. */
void sr_reporter_destroy(struct sr_reporter *reporter);
/* Nothing more is sent or dispatched. */
void sr_reporter_mute(struct sr_reporter *reporter);
/* config.arg */
void *sr_reporter_owner(const struct sr_reporter *reporter);
/* Starts, with the X-Id known. The transport is the reporter's from here on, whatever
 * this returns: 0 or SR_E_NOMEM. */
int sr_reporter_begin(struct sr_reporter *reporter, struct sr_transport *transport,
                      const char *xid);
/* Something was put into the outbox. */
void sr_reporter_look(struct sr_reporter *reporter);
/* A handler may have sent rows: what waits goes at once. */
void sr_reporter_hurry(struct sr_reporter *reporter);

bool sr_reporter_started(const struct sr_reporter *reporter);
/* Has it ever reached its server? A transport without connections always has. */
bool sr_reporter_reached(const struct sr_reporter *reporter);
/* Why it is not connected, for people; "" if nothing failed yet. */
const char *sr_reporter_reason(const struct sr_reporter *reporter);
/* While an answer is dispatched that belongs to one payload: the row of it that line `line`
 * speaks of; NULL if that cannot be told. */
const char *sr_reporter_cause(struct sr_reporter *reporter, uint64_t line,
                              size_t *ret_len);
/* The collection of the agent's own rows. */
const char *sr_reporter_xid(const struct sr_reporter *reporter);
const struct sr_settings *sr_reporter_settings(const struct sr_reporter *reporter);

#endif
