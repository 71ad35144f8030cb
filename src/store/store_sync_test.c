/* SPDX-License-Identifier: MIT */
/* A sync that takes its time, while rows are put and files go. */
#include "store/store_fixture.h"
#include "store/store_p.h"

#include <semaphore.h>
#include <stdatomic.h>
#include <sys/stat.h>

/* The next sync of a file waits to be let go, and notes how it went. */
static struct {
    struct sr_disk disk;
    sem_t begun, go, over;
    atomic_bool armed;
    int fd;
    struct stat before, after;
} slow;

static int slow_fdatasync(void *arg, int fd)
{
    (void)arg;
    if (!atomic_exchange(&slow.armed, false))
        return sr_system_disk.fdatasync(NULL, fd);
    slow.fd = fd;
    if (fstat(fd, &slow.before) < 0)
        memset(&slow.before, 0, sizeof slow.before);
    sem_post(&slow.begun);
    while (sem_wait(&slow.go) < 0)
        ;
    if (fstat(fd, &slow.after) < 0)
        memset(&slow.after, 0, sizeof slow.after);
    sem_post(&slow.over);
    return sr_system_disk.fdatasync(NULL, fd);
}

static void wait_for(sem_t *semaphore)
{
    while (sem_wait(semaphore) < 0)
        ;
}

static void set_up_slow(struct fixture *fx)
{
    slow.disk = sr_system_disk;
    slow.disk.fdatasync = slow_fdatasync;
    sem_init(&slow.begun, 0, 0);
    sem_init(&slow.go, 0, 0);
    sem_init(&slow.over, 0, 0);
    fx->options.disk = &slow.disk;
}

/* The descriptor was closed under the sync: it failed, as if the disk did, and all rows were
 * written anew; or it was another file's by then. */
static void a_file_that_goes_while_it_is_synced_is_no_failure(void **state)
{
    struct fixture *fx = *state;
    struct stat now;

    set_up_slow(fx);
    open_store(fx);
    atomic_store(&slow.armed, true);
    put_rows(fx, 1);
    wait_for(&slow.begun);
    put_rows(fx, 500);
    sr_store_done(fx->store, 1, 400); /* the first file goes */
    sem_post(&slow.go);
    wait_for(&slow.over);
    assert_int_equal(slow.after.st_ino, slow.before.st_ino);
    assert_int_equal(slow.after.st_nlink, 0); /* it is gone indeed */
    sr_sync_settle(fx->store);
    assert_false(fstat(slow.fd, &now) == 0 && now.st_ino == slow.before.st_ino &&
                 now.st_nlink == 0); /* and so is its room */
    assert_int_equal(fx->store->sync->failed, 0);
    expect_rows(fx, 401, 501);
    close_store(fx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            a_file_that_goes_while_it_is_synced_is_no_failure, fixture_setup,
            fixture_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
