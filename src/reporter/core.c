/* SPDX-License-Identifier: MIT */
#include "reporter/core.h"

#include <string.h>

#define NEVER UINT64_MAX

enum { LOOK_AGAIN_MS = 1000, STRIKES = 3 };

static void want(struct sr_core *core, enum sr_core_what what)
{
    core->todo |= UINT32_C(1) << what;
}

static void unwant(struct sr_core *core, enum sr_core_what what)
{
    core->todo &= ~(UINT32_C(1) << what);
}

/* --- states ----------------------------------------------------------------- */

static void go(struct sr_core *core, enum sr_link link)
{
    const struct sr_change *change = sr_link_change(core->link, link);

    core->why = change ? change->why : NULL;
    core->link = link;
}

static bool probing(const struct sr_core *core)
{
    return sr_core_has_trouble(core, SR_TROUBLE_XID) ||
           sr_core_has_trouble(core, SR_TROUBLE_DEVICE);
}

static enum sr_pace pace_of(const struct sr_core *core)
{
    if (core->asleep)
        return SR_PACE_ASLEEP;
    if (core->pause_ms != NEVER)
        return SR_PACE_PAUSING;
    if (probing(core))
        return SR_PACE_PROBING;
    return sr_poison_searching(&core->poison) ? SR_PACE_SEARCHING : SR_PACE_FREE;
}

static void repace(struct sr_core *core)
{
    enum sr_pace pace = pace_of(core);
    const struct sr_change *change;

    if (pace == core->pace)
        return;
    change = sr_pace_change(core->pace, pace);
    core->why = change ? change->why : NULL;
    core->pace = pace;
}

static bool is_over(const struct sr_core *core)
{
    return core->link == SR_LINK_OVER;
}

/* The end of each input: what may go, goes. */
static void conclude(struct sr_core *core)
{
    repace(core);
    want(core, SR_CORE_SEND);
    want(core, SR_CORE_WAKE);
}

void sr_core_init(struct sr_core *core)
{
    *core = (struct sr_core){ .wait_ms = NEVER, .pause_ms = NEVER, .wake_ms = NEVER };
}

void sr_core_begin(struct sr_core *core, const struct sr_core_options *options,
                   uint64_t now)
{
    core->options = *options;
    core->now_ms = now;
    core->payload_max = options->payload_max;
    core->owes_up = core->owes_connected = true;
    sr_poison_init(&core->poison, options->poison_after, options->slow_retry);
    sr_bucket_init(&core->replay_rows, options->replay_rows, now);
    sr_bucket_init(&core->replay_bytes, options->replay_bytes, now);
    go(core, SR_LINK_WAITING);
}

void sr_core_mute(struct sr_core *core)
{
    if (is_over(core))
        return;
    go(core, SR_LINK_OVER);
    core->todo = 0;
    core->count = 0;
    core->wait_ms = core->pause_ms = NEVER;
}

/* --- troubles ----------------------------------------------------------------- */

bool sr_core_has_trouble(const struct sr_core *core, enum sr_trouble trouble)
{
    return core->troubles >> trouble & 1;
}

static void set_trouble(struct sr_core *core, enum sr_trouble trouble, bool begins)
{
    uint32_t bit = UINT32_C(1) << trouble;

    if (sr_core_has_trouble(core, trouble) == begins)
        return;
    core->troubles ^= bit;
    core->begun = begins ? core->begun | bit : core->begun & ~bit;
    core->ended = begins ? core->ended & ~bit : core->ended | bit;
    want(core, SR_CORE_TROUBLE);
}

uint32_t sr_core_pause_max(const struct sr_core *core)
{
    return core->troubles ? core->options.slow_retry : core->options.pause_max;
}

bool sr_core_doubts(const struct sr_core *core)
{
    return core->doubt.strikes > 0;
}

/* Longer each time. */
static void pause(struct sr_core *core, uint32_t random)
{
    uint32_t ms =
        sr_backoff_next_within(&core->backoff, sr_core_pause_max(core), random);

    if (core->options.connects && ms < core->options.answer)
        ms = core->options.answer;
    core->pause_ms = core->now_ms + ms;
}

/* The last payload was taken: what does that say about the troubles? */
static void clear_doubts(struct sr_core *core)
{
    if (!core->doubt.no_collection)
        set_trouble(core, SR_TROUBLE_XID, false);
    if (core->doubt.strikes && !core->doubt.struck && core->doubt.naming) {
        core->doubt.strikes = 0;
        set_trouble(core, SR_TROUBLE_DEVICE, false);
    }
    if (!probing(core))
        sr_backoff_reset(&core->backoff);
}

static void begin_doubts(struct sr_core *core, const struct sr_batch *batch,
                         size_t naming)
{
    unsigned strikes = core->doubt.strikes;

    memset(&core->doubt, 0, sizeof core->doubt);
    core->doubt.strikes = strikes;
    core->doubt.foreign = batch->foreign;
    core->doubt.naming = naming;
}

static void hear_device(struct sr_core *core, const struct sr_signs *signs)
{
    if (core->doubt.struck || !signs->not_found)
        return;
    core->doubt.not_found += signs->not_found;
    core->doubt.naming = signs->naming;
    if (core->doubt.not_found < core->doubt.naming)
        return;
    core->doubt.struck = true;
    if (++core->doubt.strikes >= STRIKES)
        set_trouble(core, SR_TROUBLE_DEVICE, true);
}

/* By HTTP it is the answer to one payload, by MQTT most likely to the last one. */
static void hear(struct sr_core *core, const struct sr_signs *signs)
{
    if (signs->no_collection && !core->doubt.foreign) {
        core->doubt.no_collection = true;
        set_trouble(core, SR_TROUBLE_XID, true);
    }
    hear_device(core, signs);
}

/* A payload was acknowledged; its answer came with it, or not. */
static void probe_again(struct sr_core *core, bool answered, uint32_t random)
{
    if (answered)
        clear_doubts(core);
    if (probing(core) && (!answered || core->doubt.struck || core->doubt.no_collection))
        pause(core, random);
}

void sr_core_heard(struct sr_core *core, const struct sr_signs *signs, uint64_t now,
                   uint32_t random)
{
    if (is_over(core))
        return;
    core->now_ms = now;
    hear(core, signs);
    if (probing(core) && !core->count && core->pause_ms == NEVER)
        pause(core, random);
    repace(core);
    want(core, SR_CORE_WAKE);
}

void sr_core_trouble(struct sr_core *core, enum sr_trouble trouble, bool begins)
{
    if (is_over(core))
        return;
    set_trouble(core, trouble, begins);
    repace(core);
}

/* --- batches under way ---------------------------------------------------------- */

static void land(struct sr_core *core, const struct sr_batch *batch)
{
    struct sr_batch **sent = core->under_way;
    unsigned i = 0;

    while (sent[i] != batch)
        i++;
    memmove(sent + i, sent + i + 1, (--core->count - i) * sizeof *sent);
}

/* Rows that wait, and those of other batches under way. */
static size_t count_others(const struct sr_core *core, const struct sr_batch *but)
{
    size_t rows = core->view.part[SR_PART_ALL].rows;

    for (unsigned i = 0; i < core->count; i++)
        if (core->under_way[i] != but)
            rows += core->under_way[i]->rows;
    return rows;
}

static void settle(struct sr_core *core, enum sr_core_what how, struct sr_batch *batch)
{
    core->settled = batch;
    core->seen = false;
    want(core, SR_CORE_HOLD);
    want(core, how);
    want(core, SR_CORE_SETTLE);
}

/* The platform has answered. */
static void answers(struct sr_core *core)
{
    if (core->link == SR_LINK_TRYING) {
        go(core, SR_LINK_UP);
        want(core, SR_CORE_ANSWERS);
    }
    want(core, SR_CORE_TELL_UP);
    want(core, SR_CORE_TELL_CONNECTED);
}

static void take(struct sr_core *core, struct sr_batch *batch, uint32_t random)
{
    land(core, batch);
    batch->others = count_others(core, NULL);
    sr_poison_acked(&core->poison, batch, core->now_ms, random);
    settle(core, SR_CORE_FORGET, batch);
    answers(core);
}

void sr_core_acked(struct sr_core *core, struct sr_batch *batch, uint64_t now,
                   uint32_t random)
{
    if (is_over(core))
        return;
    core->now_ms = now;
    take(core, batch, random);
    probe_again(core, false, random);
    conclude(core);
}

void sr_core_answered(struct sr_core *core, struct sr_batch *batch,
                      enum sr_verdict verdict, const struct sr_signs *signs,
                      uint64_t now, uint32_t random)
{
    bool taken = verdict == SR_VERDICT_TAKEN ||
                 (verdict == SR_VERDICT_NO_COLLECTION && batch->foreign);

    if (is_over(core))
        return;
    core->now_ms = now;
    if (verdict != SR_VERDICT_NO_CREDENTIALS) /* the transport has said that */
        set_trouble(core, SR_TROUBLE_AUTH, false);
    hear(core, signs);
    if (taken) {
        take(core, batch, random);
        probe_again(core, true, random);
        want(core, SR_CORE_DELIVER);
    } else {
        land(core, batch);
        settle(core, SR_CORE_RETURN, batch);
        pause(core, random);
        want(core, SR_CORE_TELL_CONNECTED);
    }
    conclude(core);
}

/* A limit that nobody told us: payloads are half as large from now on, if the largest row still
 * fits into them. */
static bool shrink_payloads(struct sr_core *core, const struct sr_batch *batch)
{
    size_t half = batch->len / 2;

    if (half < core->options.payload_min)
        half = core->options.payload_min;
    if (half >= batch->len)
        return false; /* the same rows would go again */
    core->payload_max = half;
    want(core, SR_CORE_RESIZE);
    return true;
}

/* The rows have not failed themselves: they keep their retries. */
bool sr_core_refused(struct sr_core *core, struct sr_batch *batch, bool too_large,
                     uint64_t now, uint32_t random)
{
    bool goes_on;

    if (is_over(core))
        return false;
    core->now_ms = now;
    core->refused = true;
    land(core, batch);
    goes_on = too_large && batch->rows > 1 && shrink_payloads(core, batch);
    if (!goes_on) {
        batch->others = count_others(core, NULL);
        goes_on =
            sr_poison_failed(&core->poison, batch, SR_FAILURE_REFUSED, now, random);
    }
    settle(core, SR_CORE_RETURN, batch);
    repace(core);
    return goes_on;
}

/* --- the link ------------------------------------------------------------------- */

void sr_core_up(struct sr_core *core, uint64_t now)
{
    bool proved = core->options.connects || core->link == SR_LINK_WAITING;

    if (is_over(core))
        return;
    core->now_ms = core->up_since_ms = now;
    go(core, proved ? SR_LINK_UP : SR_LINK_TRYING);
    core->open = !core->options.connects;
    core->seen = false;
    want(core, SR_CORE_MARK);
    if (proved) {
        want(core, SR_CORE_ANSWERS);
        want(core, SR_CORE_TELL_CONNECTED);
    }
    if (core->options.connects)
        want(core, SR_CORE_TELL_UP);
    conclude(core);
}

void sr_core_subscribed(struct sr_core *core)
{
    if (is_over(core))
        return;
    core->open = true;
    want(core, SR_CORE_TELL_CONNECTED);
}

static void suspect_head(struct sr_core *core, uint32_t random)
{
    struct sr_batch *head = core->under_way[0];

    head->others = count_others(core, head);
    sr_poison_failed(&core->poison, head, SR_FAILURE_DROP, core->now_ms, random);
    want(core, SR_CORE_HOLD);
}

void sr_core_down(struct sr_core *core, enum sr_attempt attempt, uint64_t now,
                  uint32_t random)
{
    if (is_over(core))
        return;
    core->now_ms = now;
    core->was_up = core->link == SR_LINK_UP;
    go(core, SR_LINK_DOWN);
    core->owes_up = true;
    core->owes_connected |= !core->refused;
    core->refused = core->dropped = core->seen = core->open = false;
    if (attempt == SR_ATTEMPT_LOST && core->count)
        suspect_head(core, random);
    core->count = 0;
    core->counts = attempt != SR_ATTEMPT_UNREACHED;
    want(core, SR_CORE_LOST);
    want(core, SR_CORE_RETURN_ALL);
    want(core, SR_CORE_SETTLE);
    conclude(core);
}

/* --- what goes next, and when ------------------------------------------------------ */

bool sr_core_has_room(const struct sr_core *core, bool backlog, size_t rows,
                      size_t bytes)
{
    if (backlog &&
        (!sr_bucket_has(&core->replay_rows) || !sr_bucket_has(&core->replay_bytes)))
        return false;
    return sr_poison_has_room(&core->poison, rows, bytes);
}

void sr_core_spend(struct sr_core *core, size_t bytes)
{
    sr_bucket_take(&core->replay_rows, 1);
    sr_bucket_take(&core->replay_bytes, bytes);
}

/* Milliseconds until the backlog may go on. */
static uint64_t replay_in_ms(struct sr_core *core)
{
    uint64_t rows = 0, bytes = 0;

    if (!sr_bucket_ready(&core->replay_rows, core->now_ms))
        rows = sr_bucket_wait_ms(&core->replay_rows);
    if (!sr_bucket_ready(&core->replay_bytes, core->now_ms))
        bytes = sr_bucket_wait_ms(&core->replay_bytes);
    return rows > bytes ? rows : bytes;
}

/* Milliseconds until what waits has company enough; 0 now. */
static uint64_t linger_in_ms(const struct sr_core *core,
                             const struct sr_outbox_waiting *waiting)
{
    uint64_t now = core->now_ms, linger = core->options.linger;
    uint64_t age = now > waiting->oldest_ms ? now - waiting->oldest_ms : 0;

    if (core->hurry || sr_poison_searching(&core->poison) ||
        waiting->rows >= core->options.batch_rows ||
        waiting->bytes >= core->payload_max || age >= linger)
        return 0;
    return linger - age;
}

/* Of what waits, what goes next, and when. */
struct plan {
    bool any; /* something waits */
    enum sr_outbox_part part;
    uint64_t in_ms;
};

static struct plan plan_part(struct sr_core *core, enum sr_outbox_part part)
{
    const struct sr_outbox_waiting *waiting = &core->view.part[part];
    struct plan plan = { .any = waiting->rows > 0, .part = part };
    uint64_t replay;

    if (!plan.any && part != SR_PART_BACKLOG)
        core->hurry = false;
    if (!plan.any)
        return plan;
    plan.in_ms = linger_in_ms(core, waiting);
    replay = waiting->backlog ? replay_in_ms(core) : 0;
    if (plan.in_ms < replay)
        plan.in_ms = replay;
    return plan;
}

/* Who looks for a row by halves wants to meet the same ones again. */
static struct plan make_plan(struct sr_core *core)
{
    struct plan live, backlog;

    if (!core->options.live_first || sr_poison_searching(&core->poison))
        return plan_part(core, SR_PART_ALL);
    live = plan_part(core, SR_PART_LIVE);
    backlog = plan_part(core, SR_PART_BACKLOG);
    if (!live.any || (backlog.any && backlog.in_ms < live.in_ms))
        return backlog;
    return live;
}

static bool may_send(const struct sr_core *core)
{
    bool open = core->link == SR_LINK_UP || core->link == SR_LINK_TRYING;
    unsigned window = core->pace == SR_PACE_FREE      ? core->options.window
                      : core->pace <= SR_PACE_PROBING ? 1
                                                      : 0;

    return open && core->count < window;
}

/* Nothing else waits: what of the rows that were put aside? */
static void unstick(struct sr_core *core)
{
    uint64_t in_ms;

    if (core->count)
        return;
    in_ms = sr_poison_stuck(&core->poison, core->now_ms);
    want(core, SR_CORE_HOLD);
    if (in_ms != NEVER)
        core->wait_ms = core->now_ms + in_ms;
    repace(core);
}

static void say_send(struct sr_core *core, enum sr_outbox_part part,
                     struct sr_core_step *step)
{
    core->part = part;
    *step = (struct sr_core_step){
        .what = SR_CORE_SEND,
        .part = part,
        .rows = core->pace == SR_PACE_PROBING ? 1 : core->options.batch_rows,
        /* A row whose clock is not right has waited long enough, with a connection over
         * which it could have been set. */
        .stamp_anyway = core->now_ms - core->up_since_ms >= core->options.clock_wait,
    };
}

/* False: nothing goes now, or something else has to be done before. */
static bool try_send(struct sr_core *core, struct sr_core_step *step)
{
    struct plan plan;

    core->wait_ms = NEVER;
    unwant(core, SR_CORE_SEND);
    if (!may_send(core))
        return false;
    if (!core->seen) {
        want(core, SR_CORE_SEND);
        step->what = SR_CORE_LOOK;
        return true;
    }
    plan = make_plan(core);
    if (!plan.any) {
        unstick(core);
        return false;
    }
    if (plan.in_ms) {
        core->wait_ms = core->now_ms + plan.in_ms;
        return false;
    }
    if (core->doubt.strikes) { /* the next is about to take the place of the last one */
        clear_doubts(core);
        repace(core);
    }
    say_send(core, plan.part, step);
    return true;
}

void sr_core_sent(struct sr_core *core, struct sr_batch *batch, size_t naming)
{
    batch->sent_ms = core->now_ms;
    core->under_way[core->count++] = batch;
    begin_doubts(core, batch, naming);
    want(core, SR_CORE_SETTLE); /* rows may have expired */
    conclude(core);
}

void sr_core_passed(struct sr_core *core)
{
    want(core, SR_CORE_SETTLE);
    conclude(core);
}

/* The first row waits for the clock to be right, or cannot be read from the disk just now: neither says
 * when it is over. */
void sr_core_not_sent(struct sr_core *core)
{
    if (core->view.part[core->part].rows)
        core->wait_ms = core->now_ms + LOOK_AGAIN_MS;
    want(core, SR_CORE_SETTLE);
    want(core, SR_CORE_WAKE);
}

/* --- the application, and the clock ------------------------------------------------ */

void sr_core_look(struct sr_core *core, uint64_t now)
{
    if (is_over(core))
        return;
    core->now_ms = now;
    core->seen = false;
    conclude(core);
}

void sr_core_hurry(struct sr_core *core, uint64_t now)
{
    core->hurry = true;
    sr_core_look(core, now);
}

void sr_core_sleep(struct sr_core *core, bool asleep, uint64_t now)
{
    core->asleep = asleep;
    want(core, SR_CORE_SETTLE);
    sr_core_look(core, now);
}

void sr_core_see(struct sr_core *core, const struct sr_outbox_view *view)
{
    core->view = *view;
    core->seen = true;
}

static uint64_t overdue_ms(const struct sr_core *core)
{
    if (!core->count || core->dropped)
        return NEVER;
    return core->under_way[0]->sent_ms + core->options.ack;
}

uint64_t sr_core_due(const struct sr_core *core)
{
    uint64_t due = overdue_ms(core);

    if (core->pause_ms < due)
        due = core->pause_ms;
    return core->wait_ms < due ? core->wait_ms : due;
}

void sr_core_time(struct sr_core *core, uint64_t now)
{
    if (is_over(core))
        return;
    core->wake_ms = NEVER;
    if (overdue_ms(core) <= now) {
        core->dropped = true;
        want(core, SR_CORE_DROP);
    }
    if (core->pause_ms <= now) {
        core->pause_ms = NEVER;
        if (probing(core) && core->options.connects)
            clear_doubts(core);
    }
    sr_core_look(core, now);
}

/* --- steps ------------------------------------------------------------------------ */

static bool say_order(struct sr_core *core, struct sr_core_step *step)
{
    switch (sr_poison_next(&core->poison, &step->batch)) {
    case SR_POISON_HOLD: step->what = SR_CORE_HOLD; break;
    case SR_POISON_CONVICT:
        step->what = SR_CORE_CONVICT;
        want(core, SR_CORE_SETTLE);
        break;
    case SR_POISON_RELEASE:
        step->what = SR_CORE_RELEASE;
        core->seen = false;
        conclude(core);
        break;
    case SR_POISON_DONE:
        unwant(core, SR_CORE_HOLD);
        repace(core);
        return false;
    }
    if (step->batch == core->settled) /* it is aside: it does not wait again */
        unwant(core, SR_CORE_RETURN);
    return true;
}

static bool say_trouble(struct sr_core *core, struct sr_core_step *step)
{
    uint32_t both = core->begun | core->ended;
    unsigned trouble = 0;

    if (!both) {
        unwant(core, SR_CORE_TROUBLE);
        return false;
    }
    while (!(both >> trouble & 1))
        trouble++;
    *step = (struct sr_core_step){ .what = SR_CORE_TROUBLE,
                                   .trouble = (enum sr_trouble)trouble,
                                   .begins = core->begun >> trouble & 1 };
    core->begun &= ~(UINT32_C(1) << trouble);
    core->ended &= ~(UINT32_C(1) << trouble);
    return true;
}

/* A timer that is early is left alone: it costs less than to set another one. */
static bool say_wake(struct sr_core *core, struct sr_core_step *step)
{
    uint64_t due = sr_core_due(core);

    unwant(core, SR_CORE_WAKE);
    if (due == core->wake_ms || (due != NEVER && core->wake_ms < due))
        return false;
    core->wake_ms = due;
    *step = (struct sr_core_step){ .what = SR_CORE_WAKE, .at_ms = due };
    return true;
}

/* Once after each time that it is owed, and while it is true. */
static bool say_owed(struct sr_core *core, enum sr_core_what what, bool *owes,
                     bool open, struct sr_core_step *step)
{
    unwant(core, what);
    if (!*owes || !open || core->link != SR_LINK_UP)
        return false;
    *owes = false;
    step->what = what;
    return true;
}

static bool say_simple(struct sr_core *core, enum sr_core_what what,
                       struct sr_core_step *step)
{
    unwant(core, what);
    step->what = what;
    step->batch = core->settled;
    step->was_up = core->was_up;
    step->counts = core->counts;
    return true;
}

static bool say(struct sr_core *core, enum sr_core_what what, struct sr_core_step *step)
{
    switch (what) {
    case SR_CORE_HOLD: return say_order(core, step);
    case SR_CORE_TROUBLE: return say_trouble(core, step);
    case SR_CORE_SEND: return try_send(core, step);
    case SR_CORE_WAKE: return say_wake(core, step);
    case SR_CORE_TELL_UP: return say_owed(core, what, &core->owes_up, true, step);
    case SR_CORE_TELL_CONNECTED:
        return say_owed(core, what, &core->owes_connected, core->open, step);
    default: return say_simple(core, what, step);
    }
}

static enum sr_core_what first_of(uint32_t todo)
{
    unsigned what = 0;

    while (!(todo >> what & 1))
        what++;
    return (enum sr_core_what)what;
}

void sr_core_next(struct sr_core *core, struct sr_core_step *ret_step)
{
    *ret_step = (struct sr_core_step){ .what = SR_CORE_DONE };
    while (core->todo && !is_over(core))
        if (say(core, first_of(core->todo), ret_step))
            return;
}
