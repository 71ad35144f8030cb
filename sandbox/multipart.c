/* SPDX-License-Identifier: MIT */
#include "multipart.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { BOUNDARY_MAX = 200 };

enum state { PREAMBLE, TAIL, HEADER, BODY, EPILOGUE, MALFORMED };

struct sb_multipart {
    struct sb_part_sink sink;
    enum state state;
    char delimiter[BOUNDARY_MAX + 5]; /* CR LF - - boundary */
    size_t delimiter_len;
    size_t matched; /* bytes of the delimiter that have come */
    size_t assumed; /* of those, the ones that belong to something before */
    char header[SB_PART_HEADER_MAX + 1]; /* lines of a part, or what ends a delimiter */
    size_t header_len;
};

/* --- header values ---------------------------------------------------------------- */

/* Reads the value at *at, quoted or not, and leaves *at behind it. */
static char *take_value(const char **at)
{
    const char *p = *at;
    char *value = malloc(strlen(p) + 1), *out = value;

    if (!value)
        return NULL;
    if (*p == '"') {
        for (p++; *p && *p != '"'; p++) {
            if (*p == '\\' && (p[1] == '"' || p[1] == '\\'))
                p++;
            *out++ = *p;
        }
        p += *p == '"';
    } else {
        while (*p && !strchr("; \t", *p))
            *out++ = *p++;
    }
    *out = '\0';
    *at = p;
    return value;
}

char *sb_header_parameter(const char *value, const char *name)
{
    const char *p = value + strcspn(value, ";");
    size_t len = strlen(name);

    while (*p == ';') {
        bool wanted;
        char *found;

        p++;
        p += strspn(p, " \t");
        wanted = !strncasecmp(p, name, len) && p[len] == '=';
        p += strcspn(p, "=;");
        if (*p != '=')
            continue;
        p++;
        found = take_value(&p);
        if (wanted || !found)
            return found;
        free(found);
        p += strcspn(p, ";");
    }
    return NULL;
}

/* The value of a header line, NULL if it is not this header. */
static const char *header_value(const char *line, const char *name)
{
    size_t len = strlen(name);

    if (strncasecmp(line, name, len) || line[len] != ':')
        return NULL;
    line += len + 1;
    return line + strspn(line, " \t");
}

/* --- parts --------------------------------------------------------------------------- */

static void begin_part(struct sb_multipart *m)
{
    struct sb_part part = { .name = "" };
    char *name = NULL, *filename = NULL, *line, *rest = m->header;
    const char *value;

    while ((line = strsep(&rest, "\n"))) {
        line[strcspn(line, "\r")] = '\0';
        if ((value = header_value(line, "Content-Type")))
            part.content_type = value;
        if (!(value = header_value(line, "Content-Disposition")) || name)
            continue;
        name = sb_header_parameter(value, "name");
        filename = sb_header_parameter(value, "filename");
    }
    if (name)
        part.name = name;
    part.filename = filename;
    m->sink.begin(m->sink.arg, &part);
    free(name);
    free(filename);
}

static void enter(struct sb_multipart *m, enum state state)
{
    m->state = state;
    m->header_len = 0;
    /* A delimiter begins with the line end before it; where nothing can have come
     * between, that one has been read already. */
    m->matched = m->assumed = 2;
}

/* --- bytes ---------------------------------------------------------------------------- */

static void emit(struct sb_multipart *m, const char *bytes, size_t len)
{
    if (m->state == BODY && len)
        m->sink.data(m->sink.arg, bytes, len);
}

/* Looks for the delimiter. Only its first byte is a CR, so after a mismatch it can
 * begin again nowhere but here. Returns the bytes used. */
static size_t seek_delimiter(struct sb_multipart *m, const char *bytes, size_t len)
{
    size_t n = 0;

    while (n < len && m->matched < m->delimiter_len) {
        if (bytes[n] == m->delimiter[m->matched]) {
            m->matched++;
            n++;
        } else if (m->matched) {
            emit(m, m->delimiter + m->assumed, m->matched - m->assumed);
            m->matched = m->assumed = 0;
        } else {
            const char *cr = memchr(bytes + n, '\r', len - n);
            size_t plain = cr ? (size_t)(cr - bytes) - n : len - n;

            emit(m, bytes + n, plain);
            n += plain;
        }
    }
    if (m->matched == m->delimiter_len)
        enter(m, TAIL);
    return n;
}

static bool ends_with(const struct sb_multipart *m, const char *end)
{
    size_t len = strlen(end);

    return m->header_len >= len && !memcmp(m->header + m->header_len - len, end, len);
}

/* Behind a delimiter: `--` at the end of all, or blanks and a line end. */
static void tail_byte(struct sb_multipart *m)
{
    char last = m->header[m->header_len - 1];

    if (m->header_len == 2 && ends_with(m, "--"))
        enter(m, EPILOGUE);
    else if (ends_with(m, "\r\n"))
        enter(m, HEADER);
    else if (!strchr(" \t\r-", last) || m->header_len > 100)
        m->state = MALFORMED;
}

static void header_byte(struct sb_multipart *m)
{
    if (!ends_with(m, "\r\n\r\n") && !(m->header_len == 2 && ends_with(m, "\r\n")))
        return;
    m->header[m->header_len] = '\0';
    begin_part(m);
    enter(m, BODY);
}

/* Returns the bytes used: till the state changes. */
static size_t read_line(struct sb_multipart *m, const char *bytes, size_t len)
{
    enum state state = m->state;
    size_t n = 0;

    while (n < len && m->state == state && m->header_len < SB_PART_HEADER_MAX) {
        m->header[m->header_len++] = bytes[n++];
        if (!m->header[m->header_len - 1])
            m->state = MALFORMED;
        else if (state == TAIL)
            tail_byte(m);
        else
            header_byte(m);
    }
    if (m->header_len == SB_PART_HEADER_MAX)
        m->state = MALFORMED;
    return n;
}

bool sb_multipart_feed(struct sb_multipart *m, const char *bytes, size_t len)
{
    while (len && m->state != EPILOGUE && m->state != MALFORMED) {
        bool lines = m->state == TAIL || m->state == HEADER;
        size_t n = lines ? read_line(m, bytes, len) : seek_delimiter(m, bytes, len);

        bytes += n;
        len -= n;
    }
    return m->state != MALFORMED;
}

bool sb_multipart_done(const struct sb_multipart *m)
{
    return m->state == EPILOGUE;
}

/* --- life ------------------------------------------------------------------------------- */

struct sb_multipart *sb_multipart_new(const char *content_type,
                                      struct sb_part_sink sink)
{
    static const char form[] = "multipart/form-data";
    struct sb_multipart *m = NULL;
    char *boundary;

    if (!content_type || strncasecmp(content_type, form, sizeof form - 1))
        return NULL;
    boundary = sb_header_parameter(content_type, "boundary");
    if (boundary && *boundary && strlen(boundary) <= BOUNDARY_MAX &&
        !strpbrk(boundary, "\r\n"))
        m = calloc(1, sizeof *m);
    if (m) {
        m->sink = sink;
        m->delimiter_len =
            (size_t)snprintf(m->delimiter, sizeof m->delimiter, "\r\n--%s", boundary);
        enter(m, PREAMBLE);
    }
    free(boundary);
    return m;
}

void sb_multipart_free(struct sb_multipart *m)
{
    free(m);
}
