/* SPDX-License-Identifier: MIT */
#include "fixture.h"

#include "text.h"

#include <stdio.h>

static void remember(void *arg, const char *device, const char *topic,
                     const char *payload, size_t len)
{
    struct fixture *fx = arg;
    char *before = fx->published;
    int n = asprintf(&fx->published, "%s%s %s\n%.*s\n", before ? before : "", device,
                     topic, (int)len, payload);

    assert_true(n >= 0);
    free(before);
}

struct sb_config fixture_config(const char *data_dir)
{
    return (struct sb_config){ .tenant = "t4711",
                               .data_dir = data_dir,
                               .operator_user = "admin",
                               .operator_password = "op-secret" };
}

void fixture_open(struct fixture *fx, const struct sb_config *config)
{
    struct sb_sink sink = { remember, fx };
    char *error = NULL;
    int rc = sb_platform_open(config, sink, &fx->platform, &error);

    if (rc)
        fail_msg("cannot open: %s", error);
    fx->operator= log_in(fx, "t4711/admin", "op-secret");
    fx->bootstrap = log_in(fx, "management/devicebootstrap", "Fhdt1bb1f");
    assert_int_equal(fx->operator.role, SB_OPERATOR);
    assert_int_equal(fx->bootstrap.role, SB_BOOTSTRAP);
}

int fixture_setup(void **state)
{
    struct fixture *fx = calloc(1, sizeof *fx);
    struct sb_config config = fixture_config(NULL);

    *state = fx;
    fixture_open(fx, &config);
    fx->gw = make_device(fx, "gw-0001");
    fx->other = make_device(fx, "gw-0002");
    return 0;
}

int fixture_auto_accept(void **state)
{
    struct fixture *fx = calloc(1, sizeof *fx);
    struct sb_config config = fixture_config(NULL);

    *state = fx;
    config.auto_accept = true;
    config.skip_15_lines = true;
    fixture_open(fx, &config);
    return 0;
}

static void forget_answer(struct fixture *fx)
{
    free(fx->answer);
    free(fx->location);
    json_decref(fx->json);
    fx->answer = fx->location = NULL;
    fx->json = NULL;
}

int fixture_teardown(void **state)
{
    struct fixture *fx = *state;

    forget_answer(fx);
    free(fx->published);
    sb_platform_close(fx->platform);
    free(fx);
    return 0;
}

struct sb_identity log_in(struct fixture *fx, const char *user, const char *password)
{
    struct sb_identity identity;

    sb_platform_authenticate(fx->platform, user, password, &identity);
    return identity;
}

const char *say(const char *format, ...)
{
    static char buffer[64][4096];
    static int next;
    char *text = buffer[next++ % 64];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof buffer[0], format, args);
    va_end(args);
    return text;
}

/* --- calls -------------------------------------------------------------------- */

static int http(struct fixture *fx, const struct sb_request *request)
{
    struct sb_response response;
    int status;

    sb_platform_http(fx->platform, request, &response);
    forget_answer(fx);
    fx->answer = strndup(response.body ? response.body : "", response.len);
    fx->location = response.location ? strdup(response.location) : NULL;
    fx->json = json_loads(fx->answer, JSON_DECODE_ANY, NULL);
    status = response.status;
    sb_response_release(&response);
    return status;
}

const char *rows_n(struct fixture *fx, const struct sb_identity *who, const char *xid,
                   const char *body, size_t len)
{
    struct sb_request request = { .identity = *who,
                                  .method = "POST",
                                  .path = "/s",
                                  .query = "",
                                  .host = "localhost",
                                  .x_id = xid,
                                  .body = body,
                                  .len = len };

    assert_int_equal(http(fx, &request), 200);
    return fx->answer;
}

const char *rows(struct fixture *fx, const struct sb_identity *who, const char *xid,
                 const char *body)
{
    return rows_n(fx, who, xid, body, strlen(body));
}

static int call(struct fixture *fx, const struct sb_identity *who, const char *line,
                const char *body, const char *accept)
{
    char *copy = strdup(line), *path = strchr(copy, ' '), *query;
    struct sb_request request = { .identity = *who,
                                  .query = "",
                                  .host = "localhost:8080",
                                  .accept = accept,
                                  .body = body,
                                  .len = body ? strlen(body) : 0 };
    int status;

    *path++ = '\0';
    query = strchr(path, '?');
    if (query) {
        *query++ = '\0';
        request.query = query;
    }
    request.method = copy;
    request.path = path;
    status = http(fx, &request);
    free(copy);
    return status;
}

int rest(struct fixture *fx, const struct sb_identity *who, const char *request,
         const char *body)
{
    return call(fx, who, request, body, "application/json");
}

int rest_quiet(struct fixture *fx, const struct sb_identity *who, const char *request,
               const char *body)
{
    return call(fx, who, request, body, NULL);
}

/* --- answers ---------------------------------------------------------------------- */

static json_t *find(struct fixture *fx, const char *path)
{
    char *copy = strdup(path), *rest_of = copy, *part;
    json_t *value = fx->json;

    while ((part = strsep(&rest_of, "."))) {
        if (json_is_array(value))
            value = json_array_get(value, strtoul(part, NULL, 10));
        else
            value = json_object_get(value, part);
    }
    free(copy);
    return value;
}

const char *at(struct fixture *fx, const char *path)
{
    json_t *value = find(fx, path);
    const char *text;
    char *dump;

    if (!value)
        return "";
    if (json_is_string(value))
        return json_string_value(value);
    dump = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    text = say("%s", dump);
    free(dump);
    return text;
}

size_t count(struct fixture *fx, const char *path)
{
    return json_array_size(find(fx, path));
}

/* --- things ------------------------------------------------------------------------- */

struct sb_identity make_device(struct fixture *fx, const char *id)
{
    struct sb_identity device;
    const char *answer;
    char password[100];

    assert_int_equal(rest(fx, &fx->operator, "POST /devicecontrol/newDeviceRequests",
                          say("{\"id\":\"%s\"}", id)),
                     201);
    assert_string_equal(rows(fx, &fx->bootstrap, NULL, say("61,%s", id)), "50,1,404\n");
    assert_int_equal(rest(fx, &fx->operator,
                          say("PUT /devicecontrol/newDeviceRequests/%s", id),
                          "{\"status\":\"ACCEPTED\"}"),
                     200);
    answer = rows(fx, &fx->bootstrap, NULL, say("61,%s", id));
    assert_int_equal(
        sscanf(answer, say("70,1,%s,t4711,device_%s,%%99[^\n]", id, id), password), 1);
    device = log_in(fx, say("t4711/device_%s", id), password);
    assert_int_equal(device.role, SB_DEVICE);
    assert_string_equal(device.device_id, id);
    return device;
}

int64_t make_object(struct fixture *fx, const struct sb_identity *who, const char *json)
{
    assert_int_equal(rest(fx, who, "POST /inventory/managedObjects", json), 201);
    return strtoll(at(fx, "id"), NULL, 10);
}

int64_t make_agent(struct fixture *fx, const struct sb_identity *who)
{
    int64_t id =
        make_object(fx, who,
                    "{\"name\":\"Gateway\",\"type\":\"acme_gw\",\"c8y_IsDevice\":{},"
                    "\"com_cumulocity_model_Agent\":{}}");

    assert_int_equal(
        rest(fx, who, say("POST /identity/globalIds/%lld/externalIds", (long long)id),
             say("{\"type\":\"c8y_Serial\",\"externalId\":\"%s\"}", who->device_id)),
        201);
    return id;
}
