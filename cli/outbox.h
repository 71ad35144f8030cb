/* SPDX-License-Identifier: MIT */
/* smartrest outbox: its four commands, and what they share. */
#ifndef CLI_OUTBOX_H
#define CLI_OUTBOX_H

#include "usage.h"
#include <smartrest/outbox.h>

int cli_outbox(int argc, char **argv);

int cli_outbox_ls(int argc, char **argv);
int cli_outbox_cat(int argc, char **argv);
int cli_outbox_verify(int argc, char **argv);
int cli_outbox_drop(int argc, char **argv);

/* sr_outbox_scan(). Returns -1; or, after a complaint, the exit status. A visitor that cannot
 * write any more ends it with CLI_STOP, which is fine. */
enum { CLI_STOP = 1 };
int cli_outbox_scan(const char *command, const char *dir,
                    const struct sr_outbox_visitor *visitor);

/* Number and noun, "1 row" or "2 rows". */
enum { CLI_COUNT_SIZE = 64 };
const char *cli_count(uint64_t n, const char *noun, char text[CLI_COUNT_SIZE]);

/* Rows of a kind: how many, their numbers, and when they were sent. */
struct cli_rows {
    uint64_t rows, first, last;
    int64_t from_ms, to_ms;
};
void cli_rows_add(struct cli_rows *rows, const struct sr_stored_row *row);

#endif
