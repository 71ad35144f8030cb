/* SPDX-License-Identifier: MIT */
/* How a device gets its credentials: the request an operator makes and accepts,
 * the password that comes of it, and the question of the device. */
#ifndef SANDBOX_DEVICES_H
#define SANDBOX_DEVICES_H

#include "rest.h"

enum { SB_PASSWORD_SIZE = 25 };

/* Device `device` asks for its credentials. Returns true and the password if the
 * request is accepted; a request that waits for the device is pending from now on. */
bool sb_device_ask(struct sb_rest *rest, const char *device, char *ret_password);

/* May this be the id of a device? */
bool sb_device_id_ok(const char *device);

/* Is this the password of the device? Takes as long whether or not there is one. */
bool sb_device_password_ok(struct sb_store *store, const char *device,
                           const char *password);

/* Compares without telling by its duration how much was right. */
bool sb_equal_secret(const char *a, const char *b);

#endif
