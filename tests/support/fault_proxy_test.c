/* SPDX-License-Identifier: MIT */
/* The tool itself: a proxy that does not break the line as it says proves nothing. */
#include "support/fault_proxy.h"

#include "support/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
/* after what it needs */
#include <cmocka.h>

struct fixture {
    struct server *server;
    struct fault_proxy *proxy;
};

static void echo(int fd, unsigned number, void *arg)
{
    char byte;

    (void)number, (void)arg;
    while (server_read(fd, &byte, 1) && server_write(fd, &byte, 1))
        ;
}

static int set_up(void **state)
{
    static struct fixture fx;

    fx.server = server_start(0, echo, NULL);
    assert_non_null(fx.server);
    fx.proxy = fault_proxy_start(server_port(fx.server));
    assert_non_null(fx.proxy);
    *state = &fx;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fx = *state;

    fault_proxy_stop(fx->proxy);
    server_stop(fx->server);
    return 0;
}

/* -1 if nobody listens. */
static int dial(struct fixture *fx)
{
    struct sockaddr_in a = { .sin_family = AF_INET,
                             .sin_addr = { htonl(INADDR_LOOPBACK) },
                             .sin_port = htons(fault_proxy_port(fx->proxy)) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    if (!connect(fd, (struct sockaddr *)&a, sizeof a))
        return fd;
    assert_int_equal(errno, ECONNREFUSED);
    close(fd);
    return -1;
}

static void say(int fd, const char *text)
{
    assert_true(server_write(fd, text, strlen(text)));
}

static void expect(int fd, const char *text)
{
    char bytes[64] = "";

    assert_true(server_read(fd, bytes, strlen(text)));
    assert_string_equal(bytes, text);
}

/* What read() says at the end of the connection: 0, or -ECONNRESET. */
static int end_of(int fd)
{
    char byte;
    ssize_t n = read(fd, &byte, 1);
    int rc = n < 0 ? -errno : (int)n;

    close(fd);
    return rc;
}

static void passes_bytes_and_counts_them(void **state)
{
    struct fixture *fx = *state;
    int fd = dial(fx);

    say(fd, "hello");
    expect(fd, "hello");
    assert_int_equal(fault_proxy_count(fx->proxy, FAULT_BYTES_UP), 5);
    assert_int_equal(fault_proxy_count(fx->proxy, FAULT_BYTES_DOWN), 5);
    assert_int_equal(fault_proxy_count(fx->proxy, FAULT_CONNECTIONS), 1);
    close(fd);
}

static void cuts_exactly_there_in_either_direction(void **state)
{
    struct fixture *fx = *state;
    int fd = dial(fx);

    fault_proxy_cut_after(fx->proxy, FAULT_DOWN, 3, FAULT_FIN);
    say(fd, "hello");
    expect(fd, "hel");
    assert_int_equal(end_of(fd), 0);
    fd = dial(fx);
    fault_proxy_cut_after(fx->proxy, FAULT_UP, 0, FAULT_RESET);
    say(fd, "hello");
    assert_int_equal(end_of(fd), -ECONNRESET);
    assert_int_equal(fault_proxy_count(fx->proxy, FAULT_CUTS), 2);
    fd = dial(fx); /* it was for once */
    say(fd, "hello");
    expect(fd, "hello");
    fault_proxy_cut(fx->proxy, FAULT_RESET);
    assert_int_equal(end_of(fd), -ECONNRESET);
}

static void flips_one_bit_of_one_byte(void **state)
{
    struct fixture *fx = *state;
    int fd = dial(fx);

    fault_proxy_corrupt(fx->proxy, FAULT_UP, 1);
    say(fd, "aaaa");
    expect(fd, "a`aa");
    say(fd, "aaaa");
    expect(fd, "aaaa");
    assert_int_equal(fault_proxy_count(fx->proxy, FAULT_FLIPS), 1);
    close(fd);
}

static void a_black_hole_swallows_and_does_not_give_back(void **state)
{
    struct fixture *fx = *state;
    int old = dial(fx), new;
    struct pollfd fds[2];

    say(old, "x");
    expect(old, "x");
    fault_proxy_blackhole(fx->proxy);
    new = dial(fx);
    say(old, "one");
    say(new, "three");
    assert_true(fault_proxy_await(fx->proxy, FAULT_SWALLOWED, 8));
    fault_proxy_pass(fx->proxy);
    fds[0] = (struct pollfd){ .fd = old, .events = POLLIN };
    fds[1] = (struct pollfd){ .fd = new, .events = POLLIN };
    assert_int_equal(poll(fds, 2, 100), 0);
    assert_int_equal(fault_proxy_count(fx->proxy, FAULT_BYTES_UP), 1);
    close(old);
    close(new);
    fds[0].fd = dial(fx);
    say(fds[0].fd, "again");
    expect(fds[0].fd, "again");
    close(fds[0].fd);
}

static void refuses_until_it_may_pass(void **state)
{
    struct fixture *fx = *state;
    int fd;

    fault_proxy_refuse(fx->proxy);
    assert_int_equal(dial(fx), -1);
    fault_proxy_pass(fx->proxy);
    fd = dial(fx);
    assert_true(fd >= 0);
    close(fd);
}

static void delay_and_throttle_take_their_time(void **state)
{
    struct fixture *fx = *state;
    char bytes[101] = "";
    uint64_t began;
    int fd = dial(fx);

    fault_proxy_delay(fx->proxy, 50);
    began = now_ms();
    say(fd, "x");
    expect(fd, "x");
    assert_true(now_ms() - began >= 99);
    fault_proxy_pass(fx->proxy);

    fault_proxy_throttle(fx->proxy, 500);
    memset(bytes, 'x', 100);
    began = now_ms();
    say(fd, bytes);
    assert_true(server_read(fd, bytes, 100));
    assert_true(now_ms() - began >= 170); /* the last portion is not waited for */
    close(fd);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(passes_bytes_and_counts_them),
        TEST(cuts_exactly_there_in_either_direction),
        TEST(flips_one_bit_of_one_byte),
        TEST(a_black_hole_swallows_and_does_not_give_back),
        TEST(refuses_until_it_may_pass),
        TEST(delay_and_throttle_take_their_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
