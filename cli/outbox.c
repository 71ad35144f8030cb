/* SPDX-License-Identifier: MIT */
#include "outbox.h"
#include <inttypes.h>
#include <stdio.h>

static const struct cli_command commands[] = {
    {"ls",      "its files, and how many rows wait",    cli_outbox_ls    },
    { "cat",    "rows, oldest first",                   cli_outbox_cat   },
    { "verify", "is all of it as it was written?",      cli_outbox_verify},
    { "drop",   "take rows away that nobody wants now", cli_outbox_drop  },
    { NULL,     NULL,                                   NULL             }
};

int cli_outbox(int argc, char **argv)
{
    return cli_run("smartrest outbox",
                   "An outbox is the directory where an agent keeps rows until the "
                   "platform has\nacknowledged them. Commands:",
                   commands, argc, argv);
}

int cli_outbox_scan(const char *command, const char *dir,
                    const struct sr_outbox_visitor *visitor)
{
    char why[512] = "";
    int rc = sr_outbox_scan(dir, visitor, why, sizeof why);

    if (rc == 0 || rc == CLI_STOP)
        return -1;
    return cli_complain("%s: %s", command, *why ? why : sr_strerror(rc));
}

const char *cli_count(uint64_t n, const char *noun, char text[CLI_COUNT_SIZE])
{
    snprintf(text, CLI_COUNT_SIZE, "%" PRIu64 " %s%s", n, noun, n == 1 ? "" : "s");
    return text;
}

void cli_rows_add(struct cli_rows *rows, const struct sr_stored_row *row)
{
    if (!rows->rows || row->seq < rows->first)
        rows->first = row->seq;
    if (!rows->rows || row->seq > rows->last)
        rows->last = row->seq;
    if (!rows->rows || row->wall_ms < rows->from_ms)
        rows->from_ms = row->wall_ms;
    if (!rows->rows || row->wall_ms > rows->to_ms)
        rows->to_ms = row->wall_ms;
    rows->rows++;
}
