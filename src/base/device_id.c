/* SPDX-License-Identifier: MIT */
#include "base/device_id.h"
#include "record/utf8.h"
#include <string.h>

static bool is_space(uint32_t point)
{
    static const uint32_t other[] = { ' ',    0x85,   0xa0,   0x1680, 0x2028,
                                      0x2029, 0x202f, 0x205f, 0x3000 };

    for (size_t i = 0; i < sizeof other / sizeof *other; i++)
        if (point == other[i])
            return true;
    return (point >= '\t' && point <= '\r') || (point >= 0x2000 && point <= 0x200a);
}

/* NULL if the character may be there. */
static const char *refusal(uint32_t point)
{
    switch (point) {
    case '/': return "holds a '/'";
    case '\\': return "holds a '\\'";
    case '$': return "holds a '$'";
    case ':': return "holds a ':'";
    case '+': return "holds a '+'";
    case '#': return "holds a '#'";
    case '%': return "holds a '%'";
    case '?': return "holds a '?'";
    default: break;
    }
    if (is_space(point))
        return "holds white space";
    if (point < 0x20 || (point >= 0x7f && point < 0xa0))
        return "holds a control character";
    return NULL;
}

/* Whoever tidies a URL up takes it away. */
static bool is_folder(const char *id)
{
    return !strcmp(id, ".") || !strcmp(id, "..");
}

static const char *reason_against(const char *id)
{
    if (!id || !*id)
        return "is empty";
    if (strnlen(id, SR_DEVICE_ID_MAX + 1) > SR_DEVICE_ID_MAX)
        return "is longer than 1000 bytes";
    if (is_folder(id))
        return "is a folder's name";
    while (*id) {
        uint32_t point;
        size_t len = sr_utf8_decode(id, &point);
        const char *reason = len ? refusal(point) : "is not UTF-8";
        if (reason)
            return reason;
        id += len;
    }
    return NULL;
}

bool sr_device_id_valid(const char *id, const char **ret_reason)
{
    const char *reason = reason_against(id);

    if (reason && ret_reason)
        *ret_reason = reason;
    return !reason;
}

void sr_device_id_clean(char *id)
{
    if (is_folder(id))
        *id = '-';
    while (*id) {
        uint32_t point;
        size_t len = sr_utf8_decode(id, &point);
        if (!len || refusal(point)) {
            *id = '-';
            len = 1;
        }
        id += len;
    }
}
