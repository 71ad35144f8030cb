/* SPDX-License-Identifier: MIT */
#include "station.h"
#include "support/child.h"

#include <poll.h>
#include <signal.h>
#include <smartrest/outbox.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

void station_open(struct station *s, struct world *world, const char *id, bool by_mqtt)
{
    *s = (struct station){ .world = world, .by_mqtt = by_mqtt };
    snprintf(s->id, sizeof s->id, "%s", id);
    snprintf(s->outbox, sizeof s->outbox, "%s/%s.outbox", world->sandbox.dir, id);
    snprintf(s->credentials, sizeof s->credentials, "%s/%s.credentials",
             world->sandbox.dir, id);
    snprintf(s->ledger_file, sizeof s->ledger_file, "%s/%s.ledger", world->sandbox.dir,
             id);
    s->http = fault_proxy_start((uint16_t)world->sandbox.http_port);
    s->mqtt = fault_proxy_start((uint16_t)world->sandbox.mqtt_port);
    s->ledger = ledger_map(s->ledger_file);
    assert_true(s->http && s->mqtt && s->ledger);
    snprintf(s->server, sizeof s->server, "http://127.0.0.1:%d",
             fault_proxy_port(s->http));
    snprintf(s->broker, sizeof s->broker, "mqtt://127.0.0.1:%d",
             fault_proxy_port(s->mqtt));
    s->life = (struct life){ .dir = s->outbox,
                             .server = s->server,
                             .broker = by_mqtt ? s->broker : NULL,
                             .device = s->id,
                             .credentials = s->credentials,
                             .burst = 5,
                             .pause_us = 5000,
                             .ledger = s->ledger };
    life_set_number(&s->life, "window", by_mqtt ? STATION_WINDOW : 1);
    life_set_number(&s->life, "batch_rows", STATION_BATCH);
    life_set(&s->life, "linger", "5");
    life_set(&s->life, "keepalive", "5");
    life_set(&s->life, "request_timeout", "1000");
    life_set(&s->life, "connect_timeout", "1000");
    life_set(&s->life, "outbox_capacity", "1048576");
}

void station_close(struct station *s)
{
    if (s->pid)
        station_kill(s);
    fault_proxy_stop(s->http);
    fault_proxy_stop(s->mqtt);
    ledger_unmap(s->ledger);
}

/* --- lives ---------------------------------------------------------------------- */

void station_start(struct station *s, uint32_t rows)
{
    assert_int_equal(s->pid, 0);
    s->life.rows = rows;
    s->life.seed++;
    fflush(NULL);
    s->pid = fork();
    assert_true(s->pid >= 0);
    if (s->pid)
        return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    close_range(3, ~0u, 0);
    execv(FAULT_AGENT, life_words(&s->life, s->ledger_file));
    _exit(99);
}

void station_kill(struct station *s)
{
    int status;

    child_signal(s->pid, SIGKILL);
    assert_int_equal(waitpid(s->pid, &status, 0), s->pid);
    s->pid = 0;
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
        fail_msg("%s: the agent ended by itself, with status %#x", s->id,
                 (unsigned)status);
    s->kills++;
}

uint32_t station_accepted(const struct station *s)
{
    return ledger_count(s->ledger, LEDGER_ACCEPTED);
}

static int count_row(void *arg, const struct sr_stored_row *row)
{
    unsigned *rows = arg;

    *rows += !row->done && !row->quarantined;
    return 0;
}

unsigned station_rows_on_disk(const struct station *s)
{
    unsigned rows = 0;
    const struct sr_outbox_visitor visitor = { .row = count_row, .arg = &rows };

    sr_outbox_scan(s->outbox, &visitor, NULL, 0);
    return rows;
}

struct wish {
    struct station *station;
    uint32_t rows;
};

static bool has_accepted(void *arg)
{
    const struct wish *wish = arg;

    return station_accepted(wish->station) >= wish->rows;
}

void station_await_accepted(struct station *s, uint32_t rows)
{
    struct wish wish = { s, rows };

    await_true(has_accepted, &wish, "rows to be accepted");
}

/* --- what has arrived ----------------------------------------------------------- */

struct arrival {
    long long id; /* grows in the order of arrival */
    uint32_t n;
};

static int by_id(const void *a, const void *b)
{
    const struct arrival *x = a, *y = b;

    return (x->id > y->id) - (x->id < y->id);
}

static struct arrival *ask(struct station *s, size_t *ret_count)
{
    json_t *all = operator_await_measurements(s->world, s->object, 0);
    struct arrival *arrivals = calloc(json_array_size(all) + 1, sizeof *arrivals);
    json_t *m;
    size_t i;

    json_array_foreach(all, i, m)
    {
        json_t *n = json_object_get(json_object_get(m, "e2e"), "n");

        arrivals[i].id = atoll(json_string_value(json_object_get(m, "id")));
        arrivals[i].n = (uint32_t)json_number_value(json_object_get(n, "value"));
    }
    *ret_count = json_array_size(all);
    qsort(arrivals, *ret_count, sizeof *arrivals, by_id);
    json_decref(all);
    return arrivals;
}

/* A connection that ends is seen as a step back in the numbers; behind it so many rows may be
 * there again as were under way. */
static void judge_order(struct station *s, const struct arrival *arrivals, size_t count,
                        uint8_t *arrived)
{
    unsigned bound = STATION_BATCH * (s->by_mqtt ? STATION_WINDOW : 1), again = 0;
    uint32_t next = 0, before = 0;

    s->doubles = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t n = arrivals[i].n;

        assert_in_range(n, 0, LEDGER_ROWS - 1);
        again = n < before ? 0 : again;
        before = n;
        if (!arrived[n] && n < next)
            fail_msg("%s: row %u arrived after row %u", s->id, n, next - 1);
        s->doubles += arrived[n];
        again += arrived[n];
        if (again > bound)
            fail_msg("%s: more than %u rows came again, up to %u", s->id, bound, n);
        arrived[n] = 1;
        next = n >= next ? n + 1 : next;
    }
}

static void judge_rows(struct station *s, const uint8_t *arrived)
{
    s->missing = s->arrived = 0;
    for (uint32_t n = 0; n < atomic_load(&s->ledger->next); n++) {
        uint8_t state = atomic_load(&s->ledger->state[n]);

        s->missing += state == LEDGER_ACCEPTED && !arrived[n];
        s->arrived += arrived[n];
        if (arrived[n] && state == LEDGER_REFUSED)
            fail_msg("%s: row %u was refused and arrived", s->id, n);
    }
}

uint64_t station_count(struct station *s)
{
    uint8_t *arrived = calloc(LEDGER_ROWS, 1);
    struct arrival *arrivals;
    size_t count;

    if (!*s->object)
        operator_find_device(s->world, s->id, s->object);
    arrivals = ask(s, &count);
    judge_order(s, arrivals, count, arrived);
    judge_rows(s, arrived);
    free(arrivals);
    free(arrived);
    return s->missing;
}

static bool has_all(void *arg)
{
    return !station_count(arg);
}

void station_drain(struct station *s)
{
    if (s->pid)
        station_kill(s);
    station_start(s, 0);
    await_true(has_all, s, "all rows");
}

/* More than were accepted by then. */
static bool has_newer(void *arg)
{
    const struct wish *wish = arg;
    struct station *s = wish->station;

    station_count(s);
    return s->arrived > wish->rows;
}

void station_await_flow(struct station *s)
{
    struct wish wish = { s, station_accepted(s) };

    await_true(has_newer, &wish, "rows to flow");
}
