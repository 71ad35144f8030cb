/* SPDX-License-Identifier: MIT */
#include "reporter/reporter.h"

#include "reporter/join.h"
#include <stdlib.h>
#include <string.h>

#define SR_LOG_COMPONENT "reporter"
#include <smartrest/log.h>

enum {
    LINGER_MS = 400,
    BATCH_ROWS = 512,
    WINDOW = 4,
    KEEPALIVE_S = 60,
    ACK_MS = 30 * 1000, /* then the connection counts as lost */
};

/* A payload under way. */
struct flight {
    uint32_t ticket; /* 0: none */
    uint64_t sent_ms;
};

struct sr_reporter {
    struct sr_reporter_config config;
    struct sr_transport *transport;
    struct sr_reporter *next;
    unsigned linger_ms, batch_rows, window, keepalive_s;

    char *xid;
    char *payload; /* room for the transport's largest */
    bool started, up, reached;
    bool muted; /* freed by the application, and gone once the loop is out of its way */
    bool hurry; /* a handler has sent rows: what waits goes at once */
    struct flight flights[SR_WINDOW_MAX];
    unsigned flying;
    uint32_t last_ticket;
    struct sr_deadline linger, overdue;
    struct sr_reporter_stats stats;
    char reason[512];
};

/* --- life --------------------------------------------------------------- */

static void on_linger(void *arg);
static void on_overdue(void *arg);

int sr_reporter_make(const struct sr_reporter_config *config,
                     struct sr_reporter **ret_reporter)
{
    struct sr_reporter *reporter = calloc(1, sizeof *reporter);

    if (!reporter)
        return SR_E_NOMEM;
    reporter->config = *config;
    reporter->linger_ms = LINGER_MS;
    reporter->batch_rows = BATCH_ROWS;
    reporter->window = WINDOW;
    reporter->keepalive_s = KEEPALIVE_S;
    if (sr_deadline_init(&reporter->linger, config->loop, on_linger, reporter) ||
        sr_deadline_init(&reporter->overdue, config->loop, on_overdue, reporter)) {
        sr_reporter_destroy(reporter);
        return SR_E_NOMEM;
    }
    *ret_reporter = reporter;
    return 0;
}

void sr_reporter_destroy(struct sr_reporter *reporter)
{
    if (reporter->transport)
        reporter->transport->ops->free(reporter->transport);
    sr_outbox_requeue(reporter->config.outbox);
    sr_deadline_release(&reporter->linger);
    sr_deadline_release(&reporter->overdue);
    free(reporter->xid);
    free(reporter->payload);
    free(reporter);
}

int sr_reporter_begin(struct sr_reporter *reporter, struct sr_transport *transport,
                      const char *xid)
{
    const struct sr_transport_ops *ops = transport->ops;

    reporter->transport = transport;
    reporter->xid = strdup(xid);
    reporter->payload = malloc(ops->payload_max);
    if (!reporter->xid || !reporter->payload)
        return SR_E_NOMEM;
    if (reporter->window > ops->window_max)
        reporter->window = ops->window_max;
    sr_outbox_set_batch(reporter->config.outbox, reporter->batch_rows,
                        ops->payload_max);
    reporter->started = true;
    reporter->reached = !ops->connects;
    ops->start(reporter->transport);
    return 0;
}

/* --- going up ----------------------------------------------------------- */

static void watch_acks(struct sr_reporter *reporter)
{
    uint64_t now = sr_now_ms(), oldest = UINT64_MAX;

    if (!reporter->flying) {
        sr_deadline_clear(&reporter->overdue);
        return;
    }
    for (int i = 0; i < SR_WINDOW_MAX; i++)
        if (reporter->flights[i].ticket && reporter->flights[i].sent_ms < oldest)
            oldest = reporter->flights[i].sent_ms;
    sr_deadline_set(&reporter->overdue,
                    oldest + ACK_MS > now ? oldest + ACK_MS - now : 0);
}

static void on_overdue(void *arg)
{
    struct sr_reporter *reporter = arg;

    reporter->transport->ops->drop(reporter->transport,
                                   "rows were not acknowledged in time");
}

static struct flight *find_flight(struct sr_reporter *reporter, uint32_t ticket)
{
    for (int i = 0; i < SR_WINDOW_MAX; i++)
        if (reporter->flights[i].ticket == ticket)
            return &reporter->flights[i];
    return NULL;
}

static uint32_t next_ticket(struct sr_reporter *reporter)
{
    if (++reporter->last_ticket == 0)
        reporter->last_ticket = 1;
    return reporter->last_ticket;
}

static bool add_row(void *arg, const char *row, size_t len, int prio)
{
    return sr_join_add(arg, row, len, prio);
}

/* Sends one payload of rows that wait. False if it could not. */
static bool send_batch(struct sr_reporter *reporter)
{
    struct sr_transport *transport = reporter->transport;
    struct flight *flight = find_flight(reporter, 0);
    uint32_t ticket = next_ticket(reporter);
    struct sr_join join;
    size_t rows;

    sr_join_init(&join, reporter->xid, reporter->payload, transport->ops->payload_max,
                 reporter->batch_rows);
    rows = sr_outbox_take(reporter->config.outbox, ticket, add_row, &join);
    if (!rows)
        return false;
    if (transport->ops->send(transport, ticket, join.payload, join.len))
        return false; /* the transport will say that it is down, and they wait again */
    *flight = (struct flight){ .ticket = ticket, .sent_ms = sr_now_ms() };
    reporter->flying++;
    reporter->stats.rows_sent += rows;
    reporter->stats.requests_sent++;
    reporter->stats.bytes_sent += join.len;
    return true;
}

/* Milliseconds until what waits has to go; 0 now. */
static uint64_t due_in_ms(const struct sr_reporter *reporter,
                          const struct sr_outbox_waiting *waiting)
{
    uint64_t now = sr_now_ms();
    uint64_t age = now > waiting->oldest_ms ? now - waiting->oldest_ms : 0;

    if (reporter->hurry || waiting->rows >= reporter->batch_rows ||
        waiting->bytes >= reporter->transport->ops->payload_max ||
        age >= reporter->linger_ms)
        return 0;
    return reporter->linger_ms - age;
}

void sr_reporter_look(struct sr_reporter *reporter)
{
    struct sr_outbox_waiting waiting;
    uint64_t due_ms = 0;

    sr_deadline_clear(&reporter->linger);
    while (reporter->up && !reporter->muted && reporter->flying < reporter->window) {
        waiting = sr_outbox_waiting(reporter->config.outbox);
        if (!waiting.rows) {
            reporter->hurry = false;
            break;
        }
        due_ms = due_in_ms(reporter, &waiting);
        if (due_ms) {
            sr_deadline_set(&reporter->linger, due_ms);
            break;
        }
        if (!send_batch(reporter))
            break;
    }
    watch_acks(reporter);
}

static void on_linger(void *arg)
{
    sr_reporter_look(arg);
}

/* --- what the transport says -------------------------------------------- */

static void forget_flights(struct sr_reporter *reporter)
{
    memset(reporter->flights, 0, sizeof reporter->flights);
    reporter->flying = 0;
    sr_outbox_requeue(reporter->config.outbox);
}

void sr_reporter_up(struct sr_reporter *reporter)
{
    if (*reporter->reason)
        sr_notice("connected again");
    reporter->reason[0] = '\0';
    reporter->up = reporter->reached = true;
    reporter->stats.connected = true;
    reporter->stats.connects++;
    sr_reporter_look(reporter);
}

void sr_reporter_down(struct sr_reporter *reporter, const char *reason)
{
    if (strcmp(reporter->reason, reason))
        sr_warning("%s; trying again", reason);
    snprintf(reporter->reason, sizeof reporter->reason, "%s", reason);
    if (reporter->stats.connected)
        reporter->stats.disconnects++;
    reporter->up = reporter->stats.connected = false;
    forget_flights(reporter);
    sr_deadline_clear(&reporter->linger);
    sr_deadline_clear(&reporter->overdue);
}

void sr_reporter_acked(struct sr_reporter *reporter, uint32_t ticket)
{
    struct flight *flight = ticket ? find_flight(reporter, ticket) : NULL;

    if (!flight)
        return;
    flight->ticket = 0;
    reporter->flying--;
    reporter->stats.rows_acked += sr_outbox_ack(reporter->config.outbox, ticket);
    sr_reporter_look(reporter);
}

void sr_reporter_received(struct sr_reporter *reporter, const char *xid,
                          const char *rows, size_t len)
{
    const struct sr_reporter_config *config = &reporter->config;

    if (reporter->muted)
        return;
    config->received(config->arg, xid, rows, len, &reporter->stats.rows_received,
                     &reporter->stats.rows_malformed);
    reporter->hurry =
        true; /* if a handler has sent rows; else there is nothing to hurry */
    sr_reporter_look(reporter);
}

void sr_reporter_mute(struct sr_reporter *reporter)
{
    reporter->muted = true;
}

/* --- public ------------------------------------------------------------- */

static int set_option(struct sr_reporter *reporter, unsigned *option, unsigned value,
                      bool valid)
{
    if (!reporter || !valid)
        return SR_E_INVAL;
    if (reporter->started)
        return SR_E_STATE;
    *option = value;
    return 0;
}

int sr_reporter_set_keepalive(struct sr_reporter *reporter, unsigned seconds)
{
    return set_option(reporter, &reporter->keepalive_s, seconds,
                      !seconds || (seconds >= 5 && seconds <= 65535));
}

int sr_reporter_set_linger(struct sr_reporter *reporter, unsigned linger_ms)
{
    return set_option(reporter, &reporter->linger_ms, linger_ms, linger_ms <= 60000);
}

int sr_reporter_set_batch(struct sr_reporter *reporter, unsigned rows)
{
    return set_option(reporter, &reporter->batch_rows, rows,
                      rows >= 1 && rows <= 10000);
}

int sr_reporter_set_window(struct sr_reporter *reporter, unsigned publishes)
{
    return set_option(reporter, &reporter->window, publishes,
                      publishes >= 1 && publishes <= SR_WINDOW_MAX);
}

int sr_reporter_set_capacity(struct sr_reporter *reporter, size_t bytes)
{
    if (!reporter || bytes < 4096 || bytes > 1u << 30)
        return SR_E_INVAL;
    sr_outbox_set_cap(reporter->config.outbox, bytes);
    return 0;
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
    ret_stats->rows_dropped = box.rows_dropped;
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

unsigned sr_reporter_keepalive(const struct sr_reporter *reporter)
{
    return reporter->keepalive_s;
}
