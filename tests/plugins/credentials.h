/* SPDX-License-Identifier: MIT */
/* Credentials without the two seconds between the questions of a bootstrap. */
#ifndef PLUGINS_CREDENTIALS_H
#define PLUGINS_CREDENTIALS_H

#include "world.h"

struct credentials {
    char tenant[64], user[64], password[128];
};

/* Registers device `id`, accepts it, and asks in its place. */
void credentials_get(const struct world *world, const char *id,
                     struct credentials *ret_credentials);

/* A call that must have that status. */
struct answer call_well(const struct world *world, const char *account,
                        const char *method, const char *path, const char *x_id,
                        const char *body, long status);

#endif
