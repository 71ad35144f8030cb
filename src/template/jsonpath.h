/* SPDX-License-Identifier: MIT */
#ifndef TEMPLATE_JSONPATH_H
#define TEMPLATE_JSONPATH_H

#include <stddef.h>

/* NULL if `path` is a path of SmartREST 1.0 ($, $.a.b, $.a[0], $['a b'], and the same
 * without `$.`); else a sentence, and where the error is. */
const char *sr_jsonpath_wrong(const char *path, size_t *ret_offset);

#endif
