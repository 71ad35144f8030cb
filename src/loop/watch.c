/* SPDX-License-Identifier: MIT */
#include "loop/handles.h"
#include <stdlib.h>

struct sr_watch {
    struct sr_poll poll; /* first */
    int fd;
    sr_watch_fn fn;
    void *arg;
};

static void on_poll(struct sr_poll *poll, int events)
{
    struct sr_watch *watch = (struct sr_watch *)poll;

    watch->fn(poll->loop->arg, watch, watch->fd, events, watch->arg);
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
    if (fd < 0 || sr_poll_init(&watch->poll, loop, fd, on_poll)) {
        free(watch);
        return SR_E_INVAL;
    }
    watch->fd = fd;
    watch->fn = fn;
    watch->arg = arg;
    rc = sr_watch_set(watch, events);
    if (rc) {
        sr_poll_close(&watch->poll);
        return rc;
    }
    *ret_watch = watch;
    return 0;
}

int sr_watch_set(struct sr_watch *watch, int events)
{
    if (!watch || (events & ~(SR_READABLE | SR_WRITABLE)))
        return SR_E_INVAL;
    return sr_poll_set(&watch->poll, events);
}

struct sr_watch *sr_watch_free(struct sr_watch *watch)
{
    if (watch)
        sr_poll_close(&watch->poll);
    return NULL;
}
