/* SPDX-License-Identifier: MIT */
/* The REST resources. The HTTP door and the SmartREST engine call the same
 * sb_rest_handle(): what a row does is what the request it stands for does.
 *
 *     struct sb_reply reply = { 0 };
 *     sb_rest_handle(rest, &call, &reply)
 *     ... reply.status, reply.json ...
 *     sb_reply_release(&reply)
 */
#ifndef SANDBOX_REST_H
#define SANDBOX_REST_H

#include "json.h"
#include "platform.h"
#include "push.h"
#include "store.h"

/* What the resources know, and whom they tell. */
struct sb_rest {
    struct sb_store *store;
    const char *tenant;
    bool auto_accept;
    struct sb_binaries *binaries;
    /* An operation was made for a device below agent `agent`. */
    void (*on_operation)(void *arg, int64_t agent, json_t *operation);
    /* Whoever has subscribed to the channel gets `json`; `action` is CREATE, UPDATE or
     * DELETE. Both may be NULL. */
    bool (*listens)(void *arg, struct sb_channel channel);
    void (*on_change)(void *arg, struct sb_channel channel, const char *action,
                      json_t *json);
    /* A template collection, or the name of one, may have changed. */
    void (*on_collections)(void *arg);
    void *arg;
};

/* What becomes of new data: stored, told in real time, or both. */
enum sb_mode { SB_PERSISTENT, SB_TRANSIENT, SB_QUIESCENT, SB_CEP };

struct sb_call {
    const struct sb_identity *who;
    enum sb_mode mode;
    const char *method;
    const char *path;  /* percent-decoded */
    const char *query; /* as sent; "" for none */
    const char *host;
    bool tls;          /* links begin with https */
    const char *range; /* of a download; NULL for all */
    json_t *body;      /* NULL for none */
    bool wants_body;   /* a POST or PUT had an Accept */
    bool wants_location;
};

struct sb_reply {
    int status;
    json_t *json; /* NULL for an empty body */
    char *location;
    struct sb_file *file; /* instead of `json`; NULL for none */
    bool keep;            /* an error that does not undo what was changed */
};

void sb_rest_handle(struct sb_rest *rest, const struct sb_call *call,
                    struct sb_reply *reply);
/* The part of it that comes before a body: false, with the reply, if the query is
 * malformed or holds what the resource does not know. */
bool sb_rest_query_ok(const struct sb_call *call, struct sb_reply *reply);
void sb_reply_release(struct sb_reply *reply);

/* An error: `resource` and `name` make "<resource>/<name>". */
void sb_reply_error(struct sb_reply *reply, int status, const char *resource,
                    const char *format, ...) SR_PRINTF(4, 5);

#endif
