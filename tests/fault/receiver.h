/* SPDX-License-Identifier: MIT */
/* A platform that takes rows, by MQTT or HTTP, without a thread: the test turns it. Made for
 * clients that die in the middle of everything: what a dead one has sent is read before its
 * successor is listened to, as if the network had been quick.
 *
 *     receiver_start -> receiver_port ... (poll receiver_fds; receiver_turn) ... -> _stop
 */
#ifndef FAULT_RECEIVER_H
#define FAULT_RECEIVER_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct receiver;

enum receiver_answer {
    RECEIVER_ACK,
    RECEIVER_ACK_LATE, /* after some milliseconds; what comes meanwhile has to wait, too */
    RECEIVER_HANG_UP /* no acknowledgement, and the connection ends */
};

struct receiver_calls {
    void (*connected)(void *arg);
    enum receiver_answer (*payload)(void *arg, const char *text, size_t len);
    void *arg;
};

/* On a port of the kernel's choice. NULL if that cannot be. */
struct receiver *receiver_start(bool by_mqtt, const struct receiver_calls *calls);
void receiver_stop(struct receiver *receiver);
uint16_t receiver_port(const struct receiver *receiver);

/* Deaf, it accepts nobody; whoever is there is hung up on. */
void receiver_set_deaf(struct receiver *receiver, bool deaf);

/* What to wait for. Returns how many. */
enum { RECEIVER_FDS = 9 };
size_t receiver_fds(const struct receiver *receiver, struct pollfd fds[RECEIVER_FDS]);
/* When to turn it next in any case, as now_us() tells; INT64_MAX: no need. */
int64_t receiver_due_us(const struct receiver *receiver);
/* Does all that can be done without waiting. */
void receiver_turn(struct receiver *receiver);

int64_t receiver_now_us(void);

#endif
