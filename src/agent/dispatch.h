/* SPDX-License-Identifier: MIT */
/* Who handles which row: by (X-Id, message id). Pure bookkeeping and a parser loop. */
#ifndef AGENT_DISPATCH_H
#define AGENT_DISPATCH_H

#include <smartrest/agent.h>
#include <stdbool.h>

struct sr_handler {
    char *xid; /* NULL: the agent's own collection */
    uint32_t id;
    sr_message_fn fn;
    void *arg;
};

/* Sorted by id; few enough to be an array. Zeroed is empty. */
struct sr_dispatch {
    struct sr_handler *handlers;
    size_t count, cap;
};

void sr_dispatch_release(struct sr_dispatch *dispatch);

/* Sets, replaces or (fn NULL) removes. Returns 0 or SR_E_NOMEM. */
int sr_dispatch_set(struct sr_dispatch *dispatch, const char *xid, uint32_t id,
                    sr_message_fn fn, void *arg);

/* Copies the handler, since it may be replaced while it runs. False if there is none. */
bool sr_dispatch_find(const struct sr_dispatch *dispatch, const char *xid, uint32_t id,
                      struct sr_handler *ret_handler);

/* Calls the handlers for `rows`, of collection `xid` (NULL: the agent's own) until a row
 * 87 names another, and counts rows and malformed ones. For the reporter. */
void sr_agent_received(void *agent, const char *xid, const char *rows, size_t len,
                       uint64_t *rows_seen, uint64_t *malformed);

#endif
