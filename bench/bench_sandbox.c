/* SPDX-License-Identifier: MIT */
#include "bench_sandbox.h"
#include "support/child.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

void bench_die(const char *what)
{
    fprintf(stderr, "%s: %s\n", program_invocation_short_name, what);
    exit(1);
}

double bench_now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* --- the sandbox -------------------------------------------------------------------- */

static pid_t spawn(const char *ready, const char *data, int out)
{
    pid_t pid = fork();

    if (pid)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    dup2(out, STDOUT_FILENO);
    execl(SANDBOX_LAUNCHER, SANDBOX_LAUNCHER, "--http-port", "0", "--mqtt-port", "0",
          "--auto-accept", "--data", data, "--ready-file", ready, (char *)NULL);
    _exit(127);
}

/* The launcher says so when all is open, after the ready file is written. */
static void await_greeting(int out)
{
    char text[2048];
    size_t len = 0;
    ssize_t n;

    do {
        n = read(out, text + len, sizeof text - 1 - len);
        if (n <= 0)
            bench_die("the sandbox " SANDBOX_LAUNCHER " does not start");
        len += (size_t)n;
        text[len] = '\0';
    } while (!strstr(text, "Ctrl-C"));
}

static void read_ports(struct bench_sandbox *sandbox, const char *ready)
{
    char line[256];
    FILE *file = fopen(ready, "r");

    while (file && fgets(line, sizeof line, file)) {
        sscanf(line, "HTTP_PORT=%d", &sandbox->http_port);
        sscanf(line, "MQTT_PORT=%d", &sandbox->mqtt_port);
    }
    if (!file || !sandbox->http_port || !sandbox->mqtt_port)
        bench_die("the sandbox does not say which ports it has");
    fclose(file);
}

void bench_sandbox_start(struct bench_sandbox *sandbox)
{
    char ready[96], data[96];
    int out[2];

    *sandbox = (struct bench_sandbox){ .dir = "/tmp/smartrest-bench-XXXXXX" };
    if (!mkdtemp(sandbox->dir) || pipe2(out, O_CLOEXEC))
        bench_die("no folder in /tmp, or no pipe");
    snprintf(ready, sizeof ready, "%s/ready", sandbox->dir);
    snprintf(data, sizeof data, "%s/data", sandbox->dir);
    sandbox->pid = spawn(ready, data, out[1]);
    sandbox->out = out[0];
    close(out[1]);
    await_greeting(sandbox->out);
    read_ports(sandbox, ready);
}

static int remove_entry(const char *path, const struct stat *st, int type,
                        struct FTW *where)
{
    (void)st, (void)type, (void)where;
    return remove(path);
}

void bench_sandbox_stop(struct bench_sandbox *sandbox)
{
    child_end(&sandbox->pid, SIGTERM);
    close(sandbox->out);
    nftw(sandbox->dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

/* --- an agent ------------------------------------------------------------------------- */

static const char srversion[] = "smartrest_bench_1";
static const char srtemplate[] =
    "10,100,GET,/identity/externalIds/c8y_Serial/%%,,application/json,%%,STRING,\n"
    "10,101,POST,/inventory/managedObjects,application/json,application/json,%%,,"
    "\"{\"\"name\"\":\"\"Bench\"\",\"\"c8y_IsDevice\"\":{},"
    "\"\"com_cumulocity_model_Agent\"\":{}}\"\n"
    "10,102,POST,/identity/globalIds/%%/externalIds,application/json,,%%,UNSIGNED STRING,"
    "\"{\"\"type\"\":\"\"c8y_Serial\"\",\"\"externalId\"\":\"\"%%\"\"}\"\n"
    "10,103,POST,/measurement/measurements,application/json,,%%,NOW UNSIGNED NUMBER,"
    "\"{\"\"time\"\":\"\"%%\"\",\"\"source\"\":{\"\"id\"\":\"\"%%\"\"},"
    "\"\"type\"\":\"\"c8y_CPUMeasurement\"\",\"\"c8y_CPUMeasurement\"\":"
    "{\"\"Workload\"\":{\"\"value\"\":%%,\"\"unit\"\":\"\"%\"\"}}}\"\n"
    "10,105,PUT,/devicecontrol/operations/%%,application/json,,%%,UNSIGNED STRING,"
    "\"{\"\"status\"\":\"\"%%\"\"}\"\n"
    "11,500,$.managedObject,,$.id\n"
    "11,501,,$.c8y_IsDevice,$.id\n"
    "11,502,,$.c8y_Restart,$.id,$.deviceId\n";

/* Nothing of the environment may send requests elsewhere. */
static void forget_proxies(void)
{
    static const char *const names[] = { "http_proxy", "HTTP_PROXY", "all_proxy",
                                         "ALL_PROXY" };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unsetenv(names[i]);
}

struct sr_agent *bench_agent(const struct bench_sandbox *sandbox, const char *id,
                             int http_port)
{
    char server[64], credentials[128];
    struct sr_agent *agent;

    forget_proxies();
    sr_log_set_level(SR_LOG_WARNING);
    snprintf(server, sizeof server, "http://127.0.0.1:%d", http_port);
    snprintf(credentials, sizeof credentials, "%s/%s.credentials", sandbox->dir, id);
    if (sr_agent_new(server, id, &agent))
        bench_die("no agent");
    sr_agent_set_wait(agent, 10 * 1000);
    if (sr_agent_bootstrap(agent, credentials) ||
        sr_agent_integrate(agent, srversion, srtemplate))
        bench_die(sr_agent_error(agent));
    return agent;
}

void bench_broker(int mqtt_port, char ret_url[64])
{
    snprintf(ret_url, 64, "mqtt://127.0.0.1:%d", mqtt_port);
}
