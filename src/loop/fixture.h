/* SPDX-License-Identifier: MIT */
/* An agent and a connected pair of sockets, for the tests of timers and watches.
 *
 *     set_up -> start, watch, run_for ... -> tear_down */
#ifndef LOOP_FIXTURE_H
#define LOOP_FIXTURE_H

#include <setjmp.h>
#include <smartrest/smartrest.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
/* after what it needs */
#include <cmocka.h>

struct fixture {
    struct sr_agent *agent;
    struct sr_timer *timer, *other;
    struct sr_watch *watch;
    int fds[2]; /* a connected pair */
    int calls, other_calls, limit;
    uint64_t last_ns;
    int events, rc;
};

static inline int set_up(void **state)
{
    struct fixture *fx = calloc(1, sizeof *fx);

    if (sr_agent_new("http://localhost", "device", &fx->agent) ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fx->fds))
        return -1;
    *state = fx;
    return 0;
}

static inline int tear_down(void **state)
{
    struct fixture *fx = *state;

    sr_agent_free(fx->agent);
    close(fx->fds[0]);
    close(fx->fds[1]);
    free(fx);
    return 0;
}

static inline struct sr_timer *start(struct fixture *fx, uint64_t ms, sr_timer_fn fn)
{
    struct sr_timer *timer;

    assert_int_equal(sr_timer_new(fx->agent, ms, fn, fx, &timer), 0);
    assert_int_equal(sr_timer_start(timer), 0);
    return timer;
}

static inline void stop_agent(struct sr_agent *agent, struct sr_timer *timer, void *arg)
{
    (void)timer, (void)arg;
    sr_agent_stop(agent);
}

static inline void run_for(struct fixture *fx, uint64_t ms)
{
    struct sr_timer *end = start(fx, ms, stop_agent);

    assert_int_equal(sr_agent_loop(fx->agent), 0);
    sr_timer_free(end);
}

static inline void watch(struct fixture *fx, int events, sr_watch_fn fn)
{
    assert_int_equal(sr_watch_new(fx->agent, fx->fds[0], events, fn, fx, &fx->watch),
                     0);
}

#endif
