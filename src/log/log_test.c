/* SPDX-License-Identifier: MIT */
#define SR_LOG_COMPONENT "pump"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <smartrest/log.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
/* after what it needs */
#include <cmocka.h>

#define CUT "...[cut]"

struct fixture {
    char dir[64];
    char path[128];
    int terminal; /* the real fd 2 */
    int messages; /* that the sink got */
    char last[SR_LOG_LINE_MAX];
    char component[32];
    enum sr_log_level level;
};

static int set_up(void **state)
{
    struct fixture *fx = calloc(1, sizeof *fx);

    strcpy(fx->dir, "/tmp/log_test.XXXXXX");
    if (!mkdtemp(fx->dir))
        return -1;
    snprintf(fx->path, sizeof fx->path, "%s/agent.log", fx->dir);
    fx->terminal = dup(STDERR_FILENO);
    *state = fx;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fx = *state;
    char command[128];

    sr_log_set_sink(NULL, NULL);
    sr_log_set_dest(fx->path);
    sr_error("the end"); /* tells of lines dropped on purpose, not in the next test */
    dup2(fx->terminal, STDERR_FILENO);
    close(fx->terminal);
    sr_log_set_dest(NULL);
    sr_log_set_level(SR_LOG_NOTICE);
    sr_log_set_quota(1024);
    snprintf(command, sizeof command, "rm -rf %s", fx->dir);
    if (system(command) != 0)
        return -1;
    free(fx);
    return 0;
}

static char *path_of(struct fixture *fx, const char *suffix)
{
    static char path[200];

    snprintf(path, sizeof path, "%s%s", fx->path, suffix);
    return path;
}

static long size_of(const char *path)
{
    struct stat st;

    return stat(path, &st) < 0 ? -1 : (long)st.st_size;
}

/* The whole file, in memory of ours. */
static const char *text_of(const char *path)
{
    static char text[1 << 20];
    FILE *file = fopen(path, "r");
    size_t len = file ? fread(text, 1, sizeof text - 1, file) : 0;

    if (file)
        fclose(file);
    text[len] = '\0';
    return text;
}

static int lines_in(const char *text)
{
    int n = 0;

    for (; *text; text++)
        n += *text == '\n';
    return n;
}

static void log_to_file(struct fixture *fx)
{
    assert_int_equal(sr_log_set_dest(fx->path), 0);
}

/* What stands in the file behind `component: ` of its only line. */
static void expect_message(struct fixture *fx, const char *message)
{
    char expected[2 * SR_LOG_LINE_MAX];
    const char *text = text_of(fx->path), *at = strstr(text, " pump: ");

    snprintf(expected, sizeof expected, " pump: %s\n", message);
    assert_non_null(at);
    assert_string_equal(at, expected);
    assert_int_equal(lines_in(text), 1);
}

static void keep(enum sr_log_level level, const char *component, const char *text,
                 void *arg)
{
    struct fixture *fx = arg;

    fx->messages++;
    fx->level = level;
    snprintf(fx->component, sizeof fx->component, "%s", component);
    snprintf(fx->last, sizeof fx->last, "%s", text);
}

/* --- levels --------------------------------------------------------------- */

static int evaluated;

static int evaluate(void)
{
    return ++evaluated;
}

static void logs_notice_and_above_unless_told_otherwise(void **state)
{
    struct fixture *fx = *state;

    sr_log_set_sink(keep, fx);
    assert_int_equal(sr_log_get_level(), SR_LOG_NOTICE);
    sr_info("not %s", "this");
    assert_int_equal(fx->messages, 0);
    sr_notice("but %s", "this");
    assert_string_equal(fx->last, "but this");
    assert_string_equal(fx->component, "pump");
    assert_int_equal(fx->level, SR_LOG_NOTICE);
}

static void every_level_can_be_the_lowest(void **state)
{
    struct fixture *fx = *state;

    sr_log_set_sink(keep, fx);
    for (int level = SR_LOG_DEBUG; level <= SR_LOG_OFF; level++) {
        fx->messages = 0;
        sr_log_set_level((enum sr_log_level)level);
        sr_debug("x");
        sr_info("x");
        sr_notice("x");
        sr_warning("x");
        sr_error("x");
        sr_critical("x");
        assert_int_equal(fx->messages, SR_LOG_OFF - level);
        assert_int_equal(sr_log_is_enabled(SR_LOG_ERROR), level <= SR_LOG_ERROR);
    }
}

static void a_message_that_is_off_does_not_evaluate_its_arguments(void **state)
{
    struct fixture *fx = *state;

    sr_log_set_sink(keep, fx);
    evaluated = 0;
    sr_debug("%d", evaluate());
    assert_int_equal(evaluated, 0);
    sr_error("%d", evaluate());
    assert_int_equal(evaluated, 1);
}

static void the_function_behind_the_macros_checks_the_level_too(void **state)
{
    struct fixture *fx = *state;

    sr_log_set_sink(keep, fx);
    sr_log_write(SR_LOG_DEBUG, "lua", "off");
    sr_log_write(SR_LOG_OFF, "lua", "no level");
    sr_log_write((enum sr_log_level)99, "lua", "no level");
    assert_int_equal(fx->messages, 0);
    sr_log_write(SR_LOG_ERROR, NULL, "%s", "on");
    assert_string_equal(fx->component, "app");
}

static void names_every_level(void **state)
{
    (void)state;
    assert_string_equal(sr_log_level_name(SR_LOG_DEBUG), "debug");
    assert_string_equal(sr_log_level_name(SR_LOG_CRITICAL), "critical");
    assert_string_equal(sr_log_level_name(SR_LOG_OFF), "off");
    assert_string_equal(sr_log_level_name((enum sr_log_level) - 1), "unknown");
}

/* --- lines ---------------------------------------------------------------- */

static void a_line_has_time_level_component_and_text(void **state)
{
    struct fixture *fx = *state;
    struct tm tm;
    time_t before = time(NULL), at;
    char *rest;

    log_to_file(fx);
    sr_warning("valve %d opened", 3);
    localtime_r(&before, &tm); /* for the year, which a line does not have */
    rest = strptime(text_of(fx->path), "%b %d %H:%M:%S", &tm);
    assert_non_null(rest);
    assert_string_equal(rest, " warning pump: valve 3 opened\n");
    tm.tm_isdst = -1;
    at = mktime(&tm);
    assert_true(at >= before && at <= before + 5);
}

static void a_message_over_several_lines_stays_one_line(void **state)
{
    struct fixture *fx = *state;

    log_to_file(fx);
    sr_error("%s", "user\nNov 22 17:40:01 critical app: fake\r\n\tdone\n\n");
    expect_message(fx, "user\\nNov 22 17:40:01 critical app: fake\\r\\n\\tdone");
}

static void control_bytes_cannot_reach_a_terminal(void **state)
{
    struct fixture *fx = *state;

    log_to_file(fx);
    sr_error("%s", "a\033[2Jb\177c\001d\xc2\x9b"
                   "e\xe2\x80\xae"
                   "f\\n");
    expect_message(fx, "a\\x1b[2Jb\\x7fc\\x01d\\xc2\\x9be\\xe2\\x80\\xaef\\n");
}

static void utf8_stays_and_other_bytes_are_escaped(void **state)
{
    struct fixture *fx = *state;

    log_to_file(fx);
    sr_error("%s", "20 °C \xe2\x82\xac \xf0\x9f\x98\x80 \xff \xc3 \xe2\x82 \xc0\xaf "
                   "\xed\xa0\x80 \xf4\x90\x80\x80 \xc3");
    expect_message(fx, "20 °C \xe2\x82\xac \xf0\x9f\x98\x80 \\xff \\xc3 \\xe2\\x82 "
                       "\\xc0\\xaf \\xed\\xa0\\x80 \\xf4\\x90\\x80\\x80 \\xc3");
}

static void an_overlong_message_is_cut_and_says_so(void **state)
{
    struct fixture *fx = *state;
    char text[3 * SR_LOG_LINE_MAX];
    const char *line;

    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    log_to_file(fx);
    sr_error("%s", text);
    line = text_of(fx->path);
    assert_int_equal(strlen(line), SR_LOG_LINE_MAX);
    assert_string_equal(line + strlen(line) - strlen(CUT "\n"), CUT "\n");
}

/* Whatever the length and the width of its characters: never too long, no half
 * escape, no half character, and whole if it fits. */
static void messages_of_every_length_are_whole_or_cut(void **state)
{
    static const char *const unit[] = { "x", "\n", "\xe2\x82\xac", "\xff" };
    static const char *const made[] = { "x", "\\n", "\xe2\x82\xac", "\\xff" };
    struct fixture *fx = *state;
    char text[4 * SR_LOG_LINE_MAX];

    sr_log_set_sink(keep, fx);
    for (size_t kind = 0; kind < 4; kind++) {
        size_t in = strlen(unit[kind]), wide = strlen(made[kind]);
        for (size_t n = 200; n < SR_LOG_LINE_MAX + 20; n++) {
            size_t len, units;
            for (size_t i = 0; i < n; i++)
                memcpy(text + i * in, unit[kind], in);
            strcpy(text + n * in, "."); /* line ends at the end would be left out */
            sr_error("%s", text);
            len = strlen(fx->last);
            if (n * wide + 1 < SR_LOG_LINE_MAX) {
                assert_int_equal(len, n * wide + 1);
                continue;
            }
            assert_string_equal(fx->last + len - strlen(CUT), CUT);
            units = len - strlen(CUT);
            assert_true(units % wide == 0 && len < SR_LOG_LINE_MAX);
            assert_true(len + wide >= SR_LOG_LINE_MAX);
            for (size_t i = 0; i < units; i += wide)
                assert_memory_equal(fx->last + i, made[kind], wide);
        }
    }
}

static void an_empty_message_is_a_line(void **state)
{
    struct fixture *fx = *state;

    log_to_file(fx);
    sr_error("%s", "");
    expect_message(fx, "");
}

static void leaves_errno_alone(void **state)
{
    struct fixture *fx = *state;

    assert_int_equal(sr_log_set_dest("/dev/full"), 0);
    errno = EDOM;
    sr_error("lost");
    assert_int_equal(errno, EDOM);
    log_to_file(fx);
    errno = EDOM;
    sr_error("written");
    assert_int_equal(errno, EDOM);
}

/* --- file ----------------------------------------------------------------- */

static void a_file_is_private_and_appended_to(void **state)
{
    struct fixture *fx = *state;
    struct stat st;
    mode_t before = umask(0);

    log_to_file(fx);
    umask(before);
    sr_error("one");
    log_to_file(fx);
    sr_error("two");
    assert_int_equal(stat(fx->path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0640);
    assert_int_equal(lines_in(text_of(fx->path)), 2);
}

/* Reads the number behind "line " of every line of a file; they must rise by one. */
static int expect_sequence(const char *path, int next)
{
    const char *text = text_of(path);

    while ((text = strstr(text, "pump: line "))) {
        text += strlen("pump: line ");
        assert_int_equal(atoi(text), next);
        next++;
    }
    return next;
}

static void a_full_file_becomes_the_first_of_two_backups(void **state)
{
    struct fixture *fx = *state;
    int i, first, next;

    assert_int_equal(sr_log_set_quota(1), 0);
    log_to_file(fx);
    for (i = 0; i < 200; i++) {
        sr_error("line %d", i);
        assert_true(size_of(fx->path) <= 1024);
    }
    assert_int_equal(size_of(path_of(fx, ".3")), -1);
    assert_true(size_of(path_of(fx, ".2")) > 900);
    first = atoi(strstr(text_of(path_of(fx, ".2")), "line ") + 5);
    next = expect_sequence(path_of(fx, ".2"), first);
    next = expect_sequence(path_of(fx, ".1"), next);
    assert_int_equal(expect_sequence(fx->path, next), 200);
}

static void the_longest_line_fits_the_smallest_quota(void **state)
{
    struct fixture *fx = *state;
    char text[2 * SR_LOG_LINE_MAX] = { 0 };

    memset(text, 'x', sizeof text - 1);
    sr_log_set_quota(1);
    log_to_file(fx);
    for (int i = 0; i < 4; i++)
        sr_error("%s", text);
    assert_int_equal(size_of(fx->path), 1024);
    assert_int_equal(size_of(path_of(fx, ".2")), 1024);
    assert_int_equal(sr_log_set_quota(0), SR_E_INVAL);
    assert_int_equal(sr_log_get_quota(), 1);
}

static void a_lower_quota_holds_from_the_next_line_on(void **state)
{
    struct fixture *fx = *state;

    log_to_file(fx);
    for (int i = 0; i < 100; i++)
        sr_error("line %d", i);
    sr_log_set_quota(2);
    sr_error("line 100");
    assert_int_equal(lines_in(text_of(fx->path)), 1);
}

static void rotates_in_its_own_folder_after_the_host_changed_directory(void **state)
{
    struct fixture *fx = *state;
    char before[4096];

    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(chdir(fx->dir), 0);
    sr_log_set_quota(1);
    assert_int_equal(sr_log_set_dest("agent.log"), 0);
    assert_int_equal(chdir(before), 0);
    for (int i = 0; i < 30; i++)
        sr_error("line %d", i);
    assert_true(size_of(path_of(fx, ".1")) > 0);
    assert_int_equal(size_of("agent.log"), -1);
}

static void a_removed_file_is_made_again(void **state)
{
    struct fixture *fx = *state;

    log_to_file(fx);
    sr_error("one");
    unlink(fx->path);
    sr_error("two");
    expect_message(fx, "two");
}

static void a_moved_file_is_left_alone_and_made_again(void **state)
{
    struct fixture *fx = *state;

    log_to_file(fx);
    sr_error("one");
    rename(fx->path, path_of(fx, ".old"));
    sr_error("two");
    expect_message(fx, "two");
    assert_int_equal(lines_in(text_of(path_of(fx, ".old"))), 1);
}

static void a_folder_that_comes_back_has_the_log_again(void **state)
{
    struct fixture *fx = *state;
    char folder[300], path[320];
    uint64_t missing = sr_log_dropped();

    snprintf(folder, sizeof folder, "%s", path_of(fx, ".d"));
    snprintf(path, sizeof path, "%s/log", folder);
    mkdir(folder, 0700);
    assert_int_equal(sr_log_set_dest(path), 0);
    sr_error("one");
    unlink(path);
    rmdir(folder);
    sr_error("nowhere to write it");
    assert_int_equal(sr_log_dropped(), missing + 1);
    mkdir(folder, 0700);
    sr_error("two");
    assert_non_null(strstr(text_of(path), "lines missing here: 1 (No such file"));
    assert_non_null(strstr(text_of(path), "two\n"));
    sr_log_set_dest(NULL);
    unlink(path);
    rmdir(folder);
}

static void a_link_stays_one_when_its_file_is_full(void **state)
{
    struct fixture *fx = *state;
    char target[300], backup[310];
    struct stat st;

    snprintf(target, sizeof target, "%s", path_of(fx, ".target"));
    snprintf(backup, sizeof backup, "%s.1", target);
    unlink(fx->path);
    assert_int_equal(symlink(target, fx->path), 0);
    sr_log_set_quota(1);
    log_to_file(fx);
    for (int i = 0; i < 30; i++)
        sr_error("line %d", i);
    assert_int_equal(lstat(fx->path, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    assert_true(size_of(backup) > 0);
    assert_non_null(strstr(text_of(target), "line 29\n"));
    unlink(backup);
    unlink(target);
}

static void a_file_that_another_process_rotated_is_not_rotated_again(void **state)
{
    struct fixture *fx = *state;

    sr_log_set_quota(1);
    log_to_file(fx);
    while (size_of(fx->path) < 960)
        sr_error("old");
    rename(fx->path, path_of(fx, ".1"));
    close(creat(fx->path, 0640));
    sr_error("%s", "a line too long for what is left of the old file ............");
    assert_int_equal(lines_in(text_of(fx->path)), 1);
    assert_int_equal(size_of(path_of(fx, ".2")), -1);
}

static void where_backups_cannot_be_made_new_lines_replace_old_ones(void **state)
{
    struct fixture *fx = *state;

    mkdir(path_of(fx, ".1"), 0700);
    mkdir(path_of(fx, ".2"), 0700);
    mkdir(path_of(fx, ".2/in_use"), 0700);
    sr_log_set_quota(1);
    log_to_file(fx);
    for (int i = 0; i < 100; i++)
        sr_error("line %d", i);
    assert_in_range(size_of(fx->path), 1, 1024);
    assert_non_null(strstr(text_of(fx->path), "line 99\n"));
}

static void a_path_that_cannot_be_opened_changes_nothing(void **state)
{
    struct fixture *fx = *state;
    char path[400], name[300];

    log_to_file(fx);
    memset(name, 'n', sizeof name);
    name[254] = '\0'; /* a name, but not with ".1" behind it */
    snprintf(path, sizeof path, "%s/%s", fx->dir, name);
    assert_int_equal(sr_log_set_dest(path), SR_E_INVAL);
    assert_int_equal(sr_log_set_dest(""), SR_E_INVAL);
    assert_int_equal(sr_log_set_dest("/"), SR_E_INVAL);
    assert_int_equal(sr_log_set_dest("/tmp/.."), SR_E_INVAL);
    assert_int_equal(sr_log_set_dest("/nowhere/agent.log"), SR_E_IO);
    assert_int_equal(errno, ENOENT);
    assert_int_equal(sr_log_set_dest("/tmp"), SR_E_IO);
    sr_error("still here");
    expect_message(fx, "still here");
}

/* --- trouble -------------------------------------------------------------- */

static void a_full_disk_costs_lines_which_are_counted_and_told_of(void **state)
{
    struct fixture *fx = *state;
    uint64_t before = sr_log_dropped();

    assert_int_equal(sr_log_set_dest("/dev/full"), 0);
    for (int i = 0; i < 3; i++)
        sr_error("lost");
    assert_int_equal(sr_log_dropped() - before, 3);
    log_to_file(fx);
    sr_error("back");
    sr_error("and on");
    assert_non_null(strstr(text_of(fx->path), "warning log: lines missing here: 3 ("));
    assert_non_null(strstr(text_of(fx->path), strerror(ENOSPC)));
    assert_int_equal(lines_in(text_of(fx->path)), 3);
    assert_int_equal(sr_log_dropped() - before, 3);
}

/* A limit on file sizes is a disk that fills up in the middle of a line; unlike
 * one, it also raises a signal. */
static void a_line_torn_by_a_full_disk_does_not_join_the_next(void **state)
{
    struct fixture *fx = *state;
    struct rlimit before, small;
    const char *text;

    log_to_file(fx);
    sr_error("first");
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = (rlim_t)size_of(fx->path) + 20;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    sr_error("torn");
    sr_error("lost");
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    sr_error("back");
    text = text_of(fx->path);
    assert_int_equal(lines_in(text), 4);
    assert_non_null(strstr(text, " lines missing here: 2 ("));
    assert_non_null(strstr(text, "error pump: back\n"));
    assert_null(strstr(text, "lost"));
}

static void stderr_to(int fd)
{
    assert_true(dup2(fd, STDERR_FILENO) == STDERR_FILENO);
    close(fd);
}

/* Writes until a pipe takes no more. */
static void fill(int fd)
{
    static const char block[4096];

    fcntl(fd, F_SETFL, O_NONBLOCK);
    while (write(fd, block, sizeof block) > 0)
        continue;
    while (write(fd, block, 1) > 0)
        continue;
    fcntl(fd, F_SETFL, 0);
}

static double seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void a_reader_that_stands_still_does_not_stop_the_agent(void **state)
{
    static char text[1 << 20];
    double start;
    int ends[2];
    ssize_t len;

    (void)state;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    fill(ends[1]);
    stderr_to(ends[1]);
    sr_log_set_dest(NULL);
    start = seconds();
    for (int i = 0; i < 50; i++)
        sr_error("lost");
    assert_true(seconds() - start < 2);
    assert_true(read(ends[0], text, sizeof text) > 0);
    sr_error("back");
    len = read(ends[0], text, sizeof text - 1);
    assert_true(len > 0);
    text[len] = '\0';
    assert_non_null(strstr(text, " lines missing here: 50 ("));
    assert_non_null(strstr(text, "error pump: back\n"));
    close(ends[0]);
}

static void a_reader_that_is_gone_does_not_end_the_process(void **state)
{
    uint64_t before = sr_log_dropped();
    int ends[2];
    sigset_t waiting;

    (void)state;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    close(ends[0]);
    stderr_to(ends[1]);
    sr_log_set_dest(NULL);
    sr_error("lost");
    assert_int_equal(sr_log_dropped() - before, 1);
    sigpending(&waiting);
    assert_false(sigismember(&waiting, SIGPIPE));
}

/* The host closes fd 2, and what it opens next gets the number. */
static void nothing_is_written_into_a_connection_that_got_number_2(void **state)
{
    uint64_t before = sr_log_dropped();
    char byte;
    int ends[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    stderr_to(ends[1]);
    sr_error("password");
    assert_int_equal(sr_log_dropped() - before, 1);
    assert_int_equal(read(ends[0], &byte, 1), -1);
    close(ends[0]);
}

static void nothing_is_written_into_a_data_file_that_got_number_2(void **state)
{
    struct fixture *fx = *state;

    stderr_to(open(fx->path, O_RDWR | O_CREAT, 0600));
    sr_error("not here");
    assert_int_equal(size_of(fx->path), 0);
}

static void a_stderr_redirected_to_a_log_file_is_followed(void **state)
{
    struct fixture *fx = *state;

    stderr_to(open(fx->path, O_WRONLY | O_APPEND | O_CREAT, 0600));
    sr_error("here");
    assert_non_null(strstr(text_of(fx->path), " here\n"));
}

static void a_socket_is_stderr_if_the_host_says_so(void **state)
{
    char text[200] = "";
    int ends[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    stderr_to(ends[1]);
    assert_int_equal(sr_log_set_dest(NULL), 0);
    sr_error("here");
    assert_true(read(ends[0], text, sizeof text - 1) > 0);
    assert_non_null(strstr(text, " here\n"));
    close(ends[0]);
}

static void a_closed_stderr_is_no_reason_to_fail(void **state)
{
    uint64_t before = sr_log_dropped();

    (void)state;
    close(STDERR_FILENO);
    sr_error("lost");
    assert_int_equal(sr_log_dropped() - before, 1);
}

/* --- sink ----------------------------------------------------------------- */

static int refused;

static void sink_that_logs(enum sr_log_level level, const char *component,
                           const char *text, void *arg)
{
    struct fixture *fx = arg;

    (void)level;
    (void)component;
    (void)text;
    fx->messages++;
    sr_error("from inside");
    refused = sr_log_set_sink(NULL, NULL) == SR_E_STATE &&
              sr_log_set_dest(NULL) == SR_E_STATE && sr_log_set_quota(7) == SR_E_STATE;
}

static void a_sink_that_logs_does_not_lock_itself_out(void **state)
{
    struct fixture *fx = *state;
    uint64_t before = sr_log_dropped();

    sr_log_set_sink(sink_that_logs, fx);
    sr_error("from outside");
    assert_int_equal(fx->messages, 1);
    assert_int_equal(sr_log_dropped() - before, 1);
    assert_true(refused);
}

static void without_a_sink_lines_go_where_they_went_before(void **state)
{
    struct fixture *fx = *state;

    log_to_file(fx);
    sr_log_set_sink(keep, fx);
    sr_error("to the sink\n");
    assert_string_equal(fx->last, "to the sink");
    sr_log_set_sink(NULL, NULL);
    sr_error("to the file");
    expect_message(fx, "to the file");
}

/* --- threads and processes ------------------------------------------------ */

enum { THREADS = 4, EACH = 300 };

static void *chatter(void *arg)
{
    for (int i = 0; i < EACH; i++)
        sr_error("thread %s says something that is %d bytes long", (char *)arg, 4711);
    return NULL;
}

static void lines_of_many_threads_never_mix(void **state)
{
    static char name[THREADS][2] = { "a", "b", "c", "d" };
    struct fixture *fx = *state;
    pthread_t thread[THREADS];
    int whole = 0;

    log_to_file(fx);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, chatter, name[i]), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(thread[i], NULL);
    for (const char *at = text_of(fx->path); (at = strstr(at, " error pump: thread "));
         whole++) {
        at += strlen(" error pump: thread x");
        assert_int_equal(strncmp(at, " says something that is 4711 bytes long\n", 40),
                         0);
    }
    assert_int_equal(whole, THREADS * EACH);
    assert_int_equal(lines_in(text_of(fx->path)), THREADS * EACH);
}

static void *chatter_until_told(void *stop)
{
    while (!__atomic_load_n((int *)stop, __ATOMIC_RELAXED))
        sr_error("parent");
    return NULL;
}

static void a_child_can_log_although_its_parent_was_logging(void **state)
{
    struct fixture *fx = *state;
    pthread_t thread;
    int stop = 0, status;

    log_to_file(fx);
    assert_int_equal(pthread_create(&thread, NULL, chatter_until_told, &stop), 0);
    for (int i = 0; i < 20; i++) {
        pid_t child = fork();
        if (child == 0) {
            alarm(20);
            sr_error("child");
            _exit(0);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
    }
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    pthread_join(thread, NULL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(logs_notice_and_above_unless_told_otherwise),
        TEST(every_level_can_be_the_lowest),
        TEST(a_message_that_is_off_does_not_evaluate_its_arguments),
        TEST(the_function_behind_the_macros_checks_the_level_too),
        TEST(names_every_level),
        TEST(a_line_has_time_level_component_and_text),
        TEST(a_message_over_several_lines_stays_one_line),
        TEST(control_bytes_cannot_reach_a_terminal),
        TEST(utf8_stays_and_other_bytes_are_escaped),
        TEST(an_overlong_message_is_cut_and_says_so),
        TEST(messages_of_every_length_are_whole_or_cut),
        TEST(an_empty_message_is_a_line),
        TEST(leaves_errno_alone),
        TEST(a_file_is_private_and_appended_to),
        TEST(a_full_file_becomes_the_first_of_two_backups),
        TEST(the_longest_line_fits_the_smallest_quota),
        TEST(a_lower_quota_holds_from_the_next_line_on),
        TEST(rotates_in_its_own_folder_after_the_host_changed_directory),
        TEST(a_removed_file_is_made_again),
        TEST(a_moved_file_is_left_alone_and_made_again),
        TEST(a_folder_that_comes_back_has_the_log_again),
        TEST(a_link_stays_one_when_its_file_is_full),
        TEST(a_file_that_another_process_rotated_is_not_rotated_again),
        TEST(where_backups_cannot_be_made_new_lines_replace_old_ones),
        TEST(a_path_that_cannot_be_opened_changes_nothing),
        TEST(a_full_disk_costs_lines_which_are_counted_and_told_of),
        TEST(a_line_torn_by_a_full_disk_does_not_join_the_next),
        TEST(a_reader_that_stands_still_does_not_stop_the_agent),
        TEST(a_reader_that_is_gone_does_not_end_the_process),
        TEST(nothing_is_written_into_a_connection_that_got_number_2),
        TEST(nothing_is_written_into_a_data_file_that_got_number_2),
        TEST(a_stderr_redirected_to_a_log_file_is_followed),
        TEST(a_socket_is_stderr_if_the_host_says_so),
        TEST(a_closed_stderr_is_no_reason_to_fail),
        TEST(a_sink_that_logs_does_not_lock_itself_out),
        TEST(without_a_sink_lines_go_where_they_went_before),
        TEST(lines_of_many_threads_never_mix),
        TEST(a_child_can_log_although_its_parent_was_logging),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
