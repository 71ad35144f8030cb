/* SPDX-License-Identifier: MIT */
/* Files of an outbox, made byte by byte for tests.
 *
 *     begin_file -> add_row, add_done, add_quarantined ... -> save_file */
#ifndef OUTBOX_FILES_TEST_H
#define OUTBOX_FILES_TEST_H

#include "store/segment.h"
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <smartrest/agent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
/* after what it needs */
#include <cmocka.h>

#define NOON INT64_C(1795348800000) /* 2026-11-22T12:00:00.000Z */

struct made_file {
    struct sr_segment_header header;
    uint8_t bytes[64 * 1024];
    size_t len, last, text; /* of all; where the last record begins, and its text */
};

/* Number 0: the quarantine file. */
static inline void begin_file(struct made_file *file, uint64_t number)
{
    file->header = (struct sr_segment_header){
        .version = SR_SEGMENT_VERSION,
        .content = number ? SR_CONTENT_LOG : SR_CONTENT_QUARANTINE,
        .salt = 0x5a17,
        .number = number,
        .base = 1,
        .boot_tag = 7,
        .wall_ms = NOON,
    };
    memset(file->bytes, 0, sizeof file->bytes);
    file->len = sr_segment_put_header(&file->header, file->bytes);
}

static inline void add_record(struct made_file *file, enum sr_record_kind kind,
                              const struct sr_entry *entry)
{
    uint8_t *at = file->bytes + file->len;
    size_t size, head;

    assert_true(file->len + SR_RECORD_HEAD_MAX + entry->len + 8 < sizeof file->bytes);
    head = sr_segment_put_record(&file->header, file->len, kind, entry, at, &size);
    memcpy(at + head, entry->row, entry->len);
    file->last = file->len;
    file->text = file->len + head;
    file->len += size;
}

/* Sent `seq` seconds after noon. */
static inline struct sr_entry entry_of(uint64_t seq, const char *text)
{
    return (struct sr_entry){
        .seq = seq,
        .prio = SR_PRIO_BUF,
        .put = {.wall_ms = NOON + (int64_t)(seq % 43200) * 1000, .boot_tag = 7},
        .row = text,
        .len = strlen(text),
    };
}

static inline void add_row(struct made_file *file, uint64_t seq, const char *text)
{
    struct sr_entry entry = entry_of(seq, text);

    add_record(file, SR_RECORD_ROW, &entry);
}

static inline void add_channel(struct made_file *file, uint32_t number,
                               const char *name)
{
    struct sr_entry entry = { .channel = number, .row = name, .len = strlen(name) };

    add_record(file, SR_RECORD_CHANNEL, &entry);
}

/* Rows from `first` to `last` are done. */
static inline void add_done(struct made_file *file, uint64_t first, uint64_t last)
{
    struct sr_snapshot snapshot = { .next = last + 1,
                                    .ranges = 1,
                                    .range = { { first, last } } };
    uint8_t bytes[SR_SNAPSHOT_MAX];
    struct sr_entry entry = { .row = (const char *)bytes,
                              .len =
                                  sr_snapshot_encode(&file->header, &snapshot, bytes) };

    add_record(file, SR_RECORD_SNAPSHOT, &entry);
}

static inline void add_quarantined(struct made_file *file, uint64_t seq,
                                   const char *why, const char *text)
{
    static uint8_t bytes[SR_QUARANTINE_MAX];
    struct sr_entry entry = entry_of(seq, text);

    entry.len = sr_quarantine_encode(&entry, why, bytes);
    entry.row = (const char *)bytes;
    add_record(file, SR_RECORD_QUARANTINE, &entry);
}

static inline void save_bytes(const char *dir, const char *name, const void *bytes,
                              size_t len)
{
    char path[300];
    int fd;

    snprintf(path, sizeof path, "%s/%s", dir, name);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, len), len);
    close(fd);
}

/* With zeros behind it up to `size` bytes, as preallocated files have them. */
static inline void save_file(const struct made_file *file, const char *dir, size_t size)
{
    char name[SR_SEGMENT_NAME_MAX] = SR_QUARANTINE_NAME;

    if (file->header.number)
        snprintf(name, sizeof name, SR_SEGMENT_NAME,
                 (unsigned long long)file->header.number);
    save_bytes(dir, name, file->bytes, size > file->len ? size : file->len);
}

/* Removes the directory and the files in it. */
static inline void remove_dir(const char *dir)
{
    DIR *stream = opendir(dir);
    struct dirent *entry;

    while (stream && (entry = readdir(stream)))
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            unlinkat(dirfd(stream), entry->d_name, 0);
    if (stream)
        closedir(stream);
    rmdir(dir);
}

#endif
