/* SPDX-License-Identifier: MIT */
/* Through reporter, broker and back, with a real mosquitto on loopback:
 *
 *   rows/s    rows that an agent sends until the broker has acknowledged the last one,
 *             while a second client counts them as they arrive
 *   reply     from the publish of an operation to the arrival of the row that the
 *             agent's handler sent for it, at the same client
 *
 *     roundtrip_bench [rows [replies]]
 */
#include "support/child.h"
#include <arpa/inet.h>
#include <errno.h>
#include <mosquitto.h>
#include <pthread.h>
#include <signal.h>
#include <smartrest/smartrest.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { AHEAD = 8192 }; /* rows that may wait in the outbox */

struct bench {
    struct sr_agent *agent;
    struct sr_reporter *reporter;
    struct mosquitto *platform; /* plays it: gets s/ul, publishes s/ol/1 */
    long rows, sent;
    atomic_long arrived;
    int replies;
    double *reply_ms;
    atomic_int answered;
    double asked_at;
};

static double now_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void die(const char *what)
{
    fprintf(stderr, "roundtrip_bench: %s\n", what);
    exit(1);
}

/* --- the broker --------------------------------------------------------- */

static int free_port(void)
{
    struct sockaddr_in a = { .sin_family = AF_INET,
                             .sin_addr = { htonl(INADDR_LOOPBACK) } };
    socklen_t len = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof a) ||
        getsockname(fd, (struct sockaddr *)&a, &len))
        die("no free port");
    close(fd);
    return ntohs(a.sin_port);
}

static pid_t start_broker(int port)
{
    char conf[] = "/tmp/roundtrip_bench.XXXXXX";
    int fd = mkstemp(conf);
    pid_t pid;

    if (fd < 0)
        die("cannot write to /tmp");
    dprintf(fd,
            "listener %d 127.0.0.1\nallow_anonymous true\nlog_type none\n"
            "set_tcp_nodelay true\n",
            port);
    close(fd);
    pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        execlp("mosquitto", "mosquitto", "-c", conf, (char *)NULL);
        execl("/usr/sbin/mosquitto", "mosquitto", "-c", conf, (char *)NULL);
        _exit(127);
    }
    /* The broker reads it once; the client below waits until it listens. */
    for (int i = 0; i < 500; i++) {
        struct sockaddr_in a = { .sin_family = AF_INET,
                                 .sin_addr = { htonl(INADDR_LOOPBACK) },
                                 .sin_port = htons((uint16_t)port) };
        int probe = socket(AF_INET, SOCK_STREAM, 0);
        int rc = connect(probe, (struct sockaddr *)&a, sizeof a);

        close(probe);
        if (!rc) {
            unlink(conf);
            return pid;
        }
        nanosleep(&(struct timespec){ .tv_nsec = 10 * 1000 * 1000 }, NULL);
    }
    die("the broker mosquitto does not start");
    return 0;
}

/* --- the platform's side ------------------------------------------------ */

static void ask(struct bench *b)
{
    b->asked_at = now_s();
    mosquitto_publish(b->platform, NULL, "s/ol/1", 12, "502,1,7,4711", 1, false);
}

static void on_rows(struct mosquitto *client, void *arg,
                    const struct mosquitto_message *message)
{
    struct bench *b = arg;
    const char *payload = message->payload;
    long rows = 0; /* line ends: the `15` row has one, the last row none */

    (void)client;
    for (int i = 0; i < message->payloadlen; i++)
        rows += payload[i] == '\n';
    if (atomic_load(&b->arrived) < b->rows) {
        atomic_fetch_add(&b->arrived, rows);
        return;
    }
    if (atomic_load(&b->answered) < b->replies) {
        int n = atomic_load(&b->answered);

        b->reply_ms[n] = 1000 * (now_s() - b->asked_at);
        atomic_fetch_add(&b->answered, 1);
        if (n + 1 < b->replies)
            ask(b);
        else
            sr_agent_stop(b->agent);
    }
}

static void start_platform(struct bench *b, int port)
{
    mosquitto_lib_init();
    b->platform = mosquitto_new("platform", true, b);
    mosquitto_message_callback_set(b->platform, on_rows);
    mosquitto_int_option(b->platform, MOSQ_OPT_TCP_NODELAY, 1);
    if (mosquitto_connect(b->platform, "127.0.0.1", port, 60) ||
        mosquitto_subscribe(b->platform, NULL, "s/ul", 0) ||
        mosquitto_loop_start(b->platform))
        die("cannot connect to the broker");
}

/* --- the agent's side --------------------------------------------------- */

static void restart(struct sr_agent *agent, struct sr_record *record, void *arg)
{
    (void)arg;
    sr_agent_sendf(agent, "105,%s,EXECUTING", sr_record_value(record, 2));
}

static void feed(struct sr_agent *agent, struct sr_timer *timer, void *arg)
{
    struct bench *b = arg;
    struct sr_reporter_stats stats;

    sr_reporter_stats(b->reporter, &stats);
    for (uint64_t n = stats.rows_waiting; n < AHEAD && b->sent < b->rows;
         n++, b->sent++)
        if (sr_agent_sendf(agent, "103,%s,%.1f", "24871",
                           (double)(b->sent % 1000) / 10))
            die("sr_agent_sendf");
    if (stats.rows_acked >= (uint64_t)b->rows && atomic_load(&b->arrived) >= b->rows) {
        sr_timer_stop(timer);
        sr_agent_stop(agent);
    }
}

static void start_agent(struct bench *b, int port)
{
    char broker[64];

    snprintf(broker, sizeof broker, "mqtt://127.0.0.1:%d", port);
    if (sr_agent_new("http://localhost", "bench", &b->agent) ||
        sr_agent_set_credentials(b->agent, "t", "device_bench", "x") ||
        sr_agent_set_xid(b->agent, "1") || sr_agent_set_id(b->agent, "24871") ||
        sr_agent_on_message(b->agent, 502, restart, NULL) ||
        sr_reporter_new_mqtt(b->agent, broker, &b->reporter) ||
        sr_reporter_start(b->reporter))
        die(sr_agent_error(b->agent));
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void run_rows(struct bench *b)
{
    struct sr_reporter_stats stats;
    struct sr_timer *timer;
    double start = now_s(), took;

    if (sr_timer_new(b->agent, 1, feed, b, &timer) || sr_timer_start(timer) ||
        sr_agent_loop(b->agent))
        die(sr_agent_error(b->agent));
    took = now_s() - start;
    sr_timer_free(timer);
    sr_reporter_stats(b->reporter, &stats);
    if (stats.rows_dropped || stats.rows_acked != (uint64_t)b->rows)
        die("rows were lost");
    printf("rows: %ld in %.2f s, %.0f rows/s, %.1f rows a publish, %.1f bytes a row\n",
           b->rows, took, (double)b->rows / took,
           (double)b->rows / (double)stats.requests_sent,
           (double)stats.bytes_sent / (double)b->rows);
}

static void run_replies(struct bench *b)
{
    ask(b);
    if (sr_agent_loop(b->agent))
        die(sr_agent_error(b->agent));
    qsort(b->reply_ms, (size_t)b->replies, sizeof *b->reply_ms, by_value);
    printf("replies: %d, p50 %.3f ms, p99 %.3f ms, max %.3f ms\n", b->replies,
           b->reply_ms[b->replies / 2], b->reply_ms[b->replies * 99 / 100],
           b->reply_ms[b->replies - 1]);
}

int main(int argc, char **argv)
{
    struct bench b = { .rows = argc > 1 ? atol(argv[1]) : 1000000,
                       .replies = argc > 2 ? atoi(argv[2]) : 2000 };
    int port = free_port();
    pid_t broker;

    if (b.rows < 1 || b.replies < 1)
        die("usage: roundtrip_bench [rows [replies]], both at least 1");
    b.reply_ms = calloc((size_t)b.replies, sizeof *b.reply_ms);
    broker = start_broker(port);
    start_platform(&b, port);
    start_agent(&b, port);
    run_rows(&b);
    run_replies(&b);

    sr_agent_free(b.agent);
    mosquitto_disconnect(b.platform);
    mosquitto_loop_stop(b.platform, false);
    mosquitto_destroy(b.platform);
    child_end(&broker, SIGTERM);
    free(b.reply_ms);
    return 0;
}
