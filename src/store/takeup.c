/* SPDX-License-Identifier: MIT */
/* An agent that knows version 1 only sets files of version 2 aside, as NAME.damaged, and begins a log of
 * its own, whose numbers count from 1 again. When the newer agent returns it takes such files up: their
 * rows, which are older, and then those of the log are written anew, under fresh numbers.
 *
 * The new files have names that nobody reads, NAME.new, until all of them are on the medium. Then a file
 * `takeup` says so: what it asks for is done by whoever opens the log, however often the power goes:
 * names are changed, the old files removed, and then `takeup`. Until it is there nothing has changed.
 * So no row is lost, and none is there twice. */
#include "store/store_p.h"

#include "store/crc32c.h"
#include "store/segment_p.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TAKEUP     SR_TAKEUP_NAME
#define TAKEUP_NEW TAKEUP ".new"
#define NEW_SUFFIX ".new"
enum { NAME = SR_SEGMENT_NAME_MAX + 16 };

/* --- what `takeup` says ------------------------------------------------------------ */

/* 8 bytes each: new files have numbers from `first` to `last`, files of the log below `first` go, and
 * files that were set aside have these numbers. Behind them a checksum, 4 bytes. */
struct order {
    uint64_t first, last;
    size_t count;
    uint64_t aside[STORE_DAMAGED_MAX];
};
enum { ORDER_MAX = 8 * (3 + STORE_DAMAGED_MAX) + 4 };

static size_t encode(const struct order *order, uint8_t bytes[ORDER_MAX])
{
    size_t len = 24;

    sr_put(bytes, order->first, 8);
    sr_put(bytes + 8, order->last, 8);
    sr_put(bytes + 16, order->count, 8);
    for (size_t i = 0; i < order->count; i++, len += 8)
        sr_put(bytes + len, order->aside[i], 8);
    sr_put(bytes + len, sr_crc32c(0, bytes, len), 4);
    return len + 4;
}

static bool decode(const uint8_t *bytes, size_t len, struct order *order)
{
    if (len < 28 || sr_get(bytes + 16, 8) > STORE_DAMAGED_MAX)
        return false;
    *order = (struct order){ .first = sr_get(bytes, 8),
                             .last = sr_get(bytes + 8, 8),
                             .count = sr_get(bytes + 16, 8) };
    for (size_t i = 0; i < order->count && 32 + 8 * i <= len; i++)
        order->aside[i] = sr_get(bytes + 24 + 8 * i, 8);
    return len == 28 + 8 * order->count &&
           sr_get(bytes + len - 4, 4) == sr_crc32c(0, bytes, len - 4);
}

static int remove_name(struct sr_store *store, const char *name)
{
    if (store->disk->unlink(store->disk->arg, store->dir, name) == 0 || errno == ENOENT)
        return 0;
    return sr_store_fail(store, name, "cannot remove", errno);
}

static int sync_dir(struct sr_store *store)
{
    if (store->disk->sync_dir(store->disk->arg, store->dir) == 0 || errno == EINVAL ||
        errno == ENOTSUP)
        return 0;
    return sr_store_fail(store, ".", "cannot sync", errno);
}

static int give_name(struct sr_store *store, uint64_t number)
{
    char name[SR_SEGMENT_NAME_MAX], new[NAME];

    sr_store_name(name, number);
    snprintf(new, sizeof new, "%s" NEW_SUFFIX, name);
    if (store->disk->rename(store->disk->arg, store->dir, new, name) == 0 ||
        errno == ENOENT)
        return 0;
    return sr_store_fail(store, new, "cannot rename", errno);
}

static int remove_aside(struct sr_store *store, uint64_t number)
{
    char name[SR_SEGMENT_NAME_MAX], aside[NAME];

    sr_store_name(name, number);
    snprintf(aside, sizeof aside, "%s" SR_DAMAGED_SUFFIX, name);
    return remove_name(store, aside);
}

/* Each step may have been done before. Those that list numbers are the log's files as they were. */
static int carry_out(struct sr_store *store, const struct order *order,
                     const uint64_t *numbers, size_t count)
{
    int rc = 0;

    for (uint64_t number = order->first; !rc && number <= order->last; number++)
        rc = give_name(store, number);
    if (!rc)
        rc = sync_dir(store);
    for (size_t i = 0; !rc && i < count; i++)
        if (numbers[i] < order->first)
            rc = sr_store_unlink_segment(store, numbers[i]);
    for (size_t i = 0; !rc && i < order->count; i++)
        rc = remove_aside(store, order->aside[i]);
    if (!rc)
        rc = sync_dir(store);
    return rc ? rc : remove_name(store, TAKEUP);
}

int sr_store_finish_takeup(struct sr_store *store, const uint64_t *numbers,
                           size_t count, bool *ret_did)
{
    uint8_t bytes[ORDER_MAX + 1];
    struct order order;
    size_t len;
    int fd = sr_store_reopen(store, TAKEUP, O_RDONLY), err;

    *ret_did = false;
    if (fd < 0)
        return errno == ENOENT ? 0 : sr_store_fail(store, TAKEUP, "cannot open", errno);
    len = sr_store_pread(store, fd, bytes, sizeof bytes, 0, &err);
    close(fd);
    if (err)
        return sr_store_fail(store, TAKEUP, "cannot read", err);
    if (!decode(bytes, len,
                &order)) /* not one of ours: it was renamed when it was whole */
        return remove_name(store, TAKEUP);
    *ret_did = true;
    return carry_out(store, &order, numbers, count);
}

static int write_order(struct sr_store *store, const struct order *order)
{
    uint8_t bytes[ORDER_MAX];
    struct iovec part = { bytes, encode(order, bytes) };
    int rc = 0, fd = store->disk->open(
                    store->disk->arg, store->dir, TAKEUP_NEW,
                    O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0)
        return sr_store_fail(store, TAKEUP_NEW, "cannot create", errno);
    if (sr_store_write(store, fd, &part, 1, 0) ||
        store->disk->fdatasync(store->disk->arg, fd))
        rc = sr_store_fail(store, TAKEUP_NEW, "cannot write", errno);
    close(fd);
    if (!rc && store->disk->rename(store->disk->arg, store->dir, TAKEUP_NEW, TAKEUP))
        rc = sr_store_fail(store, TAKEUP_NEW, "cannot rename", errno);
    return rc;
}

/* --- what was set aside ---------------------------------------------------------------- */

/* Files that are whole, by number; what is done of them; what was lost. */
struct aside {
    struct order order;
    struct bytes {
        uint8_t *bytes;
        size_t len;
    } file[STORE_DAMAGED_MAX];
    struct sr_ranges done;
    struct sr_losses losses;
    struct sr_snapshot snapshot;
};

static void take_snapshot(struct aside *aside, const struct sr_segment_header *header,
                          const struct sr_segment_record *record)
{
    struct sr_range ignored;

    if (sr_snapshot_decode(header, record, &aside->snapshot))
        return;
    aside->losses = aside->snapshot.losses;
    for (size_t i = 0; i < aside->snapshot.ranges; i++)
        sr_ranges_add(&aside->done, aside->snapshot.range[i].first,
                      aside->snapshot.range[i].last, &ignored);
}

/* Is it a segment of version 2, of that number, all of it, with nothing in it that is not known? */
static bool is_whole(struct sr_segment_reader *reader, uint64_t number)
{
    struct sr_segment_record record;
    int rc;

    if (reader->header.version != SR_SEGMENT_VERSION ||
        reader->header.content != SR_CONTENT_LOG || reader->header.number != number ||
        reader->header.base == 0 || reader->header.base >= STORE_SEQ_MAX)
        return false;
    while ((rc = sr_segment_next(reader, &record)) == 0)
        if (record.kind == SR_RECORD_UNKNOWN)
            return false;
    return rc == SR_E_END;
}

static bool load(struct sr_store *store, const char *name, struct bytes *file)
{
    int fd = sr_store_reopen(store, name, O_RDONLY), err = 0;
    struct stat st;

    *file = (struct bytes){ 0 };
    if (fd < 0)
        return false;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size <= SR_SEGMENT_MAX)
        file->bytes = malloc((size_t)st.st_size + 1);
    if (file->bytes)
        file->len = sr_store_pread(store, fd, file->bytes, (size_t)st.st_size, 0, &err);
    close(fd);
    return file->bytes && !err;
}

static void look_at(struct sr_store *store, uint64_t number, struct aside *aside)
{
    char segment[SR_SEGMENT_NAME_MAX], name[NAME];
    struct sr_segment_reader reader;
    struct sr_segment_record record;
    struct bytes file;

    sr_store_name(segment, number);
    snprintf(name, sizeof name, "%s" SR_DAMAGED_SUFFIX, segment);
    if (!load(store, name, &file) || sr_segment_open(&reader, file.bytes, file.len) ||
        !is_whole(&reader, number)) {
        free(file.bytes);
        return;
    }
    sr_segment_open(&reader, file.bytes, file.len);
    while (sr_segment_next(&reader, &record) == 0)
        if (record.kind == SR_RECORD_SNAPSHOT)
            take_snapshot(aside, &reader.header, &record);
    aside->file[aside->order.count] = file;
    aside->order.aside[aside->order.count++] = number;
}

/* --- writing anew ------------------------------------------------------------------------ */

static int put_anew(struct sr_store *store, struct sr_entry *entry)
{
    int rc;

    entry->seq = store->next_seq;
    rc = sr_store_put(store, entry, true);
    if (!rc)
        store->next_seq++;
    return rc;
}

/* Names come before the rows that need them, in each file. */
struct names {
    struct name {
        const char *text;
        size_t len;
    } * at;
    size_t count;
};

static int note_name(struct names *names, const struct sr_entry *entry)
{
    if (entry->channel >= names->count) {
        size_t count = 2 * (size_t)entry->channel;
        struct name *at = realloc(names->at, count * sizeof *at);

        if (!at)
            return SR_E_NOMEM;
        memset(at + names->count, 0, (count - names->count) * sizeof *at);
        names->at = at;
        names->count = count;
    }
    names->at[entry->channel] = (struct name){ entry->row, entry->len };
    return 0;
}

static int put_aside_row(struct sr_store *store, const struct aside *aside,
                         const struct names *names, struct sr_entry *entry,
                         uint64_t *last)
{
    if (entry->seq <= *last) /* a copy, see recover.c */
        return 0;
    *last = entry->seq;
    if (sr_ranges_find(&aside->done, entry->seq))
        return 0;
    if (entry->channel) {
        if (entry->channel >= names->count || !names->at[entry->channel].text)
            return SR_E_CORRUPT;
        entry->channel_name = names->at[entry->channel].text;
        entry->channel_len = names->at[entry->channel].len;
    }
    return put_anew(store, entry);
}

static int put_file(struct sr_store *store, const struct aside *aside,
                    const struct bytes *file, uint64_t *last)
{
    struct sr_segment_reader reader;
    struct sr_segment_record record;
    struct names names = { 0 };
    int rc = 0;

    sr_segment_open(&reader, file->bytes, file->len);
    while (!rc && sr_segment_next(&reader, &record) == 0)
        if (record.kind == SR_RECORD_CHANNEL)
            rc = note_name(&names, &record.entry);
        else if (record.kind == SR_RECORD_ROW)
            rc = put_aside_row(store, aside, &names, &record.entry, last);
    free(names.at);
    return rc;
}

static int put_segment(struct sr_store *store, size_t index,
                       const struct sr_ranges *done)
{
    uint32_t offset = (uint32_t)sr_segment_begin(&store->segments[index].header);

    while (offset < store->segments[index].end) {
        const struct segment *segment = &store->segments[index];
        struct sr_segment_record record;
        int rc = sr_store_read(store, segment, offset, &record);

        if (rc)
            return rc;
        offset += record.size;
        if (record.kind != SR_RECORD_ROW || record.entry.seq <= segment->above ||
            sr_ranges_find(done, record.entry.seq))
            continue;
        rc = sr_store_find_name(store, segment, &record);
        if (!rc)
            rc = put_anew(store, &record.entry);
        if (rc)
            return rc;
    }
    return 0;
}

static int put_all(struct sr_store *store, const struct aside *aside, size_t old,
                   const struct sr_ranges *done)
{
    uint64_t last = 0;
    int rc = 0;

    for (size_t i = 0; !rc && i < aside->order.count; i++)
        rc = put_file(store, aside, &aside->file[i], &last);
    for (size_t i = 0; !rc && i < old; i++)
        if (store->segments[i].live > 0)
            rc = put_segment(store, i, done);
    return rc ? rc : sr_sync_now(store);
}

static void add_losses(struct sr_losses *to, const struct sr_losses *more)
{
    bool none = !to->rows[0] && !to->rows[1];

    if (!more->rows[0] && !more->rows[1])
        return;
    if (none || more->from_ms < to->from_ms)
        to->from_ms = more->from_ms;
    if (none || more->to_ms > to->to_ms)
        to->to_ms = more->to_ms;
    to->rows[0] += more->rows[0];
    to->rows[1] += more->rows[1];
}

/* What was written is not needed: its files go, and all is as it was. */
static void undo(struct sr_store *store, size_t old)
{
    sr_store_seal(store);
    while (store->count > old) {
        uint64_t number = store->segments[store->count - 1].header.number;
        char name[SR_SEGMENT_NAME_MAX], new[NAME];

        sr_store_name(name, number);
        snprintf(new, sizeof new, "%s" NEW_SUFFIX, name);
        sr_sync_forget(store, number);
        remove_name(store, new);
        sr_store_drop_segment(store, store->count - 1);
    }
}

/* The old files are no longer in the list. */
static int commit(struct sr_store *store, const struct order *order, size_t old)
{
    uint64_t *numbers = malloc((old + 1) * sizeof *numbers);
    int rc = numbers ? sync_dir(store) : SR_E_NOMEM;

    for (size_t i = 0; !rc && i < old; i++) {
        numbers[i] = store->segments[0].header.number;
        sr_sync_forget(store, numbers[i]);
        sr_store_drop_segment(store, 0);
    }
    if (!rc)
        rc = carry_out(store, order, numbers, old);
    free(numbers);
    return rc;
}

/* Returns 0, or why not; nothing changed then, unless *ret_ordered: the next to open the log goes on. */
static int write_anew(struct sr_store *store, struct aside *aside, bool *ret_ordered)
{
    struct sr_ranges *done = malloc(sizeof *done);
    struct sr_instant last = sr_store_last_instant(store);
    struct sr_losses losses = store->losses;
    size_t old;
    int rc;

    if (!done)
        return SR_E_NOMEM;
    *done = store->done;
    sr_store_seal(store);
    old = store->count;
    store->writes_new = store->healing = true;
    add_losses(&store->losses, &aside->losses);
    if (store->next_seq > 1)
        sr_store_add_done(store, 1, store->next_seq - 1);
    aside->order.first = store->next_number;
    rc = sr_store_rotate(store, &last, store->next_seq);
    if (!rc)
        rc = put_all(store, aside, old, done);
    aside->order.last = store->next_number - 1;
    if (!rc)
        rc = write_order(store, &aside->order);
    *ret_ordered = !rc;
    if (rc) {
        undo(store, old);
        store->done = *done;
        store->losses = losses;
    }
    store->writes_new = store->healing = false;
    free(done);
    return rc ? rc : commit(store, &aside->order, old);
}

/* Records of a later program cannot be written anew. */
static bool has_unknown(const struct sr_store *store)
{
    for (size_t i = 0; i < store->count; i++)
        if (store->segments[i].unknown)
            return true;
    return false;
}

static void forget_aside(struct sr_store *store, const struct aside *aside)
{
    for (size_t i = 0; i < aside->order.count; i++) {
        struct sr_aside *damaged = store->damaged;

        for (size_t k = store->damaged_count; k-- > 0;)
            if (damaged[k].number == aside->order.aside[i] && damaged[k].which == 1) {
                store->damaged_count--;
                memmove(damaged + k, damaged + k + 1,
                        (store->damaged_count - k) * sizeof *damaged);
            }
    }
}

int sr_store_take_up(struct sr_store *store, unsigned *ret_files, bool *ret_ordered)
{
    struct aside *aside;
    int rc = 0;

    *ret_files = 0;
    *ret_ordered = false;
    if (store->damaged_count == 0 || has_unknown(store))
        return 0;
    aside = calloc(1, sizeof *aside);
    if (!aside)
        return SR_E_NOMEM;
    for (size_t i = 0; i < store->damaged_count; i++) /* an older agent numbers none */
        if (store->damaged[i].which == 1 &&
            store->damaged[i].number != SR_ASIDE_QUARANTINE)
            look_at(store, store->damaged[i].number, aside);
    if (aside->order.count > 0)
        rc = write_anew(store, aside, ret_ordered);
    if (!rc && aside->order.count > 0) {
        *ret_files = (unsigned)aside->order.count;
        forget_aside(store, aside);
    }
    for (size_t i = 0; i < aside->order.count; i++)
        free(aside->file[i].bytes);
    free(aside);
    return rc;
}

void sr_store_remove_unfinished(struct sr_store *store, const char *name)
{
    char segment[NAME];
    size_t len = strlen(name), suffix = strlen(NEW_SUFFIX);
    uint64_t number;

    if (len <= suffix || len >= sizeof segment ||
        strcmp(name + len - suffix, NEW_SUFFIX))
        return;
    snprintf(segment, sizeof segment, "%.*s", (int)(len - suffix), name);
    if (sr_segment_is_name(segment, &number) || strcmp(segment, TAKEUP) == 0)
        remove_name(store, name);
}
