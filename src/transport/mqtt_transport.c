/* SPDX-License-Identifier: MIT */
#include "transport/mqtt_transport.h"

#include "base/backoff.h"
#include "base/clock.h"
#include "loop/flood.h"
#include "transport/subscriptions.h"
#include <smartrest/record.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SR_LOG_COMPONENT "mqtt"
#include <smartrest/log.h>

/* Fixed header with a three-byte length, topic with its length, message id. */
enum { PUBLISH_OVERHEAD = 1 + 3 + 2 + 4 + 2 };

/* A connection that the broker closes so soon may have had to make room for another. */
#ifndef SR_TWIN_MS /* tests are less patient */
#define SR_TWIN_MS (60 * 1000)
#endif
enum { TWIN_KICKS = 5, BUSY_MS = 50 };

struct mqtt_transport {
    struct sr_transport base; /* first */
    struct sr_mqtt_link *mqtt;
    struct sr_subscriptions subs;
    bool subscribed;                       /* the SUBACK for QoS 1 has come: rows go */
    bool downgraded;                       /* and that is logged */
    struct sr_deadline subscribe_deadline; /* of an answer, or of the next try */
    struct sr_backoff subscribe_backoff;
    struct sr_batch *sent[SR_WINDOW_MAX]; /* under way, oldest first */
    unsigned sent_count;
    struct sr_flood errors;   /* of the platform, in the log */
    char *client_id, *broker; /* as its URL */
    unsigned kicks; /* idle connections that the broker closed soon, less busy ones */
    uint64_t acked_ms;       /* the last publish; SR_NEVER */
    bool twin;               /* it is told */
    struct sr_deadline calm; /* a connection has lasted: there is no twin any more */
};

/* --- going up ----------------------------------------------------------- */

static int send_batch(struct sr_transport *transport, struct sr_batch *batch)
{
    struct mqtt_transport *t = (struct mqtt_transport *)transport;
    struct sr_route route;
    int rc;

    if (t->sent_count == SR_WINDOW_MAX)
        return SR_E_FULL;
    batch->channel->protocol->route(SR_BY_MQTT, batch->channel->name, &route);
    rc = sr_mqtt_link_publish(t->mqtt, route.to, batch->payload, batch->len, 1,
                              &batch->message_id);
    if (rc)
        sr_mqtt_link_drop(t->mqtt, "a publish could not be sent"); /* `down` follows */
    else
        t->sent[t->sent_count++] = batch;
    return rc;
}

/* A broker acknowledges in the order of sending: mostly it is the first. */
static struct sr_batch *find_sent(struct mqtt_transport *t, int message_id)
{
    unsigned i = 0;
    struct sr_batch *batch;

    while (i < t->sent_count && t->sent[i]->message_id != message_id)
        i++;
    if (i == t->sent_count)
        return NULL;
    batch = t->sent[i];
    memmove(t->sent + i, t->sent + i + 1, (--t->sent_count - i) * sizeof *t->sent);
    return batch;
}

static void on_acked(void *arg, int message_id)
{
    struct mqtt_transport *t = arg;
    struct sr_batch *batch = find_sent(t, message_id);

    if (!batch)
        return; /* an acknowledgement of nothing */
    t->acked_ms = sr_now_ms();
    t->base.events->acked(t->base.arg, batch);
}

/* --- coming down -------------------------------------------------------- */

/* How many rows; *ret_first is the length of the first. */
static size_t count_rows(const char *rows, size_t len, size_t *ret_first)
{
    struct sr_parser parser;
    struct sr_record *record;
    size_t count = 0, offset;
    int rc;

    sr_parser_init(&parser, rows, len);
    while ((rc = sr_parser_next(&parser, &record)) != SR_E_END && rc != SR_E_NOMEM)
        if (!rc && !count++)
            sr_record_range(record, &offset, ret_first);
    sr_parser_release(&parser);
    return count;
}

/* One row of it in the log, however many of a publish were refused: the others are most
 * likely refused for the same reason. */
static void log_errors(struct mqtt_transport *t, const char *rows, size_t len)
{
    size_t first = len, count = count_rows(rows, len, &first);

    if (!sr_flood_lets(&t->errors))
        return;
    if (count > 1)
        sr_warning("error from the platform: %.*s (and %zu more)", (int)first, rows,
                   count - 1);
    else
        sr_warning("error from the platform: %.*s", (int)len, rows);
}

static void hear(struct mqtt_transport *t, const struct sr_origin *origin,
                 const char *payload, size_t len)
{
    struct sr_rows rows;

    sr_rows_read(&rows, payload, len);
    t->base.events->received(t->base.arg, origin, &rows);
    sr_rows_release(&rows);
}

static void on_message(void *arg, const char *topic, const char *payload, size_t len)
{
    struct mqtt_transport *t = arg;
    struct sr_origin origin;
    enum sr_hearing hearing = sr_protocol_hear(topic, &origin);

    if (hearing == SR_HEAR_ROWS)
        hear(t, &origin, payload, len);
    else if (hearing == SR_HEAR_ERRORS)
        log_errors(t, payload, len);
}

/* --- coming and going --------------------------------------------------- */

/* Asks for what is missing. */
static void subscribe(struct mqtt_transport *t)
{
    const char *const *topics;
    size_t count;

    for (int qos = SR_SUBSCRIPTIONS_QOS - 1; qos >= 0; qos--) {
        count = sr_subscriptions_ask(&t->subs, qos, &topics);
        if (count &&
            sr_mqtt_link_subscribe(t->mqtt, topics, (int)count, qos, &t->subs.ids[qos]))
            return; /* `down` follows */
    }
    sr_deadline_set(&t->subscribe_deadline, SR_MQTT_CONNECT_MS);
}

/* Answers are lost on a topic that is not subscribed yet, so rows wait for the SUBACK. */
static void on_up(void *arg)
{
    struct mqtt_transport *t = arg;

    sr_subscriptions_reset(&t->subs);
    t->subscribed = false;
    subscribe(t);
}

/* Without these topics no operation comes, and nobody would notice. */
static void tell_missing(struct mqtt_transport *t, const char *what)
{
    char topics[256], text[512];

    sr_subscriptions_missing(&t->subs, topics, sizeof topics);
    snprintf(text, sizeof text, "%.200s: the broker %s: %s", t->broker, what, topics);
    t->base.events->trouble(t->base.arg, SR_TROUBLE_SUBSCRIPTION, text);
}

/* All that was asked for is answered. */
static void settle_subscriptions(struct mqtt_transport *t)
{
    char topics[8];

    if (t->subs.downgraded && !t->downgraded)
        sr_warning("the broker grants a lower QoS than was asked for");
    t->downgraded = t->subs.downgraded;
    if (sr_subscriptions_missing(&t->subs, topics, sizeof topics)) {
        tell_missing(t, "refuses to subscribe to");
        sr_deadline_set(&t->subscribe_deadline,
                        sr_backoff_next_within(
                            &t->subscribe_backoff,
                            t->base.events->pause_max_ms(t->base.arg), sr_random32()));
        return;
    }
    sr_deadline_clear(&t->subscribe_deadline);
    sr_backoff_reset(&t->subscribe_backoff);
    t->base.events->trouble(t->base.arg, SR_TROUBLE_SUBSCRIPTION, NULL);
    t->base.events->subscribed(t->base.arg);
}

/* The time for an answer is over; or the pause before what was refused is asked for again. */
static void on_subscribe_due(void *arg)
{
    struct mqtt_transport *t = arg;

    if (!sr_subscriptions_asked(&t->subs)) {
        subscribe(t);
        return;
    }
    tell_missing(t, "does not answer a subscription to");
    sr_mqtt_link_drop(t->mqtt, "the broker does not answer a subscription");
}

/* As long as there is a twin, a connection that lasts a little while is nothing to rely on. */
static void set_patience(struct mqtt_transport *t)
{
    sr_mqtt_link_set_patience(t->mqtt, t->base.events->pause_max_ms(t->base.arg),
                              t->twin ? SR_TWIN_MS : SR_MQTT_HEALTHY_MS);
}

/* Rows go from now on, also if some topics are refused. */
static void go_up(struct mqtt_transport *t)
{
    const char *const *topics;

    t->subscribed = true;
    sr_info(sr_subscriptions_ask(&t->subs, 1, &topics) ? "connected"
                                                       : "connected and subscribed");
    t->base.events->trouble(t->base.arg, SR_TROUBLE_AUTH, NULL);
    set_patience(t);
    if (t->twin)
        sr_deadline_set(&t->calm, SR_TWIN_MS);
    t->base.events->up(t->base.arg);
}

static void on_subscribed(void *arg, int message_id, const int *granted, int count)
{
    struct mqtt_transport *t = arg;
    int qos = sr_subscriptions_hear(&t->subs, message_id, granted, count);

    if (qos < 0)
        return;
    if (qos > 0 && !t->subscribed)
        go_up(t);
    if (!sr_subscriptions_asked(&t->subs))
        settle_subscriptions(t);
}

/* --- troubles ----------------------------------------------------------- */

static void tell_twin(struct mqtt_transport *t, const char *reason)
{
    char text[1024];

    snprintf(
        text, sizeof text,
        "%.500s, %u times soon after it was up, while it was idle: is there another client "
        "with the id '%.300s'?",
        reason, t->kicks, t->client_id);
    t->twin = true;
    t->base.events->trouble(t->base.arg, SR_TROUBLE_TWIN, text);
}

static void on_calm(void *arg)
{
    struct mqtt_transport *t = arg;

    t->twin = false;
    t->kicks = 0;
    t->base.events->trouble(t->base.arg, SR_TROUBLE_TWIN, NULL);
    set_patience(t);
}

/* Had the connection to do with rows when it ended? */
static bool is_busy(const struct mqtt_transport *t)
{
    if (t->sent_count)
        return true;
    return t->acked_ms != SR_NEVER && sr_now_ms() - t->acked_ms < BUSY_MS;
}

/* A twin ends a connection at any moment, most often an idle one. A bad line, or a broker that trips over
 * a row, ends those under which something is sent; and one that goes on and off refuses connections in
 * between, or resets them. */
static void look_for_twin(struct mqtt_transport *t, const struct sr_mqtt_link_end *end,
                          bool was_up, bool busy, const char *reason)
{
    sr_deadline_clear(&t->calm);
    if (!was_up || !end->closed || end->lasted_ms >= SR_TWIN_MS)
        t->kicks = 0;
    else if (!busy)
        t->kicks++;
    else
        t->kicks -= t->kicks > 0;
    if (t->kicks >= TWIN_KICKS)
        tell_twin(t, reason);
}

static void on_down(void *arg, bool was_up, const char *reason)
{
    struct mqtt_transport *t = arg;
    struct sr_mqtt_link_end end = sr_mqtt_link_end(t->mqtt);
    bool busy = is_busy(t);

    t->sent_count = 0;
    sr_subscriptions_reset(&t->subs);
    sr_deadline_clear(&t->subscribe_deadline);
    if (end.connack == 4 || end.connack == 5)
        t->base.events->trouble(t->base.arg, SR_TROUBLE_AUTH, reason);
    t->base.events->down(t->base.arg, was_up ? SR_ATTEMPT_LOST : SR_ATTEMPT_UNREACHED,
                         reason);
    look_for_twin(t, &end, was_up, busy, reason);
    set_patience(t);
}

static void start(struct sr_transport *transport)
{
    struct mqtt_transport *t = (struct mqtt_transport *)transport;

    sr_mqtt_link_start(t->mqtt, (unsigned)t->base.settings->keepalive);
}

static void drop(struct sr_transport *transport, const char *reason)
{
    sr_mqtt_link_drop(((struct mqtt_transport *)transport)->mqtt, reason);
}

/* --- life --------------------------------------------------------------- */

static void free_transport(struct sr_transport *transport)
{
    struct mqtt_transport *t = (struct mqtt_transport *)transport;

    sr_mqtt_link_free(t->mqtt);
    sr_deadline_release(&t->subscribe_deadline);
    sr_deadline_release(&t->calm);
    sr_flood_release(&t->errors);
    free(t->client_id);
    free(t->broker);
    sr_subscriptions_release(&t->subs);
    free(t);
}

static const struct sr_transport_ops ops = {
    .carrier = SR_BY_MQTT,
    .payload_max = SR_MQTT_PACKET_MAX - PUBLISH_OVERHEAD,
    .window_max = SR_WINDOW_MAX,
    .connects = true,
    .start = start,
    .send = send_batch,
    .drop = drop,
    .free = free_transport,
};

static const struct sr_mqtt_link_events events = {
    .up = on_up,
    .down = on_down,
    .message = on_message,
    .acked = on_acked,
    .subscribed = on_subscribed,
};

static char *name_broker(const struct sr_mqtt_link_options *options)
{
    char name[280];

    sr_mqtt_link_name(options, name, sizeof name);
    return strdup(name);
}

static int add_topics(struct mqtt_transport *t, const struct sr_origin *origins,
                      size_t count)
{
    struct sr_topic topics[SR_TOPICS_MAX];
    int rc = sr_subscriptions_init(&t->subs, count * SR_TOPICS_MAX);

    for (size_t i = 0; i < count; i++) {
        size_t n = origins[i].protocol->topics(origins[i].name, topics);

        for (size_t k = 0; !rc && k < n; k++)
            rc = sr_subscriptions_add(&t->subs, topics[k].name, topics[k].qos);
    }
    return rc;
}

static int init(struct mqtt_transport *t, struct sr_loop *loop,
                const struct sr_mqtt_link_options *options)
{
    int rc = sr_deadline_init(&t->subscribe_deadline, loop, on_subscribe_due, t);

    if (!rc)
        rc = sr_deadline_init(&t->calm, loop, on_calm, t);
    if (!rc)
        rc = sr_flood_init(&t->errors, loop, SR_LOG_COMPONENT,
                           "errors from the platform");
    return rc ? rc : sr_mqtt_link_new(loop, options, &events, t, &t->mqtt);
}

int sr_mqtt_transport_new(struct sr_loop *loop,
                          const struct sr_mqtt_link_options *options,
                          const struct sr_origin *origins, size_t count,
                          struct sr_transport **ret_transport)
{
    struct mqtt_transport *t = calloc(1, sizeof *t);
    int rc;

    if (!t)
        return SR_E_NOMEM;
    t->base.ops = &ops;
    t->acked_ms = SR_NEVER;
    t->client_id = strdup(options->client_id ? options->client_id : "");
    t->broker = name_broker(options);
    rc = !t->client_id || !t->broker ? SR_E_NOMEM : add_topics(t, origins, count);
    if (!rc)
        rc = init(t, loop, options);
    if (rc)
        free_transport(&t->base);
    else
        *ret_transport = &t->base;
    return rc;
}
