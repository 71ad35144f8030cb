/* SPDX-License-Identifier: MIT */
/* Device push as a state machine: no I/O, no clock, no random numbers of its own.
 *
 *     sr_push_machine_init -> start -> an input, its steps, an input, its steps ...
 *
 * Each input says what time it is and gets the steps to take, in their order. What
 * calls the application (deliver, report, tell) always comes last: it may give the
 * machine any of the application's inputs, and gets no other before
 * sr_push_machine_delivered(). Two requests may be under way, the main one
 * (80, 81, 83) and one beside it, for changes while a connect is held. */
#ifndef PUSH_MACHINE_H
#define PUSH_MACHINE_H

#include "base/backoff.h"
#include "push/answer.h"
#include "push/states.h"
#include <smartrest/push.h>
#include <smartrest/row.h>

enum { SR_PUSH_XIDS_MAX = 64, SR_PUSH_FAILURE_TEXT_MAX = 512, SR_PUSH_STEPS_MAX = 6 };

/* Milliseconds; see sr_push_defaults. */
struct sr_push_times {
    uint64_t answer;   /* for an answer to 80 to 82 */
    uint64_t quiet;    /* held without a byte, then the connection is dead */
    uint64_t stall;    /* in the middle of an answer without a byte, the same */
    uint64_t too_soon; /* an answer with nothing in it: the next one has to wait */
    uint64_t healthy;  /* held for that long, failures before are forgotten */
    uint64_t interval_max, timeout_max; /* whatever the platform advises */
};
extern const struct sr_push_times sr_push_defaults;

enum sr_push_line { SR_PUSH_MAIN, SR_PUSH_SIDE, SR_PUSH_LINES };

struct sr_push_step {
    enum {
        SR_PUSH_SEND,   /* `text` on `line`; NULL: no memory, which is to be answered */
        SR_PUSH_CANCEL, /* what is under way on `line` */
        SR_PUSH_DELIVER, /* `text`, rows for the handlers; sr_push_machine_delivered() */
        SR_PUSH_REPORT,  /* machine->failure */
        SR_PUSH_TELL     /* a new session is subscribed: from now on operations come */
    } what;
    enum sr_push_line line;
    uint64_t timeout_ms; /* of the request; 0: none, and bytes are told as they come */
    const char *text; /* the machine's, until the next input; rows until `delivered` */
    size_t len;
};

struct sr_push_steps {
    struct sr_push_step step[SR_PUSH_STEPS_MAX];
    size_t count;
    const char *warning; /* something was ignored: what; NULL */
};

/* How a request ended. */
struct sr_push_outcome {
    int rc; /* 0: there is a status */
    long status;
    bool proved; /* the server is the platform: transport/prover.h */
    const char *body;
    size_t len;
};

/* What went wrong last. */
struct sr_push_failure {
    int id; /* SR_PUSH_HANDSHAKE_FAILED ... */
    int rc; /* of enum sr_error; 0: the platform answered `text` */
    char text[SR_PUSH_FAILURE_TEXT_MAX + 1];
    size_t len;
};

/* What to do when an answer is done with. */
enum sr_push_ending {
    SR_PUSH_GO_ON,  /* with the next connect, after the advised interval */
    SR_PUSH_SLOWER, /* the same after a pause that grows */
    SR_PUSH_BEGIN,  /* after such a pause, with a handshake */
    SR_PUSH_END
};

/* All fields are the machine's own; to be read: state, why, sleeping, failure, stats. */
struct sr_push_machine {
    struct sr_push_times times;
    uint32_t (*random)(void);
    enum sr_push_state state;
    const char *why; /* of the last change; NULL: it was not legal */
    bool sleeping;   /* what the application wants */

    char object_id[256];
    char *xids[SR_PUSH_XIDS_MAX];
    size_t xid_count;
    /* Each change of the list has a number: the last one, the last removal, the one
     * that is under way beside, and the one the platform has accepted. */
    uint32_t change, removal, asked, accepted;

    /* The session. */
    char client_id[SR_PUSH_CLIENT_ID_MAX + 1]; /* "": there is none */
    bool subscribed;
    bool has_batch;
    uint64_t batch; /* to be acknowledged by the next connect */
    uint64_t interval_ms, timeout_ms;
    unsigned refusals; /* statuses 5xx in a row */

    uint64_t sent_ms, heard_ms; /* of the connect that is held: begun, last byte */
    bool in_answer;             /* more than blanks has come */
    uint64_t pause_ends_ms;
    struct sr_backoff backoff;

    bool side_busy;
    uint64_t side_ms; /* not before */
    struct sr_backoff side_backoff;

    char *rows;                 /* being delivered */
    enum sr_push_ending ending; /* for when they are */
    bool failed;                /* `failure` is to be reported */
    struct sr_push_failure failure;
    struct sr_row request[SR_PUSH_LINES];
    struct sr_push_stats stats; /* without the rows */
};

/* `times` NULL: the defaults; `random` gives 32 bits for the jitter of pauses. */
void sr_push_machine_init(struct sr_push_machine *machine,
                          const struct sr_push_times *times, uint32_t (*random)(void));
void sr_push_machine_release(struct sr_push_machine *machine);

/* --- from the application ------------------------------------------------- */

/* With the agent's object id. Returns 0, SR_E_INVAL, SR_E_STATE (started already). */
int sr_push_machine_start(struct sr_push_machine *machine, const char *object_id,
                          uint64_t now_ms, struct sr_push_steps *ret_steps);
void sr_push_machine_sleep(struct sr_push_machine *machine, uint64_t now_ms,
                           struct sr_push_steps *ret_steps);
void sr_push_machine_resume(struct sr_push_machine *machine, uint64_t now_ms,
                            struct sr_push_steps *ret_steps);
/* `xid` is valid. Returns 0, SR_E_FULL, SR_E_NOMEM. */
int sr_push_machine_subscribe(struct sr_push_machine *machine, const char *xid,
                              uint64_t now_ms, struct sr_push_steps *ret_steps);
void sr_push_machine_unsubscribe(struct sr_push_machine *machine, const char *xid,
                                 uint64_t now_ms, struct sr_push_steps *ret_steps);

/* --- from the network and the clock ------------------------------------------ */

void sr_push_machine_answered(struct sr_push_machine *machine, enum sr_push_line line,
                              const struct sr_push_outcome *outcome, uint64_t now_ms,
                              struct sr_push_steps *ret_steps);
/* Bytes of the answer to the connect that is held. No steps. */
void sr_push_machine_heard(struct sr_push_machine *machine, const char *bytes,
                           size_t len, uint64_t now_ms);
void sr_push_machine_delivered(struct sr_push_machine *machine, uint64_t now_ms,
                               struct sr_push_steps *ret_steps);
/* When sr_push_machine_due() is reached; too early is harmless. */
void sr_push_machine_time(struct sr_push_machine *machine, uint64_t now_ms,
                          struct sr_push_steps *ret_steps);
/* UINT64_MAX: there is nothing to wait for. */
uint64_t sr_push_machine_due(const struct sr_push_machine *machine);

#endif
