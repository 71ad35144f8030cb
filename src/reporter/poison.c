/* SPDX-License-Identifier: MIT */
#include "reporter/poison.h"

#include <string.h>

/* As many are accused before a longer pause; a server that refuses everything is not to be
 * asked in haste. */
enum { HASTE_MAX = 4 };

void sr_poison_init(struct sr_poison *poison, unsigned after)
{
    *poison = (struct sr_poison){ .after = after };
}

bool sr_poison_searching(const struct sr_poison *poison)
{
    return poison->suspects || poison->accused_count;
}

size_t sr_poison_limit(const struct sr_poison *poison)
{
    if (!sr_poison_searching(poison))
        return SIZE_MAX;
    return poison->suspects > 1 ? poison->suspects / 2 : 1;
}

/* --- the accused ------------------------------------------------------------ */

static struct sr_accused *find(struct sr_poison *poison, uint64_t id)
{
    for (size_t i = 0; i < poison->accused_count; i++)
        if (poison->accused[i].id == id)
            return &poison->accused[i];
    return NULL;
}

static void forget(struct sr_poison *poison, struct sr_accused *accused)
{
    size_t behind = poison->accused_count - (size_t)(accused - poison->accused) - 1;

    memmove(accused, accused + 1, behind * sizeof *accused);
    poison->accused_count--;
}

static bool any_aside(const struct sr_poison *poison)
{
    for (size_t i = 0; i < poison->accused_count; i++)
        if (poison->accused[i].ticket)
            return true;
    return false;
}

/* Nobody is to blame, it seems. */
static void give_up(struct sr_poison *poison)
{
    poison->release = true;
    poison->accused_count = 0;
    poison->suspects = 0;
    poison->drops = 0;
}

static bool accuse(struct sr_poison *poison, const struct sr_payload *payload,
                   bool refused)
{
    struct sr_accused *accused = find(poison, payload->first);

    if (!accused && poison->accused_count == SR_ACCUSED_MAX) {
        give_up(poison);
        return false;
    }
    if (!accused) {
        accused = &poison->accused[poison->accused_count++];
        *accused = (struct sr_accused){ .id = payload->first };
    }
    poison->suspects = 0;
    accused->ticket = payload->ticket;
    accused->set_aside = true;
    accused->refused = refused;
    accused->alone++;
    accused->guilty = refused && accused->witnessed;
    return accused->guilty ||
           (accused->alone == 1 && poison->accused_count <= HASTE_MAX);
}

/* Others get through: what about those that are aside? */
static void judge(struct sr_poison *poison)
{
    for (size_t i = 0; i < poison->accused_count; i++) {
        struct sr_accused *accused = &poison->accused[i];

        if (!accused->ticket)
            continue;
        accused->witnessed = true;
        if (accused->alone >= poison->after)
            accused->guilty = true;
        else
            poison->release = true;
    }
}

/* --- what happens ----------------------------------------------------------- */

/* Is the same row the first one once too often? */
static bool head_is_suspect(struct sr_poison *poison, uint64_t head)
{
    poison->drops = poison->drops && poison->head == head ? poison->drops + 1 : 1;
    poison->head = head;
    return poison->drops >= poison->after;
}

bool sr_poison_failed(struct sr_poison *poison, const struct sr_payload *payload,
                      bool refused)
{
    if (!refused && !sr_poison_searching(poison) &&
        !head_is_suspect(poison, payload->first))
        return false;
    if (payload->rows == 1 && payload->only && !refused)
        return false; /* it fails as any other row does */
    if (payload->rows == 1)
        return accuse(poison, payload, refused);
    poison->suspects = payload->rows;
    return true;
}

static void clear_some(struct sr_poison *poison, size_t rows)
{
    poison->suspects -= rows < poison->suspects ? rows : poison->suspects;
}

void sr_poison_acked(struct sr_poison *poison, const struct sr_payload *payload)
{
    struct sr_accused *accused = find(poison, payload->first);

    if (poison->head == payload->first)
        poison->drops = 0;
    clear_some(poison, payload->rows);
    if (accused)
        forget(poison, accused); /* innocent */
    if (any_aside(poison))
        judge(poison);
    else if (!accused)
        poison->accused_count =
            0; /* they went another way: they would have been first */
}

void sr_poison_stuck(struct sr_poison *poison)
{
    struct sr_accused *first = poison->accused;

    poison->suspects = 0;
    if (!any_aside(poison)) {
        poison->accused_count = 0; /* they went another way */
        return;
    }
    if (poison->accused_count == 1 && first->refused && first->alone >= poison->after)
        first->guilty = true;
    else
        poison->release = true;
}

static void release(struct sr_poison *poison)
{
    poison->release = false;
    for (size_t i = 0; i < poison->accused_count; i++)
        poison->accused[i].ticket = 0;
}

enum sr_poison_order sr_poison_next(struct sr_poison *poison, uint32_t *ret_ticket)
{
    for (size_t i = 0; i < poison->accused_count; i++) {
        struct sr_accused *accused = &poison->accused[i];

        *ret_ticket = accused->ticket;
        if (accused->set_aside) {
            accused->set_aside = false;
            return SR_POISON_HOLD;
        }
        if (accused->guilty) {
            forget(poison, accused);
            return SR_POISON_CONVICT;
        }
    }
    *ret_ticket = 0;
    if (!poison->release)
        return SR_POISON_DONE;
    release(poison);
    return SR_POISON_RELEASE;
}
