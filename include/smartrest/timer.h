/* SPDX-License-Identifier: MIT */
/* Periodic timers on the agent's loop.
 *
 *     sr_timer_new -> sr_timer_start ... sr_timer_stop -> sr_timer_free
 *
 * A timer is due whole intervals after its start, however long its calls take and however
 * late they come: it does not drift. It is never called before it is due, by the monotonic
 * clock, and on an idle machine about a millisecond later at most. What was missed is one late
 * call, and not made up for: the next one is due when it would have been anyway. (The monotonic clock stands still while the
 * machine is suspended.) All calls are legal from inside the timer's own function,
 * sr_timer_free() included; none is legal from another thread. */
#ifndef SMARTREST_TIMER_H
#define SMARTREST_TIMER_H

#include <smartrest/error.h>
#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct sr_agent;
struct sr_timer;

/* What a timer calls. */
typedef void (*sr_timer_fn)(struct sr_agent *agent, struct sr_timer *timer, void *arg);

/* Makes a timer, not active yet. `interval_ms`: milliseconds; 0 is taken as 1.
 * On success *ret_timer is the caller's to give back with sr_timer_free(); what is
 * left when the agent is freed goes with it.
 * Returns 0, SR_E_INVAL (an argument is NULL), SR_E_NOMEM. */
SR_API int sr_timer_new(struct sr_agent *agent, uint64_t interval_ms, sr_timer_fn fn,
                        void *arg, struct sr_timer **ret_timer);

/* Accepts NULL. Returns NULL, so: timer = sr_timer_free(timer); */
SR_API struct sr_timer *sr_timer_free(struct sr_timer *timer);

/* (Re)starts: the first call comes one interval from now. SR_E_INVAL for NULL. */
SR_API int sr_timer_start(struct sr_timer *timer);
/* Accepts NULL and stopped timers. */
SR_API void sr_timer_stop(struct sr_timer *timer);
/* Started, and not stopped since. false for NULL. */
SR_API bool sr_timer_is_active(const struct sr_timer *timer);

/* Milliseconds. 0 for NULL. */
SR_API uint64_t sr_timer_interval(const struct sr_timer *timer);
/* Takes effect when the timer is next started or has next fired; 0 is taken as 1. SR_E_INVAL
 * for NULL. */
SR_API int sr_timer_set_interval(struct sr_timer *timer, uint64_t interval_ms);

/* Another function, at once. `fn` must not be NULL: SR_E_INVAL. */
SR_API int sr_timer_connect(struct sr_timer *timer, sr_timer_fn fn, void *arg);

#ifdef __cplusplus
}
#endif
#endif
