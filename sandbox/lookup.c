/* SPDX-License-Identifier: MIT */
#include "lookup.h"

#include "json.h"

#include <stdlib.h>
#include <string.h>

enum { KEPT = 32 };

struct entry {
    char *xid;
    int64_t id;
    struct sb_collection *collection;
};

struct sb_lookup {
    struct sb_store *store;
    struct entry entry[KEPT];
    size_t next; /* to be replaced */
};

struct sb_lookup *sb_lookup_new(struct sb_store *store)
{
    struct sb_lookup *lookup = calloc(1, sizeof *lookup);

    if (lookup)
        lookup->store = store;
    return lookup;
}

static void drop(struct entry *entry)
{
    free(entry->xid);
    sb_collection_unref(entry->collection);
    *entry = (struct entry){ 0 };
}

void sb_lookup_forget(struct sb_lookup *lookup)
{
    size_t i;

    for (i = 0; i < KEPT; i++)
        drop(&lookup->entry[i]);
}

void sb_lookup_free(struct sb_lookup *lookup)
{
    if (!lookup)
        return;
    sb_lookup_forget(lookup);
    free(lookup);
}

static struct sb_collection *load(struct sb_lookup *lookup, int64_t id)
{
    char error[SB_COLLECTION_ERROR];
    sqlite3_stmt *query = sb_query(
        lookup->store, "SELECT body FROM managed_object WHERE id = ?", "i", id);
    json_t *object = sb_row(query) ? json_loads(sb_column(query, 0), 0, NULL) : NULL;
    struct sb_collection *collection =
        object ? sb_collection_from_json(object, error) : NULL;

    sb_done(query);
    json_decref(object);
    return collection;
}

/* A number is an id first: no name can take the place of an existing collection. */
static struct sb_collection *search(struct sb_lookup *lookup, const char *xid,
                                    int64_t *ret_id)
{
    size_t digits = strspn(xid, "0123456789");
    int64_t id = digits && digits < 19 && !xid[digits] ? strtoll(xid, NULL, 10) : 0;
    struct sb_collection *collection = id ? load(lookup, id) : NULL;

    if (!collection) {
        id = sb_number(lookup->store, 0,
                       "SELECT object FROM external_id WHERE type = ? AND value = ?",
                       "ss", SB_COLLECTION_TYPE, xid);
        collection = id ? load(lookup, id) : NULL;
    }
    *ret_id = id;
    return collection;
}

static const struct entry *kept(const struct sb_lookup *lookup, const char *xid)
{
    size_t i;

    for (i = 0; i < KEPT; i++)
        if (lookup->entry[i].xid && !strcmp(lookup->entry[i].xid, xid))
            return &lookup->entry[i];
    return NULL;
}

static const struct entry *keep(struct sb_lookup *lookup, const char *xid)
{
    struct entry *entry = &lookup->entry[lookup->next];
    struct entry found = { 0 };

    found.collection = search(lookup, xid, &found.id);
    if (!found.collection)
        return NULL;
    found.xid = strdup(xid);
    if (!found.xid) {
        sb_collection_unref(found.collection);
        return NULL;
    }
    lookup->next = (lookup->next + 1) % KEPT;
    drop(entry);
    *entry = found;
    return entry;
}

struct sb_collection *sb_lookup_find(struct sb_lookup *lookup, const char *xid,
                                     int64_t *ret_id)
{
    const struct entry *entry = kept(lookup, xid);

    if (!entry)
        entry = keep(lookup, xid);
    if (!entry)
        return NULL;
    if (ret_id)
        *ret_id = entry->id;
    return sb_collection_ref(entry->collection);
}
