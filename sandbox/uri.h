/* SPDX-License-Identifier: MIT */
#ifndef SANDBOX_URI_H
#define SANDBOX_URI_H

#include <stdbool.h>

/* The parts of a request target; they point into its text. */
struct sb_target {
    char *path;        /* percent-decoded; empty segments are left out */
    const char *query; /* behind the `?`, as sent; "" for none */
    const char *host;  /* host[:port] of an absolute target, else NULL */
};

/* Cuts `uri`, "/path[?query]" or "http[s]://host[:port][/path][?query]", in place. False
 * if an escape is broken or makes a NUL, or the host is empty. */
bool sb_uri_split(char *uri, struct sb_target *ret_target);

#endif
