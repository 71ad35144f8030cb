/* SPDX-License-Identifier: MIT */
/* A loop without an agent, for programs that only want sr_http, sr_mqtt or sr_socket;
 * and the agent's own loop, to put those on.
 *
 *     sr_loop_new -> sr_http_new, sr_loop_add_timer ... sr_loop_run -> sr_loop_free
 *     sr_agent_get_loop -> sr_http_new ... sr_agent_loop -> sr_http_free -> sr_agent_free
 *
 * A loop and all that is on it belong to the thread that runs it; only sr_loop_stop()
 * may be called from others. What was put on a loop is freed before the loop, or the
 * agent that has it. */
#ifndef SMARTREST_LOOP_H
#define SMARTREST_LOOP_H

#include <smartrest/error.h>
#include <smartrest/timer.h>
#include <smartrest/watch.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct sr_loop;
struct uv_loop_s;

/* On success *ret_loop is the caller's, to be freed with sr_loop_free(). Returns 0,
 * SR_E_INVAL (NULL), SR_E_NOMEM, SR_E_IO (no file descriptors left). */
SR_API int sr_loop_new(struct sr_loop **ret_loop);

/* Frees the loop with the timers and watches that are left on it. From inside a callback
 * it stops the loop, which is freed when it returns. An agent's loop is the agent's: it
 * stays. Accepts NULL. Returns NULL, so: loop = sr_loop_free(loop); */
SR_API struct sr_loop *sr_loop_free(struct sr_loop *loop);

/* Runs until sr_loop_stop(). Returns 0 when stopped; SR_E_INVAL for NULL; SR_E_STATE from
 * inside a callback, or for an agent's loop, which sr_agent_loop() runs. */
SR_API int sr_loop_run(struct sr_loop *loop);

/* Makes the running sr_loop_run() return as soon as the callbacks of the moment have; if
 * none runs, the next one returns at once. For an agent's loop it is sr_agent_stop(). From
 * any thread or signal handler. */
SR_API void sr_loop_stop(struct sr_loop *loop);

/* A host with a loop of its own, in place of sr_loop_run(): wait until the descriptor is
 * readable or the time is over, then dispatch; ask anew each time. See sr_agent_fd(). */
SR_API int sr_loop_fd(const struct sr_loop *loop);
/* Milliseconds, 0 for at once, -1 for as long as you like (and for NULL). */
SR_API int sr_loop_timeout(struct sr_loop *loop);
/* Runs what is due and returns without waiting. Returns 0; SR_E_STOPPED once after
 * sr_loop_stop(); SR_E_INVAL and SR_E_STATE as sr_loop_run(). */
SR_API int sr_loop_dispatch(struct sr_loop *loop);

/* As sr_timer_new() and sr_watch_new(). `fn` gets the loop's agent, or NULL as its agent
 * if there is none. */
SR_API int sr_loop_add_timer(struct sr_loop *loop, uint64_t interval_ms, sr_timer_fn fn,
                             void *arg, struct sr_timer **ret_timer);
/* The same for descriptors. */
SR_API int sr_loop_add_watch(struct sr_loop *loop, int fd, int events, sr_watch_fn fn,
                             void *arg, struct sr_watch **ret_watch);

/* libuv's loop inside, for handles of the application's own: a child process, a signal, a
 * directory. They are closed, and their close callbacks have run or are about to, before
 * the loop is freed, or the agent that has it. Who runs or stops it is not the application.
 * Its type is libuv's uv_loop_t. NULL for NULL. */
SR_API struct uv_loop_s *sr_loop_uv(struct sr_loop *loop);

#ifdef __cplusplus
}
#endif
#endif
