/* SPDX-License-Identifier: MIT */
/* The store's files: their names, what is said when one fails, whole reads and writes. */
#include "store/store_p.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>

void sr_store_name(char name[SR_SEGMENT_NAME_MAX], uint64_t number)
{
    snprintf(name, SR_SEGMENT_NAME_MAX, SR_SEGMENT_NAME, (unsigned long long)number);
}

int sr_store_fail(const struct sr_store *store, const char *name, const char *what,
                  int err)
{
    snprintf(store->error->text, sizeof store->error->text, "%s/%s: %s: %s",
             store->dir_name, name, what, strerror(err));
    store->error->err = err;
    errno = err;
    return SR_E_IO;
}

int sr_store_fail_segment(const struct sr_store *store, uint64_t number,
                          const char *what, int err)
{
    char name[SR_SEGMENT_NAME_MAX];

    sr_store_name(name, number);
    return sr_store_fail(store, name, what, err);
}

int sr_store_write(struct sr_store *store, int fd, const struct iovec *parts, int count,
                   uint64_t offset)
{
    struct iovec rest[STORE_PARTS];
    struct iovec *at = rest;

    memcpy(rest, parts, (size_t)count * sizeof *parts);
    while (count > 0) {
        ssize_t n =
            store->disk->pwritev(store->disk->arg, fd, at, count, (off_t)offset);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        offset += (uint64_t)n;
        for (; count > 0 && (size_t)n >= at->iov_len; at++, count--)
            n -= (ssize_t)at->iov_len;
        if (count > 0) {
            at->iov_base = (char *)at->iov_base + n;
            at->iov_len -= (size_t)n;
        }
    }
    return 0;
}

int sr_store_reopen(struct sr_store *store, const char *name, int flags)
{
    int fd = -1;

    for (int i = 0; i < 2 && fd < 0; i++)
        fd = store->disk->open(store->disk->arg, store->dir, name,
                               flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0);
    return fd;
}

size_t sr_store_pread(struct sr_store *store, int fd, void *bytes, size_t len,
                      uint64_t offset, int *ret_err)
{
    size_t got = 0;
    int errors = 0;

    *ret_err = 0;
    while (got < len) {
        ssize_t n = store->disk->pread(store->disk->arg, fd, (uint8_t *)bytes + got,
                                       len - got, (off_t)(offset + got));

        if (n == 0)
            break;
        if (n > 0) {
            got += (size_t)n;
            continue;
        }
        *ret_err = errno;
        if (errno != EINTR && errors++)
            return got;
    }
    *ret_err = 0;
    return got;
}
