/* SPDX-License-Identifier: MIT */
/* Random numbers that can be had again: the seed is printed, and SR_SEED sets it. */
#ifndef FAULT_DICE_H
#define FAULT_DICE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct dice {
    uint64_t state;
};

/* SplitMix64: small, and as good as a test needs. */
static inline uint64_t dice_roll(struct dice *dice)
{
    uint64_t z = dice->state += 0x9e3779b97f4a7c15u;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* 0 to n - 1. */
static inline unsigned dice_below(struct dice *dice, unsigned n)
{
    return (unsigned)(dice_roll(dice) % n);
}

static inline unsigned dice_between(struct dice *dice, unsigned least, unsigned most)
{
    return least + dice_below(dice, most - least + 1);
}

static inline bool dice_percent(struct dice *dice, unsigned percent)
{
    return dice_below(dice, 100) < percent;
}

/* From SR_SEED or the clock; says which on stdout. */
static inline struct dice dice_new(void)
{
    const char *given = getenv("SR_SEED");
    struct timespec now;
    uint64_t seed;

    clock_gettime(CLOCK_REALTIME, &now);
    seed = given ? strtoull(given, NULL, 0)
                 : (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
    printf("SR_SEED=%llu\n", (unsigned long long)seed);
    fflush(stdout);
    return (struct dice){ seed };
}

/* A number from the environment, for the scale of a test. */
static inline unsigned env_number(const char *name, unsigned otherwise)
{
    const char *text = getenv(name);

    return text && *text ? (unsigned)strtoul(text, NULL, 10) : otherwise;
}

#endif
