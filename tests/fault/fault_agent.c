/* SPDX-License-Identifier: MIT */
/* A life as a program of its own, for tests that start it in a changed environment.
 *
 *     fault_agent LEDGER DIR SERVER BROKER DEVICE CREDENTIALS ROWS BURST PAUSE_US TTL_S SEED
 *                 [may-lose] [SETTING=VALUE...]
 *
 * `-` for BROKER is HTTP, for CREDENTIALS made-up ones. */
#include "life.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS = 11 };

static const char *text_of(const char *word)
{
    return strcmp(word, "-") ? word : NULL;
}

static uint32_t number_of(const char *word)
{
    return (uint32_t)strtoul(word, NULL, 10);
}

static bool read_options(struct life *life, char **words)
{
    for (; *words; words++) {
        char *value = strchr(*words, '=');

        if (!strcmp(*words, "may-lose")) {
            life->may_lose = true;
        } else if (value) {
            *value = '\0';
            life_set(life, *words, value + 1);
        } else {
            return false;
        }
    }
    return true;
}

int main(int argc, char **argv)
{
    struct life life = { 0 };
    char **w = argv + 1;

    if (argc < 1 + WORDS || !read_options(&life, argv + 1 + WORDS))
        return 2;
    life.ledger = ledger_map(w[0]);
    life.dir = w[1];
    life.server = w[2];
    life.broker = text_of(w[3]);
    life.device = w[4];
    life.credentials = text_of(w[5]);
    life.rows = number_of(w[6]);
    life.burst = number_of(w[7]);
    life.pause_us = number_of(w[8]);
    life.ttl_s = number_of(w[9]);
    life.seed = strtoull(w[10], NULL, 10);
    if (!life.ledger) {
        fprintf(stderr, "fault_agent: %s cannot be mapped\n", w[0]);
        return 2;
    }
    return life_lead(&life);
}
