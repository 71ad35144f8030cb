/* SPDX-License-Identifier: MIT */
/* What the machine makes of answers: client ids, advice, batches, rows. */
#include "push/machine_fixture.h"

/* --- the way in --------------------------------------------------------------- */

static void shakes_hands_subscribes_and_connects(void **state)
{
    struct fixture *fx = *state;

    is(fx, SR_PUSH_IDLE);
    assert_true(sr_push_machine_due(&fx->machine) == UINT64_MAX);
    start(fx);
    says(fx, "main 80,true");
    answer(fx, CID "\n");
    says(fx, "main 81," CID ",/24871");
    assert_false(fx->machine.stats.connected);
    answer(fx, "");
    says(fx, FIRST_CONNECT);
    assert_true(fx->machine.stats.connected);
    assert_int_equal(fx->machine.stats.handshakes, 1);
    assert_int_equal(sr_push_machine_start(&fx->machine, "1", fx->now, &fx->steps),
                     SR_E_STATE);
}

static void a_client_id_stands_alone_on_the_first_row(void **state)
{
    static const char *const fine[] = {
        CID,
        CID "\n",
        CID "\r\n",
        "   " CID "\n",
        "\n\n" CID "\n",
        "\"" CID "\"\n",
        CID "\n86,,5400000,0,retry\n",
        CID "\n86,5400000,0,retry",
        CID "\n86,x\n",
    };
    static const char *const bad[] = {
        "",
        " ",
        "\n",
        CID ",1\n",
        CID ",\n",
        "," CID "\n",
        "86,,0,0,retry\n" CID "\n",
        CID "\n" CID "\n",
        CID "\n502,1,24902\n",
        CID "\n43,1,Invalid Message Identifier\n",
        CID "\n88,1\n",
        CID "\n\"never closed",
        "43,1,Invalid Message Identifier\n",
        "43\n",
        "50\n",
        "50,1,401,\"Bad credentials\"",
        "88\n",
        "87\n",
        "20\n",
        "<html>\n",
        "<html>\n<body>not found</body>",
        "two words\n",
        "\"" CID "\n",
        "\"\"\n",
        "\"a,b\"\n",
        "caf\xc3\xa9\n",
    };
    struct fixture *fx = *state;

    for (size_t i = 0; i < sizeof fine / sizeof *fine; i++) {
        renew(fx);
        start(fx);
        answer(fx, fine[i]);
        says(fx, "main 81," CID ",/24871");
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        renew(fx);
        start(fx);
        answer(fx, bad[i]);
        assert_int_equal(strncmp(fx->said, "10000,1,", 8), 0);
        assert_int_equal(pause_of(fx), FIRST_PAUSE);
        after(fx, FIRST_PAUSE);
        says(fx, "main 80,true");
    }
}

static void a_client_id_has_bounds(void **state)
{
    struct fixture *fx = *state;
    char id[300];

    memset(id, 'x', sizeof id);
    start(fx);
    outcome(fx, SR_PUSH_MAIN, 0, 200, id, 255);
    is(fx, SR_PUSH_SUBSCRIBING);
    renew(fx);
    start(fx);
    outcome(fx, SR_PUSH_MAIN, 0, 200, id, 256);
    is(fx, SR_PUSH_PAUSING);
    renew(fx);
    start(fx);
    outcome(fx, SR_PUSH_MAIN, 0, 200, "abc\0def", 7);
    is(fx, SR_PUSH_PAUSING);
}

static void success_of_a_subscription_has_nothing_to_say(void **state)
{
    static const char *const fine[] = {
        "", " ", "\r\n", "\n\n", "86,,5400000,0,retry\n", " \n86,,,,retry"
    };
    static const char *const bad[] = { "50,1,404,\"no such object\"\n",
                                       "40,,/24871,Could not find any templates\n",
                                       "41",
                                       "42,1",
                                       "43,1,Invalid Message Identifier",
                                       "45,1,Wrong number of arguments",
                                       "0",
                                       "ok",
                                       "88,1",
                                       "86,,0,0,retry\n50,1,500",
                                       "87,1,x",
                                       "\"",
                                       "\r",
                                       "<html>" };
    struct fixture *fx = *state;

    for (size_t i = 0; i < sizeof fine / sizeof *fine; i++) {
        renew(fx);
        start(fx);
        answer(fx, CID);
        answer(fx, fine[i]);
        says(fx, FIRST_CONNECT);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        renew(fx);
        start(fx);
        answer(fx, CID);
        answer(fx, bad[i]);
        assert_int_equal(strncmp(fx->said, "10001,1,", 8), 0);
        assert_int_equal(pause_of(fx), FIRST_PAUSE);
        after(fx, FIRST_PAUSE);
        says(fx, "main 80,true");
    }
}

static void a_failure_tells_what_the_platform_said(void **state)
{
    struct fixture *fx = *state;
    char page[2000];

    start(fx);
    answer(fx, "  43,1,\"Invalid, it is\"\n");
    says(fx, "10000,1,43,1,\"Invalid, it is\"");
    after(fx, 1000);
    memset(page, 'x', sizeof page);
    memcpy(page + SR_PUSH_FAILURE_TEXT_MAX - 1, "\xe2\x82\xac",
           3); /* across the limit */
    outcome(fx, SR_PUSH_MAIN, 0, 200, page, sizeof page);
    assert_int_equal(fx->machine.failure.len, SR_PUSH_FAILURE_TEXT_MAX - 1);
    assert_int_equal(strlen(fx->machine.failure.text), SR_PUSH_FAILURE_TEXT_MAX - 1);
    assert_int_equal(fx->machine.stats.failures, 2);
}

/* --- advice ------------------------------------------------------------------- */

static const struct advice_case {
    const char *row;
    const char *next; /* of the answer, or NULL: a pause of */
    uint64_t pause;
} advices[] = {
    {"86,,5400000,0,retry",                        CONNECT, 0          },
    { "86,5400000,0,retry",                        CONNECT, 0          },
    { "86,1,5400000,0,retry",                      CONNECT, 0          },
    { "86,,10000,retry",                           NULL,    10000      },
    { "86,1,,10000,retry",                         NULL,    10000      },
    { "86,,1000,10000,retry",                      NULL,    10000      },
    { "86,,1000,\"10000\",retry",                  NULL,    10000      },
    { "86,,,,retry",                               CONNECT, 0          },
    { "86,,,retry",                                CONNECT, 0          },
    { "86,,,1,retry",                              NULL,    1          },
    { "86, , ,10000, retry",                       NULL,    10000      },
    { "86,a,b,1000,10000,retry",                   NULL,    10000      },
    { "86,,,,handshake",                           NULL,    FIRST_PAUSE},
    { "86,,,handshake",                            NULL,    FIRST_PAUSE},
    { "86,,0,10000,handshake",                     NULL,    10000      },
    { "86,,,1000000000000,retry",                  NULL,    3600000    },
    { "86,,,1000000000000,handshake",              NULL,    3600000    },
    { "86,,99999999999999,,retry",                 CONNECT, 0          },
 /* nonsense: ignored as a whole, or the time that is none */
    { "86",                                        CONNECT, 0          },
    { "86,",                                       CONNECT, 0          },
    { "86,handshake",                              CONNECT, 0          },
    { "86,0,handshake",                            CONNECT, 0          },
    { "86,,,,",                                    CONNECT, 0          },
    { "86,,,9,Retry",                              CONNECT, 0          },
    { "86,,,9,reconnect",                          CONNECT, 0          },
    { "86,retry,9,9,9",                            CONNECT, 0          },
    { "86,,,-9,retry",                             CONNECT, 0          },
    { "86,,,9.5,retry",                            CONNECT, 0          },
    { "86,,,soon,retry",                           CONNECT, 0          },
    { "86,,never,9,retry",                         NULL,    9          },
    { "86,,,123456789012345678901234567890,retry", CONNECT, 0          },
    { "86,,,soon,handshake",                       NULL,    FIRST_PAUSE},
};

static void follows(struct fixture *fx, const struct advice_case *advice)
{
    if (advice->next)
        says(fx, advice->next);
    else
        assert_int_equal(pause_of(fx), advice->pause);
}

static void advice_is_understood_in_all_its_forms(void **state)
{
    struct fixture *fx = *state;

    for (size_t i = 0; i < sizeof advices / sizeof *advices; i++) {
        hold_anew(fx, 5000);
        answer(fx, advices[i].row);
        follows(fx, &advices[i]);
        assert_int_equal(fx->machine.failed, false);
    }
}

static void advice_may_stand_before_between_and_behind_rows(void **state)
{
    static const char *const shapes[] = {
        "%s\n88,7\n502,1,24902,24871\n",        "88,7\n%s\n502,1,24902,24871\n",
        "88,7\n502,1,24902,24871\n%s",          "502,1,24902,24871\n%s\n88,7",
        "502,1,24902,24871\n88,7\n%s\n",        "%s\r\n502,1,24902,24871\r\n88,7\r\n",
        "  \n   %s\n  88,7\n 502,1,24902,24871"
    };
    struct fixture *fx = *state;
    char body[200], next[100];

    for (size_t i = 0; i < sizeof advices / sizeof *advices; i++)
        for (size_t k = 0; k < sizeof shapes / sizeof *shapes; k++) {
            struct advice_case advice = advices[i];

            hold_anew(fx, 5000);
            snprintf(body, sizeof body, shapes[k], advice.row);
            answer(fx, body);
            says(fx, "rows 502,1,24902,24871");
            delivered(fx);
            if (advice.next)
                advice.next = strcat(strcpy(next, advice.next), ",7");
            follows(fx, &advice);
        }
}

static void advice_that_makes_no_sense_is_remarked(void **state)
{
    static const char *const fine[] = { "86,,,,retry", "86,1,2,3,none",
                                        "86,,,handshake" };
    static const char *const odd[] = { "86", "86,,,9,reconnect", "86,,,x,retry",
                                       "86,,x,,handshake" };
    struct fixture *fx = *state;

    for (size_t i = 0; i < sizeof fine / sizeof *fine; i++) {
        hold_anew(fx, 5000);
        answer(fx, fine[i]);
        assert_null(fx->steps.warning);
    }
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        hold_anew(fx, 5000);
        answer(fx, odd[i]);
        assert_non_null(strstr(fx->steps.warning, "(86)"));
    }
}

static void handshake_advice_begins_anew(void **state)
{
    struct fixture *fx = *state;

    hold(fx, 5000);
    answer(fx, "88,7\n502,1,24902\n86,,,,handshake\n");
    delivered(fx);
    assert_false(fx->machine.stats.connected);
    assert_int_equal(fx->machine.stats.failures, 0);
    after(fx, FIRST_PAUSE);
    says(fx, "main 80,true");
    answer(fx, "second");
    answer(fx, "");
    says(fx, "main 83,second & connected"); /* the batch was the first session's */
}

static void none_stops_and_is_told(void **state)
{
    struct fixture *fx = *state;

    hold(fx, 0);
    answer(fx, "502,1,24902\n86,,0,0,none\n");
    says(fx, "rows 502,1,24902");
    delivered(fx);
    says(fx, "10002,1,502,1,24902\n86,,0,0,none");
    is(fx, SR_PUSH_OVER);
    assert_true(sr_push_machine_due(&fx->machine) == UINT64_MAX);
    after(fx, 100000000);
    says(fx, "");
    fall_asleep(fx); /* the application may begin anew */
    resume(fx);
    says(fx, "main 80,true");
    answer(fx, CID "\n86,,,,none");
    says(fx, "10000,1," CID "\n86,,,,none");
    is(fx, SR_PUSH_OVER);
    fall_asleep(fx);
    resume(fx);
    answer(fx, CID);
    answer(fx, "86,,,,none");
    says(fx, "10001,1,86,,,,none");
    is(fx, SR_PUSH_OVER);
    hold_anew(fx, 0);
    answer(fx, "50,1,500\n86,,,,none"); /* whatever else it says */
    is(fx, SR_PUSH_OVER);
    hold_anew(fx, 0);
    answer(fx, "50,1,402\n86,,,,none");
    is(fx, SR_PUSH_OVER);
}

static void an_interval_lasts_until_the_next_advice_or_session(void **state)
{
    struct fixture *fx = *state;

    hold(fx, 5000);
    answer(fx, "86,,,3000,retry");
    after(fx, 2999);
    says(fx, "");
    after(fx, 1);
    says(fx, CONNECT);
    fx->now += 5000;
    answer(fx, "");
    assert_int_equal(pause_of(fx), 3000);
    after(fx, 3000);
    fx->now += 5000;
    answer(fx, "86,,,0,retry");
    says(fx, CONNECT);
    answer(fx, "86,,,3000,handshake");
    after(fx, 3000);
    fails(fx, SR_E_UNREACHABLE); /* whoever did not answer gave no advice */
    assert_in_range(pause_of(fx), 1, 1000);
}

/* --- batches ------------------------------------------------------------------ */

static void batches_are_acknowledged_after_they_were_dispatched(void **state)
{
    struct fixture *fx = *state;

    hold(fx, 0);
    answer(fx, "  88,1\n502,1,24902,24871\n503,1,a,\"b,c\"\n86,,5400000,0,retry\n");
    says(fx, "rows 502,1,24902,24871|503,1,a,\"b,c\"");
    is(fx, SR_PUSH_DELIVERING);
    delivered(fx);
    says(fx, CONNECT ",1");
    answer(fx, "502,1,24903\n88,2");
    says(fx, "rows 502,1,24903");
    delivered(fx);
    says(fx, CONNECT ",2");
    fx->now += 5000;
    answer(fx, "");
    says(fx, CONNECT ",2"); /* said again, until there is another */
    assert_int_equal(fx->machine.stats.batches, 2);
}

static void a_batch_that_comes_again_is_acknowledged_and_not_dispatched(void **state)
{
    struct fixture *fx = *state;

    hold(fx, 0);
    answer(fx, "88,1\n502,1,24902\n");
    delivered(fx);
    fx->now += 2000;
    answer(fx, "88,1\n502,1,24902\n");
    says(fx, CONNECT ",1");
    answer(fx, "88,1\n502,1,24902\n"); /* and quickly: not for ever at full speed */
    assert_int_equal(pause_of(fx), FIRST_PAUSE);
    after(fx, FIRST_PAUSE);
    says(fx, CONNECT ",1");
    answer(fx, "88,2\n502,1,24902\n"); /* the same row in another batch is another */
    says(fx, "rows 502,1,24902");
    assert_int_equal(fx->machine.stats.batches, 4);
    assert_int_equal(fx->machine.stats.batches_repeated, 2);
}

static void a_batch_that_cannot_be_acknowledged_ends_the_session(void **state)
{
    static const char *const bad[] = { "88",    "88,",    "88,x",
                                       "88,-1", "88,1.5", "88,18446744073709551616" };
    struct fixture *fx = *state;
    char body[100], told[200];

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        hold_anew(fx, 5000);
        snprintf(body, sizeof body, "%s\n502,1,24902", bad[i]);
        snprintf(told, sizeof told, "10002,1,%s", body);
        answer(fx, body);
        says(fx, "rows 502,1,24902"); /* once, and never again */
        delivered(fx);
        says(fx, told);
        after(fx, pause_of(fx));
        says(fx, "main 80,true");
    }
    hold_anew(fx, 0);
    answer(fx, "88,x\n88,18446744073709551615\n88\n502,1,24902");
    delivered(fx);
    says(fx, CONNECT ",18446744073709551615");
}

/* --- rows --------------------------------------------------------------------- */

static void groups_go_to_the_dispatcher_as_they_are(void **state)
{
    struct fixture *fx = *state;

    hold(fx, 0);
    answer(fx, "88,3\n87,1,24830\n502,1,24902\n87,1,other\n86,,,,retry\n600,1,x\n");
    says(fx, "rows 87,1,24830|502,1,24902|87,1,other|600,1,x");
}

static void malformed_rows_go_along_with_good_ones(void **state)
{
    struct fixture *fx = *state;

    hold(fx, 0);
    answer(fx, "502,1,a\nx,1\n503,\"1\"2\n504,1,\"open\n86,,,,handshake");
    says(fx, "rows 502,1,a|x,1|???|???");
    delivered(fx);
    says(fx, CONNECT);
}

static void garbage_is_a_failure_and_is_not_dispatched(void **state)
{
    static const char *const garbage[] = {
        "<html>\n<body>\n", "x", "\"", "-5,1,2", "99999999999,1", "\xff\xfe", "502\r503"
    };
    struct fixture *fx = *state;

    for (size_t i = 0; i < sizeof garbage / sizeof *garbage; i++) {
        hold_anew(fx, 5000);
        answer(fx, garbage[i]);
        assert_int_equal(strncmp(fx->said, "10002,1,", 8), 0);
        after(fx, pause_of(fx));
        says(fx, CONNECT); /* the session is not to blame */
    }
    hold_anew(fx, 5000); /* in a batch it would come again and again */
    answer(fx, "88,5\n<html>");
    says(fx, "rows <html>");
    delivered(fx);
    says(fx, CONNECT ",5");
}

static void an_answer_split_at_any_byte_is_heard_as_one(void **state)
{
    static const char body[] = " 88,1\n502,1,24902\n";
    struct fixture *fx = *state;

    for (size_t i = 0; i < sizeof body; i++) {
        hold_anew(fx, 10);
        sr_push_machine_heard(&fx->machine, body, i, fx->now);
        fx->now += 10;
        sr_push_machine_heard(&fx->machine, body + i, sizeof body - 1 - i, fx->now);
        answer(fx, body);
        says(fx, "rows 502,1,24902");
        delivered(fx);
        says(fx, CONNECT ",1");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(shakes_hands_subscribes_and_connects),
        T(a_client_id_stands_alone_on_the_first_row),
        T(a_client_id_has_bounds),
        T(success_of_a_subscription_has_nothing_to_say),
        T(a_failure_tells_what_the_platform_said),
        T(advice_is_understood_in_all_its_forms),
        T(advice_may_stand_before_between_and_behind_rows),
        T(advice_that_makes_no_sense_is_remarked),
        T(handshake_advice_begins_anew),
        T(none_stops_and_is_told),
        T(an_interval_lasts_until_the_next_advice_or_session),
        T(batches_are_acknowledged_after_they_were_dispatched),
        T(a_batch_that_comes_again_is_acknowledged_and_not_dispatched),
        T(a_batch_that_cannot_be_acknowledged_ends_the_session),
        T(groups_go_to_the_dispatcher_as_they_are),
        T(malformed_rows_go_along_with_good_ones),
        T(garbage_is_a_failure_and_is_not_dispatched),
        T(an_answer_split_at_any_byte_is_heard_as_one),
    };

    return cmocka_run_group_tests_name("push machine", tests, NULL, NULL);
}
