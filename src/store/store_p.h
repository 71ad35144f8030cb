/* SPDX-License-Identifier: MIT */
/* The store's inside, shared by these files; that is the order to read them in:
 *
 *     store.c       opened and closed, its figures
 *     append.c      rows and snapshots become records
 *     segments.c    the list of segments; the next one is begun, dead ones go
 *     done.c        what is done, and how that is written down
 *     read.c        rows are read again
 *     recover.c     what there is when it is opened
 *     aside.c       what makes no sense is kept
 *     quarantine.c  rows that are set aside
 *     sync.c        when it is on the medium
 *     heal.c        and if that fails
 *     reuse.c       files are used again
 *     takeup.c      files that an older agent set aside
 *     io.c          names, errors, whole reads and writes */
#ifndef STORE_STORE_P_H
#define STORE_STORE_P_H

#include "store/disk.h"
#include "store/ranges.h"
#include "store/segment.h"
#include "store/store.h"

#include <pthread.h>

enum {
    STORE_GRAIN = 16 * 1024,         /* segments are multiples of it */
    STORE_PART = 16,                 /* segments that make the bound */
    STORE_SEGMENT_MAX = 1 << 20,     /* unless one row needs more */
    STORE_RESERVE = 2 * STORE_GRAIN, /* of the bound, for snapshots when it is full */
    STORE_MARK_EVERY = 16 * 1024,
    STORE_FILL = 64 * 1024,       /* zeros are written ahead of the rows by that */
    STORE_NAME_EVERY = 64 * 1024, /* a name is written again; see append.c */
    STORE_PARTS = 6,
    STORE_REPEAT = 4096,   /* bytes into a segment there is another snapshot */
    STORE_DAMAGED_MAX = 8, /* files that are kept aside */
    STORE_TIDY_MS = 1000,  /* snapshots are on the medium after that */
    STORE_HEAL_MS = 10000  /* between attempts to heal that no row asks for */
};

/* Numbers are below that: what says otherwise makes no sense. */
#define STORE_SEQ_MAX (UINT64_MAX / 2)

/* Where to begin to look for a row: one for each STORE_MARK_EVERY bytes. Without memory for
 * them it takes longer. */
struct mark {
    uint64_t seq;
    uint32_t offset;
};

struct segment {
    struct sr_segment_header header;
    uint32_t end;         /* behind the last record */
    uint32_t size;        /* of the active one: how far it may grow; else `end` */
    uint32_t filled;      /* the active one: zeros have been written up to there */
    uint64_t above;       /* rows up to that number are copies of earlier ones */
    uint64_t first, last; /* numbers of its rows; without rows last < first */
    uint32_t rows, live;
    uint64_t live_bytes;
    uint32_t stale;   /* bytes up to there may be of the file's life before */
    bool spare;       /* made from the reserve: no rows */
    bool bad;         /* could not be read just now */
    bool repeated;    /* the snapshot; see append.c */
    bool nameless;    /* recovery: a row came before the name of its channel */
    uint32_t unknown; /* records of a later program; it stays for that */
    struct suspects {
        uint32_t offset; /* of the first row that was copied after a sync failed */
        uint32_t rows, live;
        uint64_t live_bytes;
    } suspects;
    struct mark *marks;
    size_t mark_count, mark_room;
    uint32_t
        *channels; /* by number, from 1 on: where its name is written, 0: nowhere */
    size_t channel_count, channel_room;
};

/* A channel as the caller numbers it, and where the active segment names it. */
struct named {
    uint64_t segment; /* which that was, 0: none */
    uint32_t offset, number;
    size_t len;
    char *name;
};

/* A file that waits for fdatasync and is no longer written to. */
struct unsynced {
    int fd; /* -1: to be opened */
    uint64_t number;
    bool gone; /* its file is removed; closed when the sync that has it is over */
};

/* What the callers of commit, the store's thread and the others share, under `lock`. */
struct sync {
    pthread_mutex_t lock;
    pthread_cond_t wake; /* the thread: there is something to do */
    pthread_cond_t over; /* the others: a sync is over */
    pthread_t thread;
    bool has_thread, quit;
    bool running;    /* somebody is at it; the files are his */
    int busy;        /* and this one, which is or was `active`; -1 if none */
    int active;      /* descriptor of the active segment, -1 if none */
    uint64_t number; /* of that segment */
    bool active_dirty, dir_dirty;
    struct unsynced *files;
    size_t file_count, file_room;
    uint64_t appended,
        synced;       /* sequence numbers; all up to `synced` are on the medium */
    uint64_t due_ms;  /* SR_NEVER: nothing is due */
    uint64_t next_ms; /* by SR_SYNC_INTERVAL, no sync before that */
    uint64_t syncs;
    int failed; /* errno of a sync that failed; 0 when that is healed */
    uint64_t failed_number;
};

/* Bytes of a segment, read ahead. */
struct window {
    int fd;          /* -1, or of segment `number` */
    uint64_t number; /* 0: none */
    uint32_t offset;
    size_t len;
    uint8_t *bytes;
    size_t room;
};

struct store_error {
    char text[256];
    int err; /* errno, where the text came of a system call on a file of the log */
};

struct sr_store {
    char *dir_name;
    int dir, lock; /* both are locked, by process `owner` */
    pid_t owner;
    struct sr_quarantine_cost quarantine_cost;
    uint32_t boot_tag; /* of this boot, 0 if that is not known */
    const struct sr_disk *disk;
    uint64_t cap;
    enum sr_store_sync policy;
    unsigned sync_ms;

    struct segment *segments; /* by number */
    size_t count, room;
    bool has_active; /* the last segment; sync.active is its descriptor */
    uint64_t next_number;
    uint64_t next_seq;
    struct sr_ranges done;
    struct sr_losses losses;
    bool healing;
    uint32_t
        spare_size;  /* of a file that waits for its next life, 0: none; see reuse.c */
    bool writes_new; /* files get names that nobody reads; see takeup.c */
    bool snapshot_due; /* what is done or lost is not written down yet */
    uint64_t unreadable;
    uint64_t heal_next_ms;                      /* that is not tried again before */
    struct sr_aside damaged[STORE_DAMAGED_MAX]; /* that are kept, the oldest first */
    size_t damaged_count;
    char kept_as[SR_ASIDE_NAME_MAX]; /* the name that the last one got */
    unsigned aside_removed;          /* the oldest ones; not told yet */
    char aside_first_removed[SR_ASIDE_NAME_MAX];

    struct named *named; /* by the caller's number */
    size_t named_count;
    uint64_t name_segment; /* the name that was read last: whose it is */
    uint32_t name_offset;
    char name[SR_CHANNEL_TEXT_MAX + 1];
    size_t name_len;

    struct window window;
    uint64_t at_number; /* behind the row that was read last: segment, offset, number */
    uint32_t at_offset;
    uint64_t at_seq;

    struct sync *sync; /* these two apart, since they change with a const store, too */
    struct store_error *error;
};

/* --- append.c ----------------------------------------------------------------------- */

/* There is room for it in the active segment. If it fails, nobody knows what is in the file
 * behind its end: it is sealed. Returns 0 or SR_E_IO. */
int sr_store_write_record(struct sr_store *store, enum sr_record_kind kind,
                          const struct sr_entry *entry);
/* A row to the end of the log. `copy`: it was in the log before, and is needed at once. Returns
 * what sr_store_make_room() says. */
int sr_store_put(struct sr_store *store, const struct sr_entry *entry, bool copy);

/* --- segments.c ---------------------------------------------------------------------- */

/* To the next multiple of `to`. */
uint32_t sr_store_round_up(uint64_t size, uint32_t to);
/* What a file of `size` bytes takes, in blocks. */
uint64_t sr_store_on_disk(uint32_t size);
/* The one that is written to; NULL if none is. */
struct segment *sr_store_active(const struct sr_store *store);
/* At the end of the list, all zero. NULL: no memory. */
struct segment *sr_store_add_segment(struct sr_store *store);
/* From the list only. */
void sr_store_drop_segment(struct sr_store *store, size_t index);
void sr_store_mark(struct segment *segment, uint64_t seq, uint32_t offset);
/* The file only; it may be gone already. Returns 0 or SR_E_IO. */
int sr_store_unlink_segment(struct sr_store *store, uint64_t number);
/* Removes the segments without live rows, files and all; but not the last, which has the newest
 * snapshot that is written down. Returns whether there were any. */
bool sr_store_remove_dead(struct sr_store *store);
/* The active segment is written to no more. */
void sr_store_seal(struct sr_store *store);
/* Begins the next segment, of 16 KiB, with a snapshot. `base`: rows in it have that number or
 * more; `put`: of which boot, and about when. The one before is sealed; what has no live rows goes.
 * Returns 0, SR_E_IO, SR_E_NOMEM. */
int sr_store_rotate(struct sr_store *store, const struct sr_instant *put,
                    uint64_t base);
/* As with the last segment; all 0 without one. */
struct sr_instant sr_store_last_instant(const struct sr_store *store);
/* Room for `need` bytes in the active segment. `bounded`: only as the bound allows.
 * Returns 0, SR_E_FULL, SR_E_IO, SR_E_NOMEM. */
int sr_store_make_room(struct sr_store *store, size_t need,
                       const struct sr_instant *put, uint64_t base, bool bounded);
/* A segment for a record of `need` bytes. */
uint32_t sr_store_full_size(const struct sr_store *store, size_t need);
/* Does the bound allow a file of that size beside what has to stay, and a new segment? */
bool sr_store_fits_beside(const struct sr_store *store, uint32_t size);
/* Header and snapshot. Returns 0 or -1 and errno. */
int sr_store_begin_file(struct sr_store *store, int fd, struct segment *segment);
/* At `offset` of the segment channel `number` has its name. Returns 0 or SR_E_NOMEM. */
int sr_store_note_channel(struct segment *segment, uint32_t number, uint32_t offset);

/* --- done.c --------------------------------------------------------------------------- */

/* The snapshot as it is now, for that segment, in `bytes`. */
struct sr_entry sr_store_snapshot(const struct sr_store *store,
                                  const struct sr_segment_header *header,
                                  uint8_t bytes[SR_SNAPSHOT_MAX]);
/* Writes down what is done and lost, and removes what has become superfluous. If it fails it is
 * tried again with the next. */
void sr_store_write_snapshot(struct sr_store *store);
/* These rows are done; the segments' counts are the caller's. */
void sr_store_add_done(struct sr_store *store, uint64_t first, uint64_t last);
/* A segment whose rest cannot be read: its rows are done, and counted. It is kept aside if
 * nothing of it can. Returns 0 or SR_E_NOMEM: nothing changed. */
int sr_store_give_up(struct sr_store *store, size_t index);

/* --- read.c ------------------------------------------------------------------------ */

/* The record of the segment at `offset`, which is less than its end. Returns 0; SR_E_CORRUPT;
 * SR_E_IO; SR_E_NOMEM, that is not the disk's fault. Valid until the next call. */
int sr_store_read(struct sr_store *store, const struct segment *segment,
                  uint32_t offset, struct sr_segment_record *ret_record);
/* Does the segment say what the row's channel is? */
bool sr_store_has_name(const struct segment *segment,
                       const struct sr_segment_record *record);
/* Finds the name of the row's channel; valid until the next one is looked for. Returns 0;
 * SR_E_CORRUPT, SR_E_IO, SR_E_NOMEM. */
int sr_store_find_name(struct sr_store *store, const struct segment *segment,
                       struct sr_segment_record *record);
/* Forgets what was read of it; 0: of any. */
void sr_store_forget_window(struct sr_store *store, uint64_t number);
/* Rows of the segment with numbers from `first` to `last` that are not done; with the bytes of their
 * text, and the offset behind the last of them that is not done or is. Returns 0 or what
 * sr_store_read() says; then the figures are those of what could be read. */
struct tally {
    uint32_t rows;
    uint64_t bytes;
    uint32_t all;  /* done ones too */
    uint64_t last; /* number of the last one, 0 if none */
    uint32_t end;  /* behind the last record that could be read */
};
int sr_store_tally(struct sr_store *store, const struct segment *segment,
                   uint64_t first, uint64_t last, struct tally *ret_tally);
/* The segment ends where it cannot be read any more; *ret_gone: how many live rows went. Returns 0
 * or SR_E_NOMEM: nothing changed. */
int sr_store_cut(struct sr_store *store, struct segment *segment, uint64_t *ret_gone);
/* It ends at `end`; the last row before that has number `last` at most. Rows are counted by the
 * caller. */
void sr_store_end_at(struct sr_store *store, struct segment *segment, uint32_t end,
                     uint64_t last);
/* Offset from which to look for row `seq`. */
uint32_t sr_store_seek(const struct segment *segment, uint64_t seq);
/* Index of the first segment that has rows with numbers of at least `seq`; count if none. */
size_t sr_store_locate(const struct sr_store *store, uint64_t seq);

/* --- recover.c --------------------------------------------------------------------- */

/* Reads the directory. Returns 0, SR_E_IO, SR_E_NOMEM. */
int sr_store_recover(struct sr_store *store, struct sr_store_recovery *recovery);

/* --- aside.c ----------------------------------------------------------------------- */

/* Copies bytes to the file NAME.damaged, behind what it has. Its name is in store->kept_as. */
int sr_store_set_aside(struct sr_store *store, const char *name, const void *bytes,
                       size_t len);
/* Renames the file to NAME.damaged, or NAME.damaged.2 and so on: none is overwritten. */
int sr_store_rename_aside(struct sr_store *store, const char *name);
/* One that is there when the store is opened. */
void sr_store_found_aside(struct sr_store *store, const struct sr_aside *aside);

/* --- reuse.c ------------------------------------------------------------------------ */

/* The file of this dead segment waits for the next one. False: it is not wanted. */
bool sr_store_keep_spare(struct sr_store *store, const struct segment *segment);
/* That file as the segment's, with its beginning and its name. Returns its descriptor; -1: there is none. */
int sr_store_take_spare(struct sr_store *store, struct segment *segment);
/* Removes it. False: there was none. */
bool sr_store_drop_spare(struct sr_store *store);
/* At opening, when there is such a file and all segments are listed: *ret_number is not 0 if it was a
 * segment that had no name yet. Returns 0, SR_E_IO. */
int sr_store_find_spare(struct sr_store *store, uint64_t *ret_number);

/* --- takeup.c ----------------------------------------------------------------------- */

/* Files that an older agent set aside since it did not know their version are taken up: *ret_files of
 * them. Returns 0; or why not: nothing changed then, unless *ret_ordered. */
int sr_store_take_up(struct sr_store *store, unsigned *ret_files, bool *ret_ordered);
/* What that began the last time, if it got so far. The log's files have these numbers; *ret_did: now they
 * are others. Returns 0, SR_E_IO. */
int sr_store_finish_takeup(struct sr_store *store, const uint64_t *numbers,
                           size_t count, bool *ret_did);
/* Removes the file if it is left from an attempt of that. */
void sr_store_remove_unfinished(struct sr_store *store, const char *name);

/* --- sync.c ------------------------------------------------------------------------ */

uint64_t sr_store_now_ms(void);
/* Returns 0 or SR_E_NOMEM. */
int sr_sync_init(struct sr_store *store);
/* The thread; before that nothing is synced. Returns 0 or SR_E_NOMEM. */
int sr_sync_start(struct sr_store *store);
void sr_sync_release(struct sr_store *store);
/* Something was written: `seq`, or 0 for what is no row. `dir`: the directory too. */
void sr_sync_wrote(struct sr_store *store, uint64_t seq, bool dir);
/* Another file is active now, -1 for none. The old one waits for a sync and is closed behind
 * it. */
void sr_sync_switch(struct sr_store *store, int fd, uint64_t number);
/* The file is gone: nobody has to sync it, and its room is free when it is closed. */
void sr_sync_forget(struct sr_store *store, uint64_t number);
/* Waits until nobody syncs. */
void sr_sync_settle(struct sr_store *store);
/* This file may have been written to by those who had the store before. */
void sr_sync_suspect(struct sr_store *store, uint64_t number);
/* Syncs now what there is. Returns 0 or SR_E_IO. */
int sr_sync_now(struct sr_store *store);
/* Did a sync fail? Then waits until nobody syncs, forgets the files that waited for it,
 * and tells the last number that is safe. */
bool sr_sync_failed(struct sr_store *store, uint64_t *ret_synced);
/* The rows behind that number were written anew: syncs them, and forgets the failure if that
 * works. Returns 0 or SR_E_IO. */
int sr_sync_retry(struct sr_store *store);

/* --- heal.c ------------------------------------------------------------------------- */

/* If a sync failed: the rows that may not have reached the medium are written anew. Returns 0, or
 * why it is to be tried again. */
int sr_store_heal(struct sr_store *store);

/* --- io.c --------------------------------------------------------------------------- */

/* The file name of a segment. */
void sr_store_name(char name[SR_SEGMENT_NAME_MAX], uint64_t number);
/* Keeps the sentence "<name>: <what>: <errno's text>". Returns SR_E_IO. */
int sr_store_fail(const struct sr_store *store, const char *name, const char *what,
                  int err);
/* The same of segment `number`. */
int sr_store_fail_segment(const struct sr_store *store, uint64_t number,
                          const char *what, int err);
/* Writes all of the parts, of which there are STORE_PARTS at most. Returns 0 or -1 and errno. */
int sr_store_write(struct sr_store *store, int fd, const struct iovec *parts, int count,
                   uint64_t offset);
/* Opens a file that is there; an error is given a second chance. */
int sr_store_reopen(struct sr_store *store, const char *name, int flags);
/* Reads up to `len` bytes; an error is given a second chance. Returns how many; if they are fewer,
 * *ret_err says why, 0 at the end of the file. */
size_t sr_store_pread(struct sr_store *store, int fd, void *bytes, size_t len,
                      uint64_t offset, int *ret_err);

#endif
