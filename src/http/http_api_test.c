/* SPDX-License-Identifier: MIT */
/* sr_http as applications use it. */
#include <smartrest/http.h>

#include "support/run.h"
#include "support/scripted_http.h"
#include <limits.h>
#include <setjmp.h>
#include <smartrest/loop.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
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
    struct scripted_http *scripted;
    struct server *server;
    char url[64];
    struct sr_http_request *request;
    int answers, pieces, rc;
    long status, status_of_pieces;
    char body[1024], error[300], header[100];
    uint64_t streamed, stop_after;
    struct sr_http_progress progress;
    int progresses;
    bool (*on_piece)(struct fixture *fx);
};

static int set_up(void **state)
{
    struct fixture *fx = calloc(1, sizeof *fx);

    *state = fx;
    fx->stop_after = UINT64_MAX;
    return sr_loop_new(&fx->loop) || sr_http_new(fx->loop, NULL, &fx->http);
}

static int tear_down(void **state)
{
    struct fixture *fx = *state;

    sr_http_free(fx->http);
    scripted_http_stop(fx->scripted);
    server_stop(fx->server);
    sr_loop_free(fx->loop);
    free(fx);
    return 0;
}

static void script(struct fixture *fx, const struct http_step *steps, size_t count)
{
    fx->scripted = scripted_http_start(0, steps, count);
    assert_non_null(fx->scripted);
    snprintf(fx->url, sizeof fx->url, "http://127.0.0.1:%u/x",
             (unsigned)scripted_http_port(fx->scripted));
}

static void serve(struct fixture *fx, server_part part)
{
    fx->server = server_start(0, part, fx);
    assert_non_null(fx->server);
    snprintf(fx->url, sizeof fx->url, "http://127.0.0.1:%u/x",
             (unsigned)server_port(fx->server));
}

static void on_answer(void *arg, const struct sr_http_result *result)
{
    struct fixture *fx = arg;
    const char *header = sr_http_header(result, "x-flavour");

    fx->answers++;
    fx->rc = result->rc;
    fx->status = result->status;
    snprintf(fx->body, sizeof fx->body, "%s", result->body);
    snprintf(fx->error, sizeof fx->error, "%s", result->error);
    snprintf(fx->header, sizeof fx->header, "%s", header ? header : "(none)");
    sr_loop_stop(fx->loop);
}

static bool on_data(void *arg, const struct sr_http_result *so_far, const char *bytes,
                    size_t len)
{
    struct fixture *fx = arg;

    assert_non_null(bytes);
    fx->pieces++;
    fx->status_of_pieces = so_far->status;
    fx->streamed += len;
    if (fx->on_piece)
        return fx->on_piece(fx);
    return fx->streamed < fx->stop_after;
}

static void on_progress(void *arg, const struct sr_http_progress *progress)
{
    struct fixture *fx = arg;

    fx->progress = *progress;
    fx->progresses++;
}

static void ask(struct fixture *fx, struct sr_http_call *call)
{
    if (!call->url)
        call->url = fx->url;
    assert_int_equal(sr_http_request(fx->http, call, on_answer, fx, &fx->request), 0);
}

static void ask_and_wait(struct fixture *fx, struct sr_http_call *call)
{
    ask(fx, call);
    assert_int_equal(sr_loop_run(fx->loop), 0);
}

static void turn_for(struct fixture *fx, uint64_t ms)
{
    uint64_t until = now_ms() + ms;

    while (now_ms() < until)
        sr_loop_dispatch(fx->loop);
}

static bool head_begins(struct fixture *fx, unsigned i, const char *text)
{
    const char *head = scripted_http_head(fx->scripted, i);

    return head && !strncmp(head, text, strlen(text));
}

/* --- requests --------------------------------------------------------------- */

static void a_zeroed_call_is_a_get(void **state)
{
    struct fixture *fx = *state;
    struct sr_http_call call = { 0 };

    script(fx, STEPS({ HTTP_ANSWER, 200, "hello" }), 1);
    ask_and_wait(fx, &call);
    assert_int_equal(fx->rc, 0);
    assert_int_equal(fx->status, 200);
    assert_string_equal(fx->body, "hello");
    assert_true(head_begins(fx, 0, "GET /x HTTP/1.1\r\n"));
}

static void a_body_makes_it_a_post_of_those_bytes(void **state)
{
    struct fixture *fx = *state;
    struct sr_http_call call = { .body = "a=1", .len = 3 };

    script(fx, STEPS({ HTTP_ANSWER, 201, "" }), 1);
    ask_and_wait(fx, &call);
    assert_int_equal(fx->status, 201);
    assert_true(head_begins(fx, 0, "POST /x "));
    assert_string_equal(scripted_http_body(fx->scripted, 0), "a=1");
    assert_null(strcasestr(scripted_http_head(fx->scripted, 0), "Content-Type"));
}

static void every_method_is_possible(void **state)
{
    static const char *const methods[] = { "PUT", "DELETE", "PATCH", "OPTIONS",
                                           "REPORT" };
    struct fixture *fx = *state;
    char expected[32];

    script(fx, STEPS({ HTTP_ANSWER, 200, "" }), 1);
    for (unsigned i = 0; i < 5; i++) {
        struct sr_http_call call = { .method = methods[i] };

        ask_and_wait(fx, &call);
        assert_int_equal(fx->rc, 0);
        snprintf(expected, sizeof expected, "%s /x ", methods[i]);
        assert_true(head_begins(fx, i, expected));
    }
}

static void put_carries_its_body(void **state)
{
    struct fixture *fx = *state;
    struct sr_http_call call = { .method = "PUT", .body = "new", .len = 3 };

    script(fx, STEPS({ HTTP_ANSWER, 200, "" }), 1);
    ask_and_wait(fx, &call);
    assert_true(head_begins(fx, 0, "PUT /x "));
    assert_string_equal(scripted_http_body(fx->scripted, 0), "new");
}

static void headers_are_added_replaced_and_removed(void **state)
{
    const struct sr_http_header headers[] = {
        {"X-Id",          "42" },
        { "Accept",       NULL },
        { "Content-Type", "a/b"},
        { "X-Nothing",    ""   },
    };
    struct fixture *fx = *state;
    struct sr_http_call call = { .headers = headers,
                                 .header_count = 4,
                                 .body = "",
                                 .user = "t/u",
                                 .password = "p" };
    const char *head;

    script(fx, STEPS({ HTTP_ANSWER, 200, "" }), 1);
    ask_and_wait(fx, &call);
    head = scripted_http_head(fx->scripted, 0);
    assert_non_null(strstr(head, "\r\nX-Id: 42\r\n"));
    assert_non_null(strstr(head, "\r\nContent-Type: a/b\r\n"));
    assert_non_null(strstr(head, "\r\nX-Nothing:\r\n"));
    assert_non_null(strstr(head, "\r\nAuthorization: Basic dC91OnA=\r\n"));
    assert_null(strstr(head, "Accept"));
}

static void nonsense_is_refused(void **state)
{
    static const struct sr_http_header bad[] = {
        {"X",       "a\r\nEvil: 1"},
        { "X: y\n", "1"           },
        { "",       "1"           },
        { NULL,     "1"           },
    };
    struct fixture *fx = *state;
    struct sr_http_call call = { .url = "http://127.0.0.1:1/" };

    for (size_t i = 0; i < 4; i++) {
        call.headers = &bad[i];
        call.header_count = 1;
        assert_int_equal(sr_http_request(fx->http, &call, on_answer, fx, NULL),
                         SR_E_INVAL);
    }
    call.header_count = 0;
    call.method = "GET / HTTP/1.1\r\nEvil: 1";
    assert_int_equal(sr_http_request(fx->http, &call, on_answer, fx, NULL), SR_E_INVAL);
    call.method = NULL;
    assert_int_equal(sr_http_request(fx->http, &call, NULL, fx, NULL), SR_E_INVAL);
    call.url = NULL;
    assert_int_equal(sr_http_request(fx->http, &call, on_answer, fx, NULL), SR_E_INVAL);
    assert_null(sr_http_free(NULL));
    assert_null(sr_http_header(NULL, "x"));
    turn_for(fx, 10);
    assert_int_equal(fx->answers, 0);
}

static void other_schemes_are_not_spoken(void **state)
{
    struct fixture *fx = *state;
    struct sr_http_call call = { .url = "file:///etc/passwd" };

    ask_and_wait(fx, &call);
    assert_int_equal(fx->rc, SR_E_UNREACHABLE);
    assert_string_equal(fx->body, "");
}

/* --- multipart -------------------------------------------------------------- */

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void parts_are_bytes_and_files(void **state)
{
    char path[] = "/tmp/http_api_test.XXXXXX";
    struct fixture *fx = *state;
    struct sr_http_part parts[] = {
        {.name = "object",    .bytes = "{\"name\":\"a\"}", .len = 12},
        { .name = "file",
         .filename = "a.log",
         .content_type = "text/plain",
         .file = path },
    };
    struct sr_http_call call = { .parts = parts, .part_count = 2 };
    const char *body;

    close(mkstemp(path));
    write_file(path, "line 1\n");
    script(fx, STEPS({ HTTP_ANSWER, 201, "" }), 1);
    ask_and_wait(fx, &call);
    unlink(path);
    body = scripted_http_body(fx->scripted, 0);
    assert_non_null(strstr(body,
                           "Content-Disposition: form-data; name=\"object\"\r\n\r\n"
                           "{\"name\":\"a\"}\r\n"));
    assert_non_null(strstr(body, "form-data; name=\"file\"; filename=\"a.log\"\r\n"
                                 "Content-Type: text/plain\r\n\r\nline 1\n\r\n"));
    assert_non_null(strstr(scripted_http_head(fx->scripted, 0), "Content-Length: "));
}

static void a_file_that_cannot_be_read_is_refused(void **state)
{
    char path[] = "/tmp/http_api_test.XXXXXX", pipe_path[64];
    struct fixture *fx = *state;
    struct sr_http_part part = { .name = "file", .file = "/nowhere/file" };
    struct sr_http_call call = { .url = "http://127.0.0.1:1/",
                                 .parts = &part,
                                 .part_count = 1 };

    assert_int_equal(sr_http_request(fx->http, &call, on_answer, fx, NULL), SR_E_IO);
    assert_non_null(mkdtemp(path));
    part.file = path; /* a directory */
    assert_int_equal(sr_http_request(fx->http, &call, on_answer, fx, NULL), SR_E_IO);
    snprintf(pipe_path, sizeof pipe_path, "%s/pipe", path);
    mkfifo(pipe_path, 0600);
    part.file = pipe_path; /* to open it would block */
    assert_int_equal(sr_http_request(fx->http, &call, on_answer, fx, NULL), SR_E_IO);
    unlink(pipe_path);
    rmdir(path);
}

/* --- answers ---------------------------------------------------------------- */

static void answer_raw(int fd, unsigned number, void *arg);
static const char *raw;

static void answer_raw(int fd, unsigned number, void *arg)
{
    char byte, last[4] = "";

    (void)number;
    (void)arg;
    while (memcmp(last, "\r\n\r\n", 4) && server_read(fd, &byte, 1)) {
        memmove(last, last + 1, 3);
        last[3] = byte;
    }
    server_write(fd, raw, strlen(raw));
}

static void headers_of_the_answer_are_found(void **state)
{
    struct fixture *fx = *state;
    struct sr_http_call call = { 0 };

    raw = "HTTP/1.1 100 Continue\r\nX-Flavour: of the first\r\n\r\n"
          "HTTP/1.1 200 OK\r\nX-FLAVOUR:  \tvanilla and more \t\r\nX-Flavours: 2\r\n"
          "Content-Length: 2\r\n\r\nok";
    serve(fx, answer_raw);
    ask_and_wait(fx, &call);
    assert_int_equal(fx->rc, 0);
    assert_string_equal(fx->header, "vanilla and more");
    raw = "HTTP/1.1 200 OK\r\nX-Flavours: 2\r\nContent-Length: 0\r\n\r\n";
    ask_and_wait(fx, &call);
    assert_string_equal(fx->header, "(none)");
}

static void a_redirect_is_an_answer(void **state)
{
    struct fixture *fx = *state;
    struct sr_http_call call = { 0 };

    raw =
        "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n";
    serve(fx, answer_raw);
    ask_and_wait(fx, &call);
    assert_int_equal(fx->rc, 0);
    assert_int_equal(fx->status, 302);
}

static void a_head_without_end_is_too_big(void **state)
{
    struct fixture *fx = *state;
    struct sr_http_call call = { 0 };
    char *head = malloc(80 * 1000 + 100);
    size_t len = (size_t)sprintf(head, "HTTP/1.1 200 OK\r\n");

    while (len < 80 * 1000)
        len += (size_t)sprintf(head + len, "X-%zu: 12345678901234567890\r\n", len);
    raw = head;
    serve(fx, answer_raw);
    ask_and_wait(fx, &call);
    assert_int_equal(fx->rc, SR_E_TOOBIG);
    assert_non_null(strstr(fx->error, "header"));
    server_stop(fx->server);
    fx->server = NULL;
    free(head);
}

static void send_a_line_without_end(int fd, unsigned number, void *arg)
{
    static const char head[] = "HTTP/1.1 200 OK\r\nX-Endless: ";

    (void)number, (void)arg;
    if (server_write(fd, head, sizeof head - 1))
        while (server_write(fd, "12345678901234567890", 20))
            ;
}

/* libcurl says that there is no memory. */
static void a_line_of_the_head_without_end_is_too_big(void **state)
{
    struct fixture *fx = *state;
    struct sr_http_call call = { 0 };

    serve(fx, send_a_line_without_end);
    ask_and_wait(fx, &call);
    assert_int_equal(fx->rc, SR_E_TOOBIG);
    assert_string_equal(fx->error, "the answer's header is larger than 64 KiB");
}

static void the_answer_may_be_streamed(void **state)
{
    struct fixture *fx = *state;
    struct sr_http_call call = { .data = on_data, .progress = on_progress };

    raw = "HTTP/1.1 206 Partial\r\nContent-Length: 10\r\n\r\n0123456789";
    serve(fx, answer_raw);
    ask_and_wait(fx, &call);
    assert_int_equal(fx->rc, 0);
    assert_int_equal(fx->streamed, 10);
    assert_int_equal(fx->status_of_pieces, 206);
    assert_string_equal(fx->body, ""); /* not collected, too */
    assert_int_equal(fx->progress.received, 10);
    assert_int_equal(fx->progress.to_receive, 10);
}

static void the_body_of_an_error_is_collected_all_the_same(void **state)
{
    struct fixture *fx = *state;
    struct sr_http_call call = { .data = on_data };

    script(fx, STEPS({ HTTP_ANSWER, 404, "no such thing" }), 1);
    ask_and_wait(fx, &call);
    assert_int_equal(fx->status, 404);
    assert_int_equal(fx->pieces, 0);
    assert_string_equal(fx->body, "no such thing");
}

static void streaming_ends_when_data_says_so(void **state)
{
    struct fixture *fx = *state;
    struct sr_http_call call = { .data = on_data };

    fx->stop_after = 100 * 1000;
    script(fx, STEPS({ HTTP_ENDLESS, 0, NULL }), 1);
    ask_and_wait(fx, &call);
    assert_int_equal(fx->rc, SR_E_STOPPED);
    assert_in_range(fx->streamed, 100 * 1000, 200 * 1000);
}

static bool cancel_in_data(struct fixture *fx)
{
    sr_http_cancel(fx->request);
    return true;
}

static void data_may_cancel(void **state)
{
    struct fixture *fx = *state;
    struct sr_http_call call = { .data = on_data };

    fx->on_piece = cancel_in_data;
    script(fx, STEPS({ HTTP_ENDLESS, 0, NULL }), 1);
    ask(fx, &call);
    turn_for(fx, 100);
    assert_int_equal(fx->pieces, 1);
    assert_int_equal(fx->answers, 0);
}

static bool free_in_data(struct fixture *fx)
{
    fx->http = sr_http_free(fx->http);
    return true;
}

static void data_may_free_the_client(void **state)
{
    struct fixture *fx = *state;
    struct sr_http_call call = { .data = on_data };

    fx->on_piece = free_in_data;
    script(fx, STEPS({ HTTP_ENDLESS, 0, NULL }), 1);
    ask(fx, &call);
    turn_for(fx, 100);
    assert_int_equal(fx->pieces, 1);
    assert_int_equal(fx->answers, 0);
}

static bool ask_in_data(struct fixture *fx)
{
    struct sr_http_call call = { 0 };

    fx->on_piece = NULL;
    ask(fx, &call);
    return true;
}

static void data_may_start_another_request(void **state)
{
    struct fixture *fx = *state;
    struct sr_http_call call = { .data = on_data };

    fx->on_piece = ask_in_data;
    script(fx, STEPS({ HTTP_ANSWER, 200, "first" }, { HTTP_ANSWER, 200, "second" }), 2);
    ask(fx, &call);
    while (fx->answers < 2)
        assert_int_equal(sr_loop_run(fx->loop), 0);
    assert_int_equal(fx->rc, 0);
}

/* --- limits ----------------------------------------------------------------- */

static void the_limit_is_the_calls_or_that_of_the_net(void **state)
{
    const struct sr_net net = { .receive_max = 5 };
    struct fixture *fx = *state;
    struct sr_http_call call = { 0 };

    sr_http_free(fx->http);
    assert_int_equal(sr_http_new(fx->loop, &net, &fx->http), 0);
    script(fx, STEPS({ HTTP_ANSWER, 200, "123456" }), 1);
    ask_and_wait(fx, &call);
    assert_int_equal(fx->rc, SR_E_TOOBIG);
    call.answer_max = 6;
    ask_and_wait(fx, &call);
    assert_int_equal(fx->rc, 0);
}

static void time_outs_are_the_calls_or_that_of_the_net(void **state)
{
    const struct sr_net net = { .timeout_ms = 150 };
    struct fixture *fx = *state;
    struct sr_http_call call = { 0 };
    uint64_t began = now_ms();

    sr_http_free(fx->http);
    assert_int_equal(sr_http_new(fx->loop, &net, &fx->http), 0);
    script(fx, STEPS({ HTTP_SILENT, 0, NULL }), 1);
    ask_and_wait(fx, &call);
    assert_int_equal(fx->rc, SR_E_TIMEOUT);
    assert_in_range(now_ms() - began, 140, 20 * 1000); /* without: 30 s */
    call.timeout_ms = UINT_MAX;
    ask(fx, &call);
    turn_for(fx, 400);
    assert_int_equal(fx->answers, 1);
}

static void a_transfer_that_stalls_is_ended(void **state)
{
    struct fixture *fx = *state;
    struct sr_http_call call = { .timeout_ms = UINT_MAX, .stall_s = 1 };

    script(fx, STEPS({ HTTP_SILENT, 0, NULL }), 1);
    ask_and_wait(fx, &call);
    assert_int_equal(fx->rc, SR_E_TIMEOUT);
}

enum { MANY = 19 };

static bool read_head(int fd)
{
    char head[2048] = "";

    for (size_t len = 0; len < sizeof head - 1; len++)
        if (!server_read(fd, head + len, 1))
            return false;
        else if (strstr(head, "\r\n\r\n"))
            return true;
    return false;
}

/* Nobody gets an answer before all have asked. */
static void answer_when_all_have_asked(int fd, unsigned number, void *arg)
{
    static const char answer[] =
        "HTTP/1.1 200 X\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx";
    static int fds[MANY];

    (void)arg;
    if (number >= MANY || !read_head(fd))
        return;
    fds[number] = dup(fd);
    for (int i = 0; number == MANY - 1 && i < MANY; i++) {
        server_write(fds[i], answer, sizeof answer - 1);
        close(fds[i]);
    }
}

static void requests_run_side_by_side(void **state)
{
    struct fixture *fx = *state;
    struct sr_http_call call = { 0 };

    serve(fx, answer_when_all_have_asked);
    for (int i = 0; i <= MANY; i++)
        ask(fx, &call);
    sr_http_cancel(fx->request);
    for (int i = 1; i <= MANY; i++) {
        while (fx->answers < i)
            assert_int_equal(sr_loop_run(fx->loop), 0);
        assert_int_equal(fx->rc, 0);
    }
    turn_for(fx, 20);
    assert_int_equal(fx->answers, MANY);
    assert_int_equal(server_connections(fx->server), MANY);
}

static void a_proxy_gets_the_request_whole(void **state)
{
    struct fixture *fx = *state;
    struct sr_http_call call = { .url = "http://platform.invalid/s" };
    char proxy[64];
    struct sr_net net = { .proxy = proxy };

    script(fx, STEPS({ HTTP_ANSWER, 200, "by proxy" }), 1);
    snprintf(proxy, sizeof proxy, "http://127.0.0.1:%u",
             (unsigned)scripted_http_port(fx->scripted));
    sr_http_free(fx->http);
    assert_int_equal(sr_http_new(fx->loop, &net, &fx->http), 0);
    ask_and_wait(fx, &call);
    assert_string_equal(fx->body, "by proxy");
    assert_true(head_begins(fx, 0, "GET http://platform.invalid/s HTTP/1.1\r\n"));
}

/* libcurl's own texts have all of the URL. */
static void a_proxys_password_is_in_no_error(void **state)
{
    static const char *const proxies[] = {
        "foo://user:s3cret@127.0.0.1:1",          "http://user:s3cret@127.0.0.1:1",
        "http://user:s3cret@127.0.0.1:port",      "http://user:s3cret@[::1",
        "http://user:s3cret@127.0.0.1:1:s3cret@", "us er:s3cret@ho st:99999",
        "http://user:s3cret@name.invalid",
    };
    struct fixture *fx = *state;
    struct sr_http_call call = { .url = "http://127.0.0.1:1/s" };
    char longer[600] = "foo://user:s3cret";

    memset(longer + strlen(longer), 's', 500);
    strcat(longer, "@127.0.0.1:1");
    for (size_t i = 0; i <= sizeof proxies / sizeof *proxies; i++) {
        const struct sr_net net = { .proxy = i < sizeof proxies / sizeof *proxies
                                                 ? proxies[i]
                                                 : longer };

        sr_http_free(fx->http);
        assert_int_equal(sr_http_new(fx->loop, &net, &fx->http), 0);
        ask_and_wait(fx, &call);
        assert_true(fx->rc && *fx->error);
        assert_null(strstr(fx->error, "s3cret"));
    }
}

static void the_version_of_http_is_chosen(void **state)
{
    const struct sr_net net = { .http_version = 10 }, wrong = { .http_version = 12 };
    struct fixture *fx = *state;
    struct sr_http_call call = { 0 };

    assert_int_equal(sr_http_new(fx->loop, &wrong, &fx->http), SR_E_INVAL);
    sr_http_free(fx->http);
    assert_int_equal(sr_http_new(fx->loop, &net, &fx->http), 0);
    script(fx, STEPS({ HTTP_ANSWER, 200, "" }), 1);
    ask_and_wait(fx, &call);
    assert_true(head_begins(fx, 0, "GET /x HTTP/1.0\r\n"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_zeroed_call_is_a_get),
        TEST(a_body_makes_it_a_post_of_those_bytes),
        TEST(every_method_is_possible),
        TEST(put_carries_its_body),
        TEST(headers_are_added_replaced_and_removed),
        TEST(nonsense_is_refused),
        TEST(other_schemes_are_not_spoken),
        TEST(parts_are_bytes_and_files),
        TEST(a_file_that_cannot_be_read_is_refused),
        TEST(headers_of_the_answer_are_found),
        TEST(a_redirect_is_an_answer),
        TEST(a_head_without_end_is_too_big),
        TEST(a_line_of_the_head_without_end_is_too_big),
        TEST(the_answer_may_be_streamed),
        TEST(the_body_of_an_error_is_collected_all_the_same),
        TEST(streaming_ends_when_data_says_so),
        TEST(data_may_cancel),
        TEST(data_may_free_the_client),
        TEST(data_may_start_another_request),
        TEST(the_limit_is_the_calls_or_that_of_the_net),
        TEST(time_outs_are_the_calls_or_that_of_the_net),
        TEST(a_transfer_that_stalls_is_ended),
        TEST(requests_run_side_by_side),
        TEST(a_proxy_gets_the_request_whole),
        TEST(a_proxys_password_is_in_no_error),
        TEST(the_version_of_http_is_chosen),
    };

    no_proxies();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
