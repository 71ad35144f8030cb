/* SPDX-License-Identifier: MIT */
#include "protocol/join.h"

#include <string.h>

size_t sr_join_room(enum sr_carrier by)
{
    const struct sr_protocol *protocol;
    size_t most = 0;

    for (size_t i = 0; (protocol = sr_protocol_at(i)); i++)
        if (protocol->payload_max[by] > most)
            most = protocol->payload_max[by];
    return most;
}

void sr_join_init(struct sr_join *join, enum sr_carrier by, const char *own,
                  char *payload, size_t max, size_t rows_max)
{
    *join = (struct sr_join){
        .by = by, .own = own, .payload = payload, .max = max, .rows_max = rows_max
    };
}

static void append(struct sr_join *join, const char *bytes, size_t len)
{
    memcpy(join->payload + join->len, bytes, len);
    join->len += len;
}

static const char *name_of(const struct sr_join *join, const struct sr_channel *channel,
                           size_t *ret_len)
{
    const bool own = channel->number == SR_CHANNEL_OWN;

    *ret_len = own ? strlen(join->own) : channel->len;
    return own ? join->own : channel->name;
}

/* Bytes of the row in front that says whose it is, with its line end; 0: none is needed. */
static size_t select_need(const struct sr_join *join, const struct sr_channel *channel)
{
    const char *select = channel->protocol->select, *name;
    size_t len;

    if (!select || channel == join->last)
        return 0;
    name = name_of(join, channel, &len);
    if (join->selected && join->selected_len == len &&
        !memcmp(join->selected, name, len))
        return 0;
    return strlen(select) + len + 1;
}

static void select_channel(struct sr_join *join, const struct sr_channel *channel)
{
    size_t len;
    const char *name = name_of(join, channel, &len);

    append(join, channel->protocol->select, strlen(channel->protocol->select));
    join->selected = join->payload + join->len;
    join->selected_len = len;
    append(join, name, len);
    append(join, "\n", 1);
}

static bool may_share(const struct sr_join *join, const struct sr_channel *channel)
{
    if (!join->channel)
        return true;
    if (join->channel->protocol != channel->protocol)
        return false;
    return channel->protocol->joining == SR_JOIN_PROTOCOL ||
           (channel->protocol->joining == SR_JOIN_CHANNEL && join->channel == channel);
}

/* The most that a payload may have that begins with a row of this channel. */
static size_t room_for(enum sr_carrier by, const struct sr_channel *channel)
{
    const struct sr_protocol *protocol = channel->protocol;
    size_t most = protocol->payload_max[by], beside;

    if (!most)
        return 0;
    beside = sr_protocol_overhead(protocol, by, channel->name);
    return most > beside ? most - beside : 0;
}

static void begin(struct sr_join *join, const struct sr_channel *channel, size_t room)
{
    join->channel = channel;
    join->max = join->max < room ? join->max : room;
}

bool sr_join_add(struct sr_join *join, const struct sr_channel *channel,
                 const char *row, size_t len)
{
    size_t select, need, room;

    if (join->rows >= join->rows_max || !may_share(join, channel))
        return false;
    select = select_need(join, channel);
    need = select + len + (join->rows ? 1 : 0);
    room = join->rows ? join->max : room_for(join->by, channel);
    if (join->len > room || need > room - join->len)
        return false;
    if (join->rows)
        append(join, "\n", 1);
    else
        begin(join, channel, room);
    if (select)
        select_channel(join, channel);
    append(join, row, len);
    join->last = channel;
    join->rows++;
    return true;
}

size_t sr_join_row_max(const struct sr_join *join, const struct sr_channel *channel)
{
    const struct sr_join alone = { .by = join->by, .own = join->own };
    size_t room = room_for(join->by, channel), select = select_need(&alone, channel);

    return room > select ? room - select : 0;
}
