/* SPDX-License-Identifier: MIT */
#include "subjects.h"

#include "support/lines_protocol.h"
#include <stdio.h>
#include <string.h>

static void add(char *text, size_t size, const char *channel, size_t channel_len,
                const char *row, size_t len)
{
    size_t used = strlen(text);

    snprintf(text + used, size - used, "%.*s:%.*s ", (int)channel_len, channel,
             (int)len, row);
}

/* Without quoted line ends. */
static size_t row_len(const char *row)
{
    return strcspn(row, "\n");
}

/* --- SmartREST 1.0 ------------------------------------------------------------ */

static void decode_smartrest1(const char *to, const char *payload, char *text,
                              size_t size)
{
    const char *channel = "?";
    size_t channel_len = 1, len;

    (void)to;
    for (; *payload; payload += len + (payload[len] == '\n')) {
        len = row_len(payload);
        if (!strncmp(payload, "15,", 3)) {
            channel = payload + 3;
            channel_len = len - 3;
        } else {
            add(text, size, channel, channel_len, payload, len);
        }
    }
}

/* --- lines ---------------------------------------------------------------------- */

static void decode_lines(const char *to, const char *payload, char *text, size_t size)
{
    const char *channel = strrchr(to, '/') + 1;
    size_t len;

    for (; *payload; payload += len + (payload[len] == '\n')) {
        len = row_len(payload);
        add(text, size, channel, strlen(channel), payload, len);
    }
}

const struct subject subjects[] = {
    {
     .protocol = &sr_smartrest1,
     .one = { [SR_BY_MQTT] = { "s/ul", "15,a\n1,x" },
                 [SR_BY_HTTP] = { "/s", "15,a\n1,x" } },
     .topic = "s/dl",
     .answer = { [SR_BY_MQTT] = "87,1,a\n500,1,yes\n500,1,no",
                    [SR_BY_HTTP] = "87,1,a\n500,2,yes\n500,2,no\n" },
     .taken = "",
     .decode = decode_smartrest1,
     },
    {
     .protocol = &lines_protocol,
     .one = { [SR_BY_MQTT] = { "lines/up/a", "1,x" },
                 [SR_BY_HTTP] = { "/lines/a", "1,x" } },
     .topic = "lines/down/a",
     .answer = { [SR_BY_MQTT] = "500,1,yes", [SR_BY_HTTP] = "ok\n500,1,yes\n" },
     .taken = "ok",
     .decode = decode_lines,
     },
};

const size_t subject_count = sizeof subjects / sizeof *subjects;
