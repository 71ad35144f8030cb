/* SPDX-License-Identifier: MIT */
/* Watches on descriptors of the application, by the public interface. */
#include "loop/fixture.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void note_events(struct sr_agent *agent, struct sr_watch *watched, int fd,
                        int events, void *arg)
{
    struct fixture *fx = arg;

    (void)agent, (void)watched, (void)fd;
    fx->events |= events;
    fx->calls++;
}

static void a_watch_tells_what_is_the_case(void **state)
{
    struct fixture *fx = *state;

    watch(fx, SR_READABLE, note_events);
    run_for(fx, 5);
    assert_int_equal(fx->calls, 0);
    assert_int_equal(write(fx->fds[1], "x", 1), 1);
    run_for(fx, 5);
    assert_int_equal(fx->events, SR_READABLE);
    fx->events = 0;
    assert_int_equal(sr_watch_set(fx->watch, SR_READABLE | SR_WRITABLE), 0);
    run_for(fx, 5);
    assert_int_equal(fx->events, SR_READABLE | SR_WRITABLE);
    fx->events = 0;
    assert_int_equal(sr_watch_set(fx->watch, 0), 0);
    run_for(fx, 5);
    assert_int_equal(fx->events, 0);
    assert_int_equal(sr_watch_set(fx->watch, SR_WRITABLE), 0);
    run_for(fx, 5);
    assert_int_equal(fx->events, SR_WRITABLE);
}

static void free_watch(struct sr_agent *agent, struct sr_watch *watched, int fd,
                       int events, void *arg)
{
    struct fixture *fx = arg;

    (void)agent, (void)fd, (void)events;
    fx->calls++;
    assert_null(sr_watch_free(watched));
}

static void a_watch_may_free_itself(void **state)
{
    struct fixture *fx = *state;

    watch(fx, SR_WRITABLE, free_watch);
    run_for(fx, 10);
    assert_int_equal(fx->calls, 1);
    /* And the descriptor can be watched again. */
    watch(fx, SR_WRITABLE, free_watch);
    run_for(fx, 10);
    assert_int_equal(fx->calls, 2);
}

static void free_both(struct sr_agent *agent, struct sr_watch *watched, int fd,
                      int events, void *arg)
{
    struct sr_watch **both = arg;

    (void)agent, (void)watched, (void)fd, (void)events;
    both[0] = sr_watch_free(both[0]);
    both[1] = sr_watch_free(both[1]);
}

static void a_watch_may_free_another_that_is_ready(void **state)
{
    struct fixture *fx = *state;
    struct sr_watch *both[2];

    for (int i = 0; i < 2; i++)
        assert_int_equal(
            sr_watch_new(fx->agent, fx->fds[i], SR_WRITABLE, free_both, both, &both[i]),
            0);
    run_for(fx, 10);
    assert_null(both[0]);
}

static void the_end_of_the_other_side_is_readable(void **state)
{
    struct fixture *fx = *state;

    watch(fx, SR_READABLE, free_watch);
    shutdown(fx->fds[1], SHUT_RDWR);
    run_for(fx, 10);
    assert_int_equal(fx->calls, 1);
}

static void note_and_free(struct sr_agent *agent, struct sr_watch *watched, int fd,
                          int events, void *arg)
{
    ((struct fixture *)arg)->events = events;
    free_watch(agent, watched, fd, events, arg);
}

/* A pipe without a reader. */
static void a_descriptor_that_failed_has_both_bits(void **state)
{
    struct fixture *fx = *state;
    int pipe_fds[2];

    assert_int_equal(pipe(pipe_fds), 0);
    close(pipe_fds[0]);
    assert_int_equal(sr_watch_new(fx->agent, pipe_fds[1], SR_READABLE, note_and_free,
                                  fx, &fx->watch),
                     0);
    run_for(fx, 10);
    assert_int_equal(fx->calls, 1);
    assert_int_equal(fx->events, SR_READABLE | SR_WRITABLE);
    close(pipe_fds[1]);
}

static void read_all(struct sr_agent *agent, struct sr_watch *watched, int fd,
                     int events, void *arg)
{
    struct fixture *fx = arg;
    char byte;
    ssize_t n = recv(fd, &byte, 1, MSG_DONTWAIT);

    (void)agent, (void)watched, (void)events;
    fx->calls++;
    if (n < 0 && errno == ECONNREFUSED)
        fx->rc = errno;
    if (n == 1)
        fx->other_calls++;
}

/* An ICMP error is no end of a UDP socket. */
static void a_descriptor_that_recovers_is_watched_on(void **state)
{
    struct sockaddr_storage own, closed;
    socklen_t len = sizeof own, closed_len = sizeof closed;
    struct fixture *fx = *state;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), gone, peer;
    struct sockaddr *to = (struct sockaddr *)&own;

    memset(&own, 0, sizeof own);
    own.ss_family = AF_INET;
    assert_int_equal(bind(fd, to, sizeof(struct sockaddr_storage)), 0);
    assert_int_equal(getsockname(fd, to, &len), 0);
    gone = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    memset(&closed, 0, sizeof closed);
    closed.ss_family = AF_INET;
    assert_int_equal(bind(gone, (struct sockaddr *)&closed, sizeof closed), 0);
    getsockname(gone, (struct sockaddr *)&closed, &closed_len);
    close(gone);

    assert_int_equal(sr_watch_new(fx->agent, fd, SR_READABLE, read_all, fx, &fx->watch),
                     0);
    assert_int_equal(connect(fd, (struct sockaddr *)&closed, closed_len), 0);
    assert_int_equal(send(fd, "x", 1, 0), 1);
    run_for(fx, 10);
    assert_int_equal(fx->rc, ECONNREFUSED);

    peer = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(peer, (struct sockaddr *)&closed, closed_len), 0);
    getsockname(fd, to, &len);
    assert_int_equal(sendto(peer, "y", 1, 0, to, len), 1);
    run_for(fx, 10);
    assert_int_equal(fx->other_calls, 1);
    assert_in_range(fx->calls, 2, 4); /* and nothing spins */
    sr_watch_free(fx->watch);
    close(peer);
    close(fd);
}

static void what_cannot_be_watched_is_refused(void **state)
{
    struct fixture *fx = *state;
    FILE *file = tmpfile();

    assert_int_equal(
        sr_watch_new(fx->agent, fileno(file), SR_READABLE, note_events, fx, &fx->watch),
        SR_E_INVAL);
    fclose(file);
    assert_int_equal(
        sr_watch_new(fx->agent, -1, SR_READABLE, note_events, fx, &fx->watch),
        SR_E_INVAL);
    assert_int_equal(
        sr_watch_new(fx->agent, 999, SR_READABLE, note_events, fx, &fx->watch),
        SR_E_INVAL);
    assert_int_equal(
        sr_watch_new(fx->agent, fx->fds[0], 4, note_events, fx, &fx->watch),
        SR_E_INVAL);
    assert_null(fx->watch);
    watch(fx, SR_READABLE, note_events);
    assert_int_equal(sr_watch_set(fx->watch, 8), SR_E_INVAL);
    assert_int_equal(sr_watch_set(NULL, 0), SR_E_INVAL);
    assert_int_equal(
        sr_watch_new(fx->agent, fx->fds[0], SR_READABLE, note_events, fx, &fx->watch),
        SR_E_INVAL);
}

static void a_watched_descriptor_keeps_its_flags(void **state)
{
    struct fixture *fx = *state;
    int flags = fcntl(fx->fds[0], F_GETFL);

    watch(fx, SR_READABLE, note_events);
    run_for(fx, 2);
    assert_int_equal(fcntl(fx->fds[0], F_GETFL), flags);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_watch_tells_what_is_the_case),
        TEST(a_watch_may_free_itself),
        TEST(a_watch_may_free_another_that_is_ready),
        TEST(the_end_of_the_other_side_is_readable),
        TEST(a_descriptor_that_failed_has_both_bits),
        TEST(a_descriptor_that_recovers_is_watched_on),
        TEST(what_cannot_be_watched_is_refused),
        TEST(a_watched_descriptor_keeps_its_flags),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
