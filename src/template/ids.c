/* SPDX-License-Identifier: MIT */
#include "template/lint_p.h"
#include <stdlib.h>

/* Where `key` is, or where it would go. There is always an empty slot. */
static struct sr_id_slot *find(struct sr_id_slot *slot, size_t cap, uint64_t key)
{
    size_t at = (size_t)(key * UINT64_C(0x9e3779b97f4a7c15) >> 32) & (cap - 1);

    while (slot[at].key && slot[at].key != key)
        at = (at + 1) & (cap - 1);
    return &slot[at];
}

static int grow(struct sr_id_set *set)
{
    size_t cap = set->cap ? set->cap * 2 : 64;
    struct sr_id_slot *slot = calloc(cap, sizeof *slot);

    if (!slot)
        return SR_E_NOMEM;
    for (size_t i = 0; i < set->cap; i++)
        if (set->slot[i].key)
            *find(slot, cap, set->slot[i].key) = set->slot[i];
    free(set->slot);
    set->slot = slot;
    set->cap = cap;
    return 0;
}

int sr_id_set_add(struct sr_id_set *set, enum sr_id_kind kind, uint32_t id, size_t line,
                  size_t *ret_line)
{
    uint64_t key = (uint64_t)kind << 32 | id;
    struct sr_id_slot *slot;

    if (2 * set->n >= set->cap && grow(set))
        return SR_E_NOMEM;
    slot = find(set->slot, set->cap, key);
    *ret_line = slot->key ? slot->line : 0;
    if (!slot->key) {
        *slot = (struct sr_id_slot){ .key = key, .line = line };
        set->n++;
    }
    return 0;
}

void sr_id_set_release(struct sr_id_set *set)
{
    free(set->slot);
    *set = (struct sr_id_set){ 0 };
}
