/* SPDX-License-Identifier: MIT */
/* /inventory/managedObjects/<id>/childDevices, childAssets, childAdditions */
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

static json_t *item(struct sb_rest *rest, const struct sb_call *call, int64_t parent,
                    const char *kind, int64_t child)
{
    json_t *json = json_object();

    json_object_set_new(json, "managedObject", sb_object_reference(rest, call, child));
    json_object_set_new(json, "self",
                        sb_json_link(call, "/inventory/managedObjects/%lld/%s/%lld",
                                     (long long)parent, kind, (long long)child));
    return json;
}

/* The child named in the body, or made of it; 0 with an error. */
static int64_t child_of(struct sb_rest *rest, const struct sb_call *call,
                        struct sb_reply *reply)
{
    const json_t *reference = json_object_get(call->body, "managedObject");
    int64_t child;

    if (!reference)
        return sb_object_create(rest, call, call->body, reply);
    child = sb_id(sb_json_text(reference, "id"));
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

static void link_child(struct sb_rest *rest, const struct sb_call *call,
                       const char *kind, int64_t parent, int64_t child,
                       struct sb_reply *reply)
{
    if (is_below(rest, parent, child))
        sb_reply_error(reply, 422, "inventory",
                       "%lld is above %lld and cannot be its child", (long long)child,
                       (long long)parent);
    else if (sb_run(rest->store, "INSERT OR IGNORE INTO child VALUES(?, ?, ?)", "sii",
                    kind, parent, child) < 0)
        sb_reply_error(reply, 500, "inventory", "the store could not be written");
    else
        sb_reply_created(call, reply, item(rest, call, parent, kind, child));
}

static void create(struct sb_rest *rest, const struct sb_call *call,
                   const struct sb_args *args, struct sb_reply *reply)
{
    int64_t parent = parent_of(rest, call, args, SB_WRITE, reply), child;

    if (!parent)
        return;
    sb_store_begin(rest->store);
    child = child_of(rest, call, reply);
    if (child)
        link_child(rest, call, args->path[1], parent, child, reply);
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
    {"POST",    "/inventory/managedObjects/{}/{}",    create      },
    { "GET",    "/inventory/managedObjects/{}/{}",    list        },
    { "GET",    "/inventory/managedObjects/{}/{}/{}", get         },
    { "DELETE", "/inventory/managedObjects/{}/{}/{}", unlink_child},
    { NULL,     NULL,                                 NULL        },
};
