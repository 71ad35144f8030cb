/* SPDX-License-Identifier: MIT */
/* SmartREST 1.0 as docs/protocol/smartrest1.md has it, through POST /s. */
#include "fixture.h"

#include <stdio.h>

/* A template body, with the quotes that CSV wants. */
#define Q "\"\""
#define J "application/json"

/* The collection of the worked examples. */
static const char gw_templates[] =
    "10,100,GET,/identity/externalIds/c8y_Serial/%%,," J ",%%,STRING,\r\n"
    "10,101,POST,/inventory/managedObjects," J "," J ",%%,STRING,"
    "\"{" Q "name" Q ":" Q "%%" Q "," Q "c8y_IsDevice" Q ":{}}\"\r\n"
    "10,102,POST,/measurement/measurements," J ",,%%,NOW UNSIGNED NUMBER,"
    "\"{" Q "time" Q ":" Q "%%" Q "," Q "source" Q ":{" Q "id" Q ":" Q "%%" Q "}," Q
    "type" Q ":" Q "temp" Q "," Q "env" Q ":{" Q "T" Q ":{" Q "value" Q ":%%," Q
    "unit" Q ":" Q "C" Q "}}}\"\r\n"
    "11,500,$.managedObject,,$.id\r\n"
    "11,501,,$.c8y_IsDevice,$.id,$.name\r\n"
    "11,502,,$.c8y_Restart,$.id,$.deviceId\r\n";

static const char unknown[] = "40,\"No template for this X-ID.\"\n";

static void expect(struct fixture *fx, const char *xid, const char *body,
                   const char *answer)
{
    const char *got = rows(fx, &fx->gw, xid, body);

    if (strcmp(got, answer))
        fail_msg("\n%s\nis answered\n%s\nnot\n%s", body, got, answer);
}

/* Registers rows under a name; returns the id. */
static const char *collection(struct fixture *fx, const char *name, const char *body)
{
    unsigned long id;

    if (sscanf(rows(fx, &fx->gw, name, body), "20,%lu\n", &id) != 1)
        fail_msg("%s is refused: %s", name, fx->answer);
    return say("%lu", id);
}

/* --- worked examples ---------------------------------------------------------------- */

static void e1_check_of_an_unknown_collection(void **state)
{
    struct fixture *fx = *state;

    expect(fx, GW, "", unknown);
    assert_int_equal(strlen(fx->answer), 32);
}

static void e2_registration(void **state)
{
    struct fixture *fx = *state;
    const char *id;

    assert_int_equal(strlen(gw_templates), 496);
    id = collection(fx, GW, gw_templates);
    expect(fx, GW, "", say("20,%s\n", id));
    expect(fx, id, "", say("20,%s\n", id));
    assert_string_equal(rows(fx, &fx->other, GW, ""), say("20,%s\n", id));
}

static void e3_lookup_and_create(void **state)
{
    struct fixture *fx = *state;
    const char *id = collection(fx, GW, gw_templates);
    unsigned long object;
    char name[100];

    expect(fx, id, "100,gw-0001\n", "50,1,404,\"identity/Not Found\"\n");
    expect(fx, id, "100,gw-0001", "50,1,404,\"identity/Not Found\"\n");
    rows(fx, &fx->gw, id, "101,\"Pump \\\"\"A\\\"\", east\"\n");
    assert_int_equal(sscanf(fx->answer, "501,1,%lu,%99[^\n]", &object, name), 2);
    assert_string_equal(name, "\"Pump \"\"A\"\", east\"");
    rows(fx, &fx->gw, id, "101,\"Pump \"\"A\"\", east\"\n");
    assert_int_equal(strncmp(fx->answer, "50,1,422,", 9), 0);
}

static void e4_aggregation_with_errors(void **state)
{
    struct fixture *fx = *state;
    const char *id = collection(fx, GW, gw_templates);
    long long mo = make_object(fx, &fx->gw, "{}");

    expect(fx, id, say("102,%lld,20.5\n102,%lld,hot\n999,1\n", mo, mo),
           "45,2,Value is not a NUMBER: hot\n43,3,Invalid message identifier\n");
    rest(fx, &fx->gw, "GET /measurement/measurements", NULL);
    assert_int_equal(count(fx, "measurements"), 1);
    assert_string_equal(at(fx, "measurements.0.env"),
                        "{\"T\":{\"value\":20.5,\"unit\":\"C\"}}");
}

static void e5_a_list_gives_a_row_for_each_element(void **state)
{
    struct fixture *fx = *state;
    long long mo = make_object(fx, &fx->gw, "{}"), a, b;
    const char *alarm = "{\"source\":{\"id\":\"%lld\"},\"type\":\"%s\",\"text\":\"t\","
                        "\"severity\":\"MAJOR\",\"time\":\"2026-01-0%dT00:00:00Z\"}";

    rest(fx, &fx->gw, "POST /alarm/alarms", say(alarm, mo, "a", 2));
    a = atoll(at(fx, "id"));
    rest(fx, &fx->gw, "POST /alarm/alarms", say(alarm, mo, "b", 1));
    b = atoll(at(fx, "id"));
    collection(fx, "alarms",
               "10,100,GET,/alarm/alarms?source=%%,,,%%,,\n"
               "11,808,$.alarms,,$.id,$.type\n"
               "11,809,alarms,$.text,$.severity\n"
               "11,810,$.alarms[1],,$.type\n"
               "11,811,$.statistics,$,$.pageSize\n"
               "11,812,$.alarms,$.nothing,$.id\n"
               "11,813,$.alarms,,$.id,$.nothing\n");
    expect(
        fx, "alarms", say("100,%lld\n", mo),
        say("808,1,%lld,a\n808,1,%lld,b\n809,1,MAJOR\n809,1,MAJOR\n810,1,b\n811,1,5\n",
            a, b));
}

static void e6_two_collections_in_one_body(void **state)
{
    struct fixture *fx = *state;
    long long mo = make_agent(fx, &fx->gw);

    collection(fx, GW, gw_templates);
    collection(fx, "com.acme.child-v1",
               "10,200,GET,/inventory/managedObjects/%%,," J ",%%,UNSIGNED,\n"
               "11,201,,,$.id,$.type\n");
    expect(fx, NULL,
           say("15,com.acme.gw-v1\n100,gw-0001\n15,com.acme.child-v1\n200,%lld\n", mo),
           say("87,1,com.acme.gw-v1\n500,2,%lld\n87,1,com.acme.child-v1\n"
               "201,4,%lld,acme_gw\n",
               mo, mo));
}

/* --- collections ------------------------------------------------------------------------- */

static void a_collection_cannot_be_registered_twice(void **state)
{
    struct fixture *fx = *state;
    const char *id = collection(fx, GW, gw_templates);
    const char *refused =
        "41,1,Cannot create templates for already existing template object\n";

    expect(fx, GW, gw_templates, refused);
    expect(fx, id, gw_templates, refused);
    assert_string_equal(rows(fx, &fx->other, GW, gw_templates), refused);
}

static void a_refused_collection_leaves_nothing_behind(void **state)
{
    struct fixture *fx = *state;

    expect(fx, GW, "11,500,,,$.id\n11,501,,,$.a[*]\n11,502,,,\n99,x\n",
           "41,2,Using JsonPath to refer to a list of objects is not allowed for "
           "SmartRest\n"
           "41,3,Bad pattern\n"
           "41,4,Not a valid message identifier for template creation\n");
    expect(fx, GW, "", unknown);
    expect(fx, GW, "11,500,,,$.id\n11,501,,,\"$.id\n", "42,2,Malformed Request\n");
    expect(fx, GW, "", unknown);
    rest(fx, &fx->operator, "GET /inventory/managedObjects", NULL);
    assert_int_equal(count(fx, "managedObjects"), 0);
}

static void a_collection_is_a_managed_object(void **state)
{
    struct fixture *fx = *state;
    const char *id = collection(fx, GW, gw_templates);

    rest(fx, &fx->other,
         "GET /identity/externalIds/c8y_SmartRestDeviceIdentifier/com.acme.gw-v1",
         NULL);
    assert_string_equal(at(fx, "managedObject.id"), id);
    rest(fx, &fx->other, say("GET /inventory/managedObjects/%s", id), NULL);
    assert_string_equal(at(fx, "name"), GW);
    assert_string_equal(
        at(fx, "com_cumulocity_model_smartrest_SmartRestTemplate.requestTemplates.0"),
        "{\"msgId\":\"100\",\"method\":\"GET\","
        "\"resourceUri\":\"/identity/externalIds/c8y_Serial/%%\",\"contentType\":null,"
        "\"accept\":\"application/"
        "json\",\"placeholder\":\"%%\",\"values\":[\"STRING\"],"
        "\"templateString\":null}");
    assert_string_equal(
        at(fx, "com_cumulocity_model_smartrest_SmartRestTemplate.responseTemplates.0"),
        "{\"msgId\":\"500\",\"base\":\"$.managedObject\",\"condition\":null,"
        "\"pattern\":[\"$.id\"]}");
}

static void deleting_the_object_deletes_the_collection(void **state)
{
    struct fixture *fx = *state;
    const char *id = collection(fx, GW, gw_templates);
    const char *path = say("DELETE /inventory/managedObjects/%s", id);

    assert_int_equal(rest(fx, &fx->other, path, NULL), 403);
    assert_int_equal(rest(fx, &fx->operator, path, NULL), 204);
    expect(fx, GW, "", unknown);
    expect(fx, id, "100,x\n", unknown);
    collection(fx, GW, gw_templates);
}

static void a_row_may_delete_the_collection_it_belongs_to(void **state)
{
    struct fixture *fx = *state;
    const char *id = collection(fx, GW,
                                "10,100,DELETE,/inventory/managedObjects/%%,,,%%,,\n"
                                "10,101,GET,/inventory/managedObjects,,,,,\n"
                                "11,500,,,$.statistics.currentPage\n");

    expect(fx, GW, say("100,%s\n101\n", id), "500,2,1\n");
    expect(fx, GW, "101\n", unknown);
}

static void a_collection_can_be_made_through_rest(void **state)
{
    struct fixture *fx = *state;
    long long id = make_object(
        fx, &fx->operator,
        "{\"com_cumulocity_model_smartrest_SmartRestTemplate\":{\"requestTemplates\":["
        "{\"msgId\":\"100\",\"method\":\"GET\",\"resourceUri\":\"/tenant/"
        "currentTenant\"}],"
        "\"responseTemplates\":[{\"msgId\":500,\"pattern\":[\"$.name\"]}]}}");

    rest(fx, &fx->operator, say("POST /identity/globalIds/%lld/externalIds", id),
         "{\"type\":\"c8y_SmartRestDeviceIdentifier\",\"externalId\":\"byrest\"}");
    expect(fx, "byrest", "100\n", "500,1,t4711\n");
    expect(fx, say("%lld", id), "100", "500,1,t4711\n");
    assert_int_equal(
        rest(fx, &fx->operator, say("PUT /inventory/managedObjects/%lld", id),
             "{\"com_cumulocity_model_smartrest_SmartRestTemplate\":null}"),
        422);
    assert_int_equal(
        rest(fx, &fx->operator, "POST /inventory/managedObjects",
             "{\"com_cumulocity_model_smartrest_SmartRestTemplate\":{"
             "\"responseTemplates\":[{\"msgId\":\"500\",\"pattern\":[\"$[*]\"]}]}}"),
        422);
    assert_int_equal(rest(fx, &fx->operator, "POST /inventory/managedObjects",
                          "{\"com_cumulocity_model_smartrest_SmartRestTemplate\":[]}"),
                     422);
}

static void a_name_of_digits_never_hides_a_collection(void **state)
{
    struct fixture *fx = *state;
    unsigned long id = strtoul(collection(fx, "taken", "11,500,,,$.a\n"), NULL, 10);

    /* the id that the next collection but one gets */
    collection(fx, say("%lu", id + 2), "11,500,,,$.b\n");
    assert_string_equal(collection(fx, "mine", "10,100,GET,/x,,,,,\n"),
                        say("%lu", id + 2));
    expect(fx, say("%lu", id + 2), "100\n", "50,1,404,\"general/Not Found\"\n");
}

static void several_collections_in_one_registration(void **state)
{
    struct fixture *fx = *state;
    unsigned long a, b;

    rows(fx, &fx->gw, NULL,
         "15,one\n11,500,,,$.id\n15,two\n11,500,,,$.id\n11,501,,,$.a\n15,bad\n11,x\n"
         "15,none\n");
    assert_int_equal(sscanf(fx->answer, "20,%lu\n20,%lu\n", &a, &b), 2);
    assert_string_equal(strchr(strchr(fx->answer, '\n') + 1, '\n'),
                        "\n41,7,Bad response template definition\n"
                        "40,\"No template for this X-ID.\"\n");
    expect(fx, NULL, "15,two\n15,bad\n15,one",
           say("20,%lu\n%s20,%lu\n", b, unknown, a));
}

/* --- every error a registration can have ----------------------------------------------------- */

#define BODY "\"{" Q "a" Q ":" Q "%%" Q "}\""

static const struct {
    const char *row, *text;
} bad_templates[] = {
    {"10,100,GET,/x,,,,",                       "Bad request template definition"                     },
    { "10,100,GET,/x,,,,,,",                    "Bad request template definition"                     },
    { "10",                                     "Bad request template definition"                     },
    { "10,",                                    "Bad request template definition"                     },
    { "10,,GET,/x,,,,,",                        "Bad request template definition"                     },
    { "10,abc,GET,/x,,,,,",                     "Bad request template definition"                     },
    { "10,-1,GET,/x,,,,,",                      "Bad request template definition"                     },
    { "10,99999999999,GET,/x,,,,,",             "Bad request template definition"                     },
    { "10,100,PATCH,/x,,,,,",                   "Bad request template definition"                     },
    { "10,100,,/x,,,,,",                        "Bad request template definition"                     },
    { "10,100,GET,x,,,,,",                      "Bad request template definition"                     },
    { "10,100,GET,,,,,,",                       "Bad request template definition"                     },
    { "10,100,GET,/%%/%%,,,%%,STRING,",         "Bad request template definition"                     },
    { "10,100,GET,/x,,,\"a\xff\",,",            "Bad request template definition"                     },
    { "10,61,GET,/x,,,,,",                      "Not a valid message identifier for template creation"},
    { "12,100",                                 "Not a valid message identifier for template creation"},
    { "100,1",                                  "Not a valid message identifier for template creation"},
    { "10,100,GET,/%%,,,%%,FLAG,",              "Bad value type: FLAG"                                },
    { "10,100,GET,/%%,,,%%,string,",            "Bad value type: string"                              },
    { "10,100,GET,/%%/%%,,,%%,STRING NUMBERS,", "Bad value type: NUMBERS"                             },
    { "10,100,GET,/x," J ",,,,",                "No content type supported for GET templates."        },
    { "10,100,DELETE,/x," J ",,,,",             "No content type supported for DELETE templates."     },
    { "10,100,GET,/x,,,,," BODY,                "No template string supported for GET templates."     },
    { "10,100,DELETE,/x,,,,," BODY,
     "No template string supported for DELETE templates."                                             },
    { "10,100,POST,/x,,,,," BODY,               "No content type found for POST templates."           },
    { "10,100,PUT,/x,,,,," BODY,                "No content type found for PUT templates."            },
    { "10,100,POST,/x," J ",,,,",               "No template string found for POST templates."        },
    { "10,100,PUT,/x," J ",,,,",                "No template string found for PUT templates."         },
    { "10,100,GET,/x,,,%%,STRING,",
     "Values are only supported for templates with placeholder."                                      },
    { "11",                                     "Bad response template definition"                    },
    { "11,500",                                 "Bad response template definition"                    },
    { "11,500,",                                "Bad response template definition"                    },
    { "11,500,,",                               "Bad response template definition"                    },
    { "11,,,,$.id",                             "Bad response template definition"                    },
    { "11,x,,,$.id",                            "Bad response template definition"                    },
    { "11,20,,,$.id",                           "Not a valid message identifier for template creation"},
    { "11,500,,,",                              "Bad pattern"                                         },
    { "11,500,,,$.id,",                         "Bad pattern"                                         },
    { "11,500,,,$.",                            "Invalid JsonPath"                                    },
    { "11,500,$.a b,,$.id",                     "Invalid JsonPath"                                    },
    { "11,500,,$.[,$.id",                       "Invalid JsonPath"                                    },
    { "11,500,,,$..id",
     "Using JsonPath to refer to a list of objects is not allowed for SmartRest"                      },
    { "11,500,,,$.a[?(@.b)]",
     "Using Filters (?) in JsonPath is not allowed for SmartRest"                                     },
};

static void every_error_of_a_template_has_its_text_and_line(void **state)
{
    struct fixture *fx = *state;
    size_t i;

    for (i = 0; i < sizeof bad_templates / sizeof bad_templates[0]; i++)
        expect(fx, GW, say("11,900,,,$.id\n%s\n", bad_templates[i].row),
               say("41,2,%s\n", bad_templates[i].text));
    expect(fx, GW, "", unknown);
}

static void identifiers_are_unique_among_request_templates(void **state)
{
    struct fixture *fx = *state;

    expect(fx, GW, "10,100,GET,/x,,,,,\n10,100,GET,/y,,,,,\n",
           "41,2,Duplicate message identifiers are not allowed\n");
    collection(fx, GW, "10,100,GET,/x,,,,,\n11,100,,,$.a\n11,100,,,$.b\n");
}

static void what_an_xid_may_not_be(void **state)
{
    struct fixture *fx = *state;
    static const char *const names[] = { "a/b", "a+", "#", "a b", "a\"b", "a\xc3\xa9" };
    size_t i;

    for (i = 0; i < sizeof names / sizeof names[0]; i++) {
        rows(fx, &fx->gw, names[i], "11,500,,,$.id\n");
        assert_int_equal(strncmp(fx->answer, "41,1,", 5), 0);
    }
    expect(fx, NULL, "11,500,,,$.id\n", unknown);
    expect(fx, "", "11,500,,,$.id\n11,501,,,$.id\n", unknown);
}

/* --- rows ------------------------------------------------------------------------------------- */

static void values_are_checked_by_type(void **state)
{
    static const struct {
        const char *id, *value, *type; /* type: NULL if it fits */
    } cases[] = {
        {"100",  "any thing",                   NULL       },
        { "100", "",                            NULL       },
        { "101", "0",                           NULL       },
        { "101", "18446744073709551616",        NULL       },
        { "101", "-1",                          "UNSIGNED" },
        { "101", "+1",                          "UNSIGNED" },
        { "101", "1.0",                         "UNSIGNED" },
        { "101", "",                            "UNSIGNED" },
        { "101", "0x1f",                        "UNSIGNED" },
        { "102", "-12",                         NULL       },
        { "102", "+12",                         NULL       },
        { "102", "12",                          NULL       },
        { "102", "1e3",                         "INTEGER"  },
        { "102", "-",                           "INTEGER"  },
        { "102", "",                            "INTEGER"  },
        { "103", "20.5",                        NULL       },
        { "103", "-.5",                         NULL       },
        { "103", "5.",                          NULL       },
        { "103", "1e-3",                        NULL       },
        { "103", "+1.5E+10",                    NULL       },
        { "103", "",                            "NUMBER"   },
        { "103", ".",                           "NUMBER"   },
        { "103", "1e",                          "NUMBER"   },
        { "103", "e1",                          "NUMBER"   },
        { "103", "1.2.3",                       "NUMBER"   },
        { "103", "nan",                         "NUMBER"   },
        { "103", "inf",                         "NUMBER"   },
        { "103", "1,5",                         "arguments"},
        { "104", "2026-01-31",                  NULL       },
        { "104", "2026-01-31T10:15:30.5+01:00", NULL       },
        { "104", "yesterday",                   "DATE"     },
        { "104", "",                            "DATE"     },
        { "104", "2026-02-30",                  "DATE"     },
        { "105", "untyped",                     NULL       },
        { "105", "",                            NULL       },
    };
    struct fixture *fx = *state;
    size_t i;

    collection(fx, GW,
               "10,100,GET,/tenant/currentTenant?a=%%,,,%%,STRING,\n"
               "10,101,GET,/tenant/currentTenant?a=%%,,,%%,UNSIGNED,\n"
               "10,102,GET,/tenant/currentTenant?a=%%,,,%%,INTEGER,\n"
               "10,103,GET,/tenant/currentTenant?a=%%,,,%%,NUMBER,\n"
               "10,104,GET,/tenant/currentTenant?a=%%,,,%%,DATE,\n"
               "10,105,GET,/tenant/currentTenant?a=%%,,,%%,,\n"
               "11,500,,,$.name\n");
    for (i = 0; i < sizeof cases / sizeof cases[0]; i++)
        expect(fx, GW, say("%s,%s\n", cases[i].id, cases[i].value),
               !cases[i].type ? "500,1,t4711\n"
               : !strcmp(cases[i].type, "arguments")
                   ? "45,1,Wrong number of arguments\n"
               : *cases[i].value
                   ? say("45,1,Value is not a %s: %s\n", cases[i].type, cases[i].value)
                   : say("45,1,\"Value is not a %s: \"\n", cases[i].type));
    expect(fx, GW, "103,\"a,\"\"b\n\"", "45,1,\"Value is not a NUMBER: a,\"\"b\n\"\n");
}

static void arguments_are_counted(void **state)
{
    struct fixture *fx = *state;

    collection(fx, GW,
               "10,100,GET,/tenant/currentTenant,,,,,\n"
               "10,101,GET,/tenant/currentTenant?a=%%&b=%%,,,%%,STRING NOW,\n"
               "10,102,GET,/tenant/currentTenant?a=%%,,,%%,NOW,\n"
               "10,103,GET,/tenant/currentTenant,,,%%,,\n"
               "10,104,GET,/tenant/currentTenant?a=%,,,%%,,\n"
               "10,105,GET,/tenant/currentTenant,,,,STRING,\n"
               "11,500,,,$.name\n");
    expect(
        fx, GW, "100\n101,a\n102\n103\n104\n105",
        "500,1,t4711\n500,2,t4711\n500,3,t4711\n500,4,t4711\n50,5,400,\"the query of "
        "/tenant/currentTenant is malformed\"\n500,6,t4711\n");
    expect(fx, GW, "100,\n101\n101,a,b\n101,\n102,a\n103,a\n105,a\n",
           "45,1,No arguments supported\n"
           "45,2,Wrong number of arguments\n"
           "45,3,Wrong number of arguments\n"
           "500,4,t4711\n"
           "45,5,Wrong number of arguments\n"
           "45,6,No arguments supported\n"
           "45,7,No arguments supported\n");
}

static void placeholders_run_through_uri_and_body(void **state)
{
    struct fixture *fx = *state;
    long long mo = make_object(fx, &fx->gw, "{}");

    collection(fx, GW,
               "10,100,PUT,/inventory/managedObjects/##," J "," J ",##,UNSIGNED STRING "
               "INTEGER NOW,\"{" Q "a" Q ":" Q "##" Q "," Q "b" Q ":##," Q "c" Q ":" Q
               "##" Q "," Q "u" Q ":" Q "#%%" Q "}\"\n"
               "10,101,PUT,/inventory/managedObjects/##," J "," J ",##,,"
               "\"{" Q "c8y_SupportedOperations" Q ":[##]}\"\n"
               "11,500,,$.a,$.a,$.b,$.u\n"
               "11,501,,$.c8y_SupportedOperations,$.c8y_SupportedOperations\n");
    expect(fx, GW, say("100,%lld,x,-5\n", mo), "500,1,x,-5,#%%\n");
    rest(fx, &fx->gw, say("GET /inventory/managedObjects/%lld", mo), NULL);
    assert_int_equal(strlen(at(fx, "c")), strlen("2026-01-31T10:15:30.123Z"));
    /* raw on purpose: the text brings its own quotes */
    expect(fx, GW, say("101,%lld,\"\"\"c8y_Restart\"\",\"\"c8y_Command\"\"\"\n", mo),
           "500,1,x,-5,#%%\n501,1,\"[\"\"c8y_Restart\"\",\"\"c8y_Command\"\"]\"\n");
    expect(fx, GW, say("101,%lld,c8y_Restart\n", mo),
           "50,1,422,\"not valid JSON at byte 29: invalid token near 'c'\"\n");
}

static void values_of_every_kind_come_out(void **state)
{
    struct fixture *fx = *state;
    long long mo = make_object(
        fx, &fx->gw,
        "{\"s\":\"a,\\\"b\\\"\\n\",\"i\":-7,\"r\":20.50,\"t\":true,\"f\":false,"
        "\"o\":{\"k\":[1,\"x\"]},\"l\":[],\"n\":null,\"e\":\"\",\"u\":\"\\u00e9\","
        "\"w\":\" x \"}");

    collection(fx, GW,
               "10,100,GET,/inventory/managedObjects/%%,,,%%,,\n"
               "11,500,,,$.s,$.i,$.r,$.t,$.f\n11,501,,,$.o,$.l\n11,502,,,$.n\n"
               "11,503,,,$.e,$.u,$.w\n11,504,,,$.o.k[1]\n11,505,,$.n,$.e\n");
    expect(fx, GW, say("100,%lld", mo),
           "500,1,\"a,\"\"b\"\"\n\",-7,20.5,true,false\n"
           "501,1,\"{\"\"k\"\":[1,\"\"x\"\"]}\",[]\n"
           "503,1,,\xc3\xa9,\" x \"\n"
           "504,1,x\n");
}

static void answers_depend_on_accept(void **state)
{
    struct fixture *fx = *state;
    static const char body[] = "\"{" Q "name" Q ":" Q "x" Q "}\"";

    collection(fx, GW,
               say("10,100,POST,/inventory/managedObjects," J ",,,,%s\n"
                   "10,101,POST,/inventory/managedObjects," J "," J ",,,%s\n"
                   "10,102,GET,/inventory/managedObjects,,,,,\n"
                   "11,500,,$.id,$.name\n11,501,$.managedObjects,$.name,$.name\n",
                   body, body));
    expect(fx, GW, "100\n", "");
    expect(fx, GW, "101\n", "500,1,x\n");
    expect(fx, GW, "102\n", "501,1," GW "\n501,1,x\n501,1,x\n");
}

static void malformed_rows_do_not_stop_the_others(void **state)
{
    struct fixture *fx = *state;

    collection(fx, GW, "10,100,GET,/tenant/currentTenant,,,,,\n11,500,,,$.name\n");
    expect(fx, GW, "100\n1\"00\n\"100\"x\n100\r\n\r\n\n100\n\"100\n100\n",
           "500,1,t4711\n42,2,Malformed Request\n42,3,Malformed Request\n"
           "500,4,t4711\n500,7,t4711\n42,8,Malformed Request\n");
    expect(fx, GW, "\"1\n2\"\n100", "43,1,Invalid message identifier\n500,2,t4711\n");
    expect(fx, GW, "100\rX\n", "42,1,Malformed Request\n");
}

static void odd_identifiers_are_unknown(void **state)
{
    static const char *const ids[] = { "",     "abc",    "-100",
                                       "+100", "1e2",    "99",
                                       "20,1", "87,1,x", "99999999999999999999" };
    struct fixture *fx = *state;
    size_t i;

    collection(fx, GW, "10,100,GET,/tenant/currentTenant,,,,,\n");
    for (i = 0; i < sizeof ids / sizeof ids[0]; i++)
        expect(fx, GW, say(",x\n%s,x\n", ids[i]),
               "43,1,Invalid message identifier\n43,2,Invalid message identifier\n");
}

static void hostile_bytes_get_an_error_row(void **state)
{
    struct fixture *fx = *state;
    long long mo = make_object(fx, &fx->gw, "{}");
    static const char *const values[] = { "a\0b", "\xff\xfe\xfd", "\xed\xa0\x80" };
    static const size_t lens[] = { 3, 3, 3 };
    char body[100];
    size_t i, n;

    collection(fx, GW,
               "10,100,PUT,/inventory/managedObjects/%%," J "," J ",%%,,"
               "\"{" Q "a" Q ":" Q "%%" Q "}\"\n"
               "10,101,GET,/inventory/managedObjects/%%,,,%%,,\n"
               "10,102,PUT,/inventory/managedObjects/%%," J "," J ",%%,,"
               "\"{" Q "a" Q ":%%}\"\n");
    for (i = 0; i < 3; i++) {
        n = (size_t)sprintf(body, "100,%lld,", mo);
        memcpy(body + n, values[i], lens[i]);
        rows_n(fx, &fx->gw, GW, body, n + lens[i]);
        assert_int_equal(strncmp(fx->answer, "50,1,422,", 9), 0);
        memcpy(body, "101,", 4);
        memcpy(body + 4, values[i], lens[i]);
        rows_n(fx, &fx->gw, GW, body, 4 + lens[i]);
        assert_int_equal(strncmp(fx->answer, "50,1,4", 6), 0);
    }
    expect(fx, GW, "101,%00\n101,%zz\n101,..%2f..%2fx\n101,99999999999999999999\n",
           "50,1,422,\"the URI of request template 101 is not valid\"\n"
           "50,2,422,\"the URI of request template 101 is not valid\"\n"
           "50,3,404,\"inventory/Not Found\"\n"
           "50,4,404,\"inventory/Not Found\"\n");
    rows(fx, &fx->gw, GW,
         say("102,%lld,1e999\n102,%lld,99999999999999999999\n", mo, mo));
    assert_int_equal(strncmp(fx->answer, "50,1,422,", 9), 0);
    assert_non_null(strstr(fx->answer, "\n50,2,422,"));
}

/* Rows cut off behind every byte are an answer, not a crash. */
static void rows_may_end_anywhere(void **state)
{
    struct fixture *fx = *state;
    size_t i;

    for (i = 0; i < strlen(gw_templates) - 2; i++) {
        rows_n(fx, &fx->gw, "cut", gw_templates, i);
        if (!strncmp(fx->answer, "20,", 3))
            rest(fx, &fx->operator,
                 say("DELETE /inventory/managedObjects/%d", atoi(fx->answer + 3)),
                 NULL);
    }
    expect(fx, "cut", "", unknown);
}

/* --- X-Ids, 15 and 87 --------------------------------------------------------------------------- */

static void an_unknown_collection_is_said_once(void **state)
{
    struct fixture *fx = *state;

    expect(fx, "nobody", "100,a\n101,b\n1\"\n", unknown);
    expect(fx, NULL, "100,a\n101\n", unknown);
    expect(fx, NULL, "", unknown);
    expect(fx, NULL, "15,nobody\n100,a\n101\n15,no\n1\n",
           "87,1,nobody\n40,\"No template for this X-ID.\"\n"
           "87,1,no\n40,\"No template for this X-ID.\"\n");
}

static void selecting_rows_count_as_lines(void **state)
{
    struct fixture *fx = *state;
    const char *id =
        collection(fx, GW, "10,100,GET,/tenant/currentTenant,,,,,\n11,500,,,$.name\n");

    expect(fx, NULL, say("15,%s\n100\n100\n9\n", id),
           say("87,3,%s\n500,2,t4711\n500,3,t4711\n43,4,Invalid message identifier\n",
               id));
    expect(fx, GW, say("100\n15,%s\n100\n", id),
           say("87,1,%s\n500,1,t4711\n87,1,%s\n500,3,t4711\n", GW, id));
    expect(fx, NULL, "15\n100\n15,a,b\n",
           "45,1,Wrong number of arguments\n40,\"No template for this X-ID.\"\n"
           "45,3,Wrong number of arguments\n");
}

static void selecting_rows_can_be_left_out_of_the_count(void **state)
{
    struct fixture *fx = *state;

    fx->gw = fx->operator;
    collection(fx, GW, "10,100,GET,/tenant/currentTenant,,,,,\n11,500,,,$.name\n");
    expect(fx, NULL, "15," GW "\n100\n15," GW "\n100\n",
           "87,1," GW "\n500,1,t4711\n87,1," GW "\n500,2,t4711\n");
}

static void wrong_credentials_are_a_row(void **state)
{
    struct fixture *fx = *state;

    assert_string_equal(rows(fx, &fx->nobody, GW, ""), "50,1,401\n");
    assert_string_equal(rows(fx, &fx->nobody, GW, "100,1\n101\n"), "50,1,401\n");
    assert_string_equal(rows(fx, &fx->nobody, NULL, "61,gw-0003"), "50,1,401\n");
}

static void the_bootstrap_user_may_do_nothing_else(void **state)
{
    struct fixture *fx = *state;

    collection(fx, GW, gw_templates);
    assert_string_equal(rows(fx, &fx->bootstrap, GW, ""), "50,1,403\n");
    assert_string_equal(rows(fx, &fx->bootstrap, GW, "100,gw-0001\n101,x\n"),
                        "50,1,403\n50,2,403\n");
    assert_string_equal(rows(fx, &fx->bootstrap, "new", "11,500,,,$.id\n"),
                        "50,1,403\n");
    assert_string_equal(rows(fx, &fx->gw, "new", ""), unknown);
}

#define TEST(function) \
    cmocka_unit_test_setup_teardown(function, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(e1_check_of_an_unknown_collection),
        TEST(e2_registration),
        TEST(e3_lookup_and_create),
        TEST(e4_aggregation_with_errors),
        TEST(e5_a_list_gives_a_row_for_each_element),
        TEST(e6_two_collections_in_one_body),
        TEST(a_collection_cannot_be_registered_twice),
        TEST(a_refused_collection_leaves_nothing_behind),
        TEST(a_collection_is_a_managed_object),
        TEST(deleting_the_object_deletes_the_collection),
        TEST(a_row_may_delete_the_collection_it_belongs_to),
        TEST(a_collection_can_be_made_through_rest),
        TEST(a_name_of_digits_never_hides_a_collection),
        TEST(several_collections_in_one_registration),
        TEST(every_error_of_a_template_has_its_text_and_line),
        TEST(identifiers_are_unique_among_request_templates),
        TEST(what_an_xid_may_not_be),
        TEST(values_are_checked_by_type),
        TEST(arguments_are_counted),
        TEST(placeholders_run_through_uri_and_body),
        TEST(values_of_every_kind_come_out),
        TEST(answers_depend_on_accept),
        TEST(malformed_rows_do_not_stop_the_others),
        TEST(odd_identifiers_are_unknown),
        TEST(hostile_bytes_get_an_error_row),
        TEST(rows_may_end_anywhere),
        TEST(an_unknown_collection_is_said_once),
        TEST(selecting_rows_count_as_lines),
        cmocka_unit_test_setup_teardown(selecting_rows_can_be_left_out_of_the_count,
                                        fixture_auto_accept, fixture_teardown),
        TEST(wrong_credentials_are_a_row),
        TEST(the_bootstrap_user_may_do_nothing_else),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
