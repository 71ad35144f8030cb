/* SPDX-License-Identifier: MIT */
/* Small files that are there whole, in their old form or in the new one, also after a power
 * cut: written beside, synced, renamed. */
#ifndef BASE_REPLACE_H
#define BASE_REPLACE_H

#include <stdbool.h>
#include <stddef.h>

/* Replaces the file, mode 0600; on disk when this returns. If `path` is a symbolic link, the
 * file that it points to. Returns 0; SR_E_IO, see errno: the path has the old file, or the new
 * one whose directory could not be synced. What is there and no regular file is left alone:
 * EINVAL, for a directory EISDIR. */
int sr_replace_file(const char *path, const char *bytes, size_t len);

/* Is there nothing at `path`, or a regular file? Else it is somebody's: a FIFO or a device that got
 * renamed over would be gone. errno: EINVAL, EISDIR. */
bool sr_replace_allowed(const char *path);

/* Could sr_replace_file() write `path`? Leaves nothing behind. Returns 0, or SR_E_IO, see errno. */
int sr_replace_probe(const char *path);

#endif
