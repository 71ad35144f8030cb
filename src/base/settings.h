/* SPDX-License-Identifier: MIT */
/* The values of all settings; see <smartrest/settings.h>. */
#ifndef BASE_SETTINGS_H
#define BASE_SETTINGS_H

#include <smartrest/net.h>
#include <smartrest/settings.h>
#include <stdbool.h>

struct sr_settings {
#define SR_SETTING(name, what) char *name;
    SR_TEXT_SETTINGS(SR_SETTING)
#undef SR_SETTING
#define SR_SETTING(name, value, least, most, unit, what) int64_t name;
    SR_NUMBER_SETTINGS(SR_SETTING)
#undef SR_SETTING
#define SR_SETTING(name, value, choices, what) int name;
    SR_CHOICE_SETTINGS(SR_SETTING)
#undef SR_SETTING
};

/* A choice is its place in the list: outbox_sync is an enum sr_store_sync, full_volatile and
 * full_buffered are an enum sr_at_bound, and replay_order is one of these. */
enum sr_replay_order { SR_REPLAY_STRICT, SR_REPLAY_LIVE_FIRST };

/* Defaults. */
void sr_settings_init(struct sr_settings *settings);
void sr_settings_release(struct sr_settings *settings);

/* As sr_agent_set() and sr_agent_get(); on SR_E_INVAL *ret_reason is why: static. */
int sr_settings_set(struct sr_settings *settings, const char *name, const char *value,
                    const char **ret_reason);
int sr_settings_get(const struct sr_settings *settings, const char *name, char *text,
                    size_t size);

/* Those of connections. Points into `settings`. */
struct sr_net sr_settings_net(const struct sr_settings *settings);

#endif
