/* SPDX-License-Identifier: MIT */
/* For tests that give NULL to each function of a public header. Each call is made in a child, so
 * that a crash is one answer of many, and is remembered: at the end every function that takes
 * a pointer must have been called, or be in a list of exceptions.
 *
 *     REFUSED(sr_agent_loop(NULL)) ... all_hold() -> expect_all_called(headers, exceptions) */
#ifndef SUPPORT_ARGUMENTS_H
#define SUPPORT_ARGUMENTS_H

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
/* after those that it needs */
#include <cmocka.h>

static struct {
    char calls[65536]; /* their texts, each in a line */
    size_t len;
    int wrong;
} arguments;

static void call_made(const char *text)
{
    int room = (int)(sizeof arguments.calls - arguments.len);
    int len = snprintf(arguments.calls + arguments.len, (size_t)room, "%s\n", text);

    assert_true(len < room);
    arguments.len += (size_t)len;
}

static bool ends_well(pid_t pid)
{
    int status;

    return waitpid(pid, &status, 0) == pid && WIFEXITED(status) && !WEXITSTATUS(status);
}

#define HOLDS(expression)                                           \
    do {                                                            \
        pid_t pid = fork();                                         \
        if (!pid)                                                   \
            signal(SIGSEGV, SIG_DFL);                               \
        if (!pid)                                                   \
            _exit((expression) ? 0 : 1);                            \
        call_made(#expression);                                     \
        if (!ends_well(pid)) {                                      \
            print_message("not so, or a crash: %s\n", #expression); \
            arguments.wrong++;                                      \
        }                                                           \
    } while (0)
#define REFUSED(call)  HOLDS((call) == SR_E_INVAL)
#define NOTHING(call)  HOLDS(((call), true))
#define IS_ZERO(call)  HOLDS(!(call))
#define IS_EMPTY(call) HOLDS(!*(call))

static void all_hold(void)
{
    int wrong = arguments.wrong;

    arguments.wrong = 0;
    assert_int_equal(wrong, 0);
}

/* --- that none is forgotten -------------------------------------------------------- */

static char *header_text(const char *name)
{
    char path[512];
    FILE *file;
    char *text;
    size_t len;

    snprintf(path, sizeof path, "%s/smartrest/%s", PUBLIC_HEADERS, name);
    file = fopen(path, "r");
    if (!file)
        fail_msg("%s cannot be read", path);
    text = calloc(1, 65536);
    len = fread(text, 1, 65535, file);
    assert_in_range(len, 1, 65534);
    fclose(file);
    return text;
}

/* The function that a declaration declares, in `name`: what stands in front of its `(`. */
static void declared(const char *at, const char *open, char *name, size_t size)
{
    while (open > at && open[-1] == ' ')
        open--;
    at = open;
    while (strchr("abcdefghijklmnopqrstuvwxyz0123456789_", at[-1]))
        at--;
    snprintf(name, size, "%.*s", (int)(open - at), at);
}

static bool is_called(const char *name)
{
    const char *at = arguments.calls;
    size_t len = strlen(name);

    while ((at = strstr(at, name)) && at[len] != '(')
        at += len;
    return at;
}

/* Declarations begin a line; those without a pointer among their arguments need nothing. */
static int not_called(const char *header, const char *const *exceptions)
{
    char *text = header_text(header), *at = text, name[80];
    int missing = 0, functions = 0;

    while ((at = strstr(at, "\nSR_API "))) {
        char *open = strchr(at, '('), *close = strchr(at, ';'), *star;
        const char *const *exception = exceptions;

        at += 8;
        if (!open || open > close)
            continue;
        functions++;
        declared(at, open, name, sizeof name);
        star = strpbrk(open, "*;");
        while (*exception && strcmp(*exception, name))
            exception++;
        if (*star == '*' && !*exception && !is_called(name)) {
            print_message("%s: %s() is not given NULL\n", header, name);
            missing++;
        }
    }
    free(text);
    if (!functions)
        print_message("%s declares nothing\n", header);
    return missing + !functions;
}

/* Both lists end with NULL. */
static void expect_all_called(const char *const *headers, const char *const *exceptions)
{
    int missing = 0;

    for (; *headers; headers++)
        missing += not_called(*headers, exceptions);
    assert_int_equal(missing, 0);
}

#endif
