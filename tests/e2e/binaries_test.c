/* SPDX-License-Identifier: MIT */
/* Files to a whole sandbox and back, over a line that breaks. */
#include "support/fault_proxy.h"
#include "world.h"

#include <smartrest/binary.h>
#include <smartrest/loop.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SIZE = 3 * 1000 * 1000 };

static struct world world;
static struct fault_proxy *line;
static struct sr_loop *loop;
static struct sr_binary *binary;
static char id[80], error[300], up[128], down[128];
static int rc;

static int start(void **state)
{
    struct sr_binary_options options = { .user = "t4711/operator",
                                         .password = "operator" };
    char server[64];

    (void)state;
    unsetenv("http_proxy");
    world_prepare(&world);
    world_start(&world, NULL);
    line = fault_proxy_start((uint16_t)world.sandbox.http_port);
    snprintf(server, sizeof server, "http://127.0.0.1:%u",
             (unsigned)fault_proxy_port(line));
    snprintf(up, sizeof up, "%s/up", world.sandbox.dir);
    snprintf(down, sizeof down, "%s/down", world.sandbox.dir);
    options.server = server;
    return sr_loop_new(&loop) || sr_binary_new_on(loop, &options, &binary);
}

static int end(void **state)
{
    (void)state;
    sr_binary_free(binary);
    sr_loop_free(loop);
    fault_proxy_stop(line);
    world_end(&world);
    return 0;
}

static void on_end(void *arg, const struct sr_binary_result *result)
{
    (void)arg;
    rc = result->rc;
    snprintf(id, sizeof id, "%s", result->id);
    snprintf(error, sizeof error, "%s", result->error);
    sr_loop_stop(loop);
}

static char byte_at(size_t i)
{
    return (char)(i * 131 + i / 4093);
}

static void write_up(void)
{
    FILE *file = fopen(up, "w");

    for (size_t i = 0; i < SIZE; i++)
        fputc(byte_at(i), file);
    assert_int_equal(fclose(file), 0);
}

static void down_is_up(void)
{
    FILE *file = fopen(down, "r");

    assert_non_null(file);
    for (size_t i = 0; i < SIZE; i++)
        if (fgetc(file) != (unsigned char)byte_at(i))
            fail_msg("byte %zu is another", i);
    assert_int_equal(fgetc(file), EOF);
    fclose(file);
    unlink(down);
}

static void post_file(void)
{
    write_up();
    assert_int_equal(sr_binary_post_file(binary, "up.bin", NULL, up, on_end, NULL), 0);
    assert_int_equal(sr_loop_run(loop), 0);
    assert_string_equal(error, "");
    assert_int_equal(rc, 0);
}

static void get_file(void)
{
    assert_int_equal(sr_binary_get_file(binary, id, down, on_end, NULL), 0);
    assert_int_equal(sr_loop_run(loop), 0);
}

static void a_file_goes_up_and_comes_down(void **state)
{
    (void)state;
    post_file();
    get_file();
    assert_string_equal(error, "");
    down_is_up();
}

static void a_line_that_breaks_costs_nothing(void **state)
{
    static const unsigned cuts[] = { 100, 5000, 123456, 1500000, 2999999 };

    (void)state;
    post_file();
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
        fault_proxy_cut_after(line, FAULT_DOWN, cuts[i],
                              i % 2 ? FAULT_FIN : FAULT_RESET);
        get_file();
        assert_string_equal(error, "");
        down_is_up();
    }
    assert_true(fault_proxy_count(line, FAULT_CUTS) >= 5);
}

static void what_is_not_there_is_not_found(void **state)
{
    (void)state;
    strcpy(id, "987654321");
    get_file();
    assert_int_equal(rc, SR_E_NOTFOUND);
    assert_int_equal(access(down, F_OK), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_goes_up_and_comes_down),
        cmocka_unit_test(a_line_that_breaks_costs_nothing),
        cmocka_unit_test(what_is_not_there_is_not_found),
    };

    return cmocka_run_group_tests(tests, start, end);
}
