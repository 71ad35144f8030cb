/* SPDX-License-Identifier: MIT */
#include "base/tls.h"

#include <openssl/crypto.h>
#include <stddef.h>

void sr_tls_prepare(void)
{
    OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT, NULL);
}
