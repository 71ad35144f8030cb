/* SPDX-License-Identifier: MIT */
/* Disks without room: a small ext4 on a loop device, a tiny tmpfs. The agent goes on in memory,
 * says so once, and goes back to the disk when there is room. */
#include "namespace.h"
#include "rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- places --------------------------------------------------------------------- */

static struct {
    bool loop; /* else tmpfs */
    char dir[64], image[96], mount[96], outbox[128], filler[128];
    struct rig rig;
} place;

static bool mount_place(void)
{
    if (!place.loop)
        return namespace_run("mount -t tmpfs -o size=256k none %s", place.mount);
    return namespace_run("truncate -s 2M %s", place.image) &&
           namespace_run("mkfs.ext4 -q -F -m 0 -b 1024 %s", place.image) &&
           namespace_run("mount -o loop %s %s", place.image, place.mount);
}

static int find_place(bool loop)
{
    place.loop = loop;
    strcpy(place.dir, "/tmp/smartrest-room.XXXXXX");
    assert_non_null(mkdtemp(place.dir));
    snprintf(place.image, sizeof place.image, "%s/image", place.dir);
    snprintf(place.mount, sizeof place.mount, "%s/mount", place.dir);
    snprintf(place.outbox, sizeof place.outbox, "%s/outbox", place.mount);
    snprintf(place.filler, sizeof place.filler, "%s/filler", place.mount);
    assert_int_equal(mkdir(place.mount, 0700), 0);
    if (!mount_place()) {
        printf("%s cannot be mounted here\n", loop ? "a loop device" : "a tmpfs");
        assert_int_equal(rmdir(place.mount), 0);
        namespace_run("rm -rf %s", place.dir);
        *place.dir = '\0';
        /* Root has loop devices, but for some containers; a tmpfs is there always. */
        assert_true(loop);
        return 0;
    }
    rig_open(&place.rig, loop);
    receiver_set_deaf(place.rig.lane.receiver, true);
    return 0;
}

static int set_up_loop(void **state)
{
    (void)state;
    return find_place(true);
}

static int set_up_tmpfs(void **state)
{
    (void)state;
    return find_place(false);
}

static int tear_down(void **state)
{
    (void)state;
    if (!*place.dir)
        return 0;
    rig_close(&place.rig);
    if (umount(place.mount))
        return -1;
    return namespace_run("rm -rf %s", place.dir) ? 0 : -1;
}

/* To the last byte. */
static void fill(void)
{
    static const char zeros[4096];
    int fd = open(place.filler, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    for (size_t len = sizeof zeros; len; len /= 2)
        while (write(fd, zeros, len) > 0)
            ;
    close(fd);
}

static void make_room(void)
{
    assert_int_equal(unlink(place.filler), 0);
}

/* --- what is expected ----------------------------------------------------------- */

static const char *const roomy[] = { "capacity", "8388608", "outbox_capacity", "262144",
                                     NULL };

static unsigned accepted(void)
{
    return ledger_count(place.rig.lane.ledger, LEDGER_ACCEPTED);
}

static void expect_all_on_disk(void)
{
    rig_until(&place.rig, rig_rows_on_disk(place.outbox) == accepted());
}

/* What is on the disk arrives from there: the agent that wrote it is gone. */
static void expect_all_after_a_restart(void)
{
    rig_stop(&place.rig);
    receiver_set_deaf(place.rig.lane.receiver, false);
    rig_start(&place.rig, place.outbox, roomy);
    rig_expect_all(&place.rig);
}

static void expect_told_once(unsigned over)
{
    rig_run(&place.rig, 100);
    assert_int_equal(place.rig.began[SR_TROUBLE_DISK], 1);
    assert_int_equal(place.rig.over[SR_TROUBLE_DISK], over);
}

/* The disk is looked at when a row is sent. */
static bool is_over_after_a_row(void)
{
    rig_send(&place.rig, 1);
    rig_run(&place.rig, 50);
    return place.rig.over[SR_TROUBLE_DISK];
}

static void expect_return_to_disk(void)
{
    rig_until(&place.rig, is_over_after_a_row());
    expect_told_once(1);
    expect_all_on_disk();
}

static void skip_without_place(void)
{
    if (!*place.dir)
        skip();
}

/* Until the disk has failed; what it had preallocated takes some. */
static void send_until_it_is_full(void)
{
    while (!place.rig.began[SR_TROUBLE_DISK] && accepted() < 20000) {
        rig_send(&place.rig, 50);
        rig_turn(&place.rig, 0);
    }
}

/* --- the tests ------------------------------------------------------------------ */

static void a_full_disk_is_told_once_and_used_again_when_there_is_room(void **state)
{
    (void)state;
    skip_without_place();
    rig_start(&place.rig, place.outbox, roomy);
    rig_send(&place.rig, 20);
    expect_all_on_disk();
    fill();
    send_until_it_is_full();
    rig_send(&place.rig, 300);
    expect_told_once(0);
    assert_non_null(strstr(place.rig.text, place.outbox));
    make_room();
    expect_return_to_disk();
    expect_all_after_a_restart();
}

static void a_disk_that_is_full_from_the_start_is_used_later(void **state)
{
    (void)state;
    skip_without_place();
    fill();
    rig_start(&place.rig, place.outbox, roomy);
    rig_send(&place.rig, 100);
    expect_told_once(0);
    make_room();
    expect_return_to_disk();
    expect_all_after_a_restart();
}

static void a_disk_smaller_than_the_bound_overflows_into_memory(void **state)
{
    static const char *const large[] = { "capacity", "8388608", "outbox_capacity",
                                         "67108864", NULL };

    (void)state;
    skip_without_place();
    rig_start(&place.rig, place.outbox, large);
    send_until_it_is_full();
    rig_send(&place.rig, 1000);
    expect_told_once(0);
    receiver_set_deaf(place.rig.lane.receiver, false);
    rig_expect_all(&place.rig);
}

static void a_read_only_disk_is_used_once_it_can_be_written(void **state)
{
    (void)state;
    skip_without_place();
    assert_true(namespace_run("mount -o remount,bind,ro %s", place.mount));
    rig_start(&place.rig, place.outbox, roomy);
    rig_send(&place.rig, 100);
    expect_told_once(0);
    assert_true(namespace_run("mount -o remount,bind,rw %s", place.mount));
    expect_return_to_disk();
    expect_all_after_a_restart();
}

#define ON_BOTH(test)                                         \
    { #test " (loop)", test, set_up_loop, tear_down, NULL },  \
    {                                                         \
#test " (tmpfs)", test, set_up_tmpfs, tear_down, NULL \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH(a_full_disk_is_told_once_and_used_again_when_there_is_room),
        ON_BOTH(a_disk_that_is_full_from_the_start_is_used_later),
        ON_BOTH(a_disk_smaller_than_the_bound_overflows_into_memory),
        ON_BOTH(a_read_only_disk_is_used_once_it_can_be_written),
    };

    signal(SIGPIPE, SIG_IGN);
    if (!namespace_enter(CLONE_NEWNS))
        return 77;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
