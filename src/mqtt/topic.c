/* SPDX-License-Identifier: MIT */
#include "mqtt/topic.h"

#include "record/utf8.h"
#include <smartrest/mqtt.h>
#include <string.h>

/* Brokers and libmosquitto take no control and no private "non-characters". */
bool sr_mqtt_text_valid(const char *text)
{
    size_t len = text ? strlen(text) : 0, n;
    uint32_t point;

    if (!len || len > SR_MQTT_TEXT_MAX)
        return false;
    for (; *text; text += n) {
        n = sr_utf8_decode(text, &point);
        if (!n || point < 0x20 || (point >= 0x7f && point <= 0x9f) ||
            (point >= 0xfdd0 && point <= 0xfdef) || (point & 0xfffe) == 0xfffe)
            return false;
    }
    return true;
}

bool sr_topic_valid(const char *topic)
{
    return sr_mqtt_text_valid(topic) && !strpbrk(topic, "+#");
}

bool sr_filter_valid(const char *filter)
{
    if (!sr_mqtt_text_valid(filter))
        return false;
    for (const char *at = filter; *at; at++) {
        bool begins = at == filter || at[-1] == '/';

        if (*at == '+' && (!begins || (at[1] && at[1] != '/')))
            return false;
        if (*at == '#' && (!begins || at[1]))
            return false;
    }
    return true;
}

/* Level by level. "a/#" is "a", too. */
bool sr_mqtt_matches(const char *filter, const char *topic)
{
    if (!sr_filter_valid(filter) || !sr_topic_valid(topic))
        return false;
    if (*topic == '$' && (*filter == '+' || *filter == '#'))
        return false;
    for (;;) {
        size_t level = strcspn(topic, "/"), want = strcspn(filter, "/");

        if (*filter == '#')
            return true;
        if (*filter != '+' && (level != want || memcmp(filter, topic, level)))
            return false;
        filter += want;
        topic += level;
        if (!*topic)
            return !*filter || !strcmp(filter, "/#");
        if (!*filter)
            return false;
        filter++;
        topic++;
    }
}
