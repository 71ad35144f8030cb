/* SPDX-License-Identifier: MIT */
/* An agent with nothing to do, for idle_test: a timer of 10 s, a keep-alive of 60 s.
 * Says on stdout what it counts: at the start, and each time the timer fires. */
#include <smartrest/smartrest.h>
#include <stdio.h>

static void count(struct sr_agent *agent, struct sr_timer *timer, void *arg)
{
    (void)timer, (void)arg;
    printf("fired %lu\n", (unsigned long)sr_agent_wakeups(agent));
    fflush(stdout);
}

int main(int argc, char **argv)
{
    struct sr_options options = { 0 };
    struct sr_agent *agent = NULL;
    struct sr_reporter *reporter = NULL;
    struct sr_timer *timer = NULL;

    if (sr_options_parse(&options, argc, argv))
        return options.exit_status;
    if (sr_agent_new(options.server, options.device_id, &agent) ||
        sr_agent_bootstrap(agent, options.credentials) ||
        sr_agent_set_xid(agent, "4711") || sr_agent_set_id(agent, "4712") ||
        sr_reporter_new_mqtt(agent, options.broker, &reporter) ||
        sr_reporter_set_keepalive(reporter, 60) || sr_reporter_start(reporter) ||
        sr_timer_new(agent, 10 * 1000, count, NULL, &timer) || sr_timer_start(timer)) {
        fprintf(stderr, "idle_agent: %s\n", sr_agent_error(agent));
        return 1;
    }
    return sr_agent_loop(agent) ? 1 : 0;
}
