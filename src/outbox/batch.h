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

/* Of what waits: all; what was put before the last sr_outbox_mark(), and behind it. */
enum sr_outbox_part { SR_PART_ALL, SR_PART_BACKLOG, SR_PART_LIVE, SR_PARTS };

/* What waits: rows, the bytes of their text, and when the oldest in memory was put (sr_now_ms;
 * 0 if none, or if it was read back from disk). */
struct sr_outbox_waiting {
    size_t rows, bytes;
    uint64_t oldest_ms;
    bool backlog; /* the first one that take would offer is */
};
struct sr_outbox_view {
    bool
        apart; /* the caller's: the other parts are wanted, too, and not only SR_PART_ALL */
    struct sr_outbox_waiting part[SR_PARTS];
};

/* How did an attempt to send one end? */
enum sr_attempt {
    SR_ATTEMPT_UNREACHED, /* there was no connection, or nothing was sent over it: no row's retry */
    SR_ATTEMPT_LOST,    /* it ended behind a payload, so that a row may be why */
    SR_ATTEMPT_ANSWERED /* the server said: not now */
};

enum { SR_WINDOW_MAX = 16 }; /* batches under way */

#endif
