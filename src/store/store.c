/* SPDX-License-Identifier: MIT */
/* The log as it is written: the last segment grows; when it is full the next one is begun,
 * and those that have no live rows any more are removed. Each begins with a snapshot of what is
 * done and lost, and so does whatever changes that add one: the last one in the log holds.
 *
 * Here: opened and closed, and what there is to know about it. */
#include "store/store_p.h"

#include "base/fd.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { PROBED_MAX = 500, PROBED_NS = 2 * 1000 * 1000 }; /* a second at most */

/* --- open and close -------------------------------------------------------- */

/* Makes it if only its last part is missing. That its parent knows it has to be on the medium,
 * too. Returns the descriptor or -1 and errno. */
static int open_dir(const char *dir)
{
    const char *last = strrchr(dir, '/');
    char *parent;
    int fd, made = mkdir(dir, 0700), why = errno;

    if (made == 0) {
        parent = last && last > dir ? strndup(dir, (size_t)(last - dir)) : NULL;
        fd = sr_fd_open(parent ? parent : last ? "/" : ".", O_RDONLY | O_DIRECTORY, 0);
        if (fd >= 0) {
            fsync(fd);
            close(fd);
        }
        free(parent);
    }
    fd = sr_fd_open(dir, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0 && errno == ENOENT && made)
        errno = why; /* that it is not there is not news: it is why it cannot be made */
    return fd;
}

/* Is it only that somebody looks whether the directory is free? That takes a shared lock for a
 * moment, see remove.c. errno becomes EWOULDBLOCK. */
static bool is_probed(int fd)
{
    bool shared = errno == EWOULDBLOCK && flock(fd, LOCK_SH | LOCK_NB) == 0;

    if (shared)
        flock(fd, LOCK_UN);
    errno = EWOULDBLOCK;
    return shared;
}

/* Locks are of the open file: a second store of this process gets none either. Returns 0 or -1
 * and errno. */
static int lock_fd(int fd)
{
    int probed = 0;

    while (flock(fd, LOCK_EX | LOCK_NB)) {
        if (errno == EINTR)
            continue;
        if (errno != EWOULDBLOCK || probed++ == PROBED_MAX || !is_probed(fd))
            return -1;
        nanosleep(&(struct timespec){ .tv_nsec = PROBED_NS }, NULL);
    }
    return 0;
}

static int say_busy(struct sr_store *store)
{
    snprintf(store->error->text, sizeof store->error->text,
             "%s: another agent uses this directory", store->dir_name);
    return SR_E_BUSY;
}

/* Of the directory, since a lock file can be removed under us; and of the lock file, for agents
 * that know of nothing else, and where directories cannot be locked (between the clients of an
 * NFS server, for one). */
static int take_lock(struct sr_store *store)
{
    store->owner = getpid();
    if (lock_fd(store->dir) && errno == EWOULDBLOCK)
        return say_busy(store);
    store->lock = store->disk->open(store->disk->arg, store->dir, SR_STORE_LOCK_NAME,
                                    O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (store->lock < 0)
        return sr_store_fail(store, SR_STORE_LOCK_NAME, "cannot open", errno);
    if (lock_fd(store->lock) == 0)
        return 0;
    if (errno == EWOULDBLOCK)
        return say_busy(store);
    return sr_store_fail(store, SR_STORE_LOCK_NAME, "cannot lock", errno);
}

/* Closing is not enough when a child that was forked still has the descriptors. A child that
 * closes its copy of the store has no business with its parent's locks. */
static void give_lock_back(const struct sr_store *store)
{
    if (store->owner != getpid())
        return;
    if (store->lock >= 0)
        flock(store->lock, LOCK_UN);
    if (store->dir >= 0)
        flock(store->dir, LOCK_UN);
}

static int allocate(const char *dir, const struct sr_store_options *options,
                    struct sr_store **ret_store)
{
    struct sr_store *store = calloc(1, sizeof *store);

    if (!store)
        return SR_E_NOMEM;
    *ret_store = store;
    store->dir = store->lock = store->window.fd = -1;
    store->disk = options->disk ? options->disk : &sr_system_disk;
    store->policy = options->sync;
    store->sync_ms = options->sync_ms;
    store->boot_tag = options->boot_tag;
    store->next_seq = store->next_number = 1;
    sr_store_set_cap(store, options->cap);
    store->dir_name = strdup(dir);
    store->error = calloc(1, sizeof *store->error);
    return store->dir_name && store->error ? sr_sync_init(store) : SR_E_NOMEM;
}

static int open_files(struct sr_store *store, struct sr_store_recovery *recovery)
{
    int rc;

    store->dir = open_dir(store->dir_name);
    if (store->dir < 0) {
        snprintf(store->error->text, sizeof store->error->text, "%s: %s",
                 store->dir_name, strerror(errno));
        return SR_E_IO;
    }
    rc = take_lock(store);
    if (!rc)
        rc = sr_store_recover(store, recovery);
    if (!rc)
        rc = sr_sync_start(store);
    return rc;
}

static void release(struct sr_store *store)
{
    if (!store)
        return;
    sr_sync_release(store);
    sr_store_forget_window(store, 0);
    while (store->count > 0)
        sr_store_drop_segment(store, store->count - 1);
    for (size_t i = 0; i < store->named_count; i++)
        free(store->named[i].name);
    free(store->named);
    free(store->segments);
    free(store->window.bytes);
    give_lock_back(store);
    if (store->lock >= 0)
        close(store->lock);
    if (store->dir >= 0)
        close(store->dir);
    free(store->dir_name);
    free(store->error);
    free(store);
}

int sr_store_open(const char *dir, const struct sr_store_options *options,
                  struct sr_store **ret_store, struct sr_store_recovery *ret_recovery,
                  char *why, size_t why_size)
{
    struct sr_store_recovery recovery = { .rows = 0 };
    struct sr_store *store = NULL;
    int rc = allocate(dir, options, &store);

    if (!rc)
        rc = open_files(store, &recovery);
    if (why)
        snprintf(why, why_size, "%s",
                 !rc                                            ? ""
                 : store && store->error && *store->error->text ? store->error->text
                                                                : sr_strerror(rc));
    if (rc) {
        release(store);
        return rc;
    }
    store->error->text[0] = '\0';
    *ret_store = store;
    if (ret_recovery)
        *ret_recovery = recovery;
    return 0;
}

void sr_store_close(struct sr_store *store)
{
    if (!store)
        return;
    sr_store_heal(store);
    if (store->snapshot_due)
        sr_store_write_snapshot(store);
    sr_sync_now(store);
    release(store);
}

/* --- settings and figures -------------------------------------------------- */

void sr_store_set_losses(struct sr_store *store, const struct sr_losses *losses)
{
    store->losses = *losses;
    sr_store_write_snapshot(store);
}

void sr_store_losses(const struct sr_store *store, struct sr_losses *ret_losses)
{
    *ret_losses = store->losses;
}

uint64_t sr_store_next_seq(const struct sr_store *store)
{
    return store->next_seq;
}

bool sr_store_oldest(const struct sr_store *store, uint64_t *ret_first,
                     uint64_t *ret_last)
{
    for (size_t i = 0; i < store->count; i++) {
        if (store->segments[i].live == 0)
            continue;
        *ret_first = store->segments[i].first;
        *ret_last = store->segments[i].last;
        return true;
    }
    return false;
}

void sr_store_set_cap(struct sr_store *store, uint64_t cap)
{
    store->cap = cap < SR_STORE_CAP_MIN ? SR_STORE_CAP_MIN : cap;
}

static uint64_t syncs_of(struct sync *sync)
{
    uint64_t syncs;

    pthread_mutex_lock(&sync->lock);
    syncs = sync->syncs;
    pthread_mutex_unlock(&sync->lock);
    return syncs;
}

void sr_store_stats(const struct sr_store *store, struct sr_store_stats *ret_stats)
{
    struct sr_store_stats stats = { .syncs = syncs_of(store->sync),
                                    .disk_bytes = sr_store_on_disk(store->spare_size) };

    for (size_t i = 0; i < store->count; i++) {
        stats.rows += store->segments[i].live;
        stats.bytes += store->segments[i].live_bytes;
        stats.disk_bytes += sr_store_on_disk(store->segments[i].size);
    }
    *ret_stats = stats;
}

bool sr_store_disk_full(const struct sr_store *store)
{
    int err = *store->error->text ? store->error->err : 0;

    return err == ENOSPC || err == EDQUOT;
}

const char *sr_store_error(const struct sr_store *store)
{
    struct sync *sync = store->sync;
    uint64_t number;
    int err;

    pthread_mutex_lock(&sync->lock);
    err = sync->failed;
    number = sync->failed_number;
    pthread_mutex_unlock(&sync->lock);
    if (err && !store->error->text[0])
        sr_store_fail_segment(store, number, "cannot sync", err);
    return store->error->text;
}
