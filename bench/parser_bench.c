/* SPDX-License-Identifier: MIT */
/* How fast rows are read, beside libcsv on the same bytes in the same run.
 *
 *     parser_bench [megabytes [rounds]]
 *
 * The bytes: measurement and alarm rows as devices send them, operations as the
 * platform sends them, every sixth value quoted. Each reader sees every value once a
 * round; first all of them must agree on what the values are. The figure is that
 * of the best round.
 */
#include <csv.h>
#include <smartrest/record.h>
#include <smartrest/row.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* What a reader saw. The sums keep the compiler from leaving the reading out. */
struct seen {
    uint64_t rows, values, bytes;
    uint64_t hash;
    bool hashing;
};

static inline void see(struct seen *seen, const char *value, size_t len)
{
    seen->values++;
    seen->bytes += len;
    if (len)
        seen->hash += (unsigned char)value[0];
    if (!seen->hashing)
        return;
    for (size_t i = 0; i < len; i++)
        seen->hash = (seen->hash ^ (unsigned char)value[i]) * 0x100000001b3u;
    seen->hash = seen->hash * 31 + len;
}

/* --- the readers -------------------------------------------------------- */

static void read_bytes(const char *text, size_t len, struct seen *ret_seen)
{
    struct seen seen = *ret_seen;
    struct sr_parser parser;
    struct sr_record *record;
    const char *value;
    size_t value_len;

    sr_parser_init(&parser, text, len);
    while (sr_parser_next(&parser, &record) == 0) {
        size_t size = sr_record_size(record);

        for (size_t i = 0; i < size; i++) {
            value = sr_record_bytes(record, i, &value_len);
            see(&seen, value, value_len);
        }
        seen.rows++;
    }
    sr_parser_release(&parser);
    *ret_seen = seen;
}

static void read_strings(const char *text, size_t len, struct seen *ret_seen)
{
    struct seen seen = *ret_seen;
    struct sr_parser parser;
    struct sr_record *record;

    sr_parser_init(&parser, text, len);
    while (sr_parser_next(&parser, &record) == 0) {
        size_t size = sr_record_size(record);

        for (size_t i = 0; i < size; i++) {
            const char *value = sr_record_value(record, i);

            see(&seen, value, strlen(value));
        }
        seen.rows++;
    }
    sr_parser_release(&parser);
    *ret_seen = seen;
}

static void csv_value(void *value, size_t len, void *seen)
{
    see(seen, value, len);
}

static void csv_row(int end, void *seen)
{
    (void)end;
    ((struct seen *)seen)->rows++;
}

static void read_libcsv(const char *text, size_t len, struct seen *seen)
{
    struct csv_parser parser;

    csv_init(&parser, CSV_STRICT | CSV_STRICT_FINI);
    if (csv_parse(&parser, text, len, csv_value, csv_row, seen) != len)
        fprintf(stderr, "libcsv: %s\n", csv_strerror(csv_error(&parser)));
    csv_fini(&parser, csv_value, csv_row, seen);
    csv_free(&parser);
}

/* --- the bytes ---------------------------------------------------------- */

static unsigned next_random(unsigned *state)
{
    *state = *state * 1103515245u + 12345u;
    return *state >> 8;
}

static void add_row(struct sr_row *row, unsigned *state)
{
    static const char *const names[] = { "c8y_Temperature", "c8y_CPUMeasurement",
                                         "c8y_SignalStrength", "c8y_Humidity" };
    unsigned id = 10000 + next_random(state) % 90000;
    double number = (double)(next_random(state) % 100000) / 100;
    const char *name = names[next_random(state) % 4];

    switch (next_random(state) % 4) {
    case 0: sr_row_format(row, "103,%u,%.2f", id, number); break;
    case 1:
        sr_row_format(row, "200,%u,%s,T,%.2f,C,2024-05-17T08:%02u:%02u.000Z", id, name,
                      number, next_random(state) % 60, next_random(state) % 60);
        break;
    case 2:
        sr_row_format(row, "301,%u,c8y_Alarm,\"%s over %.1f, \"\"high\"\"\",MAJOR", id,
                      name, number);
        break;
    default:
        sr_row_format(row, "502,%u,%u,\"%s\",\"PENDING\"", next_random(state) % 512, id,
                      name);
    }
}

/* False without memory. */
static bool make_text(struct sr_row *text, size_t size)
{
    unsigned state = 42;

    sr_row_init(text, 0);
    while (!sr_row_error(text) && sr_row_len(text) < size)
        add_row(text, &state);
    return !sr_row_error(text);
}

/* --- the contest -------------------------------------------------------- */

typedef void reader(const char *text, size_t len, struct seen *seen);

static double seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static struct seen hash_of(reader *read, const struct sr_row *text)
{
    struct seen seen = { .hashing = true };

    read(sr_row_text(text), sr_row_len(text), &seen);
    return seen;
}

static bool same(struct seen a, struct seen b)
{
    return a.rows == b.rows && a.values == b.values && a.bytes == b.bytes &&
           a.hash == b.hash;
}

static double one_round(reader *read, const struct sr_row *text)
{
    struct seen seen = { .rows = 0 };
    double begin = seconds(), end;

    read(sr_row_text(text), sr_row_len(text), &seen);
    end = seconds();
    if (seen.hash == 0)
        fprintf(stderr, "parser_bench: nothing was read\n");
    return (double)sr_row_len(text) / 1e6 / (end - begin);
}

static const struct {
    const char *name;
    reader *read;
} readers[] = {
    {"libcsv",                read_libcsv },
    { "smartrest, bytes",     read_bytes  },
    { "smartrest, C strings", read_strings},
};
#define READERS (sizeof readers / sizeof *readers)

static int contest(const struct sr_row *text, int rounds)
{
    struct seen expected = hash_of(readers[0].read, text);
    double best[READERS] = { 0 };

    for (size_t i = 1; i < READERS; i++)
        if (!same(hash_of(readers[i].read, text), expected)) {
            fprintf(stderr, "parser_bench: %s reads other values\n", readers[i].name);
            return 1;
        }
    printf("%.1f MB, %llu rows, %llu values, best of %d rounds\n",
           (double)sr_row_len(text) / 1e6, (unsigned long long)expected.rows,
           (unsigned long long)expected.values, rounds);
    for (int round = 0; round < rounds; round++) /* in turns: a busy machine hits all */
        for (size_t i = 0; i < READERS; i++) {
            double speed = one_round(readers[i].read, text);

            best[i] = speed > best[i] ? speed : best[i];
        }
    for (size_t i = 0; i < READERS; i++)
        printf("%-22s %8.0f MB/s %6.2fx\n", readers[i].name, best[i],
               best[i] / best[0]);
    return 0;
}

int main(int argc, char **argv)
{
    int megabytes = argc > 1 ? atoi(argv[1]) : 16;
    int rounds = argc > 2 ? atoi(argv[2]) : 10;
    struct sr_row text;
    int rc = 1;

    if (argc > 3 || megabytes < 1 || megabytes > 1000 || rounds < 1) {
        fprintf(stderr, "usage: parser_bench [megabytes [rounds]]\n");
        return 2;
    }
    if (make_text(&text, (size_t)megabytes * 1000 * 1000))
        rc = contest(&text, rounds);
    else
        fprintf(stderr, "parser_bench: %s\n", sr_strerror(sr_row_error(&text)));
    sr_row_release(&text);
    return rc;
}
