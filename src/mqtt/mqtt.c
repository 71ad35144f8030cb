/* SPDX-License-Identifier: MIT */
#include "mqtt/mqtt.h"

#include "base/backoff.h"
#include "base/fd.h"
#include "base/net.h"
#include "base/tls.h"
#include "base/url.h"
#include "loop/handles.h"
#include "mqtt/connect.h"
#include "mqtt/line.h"
#include "mqtt/topic.h"
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*        start                thread done            CONNACK 0
 *  IDLE --------> CONNECTING -------------> GREETING ----------> UP
 *                     ^   \________________    |                 |
 *                     |     failed          \  | failed          | lost
 *                     |                      v v                 v
 *                     +--------------------- PAUSED <------------+
 *                          pause over                            */
enum state { IDLE, CONNECTING, GREETING, UP, PAUSED };

/* The connection's socket, watched. */
struct socket_watch {
    struct sr_poll poll; /* first */
    struct sr_mqtt_link *mqtt;
};

struct sr_mqtt_link {
    struct sr_loop *loop;
    struct sr_mqtt_link_options options; /* strings are ours */
    struct sr_mqtt_link_events events;
    void *arg;
    unsigned keepalive_s;

    enum state state;
    struct sr_connect *connect;             /* CONNECTING */
    struct sr_line line;                    /* GREETING, UP: one for each connection */
    struct socket_watch *watch;             /* GREETING, UP */
    struct sockaddr_storage address, avoid; /* of this attempt; that failed last */
    struct sr_deadline
        deadline; /* of the attempt, the pause, or a dropped connection */
    struct sr_deadline ping;
    struct sr_backoff backoff;
    uint32_t pause_max_ms, healthy_ms;
    struct sr_mqtt_link_end end;
    bool closed; /* by the broker, it seems */
    uint64_t up_since_ms;
    uint64_t last_in_ms,
        last_out_ms; /* as libmosquitto sees them, for the keep-alive */
    int connack;     /* code of a refusal, 0 if there was none */
    const char *drop_reason;
    bool freed;
    struct sr_grave grave;
};

static pthread_once_t lib_once = PTHREAD_ONCE_INIT;

static void init_lib(void)
{
    sr_tls_prepare();
    mosquitto_lib_init();
}

/* --- coming and going --------------------------------------------------- */

static void attempt(struct sr_mqtt_link *mqtt);

static void close_connection(struct sr_mqtt_link *mqtt)
{
    sr_deadline_clear(&mqtt->ping);
    if (mqtt->watch)
        sr_poll_close(&mqtt->watch->poll);
    mqtt->watch = NULL;
    sr_line_close(&mqtt->line);
    sr_connect_abandon(mqtt->connect);
    mqtt->connect = NULL;
    mqtt->drop_reason = NULL;
}

void sr_mqtt_link_name(const struct sr_mqtt_link_options *o, char *text, size_t size)
{
    bool ipv6 = strchr(o->host, ':');

    snprintf(text, size, "mqtt%s://%s%s%s:%u", o->tls ? "s" : "", ipv6 ? "[" : "",
             o->host, ipv6 ? "]" : "", (unsigned)o->port);
}

/* The connection or the attempt failed: pause, and tell. */
static void lose(struct sr_mqtt_link *mqtt, const char *why)
{
    bool was_up = mqtt->state == UP;
    char name[280], reason[SR_WHY_MAX + 300];

    sr_mqtt_link_name(&mqtt->options, name, sizeof name);
    snprintf(reason, sizeof reason, "%s: %s", name, why);
    if (mqtt->connect) /* it may hang in TLS */
        sr_connect_address(mqtt->connect, &mqtt->address);
    close_connection(mqtt);
    if (!was_up)
        mqtt->avoid = mqtt->address; /* another of the host's addresses may do better */
    mqtt->end = (struct sr_mqtt_link_end){
        .connack = mqtt->connack,
        .closed = was_up && mqtt->closed,
        .lasted_ms = was_up ? sr_now_ms() - mqtt->up_since_ms : 0,
    };
    mqtt->closed = false;
    if (was_up && mqtt->end.lasted_ms >= mqtt->healthy_ms)
        sr_backoff_reset(&mqtt->backoff);
    mqtt->state = PAUSED;
    sr_deadline_set(
        &mqtt->deadline,
        sr_backoff_next_within(&mqtt->backoff, mqtt->pause_max_ms, sr_random32()));
    mqtt->events.down(mqtt->arg, was_up, reason);
}

static const char *connack_text(int code)
{
    switch (code) {
    case 1: return "the broker refuses the protocol version";
    case 2: return "the broker refuses the client id";
    case 3: return "the broker is unavailable";
    case 4: return "the broker refuses user or password";
    case 5: return "the broker says: not authorised";
    default: return "the broker refuses the connection";
    }
}

/* The connection ended with `rc`; see mqtt/line.h. */
static void lose_by(struct sr_mqtt_link *mqtt, int rc)
{
    const struct sr_line *line = &mqtt->line;
    char why[SR_WHY_MAX];

    /* A reset is what lines, and boxes on the way, do; a broker that throws somebody out closes. */
    mqtt->closed = rc == MOSQ_ERR_CONN_LOST || rc == MOSQ_ERR_NO_CONN;
    if (mqtt->connack)
        lose(mqtt, connack_text(mqtt->connack));
    else if (*line->why)
        lose(mqtt, strcpy(why, line->why));
    else if (rc == MOSQ_ERR_ERRNO)
        lose(mqtt, line->error ? strerror(line->error) : "the connection broke");
    else if (rc == MOSQ_ERR_CONN_LOST || rc == MOSQ_ERR_NO_CONN)
        lose(mqtt, "the broker closed the connection");
    else if (rc == MOSQ_ERR_KEEPALIVE)
        lose(mqtt, "no sign of life within the keep-alive");
    else
        lose(mqtt, mosquitto_strerror(rc));
}

static void on_deadline(void *arg)
{
    struct sr_mqtt_link *mqtt = arg;

    if (mqtt->state == PAUSED)
        attempt(mqtt);
    else if (mqtt->drop_reason)
        lose(mqtt, mqtt->drop_reason);
    else
        lose(mqtt, "no connection in time");
}

void sr_mqtt_link_drop(struct sr_mqtt_link *mqtt, const char *reason)
{
    if (!mqtt->line.client)
        return;
    mqtt->drop_reason = reason;
    sr_deadline_set(&mqtt->deadline, 0);
}

/* --- the socket --------------------------------------------------------- */

static void update_watch(struct sr_mqtt_link *mqtt)
{
    bool writes = sr_line_wants_write(&mqtt->line);

    if (mqtt->watch)
        sr_poll_set(&mqtt->watch->poll, SR_READABLE | (writes ? SR_WRITABLE : 0));
}

static uint64_t ping_due_ms(const struct sr_mqtt_link *mqtt)
{
    uint64_t last =
        mqtt->last_in_ms < mqtt->last_out_ms ? mqtt->last_in_ms : mqtt->last_out_ms;
    return last + 1000ull * mqtt->keepalive_s;
}

/* Sleeps exactly until libmosquitto has a PINGREQ to send, or a PINGRESP to miss. */
static void on_ping_due(void *arg)
{
    struct sr_mqtt_link *mqtt = arg;
    uint64_t now = sr_now_ms(), due = ping_due_ms(mqtt);
    int rc = MOSQ_ERR_SUCCESS;

    if (now >= due) {
        mqtt->last_in_ms = mqtt->last_out_ms = now;
        due = ping_due_ms(mqtt);
        rc = mosquitto_loop_misc(mqtt->line.client);
    }
    if (rc || mosquitto_socket(mqtt->line.client) < 0 || sr_line_flush(&mqtt->line)) {
        lose(mqtt, "no sign of life within the keep-alive");
        return;
    }
    sr_deadline_set(&mqtt->ping, due - now);
    update_watch(mqtt);
}

static void start_pinging(struct sr_mqtt_link *mqtt)
{
    if (mqtt->keepalive_s)
        sr_deadline_set(&mqtt->ping, 1000ull * mqtt->keepalive_s);
}

/* Reads and writes what the stream is ready for, and answers at once. */
static void exchange(struct sr_mqtt_link *mqtt, int events)
{
    struct sr_line *line = &mqtt->line;
    uint64_t sent = line->sent;
    int rc = MOSQ_ERR_SUCCESS;

    if (events & SR_READABLE)
        mqtt->last_in_ms = sr_now_ms();
    if (events & SR_READABLE || sr_stream_wants_write(line->stream))
        rc = sr_line_in(line);
    if (!rc)
        rc = sr_line_out(line);
    if (line->sent != sent)
        mqtt->last_out_ms = sr_now_ms();
    if (mqtt->freed)
        return;
    if (rc || mosquitto_socket(line->client) < 0)
        lose_by(mqtt, rc ? rc : MOSQ_ERR_CONN_LOST);
    else
        update_watch(mqtt);
}

static void on_poll(struct sr_poll *poll, int events)
{
    exchange(((struct socket_watch *)poll)->mqtt, events);
}

static int watch_socket(struct sr_mqtt_link *mqtt)
{
    struct socket_watch *watch = calloc(1, sizeof *watch);

    if (!watch)
        return SR_E_NOMEM;
    if (sr_poll_init(&watch->poll, mqtt->loop, mqtt->line.stream->fd, on_poll)) {
        free(watch);
        return SR_E_NOMEM;
    }
    watch->mqtt = mqtt;
    mqtt->watch = watch;
    update_watch(mqtt);
    return 0;
}

/* --- what libmosquitto calls -------------------------------------------- */

static void on_connack(struct mosquitto *client, void *arg, int code)
{
    struct sr_mqtt_link *mqtt = arg;

    (void)client;
    mqtt->connack = code;
    if (code || mqtt->state != GREETING)
        return; /* libmosquitto ends the connection, and exchange() sees it */
    mqtt->state = UP;
    mqtt->avoid.ss_family = 0;
    mqtt->up_since_ms = mqtt->last_out_ms = sr_now_ms();
    sr_deadline_clear(&mqtt->deadline);
    start_pinging(mqtt);
    mqtt->events.up(mqtt->arg);
}

static void on_message(struct mosquitto *client, void *arg,
                       const struct mosquitto_message *message)
{
    struct sr_mqtt_link *mqtt = arg;

    (void)client;
    if (message->qos > 0)
        mqtt->last_out_ms = sr_now_ms(); /* libmosquitto acknowledged it */
    if (!mqtt->freed && mqtt->events.received)
        mqtt->events.received(mqtt->arg,
                              &(const struct sr_mqtt_link_message){
                                  .topic = message->topic,
                                  .payload = message->payload ? message->payload : "",
                                  .len = (size_t)message->payloadlen,
                                  .qos = message->qos,
                                  .retained = message->retain,
                              });
    else if (!mqtt->freed)
        mqtt->events.message(mqtt->arg, message->topic,
                             message->payload ? message->payload : "",
                             (size_t)message->payloadlen);
    errno = 0; /* libmosquitto would take an EAGAIN of the application's for its own */
}

static void on_puback(struct mosquitto *client, void *arg, int message_id)
{
    struct sr_mqtt_link *mqtt = arg;

    (void)client;
    if (!mqtt->freed)
        mqtt->events.acked(mqtt->arg, message_id);
}

static void on_suback(struct mosquitto *client, void *arg, int message_id, int count,
                      const int *granted)
{
    struct sr_mqtt_link *mqtt = arg;

    (void)client;
    if (!mqtt->freed)
        mqtt->events.subscribed(mqtt->arg, message_id, granted, count);
}

/* --- an attempt --------------------------------------------------------- */

static int set_will(struct mosquitto *client, const struct sr_mqtt_link_options *o)
{
    if (!o->will_topic)
        return 0;
    return mosquitto_will_set(client, o->will_topic, (int)o->will_len, o->will_payload,
                              o->will_qos, o->will_retained);
}

/* mosquitto_new() has the process ignore SIGPIPE, which is the application's to decide;
 * see sr_sigpipe_hold(). */
static struct mosquitto *new_mosquitto(struct sr_mqtt_link *mqtt)
{
    static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;
    struct mosquitto *client;
    struct sigaction before;
    struct sr_fd_view view; /* the pair that its threads would have */

    pthread_mutex_lock(&one_at_a_time);
    sigaction(SIGPIPE, NULL, &before);
    sr_fd_look(&view);
    client = mosquitto_new(mqtt->options.client_id, !mqtt->options.keep_session, mqtt);
    sr_fd_seal_pairs(&view);
    sigaction(SIGPIPE, &before, NULL);
    pthread_mutex_unlock(&one_at_a_time);
    return client;
}

static int new_client(struct sr_mqtt_link *mqtt, struct mosquitto **ret_client)
{
    const struct sr_mqtt_link_options *o = &mqtt->options;
    struct mosquitto *client = new_mosquitto(mqtt);
    int rc;

    if (!client)
        return MOSQ_ERR_NOMEM;
    rc = mosquitto_username_pw_set(client, o->user, o->password);
    if (!rc)
        rc = set_will(client, o);
    if (rc) {
        mosquitto_destroy(client);
        return rc;
    }
    mosquitto_int_option(client, MOSQ_OPT_PROTOCOL_VERSION, MQTT_PROTOCOL_V311);
    mosquitto_connect_callback_set(client, on_connack);
    mosquitto_message_callback_set(client, on_message);
    mosquitto_publish_callback_set(client, on_puback);
    mosquitto_subscribe_callback_set(client, on_suback);
    *ret_client = client;
    return 0;
}

static void on_connected(void *arg, const struct sr_connected *result)
{
    struct sr_mqtt_link *mqtt = arg;
    bool opened =
        sr_line_open(&mqtt->line, result, sr_net_receive_max(&mqtt->options.net));

    mqtt->connect = NULL;
    mqtt->address = result->address;
    if (!result->stream) {
        lose(mqtt, result->why);
        return;
    }
    mqtt->state = GREETING;
    mqtt->last_in_ms = mqtt->last_out_ms = sr_now_ms();
    if (!opened || watch_socket(mqtt))
        lose(mqtt, "out of memory");
}

static void attempt(struct sr_mqtt_link *mqtt)
{
    const struct sr_mqtt_link_options *o = &mqtt->options;
    const struct sr_connect_options options = {
        .host = o->host,
        .port = o->port,
        .tls = o->tls,
        .net = &o->net,
        .keepalive_s = mqtt->keepalive_s,
        .last = mqtt->avoid,
    };
    struct mosquitto *client;
    int rc = new_client(mqtt, &client);

    mqtt->state = CONNECTING;
    mqtt->connack = 0;
    mqtt->address.ss_family = 0;
    if (rc) {
        lose(mqtt, mosquitto_strerror(rc));
        return;
    }
    if (sr_connect_start(mqtt->loop, client, &options, on_connected, mqtt,
                         &mqtt->connect)) {
        mosquitto_destroy(client);
        lose(mqtt, "no thread to connect in");
        return;
    }
    sr_deadline_set(&mqtt->deadline,
                    o->net.connect_ms ? o->net.connect_ms : SR_MQTT_CONNECT_MS);
}

/* --- life --------------------------------------------------------------- */

static void free_text(const char *text)
{
    free((char *)(uintptr_t)text);
}

void sr_mqtt_link_options_release(struct sr_mqtt_link_options *o)
{
    free_text(o->host);
    free_text(o->client_id);
    free_text(o->user);
    if (o->password)
        explicit_bzero((char *)(uintptr_t)o->password, strlen(o->password));
    free_text(o->password);
    free_text(o->will_topic);
    free_text(o->will_payload);
    sr_net_release(&o->net);
    *o = (struct sr_mqtt_link_options){ 0 };
}

static int copy_text(const char *from, const char **ret)
{
    *ret = from ? strdup(from) : NULL;
    return from && !*ret ? SR_E_NOMEM : 0;
}

static int copy_bytes(const char *from, size_t len, const char **ret)
{
    char *copy = malloc(len + 1);

    if (copy && len)
        memcpy(copy, from, len);
    *ret = copy;
    return copy ? 0 : SR_E_NOMEM;
}

/* libmosquitto looks at some of it late, at some never: it cut the length of a password to 16 bits
 * and sent what was behind it in memory. */
const char *sr_mqtt_link_wrong(const struct sr_mqtt_link_options *o)
{
    if (!o->host || !*o->host || strlen(o->host) > SR_URL_HOST_MAX)
        return "the host has not 1 to 253 bytes";
    if (o->client_id && !sr_mqtt_text_valid(o->client_id))
        return "the client id is not 1 to 65535 bytes of UTF-8 without control characters";
    if (o->keep_session && !o->client_id)
        return "a session that is kept needs a client id";
    if (o->user && *o->user && !sr_mqtt_text_valid(o->user))
        return "the user is not up to 65535 bytes of UTF-8 without control characters";
    if (o->password && !o->user)
        return "there is a password without a user";
    if (o->password && strlen(o->password) > SR_MQTT_TEXT_MAX)
        return "the password has more than 65535 bytes";
    if (o->will_topic && (!sr_topic_valid(o->will_topic) || o->will_qos < 0 ||
                          o->will_qos > 2 || (!o->will_payload && o->will_len)))
        return "the will has no topic, QoS or payload that is one";
    if (o->will_topic && o->will_len > SR_MQTT_TEXT_MAX)
        return "the will has more than 65535 bytes";
    return NULL;
}

int sr_mqtt_link_options_copy(const struct sr_mqtt_link_options *from,
                              struct sr_mqtt_link_options *ret)
{
    struct sr_mqtt_link_options to = *from;
    int rc = 0;

    rc |= copy_text(from->host, &to.host);
    rc |= copy_text(from->client_id, &to.client_id);
    rc |= copy_text(from->user, &to.user);
    rc |= copy_text(from->password, &to.password);
    rc |= copy_text(from->will_topic, &to.will_topic);
    rc |= copy_bytes(from->will_payload, from->will_len, &to.will_payload);
    to.net = (struct sr_net){ 0 };
    if (!rc)
        rc = sr_net_copy(&from->net, &to.net);
    if (rc)
        sr_mqtt_link_options_release(&to);
    else
        *ret = to;
    return rc;
}

static void destroy(void *object)
{
    struct sr_mqtt_link *mqtt = object;

    if (mqtt->state == UP)
        sr_line_flush(&mqtt->line); /* DISCONNECT */
    close_connection(mqtt);
    sr_deadline_release(&mqtt->deadline);
    sr_deadline_release(&mqtt->ping);
    sr_mqtt_link_options_release(&mqtt->options);
    free(mqtt);
}

int sr_mqtt_link_new(struct sr_loop *loop, const struct sr_mqtt_link_options *options,
                     const struct sr_mqtt_link_events *events, void *arg,
                     struct sr_mqtt_link **ret_mqtt)
{
    struct sr_mqtt_link *mqtt = calloc(1, sizeof *mqtt);
    int rc;

    if (!mqtt)
        return SR_E_NOMEM;
    pthread_once(&lib_once, init_lib);
    mqtt->loop = loop;
    mqtt->pause_max_ms = SR_BACKOFF_MAX_MS;
    mqtt->healthy_ms = SR_MQTT_HEALTHY_MS;
    mqtt->events = *events;
    mqtt->arg = arg;
    rc = sr_mqtt_link_options_copy(options, &mqtt->options);
    if (rc) {
        free(mqtt);
        return rc;
    }
    if (sr_deadline_init(&mqtt->deadline, loop, on_deadline, mqtt) ||
        sr_deadline_init(&mqtt->ping, loop, on_ping_due, mqtt)) {
        destroy(mqtt);
        return SR_E_NOMEM;
    }
    *ret_mqtt = mqtt;
    return 0;
}

void sr_mqtt_link_free(struct sr_mqtt_link *mqtt)
{
    struct sr_sigpipe hold;

    if (!mqtt)
        return;
    sr_sigpipe_hold(&hold);
    if (mqtt->state == UP)
        mosquitto_disconnect(mqtt->line.client);
    mqtt->freed = mqtt->line.stop = true;
    sr_deadline_clear(&mqtt->deadline);
    sr_deadline_clear(&mqtt->ping);
    sr_connect_abandon(mqtt->connect);
    mqtt->connect = NULL;
    sr_loop_bury(mqtt->loop, &mqtt->grave, destroy, mqtt);
    sr_sigpipe_release(&hold);
}

void sr_mqtt_link_start(struct sr_mqtt_link *mqtt, unsigned keepalive_s)
{
    if (mqtt->state != IDLE)
        return;
    mqtt->keepalive_s = keepalive_s;
    attempt(mqtt);
}

struct sr_mqtt_link_end sr_mqtt_link_end(const struct sr_mqtt_link *mqtt)
{
    return mqtt->end;
}

void sr_mqtt_link_set_patience(struct sr_mqtt_link *mqtt, uint32_t pause_max_ms,
                               uint32_t healthy_ms)
{
    mqtt->pause_max_ms = pause_max_ms;
    mqtt->healthy_ms = healthy_ms;
}

/* --- sending ------------------------------------------------------------ */

static int sent(struct sr_mqtt_link *mqtt, int rc)
{
    mqtt->last_out_ms = sr_now_ms();
    if (rc == MOSQ_ERR_PAYLOAD_SIZE || rc == MOSQ_ERR_OVERSIZE_PACKET)
        return SR_E_TOOBIG;
    if (rc) {
        const bool broke =
            rc == MOSQ_ERR_CONN_LOST || rc == MOSQ_ERR_NO_CONN || rc == MOSQ_ERR_ERRNO;

        sr_mqtt_link_drop(mqtt, broke ? "the connection broke while sending"
                                      : mosquitto_strerror(rc));
        return SR_E_UNREACHABLE;
    }
    /* A stream that is broken says so again when it is watched. */
    sr_line_flush(&mqtt->line);
    update_watch(mqtt);
    return 0;
}

int sr_mqtt_link_publish(struct sr_mqtt_link *mqtt, const char *topic,
                         const char *payload, size_t len, int qos, int *ret_message_id)
{
    if (mqtt->state != UP || mqtt->freed || mqtt->drop_reason)
        return SR_E_STATE;
    if (len > SR_MQTT_PACKET_MAX)
        return SR_E_TOOBIG;
    return sent(mqtt, mosquitto_publish(mqtt->line.client, ret_message_id, topic,
                                        (int)len, payload, qos, false));
}

int sr_mqtt_link_subscribe(struct sr_mqtt_link *mqtt, const char *const *topics,
                           int count, int qos, int *ret_message_id)
{
    if (mqtt->state != UP || mqtt->freed || mqtt->drop_reason)
        return SR_E_STATE;
    return sent(mqtt, mosquitto_subscribe_multiple(
                          mqtt->line.client, ret_message_id, count,
                          (char *const *)(uintptr_t)topics, qos, 0, NULL));
}

int sr_mqtt_link_send(struct sr_mqtt_link *mqtt,
                      const struct sr_mqtt_link_message *message, int *ret_message_id)
{
    if (!sr_mqtt_link_is_up(mqtt))
        return SR_E_STATE;
    return sent(mqtt,
                mosquitto_publish(mqtt->line.client, ret_message_id, message->topic,
                                  (int)message->len, message->payload, message->qos,
                                  message->retained));
}

int sr_mqtt_link_unsubscribe(struct sr_mqtt_link *mqtt, const char *topic)
{
    if (!sr_mqtt_link_is_up(mqtt))
        return SR_E_STATE;
    return sent(mqtt, mosquitto_unsubscribe(mqtt->line.client, NULL, topic));
}

bool sr_mqtt_link_is_up(const struct sr_mqtt_link *mqtt)
{
    return mqtt->state == UP && !mqtt->freed && !mqtt->drop_reason;
}
