/* SPDX-License-Identifier: MIT */
/* Users, bootstrap, MQTT topics, operations to devices, the data directory. */
#include "fixture.h"

#include <sqlite3.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static void subscribe(struct fixture *fx, const struct sb_identity *who,
                      const char *filter)
{
    if (!sb_platform_mqtt_may_subscribe(fx->platform, who, filter))
        fail_msg("%s may not subscribe to %s", who->device_id, filter);
    sb_platform_mqtt_subscribed(fx->platform, who->device_id, filter, true);
}

static bool send(struct fixture *fx, const struct sb_identity *who, const char *topic,
                 const char *payload)
{
    free(fx->published);
    fx->published = NULL;
    return sb_platform_mqtt_message(fx->platform, who, topic, payload, strlen(payload));
}

static void expect_published(struct fixture *fx, const char *all)
{
    assert_string_equal(fx->published ? fx->published : "", all);
    free(fx->published);
    fx->published = NULL;
}

static const char restart_templates[] =
    "10,100,GET,/identity/externalIds/c8y_Serial/%%,,,%%,STRING,\n"
    "11,500,$.managedObject,,$.id\n"
    "11,502,,$.c8y_Restart,$.id,$.deviceId\n"
    "11,503,,$.c8y_Restart,$.description\n";

static long long collection(struct fixture *fx, const char *name, const char *body)
{
    long long id;

    if (sscanf(rows(fx, &fx->gw, name, body), "20,%lld\n", &id) != 1)
        fail_msg("%s is refused: %s", name, fx->answer);
    return id;
}

/* --- users ---------------------------------------------------------------------- */

static void only_right_names_and_passwords_log_in(void **state)
{
    struct fixture *fx = *state;
    static const struct {
        const char *user, *password;
        enum sb_role role;
    } cases[] = {
        {"t4711/admin",                 "op-secret",           SB_OPERATOR },
        { "admin",                      "op-secret",           SB_OPERATOR },
        { "t4712/admin",                "op-secret",           SB_NOBODY   },
        { "/admin",                     "op-secret",           SB_NOBODY   },
        { "t4711/admin",                "op-secre",            SB_NOBODY   },
        { "t4711/admin",                "op-secrets",          SB_NOBODY   },
        { "t4711/admin",                "",                    SB_NOBODY   },
        { "t4711/Admin",                "op-secret",           SB_NOBODY   },
        { "t4711/",                     "",                    SB_NOBODY   },
        { "",                           "",                    SB_NOBODY   },
        { NULL,                         NULL,                  SB_NOBODY   },
        { "t4711/admin",                NULL,                  SB_NOBODY   },
        { "management/devicebootstrap", "Fhdt1bb1f",           SB_BOOTSTRAP},
        { "devicebootstrap",            "Fhdt1bb1f",           SB_NOBODY   },
        { "t4711/devicebootstrap",      "Fhdt1bb1f",           SB_NOBODY   },
        { "management/devicebootstrap", "wrong",               SB_NOBODY   },
        { "management/admin",           "op-secret",           SB_NOBODY   },
        { "t4711/device_gw-0001",       "",                    SB_NOBODY   },
        { "t4711/device_nobody",        "",                    SB_NOBODY   },
        { "t4711/device_nobody",        "nobody has this one", SB_NOBODY   },
        { "t4711/device_",              "",                    SB_NOBODY   },
    };
    size_t i;

    for (i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (log_in(fx, cases[i].user, cases[i].password).role != cases[i].role)
            fail_msg("%s with %s", cases[i].user, cases[i].password);
}

static void names_of_any_length_are_looked_at(void **state)
{
    struct fixture *fx = *state;
    char name[5000];

    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    assert_int_equal(log_in(fx, name, name).role, SB_NOBODY);
    name[4000] = '/';
    assert_int_equal(log_in(fx, name, name).role, SB_NOBODY);
    memcpy(name, "t4711/device_", 13);
    assert_int_equal(log_in(fx, name, name).role, SB_NOBODY);
}

/* --- bootstrap --------------------------------------------------------------------- */

static const char *status_of(struct fixture *fx, const char *device)
{
    rest(fx, &fx->operator, say("GET /devicecontrol/newDeviceRequests/%s", device),
         NULL);
    return at(fx, "status");
}

static int accept_device(struct fixture *fx, const char *device)
{
    return rest(fx, &fx->operator,
                say("PUT /devicecontrol/newDeviceRequests/%s", device),
                "{\"status\":\"ACCEPTED\"}");
}

static int register_device(struct fixture *fx, const char *device)
{
    return rest(fx, &fx->operator, "POST /devicecontrol/newDeviceRequests",
                say("{\"id\":\"%s\"}", device));
}

static void a_request_goes_through_its_states(void **state)
{
    struct fixture *fx = *state;
    const char *first;

    assert_string_equal(rows(fx, &fx->bootstrap, NULL, "61,gw-3"), "50,1,404\n");
    assert_int_equal(accept_device(fx, "gw-3"), 404);
    assert_int_equal(register_device(fx, "gw-3"), 201);
    assert_int_equal(register_device(fx, "gw-3"), 409);
    assert_string_equal(status_of(fx, "gw-3"), "WAITING_FOR_CONNECTION");
    assert_int_equal(accept_device(fx, "gw-3"), 422);

    assert_string_equal(rows(fx, &fx->bootstrap, NULL, "61,gw-3\n"), "50,1,404\n");
    assert_string_equal(status_of(fx, "gw-3"), "PENDING_ACCEPTANCE");
    assert_string_equal(rows(fx, &fx->bootstrap, NULL, "61,gw-3\n"), "50,1,404\n");
    assert_int_equal(accept_device(fx, "gw-3"), 200);
    assert_string_equal(at(fx, "status"), "ACCEPTED");

    first = say("%s", rows(fx, &fx->bootstrap, NULL, "61,gw-3\n"));
    assert_int_equal(strncmp(first, "70,1,gw-3,t4711,device_gw-3,", 28), 0);
    assert_true(strlen(first) >= 28 + 16 + 1);
    assert_string_equal(rows(fx, &fx->bootstrap, NULL, "61,gw-3\n"), first);
    assert_int_equal(accept_device(fx, "gw-3"), 200);
    assert_string_equal(rows(fx, &fx->bootstrap, NULL, "61,gw-3\n"), first);

    assert_int_equal(
        rest(fx, &fx->operator, "DELETE /devicecontrol/newDeviceRequests/gw-3", NULL),
        204);
    assert_string_equal(rows(fx, &fx->bootstrap, NULL, "61,gw-3\n"), "50,1,404\n");
    rest(fx, &fx->operator, "GET /devicecontrol/newDeviceRequests", NULL);
    assert_int_equal(count(fx, "newDeviceRequests"), 2);
}

static void several_devices_ask_in_one_body(void **state)
{
    struct fixture *fx = *state;

    rows(fx, &fx->bootstrap, NULL,
         "61,gw-0001\n61,nobody\n61\n61,a,b\n61,a b\n61,\n7\n");
    assert_int_equal(strncmp(fx->answer, "70,1,gw-0001,", 13), 0);
    assert_string_equal(strchr(fx->answer, '\n'),
                        "\n50,2,404\n45,3,Wrong number of arguments\n"
                        "45,4,Wrong number of arguments\n50,5,422,"
                        "\"not a device id: it holds white space\"\n50,6,422,"
                        "\"not a device id: it is empty\"\n50,7,403\n");
    assert_string_equal(rows(fx, &fx->gw, NULL, "61,gw-0002"), "50,1,403\n");
    assert_string_equal(rows(fx, &fx->operator, NULL, "61,gw-0002"), "50,1,403\n");
}

static void credentials_come_through_rest_too(void **state)
{
    struct fixture *fx = *state;
    static const char path[] = "POST /devicecontrol/deviceCredentials";

    assert_int_equal(rest(fx, &fx->bootstrap, path, "{\"id\":\"gw-3\"}"), 404);
    register_device(fx, "gw-3");
    assert_int_equal(rest(fx, &fx->bootstrap, path, "{\"id\":\"gw-3\"}"), 404);
    assert_string_equal(status_of(fx, "gw-3"), "PENDING_ACCEPTANCE");
    accept_device(fx, "gw-3");
    assert_int_equal(rest(fx, &fx->bootstrap, path, "{\"id\":\"gw-3\"}"), 201);
    assert_string_equal(at(fx, "username"), "device_gw-3");
    assert_string_equal(at(fx, "tenantId"), "t4711");
    assert_int_equal(
        log_in(fx, say("t4711/%s", at(fx, "username")), at(fx, "password")).role,
        SB_DEVICE);
    assert_int_equal(rest(fx, &fx->bootstrap, path, "{}"), 422);
    assert_int_equal(rest(fx, &fx->bootstrap, path, "{\"id\":7}"), 422);
}

static void what_a_device_id_may_not_be(void **state)
{
    struct fixture *fx = *state;
    static const char *const ids[] = { "",      "a b",  "a/b",     "a\\\\b", "a$",
                                       "a\\tb", "a+b#", "\\u007f", "a#" };
    char longest[1100];
    size_t i;

    for (i = 0; i < sizeof ids / sizeof ids[0]; i++)
        assert_int_equal(register_device(fx, ids[i]), 422);
    memset(longest, 'x', sizeof longest);
    longest[1000] = '\0';
    assert_int_equal(register_device(fx, longest), 201);
    longest[1000] = 'x';
    longest[1001] = '\0';
    assert_int_equal(register_device(fx, longest), 422);
    assert_int_equal(
        rest(fx, &fx->operator, "POST /devicecontrol/newDeviceRequests", "{}"), 422);
}

static void the_longest_device_id_works(void **state)
{
    struct fixture *fx = *state;
    char id[1001];
    struct sb_identity device;

    memset(id, 'x', 1000);
    id[1000] = '\0';
    device = make_device(fx, id);
    assert_int_equal(strlen(device.device_id), 1000);
    assert_int_equal(strlen(device.user), 1007);
}

static void unknown_devices_are_accepted_if_wanted(void **state)
{
    struct fixture *fx = *state;
    char password[100];

    rows(fx, &fx->bootstrap, NULL, "61,new\n");
    assert_int_equal(sscanf(fx->answer, "70,1,new,t4711,device_new,%99s", password), 1);
    assert_int_equal(log_in(fx, "t4711/device_new", password).role, SB_DEVICE);
    assert_string_equal(status_of(fx, "new"), "ACCEPTED");
    register_device(fx, "known");
    rows(fx, &fx->bootstrap, NULL, "61,known\n");
    assert_int_equal(strncmp(fx->answer, "70,1,known,", 11), 0);
}

static void credentials_of_a_device_with_a_comma_are_rows(void **state)
{
    struct fixture *fx = *state;
    struct sb_identity device = fx->bootstrap;

    strcpy(device.device_id, "a,b\"c");
    register_device(fx, "a,b\\\"c");
    subscribe(fx, &device, "s/dcr");
    assert_true(send(fx, &device, "s/ucr", ""));
    accept_device(fx, "a,b\"c");
    assert_true(send(fx, &device, "s/ucr", ""));
    assert_non_null(strstr(fx->published, "\n70,t4711,\"device_a,b\"\"c\","));
}

static void credentials_come_over_mqtt(void **state)
{
    struct fixture *fx = *state;
    struct sb_identity device = fx->bootstrap;

    strcpy(device.device_id, "gw-3");
    register_device(fx, "gw-3");
    subscribe(fx, &device, "s/dcr");
    assert_true(send(fx, &device, "s/ucr", ""));
    expect_published(fx, "");
    assert_string_equal(status_of(fx, "gw-3"), "PENDING_ACCEPTANCE");
    accept_device(fx, "gw-3");
    assert_true(send(fx, &device, "s/ucr", ""));
    assert_int_equal(strncmp(fx->published, "gw-3 s/dcr\n70,t4711,device_gw-3,", 32),
                     0);
    assert_false(send(fx, &fx->gw, "s/ucr", ""));
}

/* --- MQTT ------------------------------------------------------------------------------ */

static void topics_are_refused_unless_known(void **state)
{
    struct fixture *fx = *state;
    static const char *const down[] = {
        "s/dl", "s/dl/x", "s/ol/x", "s/ol/10000", "s/e",
        "s/ds", "s/dc/x", "s/dc/#", "error",      "devicecontrol/notifications"
    };
    static const char *const not_down[] = {
        "#",      "+",       "s/#",    "s/+",    "s/ol/#", "s/ol/+",   "s/dl/#",
        "s/dl/+", "s/ol/",   "s/ol",   "s/ul",   "s/us",   "s/ol/x/y", "",
        "s/dcr",  "s/ol/x#", "$SYS/#", "s/ul/x", "t/dl/x", "s/dl/",    "s/ee",
    };
    static const char *const not_up[] = { "s/us",   "s/dl",  "s/dl/x",
                                          "s/ol/x", "s/ul/", "s/ul/a/b",
                                          "s/ulx",  "x/ul",  "",
                                          "s",      "s/ucr", "event/events/create",
                                          "sul/x",  "/ul" };
    size_t i;

    for (i = 0; i < sizeof down / sizeof down[0]; i++) {
        assert_true(sb_platform_mqtt_may_subscribe(fx->platform, &fx->gw, down[i]));
        assert_false(
            sb_platform_mqtt_may_subscribe(fx->platform, &fx->bootstrap, down[i]));
        assert_false(
            sb_platform_mqtt_may_subscribe(fx->platform, &fx->nobody, down[i]));
    }
    for (i = 0; i < sizeof not_down / sizeof not_down[0]; i++)
        if (sb_platform_mqtt_may_subscribe(fx->platform, &fx->gw, not_down[i]))
            fail_msg("%s is allowed", not_down[i]);
    for (i = 0; i < sizeof not_up / sizeof not_up[0]; i++)
        if (send(fx, &fx->gw, not_up[i], "100,1"))
            fail_msg("%s is allowed", not_up[i]);
    assert_false(send(fx, &fx->bootstrap, "s/ul", "61,gw-0001"));
    assert_false(send(fx, &fx->nobody, "s/ul", "61,gw-0001"));
}

static void a_refused_publish_is_answered_where_errors_go(void **state)
{
    struct fixture *fx = *state;

    sb_platform_mqtt_refuse(fx->platform, &fx->gw, "s/us", "100,x", 5);
    expect_published(fx, ""); /* who has not subscribed hears nothing */
    subscribe(fx, &fx->gw, "s/e");
    subscribe(fx, &fx->gw, "error");
    sb_platform_mqtt_refuse(fx->platform, &fx->gw, "s/us", "100,x", 5);
    sb_platform_mqtt_refuse(fx->platform, &fx->gw, "a,b", "", 0);
    sb_platform_mqtt_refuse(fx->platform, &fx->gw, "t/event/events/create", "{}", 2);
    expect_published(
        fx, "gw-0001 s/e\n40,100,the sandbox takes no messages on s/us: see "
            "docs/sandbox.md\n"
            "gw-0001 s/e\n40,,\"the sandbox takes no messages on a,b: see "
            "docs/sandbox.md\"\n"
            "gw-0001 error\n{\"error\":\"general/Not Found\",\"message\":\"the sandbox "
            "takes no messages on t/event/events/create: see docs/sandbox.md\","
            "\"info\":\"\"}\n");
}

static void subscriptions_of_a_client_are_bounded(void **state)
{
    struct fixture *fx = *state;
    int i;

    for (i = 0; i < 64; i++)
        subscribe(fx, &fx->gw, say("s/ol/%d", i));
    assert_false(
        sb_platform_mqtt_may_subscribe(fx->platform, &fx->gw, "s/ol/one-more"));
    assert_true(sb_platform_mqtt_may_subscribe(fx->platform, &fx->gw, "s/ol/5"));
    sb_platform_mqtt_subscribed(fx->platform, "gw-0001", "s/ol/5", false);
    assert_true(sb_platform_mqtt_may_subscribe(fx->platform, &fx->gw, "s/ol/one-more"));
}

static void rows_are_answered_on_the_topic_that_fits(void **state)
{
    struct fixture *fx = *state;
    long long mo = make_agent(fx, &fx->gw);
    long long id = collection(fx, GW, restart_templates);

    subscribe(fx, &fx->gw, "s/dl");
    subscribe(fx, &fx->gw, "s/dl/" GW);
    subscribe(fx, &fx->gw, say("s/dl/%lld", id));
    assert_true(
        send(fx, &fx->gw, "s/ul", say("15,%lld\n100,gw-0001\n100,gw-0001", id)));
    expect_published(
        fx, say("gw-0001 s/dl\n87,2,%lld\n500,2,%lld\n500,3,%lld\n", id, mo, mo));
    assert_true(send(fx, &fx->gw, "s/ul/" GW, "100,gw-0001\n"));
    expect_published(fx, say("gw-0001 s/dl/" GW "\n500,1,%lld\n", mo));
    assert_true(send(fx, &fx->gw, say("t/ul/%lld", id), "100,gw-0001"));
    expect_published(fx, say("gw-0001 s/dl/%lld\n500,1,%lld\n", id, mo));
    assert_true(send(fx, &fx->gw, "s/ul", "15," GW));
    expect_published(fx, say("gw-0001 s/dl\n20,%lld\n", id));

    collection(fx, "second",
               "10,100,GET,/tenant/currentTenant,,,,,\n11,500,,,$.name\n");
    assert_true(send(fx, &fx->gw, "s/ul", "15," GW "\n100,gw-0001\n15,second\n100"));
    expect_published(
        fx,
        say("gw-0001 s/dl\n87,1," GW "\n500,2,%lld\n87,1,second\n500,4,t4711\n", mo));
}

static void errors_are_answers_and_go_to_the_error_topic(void **state)
{
    struct fixture *fx = *state;

    collection(fx, GW, restart_templates);
    subscribe(fx, &fx->gw, "s/dl/" GW);
    send(fx, &fx->gw, "s/ul/" GW, "100,gw-0001\n999\n");
    expect_published(fx, "gw-0001 s/dl/" GW "\n50,1,404,\"identity/Not Found\"\n"
                         "43,2,Invalid message identifier\n");
    subscribe(fx, &fx->gw, "s/e");
    send(fx, &fx->gw, "s/ul/" GW, "999\n");
    expect_published(fx, "gw-0001 s/dl/" GW "\n43,1,Invalid message identifier\n"
                         "gw-0001 s/e\n43,1,Invalid message identifier\n");
}

static void nothing_is_sent_to_who_has_not_subscribed(void **state)
{
    struct fixture *fx = *state;

    collection(fx, GW, restart_templates);
    send(fx, &fx->gw, "s/ul/" GW, "999\n");
    expect_published(fx, "");
    subscribe(fx, &fx->gw, "s/dl/" GW);
    sb_platform_mqtt_subscribed(fx->platform, "gw-0001", "s/dl/" GW, false);
    send(fx, &fx->gw, "s/ul/" GW, "999\n");
    expect_published(fx, "");
    subscribe(fx, &fx->gw, "s/dl/" GW);
    sb_platform_mqtt_subscribed(fx->platform, "gw-0001", NULL, false);
    send(fx, &fx->gw, "s/ul/" GW, "999\n");
    expect_published(fx, "");
}

static void a_collection_can_be_registered_over_mqtt(void **state)
{
    struct fixture *fx = *state;

    subscribe(fx, &fx->gw, "s/dl/" GW);
    send(fx, &fx->gw, "s/ul/" GW, "");
    expect_published(fx, "gw-0001 s/dl/" GW "\n40,\"No template for this X-ID.\"\n");
    send(fx, &fx->gw, "s/ul/" GW, restart_templates);
    assert_int_equal(strncmp(fx->published, "gw-0001 s/dl/" GW "\n20,", 31), 0);
}

/* --- operations --------------------------------------------------------------------------- */

static long long restart(struct fixture *fx, const struct sb_identity *who,
                         long long mo)
{
    free(fx->published);
    fx->published = NULL;
    assert_int_equal(rest(fx, who, "POST /devicecontrol/operations",
                          say("{\"deviceId\":\"%lld\",\"c8y_Restart\":{},"
                              "\"description\":\"now\"}",
                              mo)),
                     201);
    return atoll(at(fx, "id"));
}

static void an_operation_reaches_its_device(void **state)
{
    struct fixture *fx = *state;
    long long mo = make_agent(fx, &fx->gw), id = collection(fx, GW, restart_templates),
              op;

    subscribe(fx, &fx->gw, say("s/ol/%lld", id));
    op = restart(fx, &fx->operator, mo);
    expect_published(
        fx, say("gw-0001 s/ol/%lld\n502,1,%lld,%lld\n503,1,now\n", id, op, mo));
    sb_platform_mqtt_subscribed(fx->platform, "gw-0001", NULL, false);
    subscribe(fx, &fx->gw, "s/ol/" GW);
    subscribe(fx, &fx->gw, "s/ol/unknown");
    op = restart(fx, &fx->gw, mo);
    expect_published(fx,
                     say("gw-0001 s/ol/" GW "\n502,1,%lld,%lld\n503,1,now\n", op, mo));
}

static void an_operation_for_a_child_reaches_the_agent(void **state)
{
    struct fixture *fx = *state;
    long long agent = make_agent(fx, &fx->gw), child, op;

    collection(fx, GW, restart_templates);
    subscribe(fx, &fx->gw, "s/ol/" GW);
    rest(fx, &fx->gw, say("POST /inventory/managedObjects/%lld/childDevices", agent),
         "{}");
    child = atoll(at(fx, "id"));
    op = restart(fx, &fx->operator, child);
    expect_published(
        fx, say("gw-0001 s/ol/" GW "\n502,1,%lld,%lld\n503,1,now\n", op, child));
}

static void an_operation_reaches_nobody_else(void **state)
{
    struct fixture *fx = *state;
    long long mine = make_agent(fx, &fx->gw), false_one;

    collection(fx, GW, restart_templates);
    subscribe(fx, &fx->other, "s/ol/" GW);
    restart(fx, &fx->operator, mine);
    expect_published(fx, "");

    /* an object with another's serial number is not that other */
    false_one = make_object(fx, &fx->gw, "{\"com_cumulocity_model_Agent\":{}}");
    rest(fx, &fx->gw, say("POST /identity/globalIds/%lld/externalIds", false_one),
         "{\"type\":\"c8y_Serial\",\"externalId\":\"gw-0002\"}");
    restart(fx, &fx->operator, false_one);
    expect_published(fx, "");
}

static void an_operation_made_by_a_row_is_delivered_too(void **state)
{
    struct fixture *fx = *state;
    long long mo = make_agent(fx, &fx->gw);

    collection(fx, GW,
               "10,100,POST,/devicecontrol/operations,application/json,,%%,,"
               "\"{\"\"deviceId\"\":\"\"%%\"\",\"\"c8y_Restart\"\":{}}\"\n"
               "11,502,,$.c8y_Restart,$.status\n");
    subscribe(fx, &fx->gw, "s/ol/" GW);
    rows(fx, &fx->gw, GW, say("100,%lld\n", mo));
    assert_string_equal(fx->answer, "");
    expect_published(fx, "gw-0001 s/ol/" GW "\n502,1,PENDING\n");
}

/* --- the data directory ---------------------------------------------------------------------- */

static char *make_dir(void)
{
    const char *base = getenv("TMPDIR");
    char *dir = strdup(say("%s/sandbox-XXXXXX", base ? base : "/tmp"));

    assert_non_null(mkdtemp(dir));
    return dir;
}

static void remove_dir(char *dir)
{
    unlink(say("%s/platform.db", dir));
    unlink(say("%s/platform.db-wal", dir));
    unlink(say("%s/platform.db-shm", dir));
    rmdir(say("%s/binaries", dir));
    assert_int_equal(rmdir(dir), 0);
    free(dir);
}

static void reopen(struct fixture *fx, const char *dir)
{
    struct sb_config config = fixture_config(dir);

    sb_platform_close(fx->platform);
    fixture_open(fx, &config);
}

static void everything_survives_a_restart(void **state)
{
    struct fixture *fx = *state;
    char *dir = make_dir(), password[100];
    struct stat status;
    long long mo, id;

    reopen(fx, dir);
    fx->gw = make_device(fx, "gw-0001");
    sscanf(rows(fx, &fx->bootstrap, NULL, "61,gw-0001"),
           "70,1,gw-0001,t4711,device_gw-0001,%99s", password);
    mo = make_agent(fx, &fx->gw);
    id = collection(fx, GW, restart_templates);
    restart(fx, &fx->operator, mo);

    reopen(fx, dir);
    assert_int_equal(log_in(fx, "t4711/device_gw-0001", password).role, SB_DEVICE);
    assert_string_equal(rows(fx, &fx->gw, GW, ""), say("20,%lld\n", id));
    assert_string_equal(rows(fx, &fx->gw, GW, "100,gw-0001"), say("500,1,%lld\n", mo));
    rest(fx, &fx->gw, "GET /devicecontrol/operations?status=PENDING", NULL);
    assert_int_equal(count(fx, "operations"), 1);
    assert_true(make_object(fx, &fx->gw, "{}") > mo);

    assert_int_equal(stat(say("%s/platform.db", dir), &status), 0);
    assert_int_equal(status.st_mode & 077, 0);
    reopen(fx, NULL);
    remove_dir(dir);
}

static const char *open_error(const char *dir)
{
    struct sb_config config = fixture_config(dir);
    struct sb_platform *platform = NULL;
    char *error = NULL;
    const char *text;

    assert_int_not_equal(
        sb_platform_open(&config, (struct sb_sink){ 0 }, &platform, &error), 0);
    assert_null(platform);
    text = say("%s", error);
    free(error);
    return text;
}

static void write_file(const char *path, const char *bytes, size_t len)
{
    FILE *file = fopen(path, "wb");

    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, len, file), len);
    fclose(file);
}

static void expect_open_error(const char *dir, const char *part)
{
    const char *error = open_error(dir);

    if (!strstr(error, part))
        fail_msg("%s does not say: %s", error, part);
    assert_non_null(strstr(error, dir));
}

static void sql(const char *path, const char *text)
{
    sqlite3 *db;

    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void a_foreign_or_damaged_database_is_named(void **state)
{
    struct fixture *fx = *state;
    char *dir = make_dir();
    const char *path = say("%s/platform.db", dir);
    char junk[8192];

    expect_open_error("/nowhere/at/all", "No such file or directory");
    memset(junk, 'x', sizeof junk);
    write_file(path, junk, sizeof junk);
    expect_open_error(dir, "not a database");
    unlink(path);
    sql(path, "CREATE TABLE mine(a); PRAGMA user_version=1;");
    expect_open_error(dir, "another program");
    unlink(path);

    reopen(fx, dir);
    expect_open_error(dir, "another sandbox");
    reopen(fx, NULL);
    sql(path, "PRAGMA user_version=99;");
    expect_open_error(dir, "another version");
    sql(path, "PRAGMA user_version=1; DELETE FROM sequence;");
    expect_open_error(dir, "damaged");
    unlink(path);
    write_file(path, "", 0); /* an empty one becomes ours */
    reopen(fx, dir);
    reopen(fx, NULL);
    assert_int_equal(truncate(path, 8192), 0);
    expect_open_error(dir, "damaged");
    remove_dir(dir);
}

#define TEST(function) \
    cmocka_unit_test_setup_teardown(function, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(only_right_names_and_passwords_log_in),
        TEST(names_of_any_length_are_looked_at),
        TEST(a_request_goes_through_its_states),
        TEST(several_devices_ask_in_one_body),
        TEST(credentials_come_through_rest_too),
        TEST(what_a_device_id_may_not_be),
        TEST(the_longest_device_id_works),
        cmocka_unit_test_setup_teardown(unknown_devices_are_accepted_if_wanted,
                                        fixture_auto_accept, fixture_teardown),
        TEST(credentials_of_a_device_with_a_comma_are_rows),
        TEST(credentials_come_over_mqtt),
        TEST(topics_are_refused_unless_known),
        TEST(a_refused_publish_is_answered_where_errors_go),
        TEST(subscriptions_of_a_client_are_bounded),
        TEST(rows_are_answered_on_the_topic_that_fits),
        TEST(errors_are_answers_and_go_to_the_error_topic),
        TEST(nothing_is_sent_to_who_has_not_subscribed),
        TEST(a_collection_can_be_registered_over_mqtt),
        TEST(an_operation_reaches_its_device),
        TEST(an_operation_for_a_child_reaches_the_agent),
        TEST(an_operation_reaches_nobody_else),
        TEST(an_operation_made_by_a_row_is_delivered_too),
        TEST(everything_survives_a_restart),
        TEST(a_foreign_or_damaged_database_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
