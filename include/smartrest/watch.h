/* SPDX-License-Identifier: MIT */
/* File descriptors of the application, watched by the agent's loop: a serial
 * line, a Modbus socket, a pipe from another process.
 *
 *     sr_watch_new ... sr_watch_set -> sr_watch_free, then close the descriptor
 */
#ifndef SMARTREST_WATCH_H
#define SMARTREST_WATCH_H

#include <smartrest/error.h>

#ifdef __cplusplus
extern "C" {
#endif

struct sr_agent;
struct sr_watch;

/* Bits that may be combined. */
enum sr_watch_events { SR_READABLE = 1, SR_WRITABLE = 2 };

/* `events`: what is the case now; both bits when the descriptor failed, so that the
 * function's read or write finds out why. */
typedef void (*sr_watch_fn)(struct sr_agent *agent, struct sr_watch *watch, int fd,
                            int events, void *arg);

/* Watches `fd` (a socket, pipe or terminal; not a regular file) for `events`; it
 * stays the caller's and must stay open until sr_watch_free(). One watch a descriptor.
 * On success *ret_watch is the caller's; what is left when the agent is freed goes
 * with it. Returns 0, SR_E_INVAL (also for a descriptor that cannot be watched),
 * SR_E_NOMEM. Loop thread only. */
SR_API int sr_watch_new(struct sr_agent *agent, int fd, int events, sr_watch_fn fn,
                        void *arg, struct sr_watch **ret_watch);

/* Changes the events; 0 pauses. Returns 0 or SR_E_INVAL. */
SR_API int sr_watch_set(struct sr_watch *watch, int events);

/* Accepts NULL; legal from inside the watch's own function. Returns NULL. */
SR_API struct sr_watch *sr_watch_free(struct sr_watch *watch);

#ifdef __cplusplus
}
#endif
#endif
