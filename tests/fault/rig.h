/* SPDX-License-Identifier: MIT */
/* An agent, its outbox and a platform in one thread, for faults that come from below: nobody is
 * killed here. The lane of a rig has no lives. */
#ifndef FAULT_RIG_H
#define FAULT_RIG_H

#include "lane.h"
#include <smartrest/smartrest.h>

struct rig {
    struct lane lane;
    struct sr_agent *agent;
    struct sr_reporter *reporter;
    unsigned began[SR_TROUBLES], over[SR_TROUBLES];
    char text[512]; /* of the last trouble */
    uint64_t lost;  /* rows */
};

void rig_open(struct rig *rig, bool by_mqtt);
void rig_close(struct rig *rig);

/* A new agent with an outbox in `dir` and `settings` (names and values, NULL at the end). */
void rig_start(struct rig *rig, const char *dir, const char *const *settings);
/* Frees it, as a decent application does. */
void rig_stop(struct rig *rig);

/* Sends so many rows, which have to be accepted. */
void rig_send(struct rig *rig, unsigned rows);
/* Runs agent and platform for a moment, at most `most_ms`. */
void rig_turn(struct rig *rig, unsigned most_ms);
void rig_run(struct rig *rig, unsigned ms);

/* Fails the test at the caller's line when `condition` is not true in time. */
#define rig_until(rig, condition)                                            \
    do {                                                                     \
        int64_t until_ = receiver_now_us() + 60 * 1000 * 1000ll;             \
        bool met_;                                                           \
        while (!(met_ = (condition)) && receiver_now_us() < until_)          \
            rig_turn(rig, 20);                                               \
        if (!met_)                                                           \
            fail_msg("still not: %s; trouble: %s", #condition, (rig)->text); \
    } while (0)

/* All that was accepted arrives, or is there already, and nothing was wrong with it. */
void rig_expect_all(struct rig *rig);

/* Rows that wait in the files in `dir`. */
unsigned rig_rows_on_disk(const char *dir);

#endif
