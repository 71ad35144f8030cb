/* SPDX-License-Identifier: MIT */
/* A segment with any bytes: the reader stays within them, and the store opens it, has rows in
 * order, works on, and finds nothing damaged the next time. The first byte: odd, checksums are made
 * right. */
#include "segment_fix.h"

static void read_file(const uint8_t *bytes, size_t len)
{
    struct sr_segment_reader reader;
    struct sr_segment_record record;
    struct sr_snapshot snapshot;
    int rc = sr_segment_open(&reader, bytes, len);

    while (rc != SR_E_END) {
        size_t before = reader.offset;

        rc = sr_segment_next(&reader, &record);
        must(reader.offset <= len);
        if (rc == SR_E_CORRUPT) {
            must(*reader.why != '\0' && reader.offset == before);
            if (!sr_segment_resync(&reader))
                return;
            must(reader.offset > before);
        } else if (rc == 0) {
            must(record.offset == before && reader.offset > before);
            must((const uint8_t *)record.entry.row + record.entry.len <= bytes + len);
            if (sr_snapshot_decode(&reader.header, &record, &snapshot) == 0)
                must(snapshot.ranges <= SR_SNAPSHOT_RANGES);
        }
    }
}

static uint64_t read_rows(struct sr_store *store)
{
    struct sr_store_stats stats;
    struct sr_entry entry;
    uint64_t from = 0, rows = 0;

    for (; sr_store_next(store, from, &entry) == 0; rows++) {
        must(entry.seq >= from);
        from = entry.seq + 1;
    }
    sr_store_stats(store, &stats);
    must(stats.rows == rows && sr_store_rows_unreadable(store) == 0);
    must(from <= sr_store_next_seq(store));
    return rows;
}

static void open_file(const uint8_t *bytes, size_t len)
{
    const char *dir = fix_directory("0000000001.seg", bytes, len);
    struct sr_store_recovery recovery;
    struct sr_store *store = fix_open(dir, &recovery);
    struct sr_entry entry = { .seq = sr_store_next_seq(store), .row = "1,2", .len = 3 };
    uint64_t rows = read_rows(store);

    must(recovery.rows == rows);
    if (entry.seq > UINT64_MAX / 4) { /* somebody's: numbers may be at their end */
        sr_store_close(store);
        return;
    }
    must(sr_store_append(store, &entry) == 0);
    must(read_rows(store) == rows + 1);
    sr_store_close(store);
    store = fix_open(dir, &recovery);
    must(recovery.files_damaged == 0 && read_rows(store) == rows + 1);
    sr_store_done(store, 0, UINT64_MAX);
    must(read_rows(store) == 0);
    sr_store_close(store);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static bool registered;
    uint8_t *bytes = malloc(len); /* exactly as long, so that an overrun shows */

    if (!registered)
        atexit(fix_leave);
    registered = true;
    if (len > 0 && bytes) {
        memcpy(bytes, data + 1, len - 1);
        if (data[0] & 1)
            fix_up(bytes, len - 1, SR_CONTENT_LOG, 1);
        read_file(bytes, len - 1);
        open_file(bytes, len - 1);
    }
    free(bytes);
    return 0;
}
