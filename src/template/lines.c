/* SPDX-License-Identifier: MIT */
#include "template/lines.h"
#include "base/fd.h"
#include "record/utf8.h"
#include <errno.h>
#include <smartrest/template.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- lines -------------------------------------------------------------- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

bool sr_lines_next(struct sr_lines *lines, struct sr_line *ret_line)
{
    const char *lf;
    size_t len;

    if (!lines->left)
        return false;
    lf = memchr(lines->at, '\n', lines->left);
    len = lf ? (size_t)(lf - lines->at) : lines->left;
    *ret_line = (struct sr_line){ .text = lines->at, .number = ++lines->number };
    ret_line->len = lf && len && lf[-1] == '\r' ? len - 1 : len;
    while (ret_line->blanks < ret_line->len &&
           is_blank(ret_line->text[ret_line->len - 1 - ret_line->blanks]))
        ret_line->blanks++;
    lines->at += len + (lf != NULL);
    lines->left -= len + (lf != NULL);
    return true;
}

bool sr_line_is_void(const struct sr_line *line)
{
    return line->blanks == line->len || *line->text == '#';
}

/* Bytes of the character at `text`, of which `left` are there; 0 if there is none. */
static size_t character_len(const char *text, size_t left)
{
    char padded[5] = { 0 };
    uint32_t point;

    if ((unsigned char)*text < 0x80)
        return 1;
    memcpy(padded, text, left < 4 ? left : 4);
    return sr_utf8_decode(padded, &point);
}

bool sr_line_bad_byte(const struct sr_line *line, size_t *ret_offset,
                      const char **ret_wrong)
{
    const char *wrong = NULL;
    size_t at = 0, len;

    for (; at < line->len; at += len) {
        len = character_len(line->text + at, line->len - at);
        if (!len)
            wrong = "not UTF-8";
        else if (line->text[at] == '\0')
            wrong = "a NUL byte";
        else if (line->text[at] == '\r')
            wrong = "a CR without LF";
        if (wrong)
            break;
    }
    if (!wrong)
        return false;
    *ret_offset = at;
    *ret_wrong = wrong;
    return true;
}

const char *sr_line_malformed(const struct sr_line *line, size_t offset)
{
    size_t before = offset;

    while (before && is_blank(line->text[before - 1]))
        before--;
    if (line->text[offset] != '"')
        return "text behind a closing quote (inside quotes a quote is written twice)";
    if (!before || line->text[before - 1] == ',')
        return "this quote is not closed on its line";
    return "a quote inside a value that is not in quotes";
}

bool sr_text_has_bom(const char *text, size_t len)
{
    return len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0;
}

/* --- version ------------------------------------------------------------ */

/* It goes into an HTTP header, a row and the name of a topic. */
const char *sr_version_wrong(const char *version, size_t len, size_t *ret_offset)
{
    size_t i;

    *ret_offset = 0;
    if (!len)
        return "no version: the name of the collection is missing";
    for (i = 0; i < len; i++) {
        unsigned char c = (unsigned char)version[i];

        *ret_offset = i;
        if (c <= ' ' || c >= 0x7f || strchr("/+#,\"\\", c))
            return "not a version: it has letters, digits and . - _";
    }
    *ret_offset = SR_TEMPLATE_VERSION_MAX;
    return len > SR_TEMPLATE_VERSION_MAX ? "the version has more than 255 bytes" : NULL;
}

/* --- file --------------------------------------------------------------- */

/* Reads until the end, or one byte more than allowed. Returns 0 or SR_E_IO. */
static int read_up_to(int fd, char *data, size_t max, size_t *ret_len)
{
    size_t len = 0;

    while (len < max) {
        ssize_t n = read(fd, data + len, max - len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return SR_E_IO;
        if (n == 0)
            break;
        len += (size_t)n;
    }
    *ret_len = len;
    return 0;
}

int sr_template_load(const char *path, char **ret_text, size_t *ret_len)
{
    char *data = NULL, *fitting;
    size_t len = 0;
    int saved, rc = SR_E_IO;
    int fd = sr_fd_open_file(path);

    if (fd < 0)
        return SR_E_IO;
    data = malloc(SR_TEMPLATE_FILE_MAX + 1);
    rc = data ? read_up_to(fd, data, SR_TEMPLATE_FILE_MAX + 1, &len) : SR_E_NOMEM;
    if (!rc && len > SR_TEMPLATE_FILE_MAX)
        rc = SR_E_TOOBIG;
    saved = errno;
    close(fd);
    errno = saved;
    if (rc) {
        free(data);
        return rc;
    }
    data[len] = '\0';
    fitting = realloc(data, len + 1);
    *ret_text = fitting ? fitting : data;
    *ret_len = len;
    return 0;
}
