/* SPDX-License-Identifier: MIT */
/* For benchmarks: a sandbox of their own, and an agent that it knows. What goes wrong
 * ends the program with a sentence.
 *
 *     bench_sandbox_start -> bench_agent ... -> bench_sandbox_stop */
#ifndef BENCH_SANDBOX_H
#define BENCH_SANDBOX_H

#include <smartrest/smartrest.h>
#include <sys/types.h>

#define BENCH_OPERATOR "t4711/operator:operator"

struct bench_sandbox {
    pid_t pid;
    int out;
    char dir[64];
    int http_port, mqtt_port;
};

void bench_sandbox_start(struct bench_sandbox *sandbox);
void bench_sandbox_stop(struct bench_sandbox *sandbox);

/* An agent for device `id` with credentials and templates: 103 sends a measurement
 * (object id, number), 105 sets an operation's status (id, status), 502 is a restart
 * operation (id, device). By HTTP over `http_port`, the sandbox's or a proxy's. */
struct sr_agent *bench_agent(const struct bench_sandbox *sandbox, const char *id,
                             int http_port);

/* mqtt://... over that port. */
void bench_broker(int mqtt_port, char ret_url[64]);

double bench_now_ms(void);
_Noreturn void bench_die(const char *what);

#endif
