/* SPDX-License-Identifier: MIT */
/* Files of the store out of a fuzzer's bytes. No fuzzer guesses checksums, so they are made right
 * where its first byte says so; and a directory to open them in. */
#ifndef FUZZ_SEGMENT_FIX_H
#define FUZZ_SEGMENT_FIX_H

#include "fuzz.h"
#include "store/disk.h"
#include "store/segment.h"
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* Writes a good header over what there is, and checksums into records, but into every eighth at
 * random. */
static inline void fix_up(uint8_t *bytes, size_t len, enum sr_segment_content content,
                          uint64_t number)
{
    const struct sr_segment_header header = {
        .content = content, .salt = 7, .number = number, .base = 1, .boot_tag = 3
    };
    size_t at = SR_SEGMENT_HEADER;

    if (len < SR_SEGMENT_HEADER)
        return;
    sr_segment_put_header(&header, bytes);
    while (at + SR_RECORD_HEAD <= len) {
        uint8_t *head = bytes + at;
        struct sr_entry entry = { .prio = head[7],
                                  .row = (const char *)head + SR_RECORD_HEAD,
                                  .len = (size_t)(head[4] | head[5] << 8) };

        for (int i = 0; i < 8; i++)
            entry.seq |= (uint64_t)head[8 + i] << 8 * i;
        if (entry.len > len - at - SR_RECORD_HEAD)
            return;
        if (head[0] % 8 != 7) /* the byte where the checksum will be */
            sr_segment_put_record(&header, at, (enum sr_record_kind)head[6], &entry,
                                  head);
        at += sr_segment_record_size(head);
    }
}

static inline int fix_no_sync(void *arg, int fd)
{
    (void)arg, (void)fd;
    return 0;
}

/* A directory for the whole run, with nothing in it but the file. */
static inline const char *fix_directory(const char *name, const uint8_t *bytes,
                                        size_t len)
{
    static char dir[] = "/dev/shm/smartrest-fuzz-XXXXXX";
    static DIR *stream;
    const struct dirent *entry;
    int fd;

    if (!stream) {
        must(mkdtemp(dir) != NULL);
        stream = opendir(dir);
        must(stream != NULL);
    }
    rewinddir(stream);
    while ((entry = readdir(stream)) != NULL)
        unlinkat(dirfd(stream), entry->d_name, 0);
    if (!name) {
        rmdir(dir);
        return NULL;
    }
    fd = openat(dirfd(stream), name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    must(fd >= 0 && write(fd, bytes, len) == (ssize_t)len);
    close(fd);
    return dir;
}

static inline void fix_leave(void)
{
    fix_directory(NULL, NULL, 0);
}

static inline struct sr_store *fix_open(const char *dir,
                                        struct sr_store_recovery *ret_recovery)
{
    static struct sr_disk disk;
    struct sr_store_options options = { .cap = SR_STORE_CAP_MIN,
                                        .sync = SR_SYNC_INTERVAL,
                                        .sync_ms = 1000,
                                        .disk = &disk };
    struct sr_store *store;

    disk = sr_system_disk;
    disk.fdatasync = disk.sync_dir = fix_no_sync;
    must(sr_store_open(dir, &options, &store, ret_recovery, NULL, 0) == 0);
    return store;
}

#endif
