/* SPDX-License-Identifier: MIT */
/* Two agents of one client id at a real broker, which throws one out when the other comes. */
#include "support/run.h"
#include "world.h"

#include "outbox_templates.h"
#include <smartrest/smartrest.h>
#include <stdio.h>
#include <string.h>

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_agents_of_one_id_are_both_told_of_a_twin),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
