/* SPDX-License-Identifier: MIT */
/* What every protocol has to do on every transport: rows arrive where their channel says, as the
 * protocol frames them, in order, and once they are acknowledged they are forgotten; answers reach who
 * hears their origin and nobody else; what is too large is refused by name. */
#include "reporter/fixture.h"
#include "subjects.h"
#include "support/lines_protocol.h"
#include <sys/stat.h>

struct combination {
    const struct subject *subject;
    enum sr_carrier by;
};

struct world {
    struct fixture *fx;
    const struct combination *is;
    uint32_t a, b; /* channels */
    unsigned told[SR_FATES];
    char trouble[1024], dir[64];
};

static struct world world;

static int set_up(void **state)
{
    void *fx = NULL;
    int rc = fixture_set_up(&fx);

    world = (struct world){ .fx = fx, .is = *state };
    sr_protocol_add(&lines_protocol);
    return rc;
}

static int tear_down(void **state)
{
    void *fx = world.fx;
    char command[128];

    (void)state;
    fixture_tear_down(&fx);
    sr_protocol_add(NULL);
    snprintf(command, sizeof command, "rm -rf '%s'", world.dir);
    return *world.dir ? system(command) : 0;
}

/* --- the other end --------------------------------------------------------------- */

/* Answers each publish on `a`, to who hears "a". */
static void answer_by_mqtt(struct broker_connection *connection, void *arg)
{
    const struct subject *subject = world.is->subject;
    const struct packet *p;

    (void)arg;
    while ((p = broker_next_publish(connection))) {
        broker_puback(connection, p->id);
        broker_publish(connection, subject->topic, subject->answer[SR_BY_MQTT], 0, 0);
    }
}

/* Takes a publish and is gone; from the next connection on all is well. */
static void break_once(struct broker_connection *connection, void *arg)
{
    if (broker_number(connection) == 0)
        broker_next_publish(connection);
    else
        behave(connection, arg);
}

static void begin(broker_script script, const struct http_step *steps, size_t count)
{
    struct fixture *fx = world.fx;
    const char *protocol = world.is->subject->protocol->name;

    if (world.is->by == SR_BY_MQTT)
        with_broker(fx, script);
    else
        with_http(fx, steps, count);
    assert_int_equal(sr_agent_set(fx->agent, "linger", "20"), 0);
    assert_int_equal(sr_agent_channel(fx->agent, protocol, "a", &world.a), 0);
    assert_int_equal(sr_agent_channel(fx->agent, protocol, "b", &world.b), 0);
}

static void begin_well(void)
{
    const struct subject *subject = world.is->subject;
    const struct http_step steps[] = {
        {HTTP_ANSWER, (int)subject->protocol->status, subject->taken},
    };

    begin(behave, steps, 1);
}

static unsigned arrived(void)
{
    return world.is->by == SR_BY_MQTT ? broker_count(world.fx->broker, PUBLISH)
                                      : scripted_http_requests(world.fx->http);
}

/* Where the i-th payload arrived: topic, or path. */
static const char *place_of(unsigned i)
{
    static char path[256];
    const char *head, *end;

    if (world.is->by == SR_BY_MQTT)
        return broker_seen(world.fx->broker, PUBLISH, i)->topic;
    head = scripted_http_head(world.fx->http, i);
    assert_int_equal(strncmp(head, "POST ", 5), 0);
    end = strchr(head + 5, ' ');
    snprintf(path, sizeof path, "%.*s", (int)(end - head - 5), head + 5);
    return path;
}

static const char *payload_of(unsigned i)
{
    return world.is->by == SR_BY_MQTT
               ? broker_seen(world.fx->broker, PUBLISH, i)->payload
               : scripted_http_body(world.fx->http, i);
}

/* All rows that have arrived from the i-th payload on: "<channel>:<row> ". */
static const char *rows_from(unsigned i)
{
    static char text[1 << 20];

    text[0] = '\0';
    for (; i < arrived(); i++)
        world.is->subject->decode(place_of(i), payload_of(i), text, sizeof text);
    return text;
}

/* --- this end -------------------------------------------------------------------- */

static void note_fate(void *arg, enum sr_fate fate)
{
    (void)arg;
    world.told[fate]++;
}

static int send_on(uint32_t channel, int prio, const char *row)
{
    return sr_agent_send_with(world.fx->agent, row,
                              &(struct sr_send_options){ .prio = prio,
                                                         .delivered = note_fate,
                                                         .channel = channel });
}

static void send_well(uint32_t channel, int prio, const char *row)
{
    assert_int_equal(send_on(channel, prio, row), 0);
}

static void go(void)
{
    start(world.fx);
}

/* --- up --------------------------------------------------------------------------- */

static void a_row_arrives_where_its_channel_says(void **state)
{
    const struct combination *is = *state;

    begin_well();
    send_well(world.a, 0, "1,x");
    go();
    run_until(world.fx->agent, world.told[SR_FATE_DELIVERED] == 1);
    assert_int_equal(arrived(), 1);
    assert_string_equal(place_of(0), is->subject->one[is->by].to);
    assert_string_equal(payload_of(0), is->subject->one[is->by].payload);
    assert_int_equal(stats_of(world.fx).rows_acked, 1);
    assert_int_equal(stats_of(world.fx).rows_waiting, 0);
}

static void two_channels_and_two_classes_keep_their_order(void **state)
{
    (void)state;
    begin_well();
    send_well(world.a, 0, "1");
    send_well(world.a, SR_PRIO_BUF, "2");
    send_well(world.b, SR_PRIO_BUF, "3,\"c,d\"");
    send_well(world.b, 0, "4");
    send_well(world.a, 0, "5\n6");
    send_well(world.a, SR_PRIO_BUF, "7");
    go();
    run_until(world.fx->agent, world.told[SR_FATE_DELIVERED] == 6);
    assert_string_equal(rows_from(0), "a:1 a:2 b:3,\"c,d\" b:4 a:5 a:6 a:7 ");
}

static void rows_of_the_agents_own_collection_go_between(void **state)
{
    struct fixture *fx = world.fx;

    (void)state;
    begin_well();
    send_well(world.a, 0, "1");
    send_well(0, 0, "2");
    send_well(world.a, 0, "3");
    /* What answers all in one way cannot answer both. */
    if (world.is->by == SR_BY_HTTP && strcmp(world.is->subject->taken, ""))
        return;
    go();
    run_until(fx->agent, world.told[SR_FATE_DELIVERED] == 3);
    assert_non_null(strstr(rows_from(0), "a:1 "));
    assert_true(strstr(rows_from(0), "a:1 ") < strstr(rows_from(0), "a:3 "));
    assert_non_null(strstr(payload_of(arrived() > 1), "15,24830\n2"));
}

static void after_an_outage_all_rows_come_again_in_order(void **state)
{
    const struct subject *subject = world.is->subject;
    const struct http_step steps[] = {
        {HTTP_CLOSE,   0,                              ""            },
        { HTTP_ANSWER, (int)subject->protocol->status, subject->taken},
    };
    unsigned first;

    (void)state;
    begin(break_once, steps, 2);
    send_well(world.a, SR_PRIO_BUF, "1");
    send_well(world.a, 0, "2");
    send_well(world.b, SR_PRIO_BUF, "3");
    go();
    run_until(world.fx->agent, world.told[SR_FATE_DELIVERED] == 3);
    first = 1;
    while (!strstr(rows_from(first), "a:1 a:2 b:3 ") && first < arrived())
        first++; /* by MQTT a window of payloads was under way */
    assert_string_equal(rows_from(first), "a:1 a:2 b:3 ");
}

/* --- down ------------------------------------------------------------------------- */

static void hear_b(struct sr_agent *agent, struct sr_record *record, void *arg)
{
    (void)agent, (void)record, (void)arg;
    fail_msg("a row of another origin was heard");
}

static void an_answer_reaches_who_hears_its_origin(void **state)
{
    const struct combination *is = *state;
    const struct sr_protocol *protocol = is->subject->protocol;
    const struct http_step steps[] = {
        {HTTP_ANSWER, (int)protocol->status, is->subject->answer[SR_BY_HTTP]},
    };
    struct fixture *fx = world.fx;

    begin(answer_by_mqtt, steps, 1);
    assert_int_equal(
        sr_agent_on_origin(fx->agent, protocol->name, "a", "500", hear, fx), 0);
    assert_int_equal(
        sr_agent_on_origin(fx->agent, protocol->name, "b", "500", hear_b, fx), 0);
    for (size_t i = 0; i < subject_count; i++)
        if (subjects[i].protocol != protocol)
            assert_int_equal(sr_agent_on_origin(fx->agent, subjects[i].protocol->name,
                                                "a", "500", hear_b, fx),
                             0);
    send_well(world.a, 0, "1,x");
    go();
    run_until(fx->agent, *fx->heard);
    assert_string_equal(fx->heard, "500,yes;");
}

/* --- how large -------------------------------------------------------------------- */

static size_t most_on_a(void)
{
    return sr_protocol_row_max(world.is->subject->protocol, world.is->by, "a", false);
}

static char *row_of(size_t len)
{
    char *row = malloc(len + 1);

    memset(row, '1', len);
    row[len] = '\0';
    return row;
}

static void the_largest_row_arrives_and_a_larger_one_is_refused_by_name(void **state)
{
    size_t most = most_on_a();
    char *row = row_of(most + 1), sentence[128];

    (void)state;
    begin_well();
    snprintf(sentence, sizeof sentence, "a row of %zu bytes: %zu are the most by %s",
             most + 1, most, sr_carrier_name(world.is->by));
    assert_int_equal(send_on(world.a, 0, row), SR_E_TOOBIG);
    assert_string_equal(sr_agent_error(world.fx->agent), sentence);
    row[most] = '\0';
    send_well(world.b, 0, "1");
    send_well(world.a, 0, row);
    send_well(world.b, 0, "2");
    go();
    run_until(world.fx->agent, world.told[SR_FATE_DELIVERED] == 3);
    assert_non_null(strstr(payload_of(arrived() > 1), row));
    free(row);
}

static void note_trouble(struct sr_agent *agent, enum sr_trouble trouble,
                         const char *text, void *arg)
{
    (void)agent, (void)arg;
    if (trouble == SR_TROUBLE_POISON && text)
        snprintf(world.trouble, sizeof world.trouble, "%s", text);
}

/* Its reporter comes later: all rows are taken until then. */
static void begin_without_a_reporter(void)
{
    struct fixture *fx = world.fx;

    begin_well();
    fx->reporter = sr_reporter_free(fx->reporter);
    sr_agent_on_trouble(fx->agent, note_trouble, NULL);
}

static void make_the_reporter(void)
{
    struct fixture *fx = world.fx;

    assert_int_equal(
        world.is->by == SR_BY_MQTT
            ? sr_reporter_new_mqtt(fx->agent, fx->broker_url, &fx->reporter)
            : sr_reporter_new_http(fx->agent, &fx->reporter),
        0);
}

static void expect_set_aside(size_t len)
{
    char sentence[128];

    snprintf(sentence, sizeof sentence, ": a row of %zu bytes: %zu are the most by %s",
             len, most_on_a(), sr_carrier_name(world.is->by));
    assert_non_null(strstr(
        world.trouble, "a row that the platform never takes was set aside: a,1111"));
    assert_non_null(strstr(world.trouble, sentence));
    assert_string_equal(rows_from(0), "a:1 b:2 ");
}

static void a_row_too_large_for_the_reporter_that_comes_is_set_aside(void **state)
{
    size_t len = most_on_a() + 1;
    char *row = row_of(len);

    (void)state;
    if (len > SR_ROW_MAX_HTTP) {
        free(row);
        return; /* no row is */
    }
    begin_without_a_reporter();
    send_well(world.a, 0, "1");
    send_well(world.a, 0, row);
    send_well(world.b, 0, "2");
    make_the_reporter();
    go();
    run_until(world.fx->agent, world.told[SR_FATE_DELIVERED] == 2);
    run_until(world.fx->agent, world.told[SR_FATE_POISON] == 1);
    expect_set_aside(len);
    free(row);
}

static void open_outbox(void)
{
    strcpy(world.dir, "/tmp/sr-protocol-XXXXXX");
    assert_non_null(mkdtemp(world.dir));
    assert_int_equal(sr_agent_open_outbox(world.fx->agent, world.dir), 0);
}

static void a_stored_row_too_large_is_set_aside_in_the_quarantine_file(void **state)
{
    size_t len = most_on_a() + 1;
    char *row = row_of(len), path[128];
    struct stat file;

    (void)state;
    if (len > SR_ROW_MAX_HTTP) {
        free(row);
        return;
    }
    begin_without_a_reporter();
    open_outbox();
    send_well(world.a, SR_PRIO_BUF, "1");
    send_well(world.a, SR_PRIO_BUF, row);
    send_well(world.b, SR_PRIO_BUF, "2");
    make_the_reporter();
    go();
    run_until(world.fx->agent, world.told[SR_FATE_DELIVERED] == 2);
    run_until(world.fx->agent, world.told[SR_FATE_POISON] == 1);
    expect_set_aside(len);
    snprintf(path, sizeof path, "%s/quarantine", world.dir);
    assert_int_equal(stat(path, &file), 0);
    assert_true((size_t)file.st_size > len);
    free(row);
}

/* As after the end of the process. */
static void restart(void)
{
    struct fixture *fx = world.fx;

    fx->agent = sr_agent_free(fx->agent);
    make_agent(fx, fx->http ? scripted_http_port(fx->http) : 9);
    assert_int_equal(sr_agent_set(fx->agent, "linger", "20"), 0);
    assert_int_equal(sr_agent_open_outbox(fx->agent, world.dir), 0);
}

/* A list of packages may be most of it. */
static void what_an_earlier_run_left_goes_on_its_channel(void **state)
{
    size_t most = most_on_a();
    char *row = row_of(most), *expected = malloc(most + 32);

    (void)state;
    begin_without_a_reporter();
    open_outbox();
    send_well(world.a, SR_PRIO_BUF, "1");
    send_well(world.a, SR_PRIO_BUF, row);
    send_well(world.b, SR_PRIO_BUF, "2");
    restart();
    make_the_reporter();
    assert_int_equal(sr_agent_channel(world.fx->agent,
                                      world.is->subject->protocol->name, "c", &world.b),
                     0);
    send_well(world.b, SR_PRIO_BUF, "3");
    go();
    run_until(world.fx->agent, stats_of(world.fx).rows_acked == 4);
    sprintf(expected, "a:1 a:%s b:2 c:3 ", row);
    assert_string_equal(rows_from(0), expected);
    free(row);
    free(expected);
}

/* --- all of them -------------------------------------------------------------------- */

#define TEST(test)                           \
    {                                        \
#test, test, set_up, tear_down, NULL \
    }

int main(void)
{
    const struct CMUnitTest each[] = {
        TEST(a_row_arrives_where_its_channel_says),
        TEST(two_channels_and_two_classes_keep_their_order),
        TEST(rows_of_the_agents_own_collection_go_between),
        TEST(after_an_outage_all_rows_come_again_in_order),
        TEST(an_answer_reaches_who_hears_its_origin),
        TEST(the_largest_row_arrives_and_a_larger_one_is_refused_by_name),
        TEST(a_row_too_large_for_the_reporter_that_comes_is_set_aside),
        TEST(a_stored_row_too_large_is_set_aside_in_the_quarantine_file),
        TEST(what_an_earlier_run_left_goes_on_its_channel),
    };
    enum { EACH = sizeof each / sizeof *each };
    struct combination combinations[16];
    int failed = 0;

    for (size_t i = 0; i < subject_count * SR_CARRIERS; i++) {
        const struct subject *subject = &subjects[i / SR_CARRIERS];
        struct CMUnitTest tests[EACH];

        combinations[i] =
            (struct combination){ subject, (enum sr_carrier)(i % SR_CARRIERS) };
        printf("%s by %s\n", subject->protocol->name,
               sr_carrier_name(combinations[i].by));
        memcpy(tests, each, sizeof tests);
        for (size_t k = 0; k < EACH; k++)
            tests[k].initial_state = &combinations[i];
        failed +=
            cmocka_run_group_tests_name(subject->protocol->name, tests, NULL, NULL);
    }
    return failed;
}
