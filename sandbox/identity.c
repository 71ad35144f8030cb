/* SPDX-License-Identifier: MIT */
/* /identity: external ids */
#include "collection.h"
#include "params.h"
#include "rest_impl.h"

#include <string.h>

static json_t *to_json(const struct sb_call *call, const char *type, const char *value,
                       int64_t object)
{
    json_t *json = json_object(), *target = json_object();

    json_object_set_new(target, "id", sb_json_id(object));
    json_object_set_new(
        target, "self",
        sb_json_link(call, "/inventory/managedObjects/%lld", (long long)object));
    json_object_set_new(json, "externalId", json_string(value));
    json_object_set_new(json, "type", json_string(type));
    json_object_set_new(json, "self",
                        sb_json_link(call, "/identity/externalIds/%s/%s", type, value));
    json_object_set_new(json, "managedObject", target);
    return json;
}

static int64_t find(struct sb_rest *rest, const char *type, const char *value)
{
    return sb_number(rest->store, 0,
                     "SELECT object FROM external_id WHERE type = ? AND value = ?",
                     "ss", type, value);
}

/* The object behind the id in the path, if the caller may; 0 with an error. */
static int64_t target(struct sb_rest *rest, const struct sb_call *call,
                      const struct sb_args *args, enum sb_access access,
                      struct sb_reply *reply)
{
    int64_t object = find(rest, args->path[0], args->path[1]);

    if (!object) {
        sb_reply_error(reply, 404, "identity", "there is no external id %s of type %s",
                       args->path[1], args->path[0]);
        return 0;
    }
    return sb_may(rest, call, object, access, "identity", reply) ? object : 0;
}

static void get(struct sb_rest *rest, const struct sb_call *call,
                const struct sb_args *args, struct sb_reply *reply)
{
    int64_t object = target(rest, call, args, SB_READ, reply);

    if (object)
        sb_reply_object(call, reply, 200,
                        to_json(call, args->path[0], args->path[1], object));
}

static void remove_id(struct sb_rest *rest, const struct sb_call *call,
                      const struct sb_args *args, struct sb_reply *reply)
{
    if (!target(rest, call, args, SB_WRITE, reply))
        return;
    if (sb_run(rest->store, "DELETE FROM external_id WHERE type = ? AND value = ?",
               "ss", args->path[0], args->path[1]) < 0) {
        sb_reply_error(reply, 500, "identity", "the store could not be written");
        return;
    }
    rest->on_collections(rest->arg);
    sb_reply_nothing(reply);
}

static bool check(const char *type, const char *value, struct sb_reply *reply)
{
    if (type && *type && value && *value && strlen(type) < 256 && strlen(value) <= 1000)
        return true;
    sb_reply_error(reply, 422, "identity",
                   "`type` and `externalId` have to be strings, and not empty");
    return false;
}

static void create(struct sb_rest *rest, const struct sb_call *call,
                   const struct sb_args *args, struct sb_reply *reply)
{
    const char *type = sb_json_text(call->body, "type");
    const char *value = sb_json_text(call->body, "externalId");
    int64_t object = sb_id(args->path[0]);

    if (!sb_may(rest, call, object, SB_WRITE, "identity", reply) ||
        !check(type, value, reply))
        return;
    if (find(rest, type, value)) {
        sb_reply_error(reply, 409, "identity",
                       "external id %s of type %s is in use already", value, type);
        return;
    }
    if (sb_run(rest->store, "INSERT INTO external_id VALUES(?, ?, ?)", "ssi", type,
               value, object) < 0) {
        sb_reply_error(reply, 500, "identity", "the store could not be written");
        return;
    }
    rest->on_collections(rest->arg);
    sb_reply_created(call, reply, to_json(call, type, value, object));
}

static json_t *row_item(struct sb_rest *rest, const struct sb_call *call,
                        sqlite3_stmt *row)
{
    (void)rest;
    return to_json(call, sb_column(row, 0), sb_column(row, 1),
                   sqlite3_column_int64(row, 2));
}

static void list(struct sb_rest *rest, const struct sb_call *call,
                 const struct sb_args *args, struct sb_reply *reply)
{
    static const struct sb_list ids = {
        .resource = "identity",
        .name = "externalIds",
        .columns = "SELECT type, value, object",
        .from = " FROM external_id WHERE 1",
        .order = " ORDER BY type, value",
        .item = row_item,
    };
    struct sb_select select = { 0 };
    int64_t object = sb_id(args->path[0]);

    if (!sb_may(rest, call, object, SB_READ, "identity", reply))
        return;
    sb_select_number(&select, " AND object = ?", object);
    sb_reply_list(rest, call, args, &ids, &select, reply);
    sb_select_release(&select);
}

const struct sb_route sb_identity_routes[] = {
    {"GET",     "/identity/externalIds/{}/{*}",       get,       NULL          },
    { "DELETE", "/identity/externalIds/{}/{*}",       remove_id, NULL          },
    { "POST",   "/identity/globalIds/{}/externalIds", create,    sb_page_params},
    { "GET",    "/identity/globalIds/{}/externalIds", list,      sb_page_params},
    { NULL,     NULL,                                 NULL,      NULL          },
};
