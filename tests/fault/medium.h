/* SPDX-License-Identifier: MIT */
/* What is on the medium when the power goes. A kill leaves the page cache to the kernel; a power
 * cut leaves what fdatasync() was done for, and of the rest whatever the system had got to.
 *
 *     medium_start -> (the store works with medium_disk) ... medium_cut, again and again -> stop
 *
 * All that the store does to its files is recorded, and can be cut behind any step. Of what is
 * not synced by then, each write may be there, be missing, or be there in some of its
 * sectors; files may be shorter; names may be missing, or still be there. */
#ifndef FAULT_MEDIUM_H
#define FAULT_MEDIUM_H

#include "dice.h"
#include "store/disk.h"
#include <stddef.h>

struct medium;

/* Records from now on, over the files in `dir`, which count as synced. */
struct medium *medium_start(const char *dir);
void medium_stop(struct medium *medium);
const struct sr_disk *medium_disk(struct medium *medium);

/* How many steps were recorded. */
size_t medium_steps(struct medium *medium);
/* How often a file of that name got another one. */
size_t medium_renames(struct medium *medium, const char *from);

/* Is step number `step` on the medium for sure when the power goes behind the first `steps`,
 * and its file known by a name? */
bool medium_is_sure(struct medium *medium, size_t steps, size_t step);

/* Fills the empty directory `to` with what may be there if the power goes behind the first
 * `steps` steps. */
void medium_cut(struct medium *medium, size_t steps, struct dice *dice, const char *to);

#endif
