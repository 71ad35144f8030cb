/* SPDX-License-Identifier: MIT */
#include "binary.h"

#include "documents.h"
#include "params.h"
#include "range.h"
#include "regular.h"
#include "upload.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_USUAL     (500ull << 20)
#define FORM_OVERHEAD (1u << 20) /* what a multipart body may have beside the file */
#define UNKNOWN_TYPE  "application/octet-stream"
#define BINARIES      "/inventory/binaries"

struct sb_binaries {
    struct sb_store *store;
    char *dir; /* NULL: there is none */
    uint64_t max;
};

/* --- the folder ------------------------------------------------------------------- */

/* A file that nobody refers to any more is noted, whatever the reason is. */
static bool make_tables(struct sb_store *store)
{
    static const char *const statements[] = {
        "CREATE TABLE IF NOT EXISTS binary(owner INTEGER PRIMARY KEY,"
        " file INTEGER NOT NULL, name TEXT NOT NULL, type TEXT NOT NULL,"
        " length INTEGER NOT NULL)",
        "CREATE TABLE IF NOT EXISTS stale_file(file INTEGER PRIMARY KEY)",
        "CREATE TRIGGER IF NOT EXISTS binary_gone AFTER DELETE ON binary BEGIN"
        " INSERT OR IGNORE INTO stale_file VALUES(old.file); END",
        "CREATE TRIGGER IF NOT EXISTS binary_replaced AFTER UPDATE OF file ON binary"
        " BEGIN INSERT OR IGNORE INTO stale_file VALUES(old.file); END",
        "CREATE TRIGGER IF NOT EXISTS binary_object AFTER DELETE ON managed_object"
        " BEGIN DELETE FROM binary WHERE owner = old.id; END",
        "CREATE TRIGGER IF NOT EXISTS binary_event AFTER DELETE ON event"
        " BEGIN DELETE FROM binary WHERE owner = old.id; END",
    };
    size_t i;

    for (i = 0; i < sizeof statements / sizeof statements[0]; i++)
        if (sb_run(store, statements[i], "") < 0)
            return false;
    return true;
}

static char *path_of(const struct sb_binaries *binaries, int64_t file)
{
    return sb_format("%s/%lld", binaries->dir, (long long)file);
}

static void remove_file(const struct sb_binaries *binaries, int64_t file)
{
    char *path = path_of(binaries, file);

    if (path)
        unlink(path);
    free(path);
}

void sb_binaries_sweep(struct sb_binaries *binaries)
{
    sqlite3_stmt *query;
    bool any = false;

    if (!binaries->dir)
        return;
    query = sb_query(binaries->store, "SELECT file FROM stale_file", "");
    while (sb_row(query)) {
        remove_file(binaries, sqlite3_column_int64(query, 0));
        any = true;
    }
    sb_done(query);
    if (any)
        sb_run(binaries->store, "DELETE FROM stale_file", "");
}

static bool is_known(const struct sb_binaries *binaries, const char *name)
{
    int64_t file = sb_id(name);

    return file && sb_number(binaries->store, 0, "SELECT 1 FROM binary WHERE file = ?",
                             "i", file);
}

static void remove_unknown(struct sb_binaries *binaries)
{
    DIR *dir = opendir(binaries->dir);
    struct dirent *entry;

    while (dir && (entry = readdir(dir)))
        if (entry->d_name[0] != '.' && !is_known(binaries, entry->d_name))
            unlinkat(dirfd(dir), entry->d_name, 0);
    if (dir)
        closedir(dir);
}

/* It is made with the first file. */
static bool make_folder(const struct sb_binaries *binaries)
{
    return mkdir(binaries->dir, 0700) == 0 || errno == EEXIST;
}

int sb_binaries_open(struct sb_store *store, const char *dir, uint64_t max,
                     struct sb_binaries **ret_binaries, char **ret_error)
{
    struct sb_binaries *binaries = calloc(1, sizeof *binaries);
    int rc = 0;

    if (!binaries || !make_tables(store)) {
        *ret_error = strdup("the tables for files could not be made");
        rc = SR_E_IO;
        goto done;
    }
    binaries->store = store;
    binaries->max = max ? max : MAX_USUAL;
    if (dir && !(binaries->dir = sb_format("%s/binaries", dir))) {
        *ret_error = strdup("out of memory");
        rc = SR_E_NOMEM;
        goto done;
    }
    if (dir)
        remove_unknown(binaries);
    *ret_binaries = binaries;
    binaries = NULL;
done:
    sb_binaries_close(binaries);
    return rc;
}

void sb_binaries_close(struct sb_binaries *binaries)
{
    if (!binaries)
        return;
    free(binaries->dir);
    free(binaries);
}

/* --- what a request is about ---------------------------------------------------------- */

struct target {
    bool event; /* an attachment */
    int64_t id; /* of the object or the event; 0: to be made */
};

/* The number at *path, which is left behind it. */
static int64_t take_id(const char **path)
{
    size_t len = strspn(*path, "0123456789");
    char digits[20] = "";

    if (len < sizeof digits)
        memcpy(digits, *path, len);
    *path += len;
    return sb_id(digits);
}

static bool is_end(const char *path)
{
    return !*path || !strcmp(path, "/");
}

static bool parse_target(const char *path, struct target *target)
{
    static const char events[] = "/event/events/";

    *target = (struct target){ 0 };
    if (!strncmp(path, BINARIES, sizeof BINARIES - 1)) {
        path += sizeof BINARIES - 1;
        if (is_end(path))
            return true;
        if (*path++ == '/')
            target->id = take_id(&path);
        return target->id && is_end(path);
    }
    if (strncmp(path, events, sizeof events - 1))
        return false;
    path += sizeof events - 1;
    target->event = true;
    target->id = take_id(&path);
    return target->id && !strncmp(path, "/binaries", 9) && is_end(path + 9);
}

bool sb_binary_takes(const char *method, const char *path)
{
    bool post = !strcmp(method, "POST"), put = !strcmp(method, "PUT");
    struct target target;

    if ((!post && !put) || !parse_target(path, &target))
        return false;
    return target.event || post == !target.id;
}

static bool load_event(struct sb_rest *rest, const struct sb_call *call, int64_t id,
                       enum sb_access access, struct sb_reply *reply)
{
    char digits[24];
    struct sb_args args = { .path = { digits } };
    struct sb_document event;

    snprintf(digits, sizeof digits, "%lld", (long long)id);
    if (!sb_document_load(rest, call, &args, SB_EVENT, access, &event, reply))
        return false;
    json_decref(event.body);
    return true;
}

static bool may(struct sb_rest *rest, const struct sb_call *call,
                const struct target *target, enum sb_access access,
                struct sb_reply *reply)
{
    if (target->event)
        return load_event(rest, call, target->id, access, reply);
    return !target->id || sb_may(rest, call, target->id, access, "inventory", reply);
}

static bool has_file(struct sb_rest *rest, int64_t id)
{
    return sb_number(rest->store, 0, "SELECT 1 FROM binary WHERE owner = ?", "i", id);
}

/* A POST makes a file where there is none, a PUT replaces one. */
static bool fits_method(struct sb_rest *rest, const struct sb_call *call,
                        const struct target *target, struct sb_reply *reply)
{
    bool there = target->id && has_file(rest, target->id);

    if (!strcmp(call->method, "POST") && there)
        sb_reply_error(reply, 409, "event", "event %lld has a file already",
                       (long long)target->id);
    else if (strcmp(call->method, "POST") && !there)
        sb_reply_error(reply, 404, target->event ? "event" : "inventory",
                       "%lld has no file", (long long)target->id);
    else
        return true;
    return false;
}

/* --- uploads ----------------------------------------------------------------------------- */

static void refuse_size(const struct sb_rest *rest, struct sb_reply *reply)
{
    sb_reply_error(reply, 413, "inventory", "the file is larger than %llu bytes",
                   (unsigned long long)rest->binaries->max);
}

static bool is_form(const char *content_type)
{
    return content_type && !strncasecmp(content_type, "multipart/form-data", 19);
}

/* A whole file has to be named and described, which takes a form. */
static bool fits_type(const struct target *target, const char *content_type,
                      struct sb_reply *reply)
{
    char *boundary;
    bool ok = true;

    if (is_form(content_type)) {
        boundary = sb_header_parameter(content_type, "boundary");
        ok = boundary && *boundary && strlen(boundary) <= 200;
        free(boundary);
    } else if (!target->event && !target->id) {
        ok = false;
    }
    if (!ok)
        sb_reply_error(reply, 415, "inventory",
                       "multipart/form-data with a boundary is needed");
    return ok;
}

static bool is_user(const struct sb_call *call, struct sb_reply *reply)
{
    if (call->who->role == SB_DEVICE || call->who->role == SB_OPERATOR)
        return true;
    sb_reply_error(reply, call->who->role == SB_NOBODY ? 401 : 403, "security",
                   "a device's or an operator's account is needed");
    return false;
}

struct sb_upload *sb_binary_begin(struct sb_rest *rest, const struct sb_call *call,
                                  const char *content_type, const char *disposition,
                                  uint64_t length, struct sb_reply *reply)
{
    struct sb_binaries *binaries = rest->binaries;
    struct sb_upload *upload;
    struct target target;

    parse_target(call->path, &target);
    if (!is_user(call, reply) || !sb_rest_query_ok(call, reply) ||
        !may(rest, call, &target, SB_WRITE, reply) ||
        !fits_method(rest, call, &target, reply) ||
        !fits_type(&target, content_type, reply))
        return NULL;
    if (length > binaries->max + (is_form(content_type) ? FORM_OVERHEAD : 0)) {
        refuse_size(rest, reply);
        return NULL;
    }
    if (!binaries->dir) {
        sb_reply_error(reply, 503, "inventory", "there is no data folder for files");
        return NULL;
    }
    upload = make_folder(binaries) ? sb_upload_new(binaries->dir, binaries->max,
                                                   content_type, disposition)
                                   : NULL;
    if (!upload)
        sb_reply_error(reply, 500, "inventory", "no file can be made: %s",
                       strerror(errno));
    return upload;
}

/* Text that may stand in JSON and in a header. */
static bool is_clean(const char *text)
{
    size_t len = strlen(text);
    json_t *json = json_string(text);
    bool ok = json && len && len <= 255;

    for (; *text; text++)
        ok = ok && (unsigned char)*text >= ' ' && *text != 0x7f;
    json_decref(json);
    return ok;
}

static const char *first_clean(const char *a, const char *b, const char *otherwise)
{
    if (a && is_clean(a))
        return a;
    return b && is_clean(b) ? b : otherwise;
}

static void set_ascii_type(const char **type)
{
    const char *p;

    for (p = *type; *p; p++)
        if (*p & 0x80)
            *type = UNKNOWN_TYPE;
}

/* What is stored: the object's properties, and what we know of the file. */
struct description {
    json_t *object;
    const char *name, *type;
};

/* False with an error. */
static bool describe(const struct sb_upload *upload, struct description *ret_what,
                     struct sb_reply *reply)
{
    char wrong[SB_JSON_ERROR] = "not an object";
    json_t *object = upload->object.len
                         ? sb_json_read(upload->object.data, upload->object.len, wrong)
                         : json_object();

    if (!json_is_object(object)) {
        sb_reply_error(reply, 422, "inventory", "the part `object` is %s", wrong);
        json_decref(object);
        return false;
    }
    ret_what->object = object;
    ret_what->name = first_clean(sb_json_text(object, "name"), upload->name, "binary");
    ret_what->type =
        first_clean(sb_json_text(object, "type"), upload->type, UNKNOWN_TYPE);
    set_ascii_type(&ret_what->type);
    return true;
}

static bool not_written(struct sb_reply *reply)
{
    sb_reply_error(reply, 500, "inventory", "the store could not be written");
    return false;
}

/* Moves the file to its place and notes it. */
static bool store_file(struct sb_rest *rest, int64_t owner, struct sb_upload *upload,
                       const struct description *what, struct sb_reply *reply)
{
    int64_t file = sb_store_next_id(rest->store);
    char *path = file ? path_of(rest->binaries, file) : NULL;
    bool kept = path && sb_upload_keep(upload, path);

    free(path);
    if (!kept) {
        sb_reply_error(reply, 500, "inventory", "the file could not be kept: %s",
                       strerror(errno));
        return false;
    }
    if (sb_run(rest->store,
               "INSERT INTO binary VALUES(?1, ?2, ?3, ?4, ?5) ON CONFLICT(owner)"
               " DO UPDATE SET file = ?2, name = ?3, type = ?4, length = ?5",
               "iissi", owner, file, what->name, what->type, (int64_t)upload->len) > 0)
        return true;
    remove_file(rest->binaries, file);
    return not_written(reply);
}

static void create_object(struct sb_rest *rest, const struct sb_call *call,
                          struct sb_upload *upload, const struct description *what,
                          struct sb_reply *reply)
{
    int64_t id;

    json_object_set_new(what->object, "c8y_IsBinary", json_string(""));
    json_object_set_new(what->object, "contentType", json_string(what->type));
    json_object_set_new(what->object, "length", json_integer((json_int_t)upload->len));
    if (!json_object_get(what->object, "name"))
        json_object_set_new(what->object, "name", json_string(what->name));
    id = sb_object_create(rest, call, what->object, reply);
    if (id && store_file(rest, id, upload, what, reply))
        sb_reply_created(call, reply, sb_object_get(rest, call, id));
}

static void replace_object(struct sb_rest *rest, const struct sb_call *call, int64_t id,
                           struct sb_upload *upload, const struct description *what,
                           struct sb_reply *reply)
{
    if (!store_file(rest, id, upload, what, reply))
        return;
    if (sb_run(rest->store,
               "UPDATE managed_object SET updated = ?, body ="
               " json_set(body, '$.length', ?, '$.contentType', ?) WHERE id = ?",
               "iisi", sb_time_now(), (int64_t)upload->len, what->type, id) < 0)
        not_written(reply);
    else
        sb_reply_created(call, reply, sb_object_get(rest, call, id));
    if (reply->status < 400)
        sb_object_changed(rest, call, id);
}

static void attach(struct sb_rest *rest, const struct sb_call *call, int64_t id,
                   struct sb_upload *upload, const struct description *what,
                   struct sb_reply *reply)
{
    json_t *about = json_pack("{s:s, s:I, s:s}", "name", what->name, "length",
                              (json_int_t)upload->len, "type", what->type);
    struct sb_text text = { 0 };

    sb_json_write(&text, about);
    json_object_set_new(
        about, "self",
        sb_json_link(call, "/event/events/%lld/binaries", (long long)id));
    json_object_set_new(about, "source", sb_json_id(id));
    if (store_file(rest, id, upload, what, reply)) {
        if (sb_run(rest->store,
                   "UPDATE event SET body = json_set(body, '$.c8y_IsBinary', json(?))"
                   " WHERE id = ?",
                   "ti", &text, id) < 0)
            not_written(reply);
        else
            sb_reply_created(call, reply, json_incref(about));
    }
    sb_text_release(&text);
    json_decref(about);
}

/* The world may have changed while the file came. */
static void store_upload(struct sb_rest *rest, const struct sb_call *call,
                         struct sb_upload *upload, struct sb_reply *reply)
{
    struct description what = { 0 };
    struct target target;

    parse_target(call->path, &target);
    if (may(rest, call, &target, SB_WRITE, reply) &&
        fits_method(rest, call, &target, reply) && describe(upload, &what, reply)) {
        sb_store_begin(rest->store);
        if (target.event)
            attach(rest, call, target.id, upload, &what, reply);
        else if (target.id)
            replace_object(rest, call, target.id, upload, &what, reply);
        else
            create_object(rest, call, upload, &what, reply);
        sb_end_changes(rest, reply);
    }
    json_decref(what.object);
}

void sb_binary_end(struct sb_rest *rest, const struct sb_call *call,
                   struct sb_upload *upload, struct sb_reply *reply)
{
    sb_upload_finish(upload);
    switch (upload->error) {
    case SB_UPLOAD_OK: store_upload(rest, call, upload, reply); break;
    case SB_UPLOAD_TOO_LARGE: refuse_size(rest, reply); break;
    case SB_UPLOAD_MALFORMED:
        sb_reply_error(reply, 422, "inventory",
                       "the body is no form with one part `file`, or `filesize` is not "
                       "its length, or its end is missing");
        break;
    case SB_UPLOAD_NOT_WRITTEN:
        sb_reply_error(reply, 500, "inventory", "the file could not be written: %s",
                       strerror(upload->write_errno));
        break;
    }
    sb_upload_abort(upload);
}

/* --- downloads ------------------------------------------------------------------------------ */

static void serve(const struct sb_call *call, int fd, uint64_t size, const char *type,
                  struct sb_reply *reply)
{
    struct sb_file *file = calloc(1, sizeof *file);

    if (!file) {
        close(fd);
        sb_reply_error(reply, 500, "inventory", "out of memory");
        return;
    }
    *file = (struct sb_file){ .fd = fd, .size = size, .len = size };
    file->type = strdup(type);
    reply->file = file;
    reply->status = 200;
    switch (sb_range_parse(call->range, size, &file->offset, &file->len)) {
    case SB_RANGE_ALL: return;
    case SB_RANGE_PART:
        file->partial = true;
        reply->status = 206;
        return;
    case SB_RANGE_NOWHERE:
        sb_reply_error(reply, 416, "inventory", "the file has %llu bytes",
                       (unsigned long long)size);
    }
}

static void download(struct sb_rest *rest, const struct sb_call *call,
                     const struct target *target, struct sb_reply *reply)
{
    sqlite3_stmt *query;
    char *path = NULL;
    int fd = -1;

    if (!may(rest, call, target, SB_READ, reply))
        return;
    query = sb_query(rest->store, "SELECT file, type FROM binary WHERE owner = ?", "i",
                     target->id);
    if (!sb_row(query)) {
        sb_reply_error(reply, 404, "inventory", "%lld has no file",
                       (long long)target->id);
    } else {
        struct stat st;

        path = path_of(rest->binaries, sqlite3_column_int64(query, 0));
        if (path)
            fd = sb_open_regular(path, O_RDONLY);
        if (fd >= 0 && fstat(fd, &st) == 0)
            serve(call, fd, (uint64_t)st.st_size, sb_column(query, 1), reply);
        else
            sb_reply_error(reply, 500, "inventory", "the file of %lld is lost: %s",
                           (long long)target->id, sb_regular_error(errno));
    }
    sb_done(query);
    free(path);
}

void sb_file_free(struct sb_file *file)
{
    if (!file)
        return;
    if (file->fd >= 0)
        close(file->fd);
    free(file->type);
    free(file);
}

/* --- resources ------------------------------------------------------------------------------- */

static void get(struct sb_rest *rest, const struct sb_call *call,
                const struct sb_args *args, struct sb_reply *reply)
{
    download(rest, call, &(struct target){ .id = sb_id(args->path[0]) }, reply);
}

static void get_attachment(struct sb_rest *rest, const struct sb_call *call,
                           const struct sb_args *args, struct sb_reply *reply)
{
    download(rest, call, &(struct target){ true, sb_id(args->path[0]) }, reply);
}

/* As if the same had been asked of the managed objects. */
static void redirect(struct sb_rest *rest, const struct sb_call *call, char *path,
                     char *query, struct sb_reply *reply)
{
    struct sb_call inner = *call;

    inner.path = path;
    inner.query = query;
    if (path && query)
        sb_rest_handle(rest, &inner, reply);
    else
        sb_reply_error(reply, 500, "inventory", "out of memory");
    free(path);
    free(query);
}

static void list(struct sb_rest *rest, const struct sb_call *call,
                 const struct sb_args *args, struct sb_reply *reply)
{
    (void)args;
    redirect(rest, call, strdup("/inventory/managedObjects"),
             sb_format("fragmentType=c8y_IsBinary&%s", call->query), reply);
}

static void remove_one(struct sb_rest *rest, const struct sb_call *call,
                       const struct sb_args *args, struct sb_reply *reply)
{
    if (has_file(rest, sb_id(args->path[0])))
        redirect(rest, call, sb_format("/inventory/managedObjects/%s", args->path[0]),
                 strdup(""), reply);
    else
        sb_reply_error(reply, 404, "inventory", "there is no file %s", args->path[0]);
}

static void remove_attachment(struct sb_rest *rest, const struct sb_call *call,
                              const struct sb_args *args, struct sb_reply *reply)
{
    struct target target = { true, sb_id(args->path[0]) };

    if (!may(rest, call, &target, SB_WRITE, reply))
        return;
    if (!has_file(rest, target.id))
        sb_reply_error(reply, 404, "event", "event %s has no file", args->path[0]);
    else if (sb_run(rest->store, "DELETE FROM binary WHERE owner = ?", "i", target.id) <
                 0 ||
             sb_run(rest->store,
                    "UPDATE event SET body = json_remove(body, '$.c8y_IsBinary')"
                    " WHERE id = ?",
                    "i", target.id) < 0)
        not_written(reply);
    else
        sb_reply_nothing(reply);
}

/* The HTTP door sends files another way; here come rows that try. */
static void refuse_json(struct sb_rest *rest, const struct sb_call *call,
                        const struct sb_args *args, struct sb_reply *reply)
{
    (void)rest, (void)args;
    sb_reply_error(reply, 415, "inventory", "%s takes files, over HTTP only",
                   call->path);
}

const struct sb_route sb_binary_routes[] = {
    {"GET",     "/inventory/binaries",       list,              sb_inventory_params},
    { "POST",   "/inventory/binaries",       refuse_json,       NULL               },
    { "GET",    "/inventory/binaries/{}",    get,               NULL               },
    { "PUT",    "/inventory/binaries/{}",    refuse_json,       NULL               },
    { "DELETE", "/inventory/binaries/{}",    remove_one,        NULL               },
    { "GET",    "/event/events/{}/binaries", get_attachment,    NULL               },
    { "POST",   "/event/events/{}/binaries", refuse_json,       NULL               },
    { "PUT",    "/event/events/{}/binaries", refuse_json,       NULL               },
    { "DELETE", "/event/events/{}/binaries", remove_attachment, NULL               },
    { NULL,     NULL,                        NULL,              NULL               },
};
