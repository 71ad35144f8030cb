/* SPDX-License-Identifier: MIT */
/* A protocol that only tests have: "lines". Rows of a channel go by MQTT on lines/up/<name>, and by
 * HTTP to /lines/<name>; nothing stands in front of them, and channels do not share a payload. Answers
 * come on lines/down/<name>, or with the response. Message ids are any text, and a row has at most 1,000
 * bytes with what travels beside it. */
#ifndef SUPPORT_LINES_PROTOCOL_H
#define SUPPORT_LINES_PROTOCOL_H

#include "protocol/protocol.h"

extern const struct sr_protocol lines_protocol;

#endif
