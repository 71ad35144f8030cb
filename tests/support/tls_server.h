/* SPDX-License-Identifier: MIT */
/* The server's side of TLS for tests, with certificates made to order.
 *
 *     tls_make -> tls_accept, tls_read, tls_write ... -> tls_end ... -> tls_remove
 */
#ifndef SUPPORT_TLS_SERVER_H
#define SUPPORT_TLS_SERVER_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>

struct tls_wish {
    const char *names; /* subjectAltName, as "IP:127.0.0.1,DNS:localhost" */
    long from_s, to_s; /* valid, seconds from now; both 0: an hour around it */
    bool self_signed;  /* by no authority */
    int version_max;   /* TLS1_1_VERSION ...; 0: any */
    bool wants_client; /* asks for a certificate of the same authority */
};

struct tls_files {
    char dir[64], ca[80], cert[80], key[80]; /* PEM */
    SSL_CTX *ctx;                            /* a server's */
};

/* Makes authority, certificate and key, in a directory of their own. */
bool tls_make(struct tls_files *files, const struct tls_wish *wish);
void tls_remove(struct tls_files *files);

/* NULL when the handshake failed. */
SSL *tls_accept(const struct tls_files *files, int fd);
/* All of it, or false. */
bool tls_write(SSL *ssl, const void *bytes, size_t len);
bool tls_read(SSL *ssl, void *bytes, size_t len);
/* Reads to the end, and frees. */
void tls_end(SSL *ssl);

#endif
