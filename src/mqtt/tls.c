/* SPDX-License-Identifier: MIT */
#include "mqtt/tls.h"

#include "base/url.h"
#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

/* --- making one ----------------------------------------------------------- */

/* OpenSSL would ask on the terminal. */
static int no_passphrase(char *buffer, int size, int writing, void *arg)
{
    (void)buffer;
    (void)size;
    (void)writing;
    (void)arg;
    return 0;
}

static bool load_authorities(SSL_CTX *ctx, const struct sr_net *net)
{
    if (!net->ca_file && !net->ca_path)
        return SSL_CTX_set_default_verify_paths(ctx) == 1;
    return SSL_CTX_load_verify_locations(ctx, net->ca_file, net->ca_path) == 1;
}

static bool load_certificate(SSL_CTX *ctx, const struct sr_net *net)
{
    if (!net->cert_file)
        return true;
    return SSL_CTX_use_certificate_chain_file(ctx, net->cert_file) == 1 &&
           SSL_CTX_use_PrivateKey_file(ctx, net->key_file, SSL_FILETYPE_PEM) == 1 &&
           SSL_CTX_check_private_key(ctx) == 1;
}

/* The files were looked at when they were set; here they may have changed since. */
static SSL_CTX *new_ctx(const struct sr_net *net, char *why, size_t size)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

    if (!ctx) {
        snprintf(why, size, "out of memory");
        return NULL;
    }
    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                              SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_default_passwd_cb(ctx, no_passphrase);
    SSL_CTX_set_verify(ctx, net->insecure ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
    if (!net->insecure && !load_authorities(ctx, net))
        snprintf(why, size, "cannot read the CA file %s",
                 net->ca_file ? net->ca_file : net->ca_path);
    else if (!load_certificate(ctx, net))
        snprintf(why, size, "cannot use the certificate %s with the key %s",
                 net->cert_file, net->key_file);
    else
        return ctx;
    SSL_CTX_free(ctx);
    return NULL;
}

/* Without the zone of an IPv6 address, which certificates know nothing of. */
static bool is_address(const char *host, char address[INET6_ADDRSTRLEN])
{
    unsigned char bytes[sizeof(struct in6_addr)];
    size_t len = strcspn(host, "%");

    if (len >= INET6_ADDRSTRLEN)
        return false;
    memcpy(address, host, len);
    address[len] = '\0';
    return inet_pton(AF_INET, address, bytes) == 1 ||
           inet_pton(AF_INET6, address, bytes) == 1;
}

/* A name's last dot, which keeps a resolver from adding a domain, is in no certificate. */
static bool expect_host(SSL *ssl, const char *host)
{
    char address[INET6_ADDRSTRLEN], name[SR_URL_HOST_MAX + 1];
    size_t len = strlen(host);

    if (is_address(host, address))
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), address) == 1;
    if (len && host[len - 1] == '.')
        len--;
    snprintf(name, sizeof name, "%.*s", (int)len, host);
    return SSL_set1_host(ssl, name) == 1 && SSL_set_tlsext_host_name(ssl, name) == 1;
}

SSL *sr_tls_new(const struct sr_net *net, const char *host, int fd, char *why,
                size_t size)
{
    SSL_CTX *ctx = new_ctx(net, why, size);
    SSL *ssl;

    if (!ctx)
        return NULL;
    ssl = SSL_new(ctx);
    SSL_CTX_free(ctx);
    if (ssl && expect_host(ssl, host) && SSL_set_fd(ssl, fd) == 1) {
        SSL_set_connect_state(ssl);
        return ssl;
    }
    SSL_free(ssl);
    snprintf(why, size, "out of memory");
    return NULL;
}

/* --- words ------------------------------------------------------------------ */

/* OpenSSL's own words for the fault stand in front, as libcurl has them for HTTP. */
static void certificate_why(long fault, const char *host, char *why, size_t size)
{
    const char *hint;

    switch (fault) {
    case X509_V_ERR_CERT_NOT_YET_VALID: hint = "; or is the clock wrong?"; break;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
        hint = "; its authority is not among those that are trusted (ca_file)";
        break;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH: hint = "; it is for another host"; break;
    default: hint = ""; break;
    }
    snprintf(why, size, "certificate of %s: %s%s", host,
             X509_verify_cert_error_string(fault), hint);
}

/* What the peer's alerts and the commonest faults mean; the rest in OpenSSL's words. */
static const struct {
    int reason;
    const char *text; /* behind the host's name */
} reasons[] = {
    {SSL_R_WRONG_VERSION_NUMBER,                 "speaks no TLS at this port"       },
    { SSL_R_UNSUPPORTED_PROTOCOL,                "speaks no TLS version from 1.2 on"},
    { SSL_R_TLSV1_ALERT_PROTOCOL_VERSION,        "speaks no TLS version that we do" },
    { SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE,
     "refuses our TLS, or wants a certificate (cert_file)"                          },
    { SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED,
     "wants a client certificate (cert_file)"                                       },
    { SSL_R_TLSV1_ALERT_UNKNOWN_CA,
     "refuses our client certificate: unknown authority"                            },
    { SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED,
     "refuses our client certificate: it has expired"                               },
    { SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED,
     "refuses our client certificate: it is revoked"                                },
    { SSL_R_SSLV3_ALERT_BAD_CERTIFICATE,         "refuses our client certificate"   },
    { SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN,     "refuses our client certificate"   },
    { SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE, "refuses our client certificate"   },
    { SSL_R_TLSV1_ALERT_ACCESS_DENIED,           "refuses our client certificate"   },
};

static const char *reason_text(unsigned long error)
{
    if (ERR_GET_LIB(error) != ERR_LIB_SSL)
        return NULL;
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        if (ERR_GET_REASON(error) == reasons[i].reason)
            return reasons[i].text;
    return NULL;
}

void sr_tls_why(SSL *ssl, const char *host, char *why, size_t size)
{
    long fault = SSL_get_verify_result(ssl);
    unsigned long error = ERR_peek_last_error();
    const char *text = reason_text(error);

    if (fault != X509_V_OK && SSL_get_verify_mode(ssl) != SSL_VERIFY_NONE)
        certificate_why(fault, host, why, size);
    else if (text)
        snprintf(why, size, "TLS: %s %s", host, text);
    else if (ERR_reason_error_string(error))
        snprintf(why, size, "TLS with %s failed: %s", host,
                 ERR_reason_error_string(error));
    else
        snprintf(why, size, "TLS with %s failed", host);
    ERR_clear_error();
}

bool sr_tls_is_end(int error, int system_error)
{
#ifdef SSL_R_UNEXPECTED_EOF_WHILE_READING
    if (error == SSL_ERROR_SSL &&
        ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING)
        return true;
#endif
    return error == SSL_ERROR_SYSCALL && !system_error && !ERR_peek_error();
}
