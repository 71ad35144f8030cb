/* SPDX-License-Identifier: MIT */
/* The protocols under test: what the conformance suite has to know of each that is not in its struct. A
 * new protocol is one more entry. */
#ifndef PROTOCOL_SUBJECTS_H
#define PROTOCOL_SUBJECTS_H

#include "protocol/protocol.h"

struct subject {
    const struct sr_protocol *protocol;
    /* Where row `1,x` goes on the channel "a", and as what; after it an answer `500,<n>,yes` for who hears
     * "a", with the topic on which it comes by MQTT. */
    struct {
        const char *to, *payload;
    } one[SR_CARRIERS];
    const char *topic, *answer[SR_CARRIERS];
    /* By HTTP, the answer to rows of which nothing is said. */
    const char *taken;
    /* Appends "<channel>:<row> " for each row of a payload that arrived there. */
    void (*decode)(const char *to, const char *payload, char *text, size_t size);
};

extern const struct subject subjects[];
extern const size_t subject_count;

#endif
