/* SPDX-License-Identifier: MIT */
#include "record/utf8.h"

/* Bytes of the sequence that begins with `first`; 0 if none does. */
static size_t sequence_len(unsigned char first)
{
    if (first < 0x80)
        return 1;
    if (first < 0xc2 || first > 0xf4)
        return 0;
    return first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

size_t sr_utf8_decode(const char *text, uint32_t *ret_point)
{
    static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
    static const unsigned char first_bits[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
    size_t len = sequence_len((unsigned char)*text);
    uint32_t point = (unsigned char)*text & first_bits[len];

    for (size_t i = 1; i < len; i++) {
        unsigned char tail = (unsigned char)text[i];
        if ((tail & 0xc0) != 0x80)
            return 0;
        point = point << 6 | (tail & 0x3f);
    }
    if (point < least[len] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
        return 0;
    *ret_point = point;
    return len;
}
