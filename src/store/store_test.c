/* SPDX-License-Identifier: MIT */
/* What store.h says, sentence by sentence. Damage, failing disks and lost power have files of
 * their own. */
#include "store/store_fixture.h"
#include "support/child.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <smartrest/outbox.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* --- opening ------------------------------------------------------------------------ */

static void makes_the_directory_for_its_owner_only(void **state)
{
    struct fixture *fx = *state;
    char names[4][64], path[400];
    struct stat st;

    open_store(fx);
    put_rows(fx, 1);

    assert_string_equal(fx->why, "");
    assert_int_equal(stat(fx->dir, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    assert_int_equal(list_files(fx->dir, "", names, 4), 2); /* lock and segment */
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s", fx->dir, names[i]);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0600);
    }
}

static void says_why_it_cannot_open(void **state)
{
    struct fixture *fx = *state;
    char parent[80];

    strcpy(parent, fx->dir);
    strcat(fx->dir, "/missing/too");
    assert_int_equal(try_open(fx), SR_E_IO);
    assert_non_null(strstr(fx->why, "No such file"));
    assert_null(fx->store);

    strcpy(fx->dir, parent);
    save_file_as(fx->top, "outbox", "x", 1); /* a file of that name */
    assert_int_equal(try_open(fx), SR_E_IO);
    assert_non_null(strstr(fx->why, "Not a directory"));
}

/* Nobody can make a directory there, not even root. */
static void says_why_it_cannot_make_its_directory(void **state)
{
    struct fixture *fx = *state;
    struct sr_store *store;
    char why[200];

    assert_int_equal(access("/sys/kernel", F_OK), 0);
    assert_int_equal(sr_store_open("/sys/kernel/smartrest-test", &fx->options, &store,
                                   NULL, why, sizeof why),
                     SR_E_IO);
    assert_non_null(strstr(why, "/sys/kernel/smartrest-test: "));
    assert_null(strstr(why, "No such file"));
}

static void a_directory_that_cannot_be_written_to_may_heal(void **state)
{
    struct fixture *fx = *state;

    open_store(fx);
    put_rows(fx, 3);
    close_store(fx);
    fx->options.disk = &bad_disk.disk;
    bad_disk_fail_all(1 << CALL_OPEN, EROFS);
    assert_int_equal(try_open(fx), SR_E_IO);
    assert_non_null(strstr(fx->why, "Read-only file system"));

    bad_disk_works();
    open_store(fx);
    expect_rows(fx, 1, 3);
}

static void has_one_owner_in_a_process(void **state)
{
    struct fixture *fx = *state, other = *fx;

    open_store(fx);
    assert_int_equal(try_open(&other), SR_E_BUSY);
    assert_non_null(strstr(other.why, "another agent"));
    assert_null(other.store);

    close_store(fx);
    open_store(&other);
    close_store(&other);
}

static void has_one_owner_among_processes(void **state)
{
    struct fixture *fx = *state;
    int told[2], status;
    pid_t pid;

    assert_int_equal(pipe(told), 0);
    pid = fork();
    if (pid == 0) {
        char go;

        close(told[0]);
        if (try_open(fx) || append(fx, 1) || write(told[1], "x", 1) != 1)
            _exit(1);
        for (;;) /* until it is killed: nothing is closed in order */
            if (read(told[1], &go, 1) < 0)
                pause();
    }
    close(told[1]);
    assert_int_equal(read(told[0], &status, 1), 1);
    close(told[0]);
    assert_int_equal(try_open(fx), SR_E_BUSY);

    child_signal(pid, SIGKILL);
    waitpid(pid, &status, 0);
    open_store(fx);
    expect_rows(fx, 1, 1);
}

static const char *path_of(const struct fixture *fx, const char *name)
{
    static char path[160];

    snprintf(path, sizeof path, "%s/%s", fx->dir, name);
    return path;
}

static void has_one_owner_though_the_lock_file_is_removed(void **state)
{
    struct fixture *fx = *state, other = *fx;

    open_store(fx);
    put_rows(fx, 1);
    assert_int_equal(unlink(path_of(fx, SR_STORE_LOCK_NAME)), 0);
    assert_int_equal(try_open(&other), SR_E_BUSY);
    assert_non_null(strstr(other.why, "another agent"));
    assert_int_equal(sr_outbox_remove(fx->dir, 0, 0, NULL, NULL, 0), SR_E_BUSY);

    close_store(fx);
    open_store(&other);
    expect_rows(&other, 1, 1);
    close_store(&other);
}

/* As versions before this one lock. */
static void an_agent_that_holds_only_the_lock_file_is_respected(void **state)
{
    struct fixture *fx = *state;
    int fd;

    open_store(fx);
    close_store(fx);
    fd = open(path_of(fx, SR_STORE_LOCK_NAME), O_RDWR | O_CLOEXEC);
    assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
    assert_int_equal(try_open(fx), SR_E_BUSY);
    close(fd);
    open_store(fx);
    fd = open(path_of(fx, SR_STORE_LOCK_NAME), O_RDWR | O_CLOEXEC);
    assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), -1); /* and it is kept from ours */
    close(fd);
}

static void a_forked_child_that_lives_on_does_not_keep_the_directory(void **state)
{
    struct fixture *fx = *state;
    pid_t pid;
    int rc;

    open_store(fx);
    put_rows(fx, 1);
    pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;)
            pause();
    }
    close_store(fx);
    rc = try_open(fx);
    child_end(&pid, SIGKILL);
    assert_int_equal(rc, 0);
    expect_rows(fx, 1, 1);
}

/* --- rows ---------------------------------------------------------------------------- */

static void keeps_rows_and_their_numbers_over_a_restart(void **state)
{
    struct fixture *fx = *state;

    open_store(fx);
    assert_int_equal(sr_store_next_seq(fx->store), 1);
    put_rows(fx, 500); /* over several segments */
    expect_rows(fx, 1, 500);

    reopen(fx);
    assert_int_equal(fx->recovery.rows, 500);
    assert_int_equal(fx->recovery.rows_lost, 0);
    assert_int_equal(fx->recovery.files_damaged, 0);
    assert_string_equal(fx->recovery.note, "");
    expect_rows(fx, 1, 500);
    assert_int_equal(sr_store_next_seq(fx->store), 501);
    put_rows(fx, 10);
    expect_rows(fx, 1, 510);
}

static void a_row_survives_the_death_of_the_process_at_once(void **state)
{
    struct fixture *fx = *state, dead = *fx;

    fx->options.sync = SR_SYNC_INTERVAL;
    fx->options.disk = &fx->quick;
    open_store(fx);
    for (unsigned i = 1; i <= 300; i += 37) {
        put_rows(fx, 37);
        snprintf(dead.dir, sizeof dead.dir, "%s/%u", fx->top, i);
        copy_dir(fx->dir, dead.dir); /* what a killed process leaves */
        open_store(&dead);
        expect_rows(&dead, 1, i + 36);
        assert_int_equal(dead.recovery.files_damaged, 0);
        close_store(&dead);
    }
}

static void numbers_may_be_left_out_but_not_used_again(void **state)
{
    struct fixture *fx = *state;
    uint64_t numbers[8];

    open_store(fx);
    assert_int_equal(append(fx, 10), 0);
    assert_int_equal(append(fx, 10), SR_E_INVAL);
    assert_int_equal(append(fx, 9), SR_E_INVAL);
    assert_int_equal(append(fx, 20), 0);
    reopen(fx);

    assert_int_equal(fx->recovery.rows_lost, 0);
    assert_int_equal(read_all(fx, numbers, 8), 2);
    assert_int_equal(numbers[0], 10);
    assert_int_equal(numbers[1], 20);
    assert_int_equal(sr_store_next_seq(fx->store), 21);
}

static void the_next_row_is_found_from_anywhere(void **state)
{
    struct fixture *fx = *state;
    struct sr_entry entry;

    open_store(fx);
    put_rows(fx, 1000);
    for (uint64_t from = 1000; from > 0;
         from--) { /* backwards: no help from the last one */
        assert_int_equal(sr_store_next(fx->store, from, &entry), 0);
        assert_int_equal(entry.seq, from);
    }
    sr_store_done(fx->store, 300, 800);
    assert_int_equal(sr_store_next(fx->store, 299, &entry), 0);
    assert_int_equal(entry.seq, 299);
    assert_int_equal(sr_store_next(fx->store, 300, &entry), 0);
    assert_int_equal(entry.seq, 801);
    assert_int_equal(sr_store_next(fx->store, 1001, &entry), SR_E_END);
}

static void rows_of_all_sizes_come_back(void **state)
{
    static const size_t sizes[] = { 0,     1,     7,     8,      9,      15360,
                                    16384, 65535, 65536, 200000, 262143, 262144 };
    enum { COUNT = sizeof sizes / sizeof *sizes };
    static char text[262145];
    struct fixture *fx = *state;
    struct sr_entry entry = { .row = text };

    fx->options.cap = 4 * MIB;
    memset(text, 'x', sizeof text);
    open_store(fx);
    for (unsigned i = 0; i < COUNT; i++) {
        entry.seq = i + 1;
        entry.len = sizes[i];
        assert_int_equal(sr_store_append(fx->store, &entry), 0);
    }
    entry.seq++;
    entry.len = 262145;
    assert_int_equal(sr_store_append(fx->store, &entry), SR_E_TOOBIG);

    reopen(fx);
    assert_int_equal(fx->recovery.rows, COUNT);
    for (unsigned i = 0; i < COUNT; i++) {
        assert_int_equal(sr_store_next(fx->store, i + 1, &entry), 0);
        assert_int_equal(entry.len, sizes[i]);
        assert_memory_equal(entry.row, text, entry.len);
    }
    assert_int_equal(sr_store_next(fx->store, COUNT + 1, &entry), SR_E_END);
}

static void a_row_of_another_boot_begins_another_segment(void **state)
{
    struct fixture *fx = *state;
    char names[8][64], text[400];
    struct sr_entry entry = row_entry(1, text);

    open_store(fx);
    assert_int_equal(sr_store_append(fx->store, &entry), 0);
    entry.seq = 2;
    entry.put.boot_tag = 78;
    assert_int_equal(sr_store_append(fx->store, &entry), 0);

    assert_int_equal(list_files(fx->dir, ".seg", names, 8), 2);
    assert_int_equal(sr_store_next(fx->store, 1, &entry), 0);
    assert_int_equal(entry.put.boot_tag, 77);
    assert_int_equal(sr_store_next(fx->store, 2, &entry), 0);
    assert_int_equal(entry.put.boot_tag, 78);
}

/* --- done -------------------------------------------------------------------------------- */

static void what_is_done_stays_done(void **state)
{
    struct fixture *fx = *state;

    open_store(fx);
    put_rows(fx, 500);
    sr_store_done(fx->store, 1, 120);
    expect_rows(fx, 121, 500);
    reopen(fx);
    expect_rows(fx, 121, 500);
    sr_store_done(fx->store, 490, 500);
    reopen(fx);
    expect_rows(fx, 121, 489);
    sr_store_done(fx->store, 0, UINT64_MAX);
    expect_rows(fx, 1, 0);
    assert_int_equal(sr_store_next_seq(fx->store), 501);
    reopen(fx);
    expect_rows(fx, 1, 0);
    assert_int_equal(sr_store_next_seq(fx->store), 501);
    assert_int_equal(fx->recovery.rows_lost, 0);
}

/* Against a plain array, with a restart now and then. */
static void done_in_any_order_agrees_with_a_simple_model(void **state)
{
    enum { ROWS = 3000 };
    static bool live[ROWS + 1];
    static uint64_t numbers[ROWS];
    struct fixture *fx = *state;
    unsigned random = 1, used = 0;

    memset(live, 0, sizeof live);
    fx->options.cap = 2 * MIB;
    fx->options.disk = &fx->quick;
    open_store(fx);
    for (unsigned step = 0; step < 250; step++) {
        unsigned put = (random = random * 1103515245 + 12345) >> 16 & 15;
        unsigned first, last, count = 0;

        for (; put-- && used < ROWS; live[++used] = true)
            put_rows(fx, 1);
        for (first = 1; first < used && !live[first]; first++)
            ;
        first += ((random = random * 1103515245 + 12345) >> 8) % 20;
        last = first + ((random >> 4) & 7);
        last = last > used ? used : last;
        sr_store_done(fx->store, first, last);
        for (unsigned i = first; i <= last; i++)
            live[i] = false;
        if (step % 50 == 49)
            reopen(fx);
        if (step % 10 == 9) {
            size_t got = read_all(fx, numbers, ROWS);
            struct sr_store_stats stats;

            for (unsigned i = 1; i <= used; i++)
                if (live[i])
                    assert_int_equal(numbers[count++], i);
            assert_int_equal(got, count);
            sr_store_stats(fx->store, &stats);
            assert_int_equal(stats.rows, count);
        }
    }
}

static void numbers_that_were_never_written_can_be_done(void **state)
{
    struct fixture *fx = *state;

    open_store(fx);
    put_rows(fx, 5);
    sr_store_done(fx->store, 6, 9);
    assert_int_equal(sr_store_next_seq(fx->store), 10);
    reopen(fx);
    assert_int_equal(sr_store_next_seq(fx->store), 10);
    assert_int_equal(fx->recovery.rows_lost, 0);
    expect_rows(fx, 1, 5);
}

static void segments_without_live_rows_go_wherever_they_stand(void **state)
{
    struct fixture *fx = *state;
    struct sr_store_stats before, after;
    char names[64][64];
    size_t files;

    open_store(fx);
    put_rows(fx, 1200);
    files = list_files(fx->dir, ".seg", names, 64);
    sr_store_stats(fx->store, &before);
    assert_true(files > 6);
    sr_store_done(fx->store, 300, 900); /* in the middle */

    assert_true(list_files(fx->dir, ".seg", names, 64) < files - 1);
    sr_store_stats(fx->store, &after);
    assert_true(after.disk_bytes < before.disk_bytes);
    reopen(fx);
    assert_int_equal(fx->recovery.rows, 1200 - 601);
    assert_int_equal(fx->recovery.rows_lost, 0);
    sr_store_done(fx->store, 1, 1200);
    assert_int_equal(list_files(fx->dir, ".seg", names, 64), 1);
}

/* More ranges than are kept: some rows may come twice, none is lost, and the counts agree. */
static void too_many_holes_cost_duplicates_and_no_rows(void **state)
{
    enum { ROWS = 1000 };
    static uint64_t numbers[ROWS];
    struct fixture *fx = *state;
    struct sr_store_stats stats;
    size_t count, odd = 0;

    fx->options.cap = 4 * MIB;
    fx->options.disk = &fx->quick;
    open_store(fx);
    put_rows(fx, ROWS);
    for (uint64_t seq = 2; seq <= ROWS; seq += 2)
        sr_store_done(fx->store, seq, seq);
    for (int again = 0; again < 2; again++) {
        count = read_all(fx, numbers, ROWS);
        sr_store_stats(fx->store, &stats);
        assert_int_equal(stats.rows, count);
        odd = 0;
        for (size_t i = 0; i < count; i++)
            odd += numbers[i] & 1;
        assert_int_equal(odd, ROWS / 2);
        reopen(fx);
    }
    sr_store_done(fx->store, 1, ROWS);
    expect_rows(fx, 1, 0);
}

static void losses_are_kept_with_the_log(void **state)
{
    struct fixture *fx = *state;
    struct sr_losses losses = {
        .rows = {3, 1234567890123},
          .from_ms = -5, .to_ms = 1795348800000
    };
    struct sr_losses got;

    open_store(fx);
    sr_store_losses(fx->store, &got);
    assert_int_equal(got.rows[0] + got.rows[1], 0);
    sr_store_set_losses(fx->store, &losses);
    reopen(fx);
    put_rows(fx, 500); /* through several segments */
    sr_store_done(fx->store, 1, 450);
    reopen(fx);

    sr_store_losses(fx->store, &got);
    assert_int_equal(got.rows[0], 3);
    assert_int_equal(got.rows[1], 1234567890123);
    assert_int_equal(got.from_ms, -5);
    assert_int_equal(got.to_ms, 1795348800000);
}

/* --- the bound ------------------------------------------------------------------------------ */

static uint64_t bytes_of_files(const struct fixture *fx)
{
    char names[128][64], path[400];
    size_t count = list_files(fx->dir, "", names, 128);
    uint64_t sum = 0;
    struct stat st;

    for (size_t i = 0; i < count; i++) {
        snprintf(path, sizeof path, "%s/%s", fx->dir, names[i]);
        assert_int_equal(stat(path, &st), 0);
        sum += (uint64_t)st.st_size;
    }
    return sum;
}

static void the_bound_holds_and_is_used(void **state)
{
    struct fixture *fx = *state;
    struct sr_store_stats stats;
    uint64_t last;

    open_store(fx);
    assert_int_equal(put_until_refused(fx), SR_E_FULL);
    assert_true(bytes_of_files(fx) <= fx->options.cap);
    sr_store_stats(fx->store, &stats);
    assert_true(stats.disk_bytes <= fx->options.cap);
    assert_true(stats.disk_bytes >= bytes_of_files(fx));
    assert_true(stats.bytes + 16 * stats.rows > fx->options.cap * 3 / 4);
    last = sr_store_next_seq(fx->store) - 1;
    expect_rows(fx, 1, last);

    reopen(fx);
    assert_int_equal(append(fx, last + 1), SR_E_FULL);
    expect_rows(fx, 1, last);
}

static void at_the_bound_it_goes_round_and_round(void **state)
{
    struct fixture *fx = *state;
    uint64_t first = 1, oldest, newest, last;

    fx->options.disk = &fx->quick;
    open_store(fx);
    for (int round = 0; round < 60; round++) {
        assert_int_equal(put_until_refused(fx), SR_E_FULL);
        assert_true(bytes_of_files(fx) <= fx->options.cap);
        last = sr_store_next_seq(fx->store) - 1;
        assert_true(sr_store_oldest(fx->store, &oldest, &newest));
        assert_true(oldest <= first && newest >= first);
        sr_store_done(fx->store, first, newest);
        first = newest + 1;
        assert_int_equal(append(fx, last + 1), 0);
        if (round % 9 == 0)
            reopen(fx);
        expect_rows(fx, first, last + 1);
    }
}

/* What is done needs room in the log, too: it is there at the bound. */
static void at_the_bound_every_single_row_can_be_done(void **state)
{
    struct fixture *fx = *state;
    uint64_t last;

    fx->options.disk = &fx->quick;
    open_store(fx);
    assert_int_equal(put_until_refused(fx), SR_E_FULL);
    last = sr_store_next_seq(fx->store) - 1;
    for (uint64_t seq = 1; seq < last; seq++) {
        sr_store_done(fx->store, seq, seq);
        if (seq % 50 == 0)
            assert_true(bytes_of_files(fx) <= fx->options.cap);
        if (seq % 200 == 0) {
            reopen(fx);
            expect_rows(fx, seq + 1, last);
        }
    }
    reopen(fx);
    expect_rows(fx, last, last);
}

/* One row in each segment is held; a log of nothing but what is done must not grow for ever. */
static void held_rows_and_many_changes_stay_within_the_bound(void **state)
{
    struct fixture *fx = *state;
    struct sr_losses losses = {
        .rows = {0, 0}
    };
    uint64_t last;

    fx->options.disk = &fx->quick;
    open_store(fx);
    assert_int_equal(put_until_refused(fx), SR_E_FULL);
    last = sr_store_next_seq(fx->store) - 1;
    for (unsigned i = 1; i < 2000; i++) {
        losses.rows[1] = i;
        sr_store_set_losses(fx->store, &losses);
        if (i % 100 == 0)
            assert_true(bytes_of_files(fx) <= fx->options.cap);
    }
    reopen(fx);
    expect_rows(fx, 1, last);
    sr_store_losses(fx->store, &losses);
    assert_int_equal(losses.rows[1], 1999);
}

static void a_lower_bound_refuses_until_enough_is_done(void **state)
{
    struct fixture *fx = *state;
    uint64_t last, seq = 0;

    fx->options.cap = 1 * MIB;
    open_store(fx);
    assert_int_equal(put_until_refused(fx), SR_E_FULL);
    last = sr_store_next_seq(fx->store) - 1;
    close_store(fx);
    fx->options.cap = SR_STORE_CAP_MIN; /* across a restart */
    open_store(fx);
    expect_rows(fx, 1, last);
    assert_int_equal(append(fx, last + 1), SR_E_FULL);
    do {
        sr_store_done(fx->store, seq, seq + 99);
        seq += 100;
    } while (append(fx, last + 1) == SR_E_FULL);
    assert_true(bytes_of_files(fx) <= fx->options.cap);
    assert_true(seq < last);
    expect_rows(fx, seq, last + 1);

    sr_store_set_cap(fx->store, 2 * MIB); /* and at once */
    assert_int_equal(append(fx, last + 2), 0);
    sr_store_set_cap(fx->store, 0); /* as low as goes */
    assert_int_equal(put_until_refused(fx), SR_E_FULL);
}

/* --- syncing ----------------------------------------------------------------------------------- */

static uint64_t syncs(struct fixture *fx)
{
    struct sr_store_stats stats;

    sr_store_stats(fx->store, &stats);
    return stats.syncs;
}

static void await_syncs(struct fixture *fx, uint64_t count)
{
    for (int i = 0; i < 3000 && syncs(fx) < count; i++)
        nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
    assert_true(syncs(fx) >= count);
}

static void row_by_row_a_commit_waits_for_the_medium(void **state)
{
    struct fixture *fx = *state;

    fx->options.sync = SR_SYNC_ROW;
    fx->options.disk = &bad_disk.disk;
    open_store(fx);
    for (uint64_t seq = 1; seq <= 20; seq++) {
        unsigned before = bad_disk_count(CALL_FDATASYNC);

        put_rows(fx, 1);
        assert_int_equal(sr_store_commit(fx->store, seq), 0);
        assert_true(bad_disk_count(CALL_FDATASYNC) > before);
        before = bad_disk_count(CALL_FDATASYNC);
        assert_int_equal(sr_store_commit(fx->store, seq), 0); /* it is there already */
        assert_int_equal(bad_disk_count(CALL_FDATASYNC), before);
    }
    assert_int_equal(sr_store_commit(fx->store, 1000000), 0); /* not beyond the last */
}

/* Callers that come while one syncs share the next. */
struct committer {
    struct fixture *fx;
    pthread_mutex_t *lock;
    pthread_t thread;
};

static void *commit_many(void *arg)
{
    struct committer *c = arg;

    for (int i = 0; i < 50; i++) {
        uint64_t seq;
        int rc;

        pthread_mutex_lock(c->lock);
        seq = sr_store_next_seq(c->fx->store);
        rc = append(c->fx, seq);
        pthread_mutex_unlock(c->lock);
        if (rc || sr_store_commit(c->fx->store, seq))
            return c;
    }
    return NULL;
}

static int slow_fdatasync(void *arg, int fd)
{
    nanosleep(&(struct timespec){ .tv_nsec = 2000000 }, NULL);
    return sr_system_disk.fdatasync(arg, fd);
}

static void threads_share_a_sync(void **state)
{
    struct fixture *fx = *state;
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    struct sr_disk slow = sr_system_disk;
    struct committer committers[8];
    void *failed;

    slow.fdatasync = slow_fdatasync;
    fx->options.sync = SR_SYNC_ROW;
    fx->options.disk = &slow;
    fx->options.cap = 16 * MIB;
    open_store(fx);
    for (int i = 0; i < 8; i++) {
        committers[i] = (struct committer){ .fx = fx, .lock = &lock };
        assert_int_equal(
            pthread_create(&committers[i].thread, NULL, commit_many, &committers[i]),
            0);
    }
    for (int i = 0; i < 8; i++) {
        pthread_join(committers[i].thread, &failed);
        assert_null(failed);
    }
    assert_true(syncs(fx) < 400); /* for 400 commits */
    expect_rows(fx, 1, 400);
    close_store(fx);
}

static void in_batches_a_sync_follows_by_itself(void **state)
{
    struct fixture *fx = *state;

    open_store(fx);
    put_rows(fx, 1);
    assert_int_equal(sr_store_commit(fx->store, 1), 0);
    await_syncs(fx, 1);
}

static void by_interval_there_is_one_sync_for_many_rows(void **state)
{
    struct fixture *fx = *state;
    uint64_t before;

    fx->options.sync = SR_SYNC_INTERVAL;
    fx->options.sync_ms = 3600 * 1000;
    open_store(fx);
    put_rows(fx, 1);
    await_syncs(fx, 1); /* the first at once */
    before = syncs(fx);
    put_rows(fx, 1000);
    sr_store_done(fx->store, 1, 10);
    assert_true(syncs(fx) <= before + 1); /* one may have been under way */
}

static void what_is_done_is_on_the_medium_soon(void **state)
{
    struct fixture *fx = *state;
    uint64_t before;

    fx->options.sync = SR_SYNC_ROW; /* and nobody commits */
    open_store(fx);
    put_rows(fx, 1);
    assert_int_equal(sr_store_commit(fx->store, 1), 0);
    before = syncs(fx);
    sr_store_done(fx->store, 1, 1);
    await_syncs(fx, before + 1);
}

static void an_idle_store_does_nothing(void **state)
{
    struct fixture *fx = *state;
    unsigned calls;

    fx->options.disk = &bad_disk.disk;
    open_store(fx);
    put_rows(fx, 3);
    await_syncs(fx, 1);
    reopen(fx); /* what the one before wrote is synced once */
    await_syncs(fx, 1);
    calls = bad_disk_count(CALLS);
    nanosleep(&(struct timespec){ .tv_nsec = 50000000 }, NULL);
    assert_int_equal(bad_disk_count(CALLS), calls);
}

/* --- the quarantine file ------------------------------------------------------------------------- */

static size_t quarantined(struct fixture *fx, uint64_t *ret_first, uint64_t *ret_last)
{
    struct bytes file = load_file(fx->dir, SR_QUARANTINE_NAME);
    struct sr_segment_reader reader;
    struct sr_segment_record record;
    size_t count = 0;
    char text[400];
    int rc;

    assert_int_equal(sr_segment_open(&reader, file.bytes, file.len), 0);
    assert_int_equal(reader.header.content, SR_CONTENT_QUARANTINE);
    while ((rc = sr_segment_next(&reader, &record)) == 0) {
        assert_int_equal(record.kind, SR_RECORD_QUARANTINE);
        assert_int_equal(record.why_len, strlen("refused: 422"));
        assert_memory_equal(record.why, "refused: 422", record.why_len);
        assert_int_equal(record.entry.len, row_text(record.entry.seq, text));
        assert_memory_equal(record.entry.row, text, record.entry.len);
        if (count++ == 0)
            *ret_first = record.entry.seq;
        *ret_last = record.entry.seq;
    }
    assert_int_equal(rc, SR_E_END);
    free(file.bytes);
    return count;
}

static int quarantine(struct fixture *fx, uint64_t seq, size_t max)
{
    char text[400];
    struct sr_entry entry = row_entry(seq, text);

    return sr_store_quarantine(fx->store, &entry, "refused: 422", max);
}

static void the_quarantine_file_keeps_the_newest(void **state)
{
    struct fixture *fx = *state;
    uint64_t first, last;

    open_store(fx);
    for (uint64_t seq = 1; seq <= 100; seq++) {
        struct bytes file;

        assert_int_equal(quarantine(fx, seq, 4000), 0);
        file = load_file(fx->dir, SR_QUARANTINE_NAME);
        assert_true(file.len <= 4000);
        free(file.bytes);
        assert_true(quarantined(fx, &first, &last) > (seq < 10 ? 0 : 9));
        assert_int_equal(last, seq);
    }
    assert_true(first > 1);
    assert_int_equal(quarantine(fx, 101, 60), SR_E_TOOBIG);
    assert_true(quarantined(fx, &first, &last) > 0);
    assert_int_equal(last, 100);
    reopen(fx);
    assert_int_equal(quarantine(fx, 101, 4000), 0);
    assert_true(quarantined(fx, &first, &last) > 9);
    assert_int_equal(last, 101);
    assert_false(has_file(fx->dir, "quarantine.new"));
}

static void a_damaged_quarantine_file_is_set_aside(void **state)
{
    struct fixture *fx = *state;
    uint64_t first, last;
    struct bytes file;

    open_store(fx);
    assert_int_equal(quarantine(fx, 1, 4000), 0);
    assert_int_equal(quarantine(fx, 2, 4000), 0);
    file = load_file(fx->dir, SR_QUARANTINE_NAME);
    file.bytes[file.len - 12] ^= 1;
    save_file_as(fx->dir, SR_QUARANTINE_NAME, file.bytes, file.len);
    free(file.bytes);
    assert_int_equal(quarantine(fx, 3, 4000), 0);

    assert_int_equal(quarantined(fx, &first, &last), 1);
    assert_int_equal(first, 3);
    assert_true(has_file(fx->dir, "quarantine.damaged"));
}

/* Each of them may be all that is left of some rows. */
static void damaged_quarantine_files_do_not_overwrite_each_other(void **state)
{
    static const char *const names[] = { "quarantine.damaged", "quarantine.damaged.2",
                                         "quarantine.damaged.3" };
    struct fixture *fx = *state;
    struct sr_quarantine_cost cost;

    open_store(fx);
    for (size_t i = 0; i < 3; i++) {
        save_file_as(fx->dir, SR_QUARANTINE_NAME, names[i], 18 + i);
        assert_int_equal(quarantine(fx, i + 1, 4000), 0);
        sr_store_quarantine_cost(fx->store, &cost);
        assert_string_equal(cost.kept_as, names[i]);
        if (i == 1)
            reopen(fx);
    }
    for (size_t i = 0; i < 3; i++) {
        struct bytes file = load_file(fx->dir, names[i]);

        assert_int_equal(file.len, 18 + i);
        free(file.bytes);
    }
}

static void the_oldest_file_set_aside_goes_and_that_is_told_once(void **state)
{
    struct fixture *fx = *state;
    char first[SR_STORE_ASIDE_NAME] = "";

    open_store(fx);
    for (unsigned i = 1; i <= 8; i++) {
        save_file_as(fx->dir, SR_QUARANTINE_NAME, "x", 1);
        assert_int_equal(quarantine(fx, i, 4000), 0);
    }
    assert_int_equal(sr_store_aside_removed(fx->store, first), 0);
    reopen(fx);
    for (unsigned i = 9; i <= 10; i++) {
        save_file_as(fx->dir, SR_QUARANTINE_NAME, "x", 1);
        assert_int_equal(quarantine(fx, i, 4000), 0);
    }
    assert_int_equal(sr_store_aside_removed(fx->store, first), 2);
    assert_string_equal(first, "quarantine.damaged");
    assert_int_equal(sr_store_aside_removed(fx->store, first), 0);
    assert_false(has_file(fx->dir, "quarantine.damaged"));
    assert_false(has_file(fx->dir, "quarantine.damaged.2"));
    assert_true(has_file(fx->dir, "quarantine.damaged.3"));
    assert_true(has_file(fx->dir, "quarantine.damaged.10"));
}

static void a_failing_quarantine_keeps_what_it_had(void **state)
{
    struct fixture *fx = *state;
    uint64_t first, last;
    int rc;

    fx->options.disk = &bad_disk.disk;
    open_store(fx);
    for (uint64_t seq = 1; seq <= 12; seq++)
        assert_int_equal(quarantine(fx, seq, 2000), 0);
    for (unsigned n = 1; n < 8; n++) {
        bad_disk_reset();
        bad_disk_fail(ALL_KINDS, n, n, EIO);
        rc = quarantine(fx, 13, 2000);
        bad_disk_works();
        assert_true(rc == 0 || (rc == SR_E_IO && bad_disk.failed));
        assert_true(quarantined(fx, &first, &last) > 3);
        assert_true(last == 12 || last == 13);
    }
}

#define test(function) \
    cmocka_unit_test_setup_teardown(function, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(makes_the_directory_for_its_owner_only),
        test(says_why_it_cannot_open),
        test(says_why_it_cannot_make_its_directory),
        test(a_directory_that_cannot_be_written_to_may_heal),
        test(has_one_owner_in_a_process),
        test(has_one_owner_among_processes),
        test(has_one_owner_though_the_lock_file_is_removed),
        test(an_agent_that_holds_only_the_lock_file_is_respected),
        test(a_forked_child_that_lives_on_does_not_keep_the_directory),
        test(keeps_rows_and_their_numbers_over_a_restart),
        test(a_row_survives_the_death_of_the_process_at_once),
        test(numbers_may_be_left_out_but_not_used_again),
        test(the_next_row_is_found_from_anywhere),
        test(rows_of_all_sizes_come_back),
        test(a_row_of_another_boot_begins_another_segment),
        test(what_is_done_stays_done),
        test(done_in_any_order_agrees_with_a_simple_model),
        test(numbers_that_were_never_written_can_be_done),
        test(segments_without_live_rows_go_wherever_they_stand),
        test(too_many_holes_cost_duplicates_and_no_rows),
        test(losses_are_kept_with_the_log),
        test(the_bound_holds_and_is_used),
        test(at_the_bound_it_goes_round_and_round),
        test(at_the_bound_every_single_row_can_be_done),
        test(held_rows_and_many_changes_stay_within_the_bound),
        test(a_lower_bound_refuses_until_enough_is_done),
        test(row_by_row_a_commit_waits_for_the_medium),
        test(threads_share_a_sync),
        test(in_batches_a_sync_follows_by_itself),
        test(by_interval_there_is_one_sync_for_many_rows),
        test(what_is_done_is_on_the_medium_soon),
        test(an_idle_store_does_nothing),
        test(the_quarantine_file_keeps_the_newest),
        test(a_damaged_quarantine_file_is_set_aside),
        test(damaged_quarantine_files_do_not_overwrite_each_other),
        test(the_oldest_file_set_aside_goes_and_that_is_told_once),
        test(a_failing_quarantine_keeps_what_it_had),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
