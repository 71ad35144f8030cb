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
/* SR_ID_ALWAYS: no id, but the hash of a fragment that always makes a row (see
 * sr_lint_look_ahead()). */
enum sr_id_kind { SR_ID_REQUEST = 1, SR_ID_RESPONSE = 2, SR_ID_ALWAYS = 3 };

/* Adds an id. Returns 0, SR_E_NOMEM; *ret_line is the line it was seen on before, or 0. */
int sr_id_set_add(struct sr_id_set *set, enum sr_id_kind kind, uint32_t id, size_t line,
                  size_t *ret_line);
void sr_id_set_release(struct sr_id_set *set);

struct sr_lint {
    sr_template_finding_fn fn;
    void *arg;
    bool refused; /* an error was found */
    bool quiet;   /* findings are not reported */
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
void sr_lint_note(struct sr_lint *lint, const char *rule, size_t offset,
                  const char *format, ...) SR_PRINTF(4, 5);

const char *sr_field_text(const struct sr_lint *lint, size_t i);
size_t sr_field_start(const struct sr_lint *lint, size_t i);
/* Where in the line byte `at` of the unquoted value `i` stands. */
size_t sr_field_offset(const struct sr_lint *lint, size_t i, size_t at);

/* The fields of a row 10 behind its id. */
enum {
    SR_T_METHOD = 2,
    SR_T_URI,
    SR_T_CONTENT,
    SR_T_ACCEPT,
    SR_T_PLACEHOLDER,
    SR_T_TYPES,
    SR_T_BODY,
    SR_T_FIELDS
};
enum { SR_T_TYPES_MAX = 256 };

/* A row 10's types and places. */
struct sr_request {
    char marker[SR_T_TYPES_MAX];  /* of each type: template/json.h */
    bool is_sent[SR_T_TYPES_MAX]; /* the device sends it; NOW is the server's */
    size_t n_types;
    size_t in_uri, in_body; /* placeholders */
    bool types_fit;
};

/* The rules for its body. Returns 0 or SR_E_NOMEM. */
int sr_lint_body(struct sr_lint *lint, const struct sr_request *request);

/* The rules for a row 10, and for a row 11. Return 0 or SR_E_NOMEM. */
int sr_lint_request(struct sr_lint *lint);
int sr_lint_response(struct sr_lint *lint);

/* Notes for sr_lint_response() what the row, a row 11 too, says of rows above it. */
int sr_lint_look_ahead(struct sr_lint *lint);

/* The rules for value 1, the id. */
int sr_lint_id(struct sr_lint *lint, enum sr_id_kind kind);

#endif
