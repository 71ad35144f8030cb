/* SPDX-License-Identifier: MIT */
/* What a broker may make a client remember: messages of 200 MB, and ones with QoS 2 that are never
 * released. Measured as the process's largest resident set, and so not under sanitizers. */
#include "support/server.h"
#include "support/tls_server.h"
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <smartrest/loop.h>
#include <smartrest/mqtt.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
/* after what it needs */
#include <cmocka.h>

enum {
    RECEIVE_MAX = 4 * 1024 * 1024,
    LARGE = 200 * 1000 * 1000,
    GROWTH_MAX_KB = (2 * RECEIVE_MAX + 1024 * 1024) / 1024,
    MANY = 10000,
    MANY_LEN = 8000,
    TOPIC = 3 /* bytes */
};

enum attack { ONE_LARGE, NEVER_RELEASED, AT_LIMIT };

struct fixture {
    struct sr_loop *loop;
    struct sr_mqtt *mqtt;
    struct server *server;
    struct tls_files tls;
    bool by_tls;
    enum attack attack;
    int qos;
    int ups, downs;
    char reason[400];
    size_t received;
    atomic_size_t sent;
};

/* --- the broker ------------------------------------------------------------- */

static bool put(SSL *ssl, int fd, const void *bytes, size_t len)
{
    return ssl ? tls_write(ssl, bytes, len) : server_write(fd, bytes, len);
}

static bool put_zeros(struct fixture *fx, SSL *ssl, int fd, size_t len)
{
    static const char zeros[16 * 1024];
    size_t n;

    for (; len; len -= n, fx->sent += n) {
        n = len < sizeof zeros ? len : sizeof zeros;
        if (!put(ssl, fd, zeros, n))
            return false;
    }
    return true;
}

static bool put_message(struct fixture *fx, SSL *ssl, int fd, uint16_t id, size_t len)
{
    unsigned char head[10] = { (unsigned char)(0x30 | fx->qos << 1) };
    size_t body = 3 + (fx->qos ? 2 : 0) + len, n = 1;

    do {
        head[n++] = (unsigned char)((body & 127) | (body > 127 ? 128 : 0));
        body >>= 7;
    } while (body);
    head[n++] = 0;
    head[n++] = 1;
    head[n++] = 't';
    if (fx->qos) {
        head[n++] = (unsigned char)(id >> 8);
        head[n++] = (unsigned char)id;
    }
    return put(ssl, fd, head, n) && put_zeros(fx, ssl, fd, len);
}

static void attack(int fd, unsigned number, void *arg)
{
    struct fixture *fx = arg;
    SSL *ssl = fx->by_tls ? tls_accept(&fx->tls, fd) : NULL;
    char connect[14];

    (void)number;
    if (fx->by_tls ? ssl && tls_read(ssl, connect, sizeof connect)
                   : server_read(fd, connect, sizeof connect))
        put(ssl, fd, "\x20\2\0\0", 4);
    if (fx->attack == ONE_LARGE)
        put_message(fx, ssl, fd, 1, LARGE);
    else if (fx->attack == AT_LIMIT)
        put_message(fx, ssl, fd, 1, RECEIVE_MAX - TOPIC);
    else
        for (uint16_t id = 1; id <= MANY && put_message(fx, ssl, fd, id, MANY_LEN);
             id++)
            ;
    server_drain(fd);
    SSL_free(ssl);
}

/* --- the client ------------------------------------------------------------- */

static void on_up(void *arg)
{
    ((struct fixture *)arg)->ups++;
}

static void on_down(void *arg, bool was_up, const char *reason)
{
    struct fixture *fx = arg;

    if (was_up && !fx->downs++)
        snprintf(fx->reason, sizeof fx->reason, "%s", reason);
}

static void on_message(void *arg, const struct sr_mqtt_message *message)
{
    ((struct fixture *)arg)->received += message->len;
}

static int set_up(void **state)
{
    struct fixture *fx = calloc(1, sizeof *fx);

    *state = fx;
    return !tls_make(&fx->tls, &(struct tls_wish){ .names = "IP:127.0.0.1" }) ||
           sr_loop_new(&fx->loop);
}

static int tear_down(void **state)
{
    struct fixture *fx = *state;

    sr_mqtt_free(fx->mqtt);
    server_stop(fx->server);
    sr_loop_free(fx->loop);
    tls_remove(&fx->tls);
    free(fx);
    return 0;
}

/* --- memory ------------------------------------------------------------------- */

/* Resets the largest resident set; false where the kernel cannot. */
static bool forget_peak(void)
{
    int fd = open("/proc/self/clear_refs", O_WRONLY);
    bool done = fd >= 0 && write(fd, "5", 1) == 1;

    if (fd >= 0)
        close(fd);
    return done;
}

static long peak_kb(void)
{
    FILE *file = fopen("/proc/self/status", "r");
    char line[128];
    long kb = -1;

    while (fgets(line, sizeof line, file) && kb < 0)
        if (sscanf(line, "VmHWM: %ld", &kb) != 1)
            kb = -1;
    fclose(file);
    return kb;
}

static void grows_little(struct fixture *fx)
{
    static const char *const names[] = { "200 MB", "10,000", "at the limit" };
    const struct sr_net net = { .ca_file = fx->tls.ca, .receive_max = RECEIVE_MAX };
    const struct sr_mqtt_events events = { on_up, on_down, on_message, NULL };
    struct sr_mqtt_options options = { .host = "127.0.0.1",
                                       .tls = fx->by_tls,
                                       .net = &net };
    uint64_t give_up = now_ms() + 60 * 1000;
    long before;

    fx->server = server_start(0, attack, fx);
    options.port = server_port(fx->server);
    assert_int_equal(sr_mqtt_new(fx->loop, &options, &events, fx, &fx->mqtt), 0);
    if (!forget_peak())
        skip();
    before = peak_kb();
    assert_int_equal(sr_mqtt_connect(fx->mqtt), 0);
    while (!fx->downs && !fx->received && now_ms() < give_up) {
        sr_loop_dispatch(fx->loop);
        usleep(100);
    }
    print_message("%s, QoS %d, %s: %ld KB more, %zu bytes were sent\n",
                  fx->by_tls ? "TLS" : "plain", fx->qos, names[fx->attack],
                  peak_kb() - before, (size_t)fx->sent);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    assert_true(peak_kb() - before <= GROWTH_MAX_KB);
#endif
}

static void is_refused(struct fixture *fx)
{
    grows_little(fx);
    assert_int_equal(fx->downs, 1);
    assert_non_null(strstr(fx->reason, "receive_max"));
    assert_int_equal(fx->received, 0);
}

static void a_message_of_200_mb_is_refused_at_its_header(void **state)
{
    struct fixture *fx = *state;
    struct sr_loop *loop = fx->loop;

    for (int i = 0; i < 6; i++) {
        *fx = (struct fixture){
            .loop = loop, .tls = fx->tls, .qos = i / 2, .by_tls = i % 2
        };
        is_refused(fx);
        assert_true(fx->sent < LARGE / 10);
        fx->mqtt = sr_mqtt_free(fx->mqtt);
        server_stop(fx->server);
        fx->server = NULL;
    }
}

static void messages_that_are_never_released_are_bounded(void **state)
{
    struct fixture *fx = *state;

    fx->attack = NEVER_RELEASED;
    fx->qos = 2;
    is_refused(fx);
    assert_true(fx->sent < (size_t)MANY * MANY_LEN / 2);
}

static void messages_that_are_never_released_are_bounded_by_tls(void **state)
{
    ((struct fixture *)*state)->by_tls = true;
    messages_that_are_never_released_are_bounded(state);
}

static void a_message_as_large_as_the_limit_arrives(void **state)
{
    struct fixture *fx = *state;

    fx->attack = AT_LIMIT;
    grows_little(fx);
    assert_int_equal(fx->received, RECEIVE_MAX - TOPIC);
    assert_int_equal(fx->downs, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_message_of_200_mb_is_refused_at_its_header),
        TEST(messages_that_are_never_released_are_bounded),
        TEST(messages_that_are_never_released_are_bounded_by_tls),
        TEST(a_message_as_large_as_the_limit_arrives),
    };

    signal(SIGPIPE, SIG_IGN); /* of the broker's side */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
