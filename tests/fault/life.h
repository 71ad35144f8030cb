/* SPDX-License-Identifier: MIT */
/* One life of an agent with an outbox on disk, as an application would lead it: a thread
 * sends numbered rows while the loop runs, until somebody kills it. */
#ifndef FAULT_LIFE_H
#define FAULT_LIFE_H

#include "ledger.h"
#include <stdbool.h>
#include <stdint.h>

/* Settings as sr_agent_set() takes them. */
struct life_setting {
    const char *name;
    char value[24];
};
enum { LIFE_SETTINGS = 16 };

struct life {
    const char *dir;    /* of the outbox */
    const char *server; /* http://... */
    const char *broker; /* mqtt://...; NULL: by HTTP */
    const char *device; /* its id */
    const char
        *credentials; /* a file: the platform knows the device, or will. NULL: made
                                up, as is the X-Id */
    struct life_setting settings[LIFE_SETTINGS]; /* up to the first without name */
    uint64_t seed;
    uint32_t rows;     /* to send; then it is idle */
    unsigned burst;    /* rows at once, at most */
    unsigned pause_us; /* between bursts, at most */
    uint32_t ttl_s;    /* of each row */
    bool may_lose;     /* else a row that is lost, and a disk that fails, end it */
    struct ledger *ledger;
};

void life_set(struct life *life, const char *name, const char *value);
void life_set_number(struct life *life, const char *name, unsigned value);

/* The same as words for fault_agent (its name first, NULL at the end), valid until the next
 * call. `ledger` is the file that life->ledger is mapped from. */
char *const *life_words(const struct life *life, const char *ledger);

/* Lives until it is killed or, by SIGINT, stopped. Returns 0, or 1 with the reason on
 * stderr. */
int life_lead(const struct life *life);

/* Templates of the sandbox's devices: row 103,<object>,<n> is a measurement. */
extern const char life_srversion[], life_srtemplate[];

#endif
