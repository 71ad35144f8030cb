/* SPDX-License-Identifier: MIT */
/* Who handles which row: by where it came from, and its message id. Pure bookkeeping and a parser
 * loop. */
#ifndef AGENT_DISPATCH_H
#define AGENT_DISPATCH_H

#include "protocol/protocol.h"
#include <smartrest/agent.h>
#include <stdbool.h>

/* A message id is a number, or, in protocols that have such, another text. */
struct sr_message_id {
    uint32_t number;  /* of a text, a checksum */
    const char *text; /* NULL: a number */
};
/* "502" is a number. */
struct sr_message_id sr_message_id(const char *text);

struct sr_handler {
    const struct sr_protocol *protocol;
    char *name;              /* of the origin; NULL: the agent's own collection */
    struct sr_message_id id; /* the text is the handler's */
    sr_message_fn fn;
    void *arg;
};

/* Sorted by the number of the id; few enough to be an array. Zeroed is empty. */
struct sr_dispatch {
    struct sr_handler *handlers;
    size_t count, cap;
};

void sr_dispatch_release(struct sr_dispatch *dispatch);

/* Sets, replaces or (fn NULL) removes. Returns 0 or SR_E_NOMEM. */
int sr_dispatch_set(struct sr_dispatch *dispatch, const struct sr_origin *origin,
                    struct sr_message_id id, sr_message_fn fn, void *arg);

/* Copies the handler, since it may be replaced while it runs. False if there is none. */
bool sr_dispatch_find(const struct sr_dispatch *dispatch,
                      const struct sr_origin *origin, struct sr_message_id id,
                      struct sr_handler *ret_handler);

/* Calls the handlers for `rows` from there, until a row names another origin (87), and counts rows and
 * malformed ones. For the reporter. */
void sr_agent_received(void *agent, const struct sr_origin *origin,
                       struct sr_rows *rows, uint64_t *rows_seen, uint64_t *malformed);
/* The same for rows that nobody has read yet. */
void sr_agent_received_text(void *agent, const struct sr_origin *origin,
                            const char *text, size_t len, uint64_t *rows_seen,
                            uint64_t *malformed);

#endif
