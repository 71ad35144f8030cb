/* SPDX-License-Identifier: MIT */
/* The machine when things fail, fall silent, sleep or change. */
#include "push/machine_fixture.h"

/* --- failures ------------------------------------------------------------------- */

static void an_answer_that_is_cut_anywhere_never_crashes_the_machine(void **state)
{
    static const char body[] =
        " 88,1\r\n87,2,other\n502,1,\"a\"\"b\nc\"\n86,,5400000,0,retry\n50,1,402\n";
    struct fixture *fx = *state;

    for (size_t i = 0; i < sizeof body; i++) {
        char *exact = malloc(i ? i : 1); /* a read behind its end shows */

        hold_anew(fx, 5000);
        memcpy(exact, body, i);
        outcome(fx, SR_PUSH_MAIN, 0, 200, exact, i);
        if (fx->machine.state == SR_PUSH_DELIVERING)
            delivered(fx);
        assert_true(fx->machine.state == SR_PUSH_HOLDING ||
                    fx->machine.state == SR_PUSH_PAUSING);
        free(exact);
    }
}

static void a_cut_connection_goes_on_with_the_same_session(void **state)
{
    static const int codes[] = { SR_E_UNREACHABLE, SR_E_TIMEOUT, SR_E_NOMEM };
    struct fixture *fx = *state;
    char told[32];

    hold(fx, 0);
    answer(fx, "88,1\n502,1,24902\n");
    delivered(fx);
    for (int i = 0; i < 3; i++) {
        fails(fx, codes[i]);
        snprintf(told, sizeof told, "10002,0,%d", codes[i]);
        says(fx, told);
        after(fx, pause_of(fx));
        says(fx, CONNECT ",1");
    }
}

static void an_answer_too_big_ends_the_session(void **state)
{
    struct fixture *fx = *state;

    hold(fx, 0);
    fails(fx, SR_E_TOOBIG);
    says(fx, "10002,0,-5");
    after(fx, pause_of(fx));
    says(fx, "main 80,true");
}

static void error_rows_begin_anew_after_a_pause(void **state)
{
    static const char *const errors[] = { "50,1,401,\"Bad credentials\"\n",
                                          "50,1,401",
                                          "50",
                                          "40,,/24871,Could not find any templates",
                                          "42,1,Malformed Request",
                                          "43,1,Invalid message identifier",
                                          "45,1,Wrong number of arguments",
                                          "47",
                                          "88,3\n50,1,500\n" };
    struct fixture *fx = *state;

    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        hold_anew(fx, 5000);
        answer(fx, errors[i]);
        assert_int_equal(strncmp(fx->said, "10002,1,", 8), 0);
        assert_int_equal(pause_of(fx), FIRST_PAUSE);
        after(fx, FIRST_PAUSE);
        says(fx, "main 80,true");
    }
    hold_anew(fx, 0);
    answer(fx, "502,1,24902\n50,1,500\n503,1,x");
    says(fx, "rows 502,1,24902|503,1,x");
    delivered(fx);
    says(fx, "10002,1,502,1,24902\n50,1,500\n503,1,x");
}

static void an_unknown_client_shakes_hands_and_is_no_failure(void **state)
{
    static const char *const unknown[] = { "50,1,402", "50,1,402::Unknown client",
                                           "50,1,400,402::Unknown client\n",
                                           "40,402::Unknown client",
                                           "50,,402\n86,,,,handshake" };
    struct fixture *fx = *state;

    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) {
        hold_anew(fx, 0);
        answer(fx, unknown[i]);
        says(fx, "");
        after(fx, pause_of(fx));
        says(fx, "main 80,true");
        assert_int_equal(fx->machine.stats.failures, 0);
    }
    hold_anew(fx, 0); /* 402 can be a line, too */
    answer(fx, "50,402,500");
    says(fx, "10002,1,50,402,500");
}

static void statuses_of_http_are_failures_except_408(void **state)
{
    static const struct {
        long status;
        const char *told, *next;
    } cases[] = {
        {401,  "10002,0,-14", "main 80,true"},
        { 403, "10002,0,-14", "main 80,true"},
        { 404, "10002,0,-15", "main 80,true"},
        { 301, "10002,0,-15", "main 80,true"},
        { 429, "10002,0,-15", CONNECT       },
        { 500, "10002,0,-15", CONNECT       },
        { 503, "10002,0,-15", CONNECT       },
    };
    struct fixture *fx = *state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        hold_anew(fx, 5000);
        status(fx, cases[i].status);
        says(fx, cases[i].told);
        after(fx, pause_of(fx));
        says(fx, cases[i].next);
    }
    hold_anew(fx, 30000);
    status(fx, 408);
    says(fx, CONNECT);
    assert_int_equal(fx->machine.stats.failures, 0);
    renew(fx);
    start(fx);
    status(fx, 408);
    says(fx, "10000,0,-15");
    after(fx, pause_of(fx));
    answer(fx, CID);
    status(fx, 503);
    says(fx, "10001,0,-15");
    after(fx, pause_of(fx));
    says(fx, "main 81," CID ",/24871");
}

/* A captive portal's, say: the batch at hand is acknowledged when the platform is back. */
static void what_the_platform_does_not_say_ends_no_session(void **state)
{
    static const long statuses[] = { 301, 302, 401, 403, 404, 500, 511 };
    struct fixture *fx = *state;
    uint64_t last = 0;

    hold(fx, 5000);
    answer(fx, "88,7\n502,1,24902,24871\n");
    delivered(fx);
    says(fx, CONNECT ",7");
    for (int i = 0; i < 21; i++) {
        strange_outcome(fx, i % 3 ? 0 : SR_E_TOOBIG, statuses[i % 7]);
        assert_true(pause_of(fx) > last);
        last = pause_of(fx);
        after(fx, last);
        says(fx, CONNECT ",7");
    }
    assert_int_equal(fx->machine.stats.handshakes, 1);
}

static void a_server_that_only_fails_gets_a_handshake_at_last(void **state)
{
    struct fixture *fx = *state;

    hold(fx, 5000);
    for (int i = 0; i < 2; i++) {
        status(fx, 500);
        after(fx, pause_of(fx));
        says(fx, CONNECT);
    }
    status(fx, 500);
    after(fx, pause_of(fx));
    says(fx, "main 80,true");
}

static void pauses_grow_up_to_a_minute_and_begin_short_again(void **state)
{
    struct fixture *fx = *state;
    uint64_t last = 0, pause = 0, first_ten_s = 0, passed = 0;

    start(fx);
    for (int i = 0; i < 60; i++) {
        fails(fx, SR_E_UNREACHABLE);
        pause = pause_of(fx);
        assert_true(pause >= last && pause <= 60000);
        if (!first_ten_s && pause >= 10000 / 2)
            first_ten_s = passed;
        last = pause;
        passed += pause;
        after(fx, pause);
    }
    assert_int_equal(pause, 30000); /* half, without jitter */
    assert_in_range(first_ten_s, 10000, 40000);
    answer(fx, CID);
    answer(fx, "");
    answer(fx, "502,1,1");
    delivered(fx);
    fails(fx, SR_E_UNREACHABLE);
    assert_int_equal(pause_of(fx), FIRST_PAUSE);
}

static void failures_before_a_long_connect_are_forgotten(void **state)
{
    struct fixture *fx = *state;

    hold(fx, 0);
    for (int i = 0; i < 10; i++) {
        fails(fx, SR_E_UNREACHABLE);
        after(fx, pause_of(fx));
    }
    fx->now += 59999;
    fails(fx, SR_E_UNREACHABLE);
    assert_true(pause_of(fx) > 1000);
    after(fx, pause_of(fx));
    fx->now += 60000;
    fails(fx, SR_E_UNREACHABLE);
    assert_int_equal(pause_of(fx), FIRST_PAUSE);
}

static void a_wrong_and_quick_server_is_not_asked_in_a_busy_loop(void **state)
{
    static const char *const answers[] = { "",
                                           " ",
                                           "86,,0,0,retry",
                                           "86,,0,0,handshake",
                                           "88,1",
                                           "87,1,x",
                                           "88,1\n502,1,again",
                                           "50,1,500",
                                           "50,1,402",
                                           "88,x\n502,1,again",
                                           "garbage" };
    struct fixture *fx = *state;

    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        uint64_t began = fx->now;
        int asked = 0;

        hold_anew(fx, 0);
        while (fx->now - began < 600000) {
            if (fx->machine.state == SR_PUSH_SHAKING)
                answer(fx, CID);
            else if (fx->machine.state == SR_PUSH_SUBSCRIBING)
                answer(fx, "");
            else if (fx->machine.state == SR_PUSH_DELIVERING)
                delivered(fx);
            else if (fx->machine.state == SR_PUSH_PAUSING)
                after(fx, pause_of(fx));
            else
                asked++, answer(fx, answers[i]);
        }
        assert_in_range(asked, 10, 80); /* in ten minutes */
    }
}

static void time_overs_that_take_their_time_are_answered_at_once(void **state)
{
    struct fixture *fx = *state;

    hold(fx, 0);
    for (int i = 0; i < 100; i++) {
        fx->now += 1000;
        answer(fx, "");
        says(fx, CONNECT);
    }
    assert_int_equal(fx->machine.stats.connects, 100);
}

/* --- connections that die ---------------------------------------------------------- */

static void a_connection_without_heartbeat_is_given_up(void **state)
{
    struct fixture *fx = *state;

    hold(fx, 0);
    after(fx, 659999);
    says(fx, "");
    after(fx, 1);
    says(fx, "cancel main & 10002,0,-12");
    after(fx, pause_of(fx));
    says(fx, CONNECT);
}

static void heartbeats_keep_it_alive_as_long_as_they_come(void **state)
{
    struct fixture *fx = *state;

    hold(fx, 0);
    for (int i = 0; i < 8; i++) {
        after(fx, 600000);
        says(fx, "");
        sr_push_machine_heard(&fx->machine, " ", 1, fx->now);
    }
    after(fx, 659999);
    says(fx, "");
    after(fx, 1);
    says(fx, "cancel main & 10002,0,-12");
}

static void early_heartbeats_do_not_make_up_for_later_ones(void **state)
{
    struct fixture *fx = *state;

    hold(fx, 0);
    for (int i = 0; i < 50; i++)
        sr_push_machine_heard(&fx->machine, " \n", 2, fx->now);
    after(fx, 660000);
    says(fx, "cancel main & 10002,0,-12");
}

static void an_answer_that_stalls_is_given_up_sooner(void **state)
{
    struct fixture *fx = *state;

    hold(fx, 0);
    sr_push_machine_heard(&fx->machine, "  88,1\n", 7, fx->now);
    after(fx, 59999);
    says(fx, "");
    sr_push_machine_heard(&fx->machine, "502", 3, fx->now);
    after(fx, 59999);
    says(fx, "");
    after(fx, 1);
    says(fx, "cancel main & 10002,0,-12");
}

static void a_request_that_outlives_its_time_is_given_up(void **state)
{
    static const struct {
        const char *advice;
        uint64_t lives; /* rounded up to the heartbeat */
    } cases[] = {
        {"86,,60000,0,retry",          720000          },
        { "86,,0,0,retry",             660000          },
        { "86,,1000000000000,0,retry", 7200000 + 660000},
        { "86,,,,retry",               5400000 + 660000},
    };
    struct fixture *fx = *state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint64_t began;

        hold_anew(fx, 5000);
        answer(fx, cases[i].advice);
        says(fx, CONNECT);
        began = fx->now;
        while (fx->machine.state == SR_PUSH_HOLDING) {
            after(fx, 60000);
            sr_push_machine_heard(&fx->machine, " ", 1, fx->now);
        }
        assert_int_equal(fx->now - began, cases[i].lives);
    }
}

/* --- sleep ------------------------------------------------------------------------- */

static void asleep_nothing_is_held_and_resume_takes_up_where_it_was(void **state)
{
    struct fixture *fx = *state;

    fall_asleep(fx);
    assert_true(fx->machine.sleeping);
    start(fx);
    says(fx, "");
    resume(fx);
    says(fx, "main 80,true");
    fall_asleep(fx);
    says(fx, "cancel main");
    fall_asleep(fx);
    says(fx, "");
    resume(fx);
    says(fx, "main 80,true");
    resume(fx);
    says(fx, "");
    answer(fx, CID);
    fall_asleep(fx);
    says(fx, "cancel main");
    resume(fx);
    says(fx, "main 81," CID ",/24871");
    answer(fx, "");
    answer(fx, "88,4\n502,1,1");
    delivered(fx);
    fall_asleep(fx);
    says(fx, "cancel main");
    answer(fx, "502,1,late"); /* was cancelled, and is nobody's */
    says(fx, "");
    after(fx, 100000000);
    says(fx, "");
    resume(fx);
    says(fx, CONNECT ",4");
    answer(fx, "50,1,402::Unknown client");
    fall_asleep(fx);
    says(fx, "");
    resume(fx);
    says(fx, "main 80,true");
}

static void a_handler_may_put_it_to_sleep_and_wake_it(void **state)
{
    struct fixture *fx = *state;

    hold(fx, 0);
    answer(fx, "88,1\n502,1,1");
    fall_asleep(fx);
    says(fx, "");
    delivered(fx);
    says(fx, "");
    is(fx, SR_PUSH_ASLEEP);
    resume(fx);
    says(fx, CONNECT ",1");
    answer(fx, "88,2\n502,1,1");
    fall_asleep(fx);
    resume(fx);
    says(fx, "");
    delivered(fx);
    says(fx, CONNECT ",2");
    subscribe(fx, "a");
    answer(fx, "88,3\n502,1,1");
    fall_asleep(fx);
    subscribe(fx, "b");
    says(fx, "");
    delivered(fx);
    says(fx, "cancel side");
    resume(fx);
    says(fx, CONNECT ",3 & side 81," CID ",/24871,a,b");
    side_answer(fx, "");
    answer(fx, "88,4\n502,1,1");
    fall_asleep(fx);
    subscribe(fx, "c");
    says(fx, "");
    delivered(fx);
    resume(fx);
    answer(fx, "88,5\n502,1,1\n86,,,,none");
    fall_asleep(fx);
    delivered(fx);
    says(fx, "cancel side & 10002,1,88,5\n502,1,1\n86,,,,none");
    is(fx, SR_PUSH_ASLEEP);
}

/* --- other collections ---------------------------------------------------------------- */

static void extra_collections_are_subscribed_with_the_channel(void **state)
{
    struct fixture *fx = *state;

    subscribe(fx, "com.acme.a");
    subscribe(fx, "4711");
    subscribe(fx, "com.acme.a");
    says(fx, "");
    unsubscribe(fx, "nobody");
    start(fx);
    answer(fx, CID);
    says(fx, "main 81," CID ",/24871,com.acme.a,4711");
    answer(fx, "");
    says(fx, FIRST_CONNECT);
    answer(fx, "86,,,,handshake"); /* and lasts over sessions */
    after(fx, pause_of(fx));
    answer(fx, "second");
    says(fx, "main 81,second,/24871,com.acme.a,4711");
}

static void changes_go_beside_a_connect_that_is_held(void **state)
{
    struct fixture *fx = *state;

    hold(fx, 5000);
    subscribe(fx, "a");
    says(fx, "side 81," CID ",/24871,a");
    subscribe(fx, "b");
    says(fx, ""); /* one at a time */
    unsubscribe(fx, "a");
    says(fx, "");
    side_answer(fx, "");
    says(fx, "side 82," CID ",/24871|81," CID ",/24871,b");
    side_answer(fx, "");
    says(fx, "");
    subscribe(fx, "c");
    says(fx, "side 81," CID ",/24871,b,c"); /* 82 is for removals only */
    answer(fx, "502,1,1");                  /* the connect goes its own way */
    says(fx, "rows 502,1,1");
    delivered(fx);
    says(fx, CONNECT);
    side_answer(fx, "86,,,,retry");
    says(fx, "");
}

static void changes_while_nothing_is_held_wait_for_the_next_connect(void **state)
{
    struct fixture *fx = *state;

    start(fx);
    subscribe(fx, "a"); /* in time for this session's 81 */
    says(fx, "");
    answer(fx, CID);
    says(fx, "main 81," CID ",/24871,a");
    unsubscribe(fx, "a");
    says(fx, "");
    answer(fx, "");
    says(fx, CONNECT " & side 82," CID ",/24871|81," CID ",/24871 & connected");
    side_answer(fx, "");
    fall_asleep(fx);
    subscribe(fx, "b");
    says(fx, "");
    resume(fx);
    says(fx, CONNECT " & side 81," CID ",/24871,b");
    fails(fx, SR_E_UNREACHABLE);
    subscribe(fx, "c");
    side_answer(fx, "");
    says(fx, "");
    after(fx, pause_of(fx));
    says(fx, CONNECT " & side 81," CID ",/24871,b,c");
}

static void a_change_in_flight_when_the_connection_drops_is_made_again(void **state)
{
    struct fixture *fx = *state;

    subscribe(fx, "a");
    hold(fx, 0);
    unsubscribe(fx, "a");
    outcome(fx, SR_PUSH_SIDE, SR_E_UNREACHABLE, 0, "", 0);
    says(fx, "10001,0,-13");
    is(fx, SR_PUSH_HOLDING); /* the connect may be well */
    fails(fx, SR_E_UNREACHABLE);
    says(fx, "10002,0,-13");
    after(fx, pause_of(fx));
    says(fx, CONNECT " & side 82," CID ",/24871|81," CID ",/24871");
    outcome(fx, SR_PUSH_SIDE, SR_E_UNREACHABLE, 0, "", 0);
    after(fx, 100);
    says(fx, "");
    after(fx, 1000);
    says(fx, "side 82," CID ",/24871|81," CID ",/24871");
    side_answer(fx, "");
    after(fx, 1000);
    says(fx, "");
}

static void a_change_that_is_refused_leaves_the_session_alone(void **state)
{
    struct fixture *fx = *state;

    hold(fx, 0);
    subscribe(fx, "nonsense");
    side_answer(fx, "40,\"No template for this X-ID.\"");
    says(fx, "10001,1,40,\"No template for this X-ID.\"");
    is(fx, SR_PUSH_HOLDING);
    unsubscribe(fx, "nonsense"); /* at once, not after the pause */
    says(fx, "side 82," CID ",/24871|81," CID ",/24871");
}

static void a_change_may_find_the_session_gone(void **state)
{
    struct fixture *fx = *state;

    hold(fx, 0);
    subscribe(fx, "a");
    side_answer(fx, "50,1,402");
    says(fx, "cancel main");
    after(fx, pause_of(fx));
    says(fx, "main 80,true");
    answer(fx, CID);
    says(fx, "main 81," CID ",/24871,a");
    answer(fx, "");
    unsubscribe(fx, "a");
    answer(fx, "86,,,,handshake");
    says(fx, "cancel side");
    after(fx, pause_of(fx));
    answer(fx, CID);
    says(fx, "main 81," CID ",/24871");
    answer(fx, "");
    says(fx, FIRST_CONNECT);
    subscribe(fx, "b");
    side_answer(fx, "86,,,,none");
    says(fx, "cancel main & 10001,1,86,,,,none");
    is(fx, SR_PUSH_OVER);
}

static void the_list_of_collections_has_a_bound(void **state)
{
    struct fixture *fx = *state;
    char xid[16];

    for (int i = 0; i < SR_PUSH_XIDS_MAX; i++) {
        snprintf(xid, sizeof xid, "x%d", i);
        subscribe(fx, xid);
    }
    assert_int_equal(
        sr_push_machine_subscribe(&fx->machine, "more", fx->now, &fx->steps),
        SR_E_FULL);
    unsubscribe(fx, "x0");
    subscribe(fx, "more");
}

static void an_object_id_is_needed(void **state)
{
    struct fixture *fx = *state;
    char id[300];

    memset(id, '1', sizeof id);
    id[256] = '\0';
    assert_int_equal(sr_push_machine_start(&fx->machine, "", 0, &fx->steps),
                     SR_E_INVAL);
    assert_int_equal(sr_push_machine_start(&fx->machine, id, 0, &fx->steps),
                     SR_E_INVAL);
    id[255] = '\0';
    assert_int_equal(sr_push_machine_start(&fx->machine, id, 0, &fx->steps), 0);
}

static void answers_nobody_waits_for_are_ignored(void **state)
{
    struct fixture *fx = *state;

    answer(fx, CID);
    says(fx, "");
    side_answer(fx, "50,1,500");
    says(fx, "");
    delivered(fx);
    says(fx, "");
    hold(fx, 0);
    side_answer(fx, "50,1,402");
    says(fx, "");
    delivered(fx);
    says(fx, "");
    fails(fx, SR_E_UNREACHABLE);
    answer(fx, "502,1,1");
    says(fx, "");
    after(fx, pause_of(fx) - 1);
    says(fx, "");
}

static void every_change_of_state_has_a_reason_and_an_end(void **state)
{
    (void)state;
    for (int from = 0; from < SR_PUSH_STATES; from++) {
        int ways_out = 0;

        for (int to = 0; to < SR_PUSH_STATES; to++)
            ways_out += sr_push_change((enum sr_push_state)from,
                                       (enum sr_push_state)to) != NULL;
        assert_true(ways_out > 0);
        assert_null(sr_push_change((enum sr_push_state)from, SR_PUSH_IDLE));
    }
    assert_string_equal(sr_push_state_name((enum sr_push_state)99), "?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(an_answer_that_is_cut_anywhere_never_crashes_the_machine),
        T(a_cut_connection_goes_on_with_the_same_session),
        T(an_answer_too_big_ends_the_session),
        T(error_rows_begin_anew_after_a_pause),
        T(an_unknown_client_shakes_hands_and_is_no_failure),
        T(statuses_of_http_are_failures_except_408),
        T(what_the_platform_does_not_say_ends_no_session),
        T(a_server_that_only_fails_gets_a_handshake_at_last),
        T(pauses_grow_up_to_a_minute_and_begin_short_again),
        T(failures_before_a_long_connect_are_forgotten),
        T(a_wrong_and_quick_server_is_not_asked_in_a_busy_loop),
        T(time_overs_that_take_their_time_are_answered_at_once),
        T(a_connection_without_heartbeat_is_given_up),
        T(heartbeats_keep_it_alive_as_long_as_they_come),
        T(early_heartbeats_do_not_make_up_for_later_ones),
        T(an_answer_that_stalls_is_given_up_sooner),
        T(a_request_that_outlives_its_time_is_given_up),
        T(asleep_nothing_is_held_and_resume_takes_up_where_it_was),
        T(a_handler_may_put_it_to_sleep_and_wake_it),
        T(extra_collections_are_subscribed_with_the_channel),
        T(changes_go_beside_a_connect_that_is_held),
        T(changes_while_nothing_is_held_wait_for_the_next_connect),
        T(a_change_in_flight_when_the_connection_drops_is_made_again),
        T(a_change_that_is_refused_leaves_the_session_alone),
        T(a_change_may_find_the_session_gone),
        T(the_list_of_collections_has_a_bound),
        T(an_object_id_is_needed),
        T(answers_nobody_waits_for_are_ignored),
        T(every_change_of_state_has_a_reason_and_an_end),
    };

    return cmocka_run_group_tests_name("push machine, life", tests, NULL, NULL);
}
