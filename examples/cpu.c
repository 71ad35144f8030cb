/* SPDX-License-Identifier: MIT */
#include "cpu.h"

#include <stdio.h>

double cpu_load(void)
{
    static unsigned long long last_total, last_idle;
    unsigned long long t[8] = { 0 }, total = 0,
                       idle; /* user nice system idle iowait ... */
    double load;
    FILE *stat = fopen("/proc/stat", "r");
    int n;

    if (!stat)
        return -1;
    n = fscanf(stat, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &t[0], &t[1], &t[2],
               &t[3], &t[4], &t[5], &t[6], &t[7]);
    fclose(stat);
    if (n < 4)
        return -1;
    for (int i = 0; i < n; i++)
        total += t[i];
    idle = t[3] + t[4];
    if (total <= last_total || idle < last_idle)
        return 0;
    load = 100.0 * (1.0 - (double)(idle - last_idle) / (double)(total - last_total));
    last_total = total;
    last_idle = idle;
    return load < 0 ? 0 : load;
}
