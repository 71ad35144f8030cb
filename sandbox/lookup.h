/* SPDX-License-Identifier: MIT */
/* X-Ids to collections, with those in use kept ready. */
#ifndef SANDBOX_LOOKUP_H
#define SANDBOX_LOOKUP_H

#include "collection.h"
#include "store.h"

struct sb_lookup;

struct sb_lookup *sb_lookup_new(struct sb_store *store);
/* Accepts NULL. */
void sb_lookup_free(struct sb_lookup *lookup);

/* The collection named `xid`, by its name or the id of its managed object, and that
 * id (may be NULL); sb_collection_unref() it. NULL if there is none. */
struct sb_collection *sb_lookup_find(struct sb_lookup *lookup, const char *xid,
                                     int64_t *ret_id);

/* Something changed in the store. */
void sb_lookup_forget(struct sb_lookup *lookup);

#endif
