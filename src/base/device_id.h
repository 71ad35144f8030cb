/* SPDX-License-Identifier: MIT */
#ifndef BASE_DEVICE_ID_H
#define BASE_DEVICE_ID_H

#include <stdbool.h>
#include <stddef.h>

#define SR_DEVICE_ID_MAX 1000 /* bytes */

/* Can `id` be a device id? 1 to 1000 bytes of UTF-8; none of / \ $ (the platform), : (the
 * MQTT client id), + # (topics), % ? (the URL of its external id, into which templates put it as it
 * is), white space, control characters; not . or .. (that URL, too). If not, and
 * ret_reason is not NULL, *ret_reason says why, as the end of a sentence that begins
 * with the id: a static string. The agent, the options and the sandbox ask here. */
bool sr_device_id_valid(const char *id, const char **ret_reason);

/* Replaces every byte of `id` that may not be there by `-`. */
void sr_device_id_clean(char *id);

#endif
