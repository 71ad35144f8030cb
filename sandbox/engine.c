/* SPDX-License-Identifier: MIT */
#include "engine.h"

#include "collection.h"
#include "datetime.h"
#include "devices.h"
#include "expand.h"
#include "lookup.h"

#include "base/device_id.h"
#include <smartrest/record.h>
#include <smartrest/row.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct sb_engine {
    struct sb_rest *rest;
    struct sb_lookup *lookup;
    bool skip_15_lines;
};

/* What a body is for is known only after a look at all of it. */
struct survey {
    size_t selects; /* rows 15 */
    size_t templates, others;
    bool several; /* more than one collection is named */
};

/* One body on its way through. A group is what follows a row 15, or the header. */
struct run {
    struct sb_engine *engine;
    const struct sb_rows *in;
    struct sb_text *answer, *errors;
    struct survey survey;
    struct sr_parser parser;
    size_t selects; /* rows 15 so far */

    char *xid; /* of the group; "" for none */
    bool looked_up;
    struct sb_collection *collection; /* NULL: unknown, or not looked up yet */
    struct sr_row rows;               /* of the group, till it ends */
    size_t n_rows;
    struct sb_collection *fresh; /* made from the group's rows 10 and 11 */
    size_t fresh_line;           /* of the first of them */
    bool refused;                /* what is left of the group is not looked at */
    bool asks; /* no row of the group so far: does the collection exist? */
};

/* --- rows of the answer --------------------------------------------------------- */

static size_t line_of(const struct run *run)
{
    size_t line = sr_parser_line(&run->parser);

    return run->engine->skip_15_lines ? line - run->selects : line;
}

static void answer(struct run *run, const char *format, ...) SR_PRINTF(2, 3);
static void answer(struct run *run, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    sr_row_vformat(&run->rows, format, args);
    va_end(args);
    run->n_rows++;
}

/* An error is an answer, and goes to the list of errors too. */
static void error(struct run *run, const char *format, ...) SR_PRINTF(2, 3);
static void error(struct run *run, const char *format, ...)
{
    struct sr_row row;
    va_list args;

    va_start(args, format);
    sr_row_vformat(&run->rows, format, args);
    va_end(args);
    run->n_rows++;
    if (!run->errors)
        return;
    sr_row_init(&row, 0);
    va_start(args, format);
    sr_row_vformat(&row, format, args);
    va_end(args);
    sb_text_add(run->errors, sr_row_text(&row), sr_row_len(&row));
    sb_text_add(run->errors, "\n", 1);
    sr_row_release(&row);
}

static void no_template(struct run *run)
{
    error(run, "40,\"No template for this X-ID.\"");
}

/* Announced are the rows of a group if rows 15 chose it; not those that say whether
 * a collection exists. */
static bool announces(const struct run *run)
{
    if (!run->survey.selects || !*run->xid || !run->survey.others)
        return false;
    return !run->survey.templates && (run->survey.several || !run->in->quiet_87);
}

static void end_rows(struct run *run)
{
    struct sr_row head;

    if (run->n_rows && sr_row_error(&run->rows)) {
        run->answer->failed = true;
    } else if (run->n_rows) {
        sr_row_init(&head, 0);
        sr_row_format(&head, "87,%zu,%s", run->n_rows, run->xid);
        if (announces(run)) {
            sb_text_add(run->answer, sr_row_text(&head), sr_row_len(&head));
            sb_text_add(run->answer, "\n", 1);
        }
        sr_row_release(&head);
        sb_text_add(run->answer, sr_row_text(&run->rows), sr_row_len(&run->rows));
        sb_text_add(run->answer, "\n", 1);
    }
    sr_row_clear(&run->rows);
    run->n_rows = 0;
}

/* --- response templates ------------------------------------------------------------ */

static void append_json(struct sr_row *row, const json_t *value)
{
    struct sb_text text = { 0 };

    sb_json_write(&text, value);
    sr_row_bytes(row, sb_text_get(&text), text.len);
    sb_text_release(&text);
}

static void append_value(struct sr_row *row, const json_t *value)
{
    if (json_is_string(value))
        sr_row_bytes(row, json_string_value(value), json_string_length(value));
    else if (json_is_integer(value))
        sr_row_int(row, json_integer_value(value));
    else
        append_json(row, value);
}

static bool matches(const struct sb_response_template *t, json_t *object)
{
    size_t i;

    if (t->condition && !sb_jsonpath_find(t->condition, object))
        return false;
    for (i = 0; i < t->n_values; i++)
        if (!sb_jsonpath_find(t->value[i], object))
            return false;
    return true;
}

/* Returns the number of rows: 0 or 1. */
static size_t apply_to_object(const struct sb_response_template *t, json_t *object,
                              size_t line, struct sr_row *row)
{
    size_t i;

    if (!matches(t, object))
        return 0;
    sr_row_start(row, t->id);
    sr_row_uint(row, line);
    for (i = 0; i < t->n_values; i++)
        append_value(row, sb_jsonpath_find(t->value[i], object));
    return 1;
}

static size_t apply_template(const struct sb_response_template *t, json_t *json,
                             size_t line, struct sr_row *row)
{
    json_t *base = t->base ? sb_jsonpath_find(t->base, json) : json, *object;
    size_t n = 0, i;

    if (!json_is_array(base))
        return base ? apply_to_object(t, base, line, row) : 0;
    json_array_foreach(base, i, object) n += apply_to_object(t, object, line, row);
    return n;
}

/* Returns the number of rows. */
static size_t apply(const struct sb_collection *collection, json_t *json, size_t line,
                    struct sr_row *row)
{
    size_t n = 0, i;

    for (i = 0; i < collection->n_responses; i++)
        n += apply_template(&collection->response[i], json, line, row);
    return n;
}

size_t sb_engine_apply(struct sb_engine *engine, const char *xid, json_t *json,
                       struct sb_text *text)
{
    struct sb_collection *collection = sb_lookup_find(engine->lookup, xid, NULL);
    struct sr_row row;
    size_t n;

    if (!collection)
        return 0;
    sr_row_init(&row, 0);
    n = apply(collection, json, 1, &row);
    if (sr_row_error(&row))
        n = 0;
    if (n) {
        sb_text_add(text, sr_row_text(&row), sr_row_len(&row));
        sb_text_add(text, "\n", 1);
    }
    sr_row_release(&row);
    sb_collection_unref(collection);
    return n;
}

bool sb_engine_knows(struct sb_engine *engine, const char *xid)
{
    struct sb_collection *collection = sb_lookup_find(engine->lookup, xid, NULL);

    sb_collection_unref(collection);
    return collection != NULL;
}

/* --- request rows ------------------------------------------------------------------- */

static bool writes(const struct sb_request_template *t)
{
    return !strcmp(t->method, "POST") || !strcmp(t->method, "PUT");
}

/* What went wrong, in a row 50. */
static void rest_error(struct run *run, size_t line, const struct sb_reply *reply)
{
    const char *name = sb_json_text(reply->json, "error");
    const char *message = sb_json_text(reply->json, "message");
    const char *text = reply->status == 404 ? name : message;

    error(run, "50,%zu,%d,\"%s\"", line, reply->status, text ? text : "");
}

static void call_rest(struct run *run, const struct sb_request_template *t,
                      const struct sb_target *target, json_t *body, size_t line)
{
    struct sb_call call = {
        .who = run->in->who,
        .method = t->method,
        .path = target->path,
        .query = target->query,
        .host = run->in->host,
        .tls = run->in->tls,
        .mode = run->in->mode,
        .body = body,
        .wants_body = *t->accept != '\0',
    };
    struct sb_reply reply = { 0 };

    sb_rest_handle(run->engine->rest, &call, &reply);
    if (reply.status >= 400)
        rest_error(run, line, &reply);
    else if (reply.json)
        run->n_rows += apply(run->collection, reply.json, line, &run->rows);
    sb_reply_release(&reply);
}

static void execute(struct run *run, const struct sb_request_template *t,
                    struct sr_record *record)
{
    char wrong[SB_JSON_ERROR];
    struct sb_target target = { 0 };
    size_t line = line_of(run);
    json_t *body = NULL;

    if (!sb_expand(t, record, &target)) {
        error(run, "50,%zu,422,\"the URI of request template %u is not valid\"", line,
              t->id);
    } else if (writes(t) && !(body = sb_json_read(sb_text_get(&target.body),
                                                  target.body.len, wrong))) {
        error(run, "50,%zu,422,\"%s\"", line, wrong);
    } else {
        call_rest(run, t, &target, body, line);
    }
    json_decref(body);
    sb_target_release(&target);
}

/* True if the row's arguments are what the template takes. */
static bool check_arguments(struct run *run, const struct sb_request_template *t,
                            struct sr_record *record)
{
    size_t given = sr_record_size(record) - 1, len, k, a = 1;
    const char *misfit, *value;

    if (given && !t->n_places) {
        error(run, "45,%zu,No arguments supported", line_of(run));
        return false;
    }
    if (given != t->n_args) {
        error(run, "45,%zu,Wrong number of arguments", line_of(run));
        return false;
    }
    for (k = 0; k < t->n_types; k++) {
        if (t->type[k] == SB_NOW)
            continue;
        value = sr_record_bytes(record, a, &len);
        misfit = sb_value_misfit(t->type[k], sr_record_value(record, a++), len);
        if (!value || misfit) {
            error(run, "45,%zu,Value is not a %s: %s", line_of(run),
                  misfit ? misfit : "value", sr_record_value(record, a - 1));
            return false;
        }
    }
    return true;
}

/* The row's message id; false if that is no such number. */
static bool message_id(struct sr_record *record, unsigned *ret_id)
{
    const char *text = sr_record_value(record, 0);
    size_t len = strspn(text, "0123456789");

    if (!len || len > 9 || text[len])
        return false;
    *ret_id = (unsigned)strtoul(text, NULL, 10);
    return true;
}

static void data_row(struct run *run, struct sr_record *record)
{
    const struct sb_request_template *t = NULL;
    unsigned id;

    if (run->in->who->role == SB_BOOTSTRAP) {
        error(run, "50,%zu,403", line_of(run));
        return;
    }
    if (message_id(record, &id))
        t = sb_request_find(run->collection, id);
    if (!t)
        error(run, "43,%zu,Invalid message identifier", line_of(run));
    else if (check_arguments(run, t, record))
        execute(run, t, record);
}

/* --- bootstrap ------------------------------------------------------------------------ */

static void bootstrap_row(struct run *run, struct sr_record *record)
{
    const char *device = sr_record_value(record, 1), *tenant, *reason = "holds a NUL";
    char password[SB_PASSWORD_SIZE];
    size_t len = 0;

    sr_record_bytes(record, 1, &len);
    tenant = run->engine->rest->tenant;
    if (sr_record_size(record) != 2)
        error(run, "45,%zu,Wrong number of arguments", line_of(run));
    else if (run->in->who->role != SB_BOOTSTRAP)
        error(run, "50,%zu,403", line_of(run));
    else if (len != strlen(device) || !sr_device_id_valid(device, &reason))
        error(run, "50,%zu,422,\"not a device id: it %s\"", line_of(run), reason);
    else if (sb_device_ask(run->engine->rest, device, password))
        answer(run, "70,%zu,%s,%s,device_%s,%s", line_of(run), device, tenant, device,
               password);
    else
        error(run, "50,%zu,404", line_of(run));
}

/* --- registration ----------------------------------------------------------------------- */

static bool has_xid(struct run *run)
{
    if (!run->looked_up) {
        run->looked_up = true;
        if (*run->xid)
            run->collection = sb_lookup_find(run->engine->lookup, run->xid, NULL);
    }
    return *run->xid != '\0';
}

/* A name goes into a topic, and into rows. */
static bool good_name(const char *xid)
{
    size_t len = strlen(xid);

    if (len > 255)
        return false;
    for (; *xid; xid++)
        if ((unsigned char)*xid <= ' ' || (unsigned char)*xid >= 0x7f ||
            strchr("/+#,\"\\", *xid))
            return false;
    return true;
}

/* Once for a group, at its first template row. */
static void begin_registration(struct run *run)
{
    if (run->fresh || run->refused)
        return;
    run->fresh_line = line_of(run);
    run->refused = true;
    if (!has_xid(run))
        no_template(run);
    else if (run->in->who->role == SB_BOOTSTRAP)
        error(run, "50,%zu,403", run->fresh_line);
    else if (run->collection)
        error(run,
              "41,%zu,Cannot create templates for already existing template object",
              run->fresh_line);
    else if (!good_name(run->xid))
        error(run, "41,%zu,Not a valid X-Id: %s", run->fresh_line, run->xid);
    else
        run->refused = !(run->fresh = sb_collection_new());
}

static bool is_template(struct sr_record *record)
{
    const char *id = sr_record_value(record, 0);

    return !strcmp(id, "10") || !strcmp(id, "11");
}

static void template_row(struct run *run, struct sr_record *record)
{
    char wrong[SB_COLLECTION_ERROR];

    begin_registration(run);
    if (!run->fresh)
        return;
    if (!is_template(record)) {
        error(run, "41,%zu,Not a valid message identifier for template creation",
              line_of(run));
        run->refused = true;
    } else if (!sb_collection_add_row(run->fresh, record, wrong)) {
        error(run, "41,%zu,%s", line_of(run), wrong);
        run->refused = true;
    }
}

/* One call of the REST, for its id; 0 with the error in `reply`. */
static int64_t post(struct run *run, const char *path, json_t *body,
                    struct sb_reply *reply)
{
    struct sb_call call = { .who = run->in->who,
                            .method = "POST",
                            .path = path,
                            .query = "",
                            .host = run->in->host,
                            .body = body,
                            .wants_body = true };
    const char *id;

    sb_rest_handle(run->engine->rest, &call, reply);
    json_decref(body);
    id = sb_json_text(reply->json, "id");
    if (!id)
        id = sb_json_text(json_object_get(reply->json, "managedObject"), "id");
    return reply->status < 400 && id ? strtoll(id, NULL, 10) : 0;
}

static int64_t store_collection(struct run *run, struct sb_reply *reply)
{
    json_t *object = sb_collection_to_json(run->fresh, run->xid);
    int64_t id = post(run, "/inventory/managedObjects", object, reply);
    char path[64];

    if (!id)
        return 0;
    sb_reply_release(reply);
    snprintf(path, sizeof path, "/identity/globalIds/%lld/externalIds", (long long)id);
    return post(
        run, path,
        json_pack("{s:s, s:s}", "type", SB_COLLECTION_TYPE, "externalId", run->xid),
        reply);
}

/* All of the collection is stored, or nothing. */
static void end_registration(struct run *run)
{
    struct sb_store *store = run->engine->rest->store;
    struct sb_reply reply = { 0 };
    int64_t id = 0;

    if (run->fresh && !run->refused) {
        sb_store_begin(store);
        id = store_collection(run, &reply);
        if (!id)
            sb_store_rollback(store);
        else if (!sb_store_commit(store))
            id = 0;
        sb_lookup_forget(run->engine->lookup);
        if (id)
            answer(run, "20,%lld", (long long)id);
        else
            rest_error(run, run->fresh_line, &reply);
    }
    sb_reply_release(&reply);
    sb_collection_unref(run->fresh);
    run->fresh = NULL;
}

/* --- groups -------------------------------------------------------------------------------- */

static void exists_row(struct run *run)
{
    int64_t id = 0;
    struct sb_collection *collection =
        *run->xid ? sb_lookup_find(run->engine->lookup, run->xid, &id) : NULL;

    if (run->in->who->role == SB_BOOTSTRAP)
        error(run, "50,1,403");
    else if (collection)
        answer(run, "20,%lld", (long long)id);
    else
        no_template(run);
    sb_collection_unref(collection);
}

static void end_group(struct run *run)
{
    if (run->asks)
        exists_row(run);
    end_registration(run);
    end_rows(run);
    sb_collection_unref(run->collection);
    run->collection = NULL;
    run->looked_up = false;
    run->refused = false;
    run->asks = false;
}

static void set_xid(struct run *run, const char *xid)
{
    free(run->xid);
    run->xid = strdup(xid ? xid : "");
    if (!run->xid) {
        run->answer->failed = true;
        run->xid = calloc(1, 1);
    }
}

static void select_row(struct run *run, struct sr_record *record)
{
    run->selects++;
    end_group(run);
    if (sr_record_size(record) != 2) {
        set_xid(run, "");
        error(run, "45,%zu,Wrong number of arguments", line_of(run));
        return;
    }
    set_xid(run, sr_record_value(record, 1));
    run->asks = !run->survey.others;
}

/* Rows for a collection that does not exist: said once. */
static bool collection_known(struct run *run)
{
    if (run->in->who->role == SB_BOOTSTRAP)
        return true; /* each row is refused */
    has_xid(run);
    if (!run->collection && !run->refused) {
        run->refused = true;
        no_template(run);
    }
    return run->collection != NULL;
}

/* --- bodies ---------------------------------------------------------------------------- */

static bool has_id(struct sr_record *record, const char *id)
{
    return !strcmp(sr_record_value(record, 0), id);
}

static void malformed_row(struct run *run)
{
    if (run->survey.templates)
        run->refused = true;
    else if (!collection_known(run))
        return;
    error(run, "42,%zu,Malformed Request", line_of(run));
}

static void row(struct run *run, struct sr_record *record)
{
    if (has_id(record, "15")) {
        select_row(run, record);
        return;
    }
    run->asks = false;
    if (run->survey.templates)
        template_row(run, record);
    else if (has_id(record, "61"))
        bootstrap_row(run, record);
    else if (collection_known(run))
        data_row(run, record);
}

static void survey_row(struct survey *survey, struct sr_record *record, const char *xid,
                       char **first)
{
    const char *name = sr_record_value(record, 1);

    if (!has_id(record, "15")) {
        survey->others += !is_template(record);
        survey->templates += is_template(record);
        return;
    }
    survey->selects++;
    if (!*first)
        *first = strdup(*xid ? xid : name);
    if (*first && strcmp(*first, name))
        survey->several = true;
}

static void survey_body(struct run *run)
{
    const char *xid = run->in->xid ? run->in->xid : "";
    struct sr_record *record;
    char *first = NULL;
    int rc;

    sr_parser_init(&run->parser, run->in->body, run->in->len);
    while ((rc = sr_parser_next(&run->parser, &record)) != SR_E_END) {
        if (rc == SR_E_SYNTAX)
            run->survey.others++;
        else if (rc)
            break; /* no memory: the second pass says so */
        else
            survey_row(&run->survey, record, xid, &first);
    }
    sr_parser_release(&run->parser);
    free(first);
}

static void execute_body(struct run *run)
{
    struct sr_record *record;
    int rc;

    sr_parser_init(&run->parser, run->in->body, run->in->len);
    while ((rc = sr_parser_next(&run->parser, &record)) != SR_E_END) {
        if (rc == 0) {
            row(run, record);
        } else if (rc == SR_E_SYNTAX) {
            malformed_row(run);
        } else {
            run->answer->failed = true;
            break;
        }
    }
    end_group(run);
    sr_parser_release(&run->parser);
}

void sb_engine_run(struct sb_engine *engine, const struct sb_rows *rows,
                   struct sb_text *text, struct sb_text *errors)
{
    struct run run = { .engine = engine, .in = rows, .answer = text, .errors = errors };

    sr_row_init(&run.rows, 0);
    set_xid(&run, rows->xid);
    survey_body(&run);
    run.asks = !run.survey.selects && !run.survey.templates && !run.survey.others;
    execute_body(&run);
    sr_row_release(&run.rows);
    free(run.xid);
}

/* --- life ---------------------------------------------------------------------------------- */

struct sb_engine *sb_engine_new(struct sb_rest *rest, bool skip_15_lines)
{
    struct sb_engine *engine = calloc(1, sizeof *engine);

    if (!engine)
        return NULL;
    engine->rest = rest;
    engine->skip_15_lines = skip_15_lines;
    engine->lookup = sb_lookup_new(rest->store);
    if (engine->lookup)
        return engine;
    free(engine);
    return NULL;
}

void sb_engine_free(struct sb_engine *engine)
{
    if (!engine)
        return;
    sb_lookup_free(engine->lookup);
    free(engine);
}

void sb_engine_forget(struct sb_engine *engine)
{
    sb_lookup_forget(engine->lookup);
}
