/* SPDX-License-Identifier: MIT */
#include "protocol/channel.h"

#include "protocol/protocol.h"
#include <search.h>
#include <stdlib.h>
#include <string.h>

enum { ROOM_FIRST = 16, IDLE_MAX = 256 };

/* --- by name -------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
    const struct sr_channel *x = a, *y = b;

    if (x->protocol != y->protocol)
        return strcmp(x->protocol->name, y->protocol->name);
    if (x->len != y->len)
        return x->len < y->len ? -1 : 1;
    return memcmp(x->name, y->name, x->len);
}

static struct sr_channel *make(const struct sr_protocol *protocol, const char *name,
                               size_t len)
{
    struct sr_channel *channel = malloc(sizeof *channel + len + 1);

    if (!channel)
        return NULL;
    *channel = (struct sr_channel){ .protocol = protocol, .len = (uint16_t)len };
    memcpy(channel->name, name, len);
    channel->name[len] = '\0';
    return channel;
}

/* --- by number ------------------------------------------------------------ */

/* Room for twice as many, when no number is free. Returns 0 or SR_E_NOMEM. */
static int grow(struct sr_channels *channels)
{
    uint32_t room = channels->room ? 2 * channels->room : ROOM_FIRST;
    struct sr_channel **at = realloc(channels->at, room * sizeof *at);
    uint16_t *rested;

    if (!at)
        return SR_E_NOMEM;
    channels->at = at;
    rested = realloc(channels->rested, room * sizeof *rested);
    if (!rested)
        return SR_E_NOMEM;
    memset(at + channels->room, 0, (room - channels->room) * sizeof *at);
    channels->rested = rested;
    channels->first = channels->free = 0;
    for (uint32_t i = channels->room ? channels->room : 1; i < room; i++)
        rested[channels->free++] = (uint16_t)i;
    channels->room = room;
    return 0;
}

/* The one that has rested longest. */
static uint32_t take_number(struct sr_channels *channels)
{
    uint32_t number = channels->rested[channels->first];

    channels->first = (channels->first + 1) % channels->room;
    channels->free--;
    return number;
}

static void give_number_back(struct sr_channels *channels, uint32_t number)
{
    channels->at[number] = NULL;
    channels->rested[(channels->first + channels->free++) % channels->room] =
        (uint16_t)number;
}

/* --- those that no row names ------------------------------------------------ */

static void leave_idle(struct sr_channels *channels, struct sr_channel *channel)
{
    *(channel->newer ? &channel->newer->older : &channels->newest) = channel->older;
    *(channel->older ? &channel->older->newer : &channels->oldest) = channel->newer;
    channel->newer = channel->older = NULL;
    channels->idle--;
}

static void remove_channel(struct sr_channels *channels, struct sr_channel *channel)
{
    leave_idle(channels, channel);
    tdelete(channel, &channels->tree, by_name);
    give_number_back(channels, channel->number);
    free(channel);
}

static void join_idle(struct sr_channels *channels, struct sr_channel *channel)
{
    channel->older = channels->newest;
    *(channel->older ? &channel->older->newer : &channels->oldest) = channel;
    channels->newest = channel;
    if (++channels->idle > IDLE_MAX)
        remove_channel(channels, channels->oldest);
}

static bool is_idle(const struct sr_channel *channel)
{
    return !channel->rows && !channel->pinned && !channel->held;
}

void sr_channels_use(struct sr_channels *channels, struct sr_channel *channel)
{
    if (is_idle(channel))
        leave_idle(channels, channel);
    channel->rows++;
}

void sr_channels_drop(struct sr_channels *channels, struct sr_channel *channel)
{
    channel->rows--;
    if (is_idle(channel))
        join_idle(channels, channel);
}

void sr_channels_pin(struct sr_channels *channels, struct sr_channel *channel)
{
    if (is_idle(channel))
        leave_idle(channels, channel);
    channel->pinned = true;
}

void sr_channels_hold(struct sr_channels *channels, struct sr_channel *channel,
                      bool hold)
{
    bool was_idle = is_idle(channel);

    channel->held = hold;
    if (was_idle && !is_idle(channel))
        leave_idle(channels, channel);
    else if (!was_idle && is_idle(channel))
        join_idle(channels, channel);
}

/* --- all ------------------------------------------------------------------ */

static int make_room(struct sr_channels *channels, size_t spare)
{
    if (channels->free > (channels->room > SR_CHANNELS_MAX ? spare : 0))
        return 0;
    if (channels->room <= SR_CHANNELS_MAX)
        return grow(channels);
    if (!channels->oldest)
        return SR_E_FULL;
    remove_channel(channels, channels->oldest);
    return 0;
}

static int add(struct sr_channels *channels, struct sr_channel *channel, size_t spare)
{
    int rc = make_room(channels, spare);

    if (rc)
        return rc;
    if (!tsearch(channel, &channels->tree, by_name))
        return SR_E_NOMEM;
    channel->number = take_number(channels);
    channels->at[channel->number] = channel;
    join_idle(channels, channel);
    return 0;
}

/* As tsearch() wants it: a channel to compare with. */
static struct sr_channel *find(const struct sr_channels *channels,
                               const struct sr_protocol *protocol, const char *name,
                               size_t len)
{
    _Alignas(
        struct sr_channel) char room[sizeof(struct sr_channel) + SR_CHANNEL_NAME_MAX];
    struct sr_channel *key = (struct sr_channel *)(void *)room;
    struct sr_channel *const *found;

    *key = (struct sr_channel){ .protocol = protocol, .len = (uint16_t)len };
    memcpy(key->name, name, len);
    found = tfind(key, &channels->tree, by_name);
    return found ? *found : NULL;
}

int sr_channels_get(struct sr_channels *channels, const struct sr_protocol *protocol,
                    const char *name, size_t len, size_t spare,
                    struct sr_channel **ret_channel)
{
    struct sr_channel *channel = find(channels, protocol, name, len);
    int rc;

    if (!channel) {
        channel = make(protocol, name, len);
        rc = channel ? add(channels, channel, spare) : SR_E_NOMEM;
        if (rc) {
            free(channel);
            return rc;
        }
    }
    *ret_channel = channel;
    return 0;
}

struct sr_channel *sr_channels_at(const struct sr_channels *channels, uint32_t number)
{
    return number < channels->room ? channels->at[number] : NULL;
}

int sr_channels_init(struct sr_channels *channels)
{
    struct sr_channel *own = make(&sr_smartrest1, "", 0);

    *channels = (struct sr_channels){ 0 };
    if (!own || grow(channels)) {
        free(own);
        sr_channels_release(channels);
        return SR_E_NOMEM;
    }
    own->pinned = true;
    channels->at[SR_CHANNEL_OWN] = own;
    return 0;
}

void sr_channels_release(struct sr_channels *channels)
{
    for (uint32_t i = 0; i < channels->room; i++) {
        if (!channels->at[i])
            continue;
        if (i != SR_CHANNEL_OWN)
            tdelete(channels->at[i], &channels->tree, by_name);
        free(channels->at[i]);
    }
    free(channels->at);
    free(channels->rested);
    *channels = (struct sr_channels){ 0 };
}
