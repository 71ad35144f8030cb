/* SPDX-License-Identifier: MIT */
#include "account.h"

#include <gnutls/gnutls.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* What stands behind the scheme, without blanks; its length is 0 if there is nothing. */
static gnutls_datum_t token_of(const char *header)
{
    gnutls_datum_t token = { 0 };

    if (!header || strncasecmp(header, "Basic ", 6) != 0)
        return token;
    header += 6 + strspn(header + 6, " \t");
    token.data = (unsigned char *)(uintptr_t)header;
    token.size = (unsigned)strcspn(header, " \t");
    return token;
}

/* "user:password"; malloc'ed, NULL if it is none. */
static char *decode(const gnutls_datum_t *token)
{
    gnutls_datum_t bytes = { 0 };
    char *text = NULL;

    if (!token->size || gnutls_base64_decode2(token, &bytes) < 0)
        return NULL;
    if (!memchr(bytes.data, '\0', bytes.size))
        text = strndup((const char *)bytes.data, bytes.size);
    gnutls_free(bytes.data);
    return text;
}

bool sb_account_read(const char *header, char **ret_user, const char **ret_password)
{
    gnutls_datum_t token = token_of(header);
    char *text = decode(&token);
    char *colon = text ? strchr(text, ':') : NULL;

    if (!colon) {
        free(text);
        return false;
    }
    *colon = '\0';
    *ret_user = text;
    *ret_password = colon + 1;
    return true;
}

void sb_account_free(char *user)
{
    free(user);
}
