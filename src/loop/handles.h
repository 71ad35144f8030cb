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

/* What sr_timer_new() and sr_watch_new() do, for a loop: the functions get loop->arg as
 * their agent. */
int sr_loop_add_timer(struct sr_loop *loop, uint64_t interval_ms, sr_timer_fn fn,
                      void *arg, struct sr_timer **ret_timer);
int sr_loop_add_watch(struct sr_loop *loop, int fd, int events, sr_watch_fn fn,
                      void *arg, struct sr_watch **ret_watch);

#endif
