/* SPDX-License-Identifier: MIT */
#include "log/limit.h"

static bool is_over(const struct sr_log_limit *limit, uint64_t now_ms)
{
    return !limit->begun || now_ms - limit->since_ms >= SR_LOG_PERIOD_MS;
}

/* A period with a count that is still to be told goes on until it is told: who asks late gets one
 * count, and not lines in between. */
bool sr_log_limit_allows(struct sr_log_limit *limit, uint64_t now_ms)
{
    if (!limit->left_out && is_over(limit, now_ms)) {
        limit->begun = true;
        limit->since_ms = now_ms;
        limit->lines = 0;
    }
    if (limit->lines < SR_LOG_FEW) {
        limit->lines++;
        return true;
    }
    limit->left_out++;
    return false;
}

uint64_t sr_log_limit_due_ms(const struct sr_log_limit *limit)
{
    return limit->left_out ? limit->since_ms + SR_LOG_PERIOD_MS : UINT64_MAX;
}

uint64_t sr_log_limit_count(struct sr_log_limit *limit, uint64_t now_ms)
{
    uint64_t count = limit->left_out;

    if (!count || !is_over(limit, now_ms))
        return 0;
    limit->left_out = 0;
    return count;
}
