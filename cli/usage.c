/* SPDX-License-Identifier: MIT */
#include "usage.h"
#include "text.h"
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { OPTIONS_MAX = 16, OPT_HELP = 'h' };

int cli_complain(const char *format, ...)
{
    char text[1024];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    fflush(stdout); /* so that both are in order where they meet */
    fputs("smartrest: ", stderr);
    cli_put_escaped(stderr, text, strlen(text));
    fputc('\n', stderr);
    return CLI_TROUBLE;
}

static int output_errno; /* the first one */

bool cli_output_failed(void)
{
    if (!output_errno && ferror(stdout))
        output_errno = errno ? errno : EIO;
    return output_errno != 0;
}

int cli_finish(int status)
{
    if (!cli_output_failed() && fflush(stdout) != 0)
        output_errno = errno;
    if (!output_errno || output_errno == EPIPE)
        return status;
    return cli_complain("cannot write the output: %s", strerror(output_errno));
}

/* --- help ------------------------------------------------------------------- */

static void print_option(const struct cli_option *option)
{
    char left[64];
    bool is_short = option->id > ' ' && option->id < 0x7f;

    snprintf(left, sizeof left, "%c%c%c --%s%s%s", is_short ? '-' : ' ',
             is_short ? option->id : ' ', is_short ? ',' : ' ', option->name,
             option->value ? " " : "", option->value ? option->value : "");
    printf("  %-20s %s\n", left, option->help);
}

static int print_help(const struct cli_usage *usage)
{
    static const struct cli_option help = { OPT_HELP, "help", NULL, "this text" };

    printf("Usage: smartrest %s [OPTION]... DIR\n\n%s\n\n", usage->name, usage->about);
    for (const struct cli_option *o = usage->options; o->name; o++)
        print_option(o);
    print_option(&help);
    printf("\n%s\n", usage->more);
    return cli_finish(CLI_OK);
}

static int print_commands(const char *name, const char *about,
                          const struct cli_command *commands)
{
    printf("Usage: %s COMMAND [ARGUMENT]...\n\n%s\n\n", name, about);
    for (const struct cli_command *c = commands; c->name; c++)
        printf("  %-10s %s\n", c->name, c->help);
    printf("\n'%s COMMAND --help' tells more about one.\n", name);
    return cli_finish(CLI_OK);
}

/* --- reading ---------------------------------------------------------------- */

static int complain_about(const struct cli_usage *usage, const char *what,
                          const char *which)
{
    return cli_complain("%s: %s%.200s; try 'smartrest %s --help'", usage->name, what,
                        which, usage->name);
}

/* What getopt_long() wants: both tables, from ours. */
struct tables {
    struct option longs[OPTIONS_MAX + 2];
    char shorts[2 * OPTIONS_MAX + 4];
};

static void fill_one(struct tables *tables, size_t i, int id, const char *name,
                     bool value)
{
    char *end = tables->shorts + strlen(tables->shorts);

    tables->longs[i] = (struct option){ .name = name, .has_arg = value, .val = id };
    if (id < 0x7f)
        sprintf(end, "%c%s", id, value ? ":" : "");
}

static void fill_tables(const struct cli_usage *usage, struct tables *ret_tables)
{
    size_t i = 0;

    *ret_tables = (struct tables){ .shorts = ":" };
    for (; usage->options[i].name && i < OPTIONS_MAX; i++)
        fill_one(ret_tables, i, usage->options[i].id, usage->options[i].name,
                 usage->options[i].value);
    fill_one(ret_tables, i, OPT_HELP, "help", false);
}

static const char *name_of(const struct tables *tables, int id)
{
    for (const struct option *o = tables->longs; o->name; o++)
        if (o->val == id)
            return o->name;
    return "";
}

static int refuse(const struct cli_usage *usage, const struct tables *tables, int code,
                  char **argv)
{
    char letter[2] = { (char)optopt, '\0' };

    if (code == ':')
        return complain_about(usage, "a value is missing behind --",
                              name_of(tables, optopt));
    if (optopt && *name_of(tables, optopt))
        return complain_about(usage, "no value can follow --", name_of(tables, optopt));
    if (optopt)
        return complain_about(usage, "unknown option -", letter);
    return complain_about(usage, "unknown option ", argv[optind - 1]);
}

static int read_operand(const struct cli_usage *usage, int argc, char **argv,
                        const char **ret_dir)
{
    if (optind == argc || !*argv[optind])
        return complain_about(usage, "a directory is missing", "");
    if (optind + 1 < argc)
        return complain_about(usage, "one directory at a time, and not also ",
                              argv[optind + 1]);
    *ret_dir = argv[optind];
    return -1;
}

int cli_usage_read(const struct cli_usage *usage, int argc, char **argv,
                   cli_take_fn take, void *arg, const char **ret_dir)
{
    struct tables tables;
    int code, status;

    fill_tables(usage, &tables);
    opterr = 0;
    optind = 0; /* GNU: begin anew */
    for (;;) {
        optopt = 0;
        code = getopt_long(argc, argv, tables.shorts, tables.longs, NULL);
        if (code < 0)
            return read_operand(usage, argc, argv, ret_dir);
        if (code == OPT_HELP)
            return print_help(usage);
        if (code == ':' || code == '?')
            return refuse(usage, &tables, code, argv);
        status = take(arg, code, optarg);
        if (status >= 0)
            return status;
    }
}

/* --- commands ----------------------------------------------------------------- */

static const struct cli_command *find(const struct cli_command *commands,
                                      const char *name)
{
    for (; commands->name; commands++)
        if (strcmp(commands->name, name) == 0)
            return commands;
    return NULL;
}

int cli_run(const char *name, const char *about, const struct cli_command *commands,
            int argc, char **argv)
{
    const struct cli_command *command;
    const char *word = argc > 1 ? argv[1] : NULL;

    if (!word)
        return cli_complain("a command is missing; try '%s --help'", name);
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
        return print_commands(name, about, commands);
    if (strcmp(word, "--version") == 0) {
        printf("smartrest %s\n", CLI_VERSION);
        return cli_finish(CLI_OK);
    }
    command = find(commands, word);
    if (command)
        return command->run(argc - 1, argv + 1);
    return cli_complain("unknown %s '%.200s'; try '%s --help'",
                        *word == '-' ? "option" : "command", word, name);
}
