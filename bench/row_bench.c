/* SPDX-License-Identifier: MIT */
/* row_bench [rows [KIND]]: what a row costs the agent's thread from sr_agent_send() to its PUBACK,
 * sent in full batches to a broker in another thread. KIND is one of
 *
 *     ready    a row that is ready; the default
 *     sendf    one that sr_agent_sendf() makes
 *     disk     a ready one with SR_PRIO_BUF, and the outbox on disk, under /var/tmp
 *
 * scripts/bench has it counted in instructions. */
#include "support/run.h"
#include "support/scripted_broker.h"
#include <smartrest/smartrest.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 512 };

static char dir[] = "/var/tmp/row_bench.XXXXXX";

static _Noreturn void die(const char *why)
{
    fprintf(stderr, "row_bench: %s\n", why);
    exit(1);
}

static void behave(struct broker_connection *connection, void *arg)
{
    (void)arg;
    if (broker_welcome(connection))
        broker_serve(connection);
}

/* --- kinds of rows ---------------------------------------------------------------- */

static int send_ready(struct sr_agent *agent, long i)
{
    (void)i;
    return sr_agent_send(agent, "103,24871,42.5", 0);
}

static int send_made(struct sr_agent *agent, long i)
{
    return sr_agent_sendf(agent, "103,%s,%.1f", "24871", (double)(i % 1000) / 10);
}

static int send_to_disk(struct sr_agent *agent, long i)
{
    (void)i;
    return sr_agent_send(agent, "103,24871,42.5", SR_PRIO_BUF);
}

struct kind {
    const char *name;
    int (*send)(struct sr_agent *agent, long i);
    bool on_disk;
};

static const struct kind kinds[] = {
    {"ready",  send_ready,   false},
    { "sendf", send_made,    false},
    { "disk",  send_to_disk, true },
};

static const struct kind *find_kind(const char *name)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (!strcmp(kinds[i].name, name))
            return &kinds[i];
    die("usage: row_bench [rows [ready | sendf | disk]], at least 1 row");
}

/* --- the run ------------------------------------------------------------------------ */

static void start(struct sr_agent **ret_agent, struct sr_reporter **ret_reporter,
                  const struct broker *broker, const struct kind *kind)
{
    char url[64];

    snprintf(url, sizeof url, "mqtt://127.0.0.1:%u", (unsigned)broker_port(broker));
    if (sr_agent_new("http://127.0.0.1:9", "bench", ret_agent) ||
        sr_agent_set_credentials(*ret_agent, "t", "device_bench", "x") ||
        sr_agent_set_xid(*ret_agent, "1") || sr_agent_set_id(*ret_agent, "24871") ||
        (kind->on_disk && (!mkdtemp(dir) || sr_agent_open_outbox(*ret_agent, dir))) ||
        sr_reporter_new_mqtt(*ret_agent, url, ret_reporter) ||
        sr_reporter_start(*ret_reporter))
        die(sr_agent_error(*ret_agent));
}

static void run(struct sr_agent *agent, struct sr_reporter *reporter,
                const struct kind *kind, long rows)
{
    struct sr_reporter_stats stats = { 0 };

    for (long sent = 0; sent < rows;) {
        for (int i = 0; i < BATCH && sent < rows; i++, sent++)
            if (kind->send(agent, sent))
                die(sr_agent_error(agent));
        while (stats.rows_acked < (uint64_t)sent) {
            turn(agent);
            sr_reporter_stats(reporter, &stats);
        }
    }
}

static double thread_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void remove_outbox(const struct kind *kind)
{
    char command[sizeof dir + 16];

    if (!kind->on_disk)
        return;
    snprintf(command, sizeof command, "rm -r '%s'", dir);
    if (system(command))
        die("the outbox could not be removed");
}

int main(int argc, char **argv)
{
    const long rows = argc > 1 ? atol(argv[1]) : 1000000;
    const struct kind *kind = find_kind(argc > 2 ? argv[2] : "ready");
    struct broker *broker;
    struct sr_agent *agent = NULL;
    struct sr_reporter *reporter = NULL;
    double began;

    if (rows < 1)
        find_kind("");
    broker = broker_start(0, behave, NULL);
    if (!broker)
        die("no broker");
    start(&agent, &reporter, broker, kind);
    began = thread_s();
    run(agent, reporter, kind, rows);
    printf("%s: %ld rows, %.0f ns of processor time each\n", kind->name, rows,
           1e9 * (thread_s() - began) / (double)rows);
    sr_agent_free(agent);
    broker_stop(broker);
    remove_outbox(kind);
    return 0;
}
