/* SPDX-License-Identifier: MIT */
/* Two bytes for the limit, two for where the stream is cut, and what a broker sends. However it is
 * cut, the gate says the same as a walk over the whole. */
#include "fuzz.h"
#include "mqtt/gate.h"

struct said {
    enum sr_gate_verdict verdict;
    size_t passed, held_count, held_cost;
};

static struct said ask(size_t max, const uint8_t *bytes, size_t len, uint32_t cuts)
{
    struct said said = { 0 };
    struct sr_gate gate;

    sr_gate_init(&gate, max);
    while (said.passed < len && !said.verdict) {
        size_t left = len - said.passed, pass, step;

        cuts = cuts * 1664525u + 1013904223u;
        step = cuts ? 1 + (cuts >> 16) % 7 : left;
        if (step > left)
            step = left;
        said.verdict = sr_gate_look(&gate, bytes + said.passed, step, &pass);
        must(said.verdict ? pass < step : pass == step);
        said.passed += pass;
    }
    said.held_count = gate.held_count;
    said.held_cost = gate.held_cost;
    must(gate.held_count <= len && (gate.held_count < 2 || gate.held_cost <= max));
    sr_gate_release(&gate);
    return said;
}

/* Where the first packet stands that may not come in for its size or its form; `len` if none. */
static size_t walk(size_t max, const uint8_t *bytes, size_t len)
{
    size_t at = 0;

    while (at < len) {
        size_t body = 0, n = 0, limit = max;

        if (bytes[at] >> 4 == 0)
            return at;
        if (bytes[at] >> 4 != 3 && limit < 65537)
            limit = 65537;
        do {
            if (++n > 4)
                return at + n;
            if (at + n >= len)
                return len;
            body |= (size_t)(bytes[at + n] & 0x7f) << (7 * (n - 1));
        } while (bytes[at + n] & 0x80);
        if (body > limit ||
            (bytes[at] >> 4 == 9 && body <= 2)) /* a SUBACK of nothing */
            return at + n;
        at += 1 + n + body;
    }
    return len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct said whole, cut;
    size_t max, end;

    if (len < 4)
        return 0;
    max = (size_t)data[0] << 8 | data[1];
    cut = ask(max, data + 4, len - 4, (uint32_t)data[2] << 8 | data[3]);
    whole = ask(max, data + 4, len - 4, 0);
    must(whole.verdict == cut.verdict && whole.passed == cut.passed);
    must(whole.held_count == cut.held_count && whole.held_cost == cut.held_cost);
    end = walk(max, data + 4, len - 4);
    must(whole.verdict == SR_GATE_TOO_MANY ? whole.passed <= end : whole.passed == end);
    must((whole.verdict == SR_GATE_PASS) == (whole.passed == len - 4));
    return 0;
}
