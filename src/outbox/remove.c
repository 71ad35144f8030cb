/* SPDX-License-Identifier: MIT */
/* Taking rows and files out of an outbox that no agent has. */
#include "base/fd.h"
#include "store/segment.h"
#include "store/store.h"
#include <errno.h>
#include <fcntl.h>
#include <smartrest/outbox.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

/* Nothing is appended: any bound that is none will do. */
#define NO_CAP (UINT64_C(1) << 40)

struct removal {
    const char *dir;
    int what;
    int dirfd;
    uint64_t rows;
    char *why;
    size_t why_size;
};

static int fail(const struct removal *removal, const char *name)
{
    int error = errno;

    if (removal->why_size)
        snprintf(removal->why, removal->why_size, "%s%s%s: %s", removal->dir,
                 *name ? "/" : "", name, strerror(error));
    return SR_E_IO;
}

/* --- rows -------------------------------------------------------------------- */

static int remove_rows(struct removal *removal, struct sr_store *store,
                       uint64_t through)
{
    struct sr_entry entry;
    uint64_t next = 0, rows = 0;
    int rc;

    while ((rc = sr_store_next(store, next, &entry)) == 0 && entry.seq <= through) {
        rows++;
        next = entry.seq + 1;
    }
    if (rc == SR_E_NOMEM)
        return rc;
    if (rows) /* up to the last row, so that those of later times are wanted */
        sr_store_done(store, 0, next - 1);
    if (*sr_store_error(store)) {
        if (removal->why_size)
            snprintf(removal->why, removal->why_size, "%s", sr_store_error(store));
        return SR_E_IO;
    }
    removal->rows += rows;
    return 0;
}

/* --- files ------------------------------------------------------------------- */

static int count_row(void *arg, const struct sr_stored_row *row)
{
    struct removal *removal = arg;

    if (row->quarantined && (removal->what & SR_OUTBOX_QUARANTINE))
        removal->rows++;
    return 0;
}

static int remove_file(void *arg, const struct sr_stored_file *file)
{
    struct removal *removal = arg;
    bool goes = (file->kind == SR_STORED_QUARANTINE &&
                 (removal->what & SR_OUTBOX_QUARANTINE)) ||
                (file->kind == SR_STORED_ASIDE && (removal->what & SR_OUTBOX_DAMAGED));

    if (goes && unlinkat(removal->dirfd, file->name, 0) < 0 && errno != ENOENT)
        return fail(removal, file->name);
    return 0;
}

static int remove_files(struct removal *removal)
{
    struct sr_outbox_visitor visitor = { remove_file, count_row, removal };
    char why[256] = "";
    int rc = sr_outbox_scan(removal->dir, &visitor, why, sizeof why);

    if (rc == 0 && fsync(removal->dirfd) < 0 && errno != EINVAL)
        rc = fail(removal, "");
    else if (rc && *why && removal->why_size)
        snprintf(removal->why, removal->why_size, "%s", why);
    return rc;
}

/* --- both, with the directory to ourselves ---------------------------------------- */

/* Would it be ours? Both locks of an agent are tried, see store.c; one that is had goes with its
 * descriptor. */
static int try_lock(const struct removal *removal)
{
    int fd, rc = 0;

    if (flock(removal->dirfd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK) {
        fail(removal, "");
        return SR_E_BUSY;
    }
    fd = sr_fd_openat(removal->dirfd, SR_STORE_LOCK_NAME, O_RDONLY, 0);
    if (fd < 0)
        return errno == ENOENT ? 0 : fail(removal, SR_STORE_LOCK_NAME);
    if (flock(fd, LOCK_SH | LOCK_NB) < 0) {
        rc = errno == EWOULDBLOCK ? SR_E_BUSY : SR_E_IO;
        fail(removal, SR_STORE_LOCK_NAME);
    }
    close(fd);
    return rc;
}

static int remove_all(struct removal *removal, uint64_t through)
{
    struct sr_store_options options = {
        .cap = NO_CAP,
        .sync = SR_SYNC_ROW,
        .boot_tag = sr_clock_now(&sr_system_clock).boot_tag,
    };
    struct sr_store_recovery recovery;
    struct sr_store *store;
    int rc = sr_store_open(removal->dir, &options, &store, &recovery, removal->why,
                           removal->why_size);

    if (rc)
        return rc;
    if (removal->what & SR_OUTBOX_ROWS)
        rc = remove_rows(removal, store, through);
    if (rc == 0 && (removal->what & (SR_OUTBOX_QUARANTINE | SR_OUTBOX_DAMAGED)))
        rc = remove_files(removal);
    sr_store_close(store);
    return rc;
}

int sr_outbox_remove(const char *dir, int what, uint64_t through, uint64_t *ret_rows,
                     char *why, size_t why_size)
{
    struct removal removal = {
        .dir = dir, .what = what, .why = why, .why_size = why ? why_size : 0
    };
    /* First, since opening a store makes one where there is none. */
    int rc = sr_outbox_scan(dir, NULL, why, why_size);

    if (rc)
        return rc;
    removal.dirfd = sr_fd_open(dir, O_RDONLY | O_DIRECTORY, 0);
    if (removal.dirfd < 0)
        return fail(&removal, "");
    rc = what ? remove_all(&removal, through) : try_lock(&removal);
    close(removal.dirfd);
    if (rc == 0 && ret_rows)
        *ret_rows = removal.rows;
    return rc;
}
