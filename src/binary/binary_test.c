/* SPDX-License-Identifier: MIT */
#include "binary/member.h"
#include "support/run.h"
#include "support/server.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <smartrest/binary.h>
#include <smartrest/loop.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
/* after what it needs */
#include <cmocka.h>

enum { HEADS = 64 };

/* How the platform behaves in an answer. */
struct answer {
    int status;          /* 0: 200, or 206 if asked for a range */
    size_t cut;          /* closes after that many bytes of the body; 0: does not */
    bool no_ranges;      /* answers 200 all the same */
    const char *etag;    /* with its quotes */
    const char *head;    /* in place of everything */
    bool closes;         /* after `head` */
    long wrong_by;       /* added to Content-Length */
    size_t wrong_offset; /* added to what Content-Range says */
};

struct fixture {
    struct sr_loop *loop;
    struct sr_binary *binary;
    struct server *server;
    char url[64], dir[64], path[100], part[110];

    const char *content;
    size_t size;
    struct answer answers[16]; /* a copy: the server may outlive the test's stack */
    size_t answer_count;

    pthread_mutex_t lock; /* of what the server has seen */
    unsigned requests;
    char *heads[HEADS], *bodies[HEADS];

    int calls, rc;
    long status;
    char id[80], error[300], *bytes;
    uint64_t got, done, total;
    int progresses, cancel_at, free_at;
};

/* --- the platform --------------------------------------------------------- */

static char *read_head(int fd)
{
    size_t len = 0;
    char *head = calloc(1, 8192);

    while (len < 8191 && !strstr(head, "\r\n\r\n")) {
        if (!server_read(fd, head + len, 1)) {
            free(head);
            return NULL;
        }
        len++;
    }
    return head;
}

/* Keeps small bodies, counts large ones. */
static char *read_body(int fd, const char *head)
{
    static char waste[65536];
    const char *length = strcasestr(head, "Content-Length: ");
    size_t left = length ? strtoull(length + 16, NULL, 10) : 0;
    char *body = calloc(1, left < 100000 ? left + 1 : 1);

    if (left < 100000) {
        if (!server_read(fd, body, left))
            body[0] = '\0';
        return body;
    }
    while (left) {
        size_t n = left < sizeof waste ? left : sizeof waste;

        if (!server_read(fd, waste, n))
            break;
        left -= n;
    }
    return body;
}

static bool answer_download(struct fixture *fx, int fd, const char *head,
                            const struct answer *how)
{
    const char *range = strcasestr(head, "Range: bytes=");
    size_t first = range && !how->no_ranges ? strtoull(range + 13, NULL, 10) : 0;
    size_t left = fx->size - first, n = how->cut && how->cut < left ? how->cut : left;
    char lines[400];
    int len = snprintf(lines, sizeof lines, "HTTP/1.1 %d X\r\nContent-Length: %ld\r\n",
                       how->status ? how->status
                       : first     ? 206
                                   : 200,
                       (long)left + how->wrong_by);

    if (how->etag)
        len += sprintf(lines + len, "ETag: %s\r\n", how->etag);
    if (first)
        len += sprintf(lines + len, "Content-Range: bytes %zu-%zu/%zu\r\n",
                       first + how->wrong_offset, fx->size - 1, fx->size);
    len += sprintf(lines + len, "\r\n");
    return server_write(fd, lines, (size_t)len) &&
           (!n || server_write(fd, fx->content + first, n)) && n == left &&
           !how->wrong_by;
}

static void platform(int fd, unsigned number, void *arg)
{
    struct fixture *fx = arg;
    char *head;

    (void)number;
    while ((head = read_head(fd))) {
        unsigned i;
        const struct answer *how;
        char *body = read_body(fd, head);

        pthread_mutex_lock(&fx->lock);
        i = fx->requests < HEADS ? fx->requests : HEADS - 1;
        free(fx->heads[i]);
        free(fx->bodies[i]);
        fx->heads[i] = head;
        fx->bodies[i] = body;
        how = &fx->answers[fx->requests < fx->answer_count ? fx->requests
                                                           : fx->answer_count - 1];
        fx->requests++;
        pthread_mutex_unlock(&fx->lock);
        if (how->head) {
            if (!server_write(fd, how->head, strlen(how->head)) || how->closes)
                return;
        } else if (!answer_download(fx, fd, head, how)) {
            return;
        }
    }
}

/* --- a world ---------------------------------------------------------------- */

static char *make_content(size_t size)
{
    char *content = malloc(size + 1);

    for (size_t i = 0; i < size; i++)
        content[i] = (char)(i * 31 + i / 1021);
    return content;
}

static void serve(struct fixture *fx, size_t size, const struct answer *answers,
                  size_t count)
{
    struct sr_binary_options options = { .server = fx->url,
                                         .user = "t1/device_a",
                                         .password = "secret" };

    fx->size = size;
    fx->content = make_content(size);
    assert_true(count <= sizeof fx->answers / sizeof *fx->answers);
    memcpy(fx->answers, answers, count * sizeof *answers);
    fx->answer_count = count;
    fx->server = server_start(0, platform, fx);
    assert_non_null(fx->server);
    snprintf(fx->url, sizeof fx->url, "http://127.0.0.1:%u/",
             (unsigned)server_port(fx->server));
    assert_int_equal(sr_binary_new_on(fx->loop, &options, &fx->binary), 0);
}

#define SERVE(fx, size, ...)                                \
    serve(fx, size, (const struct answer[]){ __VA_ARGS__ }, \
          sizeof((const struct answer[]){ __VA_ARGS__ }) / sizeof(struct answer))

static int set_up(void **state)
{
    struct fixture *fx = calloc(1, sizeof *fx);

    *state = fx;
    pthread_mutex_init(&fx->lock, NULL);
    strcpy(fx->dir, "/tmp/binary_test.XXXXXX");
    if (!mkdtemp(fx->dir))
        return -1;
    snprintf(fx->path, sizeof fx->path, "%s/file", fx->dir);
    snprintf(fx->part, sizeof fx->part, "%s/file.part", fx->dir);
    return sr_loop_new(&fx->loop);
}

static int tear_down(void **state)
{
    struct fixture *fx = *state;

    sr_binary_free(fx->binary);
    server_stop(fx->server);
    sr_loop_free(fx->loop);
    unlink(fx->path);
    assert_int_equal(access(fx->part, F_OK), -1); /* never left behind */
    assert_int_equal(rmdir(fx->dir), 0);
    for (int i = 0; i < HEADS; i++) {
        free(fx->heads[i]);
        free(fx->bodies[i]);
    }
    free((char *)(uintptr_t)fx->content);
    free(fx->bytes);
    free(fx);
    return 0;
}

static void on_end(void *arg, const struct sr_binary_result *result)
{
    struct fixture *fx = arg;

    fx->calls++;
    fx->rc = result->rc;
    fx->status = result->status;
    fx->got = result->size;
    snprintf(fx->id, sizeof fx->id, "%s", result->id);
    snprintf(fx->error, sizeof fx->error, "%s", result->error);
    free(fx->bytes);
    fx->bytes = strdup(result->bytes);
    if (*result->bytes)
        assert_memory_equal(result->bytes, fx->content, fx->size);
    sr_loop_stop(fx->loop);
}

static void on_progress(void *arg, uint64_t done, uint64_t total)
{
    struct fixture *fx = arg;

    fx->progresses++;
    fx->done = done;
    fx->total = total;
    if (fx->progresses == fx->cancel_at)
        sr_binary_cancel(fx->binary);
    if (fx->progresses == fx->free_at)
        fx->binary = sr_binary_free(fx->binary);
}

static void run(struct fixture *fx)
{
    assert_int_equal(sr_loop_run(fx->loop), 0);
    assert_int_equal(fx->calls, 1);
    fx->calls = 0;
}

static void turn_for(struct fixture *fx, uint64_t ms)
{
    uint64_t until = now_ms() + ms;

    while (now_ms() < until)
        sr_loop_dispatch(fx->loop);
}

/* Fails the test at the caller's line when it does not come true within 30 s. */
#define turn_until(fx, condition)                      \
    do {                                               \
        uint64_t give_up_ms_ = now_ms() + 30 * 1000;   \
        while (!(condition) && now_ms() < give_up_ms_) \
            sr_loop_dispatch((fx)->loop);              \
        assert_true(condition);                        \
    } while (0)

static void get_file(struct fixture *fx)
{
    assert_int_equal(sr_binary_get_file(fx->binary, "4711", fx->path, on_end, fx), 0);
    assert_int_equal(access(fx->path, F_OK), -1);
    run(fx);
}

static void file_is_whole(struct fixture *fx)
{
    char *bytes = malloc(fx->size + 1);
    int fd = open(fx->path, O_RDONLY);

    assert_string_equal(fx->error, "");
    assert_int_equal(fx->rc, 0);
    assert_int_equal(fx->got, fx->size);
    assert_true(fd >= 0);
    assert_int_equal(read(fd, bytes, fx->size + 1), fx->size);
    assert_memory_equal(bytes, fx->content, fx->size);
    close(fd);
    free(bytes);
}

static void there_is_no_file(struct fixture *fx)
{
    assert_int_equal(access(fx->path, F_OK), -1);
    assert_int_equal(access(fx->part, F_OK), -1);
}

/* --- up ------------------------------------------------------------------- */

#define CREATED                                          \
    "HTTP/1.1 201 Created\r\nContent-Length: 64\r\n\r\n" \
    "{\"owner\":{\"id\":\"7\"},\"name\":\"a\",\"self\":\"http://h/815\",\"id\":\"815\"}"

static void bytes_are_posted_as_three_parts(void **state)
{
    struct fixture *fx = *state;
    const char *at;

    SERVE(fx, 0, { .head = CREATED });
    assert_int_equal(
        sr_binary_post(fx->binary, "a \"b\".log", "text/plain", "abc", 3, on_end, fx),
        0);
    assert_int_equal(sr_binary_post(fx->binary, "b", NULL, "", 0, on_end, fx),
                     SR_E_STATE);
    run(fx);
    assert_int_equal(fx->rc, 0);
    assert_string_equal(fx->id, "815");
    assert_int_equal(fx->got, 3);
    assert_int_equal(strncmp(fx->heads[0], "POST /inventory/binaries HTTP/1.1\r\n", 35),
                     0);
    assert_non_null(strstr(fx->heads[0], "\r\nAccept: application/json\r\n"));
    assert_non_null(
        strstr(fx->heads[0], "\r\nAuthorization: Basic dDEvZGV2aWNlX2E6c2Vj"));
    at = strstr(fx->bodies[0],
                "name=\"object\"\r\n\r\n"
                "{\"name\":\"a \\\"b\\\".log\",\"type\":\"text/plain\"}\r\n");
    assert_non_null(at);
    at = strstr(at, "name=\"filesize\"\r\n\r\n3\r\n");
    assert_non_null(at);
    at = strstr(at, "name=\"file\"; filename=");
    assert_non_null(at);
    assert_non_null(strstr(at, "\r\nContent-Type: text/plain\r\n\r\nabc\r\n"));
}

static void a_file_is_posted(void **state)
{
    struct fixture *fx = *state;
    FILE *file = fopen(fx->path, "w");

    fputs("line\n", file);
    fclose(file);
    SERVE(fx, 0, { .head = CREATED });
    sr_binary_on_progress(fx->binary, on_progress, fx);
    assert_int_equal(sr_binary_post_file(fx->binary, "log", NULL, fx->path, on_end, fx),
                     0);
    run(fx);
    assert_int_equal(fx->rc, 0);
    assert_non_null(strstr(fx->bodies[0], "name=\"filesize\"\r\n\r\n5\r\n"));
    assert_non_null(strstr(fx->bodies[0],
                           "Content-Type: application/octet-stream\r\n\r\nline\n\r\n"));
    assert_true(fx->progresses > 0);
    assert_int_equal(fx->done, fx->total);
}

static void shrink(void *arg, uint64_t done, uint64_t total)
{
    struct fixture *fx = arg;

    (void)done;
    (void)total;
    assert_int_equal(truncate(fx->path, 10), 0);
}

static void a_file_that_shrinks_on_the_way_fails(void **state)
{
    struct fixture *fx = *state;
    FILE *file = fopen(fx->path, "w");

    assert_int_equal(fseek(file, 50 * 1000 * 1000, SEEK_SET), 0);
    fputc('x', file);
    fclose(file);
    SERVE(fx, 0, { .head = CREATED });
    sr_binary_on_progress(fx->binary, shrink, fx);
    sr_binary_set_stall(fx->binary, 2);
    assert_int_equal(sr_binary_post_file(fx->binary, "log", NULL, fx->path, on_end, fx),
                     0);
    run(fx);
    assert_true(fx->rc == SR_E_IO || fx->rc == SR_E_TIMEOUT ||
                fx->rc == SR_E_UNREACHABLE);
}

static void posts_are_checked_first(void **state)
{
    char long_name[300];
    struct fixture *fx = *state;
    struct sr_binary *b;

    SERVE(fx, 0, { .head = CREATED });
    b = fx->binary;
    memset(long_name, 'x', 256);
    long_name[256] = '\0';
    assert_int_equal(sr_binary_post(b, NULL, NULL, "", 0, on_end, fx), SR_E_INVAL);
    assert_int_equal(sr_binary_post(b, "", NULL, "", 0, on_end, fx), SR_E_INVAL);
    assert_int_equal(sr_binary_post(b, "a\nb", NULL, "", 0, on_end, fx), SR_E_INVAL);
    assert_int_equal(sr_binary_post(b, "\xff", NULL, "", 0, on_end, fx), SR_E_INVAL);
    assert_int_equal(sr_binary_post(b, long_name, NULL, "", 0, on_end, fx), SR_E_INVAL);
    assert_int_equal(sr_binary_post(b, "a", "b\r\n", "", 0, on_end, fx), SR_E_INVAL);
    assert_int_equal(sr_binary_post(b, "a", NULL, NULL, 1, on_end, fx), SR_E_INVAL);
    assert_int_equal(sr_binary_post_file(b, "a", NULL, "/nowhere/a", on_end, fx),
                     SR_E_IO);
    assert_int_equal(sr_binary_post_file(b, "a", NULL, fx->dir, on_end, fx), SR_E_IO);
    sr_binary_set_max(b, 3);
    assert_int_equal(sr_binary_post(b, "a", NULL, "1234", 4, on_end, fx), SR_E_TOOBIG);
    assert_int_equal(sr_binary_post(b, "a", NULL, "123", 3, on_end, fx), 0);
    run(fx);
    assert_int_equal(fx->rc, 0);
}

static void answers_with(struct fixture *fx, const char *head, int rc)
{
    const struct answer answer = { .head = head };

    serve(fx, 0, &answer, 1);
    assert_int_equal(sr_binary_post(fx->binary, "a", NULL, "1", 1, on_end, fx), 0);
    run(fx);
    assert_int_equal(fx->rc, rc);
    assert_string_not_equal(fx->error, "");
    assert_null(strstr(fx->error, "secret"));
    fx->binary = sr_binary_free(fx->binary);
    server_stop(fx->server);
    fx->server = NULL;
    free((char *)(uintptr_t)fx->content);
    fx->content = NULL;
}

static void an_upload_that_fails_says_why(void **state)
{
    struct fixture *fx = *state;

    answers_with(fx, "HTTP/1.1 401 X\r\nContent-Length: 0\r\n\r\n", SR_E_AUTH);
    answers_with(fx, "HTTP/1.1 413 X\r\nContent-Length: 0\r\n\r\n", SR_E_TOOBIG);
    answers_with(fx, "HTTP/1.1 422 X\r\nContent-Length: 0\r\n\r\n", SR_E_REFUSED);
    answers_with(fx, "HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n", SR_E_UNREACHABLE);
    answers_with(fx, "HTTP/1.1 201 X\r\nContent-Length: 0\r\n\r\n", SR_E_PROTO);
    answers_with(fx, "HTTP/1.1 201 X\r\nContent-Length: 6\r\n\r\n{\"id\":", SR_E_PROTO);
    answers_with(fx, "HTTP/1.1 201 X\r\nContent-Length: 12\r\n\r\n{\"id\":\"../\"}",
                 SR_E_PROTO);
    /* of portals: an id that leads nowhere, another status */
    answers_with(fx, "HTTP/1.1 201 X\r\nContent-Length: 10\r\n\r\n{\"id\":\"7\"}",
                 SR_E_PROTO);
    answers_with(fx,
                 "HTTP/1.1 201 X\r\nLocation: http://h/17\r\nContent-Length: 10\r\n\r\n"
                 "{\"id\":\"7\"}",
                 SR_E_PROTO);
    answers_with(fx,
                 "HTTP/1.1 200 X\r\nLocation: http://h/7\r\nContent-Length: 10\r\n\r\n"
                 "{\"id\":\"7\"}",
                 SR_E_PROTO);
    answers_with(fx, "nonsense\r\n\r\n", SR_E_UNREACHABLE);
}

/* --- down ----------------------------------------------------------------- */

static void a_binary_comes_into_memory(void **state)
{
    struct fixture *fx = *state;

    SERVE(fx, 100000, { 0 });
    sr_binary_on_progress(fx->binary, on_progress, fx);
    assert_int_equal(sr_binary_get(fx->binary, "4711", on_end, fx), 0);
    run(fx);
    assert_int_equal(fx->rc, 0);
    assert_int_equal(fx->got, 100000);
    assert_string_equal(fx->id, "4711");
    assert_int_equal(fx->done, 100000);
    assert_int_equal(fx->total, 100000);
    assert_int_equal(
        strncmp(fx->heads[0], "GET /inventory/binaries/4711 HTTP/1.1\r\n", 39), 0);
    assert_null(strstr(fx->heads[0], "Range"));
}

static void a_binary_comes_into_a_file(void **state)
{
    struct fixture *fx = *state;
    struct stat info;

    SERVE(fx, 300000, { 0 });
    get_file(fx);
    file_is_whole(fx);
    assert_int_equal(stat(fx->path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
}

static void an_empty_binary_is_one(void **state)
{
    struct fixture *fx = *state;

    SERVE(fx, 0, { 0 });
    get_file(fx);
    file_is_whole(fx);
    assert_int_equal(sr_binary_get(fx->binary, "4711", on_end, fx), 0);
    run(fx);
    assert_int_equal(fx->rc, 0);
    assert_int_equal(fx->got, 0);
    assert_string_equal(fx->bytes, "");
}

static void the_file_is_replaced_only_by_a_whole_one(void **state)
{
    struct fixture *fx = *state;
    char text[4] = "";
    FILE *file = fopen(fx->path, "w");

    fputs("old", file);
    fclose(file);
    SERVE(fx, 1000, { .status = 404 });
    assert_int_equal(sr_binary_get_file(fx->binary, "1", fx->path, on_end, fx), 0);
    run(fx);
    assert_int_equal(fx->rc, SR_E_NOTFOUND);
    file = fopen(fx->path, "r");
    assert_int_equal(fread(text, 1, 3, file), 3);
    fclose(file);
    assert_string_equal(text, "old");
}

static void a_cut_download_is_taken_up_where_it_ended(void **state)
{
    static const size_t cuts[] = { 1, 2, 777, 16384, 16385, 99999 };
    struct answer answers[7] = { { 0 } };
    struct fixture *fx = *state;
    char range[64];
    size_t at = 0;

    for (int i = 0; i < 6; i++)
        answers[i] = (struct answer){ .cut = cuts[i], .etag = "\"v1\"" };
    answers[6].etag = "\"v1\"";
    serve(fx, 200000, answers, 7);
    get_file(fx);
    file_is_whole(fx);
    assert_int_equal(fx->requests, 7);
    for (int i = 1; i < 7; i++) {
        at += cuts[i - 1];
        snprintf(range, sizeof range, "\r\nRange: bytes=%zu-\r\n", at);
        assert_non_null(strstr(fx->heads[i], range));
        assert_non_null(strstr(fx->heads[i], "\r\nIf-Range: \"v1\"\r\n"));
    }
}

static void memory_is_taken_up_again_too(void **state)
{
    struct fixture *fx = *state;

    SERVE(fx, 50000, { .cut = 20000 }, { 0 });
    assert_int_equal(sr_binary_get(fx->binary, "4711", on_end, fx), 0);
    run(fx);
    assert_int_equal(fx->rc, 0);
    assert_int_equal(fx->got, 50000);
    assert_int_equal(fx->requests, 2);
}

static void a_server_without_ranges_begins_anew(void **state)
{
    struct fixture *fx = *state;

    SERVE(fx, 50000, { .cut = 20000 }, { .no_ranges = true });
    get_file(fx);
    file_is_whole(fx);
}

static void another_version_begins_anew(void **state)
{
    struct fixture *fx = *state;

    SERVE(fx, 50000, { .cut = 20000, .etag = "\"v1\"" }, { .etag = "\"v2\"" },
          { .etag = "\"v2\"" });
    get_file(fx);
    file_is_whole(fx);
    assert_int_equal(fx->requests, 3);
    assert_null(strstr(fx->heads[2], "Range"));
}

static void another_range_than_asked_for_begins_anew(void **state)
{
    struct fixture *fx = *state;

    SERVE(fx, 50000, { .cut = 20000 }, { .wrong_offset = 1 }, { 0 });
    get_file(fx);
    file_is_whole(fx);
    assert_int_equal(fx->requests, 3);
}

/* Ten bytes of 50000, as if they were all. */
static void a_range_is_not_taken_for_the_whole(void **state)
{
    struct fixture *fx = *state;

    SERVE(fx, 50000,
          { .head = "HTTP/1.1 200 OK\r\nContent-Range: bytes 0-9/50000\r\n"
                    "Content-Length: 10\r\n\r\n0123456789" },
          { 0 });
    get_file(fx);
    file_is_whole(fx);
    assert_int_equal(fx->requests, 2);
}

static void without_an_end_nothing_is_taken_for_whole(void **state)
{
    struct fixture *fx = *state;

    SERVE(
        fx, 1000,
        { .closes = true, .head = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nsome" },
        { .closes = true, .head = "HTTP/1.0 200 OK\r\n\r\n" },
        { .closes = true, .head = "HTTP/1.0 200 OK\r\n\r\nsome" });
    sr_binary_set_retries(fx->binary, 2);
    get_file(fx);
    assert_int_equal(fx->rc, SR_E_PROTO);
    assert_int_equal(fx->requests, 3);
    there_is_no_file(fx);
}

#define NO_RANGE(total) \
    "HTTP/1.1 416 X\r\nContent-Range: bytes */" total "\r\nContent-Length: 0\r\n\r\n"

static void a_range_behind_the_end_means_whole_or_anew(void **state)
{
    struct fixture *fx = *state;

    /* says that it is longer than it is, so all has come when it breaks off */
    SERVE(fx, 50000, { .wrong_by = 1 }, { .head = NO_RANGE("50000") });
    get_file(fx);
    file_is_whole(fx);
    assert_int_equal(fx->requests, 2);
}

static void a_range_behind_the_end_of_another_binary_begins_anew(void **state)
{
    struct fixture *fx = *state;

    SERVE(fx, 50000, { .cut = 20000 }, { .head = NO_RANGE("10") }, { 0 });
    get_file(fx);
    file_is_whole(fx);
    assert_int_equal(fx->requests, 3);
}

static void a_wrong_length_fails_in_the_end(void **state)
{
    struct fixture *fx = *state;

    SERVE(fx, 1000, { .wrong_by = 5, .no_ranges = true });
    sr_binary_set_retries(fx->binary, 2);
    get_file(fx);
    assert_int_equal(fx->rc, SR_E_UNREACHABLE);
    there_is_no_file(fx);
    assert_int_equal(fx->requests, 4);
}

static void an_outage_is_waited_for(void **state)
{
    struct fixture *fx = *state;

    SERVE(fx, 1000, { .head = "HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n" },
          { .head = "HTTP/1.1 502 X\r\nContent-Length: 0\r\n\r\n" }, { 0 });
    get_file(fx);
    file_is_whole(fx);
}

static void retries_are_counted(void **state)
{
    struct fixture *fx = *state;

    SERVE(fx, 1000, { .head = "HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n" });
    sr_binary_set_retries(fx->binary, 2);
    get_file(fx);
    assert_int_equal(fx->rc, SR_E_UNREACHABLE);
    assert_int_equal(fx->status, 503);
    assert_int_equal(fx->requests, 3);
    there_is_no_file(fx);
}

static void what_time_does_not_mend_fails_at_once(void **state)
{
    struct fixture *fx = *state;

    SERVE(fx, 10, { .head = "HTTP/1.1 403 X\r\nContent-Length: 0\r\n\r\n" });
    get_file(fx);
    assert_int_equal(fx->rc, SR_E_AUTH);
    assert_int_equal(fx->requests, 1);
    there_is_no_file(fx);
}

static void a_server_that_falls_silent_is_noticed(void **state)
{
    struct fixture *fx = *state;

    SERVE(fx, 10, { .head = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc" });
    sr_binary_set_stall(fx->binary, 1);
    sr_binary_set_retries(fx->binary, 0);
    get_file(fx);
    assert_int_equal(fx->rc, SR_E_TIMEOUT);
    there_is_no_file(fx);
}

static void the_limit_is_exact(void **state)
{
    struct fixture *fx = *state;

    SERVE(fx, 1000, { 0 });
    sr_binary_set_max(fx->binary, 999);
    get_file(fx);
    assert_int_equal(fx->rc, SR_E_TOOBIG);
    there_is_no_file(fx);
    assert_int_equal(sr_binary_get(fx->binary, "1", on_end, fx), 0);
    run(fx);
    assert_int_equal(fx->rc, SR_E_TOOBIG);
    sr_binary_set_max(fx->binary, 1000);
    get_file(fx);
    file_is_whole(fx);
}

static void the_limit_holds_without_a_length_too(void **state)
{
    struct fixture *fx = *state;

    SERVE(fx, 0,
          { .head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                    "5\r\n12345\r\n5\r\n12345\r\n0\r\n\r\n" });
    sr_binary_set_max(fx->binary, 9);
    get_file(fx);
    assert_int_equal(fx->rc, SR_E_TOOBIG);
    there_is_no_file(fx);
}

static void a_full_disk_is_said_so(void **state)
{
    struct fixture *fx = *state;
    struct rlimit before, small;

    SERVE(fx, 100000, { 0 });
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before);
    small = before;
    small.rlim_cur = 50000;
    setrlimit(RLIMIT_FSIZE, &small);
    assert_int_equal(sr_binary_get_file(fx->binary, "1", fx->path, on_end, fx), 0);
    run(fx);
    setrlimit(RLIMIT_FSIZE, &before);
    assert_int_equal(fx->rc, SR_E_IO);
    assert_string_equal(fx->error, strerror(EFBIG));
    there_is_no_file(fx);
}

static void a_folder_that_cannot_be_written_is_said_at_once(void **state)
{
    struct fixture *fx = *state;

    SERVE(fx, 10, { 0 });
    assert_int_equal(sr_binary_get_file(fx->binary, "1", "/nowhere/x", on_end, fx),
                     SR_E_IO);
    assert_int_equal(sr_binary_get_file(fx->binary, "1", "", on_end, fx), SR_E_INVAL);
    assert_int_equal(sr_binary_get(fx->binary, "../x", on_end, fx), SR_E_INVAL);
    assert_int_equal(sr_binary_get(fx->binary, "", on_end, fx), SR_E_INVAL);
    assert_int_equal(sr_binary_get(fx->binary, NULL, on_end, fx), SR_E_INVAL);
    turn_for(fx, 20);
    assert_int_equal(fx->requests, 0);
}

static void a_name_that_is_taken_by_a_folder_is_said_at_once(void **state)
{
    struct fixture *fx = *state;

    SERVE(fx, 10, { 0 });
    mkdir(fx->path, 0700);
    assert_int_equal(sr_binary_get_file(fx->binary, "1", fx->path, on_end, fx),
                     SR_E_IO);
    rmdir(fx->path);
    there_is_no_file(fx);
}

static void a_link_stays_one_and_its_file_is_replaced(void **state)
{
    struct fixture *fx = *state;
    char target[sizeof fx->path + 8], part[sizeof target + 8];
    struct stat info;

    SERVE(fx, 70000, { 0 });
    snprintf(target, sizeof target, "%s.target", fx->path);
    snprintf(part, sizeof part, "%s.part", target);
    assert_int_equal(symlink("file.target", fx->path), 0); /* of nothing yet */
    for (int i = 0; i < 2; i++) {
        assert_int_equal(sr_binary_get_file(fx->binary, "4711", fx->path, on_end, fx),
                         0);
        assert_int_equal(access(part, F_OK), 0);
        run(fx);
        file_is_whole(fx);
        assert_int_equal(lstat(fx->path, &info), 0);
        assert_true(S_ISLNK(info.st_mode));
        assert_int_equal(lstat(target, &info), 0);
        assert_true(S_ISREG(info.st_mode));
        assert_int_equal(access(part, F_OK), -1);
    }
    unlink(target);
    unlink(fx->path);
}

static void what_is_no_file_is_left_alone(void **state)
{
    struct fixture *fx = *state;
    struct stat info;

    SERVE(fx, 10, { 0 });
    assert_int_equal(mkfifo(fx->path, 0600), 0);
    assert_int_equal(sr_binary_get_file(fx->binary, "1", fx->path, on_end, fx),
                     SR_E_IO);
    assert_int_equal(lstat(fx->path, &info), 0);
    assert_true(S_ISFIFO(info.st_mode));
    unlink(fx->path);
    there_is_no_file(fx);
}

static void what_an_earlier_run_left_is_not_used(void **state)
{
    struct fixture *fx = *state;
    FILE *file = fopen(fx->part, "w");

    fputs("of another binary", file);
    fclose(file);
    SERVE(fx, 1000, { 0 });
    get_file(fx);
    file_is_whole(fx);
    assert_null(strstr(fx->heads[0], "Range"));
}

static void a_cancelled_download_leaves_nothing(void **state)
{
    struct fixture *fx = *state;

    SERVE(fx, 1000000, { 0 });
    sr_binary_on_progress(fx->binary, on_progress, fx);
    fx->cancel_at = 2;
    assert_int_equal(sr_binary_get_file(fx->binary, "1", fx->path, on_end, fx), 0);
    turn_until(fx, fx->progresses == 2);
    turn_for(fx, 50);
    assert_int_equal(fx->calls, 0);
    assert_int_equal(fx->progresses, 2);
    there_is_no_file(fx);
    fx->cancel_at = 0;
    get_file(fx); /* and goes on */
    file_is_whole(fx);
}

static void progress_may_free_it(void **state)
{
    struct fixture *fx = *state;

    SERVE(fx, 1000000, { 0 });
    sr_binary_on_progress(fx->binary, on_progress, fx);
    fx->free_at = 3;
    assert_int_equal(sr_binary_get_file(fx->binary, "1", fx->path, on_end, fx), 0);
    turn_until(fx, !fx->binary);
    turn_for(fx, 50);
    assert_int_equal(fx->calls, 0);
    there_is_no_file(fx);
}

static void it_may_be_freed_at_any_turn(void **state)
{
    struct fixture *fx = *state;
    struct sr_binary_options options = { .server = fx->url,
                                         .user = "t1/device_a",
                                         .password = "secret" };

    SERVE(fx, 30000, { 0 });
    for (int turns = 0; turns < 40; turns++) {
        assert_int_equal(sr_binary_get_file(fx->binary, "1", fx->path, on_end, fx), 0);
        for (int i = 0; i < turns; i++)
            turn_for(fx, 1);
        fx->binary = sr_binary_free(fx->binary);
        turn_until(fx, access(fx->part, F_OK)); /* a thread may be at the file */
        turn_for(fx, 5);
        unlink(fx->path);
        assert_int_equal(sr_binary_new_on(fx->loop, &options, &fx->binary), 0);
    }
}

/* --- 200 MB ----------------------------------------------------------------- */

static long peak_kb(void)
{
    char line[200];
    long kb = -1;
    FILE *file = fopen("/proc/self/status", "r");

    while (kb < 0 && fgets(line, sizeof line, file))
        sscanf(line, "VmHWM: %ld", &kb);
    fclose(file);
    return kb;
}

static void endless(int fd, unsigned number, void *arg)
{
    static char block[65536];
    static const char head[] = "HTTP/1.1 200 OK\r\nContent-Length: 209715200\r\n\r\n";
    char *request = read_head(fd), *body;

    (void)number;
    (void)arg;
    if (!request)
        return;
    body = read_body(fd, request);
    if (!strncmp(request, "POST", 4)) {
        server_write(fd, CREATED, strlen(CREATED));
    } else if (server_write(fd, head, strlen(head))) {
        for (int i = 0; i < 3200; i++)
            if (!server_write(fd, block, sizeof block))
                break;
    }
    free(request);
    free(body);
}

static void memory_does_not_grow_with_the_file(void **state)
{
    struct fixture *fx = *state;
    struct sr_binary_options options = { .server = fx->url,
                                         .user = "t1/device_a",
                                         .password = "secret" };
    struct stat info;
    long before;

    fx->server = server_start(0, endless, fx);
    snprintf(fx->url, sizeof fx->url, "http://127.0.0.1:%u",
             (unsigned)server_port(fx->server));
    assert_int_equal(sr_binary_new_on(fx->loop, &options, &fx->binary), 0);
    before = peak_kb();
    get_file(fx);
    assert_int_equal(fx->rc, 0);
    assert_int_equal(stat(fx->path, &info), 0);
    assert_int_equal(info.st_size, 209715200);
    assert_int_equal(sr_binary_post_file(fx->binary, "big", NULL, fx->path, on_end, fx),
                     0);
    run(fx);
    assert_int_equal(fx->rc, 0);
    assert_int_equal(fx->got, 209715200);
    print_message("peak %ld kB, before %ld kB\n", peak_kb(), before);
#if !defined __SANITIZE_ADDRESS__ && !defined __SANITIZE_THREAD__
    assert_in_range(peak_kb() - before, 0, 8 * 1024);
#endif
}

/* --- ids -------------------------------------------------------------------- */

static void ids_are_found_in_json(void **state)
{
    static const struct {
        const char *json, *id; /* NULL: none */
    } cases[] = {
        {"{\"id\":\"12\"}",                                              "12"  },
        { " {\n\"a\" : [1,{\"id\":\"1\"}, \"}\"] , \"id\" : \"a-_Z\" }", "a-_Z"},
        { "{\"id\":4711}",                                               "4711"},
        { "{\"a\":{\"id\":\"1\"}}",                                      NULL  },
        { "{\"a\":\"\\\"id\\\":\\\"9\\\"\",\"id\":\"3\"}",               "3"   },
        { "{\"a\":true,\"b\":null,\"c\":-1.5e3,\"id\":\"4\"",            "4"   },
        { "{\"id\":null}",                                               NULL  },
        { "{\"id\":{}}",                                                 NULL  },
        { "{\"id\":\"\"}",                                               NULL  },
        { "{\"id\":\"a/b\"}",                                            NULL  },
        { "{\"id\":\"\\u0031\"}",                                        NULL  },
        { "{\"id\":\"1",                                                 NULL  },
        { "{\"id\":1.5}",                                                NULL  },
        { "{\"a\"}",                                                     NULL  },
        { "{\"a\":}",                                                    NULL  },
        { "{\"a\":\"\\",                                                 NULL  },
        { "{\"a\":[[[",                                                  NULL  },
        { "[{\"id\":\"1\"}]",                                            NULL  },
        { "{}",                                                          NULL  },
        { "",                                                            NULL  },
    };
    char id[8];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bool found =
            sr_json_id(cases[i].json, strlen(cases[i].json), "id", id, sizeof id);

        if (found != (cases[i].id != NULL))
            fail_msg("case %s", cases[i].json);
        if (found)
            assert_string_equal(id, cases[i].id);
    }
    assert_false(sr_json_id("{\"id\":\"12345678\"}", 17, "id", id, sizeof id));
    assert_true(sr_json_id("{\"id\":\"1234567\"}", 16, "id", id, sizeof id));
}

static void a_member_is_found_by_its_path(void **state)
{
    static const struct {
        const char *json, *path;
        bool is;
    } cases[] = {
        {"{\"a\":{\"b\":\"x\"}}",                    "a.b", true },
        { "{\"c\":[{\"b\":1}],\"a\":{\"b\":\"x\"}}", "a.b", true },
        { "{\"a\":{\"b\":\"xx\"}}",                  "a.b", false},
        { "{\"a\":{\"c\":\"x\"}}",                   "a.b", false},
        { "{\"a\":[\"b\",\"x\"]}",                   "a.b", false},
        { "{\"a\":\"x\",\"b\":\"x\"}",               "a.b", false},
        { "{\"a\":{\"b\":",                          "a.b", false},
        { "{\"a\":true}",                            "a",   false},
        { "{\"a\":\"x\"}",                           "a",   true },
        { "<html>",                                  "a",   false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (sr_json_is(cases[i].json, strlen(cases[i].json), cases[i].path, "x") !=
            cases[i].is)
            fail_msg("case %s", cases[i].json);
}

static void an_object_was_made_if_its_link_has_its_id(void **state)
{
    static const char with_self[] =
        "{\"self\":\"http:\\/\\/h\\/x\\/17\",\"id\":\"17\"}",
                      bare[] = "{\"id\":\"17\"}";
    char id[8];

    (void)state;
    assert_true(sr_json_created(with_self, strlen(with_self), NULL, id, sizeof id));
    assert_string_equal(id, "17");
    assert_true(sr_json_created(bare, strlen(bare), "http://h/x/17", id, sizeof id));
    assert_false(sr_json_created(bare, strlen(bare), "http://h/x/117", id, sizeof id));
    assert_string_equal(id, "");
    assert_false(sr_json_created(bare, strlen(bare), "17", id, sizeof id));
    assert_false(sr_json_created(bare, strlen(bare), NULL, id, sizeof id));
}

static void an_agent_needs_credentials_for_it(void **state)
{
    struct sr_agent *agent;
    struct sr_binary *binary;

    (void)state;
    assert_int_equal(sr_agent_new("http://127.0.0.1:9", "a", &agent), 0);
    assert_int_equal(sr_binary_new(agent, &binary), SR_E_STATE);
    assert_int_equal(sr_agent_set_credentials(agent, "t", "u", "p"), 0);
    assert_int_equal(sr_binary_new(agent, &binary), 0);
    assert_null(sr_binary_free(binary));
    assert_int_equal(sr_binary_new(NULL, &binary), SR_E_INVAL);
    sr_agent_free(agent);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(bytes_are_posted_as_three_parts),
        TEST(a_file_is_posted),
        TEST(a_file_that_shrinks_on_the_way_fails),
        TEST(posts_are_checked_first),
        TEST(an_upload_that_fails_says_why),
        TEST(a_binary_comes_into_memory),
        TEST(a_binary_comes_into_a_file),
        TEST(an_empty_binary_is_one),
        TEST(the_file_is_replaced_only_by_a_whole_one),
        TEST(a_cut_download_is_taken_up_where_it_ended),
        TEST(memory_is_taken_up_again_too),
        TEST(a_server_without_ranges_begins_anew),
        TEST(another_version_begins_anew),
        TEST(another_range_than_asked_for_begins_anew),
        TEST(a_range_is_not_taken_for_the_whole),
        TEST(without_an_end_nothing_is_taken_for_whole),
        TEST(a_range_behind_the_end_means_whole_or_anew),
        TEST(a_range_behind_the_end_of_another_binary_begins_anew),
        TEST(a_wrong_length_fails_in_the_end),
        TEST(an_outage_is_waited_for),
        TEST(retries_are_counted),
        TEST(what_time_does_not_mend_fails_at_once),
        TEST(a_server_that_falls_silent_is_noticed),
        TEST(the_limit_is_exact),
        TEST(the_limit_holds_without_a_length_too),
        TEST(a_full_disk_is_said_so),
        TEST(a_folder_that_cannot_be_written_is_said_at_once),
        TEST(a_name_that_is_taken_by_a_folder_is_said_at_once),
        TEST(a_link_stays_one_and_its_file_is_replaced),
        TEST(what_is_no_file_is_left_alone),
        TEST(what_an_earlier_run_left_is_not_used),
        TEST(a_cancelled_download_leaves_nothing),
        TEST(progress_may_free_it),
        TEST(it_may_be_freed_at_any_turn),
        TEST(memory_does_not_grow_with_the_file),
        TEST(ids_are_found_in_json),
        TEST(a_member_is_found_by_its_path),
        TEST(an_object_was_made_if_its_link_has_its_id),
        TEST(an_agent_needs_credentials_for_it),
    };

    no_proxies();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
