/* SPDX-License-Identifier: MIT */
#include "outbox.h"
#include "text.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct drop {
    const char *dir;
    bool yes;
    int what;
    uint64_t through;
    struct cli_rows waiting, quarantine;  /* that would go */
    uint64_t damaged, aside, quarantines; /* files */
};

static const struct cli_usage usage = {
  /* clang-format off */
    .name = "outbox drop",
    .about = "Takes away, for good, the rows that wait in the outbox in DIR, or what the options name.\n"
             "Asks before it does.",
    .options = (const struct cli_option[]){
        { 'n', "through", "NUMBER", "of the rows that wait, those up to this number" },
        { 'Q', "quarantine", NULL, "the quarantine file" },
        { 'd', "damaged", NULL, "what was set aside because it could not be read, *.damaged" },
        { 'a', "all", NULL, "all of these" },
        { 'y', "yes", NULL, "do not ask" },
        { 0, NULL, NULL, NULL } },
    .more = "It does first what the start of an agent does: rows in damaged files that can be read are\n"
            "recovered, the rest is set aside.\n\n"
            "Exit status: 0, done, or nothing was there; 1, the answer was no, or an agent runs on it,\n"
            "and nothing was changed; 2, it cannot be read or written, or nobody is there to ask.",
  /* clang-format on */
};

static int take(void *arg, int id, const char *value)
{
    struct drop *drop = arg;

    switch (id) {
    case 'y': drop->yes = true; return -1;
    case 'Q': drop->what |= SR_OUTBOX_QUARANTINE; return -1;
    case 'd': drop->what |= SR_OUTBOX_DAMAGED; return -1;
    case 'a':
        drop->what |= SR_OUTBOX_ROWS | SR_OUTBOX_QUARANTINE | SR_OUTBOX_DAMAGED;
        return -1;
    default:
        drop->what |= SR_OUTBOX_ROWS;
        return cli_read_number(value, strlen(value), &drop->through)
                   ? -1
                   : cli_complain("%s: --through: '%.40s' is no number of a row",
                                  usage.name, value);
    }
}

/* --- what is there to drop? ----------------------------------------------------- */

static int on_row(void *arg, const struct sr_stored_row *row)
{
    struct drop *drop = arg;

    if (row->quarantined)
        cli_rows_add(&drop->quarantine, row);
    else if (!row->done && row->seq <= drop->through)
        cli_rows_add(&drop->waiting, row);
    return 0;
}

static int on_file(void *arg, const struct sr_stored_file *file)
{
    struct drop *drop = arg;

    if (file->kind == SR_STORED_ASIDE)
        drop->aside++;
    else if (file->kind == SR_STORED_QUARANTINE)
        drop->quarantines++;
    else
        drop->damaged += !file->intact;
    return 0;
}

static bool drops(const struct drop *drop, int what)
{
    return (drop->what & what) != 0;
}

static bool is_nothing_there(const struct drop *drop)
{
    return !(drops(drop, SR_OUTBOX_ROWS) && drop->waiting.rows) &&
           !(drops(drop, SR_OUTBOX_QUARANTINE) && drop->quarantines) &&
           !(drops(drop, SR_OUTBOX_DAMAGED) && drop->aside + drop->damaged);
}

/* --- asking ------------------------------------------------------------------- */

static void name_rows(const struct cli_rows *rows, const char *where)
{
    char count[CLI_COUNT_SIZE], from[CLI_TIME_SIZE], to[CLI_TIME_SIZE];

    fprintf(stderr, "  %s %s, numbers %" PRIu64 " to %" PRIu64 ", sent %s to %s\n",
            cli_count(rows->rows, "row", count), where, rows->first, rows->last,
            cli_time(rows->from_ms, from), cli_time(rows->to_ms, to));
}

static void name_all(const struct drop *drop)
{
    char count[CLI_COUNT_SIZE];

    fputs("To be dropped for good:\n", stderr);
    if (drops(drop, SR_OUTBOX_ROWS) && drop->waiting.rows)
        name_rows(&drop->waiting, "waiting");
    if (drops(drop, SR_OUTBOX_QUARANTINE) && drop->quarantine.rows)
        name_rows(&drop->quarantine, "in quarantine");
    if (drops(drop, SR_OUTBOX_DAMAGED) && drop->aside)
        fprintf(stderr, "  %s set aside\n", cli_count(drop->aside, "file", count));
    if (drops(drop, SR_OUTBOX_DAMAGED) && drop->damaged)
        fprintf(stderr, "  what cannot be read of %s\n",
                cli_count(drop->damaged, "damaged file", count));
}

/* Returns -1: go on; or the exit status. */
static int ask(const struct drop *drop)
{
    char answer[16] = "";

    if (drop->yes)
        return -1;
    if (!isatty(STDIN_FILENO))
        return cli_complain("%s: nobody is there to ask; --yes drops without asking",
                            usage.name);
    name_all(drop);
    fputs("Drop? [y/N] ", stderr);
    fflush(stderr);
    if (fgets(answer, sizeof answer, stdin) &&
        (strcmp(answer, "y\n") == 0 || strcmp(answer, "yes\n") == 0))
        return -1;
    if (!strchr(answer, '\n'))
        fputc('\n', stderr);
    cli_complain("%s: nothing was dropped", usage.name);
    return CLI_NO;
}

/* --- doing --------------------------------------------------------------------- */

/* Returns -1, or the exit status after a complaint. */
static int remove_what(const struct drop *drop, int what, uint64_t *ret_rows)
{
    char why[512] = "";
    int rc =
        sr_outbox_remove(drop->dir, what, drop->through, ret_rows, why, sizeof why);

    if (rc == 0)
        return -1;
    if (rc == SR_E_BUSY) {
        cli_complain(
            "%s: %.300s: an agent runs on it; stop it first. Nothing was dropped",
            usage.name, drop->dir);
        return CLI_NO;
    }
    return cli_complain("%s: %s", usage.name, *why ? why : sr_strerror(rc));
}

static int drop_all(const struct drop *drop)
{
    uint64_t rows = 0;
    char count[CLI_COUNT_SIZE];
    int status = remove_what(drop, drop->what, &rows);

    if (status >= 0)
        return status;
    printf("%s dropped\n", cli_count(rows, "row", count));
    return cli_finish(CLI_OK);
}

int cli_outbox_drop(int argc, char **argv)
{
    struct drop drop = { .through = UINT64_MAX };
    struct sr_outbox_visitor visitor = { on_file, on_row, &drop };
    int status = cli_usage_read(&usage, argc, argv, take, &drop, &drop.dir);

    if (status >= 0)
        return status;
    if (!drop.what)
        drop.what = SR_OUTBOX_ROWS;
    status = cli_outbox_scan(usage.name, drop.dir, &visitor);
    if (status < 0)
        status = remove_what(&drop, 0, NULL); /* is an agent on it? Before asking */
    if (status >= 0)
        return status;
    if (is_nothing_there(&drop)) {
        puts("nothing is there to drop");
        return cli_finish(CLI_OK);
    }
    status = ask(&drop);
    return status >= 0 ? status : drop_all(&drop);
}
