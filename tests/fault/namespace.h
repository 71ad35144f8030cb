/* SPDX-License-Identifier: MIT */
/* Mounts and packet filters of a test's own, that nobody else sees and that end with it. */
#ifndef FAULT_NAMESPACE_H
#define FAULT_NAMESPACE_H

#include <stdbool.h>

/* Before there are threads. `flags`: CLONE_NEWNS, CLONE_NEWNET. Whoever is not root becomes it
 * in a user namespace, where that is allowed. False: told on stdout. */
bool namespace_enter(int flags);
/* Was this process root before? Only root has loop devices. */
bool namespace_is_real_root(void);

/* Runs a shell command; false when it fails. printf-like. */
bool namespace_run(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
