/* SPDX-License-Identifier: MIT */
#include "collection.h"

#include "datetime.h"
#include "json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TYPES_MAX = 256, REQUEST_FIELDS = 9, RESPONSE_FIELDS_MIN = 5 };

static const char bad_request[] = "Bad request template definition";
static const char bad_response[] = "Bad response template definition";

static const char *const type_names[] = {
    [SB_UNTYPED] = "",        [SB_STRING] = "STRING", [SB_UNSIGNED] = "UNSIGNED",
    [SB_INTEGER] = "INTEGER", [SB_NUMBER] = "NUMBER", [SB_DATE] = "DATE",
    [SB_NOW] = "NOW",
};

/* --- value types ------------------------------------------------------------- */

static size_t skip_digits(const char *text, size_t len, size_t from)
{
    while (from < len && text[from] >= '0' && text[from] <= '9')
        from++;
    return from;
}

static bool is_unsigned(const char *text, size_t len)
{
    return len && skip_digits(text, len, 0) == len;
}

static bool is_integer(const char *text, size_t len)
{
    size_t sign = len && (*text == '+' || *text == '-');

    return is_unsigned(text + sign, len - sign);
}

static bool is_number(const char *text, size_t len)
{
    size_t sign = len && (*text == '+' || *text == '-');
    size_t at = skip_digits(text, len, sign), digits = at - sign;

    if (at < len && text[at] == '.') {
        size_t end = skip_digits(text, len, at + 1);

        digits += end - at - 1;
        at = end;
    }
    if (!digits)
        return false;
    if (at < len && (text[at] == 'e' || text[at] == 'E'))
        return is_integer(text + at + 1, len - at - 1);
    return at == len;
}

static bool is_date(const char *text, size_t len)
{
    int64_t ms;

    return strlen(text) == len && sb_time_parse(text, &ms);
}

const char *sb_value_misfit(enum sb_value_type type, const char *value, size_t len)
{
    bool fits = true;

    switch (type) {
    case SB_UNSIGNED: fits = is_unsigned(value, len); break;
    case SB_INTEGER: fits = is_integer(value, len); break;
    case SB_NUMBER: fits = is_number(value, len); break;
    case SB_DATE: fits = is_date(value, len); break;
    case SB_UNTYPED:
    case SB_STRING:
    case SB_NOW: break;
    }
    return fits ? NULL : type_names[type];
}

/* --- life ---------------------------------------------------------------------- */

static void request_release(struct sb_request_template *t)
{
    free(t->method);
    free(t->uri);
    free(t->content);
    free(t->accept);
    free(t->placeholder);
    free(t->body);
    free(t->type);
}

static void response_release(struct sb_response_template *t)
{
    size_t i;

    for (i = 0; i < t->n_values; i++) {
        free(t->value_text[i]);
        sb_jsonpath_free(t->value[i]);
    }
    free(t->value_text);
    free(t->value);
    free(t->base_text);
    free(t->condition_text);
    sb_jsonpath_free(t->base);
    sb_jsonpath_free(t->condition);
}

struct sb_collection *sb_collection_new(void)
{
    struct sb_collection *collection = calloc(1, sizeof *collection);

    if (collection)
        collection->refs = 1;
    return collection;
}

struct sb_collection *sb_collection_ref(struct sb_collection *collection)
{
    if (collection)
        collection->refs++;
    return collection;
}

void sb_collection_unref(struct sb_collection *collection)
{
    size_t i;

    if (!collection || --collection->refs > 0)
        return;
    for (i = 0; i < collection->n_requests; i++)
        request_release(&collection->request[i]);
    for (i = 0; i < collection->n_responses; i++)
        response_release(&collection->response[i]);
    free(collection->request);
    free(collection->response);
    free(collection);
}

/* --- request templates ------------------------------------------------------------ */

/* 10 to 99 are the built-in messages. */
static bool valid_id(const char *text, unsigned *ret_id, const char **ret_wrong,
                     const char *bad)
{
    size_t len = strlen(text);
    unsigned long id;

    *ret_wrong = bad;
    if (!is_unsigned(text, len) || len > 9)
        return false;
    id = strtoul(text, NULL, 10);
    if (id >= 10 && id <= 99)
        *ret_wrong = "Not a valid message identifier for template creation";
    *ret_id = (unsigned)id;
    return id < 10 || id > 99;
}

static size_t count_places(const char *text, const char *placeholder)
{
    size_t n = 0, len = strlen(placeholder);

    while (len && (text = strstr(text, placeholder))) {
        n++;
        text += len;
    }
    return n;
}

/* `types`: words with blanks between. Returns false with an error. */
static bool parse_types(struct sb_request_template *t, const char *types,
                        char *ret_error)
{
    const char *at = types + strspn(types, " ");

    t->type = calloc(TYPES_MAX, sizeof *t->type);
    while (t->type && *at) {
        size_t len = strcspn(at, " ");
        int type = SB_NOW;

        while (type > SB_UNTYPED &&
               (strlen(type_names[type]) != len || strncmp(at, type_names[type], len)))
            type--;
        if (type == SB_UNTYPED || t->n_types == TYPES_MAX) {
            snprintf(ret_error, SB_COLLECTION_ERROR, "Bad value type: %.*s",
                     (int)(len < 100 ? len : 100), at);
            return false;
        }
        t->type[t->n_types++] = (enum sb_value_type)type;
        at += len;
        at += strspn(at, " ");
    }
    return t->type != NULL;
}

/* Types without a placeholder are accepted, and mean nothing: the platform does
 * so too, against its manual. */
static const char *match_types(struct sb_request_template *t)
{
    size_t i;

    if (!*t->placeholder)
        t->n_types = 0;
    if (t->n_types && !t->n_places)
        return "Values are only supported for templates with placeholder.";
    if (t->n_types && t->n_types != t->n_places)
        return bad_request;
    t->n_args = t->n_places;
    for (i = 0; i < t->n_types; i++)
        t->n_args -= t->type[i] == SB_NOW;
    return NULL;
}

static const char *check_method(const struct sb_request_template *t, char *ret_error)
{
    bool reads = !strcmp(t->method, "GET") || !strcmp(t->method, "DELETE");
    bool writes = !strcmp(t->method, "POST") || !strcmp(t->method, "PUT");
    const char *format = NULL;

    if ((!reads && !writes) || *t->uri != '/')
        return bad_request;
    if (reads && *t->content)
        format = "No content type supported for %s templates.";
    else if (reads && *t->body)
        format = "No template string supported for %s templates.";
    else if (writes && !*t->content)
        format = "No content type found for %s templates.";
    else if (writes && !*t->body)
        format = "No template string found for %s templates.";
    if (!format)
        return NULL;
    snprintf(ret_error, SB_COLLECTION_ERROR, format, t->method);
    return ret_error;
}

const struct sb_request_template *sb_request_find(
    const struct sb_collection *collection, unsigned id)
{
    size_t i;

    for (i = 0; i < collection->n_requests; i++)
        if (collection->request[i].id == id)
            return &collection->request[i];
    return NULL;
}

/* field: id, method, URI, content, accept, placeholder, types, body */
static const char *fill_request(struct sb_request_template *t,
                                const char *const field[8], char *ret_error)
{
    const char *wrong;

    if (!valid_id(field[0], &t->id, &wrong, bad_request))
        return wrong;
    t->method = strdup(field[1]);
    t->uri = strdup(field[2]);
    t->content = strdup(field[3]);
    t->accept = strdup(field[4]);
    t->placeholder = strdup(field[5]);
    t->body = strdup(field[7]);
    if (!t->method || !t->uri || !t->content || !t->accept || !t->placeholder ||
        !t->body)
        return "out of memory";
    wrong = check_method(t, ret_error);
    if (wrong)
        return wrong;
    t->n_places =
        count_places(t->uri, t->placeholder) + count_places(t->body, t->placeholder);
    if (!parse_types(t, field[6], ret_error))
        return ret_error;
    return match_types(t);
}

static bool fail(char *ret_error, const char *wrong)
{
    if (wrong != ret_error)
        snprintf(ret_error, SB_COLLECTION_ERROR, "%s", wrong);
    return false;
}

static bool add_request(struct sb_collection *c, const char *const field[8],
                        char *ret_error)
{
    struct sb_request_template t = { 0 }, *grown;
    const char *wrong;

    strcpy(ret_error, "out of memory");
    wrong = fill_request(&t, field, ret_error);
    if (!wrong && sb_request_find(c, t.id))
        wrong = "Duplicate message identifiers are not allowed";
    grown = wrong ? NULL : realloc(c->request, (c->n_requests + 1) * sizeof *grown);
    if (!grown) {
        request_release(&t);
        return fail(ret_error, wrong ? wrong : ret_error);
    }
    c->request = grown;
    c->request[c->n_requests++] = t;
    return true;
}

/* --- response templates -------------------------------------------------------------- */

static const char *parse_optional(const char *text, char **ret_text,
                                  struct sb_jsonpath **ret_path)
{
    *ret_text = strdup(text);
    if (!*ret_text)
        return "out of memory";
    return *text ? sb_jsonpath_parse(text, ret_path) : NULL;
}

static const char *add_value(struct sb_response_template *t, const char *text)
{
    const char *wrong;
    char *copy;

    if (!*text)
        return "Bad pattern";
    copy = strdup(text);
    if (!copy)
        return "out of memory";
    wrong = sb_jsonpath_parse(text, &t->value[t->n_values]);
    if (wrong)
        free(copy);
    else
        t->value_text[t->n_values++] = copy;
    return wrong;
}

/* field: id, base, condition, values */
static const char *fill_response(struct sb_response_template *t,
                                 const char *const *field, size_t n)
{
    const char *wrong;
    size_t i;

    if (!valid_id(field[0], &t->id, &wrong, bad_response))
        return wrong;
    t->value_text = calloc(n, sizeof *t->value_text);
    t->value = calloc(n, sizeof *t->value);
    if (!t->value_text || !t->value)
        return "out of memory";
    wrong = parse_optional(field[1], &t->base_text, &t->base);
    if (!wrong)
        wrong = parse_optional(field[2], &t->condition_text, &t->condition);
    for (i = 3; !wrong && i < n; i++)
        wrong = add_value(t, field[i]);
    return wrong;
}

static bool add_response(struct sb_collection *c, const char *const *field, size_t n,
                         char *ret_error)
{
    struct sb_response_template t = { 0 }, *grown;
    const char *wrong = fill_response(&t, field, n);

    grown = wrong ? NULL : realloc(c->response, (c->n_responses + 1) * sizeof *grown);
    if (!grown) {
        response_release(&t);
        return fail(ret_error, wrong ? wrong : "out of memory");
    }
    c->response = grown;
    c->response[c->n_responses++] = t;
    return true;
}

/* --- rows ---------------------------------------------------------------------------- */

/* Templates are kept as JSON: text that cannot be in a JSON string is none. */
static bool is_text(struct sr_record *row, size_t i)
{
    size_t len = 0;
    const char *bytes = sr_record_bytes(row, i, &len);
    json_t *string;

    if (!bytes || (len && memchr(bytes, '\0', len)))
        return false;
    string = json_stringn(bytes, len);
    json_decref(string);
    return string != NULL;
}

bool sb_collection_add_row(struct sb_collection *collection, struct sr_record *row,
                           char *ret_error)
{
    size_t n = sr_record_size(row), i;
    bool request = !strcmp(sr_record_value(row, 0), "10");
    const char *bad = request ? bad_request : bad_response;
    const char **field;
    bool ok;

    if (request ? n != REQUEST_FIELDS : n < RESPONSE_FIELDS_MIN)
        return fail(ret_error, bad);
    field = calloc(n - 1, sizeof *field);
    if (!field)
        return fail(ret_error, "out of memory");
    for (i = 1, ok = true; ok && i < n; i++) {
        ok = is_text(row, i);
        field[i - 1] = sr_record_value(row, i);
    }
    if (!ok)
        fail(ret_error, bad);
    else if (request)
        ok = add_request(collection, field, ret_error);
    else
        ok = add_response(collection, field, n - 1, ret_error);
    free(field);
    return ok;
}

/* --- as a managed object ---------------------------------------------------------------- */

static json_t *text_or_null(const char *text)
{
    return *text ? json_string(text) : json_null();
}

static json_t *id_text(unsigned id)
{
    return json_sprintf("%u", id);
}

static json_t *request_to_json(const struct sb_request_template *t)
{
    json_t *json = json_object(), *types = json_array();
    size_t i;

    for (i = 0; i < t->n_types; i++)
        json_array_append_new(types, json_string(type_names[t->type[i]]));
    json_object_set_new(json, "msgId", id_text(t->id));
    json_object_set_new(json, "method", json_string(t->method));
    json_object_set_new(json, "resourceUri", json_string(t->uri));
    json_object_set_new(json, "contentType", text_or_null(t->content));
    json_object_set_new(json, "accept", text_or_null(t->accept));
    json_object_set_new(json, "placeholder", text_or_null(t->placeholder));
    json_object_set_new(json, "values", types);
    json_object_set_new(json, "templateString", text_or_null(t->body));
    return json;
}

static json_t *response_to_json(const struct sb_response_template *t)
{
    json_t *json = json_object(), *pattern = json_array();
    size_t i;

    for (i = 0; i < t->n_values; i++)
        json_array_append_new(pattern, json_string(t->value_text[i]));
    json_object_set_new(json, "msgId", id_text(t->id));
    json_object_set_new(json, "base", text_or_null(t->base_text));
    json_object_set_new(json, "condition", text_or_null(t->condition_text));
    json_object_set_new(json, "pattern", pattern);
    return json;
}

json_t *sb_collection_to_json(const struct sb_collection *collection, const char *name)
{
    json_t *requests = json_array(), *responses = json_array();
    size_t i;

    for (i = 0; i < collection->n_requests; i++)
        json_array_append_new(requests, request_to_json(&collection->request[i]));
    for (i = 0; i < collection->n_responses; i++)
        json_array_append_new(responses, response_to_json(&collection->response[i]));
    return json_pack("{s:s, s:s, s:{}, s:{s:o, s:o}}", "name", name, "type", name,
                     "c8y_Global", SB_COLLECTION_FRAGMENT, "requestTemplates", requests,
                     "responseTemplates", responses);
}

/* The member as text: a string, a number, or "" for null and none. NULL: neither. */
static const char *member(const json_t *object, const char *key, char number[24])
{
    const json_t *value = json_object_get(object, key);

    if (!value || json_is_null(value))
        return "";
    if (json_is_integer(value)) {
        snprintf(number, 24, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        return number;
    }
    return json_string_value(value);
}

/* A list of words as the row has it: with blanks between. */
static char *join_types(const json_t *types)
{
    struct sb_text text = { 0 };
    json_t *type;
    size_t i;

    json_array_foreach(types, i, type)
        sb_text_format(&text, "%s%s", i ? " " : "",
                       json_is_string(type) ? json_string_value(type) : "?");
    return text.len ? sb_text_take(&text, NULL) : strdup("");
}

static bool request_from_json(struct sb_collection *c, const json_t *json,
                              char *ret_error)
{
    static const char *const keys[] = { "msgId",       "method", "resourceUri",
                                        "contentType", "accept", "placeholder" };
    const char *field[8];
    char number[24];
    char *types = join_types(json_object_get(json, "values"));
    bool ok = types != NULL;
    size_t i;

    for (i = 0; ok && i < 6; i++) {
        field[i] = member(json, keys[i], number);
        ok = field[i] && (i == 0 || field[i] != number);
    }
    field[6] = types;
    field[7] = member(json, "templateString", number);
    ok = ok && field[7] && field[7] != number;
    ok = ok ? add_request(c, field, ret_error) : fail(ret_error, bad_request);
    free(types);
    return ok;
}

static bool response_from_json(struct sb_collection *c, const json_t *json,
                               char *ret_error)
{
    const json_t *pattern = json_object_get(json, "pattern");
    size_t n = json_array_size(pattern), i;
    const char **field = n ? calloc(n + 3, sizeof *field) : NULL;
    char number[24], unused[24];
    bool ok = field != NULL;

    if (ok) {
        field[0] = member(json, "msgId", number);
        field[1] = member(json, "base", unused);
        field[2] = member(json, "condition", unused);
    }
    for (i = 0; ok && i < n; i++)
        field[i + 3] = json_string_value(json_array_get(pattern, i));
    for (i = 0; ok && i < n + 3; i++)
        ok = field[i] && field[i] != unused;
    ok = ok ? add_response(c, field, n + 3, ret_error) : fail(ret_error, bad_response);
    free(field);
    return ok;
}

static bool read_templates(struct sb_collection *c, const json_t *fragment,
                           char *ret_error)
{
    json_t *json;
    size_t i;

    json_array_foreach(json_object_get(fragment, "requestTemplates"), i,
                       json) if (!request_from_json(c, json, ret_error)) return false;
    json_array_foreach(json_object_get(fragment, "responseTemplates"), i,
                       json) if (!response_from_json(c, json, ret_error)) return false;
    return true;
}

struct sb_collection *sb_collection_from_json(const json_t *object, char *ret_error)
{
    const json_t *fragment = json_object_get(object, SB_COLLECTION_FRAGMENT);
    struct sb_collection *c = json_is_object(fragment) ? sb_collection_new() : NULL;

    if (!c) {
        fail(ret_error, "not a template collection");
        return NULL;
    }
    if (read_templates(c, fragment, ret_error))
        return c;
    sb_collection_unref(c);
    return NULL;
}
