/* SPDX-License-Identifier: MIT */
/* Token bucket: so much in a second, and no more. Pure: the caller has the clock.
 *
 *     sr_bucket_init -> sr_bucket_ready -> sr_bucket_has, sr_bucket_take ...
 *
 * It holds what a second brings, at least one. What was larger than the rest is owed, so that a
 * large row goes whole. A bucket that ran empty is ready again when it is a quarter full, that
 * rows go in company and not one by one. */
#ifndef REPORTER_BUCKET_H
#define REPORTER_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

struct sr_bucket {
    uint64_t rate;   /* tokens a second; 0: no limit */
    int64_t level;   /* thousandths of a token; below 0 they are owed */
    uint64_t now_ms; /* of that level */
    bool ran_empty;
};

/* Full. `rate` is 10^12 at most. */
void sr_bucket_init(struct sr_bucket *bucket, uint64_t rate, uint64_t now_ms);
/* Is it worth to begin? */
bool sr_bucket_ready(struct sr_bucket *bucket, uint64_t now_ms);
/* Milliseconds until it is ready, as of the last sr_bucket_ready(). */
uint64_t sr_bucket_wait_ms(const struct sr_bucket *bucket);
/* Is there a token, for who has begun? */
bool sr_bucket_has(const struct sr_bucket *bucket);
void sr_bucket_take(struct sr_bucket *bucket, uint64_t tokens);

#endif
