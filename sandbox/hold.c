/* SPDX-License-Identifier: MIT */
#include "hold.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum { BLOCK = 1024, EVENTS = 64 };

/* Locks: the platform's may be held when ours is taken (ready()), never the other way
 * round. Everything below is ours but `body` to `sent`, which only libmicrohttpd's
 * thread looks at. */
struct sb_hold {
    struct sb_holder *holder;
    struct sb_hold *next, *before;
    uint64_t number;
    struct MHD_Connection *connection;
    struct sb_poll *poll;
    int fd;
    bool suspended, ready, overdue, gone;
    bool half_closed; /* a blank will show whether the client still listens */
    unsigned blanks;  /* to be sent */
    int64_t next_blank, deadline;
    bool taken; /* the body is the poll's answer */
    char *body;
    size_t len, sent;
};

struct sb_holder {
    struct sb_platform *platform;
    int64_t heartbeat_ms;
    pthread_mutex_t lock;
    pthread_t thread;
    int epoll, wake;
    bool quit, stop; /* nothing is held any more; the thread ends */
    struct sb_hold *first;
    uint64_t last_number;
    int64_t next_look; /* when the thread will look at the time */
};

static int64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void poke(struct sb_holder *holder)
{
    uint64_t one = 1;

    while (write(holder->wake, &one, sizeof one) < 0)
        ; /* EINTR; the counter cannot be full */
}

/* --- asleep and awake; with the lock ------------------------------------------------- */

/* While it is suspended, libmicrohttpd does not look at its socket: we do. */
static void watch(struct sb_hold *hold)
{
    struct epoll_event event = {
        .events = hold->half_closed ? EPOLLET : EPOLLRDHUP | EPOLLET,
        .data.u64 = hold->number,
    };

    epoll_ctl(hold->holder->epoll, EPOLL_CTL_ADD, hold->fd, &event);
}

static void suspend(struct sb_hold *hold)
{
    struct sb_holder *holder = hold->holder;
    int64_t next =
        hold->next_blank < hold->deadline ? hold->next_blank : hold->deadline;

    hold->suspended = true;
    MHD_suspend_connection(hold->connection);
    watch(hold);
    if (next < holder->next_look)
        poke(holder);
}

static void resume(struct sb_hold *hold)
{
    if (!hold->suspended)
        return;
    hold->suspended = false;
    epoll_ctl(hold->holder->epoll, EPOLL_CTL_DEL, hold->fd, NULL);
    MHD_resume_connection(hold->connection);
}

/* The platform says that there is an answer. */
static void on_ready(void *arg)
{
    struct sb_hold *hold = arg;

    pthread_mutex_lock(&hold->holder->lock);
    hold->ready = true;
    resume(hold);
    pthread_mutex_unlock(&hold->holder->lock);
}

/* --- what libmicrohttpd's thread asks for ------------------------------------------------ */

enum next { BLANK, ANSWER, EXPIRE, WAIT, BREAK_OFF };

static enum next what_next(struct sb_hold *hold)
{
    enum next next = WAIT;

    pthread_mutex_lock(&hold->holder->lock);
    if (hold->gone || hold->holder->quit) {
        next = BREAK_OFF;
    } else if (hold->ready) {
        next = ANSWER;
    } else if (hold->overdue) {
        next = EXPIRE;
    } else if (hold->blanks) {
        hold->blanks--;
        next = BLANK;
    } else {
        suspend(hold);
    }
    pthread_mutex_unlock(&hold->holder->lock);
    return next;
}

static ssize_t give_body(struct sb_hold *hold, char *buf, size_t max)
{
    size_t n = hold->len - hold->sent;

    if (n == 0)
        return MHD_CONTENT_READER_END_OF_STREAM;
    if (n > max)
        n = max;
    memcpy(buf, hold->body + hold->sent, n);
    hold->sent += n;
    return (ssize_t)n;
}

static ssize_t give(void *cls, uint64_t pos, char *buf, size_t max)
{
    struct sb_hold *hold = cls;

    (void)pos;
    if (hold->taken)
        return give_body(hold, buf, max);
    switch (what_next(hold)) {
    case BLANK: *buf = ' '; return 1;
    case WAIT: return 0;
    case BREAK_OFF: return MHD_CONTENT_READER_END_WITH_ERROR;
    case EXPIRE: sb_platform_expire_poll(hold->holder->platform, hold->poll); break;
    case ANSWER: break;
    }
    hold->taken = sb_platform_take_poll(hold->holder->platform, hold->poll, &hold->body,
                                        &hold->len);
    return give_body(hold, buf, max);
}

/* --- begin and end -------------------------------------------------------------------------- */

static int socket_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);

    return info ? info->connect_fd : -1;
}

static void enlist(struct sb_hold *hold)
{
    struct sb_holder *holder = hold->holder;

    pthread_mutex_lock(&holder->lock);
    hold->number = ++holder->last_number;
    hold->next = holder->first;
    if (hold->next)
        hold->next->before = hold;
    holder->first = hold;
    pthread_mutex_unlock(&holder->lock);
}

struct sb_hold *sb_hold_begin(struct sb_holder *holder,
                              struct MHD_Connection *connection, struct sb_poll *poll,
                              struct MHD_Response **ret_response)
{
    struct sb_hold *hold = calloc(1, sizeof *hold);
    struct MHD_Response *response =
        hold ? MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK, give, hold,
                                                 NULL)
             : NULL;
    int64_t now = now_ms();

    if (!response) {
        free(hold);
        sb_platform_close_poll(holder->platform, poll, false);
        return NULL;
    }
    hold->holder = holder;
    hold->connection = connection;
    hold->poll = poll;
    hold->fd = socket_of(connection);
    hold->next_blank = now + holder->heartbeat_ms;
    hold->deadline = now + sb_platform_poll_timeout(holder->platform, poll);
    enlist(hold);
    sb_platform_await_poll(holder->platform, poll, on_ready, hold);
    *ret_response = response;
    return hold;
}

static void delist(struct sb_hold *hold)
{
    struct sb_holder *holder = hold->holder;

    pthread_mutex_lock(&holder->lock);
    *(hold->before ? &hold->before->next : &holder->first) = hold->next;
    if (hold->next)
        hold->next->before = hold->before;
    pthread_mutex_unlock(&holder->lock);
}

void sb_hold_end(struct sb_hold *hold, bool delivered)
{
    if (!hold)
        return;
    sb_platform_close_poll(hold->holder->platform, hold->poll,
                           delivered && hold->taken); /* on_ready() is over */
    delist(hold);
    free(hold->body);
    free(hold);
}

/* --- the thread -------------------------------------------------------------------------------- */

/* Wakes those whose time has come; returns when to look again. */
static int64_t look(struct sb_holder *holder, int64_t now)
{
    int64_t next = INT64_MAX;

    for (struct sb_hold *hold = holder->first; hold; hold = hold->next) {
        if (hold->deadline <= now) {
            hold->overdue = true;
            hold->deadline = INT64_MAX;
            resume(hold);
        } else if (hold->next_blank <= now) {
            hold->blanks += hold->suspended; /* else its answer is under way */
            hold->next_blank = now + holder->heartbeat_ms;
            resume(hold);
        }
        if (hold->next_blank < next)
            next = hold->next_blank;
        if (hold->deadline < next)
            next = hold->deadline;
    }
    return next;
}

static struct sb_hold *find(struct sb_holder *holder, uint64_t number)
{
    struct sb_hold *hold = holder->first;

    while (hold && hold->number != number)
        hold = hold->next;
    return hold;
}

/* A client that has only finished sending may still read, so it gets a blank: the
 * answer to that, if nobody is there, is a reset. */
static void note_loss(struct sb_holder *holder, const struct epoll_event *event)
{
    struct sb_hold *hold = find(holder, event->data.u64);

    if (!hold || !hold->suspended)
        return;
    if (event->events & (EPOLLERR | EPOLLHUP)) {
        hold->gone = true;
    } else {
        hold->half_closed = true;
        hold->blanks++;
    }
    resume(hold);
}

static int timeout_until(int64_t next, int64_t now)
{
    if (next == INT64_MAX)
        return -1;
    if (next <= now)
        return 0;
    return next - now > 60000 ? 60000 : (int)(next - now);
}

static void handle(struct sb_holder *holder, const struct epoll_event *events, int n)
{
    uint64_t count;

    for (int i = 0; i < n; i++) {
        if (events[i].data.u64)
            note_loss(holder, &events[i]);
        else if (read(holder->wake, &count, sizeof count) < 0)
            continue; /* somebody else's wake-up was enough */
    }
}

static void *run(void *arg)
{
    struct sb_holder *holder = arg;
    struct epoll_event events[EVENTS];
    bool stop;

    do {
        int timeout, n;
        int64_t now = now_ms();

        pthread_mutex_lock(&holder->lock);
        holder->next_look = look(holder, now);
        timeout = timeout_until(holder->next_look, now);
        pthread_mutex_unlock(&holder->lock);
        n = epoll_wait(holder->epoll, events, EVENTS, timeout);
        pthread_mutex_lock(&holder->lock);
        handle(holder, events, n);
        stop = holder->stop;
        pthread_mutex_unlock(&holder->lock);
    } while (!stop);
    return NULL;
}

/* --- life ----------------------------------------------------------------------------------------- */

static bool open_fds(struct sb_holder *holder)
{
    struct epoll_event event = { .events = EPOLLIN, .data.u64 = 0 };

    holder->epoll = epoll_create1(EPOLL_CLOEXEC);
    holder->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return holder->epoll >= 0 && holder->wake >= 0 &&
           epoll_ctl(holder->epoll, EPOLL_CTL_ADD, holder->wake, &event) == 0;
}

static void close_fds(struct sb_holder *holder)
{
    if (holder->epoll >= 0)
        close(holder->epoll);
    if (holder->wake >= 0)
        close(holder->wake);
}

struct sb_holder *sb_holder_start(struct sb_platform *platform, int64_t heartbeat_ms)
{
    struct sb_holder *holder = calloc(1, sizeof *holder);

    if (!holder)
        return NULL;
    holder->platform = platform;
    holder->heartbeat_ms = heartbeat_ms;
    holder->next_look = INT64_MAX;
    holder->epoll = holder->wake = -1;
    pthread_mutex_init(&holder->lock, NULL);
    if (open_fds(holder) && pthread_create(&holder->thread, NULL, run, holder) == 0)
        return holder;
    close_fds(holder);
    free(holder);
    return NULL;
}

void sb_holder_quit(struct sb_holder *holder)
{
    pthread_mutex_lock(&holder->lock);
    holder->quit = true;
    for (struct sb_hold *hold = holder->first; hold; hold = hold->next)
        resume(hold);
    pthread_mutex_unlock(&holder->lock);
}

void sb_holder_free(struct sb_holder *holder)
{
    if (!holder)
        return;
    pthread_mutex_lock(&holder->lock);
    holder->stop = true;
    pthread_mutex_unlock(&holder->lock);
    poke(holder);
    pthread_join(holder->thread, NULL);
    close_fds(holder);
    pthread_mutex_destroy(&holder->lock);
    free(holder);
}
