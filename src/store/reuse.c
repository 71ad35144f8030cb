/* SPDX-License-Identifier: MIT */
/* A segment that goes leaves its file to the next one: the blocks are there and were written, so that no
 * zeros have to go ahead, and the file system has nothing to write down but names.
 *
 *     N.seg -> spare (its rows are done) -> header and snapshot of M are written -> M.seg
 *
 * One file at most waits. What is left in it of its life before is no record in this one: salt and number
 * are others, see sr_record_seed(); a head of zeros is kept behind the last record. */
#include "store/store_p.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

bool sr_store_drop_spare(struct sr_store *store)
{
    bool any = store->spare_size > 0;

    if (any)
        store->disk->unlink(store->disk->arg, store->dir, SR_SPARE_NAME);
    store->spare_size = 0;
    return any;
}

/* Files of one size are what the next segment can use; version 1 knows no life before. It must not take
 * room that rows need. */
static bool is_wanted(const struct sr_store *store, const struct segment *segment)
{
    return store->spare_size == 0 && !sr_store_disk_full(store) &&
           segment->header.version == SR_SEGMENT_VERSION &&
           segment->size >= STORE_GRAIN / 2 &&
           segment->size <= sr_store_full_size(store, 0) &&
           sr_store_fits_beside(store, segment->size);
}

bool sr_store_keep_spare(struct sr_store *store, const struct segment *segment)
{
    char name[SR_SEGMENT_NAME_MAX];

    if (!is_wanted(store, segment))
        return false;
    sr_store_name(name, segment->header.number);
    if (store->disk->rename(store->disk->arg, store->dir, name, SR_SPARE_NAME))
        return false;
    store->spare_size = segment->size;
    return true;
}

/* What the file was before. False: that cannot be told, and stale bytes could not be told from damage. */
static bool read_before(struct sr_store *store, int fd, struct segment *segment)
{
    uint8_t bytes[SR_SEGMENT_HEADER];
    struct sr_segment_reader reader;
    struct stat st;
    int err;

    if (fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_size > SR_SEGMENT_MAX ||
        sr_store_pread(store, fd, bytes, sizeof bytes, 0, &err) < sizeof bytes ||
        sr_segment_open(&reader, bytes, sizeof bytes) ||
        reader.header.version != SR_SEGMENT_VERSION || reader.header.number == 0)
        return false;
    segment->header.before_number = reader.header.number;
    segment->header.before_salt = reader.header.salt;
    segment->stale = segment->filled = (uint32_t)st.st_size;
    return true;
}

int sr_store_take_spare(struct sr_store *store, struct segment *segment)
{
    char name[SR_SEGMENT_NAME_MAX];
    int fd;

    if (store->spare_size == 0 || store->writes_new)
        return -1;
    fd = sr_store_reopen(store, SR_SPARE_NAME, O_RDWR);
    sr_store_name(name, segment->header.number);
    if (fd >= 0 && read_before(store, fd, segment) &&
        sr_store_begin_file(store, fd, segment) == 0 &&
        store->disk->rename(store->disk->arg, store->dir, SR_SPARE_NAME, name) == 0) {
        store->spare_size = 0;
        return fd;
    }
    if (fd >= 0)
        close(fd);
    sr_store_drop_spare(store);
    segment->header.before_number = segment->header.before_salt = 0;
    segment->stale = segment->filled = 0;
    return -1;
}

/* The number in its header; 0: it has none. */
static uint64_t number_of(struct sr_store *store, uint32_t *ret_size)
{
    struct segment segment = { .end = 0 };
    int fd = sr_store_reopen(store, SR_SPARE_NAME, O_RDONLY);
    bool ours = fd >= 0 && read_before(store, fd, &segment);

    if (fd >= 0)
        close(fd);
    *ret_size = segment.stale;
    return ours ? segment.header.before_number : 0;
}

/* The file may have begun its next life, whose number is the newest, and the power went before it got its
 * name. */
int sr_store_find_spare(struct sr_store *store, uint64_t *ret_number)
{
    char name[SR_SEGMENT_NAME_MAX];
    uint32_t size;
    uint64_t number = number_of(store, &size);

    *ret_number = 0;
    store->spare_size = size > 0 ? size : 1;
    if (number == 0 || number >= STORE_SEQ_MAX || size > sr_store_full_size(store, 0)) {
        sr_store_drop_spare(store);
        return 0;
    }
    if (number < store->next_number)
        return 0;
    sr_store_name(name, number);
    if (store->disk->rename(store->disk->arg, store->dir, SR_SPARE_NAME, name))
        return sr_store_fail(store, SR_SPARE_NAME, "cannot rename", errno);
    store->spare_size = 0;
    store->next_number = number + 1;
    *ret_number = number;
    return 0;
}
