/* SPDX-License-Identifier: MIT */
#include "mqtt/connect.h"

#include "base/fd.h"
#include "base/net.h"
#include "loop/handles.h"
#include "mqtt/race.h"
#include "mqtt/tls.h"
#include <errno.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* What the thread works on. Freed by whoever of the two comes last. */
struct job {
    pthread_mutex_t lock;
    struct sr_connect *connect; /* NULL once abandoned */
    bool finished;
    int stop;                          /* readable once abandoned */
    struct sr_connect_options options; /* its texts are ours */
    struct sr_net net;
    struct sr_connected result;
};

/* The loop's side of it. */
struct sr_connect {
    uv_async_t uv; /* first: see sr_handle_close() */
    struct job *job;
    sr_connect_fn fn;
    void *arg;
};

static void free_job(struct job *job)
{
    sr_stream_free(job->result.stream);
    if (job->result.client)
        mosquitto_destroy(job->result.client);
    sr_plug_release(&job->result.plug);
    if (job->stop >= 0)
        close(job->stop);
    pthread_mutex_destroy(&job->lock);
    sr_net_release(&job->net);
    free((char *)(uintptr_t)job->options.host);
    free(job);
}

/* --- in the thread ------------------------------------------------------------ */

/* False, and `why` says why not. */
static bool fail(struct job *job, const char *text)
{
    snprintf(job->result.why, sizeof job->result.why, "%s", text);
    return false;
}

static bool fail_by(struct job *job, int error)
{
    char text[128] = "the connection broke";

    if (error)
        snprintf(text, sizeof text, "%s", strerror(error));
    return fail(job, text);
}

/* False when the job was abandoned meanwhile. */
static bool wait_for(struct job *job, short events)
{
    struct pollfd fds[2] = {
        {.fd = job->stop,               .events = POLLIN},
        { .fd = job->result.stream->fd, .events = events}
    };

    while (poll(fds, 2, -1) < 0 && errno == EINTR)
        ;
    return !fds[0].revents;
}

/* glibc takes the name of an interface behind link-local addresses only; so we do it. */
static bool set_zone(struct job *job, struct addrinfo *addresses, const char *zone)
{
    char *end, text[160];
    unsigned long index = strtoul(zone, &end, 10);

    if (*end || !*zone)
        index = if_nametoindex(zone);
    for (struct addrinfo *a = addresses; index && a; a = a->ai_next)
        if (a->ai_family == AF_INET6)
            ((struct sockaddr_in6 *)a->ai_addr)->sin6_scope_id = (uint32_t)index;
    snprintf(text, sizeof text, "there is no interface '%.40s' (the zone of %.64s)",
             zone, job->options.host);
    return index || fail(job, text);
}

static bool resolve(struct job *job, struct addrinfo **ret_addresses)
{
    const struct sr_connect_options *o = &job->options;
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV };
    char port[8], host[NI_MAXHOST];
    const char *zone = strchr(o->host, '%');
    int rc;

    snprintf(port, sizeof port, "%u", (unsigned)o->port);
    snprintf(host, sizeof host, "%.*s", (int)strcspn(o->host, "%"), o->host);
    rc = getaddrinfo(host, port, &hints, ret_addresses);
    if (rc == EAI_SYSTEM)
        return fail_by(job, errno);
    if (rc)
        return fail(job, gai_strerror(rc));
    if (!zone || set_zone(job, *ret_addresses, zone + 1))
        return true;
    freeaddrinfo(*ret_addresses);
    return false;
}

static bool reach(struct job *job)
{
    const struct sr_connect_options *o = &job->options;
    struct sockaddr_storage address;
    struct addrinfo *addresses;
    int fd, error;

    if (!resolve(job, &addresses))
        return false;
    fd = sr_race(addresses, &o->last, job->stop, &address);
    error = errno;
    freeaddrinfo(addresses);
    if (fd < 0)
        return fail_by(job, error);
    pthread_mutex_lock(&job->lock);
    job->result.address = address;
    pthread_mutex_unlock(&job->lock);
    job->result.stream = sr_stream_new(fd, o->host);
    if (!job->result.stream)
        close(fd);
    return job->result.stream || fail(job, "out of memory");
}

/* A handshake failed by `error` of SSL_get_error(). */
static bool fail_by_tls(struct job *job, int error, int system_error)
{
    struct sr_connected *result = &job->result;
    const char *host = job->options.host;

    if (sr_tls_is_end(error, system_error))
        snprintf(result->why, sizeof result->why,
                 "TLS: %s ended the connection; does it speak TLS at this port?", host);
    else if (error == SSL_ERROR_SYSCALL && system_error)
        snprintf(result->why, sizeof result->why,
                 "TLS with %s failed: %s; does it speak TLS at this port?", host,
                 strerror(system_error));
    else
        sr_tls_why(result->stream->ssl, host, result->why, sizeof result->why);
    return false;
}

static bool shake_hands(struct job *job)
{
    struct sr_connected *result = &job->result;
    SSL *ssl = sr_tls_new(&job->net, job->options.host, result->stream->fd, result->why,
                          sizeof result->why);
    int rc, error, system_error;

    if (!ssl)
        return false;
    result->stream->ssl = ssl;
    for (;;) {
        ERR_clear_error();
        errno = 0;
        rc = SSL_do_handshake(ssl);
        system_error = errno;
        if (rc == 1)
            return true;
        error = SSL_get_error(ssl, rc);
        if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE)
            return fail_by_tls(job, error, system_error);
        if (!wait_for(job, error == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT))
            return fail_by(job, ECANCELED);
    }
}

/* What libmosquitto had written when its socket was replaced: CONNECT. */
static bool send_first(struct job *job)
{
    struct sr_connected *result = &job->result;
    size_t at = 0;
    ssize_t n;

    while (at < result->plug.len) {
        n = sr_stream_write(result->stream, result->plug.bytes + at,
                            result->plug.len - at);
        if (n > 0)
            at += (size_t)n;
        else if (errno == EPROTO)
            return fail(job, sr_stream_why(result->stream));
        else if (errno != EAGAIN && errno != EINTR)
            return fail_by(job, errno);
        else if (!wait_for(job,
                           sr_stream_wants_write(result->stream) ? POLLOUT : POLLIN))
            return fail_by(job, ECANCELED);
    }
    sr_plug_sent(&result->plug);
    return true;
}

static bool plug_in(struct job *job)
{
    int rc = sr_plug_connect(&job->result.plug, job->result.client,
                             job->options.keepalive_s);

    if (rc == MOSQ_ERR_ERRNO)
        return fail_by(job, errno);
    return !rc || fail(job, mosquitto_strerror(rc));
}

static void *run(void *arg)
{
    struct job *job = arg;
    bool orphan;

    if (!reach(job) || (job->options.tls && !shake_hands(job)) || !plug_in(job) ||
        !send_first(job)) {
        sr_stream_free(job->result.stream);
        job->result.stream = NULL;
    }

    pthread_mutex_lock(&job->lock);
    orphan = !job->connect;
    job->finished = true;
    if (!orphan)
        uv_async_send(&job->connect->uv); /* under the lock: it is not being closed */
    pthread_mutex_unlock(&job->lock);
    if (orphan)
        free_job(job);
    return NULL;
}

/* --- on the loop -------------------------------------------------------------- */

static void on_finished(uv_async_t *handle)
{
    struct sr_connect *connect = (struct sr_connect *)handle;
    struct job *job = connect->job;
    struct sr_connected result;
    sr_connect_fn fn = connect->fn;
    void *arg = connect->arg;

    pthread_mutex_lock(&job->lock);
    result = job->result;
    job->result = (struct sr_connected){ .plug = { .fd = -1 } };
    pthread_mutex_unlock(&job->lock);

    free_job(job);
    sr_handle_close((uv_handle_t *)&connect->uv);
    fn(arg, &result);
}

/* Detached, deaf to the application's signals, and with a stack of moderate size. */
static int start_thread(struct job *job)
{
    pthread_attr_t attr;
    pthread_t thread;
    sigset_t all, old;
    int rc;

    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attr, 256 * 1024);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    rc = pthread_create(&thread, &attr, run, job);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    pthread_attr_destroy(&attr);
    return rc ? SR_E_NOMEM : 0;
}

static struct job *new_job(const struct sr_connect_options *options)
{
    struct job *job = calloc(1, sizeof *job);

    if (!job)
        return NULL;
    pthread_mutex_init(&job->lock, NULL);
    job->options = *options;
    job->result.plug.fd = -1;
    job->options.host = strdup(options->host);
    job->stop = sr_fd_raise(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!job->options.host || job->stop < 0 || sr_net_copy(options->net, &job->net)) {
        free_job(job);
        return NULL;
    }
    return job;
}

int sr_connect_start(struct sr_loop *loop, struct mosquitto *client,
                     const struct sr_connect_options *options, sr_connect_fn fn,
                     void *arg, struct sr_connect **ret_connect)
{
    struct sr_connect *connect = calloc(1, sizeof *connect);
    struct job *job = new_job(options);

    if (!connect || !job || uv_async_init(&loop->uv, &connect->uv, on_finished)) {
        free(connect);
        if (job)
            free_job(job);
        return SR_E_NOMEM;
    }
    connect->job = job;
    connect->fn = fn;
    connect->arg = arg;
    job->connect = connect;
    job->result.client = client;
    if (start_thread(job)) {
        job->result.client = NULL; /* stays the caller's */
        free_job(job);
        sr_handle_close((uv_handle_t *)&connect->uv);
        return SR_E_NOMEM;
    }
    *ret_connect = connect;
    return 0;
}

void sr_connect_address(struct sr_connect *connect, struct sockaddr_storage *ret)
{
    pthread_mutex_lock(&connect->job->lock);
    *ret = connect->job->result.address;
    pthread_mutex_unlock(&connect->job->lock);
}

void sr_connect_abandon(struct sr_connect *connect)
{
    struct job *job;
    bool finished;

    if (!connect)
        return;
    job = connect->job;
    pthread_mutex_lock(&job->lock);
    finished = job->finished;
    job->connect = NULL;
    eventfd_write(job->stop, 1);
    pthread_mutex_unlock(&job->lock);
    if (finished)
        free_job(job);
    sr_handle_close((uv_handle_t *)&connect->uv);
}
