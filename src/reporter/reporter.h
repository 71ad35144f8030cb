/* SPDX-License-Identifier: MIT */
/* The reporter's inside: from the outbox to a transport and back.
 *
 * The reporter knows when what goes out; a transport knows how. */
#ifndef REPORTER_REPORTER_H
#define REPORTER_REPORTER_H

#include "base/settings.h"
#include "loop/loop.h"
#include "outbox/outbox.h"
#include "protocol/protocol.h"
#include "transport/transport.h"
#include <smartrest/outbox.h>
#include <smartrest/reporter.h>

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
