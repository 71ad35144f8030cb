/* SPDX-License-Identifier: MIT */
/* /inventory/managedObjects */
#include "collection.h"
#include "params.h"
#include "rest_impl.h"

#include <stdlib.h>
#include <string.h>

/* What the platform sets; a client's word on it does not count. */
static const char *const read_only[] = {
    "id",           "self",        "owner",          "creationTime",      "lastUpdated",
    "childDevices", "childAssets", "childAdditions", "deviceExternalIDs",
};

static void drop_read_only(json_t *object)
{
    size_t i;

    for (i = 0; i < sizeof read_only / sizeof read_only[0]; i++)
        json_object_del(object, read_only[i]);
}

/* --- reading --------------------------------------------------------------- */

bool sb_object_exists(struct sb_rest *rest, int64_t id)
{
    return sb_number(rest->store, 0, "SELECT 1 FROM managed_object WHERE id = ?", "i",
                     id) != 0;
}

static json_t *reference(const struct sb_call *call, int64_t id, const char *name)
{
    json_t *json = json_object();

    json_object_set_new(json, "id", sb_json_id(id));
    if (name && *name)
        json_object_set_new(json, "name", json_string(name));
    json_object_set_new(
        json, "self",
        sb_json_link(call, "/inventory/managedObjects/%lld", (long long)id));
    return json;
}

static void add_children_lists(const struct sb_call *call, json_t *object, int64_t id)
{
    static const char *const kinds[] = { "childDevices", "childAssets",
                                         "childAdditions" };
    size_t i;

    for (i = 0; i < 3; i++) {
        json_t *list = json_object();

        json_object_set_new(list, "self",
                            sb_json_link(call, "/inventory/managedObjects/%lld/%s",
                                         (long long)id, kinds[i]));
        json_object_set_new(list, "references", json_array());
        json_object_set_new(object, kinds[i], list);
    }
}

static void add_children(struct sb_rest *rest, const struct sb_call *call,
                         json_t *object, int64_t id)
{
    sqlite3_stmt *query =
        sb_query(rest->store,
                 "SELECT c.kind, c.child, m.name FROM child c"
                 " JOIN managed_object m ON m.id = c.child WHERE c.parent = ?"
                 " ORDER BY c.child",
                 "i", id);

    add_children_lists(call, object, id);
    while (sb_row(query)) {
        const char *kind = sb_column(query, 0);
        int64_t child = sqlite3_column_int64(query, 1);
        json_t *item = json_object();

        json_object_set_new(item, "managedObject",
                            reference(call, child, sb_column(query, 2)));
        json_object_set_new(item, "self",
                            sb_json_link(call, "/inventory/managedObjects/%lld/%s/%lld",
                                         (long long)id, kind, (long long)child));
        json_array_append_new(
            json_object_get(json_object_get(object, kind), "references"), item);
    }
    sb_done(query);
}

#define COLUMNS "SELECT id, owner, created, updated, body"

/* A row of COLUMNS as the inventory shows it. */
static json_t *to_json(struct sb_rest *rest, const struct sb_call *call,
                       sqlite3_stmt *row)
{
    int64_t id = sqlite3_column_int64(row, 0);
    const char *body = sb_column(row, 4);
    json_t *json = json_loads(body, 0, NULL);

    json_object_set_new(json, "id", sb_json_id(id));
    json_object_set_new(
        json, "self",
        sb_json_link(call, "/inventory/managedObjects/%lld", (long long)id));
    json_object_set_new(json, "owner", json_string(sb_column(row, 1)));
    json_object_set_new(json, "creationTime",
                        sb_json_time(sqlite3_column_int64(row, 2)));
    json_object_set_new(json, "lastUpdated",
                        sb_json_time(sqlite3_column_int64(row, 3)));
    add_children(rest, call, json, id);
    return json;
}

json_t *sb_object_get(struct sb_rest *rest, const struct sb_call *call, int64_t id)
{
    sqlite3_stmt *query =
        sb_query(rest->store, COLUMNS " FROM managed_object WHERE id = ?", "i", id);
    json_t *json = sb_row(query) ? to_json(rest, call, query) : NULL;

    sb_done(query);
    return json;
}

int64_t sb_object_agent(struct sb_rest *rest, int64_t id)
{
    return sb_number(rest->store, 0,
                     "WITH RECURSIVE up(id, far) AS (SELECT ?1, 0 UNION"
                     " SELECT parent, far + 1 FROM child JOIN up ON child.child = up.id"
                     " WHERE far < 64)"
                     " SELECT up.id FROM up JOIN managed_object m ON m.id = up.id WHERE"
                     " json_type(m.body, '$.com_cumulocity_model_Agent') IS NOT NULL"
                     " ORDER BY far LIMIT 1",
                     "i", id);
}

/* --- creating and changing --------------------------------------------------- */

/* A template collection has to be one. */
static bool check_collection(const json_t *object, struct sb_reply *reply)
{
    char error[SB_COLLECTION_ERROR];
    struct sb_collection *collection;

    if (!json_object_get(object, SB_COLLECTION_FRAGMENT))
        return true;
    collection = sb_collection_from_json(object, error);
    if (!collection)
        sb_reply_error(reply, 422, "inventory", "%s: %s", SB_COLLECTION_FRAGMENT,
                       error);
    sb_collection_unref(collection);
    return collection != NULL;
}

static bool check_object(const json_t *object, struct sb_reply *reply)
{
    static const char *const texts[] = { "name", "type" };
    size_t i;

    for (i = 0; i < 2; i++) {
        const json_t *value = json_object_get(object, texts[i]);

        if (value && !json_is_string(value)) {
            sb_reply_error(reply, 422, "inventory", "`%s` has to be a string",
                           texts[i]);
            return false;
        }
    }
    return check_collection(object, reply);
}

/* Operators may make objects for others. */
static const char *owner_of(const struct sb_call *call, const json_t *body)
{
    const char *owner = sb_json_text(body, "owner");

    return call->who->role == SB_OPERATOR && owner ? owner : call->who->user;
}

static json_t *without_nulls(const json_t *body)
{
    json_t *object = json_object();

    sb_json_merge(object, body);
    drop_read_only(object);
    return object;
}

int64_t sb_object_create(struct sb_rest *rest, const struct sb_call *call,
                         const json_t *body, struct sb_reply *reply)
{
    json_t *object = without_nulls(body);
    struct sb_text text = { 0 };
    int64_t id = 0, now = sb_time_now();

    if (!check_object(object, reply))
        goto done;
    sb_json_write(&text, object);
    id = text.failed ? 0 : sb_store_next_id(rest->store);
    if (!id ||
        sb_run(rest->store, "INSERT INTO managed_object VALUES(?, ?, ?, ?, ?, ?, ?)",
               "isssiit", id, owner_of(call, body), sb_json_text(object, "type"),
               sb_json_text(object, "name"), now, now, &text) < 0) {
        sb_reply_error(reply, 500, "inventory", "the store could not be written");
        id = 0;
    }
done:
    sb_text_release(&text);
    json_decref(object);
    return id;
}

static void create(struct sb_rest *rest, const struct sb_call *call,
                   const struct sb_args *args, struct sb_reply *reply)
{
    int64_t id = sb_object_create(rest, call, call->body, reply);

    (void)args;
    if (id)
        sb_reply_created(call, reply, sb_object_get(rest, call, id));
}

static void get(struct sb_rest *rest, const struct sb_call *call,
                const struct sb_args *args, struct sb_reply *reply)
{
    int64_t id = sb_id(args->path[0]);

    if (sb_may(rest, call, id, SB_READ, "inventory", reply))
        sb_reply_object(call, reply, 200, sb_object_get(rest, call, id));
}

static json_t *load_body(struct sb_rest *rest, int64_t id)
{
    sqlite3_stmt *query =
        sb_query(rest->store, "SELECT body FROM managed_object WHERE id = ?", "i", id);
    json_t *body = sb_row(query) ? json_loads(sb_column(query, 0), 0, NULL) : NULL;

    sb_done(query);
    return body;
}

/* A collection does not change: agents hold on to its id. */
static bool touches_collection(const json_t *before, const json_t *after)
{
    return !json_equal(json_object_get(before, SB_COLLECTION_FRAGMENT),
                       json_object_get(after, SB_COLLECTION_FRAGMENT)) &&
           json_object_get(before, SB_COLLECTION_FRAGMENT);
}

static bool store_body(struct sb_rest *rest, const struct sb_call *call, int64_t id,
                       const json_t *body)
{
    const char *owner =
        call->who->role == SB_OPERATOR ? sb_json_text(call->body, "owner") : NULL;
    struct sb_text text = { 0 };
    int rc = -1;

    sb_json_write(&text, body);
    if (!text.failed)
        rc = sb_run(rest->store,
                    "UPDATE managed_object SET owner = coalesce(?, owner), type = ?,"
                    " name = ?, updated = ?, body = ? WHERE id = ?",
                    "sssiti", owner, sb_json_text(body, "type"),
                    sb_json_text(body, "name"), sb_time_now(), &text, id);
    sb_text_release(&text);
    return rc >= 0;
}

static struct sb_channel channel_of(int64_t id)
{
    return (struct sb_channel){ SB_MANAGED_OBJECTS, id };
}

void sb_object_changed(struct sb_rest *rest, const struct sb_call *call, int64_t id)
{
    json_t *json;

    if (!rest->listens || !rest->listens(rest->arg, channel_of(id)))
        return;
    json = sb_object_get(rest, call, id);
    if (json)
        rest->on_change(rest->arg, channel_of(id), "UPDATE", json);
    json_decref(json);
}

static void reply_changed(struct sb_rest *rest, const struct sb_call *call, int64_t id,
                          struct sb_reply *reply)
{
    sb_reply_object(call, reply, 200, sb_object_get(rest, call, id));
    sb_object_changed(rest, call, id);
}

static void change(struct sb_rest *rest, const struct sb_call *call,
                   const struct sb_args *args, struct sb_reply *reply)
{
    int64_t id = sb_id(args->path[0]);
    json_t *body = NULL, *before = NULL;

    if (!sb_may(rest, call, id, SB_WRITE, "inventory", reply))
        return;
    before = load_body(rest, id);
    body = json_copy(before);
    sb_json_merge(body, call->body);
    drop_read_only(body);
    if (!body)
        sb_reply_error(reply, 500, "inventory", "managed object %lld cannot be read",
                       (long long)id);
    else if (touches_collection(before, body))
        sb_reply_error(reply, 422, "inventory",
                       "a template collection cannot be changed; make a new one");
    else if (!check_object(body, reply))
        ;
    else if (!store_body(rest, call, id, body))
        sb_reply_error(reply, 500, "inventory", "the store could not be written");
    else
        reply_changed(rest, call, id, reply);
    json_decref(body);
    json_decref(before);
}

/* --- deleting -------------------------------------------------------------------- */

/* `id` and, if wanted, all below it go into a table of this connection. */
static bool collect(struct sb_rest *rest, int64_t id, bool cascade)
{
    return sb_run(rest->store,
                  "CREATE TEMP TABLE IF NOT EXISTS doomed(id INTEGER PRIMARY KEY)",
                  "") >= 0 &&
           sb_run(rest->store, "DELETE FROM doomed", "") >= 0 &&
           sb_run(rest->store,
                  "WITH RECURSIVE below(id) AS (SELECT ?1 UNION SELECT child FROM child"
                  " JOIN below ON child.parent = below.id WHERE ?2)"
                  " INSERT INTO doomed SELECT id FROM below",
                  "ii", id, (int64_t)cascade) >= 0;
}

static bool delete_doomed(struct sb_rest *rest)
{
#define DOOMED " IN (SELECT id FROM doomed)"
    static const char *const statements[] = {
        "DELETE FROM measurement WHERE source" DOOMED,
        "DELETE FROM event WHERE source" DOOMED,
        "DELETE FROM alarm WHERE source" DOOMED,
        "DELETE FROM operation WHERE source" DOOMED,
        "DELETE FROM external_id WHERE object" DOOMED,
        "DELETE FROM child WHERE parent" DOOMED,
        "DELETE FROM child WHERE child" DOOMED,
        "DELETE FROM managed_object WHERE id" DOOMED,
    };
    size_t i;

    for (i = 0; i < sizeof statements / sizeof statements[0]; i++)
        if (sb_run(rest->store, statements[i], "") < 0)
            return false;
    return true;
}

static void tell_doomed(struct sb_rest *rest)
{
    sqlite3_stmt *query =
        rest->listens ? sb_query(rest->store, "SELECT id FROM doomed", "") : NULL;

    while (sb_row(query)) {
        int64_t id = sqlite3_column_int64(query, 0);
        json_t *json;

        if (!rest->listens(rest->arg, channel_of(id)))
            continue;
        json = json_pack("{s:o}", "id", sb_json_id(id));
        rest->on_change(rest->arg, channel_of(id), "DELETE", json);
        json_decref(json);
    }
    sb_done(query);
}

static void remove_object(struct sb_rest *rest, const struct sb_call *call,
                          const struct sb_args *args, struct sb_reply *reply)
{
    const char *cascade = sb_arg(args, "cascade");
    int64_t id = sb_id(args->path[0]);

    if (!sb_may(rest, call, id, SB_WRITE, "inventory", reply))
        return;
    sb_store_begin(rest->store);
    if (collect(rest, id, cascade && !strcmp(cascade, "true")) && delete_doomed(rest)) {
        sb_reply_nothing(reply);
        tell_doomed(rest);
    } else {
        sb_reply_error(reply, 500, "inventory", "the store could not be written");
    }
    sb_end_changes(rest, reply);
    rest->on_collections(rest->arg);
}

/* --- lists ------------------------------------------------------------------------- */

static void select_ids(struct sb_select *select, const char *ids)
{
    /* "1,2" is the inside of a JSON list; anything else finds nothing */
    char *list = sb_format("[%s]", ids);
    json_t *check = list ? json_loads(list, 0, NULL) : NULL;

    sb_select_text(select, " AND id IN (SELECT value FROM json_each('[' || ? || ']'))",
                   check ? ids : "");
    json_decref(check);
    free(list);
}

static void select_objects(struct sb_select *select, const struct sb_call *call,
                           const struct sb_args *args)
{
    const char *value;

    if ((value = sb_arg(args, "type")))
        sb_select_text(select, " AND type = ?", value);
    if ((value = sb_arg(args, "owner")))
        sb_select_text(select, " AND owner = ?", value);
    if ((value = sb_arg(args, "fragmentType")))
        sb_select_text(
            select, " AND EXISTS (SELECT 1 FROM json_each(body) WHERE key = ?)", value);
    if ((value = sb_arg(args, "text")))
        sb_select_text(select,
                       " AND EXISTS (SELECT 1 FROM json_tree(body) WHERE type = 'text'"
                       " AND instr(lower(atom), lower(?)))",
                       value);
    if ((value = sb_arg(args, "ids")))
        select_ids(select, value);
    sb_select_visible(select, call, "id");
}

static void list(struct sb_rest *rest, const struct sb_call *call,
                 const struct sb_args *args, struct sb_reply *reply)
{
    static const struct sb_list objects = {
        .resource = "inventory",
        .name = "managedObjects",
        .columns = COLUMNS,
        .from = " FROM managed_object WHERE 1",
        .order = " ORDER BY id",
        .item = to_json,
    };
    struct sb_select select = { 0 };

    select_objects(&select, call, args);
    sb_reply_list(rest, call, args, &objects, &select, reply);
    sb_select_release(&select);
}

const struct sb_route sb_inventory_routes[] = {
    {"GET",     "/inventory/managedObjects/{}", get,           sb_object_params   },
    { "PUT",    "/inventory/managedObjects/{}", change,        sb_object_params   },
    { "DELETE", "/inventory/managedObjects/{}", remove_object, sb_object_params   },
    { "POST",   "/inventory/managedObjects",    create,        sb_inventory_params},
    { "GET",    "/inventory/managedObjects",    list,          sb_inventory_params},
    { NULL,     NULL,                           NULL,          NULL               },
};
