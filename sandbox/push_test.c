/* SPDX-License-Identifier: MIT */
/* Listeners and their bounds, without a wire. */
#include "push.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct sb_channel channel = { SB_NEW_OPERATIONS, 1 };

/* "<kind> <batch>: <note><note>" */
static void write_plain(const struct sb_answer *answer, struct sb_text *body)
{
    const struct sb_note *note = answer->first;

    sb_text_format(body, "%d %d:", (int)answer->kind, (int)answer->batch);
    for (size_t i = 0; i < answer->count; i++, note = note->next)
        sb_text_add(body, note->text, note->len);
}

static const struct sb_push_form form = { write_plain };

static struct sb_listener *listen_on(struct sb_push *push, bool reliable)
{
    static const char *const xids[] = { "x" };
    struct sb_listener *listener = sb_push_handshake(push, "user", &form, reliable);

    assert_non_null(listener);
    assert_true(sb_listener_subscribe(listener, channel, xids, 1));
    return listener;
}

static void note(struct sb_listener *listener, const char *text)
{
    sb_listener_queue(listener, "x", 1, text, strlen(text));
}

static void expect_answer(struct sb_poll *poll, const char *wanted, bool delivered)
{
    char *body = NULL;
    size_t len;

    assert_true(sb_poll_take(poll, &body, &len));
    assert_string_equal(body, wanted);
    free(body);
    sb_poll_close(poll, delivered);
}

static int open_push(void **state)
{
    *state = sb_push_new(10000, 5000);
    return !*state;
}

static int close_push(void **state)
{
    sb_push_free(*state);
    return 0;
}

static void undelivered_answer_comes_again_and_a_delivered_one_does_not(void **state)
{
    struct sb_listener *listener = listen_on(*state, false);

    note(listener, "a");
    expect_answer(sb_listener_connect(listener, 0, -1, ""), "0 0:a", false);
    note(listener, "b");
    expect_answer(sb_listener_connect(listener, 0, -1, ""), "0 0:ab", true);
    note(listener, "c");
    expect_answer(sb_listener_connect(listener, 0, -1, ""), "0 0:c", true);
    assert_int_equal(sb_push_count(*state).notes, 0);
}

static void acknowledgement_of_an_old_batch_keeps_what_came_later(void **state)
{
    struct sb_listener *listener = listen_on(*state, true);

    note(listener, "a");
    expect_answer(sb_listener_connect(listener, 0, -1, ""), "0 1:a", true);
    note(listener, "b");
    expect_answer(sb_listener_connect(listener, 0, -1, ""), "0 2:ab", true);
    expect_answer(sb_listener_connect(listener, 1, -1, ""), "0 3:b", true);
    expect_answer(sb_listener_connect(listener, 99, -1, ""), "0 4:b",
                  true); /* never was */
    expect_answer(sb_listener_connect(listener, -1, -1, ""), "0 5:b", true);
}

static void large_queue_comes_in_several_answers(void **state)
{
    struct sb_listener *listener = listen_on(*state, true);
    size_t size = SB_ANSWER_NOTES_BYTES - 10, len;
    char *text = malloc(size), *body;
    struct sb_poll *poll;

    memset(text, 'x', size);
    sb_listener_queue(listener, "x", 1, text, size);
    sb_listener_queue(listener, "x", 1, text, size);
    for (int64_t batch = 0; batch < 2; batch++) {
        poll = sb_listener_connect(listener, batch, -1, "");
        assert_true(sb_poll_take(poll, &body, &len));
        assert_in_range(len, size, size + 10);
        free(body);
        sb_poll_close(poll, true);
    }
    free(text);
}

static void listener_that_missed_something_has_to_begin_anew(void **state)
{
    struct sb_listener *listener = listen_on(*state, false);
    size_t size = 1 << 20;
    char *text = calloc(1, size), id[SB_CLIENT_ID_SIZE];

    strcpy(id, sb_listener_client_id(listener));
    for (int i = 0; i <= SB_NOTES_BYTES_MAX >> 20; i++)
        sb_listener_queue(listener, "x", 1, text, size);
    assert_int_equal(sb_push_count(*state).bytes, SB_NOTES_BYTES_MAX);
    sb_push_flush(*state);
    assert_null(sb_push_find(*state, id, "user", &form));
    assert_int_equal(sb_push_count(*state).bytes, 0);
    assert_null(sb_push_subscriptions(*state, channel));
    free(text);
}

static void listeners_and_channels_are_bounded(void **state)
{
    struct sb_listener *listener = listen_on(*state, false);
    struct sb_channel other = channel;

    for (int i = 1; i < SB_LISTENER_CHANNELS_MAX; i++) {
        other.id++;
        assert_true(sb_listener_subscribe(listener, other, NULL, 0));
    }
    assert_true(sb_listener_subscribe(listener, other, NULL, 0)); /* it has that */
    other.id++;
    assert_false(sb_listener_subscribe(listener, other, NULL, 0));
    for (int i = 1; i < SB_LISTENERS_MAX; i++)
        assert_non_null(sb_push_handshake(*state, "user", &form, false));
    assert_null(sb_push_handshake(*state, "user", &form, false));
    sb_listener_disconnect(listener);
    assert_non_null(sb_push_handshake(*state, "user", &form, false));
}

static void grace_begins_when_the_poll_ends(void **state)
{
    struct sb_push *push = sb_push_new(1, 5000);
    struct sb_listener *listener = listen_on(push, false);
    struct sb_poll *held = sb_listener_connect(listener, 0, -1, "");

    (void)state;
    poll(NULL, 0, 5);
    assert_int_equal(sb_push_count(push).listeners, 1); /* it waits */
    assert_int_equal(sb_push_count(push).polls, 1);
    sb_poll_expire(held);
    expect_answer(held, "1 0:", true);
    poll(NULL, 0, 5);
    assert_int_equal(sb_push_count(push).listeners, 0);
    assert_int_equal(sb_push_count(push).polls, 0);
    sb_push_free(push);
}

static void poll_outlives_the_push(void **state)
{
    struct sb_push *push = sb_push_new(10000, 5000);
    struct sb_poll *poll = sb_listener_connect(listen_on(push, true), 0, 7000, "");

    (void)state;
    assert_int_equal(sb_poll_timeout(poll), 5000);
    sb_push_free(push);
    expect_answer(poll, "2 0:", true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            undelivered_answer_comes_again_and_a_delivered_one_does_not, open_push,
            close_push),
        cmocka_unit_test_setup_teardown(
            acknowledgement_of_an_old_batch_keeps_what_came_later, open_push,
            close_push),
        cmocka_unit_test_setup_teardown(large_queue_comes_in_several_answers, open_push,
                                        close_push),
        cmocka_unit_test_setup_teardown(
            listener_that_missed_something_has_to_begin_anew, open_push, close_push),
        cmocka_unit_test_setup_teardown(listeners_and_channels_are_bounded, open_push,
                                        close_push),
        cmocka_unit_test(grace_begins_when_the_poll_ends),
        cmocka_unit_test(poll_outlives_the_push),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
