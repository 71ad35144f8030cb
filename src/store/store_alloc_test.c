/* SPDX-License-Identifier: MIT */
/* Allocations that fail, the first, the second, and so on: calls say so, and no row is lost.
 * Linked with --wrap, see CMakeLists.txt. */
#include "store/store_fixture.h"

#include "record/alloc_test.h"

#include <stdio.h>

enum { ROWS = 700, DONE = 100 };

/* Returns whether all went well. */
static bool live(struct fixture *fx, bool *accepted, uint64_t *ret_done)
{
    bool well = try_open(fx) == 0;

    if (!well) {
        assert_string_equal(fx->why, "out of memory");
        fx->store = NULL;
        return false;
    }
    for (uint64_t seq = 1; seq <= ROWS; seq++) {
        int rc = seq < sr_store_next_seq(fx->store) ? 0 : append(fx, seq);

        assert_true(rc == 0 || rc == SR_E_NOMEM);
        accepted[seq] |= rc == 0;
        well = well && rc == 0;
    }
    sr_store_done(fx->store, 1, DONE);
    *ret_done = DONE;
    return well;
}

static void without_memory_calls_say_so_and_no_row_is_lost(void **state)
{
    static uint64_t numbers[ROWS];
    struct fixture *fx = *state;
    bool well = false;

    fx->options.disk = &fx->quick;
    for (size_t good = 0; !well && good < 200; good++) {
        bool accepted[ROWS + 1] = { false };
        uint64_t done = 0;
        size_t count, k = 0;

        snprintf(fx->dir, sizeof fx->dir, "%s/%zu", fx->top, good);
        fail_allocations_after(good);
        well = live(fx, accepted, &done);
        close_store(fx);
        stop_failing();
        open_store(fx);
        count = read_all(fx, numbers, ROWS);
        for (uint64_t seq = done + 1; seq <= ROWS; seq++)
            if (accepted[seq])
                assert_int_equal(numbers[k++], seq);
        assert_int_equal(k, count);
        close_store(fx);
    }
    assert_true(well);
}

/* The same for a log that is there already. */
static void without_memory_a_full_log_is_opened_later(void **state)
{
    struct fixture *fx = *state;
    int rc = SR_E_NOMEM;

    fx->options.disk = &fx->quick;
    open_store(fx);
    put_rows(fx, ROWS);
    sr_store_done(fx->store, 50, 80);
    sr_store_done(fx->store, 1, 10);
    close_store(fx);
    for (size_t good = 0; rc && good < 200; good++) {
        fail_allocations_after(good);
        rc = try_open(fx);
        stop_failing();
        assert_true(rc == 0 || rc == SR_E_NOMEM);
        if (rc)
            fx->store = NULL;
    }
    assert_int_equal(rc, 0);
    assert_int_equal(fx->recovery.rows, ROWS - 31 - 10);
    assert_int_equal(fx->recovery.files_damaged, 0);
}

#define test(function) \
    cmocka_unit_test_setup_teardown(function, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(without_memory_calls_say_so_and_no_row_is_lost),
        test(without_memory_a_full_log_is_opened_later),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
