/* SPDX-License-Identifier: MIT */
/* The client's side of a TLS handshake, and words for how it failed. */
#ifndef MQTT_TLS_H
#define MQTT_TLS_H

#include <openssl/ssl.h>
#include <smartrest/net.h>
#include <stdbool.h>
#include <stddef.h>

/* Prepares a handshake on `fd`. `host` is the URL's name or address: it is what the certificate
 * has to be for, and what the server is asked for (SNI), whatever address `fd` is connected to.
 * NULL: `why` says why not. */
SSL *sr_tls_new(const struct sr_net *net, const char *host, int fd, char *why,
                size_t size);

/* Writes why the handshake, or what came behind it, failed: the certificate's fault first, then
 * OpenSSL's error, which is taken out of its queue. */
void sr_tls_why(SSL *ssl, const char *host, char *why, size_t size);

/* Has the peer ended the connection? `error`: of SSL_get_error(); `system_error`: errno then. */
bool sr_tls_is_end(int error, int system_error);

#endif
