/* SPDX-License-Identifier: MIT */
/* How long an operation takes from the operator's REST call to the agent's handler,
 * against a sandbox, one at a time:
 *
 *     operation_bench [operations]
 *
 * The time runs from before the call is sent until the handler is entered; agent and
 * operator are threads of this program and read the same clock. The handler reports
 * SUCCESSFUL, as a real one would. The vendor's C++ SDK takes p95 352 ms. */
#include "bench_sandbox.h"

#include <curl/curl.h>
#include <pthread.h>
#include <smartrest/push.h>
#include <stdio.h>
#include <stdlib.h>

enum { VENDOR_P95_MS = 352, WARM_UP = 10, PATIENCE_S = 10 };

struct way;

struct bench {
    struct bench_sandbox sandbox;
    const struct way *way;
    struct sr_agent *agent;
    struct sr_reporter *reporter;
    struct sr_push *push;
    pthread_t operator;
    int operations;
    double *took_ms, *call_ms;
    double began_ms;

    pthread_mutex_t lock; /* of the rest */
    pthread_cond_t changed;
    int handled;
    double handled_at;
};

/* --- the agent's side ------------------------------------------------------------------- */

static void restart(struct sr_agent *agent, struct sr_record *record, void *arg)
{
    struct bench *b = arg;

    pthread_mutex_lock(&b->lock);
    b->handled_at = bench_now_ms();
    b->handled++;
    pthread_cond_signal(&b->changed);
    pthread_mutex_unlock(&b->lock);
    sr_agent_sendf(agent, "105,%s,SUCCESSFUL", sr_record_value(record, 2));
}

/* --- the operator's side ------------------------------------------------------------------ */

static size_t ignore(char *bytes, size_t size, size_t count, void *arg)
{
    (void)bytes, (void)arg;
    return size * count;
}

static CURL *new_operator(const struct bench *b, struct curl_slist **ret_headers)
{
    char url[128];
    CURL *curl = curl_easy_init();

    *ret_headers = curl_slist_append(NULL, "Content-Type: application/json");
    snprintf(url, sizeof url, "http://127.0.0.1:%d/devicecontrol/operations",
             b->sandbox.http_port);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, *ret_headers);
    curl_easy_setopt(curl, CURLOPT_USERPWD, BENCH_OPERATOR);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, ignore);
    curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
    return curl;
}

static double await_handler(struct bench *b, int number)
{
    struct timespec until;
    double at;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_S;
    pthread_mutex_lock(&b->lock);
    while (b->handled < number)
        if (pthread_cond_timedwait(&b->changed, &b->lock, &until))
            bench_die("an operation did not reach the handler");
    if (b->handled > number)
        bench_die("an operation reached the handler twice");
    at = b->handled_at;
    pthread_mutex_unlock(&b->lock);
    return at;
}

static void *operate(void *arg)
{
    struct bench *b = arg;
    struct curl_slist *headers;
    CURL *curl = new_operator(b, &headers);
    char body[128];

    snprintf(body, sizeof body, "{\"deviceId\":\"%s\",\"c8y_Restart\":{}}",
             sr_agent_id(b->agent));
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
    for (int i = -WARM_UP; i < b->operations; i++) {
        double start = bench_now_ms(), called;

        if (curl_easy_perform(curl))
            bench_die("the operator's call failed");
        called = bench_now_ms();
        if (i < 0) {
            await_handler(b, i + WARM_UP + 1);
            continue;
        }
        b->took_ms[i] = await_handler(b, i + WARM_UP + 1) - start;
        b->call_ms[i] = called - start;
    }
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    sr_agent_stop(b->agent);
    return NULL;
}

/* --- the ways an operation can come ---------------------------------------------------------- */

static int listen_by_mqtt(struct bench *b)
{
    char broker[64];

    bench_broker(b->sandbox.mqtt_port, broker);
    return sr_reporter_new_mqtt(b->agent, broker, &b->reporter) ||
           sr_reporter_start(b->reporter);
}

static bool listens_by_mqtt(const struct bench *b)
{
    struct sr_reporter_stats stats;

    sr_reporter_stats(b->reporter, &stats);
    return stats.connected;
}

static int listen_by_push(struct bench *b)
{
    return sr_reporter_new_http(b->agent, &b->reporter) ||
           sr_reporter_start(b->reporter) || sr_push_new(b->agent, &b->push) ||
           sr_push_start(b->push);
}

static bool listens_by_push(const struct bench *b)
{
    struct sr_push_stats stats;

    sr_push_stats(b->push, &stats);
    return stats.connected;
}

static const struct way {
    const char *name, *device;
    int (*listen)(struct bench *b);
    bool (*listens)(const struct bench *b);
} ways[] = {
    {"MQTT",       "bench-mqtt", listen_by_mqtt, listens_by_mqtt},
    { "HTTP push", "bench-push", listen_by_push, listens_by_push},
};

/* --- running ------------------------------------------------------------------------------------ */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double percentile(const double *sorted, int count, int percent)
{
    return sorted[(count - 1) * percent / 100];
}

static void report(struct bench *b)
{
    int n = b->operations;

    qsort(b->took_ms, (size_t)n, sizeof *b->took_ms, by_value);
    qsort(b->call_ms, (size_t)n, sizeof *b->call_ms, by_value);
    printf("%-10s %10d %8.3f %8.3f %8.3f %8.3f %9.0f %9.3f\n", b->way->name, n,
           percentile(b->took_ms, n, 50), percentile(b->took_ms, n, 95),
           percentile(b->took_ms, n, 99), b->took_ms[n - 1],
           VENDOR_P95_MS / percentile(b->took_ms, n, 95),
           percentile(b->call_ms, n, 50));
}

/* The operator begins once the agent listens. */
static void begin(struct sr_agent *agent, struct sr_timer *timer, void *arg)
{
    struct bench *b = arg;

    (void)agent;
    if (!b->way->listens(b)) {
        if (bench_now_ms() - b->began_ms > 1000 * PATIENCE_S)
            bench_die("the agent does not get to listen");
        return;
    }
    sr_timer_stop(timer);
    if (pthread_create(&b->operator, NULL, operate, b))
        bench_die("no thread");
}

static void measure(struct bench *b, const struct way *way)
{
    struct sr_timer *timer;

    b->way = way;
    b->handled = 0;
    b->began_ms = bench_now_ms();
    b->agent = bench_agent(&b->sandbox, way->device, b->sandbox.http_port);
    if (sr_agent_on_message(b->agent, 502, restart, b) || way->listen(b) ||
        sr_timer_new(b->agent, 10, begin, b, &timer) || sr_timer_start(timer) ||
        sr_agent_loop(b->agent))
        bench_die(sr_agent_error(b->agent));
    pthread_join(b->operator, NULL);
    report(b);
    sr_agent_free(b->agent);
}

int main(int argc, char **argv)
{
    static struct bench b = { .lock = PTHREAD_MUTEX_INITIALIZER,
                              .changed = PTHREAD_COND_INITIALIZER };

    b.operations = argc > 1 ? atoi(argv[1]) : 1000;
    if (b.operations < 1)
        bench_die("usage: operation_bench [operations], at least 1");
    b.took_ms = calloc((size_t)b.operations, sizeof *b.took_ms);
    b.call_ms = calloc((size_t)b.operations, sizeof *b.call_ms);
    if (!b.took_ms || !b.call_ms)
        bench_die("out of memory");
    setvbuf(stdout, NULL, _IOLBF, 0);
    bench_sandbox_start(&b.sandbox);
    printf("%-10s %10s %8s %8s %8s %8s %9s %9s\n", "ms", "operations", "p50", "p95",
           "p99", "max", "vendor/us", "call p50");
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
        measure(&b, &ways[i]);
    bench_sandbox_stop(&b.sandbox);
    free(b.took_ms);
    free(b.call_ms);
    return 0;
}
