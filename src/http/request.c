/* SPDX-License-Identifier: MIT */
#include "http/request.h"

#include "base/net.h"
#include "http/http.h"
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HEAD_MAX = 64 * 1024, METHOD_MAX = 32 };

#if LIBCURL_VERSION_NUM >= 0x080600
#define TOO_LARGE CURLE_TOO_LARGE
#else
#define TOO_LARGE CURLE_OUT_OF_MEMORY
#endif

/* --- the answer --------------------------------------------------------- */

static bool fail(struct sr_http_request *request, int rc)
{
    request->failed = rc;
    return false;
}

static bool make_room(struct sr_http_request *request, size_t more)
{
    size_t need = request->len + more + 1, cap = request->cap ? request->cap : 1024;
    char *body;

    while (cap < need)
        cap *= 2;
    if (cap == request->cap)
        return true;
    body = realloc(request->body, cap);
    if (!body)
        return fail(request, SR_E_NOMEM);
    request->body = body;
    request->cap = cap;
    return true;
}

static bool collect(struct sr_http_request *request, const char *bytes, size_t len)
{
    size_t room = request->max - request->len;

    if (len > room) { /* its beginning tells whose it is */
        if (room)
            collect(request, bytes, room);
        return fail(request, SR_E_TOOBIG);
    }
    if (!make_room(request, len))
        return false;
    memcpy(request->body + request->len, bytes, len);
    request->len += len;
    request->body[request->len] = '\0';
    if (request->raw)
        request->raw(request->arg, bytes, len);
    return !request->cancelled;
}

static bool stream(struct sr_http_request *request, const struct sr_http_result *so_far,
                   const char *bytes, size_t len)
{
    if (!request->data(request->arg, so_far, bytes, len))
        return fail(request, SR_E_STOPPED);
    return !request->cancelled;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *arg)
{
    struct sr_http_request *request = arg;
    struct sr_http_result so_far = sr_http_request_result(request, CURLE_OK);
    size_t len = size * count;
    bool good;

    if (request->cancelled)
        return 0;
    if (request->data && so_far.status / 100 == 2)
        good = stream(request, &so_far, bytes, len);
    else
        good = collect(request, bytes, len);
    return good ? len : 0;
}

/* A status line begins the head anew: that of the final answer follows one of 100. */
static size_t on_head(char *bytes, size_t size, size_t count, void *arg)
{
    struct sr_http_request *request = arg;
    size_t len = size * count;
    char *head;

    if (len >= 5 && !memcmp(bytes, "HTTP/", 5)) {
        request->head_len = 0;
        request->head_whole = false;
    }
    if (request->head_len + len + 1 > HEAD_MAX) {
        fail(request, SR_E_TOOBIG);
        return 0;
    }
    head = realloc(request->head, request->head_len + len + 1);
    if (!head) {
        fail(request, SR_E_NOMEM);
        return 0;
    }
    request->head = head;
    for (size_t i = 0; i < len; i++) /* NUL ends lines here, and nothing else does */
        head[request->head_len + i] = bytes[i] ? bytes[i] : ' ';
    request->head_len += len;
    head[request->head_len++] = '\0';
    while (len && strchr("\r\n \t", head[request->head_len - 2]) && len--)
        head[--request->head_len - 1] = '\0';
    request->head_whole = request->head_whole || !len;
    return size * count;
}

const char *sr_http_header(const struct sr_http_result *result, const char *name)
{
    const struct sr_http_request *request = result ? result->request : NULL;
    const char *found = NULL;
    size_t len = name ? strlen(name) : 0, at = 0;

    while (request && len && at < request->head_len) {
        const char *line = request->head + at;

        at += strlen(line) + 1;
        if (!strncasecmp(line, name, len) && line[len] == ':')
            found = line + len + 1 + strspn(line + len + 1, " \t");
    }
    return found;
}

static int on_progress(void *arg, curl_off_t to_receive, curl_off_t received,
                       curl_off_t to_send, curl_off_t sent)
{
    struct sr_http_request *request = arg;
    const struct sr_http_progress now = { (uint64_t)sent, (uint64_t)to_send,
                                          (uint64_t)received, (uint64_t)to_receive };

    if (!request->cancelled &&
        (now.sent != request->last.sent || now.received != request->last.received)) {
        request->last = now;
        request->progress(request->arg, &now);
    }
    return request->cancelled;
}

/* A line of the head that is too long for libcurl: it calls that a lack of memory. */
static bool is_head_endless(const struct sr_http_request *request, CURLcode code)
{
    curl_off_t first_byte_us = 0;

    if (code != CURLE_OUT_OF_MEMORY && code != TOO_LARGE)
        return false;
    curl_easy_getinfo(request->easy, CURLINFO_STARTTRANSFER_TIME_T, &first_byte_us);
    return first_byte_us > 0 && !request->head_whole;
}

static int outcome(const struct sr_http_request *request, CURLcode code)
{
    if (request->failed)
        return request->failed;
    if (is_head_endless(request, code))
        return SR_E_TOOBIG;
    switch (code) {
    case CURLE_OK: /* also when the connection ended within the head */
        return request->head_whole ? 0 : SR_E_UNREACHABLE;
    case CURLE_OUT_OF_MEMORY: return SR_E_NOMEM;
    case CURLE_OPERATION_TIMEDOUT: return SR_E_TIMEOUT;
    case CURLE_READ_ERROR: return SR_E_IO;
    default: return SR_E_UNREACHABLE;
    }
}

static const char *describe(const struct sr_http_request *request, int rc,
                            CURLcode code)
{
    if (!rc)
        return "";
    if (rc == SR_E_TOOBIG)
        return request->head_whole ? "the answer is larger than the limit"
                                   : "the answer's header is larger than 64 KiB";
    if (request->failed)
        return sr_strerror(rc);
    if (code == CURLE_OK)
        return "the answer broke off";
    return *request->error ? request->error : curl_easy_strerror(code);
}

struct sr_http_result sr_http_request_result(const struct sr_http_request *request,
                                             CURLcode code)
{
    struct sr_http_result result = { .request = request };

    result.rc = outcome(request, code);
    curl_easy_getinfo(request->easy, CURLINFO_RESPONSE_CODE, &result.status);
    result.error = describe(request, result.rc, code);
    result.body = request->body ? request->body : "";
    result.len = request->len;
    return result;
}

bool sr_http_sent(const struct sr_http_result *result, size_t len)
{
    curl_off_t sent = 0;

    curl_easy_getinfo(result->request->easy, CURLINFO_SIZE_UPLOAD_T, &sent);
    return (uint64_t)sent >= len;
}

bool sr_http_began(const struct sr_http_result *result)
{
    long sent = 0;

    curl_easy_getinfo(result->request->easy, CURLINFO_REQUEST_SIZE, &sent);
    return sent > 0;
}

/* To libcurl a number that is too large is none. */
uint64_t sr_http_retry_after_s(const struct sr_http_result *result)
{
    const char *text = sr_http_header(result, "Retry-After");
    curl_off_t seconds = 0;

    if (text && *text && strspn(text, "0123456789") == strlen(text))
        return strtoull(text, NULL, 10); /* too large: ULLONG_MAX */
    curl_easy_getinfo(result->request->easy, CURLINFO_RETRY_AFTER, &seconds);
    return seconds > 0 ? (uint64_t)seconds : 0;
}

bool sr_http_has_end(const struct sr_http_result *result)
{
    const char *coding = sr_http_header(result, "Transfer-Encoding");
    long version = 0;

    curl_easy_getinfo(result->request->easy, CURLINFO_HTTP_VERSION, &version);
    return version >= CURL_HTTP_VERSION_2_0 ||
           sr_http_header(result, "Content-Length") ||
           (coding && strcasestr(coding, "chunked"));
}

/* --- headers ------------------------------------------------------------ */

/* Could `value` end the header line it is put in? */
static bool holds_controls(const char *value)
{
    for (; *value; value++)
        if (((unsigned char)*value < 0x20 && *value != '\t') || *value == 0x7f)
            return true;
    return false;
}

/* A token of RFC 9110. */
static bool is_token(const char *text)
{
    static const char good[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
                               "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

    return *text && !text[strspn(text, good)];
}

/* libcurl takes "Name:" for a header to leave out, and "Name;" for one without value. */
static int add_header(struct sr_http_request *request, const char *name,
                      const char *value)
{
    struct curl_slist *longer;
    char *line;
    int len;

    if (!name || !is_token(name) || (value && holds_controls(value)))
        return SR_E_INVAL;
    if (!value)
        len = asprintf(&line, "%s:", name);
    else if (!value[strspn(value, " \t")])
        len = asprintf(&line, "%s;", name);
    else
        len = asprintf(&line, "%s: %s", name, value);
    if (len < 0)
        return SR_E_NOMEM;
    longer = curl_slist_append(request->headers, line);
    free(line);
    if (longer)
        request->headers = longer;
    return longer ? 0 : SR_E_NOMEM;
}

static bool is_given(const struct sr_http_call *call, const char *name)
{
    for (size_t i = 0; i < call->header_count; i++)
        if (call->headers[i].name && !strcasecmp(call->headers[i].name, name))
            return true;
    return false;
}

/* libcurl would ask for 100 before it sends, and call every body a form. */
static int add_headers(struct sr_http_request *request, const struct sr_http_call *call)
{
    int rc = 0;

    for (size_t i = 0; !rc && i < call->header_count; i++)
        rc = add_header(request, call->headers[i].name, call->headers[i].value);
    if (!rc && !is_given(call, "Expect"))
        rc = add_header(request, "Expect", NULL);
    if (!rc && !call->part_count && !is_given(call, "Content-Type"))
        rc = add_header(request, "Content-Type", NULL);
    return rc;
}

/* --- body --------------------------------------------------------------- */

static int add_file(curl_mimepart *to, const char *path)
{
    struct stat info;

    if (stat(path, &info) || !S_ISREG(info.st_mode) || access(path, R_OK))
        return SR_E_IO;
    return curl_mime_filedata(to, path) ? SR_E_IO : 0;
}

static int add_part(curl_mime *mime, const struct sr_http_part *part)
{
    curl_mimepart *to = curl_mime_addpart(mime);
    int rc;

    if (!to)
        return SR_E_NOMEM;
    if (!part->name || holds_controls(part->name) ||
        (part->filename && holds_controls(part->filename)) ||
        (part->content_type && holds_controls(part->content_type)))
        return SR_E_INVAL;
    if (part->file)
        rc = add_file(to, part->file);
    else
        rc = curl_mime_data(to, part->bytes ? part->bytes : "", part->len) ? SR_E_NOMEM
                                                                           : 0;
    if (rc)
        return rc;
    if (curl_mime_name(to, part->name) || curl_mime_filename(to, part->filename) ||
        curl_mime_type(to, part->content_type))
        return SR_E_NOMEM;
    return 0;
}

static int add_parts(struct sr_http_request *request, const struct sr_http_call *call)
{
    int rc = 0;

    if (!call->part_count)
        return 0;
    request->mime = curl_mime_init(request->easy);
    if (!request->mime)
        return SR_E_NOMEM;
    for (size_t i = 0; !rc && i < call->part_count; i++)
        rc = add_part(request->mime, &call->parts[i]);
    return rc;
}

/* --- options ------------------------------------------------------------ */

#define SET(option, value) \
    (rc = rc ? rc : (int)curl_easy_setopt(request->easy, CURLOPT_##option, value))

static bool has_body(const struct sr_http_call *call)
{
    const char *m = call->method;

    return call->body || call->len ||
           (m && (!strcmp(m, "POST") || !strcmp(m, "PUT") || !strcmp(m, "PATCH")));
}

static int set_body(struct sr_http_request *request, const struct sr_http_call *call)
{
    int rc = 0;

    if (call->part_count) {
        SET(MIMEPOST, request->mime);
    } else if (has_body(call)) {
        SET(POST, 1L);
        SET(POSTFIELDSIZE_LARGE, (curl_off_t)call->len);
        SET(COPYPOSTFIELDS, call->body ? call->body : "");
    } else if (call->method && !strcmp(call->method, "HEAD")) {
        SET(NOBODY, 1L);
    }
    if (call->method)
        SET(CUSTOMREQUEST, call->method);
    return rc;
}

static int set_times(struct sr_http_request *request, const struct sr_net *net,
                     const struct sr_http_call *call)
{
    unsigned ms = call->timeout_ms ? call->timeout_ms : sr_net_timeout_ms(net);
    int rc = 0;

    SET(CONNECTTIMEOUT_MS, sr_net_long(sr_net_connect_ms(net)));
    SET(TIMEOUT_MS, ms == UINT_MAX ? 0L : sr_net_long(ms));
    if (call->stall_s) {
        SET(LOW_SPEED_TIME, sr_net_long(call->stall_s));
        SET(LOW_SPEED_LIMIT, 1L);
    }
    return rc;
}

static int set_callbacks(struct sr_http_request *request)
{
    int rc = 0;

    SET(WRITEFUNCTION, on_body);
    SET(WRITEDATA, request);
    SET(HEADERFUNCTION, on_head);
    SET(HEADERDATA, request);
    SET(SUPPRESS_CONNECT_HEADERS, 1L);
    SET(ERRORBUFFER, request->error);
    SET(PRIVATE, request);
    if (request->progress) {
        SET(XFERINFOFUNCTION, on_progress);
        SET(XFERINFODATA, request);
        SET(NOPROGRESS, 0L);
    }
    return rc;
}

static int set_options(struct sr_http_request *request, const struct sr_net *net,
                       const struct sr_http_call *call)
{
    int rc = sr_multi_apply(request->easy, net);

    SET(URL, call->url);
    SET(HTTPHEADER, request->headers);
    if (call->user) {
        SET(HTTPAUTH, (long)CURLAUTH_BASIC);
        SET(USERNAME, call->user);
        SET(PASSWORD, call->password ? call->password : "");
    }
    rc = rc ? rc : set_body(request, call);
    rc = rc ? rc : set_times(request, net, call);
    rc = rc ? rc : set_callbacks(request);
    return rc == CURLE_OUT_OF_MEMORY ? SR_E_NOMEM : rc ? SR_E_INVAL : 0;
}

/* --- life --------------------------------------------------------------- */

static int prepare(struct sr_http_request *request, const struct sr_net *net,
                   const struct sr_http_call *call)
{
    int rc;

    request->easy = curl_easy_init();
    rc = request->easy ? add_headers(request, call) : SR_E_NOMEM;
    if (!rc)
        rc = add_parts(request, call);
    return rc ? rc : set_options(request, net, call);
}

int sr_http_request_new(const struct sr_net *net, const struct sr_http_call *call,
                        sr_http_fn fn, void *arg, struct sr_http_request **ret_request)
{
    struct sr_http_request *request;
    int rc;

    if (call->method && (!is_token(call->method) || strlen(call->method) > METHOD_MAX))
        return SR_E_INVAL;
    request = calloc(1, sizeof *request);
    if (!request)
        return SR_E_NOMEM;
    request->fn = fn;
    request->data = call->data;
    request->progress = call->progress;
    request->arg = arg;
    request->max = call->answer_max ? call->answer_max : sr_net_receive_max(net);
    rc = prepare(request, net, call);
    if (rc)
        sr_http_request_free(request);
    else
        *ret_request = request;
    return rc;
}

void sr_http_request_free(struct sr_http_request *request)
{
    if (request->easy)
        curl_easy_cleanup(request->easy);
    curl_mime_free(request->mime);
    curl_slist_free_all(request->headers);
    if (request->body)
        explicit_bzero(request->body, request->len); /* it may be a password */
    free(request->body);
    free(request->head);
    free(request);
}
