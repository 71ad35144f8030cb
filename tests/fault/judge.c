/* SPDX-License-Identifier: MIT */
#include "judge.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool judge_new(struct judge *judge, const struct ledger *ledger)
{
    *judge = (struct judge){ .ledger = ledger, .window = 1 };
    judge->connection = calloc(LEDGER_ROWS, sizeof *judge->connection);
    judge->payload = calloc(LEDGER_ROWS, sizeof *judge->payload);
    judge->sure = calloc(JUDGE_CONNECTIONS, sizeof *judge->sure);
    return judge->connection && judge->payload && judge->sure;
}

void judge_release(struct judge *judge)
{
    free(judge->connection);
    free(judge->payload);
    free(judge->sure);
}

bool judge_has(const struct judge *judge, uint32_t n)
{
    return judge->connection[n];
}

__attribute__((format(printf, 2, 3))) static void object(struct judge *judge,
                                                         const char *format, ...)
{
    va_list args;

    if (*judge->wrong)
        return;
    va_start(args, format);
    vsnprintf(judge->wrong, sizeof judge->wrong, format, args);
    va_end(args);
}

/* --- connections --------------------------------------------------- */

void judge_connection(struct judge *judge, unsigned window)
{
    uint32_t here = judge->payloads - judge->begin;

    judge->sure[judge->connections] =
        judge->payloads - (here < judge->window ? here : judge->window);
    judge->connections++;
    if (judge->connections == JUDGE_CONNECTIONS)
        abort();
    judge->window = window;
    judge->begin = judge->payloads;
    judge->behind = 0;
    judge->doubles_here = 0;
}

/* --- rows ----------------------------------------------------------------------- */

static void judge_double(struct judge *judge, uint32_t n)
{
    uint32_t c = judge->connection[n];

    judge->doubles++;
    judge->doubles_here++;
    if (judge->doubles_here > judge->doubles_most)
        judge->doubles_most = judge->doubles_here;
    if (c == judge->connections)
        object(judge, "row %u came twice on one connection", n);
    else if (judge->payload[n] < judge->sure[c])
        object(judge,
               "row %u came again, though it was acknowledged %u connections before", n,
               judge->connections - c);
}

static void judge_first(struct judge *judge, uint32_t n)
{
    uint8_t state = atomic_load(&judge->ledger->state[n]);

    if (state == LEDGER_UNTRIED || state == LEDGER_REFUSED)
        object(judge, "row %u arrived, and was %s", n,
               state == LEDGER_REFUSED ? "refused" : "never sent");
    if (n < judge->next && !judge->any_order)
        object(judge, "row %u arrived after row %u", n, judge->next - 1);
    if (n >= judge->next)
        judge->next = n + 1;
}

static void judge_row(struct judge *judge, uint32_t n)
{
    if (n >= LEDGER_ROWS) {
        object(judge, "row %u: there is no such number", n);
        return;
    }
    if (n < judge->behind && !judge->any_order)
        object(judge, "row %u came behind row %u on one connection", n,
               judge->behind - 1);
    judge->behind = n + 1;
    judge->in_payload = true;
    judge->rows++;
    if (judge_has(judge, n))
        judge_double(judge, n);
    else
        judge_first(judge, n);
    judge->connection[n] = judge->connections;
    judge->payload[n] = judge->payloads;
}

static void judge_line(struct judge *judge, const char *line, size_t len)
{
    char expected[LEDGER_TEXT];
    unsigned n = 0;

    if (len >= 3 && !memcmp(line, "15,", 3))
        return;
    if (sscanf(line, "200,%u,", &n) != 1 || ledger_text(n, expected) != len ||
        memcmp(line, expected, len))
        object(judge, "this is no row: %.*s", (int)(len < 100 ? len : 100), line);
    else
        judge_row(judge, n);
}

void judge_payload(struct judge *judge, const char *text, size_t len)
{
    while (len) {
        const char *end = memchr(text, '\n', len);
        size_t line = end ? (size_t)(end - text) : len;

        judge_line(judge, text, line);
        line += end != NULL;
        text += line;
        len -= line;
    }
    judge->payloads += judge->in_payload;
    judge->in_payload = false;
}

/* --- the end -------------------------------------------------------------------- */

static uint32_t first_missing(const struct judge *judge, uint32_t end)
{
    for (uint32_t n = 0; n < end; n++)
        if (!judge_has(judge, n) &&
            atomic_load(&judge->ledger->state[n]) == LEDGER_ACCEPTED)
            return n;
    return end;
}

bool judge_has_all(const struct judge *judge)
{
    uint32_t end = atomic_load(&judge->ledger->next);

    /* Most often the last one is missing: that is cheap to see. */
    while (end && atomic_load(&judge->ledger->state[end - 1]) != LEDGER_ACCEPTED)
        end--;
    return !end || (judge_has(judge, end - 1) && first_missing(judge, end) == end);
}

const char *judge_verdict(struct judge *judge)
{
    uint32_t end = atomic_load(&judge->ledger->next),
             missing = first_missing(judge, end);

    if (missing < end)
        object(judge, "row %u was accepted and never arrived", missing);
    for (uint32_t n = 0; n < end; n++)
        if (judge_has(judge, n) &&
            atomic_load(&judge->ledger->state[n]) == LEDGER_REFUSED)
            object(judge, "row %u was refused and arrived", n);
    return judge->wrong;
}
