/* SPDX-License-Identifier: MIT */
#include "documents.h"

#include <stdio.h>
#include <string.h>

/* One text for each kind, in the order of enum sb_kind. */
#define PER_KIND(before, after)                                                 \
    {                                                                           \
        before "measurement" after, before "event" after, before "alarm" after, \
            before "operation" after                                            \
    }

static const char *const resources[] = { "measurement", "event", "alarm",
                                         "devicecontrol" };
static const char *const paths[] = { "/measurement/measurements", "/event/events",
                                     "/alarm/alarms", "/devicecontrol/operations" };

/* --- JSON --------------------------------------------------------------------- */

json_t *sb_document_json(const struct sb_call *call, enum sb_kind kind,
                         const struct sb_document *document)
{
    json_t *json = json_copy(document->body);

    if (document->id) { /* else it is in no store */
        json_object_set_new(json, "id", sb_json_id(document->id));
        json_object_set_new(
            json, "self",
            sb_json_link(call, "%s/%lld", paths[kind], (long long)document->id));
    }
    if (kind != SB_OPERATION) {
        json_t *source = json_object();

        json_object_set_new(source, "id", sb_json_id(document->source));
        json_object_set_new(source, "self",
                            sb_json_link(call, "/inventory/managedObjects/%lld",
                                         (long long)document->source));
        json_object_set_new(json, "source", source);
    }
    return json;
}

/* --- storing --------------------------------------------------------------------- */

static const char *text_or_empty(const json_t *body, const char *key)
{
    const char *text = sb_json_text(body, key);

    return text ? text : "";
}

/* Plain statements of one row each: "OR REPLACE" makes SQLite prepare to undo the
 * statement, which costs more than the statement. */
static int put(struct sb_rest *rest, enum sb_kind kind, int64_t id, bool fresh,
               const struct sb_document *document, const struct sb_text *text)
{
    static const char *const insert[] =
        PER_KIND("INSERT INTO ", "(source, type, time, status, severity, body, id)"
                                 " VALUES(?, ?, ?, ?, ?, ?, ?)");
    static const char *const update[] =
        PER_KIND("UPDATE ", " SET source = ?, type = ?, time = ?, status = ?,"
                            " severity = ?, body = ? WHERE id = ?");
    const json_t *body = document->body;

    return sb_run(rest->store, fresh ? insert[kind] : update[kind], "isissti",
                  document->source, text_or_empty(body, "type"), document->time,
                  text_or_empty(body, "status"), text_or_empty(body, "severity"), text,
                  id);
}

/* Modes act on new measurements, events and alarms; CEP not on alarms. Everything
 * else is stored: the status of an operation must not be lost. */
static bool skips_store(const struct sb_call *call, enum sb_kind kind)
{
    if (kind == SB_OPERATION || strcmp(call->method, "POST") != 0)
        return false;
    return call->mode == SB_TRANSIENT || (call->mode == SB_CEP && kind != SB_ALARM);
}

bool sb_document_put(struct sb_rest *rest, const struct sb_call *call,
                     enum sb_kind kind, struct sb_document *document,
                     struct sb_reply *reply)
{
    struct sb_text text = { 0 };
    int64_t id;
    int rc = -1;

    if (skips_store(call, kind))
        return true;
    id = document->id ? document->id : sb_store_next_id(rest->store);
    sb_json_write(&text, document->body);
    if (id && !text.failed)
        rc = put(rest, kind, id, !document->id, document, &text);
    sb_text_release(&text);
    if (rc < 0)
        sb_reply_error(reply, 500, resources[kind], "the store could not be written");
    else
        document->id = id;
    return rc >= 0;
}

/* Quiet are measurements and events only. */
static bool is_quiet(const struct sb_call *call, enum sb_kind kind)
{
    return call->mode == SB_QUIESCENT && (kind == SB_MEASUREMENT || kind == SB_EVENT);
}

void sb_document_notify(struct sb_rest *rest, const struct sb_call *call,
                        enum sb_kind kind, const struct sb_document *document,
                        const char *action)
{
    static const enum sb_channel_kind kinds[] = { SB_MEASUREMENTS, SB_EVENTS, SB_ALARMS,
                                                  SB_OPERATIONS };
    struct sb_channel channel = { kinds[kind], document->source };
    json_t *json;

    if (!rest->listens || is_quiet(call, kind) || !rest->listens(rest->arg, channel))
        return;
    if (strcmp(action, "DELETE") == 0)
        json = json_pack("{s:o}", "id", sb_json_id(document->id));
    else
        json = sb_document_json(call, kind, document);
    if (json)
        rest->on_change(rest->arg, channel, action, json);
    json_decref(json);
}

void sb_document_changed(struct sb_rest *rest, const struct sb_call *call,
                         enum sb_kind kind, const struct sb_document *document,
                         struct sb_reply *reply)
{
    sb_reply_object(call, reply, 200, sb_document_json(call, kind, document));
    sb_document_notify(rest, call, kind, document, "UPDATE");
}

void sb_document_created(const struct sb_call *call, enum sb_kind kind,
                         const struct sb_document *document, struct sb_reply *reply)
{
    reply->status = 201;
    if (call->wants_location && document->id)
        reply->location =
            sb_link(call, "%s/%lld", paths[kind], (long long)document->id);
    if (call->wants_body)
        sb_reply_object(call, reply, 201, sb_document_json(call, kind, document));
}

/* Columns id, source, time, body. */
static bool read_row(sqlite3_stmt *row, struct sb_document *ret_document)
{
    ret_document->id = sqlite3_column_int64(row, 0);
    ret_document->source = sqlite3_column_int64(row, 1);
    ret_document->time = sqlite3_column_int64(row, 2);
    ret_document->body = json_loads(sb_column(row, 3), 0, NULL);
    return ret_document->body != NULL;
}

bool sb_document_load(struct sb_rest *rest, const struct sb_call *call,
                      const struct sb_args *args, enum sb_kind kind,
                      enum sb_access access, struct sb_document *ret_document,
                      struct sb_reply *reply)
{
    static const char *const get[] =
        PER_KIND("SELECT id, source, time, body FROM ", " WHERE id = ?");
    sqlite3_stmt *query = sb_query(rest->store, get[kind], "i", sb_id(args->path[0]));
    bool found = sb_row(query) && read_row(query, ret_document);

    sb_done(query);
    if (!found) {
        sb_reply_error(reply, 404, resources[kind], "there is no %s/%s", paths[kind],
                       args->path[0]);
        return false;
    }
    if (sb_may(rest, call, ret_document->source, access, resources[kind], reply))
        return true;
    json_decref(ret_document->body);
    return false;
}

/* --- checking ---------------------------------------------------------------------- */

static bool all_there(const json_t *body, const char *const mandatory[],
                      const char *resource, struct sb_reply *reply)
{
    struct sb_text missing = { 0 };
    bool ok;

    for (; *mandatory; mandatory++)
        if (!json_object_get(body, *mandatory))
            sb_text_format(&missing, "%s%s", missing.len ? "," : "", *mandatory);
    ok = missing.len == 0;
    if (!ok)
        sb_reply_error(reply, 422, resource,
                       "Following mandatory fields should be included: %s",
                       sb_text_get(&missing));
    sb_text_release(&missing);
    return ok;
}

static bool strings_are_strings(const json_t *body, const char *resource,
                                struct sb_reply *reply)
{
    static const char *const keys[] = { "type", "text", "time", "status", "severity" };
    size_t i;

    for (i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        const json_t *value = json_object_get(body, keys[i]);

        if (value && !json_is_string(value)) {
            sb_reply_error(reply, 422, resource, "`%s` has to be a string", keys[i]);
            return false;
        }
    }
    return true;
}

static int64_t source_id(enum sb_kind kind, const json_t *body)
{
    const json_t *id = kind == SB_OPERATION
                           ? json_object_get(body, "deviceId")
                           : json_object_get(json_object_get(body, "source"), "id");

    return json_is_integer(id) ? json_integer_value(id) : sb_id(json_string_value(id));
}

/* A source that does not exist makes the data invalid; it is not what was asked
 * for, so it is no 404. */
static bool check_source(struct sb_rest *rest, const struct sb_call *call,
                         enum sb_kind kind, int64_t source, struct sb_reply *reply)
{
    if (sb_may(rest, call, source, SB_WRITE, resources[kind], reply))
        return true;
    if (reply->status == 404)
        sb_reply_error(reply, 422, resources[kind], "%s is no managed object",
                       kind == SB_OPERATION ? "deviceId" : "the source");
    return false;
}

static bool check_time(const json_t *body, const char *resource, int64_t *ret_time,
                       struct sb_reply *reply)
{
    const char *time = sb_json_text(body, "time");

    *ret_time = sb_time_now();
    if (!time || sb_time_parse(time, ret_time))
        return true;
    sb_reply_error(reply, 422, resource, "`time` is not a date: %.40s", time);
    return false;
}

bool sb_document_check(struct sb_rest *rest, const struct sb_call *call,
                       enum sb_kind kind, const json_t *body,
                       const char *const mandatory[], struct sb_document *ret_document,
                       struct sb_reply *reply)
{
    const char *resource = resources[kind];
    struct sb_document document = { .source = source_id(kind, body) };

    if (!all_there(body, mandatory, resource, reply) ||
        !strings_are_strings(body, resource, reply) ||
        !check_source(rest, call, kind, document.source, reply) ||
        !check_time(body, resource, &document.time, reply))
        return false;
    document.body = json_object();
    sb_json_merge(document.body, body); /* leaves nulls behind */
    json_object_del(document.body, "id");
    json_object_del(document.body, "self");
    if (kind == SB_OPERATION)
        json_object_set_new(document.body, "deviceId", sb_json_id(document.source));
    else
        json_object_del(document.body, "source"); /* a column; shown with its link */
    *ret_document = document;
    return true;
}

/* --- queries -------------------------------------------------------------------------- */

static bool select_dates(const struct sb_args *args, const char *resource,
                         struct sb_select *select, struct sb_reply *reply)
{
    static const struct {
        const char *name, *sql;
    } bounds[] = {
        {"dateFrom", " AND time >= ?"},
        { "dateTo",  " AND time <= ?"}
    };
    size_t i;

    for (i = 0; i < 2; i++) {
        const char *text = sb_arg(args, bounds[i].name);
        int64_t time;

        if (!text)
            continue;
        if (!sb_time_parse(text, &time)) {
            sb_reply_error(reply, 400, resource, "%s is not a date: %.40s",
                           bounds[i].name, text);
            return false;
        }
        sb_select_number(select, bounds[i].sql, time);
    }
    return true;
}

#define BELOW                                                         \
    " AND source IN (WITH RECURSIVE below(id) AS (SELECT ? UNION"     \
    " SELECT child FROM child JOIN below ON child.parent = below.id)" \
    " SELECT id FROM below)"

static bool is_true(const struct sb_args *args, const char *name)
{
    const char *value = sb_arg(args, name);

    return value && !strcmp(value, "true");
}

static void select_source(const struct sb_args *args, enum sb_kind kind,
                          struct sb_select *select)
{
    const char *source = sb_arg(args, kind == SB_OPERATION ? "deviceId" : "source");
    const char *agent = kind == SB_OPERATION ? sb_arg(args, "agentId") : NULL;
    bool below =
        is_true(args, "withSourceDevices") || is_true(args, "withSourceAssets");

    if (source)
        sb_select_number(select, below ? BELOW : " AND source = ?", sb_id(source));
    if (agent)
        sb_select_number(select, BELOW, sb_id(agent));
}

/* Fragment names are keys, compared as they are: no path is made of them. */
static void select_fragments(const struct sb_args *args, struct sb_select *select)
{
    static const char fragment[] =
        " AND EXISTS (SELECT 1 FROM json_each(body) WHERE key = ?)";
    static const char series[] = " AND EXISTS (SELECT 1 FROM json_each(body) f,"
                                 " json_each(f.value) s WHERE f.type = 'object'"
                                 " AND s.key = ?)";
    static const char both[] = " AND EXISTS (SELECT 1 FROM json_each(body) f,"
                               " json_each(f.value) s WHERE f.type = 'object'"
                               " AND s.key = ?";
    const char *type = sb_arg(args, "valueFragmentType");
    const char *name = sb_arg(args, "valueFragmentSeries");
    const char *any = sb_arg(args, "fragmentType");

    if (any)
        sb_select_text(select, fragment, any);
    if (name && type) {
        sb_select_text(select, both, name);
        sb_select_text(select, " AND f.key = ?)", type);
    } else if (name) {
        sb_select_text(select, series, name);
    } else if (type) {
        sb_select_text(select, fragment, type);
    }
}

bool sb_document_select(const struct sb_call *call, const struct sb_args *args,
                        enum sb_kind kind, struct sb_select *select,
                        struct sb_reply *reply)
{
    static const char *const lists[][2] = {
        {"status",    " AND instr(',' || upper(?) || ',', ',' || status || ',')"  },
        { "severity", " AND instr(',' || upper(?) || ',', ',' || severity || ',')"},
        { "type",     " AND type = ?"                                             },
    };
    const char *resolved = sb_arg(args, "resolved");
    size_t i;

    select_source(args, kind, select);
    for (i = 0; i < 3; i++)
        if (sb_arg(args, lists[i][0]))
            sb_select_text(select, lists[i][1], sb_arg(args, lists[i][0]));
    if (resolved)
        sb_select_text(select, " AND (status = 'CLEARED') = (? = 'true')", resolved);
    select_fragments(args, select);
    sb_select_visible(select, call, "source");
    return select_dates(args, resources[kind], select, reply);
}

/* --- handlers --------------------------------------------------------------------------- */

void sb_document_get(struct sb_rest *rest, const struct sb_call *call,
                     const struct sb_args *args, enum sb_kind kind,
                     struct sb_reply *reply)
{
    struct sb_document document;

    if (!sb_document_load(rest, call, args, kind, SB_READ, &document, reply))
        return;
    sb_reply_object(call, reply, 200, sb_document_json(call, kind, &document));
    json_decref(document.body);
}

static json_t *item(const struct sb_call *call, enum sb_kind kind, sqlite3_stmt *row)
{
    struct sb_document document = { 0 };
    json_t *json;

    if (!read_row(row, &document))
        return NULL;
    json = sb_document_json(call, kind, &document);
    json_decref(document.body);
    return json;
}

static json_t *measurement_item(struct sb_rest *rest, const struct sb_call *call,
                                sqlite3_stmt *row)
{
    (void)rest;
    return item(call, SB_MEASUREMENT, row);
}

static json_t *event_item(struct sb_rest *rest, const struct sb_call *call,
                          sqlite3_stmt *row)
{
    (void)rest;
    return item(call, SB_EVENT, row);
}

static json_t *alarm_item(struct sb_rest *rest, const struct sb_call *call,
                          sqlite3_stmt *row)
{
    (void)rest;
    return item(call, SB_ALARM, row);
}

/* Lists of operations name the device. */
static json_t *operation_item(struct sb_rest *rest, const struct sb_call *call,
                              sqlite3_stmt *row)
{
    json_t *json = item(call, SB_OPERATION, row);
    sqlite3_stmt *query =
        sb_query(rest->store, "SELECT name FROM managed_object WHERE id = ?", "i",
                 sqlite3_column_int64(row, 1));

    if (sb_row(query) && sqlite3_column_type(query, 0) != SQLITE_NULL)
        json_object_set_new(json, "deviceName", json_string(sb_column(query, 0)));
    sb_done(query);
    return json;
}

#define ROWS(table) "SELECT id, source, time, body", " FROM " table " WHERE 1"

/* Measurements come oldest first, events and alarms newest first, operations in the
 * order they were made; `revert` turns it round. */
static const struct sb_list lists[][2] = {
    {{ "measurement", "measurements", ROWS("measurement"), " ORDER BY time, id",
        measurement_item },
     { "measurement", "measurements", ROWS("measurement"),
        " ORDER BY time DESC, id DESC", measurement_item }                 },
    { { "event", "events", ROWS("event"), " ORDER BY time DESC, id DESC", event_item },
     { "event", "events", ROWS("event"), " ORDER BY time, id", event_item }},
    { { "alarm", "alarms", ROWS("alarm"), " ORDER BY time DESC, id DESC", alarm_item },
     { "alarm", "alarms", ROWS("alarm"), " ORDER BY time, id", alarm_item }},
    { { "devicecontrol", "operations", ROWS("operation"), " ORDER BY id",
        operation_item },
     { "devicecontrol", "operations", ROWS("operation"), " ORDER BY id DESC",
        operation_item }                                                   },
};

void sb_document_list(struct sb_rest *rest, const struct sb_call *call,
                      const struct sb_args *args, enum sb_kind kind,
                      struct sb_reply *reply)
{
    struct sb_select select = { 0 };

    if (sb_document_select(call, args, kind, &select, reply))
        sb_reply_list(rest, call, args, &lists[kind][is_true(args, "revert")], &select,
                      reply);
    sb_select_release(&select);
}

void sb_document_delete(struct sb_rest *rest, const struct sb_call *call,
                        const struct sb_args *args, enum sb_kind kind,
                        struct sb_reply *reply)
{
    static const char *const sql[] = PER_KIND("DELETE FROM ", " WHERE id = ?");
    struct sb_document document;

    if (!sb_document_load(rest, call, args, kind, SB_WRITE, &document, reply))
        return;
    json_decref(document.body);
    if (sb_run(rest->store, sql[kind], "i", document.id) < 0)
        sb_reply_error(reply, 500, resources[kind], "the store could not be written");
    else
        sb_reply_nothing(reply);
    if (reply->status < 400)
        sb_document_notify(rest, call, kind, &document, "DELETE");
}

/* The platform's parameters by which documents are chosen: without any, all would go. Nobody means
 * that by leaving them away. */
bool sb_document_is_chosen(const struct sb_call *call, const struct sb_args *args,
                           struct sb_reply *reply)
{
    for (size_t i = 0; i < args->n_query; i++)
        if (strncmp(args->query[i].name, "withSource", 10) != 0)
            return true;
    sb_reply_error(reply, 400, "general",
                   "%s %s needs one of the parameters `%s`, `dateFrom`, "
                   "`dateTo`: without any it would %s all",
                   call->method, call->path,
                   strcmp(call->path, "/devicecontrol/operations")
                       ? "source`, `type"
                       : "deviceId`, `status",
                   strcmp(call->method, "PUT") ? "delete" : "change");
    return false;
}

void sb_document_delete_list(struct sb_rest *rest, const struct sb_call *call,
                             const struct sb_args *args, enum sb_kind kind,
                             struct sb_reply *reply)
{
    static const char *const sql[] = PER_KIND("DELETE FROM ", " WHERE 1");
    struct sb_select select = { 0 };
    sqlite3_stmt *query = NULL;

    if (sb_operator_only(call, resources[kind], reply) &&
        sb_document_is_chosen(call, args, reply) &&
        sb_document_select(call, args, kind, &select, reply)) {
        query = sb_select_query(rest->store, &select, sql[kind], "");
        if (query && sqlite3_step(query) == SQLITE_DONE)
            sb_reply_nothing(reply);
        else
            sb_reply_error(reply, 500, resources[kind],
                           "the store could not be written");
    }
    sqlite3_finalize(query);
    sb_select_release(&select);
}
