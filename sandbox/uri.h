/* SPDX-License-Identifier: MIT */
#ifndef SANDBOX_URI_H
#define SANDBOX_URI_H

#include <stdbool.h>

/* Cuts a request target in place: `uri` becomes the percent-decoded path, *ret_query
 * what stands behind the `?`, as sent. False if an escape is broken or makes a NUL. */
bool sb_uri_split(char *uri, const char **ret_query);

#endif
