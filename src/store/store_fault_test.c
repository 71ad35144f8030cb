/* SPDX-License-Identifier: MIT */
/* Disks that are full, fail, come back; and machines that lose their power between any two
 * writes. What was accepted is there as long as the process lives or is killed; what was
 * committed, also after power was lost. */
#include "store/store_fixture.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_ROWS = 2000 };

/* What the platform would expect. */
struct truth {
    bool accepted[MAX_ROWS + 1];
    uint64_t done; /* all up to there */
};

static void clear(struct truth *truth)
{
    memset(truth, 0, sizeof *truth);
}

/* Rows that are there: all that were accepted and not done, and no others; but those that were
 * done, if that could not be written down. */
static void expect_truth(struct fixture *fx, const struct truth *truth, bool again)
{
    static uint64_t numbers[MAX_ROWS];
    size_t count = read_all(fx, numbers, MAX_ROWS), k = 0;

    for (; again && k < count && numbers[k] <= truth->done; k++)
        assert_true(truth->accepted[numbers[k]]);

    for (uint64_t seq = truth->done + 1; seq <= MAX_ROWS; seq++)
        if (truth->accepted[seq]) {
            if (k == count || numbers[k] != seq)
                fail_msg("row %llu is missing", (unsigned long long)seq);
            k++;
        }
    assert_int_equal(k, count);
}

/* --- every call fails once, and from then on ------------------------------------------ */

static void try_rows(struct fixture *fx, struct truth *truth, unsigned count)
{
    while (count--) {
        uint64_t seq = sr_store_next_seq(fx->store);
        int rc = append(fx, seq);

        if (rc) {
            assert_int_equal(rc, SR_E_IO);
            assert_true(*sr_store_error(fx->store) != '\0');
            continue;
        }
        truth->accepted[seq] = true;
        rc = seq % 8 ? 0 : sr_store_commit(fx->store, seq);
        if (rc)
            assert_true(*sr_store_error(fx->store) != '\0');
    }
}

static void try_done(struct fixture *fx, struct truth *truth, uint64_t last)
{
    if (last >= sr_store_next_seq(fx->store))
        last = sr_store_next_seq(fx->store) - 1;
    sr_store_done(fx->store, 1, last);
    truth->done = last;
}

static bool open_or_fail(struct fixture *fx)
{
    int rc = try_open(fx);

    if (rc) {
        assert_true(rc == SR_E_IO || rc == SR_E_NOMEM);
        assert_true(*fx->why != '\0');
        fx->store = NULL;
    }
    return !rc;
}

/* After a restart numbers of rows that were done may be used again, if that could not be written
 * down. */
static void renumber(struct fixture *fx, struct truth *truth)
{
    uint64_t next = sr_store_next_seq(fx->store);

    if (truth->done < next)
        return;
    truth->done = next - 1;
    for (uint64_t seq = next; seq <= MAX_ROWS; seq++)
        truth->accepted[seq] = false;
}

/* Several segments, some removed, a restart. Returns whether all calls that it wants to make
 * have been made. */
static void live(struct fixture *fx, struct truth *truth)
{
    if (!open_or_fail(fx))
        return;
    try_rows(fx, truth, 120);
    try_done(fx, truth, 50);
    try_rows(fx, truth, 150);
    try_done(fx, truth, 200);
    close_store(fx);
    if (!open_or_fail(fx))
        return;
    renumber(fx, truth);
    try_rows(fx, truth, 100);
    try_done(fx, truth, 260);
}

static void works_again(struct fixture *fx, struct truth *truth)
{
    bool again = !fx->store; /* it was closed while the disk was bad */

    bad_disk_works();
    if (fx->store) { /* the same store returns to the disk by itself */
        unsigned before = 0, after = 0;

        for (int i = 0; i <= MAX_ROWS; i++)
            before += truth->accepted[i];
        try_rows(fx, truth, 3);
        for (int i = 0; i <= MAX_ROWS; i++)
            after += truth->accepted[i];
        assert_int_equal(after, before + 3);
        assert_string_equal(sr_store_error(fx->store), "");
        expect_truth(fx, truth, false);
        assert_int_equal(sr_store_rows_unreadable(fx->store), 0);
    }
    close_store(fx);
    open_store(fx);
    expect_truth(fx, truth, again);
    close_store(fx);
}

static void fail_at(struct fixture *fx, unsigned kinds, unsigned from, unsigned to,
                    int err, unsigned *ret_failed)
{
    static unsigned run;
    struct truth truth;

    clear(&truth);
    bad_disk_reset();
    snprintf(fx->dir, sizeof fx->dir, "%s/%u", fx->top, run++);
    bad_disk_fail(kinds, from, to, err);
    live(fx, &truth);
    *ret_failed = bad_disk.failed;
    works_again(fx, &truth);
}

static void each_call_in_turn(struct fixture *fx, unsigned kinds, unsigned length,
                              unsigned step, int err)
{
    unsigned failed = 1;

    fx->options.sync = SR_SYNC_ROW;
    fx->options.disk = &bad_disk.disk;
    for (unsigned n = 1; failed && n < 100000; n += step)
        fail_at(fx, kinds, n, n + length - 1, err, &failed);
}

static void any_single_call_may_fail(void **state)
{
    each_call_in_turn(*state, ALL_KINDS, 1, 1, EIO);
}

/* Reading apart: what cannot be read for good is lost for good. */
static void any_call_may_be_the_first_of_many_that_fail(void **state)
{
    each_call_in_turn(*state, ALL_KINDS & ~(1u << CALL_PREAD), 40, 3, EIO);
}

enum { TAKES_ROOM = 1 << CALL_OPEN | 1 << CALL_WRITE | 1 << CALL_FALLOCATE };

static void the_disk_may_fill_up_at_any_moment_and_for_ever(void **state)
{
    each_call_in_turn(*state, TAKES_ROOM, FOR_EVER, 11, ENOSPC);
}

static void a_failing_sync_is_told_to_those_who_wait(void **state)
{
    struct fixture *fx = *state;
    struct truth truth;

    clear(&truth);
    fx->options.sync = SR_SYNC_ROW;
    fx->options.disk = &bad_disk.disk;
    open_store(fx);
    try_rows(fx, &truth, 10);
    assert_int_equal(append(fx, 11), 0);
    bad_disk_fail_all(1 << CALL_FDATASYNC, EIO);
    assert_int_equal(sr_store_commit(fx->store, 11), SR_E_IO);
    assert_non_null(strstr(sr_store_error(fx->store), "cannot sync"));
    assert_int_equal(sr_store_commit(fx->store, 8), 0); /* it was there before */
    assert_int_equal(append(fx, 12), SR_E_IO);          /* until it is healed */
    truth.accepted[11] = true;
    expect_truth(fx, &truth, false);

    bad_disk_works();
    assert_int_equal(sr_store_commit(fx->store, 11), SR_E_IO); /* not by itself */
    try_rows(fx, &truth, 1);
    assert_true(truth.accepted[12]);
    assert_int_equal(sr_store_commit(fx->store, 11), 0);
    expect_truth(fx, &truth, false);
}

/* Room is made by what is done, on a full disk too. */
static void a_full_disk_lets_go_of_what_is_done(void **state)
{
    struct fixture *fx = *state;
    struct sr_store_stats before, after;
    struct truth truth;

    clear(&truth);
    fx->options.disk = &bad_disk.disk;
    open_store(fx);
    try_rows(fx, &truth, 600);
    sr_store_stats(fx->store, &before);
    bad_disk_fail_all(1 << CALL_OPEN | 1 << CALL_FALLOCATE, ENOSPC);
    try_done(fx, &truth, 400);
    sr_store_stats(fx->store, &after);
    assert_true(after.disk_bytes < before.disk_bytes);
    expect_truth(fx, &truth, false);
    works_again(fx, &truth);
}

static void file_systems_without_fallocate_do(void **state)
{
    struct fixture *fx = *state;
    struct truth truth;

    for (int i = 0; i < 2; i++) {
        clear(&truth);
        snprintf(fx->dir, sizeof fx->dir, "%s/%d", fx->top, i);
        fx->options.disk = &bad_disk.disk;
        bad_disk_fail_all(1 << CALL_FALLOCATE, i ? EOPNOTSUPP : ENOSYS);
        open_store(fx);
        try_rows(fx, &truth, 500);
        try_done(fx, &truth, 333);
        expect_truth(fx, &truth, false);
        reopen(fx);
        assert_int_equal(fx->recovery.files_damaged, 0);
        try_rows(fx, &truth, 100);
        expect_truth(fx, &truth, false);
        assert_true(truth.accepted[600]);
        close_store(fx);
    }
}

/* --- a small one ------------------------------------------------------------------------ */

/* A disk with so much room, for blocks of 4 KiB; one that can reserve, or one that cannot. As with
 * ext4, what was reserved before the room ran out stays the file's until it is cut. */
static struct small_disk {
    struct sr_disk disk;
    atomic_int dir; /* the store's, whose thread opens files too; -1: not yet known */
    uint64_t room;
    int err; /* what it says when it is full */
    bool reserves;
} small_disk;

static uint64_t taken_in(int dir)
{
    int fd = dir < 0 ? -1 : openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *stream = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *entry;
    uint64_t sum = 0;
    struct stat st;

    while (stream && (entry = readdir(stream)) != NULL)
        if (fstatat(dir, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISREG(st.st_mode))
            sum += (uint64_t)st.st_blocks * 512;
    if (stream)
        closedir(stream);
    return sum;
}

static int small_open(void *arg, int dir, const char *name, int flags, mode_t mode)
{
    small_disk.dir = dir;
    return sr_system_disk.open(arg, dir, name, flags, mode);
}

/* What it has after the file has been made `len` bytes long at least; false: that is too much. */
static bool has_room(int fd, off_t len)
{
    struct stat st;
    uint64_t more;

    if (fstat(fd, &st))
        return false;
    more = (uint64_t)(len + 4095) / 4096 * 4096;
    more =
        more > (uint64_t)st.st_blocks * 512 ? more - (uint64_t)st.st_blocks * 512 : 0;
    return taken_in(small_disk.dir) + more <= small_disk.room;
}

static int small_fallocate(void *arg, int fd, off_t len)
{
    struct stat st;

    if (!small_disk.reserves) {
        errno = EOPNOTSUPP;
        return -1;
    }
    if (has_room(fd, len))
        return sr_system_disk.fallocate(arg, fd, len);
    if (fstat(fd, &st) == 0)
        sr_system_disk.fallocate(arg, fd,
                                 (off_t)(st.st_blocks * 512 + (off_t)small_disk.room -
                                         (off_t)taken_in(small_disk.dir)));
    errno = small_disk.err;
    return -1;
}

static ssize_t small_pwritev(void *arg, int fd, const struct iovec *parts, int count,
                             off_t offset)
{
    off_t end = offset;

    for (int i = 0; i < count; i++)
        end += (off_t)parts[i].iov_len;
    if (has_room(fd, end))
        return sr_system_disk.pwritev(arg, fd, parts, count, offset);
    errno = small_disk.err;
    return -1;
}

static void use_small_disk(struct fixture *fx, uint64_t room, int err, bool reserves)
{
    small_disk = (struct small_disk){ fx->quick, -1, room, err, reserves };
    small_disk.disk.open = small_open;
    small_disk.disk.fallocate = small_fallocate;
    small_disk.disk.pwritev = small_pwritev;
    fx->options.disk = &small_disk.disk;
    fx->options.cap = 16 * MIB;
}

/* All but two grains, and what segments begin with, is for rows. */
static void a_partition_smaller_than_a_segment_is_used(void **state)
{
    static const uint64_t rooms[] = { 16 * KIB,  20 * KIB,  36 * KIB,  100 * KIB,
                                      284 * KIB, 900 * KIB, 1500 * KIB };
    struct fixture *fx = *state;
    char top[sizeof fx->dir];

    snprintf(top, sizeof top, "%s", fx->top);
    for (size_t i = 0; i < 4 * (sizeof rooms / sizeof *rooms); i++) {
        uint64_t room = rooms[i / 4];
        struct sr_store_stats stats;
        uint64_t last;

        snprintf(fx->dir, sizeof fx->dir, "%.60s/%zu", top, i);
        use_small_disk(fx, room, i & 1 ? EDQUOT : ENOSPC, i & 2);
        open_store(fx);
        assert_int_equal(put_until_refused(fx), SR_E_IO);
        sr_store_stats(fx->store, &stats);
        assert_true(stats.rows > 0);
        assert_true(stats.bytes + 24 * stats.rows + 40 * KIB > room);
        assert_int_equal(taken_in(small_disk.dir), stats.disk_bytes);
        last = sr_store_next_seq(fx->store) - 1;
        expect_rows(fx, 1, last);
        reopen(fx);
        assert_string_equal(fx->recovery.note, "");
        expect_rows(fx, 1, last);
        close_store(fx);
    }
}

static void what_was_wanted_is_told_and_more_is_taken_when_there_is_room(void **state)
{
    struct fixture *fx = *state;
    struct sr_store_stats before, after;
    uint64_t last;

    use_small_disk(fx, 284 * KIB, ENOSPC, true);
    open_store(fx);
    assert_int_equal(put_until_refused(fx), SR_E_IO);
    assert_non_null(strstr(sr_store_error(fx->store),
                           ".seg: cannot reserve 1024 KiB, nor 32: No space left"));
    last = sr_store_next_seq(fx->store) - 1;
    sr_store_done(fx->store, 1, 10); /* the last 16 KiB are for that */
    reopen(fx);
    expect_rows(fx, 11, last);

    sr_store_stats(fx->store, &before);
    small_disk.room = 4 * MIB;
    put_rows(fx, 1);
    sr_store_stats(fx->store, &after);
    assert_true(after.disk_bytes >= before.disk_bytes + MIB - 16 * KIB);
    expect_rows(fx, 11, last + 1);
}

/* --- a real one that is full: a tmpfs of 900 KiB, if a namespace of our own is to be had --- */

/* Root of a namespace with mounts of its own. */
static bool leave(void)
{
    char map[64];
    uid_t uid = getuid();
    int fd;

    if (unshare(CLONE_NEWNS)) {
        if (unshare(CLONE_NEWUSER | CLONE_NEWNS))
            return false;
        fd = open("/proc/self/uid_map", O_WRONLY | O_CLOEXEC);
        snprintf(map, sizeof map, "0 %u 1", (unsigned)uid);
        if (fd < 0 || write(fd, map, strlen(map)) < 0)
            return false;
        close(fd);
    }
    return mount("none", "/", "none", MS_REC | MS_PRIVATE, "") == 0;
}

static void fill_up(const char *path)
{
    static const char bytes[4096];
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    while (write(fd, bytes, sizeof bytes) > 0)
        ;
    close(fd);
}

/* In a process of its own, that asserts nothing. Returns 77 if it may not, the line of what is
 * wrong, or 0. */
#define check(condition)              \
    do                                \
        if (!(condition))             \
            return __LINE__ % 70 + 1; \
    while (0)

static int in_tiny_tmpfs(struct fixture *fx)
{
    struct sr_store_stats stats;
    char path[400];
    uint64_t last;
    int rc = -1;

    if (!leave() || mount("none", fx->top, "tmpfs", 0, "size=900k,mode=700"))
        return 77;
    snprintf(path, sizeof path, "%s/filler", fx->top);
    fx->options.cap = 16 * MIB; /* more than there is */
    snprintf(fx->dir, sizeof fx->dir, "%s/half", fx->top);
    check(try_open(fx) == 0 && append(fx, 1) == 0);
    sr_store_stats(fx->store, &stats);
    check(stats.disk_bytes == 512 * KIB);
    close_store(fx);
    snprintf(fx->dir, sizeof fx->dir, "%s/outbox", fx->top);
    fx->options.cap = 512 * KIB;
    check(try_open(fx) == 0);
    for (uint64_t seq = 1; seq <= 1000; seq++)
        check(append(fx, seq) == 0);
    fill_up(path);
    for (last = 1000; append(fx, last + 1) == 0;
         last++) /* what is reserved is used up */
        ;
    check(append(fx, last + 1) == SR_E_IO);
    check(strstr(sr_store_error(fx->store), "No space left"));
    sr_store_done(fx->store, 1, 900);
    for (int i = 0; i < 1000 && rc; i++) { /* where those were, once they are closed */
        rc = append(fx, last + 1);
        usleep(1000);
    }
    check(rc == 0);
    unlink(path);
    close_store(fx);
    check(try_open(fx) == 0);
    check(fx->recovery.rows == last + 1 - 900 && fx->recovery.files_damaged == 0);
    check(sr_store_next_seq(fx->store) == last + 2);
    check(append(fx, last + 2) == 0);
    close_store(fx);
    return 0;
}

static void a_tiny_tmpfs_fills_up_and_gets_room_again(void **state)
{
    pid_t pid = fork();
    int status;

    if (pid == 0)
        _exit(in_tiny_tmpfs(*state));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77)
        print_message("no namespace to mount in: the injected ENOSPC has to do\n");
    else
        assert_int_equal(WEXITSTATUS(status), 0); /* the line, modulo 70, plus 1 */
}

/* --- power ----------------------------------------------------------------------------------- */

/* A disk that remembers what has reached the medium. Files have 512-byte sectors, and each that
 * was written to since the last sync may be the old or the new one when the power goes; a
 * sync that fails loses them for good, though reading still shows them. */
enum { SECTOR = 512, FILE_MAX = 192 * KIB, SECTORS = FILE_MAX / SECTOR, INODES = 400 };

struct inode {
    ino_t number;
    uint8_t *now, *safe;
    size_t now_len, safe_len;
    bool dirty[SECTORS];
};

struct link {
    char name[64];
    int inode;
};

static struct machine {
    pthread_mutex_t lock;
    struct sr_disk disk;
    struct inode inodes[INODES];
    int count;
    struct link now[64], safe[64];
    size_t now_count, safe_count;
    bool syncs_fail;
    unsigned random;
} machine = { .lock = PTHREAD_MUTEX_INITIALIZER };

static unsigned chance(void)
{
    machine.random = machine.random * 1103515245 + 12345;
    return machine.random >> 16;
}

static struct inode *inode_of(int fd)
{
    struct stat st;

    if (fstat(fd, &st))
        return NULL;
    for (int i = machine.count; i-- > 0;)
        if (machine.inodes[i].number == st.st_ino)
            return &machine.inodes[i];
    return NULL;
}

static void new_inode(int fd, const char *name)
{
    struct inode *inode = &machine.inodes[machine.count];
    struct stat st;

    assert_true(machine.count < INODES && machine.now_count < 64);
    assert_int_equal(fstat(fd, &st), 0);
    *inode = (struct inode){ .number = st.st_ino };
    inode->now = calloc(1, FILE_MAX);
    inode->safe = calloc(1, FILE_MAX);
    assert_true(inode->now && inode->safe);
    snprintf(machine.now[machine.now_count].name, 64, "%s", name);
    machine.now[machine.now_count++].inode = machine.count++;
}

static int power_open(void *arg, int dir, const char *name, int flags, mode_t mode)
{
    bool there = faccessat(dir, name, F_OK, 0) == 0;
    int fd = sr_system_disk.open(arg, dir, name, flags, mode);

    pthread_mutex_lock(&machine.lock);
    if (fd >= 0 && !there)
        new_inode(fd, name);
    pthread_mutex_unlock(&machine.lock);
    return fd;
}

static void wrote(struct inode *inode, const void *bytes, size_t len, size_t offset)
{
    assert_true(offset + len <= FILE_MAX);
    memcpy(inode->now + offset, bytes, len);
    for (size_t at = offset / SECTOR; len > 0 && at <= (offset + len - 1) / SECTOR;
         at++)
        inode->dirty[at] = true;
    if (offset + len > inode->now_len)
        inode->now_len = offset + len;
}

static ssize_t power_pwritev(void *arg, int fd, const struct iovec *parts, int count,
                             off_t offset)
{
    ssize_t n = sr_system_disk.pwritev(arg, fd, parts, count, offset);
    size_t rest = n < 0 ? 0 : (size_t)n;

    pthread_mutex_lock(&machine.lock);
    for (int i = 0; i < count && rest > 0; i++) {
        size_t len = parts[i].iov_len < rest ? parts[i].iov_len : rest;

        wrote(inode_of(fd), parts[i].iov_base, len, (size_t)offset);
        offset += (off_t)len;
        rest -= len;
    }
    pthread_mutex_unlock(&machine.lock);
    return n;
}

static int power_fallocate(void *arg, int fd, off_t len)
{
    struct inode *inode;

    pthread_mutex_lock(&machine.lock);
    inode = inode_of(fd);
    if ((size_t)len > inode->now_len)
        inode->now_len = (size_t)len;
    pthread_mutex_unlock(&machine.lock);
    return sr_system_disk.fallocate(arg, fd, len);
}

static int power_ftruncate(void *arg, int fd, off_t len)
{
    struct inode *inode;

    pthread_mutex_lock(&machine.lock);
    inode = inode_of(fd);
    if ((size_t)len < inode->now_len)
        memset(inode->now + len, 0, inode->now_len - (size_t)len);
    inode->now_len = (size_t)len;
    pthread_mutex_unlock(&machine.lock);
    return sr_system_disk.ftruncate(arg, fd, len);
}

static int power_fdatasync(void *arg, int fd)
{
    struct inode *inode;
    int rc = 0;

    (void)arg;
    pthread_mutex_lock(&machine.lock);
    inode = inode_of(fd);
    for (size_t at = 0; at < SECTORS; at++) {
        if (inode->dirty[at] && !machine.syncs_fail)
            memcpy(inode->safe + at * SECTOR, inode->now + at * SECTOR, SECTOR);
        inode->dirty[at] = false;
    }
    if (machine.syncs_fail) {
        errno = EIO;
        rc = -1;
    } else {
        inode->safe_len = inode->now_len;
    }
    pthread_mutex_unlock(&machine.lock);
    return rc;
}

static struct link *find_link(struct link *links, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(links[i].name, name) == 0)
            return &links[i];
    return NULL;
}

static int power_unlink(void *arg, int dir, const char *name)
{
    int rc = sr_system_disk.unlink(arg, dir, name);
    struct link *link;

    pthread_mutex_lock(&machine.lock);
    link = find_link(machine.now, machine.now_count, name);
    if (rc == 0 && link)
        *link = machine.now[--machine.now_count];
    pthread_mutex_unlock(&machine.lock);
    return rc;
}

static int power_sync_dir(void *arg, int dir)
{
    (void)arg, (void)dir;
    pthread_mutex_lock(&machine.lock);
    memcpy(machine.safe, machine.now, sizeof machine.now);
    machine.safe_count = machine.now_count;
    pthread_mutex_unlock(&machine.lock);
    return 0;
}

static void power_on(struct fixture *fx, unsigned seed)
{
    machine.count = 0;
    machine.now_count = machine.safe_count = 0;
    machine.syncs_fail = false;
    machine.random = seed;
    machine.disk = sr_system_disk;
    machine.disk.open = power_open;
    machine.disk.pwritev = power_pwritev;
    machine.disk.fallocate = power_fallocate;
    machine.disk.ftruncate = power_ftruncate;
    machine.disk.fdatasync = power_fdatasync;
    machine.disk.unlink = power_unlink;
    machine.disk.sync_dir = power_sync_dir;
    fx->options.disk = &machine.disk;
}

static void power_off(void)
{
    for (int i = 0; i < machine.count; i++) {
        free(machine.inodes[i].now);
        free(machine.inodes[i].safe);
    }
    machine.count = 0;
}

static void save_inode(const struct inode *inode, const char *dir, const char *name)
{
    static uint8_t bytes[FILE_MAX];
    size_t len = chance() & 1 ? inode->now_len : inode->safe_len;

    memcpy(bytes, inode->safe, FILE_MAX);
    for (size_t at = 0; at < SECTORS; at++)
        if (inode->dirty[at] && chance() & 1)
            memcpy(bytes + at * SECTOR, inode->now + at * SECTOR, SECTOR);
    save_file_as(dir, name, bytes, len);
}

/* What may be on the medium at this moment. */
static void cut_power(const char *dir)
{
    pthread_mutex_lock(&machine.lock);
    for (size_t i = 0; i < machine.now_count; i++) {
        const struct link *link = &machine.now[i];

        if (find_link(machine.safe, machine.safe_count, link->name) || chance() & 1)
            save_inode(&machine.inodes[link->inode], dir, link->name);
    }
    for (size_t i = 0; i < machine.safe_count; i++) {
        const struct link *link = &machine.safe[i];

        if (!find_link(machine.now, machine.now_count, link->name) && chance() & 1)
            save_inode(&machine.inodes[link->inode], dir, link->name);
    }
    pthread_mutex_unlock(&machine.lock);
}

/* All rows that were committed and not done, and none that was never put; what was done before
 * the last commit does not come again. */
static void expect_after_power_cut(struct fixture *fx, uint64_t done,
                                   uint64_t safe_done, uint64_t committed, uint64_t put)
{
    static unsigned run;
    static uint64_t numbers[MAX_ROWS];
    struct fixture after = *fx;
    size_t count, k = 0;

    snprintf(after.dir, sizeof after.dir, "%s/cut%u", fx->top, run++);
    mkdir(after.dir, 0700);
    cut_power(after.dir);
    after.options.disk = &after.quick;
    after.store = NULL;
    open_store(&after);
    count = read_all(&after, numbers, MAX_ROWS);
    while (k < count && numbers[k] <= done)
        assert_true(numbers[k++] > safe_done);
    for (uint64_t seq = done + 1; seq <= committed; seq++) {
        if (k == count || numbers[k] != seq)
            fail_msg("row %llu of %llu committed ones is missing; %s",
                     (unsigned long long)seq, (unsigned long long)committed,
                     after.recovery.note);
        k++;
    }
    for (; k < count; k++)
        assert_true(numbers[k] <= put);
    assert_true(sr_store_next_seq(after.store) > committed);
    put_rows(&after, 1);
    close_store(&after);
}

static void live_dangerously(struct fixture *fx, unsigned seed, bool syncs_fail)
{
    uint64_t done = 0, safe_done = 0, committed = 0, put = 0;

    snprintf(fx->dir, sizeof fx->dir, "%s/live%u%d", fx->top, seed, syncs_fail);
    power_on(fx, seed);
    fx->options.sync = SR_SYNC_ROW;
    open_store(fx);
    for (int step = 0; step < 400; step++) {
        unsigned what = chance() % 100;

        if (what < 70) {
            int rc = append(fx, sr_store_next_seq(fx->store));

            if (rc == SR_E_FULL)
                what = 80;
            put = sr_store_next_seq(fx->store) - 1;
        }
        if (what >= 70 && what < 78 && sr_store_commit(fx->store, put) == 0 &&
            put > committed) {
            committed = put;
            safe_done = done;
        } else if (what >= 78 && what < 84) {
            uint64_t most = done + 1 + chance() % 60;

            done = most < committed ? most : committed;
            sr_store_done(fx->store, 0, done);
        } else if (what == 84 && !machine.syncs_fail) {
            reopen(fx);
        } else if (what == 85 && syncs_fail) {
            machine.syncs_fail = !machine.syncs_fail;
        } else if (what >= 94) {
            expect_after_power_cut(fx, done, safe_done, committed, put);
        }
    }
    machine.syncs_fail = false;
    close_store(fx);
    power_off();
}

static void power_may_go_between_any_two_writes(void **state)
{
    for (unsigned seed = 1; seed <= 8; seed++)
        live_dangerously(*state, seed, false);
}

/* A sync that failed, and a next one that says that all is well. */
static void power_may_go_after_failing_syncs(void **state)
{
    for (unsigned seed = 1; seed <= 8; seed++)
        live_dangerously(*state, seed, true);
}

#define test(function) \
    cmocka_unit_test_setup_teardown(function, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(any_single_call_may_fail),
        test(any_call_may_be_the_first_of_many_that_fail),
        test(the_disk_may_fill_up_at_any_moment_and_for_ever),
        test(a_failing_sync_is_told_to_those_who_wait),
        test(a_full_disk_lets_go_of_what_is_done),
        test(file_systems_without_fallocate_do),
        test(a_partition_smaller_than_a_segment_is_used),
        test(what_was_wanted_is_told_and_more_is_taken_when_there_is_room),
        test(a_tiny_tmpfs_fills_up_and_gets_room_again),
        test(power_may_go_between_any_two_writes),
        test(power_may_go_after_failing_syncs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
