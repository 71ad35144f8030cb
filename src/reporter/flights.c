/* SPDX-License-Identifier: MIT */
/* Payloads under way, and which row it is if the platform never takes one of them. */
#include "protocol/join.h"
#include "reporter/reporter_p.h"
#include <smartrest/agent.h>
#include <string.h>

#define SR_LOG_COMPONENT "reporter"
#include <smartrest/log.h>

/* --- sending ---------------------------------------------------------------- */

struct flight *sr_flights_find(struct sr_reporter *reporter, uint32_t ticket)
{
    for (int i = 0; i < SR_WINDOW_MAX; i++)
        if (reporter->flights[i].payload.ticket == ticket)
            return &reporter->flights[i];
    return NULL;
}

static uint32_t next_ticket(struct sr_reporter *reporter)
{
    if (++reporter->last_ticket == 0)
        reporter->last_ticket = 1;
    return reporter->last_ticket;
}

/* A payload that is being made. */
struct making {
    struct sr_reporter *reporter;
    struct sr_join join;
    struct flight flight;
};

/* The ids of the two classes may be the same. */
static uint64_t key_of(const struct sr_outbox_offer *offer)
{
    return offer->id * 2 + (offer->prio & SR_PRIO_BUF ? 1 : 0);
}

static bool add_row(void *arg, const struct sr_outbox_offer *offer)
{
    struct making *making = arg;
    struct flight *flight = &making->flight;

    if (offer->backlog && !sr_plan_lets_backlog(making->reporter))
        return false;
    if (!sr_poison_has_room(&making->reporter->poison, flight->payload.rows,
                            making->join.len))
        return false;
    if (!sr_join_add(&making->join, offer->channel, offer->text, offer->len))
        return false;
    if (offer->backlog)
        sr_plan_spend(making->reporter, offer->len);
    if (!flight->payload.rows++)
        flight->payload.first = key_of(offer);
    flight->foreign = flight->foreign || offer->channel->number != SR_CHANNEL_OWN;
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

bool sr_flights_send(struct sr_reporter *reporter, enum sr_outbox_part part)
{
    struct sr_transport *transport = reporter->transport;
    struct making making = { .reporter = reporter };
    struct sr_join *join = &making.join;
    uint32_t ticket = next_ticket(reporter);

    sr_troubles_settle(reporter);
    sr_join_init(join, transport->ops->carrier, reporter->xid, reporter->payload,
                 reporter->payload_max, rows_max(reporter));
    sr_outbox_take(reporter->config.outbox, ticket, part, stamps_anyway(reporter),
                   add_row, &making);
    if (!join->rows)
        return false;
    reporter->payload_len = join->len;
    sr_troubles_next(reporter, making.flight.foreign);
    if (transport->ops->send(transport, ticket, join->channel, join->payload,
                             join->len))
        return false; /* the transport will say that it is down, and they wait again */
    making.flight.payload.ticket = ticket;
    making.flight.payload.bytes = join->len;
    making.flight.sent_ms = sr_now_ms();
    *sr_flights_find(reporter, 0) = making.flight;
    reporter->flying++;
    reporter->stats.rows_sent += join->rows;
    reporter->stats.requests_sent++;
    reporter->stats.bytes_sent += join->len;
    return true;
}

void sr_flights_watch(struct sr_reporter *reporter)
{
    uint64_t now = sr_now_ms(), oldest = UINT64_MAX;

    if (!reporter->flying) {
        sr_deadline_clear(&reporter->overdue);
        return;
    }
    for (int i = 0; i < SR_WINDOW_MAX; i++)
        if (reporter->flights[i].payload.ticket &&
            reporter->flights[i].sent_ms < oldest)
            oldest = reporter->flights[i].sent_ms;
    sr_deadline_set(&reporter->overdue,
                    oldest + SR_ACK_MS > now ? oldest + SR_ACK_MS - now : 0);
}

/* --- poison ----------------------------------------------------------------- */

static void convict(struct sr_reporter *reporter, uint32_t ticket)
{
    const struct sr_reporter_config *config = &reporter->config;
    char row[81], cost[800],
        text[sizeof reporter->poison_why + sizeof row + sizeof cost + 80];

    sr_outbox_peek(config->outbox, ticket, row, sizeof row);
    if (!sr_outbox_quarantine(config->outbox, ticket, reporter->poison_why,
                              (size_t)config->settings->quarantine_capacity))
        return;
    sr_outbox_quarantine_news(config->outbox, cost, sizeof cost);
    snprintf(text, sizeof text,
             "a row that the platform never takes was set aside: %s: %s%s", row,
             reporter->poison_why, cost);
    sr_reporter_trouble(reporter, SR_TROUBLE_POISON, text);
}

/* Returns whether rows wait again. */
static bool carry_out(struct sr_reporter *reporter)
{
    struct sr_outbox *box = reporter->config.outbox;
    enum sr_poison_order order;
    bool released = false;
    uint32_t ticket;

    while ((order = sr_poison_next(&reporter->poison, &ticket)) != SR_POISON_DONE) {
        if (order == SR_POISON_HOLD)
            sr_outbox_hold(box, ticket);
        else if (order == SR_POISON_CONVICT)
            convict(reporter, ticket);
        else
            sr_outbox_release_one(box, ticket);
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
static size_t count_others(const struct sr_reporter *reporter, const struct flight *but)
{
    size_t rows = sr_outbox_waiting(reporter->config.outbox, SR_PART_ALL).rows;

    for (int i = 0; i < SR_WINDOW_MAX; i++)
        if (reporter->flights[i].payload.ticket && &reporter->flights[i] != but)
            rows += reporter->flights[i].payload.rows;
    return rows;
}

/* --- landing ---------------------------------------------------------------- */

static void forget(struct sr_reporter *reporter, struct flight *flight)
{
    flight->payload.ticket = 0;
    reporter->flying--;
}

void sr_flights_land(struct sr_reporter *reporter, struct flight *flight)
{
    struct sr_payload payload = flight->payload;

    forget(reporter, flight);
    reporter->stats.rows_acked +=
        sr_outbox_ack(reporter->config.outbox, payload.ticket);
    payload.others = count_others(reporter, NULL);
    sr_poison_acked(&reporter->poison, &payload, sr_now_ms(), sr_random32());
    carry_out(reporter);
}

/* By HTTP, which has one under way. */
void sr_flights_return(struct sr_reporter *reporter, struct flight *flight)
{
    forget(reporter, flight);
    sr_outbox_requeue(reporter->config.outbox);
}

static struct flight *oldest(struct sr_reporter *reporter)
{
    struct flight *oldest = NULL;
    uint32_t age = 0;

    for (int i = 0; i < SR_WINDOW_MAX; i++) {
        struct flight *flight = &reporter->flights[i];

        if (flight->payload.ticket &&
            (!oldest || reporter->last_ticket - flight->payload.ticket > age)) {
            age = reporter->last_ticket - flight->payload.ticket;
            oldest = flight;
        }
    }
    return oldest;
}

static bool suspect_head(struct sr_reporter *reporter)
{
    struct sr_poison *poison = &reporter->poison;
    struct flight *head = oldest(reporter);
    bool known;

    if (!head)
        return false;
    known = sr_poison_suspects(poison, head->payload.first);
    snprintf(reporter->poison_why, sizeof reporter->poison_why,
             "when it is sent: %.220s", reporter->reason);
    head->payload.others = count_others(reporter, head);
    sr_poison_failed(poison, &head->payload, SR_FAILURE_DROP, sr_now_ms(),
                     sr_random32());
    carry_out(reporter);
    return known;
}

bool sr_flights_fail(struct sr_reporter *reporter, enum sr_attempt attempt)
{
    struct sr_outbox *box = reporter->config.outbox;
    bool lost = attempt == SR_ATTEMPT_LOST,
         suspected = lost && !reporter->muted && suspect_head(reporter);

    memset(reporter->flights, 0, sizeof reporter->flights);
    reporter->flying = 0;
    if (reporter->muted)
        return false;
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
bool sr_flights_refused(struct sr_reporter *reporter, struct flight *flight,
                        const struct sr_refusal *refusal)
{
    struct sr_payload payload = flight->payload;
    bool goes_on = refusal->too_large && payload.rows > 1 && shrink_payloads(reporter);

    if (!goes_on) {
        snprintf(reporter->poison_why, sizeof reporter->poison_why, "%s", refusal->why);
        goes_on = sr_poison_failed(&reporter->poison, &payload, SR_FAILURE_REFUSED,
                                   sr_now_ms(), sr_random32());
        carry_out(reporter);
    }
    sr_flights_return(reporter, flight);
    return goes_on;
}
