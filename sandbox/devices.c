/* SPDX-License-Identifier: MIT */
/* /devicecontrol/newDeviceRequests, /devicecontrol/deviceCredentials
 *
 *     WAITING_FOR_CONNECTION --the device asks--> PENDING_ACCEPTANCE
 *     PENDING_ACCEPTANCE --an operator accepts--> ACCEPTED
 *
 * Passwords are kept as they are, in a file that only its owner reads: a device
 * that lost the answer asks again and gets the same. */
#include "devices.h"
#include "params.h"
#include "rest_impl.h"

#include "base/device_id.h"
#include <errno.h>
#include <string.h>
#include <sys/random.h>

/* --- passwords -------------------------------------------------------------- */

/* 24 letters and digits; false if the system has no random numbers for us. */
static bool make_password(char *ret_password)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    size_t n = 0;

    while (n < SB_PASSWORD_SIZE - 1) {
        unsigned char byte;

        if (getrandom(&byte, 1, 0) != 1) {
            if (errno == EINTR)
                continue;
            return false;
        }
        if (byte < 4 * 62) /* so that every character is as likely */
            ret_password[n++] = alphabet[byte % 62];
    }
    ret_password[n] = '\0';
    return true;
}

bool sb_equal_secret(const char *a, const char *b)
{
    size_t len_a = strlen(a), len_b = strlen(b), i;
    unsigned char differ = len_a != len_b;

    for (i = 0; i < len_b; i++)
        differ |= (unsigned char)(b[i] ^ a[len_a ? i % len_a : 0]);
    return !differ;
}

bool sb_device_password_ok(struct sb_store *store, const char *device,
                           const char *password)
{
    sqlite3_stmt *query = sb_query(
        store, "SELECT password FROM device_user WHERE device = ?", "s", device);
    bool known = sb_row(query);
    bool equal =
        sb_equal_secret(known ? sb_column(query, 0) : "nobody has this one", password);

    sb_done(query);
    return known && equal;
}

static bool accept_device(struct sb_rest *rest, const char *device)
{
    char password[SB_PASSWORD_SIZE];
    bool ok;

    sb_store_begin(rest->store);
    ok = make_password(password) &&
         sb_run(rest->store, "INSERT OR REPLACE INTO device_user VALUES(?, ?)", "ss",
                device, password) >= 0 &&
         sb_run(rest->store,
                "UPDATE device_request SET status = 'ACCEPTED' WHERE id = ?", "s",
                device) > 0;
    if (ok)
        return sb_store_commit(rest->store);
    sb_store_rollback(rest->store);
    return false;
}

/* --- requests ------------------------------------------------------------------ */

bool sb_device_id_ok(const char *device)
{
    return sr_device_id_valid(device, NULL);
}

/* `id` may be NULL. */
static bool refuse_id(const char *id, struct sb_reply *reply)
{
    const char *reason = "is not there";

    if (id && sr_device_id_valid(id, &reason))
        return false;
    sb_reply_error(reply, 422, "devicecontrol", "`id` has to be a device id, and %s",
                   reason);
    return true;
}

static bool add_request(struct sb_rest *rest, const char *device, const char *owner)
{
    return sb_run(rest->store,
                  "INSERT INTO device_request VALUES(?, 'WAITING_FOR_CONNECTION', ?, ?,"
                  " '{}')",
                  "ssi", device, owner, sb_time_now()) > 0;
}

static bool exists(struct sb_rest *rest, const char *device)
{
    return sb_number(rest->store, 0, "SELECT 1 FROM device_request WHERE id = ?", "s",
                     device) != 0;
}

static bool has_status(struct sb_rest *rest, const char *device, const char *status)
{
    return sb_number(rest->store, 0,
                     "SELECT 1 FROM device_request WHERE id = ? AND status = ?", "ss",
                     device, status) != 0;
}

static bool read_password(struct sb_rest *rest, const char *device, char *ret_password)
{
    sqlite3_stmt *query = sb_query(
        rest->store, "SELECT password FROM device_user WHERE device = ?", "s", device);
    bool found = sb_row(query);

    if (found) {
        strncpy(ret_password, sb_column(query, 0), SB_PASSWORD_SIZE - 1);
        ret_password[SB_PASSWORD_SIZE - 1] = '\0';
    }
    sb_done(query);
    return found;
}

bool sb_device_ask(struct sb_rest *rest, const char *device, char *ret_password)
{
    sb_run(rest->store,
           "UPDATE device_request SET status = 'PENDING_ACCEPTANCE'"
           " WHERE id = ? AND status = 'WAITING_FOR_CONNECTION'",
           "s", device);
    if (rest->auto_accept && !has_status(rest, device, "ACCEPTED")) {
        if (!exists(rest, device))
            add_request(rest, device, "sandbox");
        accept_device(rest, device);
    }
    return has_status(rest, device, "ACCEPTED") &&
           read_password(rest, device, ret_password);
}

/* --- the operator's side ----------------------------------------------------------- */

static json_t *row_item(struct sb_rest *rest, const struct sb_call *call,
                        sqlite3_stmt *row)
{
    json_t *json = json_loads(sb_column(row, 4), 0, NULL);
    const char *id = sb_column(row, 0);

    json_object_set_new(json, "id", json_string(id));
    json_object_set_new(json, "self",
                        sb_json_link(call, "/devicecontrol/newDeviceRequests/%s", id));
    json_object_set_new(json, "status", json_string(sb_column(row, 1)));
    json_object_set_new(json, "owner", json_string(sb_column(row, 2)));
    json_object_set_new(json, "creationTime",
                        sb_json_time(sqlite3_column_int64(row, 3)));
    json_object_set_new(json, "tenantId", json_string(rest->tenant));
    return json;
}

#define COLUMNS "SELECT id, status, owner, created, body"

static json_t *find(struct sb_rest *rest, const struct sb_call *call, const char *id)
{
    sqlite3_stmt *query =
        sb_query(rest->store, COLUMNS " FROM device_request WHERE id = ?", "s", id);
    json_t *json = sb_row(query) ? row_item(rest, call, query) : NULL;

    sb_done(query);
    return json;
}

static void create(struct sb_rest *rest, const struct sb_call *call,
                   const struct sb_args *args, struct sb_reply *reply)
{
    const char *id = sb_json_text(call->body, "id");

    (void)args;
    if (!sb_operator_only(call, "devicecontrol", reply))
        return;
    if (refuse_id(id, reply))
        return;
    if (exists(rest, id))
        sb_reply_error(reply, 409, "devicecontrol", "device %s is registered already",
                       id);
    else if (!add_request(rest, id, call->who->user))
        sb_reply_error(reply, 500, "devicecontrol", "the store could not be written");
    else
        sb_reply_created(call, reply, find(rest, call, id));
}

static void list(struct sb_rest *rest, const struct sb_call *call,
                 const struct sb_args *args, struct sb_reply *reply)
{
    static const struct sb_list requests = {
        .resource = "devicecontrol",
        .name = "newDeviceRequests",
        .columns = COLUMNS,
        .from = " FROM device_request WHERE 1",
        .order = " ORDER BY created, id",
        .item = row_item,
    };
    struct sb_select select = { 0 };
    const char *status = sb_arg(args, "status");

    if (!sb_operator_only(call, "devicecontrol", reply))
        return;
    if (status)
        sb_select_text(&select, " AND status = ?", status);
    sb_reply_list(rest, call, args, &requests, &select, reply);
    sb_select_release(&select);
}

static bool known(struct sb_rest *rest, const char *id, struct sb_reply *reply)
{
    if (exists(rest, id))
        return true;
    sb_reply_error(reply, 404, "devicecontrol", "device %s is not registered", id);
    return false;
}

static void get(struct sb_rest *rest, const struct sb_call *call,
                const struct sb_args *args, struct sb_reply *reply)
{
    if (sb_operator_only(call, "devicecontrol", reply) &&
        known(rest, args->path[0], reply))
        sb_reply_object(call, reply, 200, find(rest, call, args->path[0]));
}

static void change(struct sb_rest *rest, const struct sb_call *call,
                   const struct sb_args *args, struct sb_reply *reply)
{
    const char *status = sb_json_text(call->body, "status"), *id = args->path[0];

    if (!sb_operator_only(call, "devicecontrol", reply) || !known(rest, id, reply))
        return;
    if (!status || strcmp(status, "ACCEPTED"))
        sb_reply_error(reply, 422, "devicecontrol",
                       "`status` can become ACCEPTED only");
    else if (has_status(rest, id, "WAITING_FOR_CONNECTION"))
        sb_reply_error(reply, 422, "devicecontrol",
                       "device %s has not asked for its credentials yet", id);
    else if (!has_status(rest, id, "ACCEPTED") && !accept_device(rest, id))
        sb_reply_error(reply, 500, "devicecontrol", "the store could not be written");
    else
        sb_reply_object(call, reply, 200, find(rest, call, id));
}

/* The device's user goes on: what it made stays its own. */
static void remove_request(struct sb_rest *rest, const struct sb_call *call,
                           const struct sb_args *args, struct sb_reply *reply)
{
    if (!sb_operator_only(call, "devicecontrol", reply) ||
        !known(rest, args->path[0], reply))
        return;
    if (sb_run(rest->store, "DELETE FROM device_request WHERE id = ?", "s",
               args->path[0]) < 0)
        sb_reply_error(reply, 500, "devicecontrol", "the store could not be written");
    else
        sb_reply_nothing(reply);
}

/* --- the device's side ---------------------------------------------------------------- */

static json_t *credentials(struct sb_rest *rest, const struct sb_call *call,
                           const char *id, const char *password)
{
    json_t *json = json_object();

    json_object_set_new(json, "id", json_string(id));
    json_object_set_new(json, "self",
                        sb_json_link(call, "/devicecontrol/deviceCredentials/%s", id));
    json_object_set_new(json, "tenantId", json_string(rest->tenant));
    json_object_set_new(json, "username", json_sprintf("device_%s", id));
    json_object_set_new(json, "password", json_string(password));
    return json;
}

/* Also a refused question changes something: that the device asked. */
static void ask(struct sb_rest *rest, const struct sb_call *call,
                const struct sb_args *args, struct sb_reply *reply)
{
    const char *id = sb_json_text(call->body, "id");
    char password[SB_PASSWORD_SIZE];

    (void)args;
    if (call->who->role != SB_BOOTSTRAP) {
        sb_reply_error(reply, 403, "devicecontrol",
                       "device credentials are for the bootstrap user");
    } else if (refuse_id(id, reply)) {
        return;
    } else if (sb_device_ask(rest, id, password)) {
        sb_reply_created(call, reply, credentials(rest, call, id, password));
    } else {
        sb_reply_error(reply, 404, "devicecontrol",
                       "device %s is not registered, or not accepted yet", id);
        reply->keep = true;
    }
}

const struct sb_route sb_device_routes[] = {
    {"POST",    "/devicecontrol/newDeviceRequests",    create,         sb_request_params},
    { "GET",    "/devicecontrol/newDeviceRequests",    list,           sb_request_params},
    { "GET",    "/devicecontrol/newDeviceRequests/{}", get,            NULL             },
    { "PUT",    "/devicecontrol/newDeviceRequests/{}", change,         NULL             },
    { "DELETE", "/devicecontrol/newDeviceRequests/{}", remove_request, NULL             },
    { "POST",   "/devicecontrol/deviceCredentials",    ask,            NULL             },
    { NULL,     NULL,                                  NULL,           NULL             },
};
