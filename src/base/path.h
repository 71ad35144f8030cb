/* SPDX-License-Identifier: MIT */
#ifndef BASE_PATH_H
#define BASE_PATH_H

/* The file behind `path`: itself, or where its symbolic link points, which need not be there. Whoever
 * writes a file beside and renames it does so there, or the link would become a file. The caller frees
 * it; NULL and errno (ELOOP, ENAMETOOLONG, EACCES, ENOMEM ...). */
char *sr_path_target(const char *path);

#endif
