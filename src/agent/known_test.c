/* SPDX-License-Identifier: MIT */
#include "agent/known.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <smartrest/error.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
/* after what it needs */
#include <cmocka.h>

struct fixture {
    char dir[32], path[64];
};

static int setup(void **state)
{
    static struct fixture fx;

    strcpy(fx.dir, "/tmp/known-XXXXXX");
    assert_non_null(mkdtemp(fx.dir));
    snprintf(fx.path, sizeof fx.path, "%s/c.templates", fx.dir);
    *state = &fx;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fx = *state;

    unlink(fx->path);
    return rmdir(fx->dir);
}

static void write_file(const struct fixture *fx, const char *text, size_t len)
{
    FILE *file = fopen(fx->path, "w");

    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, len, file), len);
    fclose(file);
}

static void knows_what_was_stored(void **state)
{
    struct fixture *fx = *state;
    struct stat st;

    assert_int_equal(sr_known_compare(fx->path, "v1", 7), SR_KNOWN_NOT);
    assert_int_equal(sr_known_store(fx->path, "v1", 7), 0);
    assert_int_equal(sr_known_store(fx->path, "v", 0xffffffff), 0);
    assert_int_equal(sr_known_compare(fx->path, "v1", 7), SR_KNOWN_SAME);
    assert_int_equal(sr_known_compare(fx->path, "v1", 8), SR_KNOWN_OTHER);
    assert_int_equal(sr_known_compare(fx->path, "v", 0xffffffff), SR_KNOWN_SAME);
    assert_int_equal(sr_known_compare(fx->path, "v2", 7), SR_KNOWN_NOT);
    assert_int_equal(sr_known_store(fx->path, "v1", 8), 0);
    assert_int_equal(sr_known_compare(fx->path, "v1", 8), SR_KNOWN_SAME);
    assert_int_equal(sr_known_compare(fx->path, "v", 0xffffffff), SR_KNOWN_SAME);
    assert_int_equal(stat(fx->path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

static void a_fifo_is_left_alone(void **state)
{
    struct fixture *fx = *state;
    static const char line[] = "00000007 v1\n";
    char left[sizeof line];
    struct stat st;
    int fd;

    assert_int_equal(mkfifo(fx->path, 0600), 0);
    fd = open(fx->path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, line, strlen(line)), strlen(line));
    assert_int_equal(sr_known_compare(fx->path, "v1", 7), SR_KNOWN_NOT);
    assert_int_equal(read(fd, left, sizeof left), strlen(line)); /* nobody read it */
    close(fd);
    errno = 0;
    assert_int_equal(sr_known_store(fx->path, "v1", 7), SR_E_IO);
    assert_int_equal(errno, EINVAL);
    assert_int_equal(stat(fx->path, &st), 0);
    assert_true(S_ISFIFO(st.st_mode));
}

static void the_oldest_of_many_goes(void **state)
{
    struct fixture *fx = *state;
    char name[300];

    for (unsigned i = 0; i < 40; i++) {
        snprintf(name, sizeof name, "%0255u", i);
        assert_int_equal(sr_known_store(fx->path, name, i), 0);
    }
    for (unsigned i = 0; i < 40; i++) {
        snprintf(name, sizeof name, "%0255u", i);
        assert_int_equal(sr_known_compare(fx->path, name, i),
                         i < 8 ? SR_KNOWN_NOT : SR_KNOWN_SAME);
    }
    snprintf(name, sizeof name, "%0256u", 1);
    assert_int_equal(sr_known_store(fx->path, name, 1), SR_E_INVAL);
    assert_int_equal(sr_known_store(fx->path, "a\nb", 1), SR_E_INVAL);
}

static void a_damaged_file_says_nothing_and_is_written_anew(void **state)
{
    static const char zeros[20000];
    static const char *const texts[] = {
        "", "v1", "0000000g v1\n", "00000007 v", "\n\n\n", "7 v1\n", "00000007v1\n"
    };
    struct fixture *fx = *state;

    for (size_t i = 0; i <= sizeof texts / sizeof *texts; i++) {
        if (i == sizeof texts / sizeof *texts)
            write_file(fx, zeros, sizeof zeros);
        else
            write_file(fx, texts[i], strlen(texts[i]));
        assert_int_equal(sr_known_compare(fx->path, "v1", 7), SR_KNOWN_NOT);
        assert_int_equal(sr_known_store(fx->path, "v1", 7), 0);
        assert_int_equal(sr_known_compare(fx->path, "v1", 7), SR_KNOWN_SAME);
    }
}

static void a_place_that_cannot_be_written_is_an_error(void **state)
{
    (void)state;
    assert_int_equal(sr_known_store("/nowhere/c.templates", "v1", 7), SR_E_IO);
    assert_int_equal(sr_known_compare("/nowhere/c.templates", "v1", 7), SR_KNOWN_NOT);
    assert_int_equal(sr_known_store("/dev", "v1", 7), SR_E_IO);
}

static void the_sum_is_of_the_lines(void **state)
{
    uint32_t sum = sr_known_sum("10,a\n11,b\n");

    (void)state;
    assert_int_equal(sr_known_sum("10,a\r\n\r\n11,b"), sum);
    assert_int_not_equal(sr_known_sum("10,a\n11,c\n"), sum);
    assert_int_not_equal(sr_known_sum("11,b\n10,a\n"), sum);
    assert_int_not_equal(sr_known_sum("10,a11,b\n"), sum);
    assert_int_not_equal(sr_known_sum(""), sum);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(knows_what_was_stored),
        TEST(a_fifo_is_left_alone),
        TEST(the_oldest_of_many_goes),
        TEST(a_damaged_file_says_nothing_and_is_written_anew),
        TEST(a_place_that_cannot_be_written_is_an_error),
        TEST(the_sum_is_of_the_lines),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
