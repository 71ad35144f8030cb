/* SPDX-License-Identifier: MIT */
/* Which transfers used the same connection? libcurl before 8.2 does not number them; but it says
 * how many connections a transfer made, and a connection's two addresses are its own as long as it
 * lives. Whenever one was made, its addresses get a new number. */
#ifndef HTTP_CONNECTION_H
#define HTTP_CONNECTION_H

#include <curl/curl.h>
#include <stdint.h>

/* More than a client keeps: what falls out gets another number, as if it were new. */
enum { SR_CONNECTIONS_MAX = 16 };

struct sr_connections {
    struct {
        char key[128]; /* "" or its addresses */
        uint64_t number;
    } known[SR_CONNECTIONS_MAX];
    size_t next; /* to be forgotten */
    uint64_t last;
};

/* The number of the connection that this transfer, which has just ended, used last; 0: none. */
uint64_t sr_connections_number(struct sr_connections *connections, CURL *easy);

#endif
