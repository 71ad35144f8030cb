/* SPDX-License-Identifier: MIT */
#include "push/machine_fixture.h"

#include <smartrest/record.h>

static uint32_t no_jitter(void)
{
    return 0;
}

int set_up(void **state)
{
    struct fixture *fx = calloc(1, sizeof *fx);

    sr_push_machine_init(&fx->machine, NULL, no_jitter);
    fx->now = 1000000;
    *state = fx;
    return 0;
}

int tear_down(void **state)
{
    struct fixture *fx = *state;

    sr_push_machine_release(&fx->machine);
    free(fx);
    return 0;
}

void renew(struct fixture *fx)
{
    sr_push_machine_release(&fx->machine);
    sr_push_machine_init(&fx->machine, NULL, no_jitter);
}

/* --- steps as text ------------------------------------------------------------ */

static void say(struct fixture *fx, const char *format, ...) SR_PRINTF(2, 3);
static void say(struct fixture *fx, const char *format, ...)
{
    size_t len = strlen(fx->said);
    va_list args;

    if (len)
        len += (size_t)snprintf(fx->said + len, sizeof fx->said - len, " & ");
    va_start(args, format);
    vsnprintf(fx->said + len, sizeof fx->said - len, format, args);
    va_end(args);
}

/* Rows, each but the first behind a `|`. */
static void say_rows(struct fixture *fx, const char *what, const char *text, size_t len)
{
    struct sr_parser parser;
    struct sr_record *record;
    char rows[2048] = "";
    size_t offset, size;
    int rc;

    sr_parser_init(&parser, text, len);
    while ((rc = sr_parser_next(&parser, &record)) != SR_E_END) {
        size_t at = strlen(rows);

        if (!rc)
            sr_record_range(record, &offset, &size);
        snprintf(rows + at, sizeof rows - at, "%s%.*s", at ? "|" : "",
                 rc ? 3 : (int)size, rc ? "???" : text + offset);
    }
    sr_parser_release(&parser);
    say(fx, "%s %s", what, rows);
}

static void say_step(struct fixture *fx, const struct sr_push_step *step)
{
    static const char *const lines[] = { "main", "side" };
    const struct sr_push_failure *failure = &fx->machine.failure;

    switch (step->what) {
    case SR_PUSH_SEND:
        say_rows(fx, lines[step->line], step->text, step->len);
        assert_int_equal(step->timeout_ms == 0, !strncmp(step->text, "83", 2));
        break;
    case SR_PUSH_CANCEL: say(fx, "cancel %s", lines[step->line]); break;
    case SR_PUSH_DELIVER: say_rows(fx, "rows", step->text, step->len); break;
    case SR_PUSH_REPORT:
        if (failure->rc)
            say(fx, "%d,0,%d", failure->id, failure->rc);
        else
            say(fx, "%d,1,%s", failure->id, failure->text);
        break;
    case SR_PUSH_TELL: say(fx, "connected");
    }
}

static void say_steps(struct fixture *fx)
{
    fx->said[0] = '\0';
    assert_true(fx->steps.count <= SR_PUSH_STEPS_MAX);
    for (size_t i = 0; i < fx->steps.count; i++)
        say_step(fx, &fx->steps.step[i]);
    assert_true(fx->machine.state == SR_PUSH_IDLE || fx->machine.why);
}

/* --- inputs ------------------------------------------------------------------- */

void start(struct fixture *fx)
{
    assert_int_equal(sr_push_machine_start(&fx->machine, "24871", fx->now, &fx->steps),
                     0);
    say_steps(fx);
}

void outcome(struct fixture *fx, enum sr_push_line line, int rc, long status,
             const char *body, size_t len)
{
    const struct sr_push_outcome outcome = {
        .rc = rc, .status = status, .proved = true, .body = body, .len = len
    };

    sr_push_machine_answered(&fx->machine, line, &outcome, fx->now, &fx->steps);
    say_steps(fx);
}

void answer(struct fixture *fx, const char *body)
{
    outcome(fx, SR_PUSH_MAIN, 0, 200, body, strlen(body));
}

void side_answer(struct fixture *fx, const char *body)
{
    outcome(fx, SR_PUSH_SIDE, 0, 200, body, strlen(body));
}

void fails(struct fixture *fx, int rc)
{
    outcome(fx, SR_PUSH_MAIN, rc, 0, "", 0);
}

void status(struct fixture *fx, long number)
{
    outcome(fx, SR_PUSH_MAIN, 0, number, "<html>", 6);
}

void strange_outcome(struct fixture *fx, int rc, long number)
{
    const struct sr_push_outcome outcome = {
        .rc = rc, .status = number, .body = "<html>", .len = 6
    };

    sr_push_machine_answered(&fx->machine, SR_PUSH_MAIN, &outcome, fx->now, &fx->steps);
    say_steps(fx);
}

void delivered(struct fixture *fx)
{
    sr_push_machine_delivered(&fx->machine, fx->now, &fx->steps);
    say_steps(fx);
}

void after(struct fixture *fx, uint64_t ms)
{
    fx->now += ms;
    sr_push_machine_time(&fx->machine, fx->now, &fx->steps);
    say_steps(fx);
}

void fall_asleep(struct fixture *fx)
{
    sr_push_machine_sleep(&fx->machine, fx->now, &fx->steps);
    say_steps(fx);
}

void resume(struct fixture *fx)
{
    sr_push_machine_resume(&fx->machine, fx->now, &fx->steps);
    say_steps(fx);
}

void subscribe(struct fixture *fx, const char *xid)
{
    assert_int_equal(sr_push_machine_subscribe(&fx->machine, xid, fx->now, &fx->steps),
                     0);
    say_steps(fx);
}

void unsubscribe(struct fixture *fx, const char *xid)
{
    sr_push_machine_unsubscribe(&fx->machine, xid, fx->now, &fx->steps);
    say_steps(fx);
}

void is(struct fixture *fx, enum sr_push_state state)
{
    assert_string_equal(sr_push_state_name(fx->machine.state),
                        sr_push_state_name(state));
}

uint64_t pause_of(struct fixture *fx)
{
    is(fx, SR_PUSH_PAUSING);
    return sr_push_machine_due(&fx->machine) - fx->now;
}

void hold(struct fixture *fx, uint64_t held_ms)
{
    start(fx);
    answer(fx, CID "\n");
    answer(fx, "");
    says(fx, FIRST_CONNECT);
    fx->now += held_ms;
}

void hold_anew(struct fixture *fx, uint64_t held_ms)
{
    renew(fx);
    hold(fx, held_ms);
}
