/* SPDX-License-Identifier: MIT */
/* The power goes between any two steps of the store: what was committed is there, what was done
 * stays so once it is synced, nothing is made up, and life goes on. SR_CUTS says how many cuts
 * are tried with each policy. */
#include "medium.h"
#include "store/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <smartrest/error.h>
#include <string.h>
#include <unistd.h>

enum { ROWS = 260, NEW_ROWS = 3, TEXT = 2400, CUTS = 600 };

static struct dice dice;

/* --- rows ----------------------------------------------------------------------- */

#define NEVER SIZE_MAX

/* When what happened to a row, in steps of the medium. */
struct fate {
    size_t tried;     /* before the append */
    size_t written;   /* behind it */
    size_t committed; /* behind the commit */
    size_t done;      /* before sr_store_done() */
    size_t done_sure; /* behind the commit of a later row */
};

/* Rows have numbers from 1 on. */
static struct {
    struct fate of[ROWS + 1];
    uint64_t rows, first_live;
} story;

static size_t text_of(uint64_t seq, char text[TEXT])
{
    struct dice d = { seq };
    size_t len = (size_t)sprintf(text, "200,%llu,", (unsigned long long)seq);
    size_t fill = dice_percent(&d, 20) ? dice_below(&d, 2000) : dice_below(&d, 200);

    while (fill--)
        text[len++] = (char)('a' + dice_below(&d, 26));
    return len;
}

static int append(struct sr_store *store, uint64_t seq)
{
    char text[TEXT];
    struct sr_entry entry = { .seq = seq, .prio = 1, .row = text };

    entry.len = text_of(seq, text);
    entry.put.wall_ms = 1700000000000 + (int64_t)seq;
    return sr_store_append(store, &entry);
}

/* --- a story to cut ------------------------------------------------------------- */

static void tell_row(struct sr_store *store, struct medium *medium)
{
    uint64_t seq = ++story.rows;
    struct fate *fate = &story.of[seq];

    *fate = (struct fate){ .committed = NEVER, .done = NEVER, .done_sure = NEVER };
    fate->tried = medium_steps(medium);
    assert_int_equal(append(store, seq), 0);
    fate->written = medium_steps(medium);
}

static void tell_commit(struct sr_store *store, struct medium *medium, uint64_t from,
                        bool by_row)
{
    size_t step;

    assert_int_equal(sr_store_commit(store, story.rows), 0);
    if (!by_row)
        return;
    step = medium_steps(medium);
    for (uint64_t seq = from; seq <= story.rows; seq++)
        story.of[seq].committed = step;
    for (uint64_t seq = 1; seq < story.first_live; seq++)
        if (story.of[seq].done_sure == NEVER)
            story.of[seq].done_sure = step;
}

static void tell_done(struct sr_store *store, struct medium *medium)
{
    uint64_t live = story.rows + 1 - story.first_live;
    uint64_t count = dice_below(&dice, (unsigned)(live < 12 ? live : 12) + 1);

    if (!count)
        return;
    for (uint64_t i = 0; i < count; i++)
        story.of[story.first_live + i].done = medium_steps(medium);
    sr_store_done(store, story.first_live, story.first_live + count - 1);
    story.first_live += count;
}

static struct medium *tell_story(const char *dir, enum sr_store_sync sync)
{
    const struct sr_store_options base = { .cap = SR_STORE_CAP_MIN,
                                           .sync = sync,
                                           .sync_ms = 5 };
    struct sr_store_options options = base;
    struct medium *medium = medium_start(dir);
    struct sr_store_recovery recovery;
    struct sr_store *store;
    char why[256] = "";

    memset(&story, 0, sizeof story);
    story.first_live = 1;
    options.disk = medium_disk(medium);
    if (sr_store_open(dir, &options, &store, &recovery, why, sizeof why))
        fail_msg("%s", why);
    while (story.rows < ROWS) {
        uint64_t from = story.rows + 1;

        for (unsigned n = dice_between(&dice, 1, 4); n && story.rows < ROWS; n--)
            tell_row(store, medium);
        tell_commit(store, medium, from, sync == SR_SYNC_ROW);
        if (dice_percent(&dice, 30))
            tell_done(store, medium);
    }
    sr_store_close(store);
    /* Closing commits all there is. */
    for (uint64_t seq = 1; seq <= story.rows; seq++)
        if (story.of[seq].committed == NEVER)
            story.of[seq].committed = medium_steps(medium);
    return medium;
}

/* --- what has to be there after a cut ------------------------------------------- */

/* In which step was the row written? Its record ends the steps of its append. */
static bool is_promised(struct medium *medium, const struct fate *fate, size_t cut)
{
    if (fate->committed <= cut)
        return true;
    for (size_t step = fate->tried; step < fate->written; step++)
        if (!medium_is_sure(medium, cut, step))
            return false;
    return fate->written <= cut && fate->written > fate->tried;
}

static void expect_text(const struct sr_entry *entry)
{
    char text[TEXT];
    size_t len = text_of(entry->seq, text);

    if (entry->len != len || memcmp(entry->row, text, len))
        fail_msg("row %llu came back as '%.*s'", (unsigned long long)entry->seq,
                 (int)entry->len, entry->row);
}

/* Reads all live rows into `there`, which has room for ROWS + NEW_ROWS and more. */
static void read_rows(struct sr_store *store, bool *there, size_t size)
{
    struct sr_entry entry;
    uint64_t from = 0;
    int rc;

    memset(there, 0, size);
    while (!(rc = sr_store_next(store, from, &entry))) {
        assert_true(entry.seq >= from && entry.seq < size);
        expect_text(&entry);
        there[entry.seq] = true;
        from = entry.seq + 1;
    }
    assert_int_equal(rc, SR_E_END);
}

/* Numbers from `more` on have been given again, to rows after the cut. */
static void expect_fates(struct medium *medium, size_t cut, const bool *there,
                         uint64_t more)
{
    for (uint64_t seq = 1; seq <= story.rows && (!more || seq < more); seq++) {
        const struct fate *fate = &story.of[seq];

        if (there[seq] && fate->tried >= cut)
            fail_msg("cut behind step %zu: row %llu was not written yet, and is there",
                     cut, (unsigned long long)seq);
        if (there[seq] && fate->done_sure <= cut)
            fail_msg("cut behind step %zu: row %llu was done for good, and is back",
                     cut, (unsigned long long)seq);
        if (!there[seq] && fate->done >= cut && is_promised(medium, fate, cut))
            fail_msg("cut behind step %zu: row %llu was on the medium, and is gone",
                     cut, (unsigned long long)seq);
    }
}

/* --- cutting -------------------------------------------------------------------- */

static void make_dir(char dir[64])
{
    strcpy(dir, access("/dev/shm", W_OK) ? "/tmp/smartrest-power.XXXXXX"
                                         : "/dev/shm/smartrest-power.XXXXXX");
    assert_non_null(mkdtemp(dir));
}

static void remove_dir(const char *path)
{
    DIR *dir = opendir(path);
    struct dirent *entry;

    assert_non_null(dir);
    while ((entry = readdir(dir)))
        if (entry->d_name[0] != '.')
            assert_int_equal(unlinkat(dirfd(dir), entry->d_name, 0), 0);
    closedir(dir);
    assert_int_equal(rmdir(path), 0);
}

static struct sr_store *open_again(const char *dir, const struct sr_disk *disk)
{
    const struct sr_store_options options = {
        .cap = SR_STORE_CAP_MIN, .sync = SR_SYNC_ROW, .sync_ms = 5, .disk = disk
    };
    struct sr_store_recovery recovery;
    struct sr_store *store;
    char why[256] = "";

    if (sr_store_open(dir, &options, &store, &recovery, why, sizeof why))
        fail_msg("%s", why);
    return store;
}

/* Some more rows; the numbers go on, whatever was lost. */
static uint64_t append_more(struct sr_store *store)
{
    uint64_t first = sr_store_next_seq(store);

    for (uint64_t i = 0; i < NEW_ROWS; i++) {
        int rc = append(store, first + i);

        if (rc == SR_E_FULL && i == 0) /* it was as full when the power went */
            return 0;
        assert_int_equal(rc, 0);
    }
    assert_int_equal(sr_store_commit(store, first + NEW_ROWS - 1), 0);
    return first;
}

static void expect_more(const bool *there, uint64_t first)
{
    for (uint64_t i = 0; first && i < NEW_ROWS; i++)
        if (!there[first + i])
            fail_msg("row %llu, committed after the recovery, is gone",
                     (unsigned long long)(first + i));
}

enum { SEEN = 2 * ROWS };

/* The power goes again while it recovers, or just after. */
static void cut_recovery_too(struct medium *medium, size_t cut, const char *dir)
{
    struct medium *again = medium_start(dir);
    struct sr_store *store = open_again(dir, medium_disk(again));
    size_t opened = medium_steps(again), step;
    bool there[SEEN];
    uint64_t first;
    char to[64];

    first = append_more(store);
    sr_store_close(store);
    step = dice_below(
        &dice, (unsigned)(dice_percent(&dice, 50) ? opened : medium_steps(again)) + 1);
    make_dir(to);
    medium_cut(again, step, &dice, to);
    store = open_again(to, NULL);
    read_rows(store, there, SEEN);
    expect_fates(medium, cut, there, first);
    if (step == medium_steps(again))
        expect_more(there, first);
    sr_store_close(store);
    remove_dir(to);
    medium_stop(again);
}

static void expect_recovery(struct medium *medium, size_t cut, const char *dir)
{
    struct sr_store *store = open_again(dir, NULL);
    bool there[SEEN], later[SEEN];
    uint64_t first;

    read_rows(store, there, SEEN);
    expect_fates(medium, cut, there, 0);
    first = append_more(store);
    sr_store_close(store);

    store = open_again(dir, NULL);
    read_rows(store, later, SEEN);
    expect_fates(medium, cut, later, first);
    expect_more(later, first);
    sr_store_close(store);
}

static void cut_once(struct medium *medium, size_t cut)
{
    struct dice replay = dice;
    char dir[64];

    make_dir(dir);
    medium_cut(medium, cut, &replay, dir);
    if (dice_percent(&dice, 30))
        cut_recovery_too(medium, cut, dir);
    else
        expect_recovery(medium, cut, dir);
    remove_dir(dir);
    dice_roll(&dice);
}

/* The end first; behind every step if there are enough cuts. */
static size_t choose_cut(unsigned i, unsigned cuts, size_t steps)
{
    if (i < 10)
        return steps;
    return i <= steps && cuts > steps ? i : dice_below(&dice, (unsigned)steps + 1);
}

static void cut_all_over(enum sr_store_sync sync)
{
    unsigned cuts = env_number("SR_CUTS", CUTS);
    struct medium *medium;
    size_t steps;
    char dir[64];

    make_dir(dir);
    medium = tell_story(dir, sync);
    steps = medium_steps(medium);
    assert_true(medium_renames(medium, "spare") >= 2); /* files are used again in it */
    for (unsigned i = 0; i < cuts; i++)
        cut_once(medium, choose_cut(i, cuts, steps));
    printf("tally: power-cuts %u\n", cuts);
    medium_stop(medium);
    remove_dir(dir);
}

static void power_cut_loses_nothing_that_was_committed_row_by_row(void **state)
{
    (void)state;
    cut_all_over(SR_SYNC_ROW);
}

static void power_cut_loses_nothing_that_a_batch_has_synced(void **state)
{
    (void)state;
    cut_all_over(SR_SYNC_BATCH);
}

static void power_cut_loses_nothing_that_an_interval_has_synced(void **state)
{
    (void)state;
    cut_all_over(SR_SYNC_INTERVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(power_cut_loses_nothing_that_was_committed_row_by_row),
        cmocka_unit_test(power_cut_loses_nothing_that_a_batch_has_synced),
        cmocka_unit_test(power_cut_loses_nothing_that_an_interval_has_synced),
    };

    dice = dice_new();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
