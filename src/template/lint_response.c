/* SPDX-License-Identifier: MIT */
/* Rules for row 11: id, base, condition, values. */
#include "template/jsonpath.h"
#include "template/lint_p.h"
#include <string.h>

enum { BASE = 2, CONDITION = 3, VALUES = 4 };

/* False if it is no path. */
static bool lint_path(struct sr_lint *lint, size_t i)
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
    return !wrong;
}

/* --- operations without all their values --------------------------------- */

/* Operations come by themselves, and in lists that were asked for. */
static bool is_list(const struct sr_lint *lint)
{
    return strcmp(lint->field[BASE].text, "$.operations") == 0;
}

/* The fragment that the row is for, "$.c8y_Restart" or with steps below it: its name's
 * length, *ret_name where it begins. 0: none; the row is about something else. */
static size_t fragment(const struct sr_lint *lint, const char **ret_name)
{
    const char *base = lint->field[BASE].text, *condition = lint->field[CONDITION].text;

    if ((*base && strcmp(base, "$") != 0 && !is_list(lint)) ||
        strncmp(condition, "$.", 2) != 0)
        return 0;
    *ret_name = condition + 2;
    return strcspn(condition + 2, ".[");
}

/* Does the path lead into the fragment, to something that an operation may lack? */
static bool is_below(const char *path, const char *name, size_t len)
{
    return strncmp(path, "$.", 2) == 0 && strncmp(path + 2, name, len) == 0 &&
           (path[2 + len] == '.' || path[2 + len] == '[');
}

/* The first field of the row that needs more than its fragment; 0 for none. */
static size_t needs_more(const struct sr_lint *lint, const char *name, size_t len)
{
    for (size_t i = CONDITION; i < lint->n_fields; i++)
        if (is_below(lint->field[i].text, name, len))
            return i;
    return 0;
}

/* FNV-1a. Two names with one hash would cost a warning. */
static uint32_t hash(const struct sr_lint *lint, const char *name, size_t len)
{
    uint32_t hash = 2166136261u ^ is_list(lint);

    while (len--)
        hash = (hash ^ (unsigned char)*name++) * 16777619u;
    return hash;
}

int sr_lint_look_ahead(struct sr_lint *lint)
{
    const char *name;
    size_t before, len = lint->n_fields > VALUES ? fragment(lint, &name) : 0;

    if (!len || needs_more(lint, name, len))
        return 0;
    return sr_id_set_add(&lint->ids, SR_ID_ALWAYS, hash(lint, name, len), 1, &before);
}

/* Values as the platform's operations have them: "$.id" is the least that a handler
 * needs. */
static bool has_id(const struct sr_lint *lint)
{
    for (size_t i = VALUES; i < lint->n_fields; i++)
        if (strcmp(lint->field[i].text, "$.id") == 0)
            return true;
    return false;
}

/* An operation that fits no row stays PENDING, and nobody hears of it. One finding for
 * a fragment. */
static int lint_operation(struct sr_lint *lint)
{
    const char *name;
    size_t len = fragment(lint, &name), before = 0, field;
    int rc;

    field = len && has_id(lint) ? needs_more(lint, name, len) : 0;
    if (!field)
        return 0;
    rc = sr_id_set_add(&lint->ids, SR_ID_ALWAYS, hash(lint, name, len), 1, &before);
    if (!rc && !before)
        sr_lint_warning(lint, "missing-value", sr_field_offset(lint, field, 0),
                        "an operation %.*s without '%.60s' makes no row and stays "
                        "PENDING: add a template of '$.id' alone",
                        (int)(len < 60 ? len : 60), name, lint->field[field].text);
    return rc;
}

int sr_lint_response(struct sr_lint *lint)
{
    bool ok = true;
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
            ok = lint_path(lint, i) && ok;
        else if (i >= VALUES)
            sr_lint_error(lint, "path", sr_field_offset(lint, i, 0), "an empty value");
    }
    return rc || !ok ? rc : lint_operation(lint);
}
