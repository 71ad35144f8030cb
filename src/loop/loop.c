/* SPDX-License-Identifier: MIT */
#include "loop/loop.h"

#include "base/fd.h"
#include "loop/handles.h"
#include <stdlib.h>
#include <time.h>

static void on_wake(uv_async_t *handle)
{
    struct sr_loop *loop = handle->data;

    if (loop->on_wake)
        loop->on_wake(loop->arg);
}

/* Runs before each poll: what was registered so far is about to be made known. */
static void on_prepare(uv_prepare_t *handle)
{
    struct sr_loop *loop = handle->data;

    loop->turns++;
    loop->dirty = false;
    /* A timer that was due when the turn began has run already, and may have done it:
     * then nobody is left to end the wait. */
    if (loop->done && *loop->done)
        uv_stop(&loop->uv);
}

int sr_loop_make(void (*wake)(void *arg), void *arg, struct sr_loop **ret_loop)
{
    struct sr_loop *loop = calloc(1, sizeof *loop);
    int rc;

    if (!loop)
        return SR_E_NOMEM;
    loop->on_wake = wake;
    loop->arg = arg;
    loop->dirty = true;

    sr_fd_reserve();
    rc = uv_loop_init(&loop->uv);
    if (rc) {
        free(loop);
        return rc == UV_ENOMEM ? SR_E_NOMEM : SR_E_IO;
    }
    loop->uv.data = loop;
    loop->wake.data = loop->prepare.data = loop;
    rc = uv_async_init(&loop->uv, &loop->wake, on_wake);
    if (rc) {
        uv_loop_close(&loop->uv);
        free(loop);
        return SR_E_IO;
    }
    uv_prepare_init(&loop->uv, &loop->prepare);
    uv_prepare_start(&loop->prepare, on_prepare);
    uv_unref((uv_handle_t *)&loop->prepare);

    *ret_loop = loop;
    return 0;
}

/* Timers and watches are heap objects that start with their handle and say so in
 * handle->data; the loop's own two handles go with the loop. */
static void close_leftover(uv_handle_t *handle, void *arg)
{
    struct sr_loop *loop = arg;

    if (uv_is_closing(handle))
        return;
    if (handle == (uv_handle_t *)&loop->wake || handle == (uv_handle_t *)&loop->prepare)
        uv_close(handle, NULL);
    else
        sr_handle_close(handle);
}

static void dig(struct sr_loop *loop)
{
    struct sr_grave *grave;

    while ((grave = loop->graves)) {
        loop->graves = grave->next;
        grave->fn(grave->object);
    }
}

void sr_loop_bury(struct sr_loop *loop, struct sr_grave *grave,
                  void (*fn)(void *object), void *object)
{
    *grave = (struct sr_grave){ .next = loop->graves, .fn = fn, .object = object };
    loop->graves = grave;
    if (!loop->running)
        dig(loop);
}

void sr_loop_destroy(struct sr_loop *loop)
{
    if (!loop)
        return;
    uv_walk(&loop->uv, close_leftover, loop);
    /* Only close callbacks are left, so this returns without waiting. */
    while (uv_run(&loop->uv, UV_RUN_DEFAULT))
        ;
    uv_loop_close(&loop->uv);
    free(loop);
}

void sr_sigpipe_hold(struct sr_sigpipe *hold)
{
    sigset_t pipe_only, pending;

    sigemptyset(&pipe_only);
    sigaddset(&pipe_only, SIGPIPE);
    sigpending(&pending);
    hold->was_pending = sigismember(&pending, SIGPIPE) == 1;
    pthread_sigmask(SIG_BLOCK, &pipe_only, &hold->old);
}

void sr_sigpipe_release(const struct sr_sigpipe *hold)
{
    sigset_t pipe_only, pending;
    const struct timespec at_once = { 0 };

    sigemptyset(&pipe_only);
    sigaddset(&pipe_only, SIGPIPE);
    sigpending(&pending);
    if (!hold->was_pending && sigismember(&pending, SIGPIPE) == 1)
        sigtimedwait(&pipe_only, NULL, &at_once);
    pthread_sigmask(SIG_SETMASK, &hold->old, NULL);
}

void sr_loop_turn(struct sr_loop *loop, bool wait)
{
    struct sr_sigpipe hold;

    sr_sigpipe_hold(&hold);
    loop->running = true;
    uv_run(&loop->uv, wait ? UV_RUN_ONCE : UV_RUN_NOWAIT);
    loop->running = false;
    dig(loop);
    sr_sigpipe_release(&hold);
}

int sr_loop_run_until(struct sr_loop *loop, const bool *done)
{
    int rc = 0;

    if (loop->running)
        return SR_E_STATE;
    loop->done = done;
    while (!rc && (!done || !*done)) {
        if (sr_loop_stopped(loop))
            rc = SR_E_STOPPED;
        else
            sr_loop_turn(loop, true);
    }
    loop->done = NULL;
    return rc;
}

bool sr_loop_stopped(struct sr_loop *loop)
{
    return atomic_exchange(&loop->stop, false);
}

void sr_loop_wake(struct sr_loop *loop)
{
    uv_async_send(&loop->wake);
}

void sr_loop_stop(struct sr_loop *loop)
{
    if (!loop)
        return;
    atomic_store(&loop->stop, true);
    uv_async_send(&loop->wake);
}

int sr_loop_timeout(struct sr_loop *loop)
{
    if (!loop)
        return -1;
    if (loop->dirty || atomic_load(&loop->stop))
        return 0;
    uv_update_time(&loop->uv);
    return uv_backend_timeout(&loop->uv);
}

void sr_loop_touch(struct sr_loop *loop)
{
    loop->dirty = true;
}

uint64_t sr_now_ms(void)
{
    return uv_hrtime() / 1000000;
}
