/* SPDX-License-Identifier: MIT */
#include "mqtt/plug.h"

#include "base/fd.h"
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum { CHUNK = 4096, LOOPBACK_S = 5 };

/* Where libmosquitto connects to. */
struct door {
    int listener;
    char host[64]; /* or the path of a socket, when `port` is 0 */
    uint16_t port;
};

/* --- on the loopback interface ---------------------------------------------- */

static bool open_by_tcp(struct door *door)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof address;

    strcpy(door->host, "127.0.0.1");
    door->listener = sr_fd_socket(AF_INET, SOCK_STREAM, 0);
    if (door->listener < 0 || bind(door->listener, (struct sockaddr *)&address, size) ||
        listen(door->listener, 8) ||
        getsockname(door->listener, (struct sockaddr *)&address, &size))
        return false;
    door->port = ntohs(address.sin_port);
    return true;
}

/* Somebody else on this machine may have connected, too: the addresses tell. */
static int accept_by_tcp(int listener, int client)
{
    struct sockaddr_in own, peer;
    socklen_t size = sizeof own;
    int fd;

    if (getsockname(client, (struct sockaddr *)&own, &size))
        return -1;
    for (;;) {
        size = sizeof peer;
        fd = sr_fd_raise(
            accept4(listener, (struct sockaddr *)&peer, &size, SOCK_CLOEXEC));
        if (fd < 0 || (peer.sin_port == own.sin_port &&
                       peer.sin_addr.s_addr == own.sin_addr.s_addr))
            return fd;
        close(fd);
    }
}

/* --- in a directory that is ours alone, where the loopback interface is down ---- */

static bool open_by_path(struct door *door, const char *in)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    char dir[32];

    snprintf(dir, sizeof dir, "%s/sr.XXXXXX", in);
    if (!mkdtemp(dir))
        return false;
    snprintf(door->host, sizeof door->host, "%s/s", dir);
    strcpy(address.sun_path, door->host);
    door->port = 0;
    door->listener = sr_fd_socket(AF_UNIX, SOCK_STREAM, 0);
    if (door->listener >= 0 &&
        !bind(door->listener, (struct sockaddr *)&address, sizeof address) &&
        !listen(door->listener, 1))
        return true;
    rmdir(dir);
    return false;
}

static bool open_somewhere(struct door *door)
{
    static const char *const places[] = { "/tmp", "/run", "/dev/shm", "/var/tmp" };

    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        if (open_by_path(door, places[i]))
            return true;
        if (door->listener >= 0)
            close(door->listener);
        door->listener = -1;
    }
    return false;
}

/* --- both ------------------------------------------------------------------------ */

static void close_door(struct door *door)
{
    int saved = errno;

    if (door->listener >= 0)
        close(door->listener);
    door->listener = -1;
    if (!door->port && *door->host) {
        unlink(door->host);
        *strrchr(door->host, '/') = '\0';
        rmdir(door->host);
    }
    *door->host = '\0';
    errno = saved;
}

static int accept_from(const struct door *door, int client)
{
    struct timeval patience = { .tv_sec = LOOPBACK_S };
    int fd;

    setsockopt(door->listener, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    fd = door->port ? accept_by_tcp(door->listener, client)
                    : sr_fd_raise(accept4(door->listener, NULL, NULL, SOCK_CLOEXEC));
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

static int plug_in(struct sr_plug *plug, struct mosquitto *client,
                   const struct door *door)
{
    int fd = accept_from(door, mosquitto_socket(client)), saved;
    bool done =
        fd >= 0 && replace_socket(plug, mosquitto_socket(client)) && read_all(plug, fd);

    saved = errno;
    if (fd >= 0)
        close(fd);
    errno = saved;
    return done ? MOSQ_ERR_SUCCESS : MOSQ_ERR_ERRNO;
}

static int connect_by(bool (*open_door)(struct door *), struct sr_plug *plug,
                      struct mosquitto *client, unsigned keepalive_s)
{
    struct door door = { .listener = -1, .port = 1 };
    int rc = MOSQ_ERR_ERRNO;

    sr_fd_reserve();
    if (open_door(&door))
        rc = mosquitto_connect(client, door.host, door.port, (int)keepalive_s);
    if (!rc)
        rc = plug_in(plug, client, &door);
    close_door(&door);
    return rc;
}

int sr_plug_connect(struct sr_plug *plug, struct mosquitto *client,
                    unsigned keepalive_s)
{
    int rc;

    *plug = (struct sr_plug){ .fd = -1 };
    rc = connect_by(open_by_tcp, plug, client, keepalive_s);
    if (rc != MOSQ_ERR_ERRNO)
        return rc;
    sr_plug_release(plug);
    return connect_by(open_somewhere, plug, client, keepalive_s);
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
