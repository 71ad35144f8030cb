/* SPDX-License-Identifier: MIT */
/* /measurement/measurements */
#include "documents.h"

#include <string.h>

/* A series is a member with a `value`, and that is a number. */
static bool check_series(const json_t *fragment, struct sb_reply *reply)
{
    json_t *f = (json_t *)(uintptr_t)fragment;
    void *at = json_object_iter(f);

    for (; at; at = json_object_iter_next(f, at)) {
        const json_t *value = json_object_get(json_object_iter_value(at), "value");

        if (value && !json_is_number(value)) {
            sb_reply_error(reply, 422, "measurement", "`%s.value` has to be a number",
                           json_object_iter_key(at));
            return false;
        }
    }
    return true;
}

static bool check_values(const json_t *body, struct sb_reply *reply)
{
    json_t *b = (json_t *)(uintptr_t)body;
    void *at = json_object_iter(b);

    for (; at; at = json_object_iter_next(b, at))
        if (!check_series(json_object_iter_value(at), reply))
            return false;
    return true;
}

/* Stores one; returns it as the answer has it, or NULL with an error. */
static json_t *store_one(struct sb_rest *rest, const struct sb_call *call,
                         const json_t *body, struct sb_reply *reply)
{
    static const char *const mandatory[] = { "source", "type", "time", NULL };
    struct sb_document document;
    json_t *json = NULL;

    if (!sb_document_check(rest, call, SB_MEASUREMENT, body, mandatory, &document,
                           reply))
        return NULL;
    if (check_values(document.body, reply) &&
        sb_document_put(rest, SB_MEASUREMENT, &document, reply))
        json = sb_document_json(call, SB_MEASUREMENT, &document);
    json_decref(document.body);
    return json;
}

static void store_many(struct sb_rest *rest, const struct sb_call *call,
                       const json_t *bodies, struct sb_reply *reply)
{
    json_t *stored = json_array(), *body, *json;
    size_t i;

    json_array_foreach(bodies, i, body)
    {
        json = store_one(rest, call, body, reply);
        if (!json) { /* all or none */
            json_decref(stored);
            return;
        }
        json_array_append_new(stored, json);
    }
    sb_reply_object(call, reply, 201, json_pack("{s:o}", "measurements", stored));
}

static void create(struct sb_rest *rest, const struct sb_call *call,
                   const struct sb_args *args, struct sb_reply *reply)
{
    const json_t *many = json_object_get(call->body, "measurements");
    json_t *one;

    (void)args;
    if (json_is_array(many)) {
        store_many(rest, call, many, reply);
        return;
    }
    one = store_one(rest, call, call->body, reply);
    if (one)
        sb_reply_created(call, reply, one);
}

static void list(struct sb_rest *rest, const struct sb_call *call,
                 const struct sb_args *args, struct sb_reply *reply)
{
    sb_document_list(rest, call, args, SB_MEASUREMENT, reply);
}

static void get(struct sb_rest *rest, const struct sb_call *call,
                const struct sb_args *args, struct sb_reply *reply)
{
    sb_document_get(rest, call, args, SB_MEASUREMENT, reply);
}

static void remove_one(struct sb_rest *rest, const struct sb_call *call,
                       const struct sb_args *args, struct sb_reply *reply)
{
    sb_document_delete(rest, call, args, SB_MEASUREMENT, reply);
}

static void remove_list(struct sb_rest *rest, const struct sb_call *call,
                        const struct sb_args *args, struct sb_reply *reply)
{
    sb_document_delete_list(rest, call, args, SB_MEASUREMENT, reply);
}

const struct sb_route sb_measurement_routes[] = {
    {"POST",    "/measurement/measurements",    create     },
    { "GET",    "/measurement/measurements",    list       },
    { "DELETE", "/measurement/measurements",    remove_list},
    { "GET",    "/measurement/measurements/{}", get        },
    { "DELETE", "/measurement/measurements/{}", remove_one },
    { NULL,     NULL,                           NULL       },
};
