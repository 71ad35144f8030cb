/* SPDX-License-Identifier: MIT */
#include "reporter/payloads.h"

#include <smartrest/error.h>
#include <stdlib.h>

int sr_payloads_init(struct sr_payloads *payloads, unsigned window, size_t size)
{
    *payloads = (struct sr_payloads){ .size = size };
    payloads->bytes = malloc((window + 1) * size);
    return payloads->bytes ? 0 : SR_E_NOMEM;
}

void sr_payloads_release(struct sr_payloads *payloads)
{
    free(payloads->bytes);
    payloads->bytes = NULL;
}

static uint32_t bit_of(const struct sr_payloads *payloads, const char *buffer)
{
    return UINT32_C(1) << ((size_t)(buffer - payloads->bytes) / payloads->size);
}

/* The first that is free, that as few pages as possible are ever touched. */
char *sr_payloads_spare(const struct sr_payloads *payloads)
{
    uint32_t not_these = payloads->busy | payloads->last;
    size_t i = 0;

    while (not_these & (UINT32_C(1) << i))
        i++;
    return payloads->bytes + i * payloads->size;
}

void sr_payloads_take(struct sr_payloads *payloads, const char *buffer)
{
    payloads->last = bit_of(payloads, buffer);
    payloads->busy |= payloads->last;
}

void sr_payloads_give(struct sr_payloads *payloads, const char *buffer)
{
    if (buffer)
        payloads->busy &= ~bit_of(payloads, buffer);
}
