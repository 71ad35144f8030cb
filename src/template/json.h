/* SPDX-License-Identifier: MIT */
/* Is this JSON, once the placeholders are filled? A strict checker without a tree. */
#ifndef TEMPLATE_JSON_H
#define TEMPLATE_JSON_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes that stand for an argument. In a string each of them is text. Elsewhere: */
enum {
    SR_JSON_ANY = 1,    /* may bring its own quotes, or several values or members */
    SR_JSON_NUMBER = 2, /* is a number, or a part of one */
    SR_JSON_TIME = 3    /* would have to stand in a string */
};

enum { SR_JSON_DEPTH = 100 };

/* NULL if `text` is an object or a list; else a sentence, and where the error is.
 * `text` is UTF-8 (not checked), `len` bytes. Numbers have to fit: integers 64 bits,
 * others an IEEE double. */
const char *sr_json_wrong(const char *text, size_t len, size_t *ret_offset);

/* A string in JSON, the name of a member or a value, as it is written. */
struct sr_json_string {
    size_t begin, end; /* in the text, without the quotes */
    int depth;         /* 1: in the outermost object or list */
    bool is_name;
};

/* Calls `fn` for each string of a text of which nothing is wrong, in its order. */
void sr_json_strings(const char *text, size_t len,
                     void (*fn)(const struct sr_json_string *string, void *arg),
                     void *arg);

#endif
