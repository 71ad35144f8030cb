/* SPDX-License-Identifier: MIT */
/* An agent for tests: sends measurements 0, 1, 2 ... by MQTT from a thread of its own and
 * ends when the last one is acknowledged.
 *
 *     load_agent ROWS ROWS_PER_SECOND [options of the examples] */
#include <pthread.h>
#include <signal.h>
#include <smartrest/smartrest.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static const char srversion[] = "e2e_load_1";
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
    "11,500,$.managedObject,,$.id\n"
    "11,501,,$.c8y_IsDevice,$.id\n";

struct load {
    struct sr_agent *agent;
    struct sr_reporter *reporter;
    long rows, per_second;
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

static void look(struct sr_agent *agent, struct sr_timer *timer, void *arg)
{
    struct load *load = arg;
    struct sr_reporter_stats stats;

    (void)timer;
    sr_reporter_stats(load->reporter, &stats);
    if (stats.rows_acked == (uint64_t)load->rows) {
        printf("acked %lu dropped %lu\n", (unsigned long)stats.rows_acked,
               (unsigned long)stats.rows_dropped);
        sr_agent_stop(agent);
    }
}

static int fail(struct sr_agent *agent)
{
    fprintf(stderr, "load_agent: %s\n", sr_agent_error(agent));
    sr_agent_free(agent);
    return 1;
}

int main(int argc, char **argv)
{
    struct load load = { 0 };
    struct sr_options options = { .wait_ms = SR_OPTIONS_FOREVER };
    struct sr_timer *timer;
    pthread_t thread;

    if (argc < 3)
        return 2;
    load.rows = atol(argv[1]);
    load.per_second = atol(argv[2]);
    if (sr_options_parse(&options, argc - 2, argv + 2))
        return options.exit_status;
    if (sr_agent_new(options.server, options.device_id, &load.agent) ||
        sr_agent_stop_on(load.agent, SIGINT) ||
        sr_agent_bootstrap(load.agent, options.credentials) ||
        sr_agent_integrate(load.agent, srversion, srtemplate) ||
        sr_reporter_new_mqtt(load.agent, options.broker, &load.reporter) ||
        sr_reporter_set_linger(load.reporter, 50) || sr_reporter_start(load.reporter) ||
        sr_timer_new(load.agent, 20, look, &load, &timer) || sr_timer_start(timer))
        return fail(load.agent);
    pthread_create(&thread, NULL, feed, &load);
    if (sr_agent_loop(load.agent))
        return fail(load.agent);
    pthread_join(thread, NULL);
    sr_agent_free(load.agent);
    return 0;
}
