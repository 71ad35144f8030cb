/* SPDX-License-Identifier: MIT */
#include "http.h"

#include "account.h"
#include "hold.h"
#include "uri.h"

#include <inttypes.h>
#include <microhttpd.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONNECTIONS_MAX 4096
#define IDLE_S          120               /* then a silent connection is closed */
#define WASTE_MAX       (8 * SB_BODY_MAX) /* read on beyond the limit to say 413 */

struct sb_http {
    struct MHD_Daemon *daemon;
    struct sb_platform *platform;
    struct sb_holder *holder;
    bool tls;
};

/* One request on its way in. */
struct exchange {
    char *uri;
    struct sb_target target; /* the parts of it */
    bool bad_uri, started;
    char *body;
    size_t len, size, wasted;
    struct sb_upload *upload;    /* the body goes there */
    bool refused;                /* it goes nowhere, and then comes */
    struct sb_response response; /* this */
    struct sb_hold *hold;        /* the answer comes later */
};

/* Takes the body over, or the file. */
static struct MHD_Response *make_reply(struct sb_response *response)
{
    struct sb_file *file = response->file;
    struct MHD_Response *reply;

    if (file)
        reply =
            MHD_create_response_from_fd_at_offset64(file->len, file->fd, file->offset);
    else
        reply = MHD_create_response_from_buffer(response->len, response->body,
                                                MHD_RESPMEM_MUST_FREE);
    if (reply && file)
        file->fd = -1;
    else if (reply)
        response->body = NULL;
    return reply;
}

static void add_file_headers(struct MHD_Response *reply, const struct sb_file *file)
{
    char range[80];

    MHD_add_response_header(reply, MHD_HTTP_HEADER_ACCEPT_RANGES, "bytes");
    if (file->type)
        MHD_add_response_header(reply, MHD_HTTP_HEADER_CONTENT_TYPE, file->type);
    if (!file->partial)
        return;
    snprintf(range, sizeof range, "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64,
             file->offset, file->offset + file->len - 1, file->size);
    MHD_add_response_header(reply, MHD_HTTP_HEADER_CONTENT_RANGE, range);
}

static void add_headers(struct MHD_Response *reply, const struct sb_response *response)
{
    if (response->file)
        add_file_headers(reply, response->file);
    if (response->content_type)
        MHD_add_response_header(reply, MHD_HTTP_HEADER_CONTENT_TYPE,
                                response->content_type);
    if (response->location)
        MHD_add_response_header(reply, MHD_HTTP_HEADER_LOCATION, response->location);
    if (response->status == MHD_HTTP_UNAUTHORIZED)
        MHD_add_response_header(reply, MHD_HTTP_HEADER_WWW_AUTHENTICATE,
                                "Basic realm=\"smartrest-sandbox\"");
}

static enum MHD_Result answer(struct MHD_Connection *connection,
                              struct sb_response *response)
{
    struct MHD_Response *reply = make_reply(response);
    enum MHD_Result rc;

    if (!reply)
        return MHD_NO;
    add_headers(reply, response);
    rc = MHD_queue_response(connection, (unsigned)response->status, reply);
    MHD_destroy_response(reply);
    return rc;
}

/* The head now, the body when the poll has its answer. */
static enum MHD_Result answer_later(struct sb_http *http,
                                    struct MHD_Connection *connection,
                                    struct exchange *exchange,
                                    const struct sb_response *response)
{
    struct MHD_Response *reply = NULL;
    enum MHD_Result rc;

    exchange->hold = sb_hold_begin(http->holder, connection, response->poll, &reply);
    if (!exchange->hold)
        return MHD_NO;
    add_headers(reply, response);
    rc = MHD_queue_response(connection, (unsigned)response->status, reply);
    MHD_destroy_response(reply);
    return rc;
}

/* Refusals of the door itself look like the platform's (protocol 6.1). */
static enum MHD_Result refuse(struct MHD_Connection *connection, int status,
                              const char *json)
{
    struct sb_response response = {
        .status = status,
        .content_type = "application/vnd.com.nsn.cumulocity.error+json;charset=UTF-8",
        .body = strdup(json),
        .len = strlen(json),
    };
    enum MHD_Result rc = response.body ? answer(connection, &response) : MHD_NO;

    free(response.body);
    return rc;
}

static enum MHD_Result refuse_size(struct MHD_Connection *connection)
{
    return refuse(connection, MHD_HTTP_CONTENT_TOO_LARGE,
                  "{\"error\":\"general/payloadTooLarge\","
                  "\"message\":\"The body is larger than 10 MiB.\"}");
}

/* --- what the platform is asked ------------------------------------------------ */

static const char *header(struct MHD_Connection *connection, const char *name)
{
    return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
}

static void identify(struct sb_http *http, struct MHD_Connection *connection,
                     struct sb_identity *ret_identity)
{
    char *user = NULL;
    const char *password = NULL;

    sb_account_read(header(connection, MHD_HTTP_HEADER_AUTHORIZATION), &user,
                    &password);
    sb_platform_authenticate(http->platform, user, password, ret_identity);
    sb_account_free(user);
}

/* What a range is of may have changed, and we keep no tags to tell. */
static const char *range_of(struct MHD_Connection *connection)
{
    return header(connection, MHD_HTTP_HEADER_IF_RANGE)
               ? NULL
               : header(connection, MHD_HTTP_HEADER_RANGE);
}

static void read_request(struct sb_http *http, struct MHD_Connection *connection,
                         const char *method, const struct exchange *exchange,
                         struct sb_request *ret_request)
{
    *ret_request = (struct sb_request){
        .method = method,
        .path = exchange->target.path,
        .query = exchange->target.query,
        .host = exchange->target.host ? exchange->target.host
                                      : header(connection, MHD_HTTP_HEADER_HOST),
        .accept = header(connection, MHD_HTTP_HEADER_ACCEPT),
        .x_id = header(connection, "X-Id"),
        .processing_mode = header(connection, "X-Cumulocity-Processing-Mode"),
        .method_override = header(connection, "X-HTTP-METHOD"),
        .range = range_of(connection),
        .content_type = header(connection, MHD_HTTP_HEADER_CONTENT_TYPE),
        .disposition = header(connection, "Content-Disposition"),
        .tls = http->tls,
        .body = exchange->body ? exchange->body : "",
        .len = exchange->len,
    };
    identify(http, connection, &ret_request->identity);
}

static enum MHD_Result ask_platform(struct sb_http *http,
                                    struct MHD_Connection *connection,
                                    const char *method, struct exchange *exchange)
{
    struct sb_response response = { 0 };
    struct sb_request request;
    enum MHD_Result rc;

    read_request(http, connection, method, exchange, &request);
    if (exchange->upload)
        sb_platform_end_upload(http->platform, exchange->upload, &request, &response);
    else
        sb_platform_http(http->platform, &request, &response);
    exchange->upload = NULL;
    if (response.poll)
        rc = answer_later(http, connection, exchange, &response);
    else
        rc = answer(connection, &response);
    sb_response_release(&response);
    return rc;
}

/* --- the body --------------------------------------------------------------------- */

/* 0 if it does not say. */
static uint64_t declared_length(struct MHD_Connection *connection)
{
    const char *length = header(connection, MHD_HTTP_HEADER_CONTENT_LENGTH);

    return length ? strtoull(length, NULL, 10) : 0;
}

static bool make_room(struct exchange *exchange, size_t more)
{
    size_t need = exchange->len + more + 1, size = exchange->size;
    char *grown;

    if (need <= size)
        return true;
    size = size * 2 > need ? size * 2 : need;
    grown = realloc(exchange->body, size);
    if (!grown)
        return false;
    exchange->body = grown;
    exchange->size = size;
    return true;
}

/* What nobody wants is read and thrown away, because only a client that has finished
 * listens to the answer. */
static enum MHD_Result waste(struct exchange *exchange, size_t n)
{
    exchange->wasted += n;
    return exchange->wasted > WASTE_MAX ? MHD_NO : MHD_YES;
}

/* A chunked body shows its size only as it comes. */
static enum MHD_Result collect(struct exchange *exchange, const char *data,
                               size_t *size)
{
    size_t n = *size;

    *size = 0;
    if (exchange->refused)
        return waste(exchange, n);
    if (exchange->upload)
        return sb_upload_write(exchange->upload, data, n) ? MHD_YES
                                                          : waste(exchange, n);
    if (exchange->wasted || n > SB_BODY_MAX - exchange->len)
        return waste(exchange, n);
    if (!make_room(exchange, n))
        return MHD_NO;
    memcpy(exchange->body + exchange->len, data, n);
    exchange->len += n;
    exchange->body[exchange->len] = '\0';
    return MHD_YES;
}

/* --- libmicrohttpd calls ------------------------------------------------------------- */

static void *on_uri(void *cls, const char *uri, struct MHD_Connection *connection)
{
    struct exchange *exchange = calloc(1, sizeof *exchange);

    (void)cls, (void)connection;
    if (!exchange)
        return NULL;
    exchange->uri = strdup(uri);
    exchange->bad_uri =
        !exchange->uri || !sb_uri_split(exchange->uri, &exchange->target);
    return exchange;
}

static void on_completed(void *cls, struct MHD_Connection *connection, void **con_cls,
                         enum MHD_RequestTerminationCode how)
{
    struct exchange *exchange = *con_cls;

    (void)cls, (void)connection;
    if (!exchange)
        return;
    sb_hold_end(exchange->hold, how == MHD_REQUEST_TERMINATED_COMPLETED_OK);
    sb_upload_abort(exchange->upload);
    sb_response_release(&exchange->response);
    free(exchange->uri);
    free(exchange->body);
    free(exchange);
    *con_cls = NULL;
}

/* A file: the platform decides before it comes. A client that waits for `100 Continue`
 * is told at once, another one when it has finished. */
static enum MHD_Result begin_upload(struct sb_http *http,
                                    struct MHD_Connection *connection,
                                    const struct sb_request *request,
                                    struct exchange *exchange)
{
    exchange->upload = sb_platform_begin_upload(
        http->platform, request, declared_length(connection), &exchange->response);
    exchange->refused = !exchange->upload;
    if (exchange->upload || !header(connection, MHD_HTTP_HEADER_EXPECT))
        return MHD_YES;
    return answer(connection, &exchange->response);
}

/* The header is there, the body is not: the moment to refuse before `100 Continue`. */
static enum MHD_Result on_header(struct sb_http *http,
                                 struct MHD_Connection *connection, const char *method,
                                 struct exchange *exchange)
{
    struct sb_request request;

    exchange->started = true;
    if (exchange->bad_uri)
        return refuse(
            connection, MHD_HTTP_BAD_REQUEST,
            "{\"error\":\"general/badRequest\","
            "\"message\":\"The request target has a broken percent escape or no host.\"}");
    if (strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0) {
        read_request(http, connection, method, exchange, &request);
        if (sb_platform_takes_file(&request))
            return begin_upload(http, connection, &request, exchange);
    }
    return declared_length(connection) > SB_BODY_MAX ? refuse_size(connection)
                                                     : MHD_YES;
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection,
                                  const char *url, const char *method,
                                  const char *version, const char *data, size_t *size,
                                  void **con_cls)
{
    struct sb_http *http = cls;
    struct exchange *exchange = *con_cls;

    (void)url, (void)version;
    if (!exchange)
        return MHD_NO;
    if (!exchange->started)
        return on_header(http, connection, method, exchange);
    if (*size)
        return collect(exchange, data, size);
    if (exchange->refused)
        return answer(connection, &exchange->response);
    if (exchange->wasted && !exchange->upload)
        return refuse_size(connection);
    return ask_platform(http, connection, method, exchange);
}

static struct MHD_Daemon *start_daemon(const struct sb_http_config *config,
                                       struct sb_http *http)
{
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME |
                     (http->tls ? MHD_USE_TLS : 0);
    struct MHD_OptionItem tls[] = {
        {MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)(uintptr_t)config->tls_cert},
        { MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)(uintptr_t)config->tls_key },
        { MHD_OPTION_END,           0, NULL                               },
    };

    if (!http->tls)
        tls[0].option = MHD_OPTION_END;
    return MHD_start_daemon(
        flags, 0, NULL, NULL, on_request, http, MHD_OPTION_LISTEN_SOCKET,
        config->listen_fd, MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_S, MHD_OPTION_URI_LOG_CALLBACK,
        on_uri, NULL, MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL, MHD_OPTION_ARRAY,
        tls, MHD_OPTION_END);
}

static bool start_threads(struct sb_http *http, const struct sb_http_config *config)
{
    http->holder = sb_holder_start(http->platform, config->heartbeat_ms);
    if (http->holder)
        http->daemon = start_daemon(config, http);
    return http->daemon != NULL;
}

struct sb_http *sb_http_start(const struct sb_http_config *config,
                              struct sb_platform *platform)
{
    struct sb_http *http = calloc(1, sizeof *http);
    sigset_t all, before;
    bool started;

    if (!http)
        return NULL;
    http->platform = platform;
    http->tls = config->tls_cert != NULL;
    sigfillset(&all); /* signals are the broker's business, on its own thread */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    started = start_threads(http, config);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (started)
        return http;
    sb_holder_free(http->holder);
    free(http);
    return NULL;
}

struct sb_http *sb_http_stop(struct sb_http *http)
{
    if (!http)
        return NULL;
    sb_holder_quit(http->holder);
    MHD_stop_daemon(http->daemon);
    sb_holder_free(http->holder);
    free(http);
    return NULL;
}
