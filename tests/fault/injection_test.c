/* SPDX-License-Identifier: MIT */
/* System calls and allocations that fail under a whole agent: what was accepted arrives all the
 * same, or is on the disk. The program is linked with --wrap for each of them; libraries that
 * are not ours do not notice. */
#include "rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/uio.h>

/* --- what fails ----------------------------------------------------------------- */

enum call { OPEN, WRITE, SYNC, ALLOCATE, TRUNCATE, RENAME, UNLINK, CALLS };

static struct {
    _Atomic unsigned percent[CALLS];
    _Atomic int error;
    _Atomic unsigned short_writes; /* per cent */
    _Atomic uint64_t state, failed;
} disk;

static bool hits(unsigned percent)
{
    struct dice dice = { atomic_fetch_add(&disk.state, 1) };

    return percent && dice_percent(&dice, percent);
}

static bool fails(enum call call)
{
    if (!hits(atomic_load(&disk.percent[call])))
        return false;
    atomic_fetch_add(&disk.failed, 1);
    errno = atomic_load(&disk.error);
    return true;
}

static void all_is_well(void)
{
    for (int i = 0; i < CALLS; i++)
        atomic_store(&disk.percent[i], 0);
    atomic_store(&disk.short_writes, 0);
}

/* With _FILE_OFFSET_BITS=64 the linker knows calls with an offset by these names. */
int __real_openat64(int dir, const char *name, int flags, ...);
int __wrap_openat64(int dir, const char *name, int flags, ...);
int __wrap_openat64(int dir, const char *name, int flags, ...)
{
    va_list args;
    mode_t mode;

    va_start(args, flags);
    mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;
    va_end(args);
    return flags & O_CREAT && fails(OPEN) ? -1
                                          : __real_openat64(dir, name, flags, mode);
}

ssize_t __real_pwritev64(int fd, const struct iovec *parts, int count, off_t offset);
ssize_t __wrap_pwritev64(int fd, const struct iovec *parts, int count, off_t offset);
ssize_t __wrap_pwritev64(int fd, const struct iovec *parts, int count, off_t offset)
{
    struct iovec part = parts[0];

    if (fails(WRITE))
        return -1;
    if (!hits(atomic_load(&disk.short_writes)))
        return __real_pwritev64(fd, parts, count, offset);
    part.iov_len = (part.iov_len + 1) / 2;
    return __real_pwritev64(fd, &part, 1, offset);
}

#define WRAP_INT(name, call, parameters, arguments)        \
    int __real_##name parameters;                          \
    int __wrap_##name parameters;                          \
    int __wrap_##name parameters                           \
    {                                                      \
        return fails(call) ? -1 : __real_##name arguments; \
    }

WRAP_INT(fdatasync, SYNC, (int fd), (fd))
WRAP_INT(fsync, SYNC, (int fd), (fd))
WRAP_INT(fallocate64, ALLOCATE, (int fd, int mode, off_t offset, off_t len),
         (fd, mode, offset, len))
WRAP_INT(ftruncate64, TRUNCATE, (int fd, off_t len), (fd, len))
WRAP_INT(renameat, RENAME, (int from_dir, const char *from, int to_dir, const char *to),
         (from_dir, from, to_dir, to))
WRAP_INT(unlinkat, UNLINK, (int dir, const char *name, int flags), (dir, name, flags))

/* The outbox tries a disk that failed again after seconds and minutes of this clock. */
static _Atomic bool time_flies;

int __real_clock_gettime(clockid_t id, struct timespec *ts);
int __wrap_clock_gettime(clockid_t id, struct timespec *ts);
int __wrap_clock_gettime(clockid_t id, struct timespec *ts)
{
    int rc = __real_clock_gettime(id, ts);
    uint64_t ms;

    if (rc || id != CLOCK_BOOTTIME || !atomic_load(&time_flies))
        return rc;
    ms = ((uint64_t)ts->tv_sec * 1000 + (uint64_t)ts->tv_nsec / 1000000) * 200;
    ts->tv_sec = (time_t)(ms / 1000);
    ts->tv_nsec = (long)(ms % 1000) * 1000000;
    return 0;
}

/* Memory: only while the agent's code runs, since the test has allocations of its own. */
static struct {
    _Atomic bool armed;
    _Atomic unsigned good, bad; /* so many succeed, then so many fail */
} memory;

static bool out_of_memory(void)
{
    unsigned good, bad;

    if (!atomic_load(&memory.armed))
        return false;
    good = atomic_load(&memory.good);
    while (good)
        if (atomic_compare_exchange_weak(&memory.good, &good, good - 1))
            return false;
    bad = atomic_load(&memory.bad);
    while (bad)
        if (atomic_compare_exchange_weak(&memory.bad, &bad, bad - 1))
            return true;
    return false;
}

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_malloc(size_t size)
{
    return out_of_memory() ? NULL : __real_malloc(size);
}

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size)
{
    return out_of_memory() ? NULL : __real_calloc(count, size);
}

void *__real_realloc(void *old, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_realloc(void *old, size_t size)
{
    return out_of_memory() ? NULL : __real_realloc(old, size);
}

/* --- the agent ------------------------------------------------------------------ */

static struct rig rig;

static int set_up(void **state)
{
    (void)state;
    all_is_well();
    atomic_store(&time_flies, true);
    rig_open(&rig, true);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    atomic_store(&memory.armed, false);
    all_is_well();
    rig_close(&rig);
    return 0;
}

static const char *const by_row[] = { "outbox_sync", "row",      "outbox_capacity",
                                      "262144",      "capacity", "8388608",
                                      NULL };
static const char *const by_batch[] = { "outbox_sync", "batch",    "outbox_capacity",
                                        "262144",      "capacity", "8388608",
                                        NULL };

static void send_some(unsigned rows)
{
    for (; rows >= 20; rows -= 20) {
        rig_send(&rig, 20);
        rig_turn(&rig, 1);
    }
}

/* Else the tests below would pass without a fault. */
static void each_call_can_be_made_to_fail(void **state)
{
    const struct iovec none = { 0 };

    (void)state;
    atomic_store(&disk.error, EDQUOT);
    for (int i = 0; i < CALLS; i++)
        atomic_store(&disk.percent[i], 100);
    atomic_store(&disk.failed, 0);
    assert_int_equal(openat(AT_FDCWD, "/dev/null", O_CREAT, 0600), -1);
    assert_int_equal(pwritev(-1, &none, 1, 0), -1);
    assert_int_equal(fdatasync(-1), -1);
    assert_int_equal(fsync(-1), -1);
    assert_int_equal(fallocate(-1, 0, 0, 1), -1);
    assert_int_equal(ftruncate(-1, 0), -1);
    assert_int_equal(renameat(-1, "", -1, ""), -1);
    assert_int_equal(unlinkat(-1, "", 0), -1);
    assert_int_equal(atomic_load(&disk.failed), 8);
    all_is_well();
}

/* One kind of call fails now and then, alone and with the others. */
static void survive(const char *const *settings, enum call call, int error)
{
    atomic_store(&disk.error, error);
    rig_start(&rig, rig.lane.outbox, settings);
    send_some(100);
    atomic_store(&disk.percent[call], 30);
    send_some(1200);
    for (int i = 0; i < CALLS; i++)
        atomic_store(&disk.percent[i], 5);
    atomic_store(&disk.short_writes, 20);
    send_some(1200);
    all_is_well();
    send_some(100);
    rig_expect_all(&rig);
    rig_stop(&rig);
}

static void calls_that_fail_now_and_then_lose_nothing(void **state)
{
    static const int errors[] = { EIO, ENOSPC };
    uint64_t failed = atomic_load(&disk.failed);

    (void)state;
    for (int i = 0; i < 2 * CALLS; i++)
        survive(i % 2 ? by_row : by_batch, (enum call)(i / 2), errors[i % 3 % 2]);
    printf("tally: failed-calls %llu\n",
           (unsigned long long)(atomic_load(&disk.failed) - failed));
    assert_true(atomic_load(&disk.failed) > failed + 50);
    /* Nor does what the files have come again, or spoil the next start. */
    rig_start(&rig, rig.lane.outbox, by_row);
    send_some(20);
    rig_expect_all(&rig);
}

static unsigned accepted(void)
{
    return ledger_count(rig.lane.ledger, LEDGER_ACCEPTED);
}

/* The disk is looked at when a row is sent. */
static bool is_over_after_a_row(unsigned over)
{
    rig_send(&rig, 1);
    rig_run(&rig, 10);
    return rig.over[SR_TROUBLE_DISK] > over;
}

/* The platform is away, so that all there is stays in memory or on disk. */
static void expect_return_from(enum call call, int error)
{
    unsigned began = rig.began[SR_TROUBLE_DISK], over = rig.over[SR_TROUBLE_DISK];

    atomic_store(&disk.error, error);
    atomic_store(&disk.percent[call], 100);
    while (rig.began[SR_TROUBLE_DISK] == began) {
        rig_send(&rig, 50);
        rig_turn(&rig, 1);
    }
    rig_send(&rig, 50);
    rig_run(&rig, 100);
    assert_int_equal(rig.began[SR_TROUBLE_DISK], began + 1);
    assert_int_equal(rig.over[SR_TROUBLE_DISK], over);
    assert_non_null(strstr(rig.text, strerror(error)));
    all_is_well();
    rig_until(&rig, is_over_after_a_row(over));
    rig_until(&rig, rig_rows_on_disk(rig.lane.outbox) == accepted());
}

static void a_disk_that_fails_is_told_once_and_used_again(void **state)
{
    static const char *const settings[] = {
        "outbox_sync", "row", "outbox_capacity", "4194304", "capacity", "8388608", NULL
    };

    (void)state;
    receiver_set_deaf(rig.lane.receiver, true);
    rig_start(&rig, rig.lane.outbox, settings);
    rig_send(&rig, 20);
    expect_return_from(WRITE, EIO);
    expect_return_from(SYNC, EIO);
    expect_return_from(WRITE, ENOSPC);
    rig_stop(&rig);
    receiver_set_deaf(rig.lane.receiver, false);
    rig_start(&rig, rig.lane.outbox, settings);
    rig_expect_all(&rig);
}

/* --- allocations ---------------------------------------------------------------- */

static int try_send(uint32_t n)
{
    char text[LEDGER_TEXT];

    ledger_text(n, text);
    return sr_agent_send(rig.agent, text, SR_PRIO_BUF);
}

/* What is refused for lack of memory has not been sent; all else has. */
static void send_without_memory(unsigned rows)
{
    struct ledger *ledger = rig.lane.ledger;

    while (rows--) {
        uint32_t n = atomic_fetch_add(&ledger->next, 1);
        int rc;

        atomic_store(&ledger->state[n], LEDGER_TRIED);
        atomic_store(&memory.armed, true);
        rc = try_send(n);
        atomic_store(&memory.armed, false);
        assert_true(rc == 0 || rc == SR_E_NOMEM);
        atomic_store(&ledger->state[n], rc ? LEDGER_REFUSED : LEDGER_ACCEPTED);
    }
}

static void dispatch_without_memory(unsigned turns)
{
    while (turns--) {
        poll(&(struct pollfd){ .fd = sr_agent_fd(rig.agent), .events = POLLIN }, 1, 1);
        atomic_store(&memory.armed, true);
        sr_agent_dispatch(rig.agent);
        atomic_store(&memory.armed, false);
        receiver_turn(rig.lane.receiver);
    }
}

static void fail_allocations(unsigned good, unsigned bad)
{
    atomic_store(&memory.good, good);
    atomic_store(&memory.bad, bad);
    send_without_memory(12);
    dispatch_without_memory(8);
    atomic_store(&memory.bad, 0);
    rig_send(&rig, 5);
    rig_turn(&rig, 0);
}

static void allocations_that_fail_lose_nothing_that_was_accepted(void **state)
{
    (void)state;
    rig_start(&rig, rig.lane.outbox, by_batch);
    rig_send(&rig, 5);
    rig_expect_all(&rig);
    for (unsigned good = 0; good < 60; good++)
        fail_allocations(good, good % 5 == 4 ? 1000 : 1);
    rig_expect_all(&rig);
    rig_stop(&rig);
    assert_int_equal(rig_rows_on_disk(rig.lane.outbox), 0);
}

/* Opening with rows on disk and an allocation that fails: the disk is in trouble, or all is well;
 * the rows are there afterwards in any case. */
static void opening_without_memory_loses_nothing(void **state)
{
    (void)state;
    receiver_set_deaf(rig.lane.receiver, true);
    rig_start(&rig, rig.lane.outbox, by_row);
    rig_send(&rig, 200);
    rig_stop(&rig);
    for (unsigned good = 0; good < 40; good++) {
        struct sr_agent *agent;
        int rc;

        assert_int_equal(sr_agent_new(rig.lane.server, "fault-1", &agent), 0);
        atomic_store(&memory.good, good);
        atomic_store(&memory.bad, 1);
        atomic_store(&memory.armed, true);
        rc = sr_agent_open_outbox(agent, rig.lane.outbox);
        atomic_store(&memory.armed, false);
        assert_true(rc == 0 || rc == SR_E_NOMEM);
        sr_agent_free(agent);
    }
    receiver_set_deaf(rig.lane.receiver, false);
    rig_start(&rig, rig.lane.outbox, by_row);
    rig_expect_all(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_call_can_be_made_to_fail),
        cmocka_unit_test_setup_teardown(calls_that_fail_now_and_then_lose_nothing,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_disk_that_fails_is_told_once_and_used_again,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            allocations_that_fail_lose_nothing_that_was_accepted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(opening_without_memory_loses_nothing, set_up,
                                        tear_down),
    };
    struct dice dice;

    signal(SIGPIPE, SIG_IGN);
    dice = dice_new();
    atomic_store(&disk.state, dice_roll(&dice));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
