/* SPDX-License-Identifier: MIT */
/* The outbox's store beside SQLite (WAL, synchronous FULL), in one run and one directory.
 *
 *     outbox_bench [directory [rows one by one [rows in batches [rows to wait]]]]
 *
 * Rows are durable: the clock stops when fdatasync has returned for them. Written is counted
 * twice. By the process, /proc/self/io: pages of files that it made dirty, without the file
 * system's journal, and with neighbours that the kernel keeps in one piece with them. By the disk,
 * /sys/dev/block/.../stat: what was really written, also by others: a quiet machine is needed. */
#include "outbox/outbox.h"
#include "store/store.h"

#include <dirent.h>
#include <fcntl.h>
#include <malloc.h>
#include <smartrest/agent.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 100, MANY = 100000, CAP = 64 * 1024 * 1024 };

static char top[300], counter[80];

static void die(const char *what)
{
    fprintf(stderr, "outbox_bench: %s\n", what);
    exit(1);
}

static double seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static size_t make_row(uint64_t seq, char text[128])
{
    return (size_t)snprintf(
        text, 128, "200,%llu,c8y_Temperature,T,%.2f,C,2024-05-17T08:00:00.000Z",
        (unsigned long long)(10000 + seq % 90000), (double)(seq * 7919 % 10000) / 100);
}

/* --- directories ------------------------------------------------------------------------ */

static const char *path_of(const char *name)
{
    static char path[400];

    snprintf(path, sizeof path, "%s/%s", top, name);
    return path;
}

static void remove_dir(const char *path)
{
    DIR *dir = opendir(path);
    const struct dirent *entry;

    while (dir && (entry = readdir(dir)) != NULL)
        if (entry->d_name[0] != '.')
            unlinkat(dirfd(dir), entry->d_name, 0);
    if (dir)
        closedir(dir);
    rmdir(path);
}

/* --- what is written -------------------------------------------------------------------- */

struct written {
    double process, device; /* bytes; device: -1 if not known */
};

static double number_in(const char *path, const char *format)
{
    FILE *file = fopen(path, "r");
    unsigned long long number = 0;
    char line[256];
    double found = -1;

    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, format, &number) == 1)
            found = (double)number;
    if (file)
        fclose(file);
    return found;
}

/* Of all that was written before, nothing is left to write. */
static struct written written_now(void)
{
    int dir = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct written written;

    syncfs(dir);
    close(dir);
    written.process = number_in("/proc/self/io", "write_bytes: %llu");
    written.device = number_in(counter, "%*u %*u %*u %*u %*u %*u %llu");
    if (written.device >= 0)
        written.device *= 512;
    return written;
}

static void find_device(void)
{
    struct stat st;

    if (stat(top, &st) == 0)
        snprintf(counter, sizeof counter, "/sys/dev/block/%u:%u/stat", major(st.st_dev),
                 minor(st.st_dev));
}

/* --- the contestants ------------------------------------------------------------------------ */

struct contestant {
    const char *name;
    void (*open)(void);
    void (*put)(uint64_t first, unsigned count); /* on the medium when it returns */
    void (*done)(uint64_t first, unsigned count);
    void (*close)(void);
};

static struct sr_store *store;
static sqlite3 *db;
static sqlite3_stmt *insert, *delete;

static void store_open(void)
{
    const struct sr_store_options options = { .cap = CAP, .sync = SR_SYNC_ROW };
    char why[256];

    if (sr_store_open(path_of("store"), &options, &store, NULL, why, sizeof why))
        die(why);
}

static void store_put(uint64_t first, unsigned count)
{
    char text[128];

    for (uint64_t seq = first; seq < first + count; seq++) {
        struct sr_entry entry = { .seq = seq, .prio = 1, .row = text };

        entry.len = make_row(seq, text);
        entry.put.wall_ms = 1700000000000 + (int64_t)seq;
        if (sr_store_append(store, &entry))
            die(sr_store_error(store));
    }
    if (sr_store_commit(store, first + count - 1))
        die(sr_store_error(store));
}

static void store_done(uint64_t first, unsigned count)
{
    sr_store_done(store, first, first + count - 1);
}

static void store_close(void)
{
    sr_store_close(store);
    remove_dir(path_of("store"));
}

static void run_sql(const char *sql)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL))
        die(sqlite3_errmsg(db));
}

static void sqlite_open(void)
{
    mkdir(path_of("sqlite"), 0700);
    if (sqlite3_open(path_of("sqlite/rows.db"), &db))
        die(sqlite3_errmsg(db));
    run_sql("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
            "CREATE TABLE rows (seq INTEGER PRIMARY KEY, prio INTEGER, ttl INTEGER,"
            " wall INTEGER, boot INTEGER, row TEXT)");
    if (sqlite3_prepare_v2(db, "INSERT INTO rows VALUES (?, 1, 0, ?, 0, ?)", -1,
                           &insert, NULL) ||
        sqlite3_prepare_v2(db, "DELETE FROM rows WHERE seq BETWEEN ? AND ?", -1,
                           &delete, NULL))
        die(sqlite3_errmsg(db));
}

static void sqlite_put(uint64_t first, unsigned count)
{
    char text[128];

    run_sql("BEGIN");
    for (uint64_t seq = first; seq < first + count; seq++) {
        sqlite3_bind_int64(insert, 1, (sqlite3_int64)seq);
        sqlite3_bind_int64(insert, 2, (sqlite3_int64)(1700000000000 + seq));
        sqlite3_bind_text(insert, 3, text, (int)make_row(seq, text), SQLITE_STATIC);
        if (sqlite3_step(insert) != SQLITE_DONE)
            die(sqlite3_errmsg(db));
        sqlite3_reset(insert);
    }
    run_sql("COMMIT");
}

static void sqlite_done(uint64_t first, unsigned count)
{
    sqlite3_bind_int64(delete, 1, (sqlite3_int64)first);
    sqlite3_bind_int64(delete, 2, (sqlite3_int64)(first + count - 1));
    if (sqlite3_step(delete) != SQLITE_DONE)
        die(sqlite3_errmsg(db));
    sqlite3_reset(delete);
}

static void sqlite_close(void)
{
    sqlite3_finalize(insert);
    sqlite3_finalize(delete);
    sqlite3_close(db);
    remove_dir(path_of("sqlite"));
}

static const struct contestant contestants[] = {
    {"SQLite",     sqlite_open, sqlite_put, sqlite_done, sqlite_close},
    { "smartrest", store_open,  store_put,  store_done,  store_close },
};

/* --- rows a second, bytes a megabyte ----------------------------------------------------------- */

static double payload(uint64_t rows)
{
    double sum = 0;
    char text[128];

    for (uint64_t seq = 1; seq <= rows; seq++)
        sum += (double)make_row(seq, text);
    return sum;
}

static void print_written(struct written before, struct written after, double bytes)
{
    printf(" %9.2f", (after.process - before.process) / bytes);
    if (after.device >= 0)
        printf(" %9.2f\n", (after.device - before.device) / bytes);
    else
        printf(" %9s\n", "?");
}

static void measure(const struct contestant *who, const char *what, uint64_t rows,
                    unsigned batch)
{
    struct written before, after;
    double begin, took;

    who->open();
    before = written_now();
    begin = seconds();
    for (uint64_t seq = 1; seq <= rows; seq += batch)
        who->put(seq, batch);
    took = seconds() - begin;
    after = written_now();
    printf("%-10s %-14s %9llu %11.0f", who->name, what, (unsigned long long)rows,
           (double)rows / took);
    print_written(before, after, payload(rows));
    if (batch > 1) {
        begin = seconds();
        for (uint64_t seq = 1; seq <= rows; seq += batch)
            who->done(seq, batch);
        took = seconds() - begin;
        before = after;
        after = written_now();
        printf("%-10s %-14s %9llu %11.0f", who->name, "forget by 100",
               (unsigned long long)rows, (double)rows / took);
        print_written(before, after, payload(rows));
    }
    who->close();
}

/* Rows come and are acknowledged, 100 at a time: files come and go. */
static void measure_turn(const struct contestant *who, uint64_t rows)
{
    struct written before, after;
    double begin, took;

    who->open();
    before = written_now();
    begin = seconds();
    for (uint64_t seq = 1; seq <= rows; seq += BATCH) {
        who->put(seq, BATCH);
        who->done(seq, BATCH);
    }
    took = seconds() - begin;
    after = written_now();
    printf("%-10s %-14s %9llu %11.0f", who->name, "put and forget",
           (unsigned long long)rows, (double)rows / took);
    print_written(before, after, payload(rows));
    who->close();
}

/* --- opening ---------------------------------------------------------------------------------------- */

static void measure_open(uint64_t rows)
{
    double best = 1e9;

    store_open();
    for (uint64_t seq = 1; seq <= rows; seq += BATCH)
        store_put(seq, BATCH);
    sr_store_close(store);
    for (int i = 0; i < 5; i++) {
        double begin = seconds(), took;

        store_open();
        took = seconds() - begin;
        best = took < best ? took : best;
        sr_store_close(store);
    }
    store_open();
    store_close();
    printf("%9llu rows %8.2f ms\n", (unsigned long long)rows, best * 1e3);
}

/* --- memory ------------------------------------------------------------------------------------------- */

static double resident(void)
{
    return number_in("/proc/self/statm", "%*u %llu") * (double)sysconf(_SC_PAGESIZE);
}

static void fill(struct sr_outbox *box, uint64_t rows, int prio)
{
    char text[128];
    bool due;

    for (uint64_t seq = 1; seq <= rows; seq++) {
        struct sr_outbox_row row = { .text = text, .prio = prio };

        row.len = make_row(seq, text);
        if (sr_outbox_put(box, &row, seq, &due))
            die("a row was refused");
    }
}

static void measure_memory(const char *what, uint64_t rows, bool on_disk)
{
    const struct sr_store_options options = { .cap = CAP, .sync = SR_SYNC_BATCH };
    double before = resident();
    struct sr_outbox_stats stats;
    struct sr_outbox *box;
    char why[256] = "";

    if (sr_outbox_new(on_disk ? 1024 * 1024 : CAP, NULL, &box) ||
        (on_disk &&
         sr_outbox_open(box, path_of("store"), &options, NULL, why, sizeof why)))
        die(*why ? why : "no outbox");
    fill(box, rows, on_disk ? SR_PRIO_BUF : 0);
    sr_outbox_stats(box, &stats);
    if (stats.rows != rows)
        die("rows are missing");
    printf(
        "%-22s %9llu rows %8.2f MB of memory (%.2f MB as it counts), %.2f MB of disk\n",
        what, (unsigned long long)rows, (resident() - before) / 1e6,
        (double)stats.memory_bytes / 1e6, (double)stats.disk_bytes / 1e6);
    sr_outbox_free(box);
    malloc_trim(0);
    if (on_disk)
        remove_dir(path_of("store"));
}

static uint64_t count_of(int argc, char **argv, int index, uint64_t otherwise)
{
    uint64_t count = argc > index ? strtoull(argv[index], NULL, 10) : otherwise;

    if (count < BATCH || count > 400000)
        die("usage: outbox_bench [directory [rows one by one [rows in batches "
            "[rows to wait]]]], 100 to 400000 rows");
    return (count + BATCH - 1) / BATCH * BATCH;
}

int main(int argc, char **argv)
{
    uint64_t singles = count_of(argc, argv, 2, 2000);
    uint64_t batches = count_of(argc, argv, 3, MANY);
    uint64_t waiting = count_of(argc, argv, 4, MANY);

    setvbuf(stdout, NULL, _IOLBF, 0);
    snprintf(top, sizeof top, "%s/smartrest-bench-XXXXXX",
             argc > 1 ? argv[1] : "/var/tmp");
    if (!mkdtemp(top))
        die("cannot make a directory there");
    find_device();
    printf("waiting\n"); /* first: nothing is left over from others */
    measure_memory("buffered, on disk", waiting, true);
    measure_memory("volatile, in memory", waiting, false);
    printf("\n%-10s %-14s %9s %11s %9s %9s\n", "", "", "rows", "rows/s", "process",
           "device");
    printf("%-10s %-14s %9s %11s %19s\n", "", "", "", "", "MB per MB of rows");
    for (size_t i = 0; i < 2; i++)
        measure(&contestants[i], "one by one", singles, 1);
    for (size_t i = 0; i < 2; i++)
        measure(&contestants[i], "100 at a time", batches, BATCH);
    for (size_t i = 0; i < 2; i++)
        measure_turn(&contestants[i], batches);
    printf("\nopening, best of 5\n");
    for (uint64_t rows = waiting / 100; rows <= waiting; rows *= 10)
        if (rows >= BATCH)
            measure_open(rows);
    rmdir(top);
    return 0;
}
