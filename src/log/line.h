/* SPDX-License-Identifier: MIT */
/* A message as a line of the log: pure, no I/O. */
#ifndef SR_LOG_LINE_H
#define SR_LOG_LINE_H

#include <smartrest/log.h>
#include <stddef.h>
#include <time.h>

/* Writes `text`, escaped, to `out`, which has room for `cap` bytes including the NUL
 * (at least 16). What does not fit is cut. Returns the length. */
size_t sr_log_escape(char *out, size_t cap, const char *text);

/* Makes the whole line of a message, line end included. Returns its length. */
size_t sr_log_line(char out[SR_LOG_LINE_MAX + 1], enum sr_log_level level,
                   const char *component, const char *text, time_t now);

#endif
