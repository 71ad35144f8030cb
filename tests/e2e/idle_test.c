/* SPDX-License-Identifier: MIT */
/* What an idle agent costs: it wakes for its own deadlines and for nothing else. */
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct world world;

static int start(void **state)
{
    (void)state;
    world_prepare(&world);
    world_start(&world, "--auto-accept");
    return 0;
}

static int end(void **state)
{
    (void)state;
    world_end(&world);
    return 0;
}

/* How often the kernel has put the process's threads to sleep. */
static long switches(const struct program *program)
{
    char path[64], line[128];
    long n = -1;
    FILE *status;

    snprintf(path, sizeof path, "/proc/%d/status", (int)program->pid);
    status = fopen(path, "r");
    assert_non_null(status);
    while (fgets(line, sizeof line, status))
        if (!strncmp(line, "voluntary_ctxt_switches:", 24))
            n = atol(line + 24);
    fclose(status);
    assert_true(n >= 0);
    return n;
}

static const char *nth(const char *text, const char *word, int n)
{
    while (n-- && text)
        if ((text = strstr(text, word)))
            text += strlen(word);
    return text;
}

/* Waits for the timer to fire the nth time; returns the loop's own count. */
static long await_firing(struct program *agent, int n)
{
    while (!nth(agent->text[0], "fired ", n)) {
        program_await(agent, "fired ");
        program_drain(agent);
    }
    return atol(nth(agent->text[0], "fired ", n));
}

/* From the 1st to the 8th firing 70 s pass: 7 timers, one PINGREQ, one PINGRESP. The PINGREQ may
 * be due in the very millisecond of a timer, and goes in its turn. */
static void idle_agent_wakes_for_its_deadlines_and_nothing_else(void **state)
{
    struct program agent;
    char credentials[256];
    const char *argv[] = { IDLE_AGENT, "-s",   world.server, "-b",        world.broker,
                           "-d",       "idle", "-c",         credentials, NULL };
    long first, last, before, after;

    (void)state;
    snprintf(credentials, sizeof credentials, "%s/idle.credentials", world.sandbox.dir);
    program_start(&agent, argv);
    first = await_firing(&agent, 1);
    before = switches(&agent);
    last = await_firing(&agent, 8);
    after = switches(&agent);

    print_message("turns of the loop: %ld, sleeps of the process: %ld\n", last - first,
                  after - before);
    assert_in_range(last - first, 7 + 1, 7 + 2);
    /* The pipe to us may add one: the agent sleeps while its line is taken. On a busy machine there
     * are fewer: what is due is due already when it comes to sleep. */
    assert_in_range(after - before, 0, last - first + 1);
    program_kill(&agent);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(idle_agent_wakes_for_its_deadlines_and_nothing_else),
    };

    return cmocka_run_group_tests(tests, start, end);
}
