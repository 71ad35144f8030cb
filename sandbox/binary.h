/* SPDX-License-Identifier: MIT */
/* Files: /inventory/binaries and the attachments of events. A file lies in the data
 * folder under a number; its name is data and never a path.
 *
 *     sb_binaries_open -> (sb_binary_begin, sb_upload_write ..., sb_binary_end) ...
 */
#ifndef SANDBOX_BINARY_H
#define SANDBOX_BINARY_H

#include "rest.h"

struct sb_binaries;

/* `dir` NULL: there are none. Removes what a killed sandbox left half done. On failure
 * *ret_error is a sentence; free() it. */
int sb_binaries_open(struct sb_store *store, const char *dir, uint64_t max,
                     struct sb_binaries **ret_binaries, char **ret_error);
/* Accepts NULL. */
void sb_binaries_close(struct sb_binaries *binaries);

/* Removes the files of what was deleted. Not within a transaction. */
void sb_binaries_sweep(struct sb_binaries *binaries);

/* Is the body of this request a file? */
bool sb_binary_takes(const char *method, const char *path);

/* NULL and the reply: refused. */
struct sb_upload *sb_binary_begin(struct sb_rest *rest, const struct sb_call *call,
                                  const char *content_type, const char *disposition,
                                  uint64_t length, struct sb_reply *reply);
/* Frees the upload. */
void sb_binary_end(struct sb_rest *rest, const struct sb_call *call,
                   struct sb_upload *upload, struct sb_reply *reply);

#endif
