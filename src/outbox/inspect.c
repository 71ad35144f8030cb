/* SPDX-License-Identifier: MIT */
/* Looking into the files of an outbox without an agent, or beside one that writes.
 *
 * Two rules make the second possible: nothing is locked, so a file that was listed may be gone
 * when it is opened; and what seems damaged is read again, since a read that runs beside a
 * write may see its end before its beginning. */
#include "base/fd.h"
#include "outbox/outbox.h"
#include "store/segment.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <smartrest/agent.h>
#include <smartrest/outbox.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { LOOKS = 3, LOOKS_IN_ALL = 30, PAUSE_NS = 1000 * 1000 };
/* Offsets in segments have 32 bits; more than its setting allows, a quarantine file is no
 * quarantine file. */
#define QUARANTINE_MAX ((uint64_t)2 * 1024 * 1024 * 1024)

/* A file as the directory lists it. */
struct listed {
    enum sr_stored_kind kind;
    uint64_t number; /* of a segment, or of which it was part */
    unsigned which;  /* of those that were set aside with one name */
    char *name;
};

/* Numbers of rows: ranges, sorted, apart. */
struct ranges {
    struct sr_range *range;
    size_t n, room;
};

struct scan {
    const char *dir;
    int dirfd;
    const struct sr_outbox_visitor *visitor; /* NULL: looking for the snapshot */
    struct listed *files;
    size_t n, room;
    bool is_outbox;
    bool know_done;
    struct sr_snapshot done; /* the newest one */
    struct ranges seen;      /* rows that were in an earlier file */
    char *why;
    size_t why_size;
};

/* Where the name of a channel is in the file; 0: nowhere. */
struct name {
    size_t offset, len;
};

/* One file while it is read. */
struct look {
    struct scan *scan;
    struct sr_stored_file file;
    uint64_t number; /* of a segment */
    int fd;
    uint8_t *bytes;
    size_t len;
    struct sr_segment_reader reader;
    struct name *names; /* by number */
    size_t names_n;
    bool at_end;    /* of the log: what is written now is written to this file */
    unsigned looks; /* again, at damage */
};

static int say(struct scan *scan, int rc, const char *format, ...) SR_PRINTF(3, 4);
static int say(struct scan *scan, int rc, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    if (scan->why_size)
        vsnprintf(scan->why, scan->why_size, format, args);
    va_end(args);
    return rc;
}

static int say_errno(struct scan *scan, const char *name)
{
    return say(scan, errno == ENOMEM ? SR_E_NOMEM : SR_E_IO, "%s%s%s: %s", scan->dir,
               *name ? "/" : "", name, strerror(errno));
}

/* --- the directory ------------------------------------------------------------- */

/* Files of others are none of ours: false. */
static bool classify(const char *name, struct listed *ret_listed)
{
    struct sr_aside aside;

    *ret_listed = (struct listed){ .kind = SR_STORED_SEGMENT };
    if (sr_segment_is_name(name, &ret_listed->number))
        return true;
    ret_listed->kind = SR_STORED_QUARANTINE;
    if (strcmp(name, SR_QUARANTINE_NAME) == 0)
        return true;
    ret_listed->kind = SR_STORED_ASIDE;
    if (!sr_segment_is_aside(name, &aside))
        return false;
    ret_listed->number = aside.number;
    ret_listed->which = aside.which;
    return true;
}

static int add_file(struct scan *scan, const char *name)
{
    struct listed listed;

    if (strcmp(name, SR_STORE_LOCK_NAME) == 0)
        scan->is_outbox = true;
    if (!classify(name, &listed))
        return 0;
    if (scan->n == scan->room) {
        size_t room = scan->room ? 2 * scan->room : 32;
        struct listed *files = realloc(scan->files, room * sizeof *files);

        if (!files)
            return SR_E_NOMEM;
        scan->files = files;
        scan->room = room;
    }
    listed.name = strdup(name);
    if (!listed.name)
        return SR_E_NOMEM;
    scan->files[scan->n++] = listed;
    scan->is_outbox = true;
    return 0;
}

/* Segments by number, what was set aside by number and age, the quarantine file. */
static int compare(const void *a, const void *b)
{
    static const int place[] = {
        [SR_STORED_SEGMENT] = 0, [SR_STORED_ASIDE] = 1, [SR_STORED_QUARANTINE] = 2
    };
    const struct listed *x = a, *y = b;

    if (x->kind != y->kind)
        return place[x->kind] - place[y->kind];
    if (x->number != y->number)
        return x->number < y->number ? -1 : 1;
    return (x->which > y->which) - (x->which < y->which);
}

static int read_names(struct scan *scan, DIR *stream)
{
    struct dirent *entry;
    int rc = 0;

    errno = 0;
    while (rc == 0 && (entry = readdir(stream))) {
        rc = add_file(scan, entry->d_name);
        errno = 0;
    }
    return rc == 0 && errno ? say_errno(scan, "") : rc;
}

static int list_files(struct scan *scan)
{
    int fd = sr_fd_openat(scan->dirfd, ".", O_RDONLY | O_DIRECTORY, 0);
    DIR *stream = fd < 0 ? NULL : fdopendir(fd);
    int rc;

    if (!stream) {
        rc = say_errno(scan, "");
        if (fd >= 0)
            close(fd);
        return rc;
    }
    rc = read_names(scan, stream);
    closedir(stream);
    if (rc)
        return rc;
    if (!scan->is_outbox)
        return say(scan, SR_E_NOTFOUND, "%s: no outbox is in it", scan->dir);
    if (scan->n)
        qsort(scan->files, scan->n, sizeof *scan->files, compare);
    return 0;
}

/* --- which rows are done ----------------------------------------------------------- */

/* The first range that does not end before `seq`: where it is, or belongs. */
static size_t place_of(const struct sr_range *range, size_t n, uint64_t seq)
{
    size_t low = 0, high = n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (range[middle].last < seq)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool has(const struct sr_range *range, size_t n, uint64_t seq)
{
    size_t at = place_of(range, n, seq);

    return at < n && range[at].first <= seq;
}

/* For a number that is in none. Rows come in order, so nearly always the last range grows. */
static int add_seen(struct ranges *seen, uint64_t seq)
{
    size_t at = place_of(seen->range, seen->n, seq);

    if (at > 0 && seen->range[at - 1].last == seq - 1) {
        seen->range[at - 1].last = seq;
        return 0;
    }
    if (seen->n == seen->room) {
        size_t room = seen->room ? 2 * seen->room : 16;
        struct sr_range *range = realloc(seen->range, room * sizeof *range);

        if (!range)
            return SR_E_NOMEM;
        seen->range = range;
        seen->room = room;
    }
    memmove(seen->range + at + 1, seen->range + at,
            (seen->n - at) * sizeof *seen->range);
    seen->range[at] = (struct sr_range){ seq, seq };
    seen->n++;
    return 0;
}

/* The same row may be in two files, after a medium that failed: the first one counts. */
static int is_done(struct scan *scan, uint64_t seq, bool *ret_done)
{
    *ret_done = has(scan->done.range, scan->know_done ? scan->done.ranges : 0, seq);
    if (*ret_done)
        return 0;
    *ret_done = has(scan->seen.range, scan->seen.n, seq);
    return *ret_done ? 0 : add_seen(&scan->seen, seq);
}

/* --- one file ----------------------------------------------------------------- */

/* Reads from `from` on; what is not there any more is zeros. */
static int read_bytes(struct look *look, size_t from)
{
    while (from < look->len) {
        ssize_t n = pread(look->fd, look->bytes + from, look->len - from, (off_t)from);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return say_errno(look->scan, look->file.name);
        if (n == 0)
            break;
        from += (size_t)n;
    }
    memset(look->bytes + from, 0, look->len - from);
    return 0;
}

static void damage(struct look *look, uint64_t offset, const char *why)
{
    if (!look->file.intact)
        return; /* the first one counts */
    look->file.intact = false;
    look->file.damage = offset;
    look->file.damage_why = why;
}

static bool all_zero(const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (bytes[i])
            return false;
    return true;
}

/* Could the head be the beginning of one, and zeros from there on? */
static bool is_head_begun(const struct sr_segment_header *header, const uint8_t *head,
                          size_t len)
{
    size_t kind = header->version == 1 ? 6 : 7; /* where it stands */

    if (len > kind && !all_zero(head + kind, len - kind))
        return sr_segment_is_kind(header, head);
    return !all_zero(head, len < kind ? len : kind);
}

/* Is the end of the text there? Then so was all of it once, and a byte is wrong. */
static bool is_text_whole(const struct sr_segment_header *header, const uint8_t *head)
{
    size_t least = sr_segment_head_min(header);
    size_t len = sr_segment_record_len(header, head);
    unsigned kind = head[header->version == 1 ? 6 : 7];
    struct sr_segment_record record = { .kind = SR_RECORD_SNAPSHOT };
    struct sr_snapshot snapshot;

    if (kind != SR_RECORD_SNAPSHOT) /* what a row ends in is no NUL */
        return kind && (len == least || head[len - 1] != 0);
    record.entry.row = (const char *)head + least;
    record.entry.len = len - least;
    return sr_snapshot_decode(header, &record, &snapshot) == 0;
}

/* Is what lies behind the damage the beginning of one record, and then nothing? */
static bool is_half_written(const struct look *look)
{
    const struct sr_segment_header *header = &look->reader.header;
    const uint8_t *head = look->bytes + look->reader.offset;
    size_t rest = look->len - look->reader.offset, size;
    size_t least = sr_segment_head_min(header);

    if (!look->at_end || !is_head_begun(header, head, rest < least ? rest : least))
        return false;
    if (rest <= least)
        return true;
    size = sr_segment_record_size(header, head);
    if (size < rest && !header->before_number && !all_zero(head + size, rest - size))
        return false;
    return sr_segment_record_len(header, head) > rest || !is_text_whole(header, head);
}

/* A file that is written to grows. */
static int grow(struct look *look)
{
    struct stat stat;
    uint8_t *bytes;
    size_t len;

    if (fstat(look->fd, &stat) < 0)
        return say_errno(look->scan, look->file.name);
    len = (size_t)stat.st_size;
    if (len <= look->len || len > SR_SEGMENT_MAX)
        return 0;
    bytes = realloc(look->bytes, len + 1);
    if (!bytes)
        return SR_E_NOMEM;
    look->bytes = bytes;
    look->reader.bytes = bytes;
    look->file.bytes = look->len = look->reader.len = len;
    return 0;
}

/* Damage, or just not read at the right moment? 1: read again, go on; 0: it stays. */
static int look_again(struct look *look, unsigned *looks_here)
{
    int rc;

    if (++*looks_here > LOOKS || ++look->looks > LOOKS_IN_ALL)
        return 0;
    nanosleep(&(struct timespec){ .tv_nsec = PAUSE_NS }, NULL);
    rc = grow(look);
    if (rc == 0)
        rc = read_bytes(look, look->reader.offset);
    return rc ? rc : 1;
}

/* The damage stays. Returns 0: there are more records behind it; or SR_E_END. */
static int pass_damage(struct look *look)
{
    size_t offset = look->reader.offset;
    const char *why = look->reader.why;
    bool half = look->file.intact && is_half_written(look);

    if (sr_segment_resync(&look->reader)) {
        damage(look, offset, why);
        return 0;
    }
    if (half) {
        look->file.torn = true;
        look->file.damage = offset;
    } else {
        damage(look, offset, why);
    }
    return SR_E_END;
}

/* The next record, whatever damage is before it. Returns 0, SR_E_END, or another error. */
static int next_record(struct look *look, struct sr_segment_record *ret_record)
{
    unsigned looks_here = 0;
    int rc;

    while ((rc = sr_segment_next(&look->reader, ret_record)) == SR_E_CORRUPT) {
        rc = look_again(look, &looks_here);
        if (rc == 0)
            rc = pass_damage(look);
        if (rc < 0)
            break;
    }
    return rc;
}

/* Returns 0 or SR_E_NOMEM. */
static int note_name(struct look *look, const struct sr_entry *entry)
{
    if (entry->channel > look->names_n) {
        size_t n = entry->channel + look->names_n;
        struct name *names = realloc(look->names, n * sizeof *names);

        if (!names)
            return SR_E_NOMEM;
        memset(names + look->names_n, 0, (n - look->names_n) * sizeof *names);
        look->names = names;
        look->names_n = n;
    }
    look->names[entry->channel - 1] =
        (struct name){ (size_t)((const uint8_t *)entry->row - look->bytes),
                       entry->len };
    return 0;
}

/* "" for the agent's own collection; "?" where damage took the name. */
static void find_name(const struct look *look, const struct sr_segment_record *record,
                      char name[SR_CHANNEL_TEXT_MAX + 1])
{
    uint32_t number = record->entry.channel;
    const struct name *found;

    sr_segment_channel(record, name);
    if (!number || *name)
        return;
    found = number <= look->names_n ? &look->names[number - 1] : NULL;
    memcpy(name, "?", 2);
    if (!found || !found->offset)
        return;
    memcpy(name, look->bytes + found->offset, found->len);
    name[found->len] = '\0';
}

static int show_row(struct look *look, const struct sr_segment_record *record)
{
    const struct sr_outbox_visitor *visitor = look->scan->visitor;
    const struct sr_entry *entry = &record->entry;
    struct sr_stored_file *file = &look->file;
    bool quarantined = record->kind == SR_RECORD_QUARANTINE, done = false;
    char why[SR_QUARANTINE_WHY_MAX + 1] = "", channel[SR_CHANNEL_TEXT_MAX + 1];
    int rc = quarantined ? 0 : is_done(look->scan, entry->seq, &done);

    if (rc)
        return rc;
    memcpy(why, record->why, record->why_len);
    if (!file->rows++ || entry->seq < file->first)
        file->first = entry->seq;
    if (entry->seq > file->last)
        file->last = entry->seq;
    file->done += done;
    if (!visitor->row)
        return 0;
    find_name(look, record, channel);
    return visitor->row(visitor->arg, &(struct sr_stored_row){
                                          .seq = entry->seq,
                                          .prio = entry->prio & SR_PRIO_BUF,
                                          .ttl_s = entry->ttl_s,
                                          .wall_ms = entry->put.wall_ms,
                                          .stamped = !(entry->prio & SR_ROW_UNSTAMPED),
                                          .done = done,
                                          .quarantined = quarantined,
                                          .why = why,
                                          .text = entry->row,
                                          .len = entry->len,
                                          .file = file->name,
                                          .offset = record->offset,
                                          .channel = channel });
}

static int take_record(struct look *look, const struct sr_segment_record *record)
{
    struct scan *scan = look->scan;
    bool quarantine = look->file.kind == SR_STORED_QUARANTINE;

    if (record->kind == SR_RECORD_SNAPSHOT && !scan->visitor) {
        struct sr_snapshot snapshot;

        if (sr_snapshot_decode(&look->reader.header, record, &snapshot) == 0) {
            scan->done = snapshot;
            scan->know_done = true;
        }
    }
    if (record->kind == SR_RECORD_CHANNEL)
        return note_name(look, &record->entry);
    if (record->kind == SR_RECORD_UNKNOWN)
        look->file.unknown++;
    if (scan->visitor &&
        record->kind == (quarantine ? SR_RECORD_QUARANTINE : SR_RECORD_ROW))
        return show_row(look, record);
    return 0;
}

/* Returns 0; SR_E_END: there is nothing to read in it; or another error. */
static int open_segment(struct look *look)
{
    enum sr_segment_content content = look->file.kind == SR_STORED_QUARANTINE
                                          ? SR_CONTENT_QUARANTINE
                                          : SR_CONTENT_LOG;
    unsigned looks_here = 0;
    int rc;

    while ((rc = sr_segment_open(&look->reader, look->bytes, look->len)) ==
           SR_E_CORRUPT) {
        rc = look_again(look, &looks_here);
        if (rc < 0)
            return rc;
        if (rc == 0) {
            damage(look, 0, look->reader.why);
            return SR_E_END;
        }
    }
    look->file.version = rc == SR_E_END ? 0 : look->reader.header.version;
    if (rc == SR_E_STATE) /* of a later version: nothing is wrong with it */
        return SR_E_END;
    if (rc == 0 && (look->reader.header.content != content ||
                    look->reader.header.number != look->number)) {
        damage(look, 0, "a file with the name of another");
        return SR_E_END;
    }
    return rc;
}

static int read_records(struct look *look)
{
    struct sr_segment_record record;
    int rc = open_segment(look);

    while (rc == 0 && (rc = next_record(look, &record)) == 0) {
        rc = take_record(look, &record);
        if (rc)
            return rc;
    }
    return rc == SR_E_END ? 0 : rc;
}

/* Returns 0, also if the file is none that can be read for records: file.intact tells. */
static int load(struct look *look, const struct stat *stat)
{
    uint64_t max =
        look->file.kind == SR_STORED_SEGMENT ? SR_SEGMENT_MAX : QUARANTINE_MAX;

    look->file.bytes = (uint64_t)stat->st_size;
    if (!S_ISREG(stat->st_mode))
        damage(look, 0, "not a regular file");
    else if (look->file.bytes > max)
        damage(look, 0, "larger than any such file can be");
    if (!look->file.intact || look->file.kind == SR_STORED_ASIDE)
        return 0;
    look->len = (size_t)stat->st_size;
    look->bytes = malloc(look->len + 1);
    return look->bytes ? read_bytes(look, 0) : SR_E_NOMEM;
}

/* An agent gives the file of a segment that is done another name and writes the next one into it. Then
 * what was read is of both, and none of our business. */
static bool is_used_again(const struct look *look)
{
    struct stat now, opened;

    return !look->file.intact && fstat(look->fd, &opened) == 0 &&
           (fstatat(look->scan->dirfd, look->file.name, &now, AT_SYMLINK_NOFOLLOW) <
                0 ||
            now.st_ino != opened.st_ino);
}

static int look_into(struct look *look)
{
    struct stat stat;
    int rc;

    if (fstat(look->fd, &stat) < 0)
        return say_errno(look->scan, look->file.name);
    rc = load(look, &stat);
    if (rc == 0 && look->bytes)
        rc = read_records(look);
    if (rc == 0 && is_used_again(look))
        return 0;
    if (rc == 0 && look->scan->visitor && look->scan->visitor->file)
        rc = look->scan->visitor->file(look->scan->visitor->arg, &look->file);
    return rc;
}

static int scan_file(struct scan *scan, const struct listed *listed)
{
    const struct listed *next = listed + 1;
    struct look look = {
        .scan = scan,
        .number = listed->number,
        .at_end = listed->kind == SR_STORED_QUARANTINE ||
                  next == scan->files + scan->n || next->kind != SR_STORED_SEGMENT,
        .file = {.name = listed->name,
                 .kind = listed->kind,
                 .intact = true,
                 .damage_why = ""},
    };
    int rc;

    /* A fifo of that name shall not hold us up. */
    look.fd = sr_fd_openat(scan->dirfd, listed->name, O_RDONLY | O_NONBLOCK, 0);
    if (look.fd < 0) /* the agent removes what it needs no more */
        return errno == ENOENT ? 0 : say_errno(scan, listed->name);
    rc = look_into(&look);
    close(look.fd);
    free(look.bytes);
    free(look.names);
    return rc;
}

/* --- all of them ---------------------------------------------------------------- */

/* The newest snapshot is in the newest segment, unless that is damaged or just begun. */
static int find_done(struct scan *scan)
{
    const struct sr_outbox_visitor *visitor = scan->visitor;
    int rc = 0;

    scan->visitor = NULL;
    for (size_t i = scan->n; i > 0 && rc == 0 && !scan->know_done; i--)
        if (scan->files[i - 1].kind == SR_STORED_SEGMENT)
            rc = scan_file(scan, &scan->files[i - 1]);
    scan->visitor = visitor;
    return rc;
}

static int scan_all(struct scan *scan)
{
    int rc;

    scan->dirfd = sr_fd_open(scan->dir, O_RDONLY | O_DIRECTORY, 0);
    if (scan->dirfd < 0) {
        bool is_missing = errno == ENOENT;

        rc = say_errno(scan, "");
        return is_missing ? SR_E_NOTFOUND : rc;
    }
    rc = list_files(scan);
    if (rc == 0)
        rc = find_done(scan);
    for (size_t i = 0; i < scan->n && rc == 0; i++)
        rc = scan_file(scan, &scan->files[i]);
    return rc;
}

static void release(struct scan *scan)
{
    if (scan->dirfd >= 0)
        close(scan->dirfd);
    for (size_t i = 0; i < scan->n; i++)
        free(scan->files[i].name);
    free(scan->files);
    free(scan->seen.range);
}

int sr_outbox_scan(const char *dir, const struct sr_outbox_visitor *visitor, char *why,
                   size_t why_size)
{
    static const struct sr_outbox_visitor nobody;
    struct scan scan = { .dir = dir,
                         .dirfd = -1,
                         .visitor = visitor ? visitor : &nobody,
                         .why = why,
                         .why_size = why ? why_size : 0 };
    int rc;

    say(&scan, 0, "%s", "");
    if (!dir)
        return say(&scan, SR_E_INVAL, "%s", "no directory was given: NULL");
    rc = scan_all(&scan);
    if (rc == SR_E_NOMEM)
        say(&scan, rc, "%s", sr_strerror(rc));
    release(&scan);
    return rc;
}
