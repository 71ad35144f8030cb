/* SPDX-License-Identifier: MIT */
/* A certificate for 127.0.0.1, made now by the openssl command. */
#ifndef SUPPORT_CERTIFICATE_H
#define SUPPORT_CERTIFICATE_H

#include <stdbool.h>

enum { CERTIFICATE_DIR = 64 };

/* Makes a directory, named in `dir`, with cert.pem (its own authority) and key.pem. */
bool make_certificate(char dir[CERTIFICATE_DIR]);
void remove_certificate(const char *dir);

#endif
