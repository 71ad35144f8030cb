/* SPDX-License-Identifier: MIT */
#include "protocol/join.h"

#include <smartrest/agent.h>
#include <string.h>

void sr_join_init(struct sr_join *join, const char *own, char *payload, size_t max,
                  size_t rows_max)
{
    *join = (struct sr_join){
        .own = own, .payload = payload, .max = max, .rows_max = rows_max
    };
}

static void append(struct sr_join *join, const char *bytes, size_t len)
{
    memcpy(join->payload + join->len, bytes, len);
    join->len += len;
}

static void select_collection(struct sr_join *join, const char *xid, size_t len)
{
    if (join->len)
        append(join, "\n", 1);
    append(join, "15,", 3);
    join->xid = join->payload + join->len;
    join->xid_len = len;
    append(join, xid, len);
}

static bool selected(const struct sr_join *join, const char *xid, size_t len)
{
    return join->xid && join->xid_len == len && !memcmp(join->xid, xid, len);
}

bool sr_join_add(struct sr_join *join, const char *row, size_t len, int prio)
{
    const char *xid = join->own;
    size_t xid_len = strlen(join->own), need;

    if (prio & SR_PRIO_XID) {
        const char *comma = memchr(row, ',', len);

        xid = row;
        xid_len = comma ? (size_t)(comma - row) : len;
        row += comma ? xid_len + 1 : len;
        len -= comma ? xid_len + 1 : len;
    }
    need = 1 + len;
    if (!selected(join, xid, xid_len))
        need += (join->len ? 1 : 0) + 3 + xid_len;
    if (join->rows >= join->rows_max || need > join->max - join->len)
        return false;

    if (!selected(join, xid, xid_len))
        select_collection(join, xid, xid_len);
    append(join, "\n", 1);
    append(join, row, len);
    join->rows++;
    return true;
}
