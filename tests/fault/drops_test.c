/* SPDX-License-Identifier: MIT */
/* A line that drops publishes or requests at random: no innocent row is set aside, none is lost, no
 * twin is reported; with one row among 1,450 that ends each connection, or without.
 *
 *     SR_DROPS  per cent; not set: 5, 20, 50 and 80 in turn
 *     SR_SECONDS  how long, at least one round each
 *
 * The library's pauses are cut short, so that there are many drops in the time. */
#include "rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

enum { ROWS = 1450 };

struct sums {
    unsigned percent, rounds, drops, poison, found, tries;
    uint64_t rows, aside, lost, twins;
};

/* How many accepted rows have not arrived, without the poison. */
static uint32_t missing(const struct rig *rig, uint32_t poison)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < ROWS; i++)
        n += i != poison && !judge_has(&rig->lane.judge, i);
    return n;
}

static void sum_up(struct rig *rig, uint32_t poison, const char *text,
                   struct sums *sums)
{
    struct sr_reporter_stats stats;
    unsigned found;

    sr_reporter_stats(rig->reporter, &stats);
    found = stats.rows_quarantined && poison < ROWS && strstr(rig->text, text);
    sums->rounds++;
    sums->rows += ROWS;
    sums->drops += rig->lane.hung_up;
    sums->poison += poison < ROWS;
    sums->found += found;
    sums->tries += rig->lane.poisoned;
    sums->aside += stats.rows_quarantined - found;
    sums->twins += rig->began[SR_TROUBLE_TWIN];
    sums->lost += missing(rig, poison);
    if (poison < ROWS) /* it is in the quarantine file, or waits */
        sums->lost += !found && !stats.rows_waiting;
    if (*rig->lane.judge.wrong)
        fail_msg("%s", rig->lane.judge.wrong);
}

static void play(struct dice *dice, unsigned round, struct sums *sums)
{
    static const char *const batches[] = { "1", "10", "50", "512" };
    const char *settings[] = { "batch_rows", batches[dice_below(dice, 4)],
                               "outbox_sync", "interval", NULL };
    uint32_t poison = round % 2 ? dice_below(dice, ROWS) : ROWS;
    int64_t until = receiver_now_us() + 120 * 1000 * 1000ll;
    char text[LEDGER_TEXT];
    struct rig rig;

    rig_open(&rig, round % 4 < 2);
    rig.lane.dice = (struct dice){ dice_roll(dice) };
    rig.lane.hang_ups = sums->percent;
    rig.lane.late = 0;
    rig.lane.judge.any_order = true; /* others overtake a row on trial */
    ledger_text(poison, text);
    *(strrchr(text, ',') + 1) = '\0'; /* "200,<number>," */
    rig.lane.poison = poison < ROWS ? text : NULL;
    rig_start(&rig, rig.lane.outbox, settings);
    for (int i = 0; i < 10; i++) {
        rig_send(&rig, ROWS / 10);
        rig_turn(&rig, 5);
    }
    while (missing(&rig, poison) && receiver_now_us() < until)
        rig_turn(&rig, 20);
    sum_up(&rig, poison, text, sums);
    rig_close(&rig);
}

static void drop(unsigned percent, unsigned seconds, struct dice *dice)
{
    struct sums sums = { .percent = percent };
    int64_t until = receiver_now_us() + seconds * 1000 * 1000ll;

    do
        play(dice, sums.rounds, &sums);
    while (receiver_now_us() < until);
    printf(
        "%2u %%: %u rounds, %lu rows, %u drops; poison %u, found %u, after %u attempts "
        "together; innocent rows set aside %lu, lost %lu, twins %lu\n",
        percent, sums.rounds, (unsigned long)sums.rows, sums.drops, sums.poison,
        sums.found, sums.tries, (unsigned long)sums.aside, (unsigned long)sums.lost,
        (unsigned long)sums.twins);
    printf("tally: rows %lu drops %u aside %lu lost %lu\n", (unsigned long)sums.rows,
           sums.drops, (unsigned long)sums.aside, (unsigned long)sums.lost);
    fflush(stdout);
    assert_int_equal(sums.aside, 0);
    assert_int_equal(sums.lost, 0);
    assert_int_equal(sums.twins, 0);
}

static void a_line_that_drops_costs_no_row(void **state)
{
    static const unsigned percent[] = { 5, 20, 50, 80 };
    unsigned only = env_number("SR_DROPS", 0), seconds = env_number("SR_SECONDS", 2);
    struct dice dice = { 8 };

    (void)state;
    if (getenv("SR_SEED"))
        dice = dice_new();
    for (int i = 0; i < 4; i++)
        if (!only || percent[i] == only)
            drop(percent[i], seconds, &dice);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_that_drops_costs_no_row),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
