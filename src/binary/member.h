/* SPDX-License-Identifier: MIT */
/* Members of a JSON object, without a tree. */
#ifndef BINARY_MEMBER_H
#define BINARY_MEMBER_H

#include <stdbool.h>
#include <stddef.h>

/* Copies the value of `name`, an id (letters, digits, `-`, `_`) in a string or a whole
 * number, from the outermost object of `json` to `ret` (`size` bytes, NUL-terminated).
 * False: it is not there, is something else, does not fit, or comes behind something that
 * is not JSON. */
bool sr_json_id(const char *json, size_t len, const char *name, char *ret, size_t size);

/* Is the member at `path` (names, `.` between them) the string or whole number `text`, escapes as
 * they are? */
bool sr_json_is(const char *json, size_t len, const char *path, const char *text);

/* Is that the platform's answer, besides status 201, to what made an object? It names its `id`, and
 * the object's link, `self` or the header `location` (or NULL), ends with that. A portal's page or JSON
 * does not. Copies the id. */
bool sr_json_created(const char *json, size_t len, const char *location, char *ret_id,
                     size_t size);

/* Is `id` one: 1 to 64 letters, digits, `-`, `_`? */
enum { SR_BINARY_ID_MAX = 64 };
bool sr_binary_id_valid(const char *id);

#endif
