/* SPDX-License-Identifier: MIT */
#include "certificate.h"

#include "folder.h"
#include "say.h"

#include <arpa/inet.h>
#include <errno.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#define DAY  (24 * 60 * 60)
#define LIFE (10 * 365 * DAY)
#define LEFT (30 * DAY) /* less than that, and a new one is made */

/* Handles; NULL where there is none yet. The CA's key is forgotten when it has signed. */
struct chain {
    gnutls_x509_crt_t ca, cert;
    gnutls_x509_privkey_t ca_key, key;
};

static void release(struct chain *chain)
{
    if (chain->ca)
        gnutls_x509_crt_deinit(chain->ca);
    if (chain->cert)
        gnutls_x509_crt_deinit(chain->cert);
    if (chain->ca_key)
        gnutls_x509_privkey_deinit(chain->ca_key);
    if (chain->key)
        gnutls_x509_privkey_deinit(chain->key);
    *chain = (struct chain){ 0 };
}

/* --- is the old one good? ------------------------------------------------------------ */

static bool load_certificate(const char *path, gnutls_x509_crt_t *ret_crt)
{
    gnutls_datum_t pem;
    bool ok;

    if (gnutls_load_file(path, &pem) < 0)
        return false;
    ok = gnutls_x509_crt_init(ret_crt) == 0 &&
         gnutls_x509_crt_import(*ret_crt, &pem, GNUTLS_X509_FMT_PEM) == 0;
    gnutls_free(pem.data);
    return ok;
}

static bool load_key(const char *path, gnutls_x509_privkey_t *ret_key)
{
    gnutls_datum_t pem;
    bool ok;

    if (gnutls_load_file(path, &pem) < 0)
        return false;
    ok = gnutls_x509_privkey_init(ret_key) == 0 &&
         gnutls_x509_privkey_import(*ret_key, &pem, GNUTLS_X509_FMT_PEM) == 0;
    gnutls_memset(pem.data, 0, pem.size);
    gnutls_free(pem.data);
    return ok;
}

static bool keys_match(const struct chain *chain)
{
    unsigned char a[64], b[64];
    size_t a_len = sizeof a, b_len = sizeof b;

    return gnutls_x509_crt_get_key_id(chain->cert, 0, a, &a_len) == 0 &&
           gnutls_x509_privkey_get_key_id(chain->key, 0, b, &b_len) == 0 &&
           a_len == b_len && memcmp(a, b, a_len) == 0;
}

static bool is_signed(const struct chain *chain)
{
    unsigned result = ~0u;

    return gnutls_x509_crt_verify(chain->cert, &chain->ca, 1, 0, &result) == 0 &&
           result == 0;
}

static bool is_good(const struct sb_certificate *files, const char *host)
{
    struct chain chain = { 0 };
    bool ok = load_certificate(files->ca, &chain.ca) &&
              load_certificate(files->cert, &chain.cert) &&
              load_key(files->key, &chain.key) &&
              gnutls_x509_crt_get_expiration_time(chain.cert) > time(NULL) + LEFT &&
              gnutls_x509_crt_check_hostname(chain.cert, "localhost") &&
              gnutls_x509_crt_check_hostname(chain.cert, host) && keys_match(&chain) &&
              is_signed(&chain);

    release(&chain);
    return ok;
}

/* --- a new one -------------------------------------------------------------------------- */

/* All return 0, or a code of GnuTLS. */

static int set_common(gnutls_x509_crt_t crt, gnutls_x509_privkey_t key,
                      const char *name)
{
    unsigned char serial[16], id[64];
    size_t id_len = sizeof id;
    time_t now = time(NULL);
    int rc;

    if (getrandom(serial, sizeof serial, 0) != sizeof serial)
        return GNUTLS_E_RANDOM_FAILED;
    serial[0] = (unsigned char)((serial[0] & 0x7f) | 0x40); /* positive, and no zeros */
    if ((rc = gnutls_x509_crt_set_version(crt, 3)) ||
        (rc = gnutls_x509_crt_set_key(crt, key)) ||
        (rc = gnutls_x509_crt_set_serial(crt, serial, sizeof serial)) ||
        (rc = gnutls_x509_crt_set_activation_time(crt, now - DAY)) ||
        (rc = gnutls_x509_crt_set_expiration_time(crt, now + LIFE)) ||
        (rc = gnutls_x509_crt_set_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, name,
                                            (unsigned)strlen(name))) ||
        (rc = gnutls_x509_privkey_get_key_id(key, 0, id, &id_len)))
        return rc;
    return gnutls_x509_crt_set_subject_key_id(crt, id, id_len);
}

static int make_key(gnutls_x509_privkey_t *ret_key)
{
    int rc = gnutls_x509_privkey_init(ret_key);

    if (rc)
        return rc;
    return gnutls_x509_privkey_generate(
        *ret_key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0);
}

static int make_ca(struct chain *chain)
{
    int rc;

    if ((rc = make_key(&chain->ca_key)) || (rc = gnutls_x509_crt_init(&chain->ca)) ||
        (rc = set_common(chain->ca, chain->ca_key, "smartrest-sandbox CA")) ||
        (rc = gnutls_x509_crt_set_basic_constraints(chain->ca, 1, 0)) ||
        (rc = gnutls_x509_crt_set_key_usage(chain->ca, GNUTLS_KEY_KEY_CERT_SIGN |
                                                           GNUTLS_KEY_CRL_SIGN)))
        return rc;
    return gnutls_x509_crt_sign2(chain->ca, chain->ca, chain->ca_key, GNUTLS_DIG_SHA256,
                                 0);
}

static int add_address(gnutls_x509_crt_t crt, const char *host)
{
    unsigned char address[16];
    char plain[INET6_ADDRSTRLEN];
    unsigned len = 4;

    snprintf(plain, sizeof plain, "%.*s", (int)strcspn(host, "%"), host);
    if (inet_pton(AF_INET, plain, address) != 1) {
        if (inet_pton(AF_INET6, plain, address) != 1)
            return 0; /* it is none: nothing to add */
        len = 16;
    }
    return gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_IPADDRESS, address, len,
                                                GNUTLS_FSAN_APPEND);
}

static int add_names(gnutls_x509_crt_t crt, const char *host)
{
    static const char local[] = "localhost";
    int rc = gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_DNSNAME, local,
                                                  sizeof local - 1, GNUTLS_FSAN_APPEND);

    if (rc || (rc = add_address(crt, "127.0.0.1")) || (rc = add_address(crt, "::1")))
        return rc;
    return strcmp(host, "127.0.0.1") && strcmp(host, "::1") ? add_address(crt, host)
                                                            : 0;
}

static int make_certificate(struct chain *chain, const char *host)
{
    unsigned char id[64];
    size_t id_len = sizeof id;
    int rc;

    if ((rc = make_key(&chain->key)) || (rc = gnutls_x509_crt_init(&chain->cert)) ||
        (rc = set_common(chain->cert, chain->key, "localhost")) ||
        (rc = add_names(chain->cert, host)) ||
        (rc = gnutls_x509_crt_set_basic_constraints(chain->cert, 0, -1)) ||
        (rc = gnutls_x509_crt_set_key_usage(chain->cert,
                                            GNUTLS_KEY_DIGITAL_SIGNATURE)) ||
        (rc = gnutls_x509_crt_set_key_purpose_oid(chain->cert, GNUTLS_KP_TLS_WWW_SERVER,
                                                  0)) ||
        (rc = gnutls_x509_privkey_get_key_id(chain->ca_key, 0, id, &id_len)) ||
        (rc = gnutls_x509_crt_set_authority_key_id(chain->cert, id, id_len)))
        return rc;
    return gnutls_x509_crt_sign2(chain->cert, chain->ca, chain->ca_key,
                                 GNUTLS_DIG_SHA256, 0);
}

/* --- files --------------------------------------------------------------------------------- */

static bool write_file(const char *path, const gnutls_datum_t *pem)
{
    if (sb_file_write(path, (const char *)pem->data)) /* GnuTLS ends it with a NUL */
        return true;
    sb_say("cannot write %s: %s", path, strerror(errno));
    return false;
}

static bool write_files(const struct chain *chain, const struct sb_certificate *files)
{
    gnutls_datum_t ca = { 0 }, cert = { 0 }, key = { 0 };
    bool ok = false;

    if (gnutls_x509_crt_export2(chain->ca, GNUTLS_X509_FMT_PEM, &ca) ||
        gnutls_x509_crt_export2(chain->cert, GNUTLS_X509_FMT_PEM, &cert) ||
        gnutls_x509_privkey_export2_pkcs8(chain->key, GNUTLS_X509_FMT_PEM, NULL,
                                          GNUTLS_PKCS_PLAIN, &key))
        sb_say("cannot put the certificate into a file: out of memory");
    else
        ok = write_file(files->key, &key) && write_file(files->cert, &cert) &&
             write_file(files->ca, &ca);
    if (key.data)
        gnutls_memset(key.data, 0, key.size);
    gnutls_free(ca.data);
    gnutls_free(cert.data);
    gnutls_free(key.data);
    return ok;
}

static bool name_files(const char *folder, struct sb_certificate *files)
{
    int a = snprintf(files->ca, PATH_MAX, "%s/ca.pem", folder);
    int b = snprintf(files->cert, PATH_MAX, "%s/server.pem", folder);
    int c = snprintf(files->key, PATH_MAX, "%s/server-key.pem", folder);

    if (a < PATH_MAX && b < PATH_MAX && c < PATH_MAX)
        return true;
    sb_say("the path of the data folder is too long");
    return false;
}

bool sb_certificate_make(const char *folder, const char *host,
                         struct sb_certificate *ret_certificate)
{
    struct chain chain = { 0 };
    bool ok = false;
    int rc;

    if (!name_files(folder, ret_certificate))
        return false;
    if (is_good(ret_certificate, host))
        return true;
    if ((rc = make_ca(&chain)) || (rc = make_certificate(&chain, host)))
        sb_say("cannot make a certificate: %s", gnutls_strerror(rc));
    else
        ok = write_files(&chain, ret_certificate);
    release(&chain);
    return ok;
}
