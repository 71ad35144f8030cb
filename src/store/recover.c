/* SPDX-License-Identifier: MIT */
/* Reading the directory when the store is opened. Whatever is in the files, rows that are intact
 * come back: damaged bytes are copied to NAME.damaged (aside.c) and become a void record, or the end of
 * the file; what is no segment at all is renamed. */
#include "store/store_p.h"

#include "base/fd.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { GAPS_MAX = 1024, STALE_MAX = 4096 };

/* Numbers that rows may have had which are in no file. */
struct recovery {
    struct sr_store *store;
    struct sr_store_recovery *told;
    uint64_t *numbers; /* of the segments */
    size_t count, room;
    uint64_t expected; /* the number behind the last row that was found */
    bool any;          /* has there been one? */
    struct sr_range gaps[GAPS_MAX];
    size_t gap_count;
    bool absent[GAPS_MAX]; /* of a gap: it is between two files, and not in one */
    uint64_t front;        /* so many numbers are before the first file */
    bool knows_done;       /* a snapshot was read */
    unsigned empty;        /* files without a byte since the last segment */
    uint64_t first_empty;  /* number of the first of them */
    bool unread;           /* a file was not read to its end, and the next not begun */
    char first[192];       /* damage, as the note tells it; "" if none */
    bool has_spare;        /* there is a file to be used again */
    bool unfinished;       /* there are files NAME.new */
    bool behind_later;     /* a file was not read since it is of a later version */
    char taken[96];        /* what the note says of files that were taken up */
    bool uncounted;        /* rows may be lost of which no neighbour tells */
    struct sr_snapshot snapshot;
};

/* --- damage is told --------------------------------------------------------------------- */

/* The first one is told, the others are counted. */
static void note(struct recovery *r, const char *name, size_t offset, const char *why,
                 bool kept)
{
    if (r->first[0])
        return;
    snprintf(r->first, sizeof r->first, "%s at byte %zu: %s, %s%s", name, offset, why,
             kept ? "kept as " : "left as it is", kept ? r->store->kept_as : "");
}

/* --- the directory ------------------------------------------------------------------------ */

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static int add_number(struct recovery *r, uint64_t number)
{
    if (r->count == r->room) {
        size_t room = r->room ? 2 * r->room : 32;
        uint64_t *numbers = realloc(r->numbers, room * sizeof *numbers);

        if (!numbers)
            return SR_E_NOMEM;
        r->numbers = numbers;
        r->room = room;
    }
    r->numbers[r->count++] = number;
    return 0;
}

/* What was set aside. Numbers of segments are not used again. */
static void add_damaged(struct recovery *r, const char *entry)
{
    struct sr_store *store = r->store;
    struct sr_aside aside;

    if (!sr_segment_is_aside(entry, &aside))
        return;
    if (aside.number != SR_ASIDE_QUARANTINE && aside.number >= store->next_number)
        store->next_number = aside.number + 1;
    sr_store_found_aside(store, &aside);
}

static void add_other(struct recovery *r, const char *name)
{
    size_t len = strlen(name);

    add_damaged(r, name);
    r->has_spare |= strcmp(name, SR_SPARE_NAME) == 0;
    r->unfinished |= (len > 4 && strcmp(name + len - 4, ".new") == 0) ||
                     strcmp(name, SR_TAKEUP_NAME) == 0;
}

static int list(struct recovery *r)
{
    struct sr_store *store = r->store;
    int fd = sr_fd_openat(store->dir, ".", O_RDONLY | O_DIRECTORY, 0);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *entry;
    uint64_t number;
    int rc = 0;

    if (!dir) {
        if (fd >= 0)
            close(fd);
        return sr_store_fail(store, ".", "cannot list", errno);
    }
    while (!rc && (errno = 0, entry = readdir(dir)) != NULL)
        if (sr_segment_is_name(entry->d_name, &number))
            rc = add_number(r, number);
        else
            add_other(r, entry->d_name);
    if (!rc && errno)
        rc = sr_store_fail(store, ".", "cannot list", errno);
    closedir(dir);
    if (r->count > 0) {
        qsort(r->numbers, r->count, sizeof *r->numbers, by_number);
        if (r->numbers[r->count - 1] >= store->next_number)
            store->next_number = r->numbers[r->count - 1] + 1;
    }
    return rc;
}

/* --- one file -------------------------------------------------------------------------------- */

struct file {
    uint64_t number;
    char name[SR_SEGMENT_NAME_MAX];
    int fd;
    uint8_t *bytes;
    size_t len;    /* that could be read */
    uint64_t size; /* of the file */
    int err;       /* why there are fewer */
    bool damaged;
};

/* Returns 0; SR_E_CORRUPT, no file of ours by its size or kind, or one that the file system
 * does not know its way around in any more; SR_E_IO, SR_E_NOMEM. */
static int read_file(struct sr_store *store, struct file *file)
{
    struct stat st;

    file->fd = sr_store_reopen(store, file->name, O_RDWR);
    if (file->fd < 0 || fstat(file->fd, &st)) {
        if (errno == ELOOP || errno == EISDIR || errno == EIO || errno == EUCLEAN ||
            errno == EBADMSG)
            return SR_E_CORRUPT;
        return sr_store_fail(store, file->name, "cannot open", errno);
    }
    if (!S_ISREG(st.st_mode) || st.st_size > SR_SEGMENT_MAX)
        return SR_E_CORRUPT;
    file->size = (uint64_t)st.st_size;
    file->bytes = malloc(file->size + 1);
    if (!file->bytes)
        return SR_E_NOMEM;
    file->len = sr_store_pread(store, file->fd, file->bytes, file->size, 0, &file->err);
    if (file->len < file->size && !file->err)
        file->err = ENODATA;
    return 0;
}

/* How much is left when zeros at the end are left out. */
static size_t trim(const uint8_t *bytes, size_t len)
{
    while (len > 0 && bytes[len - 1] == 0)
        len--;
    return len;
}

static void add_gap(struct recovery *r, uint64_t first, uint64_t last, bool absent)
{
    if (first > last)
        return;
    if (r->gap_count == GAPS_MAX) { /* what is between may count, too */
        r->gaps[GAPS_MAX - 1].last = last;
        r->absent[GAPS_MAX - 1] = false;
        return;
    }
    r->absent[r->gap_count] = absent;
    r->gaps[r->gap_count++] = (struct sr_range){ first, last };
}

static bool is_last(const struct recovery *r, const struct file *file)
{
    return r->numbers[r->count - 1] == file->number;
}

/* --- damage ------------------------------------------------------------------------------------- */

/* The head of a void record is written over the first bytes of what is damaged; so the reader
 * gets over it. One holds 64 KiB at most. */
static int fill(struct sr_store *store, struct file *file,
                const struct sr_segment_header *header, size_t from, size_t to)
{
    while (from < to) {
        size_t least = sr_segment_head_min(header), most = SR_VOID_MAX, size;
        size_t len = to - from - least;
        uint8_t *head = file->bytes + from;
        struct iovec part = { head, least };
        struct sr_entry entry = { .row = (const char *)head + least };

        if (len > most) /* and leave room for another head */
            len = len - most < least ? most - least : most;
        entry.len = len;
        sr_segment_put_record(header, from, SR_RECORD_VOID, &entry, head, &size);
        from += size;
        if (sr_store_write(store, file->fd, &part, 1, (uint64_t)(head - file->bytes)))
            return sr_store_fail(store, file->name, "cannot write", errno);
    }
    return 0;
}

/* The last record of the log is damaged. Was it a row? Then its number is as good as used. */
static void guess_row(struct recovery *r, const struct file *file,
                      const struct sr_segment_header *header, const uint8_t *bytes,
                      size_t len)
{
    bool is_row = len >= sr_segment_head_min(header) &&
                  sr_segment_guess_row(header, bytes, len) == r->expected;

    if (is_row && r->store->next_seq == r->expected)
        r->store->next_seq++;
    if (is_last(r, file) && (!is_row || len > sr_segment_record_size(header, bytes)))
        r->uncounted = true;
}

/* Behind damage at reader->offset. Returns true if reading can go on. */
static bool overcome(struct recovery *r, struct file *file,
                     struct sr_segment_reader *reader)
{
    struct sr_store *store = r->store;
    size_t from = reader->offset, to;
    const char *why = reader->why;
    bool more = sr_segment_resync(reader), kept;

    if (file->err && !more) /* that is where the rest is missing */
        return false;
    file->damaged = true;
    to = more ? reader->offset : from + trim(file->bytes + from, file->len - from);
    if (!more && reader->header.before_number && to > from + STALE_MAX)
        to = from + STALE_MAX; /* the rest is of its life before */
    if (!more)
        guess_row(r, file, &reader->header, file->bytes + from, to - from);
    kept = !sr_store_set_aside(store, file->name, file->bytes + from, to - from);
    note(r, file->name, from, why, kept);
    if (!kept && !more)
        return false; /* stays where it is */
    if (more)
        return fill(store, file, &reader->header, from, to) == 0;
    store->disk->ftruncate(store->disk->arg, file->fd, (off_t)from);
    return false;
}

/* --- records -------------------------------------------------------------------------------------- */

static void take_snapshot(struct recovery *r, const struct sr_segment_header *header,
                          const struct sr_segment_record *record)
{
    struct sr_store *store = r->store;
    struct sr_range ignored;

    if (sr_snapshot_decode(header, record, &r->snapshot) ||
        r->snapshot.next > STORE_SEQ_MAX)
        return;
    r->knows_done = true;
    store->losses = r->snapshot.losses;
    if (r->snapshot.next > store->next_seq)
        store->next_seq = r->snapshot.next;
    for (size_t i = 0; i < r->snapshot.ranges; i++) {
        const struct sr_range *range = &r->snapshot.range[i];

        sr_ranges_add(&store->done, range->first, range->last, &ignored);
    }
}

/* A row of a number that was seen before is a copy, made when a sync had failed. */
static void take_row(struct recovery *r, struct segment *segment,
                     const struct sr_segment_record *record)
{
    const struct sr_entry *entry = &record->entry;

    if (entry->seq <= segment->above)
        return;
    segment->nameless |= !sr_store_has_name(segment, record);
    if (segment->rows++ == 0)
        segment->first = entry->seq;
    segment->last = entry->seq;
    segment->live++;
    segment->live_bytes += entry->len;
    sr_store_mark(segment, entry->seq, record->offset);
    if (entry->seq >= r->store->next_seq)
        r->store->next_seq = entry->seq + 1;
    r->expected = entry->seq + 1;
    r->any = true;
}

/* Numbers grow in a file; where they do not, it is damaged though its checksums are right. */
static bool in_order(const struct segment *segment, uint64_t before,
                     const struct sr_segment_record *record)
{
    const struct sr_entry *entry = &record->entry;

    return record->kind != SR_RECORD_QUARANTINE &&
           (record->kind != SR_RECORD_ROW ||
            (entry->seq > before && entry->seq >= segment->header.base &&
             entry->seq < STORE_SEQ_MAX));
}

/* The rest of what is there for others. Returns 0 or SR_E_NOMEM. */
static int take_other(struct recovery *r, struct segment *segment,
                      const struct sr_segment_record *record)
{
    const struct sr_entry *entry = &record->entry;

    if (record->kind == SR_RECORD_SNAPSHOT)
        take_snapshot(r, &segment->header, record);
    if (record->kind == SR_RECORD_CHANNEL)
        return sr_store_note_channel(segment, entry->channel, record->offset);
    if (record->kind != SR_RECORD_UNKNOWN)
        return 0;
    segment->unknown++;
    r->told->records_later++;
    if (entry->seq >= r->store->next_seq && entry->seq < STORE_SEQ_MAX)
        r->store->next_seq = entry->seq + 1;
    return 0;
}

/* Returns 0 or SR_E_NOMEM. */
static int read_records(struct recovery *r, struct file *file,
                        struct sr_segment_reader *reader, struct segment *segment)
{
    struct sr_segment_record record;
    uint64_t seen = 0;
    bool hole = false;
    int rc;

    while ((rc = sr_segment_next(reader, &record)) != SR_E_END) {
        if (rc == 0 && !in_order(segment, seen, &record)) {
            reader->offset = record.offset;
            reader->why = "a record that makes no sense";
            rc = SR_E_CORRUPT;
        }
        if (rc) {
            hole = true;
            if (!overcome(r, file, reader))
                return 0;
            segment->end = (uint32_t)reader->offset;
            continue;
        }
        segment->end = record.offset + record.size;
        if (record.kind != SR_RECORD_ROW) {
            rc = take_other(r, segment, &record);
            if (rc)
                return rc;
            continue;
        }
        if (hole)
            add_gap(r, r->expected, record.entry.seq - 1, false);
        hole = false;
        seen = record.entry.seq;
        take_row(r, segment, &record);
    }
    return 0;
}

/* --- segments --------------------------------------------------------------------------------------- */

/* Behind what was read the last segment goes on, if all of it is well. */
static void finish_segment(struct recovery *r, struct file *file,
                           struct segment *segment)
{
    struct sr_store *store = r->store;

    segment->size = segment->end;
    if (segment->end > file->len) /* zeros behind the last text were cut off */
        segment->end = segment->size = (uint32_t)file->len;
    if (is_last(r, file) && !file->damaged && file->size > segment->end && !file->err &&
        segment->header.version == SR_SEGMENT_VERSION) {
        segment->size = (uint32_t)file->size;
        if (segment->header.before_number)
            segment->stale = segment->size;
        segment->spare = segment->rows == 0 && segment->size <= STORE_GRAIN;
        store->has_active = true;
        sr_sync_switch(store, file->fd, file->number);
        file->fd = -1;
    }
    sr_sync_suspect(store, file->number);
}

/* They have had rows: what was just begun is the last. */
static void count_emptied(struct recovery *r)
{
    char name[SR_SEGMENT_NAME_MAX];

    sr_store_name(name, r->first_empty);
    if (r->empty && !r->first[0])
        snprintf(r->first, sizeof r->first, "%s: emptied, removed", name);
    r->told->files_damaged += r->empty;
    r->empty = 0;
}

/* Numbers before its base were given to rows of earlier ones. Are there none, it depends on what is
 * done: count_lost(). */
static void look_before(struct recovery *r, uint64_t base)
{
    if (r->behind_later && base > r->expected)
        r->expected = base; /* what is before is in there, or was never given */
    r->behind_later = false;
    if (base <= r->expected)
        return;
    if (r->store->count == 1 && !r->any)
        r->front = base - 1;
    else
        add_gap(r, r->expected, base - 1, !r->unread);
    r->expected = base;
}

static struct segment *begin_segment(struct recovery *r,
                                     const struct sr_segment_header *header)
{
    struct sr_store *store = r->store;
    struct segment *segment = sr_store_add_segment(store);

    if (!segment)
        return NULL;
    segment->header = *header;
    segment->end = (uint32_t)sr_segment_begin(header);
    segment->above = r->any ? r->expected - 1 : 0;
    segment->last =
        header->base - 1 > segment->above ? header->base - 1 : segment->above;
    segment->first = segment->last + 1;
    count_emptied(r);
    look_before(r, header->base);
    r->unread = false;
    if (header->base > store->next_seq)
        store->next_seq = header->base;
    return segment;
}

static int open_segment(const struct file *file, struct sr_segment_reader *reader)
{
    const struct sr_segment_header *header = &reader->header;
    int rc = sr_segment_open(reader, file->bytes, file->len);

    if (rc || (header->content == SR_CONTENT_LOG && header->number == file->number &&
               header->base > 0 && header->base < STORE_SEQ_MAX))
        return rc;
    reader->why = "a segment of another place";
    return SR_E_CORRUPT;
}

/* The file is left as it is: another day it may be read. The rows in the rest keep their numbers
 * until then. */
static void cannot_read_on(struct recovery *r, struct file *file,
                           const struct segment *segment)
{
    uint64_t rows = (file->size - segment->end) / sr_segment_head_min(&segment->header);

    file->damaged = true;
    note(r, file->name, file->len, strerror(file->err), false);
    r->unread = true;
    if (!is_last(r, file))
        return; /* the base of the next one tells */
    if (r->store->next_seq < r->expected + rows)
        r->store->next_seq = r->expected + rows;
    r->uncounted = true;
    r->expected = r->store->next_seq; /* nobody knows how many they were */
}

/* All of the file. How many rows it had tell those before it and the base of the next. */
static int reject(struct recovery *r, struct file *file, const char *why)
{
    int rc;

    file->damaged = true;
    if (is_last(r, file))
        r->uncounted = true;
    rc = sr_store_rename_aside(r->store, file->name);
    note(r, file->name, 0, why, !rc);
    return rc;
}

/* One that was just begun, unless a segment follows: count_emptied(). */
static int remove_empty(struct recovery *r, const struct file *file)
{
    struct sr_store *store = r->store;

    store->disk->unlink(store->disk->arg, store->dir, file->name);
    if (r->empty++ == 0)
        r->first_empty = file->number;
    return 0;
}

/* Its records are worth as much as before. If it cannot be written the same is done next time. */
static int mend_header(struct recovery *r, struct file *file,
                       struct sr_segment_reader *reader)
{
    struct sr_store *store = r->store;
    struct iovec part = { .iov_base = file->bytes };
    struct sr_segment_header header;
    bool kept;

    if (sr_segment_mend(file->bytes, file->len, file->number, &header) ||
        header.base >= STORE_SEQ_MAX)
        return SR_E_CORRUPT;
    part.iov_len = sr_segment_begin(&header);
    kept = !sr_store_set_aside(store, file->name, file->bytes, part.iov_len);
    note(r, file->name, 0, reader->why, kept);
    file->damaged = true;
    sr_segment_put_header(&header, file->bytes);
    if (kept && sr_store_write(store, file->fd, &part, 1, 0))
        sr_store_fail(store, file->name, "cannot write", errno);
    return sr_segment_open(reader, file->bytes, file->len);
}

/* Of a later version: left as it is, for a program that knows it. Its rows may have any numbers from
 * here on. */
static int keep_later(struct recovery *r, const struct file *file)
{
    struct sr_store *store = r->store;
    uint64_t rows = file->size / SR_RECORD_HEAD_MIN;
    struct segment *segment = sr_store_add_segment(store);

    if (!segment)
        return SR_E_NOMEM;
    segment->header.number = file->number;
    segment->end = segment->size = (uint32_t)file->size;
    segment->last = store->count > 1 ? segment[-1].last : 0;
    segment->first = segment->last + 1;
    segment->unknown = 1;
    if (store->next_seq < r->expected + rows)
        store->next_seq = r->expected + rows;
    r->told->files_later++;
    r->behind_later = true;
    return 0;
}

/* A file that was to be used again, and the power went: its name has reached the medium, and its header has
 * not. Its rows were done. */
static bool is_not_begun(const struct recovery *r, const struct file *file,
                         const struct sr_segment_reader *reader)
{
    const struct sr_segment_header *header = &reader->header;

    if (header->version != SR_SEGMENT_VERSION || header->content != SR_CONTENT_LOG ||
        header->number >= file->number || !is_last(r, file))
        return false;
    for (size_t i = 0; i < r->count; i++)
        if (r->numbers[i] == header->number)
            return false;
    return header->number > 0 && header->base > 0 && header->base < STORE_SEQ_MAX;
}

/* The other way round: it has its header, and still the name of its life before. */
static int finish_name(struct recovery *r, const struct file *file,
                       const struct sr_segment_reader *reader, bool *ret_did)
{
    const struct sr_segment_header *header = &reader->header;
    struct sr_store *store = r->store;
    char name[SR_SEGMENT_NAME_MAX];

    *ret_did = header->version == SR_SEGMENT_VERSION &&
               header->before_number == file->number &&
               header->number >= store->next_number && header->number < STORE_SEQ_MAX;
    if (!*ret_did)
        return 0;
    sr_store_name(name, header->number);
    if (store->disk->rename(store->disk->arg, store->dir, file->name, name))
        return sr_store_fail(store, file->name, "cannot rename", errno);
    store->next_number = header->number + 1;
    return add_number(r, header->number); /* it is the last one, and read then */
}

static int read_segment(struct recovery *r, struct file *file)
{
    struct sr_segment_reader reader = { .offset = 0 };
    struct segment *segment;
    int rc = open_segment(file, &reader);
    bool did = false;

    if (rc == SR_E_END && !file->err) /* it was made, and the power went */
        return remove_empty(r, file);
    if (rc == SR_E_STATE && !file->err)
        return keep_later(r, file);
    if (rc == SR_E_CORRUPT && !file->err && reader.header.number) {
        if (is_not_begun(r, file, &reader))
            return remove_empty(r, file);
        rc = finish_name(r, file, &reader, &did);
        if (rc || did)
            return rc;
        rc = SR_E_CORRUPT;
    }
    if (rc == SR_E_CORRUPT && !file->err)
        rc = mend_header(r, file, &reader);
    if (rc)
        return reject(r, file, file->err ? strerror(file->err) : reader.why);
    segment = begin_segment(r, &reader.header);
    if (!segment)
        return SR_E_NOMEM;
    rc = read_records(r, file, &reader, segment);
    if (rc)
        return rc;
    if (file->err)
        cannot_read_on(r, file, segment);
    finish_segment(r, file, segment);
    return 0;
}

static int recover_file(struct recovery *r, uint64_t number)
{
    struct sr_store *store = r->store;
    struct file file = { .number = number, .fd = -1 };
    int rc;

    sr_store_name(file.name, number);
    rc = read_file(store, &file);
    if (rc == SR_E_CORRUPT)
        rc = reject(r, &file, "not a file of an outbox");
    else if (!rc)
        rc = read_segment(r, &file);
    r->told->files_damaged += file.damaged;
    free(file.bytes);
    if (file.fd >= 0)
        close(file.fd);
    return rc;
}

/* --- the whole ----------------------------------------------------------------------------------------- */

/* Damage may take the name of a channel, and the next place where it is written is not reached. Nobody
 * knows where these rows go. Returns 0 or SR_E_NOMEM. */
static int lose_nameless(struct recovery *r, struct segment *segment)
{
    struct sr_store *store = r->store;
    struct sr_segment_record record;
    uint32_t offset = (uint32_t)sr_segment_begin(&segment->header);

    for (; offset < segment->end; offset += record.size) {
        int rc = sr_store_read(store, segment, offset, &record);

        if (rc)
            return rc == SR_E_NOMEM ? rc : 0;
        if (record.kind != SR_RECORD_ROW || record.entry.seq <= segment->above ||
            sr_store_has_name(segment, &record) ||
            sr_ranges_find(&store->done, record.entry.seq))
            continue;
        r->told->rows_lost++;
        sr_store_add_done(store, record.entry.seq, record.entry.seq);
    }
    return 0;
}

static int lose_all_nameless(struct recovery *r)
{
    int rc = 0;

    for (size_t i = 0; !rc && i < r->store->count; i++)
        if (r->store->segments[i].nameless)
            rc = lose_nameless(r, &r->store->segments[i]);
    return rc;
}

/* Now that it is known what is done. */
static int count_live_of(struct sr_store *store, struct segment *segment)
{
    uint64_t missing = sr_ranges_missing(&store->done, segment->first, segment->last);
    struct tally tally = { .rows = 0 };
    int rc = 0;

    if (missing == segment->last - segment->first + 1)
        return 0;
    if (missing > 0)
        rc = sr_store_tally(store, segment, segment->first, segment->last, &tally);
    if (rc == SR_E_NOMEM)
        return rc;
    if (rc) { /* what cannot be read just now is no reason to remove the file */
        segment->live = missing < segment->live ? (uint32_t)missing : segment->live;
        return 0;
    }
    segment->live = tally.rows;
    segment->live_bytes = tally.bytes;
    return 0;
}

static int count_live(struct recovery *r)
{
    struct sr_store *store = r->store;
    int rc = 0;

    for (size_t i = 0; !rc && i < store->count; i++)
        if (store->segments[i].rows > 0)
            rc = count_live_of(store, &store->segments[i]);
    return rc;
}

/* A power cut may take the newest snapshot and spare the removal of a file whose rows it says are
 * done. Then nobody knows whether rows before the first file are lost. */
static bool power_may_have_been_cut(const struct recovery *r)
{
    uint32_t tag = r->store->boot_tag;

    return !tag || sr_store_last_instant(r->store).boot_tag != tag;
}

static void count_front(struct recovery *r)
{
    uint64_t rows = r->front ? sr_ranges_missing(&r->store->done, 1, r->front) : 0;

    if (rows > 0 && !r->knows_done)
        r->uncounted = true;
    else if (power_may_have_been_cut(r) && !r->told->files_damaged)
        r->told->rows_doubtful = rows;
    else
        r->told->rows_lost += rows;
}

/* What is in no file is told once: from now on it is as good as done. */
static void forget_absent(struct recovery *r)
{
    struct sr_store *store = r->store;

    for (size_t i = 0; i < r->gap_count; i++)
        if (r->absent[i])
            sr_store_add_done(store, r->gaps[i].first, r->gaps[i].last);
    if (r->front)
        sr_store_add_done(store, 1, r->front);
    store->snapshot_due = r->told->rows_lost > 0 || r->told->rows_doubtful > 0;
}

static void count_lost(struct recovery *r)
{
    struct sr_store *store = r->store;

    if (r->any && store->next_seq > r->expected && !r->behind_later)
        add_gap(r, r->expected, store->next_seq - 1, !r->unread);
    for (size_t i = 0; i < r->gap_count; i++)
        r->told->rows_lost +=
            sr_ranges_missing(&store->done, r->gaps[i].first, r->gaps[i].last);
    count_front(r);
    forget_absent(r);
}

/* Now that it is known what was lost. Rows may be missing without damage: when a file is. */
static void tell(const struct recovery *r)
{
    struct sr_store_recovery *told = r->told;
    unsigned files = told->files_damaged;
    unsigned long long rows = told->rows_lost;

    if (files > 0)
        snprintf(told->note, sizeof told->note,
                 "%u file%s damaged, %llu%s lost; first %s", files,
                 files == 1 ? "" : "s", rows,
                 r->uncounted ? " or more rows"
                 : rows == 1  ? " row"
                              : " rows",
                 r->first);
    else if (rows > 0)
        snprintf(told->note, sizeof told->note,
                 "no file damaged, %llu row%s lost: in none of the files", rows,
                 rows == 1 ? "" : "s");
    else if (told->rows_doubtful > 0)
        snprintf(
            told->note, sizeof told->note,
            "%llu rows before the first file are in none: lost, or acknowledged just "
            "before the power was cut",
            (unsigned long long)told->rows_doubtful);
    else if (r->uncounted && r->front)
        snprintf(
            told->note, sizeof told->note,
            "no snapshot is left: nobody knows whether rows before the first file are "
            "lost");
}

static void add_to_note(struct sr_store_recovery *told, const char *text)
{
    size_t used = strlen(told->note);

    snprintf(told->note + used, sizeof told->note - used, "%s%s", used ? "; " : "",
             text);
}

static void tell_later(const struct recovery *r)
{
    const struct sr_store_recovery *told = r->told;
    char text[96];

    if (told->files_later || told->records_later) {
        snprintf(text, sizeof text,
                 "%u file%s and %llu record%s of a later version are kept for it",
                 told->files_later, told->files_later == 1 ? "" : "s",
                 (unsigned long long)told->records_later,
                 told->records_later == 1 ? "" : "s");
        add_to_note(r->told, text);
    }
    if (*r->taken)
        add_to_note(r->told, r->taken);
}

/* The directory, when nothing in it waits to be finished. */
static int list_finished(struct recovery *r)
{
    struct sr_store *store = r->store;
    uint64_t number = 0;
    bool did = false;
    int rc = list(r);

    if (!rc && r->unfinished)
        rc = sr_store_finish_takeup(store, r->numbers, r->count, &did);
    if (!rc && did) {
        r->count = store->damaged_count = 0;
        rc = list(r);
    }
    if (!rc && r->has_spare)
        rc = sr_store_find_spare(store, &number);
    return !rc && number ? add_number(r, number) : rc;
}

static void remove_unfinished(struct sr_store *store)
{
    int fd = sr_fd_openat(store->dir, ".", O_RDONLY | O_DIRECTORY, 0);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *entry;

    while (dir && (entry = readdir(dir)) != NULL)
        sr_store_remove_unfinished(store, entry->d_name);
    if (dir)
        closedir(dir);
    else if (fd >= 0)
        close(fd);
}

static int take_up(struct recovery *r)
{
    unsigned files;
    bool ordered;
    int rc = sr_store_take_up(r->store, &files, &ordered);

    if (rc && ordered)
        return rc; /* the next attempt to open it goes on from there */
    if (rc)
        snprintf(r->taken, sizeof r->taken, "files that an older agent set aside wait");
    else if (files)
        snprintf(r->taken, sizeof r->taken,
                 "%u file%s that an older agent had set aside taken up", files,
                 files == 1 ? "" : "s");
    return 0;
}

int sr_store_recover(struct sr_store *store, struct sr_store_recovery *told)
{
    struct recovery *r = calloc(1, sizeof *r);
    int rc;

    if (!r)
        return SR_E_NOMEM;
    r->store = store;
    r->told = told;
    r->expected = 1;
    rc = list_finished(r);
    if (!rc && r->unfinished)
        remove_unfinished(store);
    for (size_t i = 0; !rc && i < r->count; i++)
        rc = recover_file(r, r->numbers[i]);
    if (!rc)
        rc = lose_all_nameless(r);
    if (!rc)
        rc = count_live(r);
    if (!rc) {
        count_lost(r);
        tell(r);
        store->sync->appended = store->sync->synced = store->next_seq - 1;
        rc = take_up(r);
        tell_later(r);
        for (size_t i = 0; i < store->count; i++)
            told->rows += store->segments[i].live;
    }
    free(r->numbers);
    free(r);
    return rc;
}
