/* SPDX-License-Identifier: MIT */
#ifndef WATCHDOGD_OPTIONS_H
#define WATCHDOGD_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

struct wd_options {
    uint64_t interval_ms;  /* 0: no kicks are expected */
    uint64_t start_ms;     /* until the first kick; 0: as the interval */
    uint64_t grace_ms;     /* between asking to end and SIGKILL */
    uint64_t delay_ms;     /* before the first restart */
    uint64_t max_delay_ms; /* and before any */
    bool use_stderr;
    const char *syslog; /* its socket */
    char **command;
};

/* Returns -1: go on; else the exit status, after help or one line on stderr. */
int wd_options_read(struct wd_options *options, int argc, char **argv);

#endif
