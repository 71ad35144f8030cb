/* SPDX-License-Identifier: MIT */
/* What tests of the outbox share: rows in, rows out as text, a clock to set by hand,
 * directories that go away. Include after cmocka.h. */
#ifndef OUTBOX_OUTBOX_FIXTURE_H
#define OUTBOX_OUTBOX_FIXTURE_H

#include "outbox/outbox.h"
#include "store/disk.h"
#include <smartrest/agent.h>
#include <stdatomic.h>

/* A box with room for that many rows of 4 bytes in memory. */
struct sr_outbox *box_of(size_t rows_of_4_bytes);
struct sr_outbox *roomy_box(void);

/* Volatile and buffered. Return what sr_outbox_put() does. */
int put(struct sr_outbox *box, const char *row);
int keep(struct sr_outbox *box, const char *row);
int put_row(struct sr_outbox *box, const struct sr_outbox_row *row);
bool put_is_due(struct sr_outbox *box, const char *row);

/* Takes rows one by one and notes them, with a blank behind each. */
struct notes {
    char text[4096];
    size_t rows, rows_max;
    uint64_t id; /* of the last */
    bool backlog;
};
bool note(void *arg, const struct sr_outbox_offer *offer);

/* Tests speak of batches by numbers of their own, tickets: what was taken under one, once or more
 * often, is dealt with at once. One that is unknown, or whose rows wait again, is nothing. All but
 * hold return numbers of rows. */
size_t ticket_take(struct sr_outbox *box, uint32_t ticket, enum sr_outbox_part part,
                   bool stamp_anyway, sr_outbox_accept accept, void *arg);
size_t ticket_ack(struct sr_outbox *box, uint32_t ticket);
size_t ticket_quarantine(struct sr_outbox *box, uint32_t ticket, const char *why,
                         size_t file_max);
void ticket_peek(struct sr_outbox *box, uint32_t ticket, char *text, size_t size);
void ticket_hold(struct sr_outbox *box, uint32_t ticket);
void ticket_release_one(struct sr_outbox *box, uint32_t ticket);

/* Takes at most so many rows, and expects these. */
#define take(box, ticket, most, expected) \
    expect_take(box, ticket, SR_PART_ALL, most, expected, __LINE__)
#define take_part(box, ticket, part, most, expected) \
    expect_take(box, ticket, part, most, expected, __LINE__)
void expect_take(struct sr_outbox *box, uint32_t ticket, enum sr_outbox_part part,
                 size_t most, const char *expected, int line);

/* Buffered rows "0001", "0002" ... */
void keep_rows(struct sr_outbox *box, int first, int last);
/* Takes them one by one, and acknowledges each. */
#define expect_rows(box, first, last) expect_numbers(box, first, last, __LINE__)
void expect_numbers(struct sr_outbox *box, int first, int last, int line);

size_t waits(struct sr_outbox *box);
struct sr_outbox_stats stats_of(struct sr_outbox *box);
/* Of both classes. */
uint64_t met(struct sr_outbox *box, enum sr_fate fate);

/* A delivery callback whose argument says which row it is. */
void told(void *arg, enum sr_fate fate);
/* Rows `text`, of which next_fates() will speak. */
int put_told(struct sr_outbox *box, const char *row, int prio);
/* All fates that are due, as "row:fate " each; valid until the next call. */
const char *next_fates(struct sr_outbox *box);

/* A clock that stands still. */
struct hand_clock {
    struct sr_instant now;
    struct sr_clock clock;
};
void hand_clock_init(struct hand_clock *clock);
void pass_ms(struct hand_clock *clock, uint64_t ms);

/* A directory, the clock and the disk of a box. */
struct place {
    char dir[64];
    struct hand_clock clock;
    struct sr_disk disk;
    struct sr_store_options options;
    atomic_bool dead; /* all that opens, writes or syncs fails */
    atomic_bool dead_write, dead_sync, dead_read;
    atomic_bool small; /* files are reserved in `room` bytes, and give them back */
    atomic_long room;
};
/* For cmocka: set-up and tear-down; *state is the place. */
int make_place(void **state);
int remove_place(void **state);
/* A new box with the outbox of the place. */
struct sr_outbox *open_box(struct place *place, size_t cap);
/* Frees the box, and opens another: as after the end of the process. */
struct sr_outbox *reopen(struct place *place, struct sr_outbox *box);
/* Copies the directory as it is now: as after kill -9. */
void copy_place(const struct place *from, struct place *to);

#endif
