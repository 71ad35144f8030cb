/* SPDX-License-Identifier: MIT */
/* The data folder: the user's, made if missing and kept, or a temporary one. One
 * sandbox at a time uses it. */
#ifndef SANDBOX_FOLDER_H
#define SANDBOX_FOLDER_H

#include <limits.h>
#include <stdbool.h>

struct sb_folder {
    char path[PATH_MAX];
    bool temporary;
    int lock; /* descriptor, -1 if not opened */
};

/* `dir` NULL: a fresh temporary one. False: a line was written to stderr, and
 * *folder can be closed all the same. */
bool sb_folder_open(struct sb_folder *folder, const char *dir);

/* Removes it, with all in it, if it is temporary. */
void sb_folder_close(struct sb_folder *folder);

/* Writes beside and renames, mode 0600. False with errno. */
bool sb_file_write(const char *path, const char *text);

#endif
