/* SPDX-License-Identifier: MIT */
/* What makes no sense is kept for somebody to look at: NAME.damaged, and if that is there already
 * NAME.damaged.2 and so on. The newest STORE_DAMAGED_MAX are kept. */
#include "store/store_p.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WHICH_MAX = 10000 }; /* as many of one name are looked for */

static void name_of(const struct sr_aside *aside, char name[SR_ASIDE_NAME_MAX])
{
    char of[SR_SEGMENT_NAME_MAX] = SR_QUARANTINE_NAME;

    if (aside->number != SR_ASIDE_QUARANTINE)
        sr_store_name(of, aside->number);
    if (aside->which == 1)
        snprintf(name, SR_ASIDE_NAME_MAX, "%s" SR_DAMAGED_SUFFIX, of);
    else
        snprintf(name, SR_ASIDE_NAME_MAX, "%s" SR_DAMAGED_SUFFIX ".%u", of,
                 aside->which);
}

static bool is_before(const struct sr_aside *a, const struct sr_aside *b)
{
    return a->number != b->number ? a->number < b->number : a->which < b->which;
}

void sr_store_found_aside(struct sr_store *store, const struct sr_aside *aside)
{
    struct sr_aside *damaged = store->damaged;
    size_t at = store->damaged_count;

    while (at > 0 && is_before(aside, &damaged[at - 1]))
        at--;
    if (store->damaged_count == STORE_DAMAGED_MAX) { /* one too many: somebody's copy */
        if (at == 0)
            return;
        memmove(damaged, damaged + 1, --at * sizeof *damaged);
    } else {
        memmove(damaged + at + 1, damaged + at,
                (store->damaged_count++ - at) * sizeof *damaged);
    }
    damaged[at] = *aside;
}

static void remove_oldest(struct sr_store *store)
{
    char name[SR_ASIDE_NAME_MAX];

    name_of(&store->damaged[0], name);
    memmove(store->damaged, store->damaged + 1,
            --store->damaged_count * sizeof *store->damaged);
    if (store->disk->unlink(store->disk->arg, store->dir, name))
        return; /* somebody took it, or it is found at the next start */
    if (store->aside_removed++ == 0)
        memcpy(store->aside_first_removed, name, sizeof name);
}

/* The newest last, whatever its name is. */
static void remember(struct sr_store *store, const struct sr_aside *aside)
{
    for (size_t i = 0; i < store->damaged_count; i++)
        if (store->damaged[i].number == aside->number &&
            store->damaged[i].which == aside->which)
            return;
    if (store->damaged_count == STORE_DAMAGED_MAX)
        remove_oldest(store);
    store->damaged[store->damaged_count++] = *aside;
}

static bool is_free(const struct sr_store *store, const char *name)
{
    struct stat st;

    return fstatat(store->dir, name, &st, AT_SYMLINK_NOFOLLOW) && errno == ENOENT;
}

/* The newest that is remembered of that file; `which` is 0 if none is. */
static struct sr_aside newest_of(const struct sr_store *store, const char *name)
{
    struct sr_aside aside = { .number = SR_ASIDE_QUARANTINE };

    sr_segment_is_name(name, &aside.number);
    for (size_t i = 0; i < store->damaged_count; i++)
        if (store->damaged[i].number == aside.number &&
            store->damaged[i].which > aside.which)
            aside.which = store->damaged[i].which;
    return aside;
}

int sr_store_set_aside(struct sr_store *store, const char *name, const void *bytes,
                       size_t len)
{
    struct sr_aside aside = newest_of(store, name);
    struct iovec part = { .iov_len = len };
    struct stat st;
    int fd, rc = 0;

    memcpy(&part.iov_base, &bytes, sizeof bytes); /* it is only written from */
    aside.which += aside.which == 0;
    name_of(&aside, store->kept_as);
    fd = store->disk->open(store->disk->arg, store->dir, store->kept_as,
                           O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK,
                           0600);
    if (fd < 0)
        return sr_store_fail(store, store->kept_as, "cannot create", errno);
    remember(store, &aside);
    if (fstat(fd, &st) || st.st_size > SR_SEGMENT_MAX ||
        sr_store_write(store, fd, &part, 1, (uint64_t)st.st_size))
        rc = sr_store_fail(store, store->kept_as, "cannot write", errno);
    close(fd);
    return rc;
}

int sr_store_rename_aside(struct sr_store *store, const char *name)
{
    struct sr_aside aside = newest_of(store, name);

    do {
        if (aside.which++ == WHICH_MAX)
            return sr_store_fail(store, name, "cannot rename", EEXIST);
        name_of(&aside, store->kept_as);
    } while (!is_free(store, store->kept_as));
    if (store->disk->rename(store->disk->arg, store->dir, name, store->kept_as))
        return sr_store_fail(store, name, "cannot rename", errno);
    remember(store, &aside);
    return 0;
}

unsigned sr_store_aside_removed(struct sr_store *store,
                                char ret_first[SR_STORE_ASIDE_NAME])
{
    unsigned removed = store->aside_removed;

    if (!ret_first)
        return removed;
    memcpy(ret_first, store->aside_first_removed, SR_STORE_ASIDE_NAME);
    store->aside_removed = 0;
    return removed;
}
