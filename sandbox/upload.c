/* SPDX-License-Identifier: MIT */
#include "upload.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- bytes to the file ------------------------------------------------------------- */

static void fail(struct sb_upload *upload, enum sb_upload_error error)
{
    if (upload->error)
        return;
    upload->error = error;
    upload->write_errno = errno;
}

static void write_file(struct sb_upload *upload, const char *bytes, size_t len)
{
    if (len > upload->max - upload->len)
        fail(upload, SB_UPLOAD_TOO_LARGE);
    while (len && !upload->error) {
        ssize_t n = write(upload->fd, bytes, len);

        if (n < 0 && errno != EINTR)
            fail(upload, SB_UPLOAD_NOT_WRITTEN);
        if (n <= 0)
            continue;
        bytes += n;
        len -= (size_t)n;
        upload->len += (uint64_t)n;
    }
}

/* --- parts --------------------------------------------------------------------------- */

static char *copy(const char *text)
{
    return text && *text ? strdup(text) : NULL;
}

static void on_part(void *arg, const struct sb_part *part)
{
    struct sb_upload *upload = arg;
    bool is_file = !strcmp(part->name, "file");

    upload->field = NULL;
    upload->in_file = false;
    if (!strcmp(part->name, "object"))
        upload->field = &upload->object;
    else if (!strcmp(part->name, "filesize"))
        upload->field = &upload->filesize;
    if (is_file && upload->has_file)
        fail(upload, SB_UPLOAD_MALFORMED); /* which one? */
    if (!is_file || upload->has_file)
        return;
    upload->has_file = upload->in_file = true;
    upload->name = copy(part->filename);
    upload->type = copy(part->content_type);
}

static void on_data(void *arg, const char *bytes, size_t len)
{
    struct sb_upload *upload = arg;

    if (upload->in_file)
        write_file(upload, bytes, len);
    else if (upload->field && len <= SB_UPLOAD_FIELD_MAX - upload->field->len)
        sb_text_add(upload->field, bytes, len);
    else if (upload->field)
        fail(upload, SB_UPLOAD_TOO_LARGE);
}

bool sb_upload_write(struct sb_upload *upload, const char *bytes, size_t len)
{
    if (upload->error)
        return false;
    if (!upload->parts)
        write_file(upload, bytes, len);
    else if (!sb_multipart_feed(upload->parts, bytes, len))
        fail(upload, SB_UPLOAD_MALFORMED);
    return !upload->error;
}

/* The client's word on the length, if it gave one, tells a cut file from a whole. */
static bool size_matches(const struct sb_upload *upload)
{
    const char *text = sb_text_get(&upload->filesize);
    char *end;
    unsigned long long size = strtoull(text, &end, 10);

    return !*text || (*text >= '0' && *text <= '9' && size == upload->len &&
                      !end[strspn(end, " \r\n")]);
}

void sb_upload_finish(struct sb_upload *upload)
{
    bool whole = !upload->parts || sb_multipart_done(upload->parts);

    if (!whole || !upload->has_file || !size_matches(upload) || upload->object.failed)
        fail(upload, SB_UPLOAD_MALFORMED);
}

/* --- life ------------------------------------------------------------------------------ */

bool sb_upload_keep(struct sb_upload *upload, const char *path)
{
    if (fchmod(upload->fd, 0600) || rename(upload->path, path))
        return false;
    free(upload->path);
    upload->path = NULL;
    return true;
}

struct sb_upload *sb_upload_new(const char *dir, uint64_t max, const char *content_type,
                                const char *disposition)
{
    struct sb_upload *upload = calloc(1, sizeof *upload);
    struct sb_part_sink sink = { on_part, on_data, upload };

    if (!upload)
        return NULL;
    upload->fd = -1;
    upload->max = max;
    upload->parts = sb_multipart_new(content_type, sink);
    upload->has_file = !upload->parts;
    if (!upload->parts) {
        upload->type = copy(content_type);
        upload->name =
            disposition ? sb_header_parameter(disposition, "filename") : NULL;
    }
    upload->path = sb_format("%s/upload-XXXXXX", dir);
    if (upload->path)
        upload->fd = mkostemp(upload->path, O_CLOEXEC);
    if (upload->fd >= 0)
        return upload;
    free(upload->path);
    upload->path = NULL;
    sb_upload_abort(upload);
    return NULL;
}

void sb_upload_abort(struct sb_upload *upload)
{
    if (!upload)
        return;
    if (upload->path)
        unlink(upload->path);
    if (upload->fd >= 0)
        close(upload->fd);
    sb_multipart_free(upload->parts);
    sb_text_release(&upload->object);
    sb_text_release(&upload->filesize);
    free(upload->path);
    free(upload->name);
    free(upload->type);
    free(upload);
}
