/* SPDX-License-Identifier: MIT */
#include "lane.h"
#include "support/child.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LANES_MAX = 16 };

/* --- the platform --------------------------------------------------------------- */

static void on_connected(void *arg)
{
    struct lane *lane = arg;

    judge_connection(&lane->judge, lane->window);
}

/* A platform that hangs up may have worked off the payload, or died before. */
static enum receiver_answer on_payload(void *arg, const char *text, size_t len)
{
    struct lane *lane = arg;
    bool hangs_up = dice_percent(&lane->dice, lane->hang_ups);

    if (lane->poison && memmem(text, len, lane->poison, strlen(lane->poison))) {
        lane->poisoned++;
        return RECEIVER_HANG_UP;
    }
    lane->hung_up += hangs_up;
    if (!hangs_up || dice_percent(&lane->dice, 50))
        judge_payload(&lane->judge, text, len);
    if (hangs_up)
        return RECEIVER_HANG_UP;
    return dice_percent(&lane->dice, lane->late) ? RECEIVER_ACK_LATE : RECEIVER_ACK;
}

/* --- opening, closing ----------------------------------------------------------- */

static void remove_tree(const char *dir)
{
    char command[128];

    snprintf(command, sizeof command, "rm -rf '%s'", dir);
    assert_int_equal(system(command), 0);
}

void lane_open(struct lane *lane, bool by_mqtt, uint64_t seed)
{
    const struct receiver_calls calls = { on_connected, on_payload, lane };

    *lane = (struct lane){ .by_mqtt = by_mqtt, .dice = { seed }, .late = 20 };
    strcpy(lane->dir, "/tmp/smartrest-fault.XXXXXX");
    assert_non_null(mkdtemp(lane->dir));
    snprintf(lane->outbox, sizeof lane->outbox, "%s/outbox", lane->dir);
    snprintf(lane->ledger_file, sizeof lane->ledger_file, "%s/ledger", lane->dir);
    lane->ledger = ledger_map(lane->ledger_file);
    assert_non_null(lane->ledger);
    assert_true(judge_new(&lane->judge, lane->ledger));
    lane->receiver = receiver_start(by_mqtt, &calls);
    assert_non_null(lane->receiver);
    snprintf(lane->server, sizeof lane->server, "http://127.0.0.1:%d",
             by_mqtt ? 9 : receiver_port(lane->receiver));
    snprintf(lane->broker, sizeof lane->broker, "mqtt://127.0.0.1:%d",
             receiver_port(lane->receiver));
}

void lane_close(struct lane *lane)
{
    if (!lane->receiver)
        return;
    if (lane->pid)
        lane_kill(lane);
    receiver_stop(lane->receiver);
    judge_release(&lane->judge);
    ledger_unmap(lane->ledger);
    remove_tree(lane->dir);
    lane->receiver = NULL;
}

/* --- lives ---------------------------------------------------------------------- */

static unsigned one_of(struct dice *dice, const unsigned *values, unsigned count)
{
    return values[dice_below(dice, count)];
}

static void choose_settings(struct lane *lane)
{
    static const char *const syncs[] = { "row", "batch", "interval" };
    static const unsigned capacities[] = { 262144, 393216, 1048576 },
                          batches[] = { 1, 8, 64, 512 };
    struct life *life = &lane->life;
    struct dice *dice = &lane->dice;

    lane->window = lane->by_mqtt ? dice_between(dice, 1, 4) : 1;
    life_set_number(life, "outbox_capacity", one_of(dice, capacities, 3));
    life_set(life, "outbox_sync", syncs[dice_below(dice, 3)]);
    life_set(life, "outbox_sync_interval", "20");
    life_set(life, "full_buffered", "refuse");
    life_set(life, "replay_order", lane->judge.any_order ? "live_first" : "strict");
    life_set_number(life, "window", lane->window);
    life_set_number(life, "batch_rows", one_of(dice, batches, 4));
    life_set_number(life, "linger", dice_below(dice, 6));
}

/* Some only send what is there, some send a little and are idle, some never stop. */
static void choose_load(struct life *life, struct dice *dice)
{
    static const unsigned rows[] = { 0, 30, 300, 1000000, 1000000 };

    life->rows = one_of(dice, rows, 5);
    life->burst = dice_percent(dice, 30) ? 100 : 10;
    life->pause_us = dice_between(dice, 200, 5000);
}

void lane_conceive(struct lane *lane)
{
    lane->life = (struct life){
        .dir = lane->outbox,
        .server = lane->server,
        .broker = lane->by_mqtt ? lane->broker : NULL,
        .device = "fault-1",
        .seed = dice_roll(&lane->dice),
        .ledger = lane->ledger,
    };
    lane->kill_us = INT64_MAX;
    choose_settings(lane);
    choose_load(&lane->life, &lane->dice);
}

/* True in the child. */
static bool give_birth(struct lane *lane)
{
    assert_int_equal(lane->pid, 0);
    fflush(NULL);
    atomic_store(&lane->ledger->phase, LEDGER_STARTING);
    lane->pid = fork();
    assert_true(lane->pid >= 0);
    if (lane->pid)
        return false;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    close_range(3, ~0u, 0);
    return true;
}

void lane_start(struct lane *lane)
{
    if (give_birth(lane))
        _exit(life_lead(&lane->life));
}

void lane_start_program(struct lane *lane, const char *const *variables)
{
    if (!give_birth(lane))
        return;
    for (; *variables; variables++)
        putenv((char *)(uintptr_t)*variables);
    execv(FAULT_AGENT, life_words(&lane->life, lane->ledger_file));
    _exit(99);
}

static void note_kill(struct lane *lane)
{
    uint32_t phase = atomic_load(&lane->ledger->phase);

    lane->kills++;
    lane->kills_in[phase < LEDGER_PHASES ? phase : LEDGER_STARTING]++;
    lane->kills_with_backlog += !judge_has_all(&lane->judge);
}

static void expect_killed(struct lane *lane, int status)
{
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
        fail_msg("an agent ended by itself, with status %#x", (unsigned)status);
    lane->pid = 0;
}

/* The last bytes of the dead are read while it is known whose they are. */
void lane_kill(struct lane *lane)
{
    int status;

    child_signal(lane->pid, SIGKILL);
    assert_int_equal(waitpid(lane->pid, &status, 0), lane->pid);
    expect_killed(lane, status);
    receiver_turn(lane->receiver);
    note_kill(lane);
}

/* --- turning -------------------------------------------------------------------- */

static void check_alive(struct lane *lane)
{
    int status;

    if (*lane->judge.wrong)
        fail_msg("%s", lane->judge.wrong);
    if (lane->pid && waitpid(lane->pid, &status, WNOHANG) == lane->pid) {
        lane->pid = 0;
        fail_msg("an agent ended by itself, with status %#x", (unsigned)status);
    }
}

static int64_t min(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

void lanes_turn(struct lane *lanes, size_t count, int64_t until_us)
{
    struct pollfd fds[LANES_MAX * RECEIVER_FDS];
    struct timespec wait;
    size_t n = 0;
    int64_t us;

    assert_in_range(count, 1, LANES_MAX);
    for (size_t i = 0; i < count; i++) {
        n += receiver_fds(lanes[i].receiver, fds + n);
        until_us = min(until_us, receiver_due_us(lanes[i].receiver));
        until_us = min(until_us, lanes[i].kill_us);
    }
    us = min(until_us - receiver_now_us(), 100 * 1000);
    us = us < 0 ? 0 : us;
    wait = (struct timespec){ .tv_nsec = us * 1000 };
    ppoll(fds, n, &wait, NULL);
    for (size_t i = 0; i < count; i++) {
        receiver_turn(lanes[i].receiver);
        check_alive(&lanes[i]);
    }
}

void lanes_drain(struct lane *lanes, size_t count, unsigned patience_ms)
{
    int64_t until = receiver_now_us() + patience_ms * 1000ll;
    size_t done = 0;

    while (done < count && receiver_now_us() < until) {
        lanes_turn(lanes, count, until);
        for (done = 0; done < count && judge_has_all(&lanes[done].judge); done++)
            ;
    }
}
