/* SPDX-License-Identifier: MIT */
/* /alarm/alarms */
#include "documents.h"
#include "params.h"

#include <string.h>
#include <strings.h>

static const char *const severities[] = { "CRITICAL", "MAJOR", "MINOR", "WARNING",
                                          NULL };
static const char *const statuses[] = { "ACTIVE", "ACKNOWLEDGED", "CLEARED", NULL };

/* Case does not matter to clients; upper case is what is stored. */
static bool check_word(json_t *body, const char *key, const char *const words[],
                       struct sb_reply *reply)
{
    const char *word = sb_json_text(body, key);

    if (!json_object_get(body, key))
        return true;
    for (; word && *words; words++) {
        if (strcasecmp(word, *words))
            continue;
        sb_json_set_text(body, key, *words);
        return true;
    }
    sb_reply_error(reply, 422, "alarm", "`%s` is none that alarms have: %.40s", key,
                   word ? word : "not a string");
    return false;
}

static bool check_words(json_t *body, struct sb_reply *reply)
{
    return check_word(body, "severity", severities, reply) &&
           check_word(body, "status", statuses, reply);
}

/* --- making -------------------------------------------------------------------- */

/* The alarm that one of this source and type only repeats; 0 if there is none. */
static int64_t find_open(struct sb_rest *rest, int64_t source, const char *type)
{
    return sb_number(rest->store, 0,
                     "SELECT id FROM alarm WHERE source = ? AND type = ?"
                     " AND status <> 'CLEARED' ORDER BY id LIMIT 1",
                     "is", source, type);
}

static json_t *load_body(struct sb_rest *rest, int64_t id)
{
    sqlite3_stmt *query =
        sb_query(rest->store, "SELECT body FROM alarm WHERE id = ?", "i", id);
    json_t *body = sb_row(query) ? json_loads(sb_column(query, 0), 0, NULL) : NULL;

    sb_done(query);
    return body;
}

/* Counts `alarm` on the open one: only its count and time change. */
static void repeat(struct sb_rest *rest, int64_t open, struct sb_document *alarm)
{
    json_t *body = load_body(rest, open);
    json_int_t count = json_integer_value(json_object_get(body, "count"));

    if (!body)
        return;
    json_object_set_new(body, "count", json_integer(count + 1));
    json_object_set(body, "time", json_object_get(alarm->body, "time"));
    json_decref(alarm->body);
    alarm->body = body;
    alarm->id = open;
}

static void begin(json_t *body)
{
    if (!json_object_get(body, "status"))
        sb_json_set_text(body, "status", "ACTIVE");
    json_object_set_new(body, "count", json_integer(1));
    json_object_set(body, "firstOccurrenceTime", json_object_get(body, "time"));
    json_object_set_new(body, "creationTime", sb_json_time(sb_time_now()));
    json_object_set_new(body, "history",
                        json_pack("{s:[], s:s}", "auditRecords", "self", ""));
}

static void create(struct sb_rest *rest, const struct sb_call *call,
                   const struct sb_args *args, struct sb_reply *reply)
{
    static const char *const mandatory[] = { "source", "type",     "text",
                                             "time",   "severity", NULL };
    struct sb_document alarm;
    int64_t open;

    (void)args;
    if (!sb_document_check(rest, call, SB_ALARM, call->body, mandatory, &alarm, reply))
        return;
    if (check_words(alarm.body, reply)) {
        open = find_open(rest, alarm.source, sb_json_text(alarm.body, "type"));
        if (open)
            repeat(rest, open, &alarm);
        else
            begin(alarm.body);
        if (sb_document_put(rest, call, SB_ALARM, &alarm, reply)) {
            sb_document_created(call, SB_ALARM, &alarm, reply);
            sb_document_notify(rest, call, SB_ALARM, &alarm,
                               open ? "UPDATE" : "CREATE");
        }
    }
    json_decref(alarm.body);
}

/* --- changing -------------------------------------------------------------------- */

static json_t *changes(const json_t *body)
{
    static const char *const fixed[] = { "id",     "self",
                                         "source", "type",
                                         "time",   "creationTime",
                                         "count",  "firstOccurrenceTime" };
    json_t *patch = json_copy((json_t *)(uintptr_t)body);
    size_t i;

    for (i = 0; i < sizeof fixed / sizeof fixed[0]; i++)
        json_object_del(patch, fixed[i]);
    return patch;
}

static void change(struct sb_rest *rest, const struct sb_call *call,
                   const struct sb_args *args, struct sb_reply *reply)
{
    const json_t *text = json_object_get(call->body, "text");
    struct sb_document alarm;
    json_t *patch;

    if (!sb_document_load(rest, call, args, SB_ALARM, SB_WRITE, &alarm, reply))
        return;
    patch = changes(call->body);
    if (text && !json_is_string(text)) {
        sb_reply_error(reply, 422, "alarm", "`text` has to be a string");
    } else if (check_words(patch, reply)) {
        sb_json_merge(alarm.body, patch);
        if (sb_document_put(rest, call, SB_ALARM, &alarm, reply))
            sb_document_changed(rest, call, SB_ALARM, &alarm, reply);
    }
    json_decref(patch);
    json_decref(alarm.body);
}

/* A status and nothing else. */
static bool is_status_only(const json_t *body, struct sb_reply *reply)
{
    const char *key;
    json_t *value;

    if (!json_object_get(body, "status")) {
        sb_reply_error(reply, 422, "alarm", "`status` is missing");
        return false;
    }
    json_object_foreach((json_t *)(uintptr_t)body, key, value)
    {
        if (strcmp(key, "status") != 0) {
            sb_reply_error(reply, 422, "alarm",
                           "`%.60s`: of many alarms only the status can be changed",
                           key);
            return false;
        }
    }
    return true;
}

/* All that the query names get the body's status. */
static void change_list(struct sb_rest *rest, const struct sb_call *call,
                        const struct sb_args *args, struct sb_reply *reply)
{
    struct sb_select select = { 0 };
    sqlite3_stmt *query = NULL;
    json_t *patch = json_object();
    const char *status;

    json_object_set(patch, "status", json_object_get(call->body, "status"));
    if (sb_document_is_chosen(call, args, reply) && is_status_only(call->body, reply) &&
        check_words(patch, reply)) {
        status = sb_json_text(patch, "status");
        sb_select_text(&select, "status = ?", status);
        sb_select_text(&select, ", body = json_set(body, '$.status', ?) WHERE 1",
                       status);
        if (sb_document_select(call, args, SB_ALARM, &select, reply)) {
            query = sb_select_query(rest->store, &select, "UPDATE alarm SET ", "");
            if (query && sqlite3_step(query) == SQLITE_DONE)
                reply->status = 200;
            else
                sb_reply_error(reply, 500, "alarm", "the store could not be written");
        }
    }
    sqlite3_finalize(query);
    sb_select_release(&select);
    json_decref(patch);
}

/* --- reading ------------------------------------------------------------------------ */

static void count(struct sb_rest *rest, const struct sb_call *call,
                  const struct sb_args *args, struct sb_reply *reply)
{
    struct sb_select select = { 0 };
    sqlite3_stmt *query;

    if (sb_document_select(call, args, SB_ALARM, &select, reply)) {
        query = sb_select_query(rest->store, &select,
                                "SELECT count(*) FROM alarm WHERE 1", "");
        if (sb_row(query))
            sb_reply_object(call, reply, 200,
                            json_integer(sqlite3_column_int64(query, 0)));
        else
            sb_reply_error(reply, 500, "alarm", "the store could not be read");
        sqlite3_finalize(query);
    }
    sb_select_release(&select);
}

static void list(struct sb_rest *rest, const struct sb_call *call,
                 const struct sb_args *args, struct sb_reply *reply)
{
    sb_document_list(rest, call, args, SB_ALARM, reply);
}

static void get(struct sb_rest *rest, const struct sb_call *call,
                const struct sb_args *args, struct sb_reply *reply)
{
    sb_document_get(rest, call, args, SB_ALARM, reply);
}

static void remove_list(struct sb_rest *rest, const struct sb_call *call,
                        const struct sb_args *args, struct sb_reply *reply)
{
    sb_document_delete_list(rest, call, args, SB_ALARM, reply);
}

const struct sb_route sb_alarm_routes[] = {
    {"POST",    "/alarm/alarms",       create,      sb_alarm_params},
    { "GET",    "/alarm/alarms/count", count,       sb_alarm_params},
    { "GET",    "/alarm/alarms",       list,        sb_alarm_params},
    { "PUT",    "/alarm/alarms",       change_list, sb_alarm_params},
    { "DELETE", "/alarm/alarms",       remove_list, sb_alarm_params},
    { "GET",    "/alarm/alarms/{}",    get,         NULL           },
    { "PUT",    "/alarm/alarms/{}",    change,      NULL           },
    { NULL,     NULL,                  NULL,        NULL           },
};
