/* SPDX-License-Identifier: MIT */
#include "loop/handles.h"
#include <stdlib.h>

struct sr_timer {
    uv_timer_t uv; /* first: see sr_handle_close() */
    struct sr_loop *loop;
    uint64_t interval_ms;
    uint64_t due_ns;
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

/* libuv counts whole milliseconds from a clock reading that it keeps for a turn; both
 * would make a timer early. So the reading is renewed, and rounding goes up. */
static void wait_until(struct sr_timer *timer, uint64_t due_ns)
{
    uint64_t now = uv_hrtime();
    uint64_t left_ms = due_ns > now ? (due_ns - now + 999999) / 1000000 : 0;

    timer->due_ns = due_ns;
    uv_update_time(&timer->loop->uv);
    /* Never 0: libuv would run it again in the same turn, for ever. */
    uv_timer_start(&timer->uv, on_due, left_ms + 1, 0);
}

static uint64_t after(uint64_t from_ns, uint64_t interval_ms)
{
    uint64_t room_ms = (UINT64_MAX / 2 - from_ns) / 1000000;

    return from_ns + (interval_ms < room_ms ? interval_ms : room_ms) * 1000000;
}

static void on_due(uv_timer_t *handle)
{
    struct sr_timer *timer = (struct sr_timer *)handle;
    uint64_t now = uv_hrtime();

    if (now < timer->due_ns) {
        wait_until(timer, timer->due_ns);
        return;
    }
    timer->restarted = false;
    timer->fn(timer->loop->arg, timer, timer->arg);
    /* The function may have stopped, restarted or freed it; its memory lasts this turn. */
    if (timer->active && !timer->restarted)
        wait_until(timer, after(now, timer->interval_ms));
}

int sr_timer_start(struct sr_timer *timer)
{
    if (!timer || uv_is_closing((uv_handle_t *)&timer->uv))
        return SR_E_INVAL;
    timer->active = timer->restarted = true;
    wait_until(timer, after(uv_hrtime(), timer->interval_ms));
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

int sr_deadline_init(struct sr_deadline *deadline, struct sr_loop *loop,
                     void (*fn)(void *arg), void *arg)
{
    uv_timer_t *uv = calloc(1, sizeof *uv);

    if (!uv)
        return SR_E_NOMEM;
    uv_timer_init(&loop->uv, uv);
    uv->data = deadline;
    *deadline = (struct sr_deadline){ .uv = uv, .fn = fn, .arg = arg };
    return 0;
}

void sr_deadline_release(struct sr_deadline *deadline)
{
    if (deadline->uv)
        sr_handle_close((uv_handle_t *)deadline->uv);
    deadline->uv = NULL;
}

void sr_deadline_set(struct sr_deadline *deadline, uint64_t in_ms)
{
    uv_update_time(deadline->uv->loop);
    uv_timer_start(deadline->uv, on_deadline, in_ms ? in_ms : 1, 0);
}

void sr_deadline_clear(struct sr_deadline *deadline)
{
    if (deadline->uv)
        uv_timer_stop(deadline->uv);
}

bool sr_deadline_is_set(const struct sr_deadline *deadline)
{
    return deadline->uv && uv_is_active((const uv_handle_t *)deadline->uv);
}
