/* SPDX-License-Identifier: MIT */
/* What an agent has been promised, written down where kill -9 does not reach: memory that
 * it shares with the test. Rows are numbered, and never sent twice by the application, so
 * that whatever comes twice, the library has sent twice. */
#ifndef FAULT_LEDGER_H
#define FAULT_LEDGER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LEDGER_ROWS = 1 << 22 };

enum ledger_state {
    LEDGER_UNTRIED,
    LEDGER_TRIED,    /* sr_agent_send() was called: it may arrive */
    LEDGER_ACCEPTED, /* and returned 0: it has to arrive */
    LEDGER_REFUSED   /* and returned SR_E_FULL: it must not arrive */
};

/* How far the life of the agent has come. */
enum ledger_phase { LEDGER_STARTING, LEDGER_OPENED, LEDGER_RUNNING, LEDGER_PHASES };

struct ledger {
    _Atomic uint32_t next; /* number of the next row */
    _Atomic uint32_t halt; /* not beyond this one, as long as it is not 0 */
    _Atomic uint32_t phase;
    _Atomic uint8_t state[LEDGER_ROWS];
};

/* Shared with whoever maps the same file. Pages that are not touched cost nothing. NULL if that
 * cannot be. */
struct ledger *ledger_map(const char *path);
void ledger_unmap(struct ledger *ledger);

/* Rows in a state. */
uint32_t ledger_count(const struct ledger *ledger, enum ledger_state state);

/* The text of row `n`: its number, and filling that depends on it. Returns its length. */
enum { LEDGER_TEXT = 400 };
size_t ledger_text(uint32_t n, char text[LEDGER_TEXT]);

#endif
