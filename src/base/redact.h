/* SPDX-License-Identifier: MIT */
/* Secrets in sentences that are others' or hold what others gave us. */
#ifndef BASE_REDACT_H
#define BASE_REDACT_H

/* Overwrites user and password in all URLs of `text` with `***`, or as many as there is room for:
 * whatever is between the first `://` and the last `@` before another URL. Without `://` it is what
 * is between the quote (or the blank) and the `@`. Rather too much than too little. */
void sr_redact(char *text);

#endif
