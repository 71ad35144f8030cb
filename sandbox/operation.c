/* SPDX-License-Identifier: MIT */
/* /devicecontrol/operations */
#include "documents.h"
#include "params.h"

#include <string.h>

static bool check_status(const json_t *body, struct sb_reply *reply)
{
    static const char *const statuses[] = { "PENDING", "EXECUTING", "SUCCESSFUL",
                                            "FAILED" };
    const char *status = sb_json_text(body, "status");
    size_t i;

    if (!json_object_get(body, "status"))
        return true;
    for (i = 0; status && i < 4; i++)
        if (!strcmp(status, statuses[i]))
            return true;
    sb_reply_error(reply, 422, "devicecontrol",
                   "`status` is none that operations have: %.40s",
                   status ? status : "not a string");
    return false;
}

static void publish(struct sb_rest *rest, const struct sb_call *call, int64_t agent,
                    const struct sb_document *operation)
{
    json_t *json = sb_document_json(call, SB_OPERATION, operation);

    rest->on_operation(rest->arg, agent, json);
    json_decref(json);
}

static void create(struct sb_rest *rest, const struct sb_call *call,
                   const struct sb_args *args, struct sb_reply *reply)
{
    static const char *const mandatory[] = { "deviceId", NULL };
    struct sb_document operation;
    int64_t agent;

    (void)args;
    if (!check_status(call->body, reply) ||
        !sb_document_check(rest, call, SB_OPERATION, call->body, mandatory, &operation,
                           reply))
        return;
    operation.time = sb_time_now();
    sb_json_set_text(operation.body, "status", "PENDING");
    json_object_set_new(operation.body, "creationTime", sb_json_time(operation.time));
    agent = sb_object_agent(rest, operation.source);
    if (!agent) {
        sb_reply_error(reply, 422, "devicecontrol",
                       "deviceId %lld is no agent and below none: nobody would receive "
                       "the operation",
                       (long long)operation.source);
    } else if (sb_document_put(rest, call, SB_OPERATION, &operation, reply)) {
        sb_document_created(call, SB_OPERATION, &operation, reply);
        sb_document_notify(rest, call, SB_OPERATION, &operation, "CREATE");
        publish(rest, call, agent, &operation);
    }
    json_decref(operation.body);
}

static void change(struct sb_rest *rest, const struct sb_call *call,
                   const struct sb_args *args, struct sb_reply *reply)
{
    static const char *const fixed[] = { "id", "self", "deviceId", "creationTime" };
    struct sb_document operation;
    json_t *patch;
    size_t i;

    if (!sb_document_load(rest, call, args, SB_OPERATION, SB_WRITE, &operation, reply))
        return;
    patch = json_copy(call->body);
    for (i = 0; i < sizeof fixed / sizeof fixed[0]; i++)
        json_object_del(patch, fixed[i]);
    if (check_status(patch, reply)) {
        sb_json_merge(operation.body, patch);
        if (sb_document_put(rest, call, SB_OPERATION, &operation, reply))
            sb_document_changed(rest, call, SB_OPERATION, &operation, reply);
    }
    json_decref(patch);
    json_decref(operation.body);
}

static void list(struct sb_rest *rest, const struct sb_call *call,
                 const struct sb_args *args, struct sb_reply *reply)
{
    sb_document_list(rest, call, args, SB_OPERATION, reply);
}

static void get(struct sb_rest *rest, const struct sb_call *call,
                const struct sb_args *args, struct sb_reply *reply)
{
    sb_document_get(rest, call, args, SB_OPERATION, reply);
}

static void remove_list(struct sb_rest *rest, const struct sb_call *call,
                        const struct sb_args *args, struct sb_reply *reply)
{
    sb_document_delete_list(rest, call, args, SB_OPERATION, reply);
}

const struct sb_route sb_operation_routes[] = {
    {"PUT",     "/devicecontrol/operations/{}", change,      NULL               },
    { "GET",    "/devicecontrol/operations/{}", get,         NULL               },
    { "POST",   "/devicecontrol/operations",    create,      sb_operation_params},
    { "GET",    "/devicecontrol/operations",    list,        sb_operation_params},
    { "DELETE", "/devicecontrol/operations",    remove_list, sb_operation_params},
    { NULL,     NULL,                           NULL,        NULL               },
};
