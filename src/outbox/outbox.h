/* SPDX-License-Identifier: MIT */
/* Outbox: rows on their way out, in the order they were sent, until the platform has
 * acknowledged them. In memory, bounded in bytes.
 *
 *     new -> put (any thread) ... take -> ack, or requeue ... -> free
 *
 * A row waits, is taken under a ticket (under way), and is forgotten when the ticket
 * is acknowledged; or waits again after requeue, in its old place. Rows under way are
 * always older than rows that wait. All calls may come from any thread. */
#ifndef OUTBOX_OUTBOX_H
#define OUTBOX_OUTBOX_H

#include <smartrest/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sr_outbox;

struct sr_outbox_stats {
    uint64_t rows, bytes; /* now, under way included; bytes as the bound counts them */
    uint64_t rows_put, rows_acked, rows_dropped;
    uint64_t rows_given_up; /* without SR_PRIO_BUF: tried too often, or while asleep */
};

/* What a row costs besides its text. */
extern const size_t sr_outbox_overhead;

/* `cap`: bytes for rows and their keeping. Returns 0 or SR_E_NOMEM. */
int sr_outbox_new(size_t cap, struct sr_outbox **ret_box);
/* Accepts NULL. */
void sr_outbox_free(struct sr_outbox *box);

/* Shrinking drops waiting rows, oldest first. */
void sr_outbox_set_cap(struct sr_outbox *box, size_t cap);

/* Rows, and bytes of their text, that make a full batch: sr_outbox_put() says when. */
void sr_outbox_set_batch(struct sr_outbox *box, size_t rows, size_t bytes);

/* Copies `len` bytes. At the bound the oldest waiting rows make room. *ret_due: this was
 * the first row to wait, or the one that made a batch full; who sends should look.
 * Returns 0; SR_E_TOOBIG, larger than the bound: nothing changed; SR_E_FULL, all room is
 * taken by rows under way: nothing changed; SR_E_NOMEM. */
int sr_outbox_put(struct sr_outbox *box, const char *row, size_t len, int prio,
                  uint64_t now_ms, bool *ret_due);

/* What waits: rows, the bytes of their text, and when the oldest was put (0 if none). */
struct sr_outbox_waiting {
    size_t rows, bytes;
    uint64_t oldest_ms;
};
struct sr_outbox_waiting sr_outbox_waiting(struct sr_outbox *box);

/* Offers waiting rows, oldest first, to `accept` until it returns false or none is left;
 * those it accepted are under way under `ticket`. Returns their number. `accept` must not
 * call the outbox. */
typedef bool (*sr_outbox_accept)(void *arg, const char *row, size_t len, int prio);
size_t sr_outbox_take(struct sr_outbox *box, uint32_t ticket, sr_outbox_accept accept,
                      void *arg);

/* Forgets the rows of `ticket`; an unknown one is no error. Returns their number. */
size_t sr_outbox_ack(struct sr_outbox *box, uint32_t ticket);
/* The same for rows that nobody will ever take: they count as dropped. */
size_t sr_outbox_drop(struct sr_outbox *box, uint32_t ticket);
/* All that is under way waits again. */
void sr_outbox_requeue(struct sr_outbox *box);
/* The same after a failure: rows without SR_PRIO_BUF that were on their way more than
 * `retries` times besides the first are given up. */
void sr_outbox_fail(struct sr_outbox *box, uint32_t retries);

/* Asleep, rows without SR_PRIO_BUF are given up: those that wait at once, others when they
 * are put. Rows under way are left alone. */
void sr_outbox_sleep(struct sr_outbox *box, bool asleep);

/* How many rows were ever accepted. */
uint64_t sr_outbox_rows_put(struct sr_outbox *box);

void sr_outbox_stats(struct sr_outbox *box, struct sr_outbox_stats *ret_stats);

#endif
