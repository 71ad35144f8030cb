/* SPDX-License-Identifier: MIT */
#include "protocol/answer.h"
#include "protocol/blame.h"
#include "protocol/join.h"
#include "reporter/reporter_p.h"
#include <stdlib.h>
#include <string.h>

#define SR_LOG_COMPONENT "reporter"
#include <smartrest/log.h>

/* --- life --------------------------------------------------------------- */

static void on_wait_over(void *arg)
{
    sr_reporter_look(arg);
}

static void on_pace(void *arg)
{
    sr_troubles_resume(arg);
    sr_reporter_look(arg);
}

static void on_overdue(void *arg)
{
    struct sr_reporter *reporter = arg;

    reporter->transport->ops->drop(reporter->transport,
                                   "rows were not acknowledged in time");
}

int sr_reporter_make(const struct sr_reporter_config *config,
                     struct sr_reporter **ret_reporter)
{
    struct sr_reporter *reporter = calloc(1, sizeof *reporter);

    if (!reporter)
        return SR_E_NOMEM;
    reporter->config = *config;
    if (sr_deadline_init(&reporter->wait, config->loop, on_wait_over, reporter) ||
        sr_deadline_init(&reporter->pace, config->loop, on_pace, reporter) ||
        sr_deadline_init(&reporter->overdue, config->loop, on_overdue, reporter)) {
        sr_reporter_destroy(reporter);
        return SR_E_NOMEM;
    }
    *ret_reporter = reporter;
    return 0;
}

/* To the next reporter, awake. */
static void leave_outbox(struct sr_reporter *reporter)
{
    sr_outbox_release(reporter->config.outbox);
    sr_outbox_requeue(reporter->config.outbox);
    if (reporter->asleep)
        sr_outbox_sleep(reporter->config.outbox, false);
}

void sr_reporter_destroy(struct sr_reporter *reporter)
{
    if (reporter->transport)
        reporter->transport->ops->free(reporter->transport);
    if (!reporter->muted)
        leave_outbox(reporter);
    sr_deadline_release(&reporter->wait);
    sr_deadline_release(&reporter->pace);
    sr_deadline_release(&reporter->overdue);
    free(reporter->xid);
    sr_payloads_release(&reporter->payloads);
    free(reporter);
}

static unsigned lesser(size_t a, size_t b)
{
    return (unsigned)(a < b ? a : b);
}

int sr_reporter_begin(struct sr_reporter *reporter, struct sr_transport *transport,
                      const char *xid)
{
    const struct sr_transport_ops *ops = transport->ops;
    const struct sr_settings *settings = reporter->config.settings;

    reporter->transport = transport;
    reporter->window = lesser((size_t)settings->window, ops->window_max);
    reporter->payload_max = lesser((size_t)settings->batch_bytes, ops->payload_max);
    reporter->xid = strdup(xid);
    if (!reporter->xid || sr_payloads_init(&reporter->payloads, reporter->window,
                                           sr_join_room(ops->carrier)))
        return SR_E_NOMEM;
    sr_poison_init(&reporter->poison, (unsigned)settings->poison_after,
                   1000 * (uint32_t)settings->slow_retry);
    sr_plan_begin(reporter);
    sr_outbox_set_batch(reporter->config.outbox, (size_t)settings->batch_rows,
                        reporter->payload_max);
    reporter->started = reporter->away = true;
    reporter->reached = !ops->connects;
    ops->start(reporter->transport);
    return 0;
}

/* The rows are the next reporter's from now on, whenever this one goes. */
void sr_reporter_mute(struct sr_reporter *reporter)
{
    sr_flights_clear(reporter);
    leave_outbox(reporter);
    reporter->muted = true;
}

void sr_reporter_settle(struct sr_reporter *reporter)
{
    const struct sr_reporter_config *config = &reporter->config;

    if (!config->settled || reporter->muted)
        return;
    if (config->loop->running)
        config->settled(config->arg);
    else
        sr_loop_wake(config->loop); /* and look is called again, from there */
}

/* --- what the transport says -------------------------------------------- */

/* Once after each time that it was down, when there is no doubt. */
static void tell_up(struct sr_reporter *reporter)
{
    const struct sr_reporter_config *config = &reporter->config;

    if (reporter->told_up || reporter->muted || !reporter->up)
        return;
    reporter->told_up = true;
    if (config->up)
        config->up(config->arg);
}

static void tell_connected(struct sr_reporter *reporter)
{
    const struct sr_reporter_config *config = &reporter->config;
    bool open = reporter->open || !reporter->transport->ops->connects;

    if (!reporter->away || !open || !reporter->stats.connected || reporter->muted)
        return;
    reporter->away = false;
    if (config->connected)
        config->connected(config->arg);
}

/* A twin ends each connection in the same way: that was told, and is not told again until it
 * is over. */
static void tell_again(struct sr_reporter *reporter)
{
    if (reporter->troubles[SR_TROUBLE_TWIN])
        return;
    if (*reporter->reason)
        sr_notice("connected again");
    reporter->reason[0] = '\0';
}

/* The platform answers: a connection is up; or, by HTTP, a request was taken. */
static void note_answering(struct sr_reporter *reporter)
{
    tell_again(reporter);
    if (reporter->stats.connected)
        return;
    reporter->stats.connected = true;
    reporter->stats.connects++;
}

/* By HTTP that only says that the next request may go. Before one has failed it is taken for
 * connected; after that it has to prove it. */
void sr_reporter_up(struct sr_reporter *reporter)
{
    if (reporter->transport->ops->connects || !*reporter->reason)
        note_answering(reporter);
    reporter->up = reporter->reached = true;
    reporter->up_since_ms = sr_now_ms();
    if (!reporter->muted)
        sr_outbox_mark(reporter->config.outbox);
    sr_reporter_look(reporter);
    if (reporter->transport->ops->connects)
        tell_up(reporter);
    tell_connected(reporter);
}

void sr_reporter_subscribed(struct sr_reporter *reporter)
{
    reporter->open = true;
    tell_connected(reporter);
}

bool sr_reporter_says(const char *told, const char *reason)
{
    static const char digits[] = "0123456789", unit[] = " m"; /* ms, or the word */

    while (*reason) {
        size_t a = strspn(told, digits), b = strspn(reason, digits);

        if (a && b && !strncmp(told + a, unit, strlen(unit)) &&
            !strncmp(reason + b, unit, strlen(unit))) {
            told += a;
            reason += b;
        } else if (*told++ != *reason++) {
            return false;
        }
    }
    return true;
}

/* One warning for each outage; if the reason changes while it lasts, that is a notice. */
static void tell_down(const struct sr_reporter *reporter, const char *reason)
{
    bool begins = reporter->stats.connected || !*reporter->reason;

    if (!sr_reporter_says(reporter->reason, reason))
        SR_LOG(begins ? SR_LOG_WARNING : SR_LOG_NOTICE, "%s; trying again", reason);
}

bool sr_reporter_down(struct sr_reporter *reporter, enum sr_attempt attempt,
                      const char *reason)
{
    bool suspected;

    tell_down(reporter, reason);
    snprintf(reporter->reason, sizeof reporter->reason, "%s", reason);
    if (reporter->stats.connected)
        reporter->stats.disconnects++;
    reporter->up = reporter->told_up = reporter->stats.connected = false;
    reporter->open = false;
    reporter->away |= !reporter->refused;
    reporter->refused = false;
    suspected = sr_flights_fail(reporter, attempt);
    sr_deadline_clear(&reporter->wait);
    sr_deadline_clear(&reporter->overdue);
    sr_reporter_settle(reporter);
    return suspected;
}

void sr_reporter_acked(struct sr_reporter *reporter, struct sr_batch *batch)
{
    if (reporter->muted)
        return;
    sr_flights_land(reporter, batch);
    note_answering(reporter);
    sr_troubles_acked(reporter, false);
    sr_reporter_look(reporter);
    tell_up(reporter);
    tell_connected(reporter);
}

bool sr_reporter_refused(struct sr_reporter *reporter, struct sr_batch *batch,
                         const struct sr_refusal *refusal)
{
    reporter->refused = true;
    return !reporter->muted && sr_flights_refused(reporter, batch, refusal);
}

static void dispatch(struct sr_reporter *reporter, const struct sr_origin *origin,
                     const char *rows, size_t len)
{
    const struct sr_reporter_config *config = &reporter->config;
    uint64_t before;

    if (reporter->muted)
        return;
    before = sr_outbox_rows_put(config->outbox);
    config->received(config->arg, origin, rows, len, &reporter->stats.rows_received,
                     &reporter->stats.rows_malformed);
    if (sr_outbox_rows_put(config->outbox) != before) /* a handler has sent rows */
        sr_reporter_hurry(reporter);
}

/* Acknowledged or not, by what the answer says. */
static bool land(struct sr_reporter *reporter, struct sr_batch *batch,
                 const struct sr_origin *origin, const char *rows, size_t len)
{
    enum sr_answer says =
        origin->protocol->says ? origin->protocol->says(rows, len) : SR_ANSWER_TAKEN;

    if (says == SR_ANSWER_NO_COLLECTION && batch->foreign)
        says = SR_ANSWER_TAKEN; /* it may be the other one */
    if (says == SR_ANSWER_TAKEN)
        sr_flights_land(reporter, batch);
    else
        sr_flights_return(reporter, batch);
    if (says != SR_ANSWER_NO_CREDENTIALS) /* the transport has told that */
        sr_reporter_trouble(reporter, SR_TROUBLE_AUTH, NULL);
    if (!origin->name)
        sr_troubles_hear(reporter, rows, len);
    if (says == SR_ANSWER_TAKEN)
        sr_troubles_acked(reporter, true);
    else
        sr_troubles_pause(reporter);
    return says == SR_ANSWER_TAKEN;
}

/* The payload is in its place until the handlers are done: then the next may go. */
void sr_reporter_answered(struct sr_reporter *reporter, struct sr_batch *batch,
                          const struct sr_origin *origin, const char *rows, size_t len)
{
    bool taken;

    if (reporter->muted)
        return;
    taken = land(reporter, batch, origin, rows, len);
    if (taken) { /* else it is not about rows: the trouble has said what it is about */
        note_answering(reporter);
        reporter->answer.rows = rows;
        reporter->answer.len = len;
        dispatch(reporter, origin, rows, len);
        reporter->answer.rows = NULL;
    }
    sr_reporter_look(reporter);
    if (taken)
        tell_up(reporter);
    tell_connected(reporter);
}

const char *sr_reporter_cause(struct sr_reporter *reporter, uint64_t line,
                              size_t *ret_len)
{
    if (!reporter->answer.rows)
        return NULL;
    if (!reporter->skips_15)
        reporter->skips_15 =
            sr_answer_names_line_1(reporter->answer.rows, reporter->answer.len);
    return sr_row_on_line(reporter->payload, reporter->payload_len, line,
                          !reporter->skips_15, ret_len);
}

void sr_reporter_received(struct sr_reporter *reporter, const struct sr_origin *origin,
                          const char *rows, size_t len)
{
    if (!origin->name && !reporter->muted)
        sr_troubles_hear(reporter, rows, len);
    if (sr_troubles_probing(reporter) && !reporter->flying &&
        !sr_deadline_is_set(&reporter->pace))
        sr_troubles_pause(reporter);
    dispatch(reporter, origin, rows, len);
}

/* --- public ------------------------------------------------------------- */

static int set_number(struct sr_reporter *reporter, const char *name, size_t value)
{
    const char *reason;
    char text[32];

    if (!reporter)
        return SR_E_INVAL;
    if (reporter->started)
        return SR_E_STATE;
    snprintf(text, sizeof text, "%zu", value);
    return sr_settings_set(reporter->config.settings, name, text, &reason);
}

int sr_reporter_set_keepalive(struct sr_reporter *reporter, unsigned seconds)
{
    return set_number(reporter, "keepalive", seconds);
}

int sr_reporter_set_linger(struct sr_reporter *reporter, unsigned linger_ms)
{
    return set_number(reporter, "linger", linger_ms);
}

int sr_reporter_set_batch(struct sr_reporter *reporter, unsigned rows)
{
    return set_number(reporter, "batch_rows", rows);
}

int sr_reporter_set_window(struct sr_reporter *reporter, unsigned publishes)
{
    return set_number(reporter, "window", publishes);
}

int sr_reporter_set_capacity(struct sr_reporter *reporter, size_t bytes)
{
    const char *reason;
    char text[32];
    int rc;

    if (!reporter)
        return SR_E_INVAL;
    snprintf(text, sizeof text, "%zu", bytes);
    rc = sr_settings_set(reporter->config.settings, "capacity", text, &reason);
    if (!rc)
        sr_outbox_set_cap(reporter->config.outbox, bytes);
    return rc;
}

size_t sr_reporter_capacity(const struct sr_reporter *reporter)
{
    return reporter ? (size_t)reporter->config.settings->capacity : 0;
}

void sr_reporter_sleep(struct sr_reporter *reporter)
{
    if (!reporter)
        return;
    reporter->asleep = true;
    sr_outbox_sleep(reporter->config.outbox, true);
    sr_reporter_settle(reporter);
}

void sr_reporter_resume(struct sr_reporter *reporter)
{
    if (!reporter || !reporter->asleep)
        return;
    reporter->asleep = false;
    sr_outbox_sleep(reporter->config.outbox, false);
    sr_reporter_look(reporter);
}

bool sr_reporter_is_sleeping(const struct sr_reporter *reporter)
{
    return reporter && reporter->asleep;
}

static uint64_t met(const struct sr_outbox_stats *box, enum sr_fate fate)
{
    return box->fates[fate][SR_CLASS_VOLATILE] + box->fates[fate][SR_CLASS_BUFFERED];
}

void sr_reporter_stats(const struct sr_reporter *reporter,
                       struct sr_reporter_stats *ret_stats)
{
    struct sr_outbox_stats box;

    if (!reporter) {
        *ret_stats = (struct sr_reporter_stats){ 0 };
        return;
    }
    sr_outbox_stats(reporter->config.outbox, &box);
    *ret_stats = reporter->stats;
    ret_stats->rows_waiting = box.rows;
    ret_stats->bytes_waiting = box.bytes;
    ret_stats->rows_queued = box.rows_put;
    ret_stats->rows_dropped = met(&box, SR_FATE_FULL) + met(&box, SR_FATE_POISON) +
                              met(&box, SR_FATE_DAMAGED);
    ret_stats->rows_given_up = met(&box, SR_FATE_RETRIES) + met(&box, SR_FATE_ASLEEP);
    ret_stats->rows_expired = met(&box, SR_FATE_EXPIRED);
    ret_stats->rows_quarantined = met(&box, SR_FATE_POISON);
    ret_stats->rows_damaged = met(&box, SR_FATE_DAMAGED);
    ret_stats->rows_refused = box.rows_refused;
    ret_stats->rows_on_disk = box.disk_rows;
    ret_stats->bytes_on_disk = box.disk_bytes;
    ret_stats->disk_fails = box.disk_fails;
}

struct sr_reporter **sr_reporter_next(struct sr_reporter *reporter)
{
    return &reporter->next;
}

void *sr_reporter_owner(const struct sr_reporter *reporter)
{
    return reporter->config.arg;
}

bool sr_reporter_started(const struct sr_reporter *reporter)
{
    return reporter->started;
}

bool sr_reporter_reached(const struct sr_reporter *reporter)
{
    return reporter->reached;
}

const char *sr_reporter_reason(const struct sr_reporter *reporter)
{
    return reporter->reason;
}

const char *sr_reporter_xid(const struct sr_reporter *reporter)
{
    return reporter->xid;
}

const struct sr_settings *sr_reporter_settings(const struct sr_reporter *reporter)
{
    return reporter->config.settings;
}
