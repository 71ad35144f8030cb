/* SPDX-License-Identifier: MIT */
#include "support/tls_server.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- certificates --------------------------------------------------------- */

static EVP_PKEY *make_key(void)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_id(EVP_PKEY_EC, NULL);
    EVP_PKEY *key = NULL;

    if (EVP_PKEY_keygen_init(ctx) != 1 ||
        EVP_PKEY_CTX_set_ec_paramgen_curve_nid(ctx, NID_X9_62_prime256v1) != 1 ||
        EVP_PKEY_keygen(ctx, &key) != 1)
        key = NULL;
    EVP_PKEY_CTX_free(ctx);
    return key;
}

static bool add_extension(X509 *cert, int nid, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
    bool done = extension && X509_add_ext(cert, extension, -1) == 1;

    X509_EXTENSION_free(extension);
    return done;
}

/* Signed by `issuer`, or by itself if that is NULL. */
static X509 *make_cert(EVP_PKEY *key, const char *name, const struct tls_wish *wish,
                       X509 *issuer, EVP_PKEY *issuer_key)
{
    X509 *cert = X509_new();
    X509_NAME *subject = X509_get_subject_name(cert);
    bool ca = !wish;

    X509_set_version(cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), issuer ? 2 : 1);
    X509_gmtime_adj(X509_getm_notBefore(cert),
                    wish && wish->from_s ? wish->from_s : -3600);
    X509_gmtime_adj(X509_getm_notAfter(cert), wish && wish->to_s ? wish->to_s : 3600);
    X509_set_pubkey(cert, key);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name,
                               -1, -1, 0);
    X509_set_issuer_name(cert, X509_get_subject_name(issuer ? issuer : cert));
    if (!add_extension(cert, NID_basic_constraints,
                       ca ? "critical,CA:TRUE" : "CA:FALSE") ||
        (wish && !add_extension(cert, NID_subject_alt_name, wish->names)) ||
        !X509_sign(cert, issuer ? issuer_key : key, EVP_sha256())) {
        X509_free(cert);
        return NULL;
    }
    return cert;
}

static bool write_cert(const char *path, X509 *cert)
{
    FILE *file = cert ? fopen(path, "w") : NULL;
    bool done = file && PEM_write_X509(file, cert) == 1;

    return file && fclose(file) == 0 && done;
}

static bool write_key(const char *path, EVP_PKEY *key)
{
    FILE *file = fopen(path, "w");
    bool done = file && PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL) == 1;

    return file && fclose(file) == 0 && done;
}

static bool write_all(const struct tls_files *files, const struct tls_wish *wish)
{
    EVP_PKEY *ca_key = make_key(), *key = make_key();
    X509 *ca = make_cert(ca_key, files->dir, NULL, NULL, NULL);
    X509 *cert = wish->self_signed ? make_cert(key, "test", wish, NULL, NULL)
                                   : make_cert(key, "test", wish, ca, ca_key);
    bool done = write_cert(files->ca, ca) && write_cert(files->cert, cert) &&
                write_key(files->key, key);

    X509_free(cert);
    X509_free(ca);
    EVP_PKEY_free(key);
    EVP_PKEY_free(ca_key);
    return done;
}

bool tls_make(struct tls_files *files, const struct tls_wish *wish)
{
    strcpy(files->dir, "/tmp/tls.XXXXXX");
    files->ctx = NULL;
    if (!mkdtemp(files->dir))
        return false;
    snprintf(files->ca, sizeof files->ca, "%s/ca.pem", files->dir);
    snprintf(files->cert, sizeof files->cert, "%s/cert.pem", files->dir);
    snprintf(files->key, sizeof files->key, "%s/key.pem", files->dir);
    files->ctx = SSL_CTX_new(TLS_server_method());
    if (!write_all(files, wish) ||
        SSL_CTX_use_certificate_file(files->ctx, files->cert, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_use_PrivateKey_file(files->ctx, files->key, SSL_FILETYPE_PEM) != 1)
        return false;
    if (wish->wants_client) {
        SSL_CTX_load_verify_locations(files->ctx, files->ca, NULL);
        SSL_CTX_set_verify(files->ctx,
                           SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    }
    if (wish->version_max) {
        SSL_CTX_set_security_level(files->ctx, 0);
        SSL_CTX_set_min_proto_version(files->ctx, TLS1_VERSION);
        SSL_CTX_set_max_proto_version(files->ctx, wish->version_max);
    }
    return true;
}

void tls_remove(struct tls_files *files)
{
    SSL_CTX_free(files->ctx);
    files->ctx = NULL;
    unlink(files->ca);
    unlink(files->cert);
    unlink(files->key);
    rmdir(files->dir);
}

/* --- connections ---------------------------------------------------------- */

SSL *tls_accept(const struct tls_files *files, int fd)
{
    SSL *ssl = SSL_new(files->ctx);

    if (SSL_set_fd(ssl, fd) == 1 && SSL_accept(ssl) == 1)
        return ssl;
    SSL_free(ssl);
    ERR_clear_error();
    return NULL;
}

bool tls_write(SSL *ssl, const void *bytes, size_t len)
{
    size_t n;

    return SSL_write_ex(ssl, bytes, len, &n) == 1;
}

bool tls_read(SSL *ssl, void *bytes, size_t len)
{
    size_t n;

    for (size_t at = 0; at < len; at += n)
        if (SSL_read_ex(ssl, (char *)bytes + at, len - at, &n) != 1)
            return false;
    return true;
}

void tls_end(SSL *ssl)
{
    char bytes[1024];
    size_t n;

    if (!ssl)
        return;
    while (SSL_read_ex(ssl, bytes, sizeof bytes, &n) == 1)
        ;
    SSL_free(ssl);
    ERR_clear_error();
}
