/* SPDX-License-Identifier: MIT */
#include "rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

void rig_open(struct rig *rig, bool by_mqtt)
{
    *rig = (struct rig){ 0 };
    lane_open(&rig->lane, by_mqtt, 1);
    sr_log_set_level(SR_LOG_OFF);
}

void rig_close(struct rig *rig)
{
    rig_stop(rig);
    lane_close(&rig->lane);
}

/* --- the agent ------------------------------------------------------------------ */

static void on_trouble(struct sr_agent *agent, enum sr_trouble trouble,
                       const char *text, void *arg)
{
    struct rig *rig = arg;

    (void)agent;
    if (!text) {
        rig->over[trouble]++;
        return;
    }
    rig->began[trouble]++;
    snprintf(rig->text, sizeof rig->text, "%s", text);
}

static void on_loss(struct sr_agent *agent, const struct sr_loss *loss, void *arg)
{
    struct rig *rig = arg;

    (void)agent;
    rig->lost += loss->rows;
}

static int new_reporter(struct rig *rig)
{
    return rig->lane.by_mqtt
               ? sr_reporter_new_mqtt(rig->agent, rig->lane.broker, &rig->reporter)
               : sr_reporter_new_http(rig->agent, &rig->reporter);
}

void rig_start(struct rig *rig, const char *dir, const char *const *settings)
{
    rig->lane.window = rig->lane.by_mqtt ? 4 : 1;
    assert_int_equal(sr_agent_new(rig->lane.server, "fault-1", &rig->agent), 0);
    sr_agent_on_trouble(rig->agent, on_trouble, rig);
    sr_agent_on_loss(rig->agent, on_loss, rig);
    sr_agent_set_credentials(rig->agent, "t4711", "device_fault", "s3cr3t9xQ");
    sr_agent_set_xid(rig->agent, "24830");
    assert_int_equal(sr_agent_set(rig->agent, "linger", "5"), 0);
    for (; *settings; settings += 2)
        assert_int_equal(sr_agent_set(rig->agent, settings[0], settings[1]), 0);
    assert_int_equal(sr_agent_open_outbox(rig->agent, dir), 0);
    assert_int_equal(new_reporter(rig), 0);
    assert_int_equal(sr_reporter_start(rig->reporter), 0);
}

void rig_stop(struct rig *rig)
{
    rig->agent = sr_agent_free(rig->agent);
    receiver_turn(rig->lane.receiver);
}

/* --- rows ----------------------------------------------------------------------- */

void rig_send(struct rig *rig, unsigned rows)
{
    struct ledger *ledger = rig->lane.ledger;
    char text[LEDGER_TEXT];

    while (rows--) {
        uint32_t n = atomic_fetch_add(&ledger->next, 1);

        atomic_store(&ledger->state[n], LEDGER_TRIED);
        ledger_text(n, text);
        assert_int_equal(sr_agent_send(rig->agent, text, SR_PRIO_BUF), 0);
        atomic_store(&ledger->state[n], LEDGER_ACCEPTED);
    }
}

void rig_turn(struct rig *rig, unsigned most_ms)
{
    struct pollfd fds[1 + RECEIVER_FDS];
    int timeout = (int)most_ms, agent = sr_agent_timeout(rig->agent);
    int64_t due = receiver_due_us(rig->lane.receiver);

    fds[0] = (struct pollfd){ .fd = sr_agent_fd(rig->agent), .events = POLLIN };
    if (agent >= 0 && agent < timeout)
        timeout = agent;
    if (due != INT64_MAX)
        timeout = timeout < 2 ? timeout : 2;
    poll(fds, 1 + receiver_fds(rig->lane.receiver, fds + 1), timeout);
    receiver_turn(rig->lane.receiver);
    sr_agent_dispatch(rig->agent);
}

void rig_run(struct rig *rig, unsigned ms)
{
    int64_t until = receiver_now_us() + ms * 1000ll;

    while (receiver_now_us() < until)
        rig_turn(rig, 10);
}

void rig_expect_all(struct rig *rig)
{
    struct judge *judge = &rig->lane.judge;

    rig_until(rig, judge_has_all(judge));
    if (*judge_verdict(judge))
        fail_msg("%s", judge->wrong);
    assert_int_equal(rig->lost, 0);
}

static int count_row(void *arg, const struct sr_stored_row *row)
{
    unsigned *rows = arg;

    *rows += !row->done && !row->quarantined;
    return 0;
}

unsigned rig_rows_on_disk(const char *dir)
{
    unsigned rows = 0;
    const struct sr_outbox_visitor visitor = { .row = count_row, .arg = &rows };

    sr_outbox_scan(dir, &visitor, NULL, 0);
    return rows;
}
