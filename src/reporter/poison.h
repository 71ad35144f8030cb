/* SPDX-License-Identifier: MIT */
/* Which row is it that the server never takes? A payload that is refused, or under whose head the
 * connection drops more often in a row than this line's drops explain, is sent in halves until one
 * row is alone. That row stands accused, and is put aside; others go meanwhile. Pure; time and
 * chance are arguments.
 *
 *     sr_poison_init -> sr_poison_failed, _acked, _stuck -> sr_poison_next ... until DONE
 *
 *             failed           one row            it is guilty
 *     CALM ------------> HALVING ------> ACCUSING ------------> CALM, without it
 *       ^                   |            |  ^  |
 *       |    all acked      |            |  |  | also one row: accused, too
 *       +-------------------+            |  +--+
 *       ^       accused one acked, or too many accused
 *       +--------------------------------+
 *
 * A row that was refused by status is let in again as soon as another one got through, which shows
 * that it is not the server that takes nothing. Refused again, it is guilty.
 *
 * A row under which connections drop is on trial (trial.h): it is let in again, alone, at moments
 * that chance picks among the others' payloads. It is guilty when it has dropped alone `after`
 * times, the first time included, and the comparison with the others proves it. These are payloads
 * at least as large, since a line may drop large ones more often. Until another got through it
 * has its place back again and again: if the line is down, it is not overtaken.
 *
 * What is aside is let in from time to time in any case, so that an innocent one goes at last,
 * also when nothing else is sent. That proves nothing. A row that is the only one has no
 * witness: it is guilty if it is refused by status `after` times, and else never. */
#ifndef REPORTER_POISON_H
#define REPORTER_POISON_H

#include "outbox/batch.h"
#include "reporter/trial.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SR_ACCUSED_MAX = 64, SR_LINES = 4 };

struct sr_accused {
    uint64_t id; /* of the row */
    struct sr_batch
        *batch;     /* aside; NULL: let in, it waits among the others and is first */
    size_t bytes;   /* of its payload */
    unsigned alone; /* times it failed alone */
    unsigned drops; /* payloads with it that dropped; the line's if it is innocent */
    bool refused;   /* the last failure was by status */
    bool witnessed; /* others have got through since it was accused */
    bool picked;    /* let in because chance said so */
    bool owed;      /* to be let in whatever chance says */
    struct sr_trial trial; /* once witnessed */
    unsigned spree,
        again; /* not witnessed: attempts of its own before the next of others; left */
    uint64_t due_ms;                           /* when it is let in in any case */
    uint32_t pause_ms;                         /* the last one until that */
    bool set_aside, guilty, let_in, acquitted; /* orders that are still to be given */
};

struct sr_poison {
    unsigned after; /* drops until the head is suspected, at least */
    uint32_t pause_max_ms;
    struct sr_line lines[SR_LINES]; /* by the size of payloads */
    size_t suspects;                /* HALVING: of so many rows one is it; else 0 */
    bool by_drops;                  /* HALVING: why */
    uint64_t head;                  /* the row that was first at the last drop */
    unsigned drops;                 /* in a row, under that head, or all suspects */
    unsigned noted[SR_LINES];       /* of these, by line */
    size_t accused_count;           /* ACCUSING if not 0 */
    struct sr_accused accused[SR_ACCUSED_MAX];
};

/* `pause_max_ms`: the longest until what is aside is let in again. */
void sr_poison_init(struct sr_poison *poison, unsigned after, uint32_t pause_max_ms);

/* May a payload with so many rows and bytes get another one? */
bool sr_poison_has_room(const struct sr_poison *poison, size_t rows, size_t bytes);
/* While searching, only one payload is under way. */
bool sr_poison_searching(const struct sr_poison *poison);
/* Is this row under suspicion: the head that dropped last, or any in a search? */
bool sr_poison_suspects(const struct sr_poison *poison, uint64_t first);

/* The oldest payload under way was refused by status, or the connection dropped. Of the batch are
 * read first, rows, len, and others, which have to be right. If it is put aside it has to stay
 * where it is until it is let in or convicted. Returns whether
 * the search goes on from here, so that the next try need not wait long. */
enum sr_failure { SR_FAILURE_DROP, SR_FAILURE_REFUSED };
bool sr_poison_failed(struct sr_poison *poison, struct sr_batch *batch,
                      enum sr_failure failure, uint64_t now_ms, uint32_t random);
void sr_poison_acked(struct sr_poison *poison, struct sr_batch *batch, uint64_t now_ms,
                     uint32_t random);
/* Nothing else waits, and nothing is under way. Returns in how many milliseconds to come back if it is
 * so still, UINT64_MAX if nothing is aside. */
uint64_t sr_poison_stuck(struct sr_poison *poison, uint64_t now_ms);

/* What is to be done now with the rows of *ret_batch, one after the other. */
enum sr_poison_order {
    SR_POISON_DONE,
    SR_POISON_HOLD,    /* aside */
    SR_POISON_CONVICT, /* they are it */
    SR_POISON_RELEASE  /* they wait again */
};
enum sr_poison_order sr_poison_next(struct sr_poison *poison,
                                    struct sr_batch **ret_batch);

#endif
