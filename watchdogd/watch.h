/* SPDX-License-Identifier: MIT */
#ifndef WATCHDOGD_WATCH_H
#define WATCHDOGD_WATCH_H

#include "options.h"

/* Starts the command, and watches it to its end. Returns the exit status; or does not
 * return, and ends by the signal that the command was asked to end with. */
int wd_watch(const struct wd_options *options);

#endif
