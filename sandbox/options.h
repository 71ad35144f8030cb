/* SPDX-License-Identifier: MIT */
/* The launcher's command line. */
#ifndef SANDBOX_OPTIONS_H
#define SANDBOX_OPTIONS_H

#include "listen.h"

#include <stdbool.h>
#include <stdint.h>

struct sb_options {
    int http_port, mqtt_port;   /* 0: the kernel chooses */
    int https_port, mqtts_port; /* the same; -1: none */
    const char *bind;           /* as given */
    char host[SB_HOST_MAX];     /* what it resolves to */
    const char *tenant;
    const char *data; /* NULL: a temporary folder */
    const char *operator_account;
    char operator_user[256];
    const char *operator_password;
    const char *mosquitto, *plugin; /* NULL: look for them */
    const char *log_level;
    const char *ready_file;         /* NULL: none */
    const char *tls_cert, *tls_key; /* NULL: make them if they are needed */
    int64_t heartbeat_ms, push_timeout_ms, push_grace_ms;
    int64_t binary_max; /* bytes */
    bool auto_accept, skip_15_lines, help, version;
};

/* The strings in *ret_options point into argv. False: one line was written to stderr. */
bool sb_options_parse(int argc, char *argv[], struct sb_options *ret_options);
void sb_options_print_help(void);

#endif
