/* SPDX-License-Identifier: MIT */
/* The programs of docs/networking.md, run. */
#include "support/run.h"
#include "support/scripted_broker.h"
#include "support/scripted_http.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
/* after what it needs */
#include <cmocka.h>

static char said[4096];

static void run(const char *format, ...)
{
    char command[1000];
    size_t len;
    va_list args;
    FILE *out;

    va_start(args, format);
    vsnprintf(command, sizeof command, format, args);
    va_end(args);
    out = popen(command, "r");
    assert_non_null(out);
    len = fread(said, 1, sizeof said - 1, out);
    said[len] = '\0';
    assert_int_equal(pclose(out), 0);
}

static void http_prints_an_answer(void **state)
{
    const struct http_step step = { HTTP_ANSWER, 200, "20,24830" };
    struct scripted_http *server = scripted_http_start(0, &step, 1);

    (void)state;
    run(PROGRAMS "/net-http http://127.0.0.1:%u/s",
        (unsigned)scripted_http_port(server));
    assert_string_equal(said, "200 8\n20,24830\n");
    assert_non_null(strstr(scripted_http_head(server, 0), "\r\nX-Id: 42\r\n"));
    scripted_http_stop(server);
}

static void binary_goes_up_and_comes_down(void **state)
{
    const struct http_step steps[] = {
        {HTTP_ANSWER,  201, "{\"id\":\"815\",\"self\":\"/815\"}"},
        { HTTP_ANSWER, 200, "line\n"                            },
    };
    struct scripted_http *server = scripted_http_start(0, steps, 2);
    char dir[] = "/tmp/networking_test.XXXXXX", path[64];

    (void)state;
    assert_non_null(mkdtemp(dir));
    run("cd %s; echo line >up; " PROGRAMS
        "/net-binary http://127.0.0.1:%u up down; cmp up down",
        dir, (unsigned)scripted_http_port(server));
    assert_string_equal(said, "id '815' \ndown: whole\n");
    assert_non_null(
        strstr(scripted_http_head(server, 1), "GET /inventory/binaries/815 "));
    scripted_http_stop(server);
    snprintf(path, sizeof path, "%s/up", dir);
    unlink(path);
    snprintf(path, sizeof path, "%s/down", dir);
    unlink(path);
    rmdir(dir);
}

static void echo_publishes(struct broker_connection *connection, void *arg)
{
    const struct packet *p;

    (void)arg;
    while ((p = broker_read(connection))) {
        if (p->type == CONNECT)
            broker_connack(connection, 0);
        else if (p->type == SUBSCRIBE)
            broker_suback(connection, p);
        else if (p->type == PUBLISH) {
            broker_puback(connection, p->id);
            broker_publish(connection, p->topic, p->payload, 0, 0);
        }
    }
}

static void mqtt_prints_a_message(void **state)
{
    struct broker *broker = broker_start(0, echo_publishes, NULL);
    uint64_t until;

    (void)state;
    run(PROGRAMS "/net-mqtt %u", (unsigned)broker_port(broker));
    assert_string_equal(said, "plant/1/door: open\n");
    until = now_ms() + 30 * 1000; /* the broker's thread has still to read it */
    while (!broker_count(broker, DISCONNECT) && now_ms() < until)
        poll(NULL, 0, 1);
    assert_int_equal(broker_count(broker, DISCONNECT), 1);
    broker_stop(broker);
}

static void echo(int fd, unsigned number, void *arg)
{
    char bytes[100];
    ssize_t n;

    (void)number;
    (void)arg;
    while ((n = recv(fd, bytes, sizeof bytes, 0)) > 0)
        server_write(fd, bytes, (size_t)n);
}

static void socket_prints_what_comes(void **state)
{
    struct server *server = server_start(0, echo, NULL);

    (void)state;
    run(PROGRAMS "/net-socket %u", (unsigned)server_port(server));
    assert_string_equal(said, "hello\n");
    server_stop(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(http_prints_an_answer),
        cmocka_unit_test(binary_goes_up_and_comes_down),
        cmocka_unit_test(mqtt_prints_a_message),
        cmocka_unit_test(socket_prints_what_comes),
    };

    no_proxies();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
