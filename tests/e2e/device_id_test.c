/* SPDX-License-Identifier: MIT */
/* Device ids of every length and with odd characters, by HTTP and by MQTT: a device that
 * starts again finds the object that it made, or its id is refused by name at the first
 * call. */
#include "support/run.h"
#include "world.h"

#include <smartrest/smartrest.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char srversion[] = "e2e_device_id_1";
static const char srtemplate[] =
    "10,100,GET,/identity/externalIds/c8y_Serial/%%,,application/json,%%,STRING,\n"
    "10,101,POST,/inventory/managedObjects,application/json,application/json,%%,STRING,"
    "\"{\"\"name\"\":\"\"%%\"\",\"\"c8y_IsDevice\"\":{}}\"\n"
    "10,102,POST,/identity/globalIds/%%/externalIds,application/json,,%%,UNSIGNED STRING,"
    "\"{\"\"type\"\":\"\"c8y_Serial\"\",\"\"externalId\"\":\"\"%%\"\"}\"\n"
    "10,103,GET,/inventory/managedObjects/%%,,application/json,%%,UNSIGNED,\n"
    "11,500,$.managedObject,,$.id\n"
    "11,501,,$.c8y_IsDevice,$.id\n"
    "11,504,,$.c8y_IsDevice,$.id,$.name\n";

static struct world world;

static int set_up(void **state)
{
    (void)state;
    no_proxies();
    world_prepare(&world);
    world_start(&world, "--auto-accept");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    world_end(&world);
    return 0;
}

/* --- a device ------------------------------------------------------------------------ */

struct heard {
    char object[32], name[1100];
};

static void hear(struct sr_agent *agent, struct sr_record *record, void *arg)
{
    struct heard *heard = arg;

    (void)agent;
    snprintf(heard->object, sizeof heard->object, "%s", sr_record_value(record, 2));
    snprintf(heard->name, sizeof heard->name, "%s", sr_record_value(record, 3));
}

static struct sr_agent *known_agent(const char *id, const char *credentials)
{
    struct sr_agent *agent;

    assert_int_equal(sr_agent_new(world.server, id, &agent), 0);
    if (sr_agent_bootstrap(agent, credentials) ||
        sr_agent_integrate(agent, srversion, srtemplate))
        fail_msg("'%s': %s", id, sr_agent_error(agent));
    return agent;
}

/* Starts, asks for its own object, and ends. */
static void live(const char *id, const char *credentials, bool by_mqtt,
                 char ret_object[32])
{
    struct sr_agent *agent = known_agent(id, credentials);
    struct sr_reporter *reporter;
    struct heard heard = { .object = "" };

    assert_int_equal(by_mqtt ? sr_reporter_new_mqtt(agent, world.broker, &reporter)
                             : sr_reporter_new_http(agent, &reporter),
                     0);
    assert_int_equal(sr_reporter_set_linger(reporter, 0), 0);
    sr_agent_on_message(agent, 504, hear, &heard);
    assert_int_equal(sr_reporter_start(reporter), 0);
    assert_int_equal(sr_agent_sendf(agent, "103,%s", sr_agent_id(agent)), 0);
    run_until(agent, *heard.object);
    assert_string_equal(heard.object, sr_agent_id(agent));
    assert_string_equal(heard.name, id);
    snprintf(ret_object, 32, "%s", sr_agent_id(agent));
    sr_agent_free(agent);
}

static void starts_twice_as_one_device(const char *id)
{
    size_t before = operator_count_devices(&world);
    char credentials[256], objects[4][32];

    snprintf(credentials, sizeof credentials, "%s/credentials", world.sandbox.dir);
    for (int i = 0; i < 4; i++) {
        if (i == 2)
            unlink(credentials); /* it asks for them again */
        live(id, credentials, i % 2, objects[i]);
        assert_string_equal(objects[i], objects[0]);
    }
    unlink(credentials);
    assert_int_equal(operator_count_devices(&world), before + 1);
}

/* `len` bytes, of characters that are `of` over and over. */
static const char *made_of(const char *of, size_t len)
{
    static char id[1100];

    for (size_t i = 0; i < len; i++)
        id[i] = of[i % strlen(of)];
    id[len] = '\0';
    return id;
}

static void ids_of_every_length_are_one_device_each(void **state)
{
    static const size_t lens[] = { 1, 2, 255, 256, 992, 993, 994, 999, 1000 };

    (void)state;
    for (size_t i = 0; i < sizeof lens / sizeof *lens; i++)
        starts_twice_as_one_device(made_of("x", lens[i]));
    starts_twice_as_one_device(made_of("\xc3\xa4", 1000));
    starts_twice_as_one_device(made_of("\xf0\x9f\x9a\x80", 1000));
}

static void odd_characters_are_no_matter(void **state)
{
    static const char *const ids[] = {
        "a.b-c_d~e", "a,b",   "a\"b",  "\"quoted\"",     "it's",    "a&b=c",
        "a;b",       "a!b*c", "(a)@b", "[a]{b}<c>",      "a|b^c`d", "...",
        "-a",        "50",    "20,1",  "Ger\xc3\xa4t-7",
    };

    (void)state;
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++)
        starts_twice_as_one_device(ids[i]);
}

/* --- what is refused ------------------------------------------------------------------- */

static void is_refused(const char *id, const char *reason)
{
    static struct answer answer;
    struct sr_agent *agent;
    char body[1200];

    assert_int_equal(sr_agent_new(world.server, id, &agent), 0);
    assert_int_equal(sr_agent_bootstrap(agent, "/tmp/never-written"), SR_E_INVAL);
    if (!strstr(sr_agent_error(agent), reason))
        fail_msg("'%s' is not in '%s'", reason, sr_agent_error(agent));
    sr_agent_free(agent);
    snprintf(body, sizeof body, "{\"id\":\"%s\"}", id);
    answer = http_call(&world.sandbox, OPERATOR, "POST",
                       "/devicecontrol/newDeviceRequests", NULL, body);
    assert_int_equal(answer.status, 422);
    assert_non_null(strstr(answer.body, reason));
}

static void other_ids_are_refused_by_name_here_and_there(void **state)
{
    size_t before = operator_count_devices(&world);

    (void)state;
    is_refused("", "is empty");
    is_refused(made_of("x", 1001), "is longer than 1000 bytes");
    is_refused("50%", "holds a '%'");
    is_refused("a%20b", "holds a '%'");
    is_refused("who?", "holds a '?'");
    is_refused("a/b", "holds a '/'");
    is_refused("a:b", "holds a ':'");
    is_refused("a+b", "holds a '+'");
    is_refused("a#b", "holds a '#'");
    is_refused("a$b", "holds a '$'");
    is_refused("a b", "holds white space");
    is_refused(".", "is a folder's name");
    is_refused("..", "is a folder's name");
    assert_int_equal(operator_count_devices(&world), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_of_every_length_are_one_device_each),
        cmocka_unit_test(odd_characters_are_no_matter),
        cmocka_unit_test(other_ids_are_refused_by_name_here_and_there),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
