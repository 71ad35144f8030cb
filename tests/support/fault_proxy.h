/* SPDX-License-Identifier: MIT */
/* A TCP proxy on 127.0.0.1 that breaks the line on purpose, for tests, and that counts
 * what goes over it, for benchmarks.
 *
 *     fault_proxy_start -> fault_proxy_port ... faults, counts ... -> fault_proxy_stop
 *
 * It runs in a thread of its own; a fault is in force when its call returns. Faults of
 * different kinds add up until fault_proxy_pass(). `way` is seen from the client. */
#ifndef SUPPORT_FAULT_PROXY_H
#define SUPPORT_FAULT_PROXY_H

#include <stdbool.h>
#include <stdint.h>

struct fault_proxy;

enum fault_way { FAULT_UP, FAULT_DOWN };

/* How both ends see a connection end. */
enum fault_end { FAULT_FIN, FAULT_RESET };

enum fault_count {
    FAULT_BYTES_UP, /* passed on; the numbers of enum fault_way */
    FAULT_BYTES_DOWN,
    FAULT_CONNECTIONS, /* accepted, whatever became of them */
    FAULT_CUTS,        /* of connections */
    FAULT_FLIPS,       /* of bits */
    FAULT_SWALLOWED,   /* bytes that fell into a black hole */
    FAULT_COUNTS
};

/* To the server at `port`, on a port of the kernel's choice. NULL if that cannot be. */
struct fault_proxy *fault_proxy_start(uint16_t port);
/* Cuts what is open, and joins the thread. Accepts NULL. */
void fault_proxy_stop(struct fault_proxy *proxy);
uint16_t fault_proxy_port(const struct fault_proxy *proxy);

/* --- faults ------------------------------------------------------------------------ */

/* No faults any more. Connections that fell silent in a black hole stay so: what they
 * lost is lost, as behind a router that forgot them. */
void fault_proxy_pass(struct fault_proxy *proxy);
/* Each way. */
void fault_proxy_delay(struct fault_proxy *proxy, unsigned ms);
/* Each way of each connection; 0 is no limit. */
void fault_proxy_throttle(struct fault_proxy *proxy, unsigned bytes_per_s);
/* All connections, now. New ones are welcome. */
void fault_proxy_cut(struct fault_proxy *proxy, enum fault_end end);
/* Once: the connection that wants to pass byte number `bytes`, counted from now (0 is the
 * next one), passes what is before it and is cut. */
void fault_proxy_cut_after(struct fault_proxy *proxy, enum fault_way way,
                           uint64_t bytes, enum fault_end end);
/* Once: flips the lowest bit of byte number `bytes`, counted from now. */
void fault_proxy_corrupt(struct fault_proxy *proxy, enum fault_way way, uint64_t bytes);
/* Accepts, swallows and never answers; what is open falls silent, too. */
void fault_proxy_blackhole(struct fault_proxy *proxy);
/* Nobody listens; what is open stays. */
void fault_proxy_refuse(struct fault_proxy *proxy);
/* The server has moved. */
void fault_proxy_redirect(struct fault_proxy *proxy, uint16_t port);

/* --- counts ------------------------------------------------------------------------ */

uint64_t fault_proxy_count(struct fault_proxy *proxy, enum fault_count count);
/* Waits until the count is `at_least` that, at most 20 s; false if it is not by then. */
bool fault_proxy_await(struct fault_proxy *proxy, enum fault_count count,
                       uint64_t at_least);

#endif
