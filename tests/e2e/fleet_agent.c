/* SPDX-License-Identifier: MIT */
/* Many agents in one process, embedded in one poll() loop, for fleet_test.
 *
 *     fleet_agent COUNT QUESTIONS SERVER BROKER FOLDER
 *
 * Each asks the platform QUESTIONS times for its own managed object, and carries out
 * one operation. Ends with 0 when all have got just that, with 1 when one of them got
 * what was meant for another. */
#include <poll.h>
#include <smartrest/smartrest.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX = 100 };

static const char srversion[] = "e2e_fleet_1";
static const char srtemplate[] =
    "10,100,GET,/identity/externalIds/c8y_Serial/%%,,application/json,%%,STRING,\n"
    "10,101,POST,/inventory/managedObjects,application/json,application/json,%%,,"
    "\"{\"\"name\"\":\"\"Fleet\"\",\"\"c8y_IsDevice\"\":{},"
    "\"\"com_cumulocity_model_Agent\"\":{}}\"\n"
    "10,102,POST,/identity/globalIds/%%/externalIds,application/json,,%%,UNSIGNED STRING,"
    "\"{\"\"type\"\":\"\"c8y_Serial\"\",\"\"externalId\"\":\"\"%%\"\"}\"\n"
    "10,105,PUT,/devicecontrol/operations/%%,application/json,,%%,UNSIGNED STRING,"
    "\"{\"\"status\"\":\"\"%%\"\"}\"\n"
    "11,500,$.managedObject,,$.id\n"
    "11,501,,$.c8y_IsDevice,$.id\n"
    "11,502,,$.c8y_Restart,$.id,$.deviceId\n";

struct member {
    struct sr_agent *agent;
    struct sr_reporter *reporter;
    long answers, operations, strays;
};

static void answered(struct sr_agent *agent, struct sr_record *record, void *arg)
{
    struct member *member = arg;

    if (strcmp(sr_record_value(record, 2), sr_agent_id(agent)))
        member->strays++;
    member->answers++;
}

static void operated(struct sr_agent *agent, struct sr_record *record, void *arg)
{
    struct member *member = arg;

    if (strcmp(sr_record_value(record, 3), sr_agent_id(agent)))
        member->strays++;
    member->operations++;
    sr_agent_sendf(agent, "105,%s,SUCCESSFUL", sr_record_value(record, 2));
}

static int start(struct member *member, int number, long questions, char **argv)
{
    char id[32], credentials[300];

    snprintf(id, sizeof id, "fleet-%d", number);
    snprintf(credentials, sizeof credentials, "%s/%s", argv[5], id);
    if (sr_agent_new(argv[3], id, &member->agent) ||
        sr_agent_bootstrap(member->agent, credentials) ||
        sr_agent_integrate(member->agent, srversion, srtemplate) ||
        sr_agent_on_message(member->agent, 500, answered, member) ||
        sr_agent_on_message(member->agent, 502, operated, member) ||
        sr_reporter_new_mqtt(member->agent, argv[4], &member->reporter) ||
        sr_reporter_set_batch(member->reporter, 5) ||
        sr_reporter_start(member->reporter)) {
        fprintf(stderr, "fleet_agent: %s\n", sr_agent_error(member->agent));
        return 1;
    }
    for (long i = 0; i < questions; i++)
        sr_agent_sendf(member->agent, "100,%s", id);
    return 0;
}

static int is_done(const struct member *member, long questions)
{
    struct sr_reporter_stats stats;

    sr_reporter_stats(member->reporter, &stats);
    return member->answers >= questions && member->operations >= 1 &&
           stats.rows_waiting == 0;
}

/* One loop for all: waits as long as the most impatient agent allows. */
static int run(struct member *members, int count, long questions)
{
    struct pollfd fds[MAX];
    int done = 0, connected = 0;

    while (done < count) {
        int timeout = -1;

        for (int i = 0; i < count; i++) {
            int t = sr_agent_timeout(members[i].agent);

            fds[i] = (struct pollfd){ sr_agent_fd(members[i].agent), POLLIN, 0 };
            if (t >= 0 && (timeout < 0 || t < timeout))
                timeout = t;
        }
        poll(fds, (nfds_t)count, timeout);
        done = 0;
        for (int i = 0; i < count; i++) {
            struct sr_reporter_stats stats;

            sr_agent_dispatch(members[i].agent);
            done += is_done(&members[i], questions);
            sr_reporter_stats(members[i].reporter, &stats);
            if (connected == i && stats.connected && ++connected == count)
                puts("all connected"), fflush(stdout);
        }
    }
    return 0;
}

int main(int argc, char **argv)
{
    static struct member members[MAX];
    int count = argc == 6 ? atoi(argv[1]) : 0;
    long questions = argc == 6 ? atol(argv[2]) : 0;
    int bad = 0;

    if (count < 1 || count > MAX)
        return 2;
    for (int i = 0; i < count; i++)
        if (start(&members[i], i, questions, argv))
            return 1;
    run(members, count, questions);
    for (int i = 0; i < count; i++) {
        const struct member *m = &members[i];

        if (m->answers != questions || m->operations != 1 || m->strays)
            printf("fleet-%d: %ld answers, %ld operations, %ld strays\n", i, m->answers,
                   m->operations, m->strays),
                bad = 1;
        sr_agent_free(m->agent);
    }
    return bad;
}
