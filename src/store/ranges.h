/* SPDX-License-Identifier: MIT */
/* Ranges: a set of numbers as sorted ranges that do not touch, of bounded size. */
#ifndef STORE_RANGES_H
#define STORE_RANGES_H

#include "store/segment.h"

enum { SR_RANGES_MAX = 256 };

struct sr_ranges {
    size_t count;
    struct sr_range range[SR_RANGES_MAX + 1]; /* one more while adding */
};

/* Adds them. True: there was no room, and *ret_forgotten, the smallest range, is no longer
 * in the set. */
bool sr_ranges_add(struct sr_ranges *ranges, uint64_t first, uint64_t last,
                   struct sr_range *ret_forgotten);
/* The range that has `number`, or NULL. */
const struct sr_range *sr_ranges_find(const struct sr_ranges *ranges, uint64_t number);
/* Are all from `first` to `last` in it? */
bool sr_ranges_cover(const struct sr_ranges *ranges, uint64_t first, uint64_t last);
/* How many from `first` to `last` are not in it? */
uint64_t sr_ranges_missing(const struct sr_ranges *ranges, uint64_t first,
                           uint64_t last);
/* Takes out the smallest. There must be one. */
struct sr_range sr_ranges_forget(struct sr_ranges *ranges);

#endif
