/* SPDX-License-Identifier: MIT */
/* 08-outbox: send the CPU load every second, by MQTT, and lose none of it: neither to an
 * outage nor to a power cut. */
#include "cpu.h"
#include <signal.h>
#include <smartrest/smartrest.h>
#include <stdio.h>

static const char srversion[] = "smartrest_outbox_1";
static const char srtemplate[] =
    "10,100,GET,/identity/externalIds/c8y_Serial/%%,,application/json,%%,STRING,\n"
    "10,101,POST,/inventory/managedObjects,application/json,application/json,%%,STRING,"
    "\"{\"\"name\"\":\"\"Hello %%\"\",\"\"type\"\":\"\"smartrest_hello\"\","
    "\"\"c8y_IsDevice\"\":{},\"\"com_cumulocity_model_Agent\"\":{}}\"\n"
    "10,102,POST,/identity/globalIds/%%/externalIds,application/json,,%%,UNSIGNED STRING,"
    "\"{\"\"type\"\":\"\"c8y_Serial\"\",\"\"externalId\"\":\"\"%%\"\"}\"\n"
    "10,106,POST,/measurement/measurements,application/json,,%%,DATE UNSIGNED NUMBER,"
    "\"{\"\"time\"\":\"\"%%\"\",\"\"source\"\":{\"\"id\"\":\"\"%%\"\"},"
    "\"\"type\"\":\"\"c8y_CPUMeasurement\"\",\"\"c8y_CPUMeasurement\"\":"
    "{\"\"Workload\"\":{\"\"value\"\":%%,\"\"unit\"\":\"\"%\"\"}}}\"\n"
    "11,500,$.managedObject,,$.id\n"
    "11,501,,$.c8y_IsDevice,$.id\n";

static void send_cpu(struct sr_agent *agent, struct sr_timer *timer, void *arg)
{
    (void)timer, (void)arg;
    sr_agent_sendf_prio(agent, SR_PRIO_BUF, "106,%s,%s,%.1f", SR_NOW,
                        sr_agent_id(agent), cpu_load());
}

static int fail(struct sr_agent *agent)
{
    fprintf(stderr, "08-outbox: %s\n", sr_agent_error(agent));
    sr_agent_free(agent);
    return 1;
}

int main(int argc, char **argv)
{
    struct sr_options options = { 0 };
    char outbox[512];
    struct sr_agent *agent = NULL;
    struct sr_timer *timer = NULL;
    struct sr_reporter *reporter = NULL;

    if (sr_options_parse(&options, argc, argv))
        return options.exit_status;
    if (sr_agent_new(options.server, options.device_id, &agent))
        return fail(agent);
    sr_agent_set_wait(agent, options.wait_ms);

    snprintf(outbox, sizeof outbox, "%s.outbox", options.credentials);
    if (sr_agent_open_outbox(agent, outbox))
        return fail(agent);
    if (sr_agent_set_ca_file(agent, options.ca_file) ||
        sr_agent_stop_on(agent, SIGINT) ||
        sr_agent_bootstrap(agent, options.credentials) ||
        sr_agent_integrate(agent, srversion, srtemplate))
        return fail(agent);

    if (sr_timer_new(agent, 1000, send_cpu, NULL, &timer) || sr_timer_start(timer))
        return fail(agent);
    if (sr_reporter_new_mqtt(agent, options.broker, &reporter) ||
        sr_reporter_start(reporter))
        return fail(agent);

    if (sr_agent_loop(agent))
        return fail(agent);
    sr_agent_free(agent);
    return 0;
}
