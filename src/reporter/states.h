/* SPDX-License-Identifier: MIT */
/* The states of a reporter, and which may follow which. It has two at a time: how it stands with the
 * other end, and how much may go at a time. */
#ifndef REPORTER_STATES_H
#define REPORTER_STATES_H

#include <stddef.h>

enum sr_link {
    SR_LINK_NEW,     /* not begun */
    SR_LINK_WAITING, /* no connection yet, and nothing has failed */
    SR_LINK_DOWN,    /* something has failed; nothing goes */
    SR_LINK_TRYING, /* the next payload may go, and will show whether somebody answers: HTTP */
    SR_LINK_UP,   /* the platform answers; by HTTP also before anything has failed */
    SR_LINK_OVER, /* nothing goes any more, for ever */
    SR_LINKS
};

enum sr_pace {
    SR_PACE_FREE,      /* as many payloads as the window has room for */
    SR_PACE_SEARCHING, /* one payload: a row is looked for that is never taken */
    SR_PACE_PROBING, /* one row: does the platform know collection and device again? */
    SR_PACE_PAUSING, /* none: between two rows of these */
    SR_PACE_ASLEEP,  /* none: the application said so */
    SR_PACES
};

const char *sr_link_name(enum sr_link link);
const char *sr_pace_name(enum sr_pace pace);

/* A line of a table. */
struct sr_change {
    unsigned from, to;
    const char *why;
};
/* All lines. */
const struct sr_change *sr_link_changes(size_t *ret_count);
const struct sr_change *sr_pace_changes(size_t *ret_count);

/* The line for that change; NULL: it is not legal. */
const struct sr_change *sr_link_change(enum sr_link from, enum sr_link to);
const struct sr_change *sr_pace_change(enum sr_pace from, enum sr_pace to);

#endif
