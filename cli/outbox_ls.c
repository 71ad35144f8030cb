/* SPDX-License-Identifier: MIT */
#include "outbox.h"
#include "text.h"
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A line of the list; numbers as text, since columns are as wide as they have to be. */
enum { NAME, BYTES, ROWS, WAITING, FROM, TO, STATE, COLUMNS };
struct line {
    char *cell[COLUMNS];
    enum cli_colour colour; /* of the state */
};

struct ls {
    bool json;
    struct line *lines;
    size_t n, room;
    uint64_t files, bytes, damaged;
    struct cli_rows waiting, quarantine;
    uint64_t done;
};

static int take(void *arg, int id, const char *value)
{
    struct ls *ls = arg;

    (void)id, (void)value;
    ls->json = true;
    return -1;
}

static const struct cli_usage usage = {
  /* clang-format off */
    .name = "outbox ls",
    .about = "Lists the files of the outbox in DIR, oldest first: size in bytes, rows in it, how many\n"
             "of them wait for the platform, their lowest and highest number, and its state. The last\n"
             "line is the sum.",
    .options = (const struct cli_option[]){
        { 'j', "json", NULL, "a JSON object a line" },
        { 0, NULL, NULL, NULL } },
    .more = "States:\n"
            "  ok             whole\n"
            "  half written   whole, but for a row at its end: an agent is writing it, or died in it\n"
            "  damaged at N   what begins at byte N cannot be read; 'verify' says why\n"
            "  newer          whole; all or some of it was written by a later program, and stays for that\n"
            "  quarantine     rows that the platform never takes\n"
            "  set aside      what could not be read when an agent started\n\n"
            "An agent may be running on it. Exit status: 0; 2, it cannot be read.",
  /* clang-format on */
};

static const char *state_of(const struct sr_stored_file *file)
{
    if (file->kind == SR_STORED_ASIDE)
        return "set aside";
    if (!file->intact)
        return "damaged";
    if (file->torn)
        return "half written";
    if (file->unknown || file->version > 2)
        return "newer";
    return file->kind == SR_STORED_QUARANTINE ? "quarantine" : "ok";
}

static uint64_t waiting_in(const struct sr_stored_file *file)
{
    return file->kind == SR_STORED_SEGMENT ? file->rows - file->done : 0;
}

/* --- for machines ------------------------------------------------------------- */

static void print_json(const struct sr_stored_file *file)
{
    fputc('{', stdout);
    cli_put_member(stdout, "file", file->name, strlen(file->name));
    printf(",\"bytes\":%" PRIu64 ",\"rows\":%" PRIu64 ",\"waiting\":%" PRIu64
           ",\"from\":%" PRIu64 ",\"to\":%" PRIu64 ",\"state\":\"%s\"",
           file->bytes, file->rows, waiting_in(file), file->first, file->last,
           state_of(file));
    if (file->version)
        printf(",\"version\":%u", file->version);
    if (file->unknown)
        printf(",\"unknown\":%" PRIu64, file->unknown);
    if (!file->intact)
        printf(",\"damaged_at\":%" PRIu64, file->damage);
    fputs("}\n", stdout);
}

static void print_json_sum(const struct ls *ls)
{
    char from[CLI_TIME_SIZE], to[CLI_TIME_SIZE];

    printf("{\"files\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"waiting\":%" PRIu64
           ",\"done\":%" PRIu64 ",\"quarantined\":%" PRIu64 ",\"damaged\":%" PRIu64,
           ls->files, ls->bytes, ls->waiting.rows, ls->done, ls->quarantine.rows,
           ls->damaged);
    if (ls->waiting.rows)
        printf(",\"oldest\":\"%s\",\"newest\":\"%s\"",
               cli_time(ls->waiting.from_ms, from), cli_time(ls->waiting.to_ms, to));
    fputs("}\n", stdout);
}

/* --- for people ------------------------------------------------------------- */

/* Returns false without memory. */
static bool set_cell(struct line *line, int column, const char *format, ...)
    SR_PRINTF(3, 4);
static bool set_cell(struct line *line, int column, const char *format, ...)
{
    va_list args;
    int len;

    va_start(args, format);
    len = vasprintf(&line->cell[column], format, args);
    va_end(args);
    if (len < 0)
        line->cell[column] = NULL;
    return len >= 0;
}

static bool fill_numbers(struct line *line, const struct sr_stored_file *file)
{
    bool known = file->rows > 0;

    return set_cell(line, BYTES, "%" PRIu64, file->bytes) &&
           set_cell(line, ROWS, "%" PRIu64, file->rows) &&
           set_cell(line, WAITING, "%" PRIu64, waiting_in(file)) &&
           (known ? set_cell(line, FROM, "%" PRIu64, file->first) &&
                        set_cell(line, TO, "%" PRIu64, file->last)
                  : set_cell(line, FROM, "-") && set_cell(line, TO, "-"));
}

static bool fill_state(struct line *line, const struct sr_stored_file *file)
{
    const char *state = state_of(file);

    line->colour = CLI_PLAIN;
    if (!file->intact && file->kind != SR_STORED_ASIDE) {
        line->colour = CLI_RED;
        return set_cell(line, STATE, "%s at %" PRIu64, state, file->damage);
    }
    if (file->kind != SR_STORED_SEGMENT || file->torn || file->unknown ||
        file->version > 2)
        line->colour = CLI_YELLOW;
    return set_cell(line, STATE, "%s", state);
}

/* Names come from the directory, and may have any bytes. */
static bool fill_name(struct line *line, const char *name)
{
    size_t size;
    FILE *text = open_memstream(&line->cell[NAME], &size);

    if (!text)
        return false;
    cli_put_escaped(text, name, strlen(name));
    return fclose(text) == 0;
}

static struct line *next_line(struct ls *ls)
{
    if (ls->n == ls->room) {
        size_t room = ls->room ? 2 * ls->room : 16;
        struct line *lines = realloc(ls->lines, room * sizeof *lines);

        if (!lines)
            return NULL;
        ls->lines = lines;
        ls->room = room;
    }
    ls->lines[ls->n] = (struct line){ .colour = CLI_PLAIN };
    return &ls->lines[ls->n++];
}

static int add_line(struct ls *ls, const struct sr_stored_file *file)
{
    struct line *line = next_line(ls);

    return line && fill_name(line, file->name) && fill_numbers(line, file) &&
                   fill_state(line, file)
               ? 0
               : SR_E_NOMEM;
}

/* Names and states to the left, numbers to the right. */
static void print_cell(const struct line *line, int column, int width)
{
    if (column == STATE)
        printf("  %s%s%s\n", cli_colour(stdout, line->colour), line->cell[column],
               cli_colour(stdout, CLI_PLAIN));
    else if (column == NAME)
        printf("%-*s", width, line->cell[column]);
    else
        printf("  %*s", width, line->cell[column]);
}

static void print_lines(const struct ls *ls)
{
    static char heads[COLUMNS][8] = { "FILE", "BYTES", "ROWS", "WAITING",
                                      "FROM", "TO",    "STATE" };
    struct line head = { .colour = CLI_PLAIN };
    int width[COLUMNS] = { 0 };

    for (int c = 0; c < COLUMNS; c++) {
        head.cell[c] = heads[c];
        width[c] = (int)strlen(heads[c]);
        for (size_t i = 0; i < ls->n; i++)
            if ((int)strlen(ls->lines[i].cell[c]) > width[c])
                width[c] = (int)strlen(ls->lines[i].cell[c]);
    }
    for (int c = 0; c < COLUMNS; c++)
        print_cell(&head, c, width[c]);
    for (size_t i = 0; i < ls->n; i++)
        for (int c = 0; c < COLUMNS; c++)
            print_cell(&ls->lines[i], c, width[c]);
}

static void print_sum(const struct ls *ls)
{
    char files[CLI_COUNT_SIZE], bytes[CLI_COUNT_SIZE], rows[CLI_COUNT_SIZE];
    char from[CLI_TIME_SIZE], to[CLI_TIME_SIZE];

    printf("%s, %s: %s waiting, %" PRIu64 " done, %" PRIu64 " in quarantine",
           cli_count(ls->files, "file", files), cli_count(ls->bytes, "byte", bytes),
           cli_count(ls->waiting.rows, "row", rows), ls->done, ls->quarantine.rows);
    if (ls->damaged)
        printf("; %s damaged", cli_count(ls->damaged, "file", files));
    if (ls->waiting.rows)
        printf("; oldest %s, newest %s", cli_time(ls->waiting.from_ms, from),
               cli_time(ls->waiting.to_ms, to));
    fputc('\n', stdout);
}

/* --- both ---------------------------------------------------------------------- */

static int on_row(void *arg, const struct sr_stored_row *row)
{
    struct ls *ls = arg;

    if (row->quarantined)
        cli_rows_add(&ls->quarantine, row);
    else if (row->done)
        ls->done++;
    else
        cli_rows_add(&ls->waiting, row);
    return 0;
}

static int on_file(void *arg, const struct sr_stored_file *file)
{
    struct ls *ls = arg;

    ls->files++;
    ls->bytes += file->bytes;
    ls->damaged += !file->intact && file->kind != SR_STORED_ASIDE;
    if (!ls->json)
        return add_line(ls, file);
    print_json(file);
    return cli_output_failed() ? CLI_STOP : 0;
}

static void print_all(const struct ls *ls)
{
    if (ls->json) {
        print_json_sum(ls);
    } else {
        print_lines(ls);
        print_sum(ls);
    }
}

static void release(struct ls *ls)
{
    for (size_t i = 0; i < ls->n; i++)
        for (int c = 0; c < COLUMNS; c++)
            free(ls->lines[i].cell[c]);
    free(ls->lines);
}

int cli_outbox_ls(int argc, char **argv)
{
    struct ls ls = { .json = false };
    struct sr_outbox_visitor visitor = { on_file, on_row, &ls };
    const char *dir;
    int status = cli_usage_read(&usage, argc, argv, take, &ls, &dir);

    if (status >= 0)
        return status;
    status = cli_outbox_scan(usage.name, dir, &visitor);
    if (status < 0) {
        print_all(&ls);
        status = cli_finish(CLI_OK);
    }
    release(&ls);
    return status;
}
