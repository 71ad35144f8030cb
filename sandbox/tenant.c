/* SPDX-License-Identifier: MIT */
/* /tenant */
#include "rest_impl.h"

#include <smartrest/error.h>

#ifndef SB_VERSION
#define SB_VERSION "0"
#endif

static void current(struct sb_rest *rest, const struct sb_call *call,
                    const struct sb_args *args, struct sb_reply *reply)
{
    json_t *json = json_object();

    (void)args;
    json_object_set_new(json, "name", json_string(rest->tenant));
    json_object_set_new(
        json, "domainName",
        json_string(call->host && *call->host ? call->host : "localhost"));
    json_object_set_new(json, "self", sb_json_link(call, "/tenant/currentTenant"));
    sb_reply_object(call, reply, 200, json);
}

static void version(struct sb_rest *rest, const struct sb_call *call,
                    const struct sb_args *args, struct sb_reply *reply)
{
    (void)rest;
    (void)args;
    sb_reply_object(
        call, reply, 200,
        json_pack("{s:s, s:s, s:s, s:o}", "category", "system", "key", "version",
                  "value", "smartrest-sandbox " SB_VERSION, "self",
                  sb_json_link(call, "/tenant/system/options/system/version")));
}

const struct sb_route sb_tenant_routes[] = {
    {"GET",  "/tenant/currentTenant",                 current, NULL},
    { "GET", "/tenant/system/options/system/version", version, NULL},
    { NULL,  NULL,                                    NULL,    NULL},
};
