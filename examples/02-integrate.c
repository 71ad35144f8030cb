/* SPDX-License-Identifier: MIT */
/* 02-integrate: have a place in the platform. Registers the templates and finds, or
 * creates, the device's managed object. */
#include <signal.h>
#include <smartrest/smartrest.h>
#include <stdio.h>

static const char srversion[] = "smartrest_hello_1";
static const char srtemplate[] =
    "10,100,GET,/identity/externalIds/c8y_Serial/%%,,application/json,%%,STRING,\n"
    "10,101,POST,/inventory/managedObjects,application/json,application/json,%%,STRING,"
    "\"{\"\"name\"\":\"\"Hello %%\"\",\"\"type\"\":\"\"smartrest_hello\"\","
    "\"\"c8y_IsDevice\"\":{},\"\"com_cumulocity_model_Agent\"\":{}}\"\n"
    "10,102,POST,/identity/globalIds/%%/externalIds,application/json,,%%,UNSIGNED STRING,"
    "\"{\"\"type\"\":\"\"c8y_Serial\"\",\"\"externalId\"\":\"\"%%\"\"}\"\n"
    "11,500,$.managedObject,,$.id\n"
    "11,501,,$.c8y_IsDevice,$.id\n";

static int fail(struct sr_agent *agent)
{
    fprintf(stderr, "02-integrate: %s\n", sr_agent_error(agent));
    sr_agent_free(agent);
    return 1;
}

int main(int argc, char **argv)
{
    struct sr_options options = { 0 };
    struct sr_agent *agent = NULL;

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

    printf("Device %s is managed object %s; templates %s have X-Id %s.\n",
           sr_agent_device_id(agent), sr_agent_id(agent), srversion,
           sr_agent_xid(agent));
    sr_agent_free(agent);
    return 0;
}
