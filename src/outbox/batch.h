/* SPDX-License-Identifier: MIT */
/* A batch: rows that travel together, one object from the moment they are taken until they are
 * settled, which is acknowledged, dead letters, or waiting again.
 *
 *     sr_outbox_take -> sent ... -> sr_outbox_ack, _quarantine, _return, _fail
 *                         \-> sr_outbox_hold -> sr_outbox_release_one ...
 *
 * The outbox makes it and knows its rows; who sends keeps here what it wants to know when the
 * acknowledgement comes. So nothing about a batch is ever looked up by a number. */
#ifndef OUTBOX_BATCH_H
#define OUTBOX_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sr_channel;

struct sr_batch {
    /* The outbox's. */
    uint64_t number; /* the how manieth that was taken; 0: settled, and free */
    uint64_t first;  /* the key of the first row: no other row in the box has it */
    size_t rows;
    bool held; /* aside, over any failure of the others */

    /* The reporter's. */
    char *payload; /* of its pool; NULL while held */
    size_t len;    /* of the payload, bytes */
    uint64_t sent_ms;
    size_t
        others; /* rows that wait, or are under way, besides; when that was last asked */
    const struct sr_channel *channel; /* of the first row */
    bool foreign; /* has rows of other collections than the agent's own */

    /* The transport's. */
    int message_id; /* MQTT: of the publish */
    uint64_t lines; /* HTTP: of the body */
};

#endif
