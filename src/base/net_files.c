/* SPDX-License-Identifier: MIT */
#include "base/fd.h"
#include "base/net.h"
#include "base/tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SR_LOG_COMPONENT "net"
#include <smartrest/log.h>

static FILE *open_file(const char *path)
{
    int fd = sr_fd_open_file(path);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "r");

    if (!file && fd >= 0)
        close(fd);
    return file;
}

static FILE *open_named(const char *what, const char *path, char *why, size_t size)
{
    FILE *file = open_file(path);

    if (!file)
        snprintf(why, size, "%s '%.300s': %s", what, path, sr_fd_file_error(errno));
    return file;
}

/* OpenSSL would ask on the terminal. */
static int no_passphrase(char *buffer, int size, int writing, void *arg)
{
    (void)buffer;
    (void)size;
    (void)writing;
    (void)arg;
    return 0;
}

static X509 *read_certificate(const char *what, const char *path, char *why,
                              size_t size)
{
    FILE *file = open_named(what, path, why, size);
    X509 *certificate;

    if (!file)
        return NULL;
    certificate = PEM_read_X509_AUX(file, NULL, no_passphrase, NULL);
    fclose(file);
    if (!certificate)
        snprintf(why, size, "%s '%.300s': there is no certificate in PEM in it", what,
                 path);
    return certificate;
}

static EVP_PKEY *read_key(const char *path, char *why, size_t size)
{
    FILE *file = open_named("key_file", path, why, size);
    EVP_PKEY *key;

    if (!file)
        return NULL;
    key = PEM_read_PrivateKey(file, NULL, no_passphrase, NULL);
    fclose(file);
    if (!key)
        snprintf(why, size,
                 "key_file '%.300s': there is no private key in PEM without passphrase "
                 "in it",
                 path);
    return key;
}

static bool check_authorities(const struct sr_net *net, char *why, size_t size)
{
    X509 *certificate;
    struct stat st;

    if (net->ca_file) {
        certificate = read_certificate("ca_file", net->ca_file, why, size);
        X509_free(certificate);
        if (!certificate)
            return false;
    }
    if (!net->ca_path || (!stat(net->ca_path, &st) && S_ISDIR(st.st_mode)))
        return true;
    snprintf(why, size, "ca_path '%.300s' is no directory", net->ca_path);
    return false;
}

static bool check_own(const struct sr_net *net, char *why, size_t size)
{
    X509 *certificate;
    EVP_PKEY *key = NULL;
    bool fit;

    if (!net->cert_file && !net->key_file)
        return true;
    if (!net->cert_file || !net->key_file) {
        snprintf(why, size, "%s '%.300s' needs the setting %s, too",
                 net->cert_file ? "cert_file" : "key_file",
                 net->cert_file ? net->cert_file : net->key_file,
                 net->cert_file ? "key_file" : "cert_file");
        return false;
    }
    certificate = read_certificate("cert_file", net->cert_file, why, size);
    if (certificate)
        key = read_key(net->key_file, why, size);
    fit = certificate && key && X509_check_private_key(certificate, key) == 1;
    if (certificate && key && !fit)
        snprintf(why, size, "key_file '%.300s' is not the key of cert_file '%.300s'",
                 net->key_file, net->cert_file);
    X509_free(certificate);
    EVP_PKEY_free(key);
    return fit;
}

bool sr_net_check(const struct sr_net *net, char *why, size_t size)
{
    bool good;

    sr_tls_prepare(); /* this may be the first that is done with OpenSSL */
    good = check_authorities(net, why, size) && check_own(net, why, size);
    ERR_clear_error();
    return good;
}

int sr_net_take(const struct sr_net *from, struct sr_net *ret)
{
    char why[SR_NET_WHY_MAX];

    if (!from || sr_net_check(from, why, sizeof why))
        return sr_net_copy(from, ret);
    sr_error("%s", why);
    return SR_E_INVAL;
}
