/* SPDX-License-Identifier: MIT */
/* A station: a device of the sandbox with an outbox on disk, and the programs that live and
 * die as its agent. What has arrived is asked of the platform when all is over. */
#ifndef FAULT_STATION_H
#define FAULT_STATION_H

#include "../e2e/world.h"
#include "life.h"
#include "support/fault_proxy.h"

enum { STATION_BATCH = 50, STATION_WINDOW = 4 };

struct station {
    struct world *world;
    bool by_mqtt;
    char id[32], object[32];
    char outbox[160], credentials[160], ledger_file[160];
    struct fault_proxy *http, *mqtt; /* all goes over these */
    char server[64], broker[64];
    struct ledger *ledger;
    struct life life;
    pid_t pid;
    unsigned kills;
    uint64_t arrived, doubles, missing; /* by station_count() */
};

/* Prepares station->life, with `window` and `batch` as above; starts nothing. */
void station_open(struct station *station, struct world *world, const char *id,
                  bool by_mqtt);
void station_close(struct station *station);

/* Starts an agent that sends up to `rows`. */
void station_start(struct station *station, uint32_t rows);
void station_kill(struct station *station);
uint32_t station_accepted(const struct station *station);
/* Rows that wait in its files. */
unsigned station_rows_on_disk(const struct station *station);
/* Until that many rows have been accepted in all. */
void station_await_accepted(struct station *station, uint32_t rows);
/* Until a row that was sent after this call has arrived. */
void station_await_flow(struct station *station);

/* Asks what has arrived; fails if a row came first out of its turn, or more came again than
 * were under way. Returns how many accepted rows are missing. */
uint64_t station_count(struct station *station);
/* Starts an agent that sends nothing new, until nothing is missing. */
void station_drain(struct station *station);

#endif
