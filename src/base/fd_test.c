/* SPDX-License-Identifier: MIT */
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
/* after what it needs */
#include <cmocka.h>

enum { SUBSETS = 8 };

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

static bool is_good(int fd)
{
    return fd > 2 && fcntl(fd, F_GETFD) == FD_CLOEXEC;
}

/* Runs `check` in a child that has closed those of 0 to 2 which `subset` names by bits. */
static void without(unsigned subset, bool (*check)(void))
{
    pid_t pid = fork();
    int status;

    assert_true(pid >= 0);
    if (pid == 0) {
        for (int fd = 0; fd <= 2; fd++)
            if (subset & 1u << fd)
                close(fd);
        _exit(check() ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void without_any(bool (*check)(void))
{
    for (unsigned subset = 0; subset < SUBSETS; subset++)
        without(subset, check);
}

static bool reserves_all(void)
{
    int before = open("/dev/null", O_RDONLY | O_CLOEXEC), after;

    if (before > 2)
        close(before);
    sr_fd_reserve();
    after = open("/dev/null", O_RDONLY | O_CLOEXEC);
    return is_open(0) && is_open(1) && is_open(2) && after > 2 && !is_open(after + 1);
}

static void what_is_closed_of_0_to_2_is_reserved(void **state)
{
    (void)state;
    without_any(reserves_all);
}

static bool opens_above_2(void)
{
    int ends[2], fd = sr_fd_open("/dev/null", O_RDWR, 0), dir, file, socket;

    if (!is_good(fd) || write(1, "", 0) < 0)
        return false;
    dir = sr_fd_open("/", O_RDONLY | O_DIRECTORY, 0);
    file = sr_fd_openat(dir, "dev/null", O_RDONLY, 0);
    socket = sr_fd_socket(AF_UNIX, SOCK_DGRAM, 0);
    return is_good(dir) && is_good(file) && is_good(socket) && !sr_fd_pipe(ends, 0) &&
           is_good(ends[0]) && is_good(ends[1]);
}

static void what_is_opened_is_close_on_exec_and_above_2(void **state)
{
    (void)state;
    without_any(opens_above_2);
}

static bool raises(void)
{
    int fd = open("/dev/null", O_RDWR), low = fd;

    fd = sr_fd_raise(fd);
    return is_good(fd) && (low == fd || !is_open(low));
}

static void what_others_opened_is_raised(void **state)
{
    (void)state;
    without_any(raises);
    errno = ENOSPC;
    assert_int_equal(sr_fd_raise(-1), -1);
    assert_int_equal(errno, ENOSPC);
}

static bool says_that_there_are_none(void)
{
    const struct rlimit none = { 3, 3 };
    int ends[2];

    if (setrlimit(RLIMIT_NOFILE, &none))
        return false;
    errno = 0;
    return sr_fd_open("/dev/null", O_RDWR, 0) == -1 && errno == EMFILE &&
           sr_fd_pipe(ends, 0) == -1 && errno == EMFILE &&
           sr_fd_raise(open("/dev/null", O_RDWR)) == -1 && errno == EMFILE;
}

static void without_descriptors_it_is_an_error(void **state)
{
    (void)state;
    without(0, says_that_there_are_none);
    without(4, says_that_there_are_none);
}

static void new_pairs_are_sealed_and_nothing_else(void **state)
{
    int old[2], pair[2], ends[2], named = socket(AF_INET, SOCK_STREAM, 0);
    struct sr_fd_view before;

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, old), 0);
    sr_fd_look(&before);
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    sr_fd_seal_pairs(&before);
    assert_true(is_good(pair[0]) && is_good(pair[1]));
    assert_false(is_good(old[0]) || is_good(old[1]));
    assert_false(is_good(ends[0]) || is_good(ends[1]) || is_good(named));

    close(named);
    for (int i = 0; i < 2; i++) {
        close(old[i]);
        close(pair[i]);
        close(ends[i]);
    }
}

/* A thread of ours opened and closed a file between the look and the pair. */
static void a_pair_is_found_where_a_file_was(void **state)
{
    int file = open("/dev/null", O_RDONLY), pair[2];
    struct sr_fd_view before;

    (void)state;
    sr_fd_look(&before);
    close(file);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_int_equal(pair[0], file);
    sr_fd_seal_pairs(&before);
    assert_true(is_good(pair[0]) && is_good(pair[1]));
    close(pair[0]);
    close(pair[1]);
}

static void only_a_regular_file_is_opened(void **state)
{
    char path[] = "/tmp/fd-test-XXXXXX";
    int fd;

    (void)state;
    assert_int_equal(close(mkstemp(path)), 0);
    fd = sr_fd_open_file(path);
    assert_true(is_good(fd));
    close(fd);
    unlink(path);
    assert_int_equal(sr_fd_open_file(path), -1);
    assert_int_equal(errno, ENOENT);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(sr_fd_open_file(path), -1);
    assert_int_equal(errno, EINVAL);
    assert_string_equal(sr_fd_file_error(errno), "it is no regular file");
    unlink(path);
    assert_int_equal(sr_fd_open_file("/dev/null"), -1);
    assert_int_equal(errno, EINVAL);
    assert_int_equal(sr_fd_open_file("/tmp"), -1);
    assert_int_equal(errno, EISDIR);
    assert_string_equal(sr_fd_file_error(errno), "Is a directory");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_closed_of_0_to_2_is_reserved),
        cmocka_unit_test(what_is_opened_is_close_on_exec_and_above_2),
        cmocka_unit_test(what_others_opened_is_raised),
        cmocka_unit_test(without_descriptors_it_is_an_error),
        cmocka_unit_test(new_pairs_are_sealed_and_nothing_else),
        cmocka_unit_test(a_pair_is_found_where_a_file_was),
        cmocka_unit_test(only_a_regular_file_is_opened),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
