/* SPDX-License-Identifier: MIT */
/* 01-hello: become known to the platform. Gets the device's credentials, from its file
 * or from the platform once an operator has accepted the device, and says who it is. */
#include <signal.h>
#include <smartrest/smartrest.h>
#include <stdio.h>

static int fail(struct sr_agent *agent)
{
    fprintf(stderr, "01-hello: %s\n", sr_agent_error(agent));
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
        sr_agent_bootstrap(agent, options.credentials))
        return fail(agent);

    printf("Hello, %s/%s!\n", sr_agent_tenant(agent), sr_agent_username(agent));
    sr_agent_free(agent);
    return 0;
}
