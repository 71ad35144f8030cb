/* SPDX-License-Identifier: MIT */
/* SR_NOW in rows, and rows that are too old. */
#include "outbox/outbox_p.h"

#include <stdlib.h>
#include <string.h>

static const char mark[] = SR_NOW;
_Static_assert(sizeof mark - 1 == SR_STAMP_LEN, "a stamp takes the place of SR_NOW");

bool sr_text_has_now(const char *text, size_t len)
{
    return memchr(text, mark[0], len) && memmem(text, len, mark, SR_STAMP_LEN);
}

void sr_text_stamp(char *text, size_t len, int64_t wall_ms)
{
    char stamp[SR_STAMP_LEN + 1], *end = text + len;

    sr_stamp(wall_ms, stamp);
    while ((text = memmem(text, (size_t)(end - text), mark, SR_STAMP_LEN))) {
        memcpy(text, stamp, SR_STAMP_LEN);
        text += SR_STAMP_LEN;
    }
}

bool sr_box_clock_valid(const struct sr_outbox *box, const struct sr_instant *now)
{
    return now->wall_ms >= box->valid_after_ms;
}

bool sr_node_expired(const struct node *node, const struct sr_instant *now)
{
    struct sr_instant put = sr_node_put_at(node);

    return node->ttl_s && sr_instant_age(&put, now) >= (uint64_t)node->ttl_s * 1000;
}

const char *sr_box_stamped(struct sr_outbox *box, const struct node *node,
                           const struct sr_instant *now)
{
    struct sr_instant put = sr_node_put_at(node);
    char *text = realloc(box->scratch, node->len + 1);

    if (!text)
        return NULL;
    box->scratch = text;
    memcpy(text, node->text, node->len);
    sr_text_stamp(text, node->len, sr_instant_wall(&put, now));
    return text;
}
