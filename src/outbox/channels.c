/* SPDX-License-Identifier: MIT */
/* The channels of rows, in memory and in the store. */
#include "outbox/outbox_p.h"

#include "protocol/protocol.h"
#include <stdlib.h>
#include <string.h>

/* --- by name and by number -------------------------------------------------- */

static int get(struct sr_outbox *box, const struct sr_protocol *protocol,
               const char *name, size_t len, size_t spare,
               struct sr_channel **ret_channel)
{
    return sr_channels_get(&box->channels, protocol, name, len, spare, ret_channel);
}

int sr_box_channel_of(struct sr_outbox *box, const struct sr_outbox_row *row,
                      struct sr_channel **ret_channel)
{
    if (row->to.protocol)
        return get(box, row->to.protocol, row->to.name, row->to.len, CHANNELS_SPARE,
                   ret_channel);
    *ret_channel = sr_channels_at(&box->channels, row->channel);
    return *ret_channel && (*ret_channel)->pinned ? 0 : SR_E_INVAL;
}

int sr_outbox_channel(struct sr_outbox *box, const struct sr_protocol *protocol,
                      const char *name, size_t len, uint32_t *ret_number)
{
    struct sr_channel *channel;
    int rc;

    pthread_mutex_lock(&box->lock);
    rc = get(box, protocol, name, len, CHANNELS_SPARE, &channel);
    if (!rc) {
        sr_channels_pin(&box->channels, channel);
        *ret_number = channel->number;
    }
    pthread_mutex_unlock(&box->lock);
    return rc;
}

const struct sr_channel *sr_outbox_channel_at(struct sr_outbox *box, uint32_t number)
{
    const struct sr_channel *channel;

    pthread_mutex_lock(&box->lock);
    channel = sr_channels_at(&box->channels, number);
    pthread_mutex_unlock(&box->lock);
    return channel && channel->pinned ? channel : NULL;
}

/* --- in the store ------------------------------------------------------------ */

static bool is_own(const struct node *node)
{
    return node->channel->number == SR_CHANNEL_OWN;
}

/* The text of a row as SR_PRIO_XID has it: the name, a comma, the row. */
static bool with_name(struct sr_outbox *box, const struct node *node,
                      struct sr_entry *entry)
{
    const struct sr_channel *channel = node->channel;
    char *text = realloc(box->named, channel->len + 1u + node->len);

    if (!text)
        return false;
    box->named = text;
    memcpy(text, channel->name, channel->len);
    text[channel->len] = ',';
    memcpy(text + channel->len + 1, node->text, node->len);
    entry->prio |= SR_PRIO_XID;
    entry->row = text;
    entry->len = channel->len + 1u + node->len;
    return true;
}

bool sr_box_to_entry(struct sr_outbox *box, const struct node *node,
                     struct sr_entry *ret_entry)
{
    *ret_entry = (struct sr_entry){
        .seq = class_of(node) == SR_CLASS_BUFFERED ? node->seq : 0,
        .prio = (int)(node->prio & (NODE_PRIO | SR_ROW_UNSTAMPED)),
        .ttl_s = node->ttl_s,
        .put = sr_node_put_at(node),
        .row = node->text,
        .len = node->len,
    };
    return is_own(node) || with_name(box, node, ret_entry);
}

int sr_box_from_entry(struct sr_outbox *box, const struct sr_entry *entry,
                      struct sr_channel **ret_channel, size_t *ret_text)
{
    const char *comma = memchr(entry->row, ',', entry->len);

    *ret_text = 0;
    *ret_channel = sr_channels_at(&box->channels, SR_CHANNEL_OWN);
    if (!(entry->prio & SR_PRIO_XID) || !comma ||
        (size_t)(comma - entry->row) > SR_CHANNEL_NAME_MAX)
        return 0;
    *ret_text = (size_t)(comma - entry->row) + 1;
    return get(box, &sr_smartrest1, entry->row, *ret_text - 1, 0, ret_channel);
}

/* --- for people ---------------------------------------------------------------- */

static size_t copy(char *to, size_t size, const char *from, size_t len)
{
    size_t n = len < size - 1 ? len : size - 1;

    while (n && n < len && ((unsigned char)from[n] & 0xc0) == 0x80)
        n--;
    memcpy(to, from, n);
    to[n] = '\0';
    return n;
}

void sr_node_show(const struct node *node, char *text, size_t size)
{
    size_t used = 0;

    if (!is_own(node)) {
        used = copy(text, size, node->channel->name, node->channel->len);
        used += copy(text + used, size - used, ",", 1);
    }
    copy(text + used, size - used, node->text, node->len);
}
