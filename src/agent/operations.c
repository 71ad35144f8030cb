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

void sr_agent_hurry_since(struct sr_agent *agent, uint64_t before)
{
    if (agent->reporter && sr_reporter_started(agent->reporter) &&
        sr_outbox_rows_put(agent->outbox) != before)
        sr_reporter_hurry(agent->reporter);
}

void sr_agent_connected(struct sr_agent *agent)
{
    uint64_t before = sr_outbox_rows_put(agent->outbox);

    if (!agent->connected || agent->doomed)
        return;
    agent->connected(agent, agent->connected_arg);
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
