/* SPDX-License-Identifier: MIT */
/* Whole programs, a whole sandbox on a real broker, by HTTP and by MQTT: agents and servers are
 * killed, lines fall silent, the network is away for longer than the outbox has room. SR_KILLS
 * says how often agents are killed. */
#include "dice.h"
#include "namespace.h"
#include "station.h"

#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

enum { KILLS = 40 };

static struct dice dice;
static struct world world;
static struct station stations[2];
static bool filters; /* packets, in a network of our own */

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

static void open_stations(const char *name)
{
    char id[32];

    for (int i = 0; i < 2; i++) {
        snprintf(id, sizeof id, "%s-%s", name, i ? "mqtt" : "http");
        station_open(&stations[i], &world, id, i);
        stations[i].life.seed = dice_roll(&dice);
    }
}

static int close_stations(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++)
        station_close(&stations[i]);
    return 0;
}

static void tell(void)
{
    for (int i = 0; i < 2; i++)
        printf("tally: kills %u rows %llu doubles %llu %s %llu\n", stations[i].kills,
               (unsigned long long)stations[i].arrived,
               (unsigned long long)stations[i].doubles,
               stations[i].life.may_lose ? "dropped-and-told" : "lost",
               (unsigned long long)stations[i].missing);
}

static void drain_stations(void)
{
    for (int i = 0; i < 2; i++)
        station_drain(&stations[i]);
}

/* --- kills ---------------------------------------------------------------------- */

static void pause_ms(unsigned ms)
{
    poll(NULL, 0, (int)ms);
}

/* Broker and HTTP server in the middle of what the agents send. */
static void kill_platform(void)
{
    world_kill(&world);
    pause_ms(dice_below(&dice, 100));
    world_start(&world, "--auto-accept");
}

static void agents_and_platform_killed_at_any_moment_lose_nothing(void **state)
{
    unsigned kills = env_number("SR_KILLS", KILLS);

    (void)state;
    open_stations("killed");
    for (int i = 0; i < 2; i++)
        station_start(&stations[i], 1000000);
    for (unsigned k = 0; k < kills; k++) {
        struct station *s = &stations[k % 2];

        pause_ms(dice_between(&dice, 5, 120));
        if (k % 10 == 9)
            kill_platform();
        station_kill(s);
        station_start(s, 1000000);
    }
    for (int i = 0; i < 2; i++)
        station_await_accepted(&stations[i], station_accepted(&stations[i]) + 50);
    drain_stations();
    tell();
}

/* --- silence -------------------------------------------------------------------- */

/* Until the agents must have noticed: they wait a second for an acknowledgement. */
enum { SILENCE_MS = 2500 };

static void blackhole(bool silent)
{
    for (int i = 0; i < 2; i++) {
        if (silent) {
            fault_proxy_blackhole(stations[i].http);
            fault_proxy_blackhole(stations[i].mqtt);
        } else {
            fault_proxy_pass(stations[i].http);
            fault_proxy_pass(stations[i].mqtt);
        }
    }
}

/* Drops what goes to, or comes from, the proxies: neither end hears that the line is cut. */
static void drop_packets(bool silent)
{
    if (!silent) {
        assert_true(namespace_run("nft delete table inet fault"));
        return;
    }
    assert_true(namespace_run("nft add table inet fault"));
    assert_true(namespace_run("nft add chain inet fault in "
                              "'{ type filter hook input priority 0; }'"));
    for (int i = 0; i < 2; i++) {
        int port = fault_proxy_port(i ? stations[i].mqtt : stations[i].http);

        assert_true(
            namespace_run("nft add rule inet fault in tcp dport %d drop", port));
        assert_true(
            namespace_run("nft add rule inet fault in tcp sport %d drop", port));
    }
}

/* With one kill in the silence, so that the rows of it are the disk's. */
static void survive_silence(const char *name, void (*silence)(bool silent))
{
    open_stations(name);
    for (int i = 0; i < 2; i++)
        station_start(&stations[i], 1000000);
    for (int i = 0; i < 2; i++) {
        station_await_accepted(&stations[i], 100);
        station_await_flow(&stations[i]);
    }
    silence(true);
    pause_ms(SILENCE_MS);
    station_kill(&stations[0]);
    station_kill(&stations[1]);
    silence(false);
    for (int i = 0; i < 2; i++)
        station_start(&stations[i], 1000000);
    for (int i = 0; i < 2; i++)
        station_await_flow(&stations[i]);
    silence(true);
    pause_ms(SILENCE_MS);
    silence(false);
    for (int i = 0; i < 2; i++)
        station_await_flow(&stations[i]);
    drain_stations();
    tell();
}

static void lines_that_fall_silent_lose_nothing(void **state)
{
    (void)state;
    survive_silence("hole", blackhole);
}

static void packets_that_are_dropped_lose_nothing(void **state)
{
    (void)state;
    if (!filters) {
        open_stations("dropped");
        skip();
    }
    survive_silence("dropped", drop_packets);
}

/* --- losses --------------------------------------------------------------------- */

/* Rows that the events of the device say are lost. */
static uint64_t told_lost(const struct station *s)
{
    json_t *list = operator_get(&world,
                                "/event/events?source=%s&type=c8y_smartrest_RowsLost"
                                "&pageSize=100",
                                s->object);
    json_t *event;
    uint64_t rows = 0;
    size_t i;

    json_array_foreach(json_object_get(list, "events"), i, event)
    {
        json_t *lost = json_object_get(event, "c8y_smartrest_RowsLost");

        rows += (uint64_t)json_number_value(json_object_get(lost, "buffered"));
        assert_int_equal(json_number_value(json_object_get(lost, "volatile")), 0);
    }
    json_decref(list);
    return rows;
}

/* Every row has arrived, or is told lost. */
static bool has_truth(void *arg)
{
    struct station *s = arg;

    return station_count(s) > 0 && told_lost(s) >= s->missing;
}

static bool has_empty_outbox(void *arg)
{
    struct station *s = arg;

    return !station_rows_on_disk(s);
}

/* Nothing is under way when the line is cut: a row whose acknowledgement gets lost would be told
 * lost if it is dropped, and have arrived all the same. */
static void cut_off_at_rest(struct station *s)
{
    atomic_store(&s->ledger->halt, 60);
    station_start(s, 20000);
    station_await_accepted(s, 60);
    await_true(has_empty_outbox, s, "all rows to be acknowledged");
    fault_proxy_cut(s->http, FAULT_RESET);
    fault_proxy_cut(s->mqtt, FAULT_RESET);
    fault_proxy_refuse(s->http);
    fault_proxy_refuse(s->mqtt);
    atomic_store(&s->ledger->halt, 0);
}

/* The outbox overflows while the line is cut; the agent is killed twice before it is back. Then
 * it sends nothing: what a full outbox drops after the connect is told a minute later only. */
static void overflow_while_cut_off(struct station *s)
{
    s->life.may_lose = true;
    life_set(&s->life, "outbox_capacity", "262144");
    s->life.burst = 50;
    cut_off_at_rest(s);
    station_await_accepted(s, 15000);
    station_kill(s);
    station_start(s, 0);
    pause_ms(dice_below(&dice, 100));
    station_kill(s);
    fault_proxy_pass(s->http);
    fault_proxy_pass(s->mqtt);
    station_start(s, 0);
}

static void await_truth(struct station *s)
{
    await_true(has_truth, s, "the event about lost rows");
    assert_int_equal(told_lost(s), s->missing);
}

/* New rows go through, and no more are lost. */
static void send_on(struct station *s)
{
    uint32_t before = station_accepted(s);
    uint64_t missing = s->missing;

    station_kill(s);
    station_start(s, 10);
    station_await_accepted(s, before + 10);
    await_truth(s);
    assert_int_equal(s->missing, missing);
}

static void a_cut_longer_than_the_bound_is_told_as_it_was(void **state)
{
    (void)state;
    open_stations("long");
    for (int i = 0; i < 2; i++)
        overflow_while_cut_off(&stations[i]);
    for (int i = 0; i < 2; i++) {
        await_truth(&stations[i]);
        assert_true(stations[i].missing > 5000);
        send_on(&stations[i]);
    }
    tell();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(agents_and_platform_killed_at_any_moment_lose_nothing,
                                  close_stations),
        cmocka_unit_test_teardown(lines_that_fall_silent_lose_nothing, close_stations),
        cmocka_unit_test_teardown(packets_that_are_dropped_lose_nothing,
                                  close_stations),
        cmocka_unit_test_teardown(a_cut_longer_than_the_bound_is_told_as_it_was,
                                  close_stations),
    };

    signal(SIGPIPE, SIG_IGN);
    dice = dice_new();
    filters = namespace_enter(CLONE_NEWNET) && namespace_run("nft list ruleset");
    if (!filters)
        puts("packets cannot be dropped here: no nft, or not allowed");
    return cmocka_run_group_tests(tests, start, end);
}
