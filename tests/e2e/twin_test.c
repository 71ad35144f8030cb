/* SPDX-License-Identifier: MIT */
/* Two agents of one client id at a real broker, which throws one out when the other comes; and
 * one agent whose idle line breaks as often. */
#include "support/fault_proxy.h"
#include "support/run.h"
#include "world.h"

#include "outbox_templates.h"
#include <smartrest/smartrest.h>
#include <stdio.h>
#include <string.h>

enum { CUTS = 8 }; /* more than it takes to be told of a twin */

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

/* --- a subject ----------------------------------------------------------------------- */

struct subject {
    struct sr_agent *agent;
    struct sr_reporter *reporter;
    unsigned twins;
    char text[2048];
};

static void note_trouble(struct sr_agent *agent, enum sr_trouble trouble,
                         const char *text, void *arg)
{
    struct subject *subject = arg;

    (void)agent;
    if (trouble != SR_TROUBLE_TWIN || !text)
        return;
    subject->twins++;
    snprintf(subject->text, sizeof subject->text, "%s", text);
}

/* All with the same id have the same credentials, too. */
static void subject_start(struct subject *subject, const char *id, const char *broker)
{
    char credentials[256];

    *subject = (struct subject){ 0 };
    snprintf(credentials, sizeof credentials, "%s/%s.credentials", world.sandbox.dir,
             id);
    assert_int_equal(sr_agent_new(world.server, id, &subject->agent), 0);
    assert_int_equal(sr_agent_set(subject->agent, "slow_retry", "2"), 0);
    sr_agent_on_trouble(subject->agent, note_trouble, subject);
    if (sr_agent_bootstrap(subject->agent, credentials) ||
        sr_agent_integrate(subject->agent, outbox_version, outbox_template) ||
        sr_reporter_new_mqtt(subject->agent, broker, &subject->reporter) ||
        sr_reporter_start(subject->reporter))
        fail_msg("%s", sr_agent_error(subject->agent));
}

static bool is_up(const struct subject *subject)
{
    struct sr_reporter_stats stats;

    sr_reporter_stats(subject->reporter, &stats);
    return stats.connected;
}

/* --- tests ---------------------------------------------------------------------------- */

static bool know_both(struct subject pair[2])
{
    turn(pair[1].agent);
    return pair[0].twins && pair[1].twins;
}

static void two_agents_of_one_id_are_both_told_of_a_twin(void **state)
{
    struct subject pair[2];

    (void)state;
    for (int i = 0; i < 2; i++)
        subject_start(&pair[i], "twin", world.broker);
    run_until(pair[0].agent, know_both(pair));
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pair[i].twins, 1);
        assert_non_null(strstr(pair[i].text, "'d:twin'"));
        sr_agent_free(pair[i].agent);
    }
}

static void an_idle_line_that_breaks_often_is_no_twin(void **state)
{
    struct fault_proxy *line = fault_proxy_start((uint16_t)world.sandbox.mqtt_port);
    struct subject subject;
    char broker[64];

    (void)state;
    assert_non_null(line);
    snprintf(broker, sizeof broker, "mqtt://127.0.0.1:%u",
             (unsigned)fault_proxy_port(line));
    subject_start(&subject, "flaky", broker);
    for (int i = 0; i < CUTS; i++) {
        run_until(subject.agent, is_up(&subject));
        run_for(subject.agent, 100); /* idle */
        fault_proxy_cut(line, FAULT_RESET);
        run_until(subject.agent, !is_up(&subject));
    }
    run_until(subject.agent, is_up(&subject));
    assert_int_equal(subject.twins, 0);
    assert_int_equal(fault_proxy_count(line, FAULT_CUTS), CUTS);
    sr_agent_free(subject.agent);
    fault_proxy_stop(line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_agents_of_one_id_are_both_told_of_a_twin),
        cmocka_unit_test(an_idle_line_that_breaks_often_is_no_twin),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
