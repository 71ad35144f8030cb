/* SPDX-License-Identifier: MIT */
#include "http.h"

#include "uri.h"

#include <microhttpd.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define CONNECTIONS_MAX 4096
#define IDLE_S          120               /* then a silent connection is closed */
#define WASTE_MAX       (8 * SB_BODY_MAX) /* read on beyond the limit to say 413 */

struct sb_http {
    struct MHD_Daemon *daemon;
    struct sb_platform *platform;
};

/* One request on its way in. */
struct exchange {
    char *path;        /* decoded */
    const char *query; /* behind the path */
    bool bad_uri, started;
    char *body;
    size_t len, size, wasted;
};

static enum MHD_Result answer(struct MHD_Connection *connection,
                              struct sb_response *response)
{
    struct MHD_Response *reply = MHD_create_response_from_buffer(
        response->len, response->body, MHD_RESPMEM_MUST_FREE);
    enum MHD_Result rc;

    if (!reply)
        return MHD_NO;
    response->body = NULL; /* the reply's now */
    if (response->content_type)
        MHD_add_response_header(reply, MHD_HTTP_HEADER_CONTENT_TYPE,
                                response->content_type);
    if (response->location)
        MHD_add_response_header(reply, MHD_HTTP_HEADER_LOCATION, response->location);
    if (response->status == MHD_HTTP_UNAUTHORIZED)
        MHD_add_response_header(reply, MHD_HTTP_HEADER_WWW_AUTHENTICATE,
                                "Basic realm=\"smartrest-sandbox\"");
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
    char *password = NULL;
    char *user = MHD_basic_auth_get_username_password(connection, &password);

    sb_platform_authenticate(http->platform, user, password, ret_identity);
    MHD_free(user);
    MHD_free(password);
}

static enum MHD_Result ask_platform(struct sb_http *http,
                                    struct MHD_Connection *connection,
                                    const char *method, const struct exchange *exchange)
{
    struct sb_request request = {
        .method = method,
        .path = exchange->path,
        .query = exchange->query,
        .host = header(connection, MHD_HTTP_HEADER_HOST),
        .accept = header(connection, MHD_HTTP_HEADER_ACCEPT),
        .x_id = header(connection, "X-Id"),
        .processing_mode = header(connection, "X-Cumulocity-Processing-Mode"),
        .method_override = header(connection, "X-HTTP-METHOD"),
        .body = exchange->body ? exchange->body : "",
        .len = exchange->len,
    };
    struct sb_response response = { 0 };
    enum MHD_Result rc;

    identify(http, connection, &request.identity);
    sb_platform_http(http->platform, &request, &response);
    rc = answer(connection, &response);
    sb_response_release(&response);
    return rc;
}

/* --- the body --------------------------------------------------------------------- */

static bool declares_too_much(struct MHD_Connection *connection)
{
    const char *length = header(connection, MHD_HTTP_HEADER_CONTENT_LENGTH);

    return length && strtoull(length, NULL, 10) > SB_BODY_MAX;
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

/* A chunked body shows its size only as it comes. What is above the limit is read and
 * thrown away, because only a client that has finished listens to the 413. */
static enum MHD_Result collect(struct exchange *exchange, const char *data,
                               size_t *size)
{
    size_t n = *size;

    *size = 0;
    if (exchange->wasted || n > SB_BODY_MAX - exchange->len) {
        exchange->wasted += n;
        return exchange->wasted > WASTE_MAX ? MHD_NO : MHD_YES;
    }
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
    exchange->path = strdup(uri);
    exchange->bad_uri =
        !exchange->path || !sb_uri_split(exchange->path, &exchange->query);
    return exchange;
}

static void on_completed(void *cls, struct MHD_Connection *connection, void **con_cls,
                         enum MHD_RequestTerminationCode how)
{
    struct exchange *exchange = *con_cls;

    (void)cls, (void)connection, (void)how;
    if (!exchange)
        return;
    free(exchange->path);
    free(exchange->body);
    free(exchange);
    *con_cls = NULL;
}

/* The header is there, the body is not: the moment to refuse before `100 Continue`. */
static enum MHD_Result on_header(struct MHD_Connection *connection,
                                 struct exchange *exchange)
{
    exchange->started = true;
    if (exchange->bad_uri)
        return refuse(connection, MHD_HTTP_BAD_REQUEST,
                      "{\"error\":\"general/badRequest\","
                      "\"message\":\"The path holds a broken percent escape.\"}");
    return declares_too_much(connection) ? refuse_size(connection) : MHD_YES;
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
        return on_header(connection, exchange);
    if (*size)
        return collect(exchange, data, size);
    if (exchange->wasted)
        return refuse_size(connection);
    return ask_platform(http, connection, method, exchange);
}

static struct MHD_Daemon *start_daemon(int listen_fd, struct sb_http *http)
{
    return MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL,
        on_request, http, MHD_OPTION_LISTEN_SOCKET, listen_fd,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_S, MHD_OPTION_URI_LOG_CALLBACK,
        on_uri, NULL, MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL, MHD_OPTION_END);
}

struct sb_http *sb_http_start(int listen_fd, struct sb_platform *platform)
{
    struct sb_http *http = calloc(1, sizeof *http);
    sigset_t all, before;

    if (!http)
        return NULL;
    http->platform = platform;
    sigfillset(&all); /* signals are the broker's business, on its own thread */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    http->daemon = start_daemon(listen_fd, http);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (http->daemon)
        return http;
    free(http);
    return NULL;
}

struct sb_http *sb_http_stop(struct sb_http *http)
{
    if (!http)
        return NULL;
    MHD_stop_daemon(http->daemon);
    free(http);
    return NULL;
}
