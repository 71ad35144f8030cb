/* SPDX-License-Identifier: MIT */
#include "http/connection.h"

#include <stdio.h>
#include <string.h>

static int make_key(CURL *easy, char *key, size_t size)
{
    const char *local = NULL, *peer = NULL;
    long local_port = 0, peer_port = 0;

    curl_easy_getinfo(easy, CURLINFO_LOCAL_IP, &local);
    curl_easy_getinfo(easy, CURLINFO_LOCAL_PORT, &local_port);
    curl_easy_getinfo(easy, CURLINFO_PRIMARY_IP, &peer);
    curl_easy_getinfo(easy, CURLINFO_PRIMARY_PORT, &peer_port);
    if (!local || !peer || !*local || !*peer || local_port <= 0)
        return -1;
    snprintf(key, size, "%s %ld %s %ld", local, local_port, peer, peer_port);
    return 0;
}

static size_t find(const struct sr_connections *connections, const char *key)
{
    size_t i = 0;

    while (i < SR_CONNECTIONS_MAX && strcmp(connections->known[i].key, key))
        i++;
    return i;
}

uint64_t sr_connections_number(struct sr_connections *connections, CURL *easy)
{
    char key[sizeof connections->known->key];
    long made = 1;
    size_t i;

    if (make_key(easy, key, sizeof key))
        return 0;
    i = find(connections, key);
    curl_easy_getinfo(easy, CURLINFO_NUM_CONNECTS, &made);
    if (i < SR_CONNECTIONS_MAX && !made)
        return connections->known[i].number;
    if (i == SR_CONNECTIONS_MAX) {
        i = connections->next++ % SR_CONNECTIONS_MAX;
        strcpy(connections->known[i].key, key);
    }
    return connections->known[i].number = ++connections->last;
}
