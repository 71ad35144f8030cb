/* SPDX-License-Identifier: MIT */
/* Payloads under way, and which row it is if the platform never takes one of them. */
#include "protocol/join.h"
#include "reporter/reporter_p.h"
#include <smartrest/agent.h>
#include <stdio.h>
#include <string.h>

#define SR_LOG_COMPONENT "reporter"
#include <smartrest/log.h>

/* --- sending ---------------------------------------------------------------- */

/* It is not under way any more. */
static void forget(struct sr_reporter *reporter, struct sr_batch *batch)
{
    struct sr_batch **sent = reporter->sent;
    unsigned i = 0;

    while (sent[i] != batch)
        i++;
    memmove(sent + i, sent + i + 1, (--reporter->flying - i) * sizeof *sent);
    sr_payloads_give(&reporter->payloads, batch->payload);
    batch->payload = NULL;
}

void sr_flights_clear(struct sr_reporter *reporter)
{
    while (reporter->flying)
        forget(reporter, reporter->sent[reporter->flying - 1]);
}

/* A payload that is being made. */
struct making {
    struct sr_reporter *reporter;
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

    if (offer->backlog && !sr_plan_lets_backlog(making->reporter))
        return false;
    if (!sr_poison_has_room(&making->reporter->poison, join->rows, join->len))
        return false;
    if (*making->too_large ||
        !sr_join_add(join, offer->channel, offer->text, offer->len))
        return take_aside(making, offer);
    if (offer->backlog)
        sr_plan_spend(making->reporter, offer->len);
    making->foreign = making->foreign || offer->channel->number != SR_CHANNEL_OWN;
    return true;
}

static size_t rows_max(const struct sr_reporter *reporter)
{
    return sr_troubles_probing(reporter)
               ? 1
               : (size_t)reporter->config.settings->batch_rows;
}

/* A row whose clock is not right has waited long enough when it has `clock_wait` seconds, with a
 * connection over which the clock could have been set. */
static bool stamps_anyway(const struct sr_reporter *reporter)
{
    return sr_now_ms() - reporter->up_since_ms >=
           1000 * (uint64_t)reporter->config.settings->clock_wait;
}

/* Makes a batch of rows that wait; NULL if there are none. */
static struct sr_batch *load(struct making *making, enum sr_outbox_part part)
{
    struct sr_reporter *reporter = making->reporter;
    struct sr_batch *batch;

    sr_join_init(&making->join, reporter->transport->ops->carrier, reporter->xid,
                 sr_payloads_spare(&reporter->payloads), reporter->payload_max,
                 rows_max(reporter));
    batch = sr_outbox_take(reporter->config.outbox, part, stamps_anyway(reporter),
                           add_row, making);
    if (!batch)
        return NULL;
    batch->payload = making->join.payload;
    batch->len = making->join.len;
    batch->channel = making->join.channel;
    batch->foreign = making->foreign;
    batch->sent_ms = sr_now_ms();
    return batch;
}

/* Dead letters, and why. */
static void set_aside(struct sr_reporter *reporter, struct sr_batch *batch,
                      const char *why)
{
    const struct sr_reporter_config *config = &reporter->config;
    char row[81], cost[800],
        text[sizeof reporter->poison_why + sizeof row + sizeof cost + 80];

    sr_outbox_peek(config->outbox, batch, row, sizeof row);
    if (!sr_outbox_quarantine(config->outbox, batch, why,
                              (size_t)config->settings->quarantine_capacity))
        return;
    sr_outbox_quarantine_news(config->outbox, cost, sizeof cost);
    snprintf(text, sizeof text,
             "a row that the platform never takes was set aside: %s: %s%s", row, why,
             cost);
    sr_reporter_trouble(reporter, SR_TROUBLE_POISON, text);
}

bool sr_flights_send(struct sr_reporter *reporter, enum sr_outbox_part part)
{
    struct sr_transport *transport = reporter->transport;
    struct making making = { .reporter = reporter };
    struct sr_batch *batch;

    sr_troubles_settle(reporter);
    batch = load(&making, part);
    if (!batch)
        return false;
    if (*making.too_large) {
        batch->payload = NULL;
        set_aside(reporter, batch, making.too_large);
        return true;
    }
    reporter->payload = batch->payload;
    reporter->payload_len = batch->len;
    sr_payloads_take(&reporter->payloads, batch->payload);
    sr_troubles_next(reporter, batch->foreign);
    reporter->sent[reporter->flying++] = batch;
    if (transport->ops->send(transport, batch)) {
        forget(
            reporter,
            batch); /* the transport will say that it is down, and its rows wait again */
        return false;
    }
    reporter->stats.rows_sent += batch->rows;
    reporter->stats.requests_sent++;
    reporter->stats.bytes_sent += batch->len;
    return true;
}

void sr_flights_watch(struct sr_reporter *reporter)
{
    uint64_t now = sr_now_ms(), due;

    if (!reporter->flying) {
        sr_deadline_clear(&reporter->overdue);
        return;
    }
    due = reporter->sent[0]->sent_ms + SR_ACK_MS;
    sr_deadline_set(&reporter->overdue, due > now ? due - now : 0);
}

/* --- poison ----------------------------------------------------------------- */

/* Returns whether rows wait again. */
static bool carry_out(struct sr_reporter *reporter)
{
    struct sr_outbox *box = reporter->config.outbox;
    enum sr_poison_order order;
    bool released = false;
    struct sr_batch *batch;

    while ((order = sr_poison_next(&reporter->poison, &batch)) != SR_POISON_DONE) {
        if (order == SR_POISON_HOLD)
            sr_outbox_hold(box, batch);
        else if (order == SR_POISON_CONVICT)
            set_aside(reporter, batch, reporter->poison_why);
        else
            sr_outbox_release_one(box, batch);
        released = released || order == SR_POISON_RELEASE;
    }
    return released;
}

bool sr_flights_unstick(struct sr_reporter *reporter)
{
    uint64_t in_ms;

    if (reporter->flying)
        return false;
    in_ms = sr_poison_stuck(&reporter->poison, sr_now_ms());
    if (carry_out(reporter))
        return true;
    if (in_ms != UINT64_MAX)
        sr_deadline_set(&reporter->wait, in_ms);
    return false;
}

/* Rows that wait, and those of other payloads under way. */
static size_t count_others(const struct sr_reporter *reporter,
                           const struct sr_batch *but)
{
    size_t rows = sr_outbox_waiting(reporter->config.outbox, SR_PART_ALL).rows;

    for (unsigned i = 0; i < reporter->flying; i++)
        if (reporter->sent[i] != but)
            rows += reporter->sent[i]->rows;
    return rows;
}

/* --- landing ---------------------------------------------------------------- */

void sr_flights_land(struct sr_reporter *reporter, struct sr_batch *batch)
{
    forget(reporter, batch);
    batch->others = count_others(reporter, NULL);
    sr_poison_acked(&reporter->poison, batch, sr_now_ms(), sr_random32());
    reporter->stats.rows_acked += sr_outbox_ack(reporter->config.outbox, batch);
    carry_out(reporter);
}

/* By HTTP, which has one under way. */
void sr_flights_return(struct sr_reporter *reporter, struct sr_batch *batch)
{
    forget(reporter, batch);
    sr_outbox_requeue(reporter->config.outbox);
}

static bool suspect_head(struct sr_reporter *reporter)
{
    struct sr_poison *poison = &reporter->poison;
    struct sr_batch *head = reporter->sent[0];
    bool known;

    if (!reporter->flying)
        return false;
    known = sr_poison_suspects(poison, head->first);
    snprintf(reporter->poison_why, sizeof reporter->poison_why,
             "when it is sent: %.220s", reporter->reason);
    head->others = count_others(reporter, head);
    sr_poison_failed(poison, head, SR_FAILURE_DROP, sr_now_ms(), sr_random32());
    return known;
}

bool sr_flights_fail(struct sr_reporter *reporter, enum sr_attempt attempt)
{
    struct sr_outbox *box = reporter->config.outbox;
    bool lost = attempt == SR_ATTEMPT_LOST,
         suspected = lost && !reporter->muted && suspect_head(reporter);

    sr_flights_clear(reporter);
    if (reporter->muted)
        return false;
    carry_out(reporter);
    if (attempt == SR_ATTEMPT_UNREACHED)
        sr_outbox_requeue(box);
    else
        sr_outbox_fail(box, (uint32_t)reporter->config.settings->retries);
    return suspected;
}

/* A limit that nobody told us: payloads are half as large from now on, if the largest row still
 * fits into them. */
static bool shrink_payloads(struct sr_reporter *reporter)
{
    enum { LEAST = SR_ROW_MAX + sizeof "15,\n" + 255 };
    size_t half = reporter->payload_len / 2;

    if (half < LEAST)
        half = LEAST;
    if (half >= reporter->payload_len)
        return false; /* the same rows would go again */
    reporter->payload_max = half;
    sr_outbox_set_batch(reporter->config.outbox,
                        (size_t)reporter->config.settings->batch_rows, half);
    return true;
}

/* The rows of a batch have not failed themselves: they keep their retries. */
bool sr_flights_refused(struct sr_reporter *reporter, struct sr_batch *batch,
                        const struct sr_refusal *refusal)
{
    bool goes_on = refusal->too_large && batch->rows > 1 && shrink_payloads(reporter);

    forget(reporter, batch);
    if (!goes_on) {
        snprintf(reporter->poison_why, sizeof reporter->poison_why, "%s", refusal->why);
        batch->others = count_others(reporter, NULL);
        goes_on = sr_poison_failed(&reporter->poison, batch, SR_FAILURE_REFUSED,
                                   sr_now_ms(), sr_random32());
        carry_out(reporter);
    }
    sr_outbox_requeue(reporter->config.outbox);
    return goes_on;
}
