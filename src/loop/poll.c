/* SPDX-License-Identifier: MIT */
#include "loop/handles.h"
#include <fcntl.h>

/* libuv makes the descriptor non-blocking; that is for its owner to decide. */
int sr_poll_init(struct sr_poll *poll, struct sr_loop *loop, int fd, sr_poll_fn fn)
{
    int flags = fcntl(fd, F_GETFL), rc;

    if (flags < 0)
        return SR_E_INVAL;
    rc = uv_poll_init(&loop->uv, &poll->uv, fd);
    fcntl(fd, F_SETFL, flags);
    if (rc)
        return SR_E_INVAL;
    poll->loop = loop;
    poll->events = 0;
    poll->fn = fn;
    return 0;
}

static void on_poll(uv_poll_t *handle, int status, int events)
{
    struct sr_poll *poll = (struct sr_poll *)handle;

    /* libuv has stopped watching, and the descriptor may recover, as UDP does; or what is there to read
     * stands before the error. */
    if (status < 0) {
        events = SR_READABLE | SR_WRITABLE;
        sr_loop_touch(poll->loop);
        uv_poll_start(&poll->uv, poll->events, on_poll);
    }
    poll->fn(poll, events & (SR_READABLE | SR_WRITABLE));
}

_Static_assert((int)SR_READABLE == (int)UV_READABLE &&
                   (int)SR_WRITABLE == (int)UV_WRITABLE,
               "events need no translation");

int sr_poll_set(struct sr_poll *poll, int events)
{
    if (events == poll->events)
        return 0;
    poll->events = events;
    sr_loop_touch(poll->loop);
    if (!events)
        return uv_poll_stop(&poll->uv) ? SR_E_INVAL : 0;
    return uv_poll_start(&poll->uv, events, on_poll) ? SR_E_INVAL : 0;
}

void sr_poll_close(struct sr_poll *poll)
{
    if (poll && !uv_is_closing((uv_handle_t *)&poll->uv))
        sr_handle_close((uv_handle_t *)&poll->uv);
}
