/* SPDX-License-Identifier: MIT */
#ifndef SANDBOX_SAY_H
#define SANDBOX_SAY_H

/* One line on stderr, with the launcher's name in front. */
__attribute__((format(printf, 1, 2))) void sb_say(const char *format, ...);

#endif
