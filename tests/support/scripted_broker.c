/* SPDX-License-Identifier: MIT */
#include "support/scripted_broker.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct broker {
    struct server *server;
    broker_script script;
    void *arg;
    sem_t go_on;
    pthread_mutex_t lock;
    struct packet *packets, **end;
};

struct broker_connection {
    struct broker *broker;
    int fd;
    unsigned number;
};

/* --- packets ------------------------------------------------------------ */

static char *text_at(const unsigned char *bytes, size_t len)
{
    char *text = malloc(len + 1);

    memcpy(text, bytes, len);
    text[len] = '\0';
    return text;
}

static size_t word_at(const unsigned char *bytes)
{
    return (size_t)bytes[0] << 8 | bytes[1];
}

static void dissect_publish(struct packet *p)
{
    size_t topic_len = word_at(p->body), at = 2 + topic_len;

    if (at + 2 > p->body_len)
        return;
    p->topic = text_at(p->body + 2, topic_len);
    if (p->flags & 6) {
        p->id = (unsigned)word_at(p->body + at);
        at += 2;
    }
    p->len = p->body_len - at;
    p->payload = text_at(p->body + at, p->len);
}

static void dissect_subscribe(struct packet *p)
{
    size_t used = 0;

    p->id = (unsigned)word_at(p->body);
    p->topic = calloc(1, p->body_len + 1);
    for (size_t at = 2; at + 2 < p->body_len;) {
        size_t len = word_at(p->body + at);

        if (at + 2 + len >= p->body_len)
            break;
        if (p->topics)
            p->topic[used++] = ' ';
        if (p->topics < (int)sizeof p->asked)
            p->asked[p->topics] = p->body[at + 2 + len];
        p->topics++;
        memcpy(p->topic + used, p->body + at + 2, len);
        used += len;
        at += 2 + len + 1;
    }
}

static bool read_length(int fd, size_t *ret_len)
{
    unsigned char byte;
    size_t len = 0;

    for (int shift = 0; shift < 28; shift += 7) {
        if (!server_read(fd, &byte, 1))
            return false;
        len |= (size_t)(byte & 127) << shift;
        if (!(byte & 128)) {
            *ret_len = len;
            return true;
        }
    }
    return false;
}

static void free_packet(struct packet *p)
{
    free(p->topic);
    free(p->payload);
    free(p->body);
    free(p);
}

const struct packet *broker_read(struct broker_connection *c)
{
    struct packet *p = calloc(1, sizeof *p);
    unsigned char first;

    if (!server_read(c->fd, &first, 1) || !read_length(c->fd, &p->body_len)) {
        free(p);
        return NULL;
    }
    p->body = malloc(p->body_len + 1);
    if (!server_read(c->fd, p->body, p->body_len)) {
        free_packet(p);
        return NULL;
    }
    p->connection = c->number;
    p->type = first >> 4;
    p->flags = first & 15;
    p->at_ms = now_ms();
    if (p->body_len < 2) /* nothing in it, or no client of MQTT */
        p->id = 0;
    else if (p->type == PUBLISH)
        dissect_publish(p);
    else if (p->type == SUBSCRIBE)
        dissect_subscribe(p);
    else if (p->type == PUBACK)
        p->id = (unsigned)word_at(p->body);

    pthread_mutex_lock(&c->broker->lock);
    *c->broker->end = p;
    c->broker->end = &p->next;
    pthread_mutex_unlock(&c->broker->lock);
    return p;
}

/* --- for scripts -------------------------------------------------------- */

unsigned broker_number(const struct broker_connection *c)
{
    return c->number;
}

int broker_fd(const struct broker_connection *c)
{
    return c->fd;
}

bool broker_send(struct broker_connection *c, const void *bytes, size_t len)
{
    return server_write(c->fd, bytes, len);
}

bool broker_connack(struct broker_connection *c, int code)
{
    return broker_send(c, (unsigned char[]){ 0x20, 2, 0, (unsigned char)code }, 4);
}

bool broker_suback_with(struct broker_connection *c, const struct packet *subscribe,
                        const unsigned char *codes, int count)
{
    unsigned char head[4] = { 0x90, (unsigned char)(2 + count),
                              (unsigned char)(subscribe->id >> 8),
                              (unsigned char)subscribe->id };

    return broker_send(c, head, 4) && broker_send(c, codes, (size_t)count);
}

bool broker_suback(struct broker_connection *c, const struct packet *subscribe)
{
    return broker_suback_with(c, subscribe, subscribe->asked, subscribe->topics);
}

bool broker_puback(struct broker_connection *c, unsigned id)
{
    return broker_send(
        c, (unsigned char[]){ 0x40, 2, (unsigned char)(id >> 8), (unsigned char)id },
        4);
}

static size_t put_length(unsigned char *to, size_t len)
{
    size_t n = 0;

    do {
        to[n++] = (unsigned char)((len & 127) | (len > 127 ? 128 : 0));
        len >>= 7;
    } while (len);
    return n;
}

bool broker_publish(struct broker_connection *c, const char *topic, const char *payload,
                    int qos, unsigned id)
{
    size_t topic_len = strlen(topic), len = strlen(payload), n;
    unsigned char head[8] = { (unsigned char)(0x30 | qos << 1) };

    n = 1 + put_length(head + 1, 2 + topic_len + (qos ? 2 : 0) + len);
    head[n++] = (unsigned char)(topic_len >> 8);
    head[n++] = (unsigned char)topic_len;
    return broker_send(c, head, n) && broker_send(c, topic, topic_len) &&
           (!qos ||
            broker_send(
                c, (unsigned char[]){ (unsigned char)(id >> 8), (unsigned char)id },
                2)) &&
           broker_send(c, payload, len);
}

bool broker_welcome(struct broker_connection *c)
{
    const struct packet *p = broker_read(c);

    if (!p || p->type != CONNECT || !broker_connack(c, 0))
        return false;
    for (int i = 0; i < 2; i++) {
        p = broker_read(c);
        if (!p || p->type != SUBSCRIBE || !broker_suback(c, p))
            return false;
    }
    return true;
}

/* False for a PUBLISH, which is the caller's. */
static bool answered(struct broker_connection *c, const struct packet *p)
{
    switch (p->type) {
    case CONNECT: return broker_connack(c, 0) || true;
    case SUBSCRIBE: return broker_suback(c, p) || true;
    case PINGREQ: return broker_send(c, "\xd0\0", 2) || true;
    default: return p->type != PUBLISH;
    }
}

const struct packet *broker_next_publish(struct broker_connection *c)
{
    const struct packet *p;

    while ((p = broker_read(c)) && answered(c, p))
        ;
    return p;
}

void broker_serve(struct broker_connection *c)
{
    const struct packet *p;

    while ((p = broker_next_publish(c)))
        if (p->flags & 2)
            broker_puback(c, p->id);
}

void broker_wait(struct broker_connection *c)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 20;
    while (sem_timedwait(&c->broker->go_on, &until) && until.tv_sec > time(NULL))
        ;
}

/* --- the broker --------------------------------------------------------- */

static void play(int fd, unsigned number, void *arg)
{
    struct broker *broker = arg;
    struct broker_connection connection = { broker, fd, number };

    broker->script(&connection, broker->arg);
}

struct broker *broker_start(uint16_t port, broker_script script, void *arg)
{
    struct broker *broker = calloc(1, sizeof *broker);

    broker->script = script;
    broker->arg = arg;
    broker->end = &broker->packets;
    pthread_mutex_init(&broker->lock, NULL);
    sem_init(&broker->go_on, 0, 0);
    broker->server = server_start(port, play, broker);
    if (!broker->server) {
        free(broker);
        return NULL;
    }
    return broker;
}

void broker_stop(struct broker *broker)
{
    struct packet *next;

    if (!broker)
        return;
    broker_go_on(broker);
    server_stop(broker->server);
    for (struct packet *p = broker->packets; p; p = next) {
        next = p->next;
        free_packet(p);
    }
    sem_destroy(&broker->go_on);
    pthread_mutex_destroy(&broker->lock);
    free(broker);
}

uint16_t broker_port(const struct broker *broker)
{
    return server_port(broker->server);
}

unsigned broker_connections(struct broker *broker)
{
    return server_connections(broker->server);
}

const struct packet *broker_seen(struct broker *broker, int type, unsigned i)
{
    const struct packet *p;

    pthread_mutex_lock(&broker->lock);
    for (p = broker->packets; p; p = p->next)
        if (p->type == type && i-- == 0)
            break;
    pthread_mutex_unlock(&broker->lock);
    return p;
}

unsigned broker_count(struct broker *broker, int type)
{
    unsigned n = 0;

    while (broker_seen(broker, type, n))
        n++;
    return n;
}

void broker_go_on(struct broker *broker)
{
    sem_post(&broker->go_on);
}
