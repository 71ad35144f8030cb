/* SPDX-License-Identifier: MIT */
/* /measurement/measurements */
#include "documents.h"
#include "params.h"

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

/* Stores one. False with an error. */
static bool store_one(struct sb_rest *rest, const struct sb_call *call,
                      const json_t *body, struct sb_document *ret_document,
                      struct sb_reply *reply)
{
    static const char *const mandatory[] = { "source", "type", "time", NULL };
    struct sb_document document;

    if (!sb_document_check(rest, call, SB_MEASUREMENT, body, mandatory, &document,
                           reply))
        return false;
    if (check_values(document.body, reply) &&
        sb_document_put(rest, call, SB_MEASUREMENT, &document, reply)) {
        *ret_document = document;
        return true;
    }
    json_decref(document.body);
    return false;
}

static void tell_many(struct sb_rest *rest, const struct sb_call *call,
                      const json_t *stored)
{
    struct sb_document document;
    size_t i;
    json_t *json;

    json_array_foreach(stored, i, json)
    {
        document = (struct sb_document){
            .id = sb_id(sb_json_text(json, "id")),
            .source = sb_id(sb_json_text(json_object_get(json, "source"), "id")),
            .body = json,
        };
        sb_document_notify(rest, call, SB_MEASUREMENT, &document, "CREATE");
    }
}

/* All or none. */
static void store_many(struct sb_rest *rest, const struct sb_call *call,
                       const json_t *bodies, struct sb_reply *reply)
{
    json_t *stored = json_array(), *body;
    struct sb_document document;
    size_t i;

    sb_store_begin(rest->store);
    json_array_foreach(bodies, i, body)
    {
        if (!store_one(rest, call, body, &document, reply))
            break;
        json_array_append_new(stored,
                              sb_document_json(call, SB_MEASUREMENT, &document));
        json_decref(document.body);
    }
    if (reply->status < 400)
        sb_reply_object(call, reply, 201, json_pack("{s:O}", "measurements", stored));
    sb_end_changes(rest, reply);
    if (reply->status < 400)
        tell_many(rest, call, stored);
    json_decref(stored);
}

static void create(struct sb_rest *rest, const struct sb_call *call,
                   const struct sb_args *args, struct sb_reply *reply)
{
    const json_t *many = json_object_get(call->body, "measurements");
    struct sb_document measurement;

    (void)args;
    if (json_is_array(many)) {
        store_many(rest, call, many, reply);
    } else if (store_one(rest, call, call->body, &measurement, reply)) {
        sb_document_created(call, SB_MEASUREMENT, &measurement, reply);
        sb_document_notify(rest, call, SB_MEASUREMENT, &measurement, "CREATE");
        json_decref(measurement.body);
    }
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
    {"POST",    "/measurement/measurements",    create,      sb_measurement_params},
    { "GET",    "/measurement/measurements",    list,        sb_measurement_params},
    { "DELETE", "/measurement/measurements",    remove_list, sb_measurement_params},
    { "GET",    "/measurement/measurements/{}", get,         NULL                 },
    { "DELETE", "/measurement/measurements/{}", remove_one,  NULL                 },
    { NULL,     NULL,                           NULL,        NULL                 },
};
