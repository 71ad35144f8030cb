/* SPDX-License-Identifier: MIT */
#ifndef EXAMPLES_CPU_H
#define EXAMPLES_CPU_H

/* How busy the processors were since the last call, in percent, from /proc/stat; the
 * first call tells since boot. Negative if that cannot be read. */
double cpu_load(void);

#endif
