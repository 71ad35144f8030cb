/* SPDX-License-Identifier: MIT */
#include "watchdog/notify.h"
#include "base/fd.h"
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* An abstract name begins with a NUL byte, and ends where the address does. */
bool sr_notify_address(const char *address, struct sockaddr_un *ret_to,
                       socklen_t *ret_len)
{
    size_t len = strlen(address);
    bool abstract = *address == '@';

    if ((!abstract && *address != '/') || len < 2 ||
        len + !abstract > sizeof ret_to->sun_path)
        return false;
    *ret_to = (struct sockaddr_un){ .sun_family = AF_UNIX };
    memcpy(ret_to->sun_path, address, len);
    if (abstract)
        ret_to->sun_path[0] = '\0';
    *ret_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + !abstract);
    return true;
}

/* Plain decimal digits; the C library would take blanks and signs as well. */
static bool read_number(const char *text, uint64_t *ret_number)
{
    char *end;

    if (*text < '0' || *text > '9')
        return false;
    errno = 0;
    *ret_number = strtoull(text, &end, 10);
    return !errno && !*end;
}

/* WATCHDOG_USEC, unless it is meant for another process. */
static bool read_interval(uint64_t *ret_us)
{
    const char *us = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
    uint64_t number;

    *ret_us = 0;
    if (!us || !*us)
        return true;
    if (pid && *pid) {
        if (!read_number(pid, &number))
            return false;
        if (number != (uint64_t)getpid())
            return true;
    }
    return read_number(us, ret_us) && *ret_us;
}

int sr_notify_open(struct sr_notify *notify, const char **ret_wrong)
{
    const char *address = getenv("NOTIFY_SOCKET");
    struct sr_notify n = { .fd = -1 };

    *notify = n;
    if (!address || !*address)
        return 0;
    if (!sr_notify_address(address, &n.to, &n.to_len)) {
        *ret_wrong = "NOTIFY_SOCKET is neither a path nor an abstract name (@...)";
        return SR_E_INVAL;
    }
    if (!read_interval(&n.interval_us)) {
        *ret_wrong = "WATCHDOG_USEC or WATCHDOG_PID is not a number";
        return SR_E_INVAL;
    }
    n.fd = sr_fd_socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    if (n.fd < 0)
        return SR_E_IO;
    *notify = n;
    return 0;
}

void sr_notify_close(struct sr_notify *notify)
{
    if (notify->fd >= 0)
        close(notify->fd);
    notify->fd = -1;
}

/* Not connected: a listener that came back under the same name is found again. */
bool sr_notify_send(const struct sr_notify *notify, const char *text)
{
    ssize_t sent;

    if (notify->fd < 0)
        return true;
    do
        sent = sendto(notify->fd, text, strlen(text), MSG_NOSIGNAL,
                      (const struct sockaddr *)&notify->to, notify->to_len);
    while (sent < 0 && errno == EINTR);
    return sent >= 0;
}
