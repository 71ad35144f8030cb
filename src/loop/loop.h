/* SPDX-License-Identifier: MIT */
/* One libuv loop with what the rest of the library needs of it: turns, a wake-up from
 * other threads, stop from anywhere, and a count of how often it woke.
 *
 *     sr_loop_make -> sr_loop_run_until / sr_loop_turn ... -> sr_loop_destroy
 */
#ifndef LOOP_LOOP_H
#define LOOP_LOOP_H

#include <signal.h>
#include <smartrest/error.h>
#include <smartrest/loop.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

/* What is freed when a turn is over. */
struct sr_grave {
    struct sr_grave *next;
    void (*fn)(void *object);
    void *object;
};

struct sr_loop {
    uv_loop_t uv;
    uv_async_t wake; /* keeps the loop alive, and so asleep rather than spinning */
    uv_prepare_t prepare;
    uint64_t turns;
    bool running; /* inside a turn: every callback runs there */
    bool doomed;  /* freed by sr_loop_free() from there */
    struct sr_grave *graves;
    const bool *done; /* what sr_loop_run_until() waits for, or NULL */
    bool dirty;       /* a descriptor is not yet known to the kernel's poll */
    atomic_bool stop; /* set by sr_loop_stop(), consumed by whoever runs the loop */
    void (*on_wake)(void *arg);
    void *
        arg; /* of on_wake, and the first argument of all timers' and watches' functions */
};

/* `on_wake` runs on the loop's thread after sr_loop_wake(). Returns 0, SR_E_NOMEM, SR_E_IO. */
int sr_loop_make(void (*on_wake)(void *arg), void *arg, struct sr_loop **ret_loop);

/* Closes what is left on the loop (timers, watches) and frees it. Not from inside a
 * callback. Accepts NULL. */
void sr_loop_destroy(struct sr_loop *loop);

/* One turn: waits for something to do unless `wait` is false, and does it. */
void sr_loop_turn(struct sr_loop *loop, bool wait);

/* Turns until *done, or sr_loop_stop(). Returns 0, SR_E_STOPPED, or SR_E_STATE from inside
 * a callback. `done` NULL: for ever. */
int sr_loop_run_until(struct sr_loop *loop, const bool *done);

/* True once after sr_loop_stop(). */
bool sr_loop_stopped(struct sr_loop *loop);

/* Any thread. */
void sr_loop_wake(struct sr_loop *loop);

/* Frees an object that may be on the stack, since its owner frees it in one of its callbacks: `fn` is
 * called when the turn is over, or at once outside of turns, where callbacks do not come from. The
 * object is closed before, and calls nobody; `grave` is a part of it. */
void sr_loop_bury(struct sr_loop *loop, struct sr_grave *grave,
                  void (*fn)(void *object), void *object);

/* A descriptor was added or changed: the next turn must not wait to make it known. */
void sr_loop_touch(struct sr_loop *loop);

/* TLS libraries and libmosquitto write to sockets without MSG_NOSIGNAL. The process's
 * disposition of SIGPIPE is the application's, so the signal is kept from this thread
 * instead: during turns, and where they close connections outside of one. */
struct sr_sigpipe {
    sigset_t old;
    bool was_pending;
};
void sr_sigpipe_hold(struct sr_sigpipe *hold);
void sr_sigpipe_release(const struct sr_sigpipe *hold);

/* Monotonic milliseconds. */
uint64_t sr_now_ms(void);

/* When a periodic timer that was due at `due_ms`, and is called at `now_ms`, is due next: whole
 * intervals later, and after `now_ms`. What was missed is skipped. `interval_ms` is not 0. */
uint64_t sr_timer_next(uint64_t due_ms, uint64_t interval_ms, uint64_t now_ms);

/* --- one-shot deadlines for the library's own use ---------------------- */

/* A timer embedded in its owner, called at most once per sr_deadline_set(). */
struct sr_deadline {
    uv_timer_t *uv; /* heap: libuv lets go of it a turn after the owner is gone */
    uv_idle_t *now; /* the same; in place of a timer of 0 ms */
    void (*fn)(void *arg);
    void *arg;
};
int sr_deadline_init(struct sr_deadline *deadline, struct sr_loop *loop,
                     void (*fn)(void *arg), void *arg);
/* Zeroed, half-built or released: all fine. */
void sr_deadline_release(struct sr_deadline *deadline);
/* By sr_now_ms(), never early. 0 is now: in the next turn, which does not sleep before. So a
 * function that sets its own deadline to 0 holds up nobody. */
void sr_deadline_set(struct sr_deadline *deadline, uint64_t in_ms);
void sr_deadline_clear(struct sr_deadline *deadline);
bool sr_deadline_is_set(const struct sr_deadline *deadline);

#endif
