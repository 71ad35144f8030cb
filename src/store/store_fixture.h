/* SPDX-License-Identifier: MIT */
/* A store in a directory of its own, for tests; rows whose text follows from their number; and a
 * disk that fails, or loses its power, when told. */
#ifndef STORE_STORE_FIXTURE_H
#define STORE_STORE_FIXTURE_H

#include "store/disk.h"
#include "store/segment.h"
#include "store/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* after what it needs */
#include <cmocka.h>

enum { KIB = 1024, MIB = 1024 * 1024 };

struct fixture {
    char top[64]; /* removed in the end */
    char dir[80]; /* in it */
    struct sr_store_options options;
    struct sr_disk quick; /* the system's without syncing, for tests with many stores */
    struct sr_store *store;
    struct sr_store_recovery recovery;
    char why[256];
};

/* For cmocka: a fixture with 256 KiB, SR_SYNC_BATCH, nothing opened. */
int fixture_setup(void **state);
int fixture_teardown(void **state);

int try_open(struct fixture *fx);
void open_store(struct fixture *fx);
void close_store(struct fixture *fx);
void reopen(struct fixture *fx);
/* What is in the files of an open store is what kill -9 would leave. */
void copy_dir(const char *from, const char *to);

/* Appends the row with that number, or the next one. */
int append(struct fixture *fx, uint64_t seq);
void put_rows(struct fixture *fx, unsigned count);
/* Puts until it is refused; returns why. */
int put_until_refused(struct fixture *fx);

/* The text of row `seq`. */
size_t row_text(uint64_t seq, char text[400]);
struct sr_entry row_entry(uint64_t seq, char text[400]);
/* The numbers of all live rows, whose texts have to be right, in order. Returns how many. */
size_t read_all(struct fixture *fx, uint64_t *ret_numbers, size_t max);
/* Live are all from `first` to `last` and no others; last < first: none. */
#define expect_rows(fx, first, last) expect_rows_at(fx, first, last, __FILE__, __LINE__)
void expect_rows_at(struct fixture *fx, uint64_t first, uint64_t last, const char *file,
                    int line);

/* --- files ---------------------------------------------------------------------- */

struct bytes {
    uint8_t *bytes;
    size_t len;
};
struct bytes load_file(const char *dir, const char *name);
void save_file_as(const char *dir, const char *name, const void *bytes, size_t len);
/* Names with that end, sorted; returns how many. */
size_t list_files(const char *dir, const char *end, char names[][64], size_t max);
bool has_file(const char *dir, const char *name);

/* --- a disk that fails --------------------------------------------------------------- */

enum call {
    CALL_OPEN,
    CALL_PREAD,
    CALL_WRITE,
    CALL_FDATASYNC,
    CALL_FALLOCATE,
    CALL_FTRUNCATE,
    CALL_RENAME,
    CALL_UNLINK,
    CALL_SYNC_DIR,
    CALLS
};

/* Of the calls of some kinds, a bit for each in `kinds`, those from `from` to `to` fail with `err`,
 * counted from 1 and from bad_disk_fail() on. A write that fails leaves half of its bytes behind;
 * ENOSPC is for those that need room. */
struct bad_disk {
    struct sr_disk disk;
    unsigned seen, from, to, kinds;
    int err;
    unsigned failed; /* how many did */
    unsigned count[CALLS];
};
extern struct bad_disk bad_disk;
void bad_disk_reset(void);
/* How many there were; CALLS: of all kinds. */
unsigned bad_disk_count(enum call call);
enum { ALL_KINDS = (1 << CALLS) - 1, FOR_EVER = 1000000 };
void bad_disk_fail(unsigned kinds, unsigned from, unsigned to, int err);
/* From now on. */
void bad_disk_fail_all(unsigned kinds, int err);
void bad_disk_works(void);

#endif
