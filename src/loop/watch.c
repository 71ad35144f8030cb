/* SPDX-License-Identifier: MIT */
#include "loop/handles.h"
#include <stdlib.h>

struct sr_watch {
    uv_poll_t uv; /* first: see sr_handle_close() */
    struct sr_loop *loop;
    int fd;
    sr_watch_fn fn;
    void *arg;
};

static void free_unused(uv_handle_t *handle)
{
    free(handle);
}

int sr_loop_add_watch(struct sr_loop *loop, int fd, int events, sr_watch_fn fn,
                      void *arg, struct sr_watch **ret_watch)
{
    struct sr_watch *watch = calloc(1, sizeof *watch);
    int rc;

    if (!watch)
        return SR_E_NOMEM;
    if (fd < 0 || uv_poll_init(&loop->uv, &watch->uv, fd)) {
        free(watch);
        return SR_E_INVAL;
    }
    watch->loop = loop;
    watch->fd = fd;
    watch->fn = fn;
    watch->arg = arg;
    rc = sr_watch_set(watch, events);
    if (rc) {
        uv_close((uv_handle_t *)&watch->uv, free_unused);
        return rc;
    }
    *ret_watch = watch;
    return 0;
}

static void on_poll(uv_poll_t *handle, int status, int events)
{
    struct sr_watch *watch = (struct sr_watch *)handle;
    int seen = 0;

    if (status < 0)
        seen = SR_READABLE | SR_WRITABLE;
    if (events & UV_READABLE)
        seen |= SR_READABLE;
    if (events & UV_WRITABLE)
        seen |= SR_WRITABLE;
    watch->fn(watch->loop->arg, watch, watch->fd, seen, watch->arg);
}

int sr_watch_set(struct sr_watch *watch, int events)
{
    int uv_events = 0;

    if (!watch || (events & ~(SR_READABLE | SR_WRITABLE)))
        return SR_E_INVAL;
    if (events & SR_READABLE)
        uv_events |= UV_READABLE;
    if (events & SR_WRITABLE)
        uv_events |= UV_WRITABLE;
    sr_loop_touch(watch->loop);
    if (!events) {
        uv_poll_stop(&watch->uv);
        return 0;
    }
    return uv_poll_start(&watch->uv, uv_events, on_poll) ? SR_E_INVAL : 0;
}

struct sr_watch *sr_watch_free(struct sr_watch *watch)
{
    if (watch && !uv_is_closing((uv_handle_t *)&watch->uv))
        sr_handle_close((uv_handle_t *)&watch->uv);
    return NULL;
}
