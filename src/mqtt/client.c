/* SPDX-License-Identifier: MIT */
#include <smartrest/mqtt.h>

#include "base/net.h"
#include "mqtt/mqtt.h"
#include "mqtt/topic.h"
#include <stdlib.h>
#include <string.h>

#define SR_LOG_COMPONENT "mqtt"
#include <smartrest/log.h>

enum {
    UNDER_WAY_MAX = 1000,
    SEND_MAX = 4 * 1024 * 1024,
    PAYLOAD_MAX = 268435455 - 70000
};

struct subscription {
    struct subscription *next;
    char *filter;
    int qos;
    int message_id; /* of its SUBSCRIBE, until that is answered */
    uint64_t asked_ms;
    bool dead; /* unsubscribed while messages are handed out */
    sr_mqtt_fn fn;
    void *arg;
};

/* A publish under way. */
enum { DONES = 256 }; /* of publishes that have left, told in a turn */

struct publish {
    struct publish *next;
    int message_id;
    bool left; /* acknowledged: `fn` is called in the next turn */
    size_t len;
    sr_mqtt_done_fn fn;
    void *arg;
};

struct sr_mqtt {
    struct sr_loop *loop;
    struct sr_mqtt_link_options options;
    struct sr_mqtt_events events;
    void *arg;
    unsigned keepalive_s;

    struct sr_mqtt_link *link; /* NULL: disconnected */
    struct sr_deadline later;  /* what may not happen inside of a call */
    struct sr_deadline answer; /* to the oldest SUBSCRIBE */
    bool starting;
    struct subscription *subscriptions;
    struct publish *publishes, *sending;
    unsigned under_way;
    size_t under_way_bytes, send_max;

    int busy;    /* inside of events */
    bool doomed; /* freed from there */
};

/* --- publishes ---------------------------------------------------------- */

static struct publish *take_publish(struct sr_mqtt *m, struct publish *publish)
{
    struct publish **link = &m->publishes;

    while (*link && *link != publish)
        link = &(*link)->next;
    if (!*link)
        return NULL;
    *link = publish->next;
    m->under_way--;
    m->under_way_bytes -= publish->len;
    return publish;
}

static void end_publish(struct sr_mqtt *m, struct publish *publish, int rc)
{
    take_publish(m, publish);
    if (publish->fn)
        publish->fn(publish->arg, rc);
    free(publish);
}

static struct publish *find_publish(struct sr_mqtt *m, int message_id)
{
    for (struct publish *p = m->publishes; p; p = p->next)
        if (p->message_id == message_id)
            return p;
    return NULL;
}

static struct publish *find_left(struct sr_mqtt *m)
{
    for (struct publish *p = m->publishes; p; p = p->next)
        if (p->left)
            return p;
    return NULL;
}

static void forget_publishes(struct sr_mqtt *m)
{
    while (m->publishes)
        free(take_publish(m, m->publishes));
}

/* --- subscriptions ------------------------------------------------------ */

static void free_subscription(struct subscription *s)
{
    free(s->filter);
    free(s);
}

/* Those that were ended while somebody might have been looking at them. */
static void sweep(struct sr_mqtt *m)
{
    struct subscription **link = &m->subscriptions, *s;

    while ((s = *link)) {
        if (s->dead) {
            *link = s->next;
            free_subscription(s);
        } else {
            link = &s->next;
        }
    }
}

static struct subscription *find_subscription(struct sr_mqtt *m, const char *filter)
{
    for (struct subscription *s = m->subscriptions; s; s = s->next)
        if (!s->dead && !strcmp(s->filter, filter))
            return s;
    return NULL;
}

/* When the broker has to have answered the oldest SUBSCRIBE. */
static void await_answers(struct sr_mqtt *m)
{
    uint64_t now = sr_now_ms(), due, first = UINT64_MAX;

    for (struct subscription *s = m->subscriptions; s; s = s->next) {
        if (s->dead || !s->message_id)
            continue;
        due = s->asked_ms + sr_net_connect_ms(&m->options.net);
        first = due < first ? due : first;
    }
    if (first == UINT64_MAX)
        sr_deadline_clear(&m->answer);
    else
        sr_deadline_set(&m->answer, first > now ? first - now : 0);
}

static void ask_for(struct sr_mqtt *m, struct subscription *s)
{
    const char *const filter = s->filter;
    struct sr_sigpipe hold;

    s->message_id = 0;
    if (!m->link)
        return;
    sr_sigpipe_hold(&hold);
    if (sr_mqtt_link_subscribe(m->link, &filter, 1, s->qos, &s->message_id))
        s->message_id = 0; /* `up` comes again, and asks again */
    sr_sigpipe_release(&hold);
    s->asked_ms = sr_now_ms();
    await_answers(m);
}

/* What was not answered is asked for again by the next connection. */
static void forget_answers(struct sr_mqtt *m)
{
    for (struct subscription *s = m->subscriptions; s; s = s->next)
        s->message_id = 0;
    sr_deadline_clear(&m->answer);
}

/* --- life --------------------------------------------------------------- */

static void destroy(struct sr_mqtt *m)
{
    sr_mqtt_link_free(m->link);
    sr_deadline_release(&m->later);
    sr_deadline_release(&m->answer);
    forget_publishes(m);
    for (struct subscription *s = m->subscriptions; s; s = s->next)
        s->dead = true;
    sweep(m);
    sr_mqtt_link_options_release(&m->options);
    free(m);
}

static void enter(struct sr_mqtt *m)
{
    m->busy++;
}

static void leave(struct sr_mqtt *m)
{
    if (--m->busy)
        return;
    if (m->doomed)
        destroy(m);
    else
        sweep(m);
}

/* --- what the link tells ------------------------------------------------- */

static void on_up(void *arg)
{
    struct sr_mqtt *m = arg;

    enter(m);
    for (struct subscription *s = m->subscriptions; s; s = s->next)
        if (!s->dead)
            ask_for(m, s);
    if (m->events.up)
        m->events.up(m->arg);
    leave(m);
}

static void on_down(void *arg, bool was_up, const char *reason)
{
    struct sr_mqtt *m = arg;
    struct sr_mqtt_link *link = m->link;

    enter(m);
    forget_answers(m);
    while (m->link == link && !m->doomed && m->publishes)
        end_publish(m, m->publishes, m->publishes->left ? 0 : SR_E_UNREACHABLE);
    if (m->link == link && !m->doomed && m->events.down)
        m->events.down(m->arg, was_up, reason);
    leave(m);
}

/* Libmosquitto calls this from within its writing, and who publishes the next one from there would never
 * come back. */
static void on_acked(void *arg, int message_id)
{
    struct sr_mqtt *m = arg;
    struct publish *publish = find_publish(m, message_id);

    if (m->sending && !publish)
        publish = m->sending; /* within sr_mqtt_publish() */
    if (!publish)
        return; /* an acknowledgement of nothing */
    publish->left = true;
    sr_deadline_set(&m->later, 0);
}

static void on_subscribed(void *arg, int message_id, const int *granted, int count)
{
    struct sr_mqtt *m = arg;

    enter(m);
    for (struct subscription *s = m->subscriptions; s && !m->doomed; s = s->next) {
        if (s->dead || s->message_id != message_id)
            continue;
        s->message_id = 0;
        if (!sr_mqtt_link_granted(granted, count, 0) && m->events.refused)
            m->events.refused(m->arg, s->filter);
        break;
    }
    leave(m);
}

/* Who does not answer does not grant either. */
static void on_unanswered(void *arg)
{
    struct sr_mqtt *m = arg;
    uint64_t patience = sr_net_connect_ms(&m->options.net);

    enter(m);
    for (struct subscription *s = m->subscriptions; s && !m->doomed; s = s->next) {
        if (s->dead || !s->message_id || sr_now_ms() < s->asked_ms + patience)
            continue;
        s->message_id = 0;
        if (m->events.refused)
            m->events.refused(m->arg, s->filter);
    }
    if (!m->doomed)
        await_answers(m);
    leave(m);
}

static bool hand_out(struct sr_mqtt *m, const struct sr_mqtt_message *message)
{
    struct sr_mqtt_link *link = m->link;
    bool found = false;

    for (struct subscription *s = m->subscriptions; s; s = s->next) {
        if (m->link != link || m->doomed)
            return true; /* disconnected by one of them */
        if (s->dead || !s->fn || !sr_mqtt_matches(s->filter, message->topic))
            continue;
        found = true;
        s->fn(s->arg, message);
    }
    return found;
}

static void on_received(void *arg, const struct sr_mqtt_link_message *got)
{
    const struct sr_mqtt_message message = {
        .topic = got->topic,
        .payload = got->payload,
        .len = got->len,
        .qos = got->qos,
        .retained = got->retained,
    };
    struct sr_mqtt *m = arg;

    enter(m);
    if (!hand_out(m, &message) && m->events.message)
        m->events.message(m->arg, &message);
    leave(m);
}

static void on_later(void *arg)
{
    struct sr_mqtt *m = arg;
    struct publish *left;

    enter(m);
    if (m->starting) {
        m->starting = false;
        sr_mqtt_link_start(m->link, m->keepalive_s);
    }
    for (int i = 0; i < DONES && !m->doomed && (left = find_left(m)); i++)
        end_publish(m, left, 0);
    if (!m->doomed && find_left(m))
        sr_deadline_set(&m->later, 0);
    leave(m);
}

/* --- what the application asks for --------------------------------------- */

static bool is_message(const struct sr_mqtt_message *message)
{
    return message && sr_topic_valid(message->topic) && message->qos >= 0 &&
           message->qos <= 2 && (message->payload || !message->len);
}

static bool are_valid(const struct sr_mqtt_options *o)
{
    return o && (!o->will || is_message(o->will)) &&
           (!o->keepalive_s || (o->keepalive_s >= 5 && o->keepalive_s <= 65535));
}

/* Here, by name, and not when libmosquitto or OpenSSL meets it. */
static int check_options(const struct sr_mqtt_link_options *options)
{
    const char *wrong = sr_mqtt_link_wrong(options);
    char why[SR_NET_WHY_MAX];

    if (!wrong && !sr_net_check(&options->net, why, sizeof why))
        wrong = why;
    if (wrong)
        sr_error("MQTT: %s", wrong);
    return wrong ? SR_E_INVAL : 0;
}

static int copy_options(struct sr_mqtt *m, const struct sr_mqtt_options *o)
{
    struct sr_mqtt_link_options options = {
        .host = o->host,
        .port = o->port  ? o->port
                : o->tls ? 8883
                         : 1883,
        .tls = o->tls,
        .client_id = o->client_id,
        .user = o->user,
        .password = o->password,
        .keep_session = o->keep_session,
    };
    int rc;

    if (o->net)
        options.net = *o->net;
    if (o->will) {
        options.will_topic = o->will->topic;
        options.will_payload = o->will->payload;
        options.will_len = o->will->len;
        options.will_qos = o->will->qos;
        options.will_retained = o->will->retained;
    }
    m->keepalive_s = o->keepalive_s;
    rc = check_options(&options);
    return rc ? rc : sr_mqtt_link_options_copy(&options, &m->options);
}

int sr_mqtt_new(struct sr_loop *loop, const struct sr_mqtt_options *options,
                const struct sr_mqtt_events *events, void *arg,
                struct sr_mqtt **ret_mqtt)
{
    struct sr_mqtt *m;
    int rc;

    if (!loop || !are_valid(options) || !ret_mqtt)
        return SR_E_INVAL;
    m = calloc(1, sizeof *m);
    if (!m)
        return SR_E_NOMEM;
    m->loop = loop;
    if (events)
        m->events = *events;
    m->arg = arg;
    m->send_max = SEND_MAX;
    rc = copy_options(m, options);
    if (!rc)
        rc = sr_deadline_init(&m->later, loop, on_later, m);
    if (!rc)
        rc = sr_deadline_init(&m->answer, loop, on_unanswered, m);
    if (rc)
        destroy(m);
    else
        *ret_mqtt = m;
    return rc;
}

struct sr_mqtt *sr_mqtt_free(struct sr_mqtt *m)
{
    if (!m)
        return NULL;
    sr_mqtt_disconnect(m);
    if (m->busy)
        m->doomed = true;
    else
        destroy(m);
    return NULL;
}

int sr_mqtt_connect(struct sr_mqtt *m)
{
    static const struct sr_mqtt_link_events events = {
        .up = on_up,
        .down = on_down,
        .received = on_received,
        .acked = on_acked,
        .subscribed = on_subscribed,
    };
    int rc;

    if (!m)
        return SR_E_INVAL;
    if (m->link || m->doomed)
        return SR_E_STATE;
    rc = sr_mqtt_link_new(m->loop, &m->options, &events, m, &m->link);
    if (rc)
        return rc;
    m->starting = true;
    sr_deadline_set(&m->later, 0);
    return 0;
}

void sr_mqtt_disconnect(struct sr_mqtt *m)
{
    struct sr_mqtt_link *link;

    if (!m || !m->link)
        return;
    link = m->link;
    m->link = NULL;
    m->starting = false;
    sr_deadline_clear(&m->later);
    forget_answers(m);
    sr_mqtt_link_free(link);
    forget_publishes(m);
}

bool sr_mqtt_is_up(const struct sr_mqtt *m)
{
    return m && m->link && sr_mqtt_link_is_up(m->link);
}

void sr_mqtt_set_send_max(struct sr_mqtt *m, size_t max)
{
    if (m)
        m->send_max = max;
}

static int send_message(struct sr_mqtt *m, const struct sr_mqtt_message *message,
                        struct publish *publish)
{
    const struct sr_mqtt_link_message out = {
        .topic = message->topic,
        .payload = message->payload,
        .len = message->len,
        .qos = message->qos,
        .retained = message->retained,
    };
    struct sr_sigpipe hold;
    int rc;

    publish->next = m->publishes;
    m->publishes = m->sending = publish;
    m->under_way++;
    m->under_way_bytes += publish->len;
    sr_sigpipe_hold(&hold);
    rc = sr_mqtt_link_send(m->link, &out, &publish->message_id);
    sr_sigpipe_release(&hold);
    m->sending = NULL;
    if (rc)
        free(take_publish(m, publish));
    return rc;
}

int sr_mqtt_publish(struct sr_mqtt *m, const struct sr_mqtt_message *message,
                    sr_mqtt_done_fn done, void *arg)
{
    struct publish *publish;

    if (!m || !is_message(message))
        return SR_E_INVAL;
    if (message->len > PAYLOAD_MAX)
        return SR_E_TOOBIG;
    if (!sr_mqtt_is_up(m))
        return SR_E_STATE;
    if (m->under_way >= UNDER_WAY_MAX || m->under_way_bytes > m->send_max ||
        message->len > m->send_max - m->under_way_bytes)
        return SR_E_FULL;
    publish = calloc(1, sizeof *publish);
    if (!publish)
        return SR_E_NOMEM;
    publish->len = message->len;
    publish->fn = done;
    publish->arg = arg;
    return send_message(m, message, publish);
}

static struct subscription *add_subscription(struct sr_mqtt *m, const char *filter)
{
    struct subscription *s = calloc(1, sizeof *s), **link = &m->subscriptions;

    if (s)
        s->filter = strdup(filter);
    if (!s || !s->filter) {
        free(s);
        return NULL;
    }
    while (*link)
        link = &(*link)->next;
    return *link = s;
}

int sr_mqtt_subscribe(struct sr_mqtt *m, const char *filter, int qos, sr_mqtt_fn fn,
                      void *arg)
{
    struct subscription *s;

    if (!m || !sr_filter_valid(filter) || qos < 0 || qos > 2)
        return SR_E_INVAL;
    s = find_subscription(m, filter);
    if (!s)
        s = add_subscription(m, filter);
    if (!s)
        return SR_E_NOMEM;
    s->qos = qos;
    s->fn = fn;
    s->arg = arg;
    ask_for(m, s);
    return 0;
}

static int check_filters(const char *const *filters, size_t count)
{
    if (!filters && count)
        return SR_E_INVAL;
    for (size_t i = 0; i < count; i++)
        if (!sr_filter_valid(filters[i]))
            return SR_E_INVAL;
    return 0;
}

int sr_mqtt_subscribe_many(struct sr_mqtt *m, const char *const *filters, size_t count,
                           int qos, sr_mqtt_fn fn, void *arg)
{
    int rc = m && qos >= 0 && qos <= 2 ? check_filters(filters, count) : SR_E_INVAL;

    for (size_t i = 0; !rc && i < count; i++) {
        rc = sr_mqtt_subscribe(m, filters[i], qos, fn, arg);
        if (rc)
            sr_mqtt_unsubscribe_many(m, filters, i);
    }
    return rc;
}

int sr_mqtt_unsubscribe(struct sr_mqtt *m, const char *filter)
{
    struct subscription *s;
    struct sr_sigpipe hold;

    if (!m || !sr_filter_valid(filter))
        return SR_E_INVAL;
    s = find_subscription(m, filter);
    if (!s)
        return 0;
    s->dead = true;
    sr_sigpipe_hold(&hold);
    if (sr_mqtt_is_up(m))
        sr_mqtt_link_unsubscribe(m->link, filter);
    sr_sigpipe_release(&hold);
    if (!m->busy)
        sweep(m);
    return 0;
}

int sr_mqtt_unsubscribe_many(struct sr_mqtt *m, const char *const *filters,
                             size_t count)
{
    int rc = m ? check_filters(filters, count) : SR_E_INVAL;

    for (size_t i = 0; !rc && i < count; i++)
        rc = sr_mqtt_unsubscribe(m, filters[i]);
    return rc;
}
