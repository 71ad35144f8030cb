/* SPDX-License-Identifier: MIT */
#include "base/tls.h"

#include <stddef.h>
#include <stdint.h>

enum { NO_ATEXIT = 0x00080000 }; /* OPENSSL_INIT_NO_ATEXIT */

/* Comes with libmosquitto and libcurl; or not, if they were built with another library. */
extern int OPENSSL_init_crypto(uint64_t options, const void *settings)
    __attribute__((weak));

void sr_tls_prepare(void)
{
    if (OPENSSL_init_crypto)
        OPENSSL_init_crypto(NO_ATEXIT, NULL);
}
