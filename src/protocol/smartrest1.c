/* SPDX-License-Identifier: MIT */
/* SmartREST 1.0: a channel is a template collection, and its name the X-Id. By MQTT on s/ul, with
 * answers on s/dl and operations on s/ol/<X-Id>; by HTTP as the body of POST /s. Rows of all
 * collections share a payload, in which a row `15,<X-Id>` says whose the next ones are; in what
 * comes down a row `87,<rows>,<X-Id>` does (docs/protocol/smartrest1.md, docs/protocol/mqtt.md). */
#include "protocol/protocol.h"

#include <stdio.h>
#include <string.h>

#define OPERATIONS "s/ol/"

enum {
    PACKET_MAX = 16184, /* docs/protocol/mqtt.md */
    ROW_MAX = 256 * 1024,
    SELECT_MAX = sizeof "15,\n" - 1 + SR_NAME_MAX
};

static void route(enum sr_carrier by, const char *name, struct sr_route *ret_route)
{
    (void)name;
    *ret_route = (struct sr_route){ .content_type = NULL };
    strcpy(ret_route->to, by == SR_BY_MQTT ? "s/ul" : "/s");
}

static struct sr_topic topic(int qos, const char *prefix, const char *name)
{
    struct sr_topic topic = { .qos = qos };

    snprintf(topic.name, sizeof topic.name, "%s%s", prefix, name);
    return topic;
}

/* Answers to the rows of all collections come on s/dl. */
static size_t topics(const char *name, struct sr_topic *ret_topics)
{
    size_t count = 0;

    ret_topics[count++] = topic(1, "s/dl", "");
    if (name)
        ret_topics[count++] = topic(1, OPERATIONS, name);
    ret_topics[count++] = topic(0, "s/e", "");
    return count;
}

static enum sr_hearing hear(const char *topic, const char **ret_name)
{
    *ret_name = NULL;
    if (!strcmp(topic, "s/dl"))
        return SR_HEAR_ROWS;
    if (!strcmp(topic, "s/e"))
        return SR_HEAR_ERRORS;
    if (strncmp(topic, OPERATIONS, strlen(OPERATIONS)))
        return SR_HEAR_NOTHING;
    *ret_name = topic + strlen(OPERATIONS);
    return SR_HEAR_ROWS;
}

/* 87,<rows that follow>,<X-Id> */
static bool group(struct sr_record *record, uint64_t id, struct sr_group *ret_group)
{
    const char *name;
    size_t len;

    if (id != 87)
        return false;
    *ret_group = (struct sr_group){ .name = NULL };
    name = sr_record_value(record, 2);
    sr_record_bytes(record, 2, &len);
    if (!sr_record_uint(record, 1, &ret_group->rows) && strlen(name) == len &&
        sr_name_valid(name, len))
        ret_group->name = name;
    return true;
}

static bool refuses(uint64_t id)
{
    return id == 40 || id == 41 || id == 42 || id == 43 || id == 45 || id == 50;
}

const struct sr_protocol sr_smartrest1 = {
    .name = "smartrest1",
    .valid = sr_name_valid,
    .check = sr_rows_valid,
    .joining = SR_JOIN_PROTOCOL,
    .select = "15,",
    .payload_max = {[SR_BY_MQTT] = PACKET_MAX, [SR_BY_HTTP] = ROW_MAX + SELECT_MAX },
    .row_max = { [SR_BY_HTTP] = ROW_MAX                       },
    .route = route,
    .topics = topics,
    .hear = hear,
    .group = group,
    .numeric_ids = true,
    .status = 200,
    .weigh = sr_evidence_of,
    .says = sr_answer_of,
    .refuses = refuses,
};

const struct sr_origin sr_origin_own = { .protocol = &sr_smartrest1 };
