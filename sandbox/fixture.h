/* SPDX-License-Identifier: MIT */
/* A platform for tests, and the people who use it. */
#ifndef SANDBOX_FIXTURE_H
#define SANDBOX_FIXTURE_H

#include "platform.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define GW "com.acme.gw-v1"

struct fixture {
    struct sb_platform *platform;
    struct sb_identity operator, bootstrap, nobody;
    struct sb_identity gw, other; /* two devices: gw-0001 and gw-0002 */
    char *answer;                 /* the last one; "" if it was empty */
    char *location;
    json_t *json;    /* the same, if it was JSON */
    char *published; /* "<device> <topic>\n<rows>\n" of everything that was */
};

/* For cmocka_unit_test_setup_teardown(). */
int fixture_setup(void **state);
int fixture_auto_accept(void **state);
int fixture_teardown(void **state);

void fixture_open(struct fixture *fx, const struct sb_config *config);
struct sb_config fixture_config(const char *data_dir);

struct sb_identity log_in(struct fixture *fx, const char *user, const char *password);
/* Registers, accepts and logs in a device. */
struct sb_identity make_device(struct fixture *fx, const char *id);

/* POST /s; returns the answer. */
const char *rows(struct fixture *fx, const struct sb_identity *who, const char *xid,
                 const char *body);
const char *rows_n(struct fixture *fx, const struct sb_identity *who, const char *xid,
                   const char *body, size_t len);
/* A REST call like "GET /alarm/alarms?status=ACTIVE"; returns the status. */
int rest(struct fixture *fx, const struct sb_identity *who, const char *request,
         const char *body);
/* The same without an Accept header. */
int rest_quiet(struct fixture *fx, const struct sb_identity *who, const char *request,
               const char *body);

/* Text at a path like "managedObjects.0.id" of the last JSON; "" if there is none,
 * JSON text if it is no string. Good until the next call. */
const char *at(struct fixture *fx, const char *path);
size_t count(struct fixture *fx, const char *path);

/* A managed object; returns its id. */
int64_t make_object(struct fixture *fx, const struct sb_identity *who,
                    const char *json);
/* An agent with the device's id as its serial number. */
int64_t make_agent(struct fixture *fx, const struct sb_identity *who);

/* printf() into one of a few static buffers. */
const char *say(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
