/* SPDX-License-Identifier: MIT */
/* Allocations that fail, the first, the second, and so on: calls say so, and what was
 * accepted arrives, once and in order. Linked with --wrap, see CMakeLists.txt. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
/* after what it needs */
#include <cmocka.h>

#include "outbox/outbox_fixture.h"
#include "record/alloc_test.h"

enum { ROWS = 120, MEMORY = 4096 };

struct run {
    struct sr_outbox *box;
    char accepted[ROWS][16];
    int count, arrived;
};

/* Opens a box, in memory if there is no memory for more. */
static bool begin(struct run *run, struct place *place)
{
    char why[256] = "";
    int rc = sr_outbox_new(MEMORY, &place->clock.clock, &run->box);

    if (rc) {
        assert_int_equal(rc, SR_E_NOMEM);
        run->box = NULL;
        return false;
    }
    rc = sr_outbox_open(run->box, place->dir, &place->options, NULL, why, sizeof why);
    if (rc) {
        assert_int_equal(rc, SR_E_NOMEM);
        assert_string_equal(why, "out of memory");
    }
    return !rc;
}

static bool put_one(struct run *run, int i)
{
    char *row = run->accepted[run->count];
    int rc;

    snprintf(row, sizeof run->accepted[0], "%04d", i);
    rc = i % 3 ? put_told(run->box, row, SR_PRIO_BUF) : keep(run->box, row);
    if (!rc)
        run->count++;
    else
        assert_true(rc == SR_E_NOMEM || rc == SR_E_FULL);
    return !rc;
}

static bool take_and_ack(struct run *run)
{
    struct notes notes = { .rows_max = 2 };
    char expected[32] = "";
    size_t taken = ticket_take(run->box, 5, SR_PART_ALL, false, note, &notes);

    for (size_t i = 0; i < taken; i++) {
        strcat(expected, run->accepted[run->arrived++]);
        strcat(expected, " ");
    }
    assert_string_equal(notes.text, expected);
    assert_int_equal(ticket_ack(run->box, 5), taken);
    return taken > 0;
}

static bool use(struct run *run, struct place *place)
{
    bool well = begin(run, place);

    if (!run->box)
        return false;
    sr_outbox_set_policy(run->box, SR_CLASS_BUFFERED, SR_REFUSE);
    for (int i = 0; i < ROWS; i++) {
        well = put_one(run, i) && well;
        if (i % 10 == 9) {
            ticket_take(run->box, 1, SR_PART_ALL, false, note,
                        &(struct notes){ .rows_max = 3 });
            sr_outbox_requeue(run->box);
            well = take_and_ack(run) && well;
        }
    }
    return well;
}

static void without_memory_calls_say_so_and_what_was_accepted_arrives(void **state)
{
    bool well = false;

    (void)state;
    for (size_t good = 0; !well && good < 2000; good++) {
        struct run run = { 0 };
        void *place;

        assert_int_equal(make_place(&place), 0);
        fail_allocations_after(good);
        well = use(&run, place);
        stop_failing();
        while (run.box && take_and_ack(&run))
            ;
        assert_int_equal(run.arrived, run.count);
        sr_outbox_free(run.box);
        remove_place(&place);
    }
    assert_true(well);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_memory_calls_say_so_and_what_was_accepted_arrives),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
