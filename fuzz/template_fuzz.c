/* SPDX-License-Identifier: MIT */
/* Any bytes as a template file: it is read or refused with a place in the file, and what
 * has been read is one row for each line it names. The lint finds no error of the form
 * in a file that is read, finds one in a file that is not, and keeps to the text. */
#include "fuzz.h"
#include <smartrest/record.h>
#include <smartrest/template.h>
#include <stdbool.h>
#include <string.h>

struct seen {
    size_t lines, last;
    bool error, form;
};

static size_t count_lines(const char *text, size_t len)
{
    size_t n = 1;

    for (size_t i = 0; i < len; i++)
        n += text[i] == '\n';
    return n;
}

static void note(const struct sr_template_finding *finding, void *arg)
{
    static const char *const form[] = { "syntax", "message-id", "bytes", "version",
                                        "no-templates" };
    struct seen *seen = arg;

    must(finding->line >= 1 && finding->line <= seen->lines);
    must(finding->line >= seen->last && finding->column >= 1);
    must(*finding->text && *finding->rule);
    seen->last = finding->line;
    seen->error |= finding->is_error;
    for (size_t i = 0; i < sizeof form / sizeof *form; i++)
        seen->form |= strcmp(finding->rule, form[i]) == 0;
}

static void check_rows(const struct sr_template *tmpl, size_t lines)
{
    struct sr_parser parser;
    struct sr_record *record;
    size_t n = 0;

    sr_parser_init(&parser, tmpl->rows, strlen(tmpl->rows));
    while (sr_parser_next(&parser, &record) == 0) {
        must(n < tmpl->n_rows && tmpl->line[n] > (n ? tmpl->line[n - 1] : 1));
        must(tmpl->line[n] <= lines);
        n++;
    }
    must(n == tmpl->n_rows && sr_parser_next(&parser, &record) == SR_E_END);
    sr_parser_release(&parser);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    const char *text = (const char *)data;
    struct seen seen = { .lines = count_lines(text, len) };
    struct sr_template tmpl;
    struct sr_template_error error;
    int rc = sr_template_parse("f", text, len, &tmpl, &error);
    int linted = sr_template_lint(NULL, text, len, note, &seen);

    must(rc == 0 || rc == SR_E_SYNTAX);
    must(linted == (seen.error ? SR_E_REFUSED : 0));
    must((rc != 0) == seen.form);
    if (rc == 0) {
        check_rows(&tmpl, seen.lines);
        sr_template_release(&tmpl);
    } else {
        must(error.line >= 1 && error.line <= seen.lines && error.column >= 1);
    }
    seen = (struct seen){ .lines = seen.lines };
    sr_template_lint("v1", text, len, note, &seen);
    return 0;
}
