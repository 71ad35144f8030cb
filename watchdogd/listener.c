/* SPDX-License-Identifier: MIT */
#include "listener.h"
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* A flood must not keep us from everything else. */
enum { PER_TURN = 1000 };

static bool bind_somewhere(int fd, char *ret_address, size_t size)
{
    struct sockaddr_un at = { .sun_family = AF_UNIX };
    socklen_t len = sizeof at;
    const int on = 1;

    if (setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof on) < 0 ||
        bind(fd, (struct sockaddr *)&at, sizeof at.sun_family) < 0 ||
        getsockname(fd, (struct sockaddr *)&at, &len) < 0)
        return false;
    snprintf(ret_address, size, "@%.*s",
             (int)(len - offsetof(struct sockaddr_un, sun_path) - 1), at.sun_path + 1);
    return true;
}

bool wd_listener_open(struct wd_listener *listener)
{
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return false;
    if (!bind_somewhere(fd, listener->address, sizeof listener->address)) {
        int error = errno;

        close(fd);
        errno = error;
        return false;
    }
    listener->fd = fd;
    return true;
}

/* Room for the sender and nothing else, so that descriptors that somebody sends along
 * are closed by the kernel. */
static ssize_t receive(int fd, char *text, size_t size, pid_t *ret_sender)
{
    union {
        char bytes[CMSG_SPACE(sizeof(struct ucred))];
        struct cmsghdr align;
    } control;
    struct iovec data = { .iov_base = text, .iov_len = size };
    struct msghdr msg = { .msg_iov = &data,
                          .msg_iovlen = 1,
                          .msg_control = control.bytes,
                          .msg_controllen = sizeof control.bytes };
    ssize_t len = recvmsg(fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    struct cmsghdr *head = len >= 0 ? CMSG_FIRSTHDR(&msg) : NULL;
    struct ucred sender;

    *ret_sender = 0;
    if (head && head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_CREDENTIALS) {
        memcpy(&sender, CMSG_DATA(head), sizeof sender);
        *ret_sender = sender.pid;
    }
    return len;
}

static bool is_life(char *text)
{
    char *rest, *line = strtok_r(text, "\n", &rest);

    for (; line; line = strtok_r(NULL, "\n", &rest))
        if (strcmp(line, "READY=1") == 0 || strcmp(line, "WATCHDOG=1") == 0)
            return true;
    return false;
}

bool wd_listener_read(struct wd_listener *listener, pid_t pid)
{
    char text[4096];
    bool life = false;

    for (int i = 0; i < PER_TURN; i++) {
        pid_t sender;
        ssize_t len = receive(listener->fd, text, sizeof text - 1, &sender);

        if (len < 0)
            break;
        text[len] = '\0';
        if (pid > 0 && sender > 0 && (sender == pid || getpgid(sender) == pid))
            life |= is_life(text);
    }
    return life;
}
