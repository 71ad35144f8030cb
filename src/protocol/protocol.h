/* SPDX-License-Identifier: MIT */
/* A protocol: how rows of a kind of channels look, travel, and are answered. Facts and pure
 * functions. A new protocol is a file like smartrest1.c and a line in protocols.c: outbox, reporter
 * and transports read the struct and know no protocol by its name.
 *
 * The wire of each: docs/protocol/. */
#ifndef PROTOCOL_PROTOCOL_H
#define PROTOCOL_PROTOCOL_H

#include "protocol/answer.h"
#include "protocol/evidence.h"
#include <smartrest/record.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What carries payloads. */
enum sr_carrier { SR_BY_MQTT, SR_BY_HTTP, SR_CARRIERS };

/* What shares a payload. */
enum sr_joining {
    SR_JOIN_PROTOCOL, /* rows of all channels of the protocol */
    SR_JOIN_CHANNEL,  /* rows of one channel */
    SR_JOIN_NEVER     /* nothing: a row is a document, and a payload */
};

/* Where a payload goes. */
enum { SR_ROUTE_MAX = 640 };
struct sr_route {
    char
        to[SR_ROUTE_MAX]; /* MQTT: the topic. HTTP: the path, behind the server's URL */
    const char *content_type; /* HTTP; NULL: none is said */
};

/* A topic to subscribe to. */
enum { SR_TOPICS_MAX = 4 };
struct sr_topic {
    char name[SR_ROUTE_MAX];
    int qos;
};

/* What arrives on a topic. */
enum sr_hearing {
    SR_HEAR_NOTHING, /* of this protocol */
    SR_HEAR_ROWS,    /* for who hears the origin */
    SR_HEAR_ERRORS   /* for the log */
};

/* Where a row came from: handlers are found by it. What a name means is the protocol's; for an answer it
 * need not be the name of the channel that asked. */
struct sr_origin {
    const struct sr_protocol *protocol;
    const char *name; /* NULL: the agent's own collection */
};

/* The next `rows` rows are of another origin of the same protocol. */
struct sr_group {
    const char *name; /* the record's; NULL: the row is malformed */
    uint64_t rows;
};

struct sr_protocol {
    const char *name; /* no `:` in it */

    /* --- channels --- */
    /* Can it be the name of a channel? */
    bool (*valid)(const char *name, size_t len);

    /* --- up --- */
    /* Can it go on a channel? Rows without the last line end. */
    bool (*check)(const char *row, size_t len);
    enum sr_joining joining;
    /* With SR_JOIN_PROTOCOL, what stands before the name in the row that says of which channel the next
     * ones are; NULL: there is no such row. */
    const char *select;
    /* The largest payload in bytes. MQTT: with topic and header. 0: it does not go that way. */
    size_t payload_max[SR_CARRIERS];
    /* The largest row that goes alone. 0: whatever the payload has room for. */
    size_t row_max[SR_CARRIERS];
    void (*route)(enum sr_carrier by, const char *name, struct sr_route *ret_route);

    /* --- down --- */
    /* The topics on which rows from that origin arrive (name NULL: the own collection). Returns how many,
     * at most SR_TOPICS_MAX. */
    size_t (*topics)(const char *name, struct sr_topic *ret_topics);
    /* What arrives on `topic`; *ret_name points into it, or is NULL for the own collection. */
    enum sr_hearing (*hear)(const char *topic, const char **ret_name);
    /* Does the row say of what origin the next ones are? NULL: no row does. */
    bool (*group)(struct sr_record *record, uint64_t id, struct sr_group *ret_group);
    /* Message ids are decimal numbers, and a row with another one is malformed. */
    bool numeric_ids;

    /* --- answers to a payload, by HTTP --- */
    long status; /* that acknowledges it */
    /* Did the platform write the answer to a request of `lines` lines? */
    enum sr_evidence (*weigh)(struct sr_rows *answer, uint64_t lines);
    /* What does it say about the payload as a whole? NULL: that it was taken. */
    enum sr_answer (*says)(struct sr_rows *answer);
    /* Does this row say that a row was refused? NULL: none does. */
    bool (*refuses)(uint64_t id);
};

extern const struct sr_protocol sr_smartrest1;
extern const struct sr_origin sr_origin_own;

/* All of them, in the order of the table; NULL behind the last one. */
const struct sr_protocol *sr_protocol_at(size_t i);
/* NULL: none has that name. */
const struct sr_protocol *sr_protocol_named(const char *name, size_t len);
/* What arrives on `topic`, and where it is from; the name points into `topic`. */
enum sr_hearing sr_protocol_hear(const char *topic, struct sr_origin *ret_origin);
/* For tests: one more, until it is NULL again. Before there is an agent. */
void sr_protocol_add(const struct sr_protocol *protocol);

/* Bytes that travel in a payload of this channel beside `payload`: MQTT's header and topic. */
size_t sr_protocol_overhead(const struct sr_protocol *protocol, enum sr_carrier by,
                            const char *name);
/* The longest row of this channel that `by` can carry, in bytes; 0: none, the protocol does not go that
 * way. The name of the own collection is not known yet: it is taken for the longest one. */
size_t sr_protocol_row_max(const struct sr_protocol *protocol, enum sr_carrier by,
                           const char *name, bool own);
/* "MQTT" */
const char *sr_carrier_name(enum sr_carrier by);

/* --- what protocols share --------------------------------------------------- */

/* Can it be an X-Id or the id of an object? It goes into rows, header lines and topics: 1 to 255
 * bytes of UTF-8, no blank, control character, `,`, `"`, `+` or `#`. */
enum { SR_NAME_MAX = 255 };
bool sr_name_valid(const char *name, size_t len);
/* Is it one or more rows, and does the first one begin with a value that is neither empty nor quoted? */
bool sr_rows_valid(const char *rows, size_t len);

#endif
