/* SPDX-License-Identifier: MIT */
#include "listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool look_up(const char *host, const char *port, int flags,
                    struct sockaddr_storage *ret_address, socklen_t *ret_len)
{
    const struct addrinfo hints = { .ai_flags = flags, .ai_socktype = SOCK_STREAM };
    struct addrinfo *found;

    if (getaddrinfo(host, port, &hints, &found))
        return false;
    memcpy(ret_address, found->ai_addr, found->ai_addrlen);
    *ret_len = found->ai_addrlen;
    freeaddrinfo(found);
    return true;
}

bool sb_address_of(const char *host, int port, struct sockaddr_storage *ret_address,
                   socklen_t *ret_len)
{
    char text[16];

    snprintf(text, sizeof text, "%d", port);
    return look_up(host, text, AI_NUMERICHOST | AI_NUMERICSERV, ret_address, ret_len);
}

bool sb_host_resolve(const char *name, char ret_host[static SB_HOST_MAX])
{
    struct sockaddr_storage address;
    socklen_t len;

    return look_up(name, NULL, 0, &address, &len) &&
           getnameinfo((struct sockaddr *)&address, len, ret_host, SB_HOST_MAX, NULL, 0,
                       NI_NUMERICHOST) == 0;
}

const char *sb_host_to_reach(const char *host)
{
    if (strcmp(host, "0.0.0.0") == 0)
        return "127.0.0.1";
    return strcmp(host, "::") == 0 ? "::1" : host;
}

static int port_of(int fd)
{
    struct sockaddr_storage address;
    socklen_t len = sizeof address;

    if (getsockname(fd, (struct sockaddr *)&address, &len))
        return 0;
    if (address.ss_family == AF_INET6)
        return ntohs(((struct sockaddr_in6 *)&address)->sin6_port);
    return ntohs(((struct sockaddr_in *)&address)->sin_port);
}

int sb_listen(const char *host, int port, int *ret_port)
{
    struct sockaddr_storage address;
    socklen_t len;
    int fd, on = 1;

    if (!sb_address_of(host, port, &address, &len)) {
        errno = EADDRNOTAVAIL;
        return -1;
    }
    fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&address, len) || listen(fd, SOMAXCONN)) {
        int error = errno;

        close(fd);
        errno = error;
        return -1;
    }
    *ret_port = port_of(fd);
    return fd;
}

int sb_free_port(const char *host)
{
    int port = 0, fd = sb_listen(host, 0, &port);

    if (fd < 0)
        return 0;
    close(fd);
    return port;
}
