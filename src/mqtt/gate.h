/* SPDX-License-Identifier: MIT */
/* Looks at what a broker sends before anybody buffers it. No I/O.
 *
 *     sr_gate_init -> sr_gate_look ... -> sr_gate_release
 *
 * libmosquitto allocates a packet when it has read its length, whatever that is, and keeps
 * messages with QoS 2 until the broker releases them. So bytes pass here first: a PUBLISH whose
 * header announces more than the limit does not, nor one with QoS 2 when those that are not
 * released have reached it. */
#ifndef MQTT_GATE_H
#define MQTT_GATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum sr_gate_verdict {
    SR_GATE_PASS,
    SR_GATE_TOO_LARGE, /* a packet is larger than the limit */
    SR_GATE_TOO_MANY,  /* too many messages with QoS 2 are not released */
    SR_GATE_MALFORMED, /* no packet's type, or a length of more than four bytes */
    SR_GATE_NO_MEMORY,
    SR_GATE_NO_CODES /* a SUBACK without a return code */
};

/* A message with QoS 2 that is not released yet. */
struct sr_gate_held {
    uint16_t id;
    uint32_t cost; /* bytes */
};

struct sr_gate {
    size_t max;
    /* The packet that is under way. */
    unsigned char first;  /* type and flags */
    unsigned length_size; /* bytes of its length so far */
    uint32_t len, at;     /* of its body, and how much of that has come */
    bool in_body;
    unsigned char word[2]; /* the two bytes that come last, for lengths and ids */
    uint32_t id_at;        /* where the id ends in the body; 0: not known, or none */
    /* Messages that are not released, oldest first. */
    struct sr_gate_held *held;
    size_t held_count, held_room, held_cost;
};

/* `max`: bytes of a message, topic included, and of all messages that are not released. */
void sr_gate_init(struct sr_gate *gate, size_t max);
void sr_gate_release(struct sr_gate *gate);

/* Looks at the next `len` bytes of the connection, wherever they are cut. *ret_pass of them may be
 * passed on: all, unless the verdict is another than SR_GATE_PASS; then the connection is to be
 * ended. */
enum sr_gate_verdict sr_gate_look(struct sr_gate *gate, const void *bytes, size_t len,
                                  size_t *ret_pass);

#endif
