/* SPDX-License-Identifier: MIT */
#include "mqtt/plug.h"

#include "base/fd.h"
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { CHUNK = 4096, LOOPBACK_S = 5 };

static int listen_on_loopback(struct sockaddr_in *ret_address)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof address;
    int fd = sr_fd_socket(AF_INET, SOCK_STREAM, 0);

    if (fd < 0)
        return -1;
    if (bind(fd, (struct sockaddr *)&address, size) || listen(fd, 8) ||
        getsockname(fd, (struct sockaddr *)&address, &size)) {
        close(fd);
        return -1;
    }
    *ret_address = address;
    return fd;
}

/* Somebody else on this machine may have connected, too: the addresses tell. */
static int accept_from(int listener, int client)
{
    struct timeval patience = { .tv_sec = LOOPBACK_S };
    struct sockaddr_in own, peer;
    socklen_t size = sizeof own;
    int fd;

    setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (getsockname(client, (struct sockaddr *)&own, &size))
        return -1;
    for (;;) {
        size = sizeof peer;
        fd = sr_fd_raise(
            accept4(listener, (struct sockaddr *)&peer, &size, SOCK_CLOEXEC));
        if (fd < 0 || (peer.sin_port == own.sin_port &&
                       peer.sin_addr.s_addr == own.sin_addr.s_addr))
            break;
        close(fd);
    }
    if (fd >= 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    return fd;
}

/* Its descriptor is another socket from now on, and the first connection ends. */
static bool replace_socket(struct sr_plug *plug, int client)
{
    int pair[2];
    bool done;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair))
        return false;
    done = dup3(pair[1], client, O_CLOEXEC) == client;
    close(pair[1]);
    plug->fd = sr_fd_raise(pair[0]);
    return done && plug->fd >= 0;
}

static bool read_all(struct sr_plug *plug, int fd)
{
    size_t room = 0;
    ssize_t n;
    char *bytes;

    do {
        if (room - plug->len < CHUNK) {
            room = 2 * room + CHUNK;
            bytes = malloc(room);
            if (!bytes)
                return false;
            if (plug->len)
                memcpy(bytes, plug->bytes, plug->len);
            sr_plug_sent(&(struct sr_plug){ .bytes = plug->bytes, .len = plug->len });
            plug->bytes = bytes;
        }
        n = recv(fd, plug->bytes + plug->len, room - plug->len, 0);
        plug->len += n > 0 ? (size_t)n : 0;
    } while (n > 0 || (n < 0 && errno == EINTR));
    return n == 0;
}

static int plug_in(struct sr_plug *plug, struct mosquitto *client, int listener)
{
    int fd = accept_from(listener, mosquitto_socket(client)), saved;
    bool done =
        fd >= 0 && replace_socket(plug, mosquitto_socket(client)) && read_all(plug, fd);

    saved = errno;
    if (fd >= 0)
        close(fd);
    errno = saved;
    return done ? MOSQ_ERR_SUCCESS : MOSQ_ERR_ERRNO;
}

int sr_plug_connect(struct sr_plug *plug, struct mosquitto *client,
                    unsigned keepalive_s)
{
    struct sockaddr_in address;
    int listener = listen_on_loopback(&address), rc, saved;

    *plug = (struct sr_plug){ .fd = -1 };
    if (listener < 0)
        return MOSQ_ERR_ERRNO;
    sr_fd_reserve();
    rc = mosquitto_connect(client, "127.0.0.1", ntohs(address.sin_port),
                           (int)keepalive_s);
    if (!rc)
        rc = plug_in(plug, client, listener);
    saved = errno;
    close(listener);
    errno = saved;
    return rc;
}

void sr_plug_sent(struct sr_plug *plug)
{
    if (plug->bytes)
        explicit_bzero(plug->bytes, plug->len);
    free(plug->bytes);
    plug->bytes = NULL;
    plug->len = 0;
}

void sr_plug_release(struct sr_plug *plug)
{
    sr_plug_sent(plug);
    if (plug->fd >= 0)
        close(plug->fd);
    plug->fd = -1;
}
