/* SPDX-License-Identifier: MIT */
/* Text that grows. An error (no memory, beyond the limit) sticks: later calls do
 * nothing and sb_text_take() gives NULL, so one check at the end is enough.
 *
 *     struct sb_text text = { 0 };
 *     sb_text_add(&text, ...) ...
 *     body = sb_text_take(&text, &len)
 */
#ifndef SANDBOX_TEXT_H
#define SANDBOX_TEXT_H

#include <smartrest/error.h>
#include <stdbool.h>
#include <stddef.h>

struct sb_text {
    char *data; /* NUL-terminated as soon as there is anything */
    size_t len, cap;
    bool failed;
};

void sb_text_add(struct sb_text *text, const char *bytes, size_t len);
void sb_text_puts(struct sb_text *text, const char *string);
void sb_text_format(struct sb_text *text, const char *format, ...) SR_PRINTF(2, 3);
/* Keeps the memory. */
void sb_text_clear(struct sb_text *text);
/* The text, "" if there is none; the text's own. */
const char *sb_text_get(const struct sb_text *text);
/* Hands the memory over: free() it. NULL if empty or failed. */
char *sb_text_take(struct sb_text *text, size_t *ret_len);
void sb_text_release(struct sb_text *text);

/* A copy like printf() makes one; NULL without memory. */
char *sb_format(const char *format, ...) SR_PRINTF(1, 2);

#endif
