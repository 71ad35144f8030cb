/* SPDX-License-Identifier: MIT */
/* Who calls fdatasync, and when. One at a time: the store's thread, or the first of those who
 * wait in sr_store_commit(); the others wait for him. What is written while he is at it has
 * its turn after.
 *
 * After an fdatasync that failed, the kernel may have thrown the pages away and forgotten
 * that; the next one would say that all is well. So nothing is synced until heal.c has
 * written the rows anew, to other files: sr_sync_failed(), sr_sync_retry(). */
#include "store/store_p.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

uint64_t sr_store_now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* --- one sync ------------------------------------------------------------------------ */

/* All that has to be synced, taken out of the shared part. */
struct job {
    struct unsynced *files;
    size_t count;
    int active;
    uint64_t number;
    bool dir;
    uint64_t mark;
};

static struct job take_job(struct sync *sync)
{
    struct job job = {
        .files = sync->files,
        .count = sync->file_count,
        .active = sync->active_dirty ? sync->active : -1,
        .number = sync->number,
        .dir = sync->dir_dirty,
        .mark = sync->appended,
    };

    sync->files = NULL;
    sync->file_count = sync->file_room = 0;
    sync->active_dirty = sync->dir_dirty = false;
    sync->due_ms = SR_NEVER;
    return job;
}

static int sync_file(struct sr_store *store, int fd)
{
    while (store->disk->fdatasync(store->disk->arg, fd))
        if (errno != EINTR)
            return errno;
    return 0;
}

/* Opens it first if it is not; one that is gone needs no sync. */
static int sync_unsynced(struct sr_store *store, const struct unsynced *file)
{
    char name[SR_SEGMENT_NAME_MAX];
    int fd = file->fd, err;

    if (fd < 0) {
        sr_store_name(name, file->number);
        fd = sr_store_reopen(store, name, O_RDONLY);
        if (fd < 0)
            return errno == ENOENT ? 0 : errno;
    }
    err = sync_file(store, fd);
    close(fd);
    return err;
}

/* Some file systems cannot sync a directory, and say so by EINVAL. */
static int sync_dir(struct sr_store *store)
{
    while (store->disk->sync_dir(store->disk->arg, store->dir))
        if (errno != EINTR)
            return errno == EINVAL || errno == ENOTSUP ? 0 : errno;
    return 0;
}

/* Returns 0 or errno, and the file it is about. Closes the files in any case. */
static int do_job(struct sr_store *store, struct job *job, uint64_t *ret_number)
{
    int first = 0, err;

    for (size_t i = 0; i < job->count; i++) {
        err = sync_unsynced(store, &job->files[i]);
        if (err && !first) {
            first = err;
            *ret_number = job->files[i].number;
        }
    }
    free(job->files);
    err = !first && job->active >= 0 ? sync_file(store, job->active) : 0;
    if (err)
        *ret_number = job->number;
    if (!first && !err && job->dir) {
        err = sync_dir(store);
        *ret_number = job->number;
    }
    return first ? first : err;
}

static bool anything(const struct sync *sync)
{
    return sync->file_count > 0 || sync->active_dirty || sync->dir_dirty ||
           sync->synced < sync->appended;
}

static void remove_file(struct sync *sync, size_t index)
{
    if (sync->files[index].fd >= 0)
        close(sync->files[index].fd);
    sync->files[index] = sync->files[--sync->file_count];
}

static void close_gone(struct sync *sync)
{
    sync->busy = -1;
    for (size_t i = sync->file_count; i-- > 0;)
        if (sync->files[i].gone)
            remove_file(sync, i);
}

/* With the lock, which is free meanwhile. */
static void run(struct sr_store *store)
{
    struct sync *sync = store->sync;
    struct job job = take_job(sync);
    uint64_t number = 0;
    int err;

    sync->running = true;
    sync->busy = job.active;
    pthread_mutex_unlock(&sync->lock);
    err = do_job(store, &job, &number);
    pthread_mutex_lock(&sync->lock);
    sync->running = false;
    close_gone(sync);
    sync->syncs++;
    sync->next_ms = sr_store_now_ms() + store->sync_ms;
    if (err) {
        sync->failed = err;
        sync->failed_number = number;
    } else if (job.mark > sync->synced) {
        sync->synced = job.mark;
    }
    pthread_cond_broadcast(&sync->over);
}

/* --- those who wait for it -------------------------------------------------------------- */

int sr_store_commit(struct sr_store *store, uint64_t seq)
{
    struct sync *sync = store->sync;
    int rc = 0;

    if (store->policy != SR_SYNC_ROW)
        return 0;
    pthread_mutex_lock(&sync->lock);
    if (seq > sync->appended)
        seq = sync->appended;
    while (sync->synced < seq && !sync->failed)
        if (sync->running)
            pthread_cond_wait(&sync->over, &sync->lock);
        else
            run(store);
    if (sync->synced < seq)
        rc = SR_E_IO;
    pthread_mutex_unlock(&sync->lock);
    return rc;
}

int sr_sync_now(struct sr_store *store)
{
    struct sync *sync = store->sync;
    int rc;

    pthread_mutex_lock(&sync->lock);
    while (sync->running)
        pthread_cond_wait(&sync->over, &sync->lock);
    if (!sync->failed && anything(sync))
        run(store);
    rc = sync->failed ? SR_E_IO : 0;
    pthread_mutex_unlock(&sync->lock);
    return rc;
}

/* --- the thread --------------------------------------------------------------------------- */

static struct timespec at_ms(uint64_t ms)
{
    return (struct timespec){ .tv_sec = (time_t)(ms / 1000),
                              .tv_nsec = (long)(ms % 1000) * 1000000 };
}

static void *serve(void *arg)
{
    struct sr_store *store = arg;
    struct sync *sync = store->sync;

    pthread_mutex_lock(&sync->lock);
    while (!sync->quit) {
        struct timespec due = at_ms(sync->due_ms);

        if (sync->running)
            pthread_cond_wait(&sync->over, &sync->lock);
        else if (sync->due_ms == SR_NEVER || sync->failed)
            pthread_cond_wait(&sync->wake, &sync->lock);
        else if (sr_store_now_ms() < sync->due_ms)
            pthread_cond_timedwait(&sync->wake, &sync->lock, &due);
        else
            run(store);
    }
    pthread_mutex_unlock(&sync->lock);
    return NULL;
}

/* With the lock. */
static void make_due(struct sync *sync, uint64_t at)
{
    if (sync->due_ms <= at)
        return;
    sync->due_ms = at;
    pthread_cond_signal(&sync->wake);
}

/* When is what was written now on the medium at the latest? Of rows under SR_SYNC_ROW, the
 * one who commits sees to it. */
static uint64_t deadline(const struct sr_store *store, bool row)
{
    uint64_t now = sr_store_now_ms(), next = store->sync->next_ms;

    if (store->policy == SR_SYNC_INTERVAL)
        return next > now ? next : now;
    return store->policy == SR_SYNC_BATCH && row ? now : now + STORE_TIDY_MS;
}

void sr_sync_wrote(struct sr_store *store, uint64_t seq, bool dir)
{
    struct sync *sync = store->sync;

    pthread_mutex_lock(&sync->lock);
    sync->active_dirty = true;
    sync->dir_dirty |= dir;
    if (seq > sync->appended)
        sync->appended = seq;
    make_due(sync, deadline(store, seq > 0));
    pthread_mutex_unlock(&sync->lock);
}

/* --- files --------------------------------------------------------------------------------- */

/* With the lock. Without memory to remember it, it is synced here and now. */
static void add_file(struct sr_store *store, struct unsynced file)
{
    struct sync *sync = store->sync;
    int err;

    if (sync->file_count == sync->file_room) {
        size_t room = sync->file_room ? 2 * sync->file_room : 8;
        struct unsynced *files = realloc(sync->files, room * sizeof *files);

        if (!files) {
            while (sync->running) /* it may be the very file he is at */
                pthread_cond_wait(&sync->over, &sync->lock);
            err = sync_unsynced(store, &file);
            if (err) {
                sync->failed = err;
                sync->failed_number = file.number;
            }
            return;
        }
        sync->files = files;
        sync->file_room = room;
    }
    sync->files[sync->file_count++] = file;
}

void sr_sync_switch(struct sr_store *store, int fd, uint64_t number)
{
    struct sync *sync = store->sync;

    pthread_mutex_lock(&sync->lock);
    if (sync->active >= 0)
        add_file(store,
                 (struct unsynced){ .fd = sync->active, .number = sync->number });
    sync->active = fd;
    sync->number = number;
    sync->active_dirty = false;
    pthread_mutex_unlock(&sync->lock);
}

void sr_sync_suspect(struct sr_store *store, uint64_t number)
{
    struct sync *sync = store->sync;

    pthread_mutex_lock(&sync->lock);
    add_file(store, (struct unsynced){ .fd = -1, .number = number });
    sync->dir_dirty = true;
    make_due(sync, deadline(store, true));
    pthread_mutex_unlock(&sync->lock);
}

void sr_sync_forget(struct sr_store *store, uint64_t number)
{
    struct sync *sync = store->sync;

    pthread_mutex_lock(&sync->lock);
    for (size_t i = sync->file_count; i-- > 0;) {
        if (sync->files[i].number != number)
            continue;
        if (sync->files[i].fd >= 0 && sync->files[i].fd == sync->busy)
            sync->files[i].gone = true; /* closed now, the sync would fail */
        else
            remove_file(sync, i);
    }
    pthread_mutex_unlock(&sync->lock);
}

void sr_sync_settle(struct sr_store *store)
{
    struct sync *sync = store->sync;

    pthread_mutex_lock(&sync->lock);
    while (sync->running)
        pthread_cond_wait(&sync->over, &sync->lock);
    pthread_mutex_unlock(&sync->lock);
}

static void close_files(struct sync *sync)
{
    for (size_t i = 0; i < sync->file_count; i++)
        if (sync->files[i].fd >= 0)
            close(sync->files[i].fd);
    sync->file_count = 0;
}

bool sr_sync_failed(struct sr_store *store, uint64_t *ret_synced)
{
    struct sync *sync = store->sync;
    bool failed;

    pthread_mutex_lock(&sync->lock);
    failed = sync->failed != 0;
    if (failed) {
        while (sync->running)
            pthread_cond_wait(&sync->over, &sync->lock);
        close_files(sync);
        *ret_synced = sync->synced;
    }
    pthread_mutex_unlock(&sync->lock);
    return failed;
}

int sr_sync_retry(struct sr_store *store)
{
    struct sync *sync = store->sync;

    pthread_mutex_lock(&sync->lock);
    sync->failed = 0;
    sync->active_dirty = sync->dir_dirty = true;
    run(store);
    pthread_mutex_unlock(&sync->lock);
    return sr_sync_now(store);
}

/* --- birth and death ------------------------------------------------------------------------- */

int sr_sync_init(struct sr_store *store)
{
    struct sync *sync = calloc(1, sizeof *sync);
    pthread_condattr_t monotonic;

    if (!sync)
        return SR_E_NOMEM;
    sync->active = sync->busy = -1;
    sync->due_ms = SR_NEVER;
    store->sync = sync;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&sync->lock, NULL);
    pthread_cond_init(&sync->wake, &monotonic);
    pthread_cond_init(&sync->over, NULL);
    pthread_condattr_destroy(&monotonic);
    return 0;
}

/* Signals are the application's, and its threads'. */
int sr_sync_start(struct sr_store *store)
{
    struct sync *sync = store->sync;
    pthread_attr_t attributes;
    sigset_t all, before;
    int err;

    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 256 * 1024);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    err = pthread_create(&sync->thread, &attributes, serve, store);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    sync->has_thread = !err;
    return err ? SR_E_NOMEM : 0;
}

void sr_sync_release(struct sr_store *store)
{
    struct sync *sync = store->sync;

    if (!sync)
        return;
    if (sync->has_thread) {
        pthread_mutex_lock(&sync->lock);
        sync->quit = true;
        pthread_cond_signal(&sync->wake);
        pthread_mutex_unlock(&sync->lock);
        pthread_join(sync->thread, NULL);
    }
    close_files(sync);
    free(sync->files);
    if (sync->active >= 0)
        close(sync->active);
    pthread_cond_destroy(&sync->over);
    pthread_cond_destroy(&sync->wake);
    pthread_mutex_destroy(&sync->lock);
    free(sync);
}
