/* SPDX-License-Identifier: MIT */
/* What the query of each resource may hold: one table for each, in params.c. Whatever
 * a method does not serve has to be refused with PUT and DELETE: a filter that is not
 * looked at would change or delete everything. */
#ifndef SANDBOX_PARAMS_H
#define SANDBOX_PARAMS_H

#include "rest_impl.h"

enum { SB_GET = 1, SB_PUT = 2, SB_DELETE = 4 };

/* A kind of value, and what it is called in an error. */
struct sb_value_kind {
    bool (*is)(const char *text);
    const char *what;
};

struct sb_param {
    const char *name;
    int served; /* by these methods; 0: the platform knows it, the sandbox does not */
    const struct sb_value_kind *kind; /* NULL: any text */
};

/* Each ends with a name NULL. */
extern const struct sb_param sb_no_params[], sb_page_params[], sb_inventory_params[],
    sb_object_params[], sb_measurement_params[], sb_event_params[], sb_alarm_params[],
    sb_operation_params[], sb_request_params[];

/* False, and the reply is 400, if the table does not allow the call's query. */
bool sb_params_check(const struct sb_call *call, const struct sb_param *params,
                     const struct sb_args *args, struct sb_reply *reply);

#endif
