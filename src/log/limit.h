/* SPDX-License-Identifier: MIT */
/* A few lines of a kind in each period, and a count of the others, for what a peer or a row can
 * trigger as often as it likes. Pure: time is an argument. src/loop/flood.h has it with a timer.
 *
 *     struct sr_log_limit limit = { 0 };
 *     if (sr_log_limit_allows(&limit, now_ms)) log the line
 *     ... at sr_log_limit_due_ms(&limit): log sr_log_limit_count(&limit, now_ms) */
#ifndef SR_LOG_LIMIT_H
#define SR_LOG_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

enum { SR_LOG_FEW = 3, SR_LOG_PERIOD_MS = 10 * 1000 };

struct sr_log_limit {
    bool begun;
    uint64_t since_ms; /* when the period's first line was written, once begun */
    unsigned lines;    /* written in this period */
    uint64_t left_out; /* not written, and not told yet */
};

/* May the line be written? Else it is counted. */
bool sr_log_limit_allows(struct sr_log_limit *limit, uint64_t now_ms);
/* When the count is to be logged: the end of the period. UINT64_MAX if nothing was left out. */
uint64_t sr_log_limit_due_ms(const struct sr_log_limit *limit);
/* How many were left out, if that is due, else 0. Each is told once. */
uint64_t sr_log_limit_count(struct sr_log_limit *limit, uint64_t now_ms);

#endif
