/* SPDX-License-Identifier: MIT */
/* Bytes that wait to be sent. They never move: OpenSSL wants a write that could not be
 * finished to be tried again with the same bytes at the same place. */
#ifndef SOCKET_QUEUE_H
#define SOCKET_QUEUE_H

#include <stddef.h>

struct sr_chunk;

struct sr_queue {
    struct sr_chunk *first, *last;
    size_t len; /* of all of it, bytes */
};

/* All or nothing: 0 or SR_E_NOMEM. */
int sr_queue_put(struct sr_queue *queue, const char *bytes, size_t len);
/* The first bytes, at most 16 KiB; 0 if there are none. */
size_t sr_queue_peek(const struct sr_queue *queue, const char **ret_bytes);
/* `len` of those are done with. */
void sr_queue_pop(struct sr_queue *queue, size_t len);
void sr_queue_release(struct sr_queue *queue);

#endif
