/* SPDX-License-Identifier: MIT */
/* Pauses between attempts: exponential, capped, with jitter so that a fleet does not
 * come back as one. Grows gently at first: a short outage costs a short pause. */
#ifndef BASE_BACKOFF_H
#define BASE_BACKOFF_H

#include <stdint.h>

#ifndef SR_BACKOFF_FIRST_MS /* tests are less patient */
#define SR_BACKOFF_FIRST_MS 250
#endif
#ifndef SR_BACKOFF_MAX_MS
#define SR_BACKOFF_MAX_MS (60 * 1000)
#endif

struct sr_backoff {
    uint32_t next_ms; /* 0: no failure yet */
};

/* Milliseconds to wait now, between half of and the whole current pause; the pause
 * then grows by 3/10. `random`: any 32 random bits. */
uint32_t sr_backoff_next(struct sr_backoff *backoff, uint32_t random);
/* The same up to `max_ms` (a day and more is fine), for what does not pass by itself. */
uint32_t sr_backoff_next_within(struct sr_backoff *backoff, uint32_t max_ms,
                                uint32_t random);
void sr_backoff_reset(struct sr_backoff *backoff);

/* 32 bits from the system. */
uint32_t sr_random32(void);

#endif
