/* SPDX-License-Identifier: MIT */
#include "socket/queue.h"

#include <smartrest/error.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK = 16 * 1024 };

struct sr_chunk {
    struct sr_chunk *next;
    size_t begin, end;
    char bytes[CHUNK];
};

static size_t room(const struct sr_chunk *chunk)
{
    return chunk ? CHUNK - chunk->end : 0;
}

static void free_chunks(struct sr_chunk *chunk)
{
    while (chunk) {
        struct sr_chunk *next = chunk->next;

        free(chunk);
        chunk = next;
    }
}

/* Enough empty chunks for `len` bytes, or NULL. */
static struct sr_chunk *new_chunks(size_t len)
{
    struct sr_chunk *first = NULL;

    for (size_t have = 0; have < len; have += CHUNK) {
        struct sr_chunk *chunk = malloc(sizeof *chunk);

        if (!chunk) {
            free_chunks(first);
            return NULL;
        }
        chunk->next = first;
        chunk->begin = chunk->end = 0;
        first = chunk;
    }
    return first;
}

static size_t fill(struct sr_chunk *chunk, const char *bytes, size_t len)
{
    size_t n = len < room(chunk) ? len : room(chunk);

    memcpy(chunk->bytes + chunk->end, bytes, n);
    chunk->end += n;
    return n;
}

int sr_queue_put(struct sr_queue *queue, const char *bytes, size_t len)
{
    size_t fits = len < room(queue->last) ? len : room(queue->last);
    struct sr_chunk *more = NULL;

    if (len > fits) {
        more = new_chunks(len - fits);
        if (!more)
            return SR_E_NOMEM;
    }
    queue->len += len;
    if (fits)
        fill(queue->last, bytes, fits);
    for (bytes += fits, len -= fits; more; more = more->next) {
        size_t n = fill(more, bytes, len);

        bytes += n;
        len -= n;
        if (queue->last)
            queue->last->next = more;
        else
            queue->first = more;
        queue->last = more;
    }
    return 0;
}

size_t sr_queue_peek(const struct sr_queue *queue, const char **ret_bytes)
{
    if (!queue->first)
        return 0;
    *ret_bytes = queue->first->bytes + queue->first->begin;
    return queue->first->end - queue->first->begin;
}

void sr_queue_pop(struct sr_queue *queue, size_t len)
{
    struct sr_chunk *chunk = queue->first;

    queue->len -= len;
    chunk->begin += len;
    if (chunk->begin < chunk->end)
        return;
    queue->first = chunk->next;
    if (!queue->first)
        queue->last = NULL;
    free(chunk);
}

void sr_queue_release(struct sr_queue *queue)
{
    free_chunks(queue->first);
    *queue = (struct sr_queue){ 0 };
}
