/* SPDX-License-Identifier: MIT */
#include "medium.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    STEPS = 20000,
    FILES = 2048, /* ever, whatever their names */
    FDS = 1024,
    NAME = 64,
    SECTOR = 512
};

enum kind { WRITE, RESIZE, GROW, SYNC, CREATE, RENAME, UNLINK, SYNC_DIR };

struct step {
    enum kind kind;
    int file;
    off_t
        at; /* WRITE: offset. RESIZE, GROW: size. SYNC, SYNC_DIR: how many steps it covers. RENAME:
               the file */
    size_t len;
    char *bytes;
    char name[NAME], to[NAME];
};

struct content {
    char *bytes;
    size_t len;
};

struct name {
    char name[NAME];
    int file;
};

struct medium {
    pthread_mutex_t lock;
    struct sr_disk disk;
    struct step *steps;
    size_t count;
    struct content *base; /* of each file, before the first step */
    int files;
    struct name names[FILES]; /* before the first step */
    int name_count;
    int file_of[FDS];
    struct name now[FILES]; /* names as the running system sees them */
    int now_count;
};

/* --- names ---------------------------------------------------------------------- */

static int find(const struct name *names, int count, const char *name)
{
    for (int i = 0; i < count; i++)
        if (!strcmp(names[i].name, name))
            return i;
    return -1;
}

static void drop_name(struct name *names, int *count, const char *name)
{
    int i = find(names, *count, name);

    if (i >= 0)
        names[i] = names[--*count];
}

static void add_name(struct name *names, int *count, const char *name, int file)
{
    drop_name(names, count, name);
    assert_in_range(*count, 0, FILES - 1);
    names[*count].file = file;
    strcpy(names[(*count)++].name, name);
}

static void apply_name(struct name *names, int *count, const struct step *s)
{
    int i;

    switch (s->kind) {
    case CREATE: add_name(names, count, s->name, s->file); break;
    case UNLINK: drop_name(names, count, s->name); break;
    case RENAME:
        i = find(names, *count, s->name);
        if (i < 0)
            break;
        add_name(names, count, s->to, names[i].file);
        drop_name(names, count, s->name);
        break;
    default: break;
    }
}

/* --- recording ------------------------------------------------------------------ */

static struct step *add(struct medium *m, enum kind kind, int file)
{
    struct step *s = &m->steps[m->count++];

    assert_in_range(m->count, 1, STEPS);
    *s = (struct step){ .kind = kind, .file = file };
    return s;
}

static int rec_open(void *arg, int dir, const char *name, int flags, mode_t mode)
{
    struct medium *m = arg;
    struct step *s;
    int fd, i;

    assert_true(strlen(name) < NAME);
    pthread_mutex_lock(&m->lock);
    fd = openat(dir, name, flags, mode);
    if (fd >= 0) {
        assert_in_range(fd, 0, FDS - 1);
        i = find(m->now, m->now_count, name);
        m->file_of[fd] = i < 0 ? m->files++ : m->now[i].file;
        assert_in_range(m->files, 0, FILES - 1);
        if (i < 0) {
            s = add(m, CREATE, m->file_of[fd]);
            strcpy(s->name, name);
            apply_name(m->now, &m->now_count, s);
        } else if (flags & O_TRUNC) {
            add(m, RESIZE, m->file_of[fd])->at = 0;
        }
    }
    pthread_mutex_unlock(&m->lock);
    return fd;
}

static ssize_t rec_pread(void *arg, int fd, void *bytes, size_t len, off_t offset)
{
    (void)arg;
    return pread(fd, bytes, len, offset);
}

static ssize_t rec_pwritev(void *arg, int fd, const struct iovec *parts, int count,
                           off_t offset)
{
    struct medium *m = arg;
    struct step *s;
    ssize_t n;

    pthread_mutex_lock(&m->lock);
    n = pwritev(fd, parts, count, offset);
    if (n > 0) {
        s = add(m, WRITE, m->file_of[fd]);
        s->at = offset;
        s->bytes = malloc((size_t)n);
        for (int i = 0; i < count && s->len < (size_t)n; i++) {
            size_t len = parts[i].iov_len;

            len = len < (size_t)n - s->len ? len : (size_t)n - s->len;
            memcpy(s->bytes + s->len, parts[i].iov_base, len);
            s->len += len;
        }
    }
    pthread_mutex_unlock(&m->lock);
    return n;
}

/* Takes as long as on a card, so that others can write meanwhile: that is not covered. */
static void sync_slowly(struct medium *m, enum kind kind, int fd)
{
    size_t covered;
    int file;

    pthread_mutex_lock(&m->lock);
    covered = m->count;
    file = kind == SYNC ? m->file_of[fd] : -1;
    pthread_mutex_unlock(&m->lock);
    usleep(300);
    pthread_mutex_lock(&m->lock);
    add(m, kind, file)->at = (off_t)covered;
    pthread_mutex_unlock(&m->lock);
}

static int rec_fdatasync(void *arg, int fd)
{
    sync_slowly(arg, SYNC, fd);
    return 0;
}

static int rec_sync_dir(void *arg, int dir)
{
    sync_slowly(arg, SYNC_DIR, dir);
    return 0;
}

static int rec_fallocate(void *arg, int fd, off_t len)
{
    struct medium *m = arg;
    int rc;

    pthread_mutex_lock(&m->lock);
    rc = fallocate(fd, 0, 0, len);
    if (!rc)
        add(m, GROW, m->file_of[fd])->at = len;
    pthread_mutex_unlock(&m->lock);
    return rc;
}

static int rec_ftruncate(void *arg, int fd, off_t len)
{
    struct medium *m = arg;
    int rc;

    pthread_mutex_lock(&m->lock);
    rc = ftruncate(fd, len);
    if (!rc)
        add(m, RESIZE, m->file_of[fd])->at = len;
    pthread_mutex_unlock(&m->lock);
    return rc;
}

static int rec_rename(void *arg, int dir, const char *from, const char *to)
{
    struct medium *m = arg;
    struct step *s;
    int rc;

    pthread_mutex_lock(&m->lock);
    rc = renameat(dir, from, dir, to);
    if (!rc) {
        s = add(m, RENAME, -1);
        s->at = m->now[find(m->now, m->now_count, from)].file;
        strcpy(s->name, from);
        strcpy(s->to, to);
        apply_name(m->now, &m->now_count, s);
    }
    pthread_mutex_unlock(&m->lock);
    return rc;
}

static int rec_unlink(void *arg, int dir, const char *name)
{
    struct medium *m = arg;
    struct step *s;
    int rc;

    pthread_mutex_lock(&m->lock);
    rc = unlinkat(dir, name, 0);
    if (!rc) {
        s = add(m, UNLINK, -1);
        strcpy(s->name, name);
        apply_name(m->now, &m->now_count, s);
    }
    pthread_mutex_unlock(&m->lock);
    return rc;
}

/* --- starting, stopping --------------------------------------------------------- */

static void load(struct medium *m, int dir, const char *name)
{
    struct content *c = &m->base[m->files];
    int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
    struct stat st;

    assert_true(fd >= 0 && !fstat(fd, &st));
    c->len = (size_t)st.st_size;
    c->bytes = malloc(c->len + 1);
    assert_int_equal(read(fd, c->bytes, c->len), c->len);
    close(fd);
    add_name(m->names, &m->name_count, name, m->files++);
}

static void load_all(struct medium *m, const char *path)
{
    DIR *dir = opendir(path);
    struct dirent *entry;

    if (!dir)
        return; /* the store will make it */
    while ((entry = readdir(dir)))
        if (entry->d_name[0] != '.')
            load(m, dirfd(dir), entry->d_name);
    closedir(dir);
}

struct medium *medium_start(const char *dir)
{
    struct medium *m = calloc(1, sizeof *m);

    assert_non_null(m);
    m->steps = calloc(STEPS, sizeof *m->steps);
    m->base = calloc(FILES, sizeof *m->base);
    pthread_mutex_init(&m->lock, NULL);
    m->disk = (struct sr_disk){
        rec_open,      rec_pread,  rec_pwritev, rec_fdatasync, rec_fallocate,
        rec_ftruncate, rec_rename, rec_unlink,  rec_sync_dir,  m
    };
    load_all(m, dir);
    memcpy(m->now, m->names, sizeof m->now);
    m->now_count = m->name_count;
    return m;
}

void medium_stop(struct medium *m)
{
    for (size_t i = 0; i < m->count; i++)
        free(m->steps[i].bytes);
    for (int i = 0; i < m->files; i++)
        free(m->base[i].bytes);
    pthread_mutex_destroy(&m->lock);
    free(m->steps);
    free(m->base);
    free(m);
}

const struct sr_disk *medium_disk(struct medium *m)
{
    return &m->disk;
}

size_t medium_renames(struct medium *m, const char *from)
{
    size_t count = 0;

    pthread_mutex_lock(&m->lock);
    for (size_t i = 0; i < m->count; i++)
        count += m->steps[i].kind == RENAME && strcmp(m->steps[i].name, from) == 0;
    pthread_mutex_unlock(&m->lock);
    return count;
}

size_t medium_steps(struct medium *m)
{
    size_t steps;

    pthread_mutex_lock(&m->lock);
    steps = m->count;
    pthread_mutex_unlock(&m->lock);
    return steps;
}

/* --- cutting -------------------------------------------------------------------- */

/* How many of the first steps are on the medium for sure: for a file, or for names (-1). */
static size_t synced(const struct medium *m, size_t steps, int file)
{
    enum kind kind = file < 0 ? SYNC_DIR : SYNC;
    size_t covered = 0;

    for (size_t i = 0; i < steps; i++)
        if (m->steps[i].kind == kind && m->steps[i].file == file &&
            (size_t)m->steps[i].at > covered)
            covered = (size_t)m->steps[i].at;
    return covered;
}

/* The last one that it got. */
static bool has_sure_name(const struct medium *m, size_t steps, int file)
{
    size_t sure = synced(m, steps, -1);
    bool named = false;

    for (int i = 0; i < m->name_count; i++)
        named = named || m->names[i].file == file;
    for (size_t i = 0; i < steps; i++)
        if ((m->steps[i].kind == CREATE && m->steps[i].file == file) ||
            (m->steps[i].kind == RENAME && m->steps[i].at == file))
            named = i < sure;
    return named;
}

bool medium_is_sure(struct medium *m, size_t steps, size_t step)
{
    int file = m->steps[step].file;

    return step < synced(m, steps, file) && (file < 0 || has_sure_name(m, steps, file));
}

/* What becomes of a step that is not synced. The cut has a temper: a journal keeps them in order
 * (all up to some moment), a cache writes what it likes. */
struct temper {
    bool in_order;
    size_t until;     /* in order: steps before are there */
    unsigned percent; /* else: so many are */
};

static bool is_there(const struct temper *t, size_t step, struct dice *dice)
{
    return t->in_order ? step < t->until : dice_percent(dice, t->percent);
}

static void resize(struct content *c, size_t len)
{
    c->bytes = realloc(c->bytes, len + 1);
    assert_non_null(c->bytes);
    if (len > c->len)
        memset(c->bytes + c->len, 0, len - c->len);
    c->len = len;
}

/* Some sectors of it; those at its ends may be parts of sectors. */
static void write_torn(struct content *c, const struct step *s, struct dice *dice)
{
    for (size_t at = 0, len; at < s->len; at += len) {
        len = SECTOR - ((size_t)s->at + at) % SECTOR;
        len = len < s->len - at ? len : s->len - at;
        if (dice_percent(dice, 50))
            memcpy(c->bytes + s->at + at, s->bytes + at, len);
    }
}

/* A prefix of it, as if the device had no sectors. */
static void write_cut(struct content *c, const struct step *s, struct dice *dice)
{
    memcpy(c->bytes + s->at, s->bytes, dice_below(dice, (unsigned)s->len + 1));
}

static void write_step(struct content *c, const struct step *s, bool sure,
                       struct dice *dice)
{
    unsigned how = sure ? 99 : dice_below(dice, 100);

    if (c->len < (size_t)s->at + s->len)
        resize(c, (size_t)s->at + s->len);
    if (how < 20)
        write_torn(c, s, dice);
    else if (how < 40)
        write_cut(c, s, dice);
    else
        memcpy(c->bytes + s->at, s->bytes, s->len);
}

static void content_of(const struct medium *m, int file, size_t steps,
                       const struct temper *temper, struct dice *dice,
                       struct content *ret_content)
{
    const struct content *base = &m->base[file];
    size_t sure = synced(m, steps, file);

    *ret_content = (struct content){ 0 };
    resize(ret_content, base->len);
    if (base->len)
        memcpy(ret_content->bytes, base->bytes, base->len);
    for (size_t i = 0; i < steps; i++) {
        const struct step *s = &m->steps[i];

        if (s->file != file || (i >= sure && !is_there(temper, i, dice)))
            continue;
        if (s->kind == WRITE)
            write_step(ret_content, s, i < sure, dice);
        else if (s->kind == RESIZE ||
                 (s->kind == GROW && (size_t)s->at > ret_content->len))
            resize(ret_content, (size_t)s->at);
    }
}

static void store_content(const char *dir, const char *name, struct content *c)
{
    char path[256];
    int fd;

    snprintf(path, sizeof path, "%s/%s", dir, name);
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, c->bytes, c->len), c->len);
    close(fd);
    free(c->bytes);
}

void medium_cut(struct medium *m, size_t steps, struct dice *dice, const char *to)
{
    size_t sure = synced(m, steps, -1);
    struct name *names = malloc(sizeof m->names);
    struct temper temper = { .in_order = dice_percent(dice, 50),
                             .percent = dice_below(dice, 101) };
    int count = m->name_count;
    struct content content;

    /* In order, up to a moment that is not long ago. */
    temper.until = steps - dice_below(dice, steps < 30 ? (unsigned)steps + 1 : 30);
    memcpy(names, m->names, sizeof m->names);
    for (size_t i = 0; i < steps; i++)
        if (i < sure || is_there(&temper, i, dice))
            apply_name(names, &count, &m->steps[i]);
    for (int i = 0; i < count; i++) {
        content_of(m, names[i].file, steps, &temper, dice, &content);
        store_content(to, names[i].name, &content);
    }
    free(names);
}
