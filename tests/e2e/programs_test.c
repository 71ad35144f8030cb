/* SPDX-License-Identifier: MIT */
/* Programs that are given what cannot work say so in one line on stderr, name what and
 * where, and exit with a status that is not 0. */
#include "world.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct world world;

static int start(void **state)
{
    (void)state;
    world_prepare(&world);
    world_start(&world, "--auto-accept");
    return 0;
}

static int end(void **state)
{
    (void)state;
    world_end(&world);
    return 0;
}

static const char *const programs[] = { "01-hello", "02-integrate", "03-measurement",
                                        "07-mqtt" };

/* Runs each program with `args`; its stderr is one line that begins with its name and
 * holds `what`. */
static void each_says(const char *const args[], int status_wanted, const char *what)
{
    for (size_t i = 0; i < sizeof programs / sizeof *programs; i++) {
        const char *argv[16] = { NULL };
        char path[512], begin[32];
        struct program program;
        int n = 0, status;
        size_t len;

        snprintf(path, sizeof path, "%s/%s", EXAMPLES, programs[i]);
        snprintf(begin, sizeof begin, "%s: ", programs[i]);
        argv[n++] = path;
        for (int k = 0; args[k]; k++)
            argv[n++] = args[k];
        program_start(&program, argv);
        status = program_await_end(&program, PATIENCE_MS);
        len = program.len[1];
        if (!WIFEXITED(status) || WEXITSTATUS(status) != status_wanted ||
            strncmp(program.text[1], begin, strlen(begin)) ||
            strchr(program.text[1], '\n') != program.text[1] + len - 1 ||
            !strstr(program.text[1], what) || program.len[0])
            fail_msg("%s: status %#x, stderr: %s, stdout: %s", programs[i],
                     (unsigned)status, program.text[1], program.text[0]);
    }
}

#define EACH(status, what, ...) \
    each_says((const char *const[]){ __VA_ARGS__, NULL }, status, what)

static void unknown_option(void **state)
{
    (void)state;
    EACH(2, "--colour", "--colour");
}

static void option_without_its_value(void **state)
{
    (void)state;
    EACH(2, "server", "--server");
}

static void argument_that_is_no_option(void **state)
{
    (void)state;
    EACH(2, "surplus", "surplus");
}

static void server_that_is_no_url(void **state)
{
    (void)state;
    EACH(2, "localhost:8080", "--server", "localhost:8080");
}

static void port_out_of_range(void **state)
{
    (void)state;
    EACH(2, "65536", "--server", "http://localhost:65536");
}

static void device_id_that_cannot_be_one(void **state)
{
    (void)state;
    EACH(2, "a/b", "--device", "a/b");
}

static void server_that_is_missing(void **state)
{
    (void)state;
    EACH(1, "http://127.0.0.1:9/s", "--wait", "0", "-q", "-s", "http://127.0.0.1:9",
         "-c", "/tmp/none.credentials");
}

static void host_that_has_no_address(void **state)
{
    (void)state;
    EACH(1, "nobody.invalid", "--wait", "0", "-q", "-s", "http://nobody.invalid", "-c",
         "/tmp/none.credentials");
}

/* The broker's port does not speak HTTP. */
static void port_of_another_service(void **state)
{
    char server[64];

    (void)state;
    snprintf(server, sizeof server, "http://127.0.0.1:%d", world.sandbox.mqtt_port);
    EACH(1, server, "--wait", "0", "-q", "-s", server, "-c", "/tmp/none.credentials");
}

static void credentials_path_that_cannot_be_written(void **state)
{
    (void)state;
    EACH(1, "/nonexistent/x: No such file or directory", "-s", world.server, "-c",
         "/nonexistent/x");
}

static void credentials_path_that_is_a_directory(void **state)
{
    (void)state;
    EACH(1, "/tmp: Is a directory", "-s", world.server, "-c", "/tmp");
}

static void broker_that_is_missing(void **state)
{
    char credentials[128];
    const char *argv[] = {
        EXAMPLES "/07-mqtt",  "-w", "1",    "-q", "-s",        world.server, "-b",
        "mqtt://127.0.0.1:9", "-d", "gw-x", "-c", credentials, NULL
    };
    struct program program;
    int status;

    (void)state;
    snprintf(credentials, sizeof credentials, "%s/x", world.sandbox.dir);
    program_start(&program, argv);
    status = program_await_end(&program, PATIENCE_MS);
    assert_int_equal(WEXITSTATUS(status), 1);
    assert_string_equal(program.text[1],
                        "07-mqtt: mqtt://127.0.0.1:9: Connection refused\n");
}

static void credentials_that_the_platform_refuses(void **state)
{
    char path[128];
    FILE *file;
    const char *argv[] = {
        EXAMPLES "/02-integrate", "-s", world.server, "-d", "gw-y", "-c", path, NULL
    };
    struct program program;
    int status;

    (void)state;
    snprintf(path, sizeof path, "%s/y", world.sandbox.dir);
    file = fopen(path, "w");
    fputs("t4711\ndevice_gw-y\nnot-the-password\n", file);
    fclose(file);
    program_start(&program, argv);
    status = program_await_end(&program, PATIENCE_MS);
    assert_int_equal(WEXITSTATUS(status), 1);
    assert_non_null(strstr(program.text[1], "refuses user t4711/device_gw-y"));
    assert_null(strstr(program.text[1], "not-the-password"));
}

static void help_is_on_stdout_and_no_failure(void **state)
{
    const char *argv[] = { EXAMPLES "/07-mqtt", "--help", NULL };
    struct program program;

    (void)state;
    program_start(&program, argv);
    assert_int_equal(program_await_end(&program, PATIENCE_MS), 0);
    assert_non_null(strstr(program.text[0], "--server"));
    assert_int_equal(program.len[1], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unknown_option),
        cmocka_unit_test(option_without_its_value),
        cmocka_unit_test(argument_that_is_no_option),
        cmocka_unit_test(server_that_is_no_url),
        cmocka_unit_test(port_out_of_range),
        cmocka_unit_test(device_id_that_cannot_be_one),
        cmocka_unit_test(server_that_is_missing),
        cmocka_unit_test(host_that_has_no_address),
        cmocka_unit_test(port_of_another_service),
        cmocka_unit_test(credentials_path_that_cannot_be_written),
        cmocka_unit_test(credentials_path_that_is_a_directory),
        cmocka_unit_test(broker_that_is_missing),
        cmocka_unit_test(credentials_that_the_platform_refuses),
        cmocka_unit_test(help_is_on_stdout_and_no_failure),
    };

    return cmocka_run_group_tests(tests, start, end);
}
