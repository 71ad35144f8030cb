/* SPDX-License-Identifier: MIT */
/* The reporter as a state machine: no I/O, no clock, no chance, no memory and no callbacks of its own.
 *
 *     sr_core_init -> _begin -> an input, its steps, an input, its steps ...
 *
 * Each input says what time it is (milliseconds of any clock that only goes forward) and, where
 * chance is needed, brings 32 random bits. Behind it sr_core_next() is called until it says
 * SR_CORE_DONE, and each step is carried out before the next is fetched. What calls the
 * application comes last; it may give the machine any input, and fetch what follows.
 *
 * It knows batches by their address and by what is in them (batch.h). Its parts: what goes next
 * and when (here), which row is never taken (poison.h, trial.h), how fast the backlog goes
 * (bucket.h), what does not pass by itself (here). */
#ifndef REPORTER_CORE_H
#define REPORTER_CORE_H

#include "base/backoff.h"
#include "outbox/batch.h"
#include "reporter/bucket.h"
#include "reporter/poison.h"
#include "reporter/states.h"
#include <smartrest/outbox.h>

/* What an answer says about the payload as a whole. */
enum sr_verdict {
    SR_VERDICT_TAKEN,
    SR_VERDICT_NO_CREDENTIALS, /* nothing was */
    SR_VERDICT_NO_COLLECTION /* nothing was, or another collection than the own is meant */
};

/* What rows of the platform say about troubles. */
struct sr_signs {
    bool no_collection; /* it does not know the collection of the last payload */
    size_t not_found; /* rows of the last payload that name the device, and got a 404 */
    size_t naming; /* rows of it that name the device; only to be right if others did */
};

/* Milliseconds, rows and bytes. */
struct sr_core_options {
    bool connects; /* there is a connection that can be up without traffic */
    bool live_first;
    unsigned window, poison_after;
    size_t batch_rows;
    size_t payload_max,
        payload_min; /* it gets smaller when it is too large, to min at least */
    uint64_t linger, ack, clock_wait;
    uint32_t answer; /* by MQTT an answer comes within, or there is none */
    uint32_t pause_max,
        slow_retry; /* the longest pause: usually; while a trouble lasts */
    uint64_t replay_rows, replay_bytes; /* a second; 0: no limit */
};

struct sr_core_step {
    enum sr_core_what {
        SR_CORE_DONE,
        SR_CORE_DROP,    /* the connection: `batch` was not acknowledged in time */
        SR_CORE_LOST,    /* the link is down; `was_up`: until now it was up */
        SR_CORE_HOLD,    /* `batch` is put aside */
        SR_CORE_CONVICT, /* its row is never taken: a dead letter */
        SR_CORE_RELEASE, /* it was aside, and waits again */
        SR_CORE_FORGET,  /* `batch` is acknowledged */
        SR_CORE_RETURN,  /* `batch` waits again */
        SR_CORE_RETURN_ALL, /* so does all that is under way; `counts`: as one of its retries */
        SR_CORE_RESIZE,  /* payloads are smaller from now on: core->payload_max */
        SR_CORE_TROUBLE, /* `trouble` begins or is over: `begins` */
        SR_CORE_ANSWERS, /* the link is up: the platform answers, again */
        SR_CORE_DELIVER, /* the answer, to the handlers */
        SR_CORE_MARK,    /* what waits is backlog from now on */
        SR_CORE_LOOK,    /* what waits? sr_core_see() */
        SR_CORE_SEND, /* `rows` rows of `part` at most; then _sent, _passed, _not_sent */
        SR_CORE_WAKE, /* sr_core_time() at `at_ms`, UINT64_MAX never; in place of the last */
        SR_CORE_SETTLE,         /* rows may have met their fates */
        SR_CORE_TELL_UP,        /* the platform answers, again */
        SR_CORE_TELL_CONNECTED, /* it is connected, again */
        SR_CORE_STEPS
    } what;
    struct sr_batch *batch;
    enum sr_outbox_part part;
    size_t rows;
    bool stamp_anyway;
    bool was_up, counts, begins;
    enum sr_trouble trouble;
    uint64_t at_ms;
};

/* All fields are the machine's own; to be read: link, pace, payload_max, count, under_way, options. */
struct sr_core {
    struct sr_core_options options;
    enum sr_link link;
    enum sr_pace pace;
    const char *why; /* of the last change; NULL: it was not legal */
    uint64_t now_ms; /* of the last input */

    uint32_t todo;            /* steps to be fetched, bit by bit in their order */
    struct sr_batch *settled; /* of FORGET and RETURN */
    uint32_t begun, ended;    /* troubles of TROUBLE, bit by bit */
    bool was_up, counts;      /* what LOST and RETURN_ALL say */

    struct sr_batch *under_way[SR_WINDOW_MAX]; /* oldest first */
    unsigned count;
    struct sr_outbox_view view; /* of what waits */
    bool seen;                  /* it is still so */
    enum sr_outbox_part part;   /* of the last SEND */
    size_t payload_max;
    uint64_t up_since_ms;
    uint64_t
        wait_ms; /* nothing goes before; UINT64_MAX: there is nothing to wait for */
    uint64_t pause_ms; /* until then, PAUSING; UINT64_MAX: no pause */
    uint64_t wake_ms;  /* what WAKE said last */
    bool asleep;       /* the application said so */
    bool hurry;        /* a handler has sent rows: what waits goes at once */
    bool dropped;      /* DROP was said: the link is about to be down */
    bool refused; /* the failure that comes next is of a payload, not of the link */
    bool open;    /* each subscription of this connection is granted */
    bool owes_up, owes_connected;

    struct sr_poison poison;
    struct sr_bucket replay_rows, replay_bytes;
    uint32_t troubles;         /* that have begun and are not over, bit by bit */
    struct sr_backoff backoff; /* of pauses */
    struct {                /* does the platform know the collection, and the device? */
        bool foreign;       /* the last payload had rows of other collections */
        bool no_collection; /* an answer to it says so */
        bool struck;        /* all rows of it that name the device were not found */
        size_t not_found, naming; /* rows of it */
        unsigned strikes;         /* payloads in a row */
    } doubt;
};

void sr_core_init(struct sr_core *core);

/* --- inputs: the application ------------------------------------------------- */

void sr_core_begin(struct sr_core *core, const struct sr_core_options *options,
                   uint64_t now_ms);
/* Something was put, or changed otherwise. */
void sr_core_look(struct sr_core *core, uint64_t now_ms);
/* A handler has sent rows: what waits goes at once. If there is nothing to hurry, it ends by itself. */
void sr_core_hurry(struct sr_core *core, uint64_t now_ms);
void sr_core_sleep(struct sr_core *core, bool asleep, uint64_t now_ms);
/* It is over; no steps follow. The batches are the caller's business. */
void sr_core_mute(struct sr_core *core);

/* --- inputs: the link -------------------------------------------------------- */

/* There is a connection; or, without any, the next payload may go. */
void sr_core_up(struct sr_core *core, uint64_t now_ms);
/* Where there are connections, behind sr_core_up(): each subscription is granted, and what the
 * platform says by itself is heard from now on. Only now it is TELL_CONNECTED. */
void sr_core_subscribed(struct sr_core *core);
/* All that is under way is not acknowledged any more. */
void sr_core_down(struct sr_core *core, enum sr_attempt attempt, uint64_t now_ms,
                  uint32_t random);
/* A batch under way has its acknowledgement. */
void sr_core_acked(struct sr_core *core, struct sr_batch *batch, uint64_t now_ms,
                   uint32_t random);
/* It has an answer, which acknowledges it or not. */
void sr_core_answered(struct sr_core *core, struct sr_batch *batch,
                      enum sr_verdict verdict, const struct sr_signs *signs,
                      uint64_t now_ms, uint32_t random);
/* It is not taken, not now and not later; sr_core_down() is to follow, for a pause. Returns whether a
 * short one will do, since the next payload is another. */
bool sr_core_refused(struct sr_core *core, struct sr_batch *batch, bool too_large,
                     uint64_t now_ms, uint32_t random);
/* Rows have come that need not be an answer. */
void sr_core_heard(struct sr_core *core, const struct sr_signs *signs, uint64_t now_ms,
                   uint32_t random);
/* A trouble begins, or lasts; or is over, if it was there. */
void sr_core_trouble(struct sr_core *core, enum sr_trouble trouble, bool begins);

/* --- inputs: the clock, and what steps came to --------------------------------- */

/* `at_ms` of WAKE is reached; too early is harmless. */
void sr_core_time(struct sr_core *core, uint64_t now_ms);
/* After LOOK, or whenever it is known: what waits. */
void sr_core_see(struct sr_core *core, const struct sr_outbox_view *view);
/* After SEND: the batch is under way, of which `naming` rows name the device (0 will do unless
 * sr_core_doubts()); what waits now was seen. */
void sr_core_sent(struct sr_core *core, struct sr_batch *batch, size_t naming);
/* What was taken can never go, and was set aside. */
void sr_core_passed(struct sr_core *core);
/* Nothing was taken; or it was, and could not be sent: then sr_core_down() is to follow. */
void sr_core_not_sent(struct sr_core *core);

void sr_core_next(struct sr_core *core, struct sr_core_step *ret_step);

/* --- questions --------------------------------------------------------------- */

/* May a payload with so many rows and bytes get another row, one of the backlog? It did. */
bool sr_core_has_room(const struct sr_core *core, bool backlog, size_t rows,
                      size_t bytes);
void sr_core_spend(struct sr_core *core, size_t bytes);
/* Has the device been missing, so that it matters which payloads name it? */
bool sr_core_doubts(const struct sr_core *core);
/* The longest pause between attempts as things are, milliseconds. */
uint32_t sr_core_pause_max(const struct sr_core *core);
bool sr_core_has_trouble(const struct sr_core *core, enum sr_trouble trouble);
/* When time is to be told next. */
uint64_t sr_core_due(const struct sr_core *core);

#endif
