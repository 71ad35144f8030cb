/* SPDX-License-Identifier: MIT */
/* Segment: the format of a file of the store, as bytes in memory. Pure: no I/O, no clock. Also
 * the quarantine file is one. docs/outbox.md has the tables.
 *
 *     reading:  open -> next ... (after damage: resync -> next ...)
 *     writing:  put_header, then per record: put_record, the text, zeros to the next 8
 *
 * All numbers are little-endian. A file is a header of 40 bytes, then records, each at an
 * offset that 8 divides: a head of 32 bytes, the text, zeros. Zeros to its end, or its
 * end, are the end of the log. The checksum of a record depends on its offset and on the
 * random salt of its file, so that stale bytes never pass for a record. */
#ifndef STORE_SEGMENT_H
#define STORE_SEGMENT_H

#include "store/store.h"

enum {
    SR_SEGMENT_VERSION = 1,
    SR_SEGMENT_HEADER = 40, /* bytes before the first record */
    SR_SEGMENT_MAX =
        2 * 1024 * 1024, /* no file of ours is larger, but for quarantine */
    SR_RECORD_HEAD = 32, /* bytes before the text of a record */
    SR_RECORD_TEXT_MAX = 65535,
    SR_RECORD_MAX = (SR_RECORD_HEAD + SR_RECORD_TEXT_MAX + 7) / 8 * 8,
    SR_SNAPSHOT_RANGES = 64, /* at most, in one snapshot */
    SR_SNAPSHOT_MAX = 40 + 16 * SR_SNAPSHOT_RANGES,
    SR_QUARANTINE_WHY_MAX = 255
};

/* Names in the directory: of a segment, a printf format for its number. */
#define SR_SEGMENT_NAME    "%010llu.seg"
#define SR_QUARANTINE_NAME "quarantine"
#define SR_DAMAGED_SUFFIX  ".damaged"
#define SR_STORE_LOCK_NAME "lock"
enum { SR_SEGMENT_NAME_MAX = 40 };

/* Is it the name of a segment? Then of which. */
bool sr_segment_is_name(const char *name, uint64_t *ret_number);

enum sr_segment_content { SR_CONTENT_LOG = 1, SR_CONTENT_QUARANTINE = 2 };

struct sr_segment_header {
    enum sr_segment_content content;
    uint32_t salt;     /* random */
    uint64_t number;   /* of the file; 0: quarantine */
    uint64_t base;     /* the next sequence number when the file was made */
    uint32_t boot_tag; /* of the rows' boot_ms */
};

enum sr_record_kind {
    SR_RECORD_ROW = 0xa1,
    SR_RECORD_SNAPSHOT = 0xa2,
    SR_RECORD_VOID = 0xa3, /* fills a place that was damaged */
    SR_RECORD_QUARANTINE = 0xa4
};

struct sr_segment_record {
    enum sr_record_kind kind;
    uint32_t offset, size; /* in the file; of all of it, zeros behind it included */
    struct sr_entry
        entry;       /* ROW, QUARANTINE: all; else row and len: the bare content */
    const char *why; /* QUARANTINE: the reason, not NUL-terminated; else "" */
    size_t why_len;
};

/* --- reading ------------------------------------------------------------------ */

struct sr_segment_reader {
    const uint8_t *bytes;
    size_t len;
    size_t offset; /* of the next record; after damage: where that begins */
    struct sr_segment_header header;
    const char *why;   /* of damage: a few words */
    uint64_t patience; /* bytes that resync may yet look at */
};

/* Decodes the header of a file of `len` bytes, which stay the caller's and must stay.
 * Returns 0; SR_E_END, empty or nothing but zeros; SR_E_CORRUPT, not a segment, or of a
 * version that is not known: reader->why says what. */
int sr_segment_open(struct sr_segment_reader *reader, const void *bytes, size_t len);

/* The same with a header that is known, from behind its place on. */
void sr_segment_read(struct sr_segment_reader *reader,
                     const struct sr_segment_header *header, const void *bytes,
                     size_t len);
/* The header of segment `number`, which is damaged, as its records tell it: at least two of them,
 * one behind the other, or one if the damage has spared the salt. Returns 0; SR_E_CORRUPT: they do
 * not, or the file is of another version. */
int sr_segment_mend(const void *bytes, size_t len, uint64_t number,
                    struct sr_segment_header *ret_header);

/* The next record; its texts are in the bytes. Returns 0; SR_E_END; SR_E_CORRUPT: reader->offset
 * is where the damage begins, reader->why says what is wrong. */
int sr_segment_next(struct sr_segment_reader *reader,
                    struct sr_segment_record *ret_record);

/* Behind damage: goes to the next intact record. False if there is none, or looking for it would
 * take too long; then the damage goes to the end of the file. */
bool sr_segment_resync(struct sr_segment_reader *reader);

/* One record, of `len` bytes at least of which it begins, at `offset` of a file with `header`.
 * Returns 0; SR_E_END, no bytes or 32 zeros; SR_E_CORRUPT, and *ret_why says what. */
int sr_segment_decode(const struct sr_segment_header *header, const uint8_t *bytes,
                      size_t len, size_t offset, struct sr_segment_record *ret_record,
                      const char **ret_why);
/* How many bytes has the record with this head? Only what it says. */
size_t sr_segment_record_size(const uint8_t head[SR_RECORD_HEAD]);

/* Of damaged bytes: the number of the row they seem to have been, 0 if none. */
uint64_t sr_segment_guess_row(const uint8_t head[SR_RECORD_HEAD]);

/* What a snapshot says. Ranges: sorted, apart, first <= last < next. */
struct sr_range {
    uint64_t first, last;
};
struct sr_snapshot {
    uint64_t next; /* sequence number */
    struct sr_losses losses;
    size_t ranges;
    struct sr_range range[SR_SNAPSHOT_RANGES];
};
/* Returns 0 or SR_E_CORRUPT. */
int sr_snapshot_decode(const struct sr_segment_record *record,
                       struct sr_snapshot *ret_snapshot);

/* --- writing ------------------------------------------------------------------ */

void sr_segment_put_header(const struct sr_segment_header *header,
                           uint8_t bytes[SR_SEGMENT_HEADER]);

/* Makes the head of a record at `offset`, whose text is entry->row. What else entry has is
 * for ROW and QUARANTINE. Returns the size of the record; zeros fill it up behind the text. */
size_t sr_segment_put_record(const struct sr_segment_header *header, size_t offset,
                             enum sr_record_kind kind, const struct sr_entry *entry,
                             uint8_t head[SR_RECORD_HEAD]);

/* The content of a snapshot record. Returns its length. */
size_t sr_snapshot_encode(const struct sr_snapshot *snapshot,
                          uint8_t bytes[SR_SNAPSHOT_MAX]);

/* The content of a quarantine record: the reason, cut to SR_QUARANTINE_WHY_MAX, and the row, cut
 * to what fits. Returns its length. */
size_t sr_quarantine_encode(const struct sr_entry *entry, const char *why,
                            uint8_t bytes[SR_RECORD_TEXT_MAX]);

#endif
