/* SPDX-License-Identifier: MIT */
/* All sequences of up to seven inputs, from a short alphabet, by MQTT and by HTTP. After each of them nothing is
 * forgotten without an acknowledgement, and if all is well from then on, all that waits goes. */
#include "reporter/core.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
/* after what it needs */
#include <cmocka.h>

enum { LENGTH = 7, BATCHES = 8 };

/* What happens in a sequence. Rows are numbers. */
struct scene {
    struct sr_core core;
    struct sr_batch batches[BATCHES]; /* rows 0: free */
    uint64_t rows[BATCHES][LENGTH];   /* of each batch */
    uint64_t queue[LENGTH];           /* those that wait, in order */
    bool sent[BATCHES];               /* under way, as far as the link knows */
    size_t waiting, put, acked, dead;
    uint64_t now_ms, wake_ms, put_ms; /* of the last row */
    bool mqtt, up, asleep;
    struct sr_batch *landing; /* FORGET and RETURN are about it */
    bool taken;
    char path[LENGTH + 1];
};

static struct scene s;
static struct scene saved[LENGTH + 1];
static unsigned long sequences;

#define REQUIRE(what)                                                                 \
    do {                                                                              \
        if (!(what))                                                                  \
            fail_msg("%s, after '%s', line %d: %s", s.mqtt ? "MQTT" : "HTTP", s.path, \
                     __LINE__, #what);                                                \
    } while (0)

static void see(void)
{
    struct sr_outbox_view view = { 0 };

    view.part[SR_PART_ALL].rows = s.waiting;
    view.part[SR_PART_ALL].bytes = 10 * s.waiting;
    view.part[SR_PART_ALL].oldest_ms = s.put_ms;
    sr_core_see(&s.core, &view);
}

static void send(const struct sr_core_step *step)
{
    size_t rows = s.waiting < step->rows ? s.waiting : step->rows;
    int i = 0;

    REQUIRE(s.up && !s.asleep && rows);
    while (s.batches[i].rows)
        i++;
    if (!sr_core_has_room(&s.core, false, rows - 1, 10))
        rows = 1;
    s.batches[i] = (struct sr_batch){
        .number = 1, .first = s.queue[0], .rows = rows, .len = 10 * rows
    };
    memcpy(s.rows[i], s.queue, rows * sizeof *s.queue);
    s.waiting -= rows;
    memmove(s.queue, s.queue + rows, s.waiting * sizeof *s.queue);
    s.sent[i] = true;
    see();
    sr_core_sent(&s.core, &s.batches[i], 0);
}

static void wait_again(uint64_t row)
{
    size_t i = s.waiting++;

    for (; i && s.queue[i - 1] > row; i--)
        s.queue[i] = s.queue[i - 1];
    s.queue[i] = row;
}

static void come_back(struct sr_batch *batch)
{
    const uint64_t *rows = s.rows[batch - s.batches];

    for (size_t i = 0; i < batch->rows; i++)
        wait_again(rows[i]);
    batch->rows = 0;
    batch->held = false;
}

static void come_back_all(void)
{
    for (int i = 0; i < BATCHES; i++)
        if (!s.batches[i].held)
            come_back(&s.batches[i]);
}

static void carry_out(const struct sr_core_step *step)
{
    switch (step->what) {
    case SR_CORE_SEND: send(step); break;
    case SR_CORE_LOOK: see(); break;
    case SR_CORE_FORGET:
        REQUIRE(step->batch == s.landing && s.taken);
        s.acked += step->batch->rows;
        step->batch->rows = 0;
        break;
    case SR_CORE_RETURN:
        REQUIRE(step->batch == s.landing && !s.taken);
        come_back(step->batch);
        break;
    case SR_CORE_RETURN_ALL: come_back_all(); break;
    case SR_CORE_HOLD:
        REQUIRE(step->batch->rows == 1);
        step->batch->held = true;
        break;
    case SR_CORE_RELEASE:
        REQUIRE(step->batch->held);
        come_back(step->batch);
        break;
    case SR_CORE_CONVICT:
        s.dead += step->batch->rows;
        step->batch->rows = 0;
        step->batch->held = false;
        break;
    case SR_CORE_WAKE: s.wake_ms = step->at_ms; break;
    case SR_CORE_DROP:
        s.up = false;
        memset(s.sent, 0, sizeof s.sent);
        sr_core_down(&s.core, SR_ATTEMPT_LOST, s.now_ms, 1);
        break;
    default: break;
    }
}

static void run(enum sr_link link, enum sr_pace pace)
{
    struct sr_core_step step;
    size_t rows;

    for (int steps = 0;; steps++) {
        REQUIRE(steps < 100);
        sr_core_next(&s.core, &step);
        if (step.what == SR_CORE_DONE)
            break;
        carry_out(&step);
    }
    REQUIRE(link == s.core.link || s.core.why);
    REQUIRE(pace == s.core.pace || s.core.why);
    rows = s.waiting;
    for (int i = 0; i < BATCHES; i++)
        rows += s.batches[i].rows;
    REQUIRE(rows + s.acked + s.dead == s.put);
    REQUIRE(s.core.count <= (s.mqtt ? 2 : 1));
}

static int oldest_sent(void)
{
    for (unsigned i = 0; i < s.core.count; i++)
        for (int k = 0; k < BATCHES; k++)
            if (s.core.under_way[i] == &s.batches[k] && s.sent[k])
                return k;
    return -1;
}

static struct sr_batch *land(bool taken)
{
    int i = oldest_sent();

    if (i < 0)
        return NULL;
    s.sent[i] = false;
    s.taken = taken;
    s.landing = &s.batches[i];
    return s.landing;
}

static void go_down(enum sr_attempt attempt)
{
    s.up = false;
    memset(s.sent, 0, sizeof s.sent);
    sr_core_down(&s.core, attempt, s.now_ms, 7);
}

static bool acknowledge(void)
{
    const struct sr_signs none = { 0 };
    struct sr_batch *batch = land(true);

    if (batch && s.mqtt)
        sr_core_acked(&s.core, batch, s.now_ms, 3);
    else if (batch)
        sr_core_answered(&s.core, batch, SR_VERDICT_TAKEN, &none, s.now_ms, 3);
    return batch;
}

/* By HTTP a refusal, and then a pause; by MQTT the platform says that it does not know the
 * collection. */
static bool refuse(void)
{
    const struct sr_signs signs = { .no_collection = true };
    struct sr_batch *batch = s.mqtt ? NULL : land(false);
    enum sr_link link = s.core.link;
    enum sr_pace pace = s.core.pace;

    if (s.mqtt) {
        sr_core_heard(&s.core, &signs, s.now_ms, 5);
        return true;
    }
    if (!batch)
        return false;
    sr_core_refused(&s.core, batch, false, s.now_ms, 5);
    run(link, pace);
    go_down(SR_ATTEMPT_UNREACHED);
    return true;
}

/* By HTTP an answer that nothing was taken; by MQTT an attempt that reaches nobody. */
static bool fail_otherwise(void)
{
    const struct sr_signs signs = { .no_collection = true };
    struct sr_batch *batch = s.mqtt ? NULL : land(false);

    if (s.mqtt)
        go_down(SR_ATTEMPT_UNREACHED);
    else if (batch)
        sr_core_answered(&s.core, batch, SR_VERDICT_NO_COLLECTION, &signs, s.now_ms, 9);
    return s.mqtt || batch;
}

static bool input(char letter)
{
    switch (letter) {
    case 'p':
        wait_again(++s.put);
        s.put_ms = s.now_ms;
        sr_core_look(&s.core, s.now_ms);
        return true;
    case 'u':
        if (s.up)
            return false;
        s.up = true;
        sr_core_up(&s.core, s.now_ms);
        return true;
    case 'd': go_down(SR_ATTEMPT_LOST); return true;
    case 'n': return fail_otherwise();
    case 'a': return acknowledge();
    case 'r': return refuse();
    case 't':
        if (s.wake_ms == UINT64_MAX)
            return false;
        s.now_ms = s.wake_ms > s.now_ms ? s.wake_ms : s.now_ms;
        s.wake_ms = UINT64_MAX;
        sr_core_time(&s.core, s.now_ms);
        return true;
    default:
        s.asleep = !s.asleep;
        sr_core_sleep(&s.core, s.asleep, s.now_ms);
        return true;
    }
}

static bool tell(char letter)
{
    enum sr_link link = s.core.link;
    enum sr_pace pace = s.core.pace;

    s.now_ms += 10;
    if (!input(letter))
        return false;
    run(link, pace);
    return true;
}

/* All is well from now on. */
static void expect_an_end(void)
{
    if (s.asleep)
        tell('z');
    for (int turns = 0; s.acked + s.dead < s.put; turns++) {
        REQUIRE(turns < 200);
        if (!s.up)
            tell('u');
        else if (!tell('a'))
            tell('t');
    }
}

static void explore(int depth)
{
    saved[depth] = s; /* batches keep their addresses */
    for (const char *letter = "pudnartz"; *letter; letter++) {
        s.path[depth] = *letter;
        s.path[depth + 1] = '\0';
        if (tell(*letter)) {
            sequences++;
            if (depth + 1 < LENGTH)
                explore(depth + 1);
            else
                expect_an_end();
        }
        s = saved[depth];
    }
}

static void begin(bool mqtt)
{
    const struct sr_core_options options = {
        .connects = mqtt,
        .window = mqtt ? 2 : 1,
        .poison_after = 2,
        .batch_rows = 2,
        .payload_max = 1000,
        .payload_min = 100,
        .linger = 1000,
        .ack = 30000,
        .answer = 5000,
        .pause_max = 60000,
        .slow_retry = 900000,
    };

    memset(&s, 0, sizeof s);
    s.mqtt = mqtt;
    s.wake_ms = UINT64_MAX;
    sr_core_init(&s.core);
    sr_core_begin(&s.core, &options, 0);
    run(SR_LINK_NEW, SR_PACE_FREE);
}

static void all_sequences_of_seven_inputs_end_well_by_mqtt(void **state)
{
    (void)state;
    sequences = 0;
    begin(true);
    explore(0);
    print_message("%lu sequences\n", sequences);
}

static void all_sequences_of_seven_inputs_end_well_by_http(void **state)
{
    (void)state;
    sequences = 0;
    begin(false);
    explore(0);
    print_message("%lu sequences\n", sequences);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_sequences_of_seven_inputs_end_well_by_mqtt),
        cmocka_unit_test(all_sequences_of_seven_inputs_end_well_by_http),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
