/* SPDX-License-Identifier: MIT */
/* The format of docs/outbox.md, byte by byte; the checksum; sets of ranges. */
#include "store/crc32c.h"
#include "store/ranges.h"
#include "store/segment.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
/* after what it needs */
#include <cmocka.h>

static void crc32c_gives_the_published_values(void **state)
{
    uint8_t bytes[32] = { 0 };

    (void)state;
    assert_int_equal(sr_crc32c(0, "", 0), 0);
    assert_int_equal(sr_crc32c(0, "123456789", 9), 0xe3069283);
    assert_int_equal(sr_crc32c(0, bytes, 32), 0x8a9136aa); /* RFC 3720, B.4 */
    memset(bytes, 0xff, 32);
    assert_int_equal(sr_crc32c(0, bytes, 32), 0x62a8ab43);
    for (int i = 0; i < 32; i++)
        bytes[i] = (uint8_t)i;
    assert_int_equal(sr_crc32c(0, bytes, 32), 0x46dd794e);
    for (size_t cut = 0; cut <= 32; cut++) /* in two parts, at all alignments */
        assert_int_equal(sr_crc32c(sr_crc32c(0, bytes, cut), bytes + cut, 32 - cut),
                         0x46dd794e);
}

static const struct sr_segment_header header = {
    .content = SR_CONTENT_LOG,
    .salt = 0x04030201,
    .number = 0x0807060504030201,
    .base = 0x1807060504030211,
    .boot_tag = 0x24232221,
};

enum { SPACE = 2048 };

/* Of 152 bytes: header, a row of 5 bytes, a snapshot without ranges. */
static size_t make_file(uint8_t bytes[SPACE])
{
    static const struct sr_snapshot snapshot = { .next = 9 };
    struct sr_entry row = {
        .seq = 0x1807060504030212,
        .prio = 0x81,
        .ttl_s = 0x0d0c0b0a,
        .put = {.wall_ms = -2, .boot_ms = 0x060504030201},
        .row = "1,2,3",
        .len = 5
    };
    size_t at = SR_SEGMENT_HEADER;

    memset(bytes, 0, SPACE);
    sr_segment_put_header(&header, bytes);
    memcpy(bytes + at + SR_RECORD_HEAD, row.row, row.len);
    at += sr_segment_put_record(&header, at, SR_RECORD_ROW, &row, bytes + at);
    row.row = (const char *)bytes + at + SR_RECORD_HEAD;
    row.len = sr_snapshot_encode(&snapshot, bytes + at + SR_RECORD_HEAD);
    return at +
           sr_segment_put_record(&header, at, SR_RECORD_SNAPSHOT, &row, bytes + at);
}

static void the_bytes_are_those_of_the_page(void **state)
{
    static const uint8_t head[36] = {
        'S',  'R',  'L',  'O',  'G',  '\r', '\n', 0x1a, /* magic */
        0x01, 0x00, 0x01, 0x00,                         /* version 1, a log */
        0x01, 0x02, 0x03, 0x04,                         /* salt */
        0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, /* number */
        0x11, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x18, /* base */
        0x21, 0x22, 0x23, 0x24,                         /* boot tag */
    };
    static const uint8_t row[36] = {
        0x05, 0x00, 0xa1, 0x81,                         /* length, kind, prio */
        0x12, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x18, /* number */
        0xfe, 0xff, 0xff, 0xff, 0xff, 0xff,             /* wall clock, -2 */
        0x01, 0x02, 0x03, 0x04, 0x05, 0x06,             /* since boot */
        0x0a, 0x0b, 0x0c, 0x0d,                         /* time to live */
        '1',  ',',  '2',  ',',  '3',  0x00, 0x00, 0x00, /* text, zeros */
    };
    uint8_t bytes[SPACE], crc[4];
    uint32_t sum = sr_crc32c(0x04030201 + 40, row, 33);

    (void)state;
    assert_int_equal(make_file(bytes), 152);
    assert_memory_equal(bytes, head, sizeof head);
    for (int i = 0; i < 4; i++)
        crc[i] = (uint8_t)(sr_crc32c(0, head, 36) >> 8 * i);
    assert_memory_equal(bytes + 36, crc, 4);
    for (int i = 0; i < 4; i++)
        crc[i] = (uint8_t)(sum >> 8 * i);
    assert_memory_equal(bytes + 40, crc, 4);
    assert_memory_equal(bytes + 44, row, sizeof row);
    assert_int_equal(bytes[80 + 6], 0xa2);
}

static void what_was_written_is_read(void **state)
{
    struct sr_segment_reader reader;
    struct sr_segment_record record;
    struct sr_snapshot snapshot;
    uint8_t bytes[SPACE], again[SR_SEGMENT_HEADER];
    size_t len = make_file(bytes);

    (void)state;
    for (size_t zeros = 0; len + zeros <= 256; zeros++) {
        assert_int_equal(sr_segment_open(&reader, bytes, len + zeros), 0);
        sr_segment_put_header(&reader.header, again);
        assert_memory_equal(again, bytes, sizeof again);
        assert_int_equal(sr_segment_next(&reader, &record), 0);
        assert_int_equal(record.kind, SR_RECORD_ROW);
        assert_int_equal(record.offset, 40);
        assert_int_equal(record.size, 40);
        assert_int_equal(record.entry.seq, 0x1807060504030212);
        assert_int_equal(record.entry.prio, 0x81);
        assert_int_equal(record.entry.ttl_s, 0x0d0c0b0a);
        assert_int_equal(record.entry.put.wall_ms, -2);
        assert_int_equal(record.entry.put.boot_ms, 0x060504030201);
        assert_int_equal(record.entry.put.boot_tag, 0x24232221);
        assert_int_equal(record.entry.len, 5);
        assert_memory_equal(record.entry.row, "1,2,3", 5);
        assert_int_equal(sr_segment_next(&reader, &record), 0);
        assert_int_equal(sr_snapshot_decode(&record, &snapshot), 0);
        assert_int_equal(snapshot.next, 9);
        assert_int_equal(snapshot.ranges, 0);
        assert_int_equal(sr_segment_next(&reader, &record), SR_E_END);
        assert_int_equal(sr_segment_next(&reader, &record), SR_E_END);
    }
}

static void clocks_that_exceed_the_field_say_what_fits(void **state)
{
    static const struct {
        struct sr_instant put, got;
    } cases[] = {
        {{ .wall_ms = INT64_MAX, .boot_ms = UINT64_MAX },
         { .wall_ms = (INT64_C(1) << 47) - 1, .boot_ms = (UINT64_C(1) << 48) - 1 }              },
        { { .wall_ms = INT64_MIN },                       { .wall_ms = -(INT64_C(1) << 47) + 1 }},
        { { .wall_ms = -1, .boot_ms = 1 },                { .wall_ms = -1, .boot_ms = 1 }       },
    };
    struct sr_segment_record record;
    uint8_t head[SR_RECORD_HEAD];
    const char *why;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sr_entry entry = { .seq = 1, .put = cases[i].put, .row = "" };

        sr_segment_put_record(&header, 40, SR_RECORD_ROW, &entry, head);
        assert_int_equal(
            sr_segment_decode(&header, head, sizeof head, 40, &record, &why), 0);
        assert_int_equal(record.entry.put.wall_ms, cases[i].got.wall_ms);
        assert_int_equal(record.entry.put.boot_ms, cases[i].got.boot_ms);
    }
}

/* Every byte counts, but for the zeros behind a text. */
static void every_flipped_bit_is_found(void **state)
{
    struct sr_segment_reader reader;
    struct sr_segment_record record;
    uint8_t bytes[SPACE];
    size_t len = make_file(bytes);

    (void)state;
    for (size_t bit = 0; bit < 8 * len; bit++) {
        int rc;

        if (bit / 8 >= 40 + 32 + 5 && bit / 8 < 80)
            continue;
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        rc = sr_segment_open(&reader, bytes, len);
        for (int i = 0; !rc && i < 2; i++)
            rc = sr_segment_next(&reader, &record);
        assert_int_equal(rc, SR_E_CORRUPT);
        assert_true(strlen(reader.why) > 0);
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

static void a_record_holds_at_its_place_and_in_its_file_only(void **state)
{
    struct sr_segment_header other = header;
    struct sr_segment_record record;
    uint8_t bytes[SPACE];
    const char *why;

    (void)state;
    make_file(bytes);
    assert_int_equal(sr_segment_decode(&header, bytes + 40, 40, 40, &record, &why), 0);
    assert_int_equal(sr_segment_decode(&header, bytes + 40, 40, 48, &record, &why),
                     SR_E_CORRUPT);
    other.salt++;
    assert_int_equal(sr_segment_decode(&other, bytes + 40, 40, 40, &record, &why),
                     SR_E_CORRUPT);
}

static void behind_damage_the_next_record_is_found(void **state)
{
    struct sr_segment_reader reader;
    struct sr_segment_record record;
    uint8_t bytes[SPACE];
    size_t len = make_file(bytes);

    (void)state;
    bytes[50] ^= 1;
    assert_int_equal(sr_segment_open(&reader, bytes, len), 0);
    assert_int_equal(sr_segment_next(&reader, &record), SR_E_CORRUPT);
    assert_int_equal(reader.offset, 40);
    assert_true(sr_segment_resync(&reader));
    assert_int_equal(reader.offset, 80);
    assert_int_equal(sr_segment_next(&reader, &record), 0);
    assert_int_equal(record.kind, SR_RECORD_SNAPSHOT);
    assert_int_equal(sr_segment_next(&reader, &record), SR_E_END);
    memset(bytes + 40, 0, 40); /* as when a sector never reached the medium */
    assert_int_equal(sr_segment_open(&reader, bytes, len), 0);
    assert_int_equal(sr_segment_next(&reader, &record), SR_E_CORRUPT);
    assert_true(sr_segment_resync(&reader));
    bytes[90] ^= 1;
    assert_int_equal(sr_segment_next(&reader, &record), SR_E_CORRUPT);
    assert_false(sr_segment_resync(&reader));
}

static void names_are_numbers_of_ten_digits_and_more(void **state)
{
    static const struct {
        const char *name;
        uint64_t number;
    } cases[] = {
        {"0000000001.seg",            1          },
        { "9999999999.seg",           9999999999 },
        { "12345678901.seg",          12345678901},
        { "01234567890.seg",          0          }, /* two names for one */
        { "0000000000.seg",           0          },
        { "1.seg",                    0          },
        { "0000000001.seg2",          0          },
        { "0000000001.seg.damaged",   0          },
        { "12345678901234567890.seg", 0          },
        { "",                         0          },
        { "-000000001.seg",           0          },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint64_t number = 0;

        assert_int_equal(sr_segment_is_name(cases[i].name, &number),
                         cases[i].number != 0);
        assert_int_equal(number, cases[i].number);
    }
}

static void a_quarantine_record_keeps_reason_and_row(void **state)
{
    static uint8_t content[SR_RECORD_TEXT_MAX], head[SR_RECORD_HEAD + 64];
    static char long_row[SR_RECORD_TEXT_MAX], long_why[300];
    struct sr_entry entry = { .seq = 1, .row = "1,2", .len = 3 }, whole = entry;
    struct sr_segment_record record;
    const char *why;

    (void)state;
    whole.len = sr_quarantine_encode(&entry, "HTTP 422", content);
    whole.row = (const char *)content;
    assert_int_equal(whole.len, 1 + 8 + 3);
    memcpy(head + SR_RECORD_HEAD, content, whole.len);
    sr_segment_put_record(&header, 40, SR_RECORD_QUARANTINE, &whole, head);
    assert_int_equal(sr_segment_decode(&header, head, sizeof head, 40, &record, &why),
                     0);
    assert_int_equal(record.why_len, 8);
    assert_memory_equal(record.why, "HTTP 422", 8);
    assert_int_equal(record.entry.len, 3);
    assert_memory_equal(record.entry.row, "1,2", 3);

    memset(long_why, 'y', sizeof long_why - 1);
    entry.row = long_row;
    entry.len = sizeof long_row;
    assert_int_equal(sr_quarantine_encode(&entry, long_why, content),
                     SR_RECORD_TEXT_MAX);
    assert_int_equal(content[0], SR_QUARANTINE_WHY_MAX);
}

/* --- ranges ------------------------------------------------------------------------- */

static void ranges_agree_with_a_plain_array(void **state)
{
    enum { MOST = 400 };
    static bool in[MOST + 2];
    static struct sr_ranges ranges;
    struct sr_range forgotten;
    unsigned random = 3;

    (void)state;
    for (int round = 0; round < 2000; round++) {
        uint64_t first = ((random = random * 1103515245 + 12345) >> 8) % MOST;
        uint64_t last = first + (random >> 4) % 5, missing = 0, runs = 0;

        if (round % 100 == 0) {
            memset(in, 0, sizeof in);
            ranges.count = 0;
        }
        last = last > MOST ? MOST : last;
        assert_false(sr_ranges_add(&ranges, first, last, &forgotten));
        memset(in + first, 1, last - first + 1);
        for (uint64_t i = 0; i <= MOST; i++) {
            assert_int_equal(sr_ranges_find(&ranges, i) != NULL, in[i]);
            runs += in[i] && !in[i + 1];
            missing += !in[i];
        }
        assert_int_equal(ranges.count, runs); /* none touch */
        assert_int_equal(sr_ranges_missing(&ranges, 0, MOST), missing);
        assert_int_equal(sr_ranges_cover(&ranges, 0, MOST), missing == 0);
        assert_true(sr_ranges_cover(&ranges, first, last));
        assert_int_equal(sr_ranges_missing(&ranges, first, last), 0);
    }
}

static void of_too_many_ranges_the_smallest_is_forgotten(void **state)
{
    static struct sr_ranges ranges;
    struct sr_range forgotten;

    (void)state;
    for (uint64_t i = 0; i < SR_RANGES_MAX; i++)
        assert_false(
            sr_ranges_add(&ranges, 100 * i, 100 * i + (i == 77 ? 3 : 50), &forgotten));
    assert_true(sr_ranges_add(&ranges, 1000000, 1000010, &forgotten));
    assert_int_equal(forgotten.first, 7700);
    assert_int_equal(forgotten.last, 7703);
    assert_null(sr_ranges_find(&ranges, 7701));
    assert_non_null(sr_ranges_find(&ranges, 1000005));
    assert_int_equal(ranges.count, SR_RANGES_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crc32c_gives_the_published_values),
        cmocka_unit_test(the_bytes_are_those_of_the_page),
        cmocka_unit_test(what_was_written_is_read),
        cmocka_unit_test(clocks_that_exceed_the_field_say_what_fits),
        cmocka_unit_test(every_flipped_bit_is_found),
        cmocka_unit_test(a_record_holds_at_its_place_and_in_its_file_only),
        cmocka_unit_test(behind_damage_the_next_record_is_found),
        cmocka_unit_test(names_are_numbers_of_ten_digits_and_more),
        cmocka_unit_test(a_quarantine_record_keeps_reason_and_row),
        cmocka_unit_test(ranges_agree_with_a_plain_array),
        cmocka_unit_test(of_too_many_ranges_the_smallest_is_forgotten),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
