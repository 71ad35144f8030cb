/* SPDX-License-Identifier: MIT */
/* What the machine decides, sentence by sentence, in virtual time. Years of it: core_model_test.c. */
#include "reporter/core.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
/* after what it needs */
#include <cmocka.h>

#define NEVER UINT64_MAX
enum { LINGER = 500, ACK = 30000, ANSWER = 5000, BATCH = 10, BATCHES = 48 };

/* Rows are put and taken by number only; what else the machine said, in letters. */
struct fixture {
    struct sr_core core;
    struct sr_batch batches[BATCHES];
    size_t made, waiting, backlog;
    uint64_t now_ms, oldest_ms, wake_ms;
    char said[256];
};

static void say(struct fixture *fx, const char *what)
{
    strncat(fx->said, what, sizeof fx->said - strlen(fx->said) - 1);
}

static void see(struct fixture *fx)
{
    struct sr_outbox_view view = { 0 };

    view.part[SR_PART_ALL].rows = fx->waiting;
    view.part[SR_PART_ALL].bytes = 20 * fx->waiting;
    view.part[SR_PART_ALL].oldest_ms = fx->oldest_ms;
    view.part[SR_PART_ALL].backlog = fx->backlog > 0;
    sr_core_see(&fx->core, &view);
}

static void send(struct fixture *fx, const struct sr_core_step *step)
{
    struct sr_batch *batch = &fx->batches[fx->made];
    size_t rows = 0;

    *batch = (struct sr_batch){ .number = fx->made + 1, .first = 100 * fx->made };
    while (fx->waiting && rows < step->rows &&
           sr_core_has_room(&fx->core, fx->backlog > 0, rows, 20 * rows)) {
        if (fx->backlog) {
            sr_core_spend(&fx->core, 20);
            fx->backlog--;
        }
        fx->waiting--;
        rows++;
    }
    batch->rows = rows;
    batch->len = 20 * rows;
    see(fx);
    if (!rows) {
        sr_core_not_sent(&fx->core);
        return;
    }
    fx->made++;
    say(fx, rows == 1 ? "send 1;" : "send;");
    sr_core_sent(&fx->core, batch, 1);
}

static void carry_out(struct fixture *fx, const struct sr_core_step *step)
{
    static const char *const texts[SR_CORE_STEPS] = {
        [SR_CORE_DROP] = "drop;",       [SR_CORE_HOLD] = "hold;",
        [SR_CORE_CONVICT] = "convict;", [SR_CORE_RELEASE] = "release;",
        [SR_CORE_FORGET] = "forget;",   [SR_CORE_RETURN] = "return;",
        [SR_CORE_DELIVER] = "deliver;", [SR_CORE_TELL_UP] = "up;",
        [SR_CORE_RESIZE] = "resize;",   [SR_CORE_TELL_CONNECTED] = "connected;",
    };

    if (step->what == SR_CORE_SEND)
        send(fx, step);
    else if (step->what == SR_CORE_LOOK)
        see(fx);
    else if (step->what == SR_CORE_WAKE)
        fx->wake_ms = step->at_ms;
    else if (step->what == SR_CORE_MARK)
        fx->backlog = fx->waiting;
    else if (step->what == SR_CORE_RETURN_ALL)
        say(fx, step->counts ? "return all, counted;" : "return all;");
    else if (step->what == SR_CORE_TROUBLE)
        say(fx, step->begins ? "begins;" : "ends;");
    else if (texts[step->what])
        say(fx, texts[step->what]);
}

/* All that follows from the last input. */
static const char *steps(struct fixture *fx)
{
    struct sr_core_step step;

    fx->said[0] = '\0';
    for (sr_core_next(&fx->core, &step); step.what != SR_CORE_DONE;
         sr_core_next(&fx->core, &step))
        carry_out(fx, &step);
    return fx->said;
}

static void begin(struct fixture *fx, bool mqtt)
{
    const struct sr_core_options options = {
        .connects = mqtt,
        .window = mqtt ? 2 : 1,
        .poison_after = 3,
        .batch_rows = BATCH,
        .payload_max = 10000,
        .payload_min = 100,
        .linger = LINGER,
        .ack = ACK,
        .answer = ANSWER,
        .pause_max = 60000,
        .slow_retry = 900000,
        .replay_rows = 20,
    };

    memset(fx, 0, sizeof *fx);
    fx->wake_ms = NEVER;
    sr_core_init(&fx->core);
    sr_core_begin(&fx->core, &options, 0);
    steps(fx);
    sr_core_up(&fx->core, 0);
    steps(fx);
    if (mqtt)
        sr_core_subscribed(&fx->core);
    steps(fx);
}

static const char *put(struct fixture *fx, size_t rows)
{
    if (!fx->waiting)
        fx->oldest_ms = fx->now_ms;
    fx->waiting += rows;
    sr_core_look(&fx->core, fx->now_ms);
    return steps(fx);
}

static const char *at(struct fixture *fx, uint64_t ms)
{
    fx->now_ms = ms;
    sr_core_time(&fx->core, ms);
    return steps(fx);
}

static const char *ack(struct fixture *fx, size_t i)
{
    sr_core_acked(&fx->core, &fx->batches[i], fx->now_ms, 1);
    return steps(fx);
}

static const char *down(struct fixture *fx, enum sr_attempt attempt)
{
    sr_core_down(&fx->core, attempt, fx->now_ms, 1);
    return steps(fx);
}

/* --- when rows go ------------------------------------------------------------ */

static void a_row_waits_for_company_as_long_as_linger_says(void **state)
{
    struct fixture fx;

    (void)state;
    begin(&fx, true);
    fx.now_ms = 100;
    assert_string_equal(put(&fx, 1), "");
    assert_int_equal(fx.wake_ms, 100 + LINGER);
    assert_string_equal(at(&fx, 100 + LINGER - 1), "");
    assert_string_equal(at(&fx, 100 + LINGER), "send 1;");
}

static void a_full_batch_does_not_wait(void **state)
{
    struct fixture fx;

    (void)state;
    begin(&fx, true);
    assert_string_equal(put(&fx, BATCH), "send;");
}

static void what_a_handler_sends_does_not_wait(void **state)
{
    struct fixture fx;

    (void)state;
    begin(&fx, true);
    put(&fx, 1);
    sr_core_hurry(&fx.core, fx.now_ms);
    assert_string_equal(steps(&fx), "send 1;");
}

static void no_more_than_the_window_is_under_way(void **state)
{
    struct fixture fx;

    (void)state;
    begin(&fx, true);
    assert_string_equal(put(&fx, 3 * BATCH), "send;send;");
    assert_string_equal(ack(&fx, 0), "forget;send;");
}

static void the_backlog_goes_no_faster_than_its_rate(void **state)
{
    struct fixture fx;

    (void)state;
    begin(&fx, true);
    down(&fx, SR_ATTEMPT_UNREACHED);
    put(&fx, 100);
    sr_core_up(&fx.core, 0);
    assert_string_equal(steps(&fx), "send;send;up;");
    for (size_t i = 0; i < 2; i++)
        ack(&fx, i);
    assert_int_equal(fx.waiting, 80);
    assert_int_equal(fx.wake_ms, 250); /* a quarter of a second's worth, in company */
    assert_string_equal(at(&fx, 250), "send;");
    assert_int_equal(fx.waiting, 75);
}

/* --- acknowledgements that do not come ------------------------------------------ */

static void a_batch_that_is_not_acknowledged_in_time_ends_the_connection_once(
    void **state)
{
    struct fixture fx;

    (void)state;
    begin(&fx, true);
    put(&fx, BATCH);
    assert_int_equal(fx.wake_ms, ACK);
    assert_string_equal(at(&fx, ACK - 1), "");
    assert_string_equal(at(&fx, ACK), "drop;");
    assert_string_equal(at(&fx, ACK + 1), "");
    assert_string_equal(down(&fx, SR_ATTEMPT_LOST), "return all, counted;");
}

static void of_several_the_oldest_counts_and_not_the_first(void **state)
{
    struct fixture fx;

    (void)state;
    begin(&fx, true);
    put(&fx, BATCH);
    fx.now_ms = 20000;
    put(&fx, BATCH);
    fx.now_ms = 29000;
    ack(&fx, 0);
    assert_string_equal(at(&fx, ACK), "");
    assert_string_equal(at(&fx, 20000 + ACK), "drop;");
}

/* --- coming and going ------------------------------------------------------------ */

static void by_mqtt_connected_waits_for_each_subscription(void **state)
{
    struct fixture fx;

    (void)state;
    begin(&fx, true);
    down(&fx, SR_ATTEMPT_UNREACHED);
    sr_core_up(&fx.core, 0);
    assert_string_equal(steps(&fx), "up;");
    sr_core_subscribed(&fx.core);
    assert_string_equal(steps(&fx), "connected;");
}

static void by_http_a_request_has_to_be_taken_before_it_is_up_again(void **state)
{
    struct fixture fx;

    (void)state;
    begin(&fx, false);
    down(&fx, SR_ATTEMPT_UNREACHED);
    sr_core_up(&fx.core, 0);
    assert_string_equal(steps(&fx), "");
    assert_int_equal(fx.core.link, SR_LINK_TRYING);
    put(&fx, BATCH);
    assert_string_equal(ack(&fx, 0), "forget;up;connected;");
    assert_int_equal(fx.core.link, SR_LINK_UP);
}

static void a_refused_payload_is_no_outage(void **state)
{
    struct fixture fx;

    (void)state;
    begin(&fx, false);
    put(&fx, BATCH);
    assert_true(sr_core_refused(&fx.core, &fx.batches[0], false, 0, 1));
    assert_string_equal(steps(&fx), "return;");
    down(&fx, SR_ATTEMPT_UNREACHED);
    sr_core_up(&fx.core, 0);
    fx.waiting = BATCH;
    steps(&fx);
    assert_string_equal(ack(&fx, 1), "forget;send;up;");
}

/* --- troubles ---------------------------------------------------------------------- */

static void an_unknown_collection_lets_one_row_go_at_a_time_with_pauses_that_grow(
    void **state)
{
    const struct sr_signs unknown = { .no_collection = true };
    struct fixture fx;
    uint64_t last = 0;

    (void)state;
    begin(&fx, true);
    put(&fx, 2 * BATCH);
    ack(&fx, 1);
    ack(&fx, 0);
    sr_core_heard(&fx.core, &unknown, 0, UINT32_MAX);
    assert_string_equal(steps(&fx), "begins;");
    assert_int_equal(fx.core.pace, SR_PACE_PAUSING);
    put(&fx, 4 * BATCH);
    for (size_t i = 2; i < 42; i++) {
        uint64_t began = fx.now_ms;

        assert_string_equal(at(&fx, fx.core.pause_ms), "send 1;");
        assert_true(fx.now_ms - began >= last);
        last = fx.now_ms - began;
        sr_core_heard(&fx.core, &unknown, fx.now_ms, UINT32_MAX);
        steps(&fx);
        assert_string_equal(ack(&fx, i), "forget;");
        assert_int_equal(fx.core.pace, SR_PACE_PAUSING);
    }
    assert_int_equal(last, 900000 / 2 + 1); /* the dice say 1 */
    assert_true(sr_core_has_trouble(&fx.core, SR_TROUBLE_XID));
}

/* By MQTT no answer says that it is over: there is none. */
static void it_is_over_when_no_answer_says_so_any_more(void **state)
{
    const struct sr_signs unknown = { .no_collection = true };
    struct fixture fx;

    (void)state;
    begin(&fx, true);
    put(&fx, BATCH);
    sr_core_heard(&fx.core, &unknown, 0, 1);
    ack(&fx, 0);
    put(&fx, BATCH);
    at(&fx, fx.core.pause_ms);
    ack(&fx, 1);
    assert_string_equal(at(&fx, fx.core.pause_ms), "ends;send;");
    assert_int_equal(fx.core.pace, SR_PACE_FREE);
}

/* --- the end ------------------------------------------------------------------------ */

static void after_the_end_nothing_follows_from_anything(void **state)
{
    struct fixture fx;

    (void)state;
    begin(&fx, true);
    put(&fx, BATCH);
    sr_core_mute(&fx.core);
    assert_string_equal(put(&fx, BATCH), "");
    assert_string_equal(down(&fx, SR_ATTEMPT_LOST), "");
    assert_string_equal(at(&fx, ACK), "");
    assert_int_equal(fx.core.link, SR_LINK_OVER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_waits_for_company_as_long_as_linger_says),
        cmocka_unit_test(a_full_batch_does_not_wait),
        cmocka_unit_test(what_a_handler_sends_does_not_wait),
        cmocka_unit_test(no_more_than_the_window_is_under_way),
        cmocka_unit_test(the_backlog_goes_no_faster_than_its_rate),
        cmocka_unit_test(
            a_batch_that_is_not_acknowledged_in_time_ends_the_connection_once),
        cmocka_unit_test(of_several_the_oldest_counts_and_not_the_first),
        cmocka_unit_test(by_mqtt_connected_waits_for_each_subscription),
        cmocka_unit_test(by_http_a_request_has_to_be_taken_before_it_is_up_again),
        cmocka_unit_test(a_refused_payload_is_no_outage),
        cmocka_unit_test(
            an_unknown_collection_lets_one_row_go_at_a_time_with_pauses_that_grow),
        cmocka_unit_test(it_is_over_when_no_answer_says_so_any_more),
        cmocka_unit_test(after_the_end_nothing_follows_from_anything),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
