/* SPDX-License-Identifier: MIT */
/* The machine by transcripts: an input, and the steps it asks for as one line of text. */
#ifndef PUSH_MACHINE_FIXTURE_H
#define PUSH_MACHINE_FIXTURE_H

#include "push/machine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* after what it needs */
#include <cmocka.h>

#define CID     "2s1128n70miv86f189yoto03tp9a"
#define CONNECT "main 83," CID
/* The same in a session that is new. */
#define FIRST_CONNECT CONNECT " & connected"

enum { FIRST_PAUSE = 125 }; /* half of 250 ms: the jitter is 0 here */

struct fixture {
    struct sr_push_machine machine;
    struct sr_push_steps steps;
    uint64_t now;
    char said[4096];
};

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int set_up(void **state);
int tear_down(void **state);
/* A fresh machine within a test. */
void renew(struct fixture *fx);
void start(struct fixture *fx);
void outcome(struct fixture *fx, enum sr_push_line line, int rc, long status,
             const char *body, size_t len);
void answer(struct fixture *fx, const char *body);
void side_answer(struct fixture *fx, const char *body);
void fails(struct fixture *fx, int rc);
void status(struct fixture *fx, long number);
/* The same from a server that is not proved to be the platform. */
void strange_outcome(struct fixture *fx, int rc, long number);
void delivered(struct fixture *fx);
void after(struct fixture *fx, uint64_t ms);
void fall_asleep(struct fixture *fx);
void resume(struct fixture *fx);
void subscribe(struct fixture *fx, const char *xid);
void unsubscribe(struct fixture *fx, const char *xid);
#define says(fx, text) assert_string_equal((fx)->said, text)
void is(struct fixture *fx, enum sr_push_state state);
uint64_t pause_of(struct fixture *fx);
/* Up to the first connect, which has been held for `held_ms`. */
void hold(struct fixture *fx, uint64_t held_ms);
void hold_anew(struct fixture *fx, uint64_t held_ms);

#endif
