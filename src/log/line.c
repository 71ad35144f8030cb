/* SPDX-License-Identifier: MIT */
#include "log/line.h"
#include "record/utf8.h"
#include <stdio.h>
#include <string.h>

#define CUT_MARK "...[cut]"

/* Line and paragraph separator, and what turns the direction of text. */
static bool misleads(uint32_t point)
{
    return (point >= 0x2028 && point <= 0x202e) || (point >= 0x2066 && point <= 0x2069);
}

static bool is_control(uint32_t point)
{
    return point < 0x20 || (point >= 0x7f && point < 0xa0);
}

/* Bytes of the character at `text` if it may stand in a line as it is; 0 if its first
 * byte has to be escaped. */
static size_t plain_len(const char *text)
{
    uint32_t point;
    size_t len = sr_utf8_decode(text, &point);

    return len && !is_control(point) && !misleads(point) ? len : 0;
}

static size_t escape_byte(char out[5], unsigned char byte)
{
    switch (byte) {
    case '\n': memcpy(out, "\\n", 2); return 2;
    case '\r': memcpy(out, "\\r", 2); return 2;
    case '\t': memcpy(out, "\\t", 2); return 2;
    default: return (size_t)snprintf(out, 5, "\\x%02x", byte);
    }
}

size_t sr_log_escape(char *out, size_t cap, const char *text)
{
    size_t len = 0, room = 0; /* room: how much is kept if the mark must follow */

    while (*text) {
        char escaped[5];
        const char *unit = text;
        size_t taken = plain_len(text), made = taken;

        if (!taken) {
            taken = 1;
            made = escape_byte(escaped, (unsigned char)*text);
            unit = escaped;
        }
        if (len + made >= cap) {
            len = room + (size_t)snprintf(out + room, cap - room, "%s", CUT_MARK);
            break;
        }
        memcpy(out + len, unit, made);
        len += made;
        text += taken;
        if (len + sizeof CUT_MARK <= cap)
            room = len;
    }
    out[len] = '\0';
    return len;
}

size_t sr_log_line(char out[SR_LOG_LINE_MAX + 1], enum sr_log_level level,
                   const char *component, const char *text, time_t now)
{
    static const char month[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
    struct tm tm = { .tm_mday = 1 };
    char who[40];
    size_t len;

    localtime_r(&now, &tm);
    sr_log_escape(who, sizeof who, component);
    len = (size_t)snprintf(
        out, SR_LOG_LINE_MAX, "%s %02d %02d:%02d:%02d %s %s: ", month[tm.tm_mon % 12],
        tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, sr_log_level_name(level), who);
    len += sr_log_escape(out + len, SR_LOG_LINE_MAX - len, text);
    out[len++] = '\n';
    out[len] = '\0';
    return len;
}
