/* SPDX-License-Identifier: MIT */
/* Files are used again, and nothing of their life before comes back. */
#include "store/store_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static ino_t inode_of(struct fixture *fx, const char *name)
{
    char path[200];
    struct stat st;

    snprintf(path, sizeof path, "%s/%s", fx->dir, name);
    return stat(path, &st) ? 0 : st.st_ino;
}

static void move(struct fixture *fx, const char *from, const char *to)
{
    char old[200], new[200];

    snprintf(old, sizeof old, "%s/%s", fx->dir, from);
    snprintf(new, sizeof new, "%s/%s", fx->dir, to);
    assert_int_equal(rename(old, new), 0);
}

/* Until segment `number` is begun. */
static void put_until(struct fixture *fx, unsigned number)
{
    char name[40];

    snprintf(name, sizeof name, SR_SEGMENT_NAME, (unsigned long long)number);
    while (!has_file(fx->dir, name))
        put_rows(fx, 1);
}

/* The first segment's file waits; what is live is in the second. */
static uint64_t make_spare(struct fixture *fx)
{
    uint64_t first;

    open_store(fx);
    put_until(fx, 2);
    first = sr_store_next_seq(fx->store);
    sr_store_done(fx->store, 1, first - 2);
    return first - 1;
}

static void the_file_of_a_dead_segment_is_the_next_ones(void **state)
{
    struct fixture *fx = *state;
    uint64_t first = make_spare(fx);
    ino_t inode = inode_of(fx, "spare");

    assert_true(inode != 0);
    assert_false(has_file(fx->dir, "0000000001.seg"));
    put_until(fx, 3);
    assert_int_equal(inode_of(fx, "0000000003.seg"), inode);
    assert_false(has_file(fx->dir, "spare"));
    expect_rows(fx, first, sr_store_next_seq(fx->store) - 1);
    put_until(fx, 4); /* over the end of what was there */
    expect_rows(fx, first, sr_store_next_seq(fx->store) - 1);
    reopen(fx);
    assert_string_equal(fx->recovery.note, "");
    expect_rows(fx, first, sr_store_next_seq(fx->store) - 1);
}

static void a_file_that_waits_is_found_at_the_next_start(void **state)
{
    struct fixture *fx = *state;
    uint64_t first = make_spare(fx);
    ino_t inode = inode_of(fx, "spare");

    reopen(fx);
    assert_string_equal(fx->recovery.note, "");
    expect_rows(fx, first, first);
    put_until(fx, 3);
    assert_int_equal(inode_of(fx, "0000000003.seg"), inode);
}

/* After each row, what kill -9 leaves: all rows that were put, no others, and no damage. */
static void whatever_is_left_of_the_life_before_is_no_damage(void **state)
{
    struct fixture *fx = *state;
    uint64_t first = make_spare(fx), last;
    char dir[sizeof fx->dir];
    struct sr_store *store;

    strcpy(dir, fx->dir);
    put_until(fx, 3);
    for (int i = 0; i < 60; i++) {
        last = sr_store_next_seq(fx->store) - 1;
        store = fx->store;
        snprintf(fx->dir, sizeof fx->dir, "%.60s/%d", fx->top, i);
        copy_dir(dir, fx->dir);
        fx->store = NULL;
        open_store(fx);
        assert_string_equal(fx->recovery.note, "");
        expect_rows(fx, first, last);
        put_rows(fx, 2);
        reopen(fx);
        assert_string_equal(fx->recovery.note, "");
        expect_rows(fx, first, last + 2);
        close_store(fx);
        strcpy(fx->dir, dir);
        fx->store = store;
        put_rows(fx, 1);
    }
}

/* The store is killed, and the power takes one of the names, or the header. */
static void crash_in_third(struct fixture *fx, uint64_t *ret_first, uint64_t *ret_last)
{
    char to[sizeof fx->dir];

    *ret_first = make_spare(fx);
    put_until(fx, 3);
    put_rows(fx, 3);
    *ret_last = sr_store_next_seq(fx->store) - 1;
    snprintf(to, sizeof to, "%.60s/crashed", fx->top);
    copy_dir(fx->dir, to);
    close_store(fx);
    strcpy(fx->dir, to);
}

static void a_file_with_the_name_of_its_life_before_gets_its_own(void **state)
{
    static const char *const names[] = { "0000000001.seg", "spare" };

    for (int i = 0; i < 2; i++) {
        struct fixture *fx;
        uint64_t first, last;

        fixture_setup((void **)&fx);
        crash_in_third(fx, &first, &last);
        move(fx, "0000000003.seg", names[i]);
        for (int k = 0; k < 2; k++) {
            open_store(fx);
            assert_string_equal(fx->recovery.note, "");
            expect_rows(fx, first, last);
            assert_true(has_file(fx->dir, "0000000003.seg"));
            assert_false(has_file(fx->dir, names[i]));
            close_store(fx);
        }
        fixture_teardown((void **)&fx);
    }
    (void)state;
}

static void a_file_that_has_not_got_its_header_is_one_not_begun(void **state)
{
    struct fixture *fx = *state;
    uint64_t first, last;
    struct bytes old;

    open_store(fx); /* what the first segment was */
    put_until(fx, 2);
    old = load_file(fx->dir, "0000000001.seg");
    close_store(fx);
    snprintf(fx->dir, sizeof fx->dir, "%.60s/other", fx->top);
    crash_in_third(fx, &first, &last);
    save_file_as(fx->dir, "0000000003.seg", old.bytes, old.len);
    free(old.bytes);
    open_store(fx);
    assert_int_equal(fx->recovery.files_damaged, 0);
    assert_int_equal(fx->recovery.rows_lost, 0);
    expect_rows(fx, first, sr_store_next_seq(fx->store) - 1);
    assert_true(sr_store_next_seq(fx->store) <= last);
    put_rows(fx, 3);
    reopen(fx);
    expect_rows(fx, first, sr_store_next_seq(fx->store) - 1);
}

/* Each byte of it: it is mended from the snapshot of this life, or rejected; never from the life before. */
static void a_damaged_header_does_not_bring_the_life_before_back(void **state)
{
    struct fixture *fx = *state;
    uint64_t first, last;
    struct bytes file;

    crash_in_third(fx, &first, &last);
    file = load_file(fx->dir, "0000000003.seg");
    for (size_t at = 0; at < SR_SEGMENT_HEADER; at++) {
        char to[sizeof fx->dir], from[sizeof fx->dir];

        strcpy(from, fx->dir);
        snprintf(to, sizeof to, "%.60s/%zu", fx->top, at);
        copy_dir(fx->dir, to);
        strcpy(fx->dir, to);
        file.bytes[at] ^= 0x55;
        save_file_as(fx->dir, "0000000003.seg", file.bytes, file.len);
        file.bytes[at] ^= 0x55;
        open_store(fx);
        assert_int_equal(fx->recovery.files_damaged, 1);
        expect_rows(fx, first, last);
        close_store(fx);
        strcpy(fx->dir, from);
    }
    /* Without header and snapshot nothing tells what it is; and it is not what it was. */
    memset(file.bytes, 0, 512);
    save_file_as(fx->dir, "0000000003.seg", file.bytes, file.len);
    free(file.bytes);
    open_store(fx);
    assert_int_equal(fx->recovery.files_damaged, 1);
    assert_in_range(fx->recovery.rows, 1, last - first + 1);
    reopen(fx);
    expect_rows(fx, first, first + fx->recovery.rows - 1);
}

/* It takes no room from rows. */
static void the_bound_holds_with_a_file_that_waits(void **state)
{
    struct fixture *fx = *state;
    struct sr_store_stats stats, full;
    uint64_t first, last;

    open_store(fx);
    assert_int_equal(put_until_refused(fx), SR_E_FULL);
    sr_store_stats(fx->store, &full);
    for (int i = 0; i < 40; i++) {
        assert_true(sr_store_oldest(fx->store, &first, &last));
        sr_store_done(fx->store, first, last);
        sr_store_stats(fx->store, &stats);
        assert_true(stats.disk_bytes <= fx->options.cap);
        assert_int_equal(put_until_refused(fx), SR_E_FULL);
        sr_store_stats(fx->store, &stats);
        assert_true(stats.disk_bytes <= fx->options.cap);
        assert_true(stats.rows > full.rows * 9 / 10);
    }
}

static void a_disk_that_fails_while_files_change_their_lives_loses_nothing(void **state)
{
    struct fixture *fx = *state;
    uint64_t first = 1;

    fx->options.disk = &bad_disk.disk;
    for (unsigned n = 1; n < 40; n++) {
        snprintf(fx->dir, sizeof fx->dir, "%.60s/%u", fx->top, n);
        bad_disk_reset();
        first = make_spare(fx);
        bad_disk_fail(1u << CALL_RENAME | 1u << CALL_WRITE | 1u << CALL_OPEN, n, n,
                      EIO);
        for (int i = 0; i < 300; i++)
            append(fx, sr_store_next_seq(fx->store));
        bad_disk_works();
        put_rows(fx, 1);
        expect_rows(fx, first, sr_store_next_seq(fx->store) - 1);
        reopen(fx);
        expect_rows(fx, first, sr_store_next_seq(fx->store) - 1);
        close_store(fx);
    }
}

#define test(function) \
    cmocka_unit_test_setup_teardown(function, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(the_file_of_a_dead_segment_is_the_next_ones),
        test(a_file_that_waits_is_found_at_the_next_start),
        test(whatever_is_left_of_the_life_before_is_no_damage),
        cmocka_unit_test(a_file_with_the_name_of_its_life_before_gets_its_own),
        test(a_file_that_has_not_got_its_header_is_one_not_begun),
        test(a_damaged_header_does_not_bring_the_life_before_back),
        test(the_bound_holds_with_a_file_that_waits),
        test(a_disk_that_fails_while_files_change_their_lives_loses_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
