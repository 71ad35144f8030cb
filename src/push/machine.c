/* SPDX-License-Identifier: MIT */
#include "push/machine.h"

#include <stdlib.h>
#include <string.h>

enum { SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE };

/* The platform sends a blank every 600 s. */
const struct sr_push_times sr_push_defaults = {
    .answer = 30 * SECOND,
    .quiet = 660 * SECOND,
    .stall = MINUTE,
    .too_soon = SECOND,
    .healthy = MINUTE,
    .interval_max = HOUR,
    .timeout_max = 2 * HOUR,
};

enum { USUAL_TIMEOUT_MS = 90 * MINUTE, REFUSALS_MAX = 3 };

void sr_push_machine_init(struct sr_push_machine *m, const struct sr_push_times *times,
                          uint32_t (*random)(void))
{
    *m = (struct sr_push_machine){
        .times = times ? *times : sr_push_defaults,
        .random = random,
        .timeout_ms = USUAL_TIMEOUT_MS,
    };
    sr_row_init(&m->request[SR_PUSH_MAIN], 0);
    sr_row_init(&m->request[SR_PUSH_SIDE], 0);
}

void sr_push_machine_release(struct sr_push_machine *m)
{
    for (size_t i = 0; i < m->xid_count; i++)
        free(m->xids[i]);
    m->xid_count = 0;
    free(m->rows);
    m->rows = NULL;
    sr_row_release(&m->request[SR_PUSH_MAIN]);
    sr_row_release(&m->request[SR_PUSH_SIDE]);
}

/* --- steps -------------------------------------------------------------------- */

static struct sr_push_step *add(struct sr_push_steps *steps, struct sr_push_step step)
{
    steps->step[steps->count] = step;
    return &steps->step[steps->count++];
}

static void go(struct sr_push_machine *m, enum sr_push_state state)
{
    m->why = sr_push_change(m->state, state);
    m->state = state;
    m->stats.connected = m->subscribed;
}

static void send(struct sr_push_machine *m, enum sr_push_line line, uint64_t timeout_ms,
                 struct sr_push_steps *steps)
{
    const struct sr_row *row = &m->request[line];

    add(steps, (struct sr_push_step){
                   .what = SR_PUSH_SEND,
                   .line = line,
                   .timeout_ms = timeout_ms,
                   .text = sr_row_error(row) ? NULL : sr_row_text(row),
                   .len = sr_row_len(row),
               });
}

static void cancel(enum sr_push_line line, struct sr_push_steps *steps)
{
    add(steps, (struct sr_push_step){ .what = SR_PUSH_CANCEL, .line = line });
}

static void cancel_side(struct sr_push_machine *m, struct sr_push_steps *steps)
{
    if (m->side_busy)
        cancel(SR_PUSH_SIDE, steps);
    m->side_busy = false;
}

/* The report is the last step of an input, so that handlers meet a machine at rest. */
static void report(struct sr_push_machine *m, struct sr_push_steps *steps)
{
    if (m->failed)
        add(steps, (struct sr_push_step){ .what = SR_PUSH_REPORT });
    m->failed = false;
}

/* --- failures ----------------------------------------------------------------- */

static void fail_by(struct sr_push_machine *m, int id, int rc)
{
    m->failure = (struct sr_push_failure){ .id = id, .rc = rc };
    m->failed = true;
    m->stats.failures++;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* The answer's beginning, without the blanks in front, cut between two characters. */
static void fail_with(struct sr_push_machine *m, int id, const char *text, size_t len)
{
    while (len && is_blank(*text)) {
        text++;
        len--;
    }
    if (len > SR_PUSH_FAILURE_TEXT_MAX) {
        len = SR_PUSH_FAILURE_TEXT_MAX;
        while (len && ((unsigned char)text[len] & 0xc0) == 0x80)
            len--;
    }
    while (len && is_blank(text[len - 1]))
        len--;
    fail_by(m, id, 0);
    memcpy(m->failure.text, text, len);
    m->failure.text[len] = '\0';
    m->failure.len = len;
}

/* 0 if there is an answer of the platform's. */
static int error_of(const struct sr_push_outcome *outcome)
{
    if (outcome->rc)
        return outcome->rc;
    if (outcome->status >= 200 && outcome->status < 300)
        return 0;
    return outcome->status == 401 || outcome->status == 403 ? SR_E_AUTH : SR_E_REFUSED;
}

/* What follows a request that failed. The session outlives a cut connection: the batch
 * that was on it comes again, and a new session would have forgotten it. It outlives the
 * answer of a captive portal for the same reason: only the platform ends it. An answer
 * that is too big would come again, too, and again be too big. */
static enum sr_push_ending after_failure(struct sr_push_machine *m,
                                         const struct sr_push_outcome *outcome)
{
    if (!outcome->proved)
        return SR_PUSH_SLOWER;
    if (outcome->rc)
        return outcome->rc == SR_E_TOOBIG ? SR_PUSH_BEGIN : SR_PUSH_SLOWER;
    if (!error_of(outcome) || outcome->status == 408 || outcome->status == 429)
        return SR_PUSH_SLOWER;
    if (outcome->status >= 500 && ++m->refusals < REFUSALS_MAX)
        return SR_PUSH_SLOWER;
    return SR_PUSH_BEGIN;
}

/* --- requests ----------------------------------------------------------------- */

static void shake_hands(struct sr_push_machine *m, struct sr_push_steps *steps)
{
    struct sr_row *row = &m->request[SR_PUSH_MAIN];

    sr_row_clear(row);
    sr_row_start(row, 80);
    sr_row_string(row, "true");
    m->interval_ms = 0;
    m->timeout_ms = USUAL_TIMEOUT_MS;
    go(m, SR_PUSH_SHAKING);
    send(m, SR_PUSH_MAIN, m->times.answer, steps);
}

static void write_channel(struct sr_push_machine *m, struct sr_row *row, unsigned id)
{
    char channel[1 + sizeof m->object_id] = "/";

    sr_row_start(row, id);
    sr_row_string(row, m->client_id);
    sr_row_string(row, strcat(channel, m->object_id));
}

static void write_subscription(struct sr_push_machine *m, struct sr_row *row)
{
    write_channel(m, row, 81);
    for (size_t i = 0; i < m->xid_count; i++)
        sr_row_string(row, m->xids[i]);
    m->asked = m->change;
}

static void subscribe(struct sr_push_machine *m, struct sr_push_steps *steps)
{
    struct sr_row *row = &m->request[SR_PUSH_MAIN];

    sr_row_clear(row);
    write_subscription(m, row);
    go(m, SR_PUSH_SUBSCRIBING);
    send(m, SR_PUSH_MAIN, m->times.answer, steps);
}

/* A changed list, while the session goes on. What an 81 does that names fewer X-Ids
 * than the one before is not documented: after a removal the channel is unsubscribed
 * first, in the same request. */
static void change_beside(struct sr_push_machine *m, uint64_t now,
                          struct sr_push_steps *steps)
{
    struct sr_row *row = &m->request[SR_PUSH_SIDE];

    if ((m->state != SR_PUSH_HOLDING && m->state != SR_PUSH_DELIVERING) ||
        m->sleeping || m->side_busy || m->accepted == m->change || now < m->side_ms)
        return;
    sr_row_clear(row);
    if (m->removal > m->accepted)
        write_channel(m, row, 82);
    write_subscription(m, row);
    m->side_busy = true;
    send(m, SR_PUSH_SIDE, m->times.answer, steps);
}

static void connect(struct sr_push_machine *m, uint64_t now,
                    struct sr_push_steps *steps)
{
    struct sr_row *row = &m->request[SR_PUSH_MAIN];

    sr_row_clear(row);
    sr_row_start(row, 83);
    sr_row_string(row, m->client_id);
    if (m->has_batch)
        sr_row_uint(row, m->batch);
    m->sent_ms = m->heard_ms = now;
    m->in_answer = false;
    go(m, SR_PUSH_HOLDING);
    send(m, SR_PUSH_MAIN, 0, steps);
    change_beside(m, now, steps);
}

/* With the first thing that is missing. */
static void proceed(struct sr_push_machine *m, uint64_t now,
                    struct sr_push_steps *steps)
{
    if (!*m->client_id)
        shake_hands(m, steps);
    else if (!m->subscribed)
        subscribe(m, steps);
    else
        connect(m, now, steps);
}

/* --- endings ------------------------------------------------------------------ */

static void forget_session(struct sr_push_machine *m, struct sr_push_steps *steps)
{
    cancel_side(m, steps);
    m->client_id[0] = '\0';
    m->subscribed = m->has_batch = false;
    m->refusals = 0;
}

static uint64_t greater(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static uint64_t lesser(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static void pause_for(struct sr_push_machine *m, uint64_t ms, uint64_t now)
{
    m->pause_ends_ms = now + ms;
    go(m, SR_PUSH_PAUSING);
}

/* What comes after an answer, a failure, or rows that were delivered. */
static void end(struct sr_push_machine *m, enum sr_push_ending ending, uint64_t now,
                struct sr_push_steps *steps)
{
    if (ending >= SR_PUSH_BEGIN)
        forget_session(m, steps);
    if (m->sleeping) {
        cancel_side(m, steps);
        go(m, SR_PUSH_ASLEEP);
    } else if (ending == SR_PUSH_END) {
        go(m, SR_PUSH_OVER);
    } else if (ending != SR_PUSH_GO_ON) {
        pause_for(m, greater(m->interval_ms, sr_backoff_next(&m->backoff, m->random())),
                  now);
    } else if (m->interval_ms && m->subscribed) {
        pause_for(m, m->interval_ms, now);
    } else {
        proceed(m, now, steps);
    }
    report(m, steps);
}

static void take_advice(struct sr_push_machine *m, const struct sr_push_advice *advice)
{
    if (advice->has_interval)
        m->interval_ms = lesser(advice->interval_ms, m->times.interval_max);
    if (advice->has_timeout)
        m->timeout_ms = lesser(advice->timeout_ms, m->times.timeout_max);
}

/* The advice's part in what comes next; to stop is a failure. */
static enum sr_push_ending advised(struct sr_push_machine *m, int id,
                                   enum sr_push_policy policy,
                                   const struct sr_push_outcome *outcome)
{
    if (policy == SR_PUSH_ANEW)
        return SR_PUSH_BEGIN;
    if (policy == SR_PUSH_RETRY)
        return SR_PUSH_GO_ON;
    fail_with(m, id, outcome->body, outcome->len);
    return SR_PUSH_END;
}

/* --- answers ------------------------------------------------------------------ */

/* True if there is an answer that can be read. */
static bool read_answer(struct sr_push_machine *m, int id,
                        const struct sr_push_outcome *outcome,
                        struct sr_push_answer *ret_answer, struct sr_push_steps *steps)
{
    int rc = error_of(outcome);

    if (!rc)
        rc = sr_push_answer_read(outcome->body, outcome->len, ret_answer);
    if (rc)
        fail_by(m, id, rc);
    else
        steps->warning = ret_answer->warning;
    return !rc;
}

/* The client id stands alone; an advice may follow. */
static enum sr_push_ending judge_handshake(struct sr_push_machine *m,
                                           const struct sr_push_answer *answer,
                                           const struct sr_push_outcome *outcome)
{
    enum sr_push_ending ending;

    take_advice(m, &answer->advice);
    if (!*answer->client_id || answer->error || answer->rows != 1 ||
        answer->batch_is != SR_PUSH_NO_BATCH) {
        fail_with(m, SR_PUSH_HANDSHAKE_FAILED, outcome->body, outcome->len);
        return answer->advice.policy == SR_PUSH_STOP ? SR_PUSH_END : SR_PUSH_BEGIN;
    }
    ending = advised(m, SR_PUSH_HANDSHAKE_FAILED, answer->advice.policy, outcome);
    if (ending == SR_PUSH_GO_ON) {
        strcpy(m->client_id, answer->client_id);
        m->stats.handshakes++;
    }
    return ending;
}

static void handshake_answered(struct sr_push_machine *m,
                               const struct sr_push_outcome *outcome, uint64_t now,
                               struct sr_push_steps *steps)
{
    struct sr_push_answer answer;
    enum sr_push_ending ending;

    if (read_answer(m, SR_PUSH_HANDSHAKE_FAILED, outcome, &answer, steps)) {
        ending = judge_handshake(m, &answer, outcome);
        sr_push_answer_release(&answer);
    } else {
        ending = after_failure(m, outcome);
    }
    end(m, ending, now, steps);
}

/* Success has nothing to say, but perhaps an advice. */
static enum sr_push_ending judge_subscription(struct sr_push_machine *m,
                                              const struct sr_push_answer *answer,
                                              const struct sr_push_outcome *outcome)
{
    take_advice(m, &answer->advice);
    if (answer->unknown_client)
        return SR_PUSH_BEGIN; /* that is how a session ends */
    if (answer->error || answer->rows || answer->batch_is != SR_PUSH_NO_BATCH) {
        fail_with(m, SR_PUSH_SUBSCRIBE_FAILED, outcome->body, outcome->len);
        return answer->advice.policy == SR_PUSH_STOP ? SR_PUSH_END : SR_PUSH_BEGIN;
    }
    return advised(m, SR_PUSH_SUBSCRIBE_FAILED, answer->advice.policy, outcome);
}

static void subscription_answered(struct sr_push_machine *m,
                                  const struct sr_push_outcome *outcome, uint64_t now,
                                  struct sr_push_steps *steps)
{
    struct sr_push_answer answer;
    enum sr_push_ending ending;

    if (read_answer(m, SR_PUSH_SUBSCRIBE_FAILED, outcome, &answer, steps)) {
        ending = judge_subscription(m, &answer, outcome);
        sr_push_answer_release(&answer);
    } else {
        ending = after_failure(m, outcome);
    }
    if (ending != SR_PUSH_GO_ON) {
        end(m, ending, now, steps);
        return;
    }
    m->subscribed = true;
    m->accepted = m->asked;
    connect(m, now, steps); /* at once: until then nothing is received */
    add(steps, (struct sr_push_step){ .what = SR_PUSH_TELL });
}

/* The answer to a change beside the session. It leaves the session alone, unless it
 * says that there is none: one collection that does not exist must not cost the
 * operations of the others. */
static void change_answered(struct sr_push_machine *m,
                            const struct sr_push_outcome *outcome, uint64_t now,
                            struct sr_push_steps *steps)
{
    struct sr_push_answer answer;
    enum sr_push_ending ending = SR_PUSH_SLOWER;

    m->side_busy = false;
    if (read_answer(m, SR_PUSH_SUBSCRIBE_FAILED, outcome, &answer, steps)) {
        ending = judge_subscription(m, &answer, outcome);
        sr_push_answer_release(&answer);
    }
    if (m->failed && ending != SR_PUSH_END) {
        m->side_ms = now + sr_backoff_next(&m->side_backoff, m->random());
        report(m, steps);
    } else if (ending == SR_PUSH_GO_ON) {
        m->accepted = m->asked;
        sr_backoff_reset(&m->side_backoff);
        change_beside(m, now, steps);
    } else {
        if (m->state == SR_PUSH_HOLDING)
            cancel(SR_PUSH_MAIN, steps);
        end(m, ending, now, steps);
    }
}

/* Is the batch new? It is to be acknowledged in any case. */
static bool take_batch(struct sr_push_machine *m, const struct sr_push_answer *answer)
{
    bool repeated;

    if (answer->batch_is != SR_PUSH_BATCH)
        return true;
    repeated = m->has_batch && m->batch == answer->batch;
    m->has_batch = true;
    m->batch = answer->batch;
    m->stats.batches++;
    m->stats.batches_repeated += repeated;
    return !repeated;
}

/* Nothing came. That is normal when it took its time. */
static enum sr_push_ending nothing_came(struct sr_push_machine *m, uint64_t now)
{
    if (now - m->sent_ms < m->times.too_soon)
        return SR_PUSH_SLOWER;
    sr_backoff_reset(&m->backoff);
    return SR_PUSH_GO_ON;
}

/* What an answer to 83 says apart from its rows. */
static enum sr_push_ending judge_connect(struct sr_push_machine *m,
                                         const struct sr_push_answer *answer,
                                         const struct sr_push_outcome *outcome)
{
    enum sr_push_ending ending;

    take_advice(m, &answer->advice);
    ending = advised(m, SR_PUSH_CONNECT_FAILED, answer->advice.policy, outcome);
    if (ending == SR_PUSH_END)
        return ending;
    if (answer->unknown_client)
        return SR_PUSH_BEGIN; /* that is how a session ends */
    /* A batch that cannot be acknowledged would come again and again. */
    if (answer->error || answer->batch_is == SR_PUSH_BAD_BATCH) {
        fail_with(m, SR_PUSH_CONNECT_FAILED, outcome->body, outcome->len);
        return SR_PUSH_BEGIN;
    }
    return ending;
}

static void deliver(struct sr_push_machine *m, struct sr_push_answer *answer,
                    enum sr_push_ending ending, size_t len, struct sr_push_steps *steps)
{
    m->rows = answer->text;
    answer->text = NULL;
    m->ending = ending;
    go(m, SR_PUSH_DELIVERING);
    add(steps,
        (struct sr_push_step){ .what = SR_PUSH_DELIVER, .text = m->rows, .len = len });
}

static void take_connect(struct sr_push_machine *m, struct sr_push_answer *answer,
                         const struct sr_push_outcome *outcome, uint64_t now,
                         struct sr_push_steps *steps)
{
    bool is_new = take_batch(m, answer);
    bool garbage = answer->rows && answer->rows == answer->malformed &&
                   answer->batch_is == SR_PUSH_NO_BATCH;
    enum sr_push_ending ending = judge_connect(m, answer, outcome);

    if (garbage && !m->failed) {
        fail_with(m, SR_PUSH_CONNECT_FAILED, outcome->body, outcome->len);
        ending = ending == SR_PUSH_GO_ON ? SR_PUSH_SLOWER : ending;
    }
    if (!m->failed) {
        m->stats.connects += !answer->unknown_client;
        if (answer->useful && is_new)
            sr_backoff_reset(&m->backoff);
        else if (ending == SR_PUSH_GO_ON)
            ending = nothing_came(m, now);
    }
    if (answer->rows && is_new && !garbage)
        deliver(m, answer, ending, outcome->len, steps);
    else
        end(m, ending, now, steps);
}

static void connect_answered(struct sr_push_machine *m,
                             const struct sr_push_outcome *outcome, uint64_t now,
                             struct sr_push_steps *steps)
{
    struct sr_push_answer answer;

    if (now - m->sent_ms >= m->times.healthy)
        sr_backoff_reset(&m->backoff);
    if (!outcome->rc && outcome->status == 408) {
        m->stats.connects++;
        end(m, nothing_came(m, now), now, steps);
        return;
    }
    if (!read_answer(m, SR_PUSH_CONNECT_FAILED, outcome, &answer, steps)) {
        end(m, after_failure(m, outcome), now, steps);
        return;
    }
    m->refusals = 0;
    take_connect(m, &answer, outcome, now, steps);
    sr_push_answer_release(&answer);
}

void sr_push_machine_answered(struct sr_push_machine *m, enum sr_push_line line,
                              const struct sr_push_outcome *outcome, uint64_t now,
                              struct sr_push_steps *steps)
{
    *steps = (struct sr_push_steps){ 0 };
    if (line == SR_PUSH_SIDE) {
        if (m->side_busy)
            change_answered(m, outcome, now, steps);
        return;
    }
    switch (m->state) {
    case SR_PUSH_SHAKING: handshake_answered(m, outcome, now, steps); break;
    case SR_PUSH_SUBSCRIBING: subscription_answered(m, outcome, now, steps); break;
    case SR_PUSH_HOLDING: connect_answered(m, outcome, now, steps); break;
    default: break; /* it was cancelled */
    }
}

void sr_push_machine_heard(struct sr_push_machine *m, const char *bytes, size_t len,
                           uint64_t now)
{
    if (m->state != SR_PUSH_HOLDING || !len)
        return;
    m->heard_ms = now;
    for (size_t i = 0; i < len && !m->in_answer; i++)
        m->in_answer = !is_blank(bytes[i]);
}

void sr_push_machine_delivered(struct sr_push_machine *m, uint64_t now,
                               struct sr_push_steps *steps)
{
    *steps = (struct sr_push_steps){ 0 };
    if (m->state != SR_PUSH_DELIVERING)
        return;
    free(m->rows);
    m->rows = NULL;
    end(m, m->ending, now, steps);
}

/* --- time --------------------------------------------------------------------- */

/* When the connect that is held counts as dead. The vendor's SDK counts: fewer than k
 * bytes in k times 660 s. This is never later, and early bytes do not make up for
 * later ones. A held request that outlives its time-out is dead, too, blanks or not. */
static uint64_t dead_ms(const struct sr_push_machine *m)
{
    uint64_t silent = m->heard_ms + (m->in_answer ? m->times.stall : m->times.quiet);

    return m->in_answer ? silent
                        : lesser(silent, m->sent_ms + m->timeout_ms + m->times.quiet);
}

static uint64_t side_due_ms(const struct sr_push_machine *m)
{
    return m->side_busy || m->accepted == m->change ? UINT64_MAX : m->side_ms;
}

uint64_t sr_push_machine_due(const struct sr_push_machine *m)
{
    switch (m->state) {
    case SR_PUSH_PAUSING: return m->pause_ends_ms;
    case SR_PUSH_HOLDING: return lesser(dead_ms(m), side_due_ms(m));
    default: return UINT64_MAX;
    }
}

void sr_push_machine_time(struct sr_push_machine *m, uint64_t now,
                          struct sr_push_steps *steps)
{
    *steps = (struct sr_push_steps){ 0 };
    if (now < sr_push_machine_due(m))
        return;
    if (m->state == SR_PUSH_PAUSING) {
        proceed(m, now, steps);
    } else if (m->state == SR_PUSH_HOLDING && now >= dead_ms(m)) {
        cancel(SR_PUSH_MAIN, steps);
        if (now - m->sent_ms >= m->times.healthy)
            sr_backoff_reset(&m->backoff);
        fail_by(m, SR_PUSH_CONNECT_FAILED, SR_E_TIMEOUT);
        end(m, SR_PUSH_SLOWER, now, steps);
    } else {
        change_beside(m, now, steps);
    }
}

/* --- from the application ------------------------------------------------------ */

int sr_push_machine_start(struct sr_push_machine *m, const char *object_id,
                          uint64_t now, struct sr_push_steps *steps)
{
    *steps = (struct sr_push_steps){ 0 };
    if (m->state != SR_PUSH_IDLE)
        return SR_E_STATE;
    if (!*object_id || strlen(object_id) >= sizeof m->object_id)
        return SR_E_INVAL;
    strcpy(m->object_id, object_id);
    if (m->sleeping)
        go(m, SR_PUSH_ASLEEP);
    else
        proceed(m, now, steps);
    return 0;
}

void sr_push_machine_sleep(struct sr_push_machine *m, uint64_t now,
                           struct sr_push_steps *steps)
{
    (void)now;
    *steps = (struct sr_push_steps){ 0 };
    m->sleeping = true;
    if (m->state == SR_PUSH_IDLE || m->state == SR_PUSH_ASLEEP ||
        m->state == SR_PUSH_DELIVERING)
        return; /* not started; is so already; once it is done */
    if (m->state == SR_PUSH_SHAKING || m->state == SR_PUSH_SUBSCRIBING ||
        m->state == SR_PUSH_HOLDING)
        cancel(SR_PUSH_MAIN, steps);
    cancel_side(m, steps);
    go(m, SR_PUSH_ASLEEP);
}

void sr_push_machine_resume(struct sr_push_machine *m, uint64_t now,
                            struct sr_push_steps *steps)
{
    *steps = (struct sr_push_steps){ 0 };
    m->sleeping = false;
    if (m->state == SR_PUSH_ASLEEP)
        proceed(m, now, steps);
    else
        change_beside(m, now, steps); /* put to sleep and woken by a handler */
}

static size_t find_xid(const struct sr_push_machine *m, const char *xid)
{
    size_t i = 0;

    while (i < m->xid_count && strcmp(m->xids[i], xid) != 0)
        i++;
    return i;
}

/* The list has changed: tell the platform, now rather than after an earlier pause. */
static void changed(struct sr_push_machine *m, uint64_t now,
                    struct sr_push_steps *steps)
{
    m->change++;
    m->side_ms = 0;
    change_beside(m, now, steps);
}

int sr_push_machine_subscribe(struct sr_push_machine *m, const char *xid, uint64_t now,
                              struct sr_push_steps *steps)
{
    *steps = (struct sr_push_steps){ 0 };
    if (find_xid(m, xid) < m->xid_count)
        return 0;
    if (m->xid_count == SR_PUSH_XIDS_MAX)
        return SR_E_FULL;
    m->xids[m->xid_count] = strdup(xid);
    if (!m->xids[m->xid_count])
        return SR_E_NOMEM;
    m->xid_count++;
    changed(m, now, steps);
    return 0;
}

void sr_push_machine_unsubscribe(struct sr_push_machine *m, const char *xid,
                                 uint64_t now, struct sr_push_steps *steps)
{
    size_t i = find_xid(m, xid);

    *steps = (struct sr_push_steps){ 0 };
    if (i == m->xid_count)
        return;
    free(m->xids[i]);
    m->xid_count--;
    memmove(&m->xids[i], &m->xids[i + 1], (m->xid_count - i) * sizeof *m->xids);
    m->removal = m->change + 1;
    changed(m, now, steps);
}
