/* SPDX-License-Identifier: MIT */
/* Bytes on the wire: what a measurement costs by HTTP and by MQTT, alone and in a batch
 * of 100, against a sandbox, beside the figures of the vendor's C++ SDK. A proxy counts
 * what TCP carries for us; TCP's and IP's own headers are not in it, and neither is what
 * connecting costs: the connection is there, as it is most of the time.
 *
 * Rows are like those of the vendor's figures: `15,<five digits>` and then, for each
 * measurement, `103,<five digits>,<two digits>`. By HTTP the size of the answer is the
 * server's choice: the vendor's 38 bytes are a status line and `Content-Length: 0`. */
#include "bench_sandbox.h"
#include "support/fault_proxy.h"

#include <stdio.h>
#include <string.h>

enum { BATCH = 100, SETTLE_ROWS = 3 };

struct bench {
    struct bench_sandbox sandbox;
    struct fault_proxy *proxy;
    struct sr_agent *agent;
    struct sr_reporter *reporter;
    size_t host, authorization; /* bytes of these header lines, by HTTP */
};

static const struct figure {
    const char *name;
    bool by_mqtt;
    int rows;
    unsigned vendor_up, vendor_down; /* 0: not known */
} figures[] = {
    {"one by HTTP",         false, 1,     156,  38},
    { "one by MQTT",        true,  1,     32,   4 },
    { "100 in one by HTTP", false, BATCH, 1445, 0 },
    { "100 in one by MQTT", true,  BATCH, 1320, 0 },
};

static void start_reporter(struct bench *b, const struct figure *figure)
{
    char broker[64];
    int rc;

    bench_broker(fault_proxy_port(b->proxy), broker);
    rc = figure->by_mqtt ? sr_reporter_new_mqtt(b->agent, broker, &b->reporter)
                         : sr_reporter_new_http(b->agent, &b->reporter);
    if (rc || sr_reporter_set_linger(b->reporter, 0) || sr_reporter_start(b->reporter))
        bench_die(sr_agent_error(b->agent));
}

static void look(struct sr_agent *agent, struct sr_timer *timer, void *arg)
{
    struct bench *b = arg;
    struct sr_reporter_stats stats;

    (void)timer;
    sr_reporter_stats(b->reporter, &stats);
    if (stats.connected && !stats.rows_waiting)
        sr_agent_stop(agent);
}

/* Sends `rows` measurements and runs until they are acknowledged. */
static void exchange(struct bench *b, int rows)
{
    struct sr_timer *timer;

    for (int i = 0; i < rows; i++)
        if (sr_agent_sendf(b->agent, "103,%s,%d", sr_agent_id(b->agent), 10 + i % 90))
            bench_die("a row was refused");
    if (sr_timer_new(b->agent, 5, look, b, &timer) || sr_timer_start(timer) ||
        sr_agent_loop(b->agent))
        bench_die(sr_agent_error(b->agent));
    sr_timer_free(timer);
}

static void compare(unsigned ours, unsigned vendor)
{
    if (vendor)
        printf(" %8u %6.2f", vendor, (double)ours / vendor);
    else
        printf(" %8s %6s", "-", "-");
}

static void report(const struct figure *figure, unsigned up, unsigned down)
{
    printf("%-20s %6u", figure->name, up);
    compare(up, figure->vendor_up);
    printf(" %8u", down);
    compare(down, figure->vendor_down);
    printf(" %10.1f\n", (double)(up + down) / figure->rows);
}

/* What is as long as names and passwords are, and no choice of ours. */
static void weigh_headers(struct bench *b)
{
    size_t account = strlen(sr_agent_tenant(b->agent)) + 1 +
                     strlen(sr_agent_username(b->agent)) + 1 +
                     strlen(sr_agent_password(b->agent));

    b->host =
        strlen("Host: \r\n") + strlen(strstr(sr_agent_server(b->agent), "//") + 2);
    b->authorization = strlen("Authorization: Basic \r\n") + (account + 2) / 3 * 4;
}

static void measure(struct bench *b, const struct figure *figure)
{
    int http_port = b->sandbox.http_port;
    uint64_t up, down, requests;
    struct sr_reporter_stats stats;

    b->proxy = fault_proxy_start(
        (uint16_t)(figure->by_mqtt ? b->sandbox.mqtt_port : http_port));
    if (!b->proxy)
        bench_die("no proxy");
    b->agent = bench_agent(&b->sandbox, "gw-0001",
                           figure->by_mqtt ? http_port : fault_proxy_port(b->proxy));
    if (!figure->by_mqtt)
        weigh_headers(b);
    start_reporter(b, figure);
    for (int i = 0; i < SETTLE_ROWS; i++)
        exchange(b, 1);
    sr_reporter_stats(b->reporter, &stats);
    requests = stats.requests_sent;
    up = fault_proxy_count(b->proxy, FAULT_BYTES_UP);
    down = fault_proxy_count(b->proxy, FAULT_BYTES_DOWN);
    exchange(b, figure->rows);
    sr_reporter_stats(b->reporter, &stats);
    if (stats.requests_sent != requests + 1)
        bench_die("the rows did not go in one request");
    report(figure, (unsigned)(fault_proxy_count(b->proxy, FAULT_BYTES_UP) - up),
           (unsigned)(fault_proxy_count(b->proxy, FAULT_BYTES_DOWN) - down));
    sr_agent_free(b->agent);
    fault_proxy_stop(b->proxy);
}

int main(void)
{
    struct bench b = { 0 };

    bench_sandbox_start(&b.sandbox);
    printf("%-20s %6s %8s %6s %8s %8s %6s %10s\n", "measurements", "up", "vendor",
           "ratio", "down", "vendor", "ratio", "bytes/each");
    for (size_t i = 0; i < sizeof figures / sizeof *figures; i++)
        measure(&b, &figures[i]);
    printf(
        "Of a request by HTTP, %zu bytes are the line Host and %zu the line\n"
        "Authorization: as long as the server's name and the credentials are; what the\n"
        "vendor's were is not known. The rest is the request line, Content-Length and\n"
        "the rows.\n",
        b.host, b.authorization);
    bench_sandbox_stop(&b.sandbox);
    return 0;
}
