/* SPDX-License-Identifier: MIT */
/* Where a download goes: memory, or a file that gets its name when it is whole.
 *
 *     sr_binary_store_open -> write, rewind ... -> sr_binary_store_keep (files) -> sr_binary_store_release
 */
#ifndef BINARY_STORE_H
#define BINARY_STORE_H

#include "loop/loop.h"
#include <stddef.h>
#include <stdint.h>

struct sr_keeping;

struct sr_binary_store {
    char *path, *part; /* NULL: memory */
    int fd;            /* -1: none */
    char *bytes;       /* NUL-terminated */
    size_t cap;
    uint64_t size;
    int error; /* errno of the last failure */
    struct sr_keeping *keeping;
};

/* `path` NULL: memory. Returns 0, SR_E_IO (store->error says why), SR_E_NOMEM. */
int sr_binary_store_open(struct sr_binary_store *store, const char *path);
/* Returns 0, SR_E_IO, SR_E_NOMEM. */
int sr_binary_store_write(struct sr_binary_store *store, const char *bytes, size_t len);
/* Begins anew. Returns 0 or SR_E_IO. */
int sr_binary_store_rewind(struct sr_binary_store *store);

/* To disk and to its name, in a thread; then `fn` is called with 0 or an errno. Returns 0 or
 * SR_E_NOMEM. */
int sr_binary_store_keep(struct sr_binary_store *store, struct sr_loop *loop,
                         void (*fn)(void *arg, int error), void *arg);

/* Removes what is not kept; `fn` is not called any more. Released: fine. */
void sr_binary_store_release(struct sr_binary_store *store);

#endif
