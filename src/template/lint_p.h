/* SPDX-License-Identifier: MIT */
/* The lint's own: a row taken apart, and how its rules report. */
#ifndef TEMPLATE_LINT_P_H
#define TEMPLATE_LINT_P_H

#include "template/lines.h"
#include <smartrest/record.h>
#include <smartrest/template.h>
#include <stdint.h>

/* A value of the row at hand, unquoted, with a NUL behind it. */
struct sr_field {
    char *text;
    size_t len;
    struct sr_span span; /* where it stands in the line */
};

/* Ids that have been seen, with their lines: a hash table. */
struct sr_id_set {
    struct sr_id_slot {
        uint64_t key; /* 0: empty */
        size_t line;
    } * slot;
    size_t n, cap;
};
enum sr_id_kind { SR_ID_REQUEST = 1, SR_ID_RESPONSE = 2 };

/* Adds an id. Returns 0, SR_E_NOMEM; *ret_line is the line it was seen on before, or 0. */
int sr_id_set_add(struct sr_id_set *set, enum sr_id_kind kind, uint32_t id, size_t line,
                  size_t *ret_line);
void sr_id_set_release(struct sr_id_set *set);

struct sr_lint {
    sr_template_finding_fn fn;
    void *arg;
    bool refused; /* an error was found */
    bool rows_only;
    size_t templates;
    struct sr_line line;
    struct sr_field *field; /* of the line */
    size_t n_fields, cap_fields;
    char *scratch; /* the fields' text */
    size_t cap_scratch;
    struct sr_id_set ids;
};

/* `offset`: in the line. */
void sr_lint_error(struct sr_lint *lint, const char *rule, size_t offset,
                   const char *format, ...) SR_PRINTF(4, 5);
void sr_lint_warning(struct sr_lint *lint, const char *rule, size_t offset,
                     const char *format, ...) SR_PRINTF(4, 5);

/* Where in the line byte `at` of the unquoted value `i` stands. */
size_t sr_field_offset(const struct sr_lint *lint, size_t i, size_t at);

/* The rules for a row 10, and for a row 11. Return 0 or SR_E_NOMEM. */
int sr_lint_request(struct sr_lint *lint);
int sr_lint_response(struct sr_lint *lint);

/* The rules for value 1, the id. */
int sr_lint_id(struct sr_lint *lint, enum sr_id_kind kind);

#endif
