/* SPDX-License-Identifier: MIT */
/* The lint: from the text to rows, and the rules that all rows share. */
#include "template/lint_p.h"
#include <smartrest/agent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- findings ----------------------------------------------------------- */

/* What a message quotes may be any bytes. */
static void make_printable(char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || (unsigned char)*text >= 0x7f)
            *text = '?';
}

enum level { ERROR, WARNING, NOTE };

static void report(struct sr_lint *lint, enum level level, const char *rule,
                   size_t offset, const char *format, va_list args)
{
    char text[300];
    struct sr_template_finding finding = { .is_error = level == ERROR,
                                           .is_note = level == NOTE,
                                           .rule = rule,
                                           .line = lint->line.number,
                                           .column = offset + 1,
                                           .text = text };

    if (lint->quiet)
        return;
    lint->refused |= level == ERROR;
    vsnprintf(text, sizeof text, format, args);
    make_printable(text);
    if (lint->fn)
        lint->fn(&finding, lint->arg);
}

void sr_lint_error(struct sr_lint *lint, const char *rule, size_t offset,
                   const char *format, ...)
{
    va_list args;

    va_start(args, format);
    report(lint, ERROR, rule, offset, format, args);
    va_end(args);
}

void sr_lint_warning(struct sr_lint *lint, const char *rule, size_t offset,
                     const char *format, ...)
{
    va_list args;

    va_start(args, format);
    report(lint, WARNING, rule, offset, format, args);
    va_end(args);
}

void sr_lint_note(struct sr_lint *lint, const char *rule, size_t offset,
                  const char *format, ...)
{
    va_list args;

    va_start(args, format);
    report(lint, NOTE, rule, offset, format, args);
    va_end(args);
}

/* --- fields ------------------------------------------------------------- */

static int add_field(struct sr_lint *lint, const struct sr_span *span)
{
    size_t cap = lint->cap_fields ? lint->cap_fields * 2 : 16;
    struct sr_field *grown;

    if (lint->n_fields == lint->cap_fields) {
        grown = realloc(lint->field, cap * sizeof *grown);
        if (!grown)
            return SR_E_NOMEM;
        lint->field = grown;
        lint->cap_fields = cap;
    }
    lint->field[lint->n_fields++] = (struct sr_field){ .span = *span };
    return 0;
}

/* A value and its terminator fit where it stands in the row: what follows it there is
 * a comma, a quote or the end. */
static void unquote(struct sr_lint *lint, struct sr_field *field)
{
    const char *from = lint->line.text + field->span.offset;
    const char *end = from + field->span.len;
    char *to = lint->scratch + field->span.offset;

    field->text = to;
    while (from < end) {
        from += field->span.escaped && *from == '"';
        *to++ = *from++;
    }
    *to = '\0';
    field->len = (size_t)(to - field->text);
}

size_t sr_field_offset(const struct sr_lint *lint, size_t i, size_t at)
{
    const struct sr_field *field = &lint->field[i];
    const char *raw = lint->line.text + field->span.offset, *from = raw;

    for (; at && field->span.escaped; at--)
        from += 1 + (*from == '"');
    return field->span.offset + (size_t)(from - raw) + at;
}

const char *sr_field_text(const struct sr_lint *lint, size_t i)
{
    return lint->field[i].text;
}

size_t sr_field_start(const struct sr_lint *lint, size_t i)
{
    return sr_field_offset(lint, i, 0);
}

static int reserve_scratch(struct sr_lint *lint)
{
    char *grown;

    if (lint->line.len + 1 <= lint->cap_scratch)
        return 0;
    grown = realloc(lint->scratch, lint->line.len * 2 + 2);
    if (!grown)
        return SR_E_NOMEM;
    lint->scratch = grown;
    lint->cap_scratch = lint->line.len * 2 + 2;
    return 0;
}

/* Takes the line apart; *ret_ok false after a finding. */
static int split(struct sr_lint *lint, bool *ret_ok)
{
    struct sr_lexer lexer;
    struct sr_span span;
    enum sr_token token;
    int rc = reserve_scratch(lint);

    lint->n_fields = 0;
    sr_lexer_init(&lexer, lint->line.text, lint->line.len);
    while (!rc && (token = sr_lexer_next(&lexer, &span)) == SR_TOKEN_VALUE)
        rc = add_field(lint, &span);
    if (rc)
        return rc;
    *ret_ok = token != SR_TOKEN_ERROR;
    if (!*ret_ok)
        sr_lint_error(lint, "syntax", lexer.error, "%s",
                      sr_line_malformed(&lint->line, lexer.error));
    for (size_t i = 0; *ret_ok && i < lint->n_fields; i++)
        unquote(lint, &lint->field[i]);
    return 0;
}

/* --- rules for every row ------------------------------------------------ */

int sr_lint_id(struct sr_lint *lint, enum sr_id_kind kind)
{
    const struct sr_field *field = &lint->field[1];
    size_t offset = sr_field_offset(lint, 1, 0), before = 0;
    uint32_t id;
    int rc;

    if (!field->len || field->len > 9 ||
        strspn(field->text, "0123456789") != field->len) {
        sr_lint_error(lint, "id", offset,
                      "the id '%.40s' is not a number of 1 to 9 digits", field->text);
        return 0;
    }
    id = (uint32_t)strtoul(field->text, NULL, 10);
    if (id >= 10 && id <= 99)
        sr_lint_error(lint, "reserved-id", offset,
                      "id %u: 10 to 99 belong to the protocol", (unsigned)id);
    else if (id < 10)
        sr_lint_warning(lint, "low-id", offset, "id %u: ids begin with 100",
                        (unsigned)id);
    rc = sr_id_set_add(&lint->ids, kind, id, lint->line.number, &before);
    if (before && kind == SR_ID_REQUEST)
        sr_lint_error(lint, "duplicate-id", offset,
                      "request template %u is on line %zu already", (unsigned)id,
                      before);
    else if (before)
        sr_lint_warning(lint, "duplicate-id", offset,
                        "response template %u is on line %zu already: "
                        "its messages cannot be told apart",
                        (unsigned)id, before);
    return rc;
}

static int lint_row(struct sr_lint *lint)
{
    const char *id;
    bool ok;
    int rc = split(lint, &ok);

    if (rc || !ok || !lint->n_fields)
        return rc;
    id = lint->field->text;
    if (strcmp(id, "10") == 0)
        return sr_lint_request(lint);
    if (strcmp(id, "11") == 0)
        return sr_lint_response(lint);
    sr_lint_error(lint, "message-id", sr_field_offset(lint, 0, 0),
                  "'%.40s': only rows 10 and 11 can be in a collection", id);
    return 0;
}

/* --- lines -------------------------------------------------------------- */

/* Blanks at the end are left out when a file is read; rows go to the server with them. */
static void lint_blanks(struct sr_lint *lint)
{
    struct sr_line *line = &lint->line;

    if (!line->blanks)
        return;
    sr_lint_warning(lint, "trailing-blanks", line->len - line->blanks,
                    "blanks at the end of the line");
    if (!lint->rows_only)
        line->len -= line->blanks;
}

static void lint_length(struct sr_lint *lint)
{
    if (lint->line.len > SR_ROW_MAX)
        sr_lint_warning(
            lint, "long-row", SR_ROW_MAX,
            "the row has %zu bytes: more than %d do not fit a message by MQTT",
            lint->line.len, SR_ROW_MAX);
}

static void lint_version(struct sr_lint *lint, const char *version, size_t len)
{
    size_t offset, i;
    const char *wrong = sr_version_wrong(version, len, &offset);

    if (wrong) {
        sr_lint_error(lint, "version", offset, "%s", wrong);
        return;
    }
    for (i = 0; i < len; i++)
        if (!strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_",
                    version[i])) {
            sr_lint_warning(lint, "version-characters", i,
                            "'%c': versions in use have letters, digits and . - _ only",
                            version[i]);
            return;
        }
    for (i = 0; i < len && version[i] >= '0' && version[i] <= '9'; i++)
        ;
    if (i == len)
        sr_lint_warning(
            lint, "version-digits", 0,
            "a version of digits only looks like the number of a collection");
}

static bool has_bad_byte(struct sr_lint *lint)
{
    const char *wrong;
    size_t offset;

    if (!sr_line_bad_byte(&lint->line, &offset, &wrong))
        return false;
    sr_lint_error(lint, "bytes", offset, "%s", wrong);
    return true;
}

static int lint_line(struct sr_lint *lint)
{
    const struct sr_line *line = &lint->line;
    bool bad = has_bad_byte(lint);

    if (!lint->rows_only && line->number == 1) {
        lint_blanks(lint);
        if (!bad)
            lint_version(lint, line->text, line->len);
        return 0;
    }
    if (line->len == line->blanks && lint->rows_only)
        sr_lint_warning(lint, "empty-row", 0, "an empty row");
    if (line->len == line->blanks || (sr_line_is_void(line) && !lint->rows_only))
        return 0;
    lint->templates++;
    lint_blanks(lint);
    lint_length(lint);
    return bad ? 0 : lint_row(lint);
}

/* --- the whole ---------------------------------------------------------- */

/* Whether a row is enough for an operation may depend on one below it. */
static int look_ahead(struct sr_lint *lint, struct sr_lines lines)
{
    size_t offset;
    const char *wrong;
    bool ok = false;
    int rc = 0;

    lint->quiet = true;
    while (!rc && sr_lines_next(&lines, &lint->line)) {
        if (!sr_line_is_void(&lint->line) &&
            !sr_line_bad_byte(&lint->line, &offset, &wrong))
            rc = split(lint, &ok);
        if (!rc && ok && lint->n_fields && strcmp(lint->field->text, "11") == 0)
            rc = sr_lint_look_ahead(lint);
        ok = false;
    }
    lint->quiet = false;
    return rc;
}

static int lint_text(struct sr_lint *lint, const char *text, size_t len)
{
    struct sr_lines lines = { .at = text, .left = len };
    int rc = look_ahead(lint, lines);

    lint->line = (struct sr_line){ .text = "", .number = 1 };
    if (sr_text_has_bom(text, len)) {
        sr_lint_error(lint, "bytes", 0,
                      "a byte order mark: save the file as UTF-8 without it");
        lines.at += 3;
        lines.left -= 3;
    }
    if (!lines.left && !lint->rows_only)
        lint_version(lint, "", 0);
    while (!rc && sr_lines_next(&lines, &lint->line))
        rc = lint_line(lint);
    if (!rc && !lint->templates)
        sr_lint_error(lint, "no-templates", 0, "no template at all");
    return rc;
}

int sr_template_lint(const char *version, const char *text, size_t len,
                     sr_template_finding_fn fn, void *arg)
{
    struct sr_lint lint = { .fn = fn, .arg = arg, .rows_only = version != NULL };
    int rc;

    if (!text && len)
        return SR_E_INVAL;
    if (version) {
        lint.line.number = 1;
        lint_version(&lint, version, strlen(version));
    }
    rc = lint_text(&lint, text ? text : "", len);
    free(lint.field);
    free(lint.scratch);
    sr_id_set_release(&lint.ids);
    return rc ? rc : lint.refused ? SR_E_REFUSED : 0;
}

int sr_template_lint_file(const char *path, sr_template_finding_fn fn, void *arg)
{
    size_t len;
    char *text;
    int rc;

    if (!path)
        return SR_E_INVAL;
    rc = sr_template_load(path, &text, &len);
    if (rc)
        return rc;
    rc = sr_template_lint(NULL, text, len, fn, arg);
    free(text);
    return rc;
}
