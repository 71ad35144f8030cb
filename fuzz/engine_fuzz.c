/* SPDX-License-Identifier: MIT */
/* Any body, over HTTP and over MQTT, is answered with well-formed rows: built-in
 * ones or those of the templates, with a line that is in the body, and groups as
 * long as their row 87 says. The first byte chooses who sends it and to whom. */
#include "../sandbox/platform.h"
#include "fuzz.h"

#include <smartrest/record.h>
#include <stdbool.h>
#include <string.h>

/* A collection that reaches every resource. */
static const char templates[] =
    "10,100,GET,/identity/externalIds/c8y_Serial/%%,,,%%,STRING,\n"
    "10,101,GET,/inventory/managedObjects/%%,,,%%,UNSIGNED,\n"
    "10,102,GET,/inventory/managedObjects?%%,,,%%,,\n"
    "10,103,GET,/measurement/measurements?%%,,,%%,,\n"
    "10,104,GET,/%%,,,%%,,\n"
    "10,110,POST,/inventory/managedObjects,a,a,%%,,{%%}\n"
    "10,111,POST,/measurement/measurements,a,a,%%,,"
    "\"{\"\"source\"\":{\"\"id\"\":\"\"10000\"\"},%%}\"\n"
    "10,112,POST,/devicecontrol/operations,a,a,%%,,%%\n"
    "10,113,POST,/%%,a,a,%%,,%%\n"
    "10,114,POST,/alarm/alarms,a,a,%%,,%%\n"
    "10,120,DELETE,/%%,,,%%,,\n"
    "10,121,PUT,/inventory/managedObjects/%%,a,a,%%,INTEGER NUMBER DATE NOW,"
    "\"{\"\"n\"\":%%,\"\"d\"\":\"\"%%\"\",\"\"t\"\":\"\"%%\"\"}\"\n"
    "11,500,$.managedObject,,$.id\n"
    "11,501,,$.owner,$.id,$.name\n"
    "11,502,$.managedObjects,,$.id\n"
    "11,503,$.measurements,$.type,$\n"
    "11,504,,,$.a.b[0].c\n"
    "11,505,,$.deviceId,$.id\n";

static struct sb_platform *platform;
static struct sb_identity users[4];
static unsigned runs;

static void check_rows(const char *text, size_t len, bool http);

static void on_publish(void *arg, const char *device, const char *topic,
                       const char *payload, size_t len)
{
    (void)arg;
    must(*device && *topic && len && payload[len - 1] != '\n');
    check_rows(payload, len, false);
}

/* What the parts of a row have in common. */
static void check_row(struct sr_record *record)
{
    uint64_t id, line;

    must(sr_record_uint(record, 0, &id) == 0);
    if (id == 20 || id == 40 || id == 87)
        must(sr_record_size(record) == 2 + (id == 87));
    else if (id == 41 || id == 42 || id == 43 || id == 45 || id == 50)
        must(sr_record_uint(record, 1, &line) == 0 && line > 0);
    else if (id == 70)
        must(sr_record_size(record) == 6);
    else
        must(sr_record_uint(record, 1, &line) == 0 && line > 0 &&
             sr_record_size(record) > 2);
}

static void check_rows(const char *text, size_t len, bool http)
{
    struct sr_parser parser;
    struct sr_record *record;
    uint64_t announced = 0;
    bool groups = false;
    int rc;

    must(!http || !len || text[len - 1] == '\n');
    sr_parser_init(&parser, text, len);
    while ((rc = sr_parser_next(&parser, &record)) != SR_E_END) {
        must(rc == 0);
        check_row(record);
        if (!strcmp(sr_record_value(record, 0), "87")) {
            must(announced == 0);
            must(sr_record_uint(record, 1, &announced) == 0 && announced > 0);
            groups = true;
        } else if (groups && announced) {
            announced--;
        }
    }
    must(announced == 0);
    sr_parser_release(&parser);
}

static bool registered;

static void post(const struct sb_identity *who, const char *xid, const char *body,
                 size_t len)
{
    struct sb_request request = { .identity = *who,
                                  .method = "POST",
                                  .path = "/s",
                                  .query = "",
                                  .host = "localhost",
                                  .x_id = xid,
                                  .body = body,
                                  .len = len };
    struct sb_response response;

    sb_platform_http(platform, &request, &response);
    must(response.status == 200);
    check_rows(response.body ? response.body : "", response.len, true);
    registered = response.body && !strncmp(response.body, "20,", 3);
    sb_response_release(&response);
}

static void open_platform(void)
{
    struct sb_config config = { .tenant = "t",
                                .auto_accept = true,
                                .operator_user = "op",
                                .operator_password = "pw" };
    char *error;

    must(sb_platform_open(&config, (struct sb_sink){ on_publish, NULL }, &platform,
                          &error) == 0);
    sb_platform_authenticate(platform, "op", "pw", &users[0]);
    sb_platform_authenticate(platform, "management/devicebootstrap", "Fhdt1bb1f",
                             &users[1]);
    users[2] =
        (struct sb_identity){ .role = SB_DEVICE, .user = "device_d", .device_id = "d" };
    strcpy(users[0].device_id, "operator");
    post(&users[0], "x", templates, strlen(templates));
    must(registered);
    sb_platform_mqtt_subscribed(platform, "d", "s/dl", true);
    sb_platform_mqtt_subscribed(platform, "d", "s/dl/x", true);
    sb_platform_mqtt_subscribed(platform, "d", "s/e", true);
    sb_platform_mqtt_subscribed(platform, "d", "s/ol/x", true);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    const char *body = (const char *)data + 1;
    const struct sb_identity *who;

    if (!len)
        return 0;
    if (runs++ % 500 == 0) { /* a store that does not grow for ever */
        sb_platform_close(platform);
        open_platform();
    }
    who = &users[data[0] & 3];
    post(who, data[0] & 4 ? "x" : data[0] & 8 ? "10000" : NULL, body, len - 1);
    sb_platform_mqtt_message(platform, &users[2], data[0] & 16 ? "s/ul/x" : "t/ul",
                             body, len - 1);
    return 0;
}
