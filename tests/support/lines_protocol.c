/* SPDX-License-Identifier: MIT */
#include "support/lines_protocol.h"

#include <stdio.h>
#include <string.h>

#define UP   "lines/up/"
#define DOWN "lines/down/"

enum { MOST = 1000 };

static void route(enum sr_carrier by, const char *name, struct sr_route *ret_route)
{
    *ret_route = (struct sr_route){ .content_type = "text/plain" };
    snprintf(ret_route->to, sizeof ret_route->to, "%s%s",
             by == SR_BY_MQTT ? UP : "/lines/", name);
}

static size_t topics(const char *name, struct sr_topic *ret_topics)
{
    ret_topics->qos = 1;
    snprintf(ret_topics->name, sizeof ret_topics->name, DOWN "%s", name);
    return 1;
}

static enum sr_hearing hear(const char *topic, const char **ret_name)
{
    if (strncmp(topic, DOWN, strlen(DOWN)))
        return SR_HEAR_NOTHING;
    *ret_name = topic + strlen(DOWN);
    return SR_HEAR_ROWS;
}

/* The server says "ok" in the first row. */
static enum sr_evidence weigh(struct sr_rows *answer, uint64_t lines)
{
    struct sr_record *first = answer->count ? sr_rows_at(answer, 0) : NULL;

    (void)lines;
    return first && !strcmp(sr_record_value(first, 0), "ok") ? SR_EVIDENCE_GOOD
                                                             : SR_EVIDENCE_NONE;
}

const struct sr_protocol lines_protocol = {
    .name = "lines",
    .valid = sr_name_valid,
    .check = sr_rows_valid,
    .joining = SR_JOIN_CHANNEL,
    .payload_max = {[SR_BY_MQTT] = MOST, [SR_BY_HTTP] = MOST},
    .route = route,
    .topics = topics,
    .hear = hear,
    .status = 201,
    .weigh = weigh,
};
