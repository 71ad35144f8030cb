/* SPDX-License-Identifier: MIT */
/* kill -9, again and again, at any moment: all that was accepted arrives, in order, and what
 * comes twice was under way. SR_KILLS says how often, SR_SECONDS for how long at least. */
#include "lane.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <smartrest/outbox.h>
#include <stdio.h>

#if defined(__SANITIZE_ADDRESS__)
enum { KILLS = 200 }; /* it is about the disk, and costs more here */
#else
enum { KILLS = 1000 };
#endif
enum { LANES = 6, PATIENCE_MS = 60 * 1000 };

static struct dice dice;
static struct lane lanes[LANES];
static unsigned segments; /* of all lanes, from first to last */

/* While it opens; under load; when it has had the time to become idle, or to fill up. */
static int64_t choose_life_us(struct dice *d)
{
    unsigned which = dice_below(d, 100);

    if (which < 10)
        return dice_below(d, 300);
    if (which < 25)
        return dice_below(d, 5000);
    return which < 85 ? dice_below(d, 40 * 1000) : dice_below(d, 150 * 1000);
}

static void begin(struct lane *lane)
{
    lane_conceive(lane);
    lane->hang_ups = dice_percent(&lane->dice, 15) ? 5 : 0;
    lane_start(lane);
    lane->kill_us = receiver_now_us() + choose_life_us(&lane->dice);
}

/* The last life sends nothing new, and lives as long as it takes. */
static void let_rest_arrive(void)
{
    for (int i = 0; i < LANES; i++) {
        lane_kill(&lanes[i]);
        lane_conceive(&lanes[i]);
        lanes[i].hang_ups = 0;
        lanes[i].life.rows = 0;
        lane_start(&lanes[i]);
    }
    lanes_drain(lanes, LANES, PATIENCE_MS);
}

struct findings {
    unsigned live;
    unsigned long long segment; /* the number of the last one */
};

static int look_at_row(void *arg, const struct sr_stored_row *row)
{
    struct findings *found = arg;

    found->live += !row->done;
    return 0;
}

static int look_at_file(void *arg, const struct sr_stored_file *file)
{
    struct findings *found = arg;
    unsigned long long number;

    if (sscanf(file->name, "%llu.seg", &number) == 1 && number > found->segment)
        found->segment = number;
    return 0;
}

/* The outbox of the last life, looked at from outside: the last acknowledgement may have been
 * on its way when that life ended. Returns how many segments it has ever had. */
static unsigned expect_empty_outbox(struct lane *lane)
{
    struct findings found = { 0 };
    const struct sr_outbox_visitor visitor = { look_at_file, look_at_row, &found };
    char why[256] = "";

    if (sr_outbox_scan(lane->outbox, &visitor, why, sizeof why))
        fail_msg("%s", why);
    assert_in_range(found.live, 0, lane->window * 512);
    return (unsigned)found.segment;
}

static void add_up(void)
{
    uint64_t rows = 0, doubles = 0, most = 0;
    unsigned kills = 0, in[LEDGER_PHASES] = { 0 }, backlog = 0, hung_up = 0,
             refused = 0;

    for (int i = 0; i < LANES; i++) {
        const struct lane *l = &lanes[i];

        rows += l->judge.rows - l->judge.doubles;
        doubles += l->judge.doubles;
        most = l->judge.doubles_most > most ? l->judge.doubles_most : most;
        kills += l->kills;
        backlog += l->kills_with_backlog;
        hung_up += l->hung_up;
        refused += ledger_count(l->ledger, LEDGER_REFUSED);
        for (int p = 0; p < LEDGER_PHASES; p++)
            in[p] += l->kills_in[p];
    }
    printf(
        "kills %u: starting %u, opened %u, running %u; with backlog %u; hung up %u\n",
        kills, in[LEDGER_STARTING], in[LEDGER_OPENED], in[LEDGER_RUNNING], backlog,
        hung_up);
    printf("rows refused %u; at most %llu doubles at once\n", refused,
           (unsigned long long)most);
    printf("segments %u\n", segments);
    printf("tally: kills %u rows %llu doubles %llu lost 0\n", kills,
           (unsigned long long)rows, (unsigned long long)doubles);
    /* All phases are hit, or this proves little; by few kills perhaps not. */
    if (kills >= 500) {
        assert_true(in[LEDGER_STARTING] && in[LEDGER_OPENED] && in[LEDGER_RUNNING]);
        assert_true(segments > kills / 10);
    }
    assert_true(backlog && backlog < kills);
    assert_true(rows > kills);
}

static void judge_all(void)
{
    for (int i = 0; i < LANES; i++) {
        const char *wrong = judge_verdict(&lanes[i].judge);

        if (*wrong)
            fail_msg("lane %d, by %s: %s", i, lanes[i].by_mqtt ? "MQTT" : "HTTP",
                     wrong);
        lane_kill(&lanes[i]);
        segments += expect_empty_outbox(&lanes[i]);
    }
}

static unsigned count_kills(void)
{
    unsigned kills = 0;

    for (int i = 0; i < LANES; i++)
        kills += lanes[i].kills;
    return kills;
}

static int close_lanes(void **state)
{
    (void)state;
    for (int i = 0; i < LANES; i++)
        lane_close(&lanes[i]);
    return 0;
}

static void kill_9_at_any_moment_loses_nothing(void **state)
{
    unsigned kills = env_number("SR_KILLS", KILLS);
    int64_t until = receiver_now_us() + env_number("SR_SECONDS", 0) * 1000000ll;

    (void)state;
    for (int i = 0; i < LANES; i++) {
        lane_open(&lanes[i], i % 2, dice_roll(&dice));
        lanes[i].judge.any_order = i >= LANES - 2;
        begin(&lanes[i]);
    }
    while (count_kills() < kills || receiver_now_us() < until) {
        lanes_turn(lanes, LANES, INT64_MAX);
        for (int i = 0; i < LANES; i++)
            if (receiver_now_us() >= lanes[i].kill_us) {
                lane_kill(&lanes[i]);
                begin(&lanes[i]);
            }
    }
    let_rest_arrive();
    judge_all();
    add_up();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(kill_9_at_any_moment_loses_nothing, close_lanes),
    };

    signal(SIGPIPE, SIG_IGN);
    dice = dice_new();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
