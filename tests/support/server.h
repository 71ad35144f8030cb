/* SPDX-License-Identifier: MIT */
/* A TCP server on 127.0.0.1 for tests: a thread that accepts one connection after the
 * other and plays a part.
 *
 *     server_start -> server_port ... -> server_stop
 *
 * What a part has seen is the test's to check, in its own thread. */
#ifndef SUPPORT_SERVER_H
#define SUPPORT_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct server;

/* Plays connection `number` (0, 1...) on `fd`, which is closed when this returns. Reads
 * give up after 20 s. */
typedef void (*server_part)(int fd, unsigned number, void *arg);

/* `port` 0: of the kernel's choice. NULL if it cannot be had. */
struct server *server_start(uint16_t port, server_part part, void *arg);
/* At another address than 127.0.0.1. */
struct server *server_start_at(const char *where, uint16_t port, server_part part,
                               void *arg);
/* Plays the part on each connection at once, in a thread of its own. */
struct server *server_start_parallel(uint16_t port, server_part part, void *arg);
/* Ends the connections under way, and joins the threads. Accepts NULL. */
void server_stop(struct server *server);

uint16_t server_port(const struct server *server);
unsigned server_connections(struct server *server);

/* All of it, or false. */
bool server_write(int fd, const void *bytes, size_t len);
/* Exactly that many bytes, or false. */
bool server_read(int fd, void *bytes, size_t len);
/* Waits for the other side's end, at most 20 s; what it sends is thrown away. */
void server_drain(int fd);
/* Closes with a reset rather than in order, when the part returns. */
void server_reset_on_close(int fd);

/* A port where nobody listens. It is this process's until its end, for a server that sets
 * SO_REUSEADDR, in this process or a child. */
uint16_t free_port(void);

uint64_t now_ms(void);

#endif
