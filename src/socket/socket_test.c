/* SPDX-License-Identifier: MIT */
#include "support/certificate.h"
#include "support/child.h"
#include "support/server.h"
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <smartrest/loop.h>
#include <smartrest/socket.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
/* after what it needs */
#include <cmocka.h>

struct fixture {
    struct sr_loop *loop;
    struct sr_socket *socket;
    struct server *server;
    int ups, downs, drains, ends;
    int rc; /* of the last `down` */
    char error[512];
    size_t received, limit; /* stops the loop at the limit */
    unsigned long sum;      /* of the bytes received */
    char first[64];         /* of them */
    void (*on_data)(struct fixture *fx);
    size_t to_send, sent; /* by pump() */
};

/* --- events --------------------------------------------------------------- */

static char pattern(size_t i)
{
    return (char)(i * 7 + i / 251);
}

static void on_up(void *arg)
{
    struct fixture *fx = arg;

    fx->ups++;
    sr_loop_stop(fx->loop);
}

static void on_data(void *arg, const char *bytes, size_t len)
{
    struct fixture *fx = arg;

    for (size_t i = 0; i < len; i++) {
        if (fx->received + i < sizeof fx->first - 1)
            fx->first[fx->received + i] = bytes[i];
        if (fx->to_send)
            assert_int_equal(bytes[i], pattern(fx->received + i));
    }
    fx->received += len;
    if (fx->received >= fx->limit)
        sr_loop_stop(fx->loop);
    if (fx->on_data)
        fx->on_data(fx);
}

static void pump(struct fixture *fx)
{
    char bytes[8192];

    while (fx->sent < fx->to_send) {
        size_t len = fx->to_send - fx->sent < sizeof bytes ? fx->to_send - fx->sent
                                                           : sizeof bytes;
        int rc;

        for (size_t i = 0; i < len; i++)
            bytes[i] = pattern(fx->sent + i);
        rc = sr_socket_send(fx->socket, bytes, len);
        if (rc == SR_E_FULL)
            return;
        assert_int_equal(rc, 0);
        fx->sent += len;
    }
}

static void on_drained(void *arg)
{
    struct fixture *fx = arg;

    fx->drains++;
    if (fx->to_send)
        pump(fx);
}

static void on_ended(void *arg)
{
    struct fixture *fx = arg;

    fx->ends++;
    sr_loop_stop(fx->loop);
}

static void on_down(void *arg, int rc, const char *error)
{
    struct fixture *fx = arg;

    fx->downs++;
    fx->rc = rc;
    snprintf(fx->error, sizeof fx->error, "%s", error);
    assert_string_equal(error, sr_socket_error(fx->socket));
    sr_loop_stop(fx->loop);
}

static const struct sr_socket_events events = {
    .up = on_up, .data = on_data, .drained = on_drained, .down = on_down
};

/* --- a world ---------------------------------------------------------------- */

static int set_up(void **state)
{
    struct fixture *fx = calloc(1, sizeof *fx);

    *state = fx;
    fx->limit = SIZE_MAX;
    return sr_loop_new(&fx->loop) ||
           sr_socket_new(fx->loop, NULL, &events, fx, &fx->socket);
}

/* The openssl of a test that has failed. */
static pid_t tls_pid;

static void end_tls(void)
{
    if (tls_pid <= 0)
        return;
    child_signal_group(tls_pid, SIGTERM);
    waitpid(tls_pid, NULL, 0);
    tls_pid = 0;
}

static int tear_down(void **state)
{
    struct fixture *fx = *state;

    end_tls();
    sr_socket_free(fx->socket);
    server_stop(fx->server);
    sr_loop_free(fx->loop);
    free(fx);
    return 0;
}

static void give_up(int signal_number)
{
    static const char text[] = "the loop was not stopped in time\n";

    (void)signal_number;
    if (write(2, text, sizeof text - 1))
        abort();
}

static void run(struct fixture *fx)
{
    signal(SIGALRM, give_up);
    alarm(20);
    assert_int_equal(sr_loop_run(fx->loop), 0);
    alarm(0);
}

/* What is awaited may come in the turn that has stopped the loop already. */
#define run_until(fx, condition) \
    do {                         \
        while (!(condition))     \
            run(fx);             \
    } while (0)

static void turn_for(struct fixture *fx, uint64_t ms)
{
    uint64_t until = now_ms() + ms;

    while (now_ms() < until)
        sr_loop_dispatch(fx->loop);
}

static void serve(struct fixture *fx, server_part part)
{
    fx->server = server_start(0, part, fx);
    assert_non_null(fx->server);
}

static void connect_to(struct fixture *fx)
{
    assert_int_equal(
        sr_socket_connect(fx->socket, "127.0.0.1", server_port(fx->server), false), 0);
    run(fx);
    assert_int_equal(fx->ups, 1);
}

static void echo(int fd, unsigned number, void *arg)
{
    char bytes[16384];
    ssize_t n;

    (void)number;
    (void)arg;
    while ((n = recv(fd, bytes, sizeof bytes, 0)) > 0)
        if (!server_write(fd, bytes, (size_t)n))
            return;
}

/* --- tests ------------------------------------------------------------------ */

static void what_is_sent_comes_back(void **state)
{
    struct fixture *fx = *state;

    serve(fx, echo);
    connect_to(fx);
    fx->limit = 5;
    assert_int_equal(sr_socket_send(fx->socket, "hello", 5), 0);
    assert_int_equal(sr_socket_queued(fx->socket), 5);
    run_until(fx, fx->received == 5);
    assert_string_equal(fx->first, "hello");
    assert_int_equal(sr_socket_queued(fx->socket), 0);
    assert_int_equal(fx->drains, 1);
}

static void what_is_sent_while_connecting_waits(void **state)
{
    struct fixture *fx = *state;

    serve(fx, echo);
    assert_int_equal(
        sr_socket_connect(fx->socket, "127.0.0.1", server_port(fx->server), false), 0);
    assert_int_equal(sr_socket_send(fx->socket, "hel", 3), 0);
    assert_int_equal(sr_socket_send(fx->socket, "lo", 2), 0);
    fx->limit = 5;
    run_until(fx, fx->received == 5);
    assert_string_equal(fx->first, "hello");
}

static void bytes_may_come_one_by_one(void **state)
{
    struct fixture *fx = *state;

    serve(fx, echo);
    connect_to(fx);
    for (size_t i = 1; i <= 40; i++) {
        char byte = (char)('0' + i);

        fx->limit = i;
        assert_int_equal(sr_socket_send(fx->socket, &byte, 1), 0);
        run_until(fx, fx->received == i);
    }
    assert_int_equal(strlen(fx->first), 40);
    assert_int_equal(fx->first[39], '0' + 40);
}

static void ten_megabytes(struct fixture *fx)
{
    fx->to_send = fx->limit = 10 * 1000 * 1000;
    pump(fx);
    run_until(fx, fx->received == fx->to_send || fx->downs);
    assert_int_equal(fx->downs, 0);
}

static void ten_megabytes_go_both_ways(void **state)
{
    struct fixture *fx = *state;

    serve(fx, echo);
    connect_to(fx);
    ten_megabytes(fx);
}

static void read_nothing(int fd, unsigned number, void *arg)
{
    (void)number;
    (void)arg;
    poll(&(struct pollfd){ .fd = fd, .events = POLLRDHUP }, 1, 20 * 1000);
}

static void a_peer_that_does_not_read_fills_the_queue_to_its_bound(void **state)
{
    static char block[100 * 1000];
    struct fixture *fx = *state;
    int rc = 0;

    serve(fx, read_nothing);
    connect_to(fx);
    sr_socket_set_send_max(fx->socket, 300 * 1000);
    for (int i = 0; i < 1000 && !rc; i++) {
        rc = sr_socket_send(fx->socket, block, sizeof block);
        turn_for(fx, 5);
    }
    assert_int_equal(rc, SR_E_FULL);
    assert_in_range(sr_socket_queued(fx->socket), 200 * 1000 + 1, 300 * 1000);
    sr_socket_close(fx->socket);
    assert_int_equal(sr_socket_queued(fx->socket), 0);
}

static void a_block_larger_than_the_bound_is_refused_whole(void **state)
{
    struct fixture *fx = *state;

    serve(fx, echo);
    connect_to(fx);
    sr_socket_set_send_max(fx->socket, 4);
    assert_int_equal(sr_socket_send(fx->socket, "12345", 5), SR_E_FULL);
    assert_int_equal(sr_socket_queued(fx->socket), 0);
    assert_int_equal(sr_socket_send(fx->socket, "1234", 4), 0);
    assert_int_equal(sr_socket_send(fx->socket, "5", 1), SR_E_FULL);
}

static void flood(int fd, unsigned number, void *arg)
{
    static const char block[65536];

    (void)number;
    (void)arg;
    while (server_write(fd, block, sizeof block))
        ;
}

static void a_paused_socket_receives_nothing(void **state)
{
    struct fixture *fx = *state;
    size_t before;

    serve(fx, flood);
    connect_to(fx);
    fx->limit = 1;
    run_until(fx, fx->received);
    sr_socket_pause(fx->socket, true);
    before = fx->received;
    turn_for(fx, 100);
    assert_int_equal(fx->received, before);
    fx->limit = before + 1000 * 1000;
    sr_socket_pause(fx->socket, false);
    run_until(fx, fx->received >= fx->limit);
}

static void say_goodbye(int fd, unsigned number, void *arg)
{
    (void)number;
    (void)arg;
    server_write(fd, "bye", 3);
}

static void a_peer_that_closes_is_told_with_0_behind_its_bytes(void **state)
{
    struct fixture *fx = *state;

    serve(fx, say_goodbye);
    connect_to(fx);
    run_until(fx, fx->downs);
    assert_string_equal(fx->first, "bye");
    assert_int_equal(fx->downs, 1);
    assert_int_equal(fx->rc, 0);
    assert_int_equal(sr_socket_send(fx->socket, "x", 1), SR_E_STATE);
}

static void slam(int fd, unsigned number, void *arg)
{
    char byte;

    (void)number;
    (void)arg;
    server_read(fd, &byte, 1);
    server_reset_on_close(fd);
}

static void a_reset_is_unreachable(void **state)
{
    struct fixture *fx = *state;

    serve(fx, slam);
    connect_to(fx);
    assert_int_equal(sr_socket_send(fx->socket, "x", 1), 0);
    run_until(fx, fx->downs);
    assert_int_equal(fx->rc, SR_E_UNREACHABLE);
    assert_non_null(strstr(fx->error, "127.0.0.1:"));
}

static void it_may_connect_again(void **state)
{
    struct fixture *fx = *state;

    serve(fx, say_goodbye);
    for (int i = 1; i <= 3; i++) {
        assert_int_equal(
            sr_socket_connect(fx->socket, "127.0.0.1", server_port(fx->server), false),
            0);
        run_until(fx, fx->downs == i);
        assert_int_equal(fx->ups, i);
    }
    assert_int_equal(fx->received, 9);
}

static void half_close_part(int fd, unsigned number, void *arg)
{
    char bytes[6] = "";

    (void)number;
    (void)arg;
    server_write(fd, "over", 4);
    shutdown(fd, SHUT_WR);
    server_read(fd, bytes, 5);
    server_drain(fd); /* until the other side has ended, too */
}

static void a_peer_that_ends_may_go_on_receiving(void **state)
{
    struct sr_socket_events with_end = events;
    struct fixture *fx = *state;

    with_end.ended = on_ended;
    sr_socket_free(fx->socket);
    assert_int_equal(sr_socket_new(fx->loop, NULL, &with_end, fx, &fx->socket), 0);
    serve(fx, half_close_part);
    connect_to(fx);
    run_until(fx, fx->ends);
    assert_int_equal(fx->ends, 1);
    assert_string_equal(fx->first, "over");
    assert_int_equal(sr_socket_send(fx->socket, "hello", 5), 0);
    while (!fx->drains)
        sr_loop_dispatch(fx->loop);
    turn_for(fx, 20);
    assert_int_equal(fx->downs, 0);
}

static void count_to_the_end(int fd, unsigned number, void *arg)
{
    char bytes[1000], answer[32];
    size_t total = 0;
    ssize_t n;

    (void)number;
    (void)arg;
    while ((n = recv(fd, bytes, sizeof bytes, 0)) > 0)
        total += (size_t)n;
    snprintf(answer, sizeof answer, "%zu bytes", total);
    server_write(fd, answer, strlen(answer));
}

static void finish_ends_sending_behind_what_is_queued(void **state)
{
    static char block[500 * 1000];
    struct fixture *fx = *state;

    serve(fx, count_to_the_end);
    connect_to(fx);
    assert_int_equal(sr_socket_send(fx->socket, block, sizeof block), 0);
    assert_int_equal(sr_socket_finish(fx->socket), 0);
    assert_int_equal(sr_socket_send(fx->socket, "x", 1), SR_E_STATE);
    run_until(fx, fx->downs);
    assert_string_equal(fx->first, "500000 bytes");
    assert_int_equal(fx->rc, 0);
}

static void nobody_listening_is_unreachable(void **state)
{
    struct fixture *fx = *state;

    assert_int_equal(sr_socket_connect(fx->socket, "127.0.0.1", free_port(), false), 0);
    run(fx);
    assert_int_equal(fx->ups, 0);
    assert_int_equal(fx->rc, SR_E_UNREACHABLE);
}

static void an_unknown_name_is_unreachable_and_named(void **state)
{
    struct fixture *fx = *state;

    assert_int_equal(sr_socket_connect(fx->socket, "nobody.invalid", 9, false), 0);
    run(fx);
    assert_int_equal(fx->ups, 0);
    assert_true(fx->rc == SR_E_UNREACHABLE || fx->rc == SR_E_TIMEOUT);
    assert_non_null(strstr(fx->error, "nobody.invalid:9"));
}

static void a_connection_that_is_not_accepted_times_out(void **state)
{
    const struct sr_net net = { .connect_ms = 200, .insecure = true };
    struct fixture *fx = *state;
    uint64_t began;

    sr_socket_free(fx->socket);
    assert_int_equal(sr_socket_new(fx->loop, &net, &events, fx, &fx->socket), 0);
    serve(fx, read_nothing); /* speaks no TLS */
    began = now_ms();
    assert_int_equal(
        sr_socket_connect(fx->socket, "127.0.0.1", server_port(fx->server), true), 0);
    run(fx);
    assert_int_equal(fx->rc, SR_E_TIMEOUT);
    assert_true(now_ms() - began >= 190);
}

static void an_attempt_may_be_given_up(void **state)
{
    struct fixture *fx = *state;

    serve(fx, echo);
    for (int turns = 0; turns < 4; turns++) {
        int downs;

        assert_int_equal(sr_socket_connect(fx->socket,
                                           turns % 2 ? "nobody.invalid" : "127.0.0.1",
                                           server_port(fx->server), turns > 1),
                         0);
        for (int i = 0; i < turns; i++)
            sr_loop_dispatch(fx->loop);
        sr_socket_close(fx->socket);
        downs = fx->downs; /* that nobody has the name may be known within a turn */
        turn_for(fx, 20);
        assert_int_equal(fx->downs, downs);
    }
    assert_int_equal(fx->ups, 0);
}

static void close_it(struct fixture *fx)
{
    sr_socket_close(fx->socket);
    sr_loop_stop(fx->loop);
}

static void free_it(struct fixture *fx)
{
    fx->socket = sr_socket_free(fx->socket);
    sr_loop_stop(fx->loop);
}

static void it_may_be_closed_from_inside_an_event(void **state)
{
    struct fixture *fx = *state;

    serve(fx, flood);
    fx->on_data = close_it;
    connect_to(fx);
    run_until(fx, fx->received);
    assert_int_equal(fx->downs, 0);
    assert_in_range(fx->received, 1, 16384);
}

static void it_may_be_freed_from_inside_an_event(void **state)
{
    struct fixture *fx = *state;

    serve(fx, flood);
    fx->on_data = free_it;
    connect_to(fx);
    run_until(fx, !fx->socket);
    assert_null(fx->socket);
    turn_for(fx, 20);
    assert_in_range(fx->received, 1, 16384);
}

static void free_in_down(void *arg, int rc, const char *error)
{
    struct fixture *fx = arg;

    fx->socket = sr_socket_free(fx->socket);
    fx->rc = rc;
    assert_true(*error != '\0'); /* still there */
    sr_loop_stop(fx->loop);
}

static void it_may_be_freed_when_it_goes_down(void **state)
{
    const struct sr_socket_events freeing = { .down = free_in_down };
    struct fixture *fx = *state;

    sr_socket_free(fx->socket);
    assert_int_equal(sr_socket_new(fx->loop, NULL, &freeing, fx, &fx->socket), 0);
    assert_int_equal(sr_socket_connect(fx->socket, "127.0.0.1", free_port(), false), 0);
    run(fx);
    assert_null(fx->socket);
    assert_int_equal(fx->rc, SR_E_UNREACHABLE);
}

static void a_proxys_password_is_not_in_the_error(void **state)
{
    const struct sr_net net = { .proxy = "foo://user:s3cret@127.0.0.1:1" };
    struct fixture *fx = *state;

    sr_socket_free(fx->socket);
    assert_int_equal(sr_socket_new(fx->loop, &net, &events, fx, &fx->socket), 0);
    assert_int_equal(sr_socket_connect(fx->socket, "127.0.0.1", 9, false), 0);
    run(fx);
    assert_non_null(strstr(fx->error, "***@"));
    assert_null(strstr(fx->error, "s3cret"));
}

static void nonsense_is_refused(void **state)
{
    static const char *const hosts[] = {
        "", "a/b", "a@b", "a b", "a\r\nb", "a?b", "a#b"
    };
    const struct sr_net half = { .cert_file = "cert.pem" };
    struct fixture *fx = *state;
    struct sr_socket *socket;

    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++)
        assert_int_equal(sr_socket_connect(fx->socket, hosts[i], 80, false),
                         SR_E_INVAL);
    assert_int_equal(sr_socket_connect(fx->socket, "localhost", 0, false), SR_E_INVAL);
    assert_int_equal(sr_socket_send(fx->socket, "x", 1), SR_E_STATE);
    assert_int_equal(sr_socket_finish(fx->socket), SR_E_STATE);
    assert_int_equal(sr_socket_new(fx->loop, &half, &events, fx, &socket), SR_E_INVAL);
    assert_int_equal(sr_socket_new(NULL, NULL, &events, fx, &socket), SR_E_INVAL);
    sr_socket_close(NULL);
    assert_null(sr_socket_free(NULL));
}

/* --- TLS -------------------------------------------------------------------- */

static char dir[CERTIFICATE_DIR];

/* An echo server of openssl's. */
struct tls_server {
    uint16_t port;
};

static void start_tls(struct tls_server *server, const char *options)
{
    char command[600];

    server->port = free_port();
    snprintf(command, sizeof command,
             "cd %s; rm -f pipe; mkfifo pipe; exec 3<>pipe; "
             "openssl s_server -quiet -accept 127.0.0.1:%u -cert cert.pem -key key.pem "
             "%s <&3 2>log | cat >&3",
             dir, (unsigned)server->port, options);
    tls_pid = fork();
    if (!tls_pid) {
        setpgid(0, 0);
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(1);
    }
    setpgid(tls_pid, tls_pid);
}

static void use(struct fixture *fx, const struct sr_net *net)
{
    sr_socket_free(fx->socket);
    assert_int_equal(sr_socket_new(fx->loop, net, &events, fx, &fx->socket), 0);
}

/* Connects, again as long as the server is not there yet. */
static void connect_tls(struct fixture *fx, struct tls_server *server, const char *host)
{
    uint64_t give_up_ms = now_ms() + 30 * 1000;

    do {
        fx->downs = 0;
        assert_int_equal(sr_socket_connect(fx->socket, host, server->port, true), 0);
        run(fx);
    } while (fx->downs && strstr(fx->error, "Failed to connect") &&
             now_ms() < give_up_ms);
}

static struct sr_net trusting(char ca[100])
{
    snprintf(ca, 100, "%s/cert.pem", dir);
    return (struct sr_net){ .ca_file = ca };
}

static void tls_carries_ten_megabytes_both_ways(void **state)
{
    struct fixture *fx = *state;
    struct tls_server server;
    char ca[100];
    struct sr_net net = trusting(ca);

    start_tls(&server, "");
    use(fx, &net);
    connect_tls(fx, &server, "127.0.0.1");
    assert_string_equal(fx->error, fx->ups ? fx->error : "");
    assert_int_equal(fx->ups, 1);
    assert_int_equal(sr_socket_finish(fx->socket), SR_E_STATE);
    ten_megabytes(fx);
    end_tls();
}

static void is_refused(struct fixture *fx)
{
    assert_int_equal(fx->ups, 0);
    assert_int_equal(fx->rc, SR_E_UNREACHABLE);
    assert_non_null(strcasestr(fx->error, "ssl"));
}

static void tls_verifies_certificates_and_names(void **state)
{
    struct fixture *fx = *state;
    struct tls_server server;
    char ca[100];
    struct sr_net net = trusting(ca);

    start_tls(&server, "");
    connect_tls(fx, &server, "127.0.0.1"); /* the system does not know it */
    is_refused(fx);
    use(fx, &net);
    connect_tls(fx, &server, "localhost");
    is_refused(fx);
    net.ca_file = NULL;
    net.insecure = true;
    use(fx, &net);
    connect_tls(fx, &server, "localhost");
    assert_int_equal(fx->ups, 1);
    end_tls();
}

static void tls_shows_its_own_certificate(void **state)
{
    struct fixture *fx = *state;
    struct tls_server server;
    char ca[100], key[100];
    struct sr_net net = trusting(ca);

    start_tls(&server, "-Verify 1 -CAfile cert.pem -verify_return_error");
    use(fx, &net);
    connect_tls(fx, &server, "127.0.0.1");
    run_until(fx, fx->downs); /* TLS 1.3 tells when something is read */
    assert_int_equal(fx->downs, 1);

    snprintf(key, sizeof key, "%s/key.pem", dir);
    net.cert_file = ca;
    net.key_file = key;
    use(fx, &net);
    fx->ups = 0;
    fx->limit = 5;
    connect_tls(fx, &server, "127.0.0.1");
    assert_int_equal(fx->ups, 1);
    sr_socket_send(fx->socket, "hello", 5);
    run_until(fx, fx->received == 5);
    assert_string_equal(fx->first, "hello");
    end_tls();
}

static int make_certificates(void **state)
{
    (void)state;
    return !make_certificate(dir);
}

static int remove_certificates(void **state)
{
    (void)state;
    remove_certificate(dir);
    return 0;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(what_is_sent_comes_back),
        TEST(what_is_sent_while_connecting_waits),
        TEST(bytes_may_come_one_by_one),
        TEST(ten_megabytes_go_both_ways),
        TEST(a_peer_that_does_not_read_fills_the_queue_to_its_bound),
        TEST(a_block_larger_than_the_bound_is_refused_whole),
        TEST(a_paused_socket_receives_nothing),
        TEST(a_peer_that_closes_is_told_with_0_behind_its_bytes),
        TEST(a_reset_is_unreachable),
        TEST(it_may_connect_again),
        TEST(a_peer_that_ends_may_go_on_receiving),
        TEST(finish_ends_sending_behind_what_is_queued),
        TEST(nobody_listening_is_unreachable),
        TEST(an_unknown_name_is_unreachable_and_named),
        TEST(a_connection_that_is_not_accepted_times_out),
        TEST(an_attempt_may_be_given_up),
        TEST(it_may_be_closed_from_inside_an_event),
        TEST(it_may_be_freed_from_inside_an_event),
        TEST(it_may_be_freed_when_it_goes_down),
        TEST(a_proxys_password_is_not_in_the_error),
        TEST(nonsense_is_refused),
        TEST(tls_carries_ten_megabytes_both_ways),
        TEST(tls_verifies_certificates_and_names),
        TEST(tls_shows_its_own_certificate),
    };

    return cmocka_run_group_tests(tests, make_certificates, remove_certificates);
}
