/* SPDX-License-Identifier: MIT */
/* /event/events */
#include "documents.h"
#include "params.h"

static void create(struct sb_rest *rest, const struct sb_call *call,
                   const struct sb_args *args, struct sb_reply *reply)
{
    static const char *const mandatory[] = { "source", "type", "text", "time", NULL };
    struct sb_document event;

    (void)args;
    if (!sb_document_check(rest, call, SB_EVENT, call->body, mandatory, &event, reply))
        return;
    json_object_set_new(event.body, "creationTime", sb_json_time(sb_time_now()));
    if (sb_document_put(rest, call, SB_EVENT, &event, reply)) {
        sb_document_created(call, SB_EVENT, &event, reply);
        sb_document_notify(rest, call, SB_EVENT, &event, "CREATE");
    }
    json_decref(event.body);
}

/* Text and fragments change; what makes it this event does not. */
static void change(struct sb_rest *rest, const struct sb_call *call,
                   const struct sb_args *args, struct sb_reply *reply)
{
    static const char *const fixed[] = { "id",   "self", "source",
                                         "type", "time", "creationTime" };
    const json_t *text = json_object_get(call->body, "text");
    struct sb_document event;
    json_t *patch;
    size_t i;

    if (!sb_document_load(rest, call, args, SB_EVENT, SB_WRITE, &event, reply))
        return;
    patch = json_copy(call->body);
    for (i = 0; i < sizeof fixed / sizeof fixed[0]; i++)
        json_object_del(patch, fixed[i]);
    sb_json_merge(event.body, patch);
    if (text && !json_is_string(text))
        sb_reply_error(reply, 422, "event", "`text` has to be a string");
    else if (sb_document_put(rest, call, SB_EVENT, &event, reply))
        sb_document_changed(rest, call, SB_EVENT, &event, reply);
    json_decref(patch);
    json_decref(event.body);
}

static void list(struct sb_rest *rest, const struct sb_call *call,
                 const struct sb_args *args, struct sb_reply *reply)
{
    sb_document_list(rest, call, args, SB_EVENT, reply);
}

static void get(struct sb_rest *rest, const struct sb_call *call,
                const struct sb_args *args, struct sb_reply *reply)
{
    sb_document_get(rest, call, args, SB_EVENT, reply);
}

static void remove_one(struct sb_rest *rest, const struct sb_call *call,
                       const struct sb_args *args, struct sb_reply *reply)
{
    sb_document_delete(rest, call, args, SB_EVENT, reply);
}

static void remove_list(struct sb_rest *rest, const struct sb_call *call,
                        const struct sb_args *args, struct sb_reply *reply)
{
    sb_document_delete_list(rest, call, args, SB_EVENT, reply);
}

const struct sb_route sb_event_routes[] = {
    {"POST",    "/event/events",    create,      sb_event_params},
    { "GET",    "/event/events",    list,        sb_event_params},
    { "DELETE", "/event/events",    remove_list, sb_event_params},
    { "GET",    "/event/events/{}", get,         NULL           },
    { "PUT",    "/event/events/{}", change,      NULL           },
    { "DELETE", "/event/events/{}", remove_one,  NULL           },
    { NULL,     NULL,               NULL,        NULL           },
};
