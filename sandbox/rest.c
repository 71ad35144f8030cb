/* SPDX-License-Identifier: MIT */
/* Routing, errors, paging, and who may do what. */
#include "params.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE_DEFAULT = 5, PAGE_MAX = 2000, SEGMENTS = 8 };

/* --- replies ------------------------------------------------------------- */

void sb_reply_release(struct sb_reply *reply)
{
    json_decref(reply->json);
    free(reply->location);
    sb_file_free(reply->file);
    *reply = (struct sb_reply){ 0 };
}

static const char *error_name(int status)
{
    switch (status) {
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 409: return "Duplicate";
    case 413: return "Payload Too Large";
    case 415: return "Unsupported Media Type";
    case 416: return "Range Not Satisfiable";
    case 503: return "Service Unavailable";
    case 422: return "Invalid Data";
    default: return "Internal Server Error";
    }
}

static void to_ascii(char *text)
{
    for (; *text; text++)
        if (*text & 0x80)
            *text = '?';
}

void sb_reply_error(struct sb_reply *reply, int status, const char *resource,
                    const char *format, ...)
{
    char message[512];
    json_t *text;
    va_list args;

    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    text = json_string(message);
    if (!text) { /* what it quotes, or the cut at the end, is not UTF-8 */
        to_ascii(message);
        text = json_string(message);
    }
    sb_reply_release(reply);
    reply->status = status;
    reply->json = json_pack("{s:o, s:o, s:s}", "error",
                            json_sprintf("%s/%s", resource, error_name(status)),
                            "message", text, "info", "");
}

void sb_reply_object(const struct sb_call *call, struct sb_reply *reply, int status,
                     json_t *json)
{
    if (!json) {
        sb_reply_error(reply, 500, "general", "out of memory, or the store failed");
        return;
    }
    reply->status = status;
    if (call->wants_body || !strcmp(call->method, "GET"))
        reply->json = json;
    else
        json_decref(json);
}

void sb_reply_created(const struct sb_call *call, struct sb_reply *reply, json_t *json)
{
    const char *self = sb_json_text(json, "self");

    if (self && call->wants_location)
        reply->location = strdup(self);
    sb_reply_object(call, reply, 201, json);
}

void sb_reply_nothing(struct sb_reply *reply)
{
    reply->status = 204;
}

void sb_end_changes(struct sb_rest *rest, struct sb_reply *reply)
{
    if (reply->status >= 400 && !reply->keep)
        sb_store_rollback(rest->store);
    else if (!sb_store_commit(rest->store))
        sb_reply_error(reply, 500, "general", "the store could not be written");
}

/* --- links and small values ------------------------------------------------ */

/* "http[s]://<host><path>", with everything escaped that a path may not hold. */
static void add_url(struct sb_text *text, const struct sb_call *call, const char *path)
{
    sb_text_format(text, "%s://%s", call->tls ? "https" : "http",
                   call->host && *call->host ? call->host : "localhost");
    for (; *path; path++) {
        unsigned char c = (unsigned char)*path;

        if ((c | 0x20) >= 'a' && (c | 0x20) <= 'z')
            sb_text_add(text, path, 1);
        else if ((c >= '0' && c <= '9') || strchr("/-._~:", c))
            sb_text_add(text, path, 1);
        else
            sb_text_format(text, "%%%02X", c);
    }
}

static char *vlink(const struct sb_call *call, const char *format, va_list args)
{
    struct sb_text text = { 0 };
    char path[2400];

    vsnprintf(path, sizeof path, format, args);
    add_url(&text, call, path);
    return sb_text_take(&text, NULL);
}

char *sb_link(const struct sb_call *call, const char *format, ...)
{
    va_list args;
    char *link;

    va_start(args, format);
    link = vlink(call, format, args);
    va_end(args);
    return link;
}

json_t *sb_json_link(const struct sb_call *call, const char *format, ...)
{
    va_list args;
    char *link;
    json_t *json;

    va_start(args, format);
    link = vlink(call, format, args);
    va_end(args);
    json = link ? json_string(link) : NULL;
    if (link && !json) /* a Host header that is not UTF-8 */
        json = json_string("");
    free(link);
    return json;
}

json_t *sb_json_id(int64_t id)
{
    char text[24];

    snprintf(text, sizeof text, "%lld", (long long)id);
    return json_string(text);
}

json_t *sb_json_time(int64_t ms)
{
    char text[SB_TIME_SIZE];

    return json_string(sb_time_format(ms, text));
}

int64_t sb_id(const char *text)
{
    size_t len = text ? strspn(text, "0123456789") : 0;

    if (!len || len > 18 || text[len])
        return 0;
    return strtoll(text, NULL, 10);
}

/* --- paths and queries ------------------------------------------------------ */

static int hex(char c)
{
    const char *digits = "0123456789abcdef";
    const char *at = c ? strchr(digits, c | 0x20) : NULL;

    return at ? (int)(at - digits) : -1;
}

/* Decodes %xx and + in place; false if the escape is broken or makes a NUL. */
static bool decode(char *text)
{
    char *out = text;

    for (; *text; text++) {
        if (*text == '+') {
            *out++ = ' ';
        } else if (*text == '%') {
            int high = hex(text[1]), low = high < 0 ? -1 : hex(text[2]);

            if (low < 0 || high + low == 0)
                return false;
            *out++ = (char)(high * 16 + low);
            text += 2;
        } else {
            *out++ = *text;
        }
    }
    *out = '\0';
    return true;
}

/* Cuts `copy` up at `&` and `=`; args->query points into it. */
static bool parse_query(char *copy, struct sb_args *args)
{
    char *part, *rest = copy;

    while ((part = strsep(&rest, "&"))) {
        char *value = strchr(part, '=');

        if (!*part)
            continue;
        if (args->n_query == sizeof args->query / sizeof args->query[0])
            return false;
        if (value)
            *value++ = '\0';
        if (!decode(part) || (value && !decode(value)))
            return false;
        args->query[args->n_query].name = part;
        args->query[args->n_query++].value = value ? value : part + strlen(part);
    }
    return true;
}

const char *sb_arg(const struct sb_args *args, const char *name)
{
    size_t i;

    for (i = 0; i < args->n_query; i++)
        if (!strcmp(args->query[i].name, name))
            return args->query[i].value;
    return NULL;
}

/* The length of the segment at `path`. */
static size_t segment(const char *path)
{
    return strcspn(path, "/");
}

/* Matches behind the leading slashes; fills ret_at/ret_len for each `{}`. */
static bool match(const char *route, const char *path, const char *ret_at[4],
                  size_t ret_len[4])
{
    size_t n = 0;

    while (*route == '/' && *path == '/') {
        size_t want = segment(++route), have = segment(++path);

        if (want == 3 && !strncmp(route, "{*}", 3)) {
            ret_at[n] = path;
            ret_len[n] = strlen(path);
            return *path != '\0';
        }
        if (want == 2 && !strncmp(route, "{}", 2)) {
            if (!have || n == 4)
                return false;
            ret_at[n] = path;
            ret_len[n++] = have;
        } else if (want != have || strncmp(route, path, want)) {
            return false;
        }
        route += want;
        path += have;
    }
    return !*route && (!*path || !strcmp(path, "/"));
}

/* --- dispatch ----------------------------------------------------------------- */

static const struct sb_route *const tables[] = {
    sb_measurement_routes, sb_operation_routes, sb_identity_routes, sb_inventory_routes,
    sb_child_routes,       sb_event_routes,     sb_alarm_routes,    sb_device_routes,
    sb_tenant_routes,      sb_binary_routes,
};

static const struct sb_route *find_route(const struct sb_call *call,
                                         const char *ret_at[4], size_t ret_len[4],
                                         bool *ret_path_known)
{
    const struct sb_route *route;
    size_t i;

    *ret_path_known = false;
    for (i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        for (route = tables[i]; route->path; route++) {
            memset(ret_len, 0, 4 * sizeof *ret_len);
            if (!match(route->path, call->path, ret_at, ret_len))
                continue;
            *ret_path_known = true;
            if (!strcmp(route->method, call->method))
                return route;
        }
    }
    return NULL;
}

/* The bootstrap account has one right: to ask for credentials. */
static bool allowed(const struct sb_call *call, struct sb_reply *reply)
{
    if (call->who->role == SB_NOBODY)
        sb_reply_error(reply, 401, "security",
                       "user name or password missing or wrong");
    else if (call->who->role == SB_BOOTSTRAP &&
             strncmp(call->path, "/devicecontrol/deviceCredentials", 32))
        sb_reply_error(reply, 403, "security",
                       "the bootstrap user may only ask for device credentials");
    else
        return true;
    return false;
}

static bool takes_body(const struct sb_call *call, struct sb_reply *reply)
{
    bool write = !strcmp(call->method, "POST") || !strcmp(call->method, "PUT");

    if (!write || json_is_object(call->body))
        return true;
    sb_reply_error(reply, call->body ? 422 : 400, "general",
                   "%s %s needs a JSON object as its body", call->method, call->path);
    return false;
}

/* A request is a transaction. As a part of another one, of a body of rows, it is
 * none by itself: what makes more than one change there sees to it that they come
 * true together. (An inner transaction for each row costs twice the row.) */
static void run(struct sb_rest *rest, const struct sb_call *call,
                const struct sb_route *route, struct sb_args *args,
                struct sb_reply *reply)
{
    if (!strcmp(call->method, "GET") || sb_store_in_transaction(rest->store)) {
        route->handler(rest, call, args, reply);
        return;
    }
    sb_store_begin(rest->store);
    route->handler(rest, call, args, reply);
    sb_end_changes(rest, reply);
}

static const struct sb_param *params_of(const struct sb_route *route)
{
    return route->params ? route->params : sb_no_params;
}

/* Cuts up `copy` of the call's query, and looks whether the route takes it. */
static bool read_query(const struct sb_call *call, const struct sb_route *route,
                       char *copy, struct sb_args *args, struct sb_reply *reply)
{
    if (!copy)
        sb_reply_error(reply, 500, "general", "out of memory");
    else if (!parse_query(copy, args))
        sb_reply_error(reply, 400, "general", "the query of %s is malformed",
                       call->path);
    else
        return sb_params_check(call, params_of(route), args, reply);
    return false;
}

bool sb_rest_query_ok(const struct sb_call *call, struct sb_reply *reply)
{
    struct sb_args args = { 0 };
    char *query = strdup(call->query);
    const char *at[4];
    size_t len[4];
    bool known, ok = true;
    const struct sb_route *route = find_route(call, at, len, &known);

    if (route)
        ok = read_query(call, route, query, &args, reply);
    free(query);
    return ok;
}

static void dispatch(struct sb_rest *rest, const struct sb_call *call,
                     const struct sb_route *route, const char *at[4],
                     const size_t len[4], struct sb_reply *reply)
{
    struct sb_args args = { 0 };
    char *query = strdup(call->query);
    bool ok = true;
    size_t i;

    for (i = 0; i < 4 && len[i]; i++) {
        args.path[i] = strndup(at[i], len[i]);
        ok = ok && args.path[i];
    }
    if (!ok)
        sb_reply_error(reply, 500, "general", "out of memory");
    else if (read_query(call, route, query, &args, reply))
        run(rest, call, route, &args, reply);
    for (i = 0; i < 4; i++)
        free(args.path[i]);
    free(query);
}

void sb_rest_handle(struct sb_rest *rest, const struct sb_call *call,
                    struct sb_reply *reply)
{
    const struct sb_route *route;
    const char *at[4];
    size_t len[4];
    bool known;

    if (!allowed(call, reply))
        return;
    route = find_route(call, at, len, &known);
    if (!route && known)
        sb_reply_error(reply, 405, "general", "%s is not possible on %s", call->method,
                       call->path);
    else if (!route)
        sb_reply_error(reply, 404, "general", "there is no resource %s", call->path);
    else if (takes_body(call, reply))
        dispatch(rest, call, route, at, len, reply);
}

/* --- lists ---------------------------------------------------------------------- */

struct page {
    int64_t size, current;
    bool total;
};

static bool page_number(const struct sb_args *args, const char *name, int64_t lowest,
                        int64_t *number)
{
    const char *text = sb_arg(args, name);
    int64_t value = text ? sb_id(text) : *number;

    if (text && value == 0 && strcmp(text, "0"))
        return false;
    if (value < lowest || value > INT32_MAX)
        return false;
    *number = value;
    return true;
}

static bool parse_page(const struct sb_args *args, struct page *ret_page)
{
    const char *total = sb_arg(args, "withTotalPages");
    struct page page = { PAGE_DEFAULT, 1, total && !strcmp(total, "true") };

    if (!page_number(args, "pageSize", 1, &page.size) ||
        !page_number(args, "currentPage", 1, &page.current))
        return false;
    if (page.size > PAGE_MAX)
        page.size = PAGE_MAX;
    *ret_page = page;
    return true;
}

/* The query without its paging, and with the paging of `page`. */
static json_t *page_link(const struct sb_call *call, const struct page *page,
                         int64_t current)
{
    struct sb_text text = { 0 };
    const char *part = call->query;
    json_t *link;

    add_url(&text, call, call->path);
    sb_text_add(&text, "?", 1);
    while (*part) {
        size_t len = strcspn(part, "&");

        if (len && strncmp(part, "pageSize=", 9) && strncmp(part, "currentPage=", 12)) {
            sb_text_add(&text, part, len);
            sb_text_add(&text, "&", 1);
        }
        part += len + (part[len] == '&');
    }
    sb_text_format(&text, "pageSize=%lld&currentPage=%lld", (long long)page->size,
                   (long long)current);
    link = json_string(sb_text_get(&text));
    sb_text_release(&text);
    return link ? link : json_string("");
}

static int64_t count(struct sb_rest *rest, const struct sb_list *list,
                     const struct sb_select *select)
{
    char *head = sb_format("SELECT count(*)%s", list->from);
    sqlite3_stmt *query = head ? sb_select_query(rest->store, select, head, "") : NULL;
    int64_t n = sb_row(query) ? sqlite3_column_int64(query, 0) : 0;

    sqlite3_finalize(query);
    free(head);
    return n;
}

static json_t *read_items(struct sb_rest *rest, const struct sb_call *call,
                          const struct sb_list *list, const struct sb_select *select,
                          const struct page *page)
{
    char *head = sb_format("%s%s", list->columns, list->from);
    char *tail =
        sb_format("%s LIMIT %lld OFFSET %lld", list->order, (long long)page->size,
                  (long long)((page->current - 1) * page->size));
    sqlite3_stmt *query =
        head && tail ? sb_select_query(rest->store, select, head, tail) : NULL;
    json_t *items = query ? json_array() : NULL;

    while (items && sb_row(query))
        json_array_append_new(items, list->item(rest, call, query));
    sqlite3_finalize(query);
    free(head);
    free(tail);
    return items;
}

static json_t *statistics(const struct page *page, int64_t total)
{
    json_t *json = json_pack("{s:I, s:I}", "pageSize", (json_int_t)page->size,
                             "currentPage", (json_int_t)page->current);

    if (page->total)
        json_object_set_new(json, "totalPages",
                            json_integer((total + page->size - 1) / page->size));
    return json;
}

void sb_reply_list(struct sb_rest *rest, const struct sb_call *call,
                   const struct sb_args *args, const struct sb_list *list,
                   const struct sb_select *select, struct sb_reply *reply)
{
    struct page page;
    json_t *items, *json;

    if (!parse_page(args, &page)) {
        sb_reply_error(reply, 400, list->resource,
                       "pageSize and currentPage are numbers from 1");
        return;
    }
    items = read_items(rest, call, list, select, &page);
    if (!items) {
        sb_reply_error(reply, 500, list->resource, "the store could not be read");
        return;
    }
    json = json_object();
    json_object_set_new(json, "self", page_link(call, &page, page.current));
    json_object_set_new(json, "statistics",
                        statistics(&page, page.total ? count(rest, list, select) : 0));
    if ((int64_t)json_array_size(items) == page.size)
        json_object_set_new(json, "next", page_link(call, &page, page.current + 1));
    if (page.current > 1)
        json_object_set_new(json, "prev", page_link(call, &page, page.current - 1));
    json_object_set_new(json, list->name, items);
    sb_reply_object(call, reply, 200, json);
}

/* --- who may ------------------------------------------------------------------- */

bool sb_operator_only(const struct sb_call *call, const char *resource,
                      struct sb_reply *reply)
{
    if (call->who->role == SB_OPERATOR)
        return true;
    sb_reply_error(reply, 403, resource, "%s %s is for operators", call->method,
                   call->path);
    return false;
}

/* Its own, or below one of its own. */
static bool owns(struct sb_rest *rest, const char *user, int64_t id)
{
    return sb_number(rest->store, 0,
                     "SELECT 1 FROM managed_object WHERE id = ? AND owner = ?", "is",
                     id, user) ||
           sb_number(rest->store, 0,
                     "WITH RECURSIVE up(id) AS (SELECT ?1 UNION"
                     " SELECT parent FROM child JOIN up ON child.child = up.id)"
                     " SELECT 1 FROM up JOIN managed_object m ON m.id = up.id"
                     " WHERE m.owner = ?2 LIMIT 1",
                     "is", id, user);
}

static bool is_global(struct sb_rest *rest, int64_t id)
{
    return sb_number(rest->store, 0,
                     "SELECT json_type(body, '$.c8y_Global') IS NOT NULL"
                     " FROM managed_object WHERE id = ?",
                     "i", id);
}

bool sb_may(struct sb_rest *rest, const struct sb_call *call, int64_t id,
            enum sb_access access, const char *resource, struct sb_reply *reply)
{
    if (call->who->role == SB_OPERATOR && sb_object_exists(rest, id))
        return true;
    if (call->who->role == SB_DEVICE && owns(rest, call->who->user, id))
        return true;
    if (!sb_object_exists(rest, id))
        sb_reply_error(reply, 404, resource, "there is no managed object %lld",
                       (long long)id);
    else if (access == SB_READ && is_global(rest, id))
        return true;
    else
        sb_reply_error(reply, 403, resource, "managed object %lld is not %s's",
                       (long long)id, call->who->user);
    return false;
}

void sb_select_visible(struct sb_select *select, const struct sb_call *call,
                       const char *column)
{
    if (call->who->role == SB_OPERATOR)
        return;
    sb_text_format(&select->sql, " AND %s IN (", column);
    sb_select_text(select,
                   "WITH RECURSIVE below(id) AS (SELECT id FROM managed_object"
                   " WHERE owner = ? UNION SELECT child FROM child"
                   " JOIN below ON child.parent = below.id) SELECT id FROM below)",
                   call->who->user);
}
