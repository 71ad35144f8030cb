/* SPDX-License-Identifier: MIT */
/* Bytes for people and for machines. */
#ifndef CLI_TEXT_H
#define CLI_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* As one piece of a line that cannot do anything to a terminal: control characters, what
 * turns the direction of text, and bytes that are no UTF-8 become \n, \r, \t or \x1b, and
 * a backslash is doubled. */
void cli_put_escaped(FILE *out, const char *text, size_t len);

/* One member of a JSON object. `text` as a string; if it is no UTF-8, which JSON has to be,
 * its bytes in hexadecimal under the name NAME_hex. */
void cli_put_member(FILE *out, const char *name, const char *text, size_t len);

/* "2026-11-22T20:45:00.123Z" */
enum { CLI_TIME_SIZE = 32 };
const char *cli_time(int64_t wall_ms, char text[CLI_TIME_SIZE]);

/* Reads a time, "2026-11-22", "2026-11-22T20:45" with or without seconds, fraction and Z,
 * always UTC; or an age before `now_ms`: "90s", "10m", "3h", "2d". */
bool cli_read_time(const char *text, int64_t now_ms, int64_t *ret_ms);

/* Reads digits, and nothing else, that fit. */
bool cli_read_number(const char *text, size_t len, uint64_t *ret_number);

/* What begins and ends coloured text on `out`; "" where there are to be no colours. */
enum cli_colour { CLI_PLAIN, CLI_RED, CLI_GREEN, CLI_YELLOW };
const char *cli_colour(FILE *out, enum cli_colour colour);

#endif
