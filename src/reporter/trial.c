/* SPDX-License-Identifier: MIT */
#include "reporter/trial.h"

enum { FADE = 256, SPAN_MIN = 8, FEW = 4, PROOF = 10000 };
#define UNKNOWN_RATE 0.005 /* with the weight of one payload */
#define RATE_MAX     0.9
#define EXPECTED     1e-4
#define EVIDENCE_MIN 1e-6

/* --- the line ---------------------------------------------------------------- */

void sr_line_note(struct sr_line *line, unsigned acked, unsigned dropped)
{
    double sum = line->acked + line->dropped + acked + dropped;
    double fade = sum > FADE ? FADE / sum : 1;

    line->acked = (line->acked + acked) * fade;
    line->dropped = (line->dropped + dropped) * fade;
}

void sr_line_forget(struct sr_line *line, unsigned dropped)
{
    line->dropped = line->dropped > dropped ? line->dropped - dropped : 0;
}

double sr_line_rate(const struct sr_line *line)
{
    return (line->dropped + UNKNOWN_RATE) / (line->acked + line->dropped + 1);
}

bool sr_line_explains(const struct sr_line *line, unsigned drops, unsigned noted)
{
    struct sr_line before = *line;
    double rate, chance = 1;

    sr_line_forget(&before, noted);
    rate = sr_line_rate(&before);
    if (rate > RATE_MAX)
        rate = RATE_MAX;
    for (unsigned i = 0; i < drops && chance > EXPECTED; i++)
        chance *= rate;
    return chance > EXPECTED;
}

/* --- the trial of one row ------------------------------------------------------ */

/* Where many drop, the row is asked more often: there is little to learn from the others. So it
 * is where few others wait: they are to last for the trial. Rows that come one by one will go on
 * doing so. */
static unsigned span(const struct sr_line *line, size_t others)
{
    double span = 4 / sr_line_rate(line);

    if (span > SR_TRIAL_SPAN)
        span = SR_TRIAL_SPAN;
    if (others >= FEW && others / 2 < span)
        span = (double)(others / 2);
    return span > SPAN_MIN ? (unsigned)span : SPAN_MIN;
}

static void draw(struct sr_trial *trial, const struct sr_line *line, size_t others,
                 uint32_t random)
{
    trial->left = span(line, others);
    trial->wait = random % trial->left;
}

void sr_trial_begin(struct sr_trial *trial, const struct sr_line *line, size_t others,
                    uint32_t random)
{
    *trial = (struct sr_trial){ .evidence = 1 };
    draw(trial, line, others, random);
}

/* The probability that an attempt drops, if the row is guilty and its turn comes with `q`. */
static double drop_chance(double q, const struct sr_line *line)
{
    return q + (1 - q) * sr_line_rate(line);
}

void sr_trial_other(struct sr_trial *trial, const struct sr_line *line, bool acked)
{
    double q = 1.0 / trial->left;

    trial->evidence *= acked ? 1 / (1 - q) : sr_line_rate(line) / drop_chance(q, line);
    if (trial->evidence < EVIDENCE_MIN)
        trial->evidence = EVIDENCE_MIN; /* several rows may be guilty, and meet */
    trial->left--;
    trial->wait--;
}

void sr_trial_dropped(struct sr_trial *trial, const struct sr_line *line, size_t others,
                      uint32_t random)
{
    trial->drops++;
    trial->evidence /= drop_chance(1.0 / trial->left, line);
    draw(trial, line, others, random);
}

bool sr_trial_proves(const struct sr_trial *trial)
{
    return trial->evidence >= PROOF;
}
