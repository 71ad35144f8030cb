/* SPDX-License-Identifier: MIT */
/* An agent for tests: sends measurements 0, 1, 2 ... from a thread of its own and ends
 * when the last one is acknowledged.
 *
 *     load_agent ROWS ROWS_PER_SECOND [WORD...] [options of the examples]
 *
 *   http             by HTTP rather than MQTT
 *   keepalive=S      seconds, by MQTT
 *   templates=NAME   registered under that name
 *   operations=N     also carries out restart operations, those that come (by HTTP with
 *                    device push) and those that are pending when it asks, and ends
 *                    after N different ones */
#include <pthread.h>
#include <signal.h>
#include <smartrest/smartrest.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { OPERATIONS_MAX = 64 };

static const char srtemplate[] =
    "10,100,GET,/identity/externalIds/c8y_Serial/%%,,application/json,%%,STRING,\n"
    "10,101,POST,/inventory/managedObjects,application/json,application/json,%%,,"
    "\"{\"\"name\"\":\"\"Load\"\",\"\"c8y_IsDevice\"\":{},"
    "\"\"com_cumulocity_model_Agent\"\":{}}\"\n"
    "10,102,POST,/identity/globalIds/%%/externalIds,application/json,,%%,UNSIGNED STRING,"
    "\"{\"\"type\"\":\"\"c8y_Serial\"\",\"\"externalId\"\":\"\"%%\"\"}\"\n"
    "10,103,POST,/measurement/measurements,application/json,,%%,NOW UNSIGNED NUMBER,"
    "\"{\"\"time\"\":\"\"%%\"\",\"\"source\"\":{\"\"id\"\":\"\"%%\"\"},"
    "\"\"type\"\":\"\"e2e\"\",\"\"e2e\"\":{\"\"n\"\":{\"\"value\"\":%%}}}\"\n"
    "10,105,PUT,/devicecontrol/operations/%%,application/json,,%%,UNSIGNED STRING,"
    "\"{\"\"status\"\":\"\"%%\"\"}\"\n"
    "10,106,GET,/devicecontrol/operations?deviceId=%%&status=PENDING&pageSize=100,,"
    "application/json,%%,UNSIGNED,\n"
    "11,500,$.managedObject,,$.id\n"
    "11,501,,$.c8y_IsDevice,$.id\n"
    "11,502,,$.c8y_Restart,$.id,$.deviceId\n"
    "11,503,$.operations,$.c8y_Restart,$.id,$.deviceId\n";

struct load {
    struct sr_agent *agent;
    struct sr_reporter *reporter;
    struct sr_push *push;
    const char *templates;
    long rows, per_second, keepalive, operations;
    bool by_http;

    char done[OPERATIONS_MAX][32]; /* ids of the operations */
    long done_count, repeats;
    bool listens;
};

static void *feed(void *arg)
{
    struct load *load = arg;
    const struct timespec pause = { .tv_nsec = 10 * 1000 * 1000 };

    for (long n = 0; n < load->rows; n++) {
        if (sr_agent_sendf_prio(load->agent, SR_PRIO_BUF, "103,%s,%ld",
                                sr_agent_id(load->agent), n))
            fprintf(stderr, "row %ld was refused\n", n);
        if (n % (load->per_second / 100 + 1) == 0)
            nanosleep(&pause, NULL);
    }
    return NULL;
}

/* --- operations ------------------------------------------------------------------ */

static bool is_done(const struct load *load, const char *id)
{
    for (long i = 0; i < load->done_count; i++)
        if (!strcmp(load->done[i], id))
            return true;
    return false;
}

/* 502 or 503,<line>,<operation id>,<device id>; what is known already is not done again. */
static void restart(struct sr_agent *agent, struct sr_record *record, void *arg)
{
    struct load *load = arg;
    const char *id = sr_record_value(record, 2);

    if (is_done(load, id)) {
        load->repeats++;
        return;
    }
    if (load->done_count < OPERATIONS_MAX)
        snprintf(load->done[load->done_count++], sizeof load->done[0], "%s", id);
    sr_agent_sendf(agent, "105,%s,EXECUTING", id);
    sr_agent_sendf(agent, "105,%s,SUCCESSFUL", id);
}

/* Operations made while the line was cut do not come by themselves. */
static void ask_for_pending(struct sr_agent *agent, struct sr_timer *timer, void *arg)
{
    (void)timer, (void)arg;
    sr_agent_sendf(agent, "106,%s", sr_agent_id(agent));
}

/* Says once that operations come. */
static void say_whether_it_listens(struct load *load)
{
    struct sr_push_stats stats;

    if (!load->push || load->listens)
        return;
    sr_push_stats(load->push, &stats);
    load->listens = stats.connected;
    if (load->listens)
        puts("connected and subscribed"), fflush(stdout);
}

/* --- life ------------------------------------------------------------------------- */

static void look(struct sr_agent *agent, struct sr_timer *timer, void *arg)
{
    struct load *load = arg;
    struct sr_reporter_stats stats;

    (void)timer;
    say_whether_it_listens(load);
    sr_reporter_stats(load->reporter, &stats);
    if (stats.rows_acked < (uint64_t)load->rows || stats.rows_waiting ||
        stats.rows_queued < (uint64_t)load->rows || load->done_count < load->operations)
        return;
    printf("acked %lu dropped %lu connects %lu operations %ld repeats %ld\n",
           (unsigned long)stats.rows_acked, (unsigned long)stats.rows_dropped,
           (unsigned long)stats.connects, load->done_count, load->repeats);
    sr_agent_stop(agent);
}

static int start_push(struct load *load)
{
    return load->by_http &&
           (sr_push_new(load->agent, &load->push) || sr_push_start(load->push));
}

static int start_operations(struct load *load)
{
    struct sr_timer *timer;

    if (!load->operations)
        return 0;
    return start_push(load) || sr_agent_on_message(load->agent, 502, restart, load) ||
           sr_agent_on_message(load->agent, 503, restart, load) ||
           sr_timer_new(load->agent, 1000, ask_for_pending, load, &timer) ||
           sr_timer_start(timer);
}

static int new_reporter(struct load *load, const char *broker)
{
    if (load->by_http)
        return sr_reporter_new_http(load->agent, &load->reporter);
    return sr_reporter_new_mqtt(load->agent, broker, &load->reporter) ||
           (load->keepalive &&
            sr_reporter_set_keepalive(load->reporter, (unsigned)load->keepalive));
}

static int start(struct load *load, const struct sr_options *options)
{
    struct sr_timer *timer;

    return sr_agent_new(options->server, options->device_id, &load->agent) ||
           sr_agent_stop_on(load->agent, SIGINT) ||
           sr_agent_bootstrap(load->agent, options->credentials) ||
           sr_agent_integrate(load->agent, load->templates, srtemplate) ||
           new_reporter(load, options->broker) ||
           sr_reporter_set_linger(load->reporter, 50) ||
           sr_reporter_start(load->reporter) || start_operations(load) ||
           sr_timer_new(load->agent, 20, look, load, &timer) || sr_timer_start(timer);
}

static int fail(struct sr_agent *agent)
{
    fprintf(stderr, "load_agent: %s\n", sr_agent_error(agent));
    sr_agent_free(agent);
    return 1;
}

/* Returns how many arguments were words; -1 for one that is not known. */
static int read_words(struct load *load, char **argv)
{
    int n = 0;

    for (; argv[n] && argv[n][0] != '-'; n++) {
        if (!strcmp(argv[n], "http"))
            load->by_http = true;
        else if (!strncmp(argv[n], "keepalive=", 10))
            load->keepalive = atol(argv[n] + 10);
        else if (!strncmp(argv[n], "templates=", 10))
            load->templates = argv[n] + 10;
        else if (!strncmp(argv[n], "operations=", 11))
            load->operations = atol(argv[n] + 11);
        else
            return -1;
    }
    return n;
}

int main(int argc, char **argv)
{
    static struct load load = { .templates = "e2e_load_2" };
    struct sr_options options = { .wait_ms = SR_OPTIONS_FOREVER };
    pthread_t thread;
    int words = argc < 3 ? -1 : read_words(&load, argv + 3), rc;

    if (words < 0)
        return 2;
    load.rows = atol(argv[1]);
    load.per_second = atol(argv[2]);
    argc -= 2 + words;
    if (sr_options_parse(&options, argc, argv + 2 + words))
        return options.exit_status;
    if (start(&load, &options))
        return fail(load.agent);
    pthread_create(&thread, NULL, feed, &load);
    rc = sr_agent_loop(load.agent);
    pthread_join(thread, NULL);
    if (rc)
        return fail(load.agent);
    sr_agent_free(load.agent);
    return 0;
}
