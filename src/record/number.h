/* SPDX-License-Identifier: MIT */
/* Numbers as text, the same in every locale. Internal. */
#ifndef RECORD_NUMBER_H
#define RECORD_NUMBER_H

#include <smartrest/record.h>

/* What the `len` bytes look like: SR_INTEGER, SR_FLOAT, else SR_STRING. */
enum sr_type sr_number_type(const char *bytes, size_t len);

/* Return 0, or SR_E_INVAL: not such a number, or it does not fit. */
int sr_number_read_uint(const char *bytes, size_t len, uint64_t *ret_number);
int sr_number_read_int(const char *bytes, size_t len, int64_t *ret_number);
int sr_number_read_double(const char *bytes, size_t len, double *ret_number);

/* Sign, 17 digits, a point, zeros in front or behind up to 21 places. */
#define SR_NUMBER_MAX 32

/* Writes the shortest text that reads back as `number`, which is finite.
 * Returns its length without the terminator. */
size_t sr_number_write(double number, char text[SR_NUMBER_MAX]);

/* `text` is what printf() made of a floating-point conversion in the current
 * locale. Puts a point where the locale has something else, perhaps of several
 * bytes. Returns the new length, which is never larger. */
size_t sr_number_fix_point(char *text, size_t len);

#endif
