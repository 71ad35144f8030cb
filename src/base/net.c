/* SPDX-License-Identifier: MIT */
#include "base/net.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static bool is_valid(const struct sr_net *net)
{
    if (!net->cert_file != !net->key_file)
        return false;
    return !net->http_version || net->http_version == 10 || net->http_version == 11 ||
           net->http_version == 20;
}

static bool copy_text(const char *from, const char **to)
{
    *to = from ? strdup(from) : NULL;
    return !from || *to;
}

int sr_net_copy(const struct sr_net *from, struct sr_net *ret)
{
    struct sr_net copy = { 0 };
    bool good;

    if (from && !is_valid(from))
        return SR_E_INVAL;
    if (from)
        copy = *from;
    good = copy_text(copy.ca_file, &copy.ca_file);
    good = copy_text(copy.ca_path, &copy.ca_path) && good;
    good = copy_text(copy.cert_file, &copy.cert_file) && good;
    good = copy_text(copy.key_file, &copy.key_file) && good;
    good = copy_text(copy.proxy, &copy.proxy) && good;
    if (!good) {
        sr_net_release(&copy);
        return SR_E_NOMEM;
    }
    *ret = copy;
    return 0;
}

static void free_text(const char *text)
{
    free((char *)(uintptr_t)text);
}

void sr_net_release(struct sr_net *net)
{
    free_text(net->ca_file);
    free_text(net->ca_path);
    free_text(net->cert_file);
    free_text(net->key_file);
    free_text(net->proxy);
    *net = (struct sr_net){ 0 };
}

unsigned sr_net_connect_ms(const struct sr_net *net)
{
    return net->connect_ms ? net->connect_ms : 10 * 1000;
}

unsigned sr_net_timeout_ms(const struct sr_net *net)
{
    return net->timeout_ms ? net->timeout_ms : 30 * 1000;
}

long sr_net_long(uint64_t number)
{
    return number > INT32_MAX ? INT32_MAX : (long)number;
}

size_t sr_net_receive_max(const struct sr_net *net)
{
    return net->receive_max ? net->receive_max : (size_t)4 * 1024 * 1024;
}
