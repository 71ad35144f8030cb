/* SPDX-License-Identifier: MIT */
#include "base/url.h"
#include <arpa/inet.h>
#include <smartrest/error.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

/* Each step takes its part of *text and returns NULL, or says why not. */

static const struct scheme {
    const char *name;
    uint16_t port;
    bool tls;
} schemes[] = {
    {"http",   80,   false},
    { "https", 443,  true },
    { "mqtt",  1883, false},
    { "mqtts", 8883, true },
};

#define DIGITS  "0123456789"
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

static const char *take_scheme(const char **text, struct sr_url *url)
{
    const char *end = strstr(*text, "://");
    size_t len = end ? (size_t)(end - *text) : 0;

    if (!end || !len || strspn(*text, LETTERS DIGITS "+-.") < len)
        return "has no scheme, such as http:// or mqtt://";
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        const struct scheme *known = &schemes[i];
        if (strlen(known->name) != len || strncasecmp(known->name, *text, len) != 0)
            continue;
        strcpy(url->scheme, known->name);
        url->port = known->port;
        url->tls = known->tls;
        *text = end + 3;
        return NULL;
    }
    return "has a scheme other than http, https, mqtt and mqtts";
}

/* The interface of a link-local address: %25eth0 as RFC 6874 has it, or %eth0 as people do. */
static const char *take_zone(const char *text, size_t len, struct sr_url *url)
{
    size_t at = strlen(url->host);

    if (len > 2 && !strncmp(text, "25", 2)) {
        text += 2;
        len -= 2;
    }
    if (!len || len > SR_URL_ZONE_MAX || strspn(text, LETTERS DIGITS "-._~") < len)
        return "has no zone behind the '%' of its IPv6 address";
    url->host[at] = '%';
    memcpy(url->host + at + 1, text, len);
    url->host[at + 1 + len] = '\0';
    return NULL;
}

static const char *take_ipv6(const char **text, struct sr_url *url)
{
    const char *begin = *text + 1, *end = strchr(begin, ']'), *zone;
    struct in6_addr address;
    size_t len;

    if (!end)
        return "has a '[' without its ']'";
    zone = memchr(begin, '%', (size_t)(end - begin));
    len = (size_t)((zone ? zone : end) - begin);
    if (len >= INET6_ADDRSTRLEN)
        return "has no IPv6 address in its brackets";
    memcpy(url->host, begin, len);
    url->host[len] = '\0';
    if (inet_pton(AF_INET6, url->host, &address) != 1)
        return "has no IPv6 address in its brackets";
    url->ipv6 = true;
    *text = end + 1;
    return zone ? take_zone(zone + 1, (size_t)(end - zone) - 1, url) : NULL;
}

/* A name whose last label is a number can only be meant as an address. */
static bool looks_like_ipv4(const char *host)
{
    const char *dot = strrchr(host, '.');
    const char *last = dot ? dot + 1 : host;

    return *last && strspn(last, DIGITS) == strlen(last);
}

static const char *check_name(const char *host)
{
    struct in_addr address;
    size_t label = 0;

    if (looks_like_ipv4(host))
        return inet_pton(AF_INET, host, &address) == 1 ? NULL
                                                       : "has a malformed IPv4 address";
    for (const char *at = host; *at; at++) {
        label = *at == '.' ? 0 : label + 1;
        if (label > 63)
            return "has a host name with a part of more than 63 bytes";
        if (*at == '.' && (at == host || at[-1] == '.'))
            return "has a host name with an empty part";
        if (*at == '-' && label == 1)
            return "has a host name with a part that begins with '-'";
    }
    return NULL;
}

static const char *take_name(const char **text, struct sr_url *url)
{
    size_t len = strspn(*text, LETTERS DIGITS "-._");
    unsigned char next = (unsigned char)(*text)[len];

    if (next && !strchr(":/?#@", next))
        return "has a byte in its host name that cannot be there";
    if (!len)
        return "has no host";
    if (len > SR_URL_HOST_MAX)
        return "has a host name of more than 253 bytes";
    memcpy(url->host, *text, len);
    url->host[len] = '\0';
    *text += len;
    return check_name(url->host);
}

static const char *take_port(const char **text, struct sr_url *url)
{
    size_t digits;
    uint32_t port = 0;

    if (**text != ':')
        return NULL;
    ++*text;
    digits = strspn(*text, DIGITS);
    for (size_t i = 0; i < digits && port <= UINT16_MAX; i++)
        port = port * 10 + (uint32_t)((*text)[i] - '0');
    *text += digits;
    if (!digits || port < 1 || port > UINT16_MAX || (**text && !strchr("/?#", **text)))
        return "has a port that is not a number from 1 to 65535";
    url->port = (uint16_t)port;
    return NULL;
}

static const char *take_path(const char **text, struct sr_url *url)
{
    size_t len = strlen(*text);

    if (!len)
        return NULL;
    if (**text == '?' || **text == '#' || strpbrk(*text, "?#"))
        return "has a query or a fragment";
    if (**text != '/')
        return "has something other than a port or a path behind its host";
    if (len > SR_URL_PATH_MAX)
        return "has a path of more than 511 bytes";
    for (size_t i = 0; i < len; i++)
        if ((*text)[i] <= ' ' || (*text)[i] > '~')
            return "has a byte in its path that needs percent-encoding";
    memcpy(url->path, *text, len + 1);
    return NULL;
}

static const char *refuse_user(const char *text)
{
    return text[strcspn(text, "@/?#")] == '@' ? "has a user in front of its host"
                                              : NULL;
}

static const char *read_url(const char *text, struct sr_url *url)
{
    const char *reason = *text ? take_scheme(&text, url) : "is empty";

    if (!reason)
        reason = refuse_user(text);
    if (!reason)
        reason = *text == '[' ? take_ipv6(&text, url) : take_name(&text, url);
    if (!reason)
        reason = take_port(&text, url);
    if (!reason)
        reason = take_path(&text, url);
    return reason;
}

int sr_url_parse(const char *text, struct sr_url *ret, const char **ret_reason)
{
    struct sr_url url = { .port = 0 };
    const char *reason = read_url(text, &url);

    if (!reason) {
        *ret = url;
        return 0;
    }
    if (ret_reason)
        *ret_reason = reason;
    return SR_E_INVAL;
}
