/* SPDX-License-Identifier: MIT */
/* The table of protocols, and what they share. */
#include "protocol/protocol.h"
#include "record/utf8.h"
#include <string.h>

/* A new protocol is a line here. */
static const struct sr_protocol *const protocols[] = {
    &sr_smartrest1,
};

enum { COUNT = sizeof protocols / sizeof *protocols };

static const struct sr_protocol *added; /* by a test */

void sr_protocol_add(const struct sr_protocol *protocol)
{
    added = protocol;
}

const struct sr_protocol *sr_protocol_at(size_t i)
{
    if (i < COUNT)
        return protocols[i];
    return i == COUNT ? added : NULL;
}

const struct sr_protocol *sr_protocol_named(const char *name, size_t len)
{
    const struct sr_protocol *protocol;

    for (size_t i = 0; (protocol = sr_protocol_at(i)); i++)
        if (strlen(protocol->name) == len && !memcmp(protocol->name, name, len))
            return protocol;
    return NULL;
}

enum sr_hearing sr_protocol_hear(const char *topic, struct sr_origin *ret_origin)
{
    enum sr_hearing hearing = SR_HEAR_NOTHING;

    for (size_t i = 0; !hearing && (ret_origin->protocol = sr_protocol_at(i)); i++)
        hearing = ret_origin->protocol->hear(topic, &ret_origin->name);
    return hearing;
}

/* --- how large ------------------------------------------------------------ */

/* A PUBLISH has a byte, up to three of its length, the topic with two of its length, and two of the
 * message id. */
size_t sr_protocol_overhead(const struct sr_protocol *protocol, enum sr_carrier by,
                            const char *name)
{
    struct sr_route route;

    if (by != SR_BY_MQTT)
        return 0;
    protocol->route(by, name, &route);
    return 1 + 3 + 2 + strlen(route.to) + 2;
}

/* The row that selects the channel, and its line end. */
static size_t select_len(const struct sr_protocol *protocol, const char *name, bool own)
{
    if (!protocol->select)
        return 0;
    return strlen(protocol->select) + (own ? (size_t)SR_NAME_MAX : strlen(name)) + 1;
}

size_t sr_protocol_row_max(const struct sr_protocol *protocol, enum sr_carrier by,
                           const char *name, bool own)
{
    size_t beside, most = protocol->payload_max[by];

    if (!most)
        return 0;
    beside = sr_protocol_overhead(protocol, by, name) + select_len(protocol, name, own);
    most = most > beside ? most - beside : 0;
    return protocol->row_max[by] && protocol->row_max[by] < most ? protocol->row_max[by]
                                                                 : most;
}

const char *sr_carrier_name(enum sr_carrier by)
{
    return by == SR_BY_MQTT ? "MQTT" : "HTTP";
}

/* --- what they share ------------------------------------------------------ */

/* Brokers and libmosquitto take no control and no private "non-characters". */
static bool is_plain(uint32_t point)
{
    return point > 0x20 && (point < 0x7f || point > 0x9f) &&
           (point < 0xfdd0 || point > 0xfdef) && (point & 0xfffe) != 0xfffe;
}

bool sr_name_valid(const char *name, size_t len)
{
    char text[SR_NAME_MAX + 1];
    uint32_t point;
    size_t n;

    if (!len || len > SR_NAME_MAX || memchr(name, '\0', len))
        return false;
    memcpy(text, name, len);
    text[len] = '\0';
    for (const char *at = text; *at; at += n) {
        n = sr_utf8_decode(at, &point);
        if (!n || !is_plain(point))
            return false;
    }
    return !strpbrk(text, ",\"+#");
}

/* One row without quotes is malformed only if it has no id. Most rows are such. */
static bool is_plain_row(const char *row, size_t len)
{
    return !memchr(row, '"', len) && !memchr(row, '\n', len) && !memchr(row, '\r', len);
}

static bool has_id(const char *row, size_t len)
{
    size_t i = 0;

    while (i < len && (row[i] == ' ' || row[i] == '\t'))
        i++;
    return i < len && row[i] != ',';
}

bool sr_rows_valid(const char *rows, size_t len)
{
    struct sr_lexer lexer;
    struct sr_span span;
    enum sr_token token;
    bool first_row = true, found = false; /* its id */

    if (is_plain_row(rows, len))
        return has_id(rows, len);
    sr_lexer_init(&lexer, rows, len);
    while ((token = sr_lexer_next(&lexer, &span)) != SR_TOKEN_END) {
        if (token == SR_TOKEN_ERROR)
            return false;
        if (token == SR_TOKEN_NEWLINE) {
            first_row = false;
        } else if (first_row && !found) {
            if (!span.len || span.quoted)
                return false; /* no id, no row */
            found = true;
        }
    }
    return found;
}
