/* SPDX-License-Identifier: MIT */
/* Lines that a peer or a row can trigger as often as it likes: a few are logged, and every 10 s
 * how many more there were. For a place that has a loop; src/log/limit.h decides.
 *
 *     sr_flood_init(&flood, loop, "reporter", "refused rows")
 *     if (sr_flood_lets(&flood)) sr_warning(...)       as often as it comes
 *     sr_flood_release(&flood)                         logs what is still to be told */
#ifndef LOOP_FLOOD_H
#define LOOP_FLOOD_H

#include "log/limit.h"
#include "loop/loop.h"

struct sr_flood {
    struct sr_log_limit limit;
    struct sr_deadline due;
    const char *component, *what; /* static */
};

/* `what` is in the plural: "refused rows: ... and 49990 more in the last 10 s". Returns 0 or
 * SR_E_NOMEM. */
int sr_flood_init(struct sr_flood *flood, struct sr_loop *loop, const char *component,
                  const char *what);
/* Zeroed, half-built or released: all fine. */
void sr_flood_release(struct sr_flood *flood);
/* May a line be logged now? Else it is counted. On the loop's thread. */
bool sr_flood_lets(struct sr_flood *flood);

#endif
