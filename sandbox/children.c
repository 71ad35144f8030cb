/* SPDX-License-Identifier: MIT */
/* /inventory/managedObjects/<id>/childDevices, childAssets, childAdditions */
#include "params.h"
#include "rest_impl.h"

#include <string.h>

static bool is_kind(const char *kind)
{
    return !strcmp(kind, "childDevices") || !strcmp(kind, "childAssets") ||
           !strcmp(kind, "childAdditions");
}

/* The parent is there and the caller may; `kind` is one. */
static int64_t parent_of(struct sb_rest *rest, const struct sb_call *call,
                         const struct sb_args *args, enum sb_access access,
                         struct sb_reply *reply)
{
    int64_t parent = sb_id(args->path[0]);

    if (!is_kind(args->path[1])) {
        sb_reply_error(reply, 404, "inventory", "there is no resource %s", call->path);
        return 0;
    }
    return sb_may(rest, call, parent, access, "inventory", reply) ? parent : 0;
}

/* A reference to a child; what is asked for here is the child as a whole. Only the
 * lists inside of a managed object are short (inventory.c). */
static json_t *item(struct sb_rest *rest, const struct sb_call *call, int64_t parent,
                    const char *kind, int64_t child)
{
    json_t *json = json_object();

    json_object_set_new(json, "managedObject", sb_object_get(rest, call, child));
    json_object_set_new(json, "self",
                        sb_json_link(call, "/inventory/managedObjects/%lld/%s/%lld",
                                     (long long)parent, kind, (long long)child));
    return json;
}

/* The child that `reference` names, {"id": ...}; 0 with an error. */
static int64_t referenced(struct sb_rest *rest, const struct sb_call *call,
                          const json_t *reference, struct sb_reply *reply)
{
    int64_t child = sb_id(sb_json_text(reference, "id"));

    return sb_may(rest, call, child, SB_WRITE, "inventory", reply) ? child : 0;
}

static bool is_below(struct sb_rest *rest, int64_t object, int64_t ancestor)
{
    return sb_number(rest->store, 0,
                     "WITH RECURSIVE up(id) AS (SELECT ?1 UNION"
                     " SELECT parent FROM child JOIN up ON child.child = up.id)"
                     " SELECT 1 FROM up WHERE id = ?2",
                     "ii", object, ancestor) != 0;
}

static bool link_child(struct sb_rest *rest, const char *kind, int64_t parent,
                       int64_t child, struct sb_reply *reply)
{
    if (is_below(rest, parent, child))
        sb_reply_error(reply, 422, "inventory",
                       "%lld is above %lld and cannot be its child", (long long)child,
                       (long long)parent);
    else if (sb_run(rest->store, "INSERT OR IGNORE INTO child VALUES(?, ?, ?)", "sii",
                    kind, parent, child) < 0)
        sb_reply_error(reply, 500, "inventory", "the store could not be written");
    else
        return true;
    return false;
}

/* {"managedObject": {"id": ...}}: answered by the reference. */
static void link_one(struct sb_rest *rest, const struct sb_call *call, const char *kind,
                     int64_t parent, const json_t *reference, struct sb_reply *reply)
{
    int64_t child = referenced(rest, call, reference, reply);

    if (child && link_child(rest, kind, parent, child, reply))
        sb_reply_created(call, reply, item(rest, call, parent, kind, child));
}

/* {"references": [{"managedObject": {"id": ...}}, ...]}: all or none. */
static void link_many(struct sb_rest *rest, const struct sb_call *call,
                      const char *kind, int64_t parent, const json_t *references,
                      struct sb_reply *reply)
{
    json_t *linked = json_array();
    const json_t *reference;
    size_t i;

    json_array_foreach(references, i, reference)
    {
        int64_t child =
            referenced(rest, call, json_object_get(reference, "managedObject"), reply);

        if (!child || !link_child(rest, kind, parent, child, reply))
            break;
        json_array_append_new(linked, item(rest, call, parent, kind, child));
    }
    if (reply->status < 400)
        sb_reply_object(call, reply, 201, json_pack("{s:O}", "references", linked));
    json_decref(linked);
}

/* A managed object, to be made: answered by the object. */
static void link_new(struct sb_rest *rest, const struct sb_call *call, const char *kind,
                     int64_t parent, struct sb_reply *reply)
{
    int64_t child = sb_object_create(rest, call, call->body, reply);

    if (child && link_child(rest, kind, parent, child, reply))
        sb_reply_created(call, reply, sb_object_get(rest, call, child));
}

static void create(struct sb_rest *rest, const struct sb_call *call,
                   const struct sb_args *args, struct sb_reply *reply)
{
    const json_t *one = json_object_get(call->body, "managedObject");
    const json_t *many = json_object_get(call->body, "references");
    int64_t parent = parent_of(rest, call, args, SB_WRITE, reply);

    if (!parent)
        return;
    sb_store_begin(rest->store);
    if (one)
        link_one(rest, call, args->path[1], parent, one, reply);
    else if (many && !json_is_array(many))
        sb_reply_error(reply, 422, "inventory", "`references` has to be a list");
    else if (many)
        link_many(rest, call, args->path[1], parent, many, reply);
    else
        link_new(rest, call, args->path[1], parent, reply);
    sb_end_changes(rest, reply);
}

static json_t *row_item(struct sb_rest *rest, const struct sb_call *call,
                        sqlite3_stmt *row)
{
    return item(rest, call, sqlite3_column_int64(row, 1), sb_column(row, 0),
                sqlite3_column_int64(row, 2));
}

static void list(struct sb_rest *rest, const struct sb_call *call,
                 const struct sb_args *args, struct sb_reply *reply)
{
    static const struct sb_list children = {
        .resource = "inventory",
        .name = "references",
        .columns = "SELECT kind, parent, child",
        .from = " FROM child WHERE 1",
        .order = " ORDER BY child",
        .item = row_item,
    };
    struct sb_select select = { 0 };
    int64_t parent = parent_of(rest, call, args, SB_READ, reply);

    if (!parent)
        return;
    sb_select_text(&select, " AND kind = ?", args->path[1]);
    sb_select_number(&select, " AND parent = ?", parent);
    sb_reply_list(rest, call, args, &children, &select, reply);
    sb_select_release(&select);
}

static bool linked(struct sb_rest *rest, const char *kind, int64_t parent,
                   int64_t child)
{
    return sb_number(rest->store, 0,
                     "SELECT 1 FROM child WHERE kind = ? AND parent = ? AND child = ?",
                     "sii", kind, parent, child) != 0;
}

static void get(struct sb_rest *rest, const struct sb_call *call,
                const struct sb_args *args, struct sb_reply *reply)
{
    int64_t parent = parent_of(rest, call, args, SB_READ, reply);
    int64_t child = sb_id(args->path[2]);

    if (!parent)
        return;
    if (!linked(rest, args->path[1], parent, child))
        sb_reply_error(reply, 404, "inventory", "%lld has no child %s",
                       (long long)parent, args->path[2]);
    else
        sb_reply_object(call, reply, 200,
                        item(rest, call, parent, args->path[1], child));
}

static void unlink_child(struct sb_rest *rest, const struct sb_call *call,
                         const struct sb_args *args, struct sb_reply *reply)
{
    int64_t parent = parent_of(rest, call, args, SB_WRITE, reply);
    int64_t child = sb_id(args->path[2]);

    if (!parent)
        return;
    if (!linked(rest, args->path[1], parent, child))
        sb_reply_error(reply, 404, "inventory", "%lld has no child %s",
                       (long long)parent, args->path[2]);
    else if (sb_run(rest->store,
                    "DELETE FROM child WHERE kind = ? AND parent = ? AND child = ?",
                    "sii", args->path[1], parent, child) < 0)
        sb_reply_error(reply, 500, "inventory", "the store could not be written");
    else
        sb_reply_nothing(reply);
}

const struct sb_route sb_child_routes[] = {
    {"POST",    "/inventory/managedObjects/{}/{}",    create,       sb_page_params},
    { "GET",    "/inventory/managedObjects/{}/{}",    list,         sb_page_params},
    { "GET",    "/inventory/managedObjects/{}/{}/{}", get,          NULL          },
    { "DELETE", "/inventory/managedObjects/{}/{}/{}", unlink_child, NULL          },
    { NULL,     NULL,                                 NULL,         NULL          },
};
