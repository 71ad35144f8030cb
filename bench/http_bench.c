/* SPDX-License-Identifier: MIT */
/* http_bench [requests]: one request after the other on one connection, a row each, by sr_http
 * and by bare libcurl, to the same server in a thread; and what a periodic timer of 1 ms comes to. */
#include "support/server.h"
#include <curl/curl.h>
#include <smartrest/smartrest.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

static const char row[] = "200,10042,23.5", answer[] = "HTTP/1.1 200 OK\r\n"
                                                       "Content-Length: 0\r\n\r\n";

static _Noreturn void die(const char *why)
{
    fprintf(stderr, "http_bench: %s\n", why);
    exit(1);
}

static double now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Requests are shorter than a read, and one comes after the other. */
static void serve(int fd, unsigned number, void *arg)
{
    char request[4096];

    (void)number, (void)arg;
    while (recv(fd, request, sizeof request, 0) > 0)
        if (send(fd, answer, sizeof answer - 1, MSG_NOSIGNAL) < 0)
            return;
}

/* --- bare libcurl ------------------------------------------------------------- */

static double by_curl(const char *url, int requests)
{
    CURL *easy = curl_easy_init();
    double began;

    if (!easy)
        die("no libcurl");
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, row);
    began = now_s();
    for (int i = 0; i < requests; i++)
        if (curl_easy_perform(easy))
            die("libcurl fails");
    curl_easy_cleanup(easy);
    return requests / (now_s() - began);
}

/* --- ours --------------------------------------------------------------------- */

struct bench {
    struct sr_loop *loop;
    struct sr_http *http;
    struct sr_http_call call;
    int left;
};

static void ask(struct bench *b);

static void on_answer(void *arg, const struct sr_http_result *result)
{
    struct bench *b = arg;

    if (result->rc || result->status != 200)
        die(result->error);
    if (--b->left)
        ask(b);
    else
        sr_loop_stop(b->loop);
}

static void ask(struct bench *b)
{
    if (sr_http_request(b->http, &b->call, on_answer, b, NULL))
        die("cannot ask");
}

static double by_us(const char *url, int requests)
{
    const struct sr_net net = { .proxy = "" };
    struct bench b = {
        .call = {.url = url, .body = row, .len = sizeof row - 1},
        .left = requests,
    };
    double began, took;

    if (sr_loop_new(&b.loop) || sr_http_new(b.loop, &net, &b.http))
        die("cannot begin");
    began = now_s();
    ask(&b);
    sr_loop_run(b.loop);
    took = now_s() - began;
    sr_http_free(b.http);
    sr_loop_free(b.loop);
    return requests / took;
}

/* --- a timer ------------------------------------------------------------------ */

static void count(struct sr_agent *agent, struct sr_timer *timer, void *arg)
{
    (void)agent, (void)timer;
    ++*(int *)arg;
}

static void stop(struct sr_agent *agent, struct sr_timer *timer, void *arg)
{
    (void)timer, (void)arg;
    sr_agent_stop(agent);
}

static int calls_of_a_second(void)
{
    struct sr_timer *timer, *end;
    struct sr_agent *agent;
    int calls = 0;

    if (sr_agent_new("http://127.0.0.1", "bench", &agent) ||
        sr_timer_new(agent, 1, count, &calls, &timer) ||
        sr_timer_new(agent, 1000, stop, NULL, &end) || sr_timer_start(timer) ||
        sr_timer_start(end) || sr_agent_loop(agent))
        die("cannot begin");
    sr_agent_free(agent);
    return calls;
}

int main(int argc, char **argv)
{
    int requests = argc > 1 ? atoi(argv[1]) : 20000;
    struct server *server = server_start(0, serve, NULL);
    double curl, ours;
    char url[64];

    if (requests < 1 || !server)
        die("usage: http_bench [requests], at least 1");
    curl_global_init(CURL_GLOBAL_DEFAULT);
    snprintf(url, sizeof url, "http://127.0.0.1:%u/s", (unsigned)server_port(server));
    curl = by_curl(url, requests);
    ours = by_us(url, requests);
    printf("%-28s %8.0f requests/s\n", "libcurl", curl);
    printf("%-28s %8.0f requests/s, ratio %.2f\n", "sr_http", ours, ours / curl);
    printf("%-28s %8d calls in a second\n", "timer of 1 ms", calls_of_a_second());
    server_stop(server);
    return 0;
}
