/* SPDX-License-Identifier: MIT */
#include "subscriptions.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { BUCKETS = 4096 };

struct device {
    struct device *next; /* in the bucket */
    size_t n;
    char *topic[SB_SUBSCRIPTIONS_MAX];
    char id[];
};

struct sb_subscriptions {
    struct device *bucket[BUCKETS];
};

static size_t bucket_of(const char *device)
{
    uint32_t hash = 2166136261u; /* FNV-1a */

    for (; *device; device++)
        hash = (hash ^ (unsigned char)*device) * 16777619u;
    return hash % BUCKETS;
}

static struct device *find(const struct sb_subscriptions *all, const char *id)
{
    struct device *device = all->bucket[bucket_of(id)];

    while (device && strcmp(device->id, id))
        device = device->next;
    return device;
}

static struct device *add_device(struct sb_subscriptions *all, const char *id)
{
    struct device **bucket = &all->bucket[bucket_of(id)];
    struct device *device = calloc(1, sizeof *device + strlen(id) + 1);

    if (!device)
        return NULL;
    strcpy(device->id, id);
    device->next = *bucket;
    *bucket = device;
    return device;
}

static void remove_device(struct sb_subscriptions *all, const char *id)
{
    struct device **link = &all->bucket[bucket_of(id)], *device;

    while (*link && strcmp((*link)->id, id))
        link = &(*link)->next;
    device = *link;
    if (!device)
        return;
    *link = device->next;
    while (device->n)
        free(device->topic[--device->n]);
    free(device);
}

struct sb_subscriptions *sb_subscriptions_new(void)
{
    return calloc(1, sizeof(struct sb_subscriptions));
}

void sb_subscriptions_free(struct sb_subscriptions *all)
{
    size_t i;

    for (i = 0; all && i < BUCKETS; i++)
        while (all->bucket[i])
            remove_device(all, all->bucket[i]->id);
    free(all);
}

bool sb_subscriptions_add(struct sb_subscriptions *all, const char *id,
                          const char *topic)
{
    struct device *device = find(all, id);
    char *copy;

    if (sb_subscriptions_has(all, id, topic))
        return true;
    if (!device)
        device = add_device(all, id);
    if (!device || device->n == SB_SUBSCRIPTIONS_MAX)
        return false;
    copy = strdup(topic);
    if (copy)
        device->topic[device->n++] = copy;
    return copy != NULL;
}

void sb_subscriptions_remove(struct sb_subscriptions *all, const char *id,
                             const char *topic)
{
    struct device *device = find(all, id);
    size_t i;

    if (!device)
        return;
    for (i = 0; topic && i < device->n; i++) {
        if (strcmp(device->topic[i], topic))
            continue;
        free(device->topic[i]);
        device->topic[i] = device->topic[--device->n];
        break;
    }
    if (!topic || !device->n)
        remove_device(all, id);
}

const char *sb_subscriptions_at(const struct sb_subscriptions *all, const char *id,
                                size_t i)
{
    const struct device *device = find(all, id);

    return device && i < device->n ? device->topic[i] : NULL;
}

bool sb_subscriptions_has(const struct sb_subscriptions *all, const char *id,
                          const char *topic)
{
    const char *at;
    size_t i;

    for (i = 0; (at = sb_subscriptions_at(all, id, i)); i++)
        if (!strcmp(at, topic))
            return true;
    return false;
}
