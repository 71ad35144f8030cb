/* SPDX-License-Identifier: MIT */
/* Running an agent in a test until something is the case. */
#ifndef SUPPORT_RUN_H
#define SUPPORT_RUN_H

#include "support/server.h"
#include <poll.h>
#include <smartrest/agent.h>
#include <stdlib.h>

/* Nothing of the environment may send requests elsewhere. */
static inline void no_proxies(void)
{
    static const char *const names[] = { "http_proxy", "https_proxy", "HTTPS_PROXY",
                                         "all_proxy",  "ALL_PROXY",   "HTTP_PROXY" };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unsetenv(names[i]);
}

/* Turns the agent's loop as a host would, looking at the condition, which may depend on
 * other threads, in between. */
static inline void turn(struct sr_agent *agent)
{
    int timeout = sr_agent_timeout(agent);

    poll(&(struct pollfd){ .fd = sr_agent_fd(agent), .events = POLLIN }, 1,
         timeout < 0 || timeout > 5 ? 5 : timeout);
    sr_agent_dispatch(agent);
}

/* Fails the test at the caller's line when `condition` is not true within 30 s. */
#define run_until(agent, condition)                    \
    do {                                               \
        uint64_t give_up_ms_ = now_ms() + 30 * 1000;   \
        while (!(condition) && now_ms() < give_up_ms_) \
            turn(agent);                               \
        assert_true(condition);                        \
    } while (0)

#define run_for(agent, ms)                    \
    do {                                      \
        uint64_t until_ms_ = now_ms() + (ms); \
        while (now_ms() < until_ms_)          \
            turn(agent);                      \
    } while (0)

#endif
