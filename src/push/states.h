/* SPDX-License-Identifier: MIT */
/* The states of a push, and which may follow which. */
#ifndef PUSH_STATES_H
#define PUSH_STATES_H

enum sr_push_state {
    SR_PUSH_IDLE,        /* not started */
    SR_PUSH_SHAKING,     /* 80 is under way */
    SR_PUSH_SUBSCRIBING, /* 81 is under way, the first of a session */
    SR_PUSH_HOLDING,     /* 83 is held */
    SR_PUSH_DELIVERING,  /* rows are with the handlers */
    SR_PUSH_PAUSING,     /* between two requests */
    SR_PUSH_ASLEEP,
    SR_PUSH_OVER, /* the platform said so */
    SR_PUSH_STATES
};

const char *sr_push_state_name(enum sr_push_state state);

/* Why a push may go from one state to the other; NULL if it may not. */
const char *sr_push_change(enum sr_push_state from, enum sr_push_state to);

#endif
