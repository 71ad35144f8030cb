/* SPDX-License-Identifier: MIT */
/* Which client has been told already that its topic is not served. Zeroed at first. */
#ifndef SANDBOX_REFUSALS_H
#define SANDBOX_REFUSALS_H

#include <stdbool.h>
#include <stddef.h>

enum { SB_REFUSALS_MAX = 1024 };

struct sb_refusals {
    void *seen; /* a tsearch(3) tree of texts */
    size_t count;
};

/* Is it the first time for this client and topic? Topics are compared by their first 200
 * bytes; at more than SB_REFUSALS_MAX pairs all are forgotten. */
bool sb_refusals_first(struct sb_refusals *refusals, const char *client_id,
                       const char *topic);
void sb_refusals_clear(struct sb_refusals *refusals);

#endif
