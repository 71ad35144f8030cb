/* SPDX-License-Identifier: MIT */
#include "loop/handles.h"
#include <stdlib.h>

struct sr_timer {
    uv_timer_t uv; /* first: see sr_handle_close() */
    struct sr_loop *loop;
    uint64_t interval_ms;
    uint64_t due_ms; /* as sr_now_ms() tells */
    bool active;
    bool restarted; /* since its function was called */
    sr_timer_fn fn;
    void *arg;
};

static void free_handle(uv_handle_t *handle)
{
    free(handle);
}

void sr_handle_close(uv_handle_t *handle)
{
    uv_close(handle, free_handle);
}

int sr_loop_add_timer(struct sr_loop *loop, uint64_t interval_ms, sr_timer_fn fn,
                      void *arg, struct sr_timer **ret_timer)
{
    struct sr_timer *timer;

    if (!loop || !fn || !ret_timer)
        return SR_E_INVAL;
    timer = calloc(1, sizeof *timer);
    if (!timer)
        return SR_E_NOMEM;
    uv_timer_init(&loop->uv, &timer->uv);
    timer->loop = loop;
    timer->fn = fn;
    timer->arg = arg;
    sr_timer_set_interval(timer, interval_ms);

    *ret_timer = timer;
    return 0;
}

struct sr_timer *sr_timer_free(struct sr_timer *timer)
{
    if (timer && !uv_is_closing((uv_handle_t *)&timer->uv)) {
        timer->active = false;
        sr_handle_close((uv_handle_t *)&timer->uv);
    }
    return NULL;
}

static void on_due(uv_timer_t *handle);

static uint64_t after(uint64_t ms, uint64_t more_ms)
{
    return more_ms < UINT64_MAX - ms ? ms + more_ms : UINT64_MAX;
}

uint64_t sr_timer_next(uint64_t due_ms, uint64_t interval_ms, uint64_t now_ms)
{
    uint64_t missed = now_ms > due_ms ? (now_ms - due_ms) / interval_ms : 0;

    return after(due_ms + missed * interval_ms, interval_ms);
}

/* Has libuv call `fn` when its clock is at `at_ms`. libuv counts from a reading of the clock that it
 * keeps for a turn. That is not renewed here: what becomes due while timers run waits for the next
 * turn, so that slow ones do not keep descriptors from their turn. */
static void call_at(uv_timer_t *uv, uv_timer_cb fn, uint64_t at_ms)
{
    uint64_t now_ms = uv_now(uv->loop);

    uv_timer_start(uv, fn, at_ms > now_ms ? at_ms - now_ms : 0, 0);
}

static void on_due(uv_timer_t *handle)
{
    struct sr_timer *timer = (struct sr_timer *)handle;
    uint64_t now_ms = sr_now_ms();

    timer->restarted = false;
    timer->fn(timer->loop->arg, timer, timer->arg);
    /* The function may have stopped, restarted or freed it; its memory lasts this turn. */
    if (!timer->active || timer->restarted)
        return;
    timer->due_ms = sr_timer_next(timer->due_ms, timer->interval_ms, now_ms);
    call_at(&timer->uv, on_due, timer->due_ms);
}

/* Of the millisecond that has begun only the rest is left: one more is not early. */
int sr_timer_start(struct sr_timer *timer)
{
    if (!timer || uv_is_closing((uv_handle_t *)&timer->uv))
        return SR_E_INVAL;
    timer->active = timer->restarted = true;
    timer->due_ms = after(sr_now_ms() + 1, timer->interval_ms);
    call_at(&timer->uv, on_due, timer->due_ms);
    return 0;
}

void sr_timer_stop(struct sr_timer *timer)
{
    if (!timer || !timer->active)
        return;
    timer->active = false;
    uv_timer_stop(&timer->uv);
}

bool sr_timer_is_active(const struct sr_timer *timer)
{
    return timer && timer->active;
}

uint64_t sr_timer_interval(const struct sr_timer *timer)
{
    return timer ? timer->interval_ms : 0;
}

int sr_timer_set_interval(struct sr_timer *timer, uint64_t interval_ms)
{
    if (!timer)
        return SR_E_INVAL;
    timer->interval_ms = interval_ms ? interval_ms : 1;
    return 0;
}

int sr_timer_connect(struct sr_timer *timer, sr_timer_fn fn, void *arg)
{
    if (!timer || !fn)
        return SR_E_INVAL;
    timer->fn = fn;
    timer->arg = arg;
    return 0;
}

/* --- deadlines ---------------------------------------------------------- */

static void on_deadline(uv_timer_t *handle)
{
    struct sr_deadline *deadline = handle->data;

    deadline->fn(deadline->arg);
}

static void on_now(uv_idle_t *handle)
{
    struct sr_deadline *deadline = handle->data;

    uv_idle_stop(handle);
    deadline->fn(deadline->arg);
}

int sr_deadline_init(struct sr_deadline *deadline, struct sr_loop *loop,
                     void (*fn)(void *arg), void *arg)
{
    uv_timer_t *uv = calloc(1, sizeof *uv);
    uv_idle_t *now = calloc(1, sizeof *now);

    if (!uv || !now) {
        free(uv);
        free(now);
        return SR_E_NOMEM;
    }
    uv_timer_init(&loop->uv, uv);
    uv_idle_init(&loop->uv, now);
    uv->data = now->data = deadline;
    *deadline = (struct sr_deadline){ .uv = uv, .now = now, .fn = fn, .arg = arg };
    return 0;
}

void sr_deadline_release(struct sr_deadline *deadline)
{
    if (deadline->uv) {
        sr_handle_close((uv_handle_t *)deadline->uv);
        sr_handle_close((uv_handle_t *)deadline->now);
    }
    deadline->uv = NULL;
}

void sr_deadline_set(struct sr_deadline *deadline, uint64_t in_ms)
{
    sr_deadline_clear(deadline);
    if (in_ms)
        call_at(deadline->uv, on_deadline, after(sr_now_ms(), in_ms));
    else
        uv_idle_start(deadline->now, on_now);
}

void sr_deadline_clear(struct sr_deadline *deadline)
{
    if (!deadline->uv)
        return;
    uv_timer_stop(deadline->uv);
    uv_idle_stop(deadline->now);
}

bool sr_deadline_is_set(const struct sr_deadline *deadline)
{
    return deadline->uv && (uv_is_active((const uv_handle_t *)deadline->uv) ||
                            uv_is_active((const uv_handle_t *)deadline->now));
}
