/* SPDX-License-Identifier: MIT */
#include "store/ranges.h"

#include <string.h>

/* Index of the first range that ends at `number` or behind it. */
static size_t lower(const struct sr_ranges *ranges, uint64_t number)
{
    size_t low = 0, high = ranges->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (ranges->range[middle].last < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* `count` ranges from `at` on become one. */
static void replace(struct sr_ranges *ranges, size_t at, size_t count,
                    struct sr_range by)
{
    memmove(&ranges->range[at + 1], &ranges->range[at + count],
            (ranges->count - at - count) * sizeof by);
    ranges->range[at] = by;
    ranges->count = ranges->count + 1 - count;
}

bool sr_ranges_add(struct sr_ranges *ranges, uint64_t first, uint64_t last,
                   struct sr_range *ret_forgotten)
{
    /* what touches becomes one with it */
    size_t at = lower(ranges, first ? first - 1 : 0), end = at;
    struct sr_range sum = { first, last };

    for (; end < ranges->count; end++) {
        const struct sr_range *range = &ranges->range[end];

        if (last < UINT64_MAX && range->first > last + 1)
            break;
        sum.first = range->first < sum.first ? range->first : sum.first;
        sum.last = range->last > sum.last ? range->last : sum.last;
    }
    replace(ranges, at, end - at, sum);
    if (ranges->count <= SR_RANGES_MAX)
        return false;
    *ret_forgotten = sr_ranges_forget(ranges);
    return true;
}

struct sr_range sr_ranges_forget(struct sr_ranges *ranges)
{
    size_t smallest = 0;
    struct sr_range gone;

    for (size_t i = 1; i < ranges->count; i++)
        if (ranges->range[i].last - ranges->range[i].first <
            ranges->range[smallest].last - ranges->range[smallest].first)
            smallest = i;
    gone = ranges->range[smallest];
    ranges->count--;
    memmove(&ranges->range[smallest], &ranges->range[smallest + 1],
            (ranges->count - smallest) * sizeof gone);
    return gone;
}

const struct sr_range *sr_ranges_find(const struct sr_ranges *ranges, uint64_t number)
{
    size_t at = lower(ranges, number);

    return at < ranges->count && ranges->range[at].first <= number ? &ranges->range[at]
                                                                   : NULL;
}

bool sr_ranges_cover(const struct sr_ranges *ranges, uint64_t first, uint64_t last)
{
    const struct sr_range *range = sr_ranges_find(ranges, first);

    return range && range->last >= last;
}

uint64_t sr_ranges_missing(const struct sr_ranges *ranges, uint64_t first,
                           uint64_t last)
{
    uint64_t missing = 0;

    for (size_t at = lower(ranges, first); at < ranges->count && first <= last; at++) {
        const struct sr_range *range = &ranges->range[at];

        if (range->first > last)
            break;
        if (range->first > first)
            missing += range->first - first;
        if (range->last >= last)
            return missing;
        first = range->last + 1;
    }
    return first <= last ? missing + (last - first + 1) : missing;
}
