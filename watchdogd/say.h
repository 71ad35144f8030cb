/* SPDX-License-Identifier: MIT */
/* What the watchdog has to say: a line for syslog, and for stderr if somebody looks. Never
 * waits: a syslog or a terminal that stands still costs lines, not the watch. */
#ifndef WATCHDOGD_SAY_H
#define WATCHDOGD_SAY_H

#include <smartrest/error.h>
#include <stdbool.h>
#include <syslog.h>

#define WD_NAME "smartrest-watchdogd"

/* `socket_path`: where syslog listens. `use_stderr`: lines go there, too. */
void wd_say_open(const char *socket_path, bool use_stderr);

/* `level`: LOG_NOTICE and its like. Control characters are shown as `?`. */
void wd_say(int level, const char *format, ...) SR_PRINTF(2, 3);

/* One line on stderr, whatever the options are. */
void wd_complain(const char *format, ...) SR_PRINTF(1, 2);

#endif
