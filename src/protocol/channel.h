/* SPDX-License-Identifier: MIT */
/* Channels: where rows go, and how they travel together. A channel is a protocol and a name;
 * what the name means is the protocol's business (protocol.h): for SmartREST 1.0 it is the X-Id of
 * a template collection. Rows carry the channel's number.
 *
 *     init -> get -> use (a row names it) ... drop -> release
 *
 * Numbers are 0, the agent's own SmartREST 1.0 collection, which is there always, and 1 to
 * SR_CHANNELS_MAX. A number is not used again while rows name it. A channel stays where it is in memory as
 * long. One that no row names is kept for the next row, a few of them, and then goes.
 *
 * Found by protocol and name in log n (tsearch(3)), by number at once. Pure; whoever has the
 * table has the lock. */
#ifndef PROTOCOL_CHANNEL_H
#define PROTOCOL_CHANNEL_H

#include <smartrest/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sr_protocol;

enum {
    SR_CHANNEL_OWN = 0,
    SR_CHANNELS_MAX = 65535,  /* numbers, without the own one */
    SR_CHANNEL_NAME_MAX = 511 /* bytes */
};

struct sr_channel {
    const struct sr_protocol *protocol;
    struct sr_channel *newer, *older; /* of those that no row names */
    uint64_t rows;                    /* that name it */
    uint32_t number;
    bool pinned; /* somebody has its number: it stays */
    bool held;   /* its rows stay where they are; it stays, too */
    uint16_t len;
    char name[]; /* NUL-terminated; "" for the own one */
};

struct sr_channels {
    void *tree;             /* of tsearch(3), by protocol and name */
    struct sr_channel **at; /* by number; NULL: free */
    uint32_t room;          /* numbers, used or free */
    uint16_t *rested;       /* a ring: free numbers, that of longest rest first */
    uint32_t first, free;   /* of the ring: where it begins; how many */
    struct sr_channel *newest, *oldest; /* of those that no row names */
    size_t idle;                        /* how many these are */
};

/* Returns 0 or SR_E_NOMEM. */
int sr_channels_init(struct sr_channels *channels);
void sr_channels_release(struct sr_channels *channels);

/* The channel with that name, which is made if there is none and more than `spare` numbers are free.
 * The name was checked by its protocol. Returns 0; SR_E_FULL, too many numbers are in use;
 * SR_E_NOMEM. Then nothing changed. */
int sr_channels_get(struct sr_channels *channels, const struct sr_protocol *protocol,
                    const char *name, size_t len, size_t spare,
                    struct sr_channel **ret_channel);
/* NULL: no channel has that number. */
struct sr_channel *sr_channels_at(const struct sr_channels *channels, uint32_t number);

/* One more row, or one less, names it. It may be gone behind the latter. */
void sr_channels_use(struct sr_channels *channels, struct sr_channel *channel);
void sr_channels_drop(struct sr_channels *channels, struct sr_channel *channel);
/* It stays until the table goes. */
void sr_channels_pin(struct sr_channels *channels, struct sr_channel *channel);
void sr_channels_hold(struct sr_channels *channels, struct sr_channel *channel,
                      bool hold);

#endif
