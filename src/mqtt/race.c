/* SPDX-License-Identifier: MIT */
#include "mqtt/race.h"

#include "base/fd.h"
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

struct race {
    const struct addrinfo *order[SR_RACE_MAX];
    struct pollfd fds[SR_RACE_MAX + 1]; /* at 0: the stop */
    int count, begun, running, error;
};

/* --- the order -------------------------------------------------------------- */

static bool is_same(const struct addrinfo *a, const struct sockaddr_storage *b)
{
    return a->ai_addr->sa_family == b->ss_family &&
           !memcmp(a->ai_addr, b, a->ai_addrlen);
}

static void line_up(struct race *race, const struct addrinfo *addresses,
                    const struct sockaddr_storage *last, bool bad)
{
    for (const struct addrinfo *a = addresses; a; a = a->ai_next)
        if (race->count < SR_RACE_MAX && is_same(a, last) == bad)
            race->order[race->count++] = a;
}

/* --- runners ------------------------------------------------------------------ */

static void drop_out(struct race *race, int i, int error)
{
    close(race->fds[i + 1].fd);
    race->fds[i + 1].fd = -1;
    race->running--;
    race->error = error;
}

static void begin_next(struct race *race)
{
    const struct addrinfo *a = race->order[race->begun];
    struct pollfd *slot = &race->fds[race->begun + 1];
    int yes = 1;

    slot->fd = sr_fd_socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK, a->ai_protocol);
    slot->events = POLLOUT;
    race->begun++;
    if (slot->fd < 0) {
        race->error = errno;
        return;
    }
    race->running++;
    setsockopt(slot->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    if (connect(slot->fd, a->ai_addr, a->ai_addrlen) && errno != EINPROGRESS)
        drop_out(race, race->begun - 1, errno);
}

/* The index of one that has arrived, or -1. */
static int look(struct race *race)
{
    for (int i = 0; i < race->begun; i++) {
        struct pollfd *slot = &race->fds[i + 1];
        socklen_t size = sizeof(int);
        int error = 0;

        if (slot->fd < 0 || !slot->revents)
            continue;
        if (getsockopt(slot->fd, SOL_SOCKET, SO_ERROR, &error, &size))
            error = errno;
        if (!error)
            return i;
        drop_out(race, i, error);
    }
    return -1;
}

static void close_others(struct race *race, int winner)
{
    for (int i = 0; i < race->begun; i++)
        if (i != winner && race->fds[i + 1].fd >= 0)
            close(race->fds[i + 1].fd);
}

/* Waits for news of those that run. False: it is over without a winner. */
static bool wait_for_news(struct race *race, int *ret_news)
{
    int pause = race->begun < race->count ? SR_RACE_PAUSE_MS : -1;

    *ret_news = poll(race->fds, (nfds_t)race->begun + 1, pause);
    if (*ret_news < 0 && errno != EINTR)
        race->error = errno;
    else if (*ret_news > 0 && race->fds[0].revents)
        race->error = ECANCELED;
    else
        return true;
    return false;
}

/* Returns the winner, or -1 with race->error. The next one begins when those that run are silent
 * for a while, and when one has dropped out. */
static int run(struct race *race)
{
    int winner = -1, news = 0;

    while (winner < 0) {
        if (race->begun < race->count && news >= 0)
            begin_next(race);
        if (!race->running && race->begun == race->count)
            break;
        if (race->running && !wait_for_news(race, &news))
            break;
        winner = look(race);
    }
    return winner;
}

int sr_race(const struct addrinfo *addresses, const struct sockaddr_storage *last,
            int stop_fd, struct sockaddr_storage *ret_address)
{
    struct race race = {
        .fds[0] = {.fd = stop_fd, .events = POLLIN},
          .error = EADDRNOTAVAIL
    };
    int winner;

    line_up(&race, addresses, last, false);
    line_up(&race, addresses, last, true);
    winner = run(&race);
    close_others(&race, winner);
    if (winner < 0) {
        errno = race.error;
        return -1;
    }
    memset(ret_address, 0, sizeof *ret_address);
    memcpy(ret_address, race.order[winner]->ai_addr, race.order[winner]->ai_addrlen);
    return race.fds[winner + 1].fd;
}
