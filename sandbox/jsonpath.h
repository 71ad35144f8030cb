/* SPDX-License-Identifier: MIT */
/* The JSONPath subset of SmartREST 1.0: `$`, `$.a.b`, `$.a[0]`, `$['a b']`, and
 * the same without `$.`. It names one value, never a list of matches.
 *
 *     sb_jsonpath_parse(text, &path) -> sb_jsonpath_find(path, value) -> free
 */
#ifndef SANDBOX_JSONPATH_H
#define SANDBOX_JSONPATH_H

#include <jansson.h>

struct sb_jsonpath;

/* Returns NULL on success, or what is wrong with `text`: the text of a row 41. */
const char *sb_jsonpath_parse(const char *text, struct sb_jsonpath **ret_path);
/* Accepts NULL. */
void sb_jsonpath_free(struct sb_jsonpath *path);

/* The value at `path` below `value`, which still owns it; NULL if there is none.
 * A JSON null counts as none. */
json_t *sb_jsonpath_find(const struct sb_jsonpath *path, json_t *value);

#endif
