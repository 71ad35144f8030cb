/* SPDX-License-Identifier: MIT */
#include "template/lines.h"

#include "base/fd.h"
#include <errno.h>
#include <smartrest/record.h>
#include <smartrest/template.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A file on its way into a struct sr_template. */
struct reader {
    const char *name;
    struct sr_template_error *error; /* may be NULL */
    struct sr_template tmpl;
    size_t len, line_cap; /* of rows; room in line */
};

static int fail_at(struct reader *r, size_t line, size_t offset, const char *wrong)
{
    const char *name = r->name;

    if (!r->error)
        return SR_E_SYNTAX;
    if (strlen(name) > 300)
        name += strlen(name) - 300; /* the end of a path says more */
    r->error->line = line;
    r->error->column = offset + 1;
    snprintf(r->error->text, sizeof r->error->text, "%s:%zu:%zu: %s", name, line,
             offset + 1, wrong);
    return SR_E_SYNTAX;
}

static int fail_whole(const char *name, struct sr_template_error *error, int rc,
                      const char *wrong)
{
    if (error) {
        *error = (struct sr_template_error){ .line = 0 };
        snprintf(error->text, sizeof error->text, "%.400s: %s", name, wrong);
    }
    return rc;
}

/* --- rows --------------------------------------------------------------- */

/* What the lexer says of a row that is not CSV. */
static int malformed(struct reader *r, const struct sr_line *line, size_t offset)
{
    return fail_at(r, line->number, offset, sr_line_malformed(line, offset));
}

/* A row 10 or 11, and CSV to its end. */
static int check_row(struct reader *r, const struct sr_line *line, size_t len)
{
    struct sr_lexer lexer;
    struct sr_span span;
    enum sr_token token;
    const char *id;

    sr_lexer_init(&lexer, line->text, len);
    token = sr_lexer_next(&lexer, &span);
    if (token == SR_TOKEN_VALUE) {
        id = line->text + span.offset;
        if (span.len != 2 || id[0] != '1' || (id[1] != '0' && id[1] != '1'))
            return fail_at(r, line->number, span.offset - span.quoted,
                           "not a template: a row 10 or 11 is expected");
    }
    while (token == SR_TOKEN_VALUE)
        token = sr_lexer_next(&lexer, &span);
    return token == SR_TOKEN_ERROR ? malformed(r, line, lexer.error) : 0;
}

static int remember_line(struct reader *r, size_t number)
{
    size_t cap = r->line_cap ? r->line_cap * 2 : 32, *grown;

    if (r->tmpl.n_rows == r->line_cap) {
        grown = realloc(r->tmpl.line, cap * sizeof *grown);
        if (!grown)
            return SR_E_NOMEM;
        r->tmpl.line = grown;
        r->line_cap = cap;
    }
    r->tmpl.line[r->tmpl.n_rows++] = number;
    return 0;
}

/* There is room: all rows together are no longer than the file and a line end. */
static int take_row(struct reader *r, const struct sr_line *line)
{
    size_t len = line->len - line->blanks;
    int rc = check_row(r, line, len);

    if (!rc)
        rc = remember_line(r, line->number);
    if (rc)
        return rc;
    memcpy(r->tmpl.rows + r->len, line->text, len);
    r->len += len;
    r->tmpl.rows[r->len++] = '\n';
    return 0;
}

/* --- file --------------------------------------------------------------- */

static int take_version(struct reader *r, const struct sr_line *line)
{
    size_t len = line->len - line->blanks, offset;
    const char *wrong = sr_version_wrong(line->text, len, &offset);

    if (wrong)
        return fail_at(r, line->number, offset, wrong);
    r->tmpl.version = strndup(line->text, len);
    return r->tmpl.version ? 0 : SR_E_NOMEM;
}

static int take_line(struct reader *r, const struct sr_line *line)
{
    const char *wrong;
    size_t offset;

    if (sr_line_bad_byte(line, &offset, &wrong))
        return fail_at(r, line->number, offset, wrong);
    if (line->number == 1)
        return take_version(r, line);
    return sr_line_is_void(line) ? 0 : take_row(r, line);
}

static int read_all(struct reader *r, const char *text, size_t len)
{
    struct sr_lines lines = { .at = text, .left = len };
    struct sr_line line = { .text = "", .number = 1 };
    int rc = 0;

    if (sr_text_has_bom(text, len))
        return fail_at(r, 1, 0, "a byte order mark: save the file as UTF-8 without it");
    r->tmpl.rows = malloc(len + 2);
    if (!r->tmpl.rows)
        return SR_E_NOMEM;
    while (!rc && sr_lines_next(&lines, &line))
        rc = take_line(r, &line);
    if (!rc && !r->tmpl.version)
        rc = take_version(r, &line);
    if (!rc && !r->tmpl.n_rows)
        rc = fail_at(r, line.number, 0, "no template follows the version");
    r->tmpl.rows[r->len] = '\0';
    return rc;
}

int sr_template_parse(const char *name, const char *text, size_t len,
                      struct sr_template *ret_template,
                      struct sr_template_error *ret_error)
{
    struct reader r = { .name = name, .error = ret_error };
    int rc;

    if (!name || (!text && len) || !ret_template)
        return SR_E_INVAL;
    if (len > SR_TEMPLATE_FILE_MAX)
        return fail_whole(name, ret_error, SR_E_TOOBIG, "larger than 1 MiB");
    rc = read_all(&r, text ? text : "", len);
    if (rc == SR_E_NOMEM)
        fail_whole(name, ret_error, rc, "out of memory");
    if (rc)
        sr_template_release(&r.tmpl);
    else
        *ret_template = r.tmpl;
    return rc;
}

int sr_template_read(const char *path, struct sr_template *ret_template,
                     struct sr_template_error *ret_error)
{
    size_t len;
    char *text;
    int rc;

    if (!path || !ret_template)
        return SR_E_INVAL;
    rc = sr_template_load(path, &text, &len);
    if (rc == SR_E_IO)
        return fail_whole(path, ret_error, rc, sr_fd_file_error(errno));
    if (rc == SR_E_TOOBIG)
        return fail_whole(path, ret_error, rc, "larger than 1 MiB");
    if (rc)
        return fail_whole(path, ret_error, rc, "out of memory");
    rc = sr_template_parse(path, text, len, ret_template, ret_error);
    free(text);
    return rc;
}

void sr_template_release(struct sr_template *tmpl)
{
    if (!tmpl)
        return;
    free(tmpl->version);
    free(tmpl->rows);
    free(tmpl->line);
    *tmpl = (struct sr_template){ 0 };
}
