/* SPDX-License-Identifier: MIT */
#ifndef SANDBOX_CONFIG_H
#define SANDBOX_CONFIG_H

#include "broker.h"

/* mosquitto.conf, mode 0600 since it holds the operator's password. False: a line was
 * written to stderr. */
bool sb_config_write(const struct sb_setup *setup, int ready_fd, const char *path);

#endif
