/* SPDX-License-Identifier: MIT */
/* 06-lua: what 04-operation and 07-mqtt do, with the work in a Lua plugin. With --broker it
 * reports by MQTT, without by HTTP and device push; the plugin is the same. */
#include <signal.h>
#include <smartrest/lua.h>
#include <smartrest/smartrest.h>
#include <stdio.h>

#ifndef PLUGIN_DIR
#define PLUGIN_DIR "06-lua" /* in the working directory */
#endif

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

static int fail(struct sr_agent *agent, const char *why)
{
    fprintf(stderr, "06-lua: %s\n", why);
    sr_agent_free(agent);
    return 1;
}

static int report_by_mqtt(struct sr_agent *agent, const char *broker)
{
    struct sr_reporter *reporter;

    return sr_reporter_new_mqtt(agent, broker, &reporter) ||
           sr_reporter_start(reporter);
}

static int report_by_http(struct sr_agent *agent)
{
    struct sr_reporter *reporter;
    struct sr_push *push;

    return sr_reporter_new_http(agent, &reporter) || sr_reporter_start(reporter) ||
           sr_push_new(agent, &push) || sr_push_start(push);
}

static int load_plugins(struct sr_agent *agent, struct sr_lua **ret_lua)
{
    struct sr_lua *lua;

    if (sr_lua_new(agent, NULL, &lua))
        return fail(agent, "out of memory");
    if (sr_lua_add_path(lua, PLUGIN_DIR "/lib") || sr_lua_load(lua, PLUGIN_DIR)) {
        fprintf(stderr, "06-lua: %s\n", sr_lua_error(lua));
        sr_lua_free(lua);
        sr_agent_free(agent);
        return 1;
    }
    *ret_lua = lua;
    return 0;
}

int main(int argc, char **argv)
{
    static const char none[] = "mqtt://localhost"; /* known by its address */
    struct sr_options options = { .broker = none };
    struct sr_agent *agent = NULL;
    struct sr_lua *lua = NULL;
    int rc;

    if (sr_options_parse(&options, argc, argv))
        return options.exit_status;
    if (sr_agent_new(options.server, options.device_id, &agent))
        return fail(agent, sr_agent_error(agent));
    sr_agent_set_wait(agent, options.wait_ms);

    if (sr_agent_set_ca_file(agent, options.ca_file) ||
        sr_agent_stop_on(agent, SIGINT) ||
        sr_agent_bootstrap(agent, options.credentials) ||
        sr_agent_integrate(agent, srversion, srtemplate))
        return fail(agent, sr_agent_error(agent));
    if (options.broker != none ? report_by_mqtt(agent, options.broker)
                               : report_by_http(agent))
        return fail(agent, sr_agent_error(agent));
    if (load_plugins(agent, &lua))
        return 1;
    rc = sr_agent_loop(agent);
    sr_lua_free(lua);
    if (rc)
        return fail(agent, sr_agent_error(agent));
    sr_agent_free(agent);
    return 0;
}
