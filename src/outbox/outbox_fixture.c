/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
/* after what it needs */
#include <cmocka.h>

#include "outbox/outbox_fixture.h"
#include "outbox/outbox_p.h"

struct sr_outbox *box_of(size_t rows_of_4_bytes)
{
    struct sr_outbox *box;

    assert_int_equal(
        sr_outbox_new(rows_of_4_bytes * (sr_outbox_overhead + 4), NULL, &box), 0);
    return box;
}

struct sr_outbox *roomy_box(void)
{
    return box_of(100000);
}

int put_row(struct sr_outbox *box, const struct sr_outbox_row *row)
{
    bool due;

    return sr_outbox_put(box, row, 0, &due);
}

int put(struct sr_outbox *box, const char *row)
{
    return put_row(box, &(struct sr_outbox_row){ .text = row, .len = strlen(row) });
}

int keep(struct sr_outbox *box, const char *row)
{
    return put_row(box, &(struct sr_outbox_row){
                            .text = row, .len = strlen(row), .prio = SR_PRIO_BUF });
}

bool put_is_due(struct sr_outbox *box, const char *row)
{
    bool due = false;

    assert_int_equal(
        sr_outbox_put(box, &(struct sr_outbox_row){ .text = row, .len = strlen(row) },
                      0, &due),
        0);
    return due;
}

bool note(void *arg, const struct sr_outbox_offer *offer)
{
    struct notes *notes = arg;
    size_t used = strlen(notes->text);

    if (notes->rows == notes->rows_max)
        return false;
    notes->rows++;
    notes->id = offer->id;
    notes->backlog = offer->backlog;
    snprintf(notes->text + used, sizeof notes->text - used, "%.*s ", (int)offer->len,
             offer->text);
    return true;
}

/* --- tickets ------------------------------------------------------------------ */

enum { TICKETS = 4096 };

static struct ticket {
    struct sr_outbox *box;
    uint32_t ticket;
    struct sr_batch *batch;
    uint64_t number; /* of the batch, when it was taken */
} tickets[TICKETS];  /* a ring */
static size_t last_ticket;

size_t ticket_take(struct sr_outbox *box, uint32_t ticket, enum sr_outbox_part part,
                   bool stamp_anyway, sr_outbox_accept accept, void *arg)
{
    struct sr_batch *batch = sr_outbox_take(box, part, stamp_anyway, accept, arg, NULL);

    if (!batch)
        return 0;
    for (size_t i = 0; i < TICKETS;
         i++) /* its place is used again, maybe in another box */
        if (tickets[i].batch == batch)
            tickets[i].batch = NULL;
    last_ticket = (last_ticket + 1) % TICKETS;
    tickets[last_ticket] = (struct ticket){ box, ticket, batch, batch->number };
    return batch->rows;
}

/* Is it still what it was? Boxes may have been freed, and others have their place: what is aside for a
 * channel is nobody's ticket. */
static bool is_good(const struct sr_outbox *box, const struct ticket *t)
{
    for (const struct batch *batch = box->batches; batch; batch = batch->next)
        if (batch != box->aside && &batch->base == t->batch &&
            batch->base.number == t->number)
            return true;
    return false;
}

/* The next batch under that ticket; NULL if there is no other. */
static struct sr_batch *next_batch(const struct sr_outbox *box, uint32_t ticket,
                                   size_t *i)
{
    for (; *i < TICKETS; ++*i)
        if (tickets[*i].batch && tickets[*i].box == box &&
            tickets[*i].ticket == ticket && is_good(box, &tickets[*i]))
            return tickets[(*i)++].batch;
    return NULL;
}

size_t ticket_ack(struct sr_outbox *box, uint32_t ticket)
{
    size_t rows = 0;

    for (size_t i = 0; i < TICKETS;) {
        struct sr_batch *batch = next_batch(box, ticket, &i);

        rows += batch ? sr_outbox_ack(box, batch, NULL) : 0;
    }
    return rows;
}

size_t ticket_quarantine(struct sr_outbox *box, uint32_t ticket, const char *why,
                         size_t file_max)
{
    size_t rows = 0;

    for (size_t i = 0; i < TICKETS;) {
        struct sr_batch *batch = next_batch(box, ticket, &i);

        rows += batch ? sr_outbox_quarantine(box, batch, why, file_max) : 0;
    }
    return rows;
}

void ticket_peek(struct sr_outbox *box, uint32_t ticket, char *text, size_t size)
{
    size_t i = 0;
    struct sr_batch *batch = next_batch(box, ticket, &i);

    *text = '\0';
    if (batch)
        sr_outbox_peek(box, batch, text, size);
}

void ticket_hold(struct sr_outbox *box, uint32_t ticket)
{
    for (size_t i = 0; i < TICKETS;) {
        struct sr_batch *batch = next_batch(box, ticket, &i);

        if (batch)
            sr_outbox_hold(box, batch);
    }
}

void ticket_release_one(struct sr_outbox *box, uint32_t ticket)
{
    for (size_t i = 0; i < TICKETS;) {
        struct sr_batch *batch = next_batch(box, ticket, &i);

        if (batch)
            sr_outbox_release_one(box, batch);
    }
}

/* --- rows out ----------------------------------------------------------------- */

void expect_take(struct sr_outbox *box, uint32_t ticket, enum sr_outbox_part part,
                 size_t most, const char *expected, int line)
{
    struct notes notes = { .rows_max = most };
    size_t taken = ticket_take(box, ticket, part, false, note, &notes);

    if (taken != notes.rows || strcmp(notes.text, expected) != 0)
        fail_msg("line %d: took %zu rows, '%s' instead of '%s'", line, taken,
                 notes.text, expected);
}

void keep_rows(struct sr_outbox *box, int first, int last)
{
    char row[16];

    for (int i = first; i <= last; i++) {
        snprintf(row, sizeof row, "%04d", i);
        assert_int_equal(keep(box, row), 0);
    }
}

void expect_numbers(struct sr_outbox *box, int first, int last, int line)
{
    for (int i = first; i <= last; i++) {
        char row[16];

        snprintf(row, sizeof row, "%04d ", i);
        expect_take(box, UINT32_MAX, SR_PART_ALL, 1, row, line);
        assert_int_equal(ticket_ack(box, UINT32_MAX), 1);
    }
}

size_t waits(struct sr_outbox *box)
{
    return sr_outbox_waiting(box, SR_PART_ALL).rows;
}

struct sr_outbox_stats stats_of(struct sr_outbox *box)
{
    struct sr_outbox_stats stats;

    sr_outbox_stats(box, &stats);
    return stats;
}

uint64_t met(struct sr_outbox *box, enum sr_fate fate)
{
    struct sr_outbox_stats stats = stats_of(box);

    return stats.fates[fate][SR_CLASS_VOLATILE] + stats.fates[fate][SR_CLASS_BUFFERED];
}

/* --- fates ---------------------------------------------------------------- */

static char fates[4096];

void told(void *arg, enum sr_fate fate)
{
    static const char *const names[SR_FATES] = {
        [SR_FATE_DELIVERED] = "delivered", [SR_FATE_FULL] = "full",
        [SR_FATE_EXPIRED] = "expired",     [SR_FATE_RETRIES] = "retries",
        [SR_FATE_ASLEEP] = "asleep",       [SR_FATE_POISON] = "poison",
        [SR_FATE_DAMAGED] = "damaged",     [SR_FATE_STORED] = "stored",
        [SR_FATE_LOST] = "lost",
    };
    size_t used = strlen(fates);

    snprintf(fates + used, sizeof fates - used, "%s:%s ", (const char *)arg,
             names[fate]);
}

int put_told(struct sr_outbox *box, const char *row, int prio)
{
    union {
        const char *text;
        void *arg;
    } name = { .text = row };

    return put_row(box, &(struct sr_outbox_row){ .text = row,
                                                 .len = strlen(row),
                                                 .prio = prio,
                                                 .told = told,
                                                 .arg = name.arg });
}

const char *next_fates(struct sr_outbox *box)
{
    struct sr_outbox_fate fate;

    fates[0] = '\0';
    while (sr_outbox_next_fate(box, &fate))
        fate.told(fate.arg, fate.fate);
    return fates;
}

/* --- clock ------------------------------------------------------------------ */

static void hand_now(void *arg, struct sr_instant *ret_now)
{
    const struct hand_clock *clock = arg;

    *ret_now = clock->now;
}

void hand_clock_init(struct hand_clock *clock)
{
    *clock = (struct hand_clock){
        .now = {.wall_ms = 1800000000000, .boot_ms = 1000000, .boot_tag = 7 },
        .clock = { hand_now,                       clock                                },
    };
}

void pass_ms(struct hand_clock *clock, uint64_t ms)
{
    clock->now.wall_ms += (int64_t)ms;
    clock->now.boot_ms += ms;
}

/* --- disk --------------------------------------------------------------------- */

static bool is_dead(void *arg)
{
    const struct place *place = arg;

    if (place->dead)
        errno = EIO;
    return place->dead;
}

static int try_open(void *arg, int dir, const char *name, int flags, mode_t mode)
{
    return is_dead(arg) ? -1 : sr_system_disk.open(NULL, dir, name, flags, mode);
}

static ssize_t try_pread(void *arg, int fd, void *bytes, size_t len, off_t offset)
{
    const struct place *place = arg;

    if (place->dead_read) {
        errno = EIO;
        return -1;
    }
    return sr_system_disk.pread(NULL, fd, bytes, len, offset);
}

static ssize_t try_pwritev(void *arg, int fd, const struct iovec *parts, int count,
                           off_t offset)
{
    const struct place *place = arg;

    if (place->dead_write) {
        errno = ENOSPC;
        return -1;
    }
    return is_dead(arg) ? -1 : sr_system_disk.pwritev(NULL, fd, parts, count, offset);
}

static int try_fdatasync(void *arg, int fd)
{
    const struct place *place = arg;

    if (place->dead_sync) {
        errno = EIO;
        return -1;
    }
    return is_dead(arg) ? -1 : sr_system_disk.fdatasync(NULL, fd);
}

static int try_fallocate(void *arg, int fd, off_t len)
{
    struct place *place = arg;
    struct stat file;

    if (fstat(fd, &file))
        return -1;
    if (place->small && len - file.st_size > place->room) {
        errno = ENOSPC;
        return -1;
    }
    if (sr_system_disk.fallocate(NULL, fd, len))
        return -1;
    if (len > file.st_size)
        place->room -= len - file.st_size;
    return 0;
}

static int try_ftruncate(void *arg, int fd, off_t len)
{
    struct place *place = arg;
    struct stat file;

    if (fstat(fd, &file) || sr_system_disk.ftruncate(NULL, fd, len))
        return -1;
    place->room += file.st_size - len;
    return 0;
}

static int try_unlink(void *arg, int dir, const char *name)
{
    struct place *place = arg;
    struct stat file;

    if (fstatat(dir, name, &file, 0) || sr_system_disk.unlink(NULL, dir, name))
        return -1;
    place->room += file.st_size;
    return 0;
}

int make_place(void **state)
{
    struct place *place = calloc(1, sizeof *place);

    if (!place)
        return -1;
    strcpy(place->dir, "/tmp/smartrest-box-XXXXXX");
    hand_clock_init(&place->clock);
    place->disk = sr_system_disk;
    place->disk.open = try_open;
    place->disk.pread = try_pread;
    place->disk.pwritev = try_pwritev;
    place->disk.fdatasync = try_fdatasync;
    place->disk.fallocate = try_fallocate;
    place->disk.ftruncate = try_ftruncate;
    place->disk.unlink = try_unlink;
    place->disk.arg = place;
    place->options = (struct sr_store_options){
        .cap = 1 << 20, .sync = SR_SYNC_INTERVAL, .sync_ms = 1000, .disk = &place->disk
    };
    *state = place;
    return mkdtemp(place->dir) ? 0 : -1;
}

static void remove_files(const char *dir)
{
    char path[512];
    struct dirent *entry;
    DIR *files = opendir(dir);

    while (files && (entry = readdir(files))) {
        snprintf(path, sizeof path, "%s/%s", dir, entry->d_name);
        unlink(path);
    }
    if (files)
        closedir(files);
}

int remove_place(void **state)
{
    struct place *place = *state;

    remove_files(place->dir);
    rmdir(place->dir);
    free(place);
    return 0;
}

struct sr_outbox *open_box(struct place *place, size_t cap)
{
    struct sr_outbox *box;
    char why[256] = "";

    assert_int_equal(sr_outbox_new(cap, &place->clock.clock, &box), 0);
    if (sr_outbox_open(box, place->dir, &place->options, NULL, why, sizeof why))
        fail_msg("%s", why);
    return box;
}

struct sr_outbox *reopen(struct place *place, struct sr_outbox *box)
{
    sr_outbox_free(box);
    return open_box(place, 1 << 20);
}

static void copy_file(const char *from, const char *to)
{
    char bytes[65536];
    ssize_t len;
    int in = open(from, O_RDONLY | O_CLOEXEC);
    int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_true(in >= 0 && out >= 0);
    while ((len = read(in, bytes, sizeof bytes)) > 0)
        assert_int_equal(write(out, bytes, (size_t)len), len);
    close(in);
    close(out);
}

void copy_place(const struct place *from, struct place *to)
{
    char source[512], target[512];
    struct dirent *entry;
    DIR *files = opendir(from->dir);

    assert_non_null(files);
    remove_files(to->dir);
    while ((entry = readdir(files))) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(source, sizeof source, "%s/%s", from->dir, entry->d_name);
        snprintf(target, sizeof target, "%s/%s", to->dir, entry->d_name);
        copy_file(source, target);
    }
    closedir(files);
}
