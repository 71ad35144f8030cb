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
    .version = 2,
    .content = SR_CONTENT_LOG,
    .salt = 0x04030201,
    .number = 0x0807060504030201,
    .base = 0x1807060504030211,
    .boot_tag = 0x24232221,
    .wall_ms = 0x363534333231,
    .boot_ms = 0x464544434241,
    .before_salt = 0x54535251,
    .before_number = 0x6867666564636261,
};
static const struct sr_segment_header header_1 = {
    .version = 1,
    .content = SR_CONTENT_LOG,
    .salt = 0x04030201,
    .number = 0x0807060504030201,
    .base = 0x1807060504030211,
    .boot_tag = 0x24232221,
};

enum { SPACE = 2048 };

static const struct sr_entry the_row = {
    .seq = 0x18070605040305a0, /* base + 0x38f */
    .prio = 0x81,
    .ttl_s = 300,
    .put = {.wall_ms = 0x363534333231 + 0x10203 - 2,
            .boot_ms = 0x464544434241 + 0x10203,
            .boot_tag = 0x24232221},
    .row = "1,2,3",
    .len = 5,
    .channel = 200
};

static size_t put_at(uint8_t *bytes, size_t at, enum sr_record_kind kind,
                     const struct sr_entry *entry)
{
    size_t size,
        head = sr_segment_put_record(&header, at, kind, entry, bytes + at, &size);

    memmove(bytes + at + head, entry->row, entry->len);
    return at + size;
}

/* Header, the name of a channel (64 to 80), a row (80 to 108), a snapshot without ranges (108 to 152). */
static size_t make_file(uint8_t bytes[SPACE])
{
    static const struct sr_snapshot snapshot = { .next = 9 };
    struct sr_entry name = { .channel = 200, .row = "a:bc", .len = 4 };
    uint8_t content[SR_SNAPSHOT_MAX];
    struct sr_entry told = { .row = (const char *)content };
    size_t at;

    told.len = sr_snapshot_encode(&header, &snapshot, content);
    memset(bytes, 0, SPACE);
    at = sr_segment_put_header(&header, bytes);
    at = put_at(bytes, at, SR_RECORD_CHANNEL, &name);
    at = put_at(bytes, at, SR_RECORD_ROW, &the_row);
    return put_at(bytes, at, SR_RECORD_SNAPSHOT, &told);
}

static void expect_crc(const uint8_t *at, uint32_t crc)
{
    for (int i = 0; i < 4; i++)
        assert_int_equal(at[i], (uint8_t)(crc >> 8 * i));
}

/* What checksums of records at `offset` begin with: the number is 0x04030201 in its low bytes. */
static uint32_t seed(uint32_t offset)
{
    return 0x04030201 + (2 * 0x04030201u + 1) * offset;
}

static void the_bytes_are_those_of_the_page(void **state)
{
    static const uint8_t head[60] = {
        'S',  'R',  'L',  'O',  'G',  '\r', '\n', 0x1a, /* magic */
        0x02, 0x00, 0x01, 0x00,                         /* version 2, a log */
        0x01, 0x02, 0x03, 0x04,                         /* salt */
        0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, /* number */
        0x11, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x18, /* base */
        0x21, 0x22, 0x23, 0x24,                         /* boot tag */
        0x31, 0x32, 0x33, 0x34, 0x35, 0x36,             /* wall clock */
        0x41, 0x42, 0x43, 0x44, 0x45, 0x46,             /* since boot */
        0x51, 0x52, 0x53, 0x54,                         /* salt of the life before */
        0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, /* its number */
    };
    static const uint8_t name[12] = {
        0x06, 0x00, 0x00, 0xa5,                      /* length, kind */
        0xc8, 0x01, 'a',  ':',  'b', 'c', 0x00, 0x00 /* channel 200, name, zeros */
    };
    static const uint8_t row[24] = {
        0x11, 0x00, 0x00, 0xa1,               /* length, kind */
        0x1f,                                 /* all fields; time of 3 bytes */
        0x8f, 0x07,                           /* number: base + 0x38f */
        0xc8, 0x01,                           /* channel 200 */
        0x03, 0x02, 0x01,                     /* time: base + 0x10203 */
        0x03,                                 /* the wall clock: 2 less */
        0xac, 0x02,                           /* time to live: 300 */
        0x81,                                 /* prio */
        '1',  ',',  '2',  ',',  '3', 0, 0, 0, /* text, zeros */
    };
    static const uint8_t snapshot[37] = {
        0x21, 0x00, 0x00, 0xa2,                         /* length, kind */
        0x09, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, /* next */
        0x11, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x18, /* base */
        0x31, 0x32, 0x33, 0x34, 0x35, 0x36,             /* wall clock */
        0x41, 0x42, 0x43, 0x44, 0x45, 0x46,             /* since boot */
        0x21, 0x22, 0x23, 0x24,                         /* boot tag */
        0x00,                                           /* no losses, no ranges */
    };
    uint8_t bytes[SPACE];

    (void)state;
    assert_int_equal(make_file(bytes), 152);
    assert_memory_equal(bytes, head, sizeof head);
    expect_crc(bytes + 60, sr_crc32c(0, head, 60));
    expect_crc(bytes + 64, sr_crc32c(seed(64), name, 10));
    assert_memory_equal(bytes + 68, name, sizeof name);
    expect_crc(bytes + 80, sr_crc32c(seed(80), row, 4 + 0x11));
    assert_memory_equal(bytes + 84, row, sizeof row);
    expect_crc(bytes + 108, sr_crc32c(seed(108), snapshot, sizeof snapshot));
    assert_memory_equal(bytes + 112, snapshot, sizeof snapshot);
}

static void the_bytes_of_version_1_are_those_of_its_page(void **state)
{
    static const uint8_t row[36] = {
        0x05, 0x00, 0xa1, 0x81,                         /* length, kind, prio */
        0x12, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x18, /* number */
        0xfe, 0xff, 0xff, 0xff, 0xff, 0xff,             /* wall clock, -2 */
        0x01, 0x02, 0x03, 0x04, 0x05, 0x06,             /* since boot */
        0x0a, 0x0b, 0x0c, 0x0d,                         /* time to live */
        '1',  ',',  '2',  ',',  '3',  0x00, 0x00, 0x00, /* text, zeros */
    };
    uint8_t bytes[80] = { 0 };
    struct sr_segment_reader reader;
    struct sr_segment_record record;

    (void)state;
    assert_int_equal(sr_segment_put_header(&header_1, bytes), 40);
    for (int i = 0; i < 4; i++)
        bytes[40 + i] = (uint8_t)(sr_crc32c(0x04030201 + 40, row, 33) >> 8 * i);
    memcpy(bytes + 44, row, sizeof row);
    assert_int_equal(sr_segment_open(&reader, bytes, sizeof bytes), 0);
    assert_int_equal(sr_segment_next(&reader, &record), 0);
    assert_int_equal(record.kind, SR_RECORD_ROW);
    assert_int_equal(record.size, 40);
    assert_int_equal(record.entry.seq, 0x1807060504030212);
    assert_int_equal(record.entry.prio, 0x81);
    assert_int_equal(record.entry.ttl_s, 0x0d0c0b0a);
    assert_int_equal(record.entry.put.wall_ms, -2);
    assert_int_equal(record.entry.put.boot_ms, 0x060504030201);
    assert_int_equal(record.entry.put.boot_tag, 0x24232221);
    assert_int_equal(record.entry.channel, 0);
    assert_int_equal(record.entry.len, 5);
    assert_memory_equal(record.entry.row, "1,2,3", 5);
    assert_int_equal(sr_segment_next(&reader, &record), SR_E_END);
}

/* In version 1 the X-Id was the first value of the row. */
static void a_row_of_version_1_for_another_collection_is_one_of_a_channel(void **state)
{
    struct sr_entry entry = {
        .seq = header_1.base, .prio = 3, .row = "child,2,b", .len = 9
    };
    struct sr_segment_record record;
    uint8_t bytes[64] = { 0 };
    char name[SR_CHANNEL_TEXT_MAX + 1];
    const char *why;
    size_t size, head;

    (void)state;
    head = sr_segment_put_record(&header_1, 40, SR_RECORD_ROW, &entry, bytes, &size);
    memcpy(bytes + head, entry.row, entry.len);
    assert_int_equal(sr_segment_decode(&header_1, bytes, size, 40, &record, &why), 0);
    assert_int_equal(record.entry.prio, 1);
    assert_int_equal(record.entry.len, 3);
    assert_memory_equal(record.entry.row, "2,b", 3);
    assert_int_not_equal(record.entry.channel, 0);
    assert_int_equal(sr_segment_channel(&record, name), strlen("smartrest1:child"));
    assert_string_equal(name, "smartrest1:child");
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
        assert_int_equal(sr_segment_put_header(&reader.header, again), sizeof again);
        assert_memory_equal(again, bytes, sizeof again);
        assert_int_equal(sr_segment_next(&reader, &record), 0);
        assert_int_equal(record.kind, SR_RECORD_CHANNEL);
        assert_int_equal(record.entry.channel, 200);
        assert_int_equal(record.entry.len, 4);
        assert_memory_equal(record.entry.row, "a:bc", 4);
        assert_int_equal(sr_segment_next(&reader, &record), 0);
        assert_int_equal(record.kind, SR_RECORD_ROW);
        assert_int_equal(record.offset, 80);
        assert_int_equal(record.size, 28);
        assert_int_equal(record.entry.seq, the_row.seq);
        assert_int_equal(record.entry.channel, 200);
        assert_int_equal(record.entry.prio, 0x81);
        assert_int_equal(record.entry.ttl_s, 300);
        assert_memory_equal(&record.entry.put, &the_row.put, sizeof the_row.put);
        assert_int_equal(record.entry.len, 5);
        assert_memory_equal(record.entry.row, "1,2,3", 5);
        assert_int_equal(sr_segment_next(&reader, &record), 0);
        assert_int_equal(sr_snapshot_decode(&header, &record, &snapshot), 0);
        assert_int_equal(snapshot.next, 9);
        assert_int_equal(snapshot.ranges, 0);
        assert_int_equal(sr_segment_next(&reader, &record), SR_E_END);
        assert_int_equal(sr_segment_next(&reader, &record), SR_E_END);
    }
}

static void times_of_all_kinds_come_back(void **state)
{
    const int64_t most = (INT64_C(1) << 47) - 1;
    const uint64_t base = 0x464544434241, all = (UINT64_C(1) << 48) - 1;
    const struct {
        struct sr_instant put, got;
    } cases[] = {
        {{ .wall_ms = INT64_MAX, .boot_ms = UINT64_MAX },
         { .wall_ms = most, .boot_ms = all }                                                 },
        { { .wall_ms = INT64_MIN },                           { .wall_ms = -most }           },
        { { .wall_ms = -1, .boot_ms = 1 },                    { .wall_ms = -1, .boot_ms = 1 }},
        { { .wall_ms = 7, .boot_ms = base + 0xffff },
         { .wall_ms = 7, .boot_ms = base + 0xffff }                                          },
        { { .wall_ms = 7, .boot_ms = base + 0x10000 },
         { .wall_ms = 7, .boot_ms = base + 0x10000 }                                         },
        { { .wall_ms = 7, .boot_ms = base + 0xffffffff },
         { .wall_ms = 7, .boot_ms = base + 0xffffffff }                                      },
        { { .wall_ms = 7, .boot_ms = base + 0x100000000 },
         { .wall_ms = 7, .boot_ms = base + 0x100000000 }                                     },
        { { .wall_ms = 0x363534333231, .boot_ms = base - 1 },
         { .wall_ms = 0x363534333231, .boot_ms = base - 1 }                                  },
    };
    struct sr_segment_record record;
    uint8_t head[SR_RECORD_HEAD_MAX];
    const char *why;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sr_entry entry = { .seq = header.base - 1,
                                  .put = cases[i].put,
                                  .row = "",
                                  .channel = 65535,
                                  .ttl_s = UINT32_MAX,
                                  .prio = 255 };
        size_t size, len = sr_segment_put_record(&header, 64, SR_RECORD_ROW, &entry,
                                                 head, &size);

        assert_true(len <= sizeof head);
        assert_int_equal(sr_segment_decode(&header, head, len, 64, &record, &why), 0);
        assert_int_equal(record.entry.seq, entry.seq);
        assert_int_equal(record.entry.put.wall_ms, cases[i].got.wall_ms);
        assert_int_equal(record.entry.put.boot_ms, cases[i].got.boot_ms);
        assert_int_equal(record.entry.channel, 65535);
        assert_int_equal(record.entry.ttl_s, UINT32_MAX);
        assert_int_equal(record.entry.prio, 255);
    }
}

/* Four hours and a half after the first row of a segment of 16,384, on one of 127 channels. */
static void a_usual_row_has_a_head_of_16_bytes(void **state)
{
    struct sr_entry entry = {
        .seq = header.base + 16383, .prio = 1, .row = "", .channel = 127
    };
    uint8_t head[SR_RECORD_HEAD_MAX];
    size_t size;

    (void)state;
    entry.put.boot_ms = header.boot_ms + 16200000;
    entry.put.wall_ms =
        header.wall_ms + 16200000 - 60; /* the clocks are apart by that */
    assert_int_equal(
        sr_segment_put_record(&header, 64, SR_RECORD_ROW, &entry, head, &size), 16);
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
        size_t at = bit / 8;
        int rc;

        if ((at >= 78 && at < 80) || (at >= 105 && at < 108) || at >= 149)
            continue;
        bytes[at] ^= (uint8_t)(1 << bit % 8);
        rc = sr_segment_open(&reader, bytes, len);
        for (int i = 0; !rc && i < 3; i++)
            rc = sr_segment_next(&reader, &record);
        assert_true(rc == SR_E_CORRUPT || rc == SR_E_STATE);
        assert_true(strlen(reader.why) > 0);
        bytes[at] ^= (uint8_t)(1 << bit % 8);
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
    assert_int_equal(sr_segment_decode(&header, bytes + 80, 28, 80, &record, &why), 0);
    assert_int_equal(sr_segment_decode(&header, bytes + 80, 28, 84, &record, &why),
                     SR_E_CORRUPT);
    other.salt++;
    assert_int_equal(sr_segment_decode(&other, bytes + 80, 28, 80, &record, &why),
                     SR_E_CORRUPT);
    other.salt = header.salt;
    other.number++; /* a file that is used again, and draws the same salt */
    assert_int_equal(sr_segment_decode(&other, bytes + 80, 28, 80, &record, &why),
                     SR_E_CORRUPT);
}

static void behind_damage_the_next_record_is_found(void **state)
{
    struct sr_segment_reader reader;
    struct sr_segment_record record;
    uint8_t bytes[SPACE];
    size_t len = make_file(bytes);

    (void)state;
    bytes[90] ^= 1;
    assert_int_equal(sr_segment_open(&reader, bytes, len), 0);
    assert_int_equal(sr_segment_next(&reader, &record), 0);
    assert_int_equal(sr_segment_next(&reader, &record), SR_E_CORRUPT);
    assert_int_equal(reader.offset, 80);
    assert_true(sr_segment_resync(&reader));
    assert_int_equal(reader.offset, 108);
    assert_int_equal(sr_segment_next(&reader, &record), 0);
    assert_int_equal(record.kind, SR_RECORD_SNAPSHOT);
    assert_int_equal(sr_segment_next(&reader, &record), SR_E_END);
    memset(bytes + 64, 0, 44); /* as when a sector never reached the medium */
    assert_int_equal(sr_segment_open(&reader, bytes, len), 0);
    assert_int_equal(sr_segment_next(&reader, &record), SR_E_CORRUPT);
    assert_true(sr_segment_resync(&reader));
    bytes[120] ^= 1;
    assert_int_equal(sr_segment_next(&reader, &record), SR_E_CORRUPT);
    assert_false(sr_segment_resync(&reader));
}

/* A later program may write other kinds, and rows with other fields. */
static void a_record_that_is_not_known_is_passed_over(void **state)
{
    struct sr_segment_reader reader;
    struct sr_segment_record record;
    struct sr_entry entry = { .row = "something", .len = 9 };
    uint8_t bytes[SPACE] = { 0 };
    size_t at = sr_segment_put_header(&header, bytes), end;

    (void)state;
    at = put_at(bytes, at, (enum sr_record_kind)0xf3, &entry);
    end = put_at(bytes, at, SR_RECORD_ROW, &the_row);
    assert_int_equal(sr_segment_open(&reader, bytes, SPACE), 0);
    assert_int_equal(sr_segment_next(&reader, &record), 0);
    assert_int_equal(record.kind, SR_RECORD_UNKNOWN);
    assert_int_equal(record.entry.seq, 0);
    assert_int_equal(sr_segment_next(&reader, &record), 0);
    assert_int_equal(record.kind, SR_RECORD_ROW);

    bytes[at + 8] |= 0x40; /* a flag to come */
    for (int i = 0; i < 4; i++)
        bytes[at + i] =
            (uint8_t)(sr_crc32c(seed((uint32_t)at), bytes + at + 4, end - at - 4 - 3) >>
                      8 * i);
    assert_int_equal(sr_segment_open(&reader, bytes, SPACE), 0);
    assert_int_equal(sr_segment_next(&reader, &record), 0);
    assert_int_equal(sr_segment_next(&reader, &record), 0);
    assert_int_equal(record.kind, SR_RECORD_UNKNOWN);
    assert_int_equal(record.entry.seq, the_row.seq); /* nobody else gets that */
    assert_int_equal(sr_segment_next(&reader, &record), SR_E_END);
}

/* A file that is used again: what is left of its life before is no damage, and does not come back. */
static void behind_the_end_the_life_before_is_over(void **state)
{
    struct sr_segment_header before = header, now = header;
    struct sr_segment_reader reader;
    struct sr_segment_record record;
    static uint8_t bytes[SPACE];
    size_t at = sr_segment_put_header(&before, bytes), size, head;

    (void)state;
    while (at + 64 < SPACE)
        at = put_at(bytes, at, SR_RECORD_ROW, &the_row);
    now.number = header.number + 1;
    now.before_number = before.number;
    now.before_salt = before.salt;
    for (int marked = 0; marked < 2; marked++) {
        at = sr_segment_put_header(&now, bytes);
        head =
            sr_segment_put_record(&now, at, SR_RECORD_ROW, &the_row, bytes + at, &size);
        memcpy(bytes + at + head, the_row.row, the_row.len);
        memset(bytes + at + size, 0, marked ? SR_RECORD_HEAD_MIN : 0);
        assert_int_equal(sr_segment_open(&reader, bytes, SPACE), 0);
        assert_int_equal(sr_segment_next(&reader, &record), 0);
        assert_int_equal(sr_segment_next(&reader, &record), SR_E_END);
    }
    bytes[at + 6] ^= 1; /* but if this row is damaged, that is told */
    assert_int_equal(sr_segment_open(&reader, bytes, SPACE), 0);
    assert_int_equal(sr_segment_next(&reader, &record), SR_E_CORRUPT);
    assert_false(sr_segment_resync(&reader));
}

/* Not even with its header, when that of the new life is damaged. */
static void a_header_is_not_mended_with_the_life_before(void **state)
{
    struct sr_segment_header mended, now = header;
    static uint8_t bytes[SPACE];

    (void)state;
    make_file(bytes);
    memset(bytes, 0, SR_SEGMENT_HEADER);
    assert_int_equal(sr_segment_mend(bytes, SPACE, header.number, &mended), 0);
    assert_int_equal(mended.salt, header.salt);
    assert_int_equal(mended.base, header.base);
    assert_int_equal(mended.wall_ms, header.wall_ms);
    assert_int_equal(mended.boot_ms, header.boot_ms);
    assert_int_equal(mended.boot_tag, header.boot_tag);
    assert_int_equal(sr_segment_mend(bytes, SPACE, header.number + 1, &mended),
                     SR_E_CORRUPT);
    now.number++;
    sr_segment_put_header(&now, bytes);
    bytes[30] ^= 1;
    assert_int_equal(sr_segment_mend(bytes, SPACE, now.number, &mended), SR_E_CORRUPT);
}

static void snapshots_have_losses_and_ranges(void **state)
{
    struct sr_snapshot snapshot = {
        .next = 100, .losses = {{ 3, 4 }, -5, 6}, .ranges = 2, .range = {{ 1, 2 }, { 9, 50 }}
    }, got;
    struct sr_segment_record record = { .kind = SR_RECORD_SNAPSHOT };
    uint8_t content[SR_SNAPSHOT_MAX];

    (void)state;
    record.entry.row = (const char *)content;
    record.entry.len = sr_snapshot_encode(&header, &snapshot, content);
    assert_int_equal(record.entry.len, 33 + 32 + 2 * 16);
    memset(&got, 0, sizeof got);
    assert_int_equal(sr_snapshot_decode(&header, &record, &got), 0);
    assert_memory_equal(&got, &snapshot, sizeof got);
    for (size_t len = 0; len < record.entry.len; len++) {
        struct sr_segment_record shorter = record;

        shorter.entry.len = len;
        assert_int_equal(sr_snapshot_decode(&header, &shorter, &got), SR_E_CORRUPT);
    }
    content[33 + 32 + 8] = 9; /* the first range reaches into the second */
    assert_int_equal(sr_snapshot_decode(&header, &record, &got), SR_E_CORRUPT);
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

static void only_names_of_files_set_aside_are_taken_for_that(void **state)
{
    static const struct {
        const char *name;
        struct sr_aside is; /* which 0: none */
    } cases[] = {
        {"0000000001.seg.damaged",                            { 1, 1 }                  },
        { "0000000007.seg.damaged.2",                         { 7, 2 }                  },
        { "12345678901.seg.damaged.10",                       { 12345678901, 10 }       },
        { "quarantine.damaged",                               { SR_ASIDE_QUARANTINE, 1 }},
        { "quarantine.damaged.3",                             { SR_ASIDE_QUARANTINE, 3 }},
        { "quarantine.damaged.1",                             { 0, 0 }                  }, /* two names for one */
        { "quarantine.damaged.02",                            { 0, 0 }                  },
        { "quarantine.damaged.",                              { 0, 0 }                  },
        { "quarantine.damaged.2x",                            { 0, 0 }                  },
        { "quarantine.damaged.9999999999",                    { 0, 0 }                  },
        { "quarantine.damaged.damaged",                       { 0, 0 }                  },
        { "quarantine.new.damaged",                           { 0, 0 }                  },
        { "notes.damaged",                                    { 0, 0 }                  },
        { "0000000001.seg",                                   { 0, 0 }                  },
        { ".damaged",                                         { 0, 0 }                  },
        { "0000000000000000000000000000000000000000.damaged", { 0, 0 }                  },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sr_aside is = { 0 };

        assert_int_equal(sr_segment_is_aside(cases[i].name, &is),
                         cases[i].is.which != 0);
        assert_int_equal(is.number, cases[i].is.number);
        assert_int_equal(is.which, cases[i].is.which);
    }
}

static void a_quarantine_record_keeps_reason_channel_and_row(void **state)
{
    static uint8_t content[SR_QUARANTINE_MAX], bytes[SR_RECORD_MAX];
    static char long_row[SR_RECORD_TEXT_MAX + 1], long_why[300];
    struct sr_entry entry = { .seq = header.base,
                              .row = "1,2",
                              .len = 3,
                              .channel = 1,
                              .channel_name = "a:b",
                              .channel_len = 3 };
    struct sr_entry whole = entry;
    struct sr_segment_record record;
    char name[SR_CHANNEL_TEXT_MAX + 1];
    const char *why;

    (void)state;
    whole.len = sr_quarantine_encode(&entry, "HTTP 422", content);
    whole.row = (const char *)content;
    whole.channel = 0;
    assert_int_equal(whole.len, 1 + 8 + 2 + 3 + 3);
    put_at(bytes, 0, SR_RECORD_QUARANTINE, &whole);
    assert_int_equal(sr_segment_decode(&header, bytes, sizeof bytes, 0, &record, &why),
                     0);
    assert_int_equal(record.why_len, 8);
    assert_memory_equal(record.why, "HTTP 422", 8);
    assert_int_equal(sr_segment_channel(&record, name), 3);
    assert_string_equal(name, "a:b");
    assert_int_equal(record.entry.len, 3);
    assert_memory_equal(record.entry.row, "1,2", 3);

    memset(long_why, 'y', sizeof long_why - 1);
    entry.row = long_row;
    entry.len = sizeof long_row;
    assert_int_equal(sr_quarantine_encode(&entry, long_why, content),
                     1 + SR_QUARANTINE_WHY_MAX + 2 + 3 + SR_RECORD_TEXT_MAX);
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
        cmocka_unit_test(the_bytes_of_version_1_are_those_of_its_page),
        cmocka_unit_test(a_row_of_version_1_for_another_collection_is_one_of_a_channel),
        cmocka_unit_test(what_was_written_is_read),
        cmocka_unit_test(times_of_all_kinds_come_back),
        cmocka_unit_test(a_usual_row_has_a_head_of_16_bytes),
        cmocka_unit_test(every_flipped_bit_is_found),
        cmocka_unit_test(a_record_holds_at_its_place_and_in_its_file_only),
        cmocka_unit_test(behind_damage_the_next_record_is_found),
        cmocka_unit_test(a_record_that_is_not_known_is_passed_over),
        cmocka_unit_test(behind_the_end_the_life_before_is_over),
        cmocka_unit_test(a_header_is_not_mended_with_the_life_before),
        cmocka_unit_test(snapshots_have_losses_and_ranges),
        cmocka_unit_test(names_are_numbers_of_ten_digits_and_more),
        cmocka_unit_test(only_names_of_files_set_aside_are_taken_for_that),
        cmocka_unit_test(a_quarantine_record_keeps_reason_channel_and_row),
        cmocka_unit_test(ranges_agree_with_a_plain_array),
        cmocka_unit_test(of_too_many_ranges_the_smallest_is_forgotten),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
