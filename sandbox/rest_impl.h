/* SPDX-License-Identifier: MIT */
/* What the resources share among themselves. */
#ifndef SANDBOX_REST_IMPL_H
#define SANDBOX_REST_IMPL_H

#include "datetime.h"
#include "rest.h"

/* The parts of a path that stood for `{}` in its route, and the query's. */
struct sb_args {
    char *path[4];
    struct {
        char *name, *value;
    } query[24];
    size_t n_query;
};

struct sb_param;

typedef void sb_handler(struct sb_rest *rest, const struct sb_call *call,
                        const struct sb_args *args, struct sb_reply *reply);

/* `{}` stands for one segment, `{*}` for all that are left. */
struct sb_route {
    const char *method, *path;
    sb_handler *handler;
    const struct sb_param *params; /* params.h; NULL: none */
};
extern const struct sb_route sb_inventory_routes[], sb_child_routes[],
    sb_identity_routes[], sb_measurement_routes[], sb_event_routes[], sb_alarm_routes[],
    sb_operation_routes[], sb_device_routes[], sb_tenant_routes[], sb_binary_routes[];

/* The query's `name`, decoded, or NULL. */
const char *sb_arg(const struct sb_args *args, const char *name);
/* An id of decimal digits; 0 if it is none. */
int64_t sb_id(const char *text);

/* "http://<host>" and what follows; NULL without memory. */
char *sb_link(const struct sb_call *call, const char *format, ...) SR_PRINTF(2, 3);
/* A JSON string of sb_link(). */
json_t *sb_json_link(const struct sb_call *call, const char *format, ...)
    SR_PRINTF(2, 3);
json_t *sb_json_id(int64_t id);
json_t *sb_json_time(int64_t ms);

/* An object as the answer; takes `json` over. Without an Accept it is dropped. */
void sb_reply_object(const struct sb_call *call, struct sb_reply *reply, int status,
                     json_t *json);
/* The same for 201, with Location from the object's `self`. */
void sb_reply_created(const struct sb_call *call, struct sb_reply *reply, json_t *json);
void sb_reply_nothing(struct sb_reply *reply);

/* Ends what sb_store_begin() began: undoes it if the reply is an error. */
void sb_end_changes(struct sb_rest *rest, struct sb_reply *reply);

/* --- lists --------------------------------------------------------------- */

struct sb_list {
    const char *resource; /* for errors: "inventory" */
    const char *name;     /* of the member with the items */
    const char *columns;  /* "SELECT ... " */
    const char *from;     /* " FROM ... WHERE 1" */
    const char *order;    /* " ORDER BY ..." */
    json_t *(*item)(struct sb_rest *rest, const struct sb_call *call,
                    sqlite3_stmt *row);
};
/* One page of what `select` leaves, as the query asks. */
void sb_reply_list(struct sb_rest *rest, const struct sb_call *call,
                   const struct sb_args *args, const struct sb_list *list,
                   const struct sb_select *select, struct sb_reply *reply);

/* --- who may ------------------------------------------------------------- */

enum sb_access { SB_READ, SB_WRITE };

/* May the caller read or change what belongs to managed object `id`? If not, the
 * reply is 404 or 403. */
bool sb_may(struct sb_rest *rest, const struct sb_call *call, int64_t id,
            enum sb_access access, const char *resource, struct sb_reply *reply);
/* Leaves in a list what the caller may see; `column` holds the object's id. */
void sb_select_visible(struct sb_select *select, const struct sb_call *call,
                       const char *column);
/* Whether the caller is an operator; if not, the reply is 403. */
bool sb_operator_only(const struct sb_call *call, const char *resource,
                      struct sb_reply *reply);

/* --- managed objects ------------------------------------------------------ */

bool sb_object_exists(struct sb_rest *rest, int64_t id);
/* Makes one of `body`, owned by the caller. Returns its id, or 0 with an error. */
int64_t sb_object_create(struct sb_rest *rest, const struct sb_call *call,
                         const json_t *body, struct sb_reply *reply);
/* As the inventory shows it; NULL if there is none. */
json_t *sb_object_get(struct sb_rest *rest, const struct sb_call *call, int64_t id);
/* The agent that receives operations for `id`: itself, or the nearest above; 0. */
int64_t sb_object_agent(struct sb_rest *rest, int64_t id);
/* Tells those who listen. */
void sb_object_changed(struct sb_rest *rest, const struct sb_call *call, int64_t id);

#endif
