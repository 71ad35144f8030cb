/* SPDX-License-Identifier: MIT */
/* Files of the store out of a fuzzer's bytes. No fuzzer guesses checksums, so they are made right
 * where its first byte says so; and a directory to open them in. */
#ifndef FUZZ_SEGMENT_FIX_H
#define FUZZ_SEGMENT_FIX_H

#include "fuzz.h"
#include "store/crc32c.h"
#include "store/disk.h"
#include "store/segment_p.h"
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static inline struct sr_segment_header fix_header(const uint8_t *bytes, size_t len,
                                                  enum sr_segment_content content,
                                                  uint64_t number)
{
    struct sr_segment_header header = { .version = len > 8 && bytes[8] == 2 ? 2 : 1,
                                        .content = content,
                                        .salt = 7,
                                        .number = number,
                                        .base = 1,
                                        .boot_tag = 3 };

    if (header.version == 2 && bytes[9]) { /* used before */
        header.before_number = 1 + (uint64_t)bytes[9] % 8;
        header.before_salt = 5;
    }
    return header;
}

/* Writes a good header over what there is, of version 2 if its byte says so and 1 otherwise, and
 * checksums into records, but into every eighth at random. */
static inline void fix_up(uint8_t *bytes, size_t len, enum sr_segment_content content,
                          uint64_t number)
{
    const struct sr_segment_header header = fix_header(bytes, len, content, number);
    size_t at = sr_segment_begin(&header), least = sr_segment_head_min(&header);

    if (len < at)
        return;
    sr_segment_put_header(&header, bytes);
    while (at + least <= len) {
        uint8_t *head = bytes + at;
        size_t size = sr_segment_record_len(&header, head);
        uint32_t crc;

        if (size > len - at)
            return;
        if (head[0] % 8 != 7) { /* the byte where the checksum will be */
            crc = sr_crc32c(sr_record_seed(&header, at), head + 4, size - 4);
            sr_put(head, crc, 4);
        }
        at += sr_segment_record_size(&header, head);
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
