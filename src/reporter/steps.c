/* SPDX-License-Identifier: MIT */
/* What the machine says is done here: rows are taken, sent, forgotten; the application is called. */
#include "base/clock.h"
#include "protocol/answer.h"
#include "protocol/blame.h"
#include "protocol/join.h"
#include "reporter/reporter_p.h"
#include <smartrest/agent.h>
#include <stdio.h>
#include <string.h>

#define SR_LOG_COMPONENT "reporter"
#include <smartrest/log.h>

bool sr_reporter_is_over(const struct sr_reporter *reporter)
{
    return reporter->core.link == SR_LINK_OVER;
}

/* SplitMix64. A call of the system for each acknowledgement would cost more than all the rest. */
uint32_t sr_reporter_roll(struct sr_reporter *reporter)
{
    uint64_t z = reporter->dice += 0x9e3779b97f4a7c15u;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (uint32_t)((z ^ z >> 31) >> 16);
}

/* --- dead letters ------------------------------------------------------------- */

/* Dead letters, and why. */
static void set_aside(struct sr_reporter *reporter, struct sr_batch *batch,
                      const char *why)
{
    const struct sr_reporter_config *config = &reporter->config;
    char row[81], cost[800],
        text[sizeof reporter->poison_why + sizeof row + sizeof cost + 80];

    sr_outbox_peek(config->outbox, batch, row, sizeof row);
    sr_outbox_quarantine(config->outbox, batch, why,
                         (size_t)config->settings->quarantine_capacity);
    sr_outbox_quarantine_news(config->outbox, cost, sizeof cost);
    snprintf(text, sizeof text,
             "a row that the platform never takes was set aside: %s: %s%s", row, why,
             cost);
    if (config->trouble)
        config->trouble(config->arg, SR_TROUBLE_POISON, text);
}

/* --- sending ---------------------------------------------------------------- */

/* A payload that is being made. */
struct making {
    struct sr_core *core;
    struct sr_join join;
    bool foreign;
    char too_large[80]; /* not "": its only row never fits, and why */
};

/* Of the row that should have been the first. It is taken, alone, to be set aside: else it would be in the
 * way of all others for ever. */
static bool take_aside(struct making *making, const struct sr_outbox_offer *offer)
{
    const struct sr_join *join = &making->join;

    if (join->rows || *making->too_large)
        return false;
    snprintf(making->too_large, sizeof making->too_large,
             "a row of %zu bytes: %zu are the most by %s", offer->len,
             sr_join_row_max(join, offer->channel), sr_carrier_name(join->by));
    return true;
}

static bool add_row(void *arg, const struct sr_outbox_offer *offer)
{
    struct making *making = arg;
    struct sr_join *join = &making->join;

    if (!sr_core_has_room(making->core, offer->backlog, join->rows, join->len))
        return false;
    if (*making->too_large ||
        !sr_join_add(join, offer->channel, offer->text, offer->len))
        return take_aside(making, offer);
    if (offer->backlog)
        sr_core_spend(making->core, offer->len);
    making->foreign = making->foreign || offer->channel->number != SR_CHANNEL_OWN;
    return true;
}

/* Makes a batch of rows that wait; NULL if there are none. */
static struct sr_batch *load(struct sr_reporter *reporter,
                             const struct sr_core_step *step, struct making *making)
{
    struct sr_outbox_view view = { .apart = reporter->core.options.live_first };
    struct sr_batch *batch;

    sr_join_init(&making->join, reporter->transport->ops->carrier, reporter->xid,
                 sr_payloads_spare(&reporter->payloads), reporter->core.payload_max,
                 step->rows);
    batch = sr_outbox_take(reporter->config.outbox, step->part, step->stamp_anyway,
                           add_row, making, &view);
    sr_core_see(&reporter->core, &view);
    if (!batch)
        return NULL;
    batch->payload = making->join.payload;
    batch->len = making->join.len;
    batch->channel = making->join.channel;
    batch->foreign = making->foreign;
    return batch;
}

static void count_sent(struct sr_reporter *reporter, const struct sr_batch *batch)
{
    reporter->stats.rows_sent += batch->rows;
    reporter->stats.requests_sent++;
    reporter->stats.bytes_sent += batch->len;
}

/* If it cannot be sent, the transport will say that it is down, and its rows wait again. */
static void send_batch(struct sr_reporter *reporter, const struct sr_core_step *step)
{
    struct sr_transport *transport = reporter->transport;
    struct sr_core *core = &reporter->core;
    struct making making = { .core = core };
    struct sr_batch *batch = load(reporter, step, &making);

    if (!batch) {
        sr_core_not_sent(core);
        return;
    }
    if (*making.too_large) {
        set_aside(reporter, batch, making.too_large);
        sr_core_passed(core);
        return;
    }
    reporter->payload = batch->payload;
    reporter->payload_len = batch->len;
    sr_payloads_take(&reporter->payloads, batch->payload);
    if (transport->ops->send(transport, batch)) {
        sr_payloads_give(&reporter->payloads, batch->payload);
        sr_core_not_sent(core);
        return;
    }
    count_sent(reporter, batch);
    sr_core_sent(core, batch,
                 sr_core_doubts(core) ? sr_reporter_rows_naming_device(reporter) : 0);
}

/* --- what becomes of rows ------------------------------------------------------ */

static void forget(struct sr_reporter *reporter, struct sr_batch *batch)
{
    struct sr_outbox_view view = { .apart = reporter->core.options.live_first };

    reporter->stats.rows_acked += sr_outbox_ack(reporter->config.outbox, batch, &view);
    sr_core_see(&reporter->core, &view);
}

static void return_all(struct sr_reporter *reporter, bool counts)
{
    const struct sr_reporter_config *config = &reporter->config;

    if (counts)
        sr_outbox_fail(config->outbox, (uint32_t)config->settings->retries);
    else
        sr_outbox_requeue(config->outbox);
}

void sr_reporter_see(struct sr_reporter *reporter)
{
    struct sr_outbox_view view = { .apart = reporter->core.options.live_first };

    sr_outbox_look(reporter->config.outbox, &view);
    sr_core_see(&reporter->core, &view);
}

static void resize(struct sr_reporter *reporter)
{
    sr_outbox_set_batch(reporter->config.outbox, reporter->core.options.batch_rows,
                        reporter->core.payload_max);
}

/* --- troubles ----------------------------------------------------------------- */

static const char *own_id(const struct sr_reporter *reporter)
{
    const struct sr_reporter_config *config = &reporter->config;
    const char *id = config->own_id ? config->own_id(config->arg) : NULL;

    return id && *id ? id : NULL;
}

size_t sr_reporter_rows_naming_device(const struct sr_reporter *reporter)
{
    const char *id = own_id(reporter);

    return id ? sr_rows_naming(reporter->payload, reporter->payload_len, id) : 0;
}

static void listen_for_device(struct sr_reporter *reporter, struct sr_rows *rows,
                              struct sr_signs *signs)
{
    const char *id = memmem(rows->text, rows->len, "404", 3) ? own_id(reporter) : NULL;

    if (!id)
        return;
    reporter->skips_15 = reporter->skips_15 || sr_answer_has_line_1(rows);
    signs->not_found = sr_answer_not_found(
        rows, reporter->payload, reporter->payload_len, !reporter->skips_15, id);
    if (signs->not_found)
        signs->naming = sr_reporter_rows_naming_device(reporter);
}

struct sr_signs sr_reporter_listen(struct sr_reporter *reporter, struct sr_rows *rows)
{
    struct sr_signs signs = { 0 };

    if (!reporter->payload_len)
        return signs;
    signs.no_collection = sr_answer_of(rows) == SR_ANSWER_NO_COLLECTION;
    listen_for_device(reporter, rows, &signs);
    return signs;
}

/* What a trouble says is not said a second time as the reason why the connection is down. */
static void note_reason(struct sr_reporter *reporter, enum sr_trouble trouble,
                        const char *text)
{
    bool up =
        reporter->core.link == SR_LINK_UP || reporter->core.link == SR_LINK_TRYING;

    if (trouble != SR_TROUBLE_AUTH && trouble != SR_TROUBLE_TWIN)
        return;
    if (text && trouble == SR_TROUBLE_AUTH)
        snprintf(reporter->reason, sizeof reporter->reason, "%.500s", text);
    else if (!text && up)
        reporter->reason[0] = '\0';
}

static void describe(const struct sr_reporter *reporter, enum sr_trouble trouble,
                     char *text, size_t size)
{
    if (trouble == SR_TROUBLE_XID)
        snprintf(text, size,
                 "the platform does not know the template collection %.255s",
                 reporter->xid);
    else if (trouble == SR_TROUBLE_DEVICE)
        snprintf(text, size,
                 "the platform has no object %.255s: is the device deleted?",
                 own_id(reporter));
    else
        snprintf(text, size, "%s", reporter->said);
}

static void tell_trouble(struct sr_reporter *reporter, const struct sr_core_step *step)
{
    const struct sr_reporter_config *config = &reporter->config;
    char text[1024];

    if (step->begins)
        describe(reporter, step->trouble, text, sizeof text);
    note_reason(reporter, step->trouble, step->begins ? text : NULL);
    if (config->trouble)
        config->trouble(config->arg, step->trouble, step->begins ? text : NULL);
}

/* --- coming and going --------------------------------------------------------- */

/* A twin ends each connection in the same way: that was said, and is not said again until it is
 * over. */
static void note_answers(struct sr_reporter *reporter)
{
    if (!sr_core_has_trouble(&reporter->core, SR_TROUBLE_TWIN)) {
        if (*reporter->reason)
            sr_notice("connected again");
        reporter->reason[0] = '\0';
    }
    reporter->stats.connected = true;
    reporter->stats.connects++;
}

static void note_lost(struct sr_reporter *reporter, bool was_up)
{
    reporter->stats.disconnects += was_up;
    reporter->stats.connected = false;
}

void sr_reporter_dispatch(struct sr_reporter *reporter, const struct sr_origin *origin,
                          struct sr_rows *rows)
{
    const struct sr_reporter_config *config = &reporter->config;
    uint64_t before;

    if (sr_reporter_is_over(reporter))
        return;
    before = sr_outbox_rows_put(config->outbox);
    config->received(config->arg, origin, rows, &reporter->stats.rows_received,
                     &reporter->stats.rows_malformed);
    if (sr_outbox_rows_put(config->outbox) != before) /* a handler has sent rows */
        sr_core_hurry(&reporter->core, sr_now_ms());
}

static void deliver(struct sr_reporter *reporter)
{
    reporter->answering = true;
    sr_reporter_dispatch(reporter, reporter->answer.origin, reporter->answer.rows);
    reporter->answering = false;
}

static void wake_at(struct sr_reporter *reporter, uint64_t at_ms)
{
    uint64_t now = sr_now_ms();

    if (at_ms == SR_NEVER)
        sr_deadline_clear(&reporter->wake);
    else
        sr_deadline_set(&reporter->wake, at_ms > now ? at_ms - now : 0);
}

static void settle(struct sr_reporter *reporter)
{
    const struct sr_reporter_config *config = &reporter->config;

    if (config->settled && config->loop->running)
        config->settled(config->arg);
    else if (config->settled)
        sr_loop_wake(config->loop); /* and the agent looks itself */
}

static void call(const struct sr_reporter *reporter, void (*fn)(void *arg))
{
    if (fn)
        fn(reporter->config.arg);
}

/* --- all of them --------------------------------------------------------------- */

static void settle_batch(struct sr_reporter *reporter, const struct sr_core_step *step)
{
    struct sr_outbox *box = reporter->config.outbox;

    switch (step->what) {
    case SR_CORE_HOLD: sr_outbox_hold(box, step->batch); break;
    case SR_CORE_CONVICT: set_aside(reporter, step->batch, reporter->poison_why); break;
    case SR_CORE_RELEASE: sr_outbox_release_one(box, step->batch); break;
    case SR_CORE_FORGET: forget(reporter, step->batch); break;
    default: /* SR_CORE_RETURN */ sr_outbox_return(box, step->batch);
    }
}

static void do_for_the_way(struct sr_reporter *reporter,
                           const struct sr_core_step *step)
{
    switch (step->what) {
    case SR_CORE_DROP:
        reporter->transport->ops->drop(reporter->transport,
                                       "rows were not acknowledged in time");
        break;
    case SR_CORE_LOST: note_lost(reporter, step->was_up); break;
    case SR_CORE_RETURN_ALL: return_all(reporter, step->counts); break;
    case SR_CORE_RESIZE: resize(reporter); break;
    case SR_CORE_ANSWERS: note_answers(reporter); break;
    case SR_CORE_MARK: sr_outbox_mark(reporter->config.outbox); break;
    case SR_CORE_LOOK: sr_reporter_see(reporter); break;
    default: /* SR_CORE_WAKE */ wake_at(reporter, step->at_ms);
    }
}

static void carry_out(struct sr_reporter *reporter, const struct sr_core_step *step)
{
    switch (step->what) {
    case SR_CORE_SEND: send_batch(reporter, step); break;
    case SR_CORE_HOLD:
    case SR_CORE_CONVICT:
    case SR_CORE_RELEASE:
    case SR_CORE_FORGET:
    case SR_CORE_RETURN: settle_batch(reporter, step); break;
    case SR_CORE_TROUBLE: tell_trouble(reporter, step); break;
    case SR_CORE_DELIVER: deliver(reporter); break;
    case SR_CORE_SETTLE: settle(reporter); break;
    case SR_CORE_TELL_UP: call(reporter, reporter->config.up); break;
    case SR_CORE_TELL_CONNECTED: call(reporter, reporter->config.connected); break;
    default: do_for_the_way(reporter, step);
    }
}

void sr_reporter_run(struct sr_reporter *reporter)
{
    struct sr_core_step step;

    for (;;) {
        sr_core_next(&reporter->core, &step);
        if (step.what == SR_CORE_DONE)
            return;
        carry_out(reporter, &step);
    }
}
