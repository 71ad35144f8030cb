/* SPDX-License-Identifier: MIT */
/* A host with several addresses, of which some are silent, closed or not what they should be. The
 * library's own connect.c again, with a resolver of the test's. */
#include "support/server.h"
#include "support/tls_server.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <setjmp.h>
#include <signal.h>
#include <smartrest/loop.h>
#include <smartrest/mqtt.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
/* after what it needs */
#include <cmocka.h>

#define NAME "broker.test"

enum { FILLERS = 8 };

struct fixture {
    struct sr_loop *loop;
    struct sr_mqtt *mqtt;
    struct server *good, *wrong;
    struct tls_files tls;
    const char *host;
    unsigned connect_ms;
    bool by_tls;
    int silent, fillers[FILLERS];
    uint16_t port;
    int ups, downs;
    char reason[600], sni[100];
    atomic_int wrong_connections;
};

/* --- names --------------------------------------------------------------------- */

/* What NAME resolves to. */
static const char *const *_Atomic addresses; /* of an attempt given up, too */

int fake_getaddrinfo(const char *host, const char *port, const struct addrinfo *hints,
                     struct addrinfo **ret);
void fake_freeaddrinfo(struct addrinfo *all);

int fake_getaddrinfo(const char *host, const char *port, const struct addrinfo *hints,
                     struct addrinfo **ret)
{
    struct addrinfo **end = ret;

    (void)hints;
    if (strncmp(host, NAME, strlen(NAME)) != 0)
        return EAI_NONAME;
    for (const char *const *at = addresses; *at; at++) {
        struct addrinfo *info = calloc(1, sizeof *info);
        struct sockaddr_in *address = calloc(1, sizeof *address);

        address->sin_family = AF_INET;
        address->sin_port = htons((uint16_t)atoi(port));
        inet_pton(AF_INET, *at, &address->sin_addr);
        info->ai_family = AF_INET;
        info->ai_addr = (struct sockaddr *)address;
        info->ai_addrlen = sizeof *address;
        *end = info;
        end = &info->ai_next;
    }
    return 0;
}

void fake_freeaddrinfo(struct addrinfo *all)
{
    for (struct addrinfo *next; all; all = next) {
        next = all->ai_next;
        free(all->ai_addr);
        free(all);
    }
}

/* --- addresses ------------------------------------------------------------------ */

static void greet(int fd, unsigned number, void *arg)
{
    struct fixture *fx = arg;
    SSL *ssl = fx->by_tls ? tls_accept(&fx->tls, fd) : NULL;
    char first;

    (void)number;
    if (ssl) {
        snprintf(fx->sni, sizeof fx->sni, "%s",
                 SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name));
        if (tls_read(ssl, &first, 1))
            tls_write(ssl, "\x20\2\0\0", 4);
        tls_end(ssl);
    } else if (!fx->by_tls) {
        server_read(fd, &first, 1);
        server_write(fd, "\x20\2\0\0", 4);
        server_drain(fd);
    }
}

static void speak_http(int fd, unsigned number, void *arg)
{
    (void)number;
    atomic_fetch_add(&((struct fixture *)arg)->wrong_connections, 1);
    server_write(fd, "HTTP/1.1 400 Bad Request\r\n\r\n", 28);
}

/* A listener whose queue is full: the kernel answers nobody any more. */
static void be_silent_at(struct fixture *fx, const char *address)
{
    struct sockaddr_in name = { .sin_family = AF_INET, .sin_port = htons(fx->port) };

    inet_pton(AF_INET, address, &name.sin_addr);
    fx->silent = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fx->silent, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int));
    assert_int_equal(bind(fx->silent, (struct sockaddr *)&name, sizeof name), 0);
    assert_int_equal(listen(fx->silent, 0), 0);
    for (int i = 0; i < FILLERS; i++) {
        fx->fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        connect(fx->fillers[i], (struct sockaddr *)&name, sizeof name);
    }
}

/* --- the client ------------------------------------------------------------------- */

static void on_up(void *arg)
{
    ((struct fixture *)arg)->ups++;
}

static void on_down(void *arg, bool was_up, const char *reason)
{
    struct fixture *fx = arg;

    (void)was_up;
    fx->downs++;
    snprintf(fx->reason, sizeof fx->reason, "%s", reason);
}

static int set_up(void **state)
{
    struct fixture *fx = calloc(1, sizeof *fx);

    *state = fx;
    fx->silent = -1;
    fx->good = server_start(0, greet, fx);
    fx->port = server_port(fx->good);
    return sr_loop_new(&fx->loop);
}

static int tear_down(void **state)
{
    struct fixture *fx = *state;

    sr_mqtt_free(fx->mqtt);
    server_stop(fx->good);
    server_stop(fx->wrong);
    sr_loop_free(fx->loop);
    for (int i = 0; fx->silent >= 0 && i < FILLERS; i++)
        close(fx->fillers[i]);
    if (fx->silent >= 0)
        close(fx->silent);
    if (fx->by_tls)
        tls_remove(&fx->tls);
    free(fx);
    return 0;
}

static void begin(struct fixture *fx, const char *const *resolved)
{
    const struct sr_mqtt_events events = { on_up, on_down, NULL, NULL };
    const struct sr_net net = { .ca_file = fx->by_tls ? fx->tls.ca : NULL,
                                .connect_ms = fx->connect_ms };
    const struct sr_mqtt_options options = { .host = fx->host ? fx->host : NAME,
                                             .port = fx->port,
                                             .tls = fx->by_tls,
                                             .net = &net };

    addresses = resolved;
    assert_int_equal(sr_mqtt_new(fx->loop, &options, &events, fx, &fx->mqtt), 0);
    assert_int_equal(sr_mqtt_connect(fx->mqtt), 0);
}

static void turn_until(struct fixture *fx, const int *number)
{
    uint64_t give_up = now_ms() + 30 * 1000;

    while (!*number && now_ms() < give_up) {
        sr_loop_dispatch(fx->loop);
        usleep(200);
    }
    assert_true(*number);
}

static void with_certificate_for(struct fixture *fx, const char *names)
{
    fx->by_tls = true;
    assert_true(tls_make(&fx->tls, &(struct tls_wish){ .names = names }));
}

/* --- tests ------------------------------------------------------------------------ */

static void behind_a_silent_address_the_next_one_is_tried(void **state)
{
    static const char *const both[] = { "127.0.0.2", "127.0.0.1", NULL };
    struct fixture *fx = *state;

    be_silent_at(fx, "127.0.0.2");
    begin(fx, both);
    turn_until(fx, &fx->ups);
    assert_int_equal(fx->downs, 0);
}

static void behind_a_closed_address_the_next_one_is_tried(void **state)
{
    static const char *const all[] = { "127.0.0.2", "127.0.0.3", "127.0.0.1", NULL };
    struct fixture *fx = *state;

    begin(fx, all);
    turn_until(fx, &fx->ups);
    assert_int_equal(fx->downs, 0);
}

static void the_name_stays_the_one_of_the_url(void **state)
{
    static const char *const both[] = { "127.0.0.2", "127.0.0.1", NULL };
    struct fixture *fx = *state;

    with_certificate_for(fx, "DNS:" NAME);
    be_silent_at(fx, "127.0.0.2");
    begin(fx, both);
    turn_until(fx, &fx->ups);
    assert_string_equal(fx->sni, NAME);
}

/* A dot at its end is for the resolver. */
static void the_name_is_the_one_without_its_last_dot(void **state)
{
    static const char *const one[] = { "127.0.0.1", NULL };
    struct fixture *fx = *state;

    with_certificate_for(fx, "DNS:" NAME);
    fx->host = NAME ".";
    begin(fx, one);
    turn_until(fx, &fx->ups);
    assert_string_equal(fx->sni, NAME);
}

/* Also not if the certificate is for the address that answered. */
static void a_second_address_with_a_wrong_certificate_is_refused(void **state)
{
    static const char *const both[] = { "127.0.0.2", "127.0.0.1", NULL };
    struct fixture *fx = *state;

    with_certificate_for(fx, "DNS:other.test,IP:127.0.0.1");
    be_silent_at(fx, "127.0.0.2");
    begin(fx, both);
    turn_until(fx, &fx->downs);
    assert_int_equal(fx->ups, 0);
    assert_non_null(strstr(fx->reason, "certificate of " NAME ": hostname mismatch"));
}

static void an_address_that_is_no_broker_comes_last_at_the_next_attempt(void **state)
{
    static const char *const both[] = { "127.0.0.2", "127.0.0.1", NULL };
    struct fixture *fx = *state;

    fx->wrong = server_start_at("127.0.0.2", fx->port, speak_http, fx);
    assert_non_null(fx->wrong);
    begin(fx, both);
    turn_until(fx, &fx->ups);
    assert_int_equal(fx->downs, 1);
    assert_int_equal(fx->wrong_connections, 1);
}

static void say_nothing(int fd, unsigned number, void *arg)
{
    (void)number;
    atomic_fetch_add(&((struct fixture *)arg)->wrong_connections, 1);
    server_drain(fd);
}

static void behind_one_that_says_nothing(struct fixture *fx)
{
    static const char *const both[] = { "127.0.0.2", "127.0.0.1", NULL };

    fx->wrong = server_start_at("127.0.0.2", fx->port, say_nothing, fx);
    assert_non_null(fx->wrong);
    fx->connect_ms = 500;
    begin(fx, both);
    turn_until(fx, &fx->ups);
    assert_true(fx->wrong_connections >= 1);
    assert_non_null(strstr(fx->reason, "no connection in time"));
}

static void an_address_that_accepts_and_says_nothing_comes_last_too(void **state)
{
    behind_one_that_says_nothing(*state);
}

static void an_address_that_hangs_in_tls_comes_last_too(void **state)
{
    with_certificate_for(*state, "DNS:" NAME);
    behind_one_that_says_nothing(*state);
}

static void when_all_refuse_that_is_the_reason(void **state)
{
    static const char *const both[] = { "127.0.0.2", "127.0.0.3", NULL };
    struct fixture *fx = *state;

    begin(fx, both);
    turn_until(fx, &fx->downs);
    assert_non_null(strstr(fx->reason, "mqtt://" NAME));
    assert_non_null(strstr(fx->reason, "Connection refused"));
}

static void a_race_can_be_given_up_at_any_moment(void **state)
{
    static const char *const silent[] = { "127.0.0.2", "127.0.0.2", NULL };
    struct fixture *fx = *state;
    uint64_t began = now_ms();

    be_silent_at(fx, "127.0.0.2");
    for (int i = 0; i < 30; i++) {
        begin(fx, silent);
        for (int turns = 0; turns < 10 * i; turns++) {
            sr_loop_dispatch(fx->loop);
            usleep(100);
        }
        fx->mqtt = sr_mqtt_free(fx->mqtt);
    }
    assert_int_equal(fx->downs, 0);
    assert_true(now_ms() - began < 20000);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(behind_a_silent_address_the_next_one_is_tried),
        TEST(behind_a_closed_address_the_next_one_is_tried),
        TEST(the_name_stays_the_one_of_the_url),
        TEST(the_name_is_the_one_without_its_last_dot),
        TEST(a_second_address_with_a_wrong_certificate_is_refused),
        TEST(an_address_that_is_no_broker_comes_last_at_the_next_attempt),
        TEST(an_address_that_accepts_and_says_nothing_comes_last_too),
        TEST(an_address_that_hangs_in_tls_comes_last_too),
        TEST(when_all_refuse_that_is_the_reason),
        TEST(a_race_can_be_given_up_at_any_moment),
    };

    signal(SIGPIPE, SIG_IGN); /* of the server's side */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
