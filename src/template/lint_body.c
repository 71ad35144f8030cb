/* SPDX-License-Identifier: MIT */
/* Rules for the body of a row 10: is it JSON, which values are text in it, and what are
 * its members called? */
#include "template/json.h"
#include "template/lint_p.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_marker(char c)
{
    return c >= SR_JSON_ANY && c <= SR_JSON_TIME;
}

/* The body with one byte for each placeholder. Other bytes with such a value become
 * one that is as wrong in JSON. */
static size_t fill_body(const struct sr_lint *lint, const struct sr_request *r,
                        char *to)
{
    const char *from = sr_field_text(lint, SR_T_BODY),
               *placeholder = sr_field_text(lint, SR_T_PLACEHOLDER);
    size_t skip = strlen(placeholder), n = 0, k = r->in_uri;
    const char *place = skip ? strstr(from, placeholder) : NULL;

    while (*from) {
        if (from == place) {
            to[n++] = r->types_fit ? r->marker[k++] : SR_JSON_ANY;
            from += skip;
            place = strstr(from, placeholder);
        } else {
            to[n++] = is_marker(*from) ? 0x1f : *from;
            from++;
        }
    }
    return n;
}

/* Where in the body byte `at` of the filled one comes from. */
static size_t unfilled(const struct sr_lint *lint, const char *filled, size_t at)
{
    size_t skip = strlen(sr_field_text(lint, SR_T_PLACEHOLDER)), offset = at;

    for (size_t i = 0; i < at; i++)
        if (is_marker(filled[i]))
            offset += skip - 1;
    return offset;
}

/* --- strings in a body that is JSON --------------------------------------- */

struct body {
    struct sr_lint *lint;
    const struct sr_request *request;
    const char *filled;
    char values[80];        /* that are text: "2, 4" */
    size_t n_values, first; /* of them; where in `filled` the first one stands */
    bool is_measurement;
};

static size_t offset_of(const struct body *body, size_t at)
{
    return sr_field_offset(body->lint, SR_T_BODY,
                           unfilled(body->lint, body->filled, at));
}

/* Which value of the row, from 1 and behind its id, is for the placeholder at `at`? */
static size_t value_number(const struct body *body, size_t at)
{
    const struct sr_request *r = body->request;
    size_t place = r->in_uri, number = 0;

    for (size_t i = 0; i < at; i++)
        place += is_marker(body->filled[i]);
    for (size_t k = 0; k <= place; k++)
        number += !r->n_types || r->is_sent[k];
    return number;
}

static void note_text(struct body *body, size_t at)
{
    size_t len = strlen(body->values);

    if (!body->n_values++)
        body->first = at;
    snprintf(body->values + len, sizeof body->values - len, "%s%zu", len ? ", " : "",
             value_number(body, at));
}

/* Paths, and the names of series, part names at dots; blanks do not stand in a path. */
static void lint_name(struct body *body, const struct sr_json_string *string)
{
    if (string->depth > 1 && !body->is_measurement)
        return;
    for (size_t at = string->begin; at < string->end; at++) {
        char c = body->filled[at];

        if (c != '.' && c != ' ')
            continue;
        sr_lint_warning(body->lint, "name-characters", offset_of(body, at),
                        "%s in '%.*s': a path of the platform cannot name it",
                        c == '.' ? "a dot" : "a blank",
                        (int)(string->end - string->begin),
                        body->filled + string->begin);
        return;
    }
}

static void on_string(const struct sr_json_string *string, void *arg)
{
    struct body *body = arg;

    if (string->is_name)
        lint_name(body, string);
    for (size_t at = string->begin; at < string->end; at++)
        if (body->filled[at] == SR_JSON_ANY)
            note_text(body, at);
}

static void lint_strings(struct sr_lint *lint, const struct sr_request *r,
                         const char *filled, size_t len)
{
    struct body body = { .lint = lint, .request = r, .filled = filled };

    body.is_measurement =
        strncmp(sr_field_text(lint, SR_T_URI), "/measurement/", 13) == 0;
    sr_json_strings(filled, len, on_string, &body);
    if (body.n_values)
        sr_lint_note(lint, "text-in-json", offset_of(&body, body.first),
                     "value%s %s: text inside of JSON, send it with %%pJ",
                     body.n_values > 1 ? "s" : "", body.values);
}

static void lint_filled(struct sr_lint *lint, const struct sr_request *r, char *filled)
{
    size_t len = fill_body(lint, r, filled), at;
    const char *wrong = sr_json_wrong(filled, len, &at);

    if (wrong)
        sr_lint_error(lint, "json",
                      sr_field_offset(lint, SR_T_BODY, unfilled(lint, filled, at)),
                      "the body is not JSON: %s", wrong);
    else if (r->types_fit || !r->n_types)
        lint_strings(lint, r, filled, len);
}

int sr_lint_body(struct sr_lint *lint, const struct sr_request *r)
{
    const char *method = sr_field_text(lint, SR_T_METHOD);
    char *filled;

    if ((strcmp(method, "POST") != 0 && strcmp(method, "PUT") != 0) ||
        !*sr_field_text(lint, SR_T_BODY) ||
        !strcasestr(sr_field_text(lint, SR_T_CONTENT), "json"))
        return 0;
    filled = malloc(lint->field[SR_T_BODY].len + 1);
    if (!filled)
        return SR_E_NOMEM;
    lint_filled(lint, r, filled);
    free(filled);
    return 0;
}
