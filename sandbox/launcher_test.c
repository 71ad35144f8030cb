/* SPDX-License-Identifier: MIT */
/* Start, end and refusal of the launcher. */
#include "test_sandbox.h"

#include "listen.h"
#include "support/child.h"

#include <arpa/inet.h>
#include <mosquitto.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int prepare(void **state)
{
    static struct sandbox sandbox;

    sandbox_prepare(&sandbox);
    *state = &sandbox;
    return 0;
}

static int clean_up(void **state)
{
    sandbox_remove(*state);
    return 0;
}

/* One line, from the launcher, with `part` in it. */
static void expect_one_line(const char *err, const char *part)
{
    const char *end = strchr(err, '\n');

    if (strncmp(err, "smartrest-sandbox: ", 19) != 0 || !end || end[1] ||
        !strstr(err, part))
        fail_msg("expected one line with \"%s\", got: %s", part, err);
}

static void bad_options_are_told_in_one_line(void **state)
{
    static const struct {
        const char *args[8];
        int status;
        const char *part;
    } cases[] = {
        {{ "--nonsense" },                                                             2, "--nonsense: no such option"                },
        { { "stray" },                                                                 2, "stray: no such option"                     },
        { { "--http-por", "0" },                                                       2, "--http-por: no such option"                },
        { { "--http-port" },                                                           2, "--http-port needs a value"                 },
        { { "--http-port", "http" },                                                   2, "--http-port: \"http\" is not a port"       },
        { { "--http-port", "65536" },                                                  2, "\"65536\""                                 },
        { { "--mqtt-port", "-1" },                                                     2, "--mqtt-port: \"-1\""                       },
        { { "--mqtt-port", "" },                                                       2, "--mqtt-port: \"\""                         },
        { { "--mqtt-port=1x" },                                                        2, "--mqtt-port: \"1x\""                       },
        { { "--auto-accept=yes" },                                                     2, "--auto-accept takes no value"              },
        { { "--bind", "no.such.host.invalid" },                                        2, "no.such.host.invalid"                      },
        { { "--tenant", "t 1" },                                                       2, "--tenant: \"t 1\""                         },
        { { "--tenant", "" },                                                          2, "--tenant"                                  },
        { { "--operator", "operator" },                                                2, "USER:PASSWORD"                             },
        { { "--operator", "op:a\nlistener 1" },                                        2, "control characters"                        },
        { { "--log-level", "loud" },                                                   2, "--log-level: \"loud\""                     },
        { { "--tls-cert", "/tmp/x" },                                                  2, "--tls-key"                                 },
        { { "--heartbeat", "0" },                                                      2, "--heartbeat: \"0\" is no number of seconds"},
        { { "--push-grace", "x" },                                                     2, "--push-grace: \"x\""                       },
        { { "--binary-max", "1e9" },                                                   2, "--binary-max: \"1e9\""                     },
        { { "--https-port", "7", "--http-port", "7" },                                 2, "port 7 is given twice"                     },
        { { "--http-port", "7", "--mqtt-port", "7" },                                  2, "port 7 is given twice"                     },
        { { "--http-port", "0", "--mosquitto", "/no/mosquitto" },                      1, "/no/mosquitto"                             },
        { { "--http-port", "0", "--plugin", "/no/plugin.so" },                         1, "/no/plugin.so"                             },
        { { "--http-port", "0", "--tls-cert", "/no/cert", "--tls-key", "/no/key" },
         1,                                                                               "/no/cert"                                  },
        { { "--http-port", "0", "--mqtt-port", "0", "--data", "/proc/no" },
         1,                                                                               "data folder /proc/no"                      },
        { { "--http-port", "0", "--mqtt-port", "0", "--data", "/dev/null" },
         1,                                                                               "data folder /dev/null"                     },
        { { "--http-port", "0", "--mqtt-port", "0", "--plugin", "/dev/null" },
         1,                                                                               "mosquitto did not start"                   },
        { { "--http-port", "0", "--mqtt-port", "0", "--mosquitto", "/bin/false" },
         1,                                                                               "mosquitto ended by itself with status 1"   },
        { { "--http-port", "0", "--mqtt-port", "0", "--ready-file", "/no/dir/ready" },
         1,                                                                               "/no/dir/ready"                             },
    };
    char err[2048];

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int status = launcher_fails(*state, cases[i].args, err, sizeof err);

        expect_one_line(err, cases[i].part);
        assert_int_equal(status, cases[i].status);
    }
}

static void expect_taken(struct sandbox *sandbox, const char *option, const char *other)
{
    int port, fd = sb_listen("127.0.0.1", 0, &port);
    char number[16], part[64], err[1024];
    const char *const args[] = { option, number, other, "0", NULL };

    snprintf(number, sizeof number, "%d", port);
    snprintf(part, sizeof part, "port %d on 127.0.0.1 is taken", port);
    assert_int_equal(launcher_fails(sandbox, args, err, sizeof err), 1);
    expect_one_line(err, part);
    close(fd);
}

static void taken_port_is_named(void **state)
{
    expect_taken(*state, "--http-port", "--mqtt-port");
    expect_taken(*state, "--mqtt-port", "--http-port");
}

static void second_sandbox_on_the_same_data_is_refused(void **state)
{
    struct sandbox *sandbox = *state;
    char data[96], err[1024];
    const char *const args[] = { "--http-port", "0",  "--mqtt-port", "0",
                                 "--data",      data, NULL };

    sandbox_start(sandbox, "--http-port", "0", "--mqtt-port", "0", NULL);
    snprintf(data, sizeof data, "%s/data", sandbox->dir);
    strcat(sandbox->err, "2");
    assert_int_equal(launcher_fails(sandbox, args, err, sizeof err), 1);
    expect_one_line(err, "used by another sandbox");
    sandbox_stop(sandbox);
}

static bool exists(const struct sandbox *sandbox, const char *name)
{
    char path[128];

    snprintf(path, sizeof path, "%s/%s", sandbox->dir, name);
    return access(path, F_OK) == 0;
}

static void given_data_folder_is_kept_and_private(void **state)
{
    struct sandbox *sandbox = *state;
    char path[128];
    struct stat st;

    sandbox_start(sandbox, "--http-port", "0", "--mqtt-port", "0", NULL);
    assert_true(exists(sandbox, "ready"));
    snprintf(path, sizeof path, "%s/data/mosquitto.conf", sandbox->dir);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    sandbox_stop(sandbox);
    assert_true(exists(sandbox, "data"));
    assert_false(exists(sandbox, "ready"));
}

static void interrupt_ends_it_at_once(void **state)
{
    struct sandbox *sandbox = *state;
    int64_t begin;

    sandbox_start(sandbox, "--http-port", "0", "--mqtt-port", "0", NULL);
    begin = test_now_us();
    child_signal(sandbox->pid, SIGINT);
    child_signal(sandbox->pid, SIGINT);
    assert_int_equal(sandbox_await_end(sandbox), 0);
    assert_true(test_now_us() - begin < 15 * 1000 * 1000);
}

static int half_a_request(const struct sandbox *sandbox)
{
    static const char half[] =
        "POST /s HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n1";
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons((uint16_t)sandbox->http_port) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    assert_int_equal(send(fd, half, sizeof half - 1, MSG_NOSIGNAL),
                     (ssize_t)sizeof half - 1);
    return fd;
}

static void requests_in_flight_do_not_hold_it_up(void **state)
{
    struct sandbox *sandbox = *state;
    int64_t begin;
    int fds[20];

    sandbox_start(sandbox, "--http-port", "0", "--mqtt-port", "0", NULL);
    for (int i = 0; i < 20; i++)
        fds[i] = half_a_request(sandbox);
    assert_int_equal(
        http_call(sandbox, OPERATOR, "GET", "/inventory/managedObjects", NULL, NULL)
            .status,
        200);
    begin = test_now_us();
    sandbox_stop(sandbox);
    assert_true(test_now_us() - begin < 15 * 1000 * 1000);
    for (int i = 0; i < 20; i++)
        close(fds[i]);
}

static void killed_broker_is_reported(void **state)
{
    struct sandbox *sandbox = *state;
    char err[1024] = "";
    FILE *file;
    int status;

    sandbox_start(sandbox, "--http-port", "0", "--mqtt-port", "0", NULL);
    child_signal(sandbox->mosquitto_pid, SIGKILL);
    status = sandbox_await_end(sandbox);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 128 + SIGKILL);
    file = fopen(sandbox->err, "r");
    assert_true(fread(err, 1, sizeof err - 1, file) > 0);
    fclose(file);
    expect_one_line(err, "mosquitto was ended by signal 9");
}

static void killed_launcher_takes_the_broker_with_it(void **state)
{
    struct sandbox *sandbox = *state;
    char http[16], mqtt[16];

    sandbox_start(sandbox, "--http-port", "0", "--mqtt-port", "0", NULL);
    snprintf(http, sizeof http, "%d", sandbox->http_port);
    snprintf(mqtt, sizeof mqtt, "%d", sandbox->mqtt_port);
    child_signal(sandbox->pid, SIGKILL);
    sandbox_await_end(sandbox);
    while (child_signal(sandbox->mosquitto_pid, 0)) /* ctest's time limit guards this */
        usleep(1000);
    sandbox_start(sandbox, "--http-port", http, "--mqtt-port", mqtt, NULL);
    sandbox_stop(sandbox);
}

static void restart_after_kill_finds_ports_and_data(void **state)
{
    struct sandbox *sandbox = *state;
    struct device device;
    char http[16], mqtt[16];

    sandbox_start(sandbox, "--http-port", "0", "--mqtt-port", "0", NULL);
    snprintf(http, sizeof http, "%d", sandbox->http_port);
    snprintf(mqtt, sizeof mqtt, "%d", sandbox->mqtt_port);
    device_register(&device, sandbox, "again");
    assert_int_equal(device_connect(&device), 0);
    for (int i = 0; i < 3; i++) {
        child_signal(sandbox->mosquitto_pid, SIGKILL);
        sandbox_await_end(sandbox);
        sandbox_start(sandbox, "--http-port", http, "--mqtt-port", mqtt, NULL);
        device_await_loss(&device);
        assert_int_equal(device_connect(&device), 0);
    }
    device_release(&device);
    sandbox_stop(sandbox);
}

static void help_and_version_are_told(void **state)
{
    char err[64];

    assert_int_equal(
        launcher_fails(*state, (const char *[]){ "--help", NULL }, err, 64), 0);
    assert_string_equal(err, "");
    assert_int_equal(
        launcher_fails(*state, (const char *[]){ "--version", NULL }, err, 64), 0);
    assert_string_equal(err, "");
}

/* --- TLS --------------------------------------------------------------------------------- */

static void make_certificate(const struct sandbox *sandbox, char *cert, char *key)
{
    char command[512];

    sprintf(cert, "%s/cert.pem", sandbox->dir);
    sprintf(key, "%s/key.pem", sandbox->dir);
    snprintf(command, sizeof command,
             "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost "
             "-addext subjectAltName=DNS:localhost -keyout %s -out %s 2>/dev/null",
             key, cert);
    assert_int_equal(system(command), 0);
}

static void on_connect(struct mosquitto *mosq, void *arg, int code)
{
    (void)mosq;
    *(int *)arg = code;
}

static void mqtt_over_tls_is_offered(void **state)
{
    struct sandbox *sandbox = *state;
    struct device device;
    char cert[96], key[96];
    struct mosquitto *mosq;
    int code = -1;

    make_certificate(sandbox, cert, key);
    sandbox_start(sandbox, "--http-port", "0", "--mqtt-port", "0", "--tls-cert", cert,
                  "--tls-key", key, "--mqtts-port", "0", NULL);
    device_register(&device, sandbox, "safe");
    mosq = mosquitto_new("d:safe", true, &code);
    mosquitto_connect_callback_set(mosq, on_connect);
    mosquitto_username_pw_set(mosq, device.user, device.password);
    mosquitto_tls_set(mosq, cert, NULL, NULL, NULL, NULL);
    assert_int_equal(mosquitto_connect(mosq, "localhost", sandbox->mqtts_port, 60), 0);
    while (code < 0)
        assert_int_equal(mosquitto_loop(mosq, 1000, 1), 0);
    assert_int_equal(code, 0);
    mosquitto_destroy(mosq);
    sandbox_stop(sandbox);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, prepare, clean_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(bad_options_are_told_in_one_line),
        TEST(help_and_version_are_told),
        TEST(taken_port_is_named),
        TEST(second_sandbox_on_the_same_data_is_refused),
        TEST(given_data_folder_is_kept_and_private),
        TEST(interrupt_ends_it_at_once),
        TEST(requests_in_flight_do_not_hold_it_up),
        TEST(killed_broker_is_reported),
        TEST(killed_launcher_takes_the_broker_with_it),
        TEST(restart_after_kill_finds_ports_and_data),
        TEST(mqtt_over_tls_is_offered),
    };

    mosquitto_lib_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
