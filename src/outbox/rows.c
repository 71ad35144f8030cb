/* SPDX-License-Identifier: MIT */
#include "outbox/outbox_p.h"

void sr_list_init(struct list *list)
{
    *list = (struct list){ .end = &list->head };
}

static void count(struct list *list, const struct node *node)
{
    size_t cost = cost_of(node);

    list->rows++;
    list->bytes += node->len;
    list->cost += cost;
    if (!(node->prio & NODE_WRITTEN))
        list->unwritten += cost;
}

void sr_list_append(struct list *list, struct node *node)
{
    node->next = NULL;
    *list->end = node;
    list->end = &node->next;
    count(list, node);
}

struct node *sr_list_pop(struct list *list)
{
    struct node *node = list->head;
    size_t cost;

    if (!node)
        return NULL;
    cost = cost_of(node);
    list->head = node->next;
    if (!list->head)
        list->end = &list->head;
    list->rows--;
    list->bytes -= node->len;
    list->cost -= cost;
    if (!(node->prio & NODE_WRITTEN))
        list->unwritten -= cost;
    return node;
}

void sr_list_move(struct list *to, struct list *from)
{
    if (!from->head)
        return;
    *to->end = from->head;
    to->end = from->end;
    to->rows += from->rows;
    to->bytes += from->bytes;
    to->cost += from->cost;
    to->unwritten += from->unwritten;
    sr_list_init(from);
}

/* Volatile rows between the same two buffered ones have the same number. */
static bool comes_before(const struct node *a, const struct node *b)
{
    return a->seq < b->seq || (a->seq == b->seq && a->index < b->index);
}

void sr_list_insert(struct list *list, struct node *node, struct node **hint)
{
    struct node **link = &list->head;

    if (*hint && comes_before(*hint, node))
        link = &(*hint)->next;
    while (*link && comes_before(*link, node))
        link = &(*link)->next;
    node->next = *link;
    *link = node;
    if (!node->next)
        list->end = &node->next;
    count(list, node);
    *hint = node;
}

struct sr_instant sr_node_put_at(const struct node *node)
{
    return (struct sr_instant){ .wall_ms = node->wall_ms,
                                .boot_ms = node->boot_ms,
                                .boot_tag = node->boot_tag };
}
