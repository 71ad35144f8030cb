/* SPDX-License-Identifier: MIT */
#include "support/certificate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool shell(const char *format, const char *dir)
{
    char command[512];

    snprintf(command, sizeof command, format, dir, dir);
    return system(command) == 0;
}

bool make_certificate(char dir[CERTIFICATE_DIR])
{
    strcpy(dir, "/tmp/certificate.XXXXXX");
    return mkdtemp(dir) &&
           shell(
               "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 "
               "-addext subjectAltName=IP:127.0.0.1 -keyout %s/key.pem "
               "-out %s/cert.pem 2>/dev/null",
               dir);
}

void remove_certificate(const char *dir)
{
    if (!shell("rm -rf %s", dir))
        fprintf(stderr, "cannot remove %s\n", dir);
}
