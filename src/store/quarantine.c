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
    size_t len, end; /* of the file; of what is intact in it */
    uint8_t *image;  /* what is to be written, from `at` on */
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
    q->end = (reader.offset + 7) / 8 * 8;
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
    q->store->quarantine_cost.damaged = true;
    return sr_store_rename_aside(q->store, SR_QUARANTINE_NAME);
}

/* The newest records that have no more than `room` bytes: offset of the first of them. Those before
 * it are what it costs. */
static size_t newest(struct quarantine *q, size_t room)
{
    size_t at = SR_SEGMENT_HEADER;

    for (; at < q->end && q->end - at > room; q->older++)
        at += sr_segment_record_size(q->bytes + at);
    return at;
}

static void add(struct quarantine *q, const struct sr_entry *entry)
{
    uint8_t *head = q->image + q->size;
    size_t size = sr_segment_put_record(&q->header, q->at + q->size,
                                        SR_RECORD_QUARANTINE, entry, head);

    memcpy(head + SR_RECORD_HEAD, entry->row, entry->len);
    memset(head + SR_RECORD_HEAD + entry->len, 0, size - SR_RECORD_HEAD - entry->len);
    q->size += size;
}

/* Moves records on to the image. Their checksums depend on where they are. */
static void add_old(struct quarantine *q, size_t from)
{
    const struct sr_segment_header before = q->header;
    struct sr_segment_record record;
    const char *why;

    q->header.salt++;
    while (from < q->end && sr_segment_decode(&before, q->bytes + from, q->end - from,
                                              from, &record, &why) == 0) {
        struct sr_entry *entry = &record.entry;

        entry->row -= 1 + record.why_len;
        entry->len += 1 + record.why_len;
        add(q, entry);
        from += record.size;
    }
}

/* The image: the new record only; or a new file, if there was none or it would get too
 * large: then with the newer half of the old one, which is less if `max` is less now. */
static int make_image(struct quarantine *q, const struct sr_entry *entry, size_t max)
{
    size_t size = (SR_RECORD_HEAD + entry->len + 7) / 8 * 8;
    size_t from = q->end, room = max / 2;

    if (SR_SEGMENT_HEADER + size > max)
        return SR_E_TOOBIG;
    q->image = malloc(SR_SEGMENT_HEADER + q->end + size);
    if (!q->image)
        return SR_E_NOMEM;
    q->at = q->end;
    if (q->end == 0 || q->end + size > max) {
        if (room > max - SR_SEGMENT_HEADER - size)
            room = max - SR_SEGMENT_HEADER - size;
        from = q->end ? newest(q, room) : 0;
        q->at = 0;
        q->size = SR_SEGMENT_HEADER;
        if (from < q->end)
            add_old(q, from);
        q->header.content = SR_CONTENT_QUARANTINE;
        q->header.boot_tag = entry->put.boot_tag;
        if (q->end == 0)
            q->header.salt =
                (uint32_t)entry->put.wall_ms ^ (uint32_t)entry->put.boot_ms;
        sr_segment_put_header(&q->header, q->image);
    }
    add(q, entry);
    return 0;
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
    uint8_t *content = malloc(SR_RECORD_TEXT_MAX);
    struct sr_entry whole = *entry;
    int rc;

    store->quarantine_cost = (struct sr_quarantine_cost){ 0 };
    if (!content)
        return SR_E_NOMEM;
    whole.row = (const char *)content;
    whole.len = sr_quarantine_encode(entry, why, content);
    rc = load(&q, max);
    if (!rc)
        rc = make_image(&q, &whole, max);
    if (!rc)
        rc = write_image(&q);
    if (!rc)
        store->quarantine_cost.rows = q.older;
    if (q.fd >= 0)
        close(q.fd);
    free(q.bytes);
    free(q.image);
    free(content);
    return rc;
}

void sr_store_quarantine_cost(const struct sr_store *store,
                              struct sr_quarantine_cost *ret_cost)
{
    *ret_cost = store->quarantine_cost;
}
