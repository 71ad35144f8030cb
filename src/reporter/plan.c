/* SPDX-License-Identifier: MIT */
/* What goes next, and when: batches that are full or old enough, the backlog no faster than its
 * rate, live rows first if that is wanted. */
#include "reporter/reporter_p.h"

enum { LOOK_AGAIN_MS = 1000 };

void sr_plan_begin(struct sr_reporter *reporter)
{
    const struct sr_settings *settings = reporter->config.settings;
    uint64_t now = sr_now_ms();

    sr_bucket_init(&reporter->replay_rows, (uint64_t)settings->replay_rows, now);
    sr_bucket_init(&reporter->replay_bytes, (uint64_t)settings->replay_bytes, now);
}

bool sr_plan_lets_backlog(const struct sr_reporter *reporter)
{
    return sr_bucket_has(&reporter->replay_rows) &&
           sr_bucket_has(&reporter->replay_bytes);
}

void sr_plan_spend(struct sr_reporter *reporter, size_t bytes)
{
    sr_bucket_take(&reporter->replay_rows, 1);
    sr_bucket_take(&reporter->replay_bytes, bytes);
}

/* Milliseconds until the backlog may go on. */
static uint64_t replay_in_ms(struct sr_reporter *reporter)
{
    uint64_t now = sr_now_ms(), rows = 0, bytes = 0;

    if (!sr_bucket_ready(&reporter->replay_rows, now))
        rows = sr_bucket_wait_ms(&reporter->replay_rows);
    if (!sr_bucket_ready(&reporter->replay_bytes, now))
        bytes = sr_bucket_wait_ms(&reporter->replay_bytes);
    return rows > bytes ? rows : bytes;
}

/* Milliseconds until what waits has to go; 0 now. */
static uint64_t due_in_ms(struct sr_reporter *reporter,
                          const struct sr_outbox_waiting *waiting)
{
    const struct sr_settings *settings = reporter->config.settings;
    uint64_t now = sr_now_ms(), linger = (uint64_t)settings->linger, due = 0, replay;
    uint64_t age = now > waiting->oldest_ms ? now - waiting->oldest_ms : 0;

    if (!reporter->hurry && !sr_poison_searching(&reporter->poison) &&
        waiting->rows < (size_t)settings->batch_rows &&
        waiting->bytes < reporter->payload_max && age < linger)
        due = linger - age;
    replay = waiting->backlog ? replay_in_ms(reporter) : 0;
    return due > replay ? due : replay;
}

/* Of what waits, what goes next, and when. */
struct plan {
    bool any; /* something waits */
    enum sr_outbox_part part;
    uint64_t in_ms;
};

static struct plan plan_part(struct sr_reporter *reporter, enum sr_outbox_part part)
{
    struct sr_outbox_waiting waiting = sr_outbox_waiting(reporter->config.outbox, part);
    struct plan plan = { .part = part };

    plan.any = waiting.rows > 0;
    if (!plan.any && part != SR_PART_BACKLOG)
        reporter->hurry = false;
    if (plan.any)
        plan.in_ms = due_in_ms(reporter, &waiting);
    return plan;
}

static struct plan make_plan(struct sr_reporter *reporter)
{
    struct plan live, backlog;

    /* Who looks for a row by halves wants to meet the same ones again. */
    if (reporter->config.settings->replay_order == SR_REPLAY_STRICT ||
        sr_poison_searching(&reporter->poison))
        return plan_part(reporter, SR_PART_ALL);
    live = plan_part(reporter, SR_PART_LIVE);
    backlog = plan_part(reporter, SR_PART_BACKLOG);
    if (!live.any || (backlog.any && backlog.in_ms < live.in_ms))
        return backlog;
    return live;
}

static bool may_send(const struct sr_reporter *reporter)
{
    unsigned window = reporter->window;

    if (sr_poison_searching(&reporter->poison) || sr_troubles_probing(reporter))
        window = 1;
    return reporter->up && !reporter->muted && !reporter->asleep &&
           !sr_deadline_is_set(&reporter->pace) && reporter->flying < window;
}

/* False if nothing more goes now. */
static bool go_on(struct sr_reporter *reporter)
{
    struct plan plan = make_plan(reporter);

    if (!plan.any)
        return sr_flights_unstick(reporter);
    if (plan.in_ms) {
        sr_deadline_set(&reporter->wait, plan.in_ms);
        return false;
    }
    if (sr_flights_send(reporter, plan.part))
        return true;
    /* Nothing was taken: the first row waits for the clock to be right, or cannot be read
     * from the disk just now. Neither tells when it is over. */
    if (sr_outbox_waiting(reporter->config.outbox, plan.part).rows)
        sr_deadline_set(&reporter->wait, LOOK_AGAIN_MS);
    return false;
}

void sr_reporter_look(struct sr_reporter *reporter)
{
    sr_deadline_clear(&reporter->wait);
    while (may_send(reporter) && go_on(reporter))
        ;
    sr_flights_watch(reporter);
    sr_reporter_settle(reporter);
}

/* If there is nothing to hurry, it ends by itself. */
void sr_reporter_hurry(struct sr_reporter *reporter)
{
    reporter->hurry = true;
    sr_reporter_look(reporter);
}
