/* SPDX-License-Identifier: MIT */
/* Files of version 1, of version 2, of later ones, and of an older agent that was there meanwhile.
 * tests/data/outbox-v1 says how the first were made. */
#include "store/store_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <smartrest/outbox.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEG1 "0000000001.seg"
#define SEG2 "0000000002.seg"

static void use_version_1(struct fixture *fx)
{
    static const char *const names[] = { SEG1, SEG2, "quarantine" };

    for (size_t i = 0; i < 3; i++) {
        struct bytes file = load_file(DATA, names[i]);

        save_file_as(fx->dir, names[i], file.bytes, file.len);
        free(file.bytes);
    }
}

/* "[name]text" of the row, which is the first from `from` on. */
static uint64_t expect_next(struct fixture *fx, uint64_t from, const char *expected)
{
    struct sr_entry entry;
    char text[300];

    assert_int_equal(sr_store_next(fx->store, from, &entry), 0);
    snprintf(text, sizeof text, "[%s]%.*s", entry.channel ? entry.channel_name : "",
             (int)entry.len, entry.row);
    assert_string_equal(text, expected);
    return entry.seq;
}

static int put_on(struct fixture *fx, uint32_t channel, const char *name,
                  const char *text)
{
    struct sr_entry entry = {
        .seq = sr_store_next_seq(fx->store),
        .prio = 1,
        .put = {.wall_ms = 1000, .boot_ms = 5, .boot_tag = 9},
        .row = text,
        .len = strlen(text),
        .channel = channel,
        .channel_name = name,
        .channel_len = name ? strlen(name) : 0
    };

    return sr_store_append(fx->store, &entry);
}

/* All rows as "text " each, with "[name]" in front. */
static void expect_texts(struct fixture *fx, const char *expected)
{
    static char text[20000];
    struct sr_entry entry;
    uint64_t from = 0;
    size_t used = 0;

    text[0] = '\0';
    while (sr_store_next(fx->store, from, &entry) == 0) {
        used += (size_t)snprintf(text + used, sizeof text - used, "[%s]%.*s ",
                                 entry.channel ? entry.channel_name : "",
                                 (int)entry.len, entry.row);
        from = entry.seq + 1;
    }
    assert_string_equal(text, expected);
}

/* --- version 1 ------------------------------------------------------------------------ */

static void expect_all_of_version_1(struct fixture *fx)
{
    static const uint64_t done[][2] = {
        {5,   10},
        { 20, 22},
        { 43, 44}
    };
    uint64_t from = 1;
    char text[40];

    assert_int_equal(expect_next(fx, 1, "[]200,plain"), 1);
    assert_int_equal(expect_next(fx, 2, "[smartrest1:child]300,other collection"), 2);
    assert_int_equal(expect_next(fx, 3, "[]201,one hour"), 3);
    assert_int_equal(expect_next(fx, 4, "[]202,\x1aNOW"), 4);
    assert_int_equal(expect_next(fx, 41, "[]204,another boot"), 41);
    assert_int_equal(expect_next(fx, 42, "[smartrest1:child-2]301,for a minute"), 42);
    for (size_t i = 0; i < 3; i++) {
        struct sr_entry entry;

        assert_int_equal(sr_store_next(fx->store, done[i][0], &entry), 0);
        assert_int_equal(entry.seq, done[i][1] + 1);
    }
    for (from = 5; from <= 50; from++) {
        if ((from >= 5 && from <= 10) || (from >= 20 && from <= 22) ||
            (from >= 41 && from <= 44))
            continue;
        snprintf(text, sizeof text, "[]%d,%d", from < 41 ? 203 : 205, (int)from);
        assert_int_equal(expect_next(fx, from, text), from);
    }
}

static void rows_of_version_1_come_back_with_all_they_have(void **state)
{
    struct fixture *fx = *state;
    struct sr_losses losses;
    struct sr_entry entry;

    use_version_1(fx);
    open_store(fx);
    assert_string_equal(fx->recovery.note, "");
    assert_int_equal(fx->recovery.rows, 50 - 6 - 3 - 2);
    expect_all_of_version_1(fx);
    for (uint64_t seq = 1; seq <= 4; seq++) {
        sr_store_next(fx->store, seq, &entry);
        assert_int_equal(entry.prio, seq == 4 ? 0x81 : 1);
        assert_int_equal(entry.ttl_s, seq == 3 ? 3600 : 0);
        assert_int_equal(entry.put.wall_ms, 1795348800000 + 1000 * seq);
        assert_int_equal(entry.put.boot_ms, 5000 + 1000 * seq);
        assert_int_equal(entry.put.boot_tag, 7);
    }
    sr_store_next(fx->store, 42, &entry);
    assert_int_equal(entry.put.boot_tag, 9);
    sr_store_losses(fx->store, &losses);
    assert_int_equal(losses.rows[0], 2);
    assert_int_equal(losses.rows[1], 3);
    assert_int_equal(losses.from_ms, 1795348000000);
    assert_int_equal(sr_store_next_seq(fx->store), 51);
}

static void opening_version_1_writes_nothing(void **state)
{
    struct fixture *fx = *state;
    struct bytes before, after;

    use_version_1(fx);
    open_store(fx);
    close_store(fx);
    for (int i = 0; i < 2; i++) {
        before = load_file(DATA, i ? SEG2 : SEG1);
        after = load_file(fx->dir, i ? SEG2 : SEG1);
        assert_int_equal(after.len, before.len);
        assert_memory_equal(after.bytes, before.bytes, before.len);
        free(before.bytes);
        free(after.bytes);
    }
}

static void both_versions_work_in_one_directory_and_in_order(void **state)
{
    struct fixture *fx = *state;
    struct bytes file;

    use_version_1(fx);
    open_store(fx);
    assert_int_equal(put_on(fx, 5, "smartrest1:child", "new"), 0);
    assert_int_equal(put_on(fx, 0, NULL, "own"), 0);
    file = load_file(fx->dir, "0000000003.seg");
    assert_int_equal(file.bytes[8], 2);
    free(file.bytes);
    for (int i = 0; i < 2; i++) {
        expect_all_of_version_1(fx);
        assert_int_equal(expect_next(fx, 51, "[smartrest1:child]new"), 51);
        assert_int_equal(expect_next(fx, 52, "[]own"), 52);
        reopen(fx);
        assert_string_equal(fx->recovery.note, "");
    }
    sr_store_done(fx->store, 1, 50); /* the files of version 1 go as ever */
    assert_false(has_file(fx->dir, SEG1) || has_file(fx->dir, SEG2));
    expect_texts(fx, "[smartrest1:child]new []own ");
    reopen(fx);
    expect_texts(fx, "[smartrest1:child]new []own ");
}

static void a_damaged_header_of_version_1_is_mended_as_ever(void **state)
{
    struct fixture *fx = *state;
    struct bytes file = load_file(DATA, SEG1);

    use_version_1(fx);
    memset(file.bytes, 0, 40);
    save_file_as(fx->dir, SEG1, file.bytes, file.len);
    free(file.bytes);
    open_store(fx);
    assert_int_equal(fx->recovery.files_damaged, 1);
    assert_int_equal(fx->recovery.rows_lost, 0);
    expect_all_of_version_1(fx);
    reopen(fx);
    assert_int_equal(fx->recovery.files_damaged, 0);
    expect_all_of_version_1(fx);
}

static void damage_in_version_1_costs_what_it_did(void **state)
{
    struct fixture *fx = *state;
    struct bytes file = load_file(DATA, SEG1);
    struct sr_entry entry;

    use_version_1(fx);
    file.bytes[file.len / 2] ^= 4;
    save_file_as(fx->dir, SEG1, file.bytes, file.len);
    free(file.bytes);
    open_store(fx);
    assert_int_equal(fx->recovery.files_damaged, 1);
    assert_in_range(fx->recovery.rows_lost, 0, 1);
    assert_int_equal(fx->recovery.rows + fx->recovery.rows_lost, 39);
    assert_int_equal(put_on(fx, 0, NULL, "more"), 0);
    reopen(fx);
    assert_int_equal(fx->recovery.files_damaged, 0);
    assert_int_equal(sr_store_next(fx->store, 51, &entry), 0);
}

static int count_quarantined(void *arg, const struct sr_stored_row *row)
{
    static const char *const wanted[] = { "[]999,what: refused: 422",
                                          "[smartrest1:child]998,else: refused: 400",
                                          "[a:b]1,2: HTTP 422" };
    unsigned *count = arg;
    char text[200];

    if (!row->quarantined)
        return 0;
    assert_in_range(*count, 0, 2);
    snprintf(text, sizeof text, "[%s]%.*s: %s", row->channel, (int)row->len, row->text,
             row->why);
    assert_string_equal(text, wanted[(*count)++]);
    return 0;
}

static unsigned quarantined(struct fixture *fx)
{
    unsigned count = 0;
    struct sr_outbox_visitor visitor = { NULL, count_quarantined, &count };

    assert_int_equal(sr_outbox_scan(fx->dir, &visitor, NULL, 0), 0);
    return count;
}

static void a_quarantine_file_of_version_1_keeps_its_rows(void **state)
{
    const struct sr_entry entry = { .seq = 70,
                                    .prio = 1,
                                    .row = "1,2",
                                    .len = 3,
                                    .channel = 1,
                                    .channel_name = "a:b",
                                    .channel_len = 3 };
    struct fixture *fx = *state;

    use_version_1(fx);
    assert_int_equal(quarantined(fx), 2);
    open_store(fx);
    assert_int_equal(sr_store_quarantine(fx->store, &entry, "HTTP 422", 65536), 0);
    assert_int_equal(quarantined(fx), 3);
}

/* --- channels ------------------------------------------------------------------------------- */

static void rows_have_the_names_they_were_given(void **state)
{
    struct fixture *fx = *state;

    open_store(fx);
    for (int i = 0; i < 2; i++) {
        put_on(fx, 1, "a:one", "1");
        put_on(fx, 65535, "a:two", "2");
        put_on(fx, 0, NULL, "3");
        put_on(fx, 1, "a:other", "4"); /* the number is used again */
        put_on(fx, 1, "a:one", "5");
        expect_texts(fx, i ? "[a:one]1 [a:two]2 []3 [a:other]4 [a:one]5 "
                             "[a:one]1 [a:two]2 []3 [a:other]4 [a:one]5 "
                           : "[a:one]1 [a:two]2 []3 [a:other]4 [a:one]5 ");
        reopen(fx);
    }
    assert_int_equal(put_on(fx, 65536, "a:b", "x"), SR_E_INVAL);
    assert_int_equal(put_on(fx, 1, NULL, "x"), SR_E_INVAL);
    assert_int_equal(put_on(fx, 0, "a:b", "x"), SR_E_INVAL);
}

/* Each segment has the names of its rows, whatever goes. */
static void ten_thousand_channels_are_named_in_each_segment(void **state)
{
    enum { CHANNELS = 10000, ROUNDS = 3 };
    struct fixture *fx = *state;
    char name[40], text[40], expected[80];

    fx->options.cap = 16 * MIB;
    open_store(fx);
    for (uint32_t i = 0; i < ROUNDS * CHANNELS; i++) {
        snprintf(name, sizeof name, "smartrest2:child-%u", i % CHANNELS);
        snprintf(text, sizeof text, "%u", i);
        assert_int_equal(put_on(fx, 1 + i % CHANNELS, name, text), 0);
    }
    sr_store_done(fx->store, 1, 2 * CHANNELS - 7);
    reopen(fx);
    assert_string_equal(fx->recovery.note, "");
    for (uint32_t i = 2 * CHANNELS - 7; i < ROUNDS * CHANNELS; i++) {
        snprintf(expected, sizeof expected, "[smartrest2:child-%u]%u", i % CHANNELS, i);
        expect_next(fx, i + 1, expected);
    }
}

/* A row whose channel nobody knows any more is lost, and told; the others are not. */
static void a_name_that_is_damaged_costs_the_rows_that_need_it(void **state)
{
    struct fixture *fx = *state;
    struct sr_segment_reader reader;
    struct sr_segment_record record;
    struct bytes file;

    open_store(fx);
    put_on(fx, 1, "a:one", "1");
    put_on(fx, 2, "a:two", "2");
    put_on(fx, 1, "a:one", "3");
    put_on(fx, 0, NULL, "4");
    close_store(fx);
    file = load_file(fx->dir, SEG1);
    assert_int_equal(sr_segment_open(&reader, file.bytes, file.len), 0);
    do
        assert_int_equal(sr_segment_next(&reader, &record), 0);
    while (record.kind != SR_RECORD_CHANNEL);
    file.bytes[record.offset + 10] ^= 1;
    save_file_as(fx->dir, SEG1, file.bytes, file.len);
    free(file.bytes);
    open_store(fx);
    assert_int_equal(fx->recovery.rows_lost, 2);
    assert_int_equal(fx->recovery.rows, 2);
    expect_texts(fx, "[a:two]2 []4 ");
    put_on(fx, 1, "a:one", "5");
    reopen(fx);
    assert_int_equal(fx->recovery.rows_lost, 0);
    expect_texts(fx, "[a:two]2 []4 [a:one]5 ");
}

/* --- later versions ----------------------------------------------------------------------------- */

/* Behind the rows of the file, a record of a kind to come. */
static void add_unknown(struct fixture *fx, const char *name)
{
    struct bytes file = load_file(fx->dir, name);
    struct sr_segment_reader reader;
    struct sr_segment_record record;
    struct sr_entry entry = { .row = "whatever", .len = 8 };
    size_t size, head;

    assert_int_equal(sr_segment_open(&reader, file.bytes, file.len), 0);
    while (sr_segment_next(&reader, &record) == 0)
        ;
    head =
        sr_segment_put_record(&reader.header, reader.offset, (enum sr_record_kind)0xf1,
                              &entry, file.bytes + reader.offset, &size);
    memcpy(file.bytes + reader.offset + head, entry.row, entry.len);
    save_file_as(fx->dir, name, file.bytes, file.len);
    free(file.bytes);
}

static void records_that_are_not_known_are_told_and_kept(void **state)
{
    struct fixture *fx = *state;

    open_store(fx);
    put_on(fx, 0, NULL, "1");
    close_store(fx);
    add_unknown(fx, SEG1);
    open_store(fx);
    assert_string_equal(fx->recovery.note,
                        "0 files and 1 record of a later version are kept for it");
    assert_int_equal(fx->recovery.files_damaged, 0);
    put_on(fx, 0, NULL, "2");
    expect_texts(fx, "[]1 []2 ");
    sr_store_done(fx->store, 1, 2);
    fx->options.boot_tag = 10;
    for (int i = 0; i < 2; i++) { /* others come and go */
        struct sr_entry entry = { .seq = sr_store_next_seq(fx->store),
                                  .put = { .boot_tag = 20 + (uint32_t)i },
                                  .row = "x",
                                  .len = 1 };

        assert_int_equal(sr_store_append(fx->store, &entry), 0);
        sr_store_done(fx->store, 1, entry.seq);
        reopen(fx);
        assert_true(has_file(fx->dir, SEG1));
        assert_int_equal(fx->recovery.records_later, 1);
    }
    expect_texts(fx, "");
}

static void a_file_of_a_later_version_is_left_in_its_place(void **state)
{
    struct fixture *fx = *state;
    struct bytes file, after;
    uint64_t next;

    open_store(fx);
    put_on(fx, 0, NULL, "1");
    close_store(fx);
    file = load_file(fx->dir, SEG1);
    memset(file.bytes + 9, 7, 300);
    file.bytes[8] = 3;
    file.bytes[9] = 0;
    save_file_as(fx->dir, SEG2, file.bytes, 300);
    for (int i = 0; i < 3; i++) {
        char expected[] = "[]1 []x []x []x ";

        open_store(fx);
        assert_int_equal(fx->recovery.files_later, 1);
        assert_int_equal(fx->recovery.files_damaged, 0);
        assert_int_equal(fx->recovery.rows_lost, 0);
        next = sr_store_next_seq(fx->store);
        assert_true(next > 2 + 300 / 16); /* its rows have numbers, too */
        assert_int_equal(put_on(fx, 0, NULL, "x"), 0);
        expected[8 + 4 * i] = '\0';
        expect_texts(fx, expected);
        close_store(fx);
    }
    open_store(fx);
    sr_store_done(fx->store, 1, UINT64_MAX);
    after = load_file(fx->dir, SEG2);
    assert_int_equal(after.len, 300);
    assert_memory_equal(after.bytes, file.bytes, 300);
    free(after.bytes);
    free(file.bytes);
}

/* They count for the bound, and go when nothing else is left to go. */
static void files_of_a_later_version_go_last(void **state)
{
    struct fixture *fx = *state;
    static uint8_t bytes[16 * KIB];
    char name[40];
    unsigned files = 0, left = 0;

    memcpy(bytes, "SRLOG\r\n\x1a\x03", 10);
    for (; files < 14; files++) {
        snprintf(name, sizeof name, SR_SEGMENT_NAME, files + 1ull);
        save_file_as(fx->dir, name, bytes, sizeof bytes);
    }
    open_store(fx);
    assert_int_equal(fx->recovery.files_later, 14);
    assert_int_equal(put_on(fx, 0, NULL, "1"), 0);
    assert_int_equal(sr_store_rows_unreadable(fx->store), 1); /* told as lost */
    for (files = 0; files < 14; files++) {
        snprintf(name, sizeof name, SR_SEGMENT_NAME, files + 1ull);
        left += has_file(fx->dir, name);
    }
    assert_int_equal(left, 13);
    assert_int_equal(put_until_refused(fx), SR_E_FULL); /* and now rows can */
    for (files = 0; files < 14; files++) {
        snprintf(name, sizeof name, SR_SEGMENT_NAME, files + 1ull);
        left -= has_file(fx->dir, name);
    }
    assert_int_equal(left, 0);
}

/* --- an older agent, and a newer one again --------------------------------------------------------- */

/* What it does with files that it does not know: sets them aside, and begins anew. Its log is that of the
 * test data, under other file numbers. */
static void run_older_agent(struct fixture *fx)
{
    char names[16][64], path[200], aside[200];
    size_t count = list_files(fx->dir, ".seg", names, 16);
    unsigned long long number = strtoull(names[count - 1], NULL, 10) + 1;

    for (size_t i = 0; i < count; i++) {
        snprintf(path, sizeof path, "%s/%s", fx->dir, names[i]);
        snprintf(aside, sizeof aside, "%s/%s.damaged", fx->dir, names[i]);
        assert_int_equal(rename(path, aside), 0);
    }
    for (int i = 0; i < 2; i++) {
        struct bytes file = load_file(DATA, i ? SEG2 : SEG1);
        struct sr_segment_reader reader;

        assert_int_equal(sr_segment_open(&reader, file.bytes, file.len), 0);
        reader.header.number = number++;
        sr_segment_put_header(&reader.header, file.bytes);
        snprintf(path, sizeof path, SR_SEGMENT_NAME,
                 (unsigned long long)reader.header.number);
        save_file_as(fx->dir, path, file.bytes, file.len);
        free(file.bytes);
    }
}

/* Two segments and a half of rows, of two boots; some are done. */
static void make_set_aside(struct fixture *fx)
{
    struct sr_losses losses = {
        .rows = {1, 1},
          .from_ms = 10, .to_ms = 20
    };

    open_store(fx);
    put_on(fx, 3, "a:one", "first");
    put_on(fx, 0, NULL, "done");
    put_on(fx, 4, "a:two", "second");
    sr_store_done(fx->store, 2, 2);
    sr_store_set_losses(fx->store, &losses);
    append(fx, 4); /* of another boot */
    append(fx, 5);
    sr_store_done(fx->store, 4, 5);
    put_on(fx, 4, "a:two", "third");
    close_store(fx);
    assert_true(has_file(fx->dir, "0000000003.seg"));
    run_older_agent(fx);
}

static void expect_both_in_order(struct fixture *fx)
{
    char expected[2000] = "[a:one]first [a:two]second [a:two]third []200,plain "
                          "[smartrest1:child]300,other collection []201,one hour "
                          "[]202,\x1aNOW ";

    for (int i = 11; i <= 40; i++)
        if (i < 20 || i > 22)
            sprintf(expected + strlen(expected), "[]203,%d ", i);
    strcat(expected, "[]204,another boot [smartrest1:child-2]301,for a minute ");
    for (int i = 45; i <= 50; i++)
        sprintf(expected + strlen(expected), "[]205,%d ", i);
    expect_texts(fx, expected);
}

static void what_an_older_agent_set_aside_is_taken_up_in_order(void **state)
{
    struct fixture *fx = *state;
    struct sr_losses losses;
    char names[16][64];

    make_set_aside(fx);
    open_store(fx);
    assert_non_null(
        strstr(fx->recovery.note, "files that an older agent had set aside taken up"));
    assert_int_equal(fx->recovery.rows_lost, 0);
    assert_int_equal(fx->recovery.rows, 42);
    for (int i = 0; i < 2; i++) {
        expect_both_in_order(fx);
        sr_store_losses(fx->store, &losses);
        assert_int_equal(losses.rows[0], 3);
        assert_int_equal(losses.rows[1], 4);
        assert_int_equal(losses.from_ms, 10);
        assert_int_equal(list_files(fx->dir, ".damaged", names, 16), 0);
        assert_int_equal(list_files(fx->dir, ".new", names, 16), 0);
        assert_false(has_file(fx->dir, "takeup"));
        reopen(fx);
        assert_string_equal(fx->recovery.note, "");
        assert_int_equal(fx->recovery.rows_lost, 0);
    }
    assert_int_equal(put_on(fx, 0, NULL, "x"), 0);
    sr_store_done(fx->store, 1, UINT64_MAX);
    reopen(fx);
    expect_texts(fx, "");
}

/* Without an older log too: it set files aside, and had nothing to keep. */
static void what_was_set_aside_alone_is_taken_up(void **state)
{
    struct fixture *fx = *state;
    char path[200], names[16][64];
    size_t count;

    make_set_aside(fx);
    count = list_files(fx->dir, ".seg", names, 16);
    for (size_t i = 0; i < count; i++) {
        snprintf(path, sizeof path, "%s/%s", fx->dir, names[i]);
        unlink(path);
    }
    open_store(fx);
    expect_texts(fx, "[a:one]first [a:two]second [a:two]third ");
    reopen(fx);
    expect_texts(fx, "[a:one]first [a:two]second [a:two]third ");
    assert_string_equal(fx->recovery.note, "");
}

static void what_is_truly_damaged_stays_aside(void **state)
{
    struct fixture *fx = *state;
    struct bytes file;
    char names[16][64];

    make_set_aside(fx);
    assert_true(list_files(fx->dir, ".damaged", names, 16) >= 2);
    file = load_file(fx->dir, names[0]);
    file.bytes[100] ^= 1;
    save_file_as(fx->dir, names[0], file.bytes, file.len);
    free(file.bytes);
    save_file_as(fx->dir, "0000000099.seg.damaged", "some bytes", 10);
    for (int i = 0; i < 2; i++) {
        open_store(fx);
        assert_true(has_file(fx->dir, names[0]));
        assert_true(has_file(fx->dir, "0000000099.seg.damaged"));
        assert_int_equal(list_files(fx->dir, ".damaged", names, 16), 2);
        expect_next(fx, 1, "[a:two]third");
        close_store(fx);
    }
}

/* The disk, or the power, fails at each step: no row is lost, and none comes twice. */
static void taking_up_may_end_at_each_step(void **state)
{
    struct fixture *fx = *state;
    char from[sizeof fx->dir];
    unsigned n = 1, failed = 1;

    make_set_aside(fx);
    strcpy(from, fx->dir);
    for (; failed; n++) {
        snprintf(fx->dir, sizeof fx->dir, "%.60s/%u", fx->top, n);
        copy_dir(from, fx->dir);
        bad_disk_reset();
        bad_disk_fail(ALL_KINDS & ~(1u << CALL_PREAD | 1u << CALL_OPEN), n, FOR_EVER,
                      EIO);
        fx->options.disk = &bad_disk.disk;
        if (try_open(fx) == 0)
            close_store(fx);
        failed = bad_disk.failed;
        bad_disk_works();
        open_store(fx);
        expect_both_in_order(fx);
        reopen(fx);
        expect_both_in_order(fx);
        assert_int_equal(fx->recovery.rows_lost, 0);
        close_store(fx);
    }
    assert_true(n > 20);
}

#define test(function) \
    cmocka_unit_test_setup_teardown(function, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(rows_of_version_1_come_back_with_all_they_have),
        test(opening_version_1_writes_nothing),
        test(both_versions_work_in_one_directory_and_in_order),
        test(a_damaged_header_of_version_1_is_mended_as_ever),
        test(damage_in_version_1_costs_what_it_did),
        test(a_quarantine_file_of_version_1_keeps_its_rows),
        test(rows_have_the_names_they_were_given),
        test(ten_thousand_channels_are_named_in_each_segment),
        test(a_name_that_is_damaged_costs_the_rows_that_need_it),
        test(records_that_are_not_known_are_told_and_kept),
        test(a_file_of_a_later_version_is_left_in_its_place),
        test(files_of_a_later_version_go_last),
        test(what_an_older_agent_set_aside_is_taken_up_in_order),
        test(what_was_set_aside_alone_is_taken_up),
        test(what_is_truly_damaged_stays_aside),
        test(taking_up_may_end_at_each_step),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
