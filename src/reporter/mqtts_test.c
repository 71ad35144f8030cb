/* SPDX-License-Identifier: MIT */
/* The reporter over MQTT with TLS, against a real mosquitto. */
#include "reporter/fixture.h"
#include "support/certificate.h"
#include "support/child.h"
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static struct {
    char dir[CERTIFICATE_DIR], ca[100];
    uint16_t port;
    pid_t pid;
} broker;

static void run_mosquitto(void)
{
    char path[100];
    FILE *file;

    snprintf(path, sizeof path, "%s/mosquitto.conf", broker.dir);
    file = fopen(path, "w");
    fprintf(file,
            "listener %u 127.0.0.1\nallow_anonymous true\nuser root\nlog_dest none\n"
            "certfile %s/cert.pem\nkeyfile %s/key.pem\n",
            (unsigned)broker.port, broker.dir, broker.dir);
    fclose(file);
    execlp(MOSQUITTO, MOSQUITTO, "-c", path, (char *)NULL);
    _exit(1);
}

static int start_broker(void **state)
{
    (void)state;
    if (!make_certificate(broker.dir))
        return -1;
    snprintf(broker.ca, sizeof broker.ca, "%s/cert.pem", broker.dir);
    broker.port = free_port();
    broker.pid = fork();
    if (broker.pid == 0)
        run_mosquitto();
    return broker.pid < 0;
}

static int stop_broker(void **state)
{
    (void)state;
    child_end(&broker.pid, SIGTERM);
    remove_certificate(broker.dir);
    return 0;
}

static void connect_to(struct fixture *fx, const char *host, const char *ca_file)
{
    make_agent(fx, 9);
    if (ca_file)
        assert_int_equal(sr_agent_set_ca_file(fx->agent, ca_file), 0);
    snprintf(fx->broker_url, sizeof fx->broker_url, "mqtts://%s:%u", host,
             (unsigned)broker.port);
    assert_int_equal(sr_reporter_new_mqtt(fx->agent, fx->broker_url, &fx->reporter), 0);
    send_row(fx, "103,1");
    start(fx);
}

static void a_broker_of_the_ca_file_is_trusted(void **state)
{
    struct fixture *fx = *state;

    connect_to(fx, "127.0.0.1", broker.ca);
    run_until(fx->agent, stats_of(fx).rows_acked == 1);
    for (int i = 0; i < 2000; i++)
        assert_int_equal(sr_agent_sendf(fx->agent, "103,%0100d", i), 0);
    run_until(fx->agent, stats_of(fx).rows_acked == 2001);
    assert_int_equal(stats_of(fx).disconnects, 0);
}

static void is_refused(struct fixture *fx)
{
    run_until(fx->agent, logged(fx, "trying again") && !logged(fx, "refused"));
    run_for(fx->agent, 600);
    assert_int_equal(stats_of(fx).connects, 0);
    assert_int_equal(stats_of(fx).rows_sent, 0);
}

static void a_broker_the_system_does_not_trust_is_refused(void **state)
{
    struct fixture *fx = *state;

    connect_to(fx, "127.0.0.1", NULL);
    is_refused(fx);
    assert_true(logged(fx, "certificate"));
}

static void a_broker_with_the_certificate_of_another_is_refused(void **state)
{
    struct fixture *fx = *state;

    connect_to(fx, "localhost", broker.ca);
    is_refused(fx);
}

static void a_ca_file_that_cannot_be_read_is_said_so(void **state)
{
    struct fixture *fx = *state;

    make_agent(fx, 9);
    assert_int_equal(sr_agent_set_ca_file(fx->agent, "/nowhere/ca.pem"), 0);
    snprintf(fx->broker_url, sizeof fx->broker_url, "mqtts://127.0.0.1:%u",
             (unsigned)broker.port);
    assert_int_equal(sr_reporter_new_mqtt(fx->agent, fx->broker_url, &fx->reporter), 0);
    assert_int_equal(sr_reporter_start(fx->reporter), SR_E_INVAL);
    assert_string_equal(sr_agent_error(fx->agent),
                        "ca_file '/nowhere/ca.pem': No such file or directory");
}

static void an_idle_tls_connection_wakes_nobody(void **state)
{
    struct fixture *fx = *state;
    uint64_t before;

    connect_to(fx, "127.0.0.1", broker.ca);
    run_until(fx->agent, stats_of(fx).rows_acked == 1);
    run_for(fx->agent, 50);
    before = sr_agent_wakeups(fx->agent);
    while (sr_agent_timeout(fx->agent) == 0)
        sr_agent_dispatch(fx->agent);
    assert_int_equal(
        poll(&(struct pollfd){ .fd = sr_agent_fd(fx->agent), .events = POLLIN }, 1,
             500),
        0);
    assert_in_range(sr_agent_wakeups(fx->agent) - before, 0, 2);
}

int main(void)
{
#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_broker_of_the_ca_file_is_trusted),
        TEST(a_broker_the_system_does_not_trust_is_refused),
        TEST(a_broker_with_the_certificate_of_another_is_refused),
        TEST(a_ca_file_that_cannot_be_read_is_said_so),
        TEST(an_idle_tls_connection_wakes_nobody),
    };

    return cmocka_run_group_tests(tests, start_broker, stop_broker);
}
