/* SPDX-License-Identifier: MIT */
#include "support/fault_proxy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    CONNECTIONS_MAX = 512,
    LANE_MAX = 256 * 1024, /* bytes under way in one direction */
    READ_MAX = 16 * 1024,
    PATIENCE_S = 20,
};

#define NEVER UINT64_MAX

/* Bytes that were read together. */
struct chunk {
    struct chunk *next;
    uint64_t due_ms;
    size_t len, at; /* `at`: passed on so far */
    char bytes[];
};

/* One direction of a connection. */
struct lane {
    struct chunk *first, **last;
    size_t waiting;
    uint64_t next_ms; /* not before, because of the throttle */
    bool blocked;     /* the receiver's window is full */
    bool ended;       /* the sender has closed it */
    bool passed_end;
};

struct connection {
    struct connection *next;
    int fd[2];           /* client, server (-1: none) */
    struct lane lane[2]; /* up, down */
    bool dead;           /* fell into a black hole */
    bool over;           /* to be closed */
    int poll_at; /* of fd[0] in the poll list; fd[1] follows. -1: not yet there */
};

/* Something for the thread to do. */
struct order {
    enum { NOTHING, LISTEN, REFUSE, CUT, BURY, END } kind;
    enum fault_end end;
};

struct fault_proxy {
    pthread_t thread;
    pthread_mutex_t lock; /* guards all below; the thread lets go of it to poll */
    pthread_cond_t changed;
    int reserved_fd; /* bound and never listens: the port stays ours */
    int listen_fd, wake_fd;
    uint16_t port, server_port;
    struct order order;
    struct connection *connections;
    unsigned open;

    unsigned delay_ms, bytes_per_s;
    bool blackhole;
    uint64_t cut_at[2], flip_at[2]; /* values of the counts, NEVER for none */
    enum fault_end cut_end;
    uint64_t counts[FAULT_COUNTS];
};

static uint64_t now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void count(struct fault_proxy *p, enum fault_count what, uint64_t n)
{
    p->counts[what] += n;
    pthread_cond_broadcast(&p->changed);
}

/* --- sockets ---------------------------------------------------------------------- */

static struct sockaddr_in loopback(uint16_t port)
{
    return (struct sockaddr_in){ .sin_family = AF_INET,
                                 .sin_addr = { htonl(INADDR_LOOPBACK) },
                                 .sin_port = htons(port) };
}

static int bound_socket(uint16_t port)
{
    struct sockaddr_in a = loopback(port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1;

    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof a)) {
        close(fd);
        return -1;
    }
    return fd;
}

static uint16_t port_of(int fd)
{
    struct sockaddr_in a;
    socklen_t len = sizeof a;

    return getsockname(fd, (struct sockaddr *)&a, &len) ? 0 : ntohs(a.sin_port);
}

static int listening_socket(uint16_t port)
{
    int fd = bound_socket(port);

    if (fd >= 0 && listen(fd, 128)) {
        close(fd);
        return -1;
    }
    return fd;
}

/* What is read together goes on together, at once. */
static void make_prompt(int fd)
{
    int on = 1;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

/* On loopback a connection is made or refused at once. */
static int connect_to(uint16_t port)
{
    struct sockaddr_in a = loopback(port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof a)) {
        close(fd);
        return -1;
    }
    make_prompt(fd);
    return fd;
}

static void close_as(int fd, enum fault_end end)
{
    const struct linger hard = { .l_onoff = 1, .l_linger = 0 };

    if (fd < 0)
        return;
    if (end == FAULT_RESET)
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    close(fd);
}

/* --- connections ------------------------------------------------------------------ */

static void empty_lane(struct lane *lane)
{
    struct chunk *chunk;

    while ((chunk = lane->first)) {
        lane->first = chunk->next;
        free(chunk);
    }
    lane->last = &lane->first;
    lane->waiting = 0;
}

/* The memory stays until the end of the turn. */
static void end_connection(struct connection *c, enum fault_end end)
{
    for (int i = 0; i < 2; i++) {
        close_as(c->fd[i], end);
        c->fd[i] = -1;
        empty_lane(&c->lane[i]);
    }
    c->over = true;
}

static void cut(struct fault_proxy *p, struct connection *c, enum fault_end end)
{
    end_connection(c, end);
    count(p, FAULT_CUTS, 1);
}

static void bury(struct connection *c)
{
    c->dead = true;
    empty_lane(&c->lane[FAULT_UP]);
    empty_lane(&c->lane[FAULT_DOWN]);
}

static void add_connection(struct fault_proxy *p, int client)
{
    struct connection *c = calloc(1, sizeof *c);

    if (!c)
        abort();
    make_prompt(client);
    c->fd[0] = client;
    c->fd[1] = p->blackhole ? -1 : connect_to(p->server_port);
    c->lane[0].last = &c->lane[0].first;
    c->lane[1].last = &c->lane[1].first;
    c->dead = p->blackhole;
    c->poll_at = -1;
    c->next = p->connections;
    p->connections = c;
    p->open++;
    count(p, FAULT_CONNECTIONS, 1);
    if (!c->dead && c->fd[1] < 0)
        end_connection(c, FAULT_RESET); /* the server is not there */
}

static void accept_all(struct fault_proxy *p)
{
    int fd;

    while (p->open < CONNECTIONS_MAX &&
           (fd = accept4(p->listen_fd, NULL, NULL, SOCK_CLOEXEC)) >= 0)
        add_connection(p, fd);
}

static void sweep(struct fault_proxy *p)
{
    struct connection **link = &p->connections, *c;

    while ((c = *link)) {
        if (!c->over) {
            link = &c->next;
            continue;
        }
        *link = c->next;
        free(c);
        p->open--;
    }
}

/* --- bytes ------------------------------------------------------------------------ */

static void queue(struct fault_proxy *p, struct lane *lane, const char *bytes,
                  size_t len)
{
    struct chunk *chunk = malloc(sizeof *chunk + len);

    if (!chunk)
        abort();
    *chunk = (struct chunk){ .due_ms = now() + p->delay_ms, .len = len };
    memcpy(chunk->bytes, bytes, len);
    *lane->last = chunk;
    lane->last = &chunk->next;
    lane->waiting += len;
}

/* Of a dead connection the client's end is noticed, and nothing else. */
static void swallow(struct fault_proxy *p, struct connection *c, int side, ssize_t n)
{
    if (n > 0)
        count(p, FAULT_SWALLOWED, (uint64_t)n);
    else if (side == 0)
        end_connection(c, FAULT_RESET);
    else {
        close(c->fd[1]);
        c->fd[1] = -1;
    }
}

static void take_in(struct fault_proxy *p, struct connection *c, int side)
{
    char bytes[READ_MAX];
    ssize_t n = read(c->fd[side], bytes, sizeof bytes);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (c->dead)
        swallow(p, c, side, n);
    else if (n > 0)
        queue(p, &c->lane[side], bytes, (size_t)n);
    else if (n == 0)
        c->lane[side].ended = true;
    else
        end_connection(c, FAULT_RESET);
}

/* How many of `len` bytes may go now, with the throttle in portions of 20 ms. */
static size_t portion(const struct fault_proxy *p, int way, size_t len)
{
    size_t most = p->bytes_per_s / 50 ? p->bytes_per_s / 50 : 1;

    if (p->bytes_per_s && len > most)
        len = most;
    if (p->cut_at[way] - p->counts[way] < len)
        len = (size_t)(p->cut_at[way] - p->counts[way]);
    return len;
}

static void flip(struct fault_proxy *p, int way, char *bytes, size_t len)
{
    uint64_t at = p->flip_at[way] - p->counts[way];

    if (at >= len)
        return;
    bytes[at] ^= 1;
    p->flip_at[way] = NEVER;
    count(p, FAULT_FLIPS, 1);
}

/* The next bytes that are due; false when nothing more can go now. */
static bool pass_on(struct fault_proxy *p, struct connection *c, int way)
{
    struct lane *lane = &c->lane[way];
    struct chunk *chunk = lane->first;
    uint64_t at = now();
    ssize_t n;

    if (!chunk || chunk->due_ms > at || lane->next_ms > at)
        return false;
    if (p->cut_at[way] == p->counts[way]) {
        p->cut_at[way] = NEVER;
        cut(p, c, p->cut_end);
        return false;
    }
    n = (ssize_t)portion(p, way, chunk->len - chunk->at);
    flip(p, way, chunk->bytes + chunk->at, (size_t)n);
    n = send(c->fd[!way], chunk->bytes + chunk->at, (size_t)n, MSG_NOSIGNAL);
    lane->blocked = n < 0 && errno == EAGAIN;
    if (n < 0) {
        if (!lane->blocked && errno != EINTR)
            end_connection(c, FAULT_RESET);
        return false;
    }
    count(p, (enum fault_count)way, (uint64_t)n);
    chunk->at += (size_t)n;
    lane->waiting -= (size_t)n;
    if (p->bytes_per_s)
        lane->next_ms = at + (uint64_t)n * 1000 / p->bytes_per_s;
    if (chunk->at == chunk->len) {
        lane->first = chunk->next;
        if (!lane->first)
            lane->last = &lane->first;
        free(chunk);
    }
    return true;
}

static void pass_on_all(struct fault_proxy *p, struct connection *c, int way)
{
    struct lane *lane = &c->lane[way];

    while (!c->over && !c->dead && pass_on(p, c, way))
        ;
    if (c->over || c->dead || lane->first || !lane->ended || lane->passed_end)
        return;
    shutdown(c->fd[!way], SHUT_WR);
    lane->passed_end = true;
    if (c->lane[!way].passed_end)
        end_connection(c, FAULT_FIN);
}

/* --- the thread ------------------------------------------------------------------- */

static void obey(struct fault_proxy *p)
{
    struct order order = p->order;

    if ((order.kind == REFUSE || order.kind == END) && p->listen_fd >= 0) {
        close(p->listen_fd);
        p->listen_fd = -1;
    }
    if (order.kind == LISTEN && p->listen_fd < 0)
        p->listen_fd = listening_socket(p->port);
    for (struct connection *c = p->connections; c; c = c->next) {
        if (order.kind == CUT || order.kind == END)
            cut(p, c, order.end);
        else if (order.kind == BURY)
            bury(c);
    }
    p->order.kind = NOTHING;
    pthread_cond_broadcast(&p->changed);
}

static short wanted(const struct connection *c, int side)
{
    short events = 0;

    if (c->dead || (!c->lane[side].ended && c->lane[side].waiting < LANE_MAX))
        events |= POLLIN;
    if (c->lane[!side].blocked)
        events |= POLLOUT;
    return events;
}

static int list(struct fault_proxy *p, struct pollfd *fds)
{
    int n = 0;

    fds[n++] = (struct pollfd){ .fd = p->wake_fd, .events = POLLIN };
    fds[n++] = (struct pollfd){ .fd = p->open < CONNECTIONS_MAX ? p->listen_fd : -1,
                                .events = POLLIN };
    for (struct connection *c = p->connections; c; c = c->next) {
        c->poll_at = n;
        for (int side = 0; side < 2; side++) {
            short events = wanted(c, side);

            /* Without a wish it would still report an end, again and again. */
            fds[n++] =
                (struct pollfd){ .fd = events ? c->fd[side] : -1, .events = events };
        }
    }
    return n;
}

/* Until the next chunk may go; -1 when none waits. */
static int sleep_ms(const struct fault_proxy *p)
{
    uint64_t at = now(), wake = NEVER;

    for (struct connection *c = p->connections; c; c = c->next)
        for (int way = 0; way < 2; way++) {
            const struct lane *lane = &c->lane[way];
            uint64_t due = lane->first ? lane->first->due_ms : NEVER;

            if (lane->first && !lane->blocked && lane->next_ms > due)
                due = lane->next_ms;
            if (lane->first && !lane->blocked && due < wake)
                wake = due;
        }
    if (wake == NEVER)
        return -1;
    return wake > at ? (int)(wake - at) : 0;
}

static void turn(struct fault_proxy *p, const struct pollfd *fds)
{
    uint64_t ignored;

    if (fds[0].revents && read(p->wake_fd, &ignored, sizeof ignored) < 0)
        abort();
    if (p->order.kind)
        obey(p);
    for (struct connection *c = p->connections; c; c = c->next)
        for (int side = 0; side < 2; side++)
            if (!c->over && c->poll_at >= 0 && fds[c->poll_at + side].revents) {
                c->lane[!side].blocked = false;
                if (fds[c->poll_at + side].revents & ~POLLOUT)
                    take_in(p, c, side);
            }
    if (fds[1].revents && p->listen_fd >= 0)
        accept_all(p);
    for (struct connection *c = p->connections; c; c = c->next)
        for (int way = 0; way < 2; way++)
            if (!c->over && !c->dead)
                pass_on_all(p, c, way);
    sweep(p);
}

static void *run(void *arg)
{
    struct fault_proxy *p = arg;
    struct pollfd fds[2 + 2 * CONNECTIONS_MAX];
    bool end = false;

    pthread_mutex_lock(&p->lock);
    while (!end) {
        int n = list(p, fds), timeout = p->order.kind ? 0 : sleep_ms(p);

        pthread_mutex_unlock(&p->lock);
        poll(fds, (nfds_t)n, timeout);
        pthread_mutex_lock(&p->lock);
        end = p->order.kind == END;
        turn(p, fds);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

/* --- life ------------------------------------------------------------------------- */

static void release(struct fault_proxy *p)
{
    close_as(p->reserved_fd, FAULT_FIN);
    close_as(p->listen_fd, FAULT_FIN);
    close_as(p->wake_fd, FAULT_FIN);
    pthread_mutex_destroy(&p->lock);
    pthread_cond_destroy(&p->changed);
    free(p);
}

struct fault_proxy *fault_proxy_start(uint16_t port)
{
    struct fault_proxy *p = calloc(1, sizeof *p);
    pthread_condattr_t monotonic;

    if (!p)
        return NULL;
    *p = (struct fault_proxy){
        .server_port = port, .cut_at = {NEVER,  NEVER},
             .flip_at = { NEVER, NEVER}
    };
    pthread_mutex_init(&p->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&p->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    p->reserved_fd = bound_socket(0);
    p->port = p->reserved_fd < 0 ? 0 : port_of(p->reserved_fd);
    p->listen_fd = p->port ? listening_socket(p->port) : -1;
    p->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (p->listen_fd < 0 || p->wake_fd < 0 ||
        pthread_create(&p->thread, NULL, run, p)) {
        release(p);
        return NULL;
    }
    return p;
}

uint16_t fault_proxy_port(const struct fault_proxy *proxy)
{
    return proxy->port;
}

/* --- control ---------------------------------------------------------------------- */

static void wake(struct fault_proxy *p)
{
    const uint64_t one = 1;

    if (write(p->wake_fd, &one, sizeof one) < 0)
        abort();
}

/* With the lock held: hands the order over and waits until it is done. */
static void give(struct fault_proxy *p, int kind, enum fault_end end)
{
    p->order.kind = kind;
    p->order.end = end;
    wake(p);
    while (p->order.kind)
        pthread_cond_wait(&p->changed, &p->lock);
}

void fault_proxy_stop(struct fault_proxy *p)
{
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    give(p, END, FAULT_RESET);
    pthread_mutex_unlock(&p->lock);
    pthread_join(p->thread, NULL);
    release(p);
}

void fault_proxy_pass(struct fault_proxy *p)
{
    pthread_mutex_lock(&p->lock);
    p->delay_ms = p->bytes_per_s = 0;
    p->blackhole = false;
    for (int way = 0; way < 2; way++)
        p->cut_at[way] = p->flip_at[way] = NEVER;
    give(p, LISTEN, FAULT_FIN);
    pthread_mutex_unlock(&p->lock);
}

void fault_proxy_delay(struct fault_proxy *p, unsigned ms)
{
    pthread_mutex_lock(&p->lock);
    p->delay_ms = ms;
    pthread_mutex_unlock(&p->lock);
}

void fault_proxy_throttle(struct fault_proxy *p, unsigned bytes_per_s)
{
    pthread_mutex_lock(&p->lock);
    p->bytes_per_s = bytes_per_s;
    pthread_mutex_unlock(&p->lock);
}

void fault_proxy_cut(struct fault_proxy *p, enum fault_end end)
{
    pthread_mutex_lock(&p->lock);
    give(p, CUT, end);
    pthread_mutex_unlock(&p->lock);
}

void fault_proxy_cut_after(struct fault_proxy *p, enum fault_way way, uint64_t bytes,
                           enum fault_end end)
{
    pthread_mutex_lock(&p->lock);
    p->cut_at[way] = p->counts[way] + bytes;
    p->cut_end = end;
    pthread_mutex_unlock(&p->lock);
}

void fault_proxy_corrupt(struct fault_proxy *p, enum fault_way way, uint64_t bytes)
{
    pthread_mutex_lock(&p->lock);
    p->flip_at[way] = p->counts[way] + bytes;
    pthread_mutex_unlock(&p->lock);
}

void fault_proxy_blackhole(struct fault_proxy *p)
{
    pthread_mutex_lock(&p->lock);
    p->blackhole = true;
    give(p, BURY, FAULT_FIN);
    pthread_mutex_unlock(&p->lock);
}

void fault_proxy_refuse(struct fault_proxy *p)
{
    pthread_mutex_lock(&p->lock);
    give(p, REFUSE, FAULT_FIN);
    pthread_mutex_unlock(&p->lock);
}

void fault_proxy_redirect(struct fault_proxy *p, uint16_t port)
{
    pthread_mutex_lock(&p->lock);
    p->server_port = port;
    pthread_mutex_unlock(&p->lock);
}

uint64_t fault_proxy_count(struct fault_proxy *p, enum fault_count what)
{
    uint64_t n;

    pthread_mutex_lock(&p->lock);
    n = p->counts[what];
    pthread_mutex_unlock(&p->lock);
    return n;
}

bool fault_proxy_await(struct fault_proxy *p, enum fault_count what, uint64_t at_least)
{
    struct timespec until;
    bool reached;
    int rc = 0;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += PATIENCE_S;
    pthread_mutex_lock(&p->lock);
    while (p->counts[what] < at_least && !rc)
        rc = pthread_cond_timedwait(&p->changed, &p->lock, &until);
    reached = p->counts[what] >= at_least;
    pthread_mutex_unlock(&p->lock);
    return reached;
}
