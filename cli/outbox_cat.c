/* SPDX-License-Identifier: MIT */
#include "outbox.h"
#include "text.h"
#include <inttypes.h>
#include <smartrest/agent.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum form { PLAIN, LONG, RAW, JSON };

struct cat {
    enum form form;
    bool all, quarantine;
    uint64_t first, last;
    int64_t since_ms;
};

static const struct cli_usage usage = {
  /* clang-format off */
    .name = "outbox cat",
    .about = "Prints the rows that wait in the outbox in DIR, one a line, oldest first.",
    .options = (const struct cli_option[]){
        { 'a', "all", NULL, "those that are done and still in a file, too" },
        { 'Q', "quarantine", NULL, "those of the quarantine file instead" },
        { 's', "seq", "A[-[B]]", "only number A, or A to B, or A and later" },
        { 't', "since", "WHEN", "only those sent since then: an age like 90s, 10m, 3h, 2d,\n"
          "                       or 2026-11-22T20:45, with or without time, in UTC" },
        { 'l', "long", NULL, "number, time, and state in front of each" },
        { 'j', "json", NULL, "a JSON object a line" },
        { 'r', "raw", NULL, "bytes as they are, whatever they do to a terminal" },
        { 0, NULL, NULL, NULL } },
    .more = "What a row keeps from being a line, or may harm a terminal, is printed as \\n, \\r, \\t or\n"
            "\\x1b, and a backslash as \\\\. Times are those of the device's clock when the row was\n"
            "sent. An agent may be running on it.\n\n"
            "Exit status: 0, also if there are no such rows; 2, it cannot be read.",
  /* clang-format on */
};

/* --- options ---------------------------------------------------------------- */

/* "7", "7-9", "7-", "-9" */
static bool read_range(const char *text, uint64_t *ret_first, uint64_t *ret_last)
{
    const char *dash = strchr(text, '-');
    const char *end = dash ? dash + 1 : text;

    *ret_first = 0;
    *ret_last = UINT64_MAX;
    if (!dash && !cli_read_number(text, strlen(text), ret_first))
        return false;
    if (dash && dash != text &&
        !cli_read_number(text, (size_t)(dash - text), ret_first))
        return false;
    if (*end && !cli_read_number(end, strlen(end), ret_last))
        return false;
    return *ret_first <= *ret_last && strcmp(text, "-") != 0;
}

static bool read_since(const char *text, int64_t *ret_ms)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return cli_read_time(text, (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000,
                         ret_ms);
}

static int set_form(struct cat *cat, enum form form)
{
    if (cat->form != PLAIN && cat->form != form)
        return cli_complain("%s: --long, --json and --raw exclude each other",
                            usage.name);
    cat->form = form;
    return -1;
}

static int take(void *arg, int id, const char *value)
{
    struct cat *cat = arg;

    switch (id) {
    case 'a': cat->all = true; return -1;
    case 'Q': cat->quarantine = true; return -1;
    case 'l': return set_form(cat, LONG);
    case 'j': return set_form(cat, JSON);
    case 'r': return set_form(cat, RAW);
    case 's':
        return read_range(value, &cat->first, &cat->last)
                   ? -1
                   : cli_complain("%s: --seq: '%.40s' is neither a number nor a range "
                                  "like 7-9, 7- or -9",
                                  usage.name, value);
    default:
        return read_since(value, &cat->since_ms)
                   ? -1
                   : cli_complain("%s: --since: '%.40s' is neither an age like 90s, "
                                  "10m, 3h or 2d nor a time like 2026-11-22T20:45",
                                  usage.name, value);
    }
}

/* --- rows ---------------------------------------------------------------------- */

static bool wanted(const struct cat *cat, const struct sr_stored_row *row)
{
    if (row->quarantined != cat->quarantine || (row->done && !cat->all))
        return false;
    return row->seq >= cat->first && row->seq <= cat->last &&
           row->wall_ms >= cat->since_ms;
}

static const char *state_of(const struct sr_stored_row *row)
{
    return row->quarantined ? "quarantined" : row->done ? "done" : "waiting";
}

/* The channel in front, if it is not the agent's own collection. */
static void print_text(const struct sr_stored_row *row)
{
    if (*row->channel) {
        fputc('[', stdout);
        cli_put_escaped(stdout, row->channel, strlen(row->channel));
        fputs("] ", stdout);
    }
    cli_put_escaped(stdout, row->text, row->len);
    fputc('\n', stdout);
}

static void print_long(const struct sr_stored_row *row)
{
    char time[CLI_TIME_SIZE];

    printf("%" PRIu64 "  %s  %s", row->seq, cli_time(row->wall_ms, time),
           state_of(row));
    if (row->quarantined) {
        fputs(" (", stdout);
        cli_put_escaped(stdout, row->why, strlen(row->why));
        fputc(')', stdout);
    }
    fputs("  ", stdout);
    print_text(row);
}

static void print_json(const struct sr_stored_row *row)
{
    char time[CLI_TIME_SIZE];

    printf("{\"seq\":%" PRIu64 ",\"time\":\"%s\",\"stamped\":%s,\"state\":\"%s\","
           "\"xid\":%s,\"ttl_s\":%" PRIu32 ",",
           row->seq, cli_time(row->wall_ms, time), row->stamped ? "true" : "false",
           state_of(row), strncmp(row->channel, "smartrest1:", 11) ? "false" : "true",
           row->ttl_s);
    cli_put_member(stdout, "channel", row->channel, strlen(row->channel));
    fputc(',', stdout);
    cli_put_member(stdout, "file", row->file, strlen(row->file));
    printf(",\"offset\":%" PRIu64 ",", row->offset);
    if (row->quarantined) {
        cli_put_member(stdout, "why", row->why, strlen(row->why));
        fputc(',', stdout);
    }
    cli_put_member(stdout, "text", row->text, row->len);
    fputs("}\n", stdout);
}

static int on_row(void *arg, const struct sr_stored_row *row)
{
    struct cat *cat = arg;

    if (!wanted(cat, row))
        return 0;
    if (cat->form == JSON) {
        print_json(row);
    } else if (cat->form == LONG) {
        print_long(row);
    } else if (cat->form == PLAIN) {
        print_text(row);
    } else {
        fwrite(row->text, 1, row->len, stdout);
        fputc('\n', stdout);
    }
    return cli_output_failed() ? CLI_STOP : 0;
}

int cli_outbox_cat(int argc, char **argv)
{
    struct cat cat = { .last = UINT64_MAX, .since_ms = INT64_MIN };
    struct sr_outbox_visitor visitor = { NULL, on_row, &cat };
    const char *dir;
    int status = cli_usage_read(&usage, argc, argv, take, &cat, &dir);

    if (status >= 0)
        return status;
    status = cli_outbox_scan(usage.name, dir, &visitor);
    return cli_finish(status < 0 ? CLI_OK : status);
}
