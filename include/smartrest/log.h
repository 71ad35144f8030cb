/* SPDX-License-Identifier: MIT */
/* Log: what the library and its host have to say to people.
 *
 *     #define SR_LOG_COMPONENT "pump"          before including; else "app"
 *     #include <smartrest/log.h>
 *
 *     sr_log_set_level(SR_LOG_INFO)            once, if `notice` does not suit
 *     sr_log_set_dest("/var/log/pump.log")     once, if stderr does not suit
 *     sr_notice("valve %d opened", valve)      anywhere, from any thread
 *
 * One message is one line, written by one write(2):
 *
 *     Nov 22 17:40:01 notice pump: valve 3 opened
 *
 * in local time. What would end or repaint a line (line ends, control bytes, bytes
 * that are not UTF-8, marks that turn the direction of text) is written as \n, \r,
 * \t or \xHH; a backslash stands for itself. Line ends at the end of a message are
 * left out. A line longer than SR_LOG_LINE_MAX is cut, and ends in "...[cut]".
 *
 * A message costs one comparison when its level is off, and no allocation when on.
 * Logging never fails towards its caller, leaves errno alone, and does not wait for
 * a disk that is full or a reader that stands still: such lines are dropped and
 * counted, and once lines can be written again one of them says how many are
 * missing. Every call may come from any thread, but not from a signal handler.
 *
 * The log belongs to the process: all agents in it share level and destination. */
#ifndef SMARTREST_LOG_H
#define SMARTREST_LOG_H

#include <smartrest/error.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Bytes of the longest line, its line end included. */
#define SR_LOG_LINE_MAX 1024

/* Rising; SR_LOG_OFF is a level to set, not one to log with. */
enum sr_log_level {
    SR_LOG_DEBUG,
    SR_LOG_INFO,
    SR_LOG_NOTICE,
    SR_LOG_WARNING,
    SR_LOG_ERROR,
    SR_LOG_CRITICAL,
    SR_LOG_OFF
};

/* Messages below `level` are not logged. Default: SR_LOG_NOTICE. */
SR_API void sr_log_set_level(enum sr_log_level level);
/* The level below which nothing is logged. */
SR_API enum sr_log_level sr_log_get_level(void);
/* Is a message with `level` logged? */
SR_API bool sr_log_is_enabled(enum sr_log_level level);

/* "debug", "info" ... "critical", "off"; a static string, never NULL. */
SR_API const char *sr_log_level_name(enum sr_log_level level);

/* --- where lines go ----------------------------------------------------- */

/* Lines go to file `path`, which is made (mode 0640, less the umask) or appended
 * to. A regular file never grows beyond the quota: it becomes `path`.1, the older
 * `path`.1 becomes `path`.2, the older `path`.2 is removed. It stays the same file
 * when the host changes its working directory later. If it is moved or removed, as by
 * logrotate, or its folder is, the next line goes into a new file at `path`; nobody
 * has to be told. A symbolic link stays one, and its target gets the backups.
 *
 * NULL: lines go to stderr, as they do from the start. What fd 2 is, is looked at
 * when the library is loaded and by this call. If something else has got the number
 * since, because the host closed fd 2, lines are dropped rather than written into a
 * socket, a pipe or a data file that is not ours; only a terminal or device, or a
 * file opened for appending, is taken for a new stderr. A host that redirects its
 * fd 2 to something else calls this again with NULL.
 *
 * Returns 0; SR_E_INVAL: `path` names no file, or is too long; SR_E_IO: it cannot be
 * opened, see errno; SR_E_STATE: called from a sink. On failure nothing changes. */
SR_API int sr_log_set_dest(const char *path);

/* How large the file may become, in KB (1024 bytes); its backups are as large again,
 * each. Default 1024. Returns 0; SR_E_INVAL for 0; SR_E_STATE: called from a sink. */
SR_API int sr_log_set_quota(uint32_t kb);
/* In KB. */
SR_API uint32_t sr_log_get_quota(void);

/* Gets every message instead of file or stderr. `text` is escaped and cut like a
 * line, without time, level and line end; component and text are valid during the
 * call. Calls never overlap. What a sink logs itself is dropped. */
typedef void sr_log_fn(enum sr_log_level level, const char *component, const char *text,
                       void *arg);

/* NULL `fn`: back to the file of sr_log_set_dest(), or stderr. Once this returns,
 * the sink that was set before is not running and is not called again.
 * Returns 0, or SR_E_STATE if called from a sink. */
SR_API int sr_log_set_sink(sr_log_fn *fn, void *arg);

/* Lines dropped since the process began. */
SR_API uint64_t sr_log_dropped(void);

/* --- logging ------------------------------------------------------------ */

#ifndef SR_LOG_COMPONENT
/* Who speaks, in the lines of this source file. */
#define SR_LOG_COMPONENT "app"
#endif

/* Each makes a message of its level, printf-like; the compiler checks the arguments, which
 * are not evaluated when the level is off. Never log credentials. */
#define sr_debug(...)    SR_LOG(SR_LOG_DEBUG, __VA_ARGS__)
#define sr_info(...)     SR_LOG(SR_LOG_INFO, __VA_ARGS__)
#define sr_notice(...)   SR_LOG(SR_LOG_NOTICE, __VA_ARGS__)
#define sr_warning(...)  SR_LOG(SR_LOG_WARNING, __VA_ARGS__)
#define sr_error(...)    SR_LOG(SR_LOG_ERROR, __VA_ARGS__)
#define sr_critical(...) SR_LOG(SR_LOG_CRITICAL, __VA_ARGS__)

/* The same for a level that is known at run time. */
#define SR_LOG(level, ...)                                        \
    do {                                                          \
        if (SR_LOG_ON(level))                                     \
            sr_log_write((level), SR_LOG_COMPONENT, __VA_ARGS__); \
    } while (0)

/* The functions behind the macros, for bindings: both check the level, too. */
SR_API void sr_log_write(enum sr_log_level level, const char *component,
                         const char *format, ...) SR_PRINTF(3, 4);
SR_API void sr_log_vwrite(enum sr_log_level level, const char *component,
                          const char *format, va_list args) SR_PRINTF(3, 0);

/* The level, for SR_LOG_ON() alone: an atomic that C++ can include. */
SR_API extern int sr_log_threshold;
#if defined(__GNUC__)
/* Is `level` logged? One comparison. */
#define SR_LOG_ON(level) \
    ((int)(level) >= __atomic_load_n(&sr_log_threshold, __ATOMIC_RELAXED))
#else
#define SR_LOG_ON(level) sr_log_is_enabled(level)
#endif

#ifdef __cplusplus
}
#endif
#endif
