/* SPDX-License-Identifier: MIT */
/* Rules for row 10: id, method, URI, content type, accept, placeholder, types, body. */
#include "template/json.h"
#include "template/lint_p.h"
#include <stdlib.h>
#include <string.h>

/* Value types, by what they leave in the body (template/json.h). */
static const struct type {
    const char *name;
    char marker;
} types[] = {
    {"STRING",    SR_JSON_ANY   },
    { "UNSIGNED", SR_JSON_NUMBER},
    { "INTEGER",  SR_JSON_NUMBER},
    { "NUMBER",   SR_JSON_NUMBER},
    { "DATE",     SR_JSON_TIME  },
    { "NOW",      SR_JSON_TIME  },
};
#define N_TYPES (sizeof types / sizeof *types)

/* --- method, content type, body ----------------------------------------- */

static bool is_one_of(const char *word, const char *a, const char *b)
{
    return strcmp(word, a) == 0 || strcmp(word, b) == 0;
}

static void lint_reading(struct sr_lint *lint)
{
    const char *method = sr_field_text(lint, SR_T_METHOD);

    if (*sr_field_text(lint, SR_T_CONTENT))
        sr_lint_error(lint, "content-type", sr_field_start(lint, SR_T_CONTENT),
                      "%s has no content type", method);
    if (*sr_field_text(lint, SR_T_BODY))
        sr_lint_error(lint, "body", sr_field_start(lint, SR_T_BODY), "%s has no body",
                      method);
}

static void lint_writing(struct sr_lint *lint)
{
    const char *method = sr_field_text(lint, SR_T_METHOD),
               *content = sr_field_text(lint, SR_T_CONTENT);

    if (!*content)
        sr_lint_error(lint, "content-type", sr_field_start(lint, SR_T_CONTENT),
                      "%s needs a content type", method);
    else if (!strcasestr(content, "json"))
        sr_lint_warning(lint, "content-type-json", sr_field_start(lint, SR_T_CONTENT),
                        "'%.60s': the platform's resources take JSON", content);
    if (!*sr_field_text(lint, SR_T_BODY))
        sr_lint_error(lint, "body", sr_field_start(lint, SR_T_BODY), "%s needs a body",
                      method);
}

static void lint_method(struct sr_lint *lint)
{
    const char *method = sr_field_text(lint, SR_T_METHOD);

    if (is_one_of(method, "GET", "DELETE"))
        lint_reading(lint);
    else if (is_one_of(method, "POST", "PUT"))
        lint_writing(lint);
    else
        sr_lint_error(lint, "method", sr_field_start(lint, SR_T_METHOD),
                      "'%.40s': a method is GET, POST, PUT or DELETE", method);
}

/* --- URI ---------------------------------------------------------------- */

static bool is_hex(char c)
{
    return c && strchr("0123456789abcdefABCDEF", c);
}

/* The first byte of the URI, placeholders aside, that cannot be in one. */
static bool find_bad_uri_byte(const char *uri, const char *placeholder, size_t *ret_at)
{
    size_t skip = strlen(placeholder), at = 0;
    const char *place = skip ? strstr(uri, placeholder) : NULL;

    while (uri[at]) {
        unsigned char c = (unsigned char)uri[at];

        if (place == uri + at) {
            at += skip;
            place = strstr(uri + at, placeholder);
            continue;
        }
        if (c <= ' ' || c >= 0x7f || strchr("\"<>\\^`{|}#", c) ||
            (c == '%' && !(is_hex(uri[at + 1]) && is_hex(uri[at + 2]))))
            break;
        at++;
    }
    *ret_at = at;
    return uri[at] != '\0';
}

static void lint_uri(struct sr_lint *lint)
{
    const char *uri = sr_field_text(lint, SR_T_URI);
    size_t at;

    if (*uri != '/')
        sr_lint_error(lint, "uri", sr_field_start(lint, SR_T_URI),
                      "'%.60s': a URI begins with /", uri);
    else if (find_bad_uri_byte(uri, sr_field_text(lint, SR_T_PLACEHOLDER), &at))
        sr_lint_warning(lint, "uri-characters", sr_field_offset(lint, SR_T_URI, at),
                        "'%c' has to be percent-encoded in a URI", uri[at]);
}

/* --- placeholders and types --------------------------------------------- */

static size_t count_places(const char *text, const char *placeholder)
{
    size_t n = 0, len = strlen(placeholder);

    while (len && (text = strstr(text, placeholder))) {
        n++;
        text += len;
    }
    return n;
}

static char marker_of(const char *word, size_t len)
{
    for (size_t i = 0; i < N_TYPES; i++)
        if (strlen(types[i].name) == len && memcmp(types[i].name, word, len) == 0)
            return types[i].marker;
    return 0;
}

/* False after a finding. */
static bool read_types(struct sr_lint *lint, struct sr_request *r)
{
    const char *text = sr_field_text(lint, SR_T_TYPES), *at = text + strspn(text, " ");

    while (*at) {
        size_t len = strcspn(at, " ");
        char marker = marker_of(at, len);

        if (!marker || r->n_types == SR_T_TYPES_MAX) {
            sr_lint_error(
                lint, "type", sr_field_offset(lint, SR_T_TYPES, (size_t)(at - text)),
                marker ? "more than 256 types"
                       : "'%.*s': a type is STRING, UNSIGNED, INTEGER, NUMBER, "
                         "DATE or NOW",
                (int)(len < 40 ? len : 40), at);
            return false;
        }
        r->is_sent[r->n_types] = !(len == 3 && memcmp(at, "NOW", 3) == 0);
        r->marker[r->n_types++] = marker;
        at += len;
        at += strspn(at, " ");
    }
    return true;
}

static void lint_types(struct sr_lint *lint, struct sr_request *r)
{
    const char *placeholder = sr_field_text(lint, SR_T_PLACEHOLDER);
    size_t places, offset = sr_field_start(lint, SR_T_TYPES);

    r->in_uri = count_places(sr_field_text(lint, SR_T_URI), placeholder);
    r->in_body = count_places(sr_field_text(lint, SR_T_BODY), placeholder);
    places = r->in_uri + r->in_body;
    if (!read_types(lint, r) || !r->n_types)
        return;
    r->types_fit = r->n_types == places;
    if (!*placeholder)
        sr_lint_warning(lint, "types-unused", offset,
                        "types without a placeholder mean nothing");
    else if (!places)
        sr_lint_error(lint, "type-count", offset,
                      "types, and the placeholder stands neither in URI nor body");
    else if (!r->types_fit)
        sr_lint_error(
            lint, "type-count", offset,
            "%zu types for %zu placeholders (%zu in the URI, %zu in the body)",
            r->n_types, places, r->in_uri, r->in_body);
}

/* --- row ---------------------------------------------------------------- */

int sr_lint_request(struct sr_lint *lint)
{
    struct sr_request r = { .n_types = 0 };
    int rc;

    if (lint->n_fields != SR_T_FIELDS) {
        sr_lint_error(
            lint, "fields", 0,
            "%zu values; a request template has 9, empty ones too: 10,id,method,"
            "uri,content type,accept,placeholder,types,body",
            lint->n_fields);
        return 0;
    }
    rc = sr_lint_id(lint, SR_ID_REQUEST);
    lint_method(lint);
    lint_uri(lint);
    lint_types(lint, &r);
    return rc ? rc : sr_lint_body(lint, &r);
}
