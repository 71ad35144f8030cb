/* SPDX-License-Identifier: MIT */
#include "session.h"

#include <search.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* --- client ids and filters ---------------------------------------------- */

bool sb_client_id_device(const char *client_id, char *ret_device, size_t size)
{
    const char *device = client_id, *colon = strchr(client_id, ':');
    size_t len;

    if (colon) { /* then the connection type must be there, and `d` is the only one */
        if (strncmp(client_id, "d:", 2) != 0)
            return false;
        device += 2;
    }
    len = strcspn(device, ":");
    if (len == 0 || len >= size || (device[len] && strchr(device + len + 1, ':')))
        return false;
    memcpy(ret_device, device, len);
    ret_device[len] = '\0';
    return true;
}

static bool level_matches(const char *filter, size_t filter_len, const char *topic,
                          size_t topic_len)
{
    if (filter_len == 1 && *filter == '+')
        return true;
    return filter_len == topic_len && memcmp(filter, topic, topic_len) == 0;
}

bool sb_topic_matches(const char *filter, const char *topic)
{
    if (*topic == '$' && *filter != '$')
        return false;
    for (;;) {
        size_t f = strcspn(filter, "/"), t = strcspn(topic, "/");

        if (strcmp(filter, "#") == 0)
            return true;
        if (!level_matches(filter, f, topic, t))
            return false;
        filter += f;
        topic += t;
        if (!*topic) /* `a/#` matches `a` too */
            return !*filter || strcmp(filter, "/#") == 0;
        if (!*filter)
            return false;
        filter++;
        topic++;
    }
}

/* --- subscriptions --------------------------------------------------------- */

static struct sb_subscription *find_subscription(struct sb_session *session,
                                                 const char *filter)
{
    for (size_t i = 0; i < session->sub_count; i++)
        if (strcmp(session->subs[i].filter, filter) == 0)
            return &session->subs[i];
    return NULL;
}

static bool add_subscription(struct sb_session *session, const char *filter, int qos)
{
    size_t n = session->sub_count;
    struct sb_subscription *grown = reallocarray(session->subs, n + 1, sizeof *grown);

    if (!grown)
        return false;
    session->subs = grown;
    grown[n] = (struct sb_subscription){ .filter = strdup(filter), .qos = qos };
    if (!grown[n].filter)
        return false;
    session->sub_count++;
    return true;
}

bool sb_session_subscribe(struct sb_session *session, const char *filter, int qos)
{
    struct sb_subscription *known = find_subscription(session, filter);

    if (known) {
        known->qos = qos;
        return true;
    }
    if (session->sub_count == SB_FILTERS_MAX)
        return false;
    return add_subscription(session, filter, qos);
}

void sb_session_unsubscribe(struct sb_session *session, const char *filter)
{
    struct sb_subscription *known = find_subscription(session, filter);

    if (!known)
        return;
    free(known->filter);
    *known = session->subs[--session->sub_count];
}

int sb_session_qos(const struct sb_session *session, const char *topic)
{
    int qos = -1;

    for (size_t i = 0; i < session->sub_count; i++) {
        const struct sb_subscription *sub = &session->subs[i];

        if (sub->qos > qos && sb_topic_matches(sub->filter, topic))
            qos = sub->qos;
    }
    return qos;
}

/* --- the two indexes -------------------------------------------------------- */

static int by_client(const void *a, const void *b)
{
    uintptr_t x = (uintptr_t)((const struct sb_session_key *)a)->client;
    uintptr_t y = (uintptr_t)((const struct sb_session_key *)b)->client;

    return (x > y) - (x < y);
}

static int by_device(const void *a, const void *b)
{
    return strcmp(((const struct sb_session_key *)a)->device_id,
                  ((const struct sb_session_key *)b)->device_id);
}

static void session_free(struct sb_session *session)
{
    for (size_t i = 0; i < session->sub_count; i++)
        free(session->subs[i].filter);
    free(session->subs);
    free(session->client_id);
    free(session);
}

static struct sb_session *find(void **tree, struct sb_session_key key,
                               int (*compare)(const void *, const void *))
{
    struct sb_session **found = tfind(&key, tree, compare);

    return found ? *found : NULL;
}

struct sb_session *sb_sessions_of_client(struct sb_sessions *all,
                                         const struct mosquitto *client)
{
    return find(&all->by_client, (struct sb_session_key){ .client = client },
                by_client);
}

struct sb_session *sb_sessions_of_device(struct sb_sessions *all, const char *device_id)
{
    return find(&all->by_device, (struct sb_session_key){ .device_id = device_id },
                by_device);
}

static bool is_current(struct sb_sessions *all, const struct sb_session *session)
{
    return sb_sessions_of_device(all, session->identity.device_id) == session;
}

/* --- beginning and end ------------------------------------------------------- */

static struct sb_session *session_new(const struct mosquitto *client,
                                      const char *client_id,
                                      const struct sb_identity *identity)
{
    struct sb_session *session = calloc(1, sizeof *session);

    if (!session)
        return NULL;
    session->client_id = strdup(client_id);
    session->identity = *identity;
    session->key.client = client;
    session->key.device_id = session->identity.device_id;
    session->clean = true;
    if (!session->client_id) {
        free(session);
        return NULL;
    }
    return session;
}

static void inherit(struct sb_session *heir, struct sb_session *former)
{
    if (former->clean || strcmp(heir->client_id, former->client_id) != 0)
        return;
    heir->subs = former->subs;
    heir->sub_count = former->sub_count;
    former->subs = NULL;
    former->sub_count = 0;
}

/* The session is no longer the one of its device. Without a client nothing else
 * refers to it. */
static void displace(struct sb_sessions *all, struct sb_session *former)
{
    tdelete(former, &all->by_device, by_device);
    if (!former->key.client)
        session_free(former);
}

static void drop_client(struct sb_sessions *all, struct sb_session *session)
{
    tdelete(session, &all->by_client, by_client);
    session->key.client = NULL;
}

static bool insert(struct sb_sessions *all, struct sb_session *session)
{
    if (!tsearch(session, &all->by_client, by_client))
        return false;
    if (tsearch(session, &all->by_device, by_device))
        return true;
    tdelete(session, &all->by_client, by_client);
    return false;
}

void sb_sessions_end(struct sb_sessions *all, struct sb_session *session)
{
    if (session->gone)
        return;
    session->gone = true;
    session->next_gone = all->gone;
    all->gone = session;
}

void sb_sessions_sweep(struct sb_sessions *all)
{
    while (all->gone) {
        struct sb_session *session = all->gone;
        bool current = is_current(all, session);

        all->gone = session->next_gone;
        drop_client(all, session);
        if (current && !session->clean)
            continue; /* sleeps */
        if (current)
            displace(all, session);
        else
            session_free(session);
    }
}

static void free_node(void *node)
{
    session_free(node);
}

/* The broker reuses memory: whoever had this address before is gone. */
static void drop_stale(struct sb_sessions *all, const struct mosquitto *client)
{
    struct sb_session *stale = sb_sessions_of_client(all, client);

    if (!stale)
        return;
    sb_sessions_end(all, stale);
    sb_sessions_sweep(all);
}

struct sb_session *sb_sessions_begin(struct sb_sessions *all,
                                     const struct mosquitto *client,
                                     const char *client_id,
                                     const struct sb_identity *identity)
{
    struct sb_session *session = session_new(client, client_id, identity);
    struct sb_session *former;

    if (!session)
        return NULL;
    drop_stale(all, client);
    former = sb_sessions_of_device(all, identity->device_id);
    if (former) {
        inherit(session, former);
        displace(all, former);
    }
    if (!insert(all, session)) {
        session_free(session);
        return NULL;
    }
    return session;
}

void sb_sessions_clear(struct sb_sessions *all)
{
    sb_sessions_sweep(all);
    /* Those that were taken over and never reported gone are in the first tree
     * only, those that sleep in the second only. */
    while (all->by_client) {
        struct sb_session *session = *(struct sb_session **)all->by_client;
        bool current = is_current(all, session);

        drop_client(all, session);
        if (!current)
            session_free(session);
    }
    tdestroy(all->by_device, free_node);
    *all = (struct sb_sessions){ 0 };
}
