/* SPDX-License-Identifier: MIT */
/* JSON text to jansson values and back. Beyond jansson: a bound on the nesting
 * (SQLite refuses deep documents later, so they must not get in), and numbers
 * written with the fewest digits that read back the same. */
#ifndef SANDBOX_JSON_H
#define SANDBOX_JSON_H

#include "text.h"

#include <jansson.h>

enum { SB_JSON_DEPTH = 100, SB_JSON_ERROR = 200 };

/* Reads an object or a list. Returns the value, or NULL with a sentence in
 * `ret_error` (SB_JSON_ERROR bytes). */
json_t *sb_json_read(const char *bytes, size_t len, char *ret_error);

/* Appends compact JSON. */
void sb_json_write(struct sb_text *text, const json_t *value);

/* The string member `key` of `object`, or NULL if it is missing or none. */
const char *sb_json_text(const json_t *object, const char *key);

/* Sets member `key`, or removes it when `value` is NULL (text functions only). */
void sb_json_set_text(json_t *object, const char *key, const char *value);

/* Copies every member of `patch` into `object`; a null removes the member. */
void sb_json_merge(json_t *object, const json_t *patch);

#endif
