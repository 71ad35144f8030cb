/* SPDX-License-Identifier: MIT */
/* Joining rows into a payload: `15,<X-Id>` first, then rows, a line end between them; a
 * row for another collection (SR_PRIO_XID) brings `15` rows of its own. Pure. */
#ifndef PROTOCOL_JOIN_H
#define PROTOCOL_JOIN_H

#include <stdbool.h>
#include <stddef.h>

struct sr_join {
    const char *own; /* X-Id */
    char *payload;
    size_t len, max; /* bytes */
    size_t rows, rows_max;
    const char *xid; /* selected by the last `15` row; in `own` or in `payload` */
    size_t xid_len;
};

/* `payload`: room for `max` bytes, the caller's. */
void sr_join_init(struct sr_join *join, const char *own, char *payload, size_t max,
                  size_t rows_max);

/* Appends a row. False if there is no room for it, in rows or in bytes: nothing changed. */
bool sr_join_add(struct sr_join *join, const char *row, size_t len, int prio);

#endif
