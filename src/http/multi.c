/* SPDX-License-Identifier: MIT */
#include "http/multi.h"

#include "base/fd.h"
#include "base/redact.h"
#include "base/tls.h"
#include "loop/handles.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* A socket of libcurl's, watched. */
struct socket_watch {
    struct sr_poll poll; /* first */
    struct sr_multi *multi;
    curl_socket_t fd;
};

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;
static CURLcode curl_global;

static void init_curl(void)
{
    sr_tls_prepare();
    curl_global = curl_global_init(CURL_GLOBAL_DEFAULT);
}

static void act(struct sr_multi *multi, curl_socket_t fd, int flags)
{
    int running;

    multi->inside = true;
    curl_multi_socket_action(multi->curl, fd, flags, &running);
    multi->inside = false;
    multi->after(multi->arg);
}

static void on_poll(struct sr_poll *poll, int events)
{
    struct socket_watch *watch = (struct socket_watch *)poll;
    int flags = 0;

    if (events & SR_READABLE)
        flags |= CURL_CSELECT_IN;
    if (events & SR_WRITABLE)
        flags |= CURL_CSELECT_OUT;
    act(watch->multi, watch->fd, flags);
}

static void on_timeout(void *arg)
{
    act(arg, CURL_SOCKET_TIMEOUT, 0);
}

static int on_curl_timer(CURLM *curl, long timeout_ms, void *arg)
{
    struct sr_multi *multi = arg;

    (void)curl;
    if (timeout_ms < 0)
        sr_deadline_clear(&multi->timeout);
    else
        sr_deadline_set(&multi->timeout, (uint64_t)timeout_ms);
    return 0;
}

static struct socket_watch *watch_socket(struct sr_multi *multi, curl_socket_t fd)
{
    struct socket_watch *watch = calloc(1, sizeof *watch);

    if (!watch)
        return NULL;
    if (sr_poll_init(&watch->poll, multi->loop, fd, on_poll)) {
        free(watch);
        return NULL;
    }
    watch->multi = multi;
    watch->fd = fd;
    curl_multi_assign(multi->curl, fd, watch);
    return watch;
}

static int on_curl_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *data)
{
    struct sr_multi *multi = arg;
    struct socket_watch *watch = data;
    int events = 0;

    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (watch) {
            curl_multi_assign(multi->curl, fd, NULL);
            sr_poll_close(&watch->poll);
        }
        return 0;
    }
    if (!watch)
        watch = watch_socket(multi, fd);
    if (!watch)
        return -1;
    if (what & CURL_POLL_IN)
        events |= SR_READABLE;
    if (what & CURL_POLL_OUT)
        events |= SR_WRITABLE;
    return sr_poll_set(&watch->poll, events) ? -1 : 0;
}

int sr_multi_init(struct sr_multi *multi, struct sr_loop *loop,
                  void (*after)(void *arg), void *arg)
{
    struct sr_fd_view before; /* the pair that curl_multi_wakeup() is for */

    pthread_once(&curl_once, init_curl);
    *multi = (struct sr_multi){ .loop = loop, .after = after, .arg = arg };
    sr_fd_look(&before);
    multi->curl = curl_global ? NULL : curl_multi_init();
    sr_fd_seal_pairs(&before);
    if (!multi->curl || sr_deadline_init(&multi->timeout, loop, on_timeout, multi)) {
        sr_multi_release(multi);
        return SR_E_NOMEM;
    }
    curl_multi_setopt(multi->curl, CURLMOPT_SOCKETFUNCTION, on_curl_socket);
    curl_multi_setopt(multi->curl, CURLMOPT_SOCKETDATA, multi);
    curl_multi_setopt(multi->curl, CURLMOPT_TIMERFUNCTION, on_curl_timer);
    curl_multi_setopt(multi->curl, CURLMOPT_TIMERDATA, multi);
    curl_multi_setopt(multi->curl, CURLMOPT_MAXCONNECTS, 4L);
    return 0;
}

void sr_multi_release(struct sr_multi *multi)
{
    struct sr_sigpipe hold;

    sr_sigpipe_hold(&hold);
    if (multi->curl)
        curl_multi_cleanup(multi->curl);
    multi->curl = NULL;
    sr_sigpipe_release(&hold);
    sr_deadline_release(&multi->timeout);
}

void *sr_multi_next(struct sr_multi *multi, CURLcode *ret_code)
{
    CURLMsg *message;
    char *transfer;
    int left;

    while ((message = curl_multi_info_read(multi->curl, &left))) {
        if (message->msg != CURLMSG_DONE)
            continue;
        *ret_code = message->data.result;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
        return transfer;
    }
    return NULL;
}

void sr_multi_redact(char error[CURL_ERROR_SIZE])
{
    if (strlen(error) == CURL_ERROR_SIZE - 1)
        *error = '\0';
    sr_redact(error);
}

static curl_socket_t open_socket(void *arg, curlsocktype purpose,
                                 struct curl_sockaddr *address)
{
    (void)arg, (void)purpose;
    return sr_fd_socket(address->family, address->socktype, address->protocol);
}

#define SET(option, value) (rc = rc ? rc : (int)curl_easy_setopt(easy, option, value))

static int apply_tls(CURL *easy, const struct sr_net *net)
{
    int rc = 0;

    if (net->ca_file)
        SET(CURLOPT_CAINFO, net->ca_file);
    if (net->ca_path)
        SET(CURLOPT_CAPATH, net->ca_path);
    if (net->cert_file) {
        SET(CURLOPT_SSLCERT, net->cert_file);
        SET(CURLOPT_SSLKEY, net->key_file);
        SET(CURLOPT_KEYPASSWD, ""); /* OpenSSL would ask on the terminal */
    }
    if (net->insecure) {
        SET(CURLOPT_SSL_VERIFYPEER, 0L);
        SET(CURLOPT_SSL_VERIFYHOST, 0L);
    }
    return rc;
}

static long version_of(const struct sr_net *net)
{
    switch (net->http_version) {
    case 10: return CURL_HTTP_VERSION_1_0;
    case 20: return CURL_HTTP_VERSION_2TLS;
    default: return CURL_HTTP_VERSION_1_1;
    }
}

int sr_multi_apply(CURL *easy, const struct sr_net *net)
{
    int rc = 0;

#if LIBCURL_VERSION_NUM >= 0x075500
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
#else
    SET(CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
#if LIBCURL_VERSION_NUM >= 0x075700
    SET(CURLOPT_QUICK_EXIT,
        1L); /* clean-up does not wait for a name that resolves slowly */
#endif
    sr_fd_reserve(); /* a name is resolved by a thread that opens what it likes */
    SET(CURLOPT_OPENSOCKETFUNCTION, open_socket);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_TCP_KEEPALIVE, 1L);
    SET(CURLOPT_HTTP_VERSION, version_of(net));
    if (net->proxy)
        SET(CURLOPT_PROXY, net->proxy);
    return rc ? rc : apply_tls(easy, net);
}
