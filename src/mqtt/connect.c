/* SPDX-License-Identifier: MIT */
#include "mqtt/connect.h"

#include "base/fd.h"
#include "loop/handles.h"
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* What the thread works on. Freed by whoever of the two comes last. */
struct job {
    pthread_mutex_t lock;
    struct sr_connect *connect; /* NULL once abandoned */
    bool finished;
    struct mosquitto *client;
    char *host;
    uint16_t port;
    unsigned keepalive_s;
    int rc, error;
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
    if (job->client)
        mosquitto_destroy(job->client);
    pthread_mutex_destroy(&job->lock);
    free(job->host);
    free(job);
}

static void *run(void *arg)
{
    struct job *job = arg;
    bool orphan;

    errno = 0;
    job->rc =
        mosquitto_connect(job->client, job->host, job->port, (int)job->keepalive_s);
    job->error = errno;
    sr_fd_seal(mosquitto_socket(job->client));

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

static void on_finished(uv_async_t *handle)
{
    struct sr_connect *connect = (struct sr_connect *)handle;
    struct job *job = connect->job;
    struct mosquitto *client;
    sr_connect_fn fn = connect->fn;
    void *arg = connect->arg;
    int rc, error;

    pthread_mutex_lock(&job->lock);
    client = job->client;
    rc = job->rc;
    error = job->error;
    job->client = NULL;
    pthread_mutex_unlock(&job->lock);

    free_job(job);
    sr_handle_close((uv_handle_t *)&connect->uv);
    fn(arg, client, rc, error);
}

/* Detached, deaf to the application's signals, and with a stack of moderate size. */
static int start_thread(struct job *job)
{
    pthread_attr_t attr;
    pthread_t thread;
    sigset_t all, old;
    int rc;

    sr_fd_reserve();
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

static struct job *new_job(const char *host, uint16_t port, unsigned keepalive_s)
{
    struct job *job = calloc(1, sizeof *job);

    if (!job)
        return NULL;
    pthread_mutex_init(&job->lock, NULL);
    job->port = port;
    job->keepalive_s = keepalive_s;
    job->host = strdup(host);
    if (!job->host) {
        free_job(job);
        return NULL;
    }
    return job;
}

int sr_connect_start(struct sr_loop *loop, struct mosquitto *client, const char *host,
                     uint16_t port, unsigned keepalive_s, sr_connect_fn fn, void *arg,
                     struct sr_connect **ret_connect)
{
    struct sr_connect *connect = calloc(1, sizeof *connect);
    struct job *job = new_job(host, port, keepalive_s);

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
    job->client = client;
    if (start_thread(job)) {
        job->client = NULL; /* stays the caller's */
        free_job(job);
        sr_handle_close((uv_handle_t *)&connect->uv);
        return SR_E_NOMEM;
    }
    *ret_connect = connect;
    return 0;
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
    pthread_mutex_unlock(&job->lock);
    if (finished)
        free_job(job);
    sr_handle_close((uv_handle_t *)&connect->uv);
}
