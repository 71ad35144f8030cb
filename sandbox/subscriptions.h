/* SPDX-License-Identifier: MIT */
/* Which MQTT client has subscribed to what. Plain topics only: filters with wild
 * cards name nothing that is published here. */
#ifndef SANDBOX_SUBSCRIPTIONS_H
#define SANDBOX_SUBSCRIPTIONS_H

#include <stdbool.h>
#include <stddef.h>

enum { SB_SUBSCRIPTIONS_MAX = 64 }; /* of one device */

struct sb_subscriptions;

struct sb_subscriptions *sb_subscriptions_new(void);
/* Accepts NULL. */
void sb_subscriptions_free(struct sb_subscriptions *all);

/* False if there is no memory, or the device has its fill. */
bool sb_subscriptions_add(struct sb_subscriptions *all, const char *device,
                          const char *topic);
/* `topic` NULL: all of the device. */
void sb_subscriptions_remove(struct sb_subscriptions *all, const char *device,
                             const char *topic);

/* The i-th topic of the device, NULL behind the last. Valid until a change. */
const char *sb_subscriptions_at(const struct sb_subscriptions *all, const char *device,
                                size_t i);
bool sb_subscriptions_has(const struct sb_subscriptions *all, const char *device,
                          const char *topic);

#endif
