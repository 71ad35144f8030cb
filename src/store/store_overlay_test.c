/* SPDX-License-Identifier: MIT */
/* A store on an overlay file system, as containers and devices with a read-only root have it. Its
 * inode numbers do not fit 32 bits: a program of 32 bits that was compiled without
 * _FILE_OFFSET_BITS=64 gets EOVERFLOW where it lists the directory or asks about a file. */
#include "fault/namespace.h"
#include "store/store_fixture.h"

#include <sched.h>
#include <smartrest/outbox.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

/* The rows of before are in the lower layer, on a file system of its own: with xino=on the
 * overlay marks its inode numbers in their highest bits. */
static int overlay_setup(void **state)
{
    struct fixture *fx;

    if (fixture_setup(state))
        return -1;
    fx = *state;
    if (!namespace_run(
            "cd %s && mkdir lower upper outbox && mount -t tmpfs none lower && "
            "mount -t tmpfs none upper && mkdir upper/files upper/work",
            fx->top))
        return -1;
    snprintf(fx->dir, sizeof fx->dir, "%s/lower/outbox", fx->top);
    open_store(fx);
    put_rows(fx, 1000);
    close_store(fx);
    snprintf(fx->dir, sizeof fx->dir, "%s/outbox/outbox", fx->top);
    return namespace_run("cd %s && mount -t overlay -o xino=on,lowerdir=lower,"
                         "upperdir=upper/files,workdir=upper/work none outbox",
                         fx->top)
               ? 0
               : -1;
}

static int overlay_teardown(void **state)
{
    struct fixture *fx = *state;

    close_store(fx);
    namespace_run("cd %s && umount outbox lower upper", fx->top);
    return fixture_teardown(state);
}

static void the_inode_numbers_need_64_bits(void **state)
{
    struct fixture *fx = *state;
    struct stat st;

    assert_int_equal(stat(fx->dir, &st), 0);
    assert_true((uint64_t)st.st_ino > UINT32_MAX);
}

static void an_outbox_on_an_overlay_is_read_and_written(void **state)
{
    struct fixture *fx = *state;

    open_store(fx);
    assert_string_equal(fx->recovery.note, "");
    expect_rows(fx, 1, 1000);
    put_rows(fx, 100);
    reopen(fx);
    assert_string_equal(fx->recovery.note, "");
    expect_rows(fx, 1, 1100);
}

static int count_waiting(void *arg, const struct sr_stored_row *row)
{
    *(unsigned *)arg += !row->done;
    return 0;
}

static void an_outbox_on_an_overlay_can_be_looked_into(void **state)
{
    struct fixture *fx = *state;
    unsigned waiting = 0;
    struct sr_outbox_visitor count = { .row = count_waiting, .arg = &waiting };

    assert_int_equal(sr_outbox_scan(fx->dir, &count, fx->why, sizeof fx->why), 0);
    assert_int_equal(waiting, 1000);
}

#define TEST(test) \
    cmocka_unit_test_setup_teardown(test, overlay_setup, overlay_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_inode_numbers_need_64_bits),
        TEST(an_outbox_on_an_overlay_is_read_and_written),
        TEST(an_outbox_on_an_overlay_can_be_looked_into),
    };

    if (!namespace_enter(CLONE_NEWNS))
        return 77;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
