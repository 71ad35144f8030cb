/* SPDX-License-Identifier: MIT */
#include "loop/handles.h"
#include <fcntl.h>
#include <stdlib.h>

struct sr_watch {
    uv_poll_t uv; /* first: see sr_handle_close() */
    struct sr_loop *loop;
    int fd;
    int events; /* of libuv's, asked for */
    sr_watch_fn fn;
    void *arg;
};

static void free_unused(uv_handle_t *handle)
{
    free(handle);
}

/* libuv makes the descriptor non-blocking; that is for its owner to decide. */
static int init_poll(struct sr_loop *loop, uv_poll_t *handle, int fd)
{
    int flags = fcntl(fd, F_GETFL), rc;

    if (flags < 0)
        return SR_E_INVAL;
    rc = uv_poll_init(&loop->uv, handle, fd);
    fcntl(fd, F_SETFL, flags);
    return rc;
}

int sr_loop_add_watch(struct sr_loop *loop, int fd, int events, sr_watch_fn fn,
                      void *arg, struct sr_watch **ret_watch)
{
    struct sr_watch *watch;
    int rc;

    if (!loop || !fn || !ret_watch)
        return SR_E_INVAL;
    watch = calloc(1, sizeof *watch);
    if (!watch)
        return SR_E_NOMEM;
    if (fd < 0 || init_poll(loop, &watch->uv, fd)) {
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

    if (status < 0) {
        seen = SR_READABLE | SR_WRITABLE;
        /* libuv has stopped watching, and the descriptor may recover, as UDP does. */
        sr_loop_touch(watch->loop);
        uv_poll_start(&watch->uv, watch->events, on_poll);
    }
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
    watch->events = uv_events;
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
