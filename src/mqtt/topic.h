/* SPDX-License-Identifier: MIT */
/* Topics and filters of MQTT 3.1.1, section 4.7. */
#ifndef MQTT_TOPIC_H
#define MQTT_TOPIC_H

#include <stdbool.h>

enum { SR_MQTT_TEXT_MAX = 65535 }; /* bytes */

/* 1 to 65535 bytes of UTF-8 without control characters: what brokers take as a text. NULL: no. */
bool sr_mqtt_text_valid(const char *text);
/* The same without wildcards, or with them where they may be. */
bool sr_topic_valid(const char *topic);
bool sr_filter_valid(const char *filter);

#endif
