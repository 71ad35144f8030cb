/* SPDX-License-Identifier: MIT */
/* What a transport is to whoever uses it, and what it says. It knows how a payload travels, and not when.
 *
 *     attach -> start -> events->up ... send -> events->acked, _answered, _refused ... _down -> free */
#ifndef TRANSPORT_TRANSPORT_H
#define TRANSPORT_TRANSPORT_H

#include "base/settings.h"
#include "outbox/batch.h"
#include "protocol/channel.h"
#include "protocol/protocol.h"
#include <smartrest/outbox.h>

/* The platform does not take this payload, not now and not later. */
struct sr_refusal {
    const char *why; /* for people */
    bool too_large;  /* that is what it says */
};

/* All are called on the loop, none from inside of `send`. In each of them the user may do anything but
 * free the transport at once. */
struct sr_transport_events {
    /* There is a connection; or, without any, the next payload may go: what is said of an outage then
     * waits for an acknowledgement. */
    void (*up)(void *arg);
    /* By MQTT, behind `up`: each subscription of this connection is granted, and operations come. */
    void (*subscribed)(void *arg);
    /* All that is under way is not acknowledged any more. `reason` is for people. */
    void (*down)(void *arg, enum sr_attempt attempt, const char *reason);
    void (*acked)(void *arg, struct sr_batch *batch);
    /* `down` is to follow, for a pause. Returns whether a short one will do, since the next payload is
     * another. */
    bool (*refused)(void *arg, struct sr_batch *batch,
                    const struct sr_refusal *refusal);
    /* The platform's answer to that payload, and to no other; its rows are from `origin`. It
     * acknowledges the payload unless it says that nothing was taken. */
    void (*answered)(void *arg, struct sr_batch *batch, const struct sr_origin *origin,
                     struct sr_rows *rows);
    /* Rows from the platform. */
    void (*received)(void *arg, const struct sr_origin *origin, struct sr_rows *rows);
    /* A trouble has begun, or lasts; or, `text` NULL, is over, if it was there. */
    void (*trouble)(void *arg, enum sr_trouble trouble, const char *text);
    /* Asks for the longest pause between attempts as things are, milliseconds. */
    uint32_t (*pause_max_ms)(void *arg);
};

struct sr_transport {
    const struct sr_transport_ops *ops;
    /* From sr_transport_attach() on: */
    const struct sr_transport_events *events;
    void *arg;                          /* of the events */
    const struct sr_settings *settings; /* fixed once it is started */
    const char *xid;                    /* of the agent's own rows */
};

struct sr_transport_ops {
    enum sr_carrier carrier; /* what a protocol knows it as */
    size_t payload_max;      /* bytes, of several rows */
    unsigned window_max;     /* payloads under way */
    bool connects;           /* has a connection that can be up without traffic */
    void (*start)(struct sr_transport *transport);
    /* Sends the payload of a batch while up, where its channel says. Returns 0, and says later
     * what became of it; until then the batch and its payload stay where they are. Or an error:
     * `down` is to follow. */
    int (*send)(struct sr_transport *transport, struct sr_batch *batch);
    /* An acknowledgement is overdue: start over, and say `down`. */
    void (*drop)(struct sr_transport *transport, const char *reason);
    void (*free)(struct sr_transport *transport);
};

/* What is handed over stays the caller's, and outlives the transport. */
static inline void sr_transport_attach(struct sr_transport *transport,
                                       const struct sr_transport_events *events,
                                       void *arg, const struct sr_settings *settings,
                                       const char *xid)
{
    transport->events = events;
    transport->arg = arg;
    transport->settings = settings;
    transport->xid = xid;
}

#endif
