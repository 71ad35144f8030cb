/* SPDX-License-Identifier: MIT */
/* Signs of life for whoever watches this process: systemd, or smartrest-watchdogd.
 *
 *     sr_watchdog_new(agent, &watchdog)      before bootstrap, which may take hours
 *     ... sr_agent_loop(agent) ...           kicks by itself
 *     sr_watchdog_free(watchdog)             before the agent
 *
 * Both are spoken to in the same way: NOTIFY_SOCKET in the environment names a datagram
 * socket, a path or `@` and an abstract name, that gets READY=1, WATCHDOG=1 and
 * STOPPING=1; WATCHDOG_USEC is how long it waits for the next WATCHDOG=1 before it takes
 * the process for hung, and WATCHDOG_PID, if it is there, for which process that is. Where
 * nobody watches everything here does nothing, and succeeds.
 *
 * The kicks come from the agent's loop, at half the interval: a callback that never
 * returns stops them, which is the point. No callback may therefore take longer than
 * half the interval. docs/watchdog.md has the other side. */
#ifndef SMARTREST_WATCHDOG_H
#define SMARTREST_WATCHDOG_H

#include <smartrest/error.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct sr_agent;
struct sr_watchdog;

/* Reads the environment, says READY=1, and from now on kicks by a timer of `agent`.
 * `agent` NULL: no timer, the caller kicks. On success *ret_watchdog is the caller's, to
 * be freed before the agent; on failure it is untouched, and sr_agent_error() says more.
 * Returns 0; SR_E_INVAL, no place for the result, or NOTIFY_SOCKET or WATCHDOG_USEC cannot be understood; SR_E_IO, no
 * socket could be made; SR_E_NOMEM. Nobody listening is no failure: it is logged. Loop
 * thread. */
SR_API int sr_watchdog_new(struct sr_agent *agent, struct sr_watchdog **ret_watchdog);

/* Says STOPPING=1 and kicks a last time: the rest of the process's life is watched,
 * too. Accepts NULL. Returns NULL. */
SR_API struct sr_watchdog *sr_watchdog_free(struct sr_watchdog *watchdog);

/* A kick by hand, say from a loop of the caller's own. Never waits. Returns 0, also when
 * nobody watches; SR_E_IO, the watcher cannot be reached; SR_E_INVAL for NULL. */
SR_API int sr_watchdog_kick(struct sr_watchdog *watchdog);

/* Milliseconds without a kick after which the process is taken for hung; 0: nobody
 * watches. */
SR_API uint64_t sr_watchdog_interval(const struct sr_watchdog *watchdog);

#ifdef __cplusplus
}
#endif
#endif
