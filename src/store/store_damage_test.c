/* SPDX-License-Identifier: MIT */
/* Files that are cut, flipped, foreign, empty, missing: opening never fails for that, rows that
 * are intact come back in order, once, and what is lost is told. */
#include "store/store_fixture.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { ROWS = 600, DONE = 30, FILES = 16 };

/* A log in memory: what was in a directory. */
struct log {
    char names[FILES][64];
    struct bytes files[FILES];
    size_t count;
};

static void load_log(struct log *log, const char *dir)
{
    log->count = list_files(dir, ".seg", log->names, FILES);
    for (size_t i = 0; i < log->count; i++)
        log->files[i] = load_file(dir, log->names[i]);
}

static void free_log(struct log *log)
{
    for (size_t i = 0; i < log->count; i++)
        free(log->files[i].bytes);
}

static void empty_dir(const char *dir)
{
    char names[64][64], path[400];
    size_t count = list_files(dir, "", names, 64);

    for (size_t i = 0; i < count; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        remove(path);
    }
}

static void save_log(const struct log *log, const char *dir)
{
    empty_dir(dir);
    for (size_t i = 0; i < log->count; i++)
        save_file_as(dir, log->names[i], log->files[i].bytes, log->files[i].len);
}

/* Rows 1 to ROWS in several segments, the first DONE of them done, twice written down. */
static void make_log(struct fixture *fx, struct log *log)
{
    fx->options.disk = &fx->quick;
    open_store(fx);
    put_rows(fx, ROWS / 2);
    sr_store_done(fx->store, 1, DONE);
    put_rows(fx, ROWS / 2);
    close_store(fx);
    load_log(log, fx->dir);
    assert_true(log->count >= 4);
}

/* Where records are in a file. */
struct place {
    size_t offset, size;
    enum sr_record_kind kind;
    uint64_t seq;
    size_t text, head; /* its length; of what is before it */
};

static size_t places(const struct bytes *file, struct place *places, size_t max)
{
    struct sr_segment_reader reader;
    struct sr_segment_record record;
    size_t count = 0;

    assert_int_equal(sr_segment_open(&reader, file->bytes, file->len), 0);
    while (sr_segment_next(&reader, &record) == 0) {
        assert_true(count < max);
        places[count++] =
            (struct place){ record.offset,
                            record.size,
                            record.kind,
                            record.entry.seq,
                            record.entry.len,
                            (size_t)((const uint8_t *)record.entry.row - file->bytes) -
                                record.offset };
    }
    return count;
}

/* Rows that came back, each once, in order and intact (the fixture sees to that). */
static size_t recovered(struct fixture *fx, uint64_t numbers[ROWS + 10])
{
    struct sr_store_stats stats;
    size_t count = read_all(fx, numbers, ROWS + 10);

    assert_true(count <= ROWS);
    assert_int_equal(fx->recovery.rows, count);
    sr_store_stats(fx->store, &stats);
    assert_int_equal(stats.rows, count);
    return count;
}

/* It can be used, and a second opening finds the same and no more damage. */
static void works_on(struct fixture *fx, size_t count)
{
    static uint64_t numbers[ROWS + 10];
    uint64_t seq;

    put_rows(fx, 1);
    seq = sr_store_next_seq(fx->store) - 1;
    reopen(fx);
    assert_int_equal(fx->recovery.files_damaged, 0);
    assert_int_equal(fx->recovery.rows_lost, 0);
    assert_int_equal(read_all(fx, numbers, ROWS + 10), count + 1);
    assert_int_equal(numbers[count], seq);
}

/* --- cut and flipped -------------------------------------------------------------- */

static void cut_anywhere_in_the_last_two_records_keeps_those_before(void **state)
{
    static struct place place[ROWS];
    static uint64_t numbers[ROWS + 10];
    struct fixture *fx = *state;
    struct log log;
    struct bytes *last;
    size_t count, end;

    make_log(fx, &log);
    last = &log.files[log.count - 1];
    count = places(last, place, ROWS);
    end = place[count - 1].offset + place[count - 1].size;
    for (size_t at = place[count - 2].offset; at <= end; at++) {
        /* a row is there when its text is */
        size_t whole = count;
        size_t len = last->len, got;

        while (place[whole - 1].offset + place[whole - 1].head + place[whole - 1].text >
               at)
            whole--;
        last->len = at;
        save_log(&log, fx->dir);
        last->len = len;
        open_store(fx);

        got = recovered(fx, numbers);
        assert_int_equal(numbers[0], DONE + 1);
        assert_int_equal(numbers[got - 1], place[whole - 1].seq);
        assert_int_equal(got, place[whole - 1].seq - DONE);
        assert_int_equal(fx->recovery.files_damaged,
                         at > place[whole - 1].offset + place[whole - 1].size &&
                             at - place[whole].offset > 0);
        works_on(fx, got);
        close_store(fx);
    }
    free_log(&log);
}

static void a_bit_flipped_in_the_last_two_records_costs_one_row(void **state)
{
    static struct place place[ROWS];
    static uint64_t numbers[ROWS + 10];
    struct fixture *fx = *state;
    struct log log;
    struct bytes *last;
    size_t count;

    make_log(fx, &log);
    last = &log.files[log.count - 1];
    count = places(last, place, ROWS);
    for (size_t i = count - 2; i < count; i++)
        for (size_t at = 0; at < place[i].size; at++) {
            bool padding = at >= place[i].head + place[i].text;
            size_t got;

            last->bytes[place[i].offset + at] ^= (uint8_t)(1 << at % 8);
            save_log(&log, fx->dir);
            last->bytes[place[i].offset + at] ^= (uint8_t)(1 << at % 8);
            open_store(fx);

            got = recovered(fx, numbers);
            assert_int_equal(got, ROWS - DONE - !padding);
            for (size_t k = 0; k < got; k++)
                assert_true(padding || numbers[k] != place[i].seq);
            assert_int_equal(fx->recovery.files_damaged, !padding);
            if (!padding) {
                assert_non_null(strstr(fx->recovery.note, log.names[log.count - 1]));
                /* its neighbour tells; of the last, what is left of its head */
                if (i < count - 1 || (at != 7 && at != 9 && at != 10))
                    assert_int_equal(fx->recovery.rows_lost, 1);
            }
            works_on(fx, got);
            close_store(fx);
        }
    free_log(&log);
}

static unsigned next_random(void)
{
    static unsigned state = 7;

    state = state * 1103515245 + 12345;
    return state >> 8;
}

/* At random places: a bit, a cut, zeros, garbage. What comes back and what is told as lost make
 * all, unless the last rows are hit, of which nobody knows how many there were; rows that are done
 * come again only if a snapshot is hit. */
static void damage_elsewhere_is_survived_and_counted(void **state)
{
    static uint64_t numbers[ROWS + 10];
    struct fixture *fx = *state;
    struct log log, bad;

    make_log(fx, &log);
    for (int round = 0; round < 160; round++) {
        size_t which = next_random() % log.count, at, len, got;
        bool last = which == log.count - 1;
        struct bytes *file;

        bad = log;
        file = &bad.files[which];
        at = next_random() % file->len;
        len = 1 + next_random() % 700;
        len = len > file->len - at ? file->len - at : len;
        file->bytes = malloc(file->len);
        assert_non_null(file->bytes);
        memcpy(file->bytes, log.files[which].bytes, file->len);
        switch (round % 4) {
        case 0: file->bytes[at] ^= (uint8_t)(1 << next_random() % 8); break;
        case 1: file->len = at; break;
        case 2: memset(file->bytes + at, 0, len); break;
        default:
            while (len--)
                file->bytes[at + len] = (uint8_t)next_random();
        }
        save_log(&bad, fx->dir);
        free(file->bytes);
        open_store(fx);
        got = recovered(fx, numbers);

        assert_true(got + fx->recovery.rows_lost <= ROWS);
        if (!last)
            assert_true(got + fx->recovery.rows_lost >= ROWS - DONE);
        if (round % 4 == 0)
            assert_true(got >= ROWS - DONE - 1 || at < SR_SEGMENT_HEADER);
        works_on(fx, got);
        close_store(fx);
    }
    free_log(&log);
}

static void every_byte_of_a_header_and_a_first_snapshot_may_be_wrong(void **state)
{
    static struct place place[ROWS];
    static uint64_t numbers[ROWS + 10];
    struct fixture *fx = *state;
    struct log log;
    struct bytes *file;

    make_log(fx, &log);
    file = &log.files[2];
    places(file, place, ROWS);
    assert_int_equal(place[0].kind, SR_RECORD_SNAPSHOT);
    for (size_t at = 0; at < place[0].offset + place[0].head + place[0].text; at++) {
        size_t got;

        file->bytes[at] ^= 0x10;
        save_log(&log, fx->dir);
        file->bytes[at] ^= 0x10;
        open_store(fx);
        got = recovered(fx, numbers); /* the header is in the snapshot, too */
        assert_int_equal(got, ROWS - DONE);
        assert_int_equal(fx->recovery.rows_lost, 0);
        assert_int_equal(fx->recovery.files_damaged, 1);
        assert_non_null(strstr(fx->recovery.note, "kept as 0000000003.seg.damaged"));
        reopen(fx); /* mended */
        assert_int_equal(fx->recovery.files_damaged, 0);
        close_store(fx);
    }
    free_log(&log);
}

/* The snapshots are in each segment: hit one, and the one before holds. */
static void without_the_last_snapshot_done_rows_come_again_and_no_more(void **state)
{
    static struct place place[ROWS];
    static uint64_t numbers[ROWS + 10];
    struct fixture *fx = *state;
    struct log log;
    size_t count;

    open_store(fx);
    put_rows(fx, 100);
    sr_store_done(fx->store, 1, 40);
    sr_store_done(fx->store, 41, 60);
    close_store(fx);
    load_log(&log, fx->dir);
    count = places(&log.files[log.count - 1], place, ROWS);
    assert_int_equal(place[count - 1].kind, SR_RECORD_SNAPSHOT);
    log.files[log.count - 1].bytes[place[count - 1].offset + 40] ^= 1;
    save_log(&log, fx->dir);
    open_store(fx);

    assert_int_equal(recovered(fx, numbers), 60);
    assert_int_equal(numbers[0], 41);
    assert_int_equal(fx->recovery.rows_lost, 0);
    free_log(&log);
}

/* --- whole files ----------------------------------------------------------------------- */

static void files_that_are_none_of_ours_are_set_aside(void **state)
{
    static const char name[] = "0000000001.seg";
    struct fixture *fx = *state;
    static uint8_t bytes[3 * MIB];
    struct sr_segment_header header = {
        .version = SR_SEGMENT_VERSION, .content = SR_CONTENT_LOG, .number = 1, .base = 1
    };
    static uint64_t none[ROWS + 10];

    for (int kind = 0; kind < 8; kind++) {
        size_t len = 4096;

        memset(bytes, 0, sizeof bytes);
        sr_segment_put_header(&header, bytes);
        switch (kind) {
        case 0: memset(bytes, 'x', len); break; /* somebody's */
        case 1: bytes[8] = 0; break;            /* older */
        case 2: bytes[8] = 1; break;            /* of another length */
        case 3: len = 20; break;                /* short */
        case 4: len = sizeof bytes; break;      /* large */
        case 5: header.number = 2, sr_segment_put_header(&header, bytes); break;
        case 6:
            header.number = 1, header.content = SR_CONTENT_QUARANTINE,
            sr_segment_put_header(&header, bytes);
            break;
        default:
            header.content = SR_CONTENT_LOG, header.base = UINT64_MAX,
            sr_segment_put_header(&header, bytes);
        }
        save_file_as(fx->dir, name, bytes, len);
        open_store(fx);
        assert_int_equal(fx->recovery.files_damaged, 1);
        assert_non_null(strstr(fx->recovery.note, name));
        assert_int_equal(recovered(fx, none), 0);
        assert_true(has_file(fx->dir, "0000000001.seg.damaged"));
        assert_false(has_file(fx->dir, name));
        put_rows(fx, 3); /* under a number of their own */
        assert_true(has_file(fx->dir, "0000000002.seg"));
        close_store(fx);
        empty_dir(fx->dir);
    }
}

/* A file that was made just before the power went. */
static void empty_files_are_no_damage(void **state)
{
    static const uint8_t zeros[16 * KIB];
    struct fixture *fx = *state;

    open_store(fx);
    put_rows(fx, 10);
    close_store(fx);
    save_file_as(fx->dir, "0000000002.seg", "", 0);
    save_file_as(fx->dir, "0000000003.seg", zeros, sizeof zeros);
    open_store(fx);
    assert_int_equal(fx->recovery.files_damaged, 0);
    expect_rows(fx, 1, 10);
    put_rows(fx, 1);
    expect_rows(fx, 1, 11);
}

/* After a sync that failed rows are written anew; when the process ends before the first ones are
 * cut off, they are there twice. */
static void of_rows_that_are_there_twice_one_counts(void **state)
{
    const struct sr_segment_header header = { .version = SR_SEGMENT_VERSION,
                                              .content = SR_CONTENT_LOG,
                                              .number = 2,
                                              .base = 8,
                                              .salt = 5,
                                              .boot_tag = 77 };
    static uint8_t bytes[16 * KIB];
    struct fixture *fx = *state;
    size_t at = SR_SEGMENT_HEADER;
    char text[400];

    open_store(fx);
    put_rows(fx, 10);
    close_store(fx);
    sr_segment_put_header(&header, bytes);
    for (uint64_t seq = 8; seq <= 12; seq++) {
        struct sr_entry entry = row_entry(seq, text);

        size_t size, head = sr_segment_put_record(&header, at, SR_RECORD_ROW, &entry,
                                                  bytes + at, &size);

        memcpy(bytes + at + head, text, entry.len);
        at += size;
    }
    save_file_as(fx->dir, "0000000002.seg", bytes, sizeof bytes);
    open_store(fx);
    assert_int_equal(fx->recovery.rows, 12);
    assert_int_equal(fx->recovery.files_damaged + fx->recovery.rows_lost, 0);
    expect_rows(fx, 1, 12);
    sr_store_done(fx->store, 1, 9);
    expect_rows(fx, 10, 12);
    put_rows(fx, 3);
    reopen(fx);
    expect_rows(fx, 10, 15);
}

static void other_names_are_left_alone(void **state)
{
    static const char *const names[] = { "notes.txt",       "1.seg",
                                         "0000000000.seg",  "00000000001.seg",
                                         "x0000000001.seg", "0000000001.segment" };
    struct fixture *fx = *state;

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        save_file_as(fx->dir, names[i], "mine", 4);
    open_store(fx);
    put_rows(fx, 1);
    reopen(fx);
    assert_int_equal(fx->recovery.files_damaged, 0);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_true(has_file(fx->dir, names[i]));
}

static void no_regular_files_are_set_aside(void **state)
{
    struct fixture *fx = *state;
    char path[400];

    assert_int_equal(mkdir(fx->dir, 0700), 0);
    snprintf(path, sizeof path, "%s/0000000001.seg", fx->dir);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/0000000002.seg", fx->dir);
    assert_int_equal(symlink("/dev/zero", path), 0);
    snprintf(path, sizeof path, "%s/0000000003.seg", fx->dir);
    assert_int_equal(mkfifo(path, 0600), 0);
    open_store(fx);
    assert_int_equal(fx->recovery.files_damaged, 3);
    put_rows(fx, 1);
    expect_rows(fx, 1, 1);
    close_store(fx);
    snprintf(path, sizeof path, "%s/0000000001.seg.damaged", fx->dir);
    assert_int_equal(rmdir(path), 0);
}

static void a_missing_segment_is_counted(void **state)
{
    static uint64_t numbers[ROWS + 10];
    static struct place place[ROWS];
    struct fixture *fx = *state;
    struct log log;
    char path[400];
    size_t count, rows = 0;

    make_log(fx, &log);
    count = places(&log.files[1], place, ROWS);
    for (size_t i = 0; i < count; i++)
        rows += place[i].kind == SR_RECORD_ROW;
    snprintf(path, sizeof path, "%s/%s", fx->dir, log.names[1]);
    assert_int_equal(unlink(path), 0);
    open_store(fx);

    assert_int_equal(recovered(fx, numbers), ROWS - DONE - rows);
    assert_int_equal(fx->recovery.rows_lost, rows);
    snprintf(path, sizeof path, "no file damaged, %zu rows lost: in none of the files",
             rows);
    assert_string_equal(fx->recovery.note, path);
    free_log(&log);
}

/* Without `index`-th file, or with that one of `len` zeros. */
static void open_without(struct fixture *fx, const struct log *log, size_t index,
                         bool is_there, size_t len)
{
    static const uint8_t zeros[64 * KIB];
    char path[400];

    save_log(log, fx->dir);
    snprintf(path, sizeof path, "%s/%s", fx->dir, log->names[index]);
    assert_int_equal(unlink(path), 0);
    if (is_there)
        save_file_as(fx->dir, log->names[index], zeros, len);
    open_store(fx);
}

static size_t rows_in(const struct bytes *file)
{
    static struct place place[ROWS];
    size_t count = places(file, place, ROWS), rows = 0;

    for (size_t i = 0; i < count; i++)
        rows += place[i].kind == SR_RECORD_ROW;
    return rows;
}

static void a_missing_or_emptied_first_segment_is_counted_once(void **state)
{
    static uint64_t numbers[ROWS + 10];
    struct fixture *fx = *state;
    struct log log;
    size_t lost;

    fx->options.boot_tag = 77; /* the rows' */
    make_log(fx, &log);
    lost = rows_in(&log.files[0]) - DONE;
    for (int kind = 0; kind < 3; kind++) {
        open_without(fx, &log, 0, kind > 0, kind == 1 ? 0 : 8000);
        assert_int_equal(recovered(fx, numbers), ROWS - DONE - lost);
        assert_int_equal(fx->recovery.rows_lost, lost);
        assert_int_equal(fx->recovery.files_damaged, kind > 0);
        assert_int_not_equal(strlen(fx->recovery.note), 0);
        reopen(fx);
        assert_string_equal(fx->recovery.note, "");
        assert_int_equal(fx->recovery.rows_lost, 0);
        assert_int_equal(recovered(fx, numbers), ROWS - DONE - lost);
        close_store(fx);
    }
    free_log(&log);
}

/* Which may have taken the note that they are done. */
static void after_a_power_cut_missing_first_rows_are_told_and_not_counted(void **state)
{
    struct fixture *fx = *state;
    char note[64];
    struct log log;

    fx->options.boot_tag = 78;
    make_log(fx, &log);
    open_without(fx, &log, 0, false, 0);
    assert_int_equal(fx->recovery.rows_lost, 0);
    assert_int_equal(fx->recovery.rows_doubtful, rows_in(&log.files[0]) - DONE);
    snprintf(note, sizeof note, "%zu rows before the first file",
             rows_in(&log.files[0]) - DONE);
    assert_non_null(strstr(fx->recovery.note, note));
    reopen(fx);
    assert_string_equal(fx->recovery.note, "");
    free_log(&log);
}

/* A block of zeros where header, snapshot and some rows were. The boot is gone with the header, so
 * these rows are as of another one. */
static void a_hole_costs_the_rows_in_it_and_no_others(void **state)
{
    static struct place place[ROWS];
    struct fixture *fx = *state;
    struct log log;

    make_log(fx, &log);
    for (size_t which = 0; which + 1 < log.count; which++) {
        struct log bad = log;
        struct bytes *file = &bad.files[which];
        size_t count = places(file, place, ROWS), lost = 0;

        for (size_t i = 0; i < count; i++)
            lost += place[i].kind == SR_RECORD_ROW && place[i].offset < 4096 &&
                    place[i].seq > DONE;
        file->bytes = malloc(file->len);
        assert_non_null(file->bytes);
        memcpy(file->bytes, log.files[which].bytes, file->len);
        memset(file->bytes, 0, 4096);
        save_log(&bad, fx->dir);
        free(file->bytes);
        open_store(fx);
        assert_int_equal(fx->recovery.rows, ROWS - DONE - lost);
        assert_int_equal(fx->recovery.rows_lost, lost);
        assert_int_equal(fx->recovery.files_damaged, 1);
        reopen(fx);
        assert_string_equal(fx->recovery.note, "");
        assert_int_equal(fx->recovery.rows, ROWS - DONE - lost);
        close_store(fx);
    }
    free_log(&log);
}

/* Each class of bytes in a record, at random records of all files but the last: what is lost is
 * the rows whose records were hit, and that is what is told. */
static void as_many_rows_are_lost_as_were_damaged(void **state)
{
    static const size_t classes[] = { 0, 4, 6, 7, 8, 9, 10, 12, 16 };
    static struct place place[ROWS];
    static uint64_t numbers[ROWS + 10];
    struct fixture *fx = *state;
    struct log log;

    make_log(fx, &log);
    for (size_t round = 0; round < 90; round++) {
        size_t at = classes[round % 9], which = next_random() % (log.count - 1);
        struct bytes *file = &log.files[which];
        size_t count = places(file, place, ROWS), lost = 0, hit[3];

        for (size_t i = 0; i < 3; i++) {
            bool again = false;

            hit[i] = next_random() % count;
            for (size_t k = 0; k < i; k++)
                again = again || hit[k] == hit[i];
            lost += !again && place[hit[i]].kind == SR_RECORD_ROW &&
                    place[hit[i]].seq > DONE;
            file->bytes[place[hit[i]].offset + at] ^= (uint8_t)(1 << i);
        }
        save_log(&log, fx->dir);
        for (size_t i = 0; i < 3; i++)
            file->bytes[place[hit[i]].offset + at] ^= (uint8_t)(1 << i);
        open_store(fx);
        assert_int_equal(recovered(fx, numbers), ROWS - DONE - lost);
        assert_int_equal(fx->recovery.rows_lost, lost);
        works_on(fx, ROWS - DONE - lost);
        close_store(fx);
    }
    free_log(&log);
}

/* Hits the text of the row in the middle of a file. */
static size_t hit_a_row(struct bytes *file)
{
    static struct place place[ROWS];
    size_t middle = places(file, place, ROWS) / 2;

    assert_int_equal(place[middle].kind, SR_RECORD_ROW);
    file->bytes[place[middle].offset + place[middle].head] ^= 1;
    return place[middle].offset;
}

static void the_note_counts_files_and_rows_and_names_the_first_damage(void **state)
{
    struct fixture *fx = *state;
    char expected[256];
    struct log log;
    size_t at;

    make_log(fx, &log);
    at = hit_a_row(&log.files[1]);
    save_log(&log, fx->dir);
    open_store(fx);
    snprintf(
        expected, sizeof expected,
        "1 file damaged, 1 row lost; first %s at byte %zu: wrong checksum of a record, kept as "
        "%s.damaged",
        log.names[1], at, log.names[1]);
    assert_string_equal(fx->recovery.note, expected);
    close_store(fx);

    hit_a_row(&log.files[2]);
    hit_a_row(&log.files[3]);
    save_log(&log, fx->dir);
    open_store(fx);
    assert_memory_equal(fx->recovery.note, "3 files damaged, 3 rows lost; first ", 36);
    assert_string_equal(fx->recovery.note + 36, strstr(expected, log.names[1]));
    free_log(&log);
}

/* Neither a row before it nor a base behind it tells how many it had. */
static void a_file_whose_rows_nobody_can_count_is_noted_as_that(void **state)
{
    struct fixture *fx = *state;

    save_file_as(fx->dir, "0000000001.seg", "rubbish", 7);
    open_store(fx);
    assert_string_equal(fx->recovery.note,
                        "1 file damaged, 0 or more rows lost; first 0000000001.seg at "
                        "byte 0: too short for a header, kept as "
                        "0000000001.seg.damaged");
}

static void expect_file(struct fixture *fx, const char *name, const void *bytes,
                        size_t len)
{
    struct bytes file = load_file(fx->dir, name);

    assert_int_equal(file.len, len);
    assert_memory_equal(file.bytes, bytes, len);
    free(file.bytes);
}

static void damaged_files_that_are_kept_are_bounded(void **state)
{
    struct fixture *fx = *state;
    char names[32][64], first[SR_STORE_ASIDE_NAME] = "";
    size_t count;

    open_store(fx);
    for (int i = 0; i < 20; i++) {
        struct bytes file;

        put_rows(fx, 2);
        close_store(fx);
        count = list_files(fx->dir, ".seg", names, 32);
        file = load_file(fx->dir, names[count - 1]);
        save_file_as(fx->dir, names[count - 1], "garbage", 7);
        free(file.bytes);
        open_store(fx);
        assert_int_equal(fx->recovery.files_damaged, 1);
    }
    count = list_files(fx->dir, ".damaged", names, 32);
    assert_int_equal(count, 8);
    assert_string_equal(names[7], "0000000020.seg.damaged"); /* the newest */
    assert_int_equal(sr_store_aside_removed(fx->store, first), 1);
    assert_string_equal(first, "0000000012.seg.damaged");
}

/* Parts of it were set aside at one start; at the next one all of it is. */
static void a_file_does_not_overwrite_what_was_set_aside_of_it(void **state)
{
    struct fixture *fx = *state;
    struct bytes part;
    struct log log;
    char name[96];

    make_log(fx, &log);
    hit_a_row(&log.files[1]);
    save_log(&log, fx->dir);
    reopen(fx);
    snprintf(name, sizeof name, "%s.damaged", log.names[1]);
    part = load_file(fx->dir, name);
    close_store(fx);
    save_file_as(fx->dir, log.names[1], "rubbish", 7);
    open_store(fx);
    snprintf(name, sizeof name, "kept as %s.damaged.2", log.names[1]);
    assert_non_null(strstr(fx->recovery.note, name));
    snprintf(name, sizeof name, "%s.damaged.2", log.names[1]);
    expect_file(fx, name, "rubbish", 7);
    snprintf(name, sizeof name, "%s.damaged", log.names[1]);
    expect_file(fx, name, part.bytes, part.len);
    free(part.bytes);
    free_log(&log);
}

/* Bytes that go bad while the store is open, under its hands. */
static void what_cannot_be_read_any_more_is_skipped_and_counted(void **state)
{
    static struct place place[ROWS];
    static uint64_t numbers[ROWS + 10];
    struct fixture *fx = *state;
    struct log log;
    size_t count, got, hit, rows = 0;

    make_log(fx, &log);
    open_store(fx);
    count = places(&log.files[1], place, ROWS);
    hit = count / 2;
    log.files[1].bytes[place[hit].offset + 9] ^= 1;
    for (size_t i = hit; i < count; i++)
        rows += place[i].kind == SR_RECORD_ROW;
    save_file_as(fx->dir, log.names[1], log.files[1].bytes, log.files[1].len);

    got = read_all(fx, numbers, ROWS);
    assert_int_equal(got + sr_store_rows_unreadable(fx->store), ROWS - DONE);
    assert_int_equal(sr_store_rows_unreadable(fx->store), rows);
    assert_int_equal(read_all(fx, numbers, ROWS), got); /* once */
    reopen(fx);
    assert_int_equal(read_all(fx, numbers, ROWS), got); /* and they stay so */
    free_log(&log);
}

static void a_disk_that_cannot_be_read_gives_up_segment_by_segment(void **state)
{
    static uint64_t numbers[ROWS + 10];
    struct fixture *fx = *state;
    struct log log;
    size_t got;

    make_log(fx, &log);
    fx->options.disk = &bad_disk.disk;
    open_store(fx);
    bad_disk_fail(1 << CALL_PREAD, 2, 9, EIO);
    got = read_all(fx, numbers, ROWS);
    bad_disk_works();
    assert_true(got > 0 && got < ROWS - DONE);
    assert_int_equal(got + sr_store_rows_unreadable(fx->store), ROWS - DONE);
    put_rows(fx, 1);
    assert_int_equal(read_all(fx, numbers, ROWS), got + 1);
    free_log(&log);
}

/* A medium that gives no byte behind the first 4096 of a file. */
static ssize_t pread_beginning(void *arg, int fd, void *bytes, size_t len, off_t offset)
{
    size_t rest = offset < 4096 ? (size_t)(4096 - offset) : 0;

    if (rest == 0) {
        errno = EIO;
        return -1;
    }
    return sr_system_disk.pread(arg, fd, bytes, len < rest ? len : rest, offset);
}

static void a_file_that_is_not_read_to_its_end_is_noted_and_left_as_it_is(void **state)
{
    struct fixture *fx = *state;
    struct sr_disk half = sr_system_disk;

    half.pread = pread_beginning;
    open_store(fx);
    put_rows(fx, 60);
    close_store(fx);
    fx->options.disk = &half;
    open_store(fx);
    assert_true(fx->recovery.rows > 0 && fx->recovery.rows < 60);
    assert_string_equal(fx->recovery.note,
                        "1 file damaged, 0 or more rows lost; first 0000000001.seg at "
                        "byte 4096: Input/output error, left as it is");
    assert_false(has_file(fx->dir, "0000000001.seg.damaged"));
    close_store(fx);
    fx->options.disk = NULL;
    open_store(fx);
    expect_rows(fx, 1, 60);
}

/* Too many open files is no reason to give rows up. */
static void a_shortage_gives_nothing_up(void **state)
{
    struct fixture *fx = *state;
    struct sr_entry entry;
    struct log log;

    make_log(fx, &log);
    fx->options.disk = &bad_disk.disk;
    open_store(fx);
    bad_disk_fail_all(1 << CALL_OPEN, EMFILE);
    assert_int_equal(sr_store_next(fx->store, ROWS, &entry), SR_E_NOMEM);
    bad_disk_works();
    expect_rows(fx, DONE + 1, ROWS);
    assert_int_equal(sr_store_rows_unreadable(fx->store), 0);
    free_log(&log);
}

#define test(function) \
    cmocka_unit_test_setup_teardown(function, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(cut_anywhere_in_the_last_two_records_keeps_those_before),
        test(a_bit_flipped_in_the_last_two_records_costs_one_row),
        test(damage_elsewhere_is_survived_and_counted),
        test(every_byte_of_a_header_and_a_first_snapshot_may_be_wrong),
        test(without_the_last_snapshot_done_rows_come_again_and_no_more),
        test(files_that_are_none_of_ours_are_set_aside),
        test(empty_files_are_no_damage),
        test(of_rows_that_are_there_twice_one_counts),
        test(other_names_are_left_alone),
        test(no_regular_files_are_set_aside),
        test(a_missing_segment_is_counted),
        test(a_missing_or_emptied_first_segment_is_counted_once),
        test(after_a_power_cut_missing_first_rows_are_told_and_not_counted),
        test(a_hole_costs_the_rows_in_it_and_no_others),
        test(as_many_rows_are_lost_as_were_damaged),
        test(the_note_counts_files_and_rows_and_names_the_first_damage),
        test(a_file_whose_rows_nobody_can_count_is_noted_as_that),
        test(damaged_files_that_are_kept_are_bounded),
        test(a_file_does_not_overwrite_what_was_set_aside_of_it),
        test(what_cannot_be_read_any_more_is_skipped_and_counted),
        test(a_disk_that_cannot_be_read_gives_up_segment_by_segment),
        test(a_file_that_is_not_read_to_its_end_is_noted_and_left_as_it_is),
        test(a_shortage_gives_nothing_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
