/* SPDX-License-Identifier: MIT */
/* Topics and filters of MQTT 3.1.1, section 4.7. */
#ifndef MQTT_TOPIC_H
#define MQTT_TOPIC_H

#include <stdbool.h>

/* 1 to 65535 bytes of UTF-8 without control characters, and without wildcards or with them
 * where they may be. NULL: no. */
bool sr_topic_valid(const char *topic);
bool sr_filter_valid(const char *filter);

#endif
