/* SPDX-License-Identifier: MIT */
/* An agent for tests with an outbox on disk: sends measurements FROM, FROM + 1 ... TO - 1,
 * says `sent`, and goes on delivering until it is interrupted or killed.
 *
 *     outbox_agent DIR FROM TO [http] [options of the examples]
 */
#include <signal.h>
#include <smartrest/smartrest.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "outbox_templates.h"

enum { ROWS_AT_ONCE = 20 };

struct work {
    const char *dir;
    long next, end;
    bool by_http;
};

static void feed(struct sr_agent *agent, struct sr_timer *timer, void *arg)
{
    struct work *work = arg;

    for (int i = 0; i < ROWS_AT_ONCE && work->next < work->end; i++, work->next++)
        if (sr_agent_sendf_prio(agent, SR_PRIO_BUF, "103,%s,%ld", sr_agent_id(agent),
                                work->next))
            fprintf(stderr, "row %ld was refused\n", work->next);
    if (work->next < work->end)
        return;
    sr_timer_stop(timer);
    puts("sent"), fflush(stdout);
}

static int new_reporter(struct sr_agent *agent, const struct work *work,
                        const char *broker, struct sr_reporter **ret_reporter)
{
    return work->by_http ? sr_reporter_new_http(agent, ret_reporter)
                         : sr_reporter_new_mqtt(agent, broker, ret_reporter);
}

static int run(struct sr_agent *agent, struct work *work,
               const struct sr_options *options)
{
    struct sr_reporter *reporter;
    struct sr_timer *timer;

    return sr_agent_stop_on(agent, SIGINT) ||
           sr_agent_set(agent, "batch_rows", OUTBOX_BATCH) ||
           sr_agent_set(agent, "window", OUTBOX_WINDOW) ||
           sr_agent_open_outbox(agent, work->dir) ||
           sr_agent_bootstrap(agent, options->credentials) ||
           sr_agent_integrate(agent, outbox_version, outbox_template) ||
           new_reporter(agent, work, options->broker, &reporter) ||
           sr_reporter_set_linger(reporter, 20) || sr_reporter_start(reporter) ||
           sr_timer_new(agent, 10, feed, work, &timer) || sr_timer_start(timer) ||
           sr_agent_loop(agent);
}

int main(int argc, char **argv)
{
    struct sr_options options = { .wait_ms = SR_OPTIONS_FOREVER };
    struct sr_agent *agent;
    struct work work;
    int rc;

    if (argc < 4)
        return 2;
    work = (struct work){ .dir = argv[1],
                          .next = atol(argv[2]),
                          .end = atol(argv[3]),
                          .by_http = argv[4] && !strcmp(argv[4], "http") };
    argc -= 3 + work.by_http;
    argv += 3 + work.by_http;
    if (sr_options_parse(&options, argc, argv))
        return options.exit_status;
    if (sr_agent_new(options.server, options.device_id, &agent))
        return 1;
    rc = run(agent, &work, &options);
    if (rc)
        fprintf(stderr, "outbox_agent: %s\n", sr_agent_error(agent));
    sr_agent_free(agent);
    return rc ? 1 : 0;
}
