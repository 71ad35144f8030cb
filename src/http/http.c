/* SPDX-License-Identifier: MIT */
#include "http/http.h"

#include "loop/handles.h"
#include <curl/curl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct sr_http_request {
    struct sr_http_request *next;
    struct sr_http *http;
    CURL *easy;
    struct curl_slist *headers;
    sr_http_fn fn;
    void *arg;
    char *body; /* of the answer */
    size_t len, cap, max;
    int overflow; /* SR_E_TOOBIG or SR_E_NOMEM, once the answer did not fit */
    char error[CURL_ERROR_SIZE];
};

struct sr_http {
    struct sr_loop *loop;
    CURLM *multi;
    struct sr_deadline timeout;
    struct sr_http_request *requests;
    char *ca_file;
    int busy;    /* inside a callback of a request */
    bool doomed; /* freed from there */
};

/* A socket of libcurl's, watched. */
struct socket_watch {
    uv_poll_t uv; /* first: see sr_handle_close() */
    struct sr_http *http;
    curl_socket_t fd;
};

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;
static CURLcode curl_global;

static void init_curl(void)
{
    curl_global = curl_global_init(CURL_GLOBAL_DEFAULT);
}

/* --- libcurl on libuv --------------------------------------------------- */

static void finish_done(struct sr_http *http);

static void on_poll(uv_poll_t *handle, int status, int events)
{
    struct socket_watch *watch = (struct socket_watch *)handle;
    struct sr_http *http = watch->http;
    int flags = 0, running;

    if (status < 0)
        flags = CURL_CSELECT_ERR;
    if (events & UV_READABLE)
        flags |= CURL_CSELECT_IN;
    if (events & UV_WRITABLE)
        flags |= CURL_CSELECT_OUT;
    curl_multi_socket_action(http->multi, watch->fd, flags, &running);
    finish_done(http);
}

static void on_timeout(void *arg)
{
    struct sr_http *http = arg;
    int running;

    curl_multi_socket_action(http->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    finish_done(http);
}

static int on_curl_timer(CURLM *multi, long timeout_ms, void *arg)
{
    struct sr_http *http = arg;

    (void)multi;
    if (timeout_ms < 0)
        sr_deadline_clear(&http->timeout);
    else
        sr_deadline_set(&http->timeout, (uint64_t)timeout_ms);
    return 0;
}

static struct socket_watch *watch_socket(struct sr_http *http, curl_socket_t fd)
{
    struct socket_watch *watch = calloc(1, sizeof *watch);

    if (!watch)
        return NULL;
    if (uv_poll_init_socket(&http->loop->uv, &watch->uv, fd)) {
        free(watch);
        return NULL;
    }
    watch->http = http;
    watch->fd = fd;
    curl_multi_assign(http->multi, fd, watch);
    return watch;
}

static int on_curl_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *data)
{
    struct sr_http *http = arg;
    struct socket_watch *watch = data;
    int events = 0;

    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (watch) {
            curl_multi_assign(http->multi, fd, NULL);
            sr_handle_close((uv_handle_t *)&watch->uv);
        }
        return 0;
    }
    if (!watch)
        watch = watch_socket(http, fd);
    if (!watch)
        return -1;
    if (what & CURL_POLL_IN)
        events |= UV_READABLE;
    if (what & CURL_POLL_OUT)
        events |= UV_WRITABLE;
    sr_loop_touch(http->loop);
    return uv_poll_start(&watch->uv, events, on_poll) ? -1 : 0;
}

/* --- client ------------------------------------------------------------- */

int sr_http_new(struct sr_loop *loop, const char *ca_file, struct sr_http **ret_http)
{
    struct sr_http *http = calloc(1, sizeof *http);

    if (!http)
        return SR_E_NOMEM;
    pthread_once(&curl_once, init_curl);
    http->loop = loop;
    http->multi = curl_global ? NULL : curl_multi_init();
    http->ca_file = ca_file ? strdup(ca_file) : NULL;
    if (!http->multi || (ca_file && !http->ca_file) ||
        sr_deadline_init(&http->timeout, loop, on_timeout, http)) {
        sr_http_free(http);
        return SR_E_NOMEM;
    }
    curl_multi_setopt(http->multi, CURLMOPT_SOCKETFUNCTION, on_curl_socket);
    curl_multi_setopt(http->multi, CURLMOPT_SOCKETDATA, http);
    curl_multi_setopt(http->multi, CURLMOPT_TIMERFUNCTION, on_curl_timer);
    curl_multi_setopt(http->multi, CURLMOPT_TIMERDATA, http);
    curl_multi_setopt(http->multi, CURLMOPT_MAXCONNECTS, 4L);

    *ret_http = http;
    return 0;
}

static void destroy(struct sr_http *http)
{
    if (http->multi)
        curl_multi_cleanup(http->multi);
    sr_deadline_release(&http->timeout);
    free(http->ca_file);
    free(http);
}

void sr_http_free(struct sr_http *http)
{
    if (!http)
        return;
    while (http->requests)
        sr_http_cancel(http->requests);
    if (http->busy)
        http->doomed = true;
    else
        destroy(http);
}

/* --- requests ----------------------------------------------------------- */

static void unlink_request(struct sr_http_request *request)
{
    struct sr_http_request **link = &request->http->requests;

    while (*link != request)
        link = &(*link)->next;
    *link = request->next;
}

static void free_request(struct sr_http_request *request)
{
    if (request->easy)
        curl_easy_cleanup(request->easy);
    curl_slist_free_all(request->headers);
    free(request->body);
    free(request);
}

void sr_http_cancel(struct sr_http_request *request)
{
    if (!request)
        return;
    unlink_request(request);
    curl_multi_remove_handle(request->http->multi, request->easy);
    free_request(request);
}

static bool make_room(struct sr_http_request *request, size_t more)
{
    size_t need = request->len + more + 1, cap = request->cap ? request->cap : 1024;
    char *body;

    if (request->len + more > request->max) {
        request->overflow = SR_E_TOOBIG;
        return false;
    }
    while (cap < need)
        cap *= 2;
    if (cap == request->cap)
        return true;
    body = realloc(request->body, cap);
    if (!body) {
        request->overflow = SR_E_NOMEM;
        return false;
    }
    request->body = body;
    request->cap = cap;
    return true;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *arg)
{
    struct sr_http_request *request = arg;
    size_t len = size * count;

    if (!make_room(request, len))
        return 0;
    memcpy(request->body + request->len, bytes, len);
    request->len += len;
    request->body[request->len] = '\0';
    return len;
}

static bool add_header(struct sr_http_request *request, const char *name,
                       const char *value)
{
    struct curl_slist *longer;
    char header[512];

    if (snprintf(header, sizeof header, "%s:%s%s", name, *value ? " " : "", value) >=
        (int)sizeof header)
        return false;
    longer = curl_slist_append(request->headers, header);
    if (longer)
        request->headers = longer;
    return longer != NULL;
}

/* The platform needs no media types here, and answers at once rather than 100. */
static bool add_headers(struct sr_http_request *request,
                        const struct sr_http_post *post)
{
    return add_header(request, "Content-Type", "") &&
           add_header(request, "Accept", "") && add_header(request, "Expect", "") &&
           (!post->x_id || add_header(request, "X-Id", post->x_id));
}

#define SET(option, value) \
    (rc = rc ? rc : (int)curl_easy_setopt(request->easy, CURLOPT_##option, value))

static int set_options(struct sr_http_request *request, const struct sr_http_post *post)
{
    int rc = 0;

    SET(URL, post->url);
#if LIBCURL_VERSION_NUM >= 0x075500
    SET(PROTOCOLS_STR, "http,https");
#else
    SET(PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
#if LIBCURL_VERSION_NUM >= 0x075700
    SET(QUICK_EXIT, 1L); /* clean-up does not wait for a name that resolves slowly */
#endif
    SET(NOSIGNAL, 1L);
    SET(POST, 1L);
    SET(POSTFIELDSIZE_LARGE, (curl_off_t)post->len);
    SET(COPYPOSTFIELDS, post->body ? post->body : "");
    SET(HTTPHEADER, request->headers);
    SET(WRITEFUNCTION, on_body);
    SET(WRITEDATA, request);
    SET(ERRORBUFFER, request->error);
    SET(PRIVATE, request);
    SET(TIMEOUT_MS, (long)post->timeout_ms);
    SET(CONNECTTIMEOUT_MS, (long)(post->timeout_ms / 3));
    SET(TCP_KEEPALIVE, 1L);
    if (request->http->ca_file)
        SET(CAINFO, request->http->ca_file);
    if (post->user) {
        SET(HTTPAUTH, (long)CURLAUTH_BASIC);
        SET(USERNAME, post->user);
        SET(PASSWORD, post->password);
    }
    return rc;
}

int sr_http_post(struct sr_http *http, const struct sr_http_post *post, sr_http_fn fn,
                 void *arg, struct sr_http_request **ret_request)
{
    struct sr_http_request *request = calloc(1, sizeof *request);

    if (!request)
        return SR_E_NOMEM;
    *request = (struct sr_http_request){
        .http = http, .fn = fn, .arg = arg, .max = post->answer_max
    };
    request->easy = curl_easy_init();
    if (!request->easy || !add_headers(request, post)) {
        free_request(request);
        return SR_E_NOMEM;
    }
    if (set_options(request, post) ||
        curl_multi_add_handle(http->multi, request->easy)) {
        free_request(request);
        return SR_E_INVAL;
    }
    request->next = http->requests;
    http->requests = request;
    if (ret_request)
        *ret_request = request;
    return 0;
}

static int outcome(const struct sr_http_request *request, CURLcode code)
{
    switch (code) {
    case CURLE_OK: return 0;
    case CURLE_OUT_OF_MEMORY: return SR_E_NOMEM;
    case CURLE_OPERATION_TIMEDOUT: return SR_E_TIMEOUT;
    case CURLE_WRITE_ERROR:
        return request->overflow ? request->overflow : SR_E_UNREACHABLE;
    default: return SR_E_UNREACHABLE;
    }
}

static void finish(struct sr_http_request *request, CURLcode code)
{
    struct sr_http_result result = { .rc = outcome(request, code), .error = "" };

    if (result.rc)
        result.error = *request->error ? request->error : curl_easy_strerror(code);
    else
        curl_easy_getinfo(request->easy, CURLINFO_RESPONSE_CODE, &result.status);
    if (request->overflow == SR_E_TOOBIG)
        result.error = "the answer is larger than the limit";
    result.body = request->body ? request->body : "";
    result.len = request->len;

    unlink_request(request);
    curl_multi_remove_handle(request->http->multi, request->easy);
    request->fn(request->arg, &result);
    free_request(request);
}

/* Runs callbacks only here, outside of libcurl, where they may start and cancel requests. */
static void finish_done(struct sr_http *http)
{
    CURLMsg *message;
    int left;

    http->busy++;
    while (!http->doomed && (message = curl_multi_info_read(http->multi, &left))) {
        struct sr_http_request *request;

        if (message->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&request);
        finish(request, message->data.result);
    }
    if (--http->busy == 0 && http->doomed)
        destroy(http);
}
