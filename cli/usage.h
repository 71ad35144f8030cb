/* SPDX-License-Identifier: MIT */
/* Command line, help, and complaints: the same for all commands.
 *
 *     status = cli_usage_read(&usage, argc, argv, take, &options, &dir)
 *     if (status >= 0)
 *         return status;
 *
 * A command that talks to a platform reads its line with sr_options_parse() instead, as all
 * programs made with the library do; its options (server, broker, device ...) mean nothing
 * to one that reads files. */
#ifndef CLI_USAGE_H
#define CLI_USAGE_H

#include <smartrest/error.h>
#include <stdbool.h>
#include <stddef.h>

/* Exit statuses. */
enum { CLI_OK = 0, CLI_NO = 1, CLI_TROUBLE = 2 };

/* Its argv[0] is its name. Returns the exit status. */
struct cli_command {
    const char *name, *help;
    int (*run)(int argc, char **argv);
};

struct cli_option {
    int id; /* for `take`; a letter or digit is its short form, too */
    const char *name;
    const char *value; /* what follows it, for the help; NULL: nothing */
    const char *help;
};

struct cli_usage {
    const char *name; /* without `smartrest` */
    const char *about;
    const struct cli_option *options; /* the last one has no name */
    const char *more;                 /* behind the options */
};

/* Takes one option. Returns -1, or an exit status after a complaint. */
typedef int (*cli_take_fn)(void *arg, int id, const char *value);

/* Reads options and the one operand, a directory. Returns -1: go on; else the exit status,
 * after help or a complaint. */
int cli_usage_read(const struct cli_usage *usage, int argc, char **argv,
                   cli_take_fn take, void *arg, const char **ret_dir);

/* Runs the command of `commands` (the last one has no name) that argv[1] names; `name` is
 * the program's so far: "smartrest" or "smartrest outbox". */
int cli_run(const char *name, const char *about, const struct cli_command *commands,
            int argc, char **argv);

/* "smartrest: ...", one line on stderr, whatever bytes are in it. Returns CLI_TROUBLE. */
int cli_complain(const char *format, ...) SR_PRINTF(1, 2);

/* Has writing to stdout failed? To be asked often, right behind some output: there is no use
 * in making more. */
bool cli_output_failed(void);

/* Writes what stdout still holds. A reader that went away, as `head` does, is no trouble; for
 * anything else complains and returns CLI_TROUBLE. Otherwise returns `status`. */
int cli_finish(int status);

#endif
