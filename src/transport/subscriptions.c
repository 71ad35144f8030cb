/* SPDX-License-Identifier: MIT */
#include "transport/subscriptions.h"

#include "mqtt/mqtt.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int sr_subscriptions_init(struct sr_subscriptions *subs, size_t room)
{
    *subs = (struct sr_subscriptions){ .room = room };
    subs->all = calloc(room, sizeof *subs->all);
    subs->asked = calloc(room, sizeof *subs->asked);
    if (subs->all && subs->asked)
        return 0;
    sr_subscriptions_release(subs);
    return SR_E_NOMEM;
}

void sr_subscriptions_release(struct sr_subscriptions *subs)
{
    for (size_t i = 0; i < subs->count; i++)
        free(subs->all[i].topic);
    free(subs->all);
    free(subs->asked);
    *subs = (struct sr_subscriptions){ 0 };
}

static bool has_topic(const struct sr_subscriptions *subs, const char *topic)
{
    for (size_t i = 0; i < subs->count; i++)
        if (!strcmp(subs->all[i].topic, topic))
            return true;
    return false;
}

int sr_subscriptions_add(struct sr_subscriptions *subs, const char *topic, int qos)
{
    char *copy;

    if (has_topic(subs, topic))
        return 0;
    copy = subs->count < subs->room ? strdup(topic) : NULL;
    if (!copy)
        return SR_E_NOMEM;
    subs->all[subs->count++] = (struct sr_subscription){ .topic = copy, .qos = qos };
    return 0;
}

void sr_subscriptions_reset(struct sr_subscriptions *subs)
{
    for (size_t i = 0; i < subs->count; i++)
        subs->all[i].granted = false;
    memset(subs->ids, 0, sizeof subs->ids);
}

size_t sr_subscriptions_ask(struct sr_subscriptions *subs, int qos,
                            const char *const **ret_topics)
{
    size_t count = 0;

    for (size_t i = 0; i < subs->count; i++)
        if (subs->all[i].qos == qos && !subs->all[i].granted)
            subs->asked[count++] = subs->all[i].topic;
    *ret_topics = subs->asked;
    return count;
}

static int find_qos(const struct sr_subscriptions *subs, int message_id)
{
    for (int qos = 0; qos < SR_SUBSCRIPTIONS_QOS; qos++)
        if (subs->ids[qos] && subs->ids[qos] == message_id)
            return qos;
    return -1;
}

/* The topics that were asked for are those that are still missing. */
int sr_subscriptions_hear(struct sr_subscriptions *subs, int message_id,
                          const int *granted, int count)
{
    int qos = find_qos(subs, message_id), at = 0;

    if (qos < 0)
        return -1;
    subs->ids[qos] = 0;
    for (size_t i = 0; i < subs->count; i++) {
        struct sr_subscription *s = &subs->all[i];

        if (s->qos != qos || s->granted)
            continue;
        s->granted = sr_mqtt_link_granted(granted, count, at);
        subs->downgraded |= s->granted && granted[at] < qos;
        at++;
    }
    return qos;
}

bool sr_subscriptions_asked(const struct sr_subscriptions *subs)
{
    return subs->ids[0] || subs->ids[1];
}

size_t sr_subscriptions_missing(const struct sr_subscriptions *subs, char *text,
                                size_t size)
{
    size_t count = 0, used = 0;

    *text = '\0';
    for (size_t i = 0; i < subs->count; i++) {
        if (subs->all[i].granted)
            continue;
        if (used < size)
            used += (size_t)snprintf(text + used, size - used, "%s%s", count ? " " : "",
                                     subs->all[i].topic);
        count++;
    }
    return count;
}
