/* SPDX-License-Identifier: MIT */
/* Buffers for the payloads under way, made once. That of the last payload stays as it is until the
 * next one is made: what the platform says next is about it. */
#ifndef REPORTER_PAYLOADS_H
#define REPORTER_PAYLOADS_H

#include <stddef.h>
#include <stdint.h>

struct sr_payloads {
    char *bytes;
    size_t size;   /* of each */
    uint32_t busy; /* bit n: the buffer with that number */
    uint32_t last; /* the bit of the last one; 0 at first */
};

/* For so many payloads under way, 30 at most. Returns 0, SR_E_NOMEM. */
int sr_payloads_init(struct sr_payloads *payloads, unsigned window, size_t size);
/* Zeroed is fine. */
void sr_payloads_release(struct sr_payloads *payloads);
/* One to write to; another one than the last. */
char *sr_payloads_spare(const struct sr_payloads *payloads);
/* It is under way now, and the last one; it is not any more. NULL is none. */
void sr_payloads_take(struct sr_payloads *payloads, const char *buffer);
void sr_payloads_give(struct sr_payloads *payloads, const char *buffer);

#endif
