/* SPDX-License-Identifier: MIT */
/* The sandbox's own certificate: a CA made for it, and of that one a certificate for
 * localhost, 127.0.0.1, ::1 and the address it listens on. */
#ifndef SANDBOX_CERTIFICATE_H
#define SANDBOX_CERTIFICATE_H

#include <limits.h>
#include <stdbool.h>

struct sb_certificate {
    char ca[PATH_MAX], cert[PATH_MAX], key[PATH_MAX]; /* PEM files */
};

/* In `folder`; those that are there and still good are kept, so that clients need not
 * learn a new CA. False: a line was written to stderr. */
bool sb_certificate_make(const char *folder, const char *host,
                         struct sb_certificate *ret_certificate);

#endif
