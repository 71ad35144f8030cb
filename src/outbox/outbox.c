/* SPDX-License-Identifier: MIT */
#include "outbox/outbox.h"

#include <pthread.h>
#include <smartrest/agent.h>
#include <stdlib.h>
#include <string.h>

struct node {
    struct node *next;
    uint64_t put_ms;
    uint32_t len;
    uint32_t ticket; /* meaningful before `waiting` */
    int prio;
    uint32_t failures; /* ends of a connection while it was under way */
    char row[];
};

/* One list, oldest first: [head ... under way ...][waiting ... tail]. */
struct sr_outbox {
    pthread_mutex_t lock;
    struct node *head;
    struct node **waiting; /* the link that holds the first waiting row */
    struct node **end;     /* the link where the next row goes */
    size_t cap;
    bool asleep;
    size_t batch_rows, batch_bytes;
    size_t waiting_rows, waiting_bytes;
    struct sr_outbox_stats stats;
};

const size_t sr_outbox_overhead = sizeof(struct node);

int sr_outbox_new(size_t cap, struct sr_outbox **ret_box)
{
    struct sr_outbox *box = calloc(1, sizeof *box);

    if (!box)
        return SR_E_NOMEM;
    pthread_mutex_init(&box->lock, NULL);
    box->waiting = box->end = &box->head;
    box->cap = cap;
    box->batch_rows = box->batch_bytes = SIZE_MAX;
    *ret_box = box;
    return 0;
}

void sr_outbox_free(struct sr_outbox *box)
{
    struct node *node, *next;

    if (!box)
        return;
    for (node = box->head; node; node = next) {
        next = node->next;
        free(node);
    }
    pthread_mutex_destroy(&box->lock);
    free(box);
}

static size_t cost(const struct node *node)
{
    return sr_outbox_overhead + node->len;
}

/* Takes the node out of its link. The links `waiting` and `end` may live in it. */
static struct node *unlink_at(struct sr_outbox *box, struct node **link)
{
    struct node *node = *link;

    *link = node->next;
    if (box->waiting == &node->next)
        box->waiting = link;
    if (box->end == &node->next)
        box->end = link;
    box->stats.rows--;
    box->stats.bytes -= cost(node);
    return node;
}

static void drop_oldest_waiting(struct sr_outbox *box)
{
    struct node *node = unlink_at(box, box->waiting);

    box->waiting_rows--;
    box->waiting_bytes -= node->len;
    box->stats.rows_dropped++;
    free(node);
}

static void append(struct sr_outbox *box, struct node *node)
{
    *box->end = node;
    box->end = &node->next;
    box->waiting_rows++;
    box->waiting_bytes += node->len;
    box->stats.rows++;
    box->stats.rows_put++;
    box->stats.bytes += cost(node);
}

void sr_outbox_set_cap(struct sr_outbox *box, size_t cap)
{
    pthread_mutex_lock(&box->lock);
    box->cap = cap;
    while (box->stats.bytes > cap && box->waiting_rows)
        drop_oldest_waiting(box);
    pthread_mutex_unlock(&box->lock);
}

/* Could `need` bytes be had by dropping all that waits? */
static bool could_fit(const struct sr_outbox *box, size_t need)
{
    size_t waiting = box->waiting_bytes + box->waiting_rows * sr_outbox_overhead;
    size_t under_way = box->stats.bytes - waiting;

    return under_way <= box->cap && need <= box->cap - under_way;
}

void sr_outbox_set_batch(struct sr_outbox *box, size_t rows, size_t bytes)
{
    pthread_mutex_lock(&box->lock);
    box->batch_rows = rows;
    box->batch_bytes = bytes;
    pthread_mutex_unlock(&box->lock);
}

/* Did the last row, of `len` bytes, change what there is to do? */
static bool batch_due(const struct sr_outbox *box, size_t len)
{
    return box->waiting_rows == 1 || box->waiting_rows % box->batch_rows == 0 ||
           box->waiting_bytes / box->batch_bytes !=
               (box->waiting_bytes - len) / box->batch_bytes;
}

int sr_outbox_put(struct sr_outbox *box, const char *row, size_t len, int prio,
                  uint64_t now_ms, bool *ret_due)
{
    struct node *node;
    int rc = 0;

    if (len > UINT32_MAX)
        return SR_E_TOOBIG;
    node = malloc(sizeof *node + len);
    if (!node)
        return SR_E_NOMEM;
    *node = (struct node){ .put_ms = now_ms, .len = (uint32_t)len, .prio = prio };
    memcpy(node->row, row, len);

    pthread_mutex_lock(&box->lock);
    if (box->asleep && !(prio & SR_PRIO_BUF)) {
        box->stats.rows_put++;
        box->stats.rows_given_up++;
    } else if (cost(node) > box->cap) {
        rc = SR_E_TOOBIG;
    } else if (!could_fit(box, cost(node))) {
        rc = SR_E_FULL;
    } else {
        while (box->stats.bytes + cost(node) > box->cap)
            drop_oldest_waiting(box);
        append(box, node);
        *ret_due = batch_due(box, len);
        node = NULL;
    }
    pthread_mutex_unlock(&box->lock);
    free(node);
    return rc;
}

struct sr_outbox_waiting sr_outbox_waiting(struct sr_outbox *box)
{
    struct sr_outbox_waiting waiting;

    pthread_mutex_lock(&box->lock);
    waiting = (struct sr_outbox_waiting){
        .rows = box->waiting_rows,
        .bytes = box->waiting_bytes,
        .oldest_ms = *box->waiting ? (*box->waiting)->put_ms : 0,
    };
    pthread_mutex_unlock(&box->lock);
    return waiting;
}

size_t sr_outbox_take(struct sr_outbox *box, uint32_t ticket, sr_outbox_accept accept,
                      void *arg)
{
    struct node *node;
    size_t taken = 0;

    pthread_mutex_lock(&box->lock);
    while ((node = *box->waiting) && accept(arg, node->row, node->len, node->prio)) {
        node->ticket = ticket;
        box->waiting = &node->next;
        box->waiting_rows--;
        box->waiting_bytes -= node->len;
        taken++;
    }
    pthread_mutex_unlock(&box->lock);
    return taken;
}

/* The lock is held. */
static size_t forget(struct sr_outbox *box, uint32_t ticket)
{
    struct node **link = &box->head;
    size_t forgotten = 0;

    while (link != box->waiting) {
        if ((*link)->ticket == ticket) {
            free(unlink_at(box, link));
            forgotten++;
        } else {
            link = &(*link)->next;
        }
    }
    return forgotten;
}

size_t sr_outbox_ack(struct sr_outbox *box, uint32_t ticket)
{
    size_t acked;

    pthread_mutex_lock(&box->lock);
    acked = forget(box, ticket);
    box->stats.rows_acked += acked;
    pthread_mutex_unlock(&box->lock);
    return acked;
}

size_t sr_outbox_drop(struct sr_outbox *box, uint32_t ticket)
{
    size_t dropped;

    pthread_mutex_lock(&box->lock);
    dropped = forget(box, ticket);
    box->stats.rows_dropped += dropped;
    pthread_mutex_unlock(&box->lock);
    return dropped;
}

static void requeue(struct sr_outbox *box)
{
    for (struct node **link = &box->head; link != box->waiting; link = &(*link)->next) {
        box->waiting_rows++;
        box->waiting_bytes += (*link)->len;
    }
    box->waiting = &box->head;
}

void sr_outbox_requeue(struct sr_outbox *box)
{
    pthread_mutex_lock(&box->lock);
    requeue(box);
    pthread_mutex_unlock(&box->lock);
}

/* Gives up what waits without SR_PRIO_BUF and has failed at least that often. */
static void give_up_waiting(struct sr_outbox *box, uint32_t failures)
{
    struct node **link = box->waiting;

    while (*link) {
        struct node *node = *link;

        if ((node->prio & SR_PRIO_BUF) || node->failures < failures) {
            link = &node->next;
            continue;
        }
        unlink_at(box, link);
        box->waiting_rows--;
        box->waiting_bytes -= node->len;
        box->stats.rows_given_up++;
        free(node);
    }
}

void sr_outbox_fail(struct sr_outbox *box, uint32_t retries)
{
    pthread_mutex_lock(&box->lock);
    for (struct node **link = &box->head; link != box->waiting; link = &(*link)->next)
        (*link)->failures++;
    requeue(box);
    give_up_waiting(box, retries + 1);
    pthread_mutex_unlock(&box->lock);
}

void sr_outbox_sleep(struct sr_outbox *box, bool asleep)
{
    pthread_mutex_lock(&box->lock);
    box->asleep = asleep;
    if (asleep)
        give_up_waiting(box, 0);
    pthread_mutex_unlock(&box->lock);
}

uint64_t sr_outbox_rows_put(struct sr_outbox *box)
{
    uint64_t rows;

    pthread_mutex_lock(&box->lock);
    rows = box->stats.rows_put;
    pthread_mutex_unlock(&box->lock);
    return rows;
}

void sr_outbox_stats(struct sr_outbox *box, struct sr_outbox_stats *ret_stats)
{
    pthread_mutex_lock(&box->lock);
    *ret_stats = box->stats;
    pthread_mutex_unlock(&box->lock);
}
