/* SPDX-License-Identifier: MIT */
/* multipart/form-data, read as it comes: bytes in, parts out. No I/O, and no more
 * memory than one part's header.
 *
 *     sb_multipart_new -> sb_multipart_feed ... -> sb_multipart_done -> free
 */
#ifndef SANDBOX_MULTIPART_H
#define SANDBOX_MULTIPART_H

#include <stdbool.h>
#include <stddef.h>

enum { SB_PART_HEADER_MAX = 8192 };

struct sb_part {
    const char *name;         /* "" if there is none */
    const char *filename;     /* NULL if there is none */
    const char *content_type; /* NULL if there is none */
};

struct sb_part_sink {
    void (*begin)(void *arg, const struct sb_part *part);
    void (*data)(void *arg, const char *bytes, size_t len);
    void *arg;
};

struct sb_multipart;

/* `content_type`: of the request, with the boundary. NULL if it is no
 * multipart/form-data, or has no boundary, or without memory. */
struct sb_multipart *sb_multipart_new(const char *content_type,
                                      struct sb_part_sink sink);
/* Accepts NULL. */
void sb_multipart_free(struct sb_multipart *multipart);

/* False: malformed, now and from here on. */
bool sb_multipart_feed(struct sb_multipart *multipart, const char *bytes, size_t len);
/* Has the last boundary come? */
bool sb_multipart_done(const struct sb_multipart *multipart);

/* Parameter `name` of a header value like `form-data; name="x"; filename=y`. A copy
 * to be freed; NULL if it is not there. */
char *sb_header_parameter(const char *value, const char *name);

#endif
