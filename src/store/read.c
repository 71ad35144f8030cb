/* SPDX-License-Identifier: MIT */
/* Reading rows back, by pread: a mapped file would end the process with SIGBUS when the medium
 * fails. */
#include "store/store_p.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { READ_AHEAD = 16 * 1024 };

/* --- the window ------------------------------------------------------------------- */

void sr_store_forget_window(struct sr_store *store, uint64_t number)
{
    struct window *window = &store->window;

    if (number && number != window->number)
        return;
    if (window->fd >= 0)
        close(window->fd);
    window->fd = -1;
    window->number = 0;
    window->len = 0;
}

/* Is it the medium, or the file? All else may be over in a moment, and is no reason to give rows
 * up. */
static bool is_lost(int err)
{
    return err == EIO || err == ENOENT || err == EUCLEAN || err == EBADMSG ||
           err == ENODATA || err == ELOOP;
}

static int open_window(struct sr_store *store, uint64_t number)
{
    struct window *window = &store->window;
    char name[SR_SEGMENT_NAME_MAX];

    if (window->number == number)
        return 0;
    sr_store_forget_window(store, 0);
    sr_store_name(name, number);
    window->fd = sr_store_reopen(store, name, O_RDONLY);
    if (window->fd < 0)
        return is_lost(errno) ? sr_store_fail(store, name, "cannot open", errno)
                              : SR_E_NOMEM;
    window->number = number;
    return 0;
}

static int make_window(struct window *window, size_t room)
{
    uint8_t *bytes = realloc(window->bytes, room);

    if (!bytes)
        return SR_E_NOMEM;
    window->bytes = bytes;
    window->room = room;
    return 0;
}

/* Has the window `need` bytes from `offset` on? Reads them and some more, but nothing behind
 * the segment's end, which may yet change. */
static int load(struct sr_store *store, const struct segment *segment, uint32_t offset,
                size_t need)
{
    struct window *window = &store->window;
    size_t rest = segment->end - offset;
    size_t ahead = need > READ_AHEAD ? need : READ_AHEAD;
    char name[SR_SEGMENT_NAME_MAX];
    int rc = open_window(store, segment->header.number), err;

    if (rc)
        return rc;
    if (offset >= window->offset && offset + need <= window->offset + window->len)
        return 0;
    if (ahead > window->room && make_window(window, ahead))
        return SR_E_NOMEM;
    window->offset = offset;
    window->len = sr_store_pread(store, window->fd, window->bytes,
                                 ahead < rest ? ahead : rest, offset, &err);
    if (window->len >= need)
        return 0;
    err = err ? err : ENODATA;
    if (!is_lost(err))
        return SR_E_NOMEM;
    sr_store_name(name, segment->header.number);
    return sr_store_fail(store, name, "cannot read", err);
}

int sr_store_read(struct sr_store *store, const struct segment *segment,
                  uint32_t offset, struct sr_segment_record *ret_record)
{
    struct window *window = &store->window;
    size_t rest = segment->end - offset, size;
    size_t head = sr_segment_head_min(&segment->header);
    const char *why;
    int rc;

    if (rest < head)
        return SR_E_CORRUPT;
    rc = load(store, segment, offset, head);
    if (rc)
        return rc;
    size = sr_segment_record_size(&segment->header,
                                  window->bytes + (offset - window->offset));
    rc = load(store, segment, offset, size < rest ? size : rest);
    if (rc)
        return rc;
    rc = sr_segment_decode(&segment->header, window->bytes + (offset - window->offset),
                           size < rest ? size : rest, offset, ret_record, &why);
    return rc == SR_E_END ? SR_E_CORRUPT : rc; /* before the end there is no end */
}

/* --- names of channels ---------------------------------------------------------------- */

bool sr_store_has_name(const struct segment *segment,
                       const struct sr_segment_record *record)
{
    uint32_t number = record->entry.channel;

    return number == 0 || record->bare_xid ||
           (number <= segment->channel_count && segment->channels[number - 1]);
}

/* The window is open on the segment, since the row was read there. */
static int read_name(struct sr_store *store, const struct segment *segment,
                     uint32_t number)
{
    uint32_t offset =
        number <= segment->channel_count ? segment->channels[number - 1] : 0;
    struct sr_segment_record named;
    const char *why;
    uint8_t bytes[SR_RECORD_HEAD_MAX + SR_CHANNEL_TEXT_MAX];
    size_t got;
    int err;

    if (!offset)
        return SR_E_CORRUPT;
    if (store->name_segment == segment->header.number && store->name_offset == offset)
        return 0;
    store->name_segment = 0;
    got = sr_store_pread(store, store->window.fd, bytes, sizeof bytes, offset, &err);
    if (sr_segment_decode(&segment->header, bytes, got, offset, &named, &why) ||
        named.kind != SR_RECORD_CHANNEL || named.entry.channel != number)
        return err && !is_lost(err) ? SR_E_NOMEM : SR_E_CORRUPT;
    memcpy(store->name, named.entry.row, named.entry.len);
    store->name[named.entry.len] = '\0';
    store->name_len = named.entry.len;
    store->name_segment = segment->header.number;
    store->name_offset = offset;
    return 0;
}

int sr_store_find_name(struct sr_store *store, const struct segment *segment,
                       struct sr_segment_record *record)
{
    struct sr_entry *entry = &record->entry;
    int rc;

    if (!entry->channel)
        return 0;
    if (record->bare_xid) {
        store->name_segment = 0;
        store->name_len = sr_segment_channel(record, store->name);
    } else {
        rc = read_name(store, segment, entry->channel);
        if (rc)
            return rc;
    }
    entry->channel_name = store->name;
    entry->channel_len = store->name_len;
    return 0;
}

/* --- finding ------------------------------------------------------------------------ */

size_t sr_store_locate(const struct sr_store *store, uint64_t seq)
{
    size_t low = 0, high = store->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (store->segments[middle].last < seq)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

uint32_t sr_store_seek(const struct segment *segment, uint64_t seq)
{
    size_t low = 0, high = segment->mark_count;

    while (low < high) { /* the last mark at or before it */
        size_t middle = low + (high - low) / 2;

        if (segment->marks[middle].seq <= seq)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 ? segment->marks[low - 1].offset
                   : (uint32_t)sr_segment_begin(&segment->header);
}

static bool is_row(const struct segment *segment,
                   const struct sr_segment_record *record)
{
    return record->kind == SR_RECORD_ROW && record->entry.seq > segment->above;
}

int sr_store_tally(struct sr_store *store, const struct segment *segment,
                   uint64_t first, uint64_t last, struct tally *ret_tally)
{
    struct sr_segment_record record;
    uint32_t offset = sr_store_seek(segment, first);
    int rc = 0;

    *ret_tally = (struct tally){ .end = offset };
    while (offset < segment->end) {
        rc = sr_store_read(store, segment, offset, &record);
        if (rc)
            return rc;
        if (is_row(segment, &record) && record.entry.seq > last)
            break;
        offset += record.size;
        ret_tally->end = offset;
        if (!is_row(segment, &record) || record.entry.seq < first)
            continue;
        ret_tally->all++;
        ret_tally->last = record.entry.seq;
        if (sr_ranges_find(&store->done, record.entry.seq))
            continue;
        ret_tally->rows++;
        ret_tally->bytes += record.entry.len;
    }
    return 0;
}

void sr_store_end_at(struct sr_store *store, struct segment *segment, uint32_t end,
                     uint64_t last)
{
    sr_store_forget_window(store, segment->header.number);
    segment->end = segment->size = end;
    if (segment->last > last) /* the list stays sorted */
        segment->last = last;
    if (segment->first > segment->last)
        segment->first = segment->last + 1;
    while (segment->mark_count > 0 &&
           segment->marks[segment->mark_count - 1].offset >= end)
        segment->mark_count--;
}

int sr_store_cut(struct sr_store *store, struct segment *segment, uint64_t *ret_gone)
{
    struct tally tally;

    if (sr_store_tally(store, segment, 0, UINT64_MAX, &tally) == SR_E_NOMEM)
        return SR_E_NOMEM;
    *ret_gone = segment->live > tally.rows ? segment->live - tally.rows : 0;
    segment->rows = tally.all;
    segment->live = tally.rows;
    segment->live_bytes = tally.bytes;
    sr_store_end_at(store, segment, tally.end,
                    tally.all ? tally.last : segment->first - 1);
    return 0;
}

/* --- the next live row ---------------------------------------------------------------- */

static uint32_t begin_at(const struct sr_store *store, const struct segment *segment,
                         uint64_t from)
{
    uint32_t offset = sr_store_seek(segment, from);

    if (store->at_number == segment->header.number && store->at_seq < from &&
        store->at_offset > offset && store->at_offset <= segment->end)
        return store->at_offset;
    return offset;
}

/* Returns 0, SR_E_END, or what sr_store_read() says. */
static int find_in(struct sr_store *store, const struct segment *segment, uint64_t from,
                   struct sr_entry *ret_entry)
{
    uint32_t offset = begin_at(store, segment, from);

    while (offset < segment->end) {
        struct sr_segment_record record;
        const struct sr_range *done;
        int rc = sr_store_read(store, segment, offset, &record);

        if (rc)
            return rc;
        offset += record.size;
        if (!is_row(segment, &record) || record.entry.seq < from)
            continue;
        done = sr_ranges_find(&store->done, record.entry.seq);
        if (!done) {
            rc = sr_store_find_name(store, segment, &record);
            if (rc)
                return rc;
            store->at_number = segment->header.number;
            store->at_offset = offset;
            store->at_seq = record.entry.seq;
            *ret_entry = record.entry;
            return 0;
        }
        if (done->last >= segment->last)
            return SR_E_END;
        if (sr_store_seek(segment, done->last + 1) > offset)
            offset = sr_store_seek(segment, done->last + 1);
    }
    return SR_E_END;
}

int sr_store_next(struct sr_store *store, uint64_t from, struct sr_entry *ret_entry)
{
    size_t i = sr_store_locate(store, from);

    while (i < store->count) {
        int rc = SR_E_END;

        if (store->segments[i].live > 0)
            rc = find_in(store, &store->segments[i], from, ret_entry);
        if (rc == 0 || rc == SR_E_NOMEM)
            return rc;
        if (rc == SR_E_END)
            i++;
        else if (sr_store_give_up(store,
                                  i)) /* else again: rows before it may be to come */
            return SR_E_NOMEM;
    }
    return SR_E_END;
}

uint64_t sr_store_rows_unreadable(const struct sr_store *store)
{
    return store->unreadable;
}
