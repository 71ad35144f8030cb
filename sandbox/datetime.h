/* SPDX-License-Identifier: MIT */
/* ISO 8601 times, as docs/protocol/smartrest1.md, "Times and numbers", has them:
 * YYYY-MM-DDThh:mm[:ss[.fraction]] and a zone, Z or +hh:mm or +hhmm; a date alone
 * is its first moment; without a zone it is UTC. */
#ifndef SANDBOX_DATETIME_H
#define SANDBOX_DATETIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SB_TIME_SIZE = 80 };

/* Milliseconds since 1970. False, and *ret_ms untouched, if `text` is no time. */
bool sb_time_parse(const char *text, int64_t *ret_ms);
/* "2026-01-31T10:15:30.123Z" into `buffer` of SB_TIME_SIZE bytes, which it returns. */
const char *sb_time_format(int64_t ms, char *buffer);
int64_t sb_time_now(void);

#endif
