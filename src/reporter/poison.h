/* SPDX-License-Identifier: MIT */
/* Which row is it that the server never takes? A payload that is refused, or under whose head the
 * connection drops again and again, is sent in halves until one row is alone. That row
 * stands accused, and is put aside; others go one at a time. It is guilty only if one of them
 * gets through: otherwise it is the server that takes nothing. Pure.
 *
 *     sr_poison_init -> sr_poison_failed, _acked, _stuck -> sr_poison_next ... until DONE
 *
 *             failed           one row            another acked
 *     CALM ------------> HALVING ------> ACCUSING ------------> CALM, without the guilty
 *       ^                   |            |  ^  |
 *       |    all acked      |            |  |  | also one row: accused, too
 *       +-------------------+            |  +--+
 *       ^       accused one acked, or too many accused
 *       +--------------------------------+
 *
 * Then it has another chance: the server may just have come to its senses. A row that is refused
 * by status again is guilty; one under which connections drop, as they do for other reasons, too,
 * is when it has failed `after` times, others in between. A row that is the only one
 * has no witness: it is guilty if it is refused by status `after` times, and else never. */
#ifndef REPORTER_POISON_H
#define REPORTER_POISON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SR_ACCUSED_MAX = 64 };

struct sr_accused {
    uint64_t id;     /* of the row */
    uint32_t ticket; /* aside under it; 0: it waits among the others */
    unsigned alone;  /* times it failed alone */
    bool refused;    /* the last of these by status */
    bool witnessed;  /* others have got through since it was accused */
    bool set_aside;  /* an order that is still to be given */
    bool guilty;     /* the same */
};

struct sr_poison {
    unsigned after;       /* drops until the head is suspected */
    size_t suspects;      /* HALVING: of so many rows one is it; else 0 */
    uint64_t head;        /* CALM: the row that was first at the last drop */
    unsigned drops;       /* in a row, with that one */
    size_t accused_count; /* ACCUSING if not 0 */
    struct sr_accused accused[SR_ACCUSED_MAX];
    bool release; /* an order that is still to be given */
};

/* What was, or is, under way. */
struct sr_payload {
    uint32_t ticket; /* not 0 */
    uint64_t first;  /* id of the first row */
    size_t rows;
    bool only; /* nothing else waits, or is under way */
};

void sr_poison_init(struct sr_poison *poison, unsigned after);

/* Rows in the next payload, at most; while searching, only one payload is under way. */
size_t sr_poison_limit(const struct sr_poison *poison);
bool sr_poison_searching(const struct sr_poison *poison);

/* The oldest payload under way was refused by status, or the connection dropped. Returns whether
 * the search goes on from here, so that the next try need not wait long. */
bool sr_poison_failed(struct sr_poison *poison, const struct sr_payload *payload,
                      bool refused);
void sr_poison_acked(struct sr_poison *poison, const struct sr_payload *payload);
/* Nothing else waits, and nothing is under way. */
void sr_poison_stuck(struct sr_poison *poison);

/* What is to be done now, one after the other. *ret_ticket: with which rows. */
enum sr_poison_order {
    SR_POISON_DONE,
    SR_POISON_HOLD,    /* these rows aside */
    SR_POISON_CONVICT, /* these rows are it */
    SR_POISON_RELEASE  /* all that are aside wait again */
};
enum sr_poison_order sr_poison_next(struct sr_poison *poison, uint32_t *ret_ticket);

#endif
