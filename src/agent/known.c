/* SPDX-License-Identifier: MIT */
#include "agent/known.h"

#include "base/fd.h"
#include "base/replace.h"
#include "store/crc32c.h"
#include <errno.h>
#include <smartrest/error.h>
#include <smartrest/template.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    LINES_MAX = 32,
    SUM_LEN = 8,
    LINE_MAX_LEN = SUM_LEN + 1 + SR_TEMPLATE_VERSION_MAX
};
enum { FILE_MAX = LINES_MAX * (LINE_MAX_LEN + 1) };

uint32_t sr_known_sum(const char *srtemplate)
{
    uint32_t sum = 0;

    for (;;) {
        size_t len = strcspn(srtemplate, "\r\n");

        if (len) {
            sum = sr_crc32c(sum, srtemplate, len);
            sum = sr_crc32c(sum, "\n", 1);
        }
        srtemplate += len + strspn(srtemplate + len, "\r\n");
        if (!*srtemplate)
            return sum;
    }
}

/* --- the file ----------------------------------------------------------- */

/* Reads up to `size` - 1 bytes and a NUL behind them; "" if there is no file. Returns 0, or SR_E_IO
 * (errno). */
static int load(const char *path, char *text, size_t size)
{
    int fd = sr_fd_open_file(path), saved;
    size_t len = 0;
    ssize_t n = 1;

    text[0] = '\0';
    if (fd < 0)
        return errno == ENOENT ? 0 : SR_E_IO;

    while (n > 0 && len < size - 1) {
        n = read(fd, text + len, size - 1 - len);
        if (n < 0 && errno == EINTR)
            n = 1;
        else if (n > 0)
            len += (size_t)n;
    }
    text[len] = '\0';
    saved = errno;
    close(fd);
    errno = saved;
    return n < 0 ? SR_E_IO : 0;
}

/* The line for `srversion`, or NULL. */
static char *find(char *text, const char *srversion)
{
    size_t want = strlen(srversion);

    while (*text) {
        size_t len = strcspn(text, "\n");

        if (len == SUM_LEN + 1 + want && text[SUM_LEN] == ' ' &&
            memcmp(text + SUM_LEN + 1, srversion, want) == 0)
            return text;
        text += len + (text[len] == '\n');
    }
    return NULL;
}

enum sr_known sr_known_compare(const char *path, const char *srversion, uint32_t sum)
{
    char text[FILE_MAX + 1], digits[SUM_LEN + 1];
    const char *line;

    if (load(path, text, sizeof text))
        return SR_KNOWN_NOT;
    line = find(text, srversion);
    if (!line || strspn(line, "0123456789abcdef") != SUM_LEN)
        return SR_KNOWN_NOT;
    snprintf(digits, sizeof digits, "%08x", (unsigned)sum);
    return memcmp(line, digits, SUM_LEN) == 0 ? SR_KNOWN_SAME : SR_KNOWN_OTHER;
}

static void cut_line(char *line)
{
    size_t len = strcspn(line, "\n");

    len += line[len] == '\n';
    memmove(line, line + len, strlen(line + len) + 1);
}

/* Lines that end; what is behind the last end was cut by somebody. */
static size_t count_lines(char *text)
{
    char *end = strrchr(text, '\n');
    size_t n = 0;

    text[end ? end + 1 - text : 0] = '\0';
    for (; *text; text++)
        n += *text == '\n';
    return n;
}

int sr_known_store(const char *path, const char *srversion, uint32_t sum)
{
    char text[FILE_MAX + 1], *line;
    size_t len;

    if (strlen(srversion) > SR_TEMPLATE_VERSION_MAX || strpbrk(srversion, "\r\n"))
        return SR_E_INVAL;
    if (load(path, text, sizeof text))
        return SR_E_IO;
    while ((line = find(text, srversion)))
        cut_line(line);
    while (count_lines(text) >= LINES_MAX || strlen(text) > FILE_MAX - LINE_MAX_LEN - 1)
        cut_line(text);
    len = strlen(text);
    snprintf(text + len, sizeof text - len, "%08x %s\n", (unsigned)sum, srversion);
    return sr_replace_file(path, text, strlen(text));
}
