/* SPDX-License-Identifier: MIT */
/* A template file's lines, and the file in memory. */
#ifndef TEMPLATE_LINES_H
#define TEMPLATE_LINES_H

#include <smartrest/error.h>
#include <stdbool.h>
#include <stddef.h>

/* One line; points into the text. */
struct sr_line {
    const char *text;
    size_t len;    /* without its end */
    size_t blanks; /* of these, how many stand at the end: spaces and tabs */
    size_t number; /* from 1 */
};

/* Walks: zeroed but for text and left; false at the end. */
struct sr_lines {
    const char *at;
    size_t left;
    size_t number;
};
bool sr_lines_next(struct sr_lines *lines, struct sr_line *ret_line);

/* Empty, blank or a comment. */
bool sr_line_is_void(const struct sr_line *line);

/* Where in the line the byte is that cannot be in any line (a NUL, a CR alone, or what
 * is not UTF-8), with a sentence in *ret_wrong. False if there is none. */
bool sr_line_bad_byte(const struct sr_line *line, size_t *ret_offset,
                      const char **ret_wrong);

/* What it is that the lexer cannot read at `offset` of the line: a sentence. */
const char *sr_line_malformed(const struct sr_line *line, size_t offset);

/* Does the text begin with U+FEFF in UTF-8? */
bool sr_text_has_bom(const char *text, size_t len);

/* The whole file, with a NUL behind it; free() it. Returns 0, SR_E_IO (errno),
 * SR_E_TOOBIG, SR_E_NOMEM. */
int sr_template_load(const char *path, char **ret_text, size_t *ret_len);

/* Why `version`, `len` bytes, cannot name a collection: a sentence, and the offending
 * byte's offset. NULL if it can. */
const char *sr_version_wrong(const char *version, size_t len, size_t *ret_offset);

#endif
