/* SPDX-License-Identifier: MIT */
#include "options.h"
#include "say.h"
#include <getopt.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECONDS_MAX 1000000.0

enum { SECONDS, STDERR, SYSLOG, HELP, VERSION };

static const struct entry {
    const char *name, *value, *help;
    int kind;
    size_t offset; /* of SECONDS, in the options */
    bool zero;     /* is a legal value */
} table[] = {
  /* clang-format off */
#define O(field) offsetof(struct wd_options, field)
    { "interval", "SECONDS", "longest time between two kicks; 0: none expected (30)",
      SECONDS, O(interval_ms), true },
    { "start", "SECONDS", "longest time until the first kick (the interval)",
      SECONDS, O(start_ms), false },
    { "grace", "SECONDS", "from SIGABRT or SIGTERM to SIGKILL (10)",
      SECONDS, O(grace_ms), true },
    { "delay", "SECONDS", "pause before a restart, doubled each time (1)",
      SECONDS, O(delay_ms), true },
    { "max-delay", "SECONDS", "longest pause; living as long ends the doubling (60)",
      SECONDS, O(max_delay_ms), true },
    { "stderr", NULL, "log to stderr, too, also when it is no terminal", STDERR, 0, false },
    { "syslog", "SOCKET", "where syslog listens (/dev/log)", SYSLOG, 0, false },
    { "help", NULL, "say this and exit", HELP, 0, false },
    { "version", NULL, "say the version and exit", VERSION, 0, false },
#undef O
  /* clang-format on */
};
#define ENTRIES (sizeof table / sizeof *table)

static int print_help(void)
{
    puts(
        "usage: " WD_NAME " [option...] [--] COMMAND [ARGUMENT...]\n\n"
        "Runs COMMAND; starts it again when it dies by a signal or gives no sign of life; "
        "ends\nwhen it exits, with its exit status.\n");
    for (size_t i = 0; i < ENTRIES; i++)
        printf("  --%-10s %-8s %s\n", table[i].name,
               table[i].value ? table[i].value : "", table[i].help);
    return fflush(stdout) ? 1 : 0;
}

static int print_version(void)
{
    puts(WD_NAME " " WD_VERSION);
    return fflush(stdout) ? 1 : 0;
}

/* Digits with at most one point among them. */
static bool read_seconds(const struct entry *entry, const char *text, uint64_t *ret_ms)
{
    const char *point = strchr(text, '.');
    double seconds = strtod(text, NULL);

    if (!*text || strspn(text, ".0123456789") != strlen(text) ||
        (point && strchr(point + 1, '.')) || strcmp(text, ".") == 0 ||
        seconds > SECONDS_MAX || (!entry->zero && seconds <= 0)) {
        wd_complain("--%s: '%s' is not a number of seconds%s up to 1000000",
                    entry->name, text, entry->zero ? "" : " above 0");
        return false;
    }
    *ret_ms = (uint64_t)(seconds * 1000 + 0.5);
    if (!*ret_ms && seconds > 0)
        *ret_ms = 1;
    return true;
}

/* Returns -1, or the exit status. */
static int take(struct wd_options *options, const struct entry *entry,
                const char *value)
{
    char *field = (char *)options + entry->offset;

    switch (entry->kind) {
    case HELP: return print_help();
    case VERSION: return print_version();
    case STDERR: options->use_stderr = true; return -1;
    case SYSLOG: options->syslog = value; return -1;
    default: return read_seconds(entry, value, (uint64_t *)(void *)field) ? -1 : 2;
    }
}

static int complain_about(int code, const char *arg)
{
    if (code == ':')
        wd_complain("%s: a value is missing; see --help", arg);
    else
        wd_complain("%s: no such option, or a value too many; see --help", arg);
    return 2;
}

int wd_options_read(struct wd_options *options, int argc, char **argv)
{
    struct option longs[ENTRIES + 1] = { { 0 } };
    int index, code, status;

    for (size_t i = 0; i < ENTRIES; i++)
        longs[i] =
            (struct option){ .name = table[i].name, .has_arg = !!table[i].value };
    opterr = 0;
    while ((code = getopt_long(argc, argv, "+:", longs, &index)) != -1) {
        if (code)
            return complain_about(code, argv[optind - 1]);
        status = take(options, &table[index], optarg);
        if (status >= 0)
            return status;
    }
    options->command = argv + optind;
    if (*options->command && **options->command)
        return -1;
    wd_complain("a command is missing; see --help");
    return 2;
}
