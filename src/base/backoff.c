/* SPDX-License-Identifier: MIT */
#include "base/backoff.h"

#include <sys/random.h>
#include <time.h>

uint32_t sr_backoff_next_within(struct sr_backoff *backoff, uint32_t max_ms,
                                uint32_t random)
{
    uint32_t pause = backoff->next_ms ? backoff->next_ms : SR_BACKOFF_FIRST_MS;
    uint32_t grown;

    if (pause > max_ms) /* it was the longer one of earlier */
        pause = max_ms;
    grown = pause + (uint32_t)((uint64_t)pause * 3 / 10);
    backoff->next_ms = grown < max_ms ? grown : max_ms;
    return pause / 2 + random % (pause - pause / 2 + 1);
}

uint32_t sr_backoff_next(struct sr_backoff *backoff, uint32_t random)
{
    return sr_backoff_next_within(backoff, SR_BACKOFF_MAX_MS, random);
}

void sr_backoff_reset(struct sr_backoff *backoff)
{
    backoff->next_ms = 0;
}

uint32_t sr_random32(void)
{
    uint32_t bits;
    struct timespec now;

    if (getrandom(&bits, sizeof bits, GRND_NONBLOCK) == sizeof bits)
        return bits;
    /* Early at boot the pool may be empty; a jitter can live with the clock. */
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint32_t)now.tv_nsec * 2654435761u ^ (uint32_t)now.tv_sec;
}
