/* SPDX-License-Identifier: MIT */
/* Credentials, and the file that keeps them: three lines, tenant, user, password. What the C++ SDK
 * reads is read, too: words parted by blanks and line ends, a byte order mark in front. */
#ifndef AGENT_CREDENTIALS_H
#define AGENT_CREDENTIALS_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes of each; a user is `device_` and a device id of up to 1000. */
enum { SR_CREDENTIAL_MAX = 1024, SR_CREDENTIALS_REASON_MAX = 120 };

struct sr_credentials {
    char *tenant, *user, *password; /* all or none */
};

/* One of them as it came, without a terminator. */
struct sr_credential_text {
    const char *bytes;
    size_t len;
};

/* May the three be credentials: not NULL, not empty, at most SR_CREDENTIAL_MAX bytes, no control
 * characters? If not, `reason` (SR_CREDENTIALS_REASON_MAX bytes) says which, and why. */
bool sr_credentials_valid(const char *tenant, const char *user, const char *password,
                          char *reason);
/* The same for what is to be stored in a file, which also cannot keep a tenant or user with a
 * blank, nor a password with one at its ends. */
bool sr_credentials_storable(const struct sr_credential_text texts[3], char *reason);

/* Copies three texts. What *credentials held is released. Returns 0; SR_E_INVAL, they are not valid;
 * SR_E_NOMEM; on failure nothing changed. */
int sr_credentials_set(struct sr_credentials *credentials, const char *tenant,
                       const char *user, const char *password);
/* Overwrites the password before it is freed. */
void sr_credentials_release(struct sr_credentials *credentials);

/* Returns 0; SR_E_NOTFOUND, there is no file; SR_E_CORRUPT, it is not such a file, and
 * `reason` (SR_CREDENTIALS_REASON_MAX bytes) says why and on which line; SR_E_IO, see errno;
 * SR_E_NOMEM. */
int sr_credentials_load(const char *path, struct sr_credentials *credentials,
                        char *reason);

/* Could sr_credentials_store() write `path`? Leaves nothing behind. Returns 0, or SR_E_IO,
 * see errno. */
int sr_credentials_probe(const char *path);

/* Replaces the file atomically, mode 0600; on disk when this returns. If `path` is a symbolic link, the
 * file that it points to. Returns 0; SR_E_IO, see errno: the path has the old file, or the new
 * one, whole; SR_E_NOMEM. */
int sr_credentials_store(const char *path, const struct sr_credentials *credentials);

#endif
