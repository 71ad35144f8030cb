/* SPDX-License-Identifier: MIT */
#include <smartrest/binary.h>

#include "base/backoff.h"
#include "base/net.h"
#include "base/url.h"
#include "binary/member.h"
#include "binary/store.h"
#include "http/http.h"
#include "record/utf8.h"
#include <limits.h>
#include <smartrest/http.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#define FOLDER   "/inventory/binaries"
#define FILE_MAX ((uint64_t)4 * 1024 * 1024 * 1024)

enum { RETRIES = 5, STALL_S = 30, NAME_MAX_BYTES = 255, ANSWER_MAX = 64 * 1024 };

/* An upload asks once. A download:
 *
 *          get              cut, 5xx            retries are over
 *    IDLE -----> ASKING <------------> PAUSED ------------------> IDLE
 *                  | whole
 *                  +------------------> KEEPING (files) --------> IDLE  */
enum state { IDLE, ASKING, PAUSED, KEEPING };

struct sr_binary {
    struct sr_loop *loop;
    struct sr_http *http;
    struct sr_net net;
    char *url, *user, *password;
    uint64_t max;
    unsigned retries, stall_s;
    sr_binary_progress_fn progress;
    void *progress_arg;

    enum state state;
    struct sr_http_request *request;
    sr_binary_fn fn;
    void *arg;
    char id[SR_BINARY_ID_MAX + 1];
    long status;
    uint64_t size;      /* of an upload */
    const char *answer; /* to it, while its end is told */
    size_t answer_len;
    char error[300];

    bool in_memory;
    struct sr_binary_store store;
    uint64_t total;    /* bytes there will be; 0: not known */
    uint64_t high;     /* most bytes there have been */
    char version[128]; /* entity tag of what has come, or "" */
    bool began;        /* this answer's bytes are being taken */
    bool anew;         /* what has come is of no use */
    int failed;        /* why taking them was ended */
    unsigned failures; /* in a row */
    struct sr_backoff backoff;
    struct sr_deadline pause;

    struct sr_grave grave;
};

/* --- life --------------------------------------------------------------- */

static void ask_again(void *arg);

static char *make_url(const char *server)
{
    size_t len = strlen(server);
    char *url;

    while (len && server[len - 1] == '/')
        len--;
    return asprintf(&url, "%.*s" FOLDER, (int)len, server) < 0 ? NULL : url;
}

static void destroy(void *object)
{
    struct sr_binary *b = object;

    sr_http_free(b->http);
    sr_binary_store_release(&b->store);
    sr_deadline_release(&b->pause);
    sr_net_release(&b->net);
    free(b->url);
    free(b->user);
    if (b->password)
        explicit_bzero(b->password, strlen(b->password));
    free(b->password);
    free(b);
}

static int init(struct sr_binary *b, const struct sr_binary_options *options)
{
    int rc = sr_net_copy(options->net, &b->net);

    b->url = make_url(options->server);
    b->user = strdup(options->user);
    b->password = strdup(options->password);
    if (!rc && (!b->url || !b->user || !b->password))
        rc = SR_E_NOMEM;
    if (!rc)
        rc = sr_deadline_init(&b->pause, b->loop, ask_again, b);
    return rc ? rc : sr_http_new(b->loop, &b->net, &b->http);
}

int sr_binary_new_on(struct sr_loop *loop, const struct sr_binary_options *options,
                     struct sr_binary **ret_binary)
{
    struct sr_binary *b;
    struct sr_url url;
    int rc;

    if (!loop || !options || !options->server || !options->user || !options->password ||
        !ret_binary || sr_url_parse(options->server, &url, NULL) ||
        strncmp(url.scheme, "http", 4))
        return SR_E_INVAL;
    b = calloc(1, sizeof *b);
    if (!b)
        return SR_E_NOMEM;
    b->loop = loop;
    b->retries = RETRIES;
    b->stall_s = STALL_S;
    b->store.fd = -1;
    rc = init(b, options);
    if (rc)
        destroy(b);
    else
        *ret_binary = b;
    return rc;
}

void sr_binary_cancel(struct sr_binary *b)
{
    if (!b)
        return;
    sr_http_cancel(b->request);
    b->request = NULL;
    sr_deadline_clear(&b->pause);
    sr_binary_store_release(&b->store);
    b->state = IDLE;
}

struct sr_binary *sr_binary_free(struct sr_binary *b)
{
    if (!b)
        return NULL;
    sr_binary_cancel(b);
    sr_loop_bury(b->loop, &b->grave, destroy, b);
    return NULL;
}

/* --- options ------------------------------------------------------------ */

void sr_binary_set_max(struct sr_binary *b, uint64_t max)
{
    if (b)
        b->max = max;
}

void sr_binary_set_retries(struct sr_binary *b, unsigned retries)
{
    if (b)
        b->retries = retries;
}

void sr_binary_set_stall(struct sr_binary *b, unsigned seconds)
{
    if (b)
        b->stall_s = seconds;
}

void sr_binary_on_progress(struct sr_binary *b, sr_binary_progress_fn fn, void *arg)
{
    if (!b)
        return;
    b->progress = fn;
    b->progress_arg = arg;
}

static uint64_t limit_of(const struct sr_binary *b)
{
    if (b->max)
        return b->max;
    return b->in_memory ? sr_net_receive_max(&b->net) : FILE_MAX;
}

/* --- ends --------------------------------------------------------------- */

static int fail(struct sr_binary *b, int rc, const char *why)
{
    snprintf(b->error, sizeof b->error, "%s", why);
    return b->failed = rc;
}

/* Everything is idle again before the application is told, for it may begin anew. */
static void finish(struct sr_binary *b, int rc)
{
    char id[sizeof b->id], error[sizeof b->error];
    char *bytes = b->store.bytes;
    struct sr_binary_result result = {
        .rc = rc,
        .status = b->status,
        .id = strcpy(id, b->id),
        .bytes = bytes && !rc ? bytes : "",
        .size = b->store.size ? b->store.size : b->size,
        .error = strcpy(error, rc ? b->error : ""),
        .answer = b->answer ? b->answer : "",
        .answer_len = b->answer_len,
    };

    if (rc && !*error)
        snprintf(error, sizeof error, "%s", sr_strerror(rc));
    b->store.bytes = NULL;
    sr_binary_store_release(&b->store);
    b->request = NULL;
    b->answer = NULL;
    b->answer_len = 0;
    b->state = IDLE;
    b->fn(b->arg, &result);
    free(bytes);
}

static int error_of_status(struct sr_binary *b, long status)
{
    snprintf(b->error, sizeof b->error, "%s: HTTP status %ld", b->url, status);
    switch (status) {
    case 401:
    case 403: return SR_E_AUTH;
    case 404: return SR_E_NOTFOUND;
    case 413: return SR_E_TOOBIG;
    case 408:
    case 429: return SR_E_UNREACHABLE;
    default: return status / 100 == 5 ? SR_E_UNREACHABLE : SR_E_REFUSED;
    }
}

/* 0 if the answer is a good one. */
static int error_of(struct sr_binary *b, const struct sr_http_result *result)
{
    b->status = result->status;
    if (b->failed)
        return b->failed;
    if (result->rc) {
        snprintf(b->error, sizeof b->error, "%s: %s", b->url, result->error);
        return result->rc;
    }
    return result->status / 100 == 2 ? 0 : error_of_status(b, result->status);
}

/* False: the application has freed or cancelled this transfer. */
static bool tell(struct sr_binary *b, uint64_t done, uint64_t total)
{
    struct sr_http_request *request = b->request;

    if (!b->progress)
        return true;
    b->progress(b->progress_arg, done, total);
    return b->request == request && b->state == ASKING;
}

static int begin(struct sr_binary *b, sr_binary_fn fn, void *arg, bool in_memory)
{
    if (!b || !fn)
        return SR_E_INVAL;
    if (b->state != IDLE)
        return SR_E_STATE;
    b->fn = fn;
    b->arg = arg;
    b->in_memory = in_memory;
    b->size = b->total = b->high = 0;
    b->status = 0;
    b->failed = 0;
    b->failures = 0;
    b->anew = b->began = false;
    sr_backoff_reset(&b->backoff);
    *b->error = *b->id = *b->version = '\0';
    return 0;
}

/* --- up ----------------------------------------------------------------- */

static void on_posted(void *arg, const struct sr_http_result *result)
{
    struct sr_binary *b = arg;
    int rc = error_of(b, result);

    if (!rc &&
        (result->status != 201 ||
         !sr_json_created(result->body, result->len, sr_http_header(result, "Location"),
                          b->id, sizeof b->id)))
        rc = fail(b, SR_E_PROTO,
                  "the answer is not the platform's: no status 201, id, or link to it");
    b->answer = result->body;
    b->answer_len = result->len;
    finish(b, rc);
}

static void on_sent(void *arg, const struct sr_http_progress *progress)
{
    if (progress->sent)
        tell(arg, progress->sent, progress->to_send);
}

/* Text without control bytes, as JSON; room for twice its length. */
static size_t quote(char *to, const char *text)
{
    char *at = to;

    *at++ = '"';
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            *at++ = '\\';
        *at++ = *text;
    }
    *at++ = '"';
    *at = '\0';
    return (size_t)(at - to);
}

static bool is_name(const char *name)
{
    size_t len = name ? strlen(name) : 0, n;
    uint32_t point;

    if (!len || len > NAME_MAX_BYTES)
        return false;
    for (; *name; name += n) {
        n = sr_utf8_decode(name, &point);
        if (!n || point < 0x20 || point == 0x7f)
            return false;
    }
    return true;
}

static size_t describe(char *to, const char *name, const char *type)
{
    size_t len = (size_t)sprintf(to, "{\"name\":");

    len += quote(to + len, name);
    len += (size_t)sprintf(to + len, ",\"type\":");
    len += quote(to + len, type);
    len += (size_t)sprintf(to + len, "}");
    return len;
}

/* docs/protocol/rest.md: three parts, in this order. */
static int upload(struct sr_binary *b, const char *name, const char *type,
                  const struct sr_http_part *content)
{
    static const struct sr_http_header accept = { "Accept", "application/json" };
    char object[4 * NAME_MAX_BYTES + 64], size[24];
    struct sr_http_part parts[] = {
        {.name = "object",      .bytes = object},
        {              .name = "filesize",        .bytes = size              },
        { .name = "file", .filename = name,               .content_type = type },
    };
    const struct sr_http_call call = {
        .url = b->url,
        .user = b->user,
        .password = b->password,
        .headers = &accept,
        .header_count = 1,
        .parts = parts,
        .part_count = 3,
        .progress = on_sent,
        .timeout_ms = UINT_MAX,
        .stall_s = b->stall_s,
        .answer_max = ANSWER_MAX,
    };
    int rc;

    parts[0].len = describe(object, name, type);
    parts[1].len = (size_t)sprintf(size, "%llu", (unsigned long long)b->size);
    parts[2].bytes = content->bytes;
    parts[2].len = content->len;
    parts[2].file = content->file;
    rc = sr_http_request(b->http, &call, on_posted, b, &b->request);
    if (!rc)
        b->state = ASKING;
    return rc;
}

static int post(struct sr_binary *b, const char *name, const char *type, uint64_t size,
                const struct sr_http_part *content, sr_binary_fn fn, void *arg)
{
    int rc = begin(b, fn, arg, false);

    if (rc)
        return rc;
    if (!type)
        type = "application/octet-stream";
    if (!is_name(name) || !is_name(type))
        return SR_E_INVAL;
    if (size > limit_of(b))
        return SR_E_TOOBIG;
    b->size = size;
    return upload(b, name, type, content);
}

int sr_binary_post(struct sr_binary *b, const char *name, const char *type,
                   const void *bytes, size_t len, sr_binary_fn fn, void *arg)
{
    const struct sr_http_part content = { .bytes = bytes, .len = len };

    if (!bytes && len)
        return SR_E_INVAL;
    return post(b, name, type, len, &content, fn, arg);
}

int sr_binary_post_file(struct sr_binary *b, const char *name, const char *type,
                        const char *path, sr_binary_fn fn, void *arg)
{
    const struct sr_http_part content = { .file = path };
    struct stat info;

    if (!b || !name || !path || !fn)
        return SR_E_INVAL;
    if (stat(path, &info) || !S_ISREG(info.st_mode))
        return SR_E_IO;
    return post(b, name, type, (uint64_t)info.st_size, &content, fn, arg);
}

/* --- down --------------------------------------------------------------- */

/* "bytes 10-19/20" or "bytes <star>/20"; what is not there stays as it is. */
static void read_range(const char *text, uint64_t *first, uint64_t *total)
{
    const char *slash = text ? strchr(text, '/') : NULL;

    if (!slash || strncasecmp(text, "bytes ", 6))
        return;
    if (text[6] >= '0' && text[6] <= '9')
        *first = strtoull(text + 6, NULL, 10);
    if (slash[1] >= '0' && slash[1] <= '9')
        *total = strtoull(slash + 1, NULL, 10);
}

/* The rest of what we have, and not of something else? */
static bool continues(struct sr_binary *b, const struct sr_http_result *answer)
{
    const char *version = sr_http_header(answer, "ETag");
    uint64_t first = UINT64_MAX, total = b->total;

    read_range(sr_http_header(answer, "Content-Range"), &first, &total);
    if (first != b->store.size || (b->total && total != b->total) || total < first)
        return false;
    if (*b->version && version && strcmp(version, b->version))
        return false;
    b->total = total;
    return true;
}

static int from_the_start(struct sr_binary *b, const struct sr_http_result *answer)
{
    const char *version = sr_http_header(answer, "ETag");
    const char *length = sr_http_header(answer, "Content-Length");

    if (sr_binary_store_rewind(&b->store))
        return fail(b, SR_E_IO, strerror(b->store.error));
    b->total = length ? strtoull(length, NULL, 10) : 0;
    snprintf(b->version, sizeof b->version, "%s",
             version && strlen(version) < sizeof b->version ? version : "");
    return 0;
}

/* The head of a good answer has come: what are its bytes? */
static int open_answer(struct sr_binary *b, const struct sr_http_result *answer)
{
    b->began = true;
    if (answer->status == 206 && !continues(b, answer)) {
        b->anew = true;
        return fail(b, SR_E_PROTO, "the platform sent another range than asked for");
    }
    if (answer->status != 206 && sr_http_header(answer, "Content-Range")) {
        b->anew = true;
        return fail(b, SR_E_PROTO, "the platform sent a range as if it were the whole");
    }
    if (answer->status != 206 && from_the_start(b, answer))
        return b->failed;
    if (!b->total && !sr_http_has_end(answer)) {
        b->anew = true;
        return fail(b, SR_E_PROTO, "the answer does not say where the binary ends");
    }
    if (b->total > limit_of(b))
        return fail(b, SR_E_TOOBIG, "the binary is larger than the limit");
    return 0;
}

static bool on_data(void *arg, const struct sr_http_result *so_far, const char *bytes,
                    size_t len)
{
    struct sr_binary *b = arg;
    int rc;

    if (!b->began && open_answer(b, so_far))
        return false;
    if (len > limit_of(b) - b->store.size) {
        fail(b, SR_E_TOOBIG, "the binary is larger than the limit");
        return false;
    }
    rc = sr_binary_store_write(&b->store, bytes, len);
    if (rc) {
        fail(b, rc, rc == SR_E_IO ? strerror(b->store.error) : sr_strerror(rc));
        return false;
    }
    return tell(b, b->store.size, b->total);
}

static void on_kept(void *arg, int error)
{
    struct sr_binary *b = arg;

    finish(b, error ? fail(b, SR_E_IO, strerror(error)) : 0);
}

static void complete(struct sr_binary *b)
{
    b->request = NULL;
    b->size = b->store.size;
    if (b->in_memory)
        finish(b, 0);
    else if (sr_binary_store_keep(&b->store, b->loop, on_kept, b))
        finish(b, fail(b, SR_E_NOMEM, "out of memory"));
    else
        b->state = KEEPING;
}

/* After something that time may mend. */
static void retry(struct sr_binary *b, int rc)
{
    b->request = NULL;
    if (b->store.size > b->high) {
        b->high = b->store.size;
        b->failures = 0;
        sr_backoff_reset(&b->backoff);
    } else if (b->failures++ >= b->retries) {
        finish(b, rc);
        return;
    }
    if (b->anew && sr_binary_store_rewind(&b->store)) {
        finish(b, fail(b, SR_E_IO, strerror(b->store.error)));
        return;
    }
    if (b->anew) {
        b->total = 0;
        *b->version = '\0';
    }
    b->state = PAUSED;
    sr_deadline_set(&b->pause, sr_backoff_next(&b->backoff, sr_random32()));
}

/* 416: there is nothing behind what we have. Then it is whole, or of another version. */
static bool is_whole_after_all(struct sr_binary *b, const struct sr_http_result *answer)
{
    uint64_t first = 0, total = UINT64_MAX;

    read_range(sr_http_header(answer, "Content-Range"), &first, &total);
    return b->store.size && total == b->store.size;
}

static void on_got(void *arg, const struct sr_http_result *result)
{
    struct sr_binary *b = arg;
    int rc = error_of(b, result);

    if (!rc && !b->began) /* without a byte */
        rc = open_answer(b, result);
    if (b->anew) {
        retry(b, rc);
    } else if (result->status == 416 && !result->rc && is_whole_after_all(b, result)) {
        complete(b);
    } else if (result->status == 416 && !result->rc && b->store.size) {
        b->anew = true;
        retry(b, SR_E_PROTO);
    } else if (!rc && b->total && b->store.size != b->total) {
        retry(b, fail(b, SR_E_PROTO, "the binary came with another length than said"));
    } else if (!rc) {
        complete(b);
    } else if (!b->failed && (rc == SR_E_UNREACHABLE || rc == SR_E_TIMEOUT)) {
        retry(b, rc);
    } else {
        finish(b, rc);
    }
}

static int download(struct sr_binary *b)
{
    char range[40], *url;
    const struct sr_http_header headers[] = {
        {"Accept",    NULL      },
        { "Range",    range     },
        { "If-Range", b->version},
    };
    struct sr_http_call call = {
        .user = b->user,
        .password = b->password,
        .headers = headers,
        .header_count = b->store.size ? 2 : 1,
        .data = on_data,
        .timeout_ms = UINT_MAX,
        .stall_s = b->stall_s,
        .answer_max = ANSWER_MAX,
    };
    int rc;

    if (b->store.size && *b->version && strncmp(b->version, "W/", 2))
        call.header_count = 3;
    snprintf(range, sizeof range, "bytes=%llu-", (unsigned long long)b->store.size);
    if (asprintf(&url, "%s/%s", b->url, b->id) < 0)
        return SR_E_NOMEM;
    call.url = url;
    b->began = b->anew = false;
    b->failed = 0;
    rc = sr_http_request(b->http, &call, on_got, b, &b->request);
    free(url);
    if (!rc)
        b->state = ASKING;
    return rc;
}

static void ask_again(void *arg)
{
    struct sr_binary *b = arg;
    int rc = download(b);

    if (rc)
        finish(b, fail(b, rc, sr_strerror(rc)));
}

static int get(struct sr_binary *b, const char *id, const char *path, sr_binary_fn fn,
               void *arg)
{
    int rc = sr_binary_id_valid(id) ? begin(b, fn, arg, !path) : SR_E_INVAL;

    if (rc)
        return rc;
    strcpy(b->id, id);
    rc = sr_binary_store_open(&b->store, path);
    if (!rc)
        rc = download(b);
    if (rc)
        sr_binary_store_release(&b->store);
    return rc;
}

int sr_binary_get(struct sr_binary *b, const char *id, sr_binary_fn fn, void *arg)
{
    return get(b, id, NULL, fn, arg);
}

int sr_binary_get_file(struct sr_binary *b, const char *id, const char *path,
                       sr_binary_fn fn, void *arg)
{
    return path && *path ? get(b, id, path, fn, arg) : SR_E_INVAL;
}
