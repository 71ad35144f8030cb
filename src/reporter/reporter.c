/* SPDX-License-Identifier: MIT */
#include "protocol/answer.h"
#include "protocol/blame.h"
#include "protocol/join.h"
#include "reporter/reporter_p.h"
#include <smartrest/agent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SR_LOG_COMPONENT "reporter"
#include <smartrest/log.h>

#ifndef SR_ACK_MS /* tests are less patient */
#define SR_ACK_MS ((uint64_t)settings->request_timeout)
#endif
#ifndef SR_ANSWER_MS
#define SR_ANSWER_MS 5000 /* by MQTT an answer comes within, or there is none */
#endif

/* --- life --------------------------------------------------------------- */

static void on_time(void *arg)
{
    struct sr_reporter *reporter = arg;

    sr_core_time(&reporter->core, sr_now_ms());
    sr_reporter_run(reporter);
}

int sr_reporter_make(const struct sr_reporter_config *config,
                     struct sr_reporter **ret_reporter)
{
    struct sr_reporter *reporter = calloc(1, sizeof *reporter);

    if (!reporter)
        return SR_E_NOMEM;
    reporter->config = *config;
    reporter->dice = (uint64_t)sr_random32() << 32 | sr_random32();
    sr_core_init(&reporter->core);
    if (sr_deadline_init(&reporter->wake, config->loop, on_time, reporter)) {
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
    if (reporter->core.asleep)
        sr_outbox_sleep(reporter->config.outbox, false);
}

static void release(void *object)
{
    struct sr_reporter *reporter = object;

    if (reporter->transport)
        reporter->transport->ops->free(reporter->transport);
    sr_deadline_release(&reporter->wake);
    sr_payloads_release(&reporter->payloads);
    free(reporter->xid);
    free(reporter);
}

/* The rows are the next reporter's from now on, whenever this one goes. */
void sr_reporter_mute(struct sr_reporter *reporter)
{
    sr_core_mute(&reporter->core);
    sr_deadline_clear(&reporter->wake);
    leave_outbox(reporter);
}

void sr_reporter_destroy(struct sr_reporter *reporter)
{
    if (!sr_reporter_is_over(reporter))
        sr_reporter_mute(reporter);
    sr_loop_bury(reporter->config.loop, &reporter->grave, release, reporter);
}

void sr_reporter_look(struct sr_reporter *reporter)
{
    sr_core_look(&reporter->core, sr_now_ms());
    sr_reporter_run(reporter);
}

void sr_reporter_hurry(struct sr_reporter *reporter)
{
    sr_core_hurry(&reporter->core, sr_now_ms());
    sr_reporter_run(reporter);
}

/* --- what the transport says -------------------------------------------- */

/* By HTTP that only says that the next request may go. */
static void on_up(void *arg)
{
    struct sr_reporter *reporter = arg;
    reporter->reached = true;
    sr_core_up(&reporter->core, sr_now_ms());
    sr_reporter_run(reporter);
}

static void on_subscribed(void *arg)
{
    struct sr_reporter *reporter = arg;
    sr_core_subscribed(&reporter->core);
    sr_reporter_run(reporter);
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

static void on_down(void *arg, enum sr_attempt attempt, const char *reason)
{
    struct sr_reporter *reporter = arg;
    tell_down(reporter, reason);
    snprintf(reporter->reason, sizeof reporter->reason, "%s", reason);
    if (sr_reporter_is_over(reporter))
        return;
    if (reporter->core.count && attempt == SR_ATTEMPT_LOST) {
        snprintf(reporter->poison_why, sizeof reporter->poison_why,
                 "when it is sent: %.220s", reporter->reason);
        sr_reporter_see(reporter);
    }
    reporter->payloads.busy = 0;
    sr_core_down(&reporter->core, attempt, sr_now_ms(), sr_reporter_roll(reporter));
    sr_reporter_run(reporter);
}

/* It is not under way any more. Who looks for poison wants to know exactly how many others wait. */
static void land(struct sr_reporter *reporter, struct sr_batch *batch)
{
    sr_payloads_give(&reporter->payloads, batch->payload);
    if (sr_poison_searching(&reporter->core.poison))
        sr_reporter_see(reporter);
}

static void on_acked(void *arg, struct sr_batch *batch)
{
    struct sr_reporter *reporter = arg;
    if (sr_reporter_is_over(reporter))
        return;
    land(reporter, batch);
    sr_core_acked(&reporter->core, batch, sr_now_ms(), sr_reporter_roll(reporter));
    sr_reporter_run(reporter);
}

static bool on_refused(void *arg, struct sr_batch *batch,
                       const struct sr_refusal *refusal)
{
    struct sr_reporter *reporter = arg;
    bool goes_on;

    if (sr_reporter_is_over(reporter))
        return false;
    snprintf(reporter->poison_why, sizeof reporter->poison_why, "%s", refusal->why);
    land(reporter, batch);
    sr_reporter_see(reporter);
    goes_on = sr_core_refused(&reporter->core, batch, refusal->too_large, sr_now_ms(),
                              sr_reporter_roll(reporter));
    sr_reporter_run(reporter);
    return goes_on;
}

static enum sr_verdict verdict_of(const struct sr_origin *origin, struct sr_rows *rows)
{
    enum sr_answer answer =
        origin->protocol->says ? origin->protocol->says(rows) : SR_ANSWER_TAKEN;

    return answer == SR_ANSWER_NO_CREDENTIALS  ? SR_VERDICT_NO_CREDENTIALS
           : answer == SR_ANSWER_NO_COLLECTION ? SR_VERDICT_NO_COLLECTION
                                               : SR_VERDICT_TAKEN;
}

/* The payload is in its place until the handlers are done: then the next may go. */
static void on_answered(void *arg, struct sr_batch *batch,
                        const struct sr_origin *origin, struct sr_rows *rows)
{
    struct sr_reporter *reporter = arg;
    struct sr_signs signs = { 0 };

    if (sr_reporter_is_over(reporter))
        return;
    if (!origin->name)
        signs = sr_reporter_listen(reporter, rows);
    land(reporter, batch);
    reporter->answer.origin = origin;
    reporter->answer.rows = rows;
    reporter->skips_15 = reporter->skips_15 || sr_answer_has_line_1(rows);
    sr_core_answered(&reporter->core, batch, verdict_of(origin, rows), &signs,
                     sr_now_ms(), sr_reporter_roll(reporter));
    sr_reporter_run(reporter);
}

const char *sr_reporter_cause(struct sr_reporter *reporter, uint64_t line,
                              size_t *ret_len)
{
    if (!reporter->answering)
        return NULL;
    return sr_row_on_line(reporter->payload, reporter->payload_len, line,
                          !reporter->skips_15, ret_len);
}

static void on_received(void *arg, const struct sr_origin *origin, struct sr_rows *rows)
{
    struct sr_reporter *reporter = arg;
    struct sr_signs signs = { 0 };

    if (sr_reporter_is_over(reporter))
        return;
    if (!origin->name)
        signs = sr_reporter_listen(reporter, rows);
    sr_core_heard(&reporter->core, &signs, sr_now_ms(), sr_reporter_roll(reporter));
    sr_reporter_run(reporter);
    sr_reporter_dispatch(reporter, origin, rows);
    sr_reporter_run(reporter);
}

static void on_trouble(void *arg, enum sr_trouble trouble, const char *text)
{
    struct sr_reporter *reporter = arg;
    reporter->said = text;
    sr_core_trouble(&reporter->core, trouble, text != NULL);
    sr_reporter_run(reporter);
}

static uint32_t pause_max_ms(void *arg)
{
    const struct sr_reporter *reporter = arg;

    return sr_core_pause_max(&reporter->core);
}

static const struct sr_transport_events events = {
    .up = on_up,
    .subscribed = on_subscribed,
    .down = on_down,
    .acked = on_acked,
    .refused = on_refused,
    .answered = on_answered,
    .received = on_received,
    .trouble = on_trouble,
    .pause_max_ms = pause_max_ms,
};

/* --- beginning ------------------------------------------------------------ */

static unsigned lesser(size_t a, size_t b)
{
    return (unsigned)(a < b ? a : b);
}

static struct sr_core_options options_of(const struct sr_settings *settings,
                                         const struct sr_transport_ops *ops)
{
    return (struct sr_core_options){
        .connects = ops->connects,
        .live_first = settings->replay_order != SR_REPLAY_STRICT,
        .window = lesser((size_t)settings->window, ops->window_max),
        .poison_after = (unsigned)settings->poison_after,
        .batch_rows = (size_t)settings->batch_rows,
        .payload_max = lesser((size_t)settings->batch_bytes, ops->payload_max),
        .payload_min = SR_ROW_MAX + sizeof "15,\n" + 255,
        .linger = (uint64_t)settings->linger,
        .ack = SR_ACK_MS,
        .clock_wait = 1000 * (uint64_t)settings->clock_wait,
        .answer = SR_ANSWER_MS,
        .pause_max = SR_BACKOFF_MAX_MS,
        .slow_retry = 1000 * (uint32_t)settings->slow_retry,
        .replay_rows = (uint64_t)settings->replay_rows,
        .replay_bytes = (uint64_t)settings->replay_bytes,
    };
}

int sr_reporter_begin(struct sr_reporter *reporter, struct sr_transport *transport,
                      const char *xid)
{
    const struct sr_transport_ops *ops = transport->ops;
    const struct sr_settings *settings = reporter->config.settings;
    const struct sr_core_options options = options_of(settings, ops);

    reporter->transport = transport;
    reporter->xid = strdup(xid);
    sr_transport_attach(transport, &events, reporter, settings, reporter->xid);
    if (!reporter->xid || sr_payloads_init(&reporter->payloads, options.window,
                                           sr_join_room(ops->carrier)))
        return SR_E_NOMEM;
    sr_core_begin(&reporter->core, &options, sr_now_ms());
    sr_outbox_set_batch(reporter->config.outbox, options.batch_rows,
                        options.payload_max);
    reporter->reached = !ops->connects;
    ops->start(reporter->transport);
    return 0;
}

/* --- public ------------------------------------------------------------- */

static int set_number(struct sr_reporter *reporter, const char *name, size_t value)
{
    const char *reason;
    char text[32];

    if (!reporter)
        return SR_E_INVAL;
    if (sr_reporter_started(reporter))
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

static void sleep_or_wake(struct sr_reporter *reporter, bool asleep)
{
    sr_outbox_sleep(reporter->config.outbox, asleep);
    sr_core_sleep(&reporter->core, asleep, sr_now_ms());
    sr_reporter_run(reporter);
}

void sr_reporter_sleep(struct sr_reporter *reporter)
{
    if (reporter)
        sleep_or_wake(reporter, true);
}

void sr_reporter_resume(struct sr_reporter *reporter)
{
    if (reporter && reporter->core.asleep)
        sleep_or_wake(reporter, false);
}

bool sr_reporter_is_sleeping(const struct sr_reporter *reporter)
{
    return reporter && reporter->core.asleep;
}

static uint64_t met(const struct sr_outbox_stats *box, enum sr_fate fate)
{
    return box->fates[fate][SR_CLASS_VOLATILE] + box->fates[fate][SR_CLASS_BUFFERED];
}

void sr_reporter_stats(const struct sr_reporter *reporter,
                       struct sr_reporter_stats *ret_stats)
{
    struct sr_outbox_stats box;

    if (!ret_stats)
        return;
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

void *sr_reporter_owner(const struct sr_reporter *reporter)
{
    return reporter->config.arg;
}

bool sr_reporter_started(const struct sr_reporter *reporter)
{
    return reporter->core.link != SR_LINK_NEW;
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
