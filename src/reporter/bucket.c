/* SPDX-License-Identifier: MIT */
#include "reporter/bucket.h"

enum { TOKEN = 1000 };

static int64_t full(const struct sr_bucket *bucket)
{
    return (int64_t)bucket->rate * TOKEN;
}

void sr_bucket_init(struct sr_bucket *bucket, uint64_t rate, uint64_t now_ms)
{
    *bucket = (struct sr_bucket){ .rate = rate, .now_ms = now_ms };
    bucket->level = full(bucket);
}

/* A rate of n tokens a second is one of n thousandths a millisecond. */
static void refill(struct sr_bucket *bucket, uint64_t now_ms)
{
    uint64_t passed = now_ms > bucket->now_ms ? now_ms - bucket->now_ms : 0;
    uint64_t room = (uint64_t)(full(bucket) - bucket->level);

    bucket->now_ms = now_ms;
    if (passed > room / bucket->rate)
        bucket->level = full(bucket);
    else
        bucket->level += (int64_t)(passed * bucket->rate);
}

static int64_t enough(const struct sr_bucket *bucket)
{
    int64_t quarter = full(bucket) / 4;

    return bucket->ran_empty && quarter > TOKEN ? quarter : TOKEN;
}

bool sr_bucket_ready(struct sr_bucket *bucket, uint64_t now_ms)
{
    if (!bucket->rate)
        return true;
    refill(bucket, now_ms);
    if (bucket->level < enough(bucket))
        return false;
    bucket->ran_empty = false;
    return true;
}

uint64_t sr_bucket_wait_ms(const struct sr_bucket *bucket)
{
    int64_t missing = enough(bucket) - bucket->level;

    if (!bucket->rate || missing <= 0)
        return 0;
    return ((uint64_t)missing + bucket->rate - 1) / bucket->rate;
}

bool sr_bucket_has(const struct sr_bucket *bucket)
{
    return !bucket->rate || bucket->level >= TOKEN;
}

void sr_bucket_take(struct sr_bucket *bucket, uint64_t tokens)
{
    if (!bucket->rate)
        return;
    bucket->level -= (int64_t)(tokens * TOKEN);
    bucket->ran_empty = bucket->ran_empty || bucket->level < TOKEN;
}
