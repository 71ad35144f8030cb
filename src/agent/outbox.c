/* SPDX-License-Identifier: MIT */
/* The application's side of the outbox: on disk, and what became of its rows. */
#include "agent/agent_p.h"
#include <stdio.h>

#define SR_LOG_COMPONENT "agent"
#include <smartrest/log.h>

enum {
    FATES_PER_TURN = 1000, /* a callback that sends again must not hold the loop */
    LOG_LOSSES_MS = 10 * 1000
};

const char *sr_fate_name(enum sr_fate fate)
{
    static const char *const names[SR_FATES] = {
        [SR_FATE_DELIVERED] = "delivered", [SR_FATE_FULL] = "full",
        [SR_FATE_EXPIRED] = "expired",     [SR_FATE_RETRIES] = "retries",
        [SR_FATE_ASLEEP] = "asleep",       [SR_FATE_POISON] = "poison",
        [SR_FATE_DAMAGED] = "damaged",     [SR_FATE_STORED] = "stored",
        [SR_FATE_LOST] = "lost",
    };

    return (unsigned)fate < SR_FATES ? names[fate] : "unknown";
}

/* --- on disk ------------------------------------------------------------ */

int sr_agent_open_outbox(struct sr_agent *agent, const char *dir)
{
    struct sr_store_recovery recovery = { 0 };
    struct sr_store_options options;
    char why[512] = "";
    int rc;

    if (!agent)
        return SR_E_INVAL;
    if (!dir || !*dir)
        return sr_agent_fail(agent, SR_E_INVAL, "outbox: no folder is named");
    options = (struct sr_store_options){
        .cap = (uint64_t)agent->settings.outbox_capacity,
        .sync = (enum sr_store_sync)agent->settings.outbox_sync,
        .sync_ms = (unsigned)agent->settings.outbox_sync_interval,
    };
    rc = sr_outbox_open(agent->outbox, dir, &options, &recovery, why, sizeof why);
    if (rc)
        return sr_agent_fail(agent, rc, "%s", *why ? why : sr_strerror(rc));
    agent->on_disk = true;
    if (*recovery.note)
        sr_warning("%s", recovery.note);
    if (recovery.rows)
        sr_info("%s: rows of an earlier run that wait: %llu", dir,
                (unsigned long long)recovery.rows);
    sr_loop_wake(
        agent->loop); /* to send them, and to tell what is wrong with the disk */
    return 0;
}

/* --- what became of rows ------------------------------------------------ */

void sr_agent_on_loss(struct sr_agent *agent, sr_loss_fn fn, void *arg)
{
    if (!agent)
        return;
    agent->lost = fn;
    agent->lost_arg = arg;
}

static bool is_over(const struct sr_agent *agent)
{
    return agent->doomed && !agent->closing;
}

static void tell_fates(struct sr_agent *agent)
{
    struct sr_outbox_fate fate;
    int told = 0;

    while (sr_outbox_next_fate(agent->outbox, &fate)) {
        fate.told(fate.arg, fate.fate);
        if (++told == FATES_PER_TURN && !agent->closing) {
            sr_loop_wake(agent->loop);
            return;
        }
    }
}

static void log_loss(const struct sr_loss *loss)
{
    bool on_purpose = loss->fate == SR_FATE_EXPIRED || loss->fate == SR_FATE_ASLEEP;
    char from[SR_STAMP_LEN + 1], to[SR_STAMP_LEN + 1];

    sr_stamp(loss->from_ms, from);
    sr_stamp(loss->to_ms, to);
    sr_log_write(on_purpose ? SR_LOG_INFO : SR_LOG_WARNING, SR_LOG_COMPONENT,
                 "lost rows with%s SR_PRIO_BUF: %llu (%s); sent between %s and %s",
                 loss->buffered ? "" : "out", (unsigned long long)loss->rows,
                 sr_fate_name(loss->fate), from, to);
}

/* At the bound each row costs another: the log has it every few seconds, not a line each. */
static bool may_log(const struct sr_agent *agent)
{
    return agent->closing || !sr_deadline_is_set(&agent->log_losses);
}

static void tell_losses(struct sr_agent *agent)
{
    struct sr_loss loss;
    bool any = false;

    while (!is_over(agent) && (agent->lost || may_log(agent)) &&
           sr_outbox_next_loss(agent->outbox, &loss)) {
        if (loss.fate == SR_FATE_STORED)
            continue; /* it goes at the next start */
        any = true;
        if (agent->lost)
            agent->lost(agent, &loss, agent->lost_arg);
        else
            log_loss(&loss);
    }
    if (!any || agent->doomed)
        return;
    if (!agent->lost)
        sr_deadline_set(&agent->log_losses, LOG_LOSSES_MS);
    sr_agent_report_soon(agent);
}

static void on_log_again(void *arg)
{
    sr_agent_tell(arg);
}

static void tell_disk(struct sr_agent *agent)
{
    char why[512] = "", text[sizeof why + 64];
    uint64_t retry_ms;
    bool fails;

    while (sr_outbox_disk_note(agent->outbox, text, sizeof text))
        sr_warning("%s", text);
    if (is_over(agent))
        return;
    if (sr_outbox_disk_news(agent->outbox, &fails, why, sizeof why)) {
        snprintf(text, sizeof text, "the outbox's disk fails, rows wait in memory: %s",
                 why);
        sr_agent_trouble(agent, SR_TROUBLE_DISK, fails ? text : NULL);
    }
    if (is_over(agent))
        return;
    retry_ms = sr_outbox_retry_in_ms(agent->outbox);
    if (retry_ms == UINT64_MAX)
        sr_deadline_clear(&agent->retry_disk);
    else
        sr_deadline_set(&agent->retry_disk, retry_ms);
}

/* An agent that has nothing to send comes back to its disk, too. */
static void on_retry_disk(void *arg)
{
    struct sr_agent *agent = arg;

    sr_outbox_retry_disk(agent->outbox);
    sr_agent_tell(agent);
}

static void look_whether_flushed(struct sr_agent *agent)
{
    if (agent->flush.on && !agent->flush.done)
        agent->flush.done = sr_outbox_settled(agent->outbox, agent->flush.rows);
}

void sr_agent_tell(struct sr_agent *agent)
{
    if (agent->telling) /* a callback did something that led here: its caller goes on */
        return;
    agent->telling = true;
    if (sr_outbox_has_news(agent->outbox)) {
        tell_fates(agent);
        tell_losses(agent);
        tell_disk(agent);
    } else {
        sr_deadline_clear(&agent->retry_disk);
    }
    agent->telling = false;
    look_whether_flushed(agent);
}

void sr_agent_settled(void *arg)
{
    struct sr_agent *agent = arg;

    if (agent->loop->running)
        sr_agent_tell(agent);
    else
        sr_loop_wake(agent->loop); /* callbacks are the loop's */
}

void sr_agent_tell_end(struct sr_agent *agent)
{
    if (agent->reporter)
        sr_reporter_mute(agent->reporter); /* what is under way goes no further */
    sr_outbox_close(agent->outbox);
    sr_agent_tell(agent);
}

int sr_agent_init_telling(struct sr_agent *agent)
{
    int rc = sr_deadline_init(&agent->log_losses, agent->loop, on_log_again, agent);
    if (!rc)
        rc = sr_deadline_init(&agent->retry_disk, agent->loop, on_retry_disk, agent);

    return rc ? rc : sr_agent_init_report(agent);
}

/* --- trouble ------------------------------------------------------------ */

void sr_agent_on_trouble(struct sr_agent *agent, sr_trouble_fn fn, void *arg)
{
    if (!agent)
        return;
    agent->trouble = fn;
    agent->trouble_arg = arg;
}

static void log_trouble(struct sr_agent *agent, enum sr_trouble trouble,
                        const char *text)
{
    static const char *const over[SR_TROUBLES] = {
        [SR_TROUBLE_AUTH] = "the platform takes the credentials again",
        [SR_TROUBLE_XID] = "the platform knows the template collection again",
        [SR_TROUBLE_DEVICE] = "the device's managed object is there again",
        [SR_TROUBLE_TWIN] = "no other client with this id connects any more",
        [SR_TROUBLE_DISK] = "the outbox is on disk again",
        [SR_TROUBLE_SUBSCRIPTION] = "the broker grants all subscriptions again",
    };

    if (text && trouble == SR_TROUBLE_POISON && !sr_flood_lets(&agent->floods.poison))
        return;
    if (text)
        sr_error("%s", text);
    else if ((unsigned)trouble < SR_TROUBLES && over[trouble])
        sr_notice("%s", over[trouble]);
}

void sr_agent_trouble(void *arg, enum sr_trouble trouble, const char *text)
{
    struct sr_agent *agent = arg;

    if (is_over(agent))
        return;
    if (agent->trouble)
        agent->trouble(agent, trouble, text, agent->trouble_arg);
    else
        log_trouble(agent, trouble, text);
}

/* --- flush -------------------------------------------------------------- */

static void on_flush_over(void *arg)
{
    struct sr_agent *agent = arg;

    agent->flush.done = true;
}

static int flush(struct sr_agent *agent, uint64_t timeout_ms)
{
    const uint64_t rows = sr_outbox_rows_put(agent->outbox);
    struct sr_deadline deadline;
    struct sr_outbox_stats stats;
    int rc = sr_deadline_init(&deadline, agent->loop, on_flush_over, agent);

    if (rc)
        return sr_agent_fail(agent, rc, "flush: out of memory");
    agent->flush.on = true;
    agent->flush.done = false;
    agent->flush.rows = rows;
    sr_deadline_set(&deadline, timeout_ms < INT64_MAX ? timeout_ms : INT64_MAX);
    sr_reporter_hurry(agent->reporter);
    sr_loop_wake(agent->loop);
    rc = sr_loop_run_until(agent->loop, &agent->flush.done);
    agent->flush.on = false;
    sr_deadline_release(&deadline);
    if (rc)
        return sr_agent_fail(agent, rc, "flush: stopped");
    if (sr_outbox_settled(agent->outbox, rows))
        return 0;
    sr_outbox_stats(agent->outbox, &stats);
    return sr_agent_fail(agent, SR_E_TIMEOUT, "flush: rows that still wait: %llu",
                         (unsigned long long)stats.rows);
}

int sr_agent_flush(struct sr_agent *agent, uint64_t timeout_ms)
{
    int rc = sr_agent_enter(agent);

    if (rc)
        return rc;
    if (agent->reporter && sr_reporter_started(agent->reporter))
        rc = flush(agent, timeout_ms);
    else
        rc = sr_agent_fail(agent, SR_E_STATE, "flush: the reporter is not started");
    return sr_agent_leave(agent, rc);
}
