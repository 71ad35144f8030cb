/* SPDX-License-Identifier: MIT */
#ifndef SANDBOX_RANGE_H
#define SANDBOX_RANGE_H

#include <stdint.h>

enum sb_range { SB_RANGE_ALL, SB_RANGE_PART, SB_RANGE_NOWHERE };

/* The value of a Range header (NULL for none) for a file of `size` bytes. What is no
 * range of bytes, or more than one, means all; *ret_... are set for a part only. */
enum sb_range sb_range_parse(const char *text, uint64_t size, uint64_t *ret_offset,
                             uint64_t *ret_len);

#endif
