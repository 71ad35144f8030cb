/* SPDX-License-Identifier: MIT */
#include "wake.h"

#include "listen.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define RETRY_MS 100

struct sb_wake {
    pthread_t thread;
    atomic_bool stop;
    int bell; /* eventfd: rung by poke and by free */
    int fd;   /* the connection, or -1 */
    bool up;  /* CONNECT has been sent */
    struct sockaddr_storage address;
    socklen_t address_len;
    unsigned char hello[256];
    size_t hello_len;
};

/* --- what it says ----------------------------------------------------------- */

static unsigned char *put_text(unsigned char *p, const char *text)
{
    size_t len = strlen(text);

    *p++ = (unsigned char)(len >> 8);
    *p++ = (unsigned char)len;
    memcpy(p, text, len);
    return p + len;
}

/* MQTT 3.1.1 CONNECT: clean session, keep-alive 0, so the broker never misses us. */
static size_t make_connect(unsigned char *buf, const char *name, const char *password)
{
    static const unsigned char fixed[] = { 0x00, 0x04, 'M',  'Q',  'T',
                                           'T',  0x04, 0xc2, 0x00, 0x00 };
    unsigned char *p = buf + 2;

    memcpy(p, fixed, sizeof fixed);
    p += sizeof fixed;
    p = put_text(p, name); /* client id */
    p = put_text(p, name); /* user */
    p = put_text(p, password);
    buf[0] = 0x10;
    buf[1] = (unsigned char)(p - buf - 2);
    return (size_t)(p - buf);
}

/* --- the connection ----------------------------------------------------------- */

static void hang_up(struct sb_wake *wake)
{
    if (wake->fd >= 0)
        close(wake->fd);
    wake->fd = -1;
    wake->up = false;
}

static void dial(struct sb_wake *wake)
{
    const struct sockaddr *to = (const struct sockaddr *)&wake->address;
    int on = 1;

    wake->fd = socket(to->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (wake->fd < 0)
        return;
    setsockopt(wake->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(wake->fd, to, wake->address_len) && errno != EINPROGRESS)
        hang_up(wake);
}

static void say(struct sb_wake *wake, const void *bytes, size_t len)
{
    ssize_t n = send(wake->fd, bytes, len, MSG_NOSIGNAL);

    /* A full buffer means that wakes are already on their way. */
    if (n < 0 && errno != EAGAIN && errno != EINTR)
        hang_up(wake);
}

static void greet(struct sb_wake *wake)
{
    int error = 0;
    socklen_t size = sizeof error;

    getsockopt(wake->fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error) {
        hang_up(wake);
        return;
    }
    wake->up = true;
    say(wake, wake->hello, wake->hello_len);
}

/* CONNACK and PINGRESP say nothing that matters here; only the end does. */
static void listen_away(struct sb_wake *wake)
{
    char waste[512];
    ssize_t n = recv(wake->fd, waste, sizeof waste, 0);

    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        hang_up(wake);
}

/* --- the thread ----------------------------------------------------------------- */

static void answer_socket(struct sb_wake *wake)
{
    if (wake->up)
        listen_away(wake);
    else
        greet(wake);
}

static void answer_bell(struct sb_wake *wake)
{
    static const unsigned char pingreq[] = { 0xc0, 0x00 };
    uint64_t rings;

    if (read(wake->bell, &rings, sizeof rings) > 0 && wake->up)
        say(wake, pingreq, sizeof pingreq);
}

static void turn(struct sb_wake *wake)
{
    short wanted = wake->up ? POLLIN : POLLOUT;
    struct pollfd fds[] = {
        {.fd = wake->bell, .events = POLLIN},
        { .fd = wake->fd,  .events = wanted}
    };

    if (poll(fds, 2, -1) <= 0)
        return;
    if (fds[1].revents)
        answer_socket(wake);
    if (fds[0].revents)
        answer_bell(wake);
}

/* Between two attempts, so that a broker that refuses us is not hammered. */
static void rest(struct sb_wake *wake)
{
    for (int ms = 0; ms < RETRY_MS && !atomic_load(&wake->stop); ms += RETRY_MS / 10)
        poll(NULL, 0, RETRY_MS / 10);
}

static void *run(void *arg)
{
    struct sb_wake *wake = arg;

    while (!atomic_load(&wake->stop)) {
        if (wake->fd < 0)
            dial(wake);
        if (wake->fd >= 0)
            turn(wake);
        if (wake->fd < 0)
            rest(wake);
    }
    hang_up(wake);
    return NULL;
}

/* Signals are the broker's business, on its own thread. */
static int start_thread(struct sb_wake *wake)
{
    sigset_t all, before;
    int rc;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    rc = pthread_create(&wake->thread, NULL, run, wake);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc;
}

struct sb_wake *sb_wake_new(const char *host, int port, const char *name,
                            const char *password)
{
    struct sb_wake *wake = calloc(1, sizeof *wake);

    if (!wake)
        return NULL;
    wake->fd = -1;
    wake->hello_len = make_connect(wake->hello, name, password);
    wake->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (wake->bell >= 0 &&
        sb_address_of(host, port, &wake->address, &wake->address_len) &&
        start_thread(wake) == 0)
        return wake;
    if (wake->bell >= 0)
        close(wake->bell);
    free(wake);
    return NULL;
}

struct sb_wake *sb_wake_free(struct sb_wake *wake)
{
    if (!wake)
        return NULL;
    atomic_store(&wake->stop, true);
    sb_wake_poke(wake);
    pthread_join(wake->thread, NULL);
    close(wake->bell);
    free(wake);
    return NULL;
}

void sb_wake_poke(struct sb_wake *wake)
{
    uint64_t once = 1;
    ssize_t n = write(wake->bell, &once, sizeof once);

    (void)n; /* EAGAIN: it rings already */
}
