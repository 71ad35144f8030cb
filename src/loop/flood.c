/* SPDX-License-Identifier: MIT */
#include "loop/flood.h"

#include <inttypes.h>
#include <smartrest/log.h>

static void tell(const struct sr_flood *flood, uint64_t count)
{
    if (count)
        sr_log_write(SR_LOG_WARNING, flood->component,
                     "%s: ... and %" PRIu64 " more in the last %d s", flood->what,
                     count, SR_LOG_PERIOD_MS / 1000);
}

static void on_due(void *arg)
{
    struct sr_flood *flood = arg;

    tell(flood, sr_log_limit_count(&flood->limit, sr_now_ms()));
}

int sr_flood_init(struct sr_flood *flood, struct sr_loop *loop, const char *component,
                  const char *what)
{
    *flood = (struct sr_flood){ .component = component, .what = what };
    return sr_deadline_init(&flood->due, loop, on_due, flood);
}

void sr_flood_release(struct sr_flood *flood)
{
    tell(flood, flood->limit.left_out);
    flood->limit = (struct sr_log_limit){ 0 };
    sr_deadline_release(&flood->due);
}

bool sr_flood_lets(struct sr_flood *flood)
{
    uint64_t now = sr_now_ms(), due;
    bool lets = sr_log_limit_allows(&flood->limit, now);

    if (!lets && !sr_deadline_is_set(&flood->due)) {
        due = sr_log_limit_due_ms(&flood->limit);
        sr_deadline_set(&flood->due, due > now ? due - now : 0);
    }
    return lets;
}
