/* SPDX-License-Identifier: MIT */
/* What the tests of the reporter share: an agent that has its credentials and templates,
 * and a broker or server that plays a script. */
#ifndef REPORTER_FIXTURE_H
#define REPORTER_FIXTURE_H

#include "support/run.h"
#include "support/scripted_broker.h"
#include "support/scripted_http.h"
#include <setjmp.h>
#include <smartrest/smartrest.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
/* after what it needs */
#include <cmocka.h>

struct fixture {
    struct sr_agent *agent;
    struct sr_reporter *reporter;
    struct broker *broker;
    struct scripted_http *http;
    char broker_url[64];
    char heard[4096]; /* by handlers: id,value; */
    char log[8192];
    atomic_int step; /* between test and script */
    int arg;         /* of the script */
};

int fixture_set_up(void **state);
int fixture_tear_down(void **state);

/* An agent with credentials and X-Id 24830, whose server is at `http_port`. */
void make_agent(struct fixture *fx, uint16_t http_port);
/* Its broker plays `script`; there is a reporter, not started yet. */
void with_broker(struct fixture *fx, broker_script script);
/* The same for a broker that is not there (yet), at *ret_port. */
void without_broker(struct fixture *fx, uint16_t *ret_port);
void with_http(struct fixture *fx, const struct http_step *steps, size_t count);
void start(struct fixture *fx);

void send_row(struct fixture *fx, const char *row);
struct sr_reporter_stats stats_of(const struct fixture *fx);
bool logged(const struct fixture *fx, const char *text);

/* A handler that notes what it was called with. */
void hear(struct sr_agent *agent, struct sr_record *record, void *arg);

/* The payload of the i-th PUBLISH that the broker has read. */
const char *published(struct fixture *fx, unsigned i);

/* A script that behaves as a broker should. */
void behave(struct broker_connection *connection, void *arg);

#define run_until_published(fx, n) \
    run_until((fx)->agent, broker_count((fx)->broker, PUBLISH) >= (n))

#endif
