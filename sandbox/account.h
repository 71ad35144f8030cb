/* SPDX-License-Identifier: MIT */
#ifndef SANDBOX_ACCOUNT_H
#define SANDBOX_ACCOUNT_H

#include <stdbool.h>

/* Reads an Authorization header of scheme Basic, whatever its case (libmicrohttpd takes
 * `Basic` only). On success *ret_user is to be given back with sb_account_free(), and
 * *ret_password points into it. False if it is another scheme, or broken; `header` may
 * be NULL. */
bool sb_account_read(const char *header, char **ret_user, const char **ret_password);
/* Accepts NULL. */
void sb_account_free(char *user);

#endif
