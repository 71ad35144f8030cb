/* SPDX-License-Identifier: MIT */
/* Device push: operations by HTTP long poll (SmartREST real-time notifications).
 *
 *     sr_push_new -> sr_push_start ... sleep, resume, subscribe ... -> sr_push_free
 *
 * Goes with the HTTP reporter; over MQTT operations come by themselves. A push shakes
 * hands (80), subscribes to the device's channel (81) and keeps a request open (83) that
 * the platform answers when there is something; what it brings goes to the message
 * handlers, and rows they send go out at once. Batches are acknowledged (88) after their
 * rows were dispatched: an answer lost on the way comes again, one that comes twice is
 * dispatched once. Only whole answers are dispatched. A connection that has died without
 * a word is noticed by the heartbeat that stays away for 11 minutes.
 *
 * Failures are tried again, first after about 0.2 s, later up to 60 s, with jitter, and
 * told to the message handlers of the agent's own collection:
 *
 *     10000,0,<error>  or  10000,1,<answer>     handshake
 *     10001,...                                 subscribe
 *     10002,...                                 connect
 *
 * with <error> an enum sr_error (SR_E_AUTH: HTTP status 401 or 403; SR_E_REFUSED: any
 * other), or what the platform answered instead, its first 512 bytes as one value. That
 * a session has expired is no failure. The platform can end it all (86, none): that is
 * told, too, and from then on nothing is tried until sr_push_sleep(), sr_push_resume().
 *
 * An agent has one push. Loop thread only. Wire: docs/protocol/realtime.md. */
#ifndef SMARTREST_PUSH_H
#define SMARTREST_PUSH_H

#include <smartrest/error.h>
#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct sr_agent;
struct sr_push;

enum {
    SR_PUSH_HANDSHAKE_FAILED = 10000,
    SR_PUSH_SUBSCRIBE_FAILED,
    SR_PUSH_CONNECT_FAILED
};

/* On success *ret_push is the caller's, to be freed before the agent or with it. Returns
 * 0, SR_E_INVAL, SR_E_STATE (the agent has one), SR_E_NOMEM. */
SR_API int sr_push_new(struct sr_agent *agent, struct sr_push **ret_push);

/* Accepts NULL. Returns at once, although a request may be held for minutes. Legal from
 * inside a handler: rows that came with the one at hand are still dispatched, and not
 * acknowledged. Returns NULL. */
SR_API struct sr_push *sr_push_free(struct sr_push *push);

/* Connects, in the background, once the loop runs; after bootstrap and integrate.
 * Returns 0, SR_E_INVAL (NULL, or the agent's server), SR_E_STATE (no credentials, X-Id
 * or object id yet, or started already), SR_E_NOMEM; sr_agent_error() says why. */
SR_API int sr_push_start(struct sr_push *push);

/* Asleep, nothing is received: the request that is held is given up, the platform keeps
 * what it has for a short time only (docs/protocol/realtime.md). Resume takes up where
 * it was if the platform still knows the session, else starts over; operations from the
 * time between are pending on the platform. Both accept NULL and repeats, and may be
 * called before start. */
SR_API void sr_push_sleep(struct sr_push *push);
SR_API void sr_push_resume(struct sr_push *push);
SR_API bool sr_push_is_sleeping(const struct sr_push *push);

/* Also makes rows with the response templates of collection `xid` (name or number), for
 * the handlers of sr_agent_on_xmessage(); takes effect at once, a request that is held
 * included, and lasts over reconnects. Repeats are harmless. A collection that the
 * platform refuses is told as 10001. Returns 0, SR_E_INVAL, SR_E_FULL (there are 64),
 * SR_E_NOMEM. */
SR_API int sr_push_subscribe(struct sr_push *push, const char *xid);
/* Returns 0, also if it was not subscribed; SR_E_INVAL. */
SR_API int sr_push_unsubscribe(struct sr_push *push, const char *xid);

/* Numbers since the push was made, but for `connected`: as it is now. */
struct sr_push_stats {
    bool connected;                /* a handshake and subscription are in force */
    uint64_t handshakes, connects; /* requests that were answered well */
    uint64_t failures;             /* requests that were not */
    uint64_t rows_received;        /* operations, and what else came */
    uint64_t rows_malformed;       /* received, and not understood */
    uint64_t batches;              /* 88 */
    uint64_t batches_repeated;     /* of these, seen before and not dispatched again */
};
/* Accepts NULL for `push`: all zero. */
SR_API void sr_push_stats(const struct sr_push *push, struct sr_push_stats *ret_stats);

#ifdef __cplusplus
}
#endif
#endif
