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
    if (channel && !channel->pinned) /* it may go as soon as the lock does */
        channel = NULL;
    pthread_mutex_unlock(&box->lock);
    return channel;
}

/* --- held -------------------------------------------------------------------- */

static bool has_room_aside(const struct sr_outbox *box)
{
    const struct list *rows = box->aside->rows;

    return rows[SR_CLASS_VOLATILE].cost + rows[SR_CLASS_BUFFERED].cost < box->cap / 2;
}

/* Mostly it is the last one. */
static void insert(struct list *list, struct node *node)
{
    struct node *hint =
        list->head ? (struct node *)(uintptr_t)sr_list_last(list) : NULL;

    sr_list_insert(list, node, &hint);
}

bool sr_box_put_by(struct sr_outbox *box, struct list *list)
{
    int class = class_of(list->head);

    if (!box->aside) {
        box->aside = sr_box_begin_batch(box);
        if (!box->aside)
            return false;
        box->aside->base.held = true;
    }
    if (!has_room_aside(box))
        return false;
    insert(&box->aside->rows[class], sr_list_pop(list));
    return true;
}

static void let_back(struct sr_outbox *box, struct list *rows,
                     const struct sr_channel *channel)
{
    struct hint hint = { 0 };
    struct node *node;
    struct list others;

    sr_list_init(&others);
    while ((node = sr_list_pop(rows)))
        if (node->channel == channel)
            sr_box_come_back(box, node, &hint);
        else
            sr_list_append(&others, node);
    sr_list_move(rows, &others);
}

static void release(struct sr_outbox *box, const struct sr_channel *channel)
{
    struct batch *aside = box->aside;

    if (!aside)
        return;
    for (int class = 0; class < SR_CLASSES; class ++)
        let_back(box, &aside->rows[class], channel);
    if (!aside->rows[SR_CLASS_VOLATILE].head && !aside->rows[SR_CLASS_BUFFERED].head)
        sr_box_end_batch(box, aside);
}

/* The flag keeps the channel where it is while its rows leave. */
static void hold(struct sr_outbox *box, struct sr_channel *channel, bool on)
{
    if (channel->held == on)
        return;
    box->held += on;
    box->held -= !on;
    if (!on)
        release(box, channel);
    sr_channels_hold(&box->channels, channel, on);
}

void sr_outbox_hold_channel(struct sr_outbox *box, const struct sr_channel *channel,
                            bool on)
{
    pthread_mutex_lock(&box->lock);
    hold(box, sr_channels_at(&box->channels, channel->number), on);
    sr_box_write_down(box, false);
    pthread_mutex_unlock(&box->lock);
}

void sr_box_release_channels(struct sr_outbox *box)
{
    for (uint32_t i = 0; box->held && i < box->channels.room; i++)
        if (box->channels.at[i])
            hold(box, box->channels.at[i], false);
}

/* --- in the store ------------------------------------------------------------ */

static bool is_own(const struct node *node)
{
    return node->channel->number == SR_CHANNEL_OWN;
}

/* The name that the store keeps: protocol, colon, name. */
static bool name_it(struct sr_outbox *box, const struct sr_channel *channel,
                    struct sr_entry *entry)
{
    const char *protocol = channel->protocol->name;
    size_t len = strlen(protocol);
    char *name = box->named;

    if (!name)
        name = box->named = malloc(SR_STORE_CHANNEL_MAX);
    if (!name)
        return false;
    memcpy(name, protocol, len);
    name[len] = ':';
    memcpy(name + len + 1, channel->name, channel->len);
    entry->channel = channel->number;
    entry->channel_name = name;
    entry->channel_len = len + 1 + channel->len;
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
    return is_own(node) || name_it(box, node->channel, ret_entry);
}

int sr_box_from_entry(struct sr_outbox *box, const struct sr_entry *entry,
                      struct sr_channel **ret_channel)
{
    const char *name = entry->channel_name, *colon;
    const struct sr_protocol *protocol;
    size_t len;

    *ret_channel = sr_channels_at(&box->channels, SR_CHANNEL_OWN);
    if (!entry->channel)
        return 0;
    colon = memchr(name, ':', entry->channel_len);
    len = colon ? (size_t)(colon - name) : 0;
    protocol = colon ? sr_protocol_named(name, len) : NULL;
    if (!protocol || entry->channel_len - len - 1 > SR_CHANNEL_NAME_MAX)
        return SR_E_NOTFOUND;
    return get(box, protocol, colon + 1, entry->channel_len - len - 1, 0, ret_channel);
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
