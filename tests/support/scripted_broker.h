/* SPDX-License-Identifier: MIT */
/* An MQTT broker that plays a script, byte for byte: a function for each connection, in
 * a thread of the broker's. Every packet it reads is kept for the test.
 *
 *     broker_start -> broker_port ... broker_seen -> broker_stop
 */
#ifndef SUPPORT_SCRIPTED_BROKER_H
#define SUPPORT_SCRIPTED_BROKER_H

#include "support/server.h"

/* Packet types of MQTT 3.1.1. */
enum {
    CONNECT = 1,
    CONNACK = 2,
    PUBLISH = 3,
    PUBACK = 4,
    SUBSCRIBE = 8,
    SUBACK = 9,
    PINGREQ = 12,
    PINGRESP = 13,
    DISCONNECT = 14
};

struct packet {
    struct packet *next;
    unsigned connection; /* on which it came */
    int type, flags;
    uint64_t at_ms;          /* when it had come */
    unsigned id;             /* message id, if it has one */
    int topics;              /* in a SUBSCRIBE */
    unsigned char asked[64]; /* its QoS for each */
    char *topic;         /* of a PUBLISH; of a SUBSCRIBE all of them, a blank between */
    char *payload;       /* of a PUBLISH, NUL-terminated */
    size_t len;          /* of the payload */
    unsigned char *body; /* all behind the fixed header */
    size_t body_len;
};

struct broker;
struct broker_connection;
typedef void (*broker_script)(struct broker_connection *connection, void *arg);

struct broker *broker_start(uint16_t port, broker_script script, void *arg);
void broker_stop(struct broker *broker);
uint16_t broker_port(const struct broker *broker);
unsigned broker_connections(struct broker *broker);

/* Packets of a type that have come so far, and one of them (NULL if it has not). */
unsigned broker_count(struct broker *broker, int type);
const struct packet *broker_seen(struct broker *broker, int type, unsigned i);

/* Lets one broker_wait() of a script go on. */
void broker_go_on(struct broker *broker);

/* --- for scripts -------------------------------------------------------- */

unsigned broker_number(const struct broker_connection *connection);
int broker_fd(const struct broker_connection *connection);
/* The next packet; NULL when the connection is over. */
const struct packet *broker_read(struct broker_connection *connection);
bool broker_send(struct broker_connection *connection, const void *bytes, size_t len);
bool broker_connack(struct broker_connection *connection, int code);
/* Grants every topic of `subscribe` as asked. */
bool broker_suback(struct broker_connection *connection,
                   const struct packet *subscribe);
/* With these codes, however many. */
bool broker_suback_with(struct broker_connection *connection,
                        const struct packet *subscribe, const unsigned char *codes,
                        int count);
bool broker_puback(struct broker_connection *connection, unsigned id);
bool broker_publish(struct broker_connection *connection, const char *topic,
                    const char *payload, int qos, unsigned id);
/* CONNECT, CONNACK 0, and both subscriptions of an agent granted. */
bool broker_welcome(struct broker_connection *connection);
/* The next PUBLISH; what else comes is answered as a broker should. */
const struct packet *broker_next_publish(struct broker_connection *connection);
/* Answers everything until the connection is over. */
void broker_serve(struct broker_connection *connection);
/* Waits for broker_go_on(). */
void broker_wait(struct broker_connection *connection);

#endif
