/* SPDX-License-Identifier: MIT */
/* How connections are made: what sr_http, sr_mqtt, sr_socket and sr_binary have in
 * common.
 *
 *     struct sr_net net = { .ca_file = "/etc/ssl/plant-ca.pem" };
 *     sr_http_new(loop, &net, &http);
 *
 * Zeroed, or NULL in its place, is the default. Whoever is given one copies it, texts
 * included. Files are looked at then: one that is not there, cannot be read or is not what it
 * should be is SR_E_INVAL, and the log names it. They are read again for connections, so that they
 * may be renewed. */
#ifndef SMARTREST_NET_H
#define SMARTREST_NET_H

#include <smartrest/error.h>
#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Options of connections. */
struct sr_net {
    const char *ca_file; /* PEM with the certificates to trust; NULL: the system's */
    const char
        *ca_path; /* directory of them, hashed as by openssl rehash; NULL: none */
    const char
        *cert_file;       /* PEM with the client's own certificate and chain; or NULL */
    const char *key_file; /* PEM with its private key, without passphrase */
    bool insecure;        /* verifies neither certificates nor host names */
    const char *proxy;    /* http://host:port for HTTP, and for sockets by CONNECT; MQTT
                              uses none. NULL: HTTP as the environment says; "": none */
    unsigned connect_ms;  /* for name, TCP and TLS; 0: 10000 */
    unsigned timeout_ms;  /* for a request and its answer; 0: 30000 */
    unsigned http_version; /* 10, 11 or 20 (the latter with TLS); 0: 11 */
    size_t
        receive_max; /* bytes of an HTTP answer, of an MQTT message with its topic, and
                           of all messages with QoS 2 that are not released; 0: 4 MiB */
};

#ifdef __cplusplus
}
#endif
#endif
