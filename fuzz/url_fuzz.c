/* SPDX-License-Identifier: MIT */
/* Addresses and device ids: read without harm, and what is accepted keeps its word. */
#include "base/device_id.h"
#include "base/url.h"
#include "fuzz.h"
#include <string.h>

/* An address written from its parts is read as the same parts. */
static void read_again(const struct sr_url *url)
{
    size_t address = strcspn(url->host, "%");
    char text[1024];
    struct sr_url again;

    if (url->ipv6)
        snprintf(text, sizeof text, "%s://[%.*s%s%s]:%u%s", url->scheme, (int)address,
                 url->host, url->host[address] ? "%25" : "",
                 url->host[address] ? url->host + address + 1 : "", (unsigned)url->port,
                 url->path);
    else
        snprintf(text, sizeof text, "%s://%s:%u%s", url->scheme, url->host,
                 (unsigned)url->port, url->path);
    must(sr_url_parse(text, &again, NULL) == 0);
    must(!strcmp(again.scheme, url->scheme) && !strcmp(again.host, url->host));
    must(!strcmp(again.path, url->path) && again.port == url->port);
    must(again.tls == url->tls && again.ipv6 == url->ipv6);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    char *text = malloc(len + 1); /* exactly as long, so that an overrun shows */
    struct sr_url url;
    const char *reason = NULL;

    must(text != NULL);
    memcpy(text, data, len);
    text[len] = '\0';
    if (sr_url_parse(text, &url, &reason) == 0)
        read_again(&url);
    else
        must(reason != NULL);
    sr_device_id_clean(text);
    must(sr_device_id_valid(text, NULL) || !*text || strlen(text) > SR_DEVICE_ID_MAX);
    free(text);
    return 0;
}
