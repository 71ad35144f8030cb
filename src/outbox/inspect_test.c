/* SPDX-License-Identifier: MIT */
/* Looking into an outbox: files made byte by byte, and files that a store is writing. */
#include "files_test.h"
#include "store/store.h"
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <smartrest/outbox.h>
#include <stdatomic.h>

/* --- helpers ------------------------------------------------------------ */

enum { SEGMENT = 16 * 1024, ROWS_MAX = 64, FILES_MAX = 16 };
/* A row of make_rows(): a head of 14 bytes, a text of 5, a zero. */
enum { RECORD = 20, PAD = 1 };

struct seen_row {
    struct sr_stored_row is;
    char text[64], why[64], file[64];
    char channel[64];
};
struct seen_file {
    struct sr_stored_file is;
    char name[64], why[80];
};

struct fixture {
    char dir[64], why[256];
    struct made_file made;
    struct seen_row row[ROWS_MAX];
    struct seen_file file[FILES_MAX];
    size_t rows, files;
    int stop_at_row, answer;
};

static int set_up(void **state)
{
    struct fixture *fx = calloc(1, sizeof *fx);

    strcpy(fx->dir, "/tmp/inspect_test.XXXXXX");
    *state = fx;
    return mkdtemp(fx->dir) ? 0 : -1;
}

static int tear_down(void **state)
{
    struct fixture *fx = *state;

    remove_dir(fx->dir);
    free(fx);
    return 0;
}

static int on_row(void *arg, const struct sr_stored_row *row)
{
    struct fixture *fx = arg;
    struct seen_row *seen = &fx->row[fx->rows++];

    assert_true(fx->rows <= ROWS_MAX && row->len < sizeof seen->text);
    seen->is = *row;
    memcpy(seen->text, row->text, row->len);
    seen->text[row->len] = '\0';
    snprintf(seen->why, sizeof seen->why, "%s", row->why);
    snprintf(seen->file, sizeof seen->file, "%s", row->file);
    snprintf(seen->channel, sizeof seen->channel, "%s", row->channel);
    return fx->stop_at_row && fx->rows == (size_t)fx->stop_at_row ? fx->answer : 0;
}

static int on_file(void *arg, const struct sr_stored_file *file)
{
    struct fixture *fx = arg;
    struct seen_file *seen = &fx->file[fx->files++];

    assert_true(fx->files <= FILES_MAX);
    seen->is = *file;
    snprintf(seen->name, sizeof seen->name, "%s", file->name);
    snprintf(seen->why, sizeof seen->why, "%s", file->damage_why);
    return 0;
}

static int scan(struct fixture *fx)
{
    struct sr_outbox_visitor visitor = { on_file, on_row, fx };

    fx->rows = fx->files = 0;
    return sr_outbox_scan(fx->dir, &visitor, fx->why, sizeof fx->why);
}

static void scan_well(struct fixture *fx)
{
    int rc = scan(fx);

    if (rc)
        fail_msg("%d: %s", rc, fx->why);
}

/* `text` "1 2*" means row 1 waits and row 2 is done; a quarantined one is 3!. */
static void expect_rows(struct fixture *fx, const char *expected)
{
    char text[1000] = "";

    for (size_t i = 0; i < fx->rows; i++)
        sprintf(text + strlen(text), "%s%" PRIu64 "%s", i ? " " : "", fx->row[i].is.seq,
                fx->row[i].is.quarantined ? "!"
                : fx->row[i].is.done      ? "*"
                                          : "");
    assert_string_equal(text, expected);
}

/* Rows 1 to n in one segment; the text of row 7 is "100,7". */
static void make_rows(struct fixture *fx, unsigned n)
{
    char text[32];

    begin_file(&fx->made, 1);
    for (unsigned i = 1; i <= n; i++) {
        snprintf(text, sizeof text, "100,%u", i);
        add_row(&fx->made, i, text);
    }
    save_file(&fx->made, fx->dir, SEGMENT);
}

static void in_dir(const struct fixture *fx, const char *name, char path[300])
{
    snprintf(path, 300, "%s/%s", fx->dir, name);
}

/* --- what is there -------------------------------------------------------- */

static void tells_all_about_a_row(void **state)
{
    struct fixture *fx = *state;
    struct sr_entry entry = entry_of(41, "200,a");

    entry.ttl_s = 3600;
    entry.channel = 3;
    begin_file(&fx->made, 1);
    add_row(&fx->made, 40, "100,x");
    add_channel(&fx->made, 3, "smartrest1:xid");
    add_record(&fx->made, SR_RECORD_ROW, &entry);
    save_file(&fx->made, fx->dir, SEGMENT);
    scan_well(fx);
    expect_rows(fx, "40 41");
    assert_int_equal(fx->row[0].is.prio, SR_PRIO_BUF);
    assert_string_equal(fx->row[0].channel, "");
    assert_string_equal(fx->row[1].channel, "smartrest1:xid");
    assert_int_equal(fx->row[1].is.ttl_s, 3600);
    assert_int_equal(fx->row[1].is.wall_ms, NOON + 41000);
    assert_true(fx->row[1].is.stamped);
    assert_string_equal(fx->row[1].text, "200,a");
    assert_string_equal(fx->row[1].why, "");
    assert_string_equal(fx->row[1].file, "0000000001.seg");
    assert_int_equal(fx->row[1].is.offset, fx->made.last);
}

static void a_row_that_waits_for_the_clock_is_not_stamped(void **state)
{
    struct fixture *fx = *state;
    struct sr_entry entry = entry_of(1, "100,x");

    entry.prio = SR_PRIO_BUF | 0x80;
    begin_file(&fx->made, 1);
    add_record(&fx->made, SR_RECORD_ROW, &entry);
    save_file(&fx->made, fx->dir, SEGMENT);
    scan_well(fx);
    assert_false(fx->row[0].is.stamped);
    assert_int_equal(fx->row[0].is.prio, SR_PRIO_BUF);
}

static void the_newest_snapshot_says_what_is_done(void **state)
{
    struct fixture *fx = *state;

    make_rows(fx, 4);
    begin_file(&fx->made, 2);
    add_done(&fx->made, 1, 1);
    add_row(&fx->made, 5, "100,5");
    add_done(&fx->made, 1, 3);
    add_row(&fx->made, 6, "100,6");
    save_file(&fx->made, fx->dir, SEGMENT);
    scan_well(fx);
    expect_rows(fx, "1* 2* 3* 4 5 6");
    assert_int_equal(fx->files, 2);
    assert_int_equal(fx->file[0].is.rows, 4);
    assert_int_equal(fx->file[0].is.done, 3);
    assert_int_equal(fx->file[1].is.first, 5);
    assert_int_equal(fx->file[1].is.last, 6);
    assert_int_equal(fx->file[1].is.bytes, SEGMENT);
}

static void an_older_snapshot_counts_while_the_newest_file_has_none(void **state)
{
    struct fixture *fx = *state;

    make_rows(fx, 2);
    add_done(&fx->made, 1, 1);
    save_file(&fx->made, fx->dir, SEGMENT);
    begin_file(&fx->made, 2);
    save_file(&fx->made, fx->dir, SEGMENT);
    begin_file(&fx->made, 3);
    memset(fx->made.bytes, 0,
           sizeof fx->made.bytes); /* just made, nothing written yet */
    save_file(&fx->made, fx->dir, SEGMENT);
    scan_well(fx);
    expect_rows(fx, "1* 2");
    assert_int_equal(fx->files, 3);
    assert_true(fx->file[1].is.intact && fx->file[2].is.intact);
    assert_int_equal(fx->file[2].is.rows + fx->file[2].is.first + fx->file[2].is.last,
                     0);
}

static void the_quarantine_file_is_last_and_has_reasons(void **state)
{
    struct fixture *fx = *state;

    begin_file(&fx->made, 0);
    add_quarantined(&fx->made, 2, "the server answered 422", "100,2");
    save_file(&fx->made, fx->dir, 0);
    begin_file(&fx->made, 1);
    add_row(&fx->made, 3, "100,3");
    add_done(&fx->made, 2, 2);
    save_file(&fx->made, fx->dir, SEGMENT);
    scan_well(fx);
    expect_rows(fx, "3 2!");
    assert_string_equal(fx->row[1].why, "the server answered 422");
    assert_string_equal(fx->row[1].text, "100,2");
    assert_int_equal(fx->file[1].is.kind, SR_STORED_QUARANTINE);
    assert_false(fx->row[1].is.done);
}

static void files_come_by_number_and_not_by_name(void **state)
{
    struct fixture *fx = *state;

    begin_file(&fx->made, UINT64_C(12345678901));
    add_row(&fx->made, UINT64_MAX - 1, "100,b");
    add_row(&fx->made, UINT64_MAX, "100,c");
    save_file(&fx->made, fx->dir, SEGMENT);
    begin_file(&fx->made, 9);
    add_row(&fx->made, 8, "100,a");
    save_file(&fx->made, fx->dir, SEGMENT);
    scan_well(fx);
    expect_rows(fx, "8 18446744073709551614 18446744073709551615");
    assert_string_equal(fx->file[1].name, "12345678901.seg");
    assert_int_equal(fx->file[1].is.last, UINT64_MAX);
}

static void a_row_that_is_in_two_files_waits_once(void **state)
{
    struct fixture *fx = *state;

    make_rows(fx, 3);
    begin_file(&fx->made, 2);
    add_row(&fx->made, 3, "100,3");
    add_row(&fx->made, 2, "100,2");
    add_row(&fx->made, 5, "100,5");
    add_row(&fx->made, 4, "100,4");
    add_row(&fx->made, 5, "100,5");
    save_file(&fx->made, fx->dir, SEGMENT);
    scan_well(fx);
    expect_rows(fx, "1 2 3 3* 2* 5 4 5*");
}

static void foreign_files_are_left_out(void **state)
{
    struct fixture *fx = *state;
    static const char *const names[] = { "README",         "1.seg",
                                         "0000000000.seg", "0000000001.seg.bak",
                                         "quarantine.new", "notes.damaged",
                                         "00000000001.seg" };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        save_bytes(fx->dir, names[i], "x", 1);
    assert_int_equal(scan(fx), SR_E_NOTFOUND);
    make_rows(fx, 1);
    scan_well(fx);
    assert_int_equal(fx->files, 1);
    expect_rows(fx, "1");
}

static void what_was_set_aside_is_listed_and_not_read(void **state)
{
    struct fixture *fx = *state;

    make_rows(fx, 1);
    save_bytes(fx->dir, "0000000001.seg.damaged", "rubbish", 7);
    save_bytes(fx->dir, "0000000001.seg.damaged.10", "", 0);
    save_bytes(fx->dir, "0000000001.seg.damaged.2", "", 0);
    save_bytes(fx->dir, "quarantine.damaged", "", 0);
    scan_well(fx);
    assert_int_equal(fx->files, 5);
    assert_int_equal(fx->file[1].is.kind, SR_STORED_ASIDE);
    assert_string_equal(fx->file[1].name, "0000000001.seg.damaged");
    assert_int_equal(fx->file[1].is.bytes, 7);
    assert_true(fx->file[1].is.intact);
    assert_string_equal(fx->file[2].name, "0000000001.seg.damaged.2");
    assert_string_equal(fx->file[3].name, "0000000001.seg.damaged.10");
    assert_string_equal(fx->file[4].name, "quarantine.damaged");
    expect_rows(fx, "1");
}

/* --- what is not there --------------------------------------------------------- */

static void a_directory_without_an_outbox_is_not_found(void **state)
{
    struct fixture *fx = *state;
    char expected[200];

    assert_int_equal(scan(fx), SR_E_NOTFOUND);
    snprintf(expected, sizeof expected, "%s: no outbox is in it", fx->dir);
    assert_string_equal(fx->why, expected);
}

static void an_outbox_may_be_without_files(void **state)
{
    struct fixture *fx = *state;

    save_bytes(fx->dir, SR_STORE_LOCK_NAME, "", 0);
    scan_well(fx);
    assert_int_equal(fx->files + fx->rows, 0);
}

static void says_why_a_directory_cannot_be_read(void **state)
{
    struct fixture *fx = *state;
    char path[300];

    assert_int_equal(sr_outbox_scan("/nowhere/at/all", NULL, fx->why, sizeof fx->why),
                     SR_E_NOTFOUND);
    assert_string_equal(fx->why, "/nowhere/at/all: No such file or directory");
    make_rows(fx, 1);
    in_dir(fx, "0000000001.seg", path);
    assert_int_equal(sr_outbox_scan(path, NULL, NULL, 0), SR_E_IO);
    assert_int_equal(sr_outbox_scan(path, NULL, fx->why, 0), SR_E_IO);
    assert_int_equal(sr_outbox_scan(fx->dir, NULL, fx->why, sizeof fx->why), 0);
    assert_string_equal(fx->why, "");
}

static void the_visitor_ends_the_scan(void **state)
{
    struct fixture *fx = *state;
    static const int answers[] = { 1, 42, SR_E_END, SR_E_CORRUPT };

    make_rows(fx, 3);
    fx->stop_at_row = 2;
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        fx->answer = answers[i];
        assert_int_equal(scan(fx), answers[i]);
        assert_int_equal(fx->rows, 2);
        assert_int_equal(fx->files, 0);
    }
}

static void looking_changes_nothing(void **state)
{
    struct fixture *fx = *state;
    char path[300];
    struct stat before, after;

    make_rows(fx, 3);
    fx->made.bytes[fx->made.text] ^= 1;
    save_file(&fx->made, fx->dir, SEGMENT);
    in_dir(fx, "0000000001.seg", path);
    assert_int_equal(chmod(path, 0400), 0);
    assert_int_equal(stat(path, &before), 0);
    scan_well(fx);
    assert_int_equal(stat(path, &after), 0);
    assert_int_equal(after.st_mode, before.st_mode);
    assert_int_equal(after.st_size, before.st_size);
    assert_memory_equal(&after.st_mtim, &before.st_mtim, sizeof after.st_mtim);
    assert_memory_equal(&after.st_ctim, &before.st_ctim, sizeof after.st_ctim);
    assert_int_equal(fx->files, 1); /* and nothing was made */
}

/* --- damage --------------------------------------------------------------------- */

static void rows_behind_damage_are_found(void **state)
{
    struct fixture *fx = *state;

    make_rows(fx, 5);
    fx->made.bytes[SR_SEGMENT_HEADER + RECORD + 15] ^= 4; /* the text of row 2 */
    save_file(&fx->made, fx->dir, SEGMENT);
    scan_well(fx);
    expect_rows(fx, "1 3 4 5");
    assert_false(fx->file[0].is.intact);
    assert_false(fx->file[0].is.torn);
    assert_int_equal(fx->file[0].is.damage, SR_SEGMENT_HEADER + RECORD);
    assert_string_equal(fx->file[0].why, "wrong checksum of a record");
}

static void every_wrong_byte_is_noticed(void **state)
{
    struct fixture *fx = *state;
    size_t torn = 0;

    make_rows(fx, 3);
    for (size_t at = 0; at < fx->made.len; at++) {
        bool padding = at >= SR_SEGMENT_HEADER &&
                       (at - SR_SEGMENT_HEADER) % RECORD >= RECORD - PAD;

        fx->made.bytes[at] ^= 0x10;
        save_file(&fx->made, fx->dir, 0);
        scan_well(fx);
        if (fx->file[0].is.intact && !fx->file[0].is.torn && !padding)
            fail_msg("byte %zu is wrong, and nobody says so", at);
        torn += fx->file[0].is.torn;
        if (at < fx->made.last)
            assert_false(fx->file[0].is.torn);
        fx->made.bytes[at] ^= 0x10;
    }
    assert_true(torn < 4); /* the length in the head of the last record */
}

static void a_half_written_row_at_the_end_is_no_damage(void **state)
{
    struct fixture *fx = *state;
    struct made_file whole;

    make_rows(fx, 3);
    whole = fx->made;
    for (size_t end = whole.last + 1; end < whole.text + 4; end++)
        for (int preallocated = 0; preallocated < 2; preallocated++) {
            memset(fx->made.bytes + end, 0, whole.len - end);
            fx->made.len = end;
            save_file(&fx->made, fx->dir, preallocated ? SEGMENT : 0);
            fx->made = whole;
            scan_well(fx);
            expect_rows(fx, "1 2");
            if (!fx->file[0].is.intact || !fx->file[0].is.torn)
                fail_msg("cut at byte %zu of it: %s", end - whole.last,
                         fx->file[0].why);
            assert_int_equal(fx->file[0].is.damage, whole.last);
        }
}

static void a_half_written_snapshot_is_no_damage(void **state)
{
    struct fixture *fx = *state;

    make_rows(fx, 2);
    add_done(&fx->made, 1, 1);
    memset(fx->made.bytes + fx->made.len - 18, 0, 18);
    save_file(&fx->made, fx->dir, SEGMENT);
    scan_well(fx);
    expect_rows(fx, "1 2");
    assert_true(fx->file[0].is.intact && fx->file[0].is.torn);
}

static void a_wrong_byte_in_the_last_snapshot_is_damage(void **state)
{
    struct fixture *fx = *state;

    make_rows(fx, 2);
    add_done(&fx->made, 1, 1);
    fx->made.bytes[fx->made.text + 24] ^= 1;
    save_file(&fx->made, fx->dir, SEGMENT);
    scan_well(fx);
    assert_false(fx->file[0].is.intact);
}

static void half_written_in_an_older_file_is_damage(void **state)
{
    struct fixture *fx = *state;

    make_rows(fx, 3);
    memset(fx->made.bytes + fx->made.text + 2, 0, 6);
    save_file(&fx->made, fx->dir, SEGMENT);
    begin_file(&fx->made, 2);
    add_row(&fx->made, 4, "100,4");
    save_file(&fx->made, fx->dir, SEGMENT);
    scan_well(fx);
    expect_rows(fx, "1 2 4");
    assert_false(fx->file[0].is.intact);
    assert_true(fx->file[1].is.intact);
}

static void rubbish_behind_the_end_is_damage(void **state)
{
    struct fixture *fx = *state;

    make_rows(fx, 2);
    fx->made.bytes[fx->made.len + 100] = 1;
    save_file(&fx->made, fx->dir, SEGMENT);
    scan_well(fx);
    expect_rows(fx, "1 2");
    assert_false(fx->file[0].is.intact);
    assert_int_equal(fx->file[0].is.damage, fx->made.len);
}

static void expect_damage(struct fixture *fx, const char *why)
{
    scan_well(fx);
    assert_int_equal(fx->files, 1);
    assert_false(fx->file[0].is.intact);
    assert_int_equal(fx->file[0].is.damage, 0);
    assert_string_equal(fx->file[0].why, why);
    expect_rows(fx, "");
}

static void names_what_is_no_segment(void **state)
{
    struct fixture *fx = *state;
    char path[300], other[300];

    in_dir(fx, "0000000001.seg", path);
    in_dir(fx, "0000000002.seg", other);
    save_bytes(fx->dir, "0000000001.seg", "hello", 5);
    expect_damage(fx, "too short for a header");
    make_rows(fx, 2);
    assert_int_equal(rename(path, other), 0);
    expect_damage(fx, "a file with the name of another");
    assert_int_equal(truncate(other, SR_SEGMENT_MAX + 1), 0);
    expect_damage(fx, "larger than any such file can be");
    assert_int_equal(unlink(other), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
    expect_damage(fx, "not a regular file");
}

/* --- beside a store ------------------------------------------------------------- */

struct writer {
    struct sr_store *store;
    atomic_bool quit;
    atomic_ulong written;
};

/* Rows, and a snapshot now and then; files come and go. */
static void *write_rows(void *arg)
{
    struct writer *writer = arg;
    char text[200];

    memset(text, 'x', sizeof text);
    while (!atomic_load(&writer->quit)) {
        struct sr_entry entry = { .seq = sr_store_next_seq(writer->store),
                                  .prio = SR_PRIO_BUF,
                                  .row = text };

        entry.len = 1 + entry.seq % sizeof text;
        if (sr_store_append(writer->store, &entry) == SR_E_FULL || entry.seq % 100 == 0)
            sr_store_done(writer->store, 1, entry.seq > 50 ? entry.seq - 50 : 1);
        else
            atomic_fetch_add(&writer->written, 1);
    }
    return NULL;
}

struct reading {
    uint64_t rows, last;
};

static int follow(void *arg, const struct sr_stored_row *row)
{
    struct reading *reading = arg;

    for (size_t i = 0; i < row->len; i++)
        assert_int_equal(row->text[i], 'x');
    assert_int_equal(row->len, 1 + row->seq % 200);
    if (row->seq <= reading->last) /* a file of done rows may be gone meanwhile */
        fail_msg("row %" PRIu64 " of %s behind row %" PRIu64, row->seq, row->file,
                 reading->last);
    reading->last = row->seq;
    reading->rows++;
    return 0;
}

static int expect_intact(void *arg, const struct sr_stored_file *file)
{
    (void)arg;
    if (!file->intact)
        fail_msg("%s:%" PRIu64 ": %s", file->name, file->damage, file->damage_why);
    return 0;
}

static void reads_beside_a_writer_what_is_whole(void **state)
{
    struct fixture *fx = *state;
    struct sr_store_options options = { .cap = 1024 * 1024,
                                        .sync = SR_SYNC_INTERVAL,
                                        .sync_ms = 60000 };
    struct sr_store_recovery recovery;
    struct writer writer = { .quit = false };
    uint64_t most = 0;
    pthread_t thread;

    assert_int_equal(sr_store_open(fx->dir, &options, &writer.store, &recovery, fx->why,
                                   sizeof fx->why),
                     0);
    assert_int_equal(pthread_create(&thread, NULL, write_rows, &writer), 0);
    /* the writer may be through before the first look, or the looks before its first row */
    while (atomic_load(&writer.written) < 10000 || most <= 100) {
        struct reading reading = { .rows = 0 };
        struct sr_outbox_visitor visitor = { expect_intact, follow, &reading };

        assert_int_equal(sr_outbox_scan(fx->dir, &visitor, NULL, 0), 0);
        most = reading.rows > most ? reading.rows : most;
    }
    atomic_store(&writer.quit, true);
    pthread_join(thread, NULL);
    sr_store_close(writer.store);
}

static void reads_the_quarantine_file_of_a_store(void **state)
{
    struct fixture *fx = *state;
    struct sr_store_options options = { .cap = SR_STORE_CAP_MIN };
    struct sr_store_recovery recovery;
    struct sr_store *store;
    struct sr_entry entry = entry_of(1, "999,bad");

    assert_int_equal(
        sr_store_open(fx->dir, &options, &store, &recovery, fx->why, sizeof fx->why),
        0);
    assert_int_equal(sr_store_append(store, &entry), 0);
    assert_int_equal(sr_store_quarantine(store, &entry, "HTTP 422", 65536), 0);
    sr_store_done(store, 1, 1);
    scan_well(fx);
    expect_rows(fx, "1* 1!");
    assert_string_equal(fx->row[1].text, "999,bad");
    assert_string_equal(fx->row[1].why, "HTTP 422");
    assert_int_equal(fx->row[1].is.wall_ms, NOON + 1000);
    assert_true(fx->file[0].is.intact && fx->file[1].is.intact);
    sr_store_close(store);
}

/* --- taking away ------------------------------------------------------------------ */

static void an_outbox_in_use_is_left_alone(void **state)
{
    struct fixture *fx = *state;
    struct sr_store_options options = { .cap = SR_STORE_CAP_MIN };
    struct sr_store_recovery recovery;
    struct sr_store *store;
    uint64_t rows = 77;

    make_rows(fx, 3);
    assert_int_equal(sr_outbox_remove(fx->dir, 0, 0, NULL, NULL, 0), 0);
    assert_int_equal(
        sr_store_open(fx->dir, &options, &store, &recovery, fx->why, sizeof fx->why),
        0);
    assert_int_equal(sr_outbox_remove(fx->dir, 0, 0, &rows, NULL, 0), SR_E_BUSY);
    assert_int_equal(
        sr_outbox_remove(fx->dir, SR_OUTBOX_ROWS, 2, &rows, fx->why, sizeof fx->why),
        SR_E_BUSY);
    assert_int_not_equal(strlen(fx->why), 0);
    assert_int_equal(rows, 77);
    sr_store_close(store);
    scan_well(fx);
    expect_rows(fx, "1 2 3");
    assert_int_equal(sr_outbox_remove(fx->dir, 0, 0, &rows, NULL, 0), 0);
    assert_int_equal(rows, 0);
}

struct prober {
    const char *dir;
    atomic_bool quit;
    atomic_ulong looks;
};

static void *probe(void *arg)
{
    struct prober *prober = arg;

    while (!atomic_load(&prober->quit)) {
        sr_outbox_remove(prober->dir, 0, 0, NULL, NULL, 0);
        atomic_fetch_add(&prober->looks, 1);
        sched_yield();
    }
    return NULL;
}

static void who_looks_whether_it_is_free_does_not_make_it_busy(void **state)
{
    struct fixture *fx = *state;
    struct sr_store_options options = { .cap = SR_STORE_CAP_MIN };
    struct prober prober = { .dir = fx->dir };
    struct sr_store_recovery recovery;
    struct sr_store *store;
    pthread_t thread;

    make_rows(fx, 3);
    assert_int_equal(pthread_create(&thread, NULL, probe, &prober), 0);
    for (int i = 0; i < 200 || atomic_load(&prober.looks) < 200; i++) {
        assert_int_equal(sr_store_open(fx->dir, &options, &store, &recovery, fx->why,
                                       sizeof fx->why),
                         0);
        sr_store_close(store);
    }
    atomic_store(&prober.quit, true);
    pthread_join(thread, NULL);
}

static void what_is_removed_stays_removed(void **state)
{
    struct fixture *fx = *state;
    struct sr_store_options options = { .cap = SR_STORE_CAP_MIN };
    struct sr_store_recovery recovery;
    struct sr_store *store;
    struct sr_entry entry;
    uint64_t rows;

    make_rows(fx, 3);
    assert_int_equal(
        sr_outbox_remove(fx->dir, SR_OUTBOX_ROWS, 2, &rows, fx->why, sizeof fx->why),
        0);
    assert_int_equal(rows, 2);
    assert_int_equal(
        sr_store_open(fx->dir, &options, &store, &recovery, fx->why, sizeof fx->why),
        0);
    assert_int_equal(recovery.rows, 1);
    assert_int_equal(recovery.rows_lost, 0);
    assert_int_equal(sr_store_next(store, 0, &entry), 0);
    assert_int_equal(entry.seq, 3);
    sr_store_close(store);
}

static void nothing_is_made_where_nothing_is(void **state)
{
    struct fixture *fx = *state;
    char path[300];

    in_dir(fx, "none", path);
    assert_int_equal(sr_outbox_remove(path, SR_OUTBOX_ROWS, 9, NULL, NULL, 0),
                     SR_E_NOTFOUND);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(sr_outbox_remove(fx->dir, SR_OUTBOX_ROWS, 9, NULL, NULL, 0),
                     SR_E_NOTFOUND);
    assert_int_equal(rmdir(fx->dir), 0); /* empty it was, and is */
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(tells_all_about_a_row),
        TEST(a_row_that_waits_for_the_clock_is_not_stamped),
        TEST(the_newest_snapshot_says_what_is_done),
        TEST(an_older_snapshot_counts_while_the_newest_file_has_none),
        TEST(the_quarantine_file_is_last_and_has_reasons),
        TEST(files_come_by_number_and_not_by_name),
        TEST(a_row_that_is_in_two_files_waits_once),
        TEST(foreign_files_are_left_out),
        TEST(what_was_set_aside_is_listed_and_not_read),
        TEST(a_directory_without_an_outbox_is_not_found),
        TEST(an_outbox_may_be_without_files),
        TEST(says_why_a_directory_cannot_be_read),
        TEST(the_visitor_ends_the_scan),
        TEST(looking_changes_nothing),
        TEST(rows_behind_damage_are_found),
        TEST(every_wrong_byte_is_noticed),
        TEST(a_half_written_row_at_the_end_is_no_damage),
        TEST(a_half_written_snapshot_is_no_damage),
        TEST(a_wrong_byte_in_the_last_snapshot_is_damage),
        TEST(half_written_in_an_older_file_is_damage),
        TEST(rubbish_behind_the_end_is_damage),
        TEST(names_what_is_no_segment),
        TEST(reads_beside_a_writer_what_is_whole),
        TEST(reads_the_quarantine_file_of_a_store),
        TEST(an_outbox_in_use_is_left_alone),
        TEST(who_looks_whether_it_is_free_does_not_make_it_busy),
        TEST(what_is_removed_stays_removed),
        TEST(nothing_is_made_where_nothing_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
