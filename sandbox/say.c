/* SPDX-License-Identifier: MIT */
#include "say.h"

#include <stdarg.h>
#include <stdio.h>

void sb_say(const char *format, ...)
{
    char line[2048];
    va_list args;

    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    for (char *p = line; *p; p++) /* whatever was quoted, it stays one line */
        if ((unsigned char)*p < ' ')
            *p = ' ';
    fprintf(stderr, "smartrest-sandbox: %s\n", line);
}
