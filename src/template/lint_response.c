/* SPDX-License-Identifier: MIT */
/* Rules for row 11: id, base, condition, values. */
#include "template/jsonpath.h"
#include "template/lint_p.h"

enum { BASE = 2, CONDITION = 3, VALUES = 4 };

static void lint_path(struct sr_lint *lint, size_t i)
{
    const struct sr_field *field = &lint->field[i];
    size_t at;
    const char *wrong = sr_jsonpath_wrong(field->text, &at);

    if (wrong)
        sr_lint_error(lint, "path", sr_field_offset(lint, i, at), "%s: '%.60s'", wrong,
                      field->text);
    else if (i > BASE && *field->text != '$')
        sr_lint_warning(lint, "path-dollar", sr_field_offset(lint, i, 0),
                        "'%.60s': a path begins with `$`", field->text);
}

int sr_lint_response(struct sr_lint *lint)
{
    int rc;

    if (lint->n_fields <= VALUES)
        sr_lint_error(lint, "fields", 0,
                      "%zu values; a response template has 5 or more: "
                      "11,id,base,condition,value...",
                      lint->n_fields);
    if (lint->n_fields <= VALUES)
        return 0;
    rc = sr_lint_id(lint, SR_ID_RESPONSE);
    for (size_t i = BASE; i < lint->n_fields; i++) {
        if (lint->field[i].len)
            lint_path(lint, i);
        else if (i >= VALUES)
            sr_lint_error(lint, "path", sr_field_offset(lint, i, 0), "an empty value");
    }
    return rc;
}
