/* SPDX-License-Identifier: MIT */
#include "mqtt/gate.h"

#include <stdlib.h>
#include <string.h>

enum {
    PUBLISH = 3,
    PUBREL = 6,
    SUBACK = 9,
    SUBACK_SIZE_MIN = 3, /* an id and a code */
    LENGTH_SIZE_MAX = 4,
    OTHERS_MAX = 65535 + 2, /* a SUBACK with all its codes */
    HELD_COST = 256         /* of a message beside its bytes, about */
};

void sr_gate_init(struct sr_gate *gate, size_t max)
{
    *gate = (struct sr_gate){ .max = max };
}

void sr_gate_release(struct sr_gate *gate)
{
    free(gate->held);
    *gate = (struct sr_gate){ 0 };
}

static int type_of(const struct sr_gate *gate)
{
    return gate->first >> 4;
}

static bool is_qos_2(const struct sr_gate *gate)
{
    return type_of(gate) == PUBLISH && (gate->first & 6) == 4;
}

/* --- messages that are not released ---------------------------------------- */

static bool make_room(struct sr_gate *gate)
{
    size_t room = gate->held_room ? 2 * gate->held_room : 16;
    struct sr_gate_held *held;

    if (gate->held_count < gate->held_room)
        return true;
    held = realloc(gate->held, room * sizeof *held);
    if (!held)
        return false;
    gate->held = held;
    gate->held_room = room;
    return true;
}

static void hold(struct sr_gate *gate, uint16_t id)
{
    uint32_t cost = gate->len + HELD_COST;

    gate->held[gate->held_count++] = (struct sr_gate_held){ id, cost };
    gate->held_cost += cost;
}

/* Only the oldest with this id, as libmosquitto does. */
static void unhold(struct sr_gate *gate, uint16_t id)
{
    size_t i = 0;

    while (i < gate->held_count && gate->held[i].id != id)
        i++;
    if (i == gate->held_count)
        return;
    gate->held_cost -= gate->held[i].cost;
    gate->held_count--;
    memmove(&gate->held[i], &gate->held[i + 1],
            (gate->held_count - i) * sizeof *gate->held);
}

/* --- headers ----------------------------------------------------------------- */

/* The length is known: may the packet come in? */
static enum sr_gate_verdict judge(struct sr_gate *gate)
{
    size_t max = gate->max;

    if (type_of(gate) != PUBLISH && max < OTHERS_MAX)
        max = OTHERS_MAX;
    if (gate->len > max)
        return SR_GATE_TOO_LARGE;
    if (type_of(gate) == SUBACK && gate->len < SUBACK_SIZE_MIN)
        return SR_GATE_NO_CODES;
    if (!is_qos_2(gate))
        return SR_GATE_PASS;
    if (gate->held_count && gate->held_cost + gate->len + HELD_COST > gate->max)
        return SR_GATE_TOO_MANY;
    return make_room(gate) ? SR_GATE_PASS : SR_GATE_NO_MEMORY;
}

static void begin_packet(struct sr_gate *gate, unsigned char first)
{
    gate->first = first;
    gate->length_size = 0;
    gate->len = 0;
}

static void end_packet(struct sr_gate *gate)
{
    gate->first = 0;
    gate->in_body = false;
}

static void begin_body(struct sr_gate *gate)
{
    gate->in_body = true;
    gate->at = 0;
    gate->id_at = type_of(gate) == PUBREL ? 2 : 0;
    if (!gate->len)
        end_packet(gate);
}

static enum sr_gate_verdict take_length(struct sr_gate *gate, unsigned char byte)
{
    enum sr_gate_verdict verdict;

    if (gate->length_size == LENGTH_SIZE_MAX)
        return SR_GATE_MALFORMED;
    gate->len |= (uint32_t)(byte & 0x7f) << (7 * gate->length_size++);
    if (byte & 0x80)
        return SR_GATE_PASS;
    verdict = judge(gate);
    if (!verdict)
        begin_body(gate);
    return verdict;
}

static enum sr_gate_verdict take_header(struct sr_gate *gate, unsigned char byte)
{
    if (gate->first)
        return take_length(gate, byte);
    begin_packet(gate, byte);
    /* Type 0 is none, and libmosquitto loses its place behind it. */
    return type_of(gate) ? SR_GATE_PASS : SR_GATE_MALFORMED;
}

/* --- bodies ------------------------------------------------------------------ */

/* The body begins with the topic's length, for a PUBLISH, and the id is behind the topic. */
static void read_word(struct sr_gate *gate)
{
    uint16_t word = (uint16_t)(gate->word[0] << 8 | gate->word[1]);

    if (gate->at == gate->id_at && type_of(gate) == PUBREL)
        unhold(gate, word);
    else if (gate->at == gate->id_at)
        hold(gate, word);
    else if (gate->at == 2 && is_qos_2(gate))
        gate->id_at = 2 + (uint32_t)word + 2;
}

/* What of the body is of no interest is skipped. */
static size_t take_body(struct sr_gate *gate, const unsigned char *bytes, size_t len)
{
    size_t left = gate->len - gate->at, n = len < left ? len : left;
    bool wanted = gate->at < gate->id_at || (gate->at < 2 && is_qos_2(gate));

    if (wanted) {
        n = 1;
        gate->word[0] = gate->word[1];
        gate->word[1] = *bytes;
    }
    gate->at += (uint32_t)n;
    if (wanted)
        read_word(gate);
    if (gate->at == gate->len)
        end_packet(gate);
    return n;
}

enum sr_gate_verdict sr_gate_look(struct sr_gate *gate, const void *bytes, size_t len,
                                  size_t *ret_pass)
{
    const unsigned char *at = bytes;
    enum sr_gate_verdict verdict = SR_GATE_PASS;
    size_t used = 0;

    while (used < len) {
        if (gate->in_body) {
            used += take_body(gate, at + used, len - used);
            continue;
        }
        verdict = take_header(gate, at[used]);
        if (verdict)
            break;
        used++;
    }
    *ret_pass = used;
    return verdict;
}
