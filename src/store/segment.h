/* SPDX-License-Identifier: MIT */
/* Segment: the format of a file of the store, as bytes in memory. Pure: no I/O, no clock. Also
 * the quarantine file is one. docs/outbox.md has the tables.
 *
 *     reading:  open -> next ... (after damage: resync -> next ...)
 *     writing:  put_header, then per record: put_record, the text, zeros up to its size
 *
 * All numbers are little-endian. A file is a header, then records, each at an offset that 4 divides
 * (8 in version 1): a head, the text, zeros. The checksum of a record depends on its offset, and on
 * salt and number of its file, so that stale bytes never pass for a record. Version 1 is read as it is;
 * what is new is version 2. */
#ifndef STORE_SEGMENT_H
#define STORE_SEGMENT_H

#include "store/store.h"

enum {
    SR_SEGMENT_VERSION = 2,
    SR_SEGMENT_HEADER = 64,   /* bytes before the first record */
    SR_SEGMENT_HEADER_1 = 40, /* the same in version 1 */
    SR_SEGMENT_MAX =
        2 * 1024 * 1024,         /* no file of ours is larger, but for quarantine */
    SR_SEGMENT_CHANNELS = 65535, /* that one segment can name */
    SR_RECORD_HEAD_MIN = 8,      /* all that is the same for all kinds */
    SR_RECORD_HEAD_1 = 32,       /* the same in version 1 */
    SR_RECORD_HEAD_MAX = 48,     /* bytes before the text of a record; mostly 16 */
    SR_CHANNEL_TEXT_MAX = 640,
    SR_QUARANTINE_WHY_MAX = 255,
    SR_RECORD_TEXT_MAX = 256 * 1024,
    SR_QUARANTINE_MAX = /* content of a quarantine record */
    SR_RECORD_TEXT_MAX + SR_QUARANTINE_WHY_MAX + SR_CHANNEL_TEXT_MAX + 3,
    SR_RECORD_MAX = (SR_RECORD_HEAD_MAX + SR_QUARANTINE_MAX + 7) / 8 * 8,
    SR_VOID_MAX = 65528,     /* content of a void record */
    SR_SNAPSHOT_RANGES = 64, /* at most, in one snapshot */
    SR_SNAPSHOT_MAX = 72 + 16 * SR_SNAPSHOT_RANGES
};

/* Names in the directory: of a segment, a printf format for its number. */
#define SR_SEGMENT_NAME    "%010llu.seg"
#define SR_QUARANTINE_NAME "quarantine"
#define SR_DAMAGED_SUFFIX  ".damaged"
#define SR_STORE_LOCK_NAME "lock"
#define SR_TAKEUP_NAME     "takeup"
#define SR_SPARE_NAME      "spare"
enum { SR_SEGMENT_NAME_MAX = 40, SR_ASIDE_NAME_MAX = SR_STORE_ASIDE_NAME };

/* Is it the name of a segment? Then of which. */
bool sr_segment_is_name(const char *name, uint64_t *ret_number);

/* A file that was set aside: of which segment, and which of those with that name. */
struct sr_aside {
    uint64_t number; /* or SR_ASIDE_QUARANTINE */
    unsigned which;  /* 1: NAME.damaged; 2: NAME.damaged.2; ... */
};
#define SR_ASIDE_QUARANTINE UINT64_MAX
/* Is it the name of one? */
bool sr_segment_is_aside(const char *name, struct sr_aside *ret_aside);

enum sr_segment_content { SR_CONTENT_LOG = 1, SR_CONTENT_QUARANTINE = 2 };

struct sr_segment_header {
    unsigned version;
    enum sr_segment_content content;
    uint32_t salt;     /* random */
    uint64_t number;   /* of the file; 0: quarantine */
    uint64_t base;     /* the next sequence number when the file was made */
    uint32_t boot_tag; /* of the rows' boot_ms */
    /* From version 2 on: */
    int64_t wall_ms; /* of about the first row; the others' times count from there */
    uint64_t boot_ms;
    uint32_t
        before_salt; /* of the file's life before this one; number 0: there was none */
    uint64_t before_number;
};

enum sr_record_kind {
    SR_RECORD_UNKNOWN = 0, /* of a later program; its checksum is right */
    SR_RECORD_ROW = 0xa1,
    SR_RECORD_SNAPSHOT = 0xa2,
    SR_RECORD_VOID = 0xa3, /* fills a place that was damaged */
    SR_RECORD_QUARANTINE = 0xa4,
    SR_RECORD_CHANNEL = 0xa5 /* gives a channel's number its name, in this file */
};

struct sr_segment_record {
    enum sr_record_kind kind;
    uint32_t offset, size; /* in the file; of all of it, zeros behind it included */
    /* ROW, QUARANTINE: all; CHANNEL: its number, row and len are the name; else row and len: the bare
     * content. The name of a row's channel is there in version 1 and in quarantine only. Of
     * UNKNOWN the number, 0 if it has none. */
    struct sr_entry entry;
    bool bare_xid;   /* version 1: the name is an X-Id, see sr_segment_channel() */
    const char *why; /* QUARANTINE: the reason, not NUL-terminated; else "" */
    size_t why_len;
};

/* Bytes before the first record, and what divides the offsets of records. */
size_t sr_segment_begin(const struct sr_segment_header *header);
size_t sr_segment_grain(const struct sr_segment_header *header);
/* The name of the channel of a record that brings it along; "" if none. Returns its length. */
size_t sr_segment_channel(const struct sr_segment_record *record,
                          char name[SR_CHANNEL_TEXT_MAX + 1]);

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
 * Returns 0; SR_E_END, empty or nothing but zeros; SR_E_CORRUPT, not a segment; SR_E_STATE, of a
 * later version, that is not known here: reader->why says what. */
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
 * Returns 0; SR_E_END, no bytes or a head of zeros; SR_E_CORRUPT, and *ret_why says what. */
int sr_segment_decode(const struct sr_segment_header *header, const uint8_t *bytes,
                      size_t len, size_t offset, struct sr_segment_record *ret_record,
                      const char **ret_why);
/* Bytes of the shortest head. */
size_t sr_segment_head_min(const struct sr_segment_header *header);
/* How many bytes has the record that begins so? Only what it says; its shortest head is there. */
size_t sr_segment_record_size(const struct sr_segment_header *header,
                              const uint8_t *head);
/* The same without the zeros behind its text. */
size_t sr_segment_record_len(const struct sr_segment_header *header,
                             const uint8_t *head);
/* Could that be the kind of a record? */
bool sr_segment_is_kind(const struct sr_segment_header *header, const uint8_t *head);

/* Of `len` damaged bytes, the shortest head at least: the number of the row they seem to have been,
 * 0 if none. */
uint64_t sr_segment_guess_row(const struct sr_segment_header *header,
                              const uint8_t *head, size_t len);

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
int sr_snapshot_decode(const struct sr_segment_header *header,
                       const struct sr_segment_record *record,
                       struct sr_snapshot *ret_snapshot);

/* --- writing ------------------------------------------------------------------ */

/* In the header's version. Returns how many bytes it has. */
size_t sr_segment_put_header(const struct sr_segment_header *header,
                             uint8_t bytes[SR_SEGMENT_HEADER]);

/* Makes the head of a record at `offset`, whose text is entry->row. What else entry has is
 * for ROW and QUARANTINE; of CHANNEL, row and len are the name. Returns the length of the head; the size
 * of the record is *ret_size: zeros fill it up behind the text. */
size_t sr_segment_put_record(const struct sr_segment_header *header, size_t offset,
                             enum sr_record_kind kind, const struct sr_entry *entry,
                             uint8_t head[SR_RECORD_HEAD_MAX], size_t *ret_size);

/* The content of a snapshot record of version 2, which has a copy of what is in the header. Returns its
 * length. */
size_t sr_snapshot_encode(const struct sr_segment_header *header,
                          const struct sr_snapshot *snapshot,
                          uint8_t bytes[SR_SNAPSHOT_MAX]);
/* What a snapshot says of the header of its file: base, boot tag and times. False: it does not. */
bool sr_snapshot_header(const struct sr_segment_record *record,
                        struct sr_segment_header *header);

/* The content of a quarantine record of version 2: the reason, cut to SR_QUARANTINE_WHY_MAX, the name of
 * the channel, and the row, cut to what fits. Returns its length. */
size_t sr_quarantine_encode(const struct sr_entry *entry, const char *why,
                            uint8_t bytes[SR_QUARANTINE_MAX]);

#endif
