/* SPDX-License-Identifier: MIT */
/* The REST resources, as operators' clients and devices use them. */
#include "fixture.h"

#include <stdio.h>

#define TIME "\"time\":\"2026-01-31T10:15:30.000Z\""

static int op(struct fixture *fx, const char *request, const char *body)
{
    return rest(fx, &fx->operator, request, body);
}

static int gw(struct fixture *fx, const char *request, const char *body)
{
    return rest(fx, &fx->gw, request, body);
}

static int other(struct fixture *fx, const char *request, const char *body)
{
    return rest(fx, &fx->other, request, body);
}

static void expect_error(struct fixture *fx, const char *name)
{
    assert_string_equal(at(fx, "error"), name);
    assert_true(*at(fx, "message"));
}

/* --- in general ----------------------------------------------------------------- */

static void errors_are_json_with_a_reason(void **state)
{
    struct fixture *fx = *state;

    assert_int_equal(rest(fx, &fx->nobody, "GET /inventory/managedObjects", NULL), 401);
    expect_error(fx, "security/Unauthorized");
    assert_int_equal(rest(fx, &fx->bootstrap, "GET /inventory/managedObjects", NULL),
                     403);
    expect_error(fx, "security/Forbidden");
    assert_int_equal(op(fx, "GET /nothing", NULL), 404);
    expect_error(fx, "general/Not Found");
    assert_int_equal(op(fx, "GET /", NULL), 404);
    assert_int_equal(op(fx, "GET /inventory/managedObjects/1", NULL), 404);
    expect_error(fx, "inventory/Not Found");
    assert_int_equal(op(fx, "GET /inventory/managedObjects/1%27x", NULL), 404);
    assert_int_equal(op(fx, "DELETE /inventory/managedObjects", NULL), 405);
    expect_error(fx, "general/Method Not Allowed");
    assert_int_equal(op(fx, "BREW /inventory/managedObjects", NULL), 405);
    assert_int_equal(op(fx, "POST /inventory/managedObjects", "{\"a\":"), 400);
    expect_error(fx, "general/Bad Request");
    assert_int_equal(op(fx, "POST /inventory/managedObjects", NULL), 400);
    assert_int_equal(op(fx, "POST /inventory/managedObjects", "[]"), 422);
    assert_int_equal(op(fx, "GET /inventory/managedObjects?a=%zz", NULL), 400);
    assert_int_equal(op(fx, "GET /inventory/managedObjects?type=\xff", NULL), 200);
    assert_int_equal(op(fx, "GET /\xff\xfe", NULL), 404);
    assert_int_equal(op(fx, "GET /s", NULL), 405);
}

static void without_accept_a_write_answers_nothing(void **state)
{
    struct fixture *fx = *state;

    assert_int_equal(
        rest_quiet(fx, &fx->gw, "POST /inventory/managedObjects", "{\"name\":\"x\"}"),
        201);
    assert_string_equal(fx->answer, "");
    assert_string_equal(fx->location,
                        "http://localhost:8080/inventory/managedObjects/10000");
    assert_int_equal(
        rest_quiet(fx, &fx->gw, "PUT /inventory/managedObjects/10000", "{}"), 200);
    assert_string_equal(fx->answer, "");
    assert_int_equal(
        rest_quiet(fx, &fx->gw, "GET /inventory/managedObjects/10000", NULL), 200);
    assert_string_equal(at(fx, "name"), "x");
}

static void a_post_may_stand_for_another_method(void **state)
{
    struct fixture *fx = *state;
    long long mo = make_object(fx, &fx->gw, "{}");
    const char *path = say("/inventory/managedObjects/%lld", mo);
    struct sb_request request = { .identity = fx->gw,
                                  .method = "POST",
                                  .path = path,
                                  .query = "",
                                  .accept = "*/*",
                                  .method_override = "PUT",
                                  .body = "{\"name\":\"new\"}",
                                  .len = 14 };
    struct sb_response response;

    sb_platform_http(fx->platform, &request, &response);
    assert_int_equal(response.status, 200);
    sb_response_release(&response);
    gw(fx, say("GET %s", path), NULL);
    assert_string_equal(at(fx, "name"), "new");
}

static void lists_come_in_pages(void **state)
{
    struct fixture *fx = *state;
    int i;

    for (i = 0; i < 7; i++)
        make_object(fx, &fx->gw, say("{\"name\":\"%d\",\"type\":\"t\"}", i));
    op(fx, "GET /inventory/managedObjects", NULL);
    assert_int_equal(count(fx, "managedObjects"), 5);
    assert_string_equal(at(fx, "statistics"), "{\"pageSize\":5,\"currentPage\":1}");
    assert_string_equal(at(fx, "next"),
                        "http://localhost:8080/inventory/managedObjects?"
                        "pageSize=5&currentPage=2");
    assert_string_equal(at(fx, "prev"), "");
    op(fx,
       "GET "
       "/inventory/managedObjects?type=t&pageSize=3&currentPage=3&withTotalPages=true",
       NULL);
    assert_int_equal(count(fx, "managedObjects"), 1);
    assert_string_equal(at(fx, "managedObjects.0.name"), "6");
    assert_string_equal(at(fx, "statistics"),
                        "{\"pageSize\":3,\"currentPage\":3,\"totalPages\":3}");
    assert_string_equal(at(fx, "next"), "");
    assert_string_equal(at(fx, "prev"),
                        "http://localhost:8080/inventory/managedObjects?type=t&"
                        "withTotalPages=true&pageSize=3&currentPage=2");
    op(fx, "GET /inventory/managedObjects?pageSize=99999999&currentPage=2", NULL);
    assert_string_equal(at(fx, "statistics.pageSize"), "2000");
    assert_int_equal(op(fx, "GET /inventory/managedObjects?pageSize=-1", NULL), 400);
    assert_int_equal(op(fx, "GET /inventory/managedObjects?currentPage=0", NULL), 400);
    assert_int_equal(op(fx, "GET /inventory/managedObjects?currentPage=x", NULL), 400);
    assert_int_equal(
        op(fx, "GET /inventory/managedObjects?currentPage=999999999999999999", NULL),
        400);
}

/* --- inventory --------------------------------------------------------------------- */

static void a_managed_object_lives(void **state)
{
    struct fixture *fx = *state;
    long long mo = make_object(
        fx, &fx->gw,
        "{\"name\":\"A\",\"type\":\"t\",\"a\":1,\"b\":{\"c\":[]},\"id\":\"7\"}");
    const char *path = say("/inventory/managedObjects/%lld", mo);

    assert_int_equal(mo, 10000);
    assert_string_equal(fx->location, say("http://localhost:8080%s", path));
    assert_int_equal(gw(fx, say("GET %s", path), NULL), 200);
    assert_string_equal(at(fx, "id"), "10000");
    assert_string_equal(at(fx, "owner"), "device_gw-0001");
    assert_string_equal(at(fx, "self"), say("http://localhost:8080%s", path));
    assert_string_equal(at(fx, "lastUpdated"), at(fx, "creationTime"));
    assert_string_equal(at(fx, "b"), "{\"c\":[]}");
    assert_string_equal(at(fx, "childDevices.references"), "[]");

    assert_int_equal(gw(fx, say("PUT %s", path),
                        "{\"a\":null,\"d\":2,\"name\":\"B\",\"owner\":\"me\"}"),
                     200);
    assert_string_equal(at(fx, "a"), "");
    assert_string_equal(at(fx, "d"), "2");
    assert_string_equal(at(fx, "name"), "B");
    assert_string_equal(at(fx, "type"), "t");
    assert_string_equal(at(fx, "owner"), "device_gw-0001");
    assert_int_equal(gw(fx, say("PUT %s", path), "{\"name\":5}"), 422);
    assert_int_equal(gw(fx, say("PUT %s", path), "{}"), 200);

    assert_int_equal(gw(fx, say("DELETE %s", path), NULL), 204);
    assert_int_equal(gw(fx, say("GET %s", path), NULL), 404);
    assert_int_equal(gw(fx, say("DELETE %s", path), NULL), 404);
    assert_int_equal(make_object(fx, &fx->gw, "{}"), 10001);
}

static void objects_are_found_by_their_properties(void **state)
{
    struct fixture *fx = *state;
    long long a = make_object(
        fx, &fx->gw,
        "{\"name\":\"Pump East\",\"type\":\"pump\",\"acme_X\":{\"k\":\"deep\"}}");
    long long b = make_object(fx, &fx->other, "{\"name\":\"Fan\",\"type\":\"fan\"}");
    static const struct {
        const char *query;
        size_t n;
    } cases[] = {
        {"type=pump",                       1},
        { "type=pu",                        0},
        { "fragmentType=acme_X",            1},
        { "fragmentType=acme_X.k",          0},
        { "fragmentType=%22%20OR%201",      0},
        { "text=pUMP",                      1},
        { "text=deep",                      1},
        { "text=%25",                       0},
        { "owner=device_gw-0002",           1},
        { "type=pump&owner=device_gw-0002", 0},
        { "ids=",                           0},
        { "unknown=1",                      2},
    };
    size_t i;

    for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(
            op(fx, say("GET /inventory/managedObjects?%s", cases[i].query), NULL), 200);
        if (count(fx, "managedObjects") != cases[i].n)
            fail_msg("%s finds %zu", cases[i].query, count(fx, "managedObjects"));
    }
    assert_int_equal(op(fx, "GET /inventory/managedObjects?ids=x%5D", NULL), 400);
    assert_int_equal(op(fx, "GET /inventory/managedObjects?ids=1,", NULL), 400);
    op(fx, say("GET /inventory/managedObjects?ids=%lld,%lld,99", b, a), NULL);
    assert_int_equal(count(fx, "managedObjects"), 2);
}

static void children_are_linked_and_unlinked(void **state)
{
    struct fixture *fx = *state;
    long long parent = make_object(fx, &fx->gw, "{}");
    long long child = make_object(fx, &fx->gw, "{\"name\":\"Child\"}");
    const char *list = say("/inventory/managedObjects/%lld/childDevices", parent);
    const char *reference = say("{\"managedObject\":{\"id\":\"%lld\"}}", child);

    assert_int_equal(gw(fx, say("POST %s", list), reference), 201);
    assert_string_equal(at(fx, "managedObject.name"), "Child");
    assert_string_equal(fx->location, say("http://localhost:8080%s/%lld", list, child));
    assert_int_equal(gw(fx, say("POST %s", list), reference), 201);
    gw(fx, say("GET %s", list), NULL);
    assert_int_equal(count(fx, "references"), 1);
    assert_int_equal(gw(fx, say("GET %s/%lld", list, child), NULL), 200);

    assert_int_equal(gw(fx,
                        say("POST /inventory/managedObjects/%lld/childDevices", child),
                        say("{\"managedObject\":{\"id\":\"%lld\"}}", parent)),
                     422);
    assert_int_equal(gw(fx, say("POST %s", list), "{\"managedObject\":{\"id\":\"1\"}}"),
                     404);
    assert_int_equal(gw(fx, say("POST %s", list), "{\"managedObject\":[]}"), 404);
    assert_int_equal(
        gw(fx, say("GET /inventory/managedObjects/%lld/cousins", child), NULL), 404);

    assert_int_equal(gw(fx, say("DELETE %s/%lld", list, child), NULL), 204);
    assert_int_equal(gw(fx, say("DELETE %s/%lld", list, child), NULL), 404);
    assert_int_equal(gw(fx, say("GET /inventory/managedObjects/%lld", child), NULL),
                     200);

    assert_int_equal(
        gw(fx, say("POST /inventory/managedObjects/%lld/childAdditions", parent),
           "{\"name\":\"service\",\"type\":\"c8y_Service\"}"),
        201);
    assert_string_equal(at(fx, "name"), "service");
}

/* Agents read the fragments of their field devices from these lists. */
static void lists_of_children_hold_the_whole_child(void **state)
{
    static const char *const kinds[] = { "childDevices", "childAssets",
                                         "childAdditions" };
    struct fixture *fx = *state;
    char list[100];
    size_t i;

    for (i = 0; i < 3; i++) {
        long long parent = make_object(fx, &fx->gw, "{}"), child;

        snprintf(list, sizeof list, "/inventory/managedObjects/%lld/%s", parent,
                 kinds[i]);
        assert_int_equal(gw(fx, say("POST %s", list),
                            "{\"name\":\"Child\",\"acme_Bus\":{\"at\":7}}"),
                         201);
        assert_string_equal(at(fx, "acme_Bus.at"), "7");
        child = atoll(at(fx, "id"));
        gw(fx, say("GET %s", list), NULL);
        assert_int_equal(count(fx, "references"), 1);
        assert_string_equal(at(fx, "references.0.managedObject.acme_Bus.at"), "7");
        assert_string_equal(at(fx, "references.0.managedObject.owner"),
                            "device_gw-0001");
        assert_string_equal(at(fx, "references.0.self"),
                            say("http://localhost:8080%s/%lld", list, child));
        gw(fx, say("GET %s/%lld", list, child), NULL);
        assert_string_equal(at(fx, "managedObject.acme_Bus.at"), "7");
        gw(fx, say("GET /inventory/managedObjects/%lld", parent), NULL);
        assert_string_equal(
            at(fx, say("%s.references.0.managedObject", kinds[i])),
            say("{\"id\":\"%lld\",\"name\":\"Child\",\"self\":"
                "\"http://localhost:8080/inventory/managedObjects/%lld\"}",
                child, child));
    }
}

static void several_children_are_linked_all_or_none(void **state)
{
    struct fixture *fx = *state;
    long long parent = make_object(fx, &fx->gw, "{}");
    long long a = make_object(fx, &fx->gw, "{\"name\":\"A\"}");
    long long b = make_object(fx, &fx->gw, "{\"name\":\"B\"}");
    const char *list = say("/inventory/managedObjects/%lld/childDevices", parent);
    const char *two = "{\"references\":[{\"managedObject\":{\"id\":\"%lld\"}},"
                      "{\"managedObject\":{\"id\":\"%lld\"}}]}";
    char with_unknown[200], both[200];

    snprintf(with_unknown, sizeof with_unknown, two, a, 1LL);
    snprintf(both, sizeof both, two, a, b);
    assert_int_equal(gw(fx, say("POST %s", list), with_unknown), 404);
    gw(fx, say("GET %s", list), NULL);
    assert_int_equal(count(fx, "references"), 0);
    assert_int_equal(gw(fx, say("POST %s", list), both), 201);
    assert_int_equal(count(fx, "references"), 2);
    gw(fx, say("GET %s", list), NULL);
    assert_int_equal(count(fx, "references"), 2);
    assert_int_equal(gw(fx, say("POST %s", list), "{\"references\":{}}"), 422);
}

static void deleting_an_object_deletes_what_is_its_own(void **state)
{
    struct fixture *fx = *state;
    long long parent = make_agent(fx, &fx->gw);
    long long child, grandchild;

    gw(fx, say("POST /inventory/managedObjects/%lld/childDevices", parent), "{}");
    child = atoll(at(fx, "id"));
    gw(fx, say("POST /inventory/managedObjects/%lld/childAssets", child), "{}");
    grandchild = atoll(at(fx, "id"));
    assert_int_equal(
        gw(fx, "POST /measurement/measurements",
           say("{\"source\":{\"id\":\"%lld\"},\"type\":\"t\"," TIME "}", grandchild)),
        201);
    assert_int_equal(gw(fx, "POST /devicecontrol/operations",
                        say("{\"deviceId\":\"%lld\"}", grandchild)),
                     201);

    assert_int_equal(
        gw(fx, say("DELETE /inventory/managedObjects/%lld?cascade=true", child), NULL),
        204);
    op(fx, "GET /measurement/measurements", NULL);
    assert_int_equal(count(fx, "measurements"), 0);
    op(fx, "GET /devicecontrol/operations", NULL);
    assert_int_equal(count(fx, "operations"), 0);
    assert_int_equal(
        op(fx, say("GET /inventory/managedObjects/%lld", grandchild), NULL), 404);
    op(fx, say("GET /inventory/managedObjects/%lld", parent), NULL);
    assert_int_equal(count(fx, "childDevices.references"), 0);
    assert_int_equal(gw(fx, say("DELETE /inventory/managedObjects/%lld", parent), NULL),
                     204);
    assert_int_equal(op(fx, "GET /identity/externalIds/c8y_Serial/gw-0001", NULL), 404);
}

/* --- identity ------------------------------------------------------------------------ */

static void an_external_id_belongs_to_one_object(void **state)
{
    struct fixture *fx = *state;
    long long mo = make_agent(fx, &fx->gw), second = make_object(fx, &fx->gw, "{}");
    const char *list = say("/identity/globalIds/%lld/externalIds", second);
    const char *id = "{\"type\":\"c8y_Serial\",\"externalId\":\"gw-0001\"}";

    assert_int_equal(gw(fx, "GET /identity/externalIds/c8y_Serial/gw-0001", NULL), 200);
    assert_string_equal(at(fx, "managedObject.id"), say("%lld", mo));
    assert_string_equal(at(fx, "externalId"), "gw-0001");
    assert_string_equal(at(fx, "type"), "c8y_Serial");
    assert_int_equal(gw(fx, "GET /identity/externalIds/c8y_Serial/gw", NULL), 404);
    expect_error(fx, "identity/Not Found");
    assert_int_equal(gw(fx, say("POST %s", list), id), 409);
    expect_error(fx, "identity/Duplicate");
    assert_int_equal(gw(fx, say("POST %s", list), "{\"type\":\"x\"}"), 422);
    assert_int_equal(
        gw(fx, say("POST %s", list), "{\"type\":\"\",\"externalId\":\"x\"}"), 422);
    assert_int_equal(gw(fx, "POST /identity/globalIds/1/externalIds", id), 404);
    assert_int_equal(
        gw(fx, say("POST %s", list), "{\"type\":\"x\",\"externalId\":\"a/b c\"}"), 201);
    assert_string_equal(fx->location,
                        "http://localhost:8080/identity/externalIds/x/a/b%20c");
    assert_int_equal(gw(fx, "GET /identity/externalIds/x/a/b c", NULL), 200);
    gw(fx, say("GET %s", list), NULL);
    assert_int_equal(count(fx, "externalIds"), 1);

    assert_int_equal(gw(fx, "DELETE /identity/externalIds/c8y_Serial/gw-0001", NULL),
                     204);
    assert_int_equal(gw(fx, "DELETE /identity/externalIds/c8y_Serial/gw-0001", NULL),
                     404);
    assert_int_equal(gw(fx, say("POST %s", list), id), 201);
}

/* --- measurements ---------------------------------------------------------------------- */

static int measure(struct fixture *fx, long long mo, const char *time,
                   const char *rest_of)
{
    return gw(
        fx, "POST /measurement/measurements",
        say("{\"source\":{\"id\":\"%lld\"},\"time\":\"%s\",%s}", mo, time, rest_of));
}

static void measurements_are_stored_and_found(void **state)
{
    struct fixture *fx = *state;
    long long mo = make_object(fx, &fx->gw, "{}");
    static const struct {
        const char *query;
        size_t n;
        const char *first;
    } cases[] = {
        {"",                                                                  3, "a"},
        { "revert=true",                                                      3, "c"},
        { "type=b",                                                           1, "b"},
        { "dateFrom=2026-01-02T00:00:00Z",                                    2, "b"},
        { "dateFrom=2026-01-02T01:00:00%2B01:00&dateTo=2026-01-02T12:00:00Z", 1, "b"},
        { "dateTo=2026-01-01",                                                1, "a"},
        { "valueFragmentType=F",                                              2, "a"},
        { "valueFragmentSeries=T",                                            2, "a"},
        { "valueFragmentType=F&valueFragmentSeries=U",                        1, "b"},
        { "valueFragmentType=G&valueFragmentSeries=U",                        0, "" },
        { "source=1",                                                         0, "" },
    };
    size_t i;

    measure(fx, mo, "2026-01-03T00:00:00Z",
            "\"type\":\"c\",\"G\":{\"T\":{\"value\":3}}");
    measure(fx, mo, "2026-01-01T00:00:00Z",
            "\"type\":\"a\",\"F\":{\"T\":{\"value\":1}}");
    assert_int_equal(
        measure(fx, mo, "2026-01-02T00:00:00Z",
                "\"type\":\"b\",\"F\":{\"U\":{\"value\":2.5,\"unit\":\"V\"}}"),
        201);
    assert_string_equal(at(fx, "F.U.value"), "2.5");
    assert_string_equal(at(fx, "source.id"), say("%lld", mo));
    for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(
            op(fx, say("GET /measurement/measurements?%s", cases[i].query), NULL), 200);
        if (count(fx, "measurements") != cases[i].n ||
            strcmp(at(fx, "measurements.0.type"), cases[i].first))
            fail_msg("%s: %s", cases[i].query, fx->answer);
    }
    assert_int_equal(op(fx, "GET /measurement/measurements?dateFrom=monday", NULL),
                     400);
    op(fx, "GET /measurement/measurements?type=b", NULL);
    i = strtoul(at(fx, "measurements.0.id"), NULL, 10);
    assert_int_equal(op(fx, say("GET /measurement/measurements/%zu", i), NULL), 200);
    assert_int_equal(op(fx, say("DELETE /measurement/measurements/%zu", i), NULL), 204);
    assert_int_equal(op(fx, say("GET /measurement/measurements/%zu", i), NULL), 404);
    assert_int_equal(gw(fx, "DELETE /measurement/measurements?type=a", NULL), 403);
    assert_int_equal(op(fx, "DELETE /measurement/measurements?type=a", NULL), 204);
    op(fx, "GET /measurement/measurements", NULL);
    assert_int_equal(count(fx, "measurements"), 1);
}

static void measurements_are_checked(void **state)
{
    struct fixture *fx = *state;
    long long mo = make_object(fx, &fx->gw, "{}");
    static const char *const rest_of[] = {
        "\"type\":\"t\"",
        "\"type\":5," TIME,
        TIME,
        "\"type\":\"t\",\"time\":5",
        "\"type\":\"t\",\"time\":\"noon\"",
        "\"type\":\"t\"," TIME ",\"F\":{\"T\":{\"value\":\"20\"}}",
        "\"type\":\"t\"," TIME ",\"F\":{\"T\":{\"value\":{}}}",
    };
    size_t i;

    for (i = 0; i < sizeof rest_of / sizeof rest_of[0]; i++)
        assert_int_equal(gw(fx, "POST /measurement/measurements",
                            say("{\"source\":{\"id\":\"%lld\"},%s}", mo, rest_of[i])),
                         422);
    expect_error(fx, "measurement/Invalid Data");
    assert_int_equal(gw(fx, "POST /measurement/measurements", "{}"), 422);
    assert_string_equal(
        at(fx, "message"),
        "Following mandatory fields should be included: source,type,time");
    assert_int_equal(gw(fx, "POST /measurement/measurements",
                        "{\"source\":\"x\",\"type\":\"t\"," TIME "}"),
                     422);
    assert_int_equal(gw(fx, "POST /measurement/measurements",
                        "{\"source\":{\"id\":\"1\"},\"type\":\"t\"," TIME "}"),
                     422);
}

static void many_measurements_are_stored_all_or_none(void **state)
{
    struct fixture *fx = *state;
    long long mo = make_object(fx, &fx->gw, "{}");
    const char *good =
        say("{\"source\":{\"id\":\"%lld\"},\"type\":\"t\"," TIME "}", mo);

    assert_int_equal(gw(fx, "POST /measurement/measurements",
                        say("{\"measurements\":[%s,%s]}", good, good)),
                     201);
    assert_int_equal(count(fx, "measurements"), 2);
    assert_int_equal(gw(fx, "POST /measurement/measurements",
                        say("{\"measurements\":[%s,{}]}", good)),
                     422);
    assert_int_equal(
        gw(fx, "POST /measurement/measurements", "{\"measurements\":[1,null]}"), 422);
    op(fx, "GET /measurement/measurements", NULL);
    assert_int_equal(count(fx, "measurements"), 2);
}

/* --- events and alarms ---------------------------------------------------------------------- */

static void an_event_lives(void **state)
{
    struct fixture *fx = *state;
    long long mo = make_object(fx, &fx->gw, "{}");
    const char *path;

    assert_int_equal(
        gw(fx, "POST /event/events",
           say("{\"source\":{\"id\":\"%lld\"},\"type\":\"t\",\"text\":\"x\"," TIME "}",
               mo)),
        201);
    path = say("/event/events/%s", at(fx, "id"));
    assert_int_equal(
        gw(fx, say("PUT %s", path), "{\"text\":\"y\",\"type\":\"u\",\"a\":{\"b\":1}}"),
        200);
    assert_string_equal(at(fx, "text"), "y");
    assert_string_equal(at(fx, "type"), "t");
    assert_int_equal(gw(fx, say("PUT %s", path), "{\"text\":7}"), 422);
    op(fx, say("GET /event/events?source=%lld&fragmentType=a", mo), NULL);
    assert_int_equal(count(fx, "events"), 1);
    assert_int_equal(gw(fx, "POST /event/events", "{\"type\":\"t\"}"), 422);
    assert_int_equal(other(fx, say("GET %s", path), NULL), 403);
    assert_int_equal(other(fx, say("PUT %s", path), "{}"), 403);
    assert_int_equal(gw(fx, say("DELETE %s", path), NULL), 204);
    assert_int_equal(gw(fx, say("GET %s", path), NULL), 404);
}

static const char *alarm_json(long long mo, const char *type, const char *time,
                              const char *severity)
{
    return say("{\"source\":{\"id\":\"%lld\"},\"type\":\"%s\",\"text\":\"hot\","
               "\"time\":\"%s\",\"severity\":\"%s\"}",
               mo, type, time, severity);
}

static void a_repeated_alarm_is_counted(void **state)
{
    struct fixture *fx = *state;
    long long mo = make_object(fx, &fx->gw, "{}");
    const char *id;

    assert_int_equal(gw(fx, "POST /alarm/alarms",
                        alarm_json(mo, "t", "2026-01-01T00:00:00Z", "major")),
                     201);
    id = at(fx, "id");
    assert_string_equal(at(fx, "severity"), "MAJOR");
    assert_string_equal(at(fx, "status"), "ACTIVE");
    assert_string_equal(at(fx, "count"), "1");
    id = say("%s", id);

    gw(fx, "POST /alarm/alarms", alarm_json(mo, "t", "2026-01-02T00:00:00Z", "MINOR"));
    assert_string_equal(at(fx, "id"), id);
    assert_string_equal(at(fx, "count"), "2");
    assert_string_equal(at(fx, "severity"), "MAJOR");
    assert_string_equal(at(fx, "time"), "2026-01-02T00:00:00Z");
    assert_string_equal(at(fx, "firstOccurrenceTime"), "2026-01-01T00:00:00Z");

    assert_int_equal(
        gw(fx, say("PUT /alarm/alarms/%s", id), "{\"status\":\"ACKNOWLEDGED\"}"), 200);
    gw(fx, "POST /alarm/alarms", alarm_json(mo, "t", "2026-01-03T00:00:00Z", "MAJOR"));
    assert_string_equal(at(fx, "count"), "3");
    assert_string_equal(at(fx, "status"), "ACKNOWLEDGED");
    gw(fx, "POST /alarm/alarms", alarm_json(mo, "u", "2026-01-03T00:00:00Z", "MAJOR"));
    assert_string_not_equal(at(fx, "id"), id);

    gw(fx, say("PUT /alarm/alarms/%s", id), "{\"status\":\"CLEARED\"}");
    gw(fx, "POST /alarm/alarms", alarm_json(mo, "t", "2026-01-04T00:00:00Z", "MAJOR"));
    assert_string_not_equal(at(fx, "id"), id);
    assert_string_equal(at(fx, "count"), "1");
}

static void alarms_are_filtered_counted_and_cleared(void **state)
{
    struct fixture *fx = *state;
    long long mo = make_object(fx, &fx->gw, "{}"),
              mine = make_object(fx, &fx->other, "{}");

    gw(fx, "POST /alarm/alarms", alarm_json(mo, "a", "2026-01-01T00:00:00Z", "MAJOR"));
    gw(fx, "POST /alarm/alarms", alarm_json(mo, "b", "2026-01-02T00:00:00Z", "MINOR"));
    other(fx, "POST /alarm/alarms",
          alarm_json(mine, "a", "2026-01-03T00:00:00Z", "MINOR"));

    op(fx, "GET /alarm/alarms/count?severity=MINOR", NULL);
    assert_string_equal(fx->answer, "2");
    op(fx, "GET /alarm/alarms?status=ACTIVE,ACKNOWLEDGED", NULL);
    assert_int_equal(count(fx, "alarms"), 3);
    assert_int_equal(
        gw(fx, "PUT /alarm/alarms?status=ACTIVE", "{\"status\":\"CLEARED\"}"), 200);
    op(fx, "GET /alarm/alarms?resolved=true", NULL);
    assert_int_equal(count(fx, "alarms"), 2);
    op(fx, "GET /alarm/alarms?resolved=false", NULL);
    assert_int_equal(count(fx, "alarms"), 1);
    assert_string_equal(at(fx, "alarms.0.source.id"), say("%lld", mine));
    op(fx, "GET /alarm/alarms?status=CLEARED", NULL);
    assert_string_equal(at(fx, "alarms.0.status"), "CLEARED");

    assert_int_equal(gw(fx, "PUT /alarm/alarms?type=a", "{}"), 422);
    assert_int_equal(gw(fx, "PUT /alarm/alarms?type=a", "{\"status\":\"GONE\"}"), 422);
    assert_int_equal(gw(fx, "POST /alarm/alarms",
                        alarm_json(mo, "a", "2026-01-01T00:00:00Z", "BAD")),
                     422);
    assert_int_equal(gw(fx, "POST /alarm/alarms", "{\"severity\":\"MAJOR\"}"), 422);
}

/* --- operations ------------------------------------------------------------------------------ */

static void an_operation_lives(void **state)
{
    struct fixture *fx = *state;
    long long agent = make_agent(fx, &fx->gw), child, lone;
    const char *path;

    gw(fx, say("POST /inventory/managedObjects/%lld/childDevices", agent),
       "{\"name\":\"Child\"}");
    child = atoll(at(fx, "id"));
    lone = make_object(fx, &fx->gw, "{}");

    assert_int_equal(op(fx, "POST /devicecontrol/operations",
                        say("{\"deviceId\":\"%lld\",\"c8y_Restart\":{},"
                            "\"status\":\"FAILED\"}",
                            child)),
                     201);
    assert_string_equal(at(fx, "status"), "PENDING");
    path = say("/devicecontrol/operations/%s", at(fx, "id"));
    assert_int_equal(gw(fx, say("PUT %s", path), "{\"status\":\"EXECUTING\"}"), 200);
    assert_int_equal(
        gw(fx, say("PUT %s", path),
           "{\"status\":\"FAILED\",\"failureReason\":\"no\",\"deviceId\":\"1\"}"),
        200);
    assert_string_equal(at(fx, "failureReason"), "no");
    assert_string_equal(at(fx, "deviceId"), say("%lld", child));
    assert_int_equal(gw(fx, say("PUT %s", path), "{\"status\":\"DONE\"}"), 422);
    assert_int_equal(gw(fx, "PUT /devicecontrol/operations/1", "{}"), 404);

    assert_int_equal(
        op(fx, "POST /devicecontrol/operations", say("{\"deviceId\":\"%lld\"}", lone)),
        422);
    assert_int_equal(op(fx, "POST /devicecontrol/operations", "{\"deviceId\":\"1\"}"),
                     422);
    assert_int_equal(op(fx, "POST /devicecontrol/operations", "{}"), 422);
    assert_int_equal(op(fx, "POST /devicecontrol/operations", "{\"deviceId\":{}}"),
                     422);

    op(fx, "POST /devicecontrol/operations", say("{\"deviceId\":\"%lld\"}", agent));
    gw(fx, say("GET /devicecontrol/operations?agentId=%lld", agent), NULL);
    assert_int_equal(count(fx, "operations"), 2);
    assert_string_equal(at(fx, "operations.0.deviceName"), "Child");
    gw(fx, say("GET /devicecontrol/operations?deviceId=%lld", agent), NULL);
    assert_int_equal(count(fx, "operations"), 1);
    gw(fx, "GET /devicecontrol/operations?status=FAILED&fragmentType=c8y_Restart",
       NULL);
    assert_int_equal(count(fx, "operations"), 1);
    assert_int_equal(op(fx, "DELETE /devicecontrol/operations?status=PENDING", NULL),
                     204);
    op(fx, "GET /devicecontrol/operations", NULL);
    assert_int_equal(count(fx, "operations"), 1);
    assert_int_equal(op(fx, "POST /devicecontrol/operations",
                        "{\"deviceId\":\"1\",\"status\":\"DONE\"}"),
                     422);
    assert_non_null(strstr(at(fx, "message"), "DONE"));
}

/* --- ownership -------------------------------------------------------------------------------- */

static void a_device_sees_and_changes_only_its_own(void **state)
{
    struct fixture *fx = *state;
    long long mine = make_agent(fx, &fx->gw), id;
    const char *object = say("/inventory/managedObjects/%lld", mine), *path;

    assert_int_equal(other(fx, say("GET %s", object), NULL), 403);
    assert_int_equal(other(fx, say("PUT %s", object), "{\"name\":\"x\"}"), 403);
    assert_int_equal(other(fx, say("DELETE %s", object), NULL), 403);
    assert_int_equal(other(fx, say("POST %s/childDevices", object), "{}"), 403);
    assert_int_equal(other(fx, say("GET %s/childDevices", object), NULL), 403);
    assert_int_equal(other(fx, "GET /identity/externalIds/c8y_Serial/gw-0001", NULL),
                     403);
    assert_int_equal(other(fx, "DELETE /identity/externalIds/c8y_Serial/gw-0001", NULL),
                     403);
    assert_int_equal(other(fx, say("POST /identity/globalIds/%lld/externalIds", mine),
                           "{\"type\":\"x\",\"externalId\":\"y\"}"),
                     403);
    assert_int_equal(
        other(fx, "POST /measurement/measurements",
              say("{\"source\":{\"id\":\"%lld\"},\"type\":\"t\"," TIME "}", mine)),
        403);
    assert_int_equal(other(fx, "POST /devicecontrol/operations",
                           say("{\"deviceId\":\"%lld\"}", mine)),
                     403);

    op(fx, "POST /devicecontrol/operations", say("{\"deviceId\":\"%lld\"}", mine));
    path = say("/devicecontrol/operations/%s", at(fx, "id"));
    assert_int_equal(other(fx, say("GET %s", path), NULL), 403);
    assert_int_equal(other(fx, say("PUT %s", path), "{\"status\":\"FAILED\"}"), 403);
    other(fx, "GET /devicecontrol/operations", NULL);
    assert_int_equal(count(fx, "operations"), 0);
    other(fx, say("GET /devicecontrol/operations?agentId=%lld", mine), NULL);
    assert_int_equal(count(fx, "operations"), 0);
    other(fx, "GET /inventory/managedObjects", NULL);
    assert_int_equal(count(fx, "managedObjects"), 0);

    /* nor by taking it for a child */
    id = make_object(fx, &fx->other, "{}");
    assert_int_equal(
        other(fx,
              say("POST /inventory/managedObjects/%lld/childDevices", (long long)id),
              say("{\"managedObject\":{\"id\":\"%lld\"}}", mine)),
        403);
    assert_int_equal(other(fx, say("PUT /inventory/managedObjects/%lld", (long long)id),
                           "{\"owner\":\"device_gw-0001\"}"),
                     200);
    assert_string_equal(at(fx, "owner"), "device_gw-0002");
}

static void a_device_owns_what_is_below_its_own(void **state)
{
    struct fixture *fx = *state;
    long long agent = make_agent(fx, &fx->gw);
    long long child = make_object(fx, &fx->operator, "{\"name\":\"made by operator\"}");

    assert_int_equal(gw(fx, say("GET /inventory/managedObjects/%lld", child), NULL),
                     403);
    op(fx, say("POST /inventory/managedObjects/%lld/childDevices", agent),
       say("{\"managedObject\":{\"id\":\"%lld\"}}", child));
    assert_int_equal(gw(fx, say("GET /inventory/managedObjects/%lld", child), NULL),
                     200);
    assert_int_equal(
        gw(fx, "POST /measurement/measurements",
           say("{\"source\":{\"id\":\"%lld\"},\"type\":\"t\"," TIME "}", child)),
        201);
    gw(fx, "GET /inventory/managedObjects", NULL);
    assert_int_equal(count(fx, "managedObjects"), 2);
}

static void only_operators_register_and_accept(void **state)
{
    struct fixture *fx = *state;

    assert_int_equal(gw(fx, "POST /devicecontrol/newDeviceRequests", "{\"id\":\"x\"}"),
                     403);
    assert_int_equal(gw(fx, "GET /devicecontrol/newDeviceRequests", NULL), 403);
    assert_int_equal(gw(fx, "PUT /devicecontrol/newDeviceRequests/gw-0001",
                        "{\"status\":\"ACCEPTED\"}"),
                     403);
    assert_int_equal(gw(fx, "DELETE /devicecontrol/newDeviceRequests/gw-0002", NULL),
                     403);
    assert_int_equal(rest(fx, &fx->bootstrap,
                          "PUT /devicecontrol/newDeviceRequests/gw-0001",
                          "{\"status\":\"ACCEPTED\"}"),
                     403);
    assert_int_equal(gw(fx, "POST /devicecontrol/deviceCredentials", "{\"id\":\"x\"}"),
                     403);
}

static void the_tenant_says_who_it_is(void **state)
{
    struct fixture *fx = *state;

    assert_int_equal(gw(fx, "GET /tenant/currentTenant", NULL), 200);
    assert_string_equal(at(fx, "name"), "t4711");
    assert_int_equal(gw(fx, "GET /tenant/system/options/system/version", NULL), 200);
    assert_true(*at(fx, "value"));
}

/* --- what a query may hold ------------------------------------------------------------ */

/* The answer is 400 and says `part`. */
static void expect_refused(struct fixture *fx, const char *request, const char *body,
                           const char *part)
{
    if (op(fx, request, body) != 400 || !strstr(at(fx, "message"), part))
        fail_msg("%s: %s", request, fx->answer);
    expect_error(fx, "general/Bad Request");
}

/* A filter that is not looked at would delete or change everything. */
static void what_would_be_ignored_deletes_and_changes_nothing(void **state)
{
    static const char *const lists[][2] = {
        {"/measurement/measurements",  "measurements"},
        { "/event/events",             "events"      },
        { "/alarm/alarms",             "alarms"      },
        { "/devicecontrol/operations", "operations"  },
    };
    static const char *const filters[] = { "createdBy=x", "createdTo=2026-01-01",
                                           "type=a&pageSize=1", "type=", "source=" };
    struct fixture *fx = *state;
    long long mo = make_agent(fx, &fx->gw);
    size_t i, k;

    measure(fx, mo, "2026-01-01T00:00:00Z", "\"type\":\"a\"");
    gw(fx, "POST /event/events",
       say("{\"source\":{\"id\":\"%lld\"},\"type\":\"a\",\"text\":\"x\"," TIME "}",
           mo));
    gw(fx, "POST /alarm/alarms", alarm_json(mo, "a", "2026-01-01T00:00:00Z", "MAJOR"));
    gw(fx, "POST /devicecontrol/operations", say("{\"deviceId\":\"%lld\"}", mo));
    for (i = 0; i < 4; i++) {
        for (k = 0; k < 5; k++)
            expect_refused(fx, say("DELETE %s?%s", lists[i][0], filters[k]), NULL, "`");
        expect_refused(fx, say("DELETE %s", lists[i][0]), NULL,
                       i == 3 ? "needs one of the parameters `deviceId`, `status`"
                              : "needs one of the parameters `source`, `type`");
        op(fx, say("GET %s", lists[i][0]), NULL);
        assert_int_equal(count(fx, lists[i][1]), 1);
    }
    expect_refused(fx, "DELETE /event/events?withSourceDevices=true", NULL,
                   "it would delete all");
    expect_refused(fx, "PUT /alarm/alarms", "{\"status\":\"CLEARED\"}",
                   "without any it would change all");
    expect_refused(fx, "PUT /alarm/alarms?withSourceDevices=true",
                   "{\"status\":\"CLEARED\"}", "without any it would change all");
    expect_refused(fx, "PUT /alarm/alarms?type=", "{\"status\":\"CLEARED\"}",
                   "`type` is empty in PUT /alarm/alarms");
    op(fx, "GET /alarm/alarms?status=CLEARED", NULL);
    assert_int_equal(count(fx, "alarms"), 0);
    expect_refused(fx, "PUT /alarm/alarms?kind=a", "{\"status\":\"CLEARED\"}",
                   "`kind` is no parameter of PUT /alarm/alarms");
    assert_int_equal(op(fx, "PUT /alarm/alarms?type=a",
                        "{\"status\":\"CLEARED\",\"severity\":\"MINOR\"}"),
                     422);
    op(fx, "GET /alarm/alarms", NULL);
    assert_string_equal(at(fx, "alarms.0.status"), "ACTIVE");
    op(fx, "GET /event/events?source=x", NULL);
    expect_error(fx, "general/Bad Request");
}

static void a_refused_parameter_is_named(void **state)
{
    struct fixture *fx = *state;
    long long mo = make_object(fx, &fx->gw, "{}");

    expect_refused(fx, "DELETE /event/events?source=7&createdTo=2026-01-01", NULL,
                   "`createdTo` is not supported by the sandbox with DELETE "
                   "/event/events");
    expect_refused(fx, "DELETE /event/events?source=7&sauce=8", NULL, "`sauce`");
    expect_refused(fx, "DELETE /event/events?source=7&source=8", NULL,
                   "`source` is there more than once");
    expect_refused(fx, say("PUT /inventory/managedObjects/%lld?x=1", mo), "{}", "`x`");
    expect_refused(fx, say("DELETE /inventory/managedObjects/%lld?casc=true", mo), NULL,
                   "`casc`");
    expect_refused(fx, say("DELETE /inventory/managedObjects/%lld?cascade=yes", mo),
                   NULL, "`cascade` has to be true or false: yes");
    expect_refused(fx,
                   say("DELETE /inventory/managedObjects/%lld/childDevices/1?x", mo),
                   NULL, "`x`");
    expect_refused(fx, "DELETE /inventory/binaries/1?force=true", NULL, "`force`");
    expect_refused(fx, "PUT /event/events/1?x=1", "{}", "`x`");
    expect_refused(fx, "DELETE /event/events/1?x=1", NULL, "`x`");
    expect_refused(fx, "DELETE /identity/externalIds/a/b?x=1", NULL, "`x`");
    expect_refused(fx, "PUT /devicecontrol/newDeviceRequests/a?x=1", "{}", "`x`");
    assert_int_equal(op(fx, say("GET /inventory/managedObjects/%lld", mo), NULL), 200);
}

static void a_value_that_a_parameter_cannot_have_is_refused(void **state)
{
    static const char *const requests[] = {
        "GET /alarm/alarms?status=GONE",
        "GET /alarm/alarms?status=ACTIVE,",
        "GET /alarm/alarms?status=",
        "GET /alarm/alarms?severity=LOUD",
        "GET /alarm/alarms/count?resolved=maybe",
        "DELETE /alarm/alarms?resolved=1",
        "DELETE /alarm/alarms?dateTo=monday",
        "DELETE /measurement/measurements?source=x",
        "DELETE /devicecontrol/operations?agentId=",
        "GET /devicecontrol/operations?status=DONE",
        "GET /devicecontrol/newDeviceRequests?status=NEW",
        "GET /measurement/measurements?revert=yes",
        "GET /event/events?withSourceDevices=1",
        "GET /inventory/managedObjects?pageSize=abc",
        "GET /inventory/managedObjects?pageSize=-1",
        "GET /inventory/managedObjects?currentPage=0",
        "GET /inventory/managedObjects?withTotalPages=yes",
        "GET /inventory/binaries?pageSize=x",
    };
    struct fixture *fx = *state;
    size_t i;

    for (i = 0; i < sizeof requests / sizeof *requests; i++)
        if (op(fx, requests[i], NULL) != 400)
            fail_msg("%s: %s", requests[i], fx->answer);
    assert_int_equal(op(fx, "GET /alarm/alarms?status=active,CLEARED", NULL), 200);
    assert_int_equal(op(fx, "GET /alarm/alarms?severity=major", NULL), 200);
}

#define TEST(function) \
    cmocka_unit_test_setup_teardown(function, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(errors_are_json_with_a_reason),
        TEST(without_accept_a_write_answers_nothing),
        TEST(a_post_may_stand_for_another_method),
        TEST(lists_come_in_pages),
        TEST(a_managed_object_lives),
        TEST(objects_are_found_by_their_properties),
        TEST(children_are_linked_and_unlinked),
        TEST(lists_of_children_hold_the_whole_child),
        TEST(several_children_are_linked_all_or_none),
        TEST(what_would_be_ignored_deletes_and_changes_nothing),
        TEST(a_refused_parameter_is_named),
        TEST(a_value_that_a_parameter_cannot_have_is_refused),
        TEST(deleting_an_object_deletes_what_is_its_own),
        TEST(an_external_id_belongs_to_one_object),
        TEST(measurements_are_stored_and_found),
        TEST(measurements_are_checked),
        TEST(many_measurements_are_stored_all_or_none),
        TEST(an_event_lives),
        TEST(a_repeated_alarm_is_counted),
        TEST(alarms_are_filtered_counted_and_cleared),
        TEST(an_operation_lives),
        TEST(a_device_sees_and_changes_only_its_own),
        TEST(a_device_owns_what_is_below_its_own),
        TEST(only_operators_register_and_accept),
        TEST(the_tenant_says_who_it_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
