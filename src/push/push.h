/* SPDX-License-Identifier: MIT */
/* The push's inside: the state machine (machine.h) on the loop and HTTP. */
#ifndef PUSH_PUSH_H
#define PUSH_PUSH_H

#include "http/http.h"
#include "push/machine.h"

struct sr_push_config {
    struct sr_loop *loop;
    /* Login, password and X-Id of the moment. */
    void (*sign)(void *arg, struct sr_http_post *post);
    /* Dispatches rows and counts them. False: not all of them were, and the agent
     * goes: nothing more is to be done. */
    bool (*received)(void *arg, const char *rows, size_t len, uint64_t *rows_seen,
                     uint64_t *malformed);
    /* A new session is subscribed. False: the agent goes. */
    bool (*connected)(void *arg);
    void *arg;
};

int sr_push_make(const struct sr_push_config *config, struct sr_push **ret_push);
/* Nothing more is sent or dispatched, but what is being dispatched. From a callback, too: it is gone
 * when the turn is over. */
void sr_push_destroy(struct sr_push *push);
/* config.arg */
void *sr_push_owner(const struct sr_push *push);
/* Before it is started. */
void sr_push_set_times(struct sr_push *push, const struct sr_push_times *times);
bool sr_push_started(const struct sr_push *push);

/* `url` is the push's, and `check_url` (of /s) is asked whether the server is the platform
 * (transport/prover.h). Both are copied. Returns 0, SR_E_INVAL, SR_E_STATE, SR_E_NOMEM. */
int sr_push_begin(struct sr_push *push, struct sr_http *http, const char *url,
                  const char *check_url, const char *object_id);
/* With an X-Id that is valid. Return 0, SR_E_FULL, SR_E_NOMEM. */
int sr_push_add(struct sr_push *push, const char *xid);
void sr_push_remove(struct sr_push *push, const char *xid);

#endif
