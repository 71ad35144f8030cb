/* SPDX-License-Identifier: MIT */
/* Which templates were registered under which name, so that a program whose templates changed
 * under an old name is told: the platform keeps the old ones without a word, and does not give
 * them back by SmartREST. A file beside the credentials, `<credentials>.templates`, has a line
 * for each collection: a checksum in hexadecimal digits, a blank, and the name. */
#ifndef AGENT_KNOWN_H
#define AGENT_KNOWN_H

#include <stdint.h>

enum sr_known { SR_KNOWN_NOT, SR_KNOWN_SAME, SR_KNOWN_OTHER };

/* The checksum of templates: of their lines, whatever ends them. */
uint32_t sr_known_sum(const char *srtemplate);

/* What the file at `path` says of `srversion`. A file that is not there, or damaged, says
 * nothing: SR_KNOWN_NOT. */
enum sr_known sr_known_compare(const char *path, const char *srversion, uint32_t sum);

/* Notes it there; the oldest of more than 32 collections goes. Returns 0, SR_E_INVAL (a name with
 * a line end), SR_E_NOMEM, SR_E_IO (errno); what could not be
 * read is left alone. */
int sr_known_store(const char *path, const char *srversion, uint32_t sum);

#endif
