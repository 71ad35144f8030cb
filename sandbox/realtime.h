/* SPDX-License-Identifier: MIT */
/* The real-time endpoints: rows 80 to 84 (docs/protocol/realtime.md), or Bayeux in JSON
 * if the request has no X-Id. */
#ifndef SANDBOX_REALTIME_H
#define SANDBOX_REALTIME_H

#include "engine.h"

enum sb_endpoint {
    SB_NO_ENDPOINT,
    SB_ENDPOINT_OPERATIONS, /* channels /<agent id> */
    SB_ENDPOINT_REALTIME,   /* channels /alarms/<id> ... */
};

enum sb_endpoint sb_endpoint_of(const char *path);

struct sb_realtime {
    struct sb_push *push;
    struct sb_engine *engine;
    struct sb_rest *rest;
};

/* What a POST is answered: the body, or, if *ret_poll is set, a poll. */
void sb_realtime_rows(const struct sb_realtime *realtime,
                      const struct sb_request *request, struct sb_text *answer,
                      struct sb_poll **ret_poll);
/* The same for JSON. Returns the HTTP status. */
int sb_realtime_json(const struct sb_realtime *realtime,
                     const struct sb_request *request, struct sb_text *answer,
                     struct sb_poll **ret_poll);

/* Makes notes of `json` for all who subscribed to `channel`. */
void sb_realtime_publish(const struct sb_realtime *realtime, struct sb_channel channel,
                         const char *action, json_t *json);

/* --- shared by the two forms ------------------------------------------------ */

extern const struct sb_push_form sb_form_rows, sb_form_json;

/* Returns 0 and the channel if it is one of the endpoint and its object is the
 * caller's, else an HTTP status. */
int sb_channel_parse(const struct sb_realtime *realtime,
                     const struct sb_request *request, const char *name,
                     struct sb_channel *ret_channel);
/* The name it was subscribed to by. */
void sb_channel_name(struct sb_channel channel, char *ret_name, size_t size);
/* The note of a JSON listener. */
void sb_note_json(struct sb_listener *listener, struct sb_channel channel,
                  const char *action, json_t *json);

#endif
