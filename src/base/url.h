/* SPDX-License-Identifier: MIT */
/* Addresses of servers, as people write them: scheme://host[:port][/path]. */
#ifndef BASE_URL_H
#define BASE_URL_H

#include <stdbool.h>
#include <stdint.h>

#define SR_URL_HOST_MAX 253 /* bytes */
#define SR_URL_ZONE_MAX 31
#define SR_URL_PATH_MAX 511

struct sr_url {
    char scheme[6];                 /* "http", "https", "mqtt", "mqtts" */
    char host[SR_URL_HOST_MAX + 1]; /* name or address; IPv6 without its brackets,
                                       with its zone, decoded: ::1%lo */
    char path[SR_URL_PATH_MAX + 1]; /* "" or what follows the port, from the `/` on */
    uint16_t port; /* given, or http 80, https 443, mqtt 1883, mqtts 8883 */
    bool tls;      /* https, mqtts */
    bool ipv6;     /* the host is an IPv6 address: write it in brackets */
};

/* Reads `text` (not NULL). User and password, queries and fragments are refused, and
 * so is every byte that could end a header line. Scheme and host may be in any case;
 * ret->scheme is lower case.
 * Returns 0, or SR_E_INVAL; then, if ret_reason is not NULL, *ret_reason says why, as the
 * end of a sentence that begins with the URL: a static string. */
int sr_url_parse(const char *text, struct sr_url *ret, const char **ret_reason);

#endif
