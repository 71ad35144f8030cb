/* SPDX-License-Identifier: MIT */
/* Letters from any thread to the broker's thread, the only one that may publish.
 *
 *     new -> put (any thread) ... take, free (broker's thread) -> free
 */
#ifndef SANDBOX_MAILBOX_H
#define SANDBOX_MAILBOX_H

#include <stdbool.h>
#include <stddef.h>

struct sb_mailbox;

struct sb_mail {
    struct sb_mail *next;
    char *device_id, *topic; /* both lie behind the payload */
    size_t len;
    char payload[];
};

/* Holds at most `cap` bytes of letters. NULL when out of memory. */
struct sb_mailbox *sb_mailbox_new(size_t cap);
struct sb_mailbox *sb_mailbox_free(struct sb_mailbox *box);

/* Copies all it is given. At the bound the new letter is refused and counted:
 * the older ones are closer to their reader. */
bool sb_mailbox_put(struct sb_mailbox *box, const char *device_id, const char *topic,
                    const char *payload, size_t len);

/* All letters, oldest first, and how many were refused since the last call. */
struct sb_mail *sb_mailbox_take(struct sb_mailbox *box, size_t *ret_refused);

/* Frees one letter, returns the next one. */
struct sb_mail *sb_mail_free(struct sb_mail *mail);

#endif
