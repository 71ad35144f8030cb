/* SPDX-License-Identifier: MIT */
/* Credentials, and the file that keeps them: three lines, tenant, user, password. */
#ifndef AGENT_CREDENTIALS_H
#define AGENT_CREDENTIALS_H

#include <stdbool.h>

struct sr_credentials {
    char *tenant, *user, *password; /* all or none */
};

/* Copies three texts: not empty, at most 1000 bytes, no control bytes. What *credentials
 * held is released. Returns 0, SR_E_INVAL, SR_E_NOMEM; on failure nothing changed. */
int sr_credentials_set(struct sr_credentials *credentials, const char *tenant,
                       const char *user, const char *password);
/* Overwrites the password before it is freed. */
void sr_credentials_release(struct sr_credentials *credentials);

/* Returns 0; SR_E_NOTFOUND, there is no file; SR_E_CORRUPT, it is not such a file, and
 * *ret_reason (static) says why; SR_E_IO, see errno; SR_E_NOMEM. */
int sr_credentials_load(const char *path, struct sr_credentials *credentials,
                        const char **ret_reason);

/* Could sr_credentials_store() write `path`? Leaves nothing behind. Returns 0, or SR_E_IO,
 * see errno. */
int sr_credentials_probe(const char *path);

/* Replaces the file atomically, mode 0600; on disk when this returns. Returns 0; SR_E_IO,
 * see errno: the path has the old file, or the new one, whole; SR_E_NOMEM. */
int sr_credentials_store(const char *path, const struct sr_credentials *credentials);

#endif
