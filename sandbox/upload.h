/* SPDX-License-Identifier: MIT */
/* A body on its way to a file: raw, or multipart with the parts `object`, `filesize`
 * and `file` in any order. The file has no name in the folder until it is whole. */
#ifndef SANDBOX_UPLOAD_H
#define SANDBOX_UPLOAD_H

#include "multipart.h"
#include "rest.h"

enum { SB_UPLOAD_FIELD_MAX = 256 << 10 }; /* bytes of `object`, and of `filesize` */

enum sb_upload_error {
    SB_UPLOAD_OK,
    SB_UPLOAD_TOO_LARGE,
    SB_UPLOAD_MALFORMED,
    SB_UPLOAD_NOT_WRITTEN
};

struct sb_upload {
    int fd;
    char *path; /* of the file while it grows */
    uint64_t len, max;
    enum sb_upload_error error;
    int write_errno;
    bool has_file;
    char *name, *type; /* of the file, as the client says; NULL if it does not */
    struct sb_text object, filesize;
    struct sb_text *field;      /* where the bytes of the current part go; */
    bool in_file;               /* or they go to the file; or nowhere */
    struct sb_multipart *parts; /* NULL: the body is the file */
};

/* NULL with errno: no memory, or the file cannot be made. */
struct sb_upload *sb_upload_new(const char *dir, uint64_t max, const char *content_type,
                                const char *disposition);
/* Has all of it come? What is missing is an error afterwards. */
void sb_upload_finish(struct sb_upload *upload);
/* Gives the file its name in the folder. False with errno. */
bool sb_upload_keep(struct sb_upload *upload, const char *path);

#endif
