/* SPDX-License-Identifier: MIT */
#include "credentials.h"

#include <stdio.h>

struct answer call_well(const struct world *world, const char *account,
                        const char *method, const char *path, const char *x_id,
                        const char *body, long status)
{
    struct answer answer =
        http_call(&world->sandbox, account, method, path, x_id, body);

    if (answer.status != status)
        fail_msg("%s %s: %ld %s", method, path, answer.status, answer.body);
    return answer;
}

void credentials_get(const struct world *world, const char *id,
                     struct credentials *ret_credentials)
{
    const char *requests = "/devicecontrol/newDeviceRequests";
    char body[64], path[128];
    struct answer answer;

    snprintf(body, sizeof body, "{\"id\":\"%s\"}", id);
    call_well(world, OPERATOR, "POST", requests, NULL, body, 201);
    snprintf(body, sizeof body, "61,%s\n", id);
    call_well(world, BOOTSTRAP, "POST", "/s", NULL, body, 200);
    snprintf(path, sizeof path, "%s/%s", requests, id);
    call_well(world, OPERATOR, "PUT", path, NULL, "{\"status\":\"ACCEPTED\"}", 200);
    answer = call_well(world, BOOTSTRAP, "POST", "/s", NULL, body, 200);
    assert_int_equal(sscanf(answer.body,
                            "70,%*[^,],%*[^,],%63[^,],%63[^,],%127[^,\r\n]",
                            ret_credentials->tenant, ret_credentials->user,
                            ret_credentials->password),
                     3);
}
