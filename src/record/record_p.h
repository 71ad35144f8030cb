/* SPDX-License-Identifier: MIT */
/* A record's inside, shared by the files of this folder. */
#ifndef RECORD_RECORD_P_H
#define RECORD_RECORD_P_H

#include <smartrest/record.h>

struct sr_record {
    const char *row;  /* the row's bytes, `len` of them */
    size_t offset;    /* of the row in the text; spans count from there, too */
    size_t len;       /* bytes */
    size_t size, cap; /* values, room for values */
    struct sr_span *values;

    /* Room for the unquoted values. Value `i` has its place where it stands in
     * the row: unquoting makes nothing longer, and the comma, quote or line end
     * behind it leaves a byte for the terminator. So len + 1 bytes always do,
     * and nothing that was handed out moves while the record lives. */
    char *scratch;
    size_t scratch_cap;
};

#endif
