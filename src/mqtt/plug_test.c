/* SPDX-License-Identifier: MIT */
#include "mqtt/plug.h"
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
/* after what it needs */
#include <cmocka.h>

static bool is_sealed(int fd)
{
    return fd > 2 && fcntl(fd, F_GETFD) == FD_CLOEXEC;
}

/* Plugs in, and exchanges CONNECT, CONNACK and DISCONNECT. */
static bool works(void)
{
    struct mosquitto *client = mosquitto_new("plug", true, NULL);
    struct sr_plug plug;
    char bytes[2] = "";
    bool good;

    good = sr_plug_connect(&plug, client, 60) == MOSQ_ERR_SUCCESS && plug.len > 2 &&
           plug.bytes[0] == 0x10 && (size_t)plug.bytes[1] + 2 == plug.len &&
           is_sealed(plug.fd) && is_sealed(mosquitto_socket(client));
    good = good && send(plug.fd, "\x20\2\0\0", 4, MSG_NOSIGNAL) == 4 &&
           mosquitto_loop_read(client, 1) == MOSQ_ERR_SUCCESS &&
           mosquitto_disconnect(client) == MOSQ_ERR_SUCCESS &&
           recv(plug.fd, bytes, 2, MSG_DONTWAIT) == 2 &&
           (unsigned char)bytes[0] == 0xe0;
    mosquitto_destroy(client);
    sr_plug_release(&plug);
    return good;
}

static void what_is_written_comes_out_at_the_other_end(void **state)
{
    (void)state;
    assert_true(works());
}

/* A network of its own, in which the loopback interface is down. */
static void it_works_without_the_loopback_interface(void **state)
{
    pid_t pid = fork();
    int status;

    (void)state;
    if (!pid)
        _exit(unshare(CLONE_NEWUSER | CLONE_NEWNET) ? 2 : works() ? 0 : 1);
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 2)
        skip(); /* not allowed here */
    assert_int_equal(status, 0);
}

static int start(void **state)
{
    (void)state;
    return mosquitto_lib_init();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_comes_out_at_the_other_end),
        cmocka_unit_test(it_works_without_the_loopback_interface),
    };

    return cmocka_run_group_tests(tests, start, NULL);
}
