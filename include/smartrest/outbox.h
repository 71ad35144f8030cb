/* SPDX-License-Identifier: MIT */
/* Outbox: rows that wait for the platform, on disk if you like, and what becomes of them.
 *
 *     sr_agent_new -> sr_agent_open_outbox -> sr_agent_send(..., SR_PRIO_BUF) ...
 *
 * With an outbox on disk, a row that was sent with SR_PRIO_BUF survives the end of the
 * process, and a power cut once it is on the medium; it is sent again until the platform
 * has acknowledged it. It arrives at least once: after a crash, rows that were under way
 * (at most `window` publishes or one HTTP request) go again; after a power cut also those
 * acknowledged since the last fdatasync, about a second.
 *
 * When is it on the medium? The setting `outbox_sync`:
 *
 *     row        sr_agent_send() returns when it is. A power cut loses nothing.
 *     batch      (the default) the write to the medium begins at once, beside the caller;
 *                rows sent while one runs share the next. A power cut loses what was sent in
 *                the last two such writes, some milliseconds on most media.
 *     interval   once in `outbox_sync_interval` ms. A power cut loses that much.
 *
 * The death of the process alone loses nothing, whatever the setting. Format and recovery:
 * docs/outbox.md. */
#ifndef SMARTREST_OUTBOX_H
#define SMARTREST_OUTBOX_H

#include <smartrest/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct sr_agent;

/* --- on disk ------------------------------------------------------------ */

/* Keeps rows with SR_PRIO_BUF in files in `dir`, at most `outbox_capacity` bytes; what an
 * earlier run left there is sent first. Any time, once, and best right after sr_agent_new();
 * the settings outbox_* are made before. The last part of the path is made if it is missing
 * (mode 0700). One agent has a directory at a time: it is locked (flock), until the agent is freed
 * or its process ends. A child that was forked without exec and lives longer than a process that
 * was killed holds the lock until it ends, too; the next agent is told SR_E_BUSY meanwhile. Among
 * machines that share a directory by NFS only the file `lock` in it counts: do not remove it.
 * A disk that cannot be used (missing, read-only, full, failing) is no failure: rows wait in
 * memory (`capacity`), sr_agent_on_trouble() is told, and the disk is used as soon as it works.
 * Neither are damaged files: what is intact is recovered, the rest set aside as *.damaged.
 * Returns 0; SR_E_BUSY, another agent has `dir`; SR_E_STATE, open already; SR_E_INVAL; SR_E_NOMEM.
 * sr_agent_error() has the sentence. */
SR_API int sr_agent_open_outbox(struct sr_agent *agent, const char *dir);

/* --- one row's fate ------------------------------------------------------- */

/* What becomes of a row. */
enum sr_fate {
    SR_FATE_DELIVERED, /* acknowledged by the platform; what it makes of the row is another
                          matter, see sr_agent_on_refused() */
    SR_FATE_FULL, /* dropped at the bound; settings full_volatile and full_buffered */
    SR_FATE_EXPIRED, /* its time to live was over */
    SR_FATE_RETRIES, /* without SR_PRIO_BUF: sent again `retries` times, and not
                        acknowledged; attempts without a connection do not count */
    SR_FATE_ASLEEP,  /* without SR_PRIO_BUF: the reporter sleeps */
    SR_FATE_POISON,  /* the platform never takes it; set aside in the quarantine file */
    SR_FATE_DAMAGED, /* could not be read back from disk */
    SR_FATE_STORED,  /* the agent is freed; it is on disk, and goes at the next start */
    SR_FATE_LOST,    /* the agent is freed, and it was in memory only */
    SR_FATES         /* their number */
};
/* The fate in a word, say "expired"; a static string. */
SR_API const char *sr_fate_name(enum sr_fate fate);

/* Called once for a row whose send returned 0, on the loop's thread (or inside of
 * sr_agent_free(), where nothing can be sent any more); not for rows that an earlier run left.
 * It may send, and free the agent. */
typedef void (*sr_delivery_fn)(void *arg, enum sr_fate fate);

/* Zeroed is the default. */
struct sr_send_options {
    int prio;       /* enum sr_prio */
    uint32_t ttl_s; /* seconds the row is worth sending; 0: for ever. Counted by
                                 the clock since boot, over a reboot by the wall clock */
    sr_delivery_fn delivered; /* or NULL. Takes about 40 bytes of `capacity` until it is
                                 called, for rows on disk too; when that is used up,
                                 sends with a callback return SR_E_FULL: rows that are
                                 on disk are not dropped for it */
    void *arg;                /* for it */
    uint32_t channel; /* of sr_agent_channel(); 0: the agent's own collection, or with
                                 SR_PRIO_XID the one in the row. SR_E_INVAL for a number that it
                                 never gave, or with SR_PRIO_XID */
};

/* sr_agent_send() with more to say; `options` is copied, NULL is the default. Returns as
 * sr_agent_send(); SR_E_FULL also when memory has no room for another callback, or a thread sends
 * so fast that the loop, which is to call the callbacks of rows that were dropped, does not keep
 * up. */
SR_API int sr_agent_send_with(struct sr_agent *agent, const char *row,
                              const struct sr_send_options *options);

/* The time, as a value of a row: "2026-11-22T20:45:00.123Z". Becomes the time of the send, in
 * all rows that go through sr_agent_send() and its kin, however they were made.
 *
 *     sr_agent_sendf(agent, "108,%s,%s,%.1f", sr_agent_id(agent), SR_NOW, celsius);
 *
 * While the device does not know the time (the wall clock is before the setting
 * `clock_valid_after`), the row waits for it, at most `clock_wait` seconds after the connection is
 * up, and then gets the time at which it was sent, counted back. A row of an earlier boot that
 * never knew the time gets the moment of this boot, the latest at which it can have been. */
#define SR_NOW               \
    "\x1a"                   \
    "sr_now________________" \
    "\x1a"

/* Runs the loop until every row that was sent before, those that an earlier run left on disk
 * included, has met its fate. What waits goes without linger.
 * Returns 0; SR_E_TIMEOUT, after `timeout_ms` rows still wait; SR_E_STATE, from inside a
 * callback or without a started reporter; SR_E_STOPPED. */
SR_API int sr_agent_flush(struct sr_agent *agent, uint64_t timeout_ms);

/* --- losses ------------------------------------------------------------- */

/* Rows that met one fate, since the last call for it. */
struct sr_loss {
    enum sr_fate fate; /* any but SR_FATE_DELIVERED and SR_FATE_STORED */
    bool buffered;     /* they had SR_PRIO_BUF */
    uint64_t rows;     /* their number */
    int64_t from_ms;   /* when the first was sent: wall clock, since 1970 */
    int64_t to_ms;     /* and the last */
};
/* `loss` is valid during the call. */
typedef void (*sr_loss_fn)(struct sr_agent *agent, const struct sr_loss *loss,
                           void *arg);

/* Calls `fn` when rows were lost; NULL: they are logged. Besides, after the next connect the
 * platform gets an event, type c8y_smartrest_RowsLost, with their numbers, if SR_FATE_FULL,
 * SR_FATE_RETRIES and SR_FATE_DAMAGED took at least as many as the setting `loss_report` says. */
SR_API void sr_agent_on_loss(struct sr_agent *agent, sr_loss_fn fn, void *arg);

/* --- trouble that does not pass by itself --------------------------------- */

/* What the agent cannot mend by itself. */
enum sr_trouble {
    SR_TROUBLE_AUTH,   /* the platform refuses the credentials */
    SR_TROUBLE_XID,    /* it does not know the template collection */
    SR_TROUBLE_DEVICE, /* the device's managed object is gone */
    SR_TROUBLE_TWIN,   /* another client with this id connects as well */
    SR_TROUBLE_POISON, /* a row that it never takes was set aside; over at once; the
                          text has the row's first 80 bytes */
    SR_TROUBLE_DISK,   /* the outbox on disk cannot be used */
    SR_TROUBLE_SUBSCRIPTION, /* the broker grants no subscription to some of the topics:
                                no operations come from there; rows go on */
    SR_TROUBLES              /* their number */
};
/* `text` says what and where, for people; NULL: it is over. */
typedef void (*sr_trouble_fn)(struct sr_agent *agent, enum sr_trouble trouble,
                              const char *text, void *arg);

/* Calls `fn` when a trouble begins, and when it is over. Meanwhile the agent goes on trying,
 * more slowly: setting `slow_retry`. NULL: it is logged. */
SR_API void sr_agent_on_trouble(struct sr_agent *agent, sr_trouble_fn fn, void *arg);

/* --- looking inside, without an agent ----------------------------------------- */

/* A row in the files. Its text is valid during the call. */
struct sr_stored_row {
    uint64_t seq;     /* its number */
    int prio;         /* enum sr_prio */
    uint32_t ttl_s;   /* 0: for ever */
    int64_t wall_ms;  /* when it was sent, as the wall clock said */
    bool stamped;     /* false: it waits for the clock to be right */
    bool done;        /* acknowledged or dropped, and still in a file */
    bool quarantined; /* of the quarantine file */
    const char *why;  /* quarantined: the reason; "" otherwise */
    const char *text; /* not NUL-terminated */
    size_t len;       /* of the text */
    const char *file; /* its name in the directory */
    uint64_t offset;  /* bytes from the beginning of the file */
    const char *
        channel; /* where it goes: protocol and name, as "smartrest1:my_xid" of a row that was sent
                            with SR_PRIO_XID; "" the agent's own collection; "?" damage took the name */
};

/* What a file of the directory is. */
enum sr_stored_kind {
    SR_STORED_SEGMENT,    /* of the log: rows that wait, and rows that are done */
    SR_STORED_QUARANTINE, /* rows that the platform never takes */
    SR_STORED_ASIDE       /* *.damaged: what could not be read at an earlier start */
};

/* A file of the directory. */
struct sr_stored_file {
    const char *name;         /* in the directory */
    enum sr_stored_kind kind; /* what it is */
    uint64_t bytes;           /* its size */
    uint64_t rows, done;      /* whole rows in it, and of these no longer wanted */
    uint64_t first, last;     /* their numbers; 0, 0 if none */
    bool intact;              /* as it was written, all of it */
    bool torn; /* intact, but half written at its end: by an agent now, or as it died */
    uint64_t damage; /* not intact, or torn: offset of the first byte without sense */
    const char *damage_why; /* "" if intact */
    unsigned
        version; /* of its format: 1, 2, or a later one, and then nothing in it was read; 0 none */
    uint64_t
        unknown; /* records that a later version of this library wrote, and that stay for it */
};

/* What sr_outbox_scan() calls; NULL: not. Non-zero ends the scan and is returned by it. */
struct sr_outbox_visitor {
    int (*file)(void *arg, const struct sr_stored_file *file); /* behind its rows */
    int (*row)(void *arg, const struct sr_stored_row *row);    /* oldest first */
    void *arg;                                                 /* for both */
};
/* Reads all files of an outbox, oldest first, the quarantine file last. Changes nothing; an agent
 * may be running on it. `visitor` NULL: nobody is told. Returns 0; SR_E_INVAL; SR_E_IO, SR_E_NOTFOUND (no such directory, or no outbox in
 * it), SR_E_NOMEM, or what the visitor returned. `why` (NULL is fine) has a sentence then. */
SR_API int sr_outbox_scan(const char *dir, const struct sr_outbox_visitor *visitor,
                          char *why, size_t why_size);

/* What sr_outbox_remove() takes away. */
enum sr_outbox_what {
    SR_OUTBOX_ROWS = 1,       /* that wait; those through number `through` */
    SR_OUTBOX_QUARANTINE = 2, /* the quarantine file */
    SR_OUTBOX_DAMAGED = 4     /* files that were set aside */
};
/* For good. Does first what an agent's start does: damaged files are recovered, what cannot be
 * read is set aside. `what` 0 changes nothing, and only tells whether an agent runs on it.
 * Returns 0; SR_E_BUSY, an agent runs on it: nothing changed; otherwise as sr_outbox_scan().
 * *ret_rows: how many rows went, of the quarantine too (NULL is fine). */
SR_API int sr_outbox_remove(const char *dir, int what, uint64_t through,
                            uint64_t *ret_rows, char *why, size_t why_size);

#ifdef __cplusplus
}
#endif
#endif
