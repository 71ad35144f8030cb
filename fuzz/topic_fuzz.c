/* SPDX-License-Identifier: MIT */
/* A filter, a line end, a topic. What matches is decided as libmosquitto decides it. */
#include "fuzz.h"
#include "mqtt/topic.h"

#include <mosquitto.h>
#include <smartrest/mqtt.h>
#include <string.h>

static void agree(const char *filter, const char *topic)
{
    bool ours = sr_mqtt_matches(filter, topic), theirs = false;

    if (!sr_filter_valid(filter) || !sr_topic_valid(topic)) {
        must(!ours);
        return;
    }
    must(mosquitto_sub_topic_check(filter) == MOSQ_ERR_SUCCESS);
    must(mosquitto_pub_topic_check(topic) == MOSQ_ERR_SUCCESS);
    must(mosquitto_topic_matches_sub(filter, topic, &theirs) == MOSQ_ERR_SUCCESS);
    must(ours == theirs);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    const uint8_t *end = len ? memchr(data, '\n', len) : NULL;
    size_t filter_len = end ? (size_t)(end - data) : len;
    char *filter = strndup((const char *)data, filter_len);
    char *topic =
        end ? strndup((const char *)end + 1, len - filter_len - 1) : strdup("");

    must(filter && topic);
    agree(filter, topic);
    if (sr_topic_valid(filter)) /* a topic is a filter for itself */
        must(sr_mqtt_matches(filter, filter));
    free(filter);
    free(topic);
    return 0;
}
