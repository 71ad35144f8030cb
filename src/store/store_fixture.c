/* SPDX-License-Identifier: MIT */
#include "store/store_fixture.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- the store ------------------------------------------------------------------- */

static int no_sync(void *arg, int fd)
{
    (void)arg, (void)fd;
    return 0;
}

int fixture_setup(void **state)
{
    struct fixture *fx = calloc(1, sizeof *fx);

    if (!fx)
        return -1;
    strcpy(fx->top,
           "/dev/shm/smartrest-store-XXXXXX"); /* fast, if there is such a thing */
    if (!mkdtemp(fx->top)) {
        strcpy(fx->top, "/tmp/smartrest-store-XXXXXX");
        if (!mkdtemp(fx->top))
            return -1;
    }
    snprintf(fx->dir, sizeof fx->dir, "%s/outbox", fx->top);
    fx->options = (struct sr_store_options){ .cap = SR_STORE_CAP_MIN,
                                             .sync = SR_SYNC_BATCH,
                                             .sync_ms = 1000 };
    fx->quick = sr_system_disk;
    fx->quick.fdatasync = fx->quick.sync_dir = no_sync;
    bad_disk_reset();
    *state = fx;
    return 0;
}

static int remove_entry(const char *path, const struct stat *st, int type,
                        struct FTW *where)
{
    (void)st, (void)type, (void)where;
    return remove(path);
}

int fixture_teardown(void **state)
{
    struct fixture *fx = *state;

    bad_disk_works();
    sr_store_close(fx->store);
    chmod(fx->dir, 0700);
    nftw(fx->top, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    free(fx);
    return 0;
}

int try_open(struct fixture *fx)
{
    memset(fx->why, 'x', sizeof fx->why);
    return sr_store_open(fx->dir, &fx->options, &fx->store, &fx->recovery, fx->why,
                         sizeof fx->why);
}

void open_store(struct fixture *fx)
{
    int rc = try_open(fx);

    if (rc)
        fail_msg("not opened: %s", fx->why);
}

void close_store(struct fixture *fx)
{
    sr_store_close(fx->store);
    fx->store = NULL;
}

void reopen(struct fixture *fx)
{
    close_store(fx);
    open_store(fx);
}

/* --- rows -------------------------------------------------------------------------- */

size_t row_text(uint64_t seq, char text[400])
{
    size_t pad = seq * 7919 % 150;
    int len = snprintf(text, 400, "200,%llu,", (unsigned long long)seq);

    memset(text + len, 'a' + (int)(seq % 26), pad);
    return (size_t)len + pad;
}

struct sr_entry row_entry(uint64_t seq, char text[400])
{
    size_t len = row_text(seq, text);

    return (struct sr_entry){
        .seq = seq,
        .prio = (int)(seq % 256),
        .ttl_s = (uint32_t)(seq * 3),
        .put = {.wall_ms = (int64_t)seq * 1000 - 5000,
                .boot_ms = seq,
                .boot_tag = 77},
        .row = text,
        .len = len,
    };
}

int append(struct fixture *fx, uint64_t seq)
{
    char text[400];
    struct sr_entry entry = row_entry(seq, text);

    return sr_store_append(fx->store, &entry);
}

void put_rows(struct fixture *fx, unsigned count)
{
    while (count--) {
        int rc = append(fx, sr_store_next_seq(fx->store));

        if (rc)
            fail_msg("append: %d, %s", rc, sr_store_error(fx->store));
    }
}

int put_until_refused(struct fixture *fx)
{
    int rc;

    do
        rc = append(fx, sr_store_next_seq(fx->store));
    while (rc == 0);
    return rc;
}

static void check_row(const struct sr_entry *entry)
{
    char text[400];
    struct sr_entry wanted = row_entry(entry->seq, text);

    assert_int_equal(entry->len, wanted.len);
    assert_memory_equal(entry->row, wanted.row, wanted.len);
    assert_int_equal(entry->prio, wanted.prio);
    assert_int_equal(entry->ttl_s, wanted.ttl_s);
    assert_int_equal(entry->put.wall_ms, wanted.put.wall_ms);
    assert_int_equal(entry->put.boot_ms, wanted.put.boot_ms);
    assert_int_equal(entry->put.boot_tag, wanted.put.boot_tag);
}

size_t read_all(struct fixture *fx, uint64_t *ret_numbers, size_t max)
{
    struct sr_entry entry;
    uint64_t from = 0;
    size_t count = 0;

    while (sr_store_next(fx->store, from, &entry) == 0) {
        assert_true(entry.seq >= from);
        check_row(&entry);
        from = entry.seq + 1;
        if (count < max)
            ret_numbers[count] = entry.seq;
        count++;
    }
    return count;
}

void expect_rows_at(struct fixture *fx, uint64_t first, uint64_t last, const char *file,
                    int line)
{
    static uint64_t numbers[200000];
    size_t count = read_all(fx, numbers, 200000);
    struct sr_store_stats stats;
    uint64_t bytes = 0;
    char text[400];

    if (count != last + 1 - first) {
        print_error("%zu rows instead of %llu\n", count,
                    (unsigned long long)(last + 1 - first));
        _fail(file, line);
    }
    for (size_t i = 0; i < count; i++) {
        bytes += row_text(first + i, text);
        if (numbers[i] != first + i) {
            print_error("row %llu instead of %llu\n", (unsigned long long)numbers[i],
                        (unsigned long long)(first + i));
            _fail(file, line);
        }
    }
    sr_store_stats(fx->store, &stats);
    if (stats.rows != count || stats.bytes != bytes) {
        print_error("counted: %llu rows, %llu bytes\n", (unsigned long long)stats.rows,
                    (unsigned long long)stats.bytes);
        _fail(file, line);
    }
}

/* --- files ------------------------------------------------------------------------------ */

struct bytes load_file(const char *dir, const char *name)
{
    struct bytes file = { .len = 0 };
    char path[400];
    struct stat st;
    int fd;

    snprintf(path, sizeof path, "%s/%s", dir, name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &st), 0);
    file.len = (size_t)st.st_size;
    file.bytes = malloc(file.len + 1);
    assert_non_null(file.bytes);
    assert_int_equal(pread(fd, file.bytes, file.len, 0), file.len);
    close(fd);
    return file;
}

void save_file_as(const char *dir, const char *name, const void *bytes, size_t len)
{
    char path[400];
    int fd;

    snprintf(path, sizeof path, "%s/%s", dir, name);
    mkdir(dir, 0700);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, len), len);
    close(fd);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(a, b);
}

size_t list_files(const char *dir, const char *end, char names[][64], size_t max)
{
    DIR *stream = opendir(dir);
    const struct dirent *entry;
    size_t count = 0;

    while (stream && (entry = readdir(stream)) != NULL) {
        size_t len = strlen(entry->d_name);

        if (entry->d_name[0] == '.' || len < strlen(end) || len >= 64 ||
            strcmp(entry->d_name + len - strlen(end), end) != 0)
            continue;
        assert_true(count < max);
        strcpy(names[count++], entry->d_name);
    }
    if (stream)
        closedir(stream);
    qsort(names, count, sizeof *names, by_name);
    return count;
}

bool has_file(const char *dir, const char *name)
{
    char path[400];

    snprintf(path, sizeof path, "%s/%s", dir, name);
    return access(path, F_OK) == 0;
}

void copy_dir(const char *from, const char *to)
{
    char names[64][64];
    size_t count = list_files(from, "", names, 64);

    mkdir(to, 0700);
    for (size_t i = 0; i < count; i++) {
        struct bytes file = load_file(from, names[i]);

        save_file_as(to, names[i], file.bytes, file.len);
        free(file.bytes);
    }
}

/* --- the bad disk -------------------------------------------------------------------------- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* 0 or the errno it fails with. */
static int fate_if(enum call call, bool needs_room)
{
    int err = 0;

    pthread_mutex_lock(&lock);
    bad_disk.count[call]++;
    if (bad_disk.kinds & 1u << call && ++bad_disk.seen >= bad_disk.from &&
        bad_disk.seen <= bad_disk.to && (needs_room || bad_disk.err != ENOSPC)) {
        bad_disk.failed++;
        err = bad_disk.err;
    }
    pthread_mutex_unlock(&lock);
    errno = err;
    return err;
}

static int fate(enum call call)
{
    return fate_if(call, true);
}

static int bad_open(void *arg, int dir, const char *name, int flags, mode_t mode)
{
    return fate_if(CALL_OPEN, flags & O_CREAT)
               ? -1
               : sr_system_disk.open(arg, dir, name, flags, mode);
}

static ssize_t bad_pread(void *arg, int fd, void *bytes, size_t len, off_t offset)
{
    return fate(CALL_PREAD) ? -1 : sr_system_disk.pread(arg, fd, bytes, len, offset);
}

static ssize_t bad_pwritev(void *arg, int fd, const struct iovec *parts, int count,
                           off_t offset)
{
    int err = fate(CALL_WRITE);

    if (!err)
        return sr_system_disk.pwritev(arg, fd, parts, count, offset);
    if (pwrite(fd, parts[0].iov_base, parts[0].iov_len / 2, offset) < 0)
        return -1;
    errno = err;
    return -1;
}

static int bad_fdatasync(void *arg, int fd)
{
    (void)arg, (void)fd; /* the machine stays on */
    return fate(CALL_FDATASYNC) ? -1 : 0;
}

static int bad_fallocate(void *arg, int fd, off_t len)
{
    return fate(CALL_FALLOCATE) ? -1 : sr_system_disk.fallocate(arg, fd, len);
}

static int bad_ftruncate(void *arg, int fd, off_t len)
{
    return fate(CALL_FTRUNCATE) ? -1 : sr_system_disk.ftruncate(arg, fd, len);
}

static int bad_rename(void *arg, int dir, const char *from, const char *to)
{
    return fate(CALL_RENAME) ? -1 : sr_system_disk.rename(arg, dir, from, to);
}

static int bad_unlink(void *arg, int dir, const char *name)
{
    return fate(CALL_UNLINK) ? -1 : sr_system_disk.unlink(arg, dir, name);
}

static int bad_sync_dir(void *arg, int dir)
{
    (void)arg, (void)dir;
    return fate(CALL_SYNC_DIR) ? -1 : 0;
}

struct bad_disk bad_disk = {
    .disk = {.open = bad_open,
             .pread = bad_pread,
             .pwritev = bad_pwritev,
             .fdatasync = bad_fdatasync,
             .fallocate = bad_fallocate,
             .ftruncate = bad_ftruncate,
             .rename = bad_rename,
             .unlink = bad_unlink,
             .sync_dir = bad_sync_dir},
};

void bad_disk_fail(unsigned kinds, unsigned from, unsigned to, int err)
{
    pthread_mutex_lock(&lock);
    bad_disk.kinds = kinds;
    bad_disk.seen = 0;
    bad_disk.from = from;
    bad_disk.to = to;
    bad_disk.err = err;
    pthread_mutex_unlock(&lock);
}

void bad_disk_fail_all(unsigned kinds, int err)
{
    bad_disk_fail(kinds, 0, FOR_EVER, err);
}

void bad_disk_works(void)
{
    bad_disk_fail(0, 1, 0, 0);
}

void bad_disk_reset(void)
{
    bad_disk_works();
    pthread_mutex_lock(&lock);
    bad_disk.failed = 0;
    memset(bad_disk.count, 0, sizeof bad_disk.count);
    pthread_mutex_unlock(&lock);
}

unsigned bad_disk_count(enum call call)
{
    unsigned count = 0;

    pthread_mutex_lock(&lock);
    for (int i = 0; i < CALLS; i++)
        if (call == CALLS || call == (enum call)i)
            count += bad_disk.count[i];
    pthread_mutex_unlock(&lock);
    return count;
}
