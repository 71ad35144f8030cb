/* SPDX-License-Identifier: MIT */
/* A process that ends while a connection attempt, given up, is still in its thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <netinet/in.h>
#include <poll.h>
#include <smartrest/smartrest.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CHILDREN = 24 };

static char *self;

/* A port where TCP connects and nobody ever speaks. */
static unsigned listen_silently(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(fd, CHILDREN), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    return ntohs(address.sin_port);
}

/* Connects, and is freed after so many ms; then the process ends. */
static int child(const char *broker, int ms)
{
    struct sr_agent *agent;
    struct sr_reporter *reporter;

    if (sr_agent_new("http://127.0.0.1:9", "exit", &agent) ||
        sr_agent_set_credentials(agent, "t", "u", "p") ||
        sr_agent_set_xid(agent, "1") || sr_agent_set_id(agent, "1") ||
        sr_reporter_new_mqtt(agent, broker, &reporter) || sr_reporter_start(reporter))
        return 3;
    sr_agent_dispatch(agent);
    poll(NULL, 0, ms);
    sr_agent_free(agent);
    return 0;
}

static void an_attempt_that_was_given_up_does_not_crash_the_exit(void **state)
{
    char broker[64], ms[16];
    int status;
    pid_t pid;

    (void)state;
    snprintf(broker, sizeof broker, "mqtts://127.0.0.1:%u", listen_silently());
    for (int i = 0; i < CHILDREN; i++) {
        snprintf(ms, sizeof ms, "%d", i);
        pid = fork();
        assert_true(pid >= 0);
        if (!pid) {
            execl(self, self, broker, ms, (char *)NULL);
            _exit(4);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        if (status)
            fail_msg("given up after %d ms: status 0x%x", i, (unsigned)status);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_attempt_that_was_given_up_does_not_crash_the_exit),
    };

    self = argv[0];
    if (argc == 3)
        return child(argv[1], atoi(argv[2]));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
