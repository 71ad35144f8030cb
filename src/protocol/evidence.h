/* SPDX-License-Identifier: MIT */
/* Did the platform write this answer? A captive portal, a proxy or a wrong server says HTTP status
 * 200, too, with a page, JSON, noise or nothing. Only rows that the platform can have written for
 * exactly the rows that were sent are evidence (docs/protocol/smartrest1.md, "Messages"):
 *
 *     20, 40, 41, 42, 43, 45, 50, 70    of the right form, and for a line that was sent
 *     100 and above                     <id>,<line>,... for a line that was sent
 *     86, 87, 88                        of the right form: neither for nor against
 *
 * Pure. */
#ifndef PROTOCOL_EVIDENCE_H
#define PROTOCOL_EVIDENCE_H

#include "record/rows.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum sr_evidence {
    SR_EVIDENCE_NONE, /* there is text, and nothing in it is evidence: not the platform's */
    SR_EVIDENCE_WEAK, /* empty, or not every row is evidence: it depends on who the server is */
    SR_EVIDENCE_GOOD /* rows, and each is of the right form: the platform's */
};

/* How many lines has this text of rows? A quoted value may go over several. */
uint64_t sr_evidence_lines(const char *rows, size_t len);

/* The answer to a request of `lines` lines. Without memory: SR_EVIDENCE_NONE. */
enum sr_evidence sr_evidence_of(struct sr_rows *answer, uint64_t lines);
enum sr_evidence sr_evidence_weigh(const char *answer, size_t len, uint64_t lines);
/* How much of the beginning of an answer that was cut somewhere can be read as rows; SIZE_MAX: nothing, and
 * then it is no evidence. */
size_t sr_evidence_whole(const char *answer, size_t len);
/* The same as above for such a beginning. */
enum sr_evidence sr_evidence_weigh_cut(const char *answer, size_t len, uint64_t lines);

/* Is it the answer to the question whether a template collection is known? */
bool sr_evidence_of_check(const char *answer, size_t len);

/* For people, why it is not the platform's: "the answer is not the platform's: text/html, begins
 * with '<html>'". `type` is its Content-Type, or NULL. Of rows only the first two values are
 * shown: behind them may be a password. */
void sr_evidence_describe(char *to, size_t size, const char *type, const char *answer,
                          size_t len);

#endif
