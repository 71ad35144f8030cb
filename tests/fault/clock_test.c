/* SPDX-License-Identifier: MIT */
/* A wall clock that jumps both ways, while agents live and between their lives: nothing stalls,
 * nothing is lost, and rows with a time to live do not expire before it is over. The clock is
 * libfaketime's (Debian package faketime), in programs of their own. */
#include "lane.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { CAN_PRELOAD = 0 }; /* their runtimes want to be the first library */
#else
enum { CAN_PRELOAD = 1 };
#endif

static struct dice dice;
static struct lane lane;
static char clock_file[96], clock_variable[128], preload[128];

/* libfaketime reads the file anew for each look at the clock. */
static void set_clock(const char *offset)
{
    char beside[104];
    FILE *file;

    snprintf(beside, sizeof beside, "%s.new", clock_file);
    file = fopen(beside, "w");
    assert_non_null(file);
    fprintf(file, "%s\n", offset);
    fclose(file);
    assert_int_equal(rename(beside, clock_file), 0);
}

static int set_up(void **state)
{
    (void)state;
    lane_open(&lane, true, dice_roll(&dice));
    snprintf(clock_file, sizeof clock_file, "%s/clock", lane.dir);
    snprintf(clock_variable, sizeof clock_variable, "FAKETIME_TIMESTAMP_FILE=%s",
             clock_file);
    set_clock("+0");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    lane_close(&lane);
    return 0;
}

static void start(uint32_t rows, const char *sync)
{
    const char *const variables[] = { preload,
                                      clock_variable,
                                      "FAKETIME_NO_CACHE=1",
                                      "FAKETIME_DONT_FAKE_MONOTONIC=1",
                                      "DONT_FAKE_MONOTONIC=1",
                                      NULL };

    lane_conceive(&lane);
    life_set(&lane.life, "outbox_sync", sync);
    life_set(&lane.life, "outbox_capacity", "1048576");
    lane.life.rows = rows;
    lane.life.burst = 10;
    lane.life.pause_us = 4000;
    lane.life.ttl_s = 3600;
    lane_start_program(&lane, variables);
}

static uint32_t accepted(void)
{
    return ledger_count(lane.ledger, LEDGER_ACCEPTED);
}

static void await_accepted(uint32_t rows)
{
    int64_t until = receiver_now_us() + 30 * 1000000ll;

    while (accepted() < rows && receiver_now_us() < until)
        lanes_turn(&lane, 1, receiver_now_us() + 5000);
    assert_true(accepted() >= rows);
}

static void expect_all(void)
{
    lanes_drain(&lane, 1, 30 * 1000);
    if (*judge_verdict(&lane.judge))
        fail_msg("%s", lane.judge.wrong);
}

static const char *const jumps[] = { "+10y", "-10y", "+1d",  "-3650d", "+0",
                                     "+20d", "-1d",  "-30y", "+5y",    "-2h" };
enum { JUMPS = sizeof jumps / sizeof *jumps };

static void a_clock_that_jumps_under_a_running_agent_stalls_and_loses_nothing(
    void **state)
{
    (void)state;
    start(1000000, "interval");
    for (int i = 0; i < JUMPS; i++) {
        uint32_t arrived = lane.judge.next;

        set_clock(jumps[i]);
        await_accepted(accepted() + 60);
        /* What is accepted from now on arrives from now on. */
        for (int64_t until = receiver_now_us() + 30 * 1000000ll;
             lane.judge.next < arrived + 40 && receiver_now_us() < until;)
            lanes_turn(&lane, 1, until);
        assert_true(lane.judge.next >= arrived + 40);
    }
    lane_kill(&lane);
    start(0, "batch");
    expect_all();
}

/* The rows wait on disk meanwhile; their time to live is counted by the boot's clock. */
static void a_clock_that_jumps_between_lives_expires_nothing(void **state)
{
    (void)state;
    for (int i = 0; i < JUMPS; i++) {
        receiver_set_deaf(lane.receiver, i % 3 != 2);
        set_clock(jumps[i]);
        start(40, "batch");
        await_accepted(accepted() + 40);
        lane_kill(&lane);
    }
    receiver_set_deaf(lane.receiver, false);
    set_clock("+15y");
    start(0, "batch");
    expect_all();
    assert_in_range(lane.judge.rows - lane.judge.doubles, 40 * JUMPS, 40 * JUMPS);
}

static bool find_library(void)
{
    glob_t found;
    bool there = !glob("/usr/lib/*/faketime/libfaketimeMT.so.1", 0, NULL, &found);

    if (there)
        snprintf(preload, sizeof preload, "LD_PRELOAD=%s", found.gl_pathv[0]);
    globfree(&found);
    return there && CAN_PRELOAD;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            a_clock_that_jumps_under_a_running_agent_stalls_and_loses_nothing, set_up,
            tear_down),
        cmocka_unit_test_setup_teardown(
            a_clock_that_jumps_between_lives_expires_nothing, set_up, tear_down),
    };

    signal(SIGPIPE, SIG_IGN);
    dice = dice_new();
    if (!find_library()) {
        puts("libfaketime is not there, or a sanitizer does not allow it");
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
