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

#endif
