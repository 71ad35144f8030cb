/* SPDX-License-Identifier: MIT */
/* Is it this row, or is it the line? A connection that drops says little about the row that was
 * under way: other connections drop, too. So the row is tried again at moments that chance picks
 * among the attempts with other rows, and the two are compared. Pure; chance is an argument.
 *
 * Before each attempt chance says whether it is the row's or another's, the row with
 * probability q. If the row is innocent, an attempt ends in the same way whoever's it is. If it is
 * guilty, its own always drop, and others at the line's rate p. How much better guilt explains
 * what was seen is the product of these factors, the evidence:
 *
 *     another was acknowledged      1 / (1 - q)
 *     another dropped               p / (q + (1 - q) p)
 *     the row dropped               1 / (q + (1 - q) p)
 *     the row was acknowledged      0: it is innocent
 *
 * For an innocent row the expected factor is 1, whatever p is taken to be and whatever pattern the
 * drops have (at random, in bursts, at each n-th publish), as long as that does not depend on the
 * row. So the evidence reaches 10,000 for one innocent row in 10,000 that are tried, at
 * most (Ville's inequality). A good estimate of p only makes it fast. */
#ifndef REPORTER_TRIAL_H
#define REPORTER_TRIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* --- the line ---------------------------------------------------------------- */

/* How payloads fared lately, those of suspects left out. */
struct sr_line {
    double acked, dropped; /* 256 together at most: older ones fade */
};

void sr_line_note(struct sr_line *line, unsigned acked, unsigned dropped);
/* So many drops were not the line's. */
void sr_line_forget(struct sr_line *line, unsigned dropped);
/* The share that drops. A line that is not known yet is taken for a good one. */
double sr_line_rate(const struct sr_line *line);
/* So many drops in a row under one row, of which the last `noted` are noted: are they to be
 * expected, now and then? No number of drops is, at some point, for any line. */
bool sr_line_explains(const struct sr_line *line, unsigned drops, unsigned noted);

/* --- the trial of one row ------------------------------------------------------ */

enum { SR_TRIAL_SPAN = 128 }; /* attempts with others between two of the row, at most */

struct sr_trial {
    double evidence;
    unsigned left;  /* moments of which chance has picked one, with equal probability */
    unsigned wait;  /* attempts with others until that one is there */
    unsigned drops; /* of its own that counted */
};

/* `others`: rows that wait to be compared with; with few of them the row is asked more often. */
void sr_trial_begin(struct sr_trial *trial, const struct sr_line *line, size_t others,
                    uint32_t random);
/* Another row's attempt has ended; not to be called when `wait` is 0. */
void sr_trial_other(struct sr_trial *trial, const struct sr_line *line, bool acked);
/* The row's own attempt at the moment that chance picked has dropped; it picks the next. */
void sr_trial_dropped(struct sr_trial *trial, const struct sr_line *line, size_t others,
                      uint32_t random);
bool sr_trial_proves(const struct sr_trial *trial);

#endif
