/* SPDX-License-Identifier: MIT */
/* Signals that stop an agent. libuv leaves the default behind when it lets go of one, so
 * what was there before is kept here; for the process, since dispositions are. */
#include "agent/agent_p.h"
#include "base/fd.h"
#include "loop/handles.h"
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

enum { SIGNALS = 64 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
    unsigned agents; /* that stop on it */
    struct sigaction before;
} kept[SIGNALS];

static uint64_t bit(int number)
{
    return UINT64_C(1) << (number - 1);
}

static void keep(int number)
{
    pthread_mutex_lock(&lock);
    if (kept[number - 1].agents++ == 0)
        sigaction(number, NULL, &kept[number - 1].before);
    pthread_mutex_unlock(&lock);
}

static void put_back(int number)
{
    pthread_mutex_lock(&lock);
    if (--kept[number - 1].agents == 0)
        sigaction(number, &kept[number - 1].before, NULL);
    pthread_mutex_unlock(&lock);
}

void sr_agent_put_signals_back(struct sr_agent *agent)
{
    for (int number = 1; number <= SIGNALS; number++)
        if (agent->stop_signals & bit(number))
            put_back(number);
}

struct stop_signal {
    uv_signal_t uv; /* first: see sr_handle_close() */
    struct sr_agent *agent;
};

static void on_signal(uv_signal_t *handle, int number)
{
    (void)number;
    sr_agent_stop(((struct stop_signal *)handle)->agent);
}

static int watch_signal(struct sr_agent *agent, int number)
{
    struct stop_signal *signal = calloc(1, sizeof *signal);

    if (!signal)
        return SR_E_NOMEM;
    sr_fd_reserve();
    if (uv_signal_init(&agent->loop->uv, &signal->uv)) {
        free(signal);
        return SR_E_NOMEM;
    }
    signal->agent = agent;
    if (uv_signal_start(&signal->uv, on_signal, number)) {
        sr_handle_close((uv_handle_t *)&signal->uv);
        return sr_agent_fail(agent, SR_E_INVAL, "signal %d cannot be handled", number);
    }
    sr_loop_touch(agent->loop);
    return 0;
}

int sr_agent_stop_on(struct sr_agent *agent, int signal_number)
{
    int rc;

    if (!agent)
        return SR_E_INVAL;
    if (signal_number < 1 || signal_number > SIGNALS)
        return sr_agent_fail(agent, SR_E_INVAL, "there is no signal %d", signal_number);
    if (agent->stop_signals & bit(signal_number))
        return 0;
    keep(signal_number);
    rc = watch_signal(agent, signal_number);
    if (rc)
        put_back(signal_number);
    else
        agent->stop_signals |= bit(signal_number);
    return rc;
}
