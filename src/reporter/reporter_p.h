/* SPDX-License-Identifier: MIT */
/* The reporter's inside, shared by the files of this folder:
 *
 *     reporter.c  its life, its options, what the transport says
 *     plan.c      what goes next, and when
 *     flights.c   payloads under way: sent, acknowledged, failed, suspected
 *     troubles.c  what does not pass by itself, and how it is told from what does */
#ifndef REPORTER_REPORTER_P_H
#define REPORTER_REPORTER_P_H

#include "base/backoff.h"
#include "reporter/bucket.h"
#include "reporter/payloads.h"
#include "reporter/poison.h"
#include "reporter/reporter.h"

#ifndef SR_ACK_MS /* tests are less patient */
#define SR_ACK_MS ((uint64_t)reporter->config.settings->request_timeout)
#endif

struct sr_reporter {
    struct sr_reporter_config config;
    struct sr_transport *transport;
    struct sr_reporter *next;
    unsigned window; /* of the settings, if the transport has as many */

    char *xid;
    struct sr_payloads payloads;
    const char *payload; /* the last one */
    size_t payload_len, payload_max;
    struct { /* while an answer to that payload is dispatched */
        const char *rows;
        size_t len;
    } answer;
    bool skips_15; /* the platform does not count `15` rows as lines */
    bool started, up, reached, asleep;
    bool muted; /* freed by the application, and gone once the loop is out of its way */
    bool hurry; /* a handler has sent rows: what waits goes at once */
    bool told_up; /* that the platform answers */
    bool
        refused; /* the failure that comes next is of a payload, not of the connection */
    bool away;   /* there was an outage, or no connection yet: `connected` is due */
    bool open;   /* MQTT: each subscription of this connection is granted */
    uint64_t up_since_ms;

    struct sr_batch *sent[SR_WINDOW_MAX]; /* under way, oldest first */
    unsigned flying;
    struct sr_poison poison;
    char poison_why[240]; /* of the last failure that it was told */
    struct sr_bucket replay_rows, replay_bytes;

    bool troubles[SR_TROUBLES]; /* that have begun and are not over */
    struct {                /* does the platform know the collection, and the device? */
        bool foreign;       /* the last payload had rows of other collections */
        bool no_collection; /* an answer to it says so */
        size_t not_found;   /* rows of it that name the device and got a 404 */
        bool struck;        /* all of those that name it did */
        unsigned strikes;   /* payloads in a row */
    } doubt;
    struct sr_deadline pace; /* set: nothing goes until then, since there is trouble */
    struct sr_backoff pace_backoff;

    struct sr_deadline wait; /* until something that waits is due */
    struct sr_deadline overdue;
    struct sr_reporter_stats stats;
    char reason[512];
};

/* --- reporter.c -------------------------------------------------------------- */

/* Tells what became of rows. The last thing to do: everything may be called from there. */
void sr_reporter_settle(struct sr_reporter *reporter);
/* Does `told`, to which a trouble may have added something, say what `reason` does? How many
 * milliseconds it took, as libcurl tells, is nothing new. */
bool sr_reporter_says(const char *told, const char *reason);

/* --- plan.c ----------------------------------------------------------------- */

void sr_plan_begin(struct sr_reporter *reporter);
/* May rows of the backlog go on; these went. */
bool sr_plan_lets_backlog(const struct sr_reporter *reporter);
void sr_plan_spend(struct sr_reporter *reporter, size_t bytes);

/* --- flights.c -------------------------------------------------------------- */

/* Sends one payload of rows that wait. False if there is none, or if it could not. */
bool sr_flights_send(struct sr_reporter *reporter, enum sr_outbox_part part);
/* Forgets the rows of one that is acknowledged. */
void sr_flights_land(struct sr_reporter *reporter, struct sr_batch *batch);
/* The rows of one that was not taken wait again. */
void sr_flights_return(struct sr_reporter *reporter, struct sr_batch *batch);
/* None is under way any more; their rows are the outbox's business. */
void sr_flights_clear(struct sr_reporter *reporter);
/* All have failed. Returns whether a row is suspected to be why. */
bool sr_flights_fail(struct sr_reporter *reporter, enum sr_attempt attempt);
bool sr_flights_refused(struct sr_reporter *reporter, struct sr_batch *batch,
                        const struct sr_refusal *refusal);
/* Nothing else waits: what of the rows that were put aside? True if some wait now. */
bool sr_flights_unstick(struct sr_reporter *reporter);
/* Sets the deadline for the acknowledgement of the oldest one. */
void sr_flights_watch(struct sr_reporter *reporter);

/* --- troubles.c ------------------------------------------------------------- */

/* One row at a time, until it is known whether the platform takes them. */
bool sr_troubles_probing(const struct sr_reporter *reporter);
/* A pause, longer each time. */
void sr_troubles_pause(struct sr_reporter *reporter);
/* The pause is over. */
void sr_troubles_resume(struct sr_reporter *reporter);
/* The next payload is about to take the place of the last one; it has. */
void sr_troubles_settle(struct sr_reporter *reporter);
void sr_troubles_next(struct sr_reporter *reporter, bool foreign);
/* A payload was acknowledged; its answer comes with it (HTTP), or not. */
void sr_troubles_acked(struct sr_reporter *reporter, bool answered);
/* Rows for the agent's own collection, which may be the answer to the last payload. */
void sr_troubles_hear(struct sr_reporter *reporter, const char *rows, size_t len);

#endif
