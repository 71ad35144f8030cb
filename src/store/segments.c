/* SPDX-License-Identifier: MIT */
/* The list of segments: how large they are, which go, how the next one is begun.
 *
 * A new segment takes 16 KiB at first, from a reserve that the bound keeps for that, and grows to
 * its full size when what it made superfluous is gone, or to half of it, a quarter..., if the disk
 * has no more: so a full log, and a full disk, can still write down what is done. */
#include "store/store_p.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

/* --- sizes ----------------------------------------------------------------- */

uint32_t sr_store_round_up(uint64_t size, uint32_t to)
{
    return (uint32_t)((size + to - 1) / to * to);
}

/* What a file of `size` bytes takes, in blocks. */
uint64_t sr_store_on_disk(uint32_t size)
{
    return sr_store_round_up(size, 4096);
}

uint32_t sr_store_full_size(const struct sr_store *store, size_t need)
{
    uint64_t part = store->cap / STORE_PART / STORE_GRAIN * STORE_GRAIN;
    uint64_t least = SR_SEGMENT_HEADER + SR_RECORD_HEAD_MAX + SR_SNAPSHOT_MAX + need;

    part = part > STORE_SEGMENT_MAX ? STORE_SEGMENT_MAX : part;
    return sr_store_round_up(least > part ? least : part, STORE_GRAIN);
}

size_t sr_store_row_max(uint64_t cap)
{
    enum {
        BESIDE = 2 * SR_RECORD_HEAD_MAX + SR_STORE_CHANNEL_MAX + 16 +
                 SR_SEGMENT_HEADER + SR_RECORD_HEAD_MAX + SR_SNAPSHOT_MAX
    };
    uint64_t room;

    cap = cap < SR_STORE_CAP_MIN ? SR_STORE_CAP_MIN : cap;
    room = (cap - STORE_RESERVE) / STORE_GRAIN * STORE_GRAIN - BESIDE;
    return room < SR_STORE_ROW_MAX ? (size_t)room : SR_STORE_ROW_MAX;
}

struct segment *sr_store_active(const struct sr_store *store)
{
    return store->has_active ? &store->segments[store->count - 1] : NULL;
}

/* Bytes of the files that stay when the active one is no longer written to. */
static uint64_t kept(const struct sr_store *store)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < store->count; i++)
        if (store->segments[i].live > 0 || store->segments[i].unknown > 0)
            sum += sr_store_on_disk(store->segments[i].end);
    return sum;
}

bool sr_store_fits_beside(const struct sr_store *store, uint32_t size)
{
    uint64_t active = store->has_active ? store->segments[store->count - 1].size : 0;

    return kept(store) + sr_store_on_disk((uint32_t)active) + sr_store_on_disk(size) +
               STORE_RESERVE <=
           store->cap;
}

/* --- the list -------------------------------------------------------------- */

struct segment *sr_store_add_segment(struct sr_store *store)
{
    if (store->count == store->room) {
        size_t room = store->room ? 2 * store->room : 20;
        struct segment *segments = realloc(store->segments, room * sizeof *segments);

        if (!segments)
            return NULL;
        store->segments = segments;
        store->room = room;
    }
    memset(&store->segments[store->count], 0, sizeof *store->segments);
    return &store->segments[store->count++];
}

void sr_store_drop_segment(struct sr_store *store, size_t index)
{
    struct segment *segment = &store->segments[index];

    sr_store_forget_window(store, segment->header.number);
    free(segment->marks);
    free(segment->channels);
    store->count--;
    memmove(segment, segment + 1, (store->count - index) * sizeof *segment);
}

void sr_store_mark(struct segment *segment, uint64_t seq, uint32_t offset)
{
    uint32_t before = SR_SEGMENT_HEADER;

    if (segment->mark_count > 0)
        before = segment->marks[segment->mark_count - 1].offset;
    if (offset - before < STORE_MARK_EVERY)
        return;
    if (segment->mark_count == segment->mark_room) {
        size_t room = segment->mark_room ? 2 * segment->mark_room : 8;
        struct mark *marks = realloc(segment->marks, room * sizeof *marks);

        if (!marks)
            return;
        segment->marks = marks;
        segment->mark_room = room;
    }
    segment->marks[segment->mark_count++] = (struct mark){ seq, offset };
}

int sr_store_note_channel(struct segment *segment, uint32_t number, uint32_t offset)
{
    if (number > segment->channel_room) {
        size_t room = segment->channel_room ? 2 * segment->channel_room : 16;
        uint32_t *channels;

        room = room < number ? number : room;
        channels = realloc(segment->channels, room * sizeof *channels);
        if (!channels)
            return SR_E_NOMEM;
        segment->channels = channels;
        segment->channel_room = room;
    }
    for (; segment->channel_count < number; segment->channel_count++)
        segment->channels[segment->channel_count] = 0;
    segment->channels[number - 1] = offset;
    return 0;
}

int sr_store_unlink_segment(struct sr_store *store, uint64_t number)
{
    char name[SR_SEGMENT_NAME_MAX];

    sr_store_name(name, number);
    if (store->disk->unlink(store->disk->arg, store->dir, name) == 0 || errno == ENOENT)
        return 0;
    return sr_store_fail(store, name, "cannot remove", errno);
}

/* All but the last, which has the newest snapshot that is written down. */
bool sr_store_remove_dead(struct sr_store *store)
{
    bool any = false;

    if (store->healing)
        return false;
    for (size_t i = store->count; i-- > 0;) {
        if (store->segments[i].live > 0 || store->segments[i].unknown > 0 ||
            i + 1 == store->count)
            continue;
        if (!sr_store_keep_spare(store, &store->segments[i]) &&
            sr_store_unlink_segment(store, store->segments[i].header.number))
            continue; /* next time */
        sr_sync_forget(store, store->segments[i].header.number);
        sr_store_drop_segment(store, i);
        sr_sync_wrote(store, 0, true);
        any = true;
    }
    return any;
}

/* --- a new segment --------------------------------------------------------- */

/* The active segment is written to no more. Bytes behind its end go, if that can be. */
void sr_store_seal(struct sr_store *store)
{
    struct segment *segment = sr_store_active(store);

    if (!segment)
        return;
    store->disk->ftruncate(store->disk->arg, store->sync->active, segment->end);
    segment->size = segment->end;
    sr_sync_switch(store, -1, 0);
    store->has_active = false;
}

/* Not for secrets: so that stale bytes do not pass. Early after boot there may be no
 * randomness yet, and time has to do. */
static uint32_t make_salt(uint64_t number)
{
    struct timespec now;
    uint32_t salt;

    if (getrandom(&salt, sizeof salt, GRND_NONBLOCK) == (ssize_t)sizeof salt)
        return salt;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint32_t)now.tv_nsec * 2654435761u ^ (uint32_t)now.tv_sec ^
           (uint32_t)number << 16 ^ (uint32_t)getpid();
}

/* File systems that cannot reserve room are written to as it comes. Returns 0 or -1 and errno. */
static int reserve(struct sr_store *store, int fd, uint32_t size)
{
    if (store->disk->fallocate(store->disk->arg, fd, size) == 0)
        return 0;
    return errno == EOPNOTSUPP || errno == ENOSYS || errno == EINVAL ? 0 : -1;
}

/* The file of `size` bytes gives back what was reserved for it before the room ran out; keeps
 * errno. */
static void give_back(struct sr_store *store, int fd, uint32_t size)
{
    int err = errno;

    store->disk->ftruncate(store->disk->arg, fd, (off_t)size);
    errno = err;
}

/* Where there is no room for *size bytes, half of that may do, and so on, but no fewer than `least`:
 * a small partition is worth as much as it has. *size becomes what was reserved, or was tried last.
 * Returns 0 or -1 and errno. */
static int reserve_some(struct sr_store *store, int fd, uint32_t before, uint32_t least,
                        uint32_t *size)
{
    while (reserve(store, fd, *size)) {
        uint32_t half = sr_store_round_up(*size / 2, STORE_GRAIN);

        give_back(store, fd, before);
        if ((errno != ENOSPC && errno != EDQUOT) || *size <= least)
            return -1;
        *size = half > least ? half : least;
    }
    return 0;
}

int sr_store_begin_file(struct sr_store *store, int fd, struct segment *segment)
{
    uint8_t begin[SR_SEGMENT_HEADER + SR_RECORD_HEAD_MAX], bytes[SR_SNAPSHOT_MAX];
    uint8_t zeros[2 * SR_RECORD_HEAD_MIN] = { 0 };
    struct sr_entry entry = sr_store_snapshot(store, &segment->header, bytes);
    size_t begun = sr_segment_put_header(&segment->header, begin), size;
    size_t head = sr_segment_put_record(&segment->header, begun, SR_RECORD_SNAPSHOT,
                                        &entry, begin + begun, &size);
    struct iovec parts[3] = {
        {begin,  begun + head                                },
        { bytes, entry.len                                   },
        { zeros, size - head - entry.len + SR_RECORD_HEAD_MIN},
    };

    segment->end = (uint32_t)(begun + size);
    segment->size = STORE_GRAIN;
    if (segment->stale > segment->size)
        segment->size = segment->stale;
    return sr_store_write(store, fd, parts, 3, 0);
}

static int create(struct sr_store *store, struct segment *segment, int *ret_fd)
{
    char name[SR_SEGMENT_NAME_MAX + 8];
    const char *what = NULL;
    int err, fd;

    fd = sr_store_take_spare(store, segment);
    if (fd >= 0) {
        *ret_fd = fd;
        return 0;
    }
    sr_store_name(name, segment->header.number);
    if (store->writes_new)
        strcat(name, ".new");
    fd = store->disk->open(store->disk->arg, store->dir, name,
                           O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return sr_store_fail(store, name, "cannot create", errno);
    if (reserve(store, fd, STORE_GRAIN))
        what = "cannot reserve 16 KiB";
    else if (sr_store_begin_file(store, fd, segment))
        what = "cannot write";
    if (!what) {
        *ret_fd = fd;
        return 0;
    }
    err = errno;
    close(fd);
    store->disk->unlink(store->disk->arg, store->dir, name);
    return sr_store_fail(store, name, what, err);
}

/* The next segment, of 16 KiB. The one before is sealed; what has no live rows goes. */
int sr_store_rotate(struct sr_store *store, const struct sr_instant *put, uint64_t base)
{
    struct segment segment = {
        .header = {.version = SR_SEGMENT_VERSION,
                   .content = SR_CONTENT_LOG,
                   .number = store->next_number++,
                   .base = base,
                   .boot_tag = put->boot_tag,
                   .wall_ms = put->wall_ms,
                   .boot_ms = put->boot_ms},
        .first = base,
        .last = base - 1,
        .spare = true,
    };
    struct segment *added;
    int fd = -1, rc;

    if (store->count > 0 && store->segments[store->count - 1].last > segment.last)
        segment.last = store->segments[store->count - 1].last;
    segment.header.salt = make_salt(segment.header.number);
    added = sr_store_add_segment(store);
    if (!added)
        return SR_E_NOMEM;
    store->count--; /* not yet */
    rc = create(store, &segment, &fd);
    if (rc)
        return rc;
    sr_store_seal(store);
    store->segments[store->count++] = segment;
    store->has_active = true;
    store->snapshot_due = false;
    sr_sync_switch(store, fd, segment.header.number);
    sr_sync_wrote(store, 0, true);
    sr_store_remove_dead(store);
    return 0;
}

/* Fewer bytes than that are no segment for a record of `need` bytes. The last 16 KiB of a disk are
 * for snapshots, as long as there is something that will be done. */
static uint32_t least_size(const struct sr_store *store, const struct segment *segment,
                           size_t need)
{
    uint32_t least = sr_store_round_up(segment->end + need, STORE_GRAIN);
    uint32_t spared = kept(store) > 0 ? 2 * STORE_GRAIN : STORE_GRAIN;

    return least > spared ? least : spared;
}

/* The active segment grows to `size`, or as far as there is room, for `need` bytes at least. */
static int grow(struct sr_store *store, uint32_t size, size_t need)
{
    struct segment *segment = sr_store_active(store);
    uint32_t got = size;
    char what[64];

    if (reserve_some(store, store->sync->active, segment->size,
                     least_size(store, segment, need), &got) == 0 ||
        (sr_store_drop_spare(store) &&
         (got = size, reserve_some(store, store->sync->active, segment->size,
                                   least_size(store, segment, need), &got) == 0))) {
        segment->size = got;
        segment->spare = false;
        return 0;
    }
    if (got < size)
        snprintf(what, sizeof what, "cannot reserve %u KiB, nor %u", size / 1024,
                 got / 1024);
    else
        snprintf(what, sizeof what, "cannot reserve %u KiB", size / 1024);
    return sr_store_fail_segment(store, segment->header.number, what, errno);
}

/* Without a segment the tag is not known; the next row begins another anyway. */
struct sr_instant sr_store_last_instant(const struct sr_store *store)
{
    const struct sr_segment_header *header;

    if (store->count == 0)
        return (struct sr_instant){ 0 };
    header = &store->segments[store->count - 1].header;
    return (struct sr_instant){ .wall_ms = header->wall_ms,
                                .boot_ms = header->boot_ms,
                                .boot_tag = header->boot_tag };
}

/* Room for `need` bytes in the active segment. `bounded`: only as the bound allows.
 * Returns 0, SR_E_FULL, SR_E_IO, SR_E_NOMEM. */
/* Files of a later program give way only when nothing else does. */
static bool drop_unknown(struct sr_store *store)
{
    size_t oldest = store->count;

    for (size_t i = store->count; i-- > 0;) {
        if (store->segments[i].live > 0)
            return false;
        if (store->segments[i].unknown > 0 &&
            !(store->has_active && i + 1 == store->count))
            oldest = i;
    }
    if (oldest == store->count ||
        sr_store_unlink_segment(store, store->segments[oldest].header.number))
        return false;
    store->unreadable += store->segments[oldest].unknown;
    sr_sync_forget(store, store->segments[oldest].header.number);
    sr_store_drop_segment(store, oldest);
    sr_sync_wrote(store, 0, true);
    return true;
}

/* Is there room for `size` bytes beside the others? A row that fitted before the bound was lowered may
 * have all of it, and more. */
static bool fits(struct sr_store *store, uint32_t size, bool goes_on)
{
    uint64_t others;

    do {
        const struct segment *active = sr_store_active(store);

        others = kept(store);
        if (goes_on && (active->live > 0 || active->unknown > 0))
            others -= sr_store_on_disk(active->end);
        if (goes_on) /* else it is what the next segment is made of */
            others += sr_store_on_disk(store->spare_size);
        if (others == 0 || others + size + STORE_RESERVE <= store->cap)
            return true;
    } while (sr_store_drop_spare(store) || drop_unknown(store));
    return false;
}

int sr_store_make_room(struct sr_store *store, size_t need,
                       const struct sr_instant *put, uint64_t base, bool bounded)
{
    struct segment *segment = sr_store_active(store);
    uint32_t size = sr_store_full_size(store, need);
    bool goes_on = segment && segment->header.boot_tag == put->boot_tag;
    int rc;

    if (goes_on && !segment->spare && segment->end + need <= segment->size)
        return 0;
    goes_on = goes_on && segment->spare && segment->end + need <= size;
    if (bounded && !fits(store, size, goes_on))
        return SR_E_FULL;
    if (!goes_on) {
        rc = sr_store_rotate(store, put, base);
        if (rc)
            return rc;
    }
    return grow(store, size, need);
}
