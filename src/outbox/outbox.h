/* SPDX-License-Identifier: MIT */
/* Outbox: rows on their way out, in the order they were sent, until the platform has
 * acknowledged them.
 *
 *     new -> [open] -> put (any thread) ... take -> ack, drop, hold or fail ... -> free
 *
 * A row waits, is taken in a batch (under way), and is forgotten when the batch is
 * acknowledged; or waits again after fail, in its old place. Two classes: rows without
 * SR_PRIO_BUF (volatile) live in memory; rows with it (buffered) in a store on disk once it is
 * open, and of these only the next few are in memory as well. While the disk fails, they stay
 * in memory and go to the disk when it works again. Order within a class is kept always; over
 * both classes too, unless the live rows are taken first. All calls may come from any thread. */
#ifndef OUTBOX_OUTBOX_H
#define OUTBOX_OUTBOX_H

#include "base/clock.h"
#include "outbox/batch.h"
#include "protocol/channel.h"
#include "store/store.h"
#include <smartrest/error.h>
#include <smartrest/outbox.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sr_outbox;

enum { SR_CLASS_VOLATILE, SR_CLASS_BUFFERED, SR_CLASSES };
enum sr_at_bound { SR_DROP_OLDEST, SR_DROP_NEWEST, SR_REFUSE };

struct sr_outbox_stats {
    uint64_t rows,
        bytes; /* now, under way and on disk included; bytes as the bounds count them */
    uint64_t memory_bytes;          /* of these, what memory holds */
    uint64_t disk_rows, disk_bytes; /* of the store: live rows; bytes of its files */
    bool disk_fails; /* a store is wanted and does not work at the moment */
    uint64_t rows_put, rows_acked;
    uint64_t fates[SR_FATES][SR_CLASSES]; /* what became of rows; enum sr_fate */
    uint64_t rows_refused; /* at the bound, by policy; not among rows_put */
};

/* What a row costs besides its text; one with a delivery callback a little more, which stays in
 * memory while the row is on disk only. */
extern const size_t sr_outbox_overhead;
enum { SR_OUTBOX_ROW_MAX = SR_STORE_ROW_MAX }; /* bytes of text */
/* Beside enum sr_prio in sr_entry.prio: SR_NOW in it waits for the clock. */
enum { SR_ROW_UNSTAMPED = 0x80 };

/* `cap`: bytes of memory for rows and their keeping. `clock`: NULL is the system's.
 * Returns 0 or SR_E_NOMEM. */
int sr_outbox_new(size_t cap, const struct sr_clock *clock, struct sr_outbox **ret_box);
/* Rows on disk stay there. What sr_outbox_next_fate() has not told is not told. NULL is fine. */
void sr_outbox_free(struct sr_outbox *box);
/* For sr_agent_free(): every row with a delivery callback meets its fate, SR_FATE_STORED or
 * SR_FATE_LOST, to be had by sr_outbox_next_fate(). Nothing is put or taken afterwards. */
void sr_outbox_close(struct sr_outbox *box);

/* Buffered rows go to the store in `dir` from now on, those that wait already too; what the store
 * has goes first. Returns 0, also while the disk cannot be used: then it is tried again after
 * 1 s, and after longer pauses, 60 s at most, when something is put or taken; `why` has a
 * sentence then too. Or SR_E_BUSY, another has the directory; SR_E_STATE, one is open;
 * SR_E_NOMEM. ret_recovery may be NULL. */
int sr_outbox_open(struct sr_outbox *box, const char *dir,
                   const struct sr_store_options *options,
                   struct sr_store_recovery *ret_recovery, char *why, size_t why_size);

/* Shrinking drops rows that wait, of classes with SR_DROP_OLDEST, as below: of those in memory
 * at once, of those on disk when the next is put. Rows that are on disk as well are only
 * forgotten in memory. Rows under way from disk may take as much memory again. */
void sr_outbox_set_cap(struct sr_outbox *box, size_t cap);
void sr_outbox_set_disk_cap(struct sr_outbox *box, uint64_t cap);
/* What happens at the bound when a row of `class` is put. SR_DROP_OLDEST, the default: waiting
 * rows make room whose class has that policy too, volatile ones first, oldest first. A volatile
 * row never displaces a buffered one: if only these wait, it is refused. */
void sr_outbox_set_policy(struct sr_outbox *box, int class, enum sr_at_bound policy);
/* When is the wall clock right: at `valid_after_ms` since 1970 or later. */
void sr_outbox_set_clock_valid(struct sr_outbox *box, int64_t valid_after_ms);
/* Rows, and bytes of their text, that make a full batch: sr_outbox_put() says when. */
void sr_outbox_set_batch(struct sr_outbox *box, size_t rows, size_t bytes);

/* The number of a channel, which stays its own until the box is freed; rows may name it. Returns
 * 0; SR_E_FULL, too many channels are in use; SR_E_NOMEM. */
int sr_outbox_channel(struct sr_outbox *box, const struct sr_protocol *protocol,
                      const char *name, size_t len, uint32_t *ret_number);
/* NULL: sr_outbox_channel() never gave that number. Otherwise it stays valid as long as the box. */
const struct sr_channel *sr_outbox_channel_at(struct sr_outbox *box, uint32_t number);

struct sr_outbox_row {
    const char *text;
    size_t len;
    int prio;         /* SR_PRIO_BUF, or 0 */
    uint32_t channel; /* its number: SR_CHANNEL_OWN, or of sr_outbox_channel(); */
    struct {          /* or, if there is a protocol here, by name */
        const struct sr_protocol *protocol;
        const char *name;
        size_t len;
    } to;
    uint32_t ttl_s;      /* 0: for ever */
    sr_delivery_fn told; /* or NULL */
    void *arg;
};
/* Copies the row. SR_NOW in it becomes the time; or stays until take if the clock is not right yet.
 * *ret_due is set if this was the first row to wait, or the one that made a batch full: who
 * sends should look; or if a fate, a loss or news of the disk are to be told.
 * Returns 0; SR_E_TOOBIG, larger than a bound, or than SR_OUTBOX_ROW_MAX;
 * SR_E_FULL, by policy, or since all room is taken by rows that must stay and by callbacks of rows on
 * disk, or too many fates are not told yet, or too many channels are in use; SR_E_INVAL, no such channel;
 * SR_E_STATE, closed; SR_E_NOMEM: then nothing changed. A row dropped by SR_DROP_NEWEST returns
 * 0, and meets its fate. With SR_SYNC_ROW a buffered row is on the medium then, and other calls
 * go on while this one waits for it. */
int sr_outbox_put(struct sr_outbox *box, const struct sr_outbox_row *row,
                  uint64_t now_ms, bool *ret_due);

/* All that was put until now is backlog, what comes later is live. A live row that memory has
 * no room for is on disk only, and becomes backlog. */
void sr_outbox_mark(struct sr_outbox *box);
struct sr_outbox_waiting sr_outbox_waiting(struct sr_outbox *box,
                                           enum sr_outbox_part part);
/* The same for all parts that *view wants. */
void sr_outbox_look(struct sr_outbox *box, struct sr_outbox_view *view);

/* What take offers. `id` grows in the order of sending within a class, and is a row's for as
 * long as it is in the box; only when a store is opened, rows that wait get others. */
struct sr_outbox_offer {
    uint64_t id;
    const char *text;
    size_t len;
    int prio;                         /* SR_PRIO_BUF, or 0 */
    const struct sr_channel *channel; /* valid until the row has met its fate */
    bool backlog;
};
/* Offers waiting rows of `part`, oldest first, to `accept` until it returns false or none is
 * left; those it accepted are under way. Rows whose time to live is over meet their fate
 * instead. A row with SR_NOW whose clock is not right yet ends the offers unless
 * `stamp_anyway`. Returns their batch, the outbox's: valid until its rows are forgotten or wait
 * again. NULL: no row was taken. `view`: what waits then; or NULL. `accept` must not call the
 * outbox. */
typedef bool (*sr_outbox_accept)(void *arg, const struct sr_outbox_offer *offer);
struct sr_batch *sr_outbox_take(struct sr_outbox *box, enum sr_outbox_part part,
                                bool stamp_anyway, sr_outbox_accept accept, void *arg,
                                struct sr_outbox_view *view);
/* Does the next row wait for the clock? */
bool sr_outbox_wants_clock(struct sr_outbox *box);

/* Forgets the rows of the batch, held or under way. Returns their number. `view`: what waits; or
 * NULL. */
size_t sr_outbox_ack(struct sr_outbox *box, struct sr_batch *batch,
                     struct sr_outbox_view *view);
/* The same for rows that nobody will ever take: their fate is SR_FATE_POISON; they go to
 * the quarantine file if there is a store. */
size_t sr_outbox_quarantine(struct sr_outbox *box, struct sr_batch *batch,
                            const char *why, size_t file_max);
/* What that cost since this was last asked: rows that could not be written to the quarantine file,
 * and why; older ones that made room in it; the file itself, when it was damaged. Each begins with
 * "; ". False, and "": nothing. */
bool sr_outbox_quarantine_news(struct sr_outbox *box, char *text, size_t size);
/* The beginning of the first row of the batch, with the name of its channel in front as SR_PRIO_XID
 * has it, between characters cut to `size` bytes with its NUL. */
void sr_outbox_peek(struct sr_outbox *box, const struct sr_batch *batch, char *text,
                    size_t size);
/* The rows of the batch stay aside, over any fail and requeue, until ack, quarantine or
 * release. */
void sr_outbox_hold(struct sr_outbox *box, struct sr_batch *batch);
/* What is held waits again, in its old place: the rows of the batch, if it is; all. */
void sr_outbox_release_one(struct sr_outbox *box, struct sr_batch *batch);
void sr_outbox_release(struct sr_outbox *box);
/* Rows of the channel go aside, those that wait and those that are put later, and others pass them,
 * until what is aside takes half of the bound of memory. Or, `hold` false, they wait again, in their old place;
 * as behind sr_outbox_release(). */
void sr_outbox_hold_channel(struct sr_outbox *box, const struct sr_channel *channel,
                            bool hold);
/* The rows of a batch under way wait again; all that is under way. */
void sr_outbox_return(struct sr_outbox *box, struct sr_batch *batch);
void sr_outbox_requeue(struct sr_outbox *box);
/* The same after a failure: volatile rows that were on their way more than `retries` times
 * besides the first meet SR_FATE_RETRIES. */
void sr_outbox_fail(struct sr_outbox *box, uint32_t retries);

/* Asleep, volatile rows meet SR_FATE_ASLEEP: those that wait at once, others when they are
 * put. Rows under way are left alone. */
void sr_outbox_sleep(struct sr_outbox *box, bool asleep);

/* Is there anything that the calls below would tell: fates, losses, the disk and when it is tried
 * again? One question for who asks after each row. */
bool sr_outbox_has_news(struct sr_outbox *box);

/* The next delivery callback that is due; false if none. The caller calls it. */
struct sr_outbox_fate {
    sr_delivery_fn told;
    void *arg;
    enum sr_fate fate;
};
bool sr_outbox_next_fate(struct sr_outbox *box, struct sr_outbox_fate *ret_fate);

/* What was lost (SR_FATE_FULL, SR_FATE_RETRIES, and rows in damaged files) and not settled yet; over
 * restarts if there is a store. */
void sr_outbox_losses(struct sr_outbox *box, struct sr_losses *ret_losses);
/* These have been told to the platform; what was lost meanwhile stays. */
void sr_outbox_settle(struct sr_outbox *box, const struct sr_losses *told);
/* Losses by any fate but SR_FATE_DELIVERED and SR_FATE_STORED since the last call, for the loss callback; false if
 * none. One fate and class at a time. */
bool sr_outbox_next_loss(struct sr_outbox *box, struct sr_loss *ret_loss);

/* How many rows were ever accepted; and has all of the first `rows_put` met its fate? Rows that an
 * earlier run left on disk come before the first. */
uint64_t sr_outbox_rows_put(struct sr_outbox *box);
bool sr_outbox_settled(struct sr_outbox *box, uint64_t rows_put);

/* While the disk fails: when to try it again if nothing is put or taken, UINT64_MAX if it
 * does not fail; and the attempt, also when no row waits for the disk. */
uint64_t sr_outbox_retry_in_ms(struct sr_outbox *box);
void sr_outbox_retry_disk(struct sr_outbox *box);

/* For the log, a sentence a call: what opening a disk found that did not work at once; which files that
 * were set aside have been removed, since newer ones came. False: nothing more. */
bool sr_outbox_disk_note(struct sr_outbox *box, char *text, size_t size);
/* Did the disk begin to fail, and why, or does it work again, since the last call? Else false. */
bool sr_outbox_disk_news(struct sr_outbox *box, bool *ret_fails, char *text,
                         size_t size);

void sr_outbox_stats(struct sr_outbox *box, struct sr_outbox_stats *ret_stats);

#endif
