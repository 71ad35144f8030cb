/* SPDX-License-Identifier: MIT */
/* Store: rows on disk, in an append-only log of segments that a power cut cannot spoil.
 *
 *     open (recovers) -> append, commit ... next ... done ... -> close
 *
 * It knows nothing of batches, policies and transports: outbox.h does. Each row has a
 * sequence number, given by the caller and growing; numbers may be left out. Rows are
 * `live` until they are done; what is done is written down as ranges, in the log itself,
 * and segments without live rows are removed. The format: docs/outbox.md, segment.h.
 *
 * Calls are serialised by the caller, but for sr_store_commit(), which any thread may call
 * beside the others. A thread of the store's own runs fdatasync where the policy asks for
 * it; it sleeps while there is nothing to do. */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "base/clock.h"
#include <smartrest/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sr_store;
struct sr_disk; /* disk.h: the system calls, for tests that make them fail */

enum sr_store_sync {
    SR_SYNC_ROW,     /* sr_store_commit() returns when the row is on the medium */
    SR_SYNC_BATCH,   /* a fdatasync follows at once; rows of meanwhile share the next */
    SR_SYNC_INTERVAL /* at most one in sync_ms */
};

struct sr_store_options {
    uint64_t cap; /* bytes of files, at least SR_STORE_CAP_MIN; holds across restarts */
    enum sr_store_sync sync;
    unsigned sync_ms;
    uint32_t boot_tag;          /* of this boot, see struct sr_instant; 0: not known */
    const struct sr_disk *disk; /* NULL: the system's */
};
enum { SR_STORE_CAP_MIN = 256 * 1024 };

/* What waits to be told to the platform; kept with the log. Index: 0 volatile, 1 buffered.*/
struct sr_losses {
    uint64_t rows[2];
    int64_t from_ms,
        to_ms; /* wall clock; when the lost rows were sent, first and last */
};

struct sr_entry {
    uint64_t seq;
    int prio;       /* enum sr_prio, and the outbox's own bits; 8 bits in all */
    uint32_t ttl_s; /* 0: for ever */
    struct sr_instant put;
    const char *row;
    size_t len; /* at most SR_STORE_ROW_MAX */
    /* Where it goes; 0: the agent's own collection, that has no name. Others have one, the outbox's
     * business, of up to SR_STORE_CHANNEL_MAX bytes, without a NUL. The name is what is kept: the number
     * is the caller's, and makes it quick to find the name again; what sr_store_next() gives back is
     * another one. */
    uint32_t channel;
    const char *channel_name; /* from sr_store_next(): NUL-terminated */
    size_t channel_len;
};
enum { SR_STORE_ROW_MAX = 256 * 1024, SR_STORE_CHANNEL_MAX = 640 };

enum { SR_STORE_NOTE = 320 };

/* What opening found, for the log and the caller's counters. */
struct sr_store_recovery {
    uint64_t rows;      /* live */
    uint64_t rows_lost; /* as the numbers of their neighbours tell; damaged parts */
    uint64_t
        rows_doubtful; /* in front of all files: they may have been lost, or done just
                               before a power cut, which took the note of that */
    unsigned files_damaged; /* set aside under the name *.damaged */
    unsigned files_later;   /* of a later version: left as they are */
    uint64_t records_later; /* the same in other files */
    /* All that, and the first damage: file, offset, reason; "" if none. */
    char note[SR_STORE_NOTE];
};

/* Opens the log in `dir`, which is made if only its last part is missing. Never fails for
 * what is in the files: what is intact is recovered, damaged rest is set aside.
 * On failure *ret_store is untouched and `why` has a sentence. Returns 0; SR_E_BUSY, another
 * process (or agent) has it; SR_E_IO, missing, read-only, no room, not a directory...: may heal;
 * SR_E_NOMEM. */
int sr_store_open(const char *dir, const struct sr_store_options *options,
                  struct sr_store **ret_store, struct sr_store_recovery *ret_recovery,
                  char *why, size_t why_size);
/* Commits what can be committed, releases the directory. Accepts NULL. */
void sr_store_close(struct sr_store *store);

/* The sequence number behind the last one that was ever used. */
uint64_t sr_store_next_seq(const struct sr_store *store);

/* Writes the row to its file (it survives the death of the process); when it reaches the
 * medium is the sync policy's business. entry->seq: at least sr_store_next_seq().
 * Returns 0; SR_E_FULL, the bound (make room with sr_store_done()); SR_E_TOOBIG; SR_E_IO, the
 * disk (full, failing, gone): nothing was written, sr_store_error() says why, and the call
 * may be tried again later: a disk that was full or failed is used again when it works;
 * SR_E_NOMEM; SR_E_INVAL, the number. */
int sr_store_append(struct sr_store *store, const struct sr_entry *entry);

/* The longest row that a log with that bound can keep, in bytes: SR_STORE_ROW_MAX, or less. */
size_t sr_store_row_max(uint64_t cap);

/* With SR_SYNC_ROW: waits until `seq` and all before it are on the medium; several callers
 * share one fdatasync. Otherwise returns at once. Returns 0 or SR_E_IO. Any thread. */
int sr_store_commit(struct sr_store *store, uint64_t seq);

/* The first live row with a number of at least `from`. Its text is valid until the next
 * call. Reading in sequence is fast. A part that cannot be read any more is skipped, its
 * rows are done and counted in sr_store_rows_unreadable(). Returns 0, SR_E_END, SR_E_NOMEM. */
int sr_store_next(struct sr_store *store, uint64_t from, struct sr_entry *ret_entry);
uint64_t sr_store_rows_unreadable(const struct sr_store *store);

/* Rows `first` to `last` are done, those among them that were never written too. Written
 * down in the log at once, and on the medium with the next fdatasync, or within about a
 * second; with SR_SYNC_INTERVAL, within sync_ms. */
void sr_store_done(struct sr_store *store, uint64_t first, uint64_t last);

/* The first and last number of the rows in the oldest file that has live ones: when these are done,
 * the file goes, and there is room. False: there is none. */
bool sr_store_oldest(const struct sr_store *store, uint64_t *ret_first,
                     uint64_t *ret_last);

/* The losses to keep; written down like sr_store_done(). */
void sr_store_set_losses(struct sr_store *store, const struct sr_losses *losses);
void sr_store_losses(const struct sr_store *store, struct sr_losses *ret_losses);

/* Live rows, the bytes of their text, and the bytes that all files have on disk. */
struct sr_store_stats {
    uint64_t rows, bytes, disk_bytes;
    uint64_t syncs;
};
void sr_store_stats(const struct sr_store *store, struct sr_store_stats *ret_stats);

/* Changes the bound. If it is less than what the files have, sr_store_append() returns
 * SR_E_FULL until enough is done. */
void sr_store_set_cap(struct sr_store *store, uint64_t cap);

/* Appends a row that the platform never takes, with `why`, to the quarantine file of the
 * directory; bounded (`max` bytes, the older half goes). On the medium when it returns.
 * Returns 0; SR_E_TOOBIG, more than `max` alone; SR_E_IO; SR_E_NOMEM. */
int sr_store_quarantine(struct sr_store *store, const struct sr_entry *entry,
                        const char *why, size_t max);
/* What the last call of it cost of what was there before. */
enum { SR_STORE_ASIDE_NAME = 64 };
struct sr_quarantine_cost {
    uint64_t rows;                     /* older ones that made room */
    char kept_as[SR_STORE_ASIDE_NAME]; /* it could not be read, and has that name; "" */
};
void sr_store_quarantine_cost(const struct sr_store *store,
                              struct sr_quarantine_cost *ret_cost);

/* Of the files that were set aside (*.damaged) the newest 8 are kept. How many have been removed for
 * that since the last call, and the name of the first of them; NULL: asks only. */
unsigned sr_store_aside_removed(struct sr_store *store,
                                char ret_first[SR_STORE_ASIDE_NAME]);

/* Does the disk work (again)? Tries what the next row would need, without a row: heals, reserves
 * room, writes a snapshot. Returns 0, SR_E_IO, SR_E_NOMEM. */
int sr_store_probe(struct sr_store *store);

/* Why the disk failed last, a sentence with the file's name; "" if it works. */
const char *sr_store_error(const struct sr_store *store);
/* Was it that the file system, or what the user may have of it, is full? */
bool sr_store_disk_full(const struct sr_store *store);

#endif
