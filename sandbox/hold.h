/* SPDX-License-Identifier: MIT */
/* Held answers: requests whose answer comes minutes later, with a blank now and then
 * so that both ends see that the other is there. The answer's head goes out at once; the
 * connection is suspended in between and costs no thread.
 *
 *     sb_holder_start -> sb_hold_begin, sb_hold_end ... -> sb_holder_stop
 *
 * A thread of its own looks for the next blank, for answers that have waited long
 * enough, and for clients that went away. */
#ifndef SANDBOX_HOLD_H
#define SANDBOX_HOLD_H

#include "platform.h"

#include <microhttpd.h>

struct sb_holder;
struct sb_hold;

struct sb_holder *sb_holder_start(struct sb_platform *platform, int64_t heartbeat_ms);
/* No answer is held from here on; call it before MHD_stop_daemon(). */
void sb_holder_quit(struct sb_holder *holder);
/* After MHD_stop_daemon(). Accepts NULL. */
void sb_holder_free(struct sb_holder *holder);

/* Makes the response to `connection` whose body is the poll's answer, and owns the poll.
 * NULL: no memory; the poll is closed. Queue the response and destroy it. */
struct sb_hold *sb_hold_begin(struct sb_holder *holder,
                              struct MHD_Connection *connection, struct sb_poll *poll,
                              struct MHD_Response **ret_response);
/* When libmicrohttpd has completed the request. Accepts NULL. */
void sb_hold_end(struct sb_hold *hold, bool delivered);

#endif
