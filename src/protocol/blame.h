/* SPDX-License-Identifier: MIT */
/* Which row of a request does an answer row speak of? Answer rows carry the number of a
 * line. Whether `15` rows count as lines is not documented (docs/protocol/smartrest1.md,
 * "Uncertain"): they are taken to, until an answer names line 1, which holds a `15` row
 * that has nothing to answer. Pure. */
#ifndef PROTOCOL_BLAME_H
#define PROTOCOL_BLAME_H

#include "record/rows.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Does a row of `answer` name line 1? */
bool sr_answer_has_line_1(struct sr_rows *answer);

/* The row on line `line` (from 1) of `payload`, in which `15` rows count if `count_15`.
 * Points into `payload`; NULL if there is no such row, or it is a `15` row. */
const char *sr_row_on_line(const char *payload, size_t len, uint64_t line,
                           bool count_15, size_t *ret_len);

#endif
