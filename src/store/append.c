/* SPDX-License-Identifier: MIT */
/* Rows and snapshots become records behind the last one. */
#include "store/store_p.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t zeros[SR_RECORD_HEAD_MIN + 8];

/* iovec is for reading, too, and knows no const. */
static void *writable(const void *bytes)
{
    void *copy;

    memcpy(&copy, &bytes, sizeof copy);
    return copy;
}

/* Room that was only reserved costs the file system an entry in its journal when it is written to the
 * first time, with each sync: more bytes than most rows have, and time. So zeros go ahead, and each
 * sync but the first of so many bytes is one of data alone. It does not matter if that fails.
 * Page by page: what is written in one piece the kernel may keep in one, and count as one. */
static void fill_ahead(struct sr_store *store, struct segment *segment, uint32_t end)
{
    static uint8_t
        nothing[STORE_GRAIN]; /* not const: it shall take no room in the file */
    uint32_t at = segment->filled > segment->end ? segment->filled : segment->end;
    uint32_t to = sr_store_round_up(end, STORE_FILL);

    to = to < segment->size ? to : segment->size;
    while (end > segment->filled && at < to) {
        uint32_t page = sr_store_round_up(at + 1, sizeof nothing),
                 len = (page < to ? page : to) - at;
        struct iovec part = { nothing, len };

        if (sr_store_write(store, store->sync->active, &part, 1, at))
            return;
        at += len;
    }
    segment->filled = at > segment->filled ? at : segment->filled;
}

/* Bytes of the file's life before this one shall not follow the last record: a head of zeros does,
 * as far as there is room. */
static size_t end_mark(const struct segment *segment, uint32_t end)
{
    size_t rest = segment->size - end;

    if (end >= segment->stale)
        return 0;
    return rest < SR_RECORD_HEAD_MIN ? rest : SR_RECORD_HEAD_MIN;
}

/* What is written in one piece: records, one or two. */
struct piece {
    struct segment *segment;
    uint32_t end; /* behind them */
    uint8_t heads[2][SR_RECORD_HEAD_MAX];
    struct iovec parts[STORE_PARTS];
    int records, count;
};

static void add(struct piece *piece, enum sr_record_kind kind,
                const struct sr_entry *entry)
{
    uint8_t *bytes = piece->heads[piece->records++];
    size_t size, head = sr_segment_put_record(&piece->segment->header, piece->end, kind,
                                              entry, bytes, &size);

    piece->parts[piece->count++] = (struct iovec){ bytes, head };
    piece->parts[piece->count++] = (struct iovec){ writable(entry->row), entry->len };
    piece->parts[piece->count++] =
        (struct iovec){ writable(zeros), size - head - entry->len };
    piece->end += (uint32_t)size;
}

/* If it fails, nobody knows what is in the file behind its end: it is sealed. */
static int write_piece(struct sr_store *store, struct piece *piece)
{
    struct segment *segment = piece->segment;

    piece->parts[piece->count - 1].iov_len += end_mark(segment, piece->end);
    fill_ahead(store, segment, piece->end);
    if (sr_store_write(store, store->sync->active, piece->parts, piece->count,
                       segment->end)) {
        sr_store_fail_segment(store, segment->header.number, "cannot write", errno);
        sr_store_seal(store);
        return SR_E_IO;
    }
    segment->end = piece->end;
    return 0;
}

static struct piece begin_piece(const struct sr_store *store)
{
    struct segment *segment = sr_store_active(store);

    return (struct piece){ .segment = segment, .end = segment->end };
}

int sr_store_write_record(struct sr_store *store, enum sr_record_kind kind,
                          const struct sr_entry *entry)
{
    struct piece piece = begin_piece(store);

    add(&piece, kind, entry);
    return write_piece(store, &piece);
}

/* --- channels ---------------------------------------------------------------------- */

/* The place for the caller's number, with that name. NULL: no memory. */
static struct named *find_named(struct sr_store *store, const struct sr_entry *entry)
{
    struct named *named;
    char *name;

    if (entry->channel >= store->named_count) {
        size_t count = 2 * (size_t)entry->channel;

        named = realloc(store->named, count * sizeof *named);
        if (!named)
            return NULL;
        memset(named + store->named_count, 0,
               (count - store->named_count) * sizeof *named);
        store->named = named;
        store->named_count = count;
    }
    named = &store->named[entry->channel];
    if (named->name && named->len == entry->channel_len &&
        memcmp(named->name, entry->channel_name, named->len) == 0)
        return named;
    name = malloc(entry->channel_len);
    if (!name)
        return NULL;
    memcpy(name, entry->channel_name, entry->channel_len);
    free(named->name);
    *named = (struct named){ .name = name, .len = entry->channel_len };
    return named;
}

/* Is its name in the active segment? Not too far away, so that damage to one place does not cost all
 * rows of a channel. */
static bool is_named(const struct segment *segment, const struct named *named)
{
    return named->segment == segment->header.number &&
           segment->end - named->offset < STORE_NAME_EVERY;
}

/* Numbers count anew in each segment, so that it needs no other. Returns 0 or SR_E_NOMEM. */
static int name_channel(struct piece *piece, struct named *named)
{
    struct segment *segment = piece->segment;
    struct sr_entry entry = { .row = named->name, .len = named->len };
    int rc;

    if (named->segment != segment->header.number)
        named->number = (uint32_t)segment->channel_count + 1;
    rc = sr_store_note_channel(segment, named->number, piece->end);
    if (rc)
        return rc;
    entry.channel = named->number;
    named->segment = segment->header.number;
    named->offset = piece->end;
    add(piece, SR_RECORD_CHANNEL, &entry);
    return 0;
}

/* --- rows ---------------------------------------------------------------------------- */

/* What a row takes at most, with the name of its channel. */
static size_t most(const struct sr_entry *entry)
{
    size_t size = SR_RECORD_HEAD_MAX + entry->len + 8;

    return entry->channel ? size + SR_RECORD_HEAD_MAX + entry->channel_len : size;
}

static int write_row(struct sr_store *store, const struct sr_entry *entry,
                     struct named *named, uint32_t *ret_offset)
{
    struct piece piece = begin_piece(store);
    struct sr_entry row = *entry;
    int rc;

    if (named && !is_named(piece.segment, named)) {
        rc = name_channel(&piece, named);
        if (rc)
            return rc;
    }
    if (named)
        row.channel = named->number;
    *ret_offset = piece.end;
    add(&piece, SR_RECORD_ROW, &row);
    rc = write_piece(store, &piece);
    if (rc && named)
        named->segment = 0;
    return rc;
}

static bool has_room_for_name(const struct sr_store *store)
{
    const struct segment *segment = sr_store_active(store);

    return !segment || segment->channel_count < SR_SEGMENT_CHANNELS;
}

/* A snapshot has a copy of the header, and the first one goes with it when the first sector does. */
static void repeat_snapshot(struct sr_store *store)
{
    struct segment *segment = sr_store_active(store);
    uint8_t bytes[SR_SNAPSHOT_MAX];
    struct sr_entry entry;

    if (segment->repeated || segment->end < STORE_REPEAT)
        return;
    segment->repeated = true;
    entry = sr_store_snapshot(store, &segment->header, bytes);
    if (segment->end + SR_RECORD_HEAD_MAX + entry.len <= segment->size)
        sr_store_write_record(store, SR_RECORD_SNAPSHOT, &entry);
}

/* `copy`: it was in the log before, and is needed at once. */
int sr_store_put(struct sr_store *store, const struct sr_entry *entry, bool copy)
{
    uint64_t base = copy ? entry->seq : store->next_seq;
    struct named *named = entry->channel ? find_named(store, entry) : NULL;
    struct segment *segment;
    uint32_t offset;
    int rc;

    if (entry->channel && !named)
        return SR_E_NOMEM;
    if (named && !has_room_for_name(store))
        sr_store_seal(store);
    rc = sr_store_make_room(store, most(entry), &entry->put, base, !copy);
    if (!rc)
        rc = write_row(store, entry, named, &offset);
    if (rc)
        return rc;
    segment = sr_store_active(store);
    if (segment->rows++ == 0)
        segment->first = entry->seq;
    segment->last = entry->seq;
    segment->live++;
    segment->live_bytes += entry->len;
    sr_store_mark(segment, entry->seq, offset);
    sr_sync_wrote(store, entry->seq, false);
    repeat_snapshot(store);
    return 0;
}

int sr_store_append(struct sr_store *store, const struct sr_entry *entry)
{
    int rc;

    if (entry->len > SR_STORE_ROW_MAX || entry->channel_len > SR_STORE_CHANNEL_MAX)
        return SR_E_TOOBIG;
    if (entry->channel > SR_SEGMENT_CHANNELS || !entry->channel != !entry->channel_len)
        return SR_E_INVAL;
    if (entry->seq < store->next_seq || entry->seq >= STORE_SEQ_MAX)
        return SR_E_INVAL;
    rc = sr_store_heal(store);
    if (!rc)
        rc = sr_store_put(store, entry, false);
    if (rc)
        return rc;
    if (entry->seq > store->next_seq)
        sr_store_add_done(store, store->next_seq, entry->seq - 1);
    store->next_seq = entry->seq + 1;
    store->error->text[0] = '\0';
    if (store->snapshot_due)
        sr_store_write_snapshot(store);
    return 0;
}
