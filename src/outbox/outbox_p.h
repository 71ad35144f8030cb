/* SPDX-License-Identifier: MIT */
/* The outbox's inside, shared by the files of this folder. The lock is held in all of it.
 *
 * Rows that wait are in lists, oldest first:
 *
 *     volatile:  BACKLOG, LIVE
 *     buffered:  FRONT, then the gap, then MIDDLE, LIVE
 *
 * The gap [lo, hi) are rows on disk only. FRONT was read from its lower end, or is back
 * from under way; what is left of the gap by rows that were put since is in MIDDLE
 * and LIVE (before and behind the last sr_outbox_mark()). Memory that gets scarce is had
 * by forgetting rows of MIDDLE and LIVE that are on disk: the gap's upper end grows.
 *
 * Invariant: the number of a row that was never written is larger than all that were. FRONT
 * has none of these. */
#ifndef OUTBOX_OUTBOX_P_H
#define OUTBOX_OUTBOX_P_H

#include "outbox/outbox.h"
#include <pthread.h>
#include <smartrest/agent.h>

/* A delivery callback: first a row's, then one that is due. */
struct told {
    struct told *next;
    uint64_t seq; /* the row's, while that is on disk only */
    sr_delivery_fn fn;
    void *arg;
    enum sr_fate fate;
};

enum {
    NODE_PRIO = SR_PRIO_BUF,
    NODE_WRITTEN = 0x40, /* it is on disk */
    NODE_ORPHAN = 0x20,  /* it was, and cannot be read there any more */
};

struct node {
    struct node *next;
    uint64_t seq;   /* buffered: its number; volatile: of the buffered row behind it */
    uint64_t index; /* the how manieth that was put; 0: in an earlier run */
    uint64_t put_ms;
    int64_t wall_ms; /* of the put, as is what follows */
    uint64_t boot_ms;
    struct told *told; /* or NULL */
    struct sr_channel *channel;
    uint32_t boot_tag;
    uint32_t len;
    uint32_t ttl_s;
    uint32_t prio : 8;      /* with SR_ROW_UNSTAMPED and NODE_WRITTEN */
    uint32_t failures : 24; /* ends of a connection while it was under way */
    char text[];
};

struct list {
    struct node *head, **end;
    size_t rows, bytes; /* of the text */
    size_t cost;        /* as the bound counts it */
    size_t unwritten;   /* of that, what is in memory only */
};

/* A batch, and what nobody else knows of it. */
struct batch {
    struct sr_batch base;       /* first */
    struct batch *next, **link; /* of box->batches */
    struct list rows[SR_CLASSES];
};

enum { CHECKPOINTS = 8 };
enum { OLD_VOLATILE, LIVE_VOLATILE, FRONT, MIDDLE, LIVE, LISTS };

struct sr_outbox {
    pthread_mutex_t lock;
    const struct sr_clock *clock;
    struct sr_instant last_now; /* when a row was last put, and sr_now_ms() of then */
    uint64_t last_now_ms;
    int64_t valid_after_ms;
    size_t cap;
    enum sr_at_bound policy[SR_CLASSES];
    size_t batch_rows, batch_bytes;
    struct {
        size_t rows, bytes;
    } fresh; /* of the batch that is about to be full, as far as it was not said to be */
    bool asleep, closed;

    char *scratch, *named; /* a row with its time; its channel's name */

    struct sr_channels channels;
    struct batch
        *aside;  /* rows of channels that are held; one of `batches`, held; or NULL */
    size_t held; /* how many channels are */
    struct list waiting[LISTS];
    struct batch *batches, *spare_batches; /* under way or held; to be used again */
    uint64_t last_batch;                   /* its number */
    uint64_t next_seq;                     /* of the next buffered row */
    uint64_t mark;       /* buffered rows from this number on are live */
    uint64_t mark_index; /* volatile ones from this on */
    size_t rows, memory; /* in memory, whatever their state; and their cost */

    /* The disk. Without `dir` none is wanted, without `store` it could not be opened yet. */
    char *dir;
    struct sr_store_options options;
    struct sr_store *store;
    uint64_t lo, hi;              /* the gap */
    size_t unwritten_rows;        /* buffered rows that are in memory only */
    size_t disk_rows, disk_bytes; /* in memory and on disk; bytes of the text */
    struct told *awaiting, *awaiting_last; /* of rows in the gap, by number */
    size_t awaiting_bytes;
    uint64_t unreadable; /* as the store counts */
    bool done_any; /* rows done_first to done_last are, and the store is not told */
    uint64_t done_first, done_last;
    bool losses_dirty;
    uint64_t losses_next_ms;           /* they are not written again before */
    uint64_t retry_ms, retry_pause_ms; /* boot clock */
    uint64_t make_room_ms; /* rows on disk gave way in vain: not again before that */
    bool disk_fails, disk_told;
    char disk_text[512]; /* why; "" */
    char recovery_note
        [SR_STORE_NOTE]; /* of a disk that was opened late; "" once it is told */
    char not_kept[512];  /* why a row is not in the quarantine file; "" */
    struct sr_quarantine_cost pushed; /* out of it; both since that was asked for */

    struct told *due, **due_end; /* fates to tell */
    size_t due_bytes;
    bool news; /* a fate or something else is to be told, since the last put */
    struct sr_loss lost[SR_FATES][SR_CLASSES];
    bool lost_any;                                       /* of these */
    struct sr_losses losses, losses_asked, losses_since; /* since that was asked for */
    struct {
        uint64_t rows_put, seq;
    } checkpoints
        [CHECKPOINTS]; /* the buffered rows of the first `rows_put` are below `seq` */
    unsigned next_checkpoint;
    struct sr_outbox_stats stats; /* those that only grow */
};

/* --- rows.c: lists of rows ------------------------------------------------ */

void sr_list_init(struct list *list);
void sr_list_append(struct list *list, struct node *node);
struct node *sr_list_pop(struct list *list);
/* Moves all of `from` to the end of `to`. */
void sr_list_move(struct list *to, struct list *from);
/* Puts the node where its number wants it to be: the search begins at `*hint`,
 * the last one that was inserted (NULL at first). */
void sr_list_insert(struct list *list, struct node *node, struct node **hint);

static inline int class_of(const struct node *node)
{
    return node->prio & SR_PRIO_BUF ? SR_CLASS_BUFFERED : SR_CLASS_VOLATILE;
}

static inline size_t cost_of(const struct node *node)
{
    return sizeof *node + node->len + (node->told ? sizeof *node->told : 0);
}

struct sr_instant sr_node_put_at(const struct node *node);

/* Of a list that is not empty. */
static inline const struct node *sr_list_last(const struct list *list)
{
    return (const struct node *)(const void *)((const char *)list->end -
                                               offsetof(struct node, next));
}

/* --- stamp.c ------------------------------------------------------------------ */

bool sr_text_has_now(const char *text, size_t len);
void sr_text_stamp(char *text, size_t len, int64_t wall_ms);
bool sr_box_clock_valid(const struct sr_outbox *box, const struct sr_instant *now);
bool sr_node_expired(const struct node *node, const struct sr_instant *now);
/* The row's text with its time in it, valid until the next call; NULL without memory. */
const char *sr_box_stamped(struct sr_outbox *box, const struct node *node,
                           const struct sr_instant *now);

/* --- channels.c --------------------------------------------------------------- */

/* Numbers that rows read back from disk can have when all others are in use: else they could wait for
 * rows that wait for them. */
enum { CHANNELS_SPARE = 1024 };

/* The channel that a row to be put names. Returns 0, SR_E_INVAL, SR_E_FULL, SR_E_NOMEM. */
int sr_box_channel_of(struct sr_outbox *box, const struct sr_outbox_row *row,
                      struct sr_channel **ret_channel);
/* Puts the first row of the list aside; it is of a channel that is held. False if there is no room: then
 * nothing changed. */
bool sr_box_put_by(struct sr_outbox *box, struct list *list);
/* All channels are released, and their rows wait again. */
void sr_box_release_channels(struct sr_outbox *box);
/* The entry as the store keeps it, until the next call; false without memory. */
bool sr_box_to_entry(struct sr_outbox *box, const struct node *node,
                     struct sr_entry *ret_entry);
/* And back: its channel. Returns 0; SR_E_FULL; SR_E_NOMEM; SR_E_NOTFOUND, of a protocol that is not
 * known here. */
int sr_box_from_entry(struct sr_outbox *box, const struct sr_entry *entry,
                      struct sr_channel **ret_channel);
/* The beginning of a row for people. */
void sr_node_show(const struct node *node, char *text, size_t size);

/* --- stored.c ------------------------------------------------------------------ */

/* Opens the store, writes what waits in memory for it, or looks whether a disk that failed works
 * again: if it is time to try. */
void sr_box_try_disk(struct sr_outbox *box, bool now);
void sr_box_disk_failed(struct sr_outbox *box, const char *why);
/* The file system is full, and so is memory: if that is the policy, the oldest rows on disk give
 * way, and not those in memory, which are newer. Does the disk work again? */
bool sr_box_make_disk_room(struct sr_outbox *box);
/* Makes room by dropping, if that is the policy. Returns 0; SR_E_FULL; SR_E_TOOBIG; SR_E_IO. */
int sr_box_write(struct sr_outbox *box, struct node *node);
/* This buffered row has met its fate. */
void sr_box_done(struct sr_outbox *box, uint64_t seq);
void sr_box_write_done(struct sr_outbox *box);
/* At the end of each call: the store learns what is done, and, at times, of losses. */
void sr_box_write_down(struct sr_outbox *box, bool losses_too);
/* Into the quarantine file. */
void sr_box_set_aside(struct sr_outbox *box, const struct node *node, const char *why,
                      size_t file_max);
void sr_box_release_disk(struct sr_outbox *box);

/* --- gap.c ---------------------------------------------------------------------- */

/* The row is in no list and goes on in the gap. */
void sr_box_forget(struct sr_outbox *box, struct node *node);
/* Forgets one row that is on disk. False if there is none to forget. */
bool sr_box_trim(struct sr_outbox *box);
/* Fills FRONT from the gap. */
void sr_box_read_ahead(struct sr_outbox *box);
/* Has the store found rows that it cannot read any more? Those in memory are not lost. */
bool sr_box_count_unreadable(struct sr_outbox *box);
/* Callbacks of rows in the gap below `seq`. */
void sr_box_tell_awaiting(struct sr_outbox *box, uint64_t seq, enum sr_fate fate);

/* --- fates.c ---------------------------------------------------------------- */

/* The row is in no list any more: counts it, tells its fate, frees it. */
void sr_box_meet(struct sr_outbox *box, struct node *node, enum sr_fate fate);
void sr_box_lose(struct sr_outbox *box, enum sr_fate fate, int class, uint64_t rows,
                 int64_t wall_ms);
void sr_box_tell(struct sr_outbox *box, struct told *told, enum sr_fate fate);
void sr_told_free(struct told *told);

/* --- take.c ------------------------------------------------------------------ */

/* The list with the next row of that part; NULL if none waits. */
struct list *sr_box_first(struct sr_outbox *box, enum sr_outbox_part part);
struct list *sr_box_first_buffered(struct sr_outbox *box, enum sr_outbox_part part);
/* A new batch, under way; NULL without memory. One without rows ends. */
struct batch *sr_box_begin_batch(struct sr_outbox *box);
void sr_box_end_batch(struct sr_outbox *box, struct batch *batch);
/* The row, which is in no list, waits again in its old place. `hint`: zeroed for the first of several in
 * order. */
struct hint {
    struct list *list;
    struct node *node;
};
void sr_box_come_back(struct sr_outbox *box, struct node *node, struct hint *hint);
bool sr_box_is_backlog(const struct sr_outbox *box, const struct list *list);

/* --- outbox.c ---------------------------------------------------------------- */

/* Rows, and bytes of their text: in the gap, and in all of that part. */
struct sr_outbox_waiting sr_box_gap(const struct sr_outbox *box);
struct sr_outbox_waiting sr_box_waiting(const struct sr_outbox *box,
                                        enum sr_outbox_part part);
/* With NULL nothing is looked at. */
void sr_box_look(struct sr_outbox *box, struct sr_outbox_view *view);

#endif
