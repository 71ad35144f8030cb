/* SPDX-License-Identifier: MIT */
#include "log/line.h"
#include "log/out.h"
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define KB 1024u

int sr_log_threshold = SR_LOG_NOTICE;

static _Atomic uint64_t dropped;

/* Guarded by `lock`, which also keeps lines and sinks from overlapping. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
    sr_log_fn *fn;
    void *arg;
    bool has_file;
    struct sr_log_file file;
    struct sr_log_terminal terminal;
    uint32_t quota_kb;
    uint64_t missing; /* lines dropped that no line has told of yet */
    int reason;       /* errno of the last of them */
} out = { .quota_kb = 1024 };

/* This thread is inside the log: a sink that logs, or a signal handler that should
 * not, must not wait for its own lock. */
static _Thread_local volatile bool inside;

/* --- lock ----------------------------------------------------------------- */

static bool enter(void)
{
    if (inside)
        return false;
    inside = true;
    pthread_mutex_lock(&lock);
    return true;
}

static void leave(void)
{
    pthread_mutex_unlock(&lock);
    inside = false;
}

/* A child made while another thread is writing shall find the lock open. */
static void before_fork(void)
{
    if (!inside)
        pthread_mutex_lock(&lock);
}

static void after_fork(void)
{
    if (!inside)
        pthread_mutex_unlock(&lock);
}

/* Before the host can have closed fd 2 and opened something else. */
__attribute__((constructor)) static void at_load(void)
{
    sr_log_terminal_look(&out.terminal);
    pthread_atfork(before_fork, after_fork, after_fork);
}

/* --- level ---------------------------------------------------------------- */

void sr_log_set_level(enum sr_log_level level)
{
    __atomic_store_n(&sr_log_threshold, (int)level, __ATOMIC_RELAXED);
}

enum sr_log_level sr_log_get_level(void)
{
    return (enum sr_log_level)__atomic_load_n(&sr_log_threshold, __ATOMIC_RELAXED);
}

bool sr_log_is_enabled(enum sr_log_level level)
{
    return level < SR_LOG_OFF && SR_LOG_ON(level);
}

const char *sr_log_level_name(enum sr_log_level level)
{
    static const char *const name[] = { "debug", "info",     "notice", "warning",
                                        "error", "critical", "off" };

    return (unsigned)level < sizeof name / sizeof *name ? name[level] : "unknown";
}

/* --- lines ---------------------------------------------------------------- */

static int put(const char *line, size_t len)
{
    if (out.has_file)
        return sr_log_file_line(&out.file, (uint64_t)out.quota_kb * KB, line, len);
    return sr_log_terminal_line(&out.terminal, line, len);
}

static void drop(int reason)
{
    out.missing++;
    out.reason = reason;
    atomic_fetch_add(&dropped, 1);
}

static int tell_missing(time_t now)
{
    char text[120], line[SR_LOG_LINE_MAX + 1];
    int rc;

    snprintf(text, sizeof text, "lines missing here: %" PRIu64 " (%s)", out.missing,
             strerror(out.reason));
    rc = put(line, sr_log_line(line, SR_LOG_WARNING, "log", text, now));
    if (rc == 0)
        out.missing = 0;
    return rc;
}

static void write_line(enum sr_log_level level, const char *component, const char *text)
{
    char line[SR_LOG_LINE_MAX + 1];
    time_t now = time(NULL);
    size_t len = sr_log_line(line, level, component, text, now);
    int rc = out.missing ? tell_missing(now) : 0;

    if (rc == 0)
        rc = put(line, len);
    if (rc)
        drop(rc);
}

static void give_to_sink(enum sr_log_level level, const char *component,
                         const char *text)
{
    char escaped[SR_LOG_LINE_MAX];

    sr_log_escape(escaped, sizeof escaped, text);
    out.fn(level, component, escaped, out.arg);
}

/* Formats a message; longer than the text of any line, it is cut like one later. */
static void format_text(char *text, size_t cap, const char *format, va_list args)
{
    int len = format ? vsnprintf(text, cap, format, args) : -1;

    if (len < 0)
        snprintf(text, cap, "message cannot be formatted: %s",
                 format ? format : "NULL");
    while (len > 0 && (size_t)len < cap && strchr("\r\n", text[len - 1]))
        text[--len] = '\0';
}

void sr_log_vwrite(enum sr_log_level level, const char *component, const char *format,
                   va_list args)
{
    char text[SR_LOG_LINE_MAX + 1];
    int error = errno;

    if (!sr_log_is_enabled(level))
        return;
    format_text(text, sizeof text, format, args);
    if (!component)
        component = "app";
    if (!enter()) {
        atomic_fetch_add(&dropped, 1);
    } else {
        (out.fn ? give_to_sink : write_line)(level, component, text);
        leave();
    }
    errno = error;
}

void sr_log_write(enum sr_log_level level, const char *component, const char *format,
                  ...)
{
    va_list args;

    va_start(args, format);
    sr_log_vwrite(level, component, format, args);
    va_end(args);
}

/* --- destinations --------------------------------------------------------- */

static int open_dest(const char *path, struct sr_log_file *ret_file)
{
    int error = sr_log_file_open(path, ret_file);

    errno = error;
    if (!error)
        return 0;
    return error == EINVAL || error == ENAMETOOLONG ? SR_E_INVAL : SR_E_IO;
}

int sr_log_set_dest(const char *path)
{
    struct sr_log_file file;
    int rc = inside ? SR_E_STATE : 0;

    if (rc == 0 && path)
        rc = open_dest(path, &file);
    if (rc)
        return rc;
    enter();
    if (out.has_file)
        sr_log_file_close(&out.file);
    out.has_file = path != NULL;
    if (path)
        out.file = file;
    else
        sr_log_terminal_look(&out.terminal);
    leave();
    return 0;
}

int sr_log_set_sink(sr_log_fn *fn, void *arg)
{
    if (!enter())
        return SR_E_STATE;
    out.fn = fn;
    out.arg = arg;
    leave();
    return 0;
}

int sr_log_set_quota(uint32_t kb)
{
    if (kb == 0)
        return SR_E_INVAL;
    if (!enter())
        return SR_E_STATE;
    out.quota_kb = kb;
    leave();
    return 0;
}

uint32_t sr_log_get_quota(void)
{
    bool locked = enter();
    uint32_t kb = out.quota_kb;

    if (locked)
        leave();
    return kb;
}

uint64_t sr_log_dropped(void)
{
    return atomic_load(&dropped);
}
