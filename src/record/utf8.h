/* SPDX-License-Identifier: MIT */
#ifndef RECORD_UTF8_H
#define RECORD_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* The character at the beginning of `text`, which ends with a NUL. Returns its bytes,
 * 1 to 4; 0 if there is none, overlong forms and surrogates included. */
size_t sr_utf8_decode(const char *text, uint32_t *ret_point);

#endif
