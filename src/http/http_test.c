/* SPDX-License-Identifier: MIT */
#include "http/http.h"

#include "support/certificate.h"
#include "support/child.h"
#include "support/run.h"
#include "support/scripted_http.h"
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
/* after what it needs */
#include <cmocka.h>

#define STEPS(...)             \
    (const struct http_step[]) \
    {                          \
        __VA_ARGS__            \
    }

struct fixture {
    struct sr_loop *loop;
    struct sr_http *http;
    struct scripted_http *server;
    char url[64];
    struct sr_http_request *request; /* the last one posted */
    int answers;
    bool done; /* an answer has come */
    int rc;    /* of the last one */
    long status;
    char body[1024], error[256];
    size_t len;
};

static int set_up(void **state)
{
    struct fixture *fx = calloc(1, sizeof *fx);

    if (sr_loop_make(NULL, NULL, &fx->loop) || sr_http_new(fx->loop, NULL, &fx->http))
        return -1;
    *state = fx;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fx = *state;

    sr_http_free(fx->http);
    scripted_http_stop(fx->server);
    sr_loop_destroy(fx->loop);
    free(fx);
    return 0;
}

static void serve(struct fixture *fx, const struct http_step *steps, size_t count)
{
    fx->server = scripted_http_start(0, steps, count);
    assert_non_null(fx->server);
    snprintf(fx->url, sizeof fx->url, "http://127.0.0.1:%u/s",
             (unsigned)scripted_http_port(fx->server));
}

static void on_answer(void *arg, const struct sr_http_result *result)
{
    struct fixture *fx = arg;

    fx->answers++;
    fx->done = true;
    fx->rc = result->rc;
    fx->status = result->status;
    fx->len = result->len;
    assert_int_equal(result->body[result->len], '\0');
    snprintf(fx->body, sizeof fx->body, "%s", result->body);
    snprintf(fx->error, sizeof fx->error, "%s", result->error);
}

static struct sr_http_post post_of(struct fixture *fx, const char *rows)
{
    return (struct sr_http_post){ .url = fx->url,
                                  .body = rows,
                                  .len = strlen(rows),
                                  .answer_max = 1000,
                                  .timeout_ms = 60 * 1000 };
}

static void post(struct fixture *fx, const char *rows)
{
    const struct sr_http_post p = post_of(fx, rows);

    fx->done = false;
    assert_int_equal(sr_http_post(fx->http, &p, on_answer, fx, &fx->request), 0);
}

static void wait_for_answer(struct fixture *fx)
{
    assert_int_equal(sr_loop_run_until(fx->loop, &fx->done), 0);
}

static void post_and_wait(struct fixture *fx, const char *rows)
{
    post(fx, rows);
    wait_for_answer(fx);
}

static void turn_for(struct fixture *fx, uint64_t ms)
{
    uint64_t until = now_ms() + ms;

    while (now_ms() < until)
        sr_loop_turn(fx->loop, false);
}

static void posts_rows_and_hands_the_answer_over(void **state)
{
    struct fixture *fx = *state;

    serve(fx, STEPS({ HTTP_ANSWER, 200, "20,24830\n" }), 1);
    post_and_wait(fx, "61,device");
    assert_int_equal(fx->rc, 0);
    assert_int_equal(fx->status, 200);
    assert_string_equal(fx->body, "20,24830\n");
    assert_string_equal(fx->error, "");
    assert_string_equal(scripted_http_body(fx->server, 0), "61,device");
}

static void sends_the_headers_of_the_platform_and_no_others(void **state)
{
    struct fixture *fx = *state;
    struct sr_http_post p;
    const char *head;
    char *rows = malloc(3001);

    serve(fx, STEPS({ HTTP_ANSWER, 200, "" }), 1);
    memset(rows, 'x', 3000); /* large enough for libcurl to ask for 100-continue */
    rows[3000] = '\0';
    p = post_of(fx, rows);
    p.user = "t4711/device_gw-0001";
    p.password = "s3cr3t9xQ";
    p.x_id = "com.acme.gw-v1";
    assert_int_equal(sr_http_post(fx->http, &p, on_answer, fx, NULL), 0);
    free(rows); /* it is copied */
    wait_for_answer(fx);

    head = scripted_http_head(fx->server, 0);
    assert_int_equal(strncmp(head, "POST /s HTTP/1.1\r\n", 18), 0);
    assert_non_null(strstr(head, "\r\nX-Id: com.acme.gw-v1\r\n"));
    assert_non_null(strstr(
        head, "\r\nAuthorization: Basic dDQ3MTEvZGV2aWNlX2d3LTAwMDE6czNjcjN0OXhR"));
    assert_non_null(strstr(head, "\r\nContent-Length: 3000\r\n"));
    assert_null(strcasestr(head, "Content-Type"));
    assert_null(strcasestr(head, "Accept"));
    assert_null(strcasestr(head, "Expect"));
    assert_null(strcasestr(head, "User-Agent"));
    assert_int_equal(strlen(scripted_http_body(fx->server, 0)), 3000);
}

static void without_user_and_x_id_their_headers_are_missing(void **state)
{
    struct fixture *fx = *state;
    const char *head;

    serve(fx, STEPS({ HTTP_ANSWER, 200, "" }), 1);
    post_and_wait(fx, "");
    head = scripted_http_head(fx->server, 0);
    assert_null(strcasestr(head, "Authorization"));
    assert_null(strcasestr(head, "X-Id"));
    assert_non_null(strstr(head, "\r\nContent-Length: 0\r\n"));
    assert_string_equal(fx->body, "");
}

static void a_header_cannot_be_smuggled_in(void **state)
{
    struct fixture *fx = *state;
    struct sr_http_post p;

    serve(fx, STEPS({ HTTP_ANSWER, 200, "" }), 1);
    p = post_of(fx, "");
    p.x_id = "name\r\nX-Evil: 1";
    assert_int_equal(sr_http_post(fx->http, &p, on_answer, fx, NULL), SR_E_INVAL);
    turn_for(fx, 20);
    assert_int_equal(fx->answers, 0);
}

static void a_status_of_the_servers_is_no_error_of_the_clients(void **state)
{
    static const int statuses[] = { 204, 301, 400, 401, 404, 413, 500, 503 };
    struct fixture *fx = *state;
    struct http_step steps[8];

    for (int i = 0; i < 8; i++)
        steps[i] = (struct http_step){ HTTP_ANSWER, statuses[i], "50,1,404" };
    steps[0].body = "";
    serve(fx, steps, 8);
    for (int i = 0; i < 8; i++) {
        post_and_wait(fx, "1");
        assert_int_equal(fx->rc, 0);
        assert_int_equal(fx->status, statuses[i]);
    }
}

static void requests_share_a_connection(void **state)
{
    struct fixture *fx = *state;

    serve(fx, STEPS({ HTTP_ANSWER, 200, "20,1\n" }), 1);
    for (int i = 0; i < 5; i++)
        post_and_wait(fx, "1");
    assert_int_equal(scripted_http_requests(fx->server), 5);
    assert_int_equal(scripted_http_connections(fx->server), 1);
}

static void an_answer_may_come_byte_by_byte(void **state)
{
    struct fixture *fx = *state;

    serve(fx, STEPS({ HTTP_SPLIT, 200, "500,1,4711\n501,1,\"a\nb\"\n" }), 1);
    post_and_wait(fx, "1");
    assert_int_equal(fx->rc, 0);
    assert_string_equal(fx->body, "500,1,4711\n501,1,\"a\nb\"\n");
}

static void fails_with(struct fixture *fx, enum http_how how, const char *body, int rc)
{
    struct http_step step = { how, 200, body };

    serve(fx, &step, 1);
    post_and_wait(fx, "1");
    assert_int_equal(fx->rc, rc);
    assert_true(*fx->error != '\0');
    scripted_http_stop(fx->server);
    fx->server = NULL;
}

static void a_server_that_hangs_up_is_unreachable(void **state)
{
    struct fixture *fx = *state;

    fails_with(fx, HTTP_CLOSE, NULL, SR_E_UNREACHABLE);
    fails_with(fx, HTTP_SLAM, NULL, SR_E_UNREACHABLE);
    fails_with(fx, HTTP_TRUNCATED, "20,24830\n", SR_E_UNREACHABLE);
    fails_with(fx, HTTP_RAW, "HTTP/1.1 200 OK\r\n", SR_E_UNREACHABLE);
    fails_with(fx, HTTP_RAW, "HTTP/1.1 200 OK\r\nContent-Length: 0\r",
               SR_E_UNREACHABLE);
    fails_with(fx, HTTP_RAW, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n",
               SR_E_UNREACHABLE);
}

static void a_server_that_speaks_something_else_is_unreachable(void **state)
{
    struct fixture *fx = *state;

    fails_with(fx, HTTP_RAW, "SSH-2.0-OpenSSH_9.2\r\n", SR_E_UNREACHABLE);
    fails_with(fx, HTTP_RAW, "HTTP/1.1 abc\r\n\r\n", SR_E_UNREACHABLE);
    fails_with(fx, HTTP_RAW, "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
               SR_E_UNREACHABLE);
    fails_with(fx, HTTP_RAW,
               "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
               SR_E_UNREACHABLE);
}

static void nobody_listening_is_unreachable(void **state)
{
    struct fixture *fx = *state;

    snprintf(fx->url, sizeof fx->url, "http://127.0.0.1:%u/s", (unsigned)free_port());
    post_and_wait(fx, "1");
    assert_int_equal(fx->rc, SR_E_UNREACHABLE);
}

static void a_server_that_never_answers_times_out(void **state)
{
    struct fixture *fx = *state;
    struct sr_http_post p;
    uint64_t began = now_ms();

    serve(fx, STEPS({ HTTP_SILENT, 0, NULL }), 1);
    p = post_of(fx, "1");
    p.timeout_ms = 200;
    assert_int_equal(sr_http_post(fx->http, &p, on_answer, fx, NULL), 0);
    wait_for_answer(fx);
    assert_int_equal(fx->rc, SR_E_TIMEOUT);
    assert_true(now_ms() - began >= 190);
}

static void an_answer_larger_than_the_limit_is_refused(void **state)
{
    struct fixture *fx = *state;

    serve(fx, STEPS({ HTTP_ENDLESS, 0, NULL }), 1);
    post_and_wait(fx, "1");
    assert_int_equal(fx->rc, SR_E_TOOBIG);
    assert_non_null(strstr(fx->error, "limit"));
}

static void the_limit_of_an_answer_is_exact(void **state)
{
    struct fixture *fx = *state;
    static char body[1002]; /* outlives the server */
    struct http_step steps[2] = {
        {HTTP_ANSWER,  200, body + 1},
        { HTTP_ANSWER, 200, body    }
    };

    memset(body, 'x', 1001);
    body[1001] = '\0';
    serve(fx, steps, 2);
    post_and_wait(fx, "1");
    assert_int_equal(fx->rc, 0);
    assert_int_equal(fx->len, 1000);
    post_and_wait(fx, "1");
    assert_int_equal(fx->rc, SR_E_TOOBIG);
}

static void a_cancelled_request_calls_nobody(void **state)
{
    struct fixture *fx = *state;

    serve(fx, STEPS({ HTTP_SILENT, 0, NULL }), 1);
    post(fx, "1");
    sr_http_cancel(fx->request); /* before its first turn */
    post(fx, "1");
    while (!scripted_http_requests(fx->server))
        sr_loop_turn(fx->loop, true);
    sr_http_cancel(fx->request);
    sr_http_cancel(NULL);
    turn_for(fx, 20);
    assert_int_equal(fx->answers, 0);
}

static void free_in_callback(void *arg, const struct sr_http_result *result)
{
    struct fixture *fx = arg;

    on_answer(arg, result);
    sr_http_free(fx->http);
    fx->http = NULL;
    assert_int_equal(result->body[0], '2'); /* still there */
}

static void the_client_may_be_freed_in_a_callback(void **state)
{
    struct fixture *fx = *state;
    struct sr_http_post p;

    serve(fx, STEPS({ HTTP_ANSWER, 200, "20,1" }), 1);
    p = post_of(fx, "1");
    post(fx, "1");
    sr_http_cancel(fx->request);
    for (int i = 0; i < 3; i++) /* the other two are cancelled by it */
        assert_int_equal(sr_http_post(fx->http, &p, free_in_callback, fx, NULL), 0);
    wait_for_answer(fx);
    turn_for(fx, 20);
    assert_int_equal(fx->answers, 1);
}

static void post_again(void *arg, const struct sr_http_result *result)
{
    struct fixture *fx = arg;
    const struct sr_http_post p = post_of(fx, "2");

    (void)result;
    assert_int_equal(sr_http_post(fx->http, &p, on_answer, fx, NULL), 0);
}

static void a_callback_may_post_again(void **state)
{
    struct fixture *fx = *state;
    struct sr_http_post p;

    serve(fx, STEPS({ HTTP_ANSWER, 200, "20,1" }), 1);
    p = post_of(fx, "1");
    assert_int_equal(sr_http_post(fx->http, &p, post_again, fx, NULL), 0);
    wait_for_answer(fx);
    assert_string_equal(scripted_http_body(fx->server, 1), "2");
}

static void cancel_other(void *arg, const struct sr_http_result *result)
{
    struct fixture *fx = arg;

    on_answer(arg, result);
    sr_http_cancel(fx->request);
    fx->request = NULL;
}

static void a_callback_may_cancel_another_request(void **state)
{
    struct fixture *fx = *state;
    struct scripted_http *answering;
    struct sr_http_post p;

    serve(fx, STEPS({ HTTP_ANSWER, 200, "20,1" }), 1);
    p = post_of(fx, "1");
    assert_int_equal(sr_http_post(fx->http, &p, cancel_other, fx, NULL), 0);
    answering = fx->server;
    serve(fx, STEPS({ HTTP_SILENT, 0, NULL }), 1);
    post(fx, "2");
    wait_for_answer(fx);
    turn_for(fx, 20);
    assert_int_equal(fx->answers, 1);
    scripted_http_stop(answering);
}

static void freed_with_requests_in_flight_it_calls_nobody(void **state)
{
    struct fixture *fx = *state;

    serve(fx, STEPS({ HTTP_SILENT, 0, NULL }), 1);
    post(fx, "1");
    post(fx, "2");
    while (!scripted_http_requests(fx->server))
        sr_loop_turn(fx->loop, true);
    sr_http_free(fx->http);
    fx->http = NULL;
    turn_for(fx, 20);
    assert_int_equal(fx->answers, 0);
}

static void files_and_other_schemes_are_never_fetched(void **state)
{
    struct fixture *fx = *state;

    strcpy(fx->url, "file:///etc/passwd");
    post_and_wait(fx, "1");
    assert_int_equal(fx->rc, SR_E_UNREACHABLE);
    assert_string_equal(fx->body, "");
}

static void a_redirect_is_not_followed(void **state)
{
    struct fixture *fx = *state;

    serve(fx,
          STEPS({ HTTP_RAW, 0,
                  "HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: "
                  "0\r\n\r\n" }),
          1);
    post_and_wait(fx, "1");
    assert_int_equal(fx->status, 302);
    assert_int_equal(scripted_http_requests(fx->server), 1);
}

/* --- TLS ------------------------------------------------------------------ */

/* openssl s_server with a certificate for 127.0.0.1 made now; it answers what stands in
 * its standard input to whoever connects. */
struct tls_server {
    char dir[CERTIFICATE_DIR];
    pid_t pid;
    int in;
};

static void start_tls(struct fixture *fx, struct tls_server *tls)
{
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n20,1\n";
    char accept[32], key[100], cert[100];
    unsigned port = free_port();
    int in[2];

    assert_true(make_certificate(tls->dir));
    snprintf(accept, sizeof accept, "127.0.0.1:%u", port);
    snprintf(key, sizeof key, "%s/key.pem", tls->dir);
    snprintf(cert, sizeof cert, "%s/cert.pem", tls->dir);
    snprintf(fx->url, sizeof fx->url, "https://127.0.0.1:%u/s", port);
    assert_int_equal(pipe(in), 0);
    assert_int_equal(write(in[1], answer, sizeof answer - 1), (int)sizeof answer - 1);
    tls->in = in[1];
    tls->pid = fork();
    if (tls->pid == 0) {
        dup2(in[0], 0);
        close(in[1]);
        if (!freopen("/dev/null", "w", stdout) || !freopen("/dev/null", "w", stderr))
            _exit(1);
        execlp("openssl", "openssl", "s_server", "-quiet", "-accept", accept, "-key",
               key, "-cert", cert, (char *)NULL);
        _exit(1);
    }
    close(in[0]);
}

static void stop_tls(struct tls_server *tls)
{
    close(tls->in);
    child_end(&tls->pid, SIGKILL);
    remove_certificate(tls->dir);
}

/* Posts until the server is there. */
static void post_by_tls(struct fixture *fx)
{
    uint64_t give_up = now_ms() + 30000;

    do
        post_and_wait(fx, "1");
    while (fx->rc && strstr(fx->error, "connect to") && now_ms() < give_up);
}

static void an_untrusted_certificate_is_refused(void **state)
{
    struct fixture *fx = *state;
    struct tls_server tls;

    start_tls(fx, &tls);
    post_by_tls(fx);
    assert_int_equal(fx->rc, SR_E_UNREACHABLE);
    assert_non_null(strstr(fx->error, "certificate"));
    stop_tls(&tls);
}

static void a_certificate_of_the_ca_file_is_trusted(void **state)
{
    struct fixture *fx = *state;
    struct tls_server tls;
    char ca[100];

    start_tls(fx, &tls);
    snprintf(ca, sizeof ca, "%s/cert.pem", tls.dir);
    sr_http_free(fx->http);
    assert_int_equal(
        sr_http_new(fx->loop, &(struct sr_net){ .ca_file = ca }, &fx->http), 0);
    memset(ca, 'x', sizeof ca); /* it is copied */
    post_by_tls(fx);
    assert_string_equal(fx->error, "");
    assert_int_equal(fx->status, 200);
    assert_string_equal(fx->body, "20,1\n");
    stop_tls(&tls);
    /* Its connection is kept, and its other end is gone: closing it writes. */
    sr_http_free(fx->http);
    fx->http = NULL;
}

static void a_certificate_for_another_host_is_refused(void **state)
{
    struct fixture *fx = *state;
    struct tls_server tls;
    char ca[100], *host;

    start_tls(fx, &tls);
    snprintf(ca, sizeof ca, "%s/cert.pem", tls.dir);
    sr_http_free(fx->http);
    assert_int_equal(
        sr_http_new(fx->loop, &(struct sr_net){ .ca_file = ca }, &fx->http), 0);
    host = strstr(fx->url, "127.0.0.1");
    memcpy(host, "localhost", 9);
    post_by_tls(fx);
    assert_int_equal(fx->rc, SR_E_UNREACHABLE);
    assert_non_null(strstr(fx->error, "localhost"));
    stop_tls(&tls);
}

static void a_ca_file_that_cannot_be_read_is_refused(void **state)
{
    struct fixture *fx = *state;
    struct sr_http *http = NULL;

    assert_int_equal(
        sr_http_new(fx->loop, &(struct sr_net){ .ca_file = "/nowhere/ca.pem" }, &http),
        SR_E_INVAL);
    assert_null(http);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(posts_rows_and_hands_the_answer_over),
        TEST(sends_the_headers_of_the_platform_and_no_others),
        TEST(without_user_and_x_id_their_headers_are_missing),
        TEST(a_header_cannot_be_smuggled_in),
        TEST(a_status_of_the_servers_is_no_error_of_the_clients),
        TEST(requests_share_a_connection),
        TEST(an_answer_may_come_byte_by_byte),
        TEST(a_server_that_hangs_up_is_unreachable),
        TEST(a_server_that_speaks_something_else_is_unreachable),
        TEST(nobody_listening_is_unreachable),
        TEST(a_server_that_never_answers_times_out),
        TEST(an_answer_larger_than_the_limit_is_refused),
        TEST(the_limit_of_an_answer_is_exact),
        TEST(a_cancelled_request_calls_nobody),
        TEST(the_client_may_be_freed_in_a_callback),
        TEST(a_callback_may_post_again),
        TEST(a_callback_may_cancel_another_request),
        TEST(freed_with_requests_in_flight_it_calls_nobody),
        TEST(files_and_other_schemes_are_never_fetched),
        TEST(a_redirect_is_not_followed),
        TEST(an_untrusted_certificate_is_refused),
        TEST(a_certificate_of_the_ca_file_is_trusted),
        TEST(a_certificate_for_another_host_is_refused),
        TEST(a_ca_file_that_cannot_be_read_is_refused),
    };

    no_proxies();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
