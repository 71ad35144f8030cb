/* SPDX-License-Identifier: MIT */
/* 07-mqtt: send the CPU load every 10 seconds and carry out restart operations, by MQTT.
 * The restart is played: it takes a second and harms nobody. */
#include "cpu.h"
#include <signal.h>
#include <smartrest/smartrest.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char srversion[] = "smartrest_operation_2";
static const char srtemplate[] =
    "10,100,GET,/identity/externalIds/c8y_Serial/%%,,application/json,%%,STRING,\n"
    "10,101,POST,/inventory/managedObjects,application/json,application/json,%%,STRING,"
    "\"{\"\"name\"\":\"\"Hello %%\"\",\"\"type\"\":\"\"smartrest_hello\"\","
    "\"\"c8y_IsDevice\"\":{},\"\"com_cumulocity_model_Agent\"\":{}}\"\n"
    "10,102,POST,/identity/globalIds/%%/externalIds,application/json,,%%,UNSIGNED STRING,"
    "\"{\"\"type\"\":\"\"c8y_Serial\"\",\"\"externalId\"\":\"\"%%\"\"}\"\n"
    "10,103,POST,/measurement/measurements,application/json,,%%,NOW UNSIGNED NUMBER,"
    "\"{\"\"time\"\":\"\"%%\"\",\"\"source\"\":{\"\"id\"\":\"\"%%\"\"},"
    "\"\"type\"\":\"\"c8y_CPUMeasurement\"\",\"\"c8y_CPUMeasurement\"\":"
    "{\"\"Workload\"\":{\"\"value\"\":%%,\"\"unit\"\":\"\"%\"\"}}}\"\n"
    "10,104,PUT,/inventory/managedObjects/%%,application/json,,%%,UNSIGNED STRING,"
    "\"{\"\"c8y_SupportedOperations\"\":[%%]}\"\n"
    "10,105,PUT,/devicecontrol/operations/%%,application/json,,%%,UNSIGNED STRING,"
    "\"{\"\"status\"\":\"\"%%\"\"}\"\n"
    "10,106,GET,/devicecontrol/operations?deviceId=%%&status=PENDING&pageSize=100,,"
    "application/json,%%,UNSIGNED,\n"
    "11,500,$.managedObject,,$.id\n"
    "11,501,,$.c8y_IsDevice,$.id\n"
    "11,502,,$.c8y_Restart,$.id,$.deviceId\n"
    "11,503,$.operations,$.c8y_Restart,$.id,$.deviceId\n";

static void send_cpu(struct sr_agent *agent, struct sr_timer *timer, void *arg)
{
    (void)timer, (void)arg;
    sr_agent_sendf(agent, "103,%s,%.1f", sr_agent_id(agent), cpu_load());
}

static void restarted(struct sr_agent *agent, struct sr_timer *timer, void *operation)
{
    sr_agent_sendf_prio(agent, SR_PRIO_BUF, "105,%s,%s", (char *)operation,
                        "SUCCESSFUL");
    free(operation);
    sr_timer_free(timer);
}

/* 502,<line>,<operation id>,<device id>, or 503 with the same values */
static void restart(struct sr_agent *agent, struct sr_record *record, void *arg)
{
    const char *id = sr_record_value(record, 2), *device = sr_record_value(record, 3);
    char *operation;
    struct sr_timer *timer;

    (void)arg;
    if (strcmp(device, sr_agent_id(agent)))
        return; /* it is for a child of this device */
    if (!sr_agent_take_operation(agent, id))
        return; /* delivered and fetched: it is under way */
    sr_notice("restarting device %s", device);
    sr_agent_sendf_prio(agent, SR_PRIO_BUF, "105,%s,%s", id, "EXECUTING");
    operation = strdup(id);
    if (sr_timer_new(agent, 1000, restarted, operation, &timer) ||
        sr_timer_start(timer))
        free(operation);
}

/* What was made while nobody listened is not delivered later: ask for it. */
static void connected(struct sr_agent *agent, void *arg)
{
    (void)arg;
    sr_agent_sendf(agent, "106,%s", sr_agent_id(agent));
}

static int fail(struct sr_agent *agent)
{
    fprintf(stderr, "07-mqtt: %s\n", sr_agent_error(agent));
    sr_agent_free(agent);
    return 1;
}

int main(int argc, char **argv)
{
    struct sr_options options = { 0 };
    struct sr_agent *agent = NULL;
    struct sr_timer *timer = NULL;
    struct sr_reporter *reporter = NULL;

    if (sr_options_parse(&options, argc, argv))
        return options.exit_status;
    if (sr_agent_new(options.server, options.device_id, &agent))
        return fail(agent);
    sr_agent_set_wait(agent, options.wait_ms);

    if (sr_agent_set_ca_file(agent, options.ca_file) ||
        sr_agent_stop_on(agent, SIGINT) ||
        sr_agent_bootstrap(agent, options.credentials) ||
        sr_agent_integrate(agent, srversion, srtemplate))
        return fail(agent);

    if (sr_timer_new(agent, 10 * 1000, send_cpu, NULL, &timer) || sr_timer_start(timer))
        return fail(agent);
    if (sr_reporter_new_mqtt(agent, options.broker, &reporter) ||
        sr_reporter_set_keepalive(reporter, 180))
        return fail(agent);
    if (sr_reporter_start(reporter))
        return fail(agent);

    sr_agent_sendf(agent, "104,%s,%s", sr_agent_id(agent), "\"c8y_Restart\"");
    sr_agent_on_message(agent, 502, restart, NULL);
    sr_agent_on_message(agent, 503, restart, NULL);
    sr_agent_on_connected(agent, connected, NULL);
    if (sr_agent_loop(agent))
        return fail(agent);
    sr_agent_free(agent);
    return 0;
}
