/* SPDX-License-Identifier: MIT */
#include <smartrest/smartrest.h>
#include <stdio.h>
#include <stdlib.h>

static struct sr_loop *loop;

static void on_data(void *arg, const char *bytes, size_t len)
{
    (void)arg;
    fwrite(bytes, 1, len, stdout);
}

static void on_down(void *arg, int rc, const char *error)
{
    (void)arg;
    if (rc)
        fprintf(stderr, "%s\n", error);
    sr_loop_stop(loop);
}

int main(int argc, char **argv)
{
    const struct sr_socket_events events = { .data = on_data, .down = on_down };
    struct sr_socket *socket = NULL;
    int rc = sr_loop_new(&loop);

    if (!rc)
        rc = sr_socket_new(loop, NULL, &events, NULL, &socket);
    if (!rc)
        rc = sr_socket_connect(socket, "127.0.0.1",
                               (uint16_t)(argc > 1 ? atoi(argv[1]) : 7), false);
    if (!rc)
        rc = sr_socket_send(socket, "hello\n", 6); /* goes when it is connected */
    if (!rc)
        rc = sr_socket_finish(socket);
    if (!rc)
        rc = sr_loop_run(loop);
    sr_socket_free(socket);
    sr_loop_free(loop);
    return rc != 0;
}
