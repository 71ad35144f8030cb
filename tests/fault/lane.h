/* SPDX-License-Identifier: MIT */
/* A lane: one outbox directory, one platform, and agents that live and die on it one after the
 * other. Lanes run beside each other in one process without threads. */
#ifndef FAULT_LANE_H
#define FAULT_LANE_H

#include "dice.h"
#include "judge.h"
#include "life.h"
#include "receiver.h"
#include <sys/types.h>

struct lane {
    bool by_mqtt;
    char dir[64], outbox[80], server[64], broker[64];
    char ledger_file[80];
    struct ledger *ledger;
    struct judge judge;
    struct receiver *receiver;
    struct dice dice;

    struct life life;
    unsigned window; /* of this life */
    pid_t pid;       /* 0: nobody lives */
    int64_t kill_us; /* when; INT64_MAX: not */

    /* How often the platform hangs up on a payload, and acknowledges late; per cent. */
    unsigned hang_ups, late;
    const char *poison; /* and on each payload with this text in it; NULL: none */
    unsigned poisoned;

    unsigned kills, kills_in[LEDGER_PHASES], kills_with_backlog, hung_up;
};

/* Whatever cannot be is asserted. */
void lane_open(struct lane *lane, bool by_mqtt, uint64_t seed);
/* One that was never opened is left alone. */
void lane_close(struct lane *lane);

/* Prepares lane->life: settings and load by the dice; the caller may change them. */
void lane_conceive(struct lane *lane);
/* Starts lane->life in a child. */
void lane_start(struct lane *lane);
/* The same as a program, with variables in its environment ("NAME=value", NULL at the end). */
void lane_start_program(struct lane *lane, const char *const *variables);
/* kill -9. */
void lane_kill(struct lane *lane);

/* Turns the platforms of `count` lanes until something happens or `until_us` is there. Fails when
 * an agent has died by itself. */
void lanes_turn(struct lane *lanes, size_t count, int64_t until_us);
/* Until the lanes have all rows, agents living. */
void lanes_drain(struct lane *lanes, size_t count, unsigned patience_ms);

#endif
