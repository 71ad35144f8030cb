/* SPDX-License-Identifier: MIT */
/* Operations: when to ask for those that nobody delivered, and which were carried out. */
#include "agent/agent_p.h"
#include <stdlib.h>
#include <string.h>

/* --- connected ---------------------------------------------------------- */

void sr_agent_on_connected(struct sr_agent *agent, sr_connected_fn fn, void *arg)
{
    if (!agent)
        return;
    agent->connected = fn;
    agent->connected_arg = arg;
}

struct sr_listener {
    struct sr_listener *next;
    sr_connected_fn fn; /* NULL: removed */
    void *arg;
};

int sr_agent_add_connected(struct sr_agent *agent, sr_connected_fn fn, void *arg)
{
    struct sr_listener *listener;

    if (!agent || !fn)
        return SR_E_INVAL;
    listener = malloc(sizeof *listener);
    if (!listener)
        return SR_E_NOMEM;
    *listener = (struct sr_listener){ agent->listeners, fn, arg };
    agent->listeners = listener;
    return 0;
}

static void sweep_listeners(struct sr_agent *agent)
{
    struct sr_listener **at = &agent->listeners, *listener;

    while ((listener = *at)) {
        if (listener->fn) {
            at = &listener->next;
        } else {
            *at = listener->next;
            free(listener);
        }
    }
}

void sr_agent_remove_connected(struct sr_agent *agent, sr_connected_fn fn, void *arg)
{
    struct sr_listener *listener = agent && fn ? agent->listeners : NULL;

    while (listener && (listener->fn != fn || listener->arg != arg))
        listener = listener->next;
    if (!listener)
        return;
    listener->fn = NULL;
    if (!agent->telling_connected)
        sweep_listeners(agent);
}

void sr_agent_release_listeners(struct sr_agent *agent)
{
    struct sr_listener *listener;

    while ((listener = agent->listeners)) {
        agent->listeners = listener->next;
        free(listener);
    }
}

void sr_agent_hurry_since(struct sr_agent *agent, uint64_t before)
{
    if (agent->reporter && sr_reporter_started(agent->reporter) &&
        sr_outbox_rows_put(agent->outbox) != before)
        sr_reporter_hurry(agent->reporter);
}

void sr_agent_connected(struct sr_agent *agent)
{
    uint64_t before = sr_outbox_rows_put(agent->outbox);

    agent->telling_connected = true;
    if (agent->connected && !agent->doomed)
        agent->connected(agent, agent->connected_arg);
    for (struct sr_listener *l = agent->listeners; l && !agent->doomed; l = l->next)
        if (l->fn)
            l->fn(agent, l->arg);
    agent->telling_connected = false;
    sweep_listeners(agent);
    if (agent->doomed)
        return;
    sr_agent_hurry_since(agent, before);
}

/* --- once --------------------------------------------------------------- */

void sr_operations_release(struct sr_operations *operations)
{
    for (size_t i = 0; operations->ids && i < SR_OPERATIONS_KEPT; i++)
        free(operations->ids[i]);
    free(operations->ids);
    *operations = (struct sr_operations){ 0 };
}

static bool is_known(const struct sr_operations *operations, const char *id)
{
    for (size_t i = 0; i < SR_OPERATIONS_KEPT; i++)
        if (operations->ids[i] && !strcmp(operations->ids[i], id))
            return true;
    return false;
}

bool sr_agent_take_operation(struct sr_agent *agent, const char *id)
{
    struct sr_operations *operations;

    if (!agent || !sr_id_valid(id))
        return false;
    operations = &agent->operations;
    if (!operations->ids)
        operations->ids = calloc(SR_OPERATIONS_KEPT, sizeof *operations->ids);
    if (!operations->ids)
        return true; /* twice is better than never */
    if (is_known(operations, id))
        return false;
    sr_replace_text(&operations->ids[operations->next], id);
    operations->next = (operations->next + 1) % SR_OPERATIONS_KEPT;
    return true;
}
