/* SPDX-License-Identifier: MIT */
/* The loop as programs without an agent see it. */
#include "loop/loop.h"

/* An agent's loop is run and freed by the agent. */
static bool is_agents(const struct sr_loop *loop)
{
    return loop->on_wake != NULL;
}

int sr_loop_new(struct sr_loop **ret_loop)
{
    return ret_loop ? sr_loop_make(NULL, NULL, ret_loop) : SR_E_INVAL;
}

struct sr_loop *sr_loop_free(struct sr_loop *loop)
{
    if (!loop || is_agents(loop))
        return NULL;
    if (loop->running) {
        loop->doomed = true;
        sr_loop_stop(loop);
    } else {
        sr_loop_destroy(loop);
    }
    return NULL;
}

static int check(const struct sr_loop *loop)
{
    if (!loop)
        return SR_E_INVAL;
    return loop->running || is_agents(loop) ? SR_E_STATE : 0;
}

static int leave(struct sr_loop *loop, int rc)
{
    if (loop->doomed)
        sr_loop_destroy(loop);
    return rc;
}

int sr_loop_run(struct sr_loop *loop)
{
    int rc = check(loop);

    if (rc)
        return rc;
    sr_loop_run_until(loop, NULL);
    return leave(loop, 0);
}

int sr_loop_fd(const struct sr_loop *loop)
{
    return loop ? uv_backend_fd(&loop->uv) : SR_E_INVAL;
}

int sr_loop_dispatch(struct sr_loop *loop)
{
    int rc = check(loop);

    if (rc)
        return rc;
    sr_loop_turn(loop, false);
    return leave(loop, sr_loop_stopped(loop) ? SR_E_STOPPED : 0);
}

struct uv_loop_s *sr_loop_uv(struct sr_loop *loop)
{
    return loop ? &loop->uv : NULL;
}
