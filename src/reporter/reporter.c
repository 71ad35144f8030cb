/* SPDX-License-Identifier: MIT */
#include "reporter/reporter.h"

#include "reporter/blame.h"
#include "reporter/join.h"
#include <stdlib.h>
#include <string.h>

#define SR_LOG_COMPONENT "reporter"
#include <smartrest/log.h>

#ifndef SR_ACK_MS /* tests are less patient */
#define SR_ACK_MS ((uint64_t)reporter->config.settings->request_timeout)
#endif

/* A payload under way. */
struct flight {
    uint32_t ticket; /* 0: none */
    size_t rows;
    uint64_t sent_ms;
};

struct sr_reporter {
    struct sr_reporter_config config;
    struct sr_transport *transport;
    struct sr_reporter *next;
    unsigned window; /* of the settings, if the transport has as many */

    char *xid;
    char *payload; /* the last one, with room for the largest */
    size_t payload_len, payload_max;
    struct { /* while an answer to that payload is dispatched */
        const char *rows;
        size_t len;
    } answer;
    bool skips_15; /* the platform does not count `15` rows as lines */
    bool started, up, reached, asleep;
    bool muted; /* freed by the application, and gone once the loop is out of its way */
    bool hurry; /* a handler has sent rows: what waits goes at once */
    struct flight flights[SR_WINDOW_MAX];
    unsigned flying;
    uint32_t last_ticket;
    size_t singly; /* rows to send one by one, since they were refused together */
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
    if (sr_deadline_init(&reporter->linger, config->loop, on_linger, reporter) ||
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
    sr_deadline_release(&reporter->linger);
    sr_deadline_release(&reporter->overdue);
    free(reporter->xid);
    free(reporter->payload);
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
    reporter->payload = malloc(reporter->payload_max);
    if (!reporter->xid || !reporter->payload)
        return SR_E_NOMEM;
    sr_outbox_set_batch(reporter->config.outbox, (size_t)settings->batch_rows,
                        reporter->payload_max);
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
                    oldest + SR_ACK_MS > now ? oldest + SR_ACK_MS - now : 0);
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

    sr_join_init(&join, reporter->xid, reporter->payload, reporter->payload_max,
                 reporter->singly ? 1 : (size_t)reporter->config.settings->batch_rows);
    rows = sr_outbox_take(reporter->config.outbox, ticket, add_row, &join);
    reporter->payload_len = join.len;
    if (!rows)
        return false;
    if (transport->ops->send(transport, ticket, join.payload, join.len))
        return false; /* the transport will say that it is down, and they wait again */
    *flight = (struct flight){ .ticket = ticket, .rows = rows, .sent_ms = sr_now_ms() };
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
    const struct sr_settings *settings = reporter->config.settings;
    uint64_t now = sr_now_ms(), linger = (uint64_t)settings->linger;
    uint64_t age = now > waiting->oldest_ms ? now - waiting->oldest_ms : 0;

    if (reporter->hurry || reporter->singly ||
        waiting->rows >= (size_t)settings->batch_rows ||
        waiting->bytes >= reporter->payload_max || age >= linger)
        return 0;
    return linger - age;
}

static bool may_send(const struct sr_reporter *reporter)
{
    return reporter->up && !reporter->muted && !reporter->asleep &&
           reporter->flying < reporter->window;
}

void sr_reporter_look(struct sr_reporter *reporter)
{
    struct sr_outbox_waiting waiting;
    uint64_t due_ms = 0;

    sr_deadline_clear(&reporter->linger);
    while (may_send(reporter)) {
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

static void fail_flights(struct sr_reporter *reporter)
{
    memset(reporter->flights, 0, sizeof reporter->flights);
    reporter->flying = 0;
    if (!reporter->muted)
        sr_outbox_fail(reporter->config.outbox,
                       (uint32_t)reporter->config.settings->retries);
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
    fail_flights(reporter);
    sr_deadline_clear(&reporter->linger);
    sr_deadline_clear(&reporter->overdue);
}

static void forget_payload(struct sr_reporter *reporter, uint32_t ticket)
{
    struct flight *flight = ticket ? find_flight(reporter, ticket) : NULL;

    if (!flight)
        return;
    flight->ticket = 0;
    reporter->flying--;
    reporter->singly -= reporter->singly > 0;
    reporter->stats.rows_acked += sr_outbox_ack(reporter->config.outbox, ticket);
}

void sr_reporter_acked(struct sr_reporter *reporter, uint32_t ticket)
{
    forget_payload(reporter, ticket);
    sr_reporter_look(reporter);
}

/* The payload is in its place until the handlers are done: then the next may go. */
void sr_reporter_answered(struct sr_reporter *reporter, uint32_t ticket,
                          const char *rows, size_t len)
{
    forget_payload(reporter, ticket);
    reporter->answer.rows = rows;
    reporter->answer.len = len;
    sr_reporter_received(reporter, NULL, rows, len);
    reporter->answer.rows = NULL;
    sr_reporter_look(reporter);
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

/* One of the rows is at fault, or a limit nobody told us. Each on its own shows which. */
void sr_reporter_refused(struct sr_reporter *reporter, uint32_t ticket, const char *why)
{
    struct flight *flight = ticket ? find_flight(reporter, ticket) : NULL;

    if (!flight)
        return;
    if (flight->rows > 1) {
        reporter->singly = flight->rows;
        return; /* `down` follows, and they wait again */
    }
    sr_error("%s: a row is dropped since the platform never takes it", why);
    flight->ticket = 0;
    reporter->flying--;
    reporter->singly -= reporter->singly > 0;
    sr_outbox_drop(reporter->config.outbox, ticket);
}

/* If there is nothing to hurry, it ends by itself. */
void sr_reporter_hurry(struct sr_reporter *reporter)
{
    reporter->hurry = true;
    sr_reporter_look(reporter);
}

void sr_reporter_received(struct sr_reporter *reporter, const char *xid,
                          const char *rows, size_t len)
{
    const struct sr_reporter_config *config = &reporter->config;
    uint64_t before;

    if (reporter->muted)
        return;
    before = sr_outbox_rows_put(config->outbox);
    config->received(config->arg, xid, rows, len, &reporter->stats.rows_received,
                     &reporter->stats.rows_malformed);
    if (sr_outbox_rows_put(config->outbox) != before) /* a handler has sent rows */
        sr_reporter_hurry(reporter);
}

/* The rows are the next reporter's from now on, whenever this one goes. */
void sr_reporter_mute(struct sr_reporter *reporter)
{
    memset(reporter->flights, 0, sizeof reporter->flights);
    reporter->flying = 0;
    leave_outbox(reporter);
    reporter->muted = true;
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
    ret_stats->rows_given_up = box.rows_given_up;
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

const struct sr_settings *sr_reporter_settings(const struct sr_reporter *reporter)
{
    return reporter->config.settings;
}
