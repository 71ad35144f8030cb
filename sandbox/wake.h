/* SPDX-License-Identifier: MIT */
/* Wakes the broker. Mosquitto has no call for that, it only wakes for its sockets
 * (or every 100 ms); so a client of our own, on loopback, sends a PINGREQ, and in the
 * same turn the broker raises the plugin's TICK. If the connection is lost it is made
 * anew; until then the tick is merely late. */
#ifndef SANDBOX_WAKE_H
#define SANDBOX_WAKE_H

struct sb_wake;

#define SB_WAKE_NAME_MAX \
    24 /* bytes; with the password CONNECT's length fits one byte */
#define SB_WAKE_PASSWORD_MAX 32

/* `host` is a numeric address; `name` is client id and user. The plugin made both up
 * and knows them again. NULL: no thread or no memory. */
struct sb_wake *sb_wake_new(const char *host, int port, const char *name,
                            const char *password);
struct sb_wake *sb_wake_free(struct sb_wake *wake);

/* From any thread; never blocks. */
void sb_wake_poke(struct sb_wake *wake);

#endif
