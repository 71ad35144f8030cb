/* SPDX-License-Identifier: MIT */
/* Every way in which TLS can fail has words of its own, which name the host; and HTTP, which has its
 * words from libcurl, names the same things. */
#include "support/server.h"
#include "support/tls_server.h"
#include <setjmp.h>
#include <signal.h>
#include <smartrest/http.h>
#include <smartrest/loop.h>
#include <smartrest/mqtt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
/* after what it needs */
#include <cmocka.h>

struct fixture {
    struct sr_loop *loop;
    struct server *server;
    struct tls_files tls, other;
    int ups, ended;
    char reason[600], sni[100];
};

/* --- servers ------------------------------------------------------------------ */

/* Speaks TLS, and CONNACK whoever comes. */
static void greet(int fd, unsigned number, void *arg)
{
    struct fixture *fx = arg;
    SSL *ssl = tls_accept(&fx->tls, fd);
    const char *name;
    char first;

    (void)number;
    if (!ssl)
        return;
    name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    snprintf(fx->sni, sizeof fx->sni, "%s", name ? name : "(none)");
    if (tls_read(ssl, &first, 1))
        tls_write(ssl, "\x20\2\0\0", 4);
    tls_end(ssl);
}

/* A port for plain MQTT, which speaks first thing. */
static void speak_plain(int fd, unsigned number, void *arg)
{
    (void)number;
    (void)arg;
    server_write(fd, "\x20\2\0\0HTTP", 8);
    server_drain(fd);
}

/* As a broker does that takes a ClientHello for a bad CONNECT. */
static void hang_up(int fd, unsigned number, void *arg)
{
    char hello[4096];

    (void)number;
    (void)arg;
    while (recv(fd, hello, sizeof hello, 0) == (ssize_t)sizeof hello)
        ;
}

static void reset(int fd, unsigned number, void *arg)
{
    server_reset_on_close(fd);
    hang_up(fd, number, arg);
}

/* --- clients ------------------------------------------------------------------ */

static void on_up(void *arg)
{
    ((struct fixture *)arg)->ups++;
}

static void on_down(void *arg, bool was_up, const char *reason)
{
    struct fixture *fx = arg;

    (void)was_up;
    if (!fx->ended++)
        snprintf(fx->reason, sizeof fx->reason, "%s", reason);
}

static void on_answer(void *arg, const struct sr_http_result *result)
{
    on_down(arg, false, result->rc ? result->error : "an answer");
}

static int set_up(void **state)
{
    struct fixture *fx = calloc(1, sizeof *fx);

    *state = fx;
    return sr_loop_new(&fx->loop);
}

static int tear_down(void **state)
{
    struct fixture *fx = *state;

    server_stop(fx->server);
    sr_loop_free(fx->loop);
    if (*fx->tls.dir)
        tls_remove(&fx->tls);
    if (*fx->other.dir)
        tls_remove(&fx->other);
    free(fx);
    return 0;
}

static void begin(struct fixture *fx, server_part part, const struct tls_wish *wish)
{
    if (wish)
        assert_true(tls_make(&fx->tls, wish));
    fx->server = server_start(0, part, fx);
    assert_non_null(fx->server);
}

static void turn_until_ended(struct fixture *fx)
{
    uint64_t give_up = now_ms() + 30 * 1000;

    while (!fx->ended && now_ms() < give_up) {
        sr_loop_dispatch(fx->loop);
        usleep(200);
    }
    assert_true(fx->ended);
}

static void connect_by_mqtt(struct fixture *fx, const char *host, struct sr_net net)
{
    const struct sr_mqtt_events events = { on_up, on_down, NULL, NULL };
    const struct sr_mqtt_options options = {
        .host = host, .port = server_port(fx->server), .tls = true, .net = &net
    };
    struct sr_mqtt *mqtt;
    uint64_t give_up = now_ms() + 30 * 1000;

    net.ca_file = net.ca_file ? net.ca_file : *fx->tls.ca ? fx->tls.ca : NULL;
    assert_int_equal(sr_mqtt_new(fx->loop, &options, &events, fx, &mqtt), 0);
    assert_int_equal(sr_mqtt_connect(mqtt), 0);
    while (!fx->ended && !fx->ups && now_ms() < give_up) {
        sr_loop_dispatch(fx->loop);
        usleep(200);
    }
    sr_mqtt_free(mqtt);
}

static void ask_by_http(struct fixture *fx, const char *host, struct sr_net net)
{
    struct sr_http_call call = { .timeout_ms = 20000 };
    struct sr_http *http;
    char url[100];

    net.ca_file = net.ca_file ? net.ca_file : fx->tls.ca;
    net.proxy = "";
    snprintf(url, sizeof url, "https://%s:%u/", host,
             (unsigned)server_port(fx->server));
    call.url = url;
    fx->ended = 0;
    assert_int_equal(sr_http_new(fx->loop, &net, &http), 0);
    assert_int_equal(sr_http_request(http, &call, on_answer, fx, NULL), 0);
    turn_until_ended(fx);
    sr_http_free(http);
}

static void says(const struct fixture *fx, const char *words)
{
    if (!strstr(fx->reason, words))
        fail_msg("'%s' is not in: %s", words, fx->reason);
}

/* By MQTT, with the host's name, and by HTTP. */
static void is_refused(struct fixture *fx, const char *host, struct sr_net net,
                       const char *words)
{
    connect_by_mqtt(fx, host, net);
    assert_int_equal(fx->ups, 0);
    says(fx, words);
    says(fx, host);
    ask_by_http(fx, host, net);
    says(fx, words);
}

static const struct tls_wish good = { .names = "IP:127.0.0.1,DNS:localhost" };
static const struct sr_net defaults;

/* --- tests -------------------------------------------------------------------- */

static void a_good_certificate_is_taken(void **state)
{
    begin(*state, greet, &good);
    connect_by_mqtt(*state, "127.0.0.1", defaults);
    assert_int_equal(((struct fixture *)*state)->ups, 1);
}

static void the_server_is_asked_for_by_name(void **state)
{
    struct fixture *fx = *state;

    begin(fx, greet, &good);
    connect_by_mqtt(fx, "localhost", defaults);
    assert_int_equal(fx->ups, 1);
    assert_string_equal(fx->sni, "localhost");
}

static void an_expired_certificate_is_named(void **state)
{
    begin(*state, greet,
          &(struct tls_wish){ .names = good.names, .from_s = -7200, .to_s = -3600 });
    is_refused(*state, "127.0.0.1", defaults, "certificate has expired");
}

static void a_certificate_of_the_future_is_named(void **state)
{
    begin(*state, greet,
          &(struct tls_wish){ .names = good.names, .from_s = 3600, .to_s = 7200 });
    is_refused(*state, "127.0.0.1", defaults, "certificate is not yet valid");
    connect_by_mqtt(*state, "127.0.0.1", defaults);
}

static void an_unknown_authority_is_named(void **state)
{
    struct fixture *fx = *state;

    begin(fx, greet, &good);
    assert_true(tls_make(&fx->other, &good));
    is_refused(fx, "127.0.0.1", (struct sr_net){ .ca_file = fx->other.ca },
               "unable to get local issuer certificate");
}

static void a_certificate_that_signed_itself_is_named(void **state)
{
    begin(*state, greet,
          &(struct tls_wish){ .names = good.names, .self_signed = true });
    is_refused(*state, "127.0.0.1", defaults, "self");
}

static void a_certificate_for_another_address_is_named(void **state)
{
    struct fixture *fx = *state;

    begin(fx, greet, &(struct tls_wish){ .names = "IP:127.0.0.2,DNS:localhost" });
    is_refused(fx, "127.0.0.1", defaults, "host");
    fx->ended = fx->ups = 0;
    connect_by_mqtt(fx, "127.0.0.1", defaults);
    says(fx, "IP address mismatch; it is for another host");
}

static void a_certificate_for_another_name_is_named(void **state)
{
    struct fixture *fx = *state;

    begin(fx, greet, &(struct tls_wish){ .names = "DNS:broker.example,IP:127.0.0.1" });
    is_refused(fx, "localhost", defaults, "host");
    fx->ended = fx->ups = 0;
    connect_by_mqtt(fx, "localhost", defaults);
    says(fx, "hostname mismatch; it is for another host");
}

static void all_of_it_may_be_switched_off(void **state)
{
    begin(*state, greet,
          &(struct tls_wish){
              .names = "DNS:x", .from_s = -2, .to_s = -1, .self_signed = true });
    connect_by_mqtt(*state, "127.0.0.1", (struct sr_net){ .insecure = true });
    assert_int_equal(((struct fixture *)*state)->ups, 1);
}

static void a_version_that_is_too_old_is_named(void **state)
{
    begin(*state, greet,
          &(struct tls_wish){ .names = good.names, .version_max = TLS1_1_VERSION });
    connect_by_mqtt(*state, "127.0.0.1", defaults);
    says(*state, "127.0.0.1 speaks no TLS version that we do");
}

static void a_port_without_tls_is_named(void **state)
{
    begin(*state, speak_plain, NULL);
    connect_by_mqtt(*state, "127.0.0.1", defaults);
    says(*state, "127.0.0.1 speaks no TLS at this port");
}

static void a_port_that_hangs_up_at_tls_is_named(void **state)
{
    begin(*state, hang_up, NULL);
    connect_by_mqtt(*state, "127.0.0.1", defaults);
    says(*state, "127.0.0.1 ended the connection; does it speak TLS at this port?");
}

static void a_port_that_resets_at_tls_is_named(void **state)
{
    begin(*state, reset, NULL);
    connect_by_mqtt(*state, "127.0.0.1", defaults);
    says(*state, "TLS with 127.0.0.1 failed: Connection reset by peer");
}

static void a_server_that_wants_a_certificate_is_named(void **state)
{
    begin(*state, greet,
          &(struct tls_wish){ .names = good.names, .wants_client = true });
    connect_by_mqtt(*state, "127.0.0.1", defaults);
    says(*state, "127.0.0.1 wants a client certificate (cert_file)");
}

static void a_certificate_of_ours_that_is_refused_is_named(void **state)
{
    struct fixture *fx = *state;

    begin(fx, greet, &(struct tls_wish){ .names = good.names, .wants_client = true });
    assert_true(tls_make(&fx->other, &good));
    connect_by_mqtt(
        fx, "127.0.0.1",
        (struct sr_net){ .cert_file = fx->other.cert, .key_file = fx->other.key });
    says(fx, "127.0.0.1 refuses our client certificate: unknown authority");
}

static void a_certificate_of_ours_that_is_good_is_taken(void **state)
{
    struct fixture *fx = *state;

    begin(fx, greet, &(struct tls_wish){ .names = good.names, .wants_client = true });
    connect_by_mqtt(
        fx, "127.0.0.1",
        (struct sr_net){ .cert_file = fx->tls.cert, .key_file = fx->tls.key });
    assert_int_equal(fx->ups, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_good_certificate_is_taken),
        TEST(the_server_is_asked_for_by_name),
        TEST(an_expired_certificate_is_named),
        TEST(a_certificate_of_the_future_is_named),
        TEST(an_unknown_authority_is_named),
        TEST(a_certificate_that_signed_itself_is_named),
        TEST(a_certificate_for_another_address_is_named),
        TEST(a_certificate_for_another_name_is_named),
        TEST(all_of_it_may_be_switched_off),
        TEST(a_version_that_is_too_old_is_named),
        TEST(a_port_without_tls_is_named),
        TEST(a_port_that_hangs_up_at_tls_is_named),
        TEST(a_port_that_resets_at_tls_is_named),
        TEST(a_server_that_wants_a_certificate_is_named),
        TEST(a_certificate_of_ours_that_is_refused_is_named),
        TEST(a_certificate_of_ours_that_is_good_is_taken),
    };

    signal(SIGPIPE, SIG_IGN); /* of the server's side */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
