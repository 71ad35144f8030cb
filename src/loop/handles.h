/* SPDX-License-Identifier: MIT */
/* libuv handles on the heap. libuv holds on to a closed handle until the end of the
 * turn, so the struct around it is freed in the close callback and nowhere else. */
#ifndef LOOP_HANDLES_H
#define LOOP_HANDLES_H

#include "loop/loop.h"
#include <smartrest/timer.h>
#include <smartrest/watch.h>

/* Closes `handle`, which is the first member of a malloc'ed struct, and frees that. */
void sr_handle_close(uv_handle_t *handle);

/* --- a descriptor that is watched ------------------------------------------------ */

struct sr_poll;
/* `events`: SR_READABLE, SR_WRITABLE; both if there is an error, which a read or write finds out. */
typedef void (*sr_poll_fn)(struct sr_poll *poll, int events);

/* The first member of a malloc'ed struct, its owner. */
struct sr_poll {
    uv_poll_t uv; /* first */
    struct sr_loop *loop;
    int events; /* that are waited for */
    sr_poll_fn fn;
};

/* Waits for nothing yet. Returns 0; SR_E_INVAL, a descriptor that cannot be watched, or is: then the
 * owner frees the struct as it was made. */
int sr_poll_init(struct sr_poll *poll, struct sr_loop *loop, int fd, sr_poll_fn fn);
/* Waits for these events from now on; 0: for none. Returns 0 or SR_E_INVAL. */
int sr_poll_set(struct sr_poll *poll, int events);
/* The function is not called any more, the descriptor may be closed, and the struct around is freed at
 * the end of the turn. NULL is fine. */
void sr_poll_close(struct sr_poll *poll);

#endif
