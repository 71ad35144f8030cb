/* SPDX-License-Identifier: MIT */
/* What row.c and format.c share. Internal. Every function that returns bool
 * returns false once the row has an error, and does nothing then. */
#ifndef RECORD_FORMAT_H
#define RECORD_FORMAT_H

#include <smartrest/row.h>
#include <stdbool.h>

/* Sets the row's error if it has none; always false. */
bool sr_row_fail(struct sr_row *row, int error);

bool sr_row_append(struct sr_row *row, const char *bytes, size_t len);

/* Appends what printf() makes, unquoted. */
bool sr_row_print(struct sr_row *row, const char *format, ...) SR_PRINTF(2, 3);

/* Appends `text` as the inside of a JSON string (sr_row_json()), unquoted. */
bool sr_row_append_json(struct sr_row *row, const char *text);

/* What was appended from `start` on is one value: quotes it if it needs that,
 * or if `quoted`. */
bool sr_row_end_value(struct sr_row *row, size_t start, bool quoted);

#endif
