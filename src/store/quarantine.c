/* SPDX-License-Identifier: MIT */
/* The quarantine file: rows that the platform never takes, for somebody to look at. A file of the
 * segment format without snapshots. It is seldom written, and read whole each time. */
#include "store/store_p.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define QUARANTINE_NEW SR_QUARANTINE_NAME ".new"
enum {
    LARGEST = 4 * 1024 * 1024 /* or the bound; what is larger is not the store's */
};

struct quarantine {
    struct sr_store *store;
    int fd;
    struct sr_segment_header header;
    uint8_t *bytes;
    size_t len, end;  /* of the file; of what is intact in it */
    uint8_t *content; /* of a record */
    uint8_t *image;   /* what is to be written, from `at` on */
    size_t at, size;
    uint64_t older; /* rows that are not in the image any more */
};

static int fail(struct quarantine *q, const char *what)
{
    return sr_store_fail(q->store, SR_QUARANTINE_NAME, what, errno);
}

static int read_all(struct quarantine *q, size_t max)
{
    struct stat st;
    int err;

    if (fstat(q->fd, &st))
        return fail(q, "cannot read");
    if (!S_ISREG(st.st_mode) || st.st_size > (off_t)(max > LARGEST ? max : LARGEST))
        return SR_E_CORRUPT;
    q->bytes = calloc(1, (size_t)st.st_size + 8); /* the last zeros may be missing */
    if (!q->bytes)
        return SR_E_NOMEM;
    q->len = sr_store_pread(q->store, q->fd, q->bytes, (size_t)st.st_size, 0, &err);
    errno = err;
    return err ? fail(q, "cannot read") : 0;
}

/* The intact prefix. */
static int parse(struct quarantine *q)
{
    struct sr_segment_reader reader;
    struct sr_segment_record record;
    int rc = sr_segment_open(&reader, q->bytes, q->len);

    if (rc == SR_E_END)
        return 0;
    if (rc || reader.header.content != SR_CONTENT_QUARANTINE)
        return SR_E_CORRUPT;
    q->header = reader.header;
    while ((rc = sr_segment_next(&reader, &record)) == 0)
        if (record.kind != SR_RECORD_QUARANTINE)
            return SR_E_CORRUPT;
    q->end = reader.offset + (0 - reader.offset) % sr_segment_grain(&q->header);
    return rc == SR_E_END ? 0 : rc;
}

static int open_file(struct quarantine *q, const char *name, int flags)
{
    const struct sr_disk *disk = q->store->disk;

    q->fd = disk->open(disk->arg, q->store->dir, name,
                       O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | flags, 0600);
    return q->fd < 0 ? fail(q, "cannot open") : 0;
}

/* What is damaged is kept under another name, all of it, and a new file begun. */
static int load(struct quarantine *q, size_t max)
{
    int rc = open_file(q, SR_QUARANTINE_NAME, 0);

    if (rc && errno == ENOENT)
        return 0;
    if (!rc)
        rc = read_all(q, max);
    if (!rc)
        rc = parse(q);
    if (rc != SR_E_CORRUPT)
        return rc;
    q->end = 0;
    rc = sr_store_rename_aside(q->store, SR_QUARANTINE_NAME);
    if (!rc)
        memcpy(q->store->quarantine_cost.kept_as, q->store->kept_as,
               sizeof q->store->kept_as);
    return rc;
}

/* The newest records that have no more than `room` bytes: offset of the first of them. Those before
 * it are what it costs. */
static size_t newest(struct quarantine *q, const struct sr_segment_header *header,
                     size_t room)
{
    size_t at = sr_segment_begin(header);

    for (; at < q->end && q->end - at > room; q->older++)
        at += sr_segment_record_size(header, q->bytes + at);
    return at;
}

static void add(struct quarantine *q, const struct sr_entry *entry)
{
    uint8_t *head = q->image + q->size;
    size_t size, len = sr_segment_put_record(&q->header, q->at + q->size,
                                             SR_RECORD_QUARANTINE, entry, head, &size);

    memcpy(head + len, entry->row, entry->len);
    memset(head + len + entry->len, 0, size - len - entry->len);
    q->size += size;
}

/* The row with its reason as the content of a record. */
static struct sr_entry encode(struct quarantine *q, const struct sr_entry *entry,
                              const char *why)
{
    struct sr_entry whole = *entry;

    whole.row = (const char *)q->content;
    whole.len = sr_quarantine_encode(entry, why, q->content);
    whole.channel = 0; /* its name is in the content */
    return whole;
}

/* Moves records on to the image. Their checksums depend on where they are. */
static void add_old(struct quarantine *q, const struct sr_segment_header *before,
                    size_t from)
{
    struct sr_segment_record record;
    char name[SR_CHANNEL_TEXT_MAX + 1], reason[SR_QUARANTINE_WHY_MAX + 1];
    const char *why;

    while (from < q->end && sr_segment_decode(before, q->bytes + from, q->end - from,
                                              from, &record, &why) == 0) {
        struct sr_entry whole;

        record.entry.channel_len = sr_segment_channel(&record, name);
        record.entry.channel_name = name;
        memcpy(reason, record.why, record.why_len);
        reason[record.why_len] = '\0';
        whole = encode(q, &record.entry, reason);
        add(q, &whole);
        from += record.size;
    }
}

static size_t size_of(const struct quarantine *q, const struct sr_entry *whole)
{
    uint8_t head[SR_RECORD_HEAD_MAX];
    size_t size;

    sr_segment_put_record(&q->header, 0, SR_RECORD_QUARANTINE, whole, head, &size);
    return size;
}

static void begin_header(struct quarantine *q, const struct sr_entry *entry)
{
    uint32_t salt = q->end
                        ? q->header.salt + 1
                        : (uint32_t)entry->put.wall_ms ^ (uint32_t)entry->put.boot_ms;

    q->header = (struct sr_segment_header){ .version = SR_SEGMENT_VERSION,
                                            .content = SR_CONTENT_QUARANTINE,
                                            .salt = salt,
                                            .boot_tag = entry->put.boot_tag,
                                            .wall_ms = entry->put.wall_ms,
                                            .boot_ms = entry->put.boot_ms };
}

/* With the newer half of the old one, which is less if `max` is less now. */
static int begin_anew(struct quarantine *q, const struct sr_entry *entry,
                      const struct sr_entry *whole, size_t max)
{
    const struct sr_segment_header before = q->header;
    size_t size, from = 0, room = max / 2;

    begin_header(q, entry);
    size = size_of(q, whole);
    if (SR_SEGMENT_HEADER + size > max)
        return SR_E_TOOBIG;
    if (room > max - SR_SEGMENT_HEADER - size)
        room = max - SR_SEGMENT_HEADER - size;
    if (q->end)
        from = newest(q, &before, room);
    q->at = 0;
    q->size = sr_segment_put_header(&q->header, q->image);
    if (from < q->end)
        add_old(q, &before, from);
    return 0;
}

/* The image: the new record only; or a new file, if there was none, or one of version 1, or it would
 * get too large. */
static int make_image(struct quarantine *q, const struct sr_entry *entry,
                      const char *why, size_t max)
{
    struct sr_entry whole = encode(q, entry, why);
    int rc = 0;

    /* Version 1 has the longer head, but X-Ids are without "smartrest1:". */
    q->image = malloc(SR_SEGMENT_HEADER + q->end + q->end / 2 + SR_RECORD_HEAD_MAX +
                      whole.len + 8);
    if (!q->image)
        return SR_E_NOMEM;
    q->at = q->end;
    if (q->end == 0 || q->header.version != SR_SEGMENT_VERSION ||
        q->end + size_of(q, &whole) > max)
        rc = begin_anew(q, entry, &whole, max);
    whole = encode(q, entry, why);
    if (!rc)
        add(q, &whole);
    return rc;
}

/* Behind the old ones. If it fails, what is there already is cut off. */
static int append(struct quarantine *q)
{
    const struct sr_disk *disk = q->store->disk;
    struct iovec part = { q->image, q->size };
    int rc = 0;

    if (sr_store_write(q->store, q->fd, &part, 1, q->at))
        rc = fail(q, "cannot write");
    else if (disk->fdatasync(disk->arg, q->fd))
        rc = fail(q, "cannot sync");
    if (rc)
        disk->ftruncate(disk->arg, q->fd, (off_t)q->at);
    return rc;
}

/* Beside the old one, which goes when the new one is on the medium. */
static int replace(struct quarantine *q)
{
    const struct sr_disk *disk = q->store->disk;
    int rc;

    if (q->fd >= 0)
        close(q->fd);
    rc = open_file(q, QUARANTINE_NEW, O_CREAT | O_TRUNC);
    if (!rc)
        rc = append(q);
    if (!rc &&
        disk->rename(disk->arg, q->store->dir, QUARANTINE_NEW, SR_QUARANTINE_NAME))
        rc = fail(q, "cannot rename");
    if (rc)
        disk->unlink(disk->arg, q->store->dir, QUARANTINE_NEW);
    return rc;
}

static int write_image(struct quarantine *q)
{
    const struct sr_disk *disk = q->store->disk;
    int rc = q->at > 0 ? append(q) : replace(q);

    if (rc || q->at > 0)
        return rc;
    if (disk->sync_dir(disk->arg, q->store->dir) && errno != EINVAL && errno != ENOTSUP)
        return fail(q, "cannot sync");
    return 0;
}

int sr_store_quarantine(struct sr_store *store, const struct sr_entry *entry,
                        const char *why, size_t max)
{
    struct quarantine q = { .store = store, .fd = -1 };
    int rc;

    store->quarantine_cost = (struct sr_quarantine_cost){ 0 };
    q.content = malloc(SR_QUARANTINE_MAX);
    if (!q.content)
        return SR_E_NOMEM;
    rc = load(&q, max);
    if (!rc)
        rc = make_image(&q, entry, why, max);
    if (!rc)
        rc = write_image(&q);
    if (!rc)
        store->quarantine_cost.rows = q.older;
    if (q.fd >= 0)
        close(q.fd);
    free(q.bytes);
    free(q.image);
    free(q.content);
    return rc;
}

void sr_store_quarantine_cost(const struct sr_store *store,
                              struct sr_quarantine_cost *ret_cost)
{
    *ret_cost = store->quarantine_cost;
}
