/* SPDX-License-Identifier: MIT */
/* A host that has closed some of descriptors 0, 1 and 2: nothing that it prints destroys a row or
 * reaches a server, nothing aborts, and its children inherit nothing of the library. */
#include "support/run.h"
#include "support/scripted_broker.h"
#include "support/scripted_http.h"
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
/* after what it needs */
#include <cmocka.h>

enum { SUBSETS = 8, ROWS = 20 };

static void acknowledge(struct broker_connection *connection, void *arg)
{
    const struct packet *p;

    (void)arg;
    if (!broker_welcome(connection))
        return;
    while ((p = broker_next_publish(connection)))
        broker_puback(connection, p->id);
}

/* Returns the status of the program. */
static int run_host(unsigned subset, struct scripted_http *http, struct broker *broker,
                    const char *dir)
{
    char bits[4], http_port[8], mqtt_port[8];
    int status;
    pid_t pid;

    snprintf(bits, sizeof bits, "%u", subset);
    snprintf(http_port, sizeof http_port, "%u", (unsigned)scripted_http_port(http));
    snprintf(mqtt_port, sizeof mqtt_port, "%u", (unsigned)broker_port(broker));
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        int null = open("/dev/null", O_RDWR);

        dup2(null, STDOUT_FILENO);
        dup2(null, STDERR_FILENO);
        execl(HOST, HOST, bits, http_port, mqtt_port, dir, (char *)NULL);
        _exit(127);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void read_file(const char *dir, const char *name, char *text, size_t size)
{
    char path[128];
    size_t len = 0;
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", dir, name);
    file = fopen(path, "re");
    if (file) {
        len = fread(text, 1, size - 1, file);
        fclose(file);
    }
    text[len] = '\0';
}

/* Each row once, in order, in all that has come. */
static void expect_rows(const char *text, const char *name)
{
    char row[64];

    for (int i = 0; i < ROWS; i++) {
        snprintf(row, sizeof row, "103,%s,%d", name, i);
        text = strstr(text, row);
        if (!text)
            fail_msg("row '%s' has not arrived", row);
        text += strlen(row);
        assert_true(!*text || strchr("\r\n", *text));
    }
}

static void all_arrives(unsigned subset)
{
    const struct http_step step = { HTTP_ANSWER, 200, "" };
    struct scripted_http *http = scripted_http_start(0, &step, 1);
    struct broker *broker = broker_start(0, acknowledge, NULL);
    char dir[] = "/tmp/descriptors_test.XXXXXX", text[8192] = "", command[64];
    int status;

    assert_non_null(http);
    scripted_http_be_platform(http, true);
    assert_non_null(broker);
    assert_non_null(mkdtemp(dir));
    status = run_host(subset, http, broker, dir);
    read_file(dir, "wrong", text, sizeof text);
    if (status)
        fail_msg("subset %u: status %#x: %s", subset, (unsigned)status, text);

    *text = '\0';
    for (unsigned i = 0; i < scripted_http_requests(http); i++)
        strcat(text, scripted_http_body(http, i));
    expect_rows(text, "http");
    *text = '\0';
    for (unsigned i = 0; i < broker_count(broker, PUBLISH); i++)
        strcat(strcat(text, broker_seen(broker, PUBLISH, i)->payload), "\n");
    expect_rows(text, "mqtt");
    read_file(dir, "listing", text, sizeof text);
    assert_string_equal(text, "0\n1\n2\n3\n"); /* 3 is that of `ls` */
    read_file(dir, "log", text, sizeof text);
    assert_null(strstr(text, "somebody"));

    scripted_http_stop(http);
    broker_stop(broker);
    snprintf(command, sizeof command, "rm -r %s", dir);
    assert_int_equal(system(command), 0);
}

static void with_any_of_0_to_2_closed_all_arrives(void **state)
{
    (void)state;
    for (unsigned subset = 0; subset < SUBSETS; subset++)
        all_arrives(subset);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(with_any_of_0_to_2_closed_all_arrives),
    };

    no_proxies();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
