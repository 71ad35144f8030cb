/* SPDX-License-Identifier: MIT */
#include "agent/agent_p.h"
#include "watchdog/notify.h"
#include <errno.h>
#include <smartrest/timer.h>
#include <smartrest/watchdog.h>
#include <stdlib.h>
#include <string.h>

#define SR_LOG_COMPONENT "watchdog"
#include <smartrest/log.h>

struct sr_watchdog {
    struct sr_notify notify;
    struct sr_timer *timer;
    bool ready;   /* READY=1 has been sent */
    bool failing; /* and this has been logged */
};

/* A listener with a full queue has kicks enough; READY=1 goes with the next one. */
static int say(struct sr_watchdog *wd, const char *text)
{
    if (sr_notify_send(&wd->notify, text)) {
        wd->ready = true;
        wd->failing = false;
        return 0;
    }
    if (errno == EAGAIN)
        return 0;
    if (!wd->failing)
        sr_warning("the watchdog does not listen: %s", strerror(errno));
    wd->failing = true;
    return SR_E_IO;
}

int sr_watchdog_kick(struct sr_watchdog *wd)
{
    if (!wd)
        return SR_E_INVAL;
    if (!wd->ready)
        return say(wd, wd->notify.interval_us ? "READY=1\nWATCHDOG=1" : "READY=1");
    return wd->notify.interval_us ? say(wd, "WATCHDOG=1") : 0;
}

static void on_timer(struct sr_agent *agent, struct sr_timer *timer, void *arg)
{
    (void)agent, (void)timer;
    sr_watchdog_kick(arg);
}

static int start_timer(struct sr_watchdog *wd, struct sr_agent *agent)
{
    int rc;

    if (!agent || !wd->notify.interval_us)
        return 0;
    rc = sr_timer_new(agent, wd->notify.interval_us / 2000, on_timer, wd, &wd->timer);
    return rc ? rc : sr_timer_start(wd->timer);
}

static int explain(struct sr_agent *agent, int rc, const char *wrong)
{
    return agent ? sr_agent_fail(agent, rc, "watchdog: %s", wrong) : rc;
}

int sr_watchdog_new(struct sr_agent *agent, struct sr_watchdog **ret_watchdog)
{
    const char *wrong = NULL;
    struct sr_watchdog *wd;
    int rc;

    if (!ret_watchdog)
        return explain(agent, SR_E_INVAL, "no place for it: NULL");
    wd = calloc(1, sizeof *wd);
    if (!wd)
        return explain(agent, SR_E_NOMEM, "out of memory");
    rc = sr_notify_open(&wd->notify, &wrong);
    if (rc) {
        explain(agent, rc, wrong ? wrong : strerror(errno));
        free(wd);
        return rc;
    }
    rc = start_timer(wd, agent);
    if (rc) {
        explain(agent, rc, "out of memory");
        sr_timer_free(wd->timer);
        sr_notify_close(&wd->notify);
        free(wd);
        return rc;
    }
    sr_watchdog_kick(wd);
    *ret_watchdog = wd;
    return 0;
}

struct sr_watchdog *sr_watchdog_free(struct sr_watchdog *wd)
{
    if (!wd)
        return NULL;
    say(wd, wd->notify.interval_us ? "STOPPING=1\nWATCHDOG=1" : "STOPPING=1");
    sr_timer_free(wd->timer);
    sr_notify_close(&wd->notify);
    free(wd);
    return NULL;
}

uint64_t sr_watchdog_interval(const struct sr_watchdog *wd)
{
    return wd ? (wd->notify.interval_us + 999) / 1000 : 0;
}
