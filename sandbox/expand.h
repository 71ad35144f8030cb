/* SPDX-License-Identifier: MIT */
/* A request template filled with the values of a row. Values go in as they are:
 * templates, not the platform, put quotes around them. */
#ifndef SANDBOX_EXPAND_H
#define SANDBOX_EXPAND_H

#include "collection.h"
#include "text.h"

struct sb_target {
    struct sb_text uri, body;
    const char *path; /* decoded; in `uri` */
    const char *query;
};

/* The row has as many values as the template takes. False if what comes out is no
 * URI, or memory ran out. sb_target_release() in any case. */
bool sb_expand(const struct sb_request_template *t, struct sr_record *record,
               struct sb_target *target);
void sb_target_release(struct sb_target *target);

#endif
