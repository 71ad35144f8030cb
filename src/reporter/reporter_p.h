/* SPDX-License-Identifier: MIT */
/* The reporter's inside, shared by the files of this folder:
 *
 *     core.c      what goes when, and what becomes of it: a machine (states.c, poison.c, trial.c,
 *                 bucket.c are its parts)
 *     steps.c     carries out what the machine says: outbox, transport, callbacks
 *     reporter.c  tells the machine what happens: its life, its options, what the transport says */
#ifndef REPORTER_REPORTER_P_H
#define REPORTER_REPORTER_P_H

#include "reporter/core.h"
#include "reporter/payloads.h"
#include "reporter/reporter.h"

struct sr_reporter {
    struct sr_reporter_config config;
    struct sr_transport *transport;
    struct sr_grave grave;
    struct sr_core core;
    struct sr_deadline wake; /* as the machine said */
    uint64_t dice;

    char *xid;
    struct sr_payloads payloads;
    const char *payload; /* the last one */
    size_t payload_len;
    struct { /* while an answer to that payload is dealt with */
        const struct sr_origin *origin;
        struct sr_rows *rows;
    } answer;
    bool answering; /* handlers have that answer */
    bool skips_15;  /* the platform does not count `15` rows as lines */
    bool reached;   /* the server, ever */

    const char *said;     /* of a trouble, while it is dealt with: what */
    char poison_why[240]; /* of the last failure that the machine was told */
    char reason[512];     /* why it is not connected */
    struct sr_reporter_stats stats;
};

/* --- reporter.c -------------------------------------------------------------- */

/* Does `told`, to which a trouble may have added something, say what `reason` does? How many
 * milliseconds it took, as libcurl tells, is nothing new. */
bool sr_reporter_says(const char *told, const char *reason);

/* --- steps.c ----------------------------------------------------------------- */

/* Carries out all steps that follow from the last input. The last thing to do: everything may be
 * called from there. */
void sr_reporter_run(struct sr_reporter *reporter);
/* What waits is known to the machine. */
void sr_reporter_see(struct sr_reporter *reporter);
/* Rows from there, for the handlers. */
void sr_reporter_dispatch(struct sr_reporter *reporter, const struct sr_origin *origin,
                          struct sr_rows *rows);
/* What do these rows, for the agent's own collection, say about troubles? They may be the answer to the
 * last payload. */
struct sr_signs sr_reporter_listen(struct sr_reporter *reporter, struct sr_rows *rows);
/* Of the last payload. */
size_t sr_reporter_rows_naming_device(const struct sr_reporter *reporter);
/* 32 bits that nobody can foresee who does not read our memory. */
uint32_t sr_reporter_roll(struct sr_reporter *reporter);
bool sr_reporter_is_over(const struct sr_reporter *reporter);

#endif
