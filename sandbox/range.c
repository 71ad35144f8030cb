/* SPDX-License-Identifier: MIT */
#include "range.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool take_number(const char **text, uint64_t *ret_number)
{
    char *end;

    if (**text < '0' || **text > '9')
        return false;
    errno = 0;
    *ret_number = strtoull(*text, &end, 10);
    *text = end;
    return errno == 0;
}

/* `-n`: the last n bytes. */
static enum sb_range suffix(const char *text, uint64_t size, uint64_t *ret_offset,
                            uint64_t *ret_len)
{
    uint64_t n;

    if (!take_number(&text, &n) || *text)
        return SB_RANGE_ALL;
    if (!n || !size)
        return SB_RANGE_NOWHERE;
    *ret_len = n < size ? n : size;
    *ret_offset = size - *ret_len;
    return SB_RANGE_PART;
}

enum sb_range sb_range_parse(const char *text, uint64_t size, uint64_t *ret_offset,
                             uint64_t *ret_len)
{
    uint64_t first, last = UINT64_MAX;

    if (!text || strncasecmp(text, "bytes=", 6) != 0)
        return SB_RANGE_ALL;
    text += 6;
    if (*text == '-')
        return suffix(text + 1, size, ret_offset, ret_len);
    if (!take_number(&text, &first) || *text++ != '-')
        return SB_RANGE_ALL;
    if (*text && (!take_number(&text, &last) || *text || last < first))
        return SB_RANGE_ALL;
    if (first >= size)
        return SB_RANGE_NOWHERE;
    if (last >= size)
        last = size - 1;
    *ret_offset = first;
    *ret_len = last - first + 1;
    return SB_RANGE_PART;
}
