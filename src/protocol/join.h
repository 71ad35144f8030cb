/* SPDX-License-Identifier: MIT */
/* Joining rows into a payload, as the protocol of their channels wants it: a line end between
 * rows, and, where collections share a payload, a row in front of those of another one. Pure. */
#ifndef PROTOCOL_JOIN_H
#define PROTOCOL_JOIN_H

#include "protocol/channel.h"
#include "protocol/protocol.h"

struct sr_join {
    enum sr_carrier by;
    const char *own; /* name of the own collection */
    char *payload;
    size_t len, max; /* bytes */
    size_t rows, rows_max;
    const struct sr_channel *channel; /* of the first row; NULL: there is none */
    const char
        *selected; /* name in the last row that selects; in `own` or in `payload` */
    size_t selected_len;
    const struct sr_channel *last; /* of the last row */
};

/* How much room a payload may need. */
size_t sr_join_room(enum sr_carrier by);

/* `payload`: the caller's, with sr_join_room() bytes. A payload of several rows has at most `max`; one
 * row alone may have more, as the protocol says. */
void sr_join_init(struct sr_join *join, enum sr_carrier by, const char *own,
                  char *payload, size_t max, size_t rows_max);

/* Appends a row. False if there is no room for it, in rows or in bytes, or it may not share
 * this payload: nothing changed. */
bool sr_join_add(struct sr_join *join, const struct sr_channel *channel,
                 const char *row, size_t len);

/* The longest row of this channel that goes, alone; 0: none does. */
size_t sr_join_row_max(const struct sr_join *join, const struct sr_channel *channel);

#endif
