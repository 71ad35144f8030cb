/* SPDX-License-Identifier: MIT */
/* Template files: reading them, and finding what a server would refuse in them.
 *
 *     struct sr_template tmpl;
 *     struct sr_template_error error;
 *
 *     if (sr_template_read("srtemplate.txt", &tmpl, &error))
 *         fprintf(stderr, "%s\n", error.text);
 *     sr_agent_integrate(agent, tmpl.version, tmpl.rows)
 *     sr_template_release(&tmpl)
 *
 * The first line of a file is the name of the collection (its version, or X-Id) and
 * nothing else. Lines that are empty or begin with `#` are dropped. Each of the others
 * is one template, a row 10 or 11. Lines end with LF or CR LF, the last one may lack
 * its end. A template is one line: a quoted value does not go over a line end, so that
 * a quote forgotten is found on its own line. UTF-8, without a byte order mark.
 *
 * The lint looks closer, at the rules for templates: docs/templates.md. Registering is
 * sr_template_register(), agent.h. The rows: docs/protocol/smartrest1.md. */
#ifndef SMARTREST_TEMPLATE_H
#define SMARTREST_TEMPLATE_H

#include <smartrest/error.h>
#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Bytes of the largest file that is read. */
#define SR_TEMPLATE_FILE_MAX ((size_t)1024 * 1024)
/* Bytes of the longest version. */
#define SR_TEMPLATE_VERSION_MAX 255

/* --- reading ------------------------------------------------------------ */

/* What a file holds, ready for sr_agent_integrate(). The struct is the caller's, what
 * is in it is given back with sr_template_release(). */
struct sr_template {
    char *version; /* the first line */
    char *rows;    /* the templates, each with LF behind it */
    size_t n_rows; /* how many */
    size_t
        *line; /* line[i]: where in the file row i + 1 is: a server's `41,<row>,...` */
};

/* What is wrong, and where. */
struct sr_template_error {
    size_t line, column; /* from 1, columns in bytes; 0 if it has no place */
    char text[512];      /* "file:line:column: what is wrong" */
};

/* Reads file `path`. Blanks at the end of a line are left out. `ret_error` may be NULL;
 * it is set on failure only, *ret_template on success only.
 * Returns 0; SR_E_IO, the file cannot be read (see errno, too); SR_E_TOOBIG, more than
 * SR_TEMPLATE_FILE_MAX bytes; SR_E_SYNTAX, not such a file: no version, no template, a
 * message id other than 10 and 11, a row that is not CSV, a NUL byte; SR_E_INVAL, an
 * argument is NULL; SR_E_NOMEM. */
SR_API int sr_template_read(const char *path, struct sr_template *ret_template,
                            struct sr_template_error *ret_error);

/* The same for the `len` bytes of a file that are in memory already; `name` stands for
 * its path in messages. */
SR_API int sr_template_parse(const char *name, const char *text, size_t len,
                             struct sr_template *ret_template,
                             struct sr_template_error *ret_error);

/* Accepts NULL, and a struct that is all zero. Leaves it so. */
SR_API void sr_template_release(struct sr_template *tmpl);

/* --- lint --------------------------------------------------------------- */

/* A finding is an error when a server refuses the collection for it, or later every
 * row that uses the template; a warning when it is legal, and hardly what was meant; a
 * note when nothing is wrong, and whoever writes the rows has to know it. */
struct sr_template_finding {
    bool is_error;       /* else a warning, or a note */
    const char *rule;    /* its name in docs/templates.md: "duplicate-id" */
    size_t line, column; /* from 1, columns in bytes */
    const char *text;    /* what is wrong, without a final full stop */
    bool is_note;        /* nothing is wrong */
};

/* `finding` is valid during the call. */
typedef void (*sr_template_finding_fn)(const struct sr_template_finding *finding,
                                       void *arg);

/* Looks at templates, and calls `fn`, unless it is NULL, for each finding: top to
 * bottom, one row after the other. `version` NULL: `text` is a template file. Else it
 * is the rows alone, as sr_agent_integrate() takes them.
 * Returns 0 if nothing is an error; SR_E_REFUSED if something is; SR_E_INVAL; SR_E_NOMEM. */
SR_API int sr_template_lint(const char *version, const char *text, size_t len,
                            sr_template_finding_fn fn, void *arg);

/* The same for file `path`. Returns SR_E_IO and SR_E_TOOBIG, too. */
SR_API int sr_template_lint_file(const char *path, sr_template_finding_fn fn,
                                 void *arg);

#ifdef __cplusplus
}
#endif
#endif
