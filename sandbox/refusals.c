/* SPDX-License-Identifier: MIT */
#include "refusals.h"

#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int compare(const void *a, const void *b)
{
    return strcmp(a, b);
}

void sb_refusals_clear(struct sb_refusals *refusals)
{
    tdestroy(refusals->seen, free);
    *refusals = (struct sb_refusals){ 0 };
}

bool sb_refusals_first(struct sb_refusals *refusals, const char *client_id,
                       const char *topic)
{
    char *text;

    if (asprintf(&text, "%s %.200s", client_id, topic) < 0)
        return false;
    if (tfind(text, &refusals->seen, compare)) {
        free(text);
        return false;
    }
    if (refusals->count == SB_REFUSALS_MAX)
        sb_refusals_clear(refusals);
    if (tsearch(text, &refusals->seen, compare))
        refusals->count++;
    else
        free(text);
    return true;
}
