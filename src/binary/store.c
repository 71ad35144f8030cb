/* SPDX-License-Identifier: MIT */
#include "binary/store.h"

#include "base/fd.h"
#include "base/path.h"
#include "base/replace.h"
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* fsync() may take seconds. The job outlives its store if that is released meanwhile. */
struct sr_keeping {
    uv_work_t work;
    struct sr_binary_store *store; /* NULL: released */
    atomic_bool abandoned;
    char *path, *part;
    int fd, error;
    void (*fn)(void *arg, int error);
    void *arg;
};

static const struct sr_binary_store empty = { .fd = -1 };

/* If `path` is a link, the file that it points to is replaced. What an earlier run has left there is
 * of no use: it may be of another binary. */
int sr_binary_store_open(struct sr_binary_store *store, const char *path)
{
    *store = empty;
    if (!path)
        return 0;
    store->path = sr_replace_allowed(path) ? sr_path_target(path) : NULL;
    if (!store->path) {
        store->error = errno;
        return errno == ENOMEM ? SR_E_NOMEM : SR_E_IO;
    }
    if (asprintf(&store->part, "%s.part", store->path) < 0) {
        store->part = NULL;
        sr_binary_store_release(store);
        return SR_E_NOMEM;
    }
    unlink(store->part);
    store->fd = sr_fd_open(store->part, O_WRONLY | O_CREAT | O_EXCL, 0600);
    if (store->fd < 0) {
        int error = errno;

        sr_binary_store_release(store);
        store->error = error;
        return SR_E_IO;
    }
    return 0;
}

static int write_file(struct sr_binary_store *store, const char *bytes, size_t len)
{
    while (len) {
        ssize_t n = write(store->fd, bytes, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            store->error = n ? errno : ENOSPC;
            return SR_E_IO;
        }
        bytes += n;
        len -= (size_t)n;
        store->size += (uint64_t)n;
    }
    return 0;
}

static int write_memory(struct sr_binary_store *store, const char *bytes, size_t len)
{
    uint64_t need = store->size + len + 1;
    size_t cap = store->cap ? store->cap : 4096;
    char *longer;

    if (need > SIZE_MAX / 2)
        return SR_E_NOMEM;
    while (cap < need)
        cap *= 2;
    if (cap != store->cap) {
        longer = realloc(store->bytes, cap);
        if (!longer)
            return SR_E_NOMEM;
        store->bytes = longer;
        store->cap = cap;
    }
    memcpy(store->bytes + store->size, bytes, len);
    store->size += len;
    store->bytes[store->size] = '\0';
    return 0;
}

int sr_binary_store_write(struct sr_binary_store *store, const char *bytes, size_t len)
{
    return store->path ? write_file(store, bytes, len)
                       : write_memory(store, bytes, len);
}

int sr_binary_store_rewind(struct sr_binary_store *store)
{
    store->size = 0;
    if (!store->path)
        return 0;
    if (ftruncate(store->fd, 0) || lseek(store->fd, 0, SEEK_SET)) {
        store->error = errno;
        return SR_E_IO;
    }
    return 0;
}

/* --- keeping ------------------------------------------------------------ */

static void free_keeping(struct sr_keeping *keeping)
{
    free(keeping->path);
    free(keeping->part);
    free(keeping);
}

/* The new name is on disk once its directory is. */
static int sync_folder(const char *path)
{
    char *folder = strdup(path), *slash = folder ? strrchr(folder, '/') : NULL;
    int fd, error = 0;

    if (!folder)
        return ENOMEM;
    if (slash)
        slash[slash == folder] = '\0';
    fd = sr_fd_open(slash ? folder : ".", O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0 || (fsync(fd) && errno != EINVAL))
        error = errno;
    if (fd >= 0)
        close(fd);
    free(folder);
    return error;
}

static void on_work(uv_work_t *work)
{
    struct sr_keeping *keeping = (struct sr_keeping *)work;

    if (fsync(keeping->fd))
        keeping->error = errno;
    close(keeping->fd);
    if (!keeping->error && !atomic_load(&keeping->abandoned)) {
        if (!rename(keeping->part, keeping->path)) {
            keeping->error = sync_folder(keeping->path);
            return;
        }
        keeping->error = errno;
    }
    unlink(keeping->part);
}

static void after_work(uv_work_t *work, int status)
{
    struct sr_keeping *keeping = (struct sr_keeping *)work;
    void (*fn)(void *arg, int error) = keeping->fn;
    void *arg = keeping->arg;
    int error = keeping->error;
    bool wanted = keeping->store != NULL;

    if (status == UV_ECANCELED) {
        close(keeping->fd);
        unlink(keeping->part);
    }
    if (wanted)
        keeping->store->keeping = NULL;
    free_keeping(keeping);
    if (wanted)
        fn(arg, error);
}

int sr_binary_store_keep(struct sr_binary_store *store, struct sr_loop *loop,
                         void (*fn)(void *arg, int error), void *arg)
{
    struct sr_keeping *keeping = calloc(1, sizeof *keeping);

    if (!keeping)
        return SR_E_NOMEM;
    keeping->store = store;
    keeping->path = store->path;
    keeping->part = store->part;
    keeping->fd = store->fd;
    keeping->fn = fn;
    keeping->arg = arg;
    if (uv_queue_work(&loop->uv, &keeping->work, on_work, after_work)) {
        free(keeping);
        return SR_E_NOMEM;
    }
    store->path = store->part = NULL;
    store->fd = -1;
    store->keeping = keeping;
    sr_loop_touch(loop);
    return 0;
}

void sr_binary_store_release(struct sr_binary_store *store)
{
    if (store->keeping) {
        store->keeping->store = NULL;
        atomic_store(&store->keeping->abandoned, true);
        uv_cancel((uv_req_t *)&store->keeping->work);
    }
    if (store->fd >= 0) {
        close(store->fd);
        unlink(store->part);
    }
    free(store->path);
    free(store->part);
    free(store->bytes);
    *store = empty;
}
