/* SPDX-License-Identifier: MIT */
#include "agent/credentials.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <smartrest/error.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
/* after what it needs */
#include <cmocka.h>

struct fixture {
    char dir[64], path[256];
    struct sr_credentials found;
};

static int set_up(void **state)
{
    struct fixture *fx = calloc(1, sizeof *fx);

    strcpy(fx->dir, "/tmp/credentials_test.XXXXXX");
    if (!mkdtemp(fx->dir))
        return -1;
    snprintf(fx->path, sizeof fx->path, "%s/device.credentials", fx->dir);
    *state = fx;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fx = *state;
    char command[256];

    sr_credentials_release(&fx->found);
    snprintf(command, sizeof command, "chmod -R u+rwx %s; rm -rf %s", fx->dir, fx->dir);
    if (system(command) != 0)
        return -1;
    free(fx);
    return 0;
}

static void write_bytes(struct fixture *fx, const char *bytes, size_t len)
{
    FILE *file = fopen(fx->path, "w");

    assert_int_equal(fwrite(bytes, 1, len, file), len);
    fclose(file);
}

static void write_text(struct fixture *fx, const char *text)
{
    write_bytes(fx, text, strlen(text));
}

static void loads(struct fixture *fx, const char *tenant, const char *user,
                  const char *password)
{
    const char *reason = "none";

    assert_int_equal(sr_credentials_load(fx->path, &fx->found, &reason), 0);
    assert_string_equal(fx->found.tenant, tenant);
    assert_string_equal(fx->found.user, user);
    assert_string_equal(fx->found.password, password);
}

static void is_damaged(struct fixture *fx, const char *expected_reason)
{
    const char *reason = "none";

    assert_int_equal(sr_credentials_load(fx->path, &fx->found, &reason), SR_E_CORRUPT);
    assert_non_null(strstr(reason, expected_reason));
    assert_null(fx->found.tenant);
}

static int store(struct fixture *fx, const char *password)
{
    struct sr_credentials credentials = { 0 };
    int rc, saved;

    assert_int_equal(sr_credentials_set(&credentials, "t4711", "device_1", password),
                     0);
    rc = sr_credentials_store(fx->path, &credentials);
    saved = errno;
    sr_credentials_release(&credentials);
    errno = saved;
    return rc;
}

static int files_in(const char *dir)
{
    DIR *d = opendir(dir);
    int n = 0;

    while (readdir(d))
        n++;
    closedir(d);
    return n - 2;
}

static void loads_three_lines_with_any_line_end(void **state)
{
    struct fixture *fx = *state;

    write_text(fx, "t4711\ndevice_1\ns3cr3t\n");
    loads(fx, "t4711", "device_1", "s3cr3t");
    write_text(fx, "t4711\ndevice_1\ns3cr3t");
    loads(fx, "t4711", "device_1", "s3cr3t");
    write_text(fx, "t4711\r\ndevice_1\r\ns3cr3t\r\n");
    loads(fx, "t4711", "device_1", "s3cr3t");
}

static void a_missing_file_is_not_found(void **state)
{
    struct fixture *fx = *state;
    const char *reason;

    assert_int_equal(sr_credentials_load(fx->path, &fx->found, &reason), SR_E_NOTFOUND);
}

static void damaged_files_are_told_apart_by_a_reason(void **state)
{
    struct fixture *fx = *state;
    char large[4000];

    write_text(fx, "");
    is_damaged(fx, "fewer than three");
    write_text(fx, "t4711\ndevice_1");
    is_damaged(fx, "fewer than three");
    write_text(fx, "t4711\ndevice_1\n");
    is_damaged(fx, "empty");
    write_text(fx, "t4711\n\ns3cr3t\n");
    is_damaged(fx, "empty");
    write_text(fx, "t4711\ndevice_1\ns3cr3t\nmore\n");
    is_damaged(fx, "more than three");
    write_text(fx, "t4711\ndevice_1\ns3cr3t\n\n");
    is_damaged(fx, "more than three");
    write_bytes(fx, "t4711\ndevice_1\ns3c\0r3t\n", 23);
    is_damaged(fx, "NUL");
    write_text(fx, "t4711\ndevice_1\ns3c\tr3t\n");
    is_damaged(fx, "control");
    memset(large, 'x', sizeof large);
    write_bytes(fx, large, sizeof large);
    is_damaged(fx, "too large");
    memcpy(large, "t\nu\n", 4);
    large[1500] = '\n';
    write_bytes(fx, large, 1501);
    is_damaged(fx, "too long");
}

static void the_longest_texts_fit(void **state)
{
    struct fixture *fx = *state;
    struct sr_credentials longest = { 0 };
    char text[1002];

    memset(text, 'x', sizeof text);
    text[1000] = '\0';
    assert_int_equal(sr_credentials_set(&longest, text, text, text), 0);
    assert_int_equal(sr_credentials_store(fx->path, &longest), 0);
    loads(fx, text, text, text);
    text[1000] = 'x';
    text[1001] = '\0';
    assert_int_equal(sr_credentials_set(&longest, "t", "u", text), SR_E_INVAL);
    assert_int_equal(strlen(longest.password), 1000); /* untouched */
    sr_credentials_release(&longest);
}

static void a_directory_and_a_path_through_a_file_are_io_errors(void **state)
{
    struct fixture *fx = *state;
    const char *reason;

    mkdir(fx->path, 0700);
    assert_int_equal(sr_credentials_load(fx->path, &fx->found, &reason), SR_E_IO);
    assert_int_equal(errno, EISDIR);
    assert_int_equal(sr_credentials_probe(fx->path), SR_E_IO);
    assert_int_equal(errno, EISDIR);
    assert_int_equal(store(fx, "s3cr3t"), SR_E_IO);
    rmdir(fx->path);

    write_text(fx, "a file");
    strcat(fx->path, "/below");
    assert_int_equal(sr_credentials_load(fx->path, &fx->found, &reason), SR_E_IO);
    assert_int_equal(errno, ENOTDIR);
    assert_int_equal(sr_credentials_probe(fx->path), SR_E_IO);
    assert_int_equal(store(fx, "s3cr3t"), SR_E_IO);
}

/* Runs `check` as somebody who is not root, and fails if it does not return 0. */
static void as_nobody(struct fixture *fx, int (*check)(struct fixture *fx))
{
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        if (!geteuid() && (setgid(65534) || setuid(65534)))
            _exit(99);
        _exit(check(fx));
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static int cannot_read(struct fixture *fx)
{
    const char *reason;

    if (sr_credentials_load(fx->path, &fx->found, &reason) != SR_E_IO)
        return 1;
    return errno == EACCES ? 0 : 2;
}

static int cannot_write(struct fixture *fx)
{
    struct sr_credentials credentials = { 0 };
    int rc = 0;

    if (sr_credentials_probe(fx->path) != SR_E_IO || errno != EACCES)
        return 1;
    sr_credentials_set(&credentials, "t", "u", "p");
    if (sr_credentials_store(fx->path, &credentials) != SR_E_IO || errno != EACCES)
        rc = 2;
    sr_credentials_release(&credentials);
    return rc;
}

static int can_write(struct fixture *fx)
{
    struct sr_credentials credentials = { 0 };
    int rc = sr_credentials_probe(fx->path);

    sr_credentials_set(&credentials, "t", "u", "p");
    if (!rc)
        rc = sr_credentials_store(fx->path, &credentials);
    sr_credentials_release(&credentials);
    return rc ? 1 : 0;
}

static void a_file_that_may_not_be_read_is_an_io_error(void **state)
{
    struct fixture *fx = *state;

    write_text(fx, "t\nu\np\n");
    chmod(fx->path, 0);
    chmod(fx->dir, 0755);
    as_nobody(fx, cannot_read);
}

static void a_directory_that_may_not_be_written_is_found_out_before(void **state)
{
    struct fixture *fx = *state;

    chmod(fx->dir, 0555);
    as_nobody(fx, cannot_write);
}

/* Enough to make and rename files, not to list them. */
static void a_directory_that_may_be_written_and_not_read_is_enough(void **state)
{
    struct fixture *fx = *state;

    chmod(fx->dir, 0333);
    as_nobody(fx, can_write);
    chmod(fx->dir, 0755);
}

static void a_probe_leaves_nothing_behind(void **state)
{
    struct fixture *fx = *state;

    assert_int_equal(sr_credentials_probe(fx->path), 0);
    assert_int_equal(files_in(fx->dir), 0);
    write_text(fx, "t\nu\np\n");
    assert_int_equal(sr_credentials_probe(fx->path), 0);
    assert_int_equal(files_in(fx->dir), 1);
    loads(fx, "t", "u", "p");
}

static void what_is_stored_is_for_the_owner_only(void **state)
{
    struct fixture *fx = *state;
    mode_t old = umask(0);
    struct stat st;

    assert_int_equal(store(fx, "s3cr3t"), 0);
    umask(old);
    assert_int_equal(stat(fx->path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    /* Even if what was there could be read by all. */
    chmod(fx->path, 0666);
    assert_int_equal(store(fx, "other"), 0);
    assert_int_equal(stat(fx->path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(files_in(fx->dir), 1);
}

static void passwords_come_back_as_they_were(void **state)
{
    static const char *const passwords[] = { " two blanks ", "\"quoted\"", "a,b;c\\",
                                             "\xc3\xbc\xff", "'",          "%s%n" };
    struct fixture *fx = *state;

    for (size_t i = 0; i < sizeof passwords / sizeof *passwords; i++) {
        assert_int_equal(store(fx, passwords[i]), 0);
        loads(fx, "t4711", "device_1", passwords[i]);
    }
}

/* In a child: no file may grow beyond two bytes, as on a full disk. */
static int store_on_a_full_disk(struct fixture *fx)
{
    const struct rlimit tiny = { 2, 2 };
    struct sr_credentials credentials = { 0 };
    int rc = 0;

    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &tiny);
    sr_credentials_set(&credentials, "t", "u", "new password");
    if (sr_credentials_store(fx->path, &credentials) != SR_E_IO || errno != EFBIG)
        rc = 1;
    sr_credentials_release(&credentials);
    return rc;
}

static void a_failed_write_leaves_the_old_file_and_nothing_else(void **state)
{
    struct fixture *fx = *state;

    assert_int_equal(store(fx, "old password"), 0);
    chmod(fx->dir, 0777);
    as_nobody(fx, store_on_a_full_disk);
    loads(fx, "t4711", "device_1", "old password");
    assert_int_equal(files_in(fx->dir), 1);
}

static void values_that_a_file_cannot_keep_are_refused(void **state)
{
    struct fixture *fx = *state;

    assert_int_equal(sr_credentials_set(&fx->found, "t", "u", "a\nb"), SR_E_INVAL);
    assert_int_equal(sr_credentials_set(&fx->found, "t", "u", ""), SR_E_INVAL);
    assert_int_equal(sr_credentials_set(&fx->found, "t", NULL, "p"), SR_E_INVAL);
    assert_int_equal(sr_credentials_set(&fx->found, "t\r", "u", "p"), SR_E_INVAL);
    assert_null(fx->found.tenant);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(loads_three_lines_with_any_line_end),
        TEST(a_missing_file_is_not_found),
        TEST(damaged_files_are_told_apart_by_a_reason),
        TEST(the_longest_texts_fit),
        TEST(a_directory_and_a_path_through_a_file_are_io_errors),
        TEST(a_file_that_may_not_be_read_is_an_io_error),
        TEST(a_directory_that_may_not_be_written_is_found_out_before),
        TEST(a_directory_that_may_be_written_and_not_read_is_enough),
        TEST(a_probe_leaves_nothing_behind),
        TEST(what_is_stored_is_for_the_owner_only),
        TEST(passwords_come_back_as_they_were),
        TEST(a_failed_write_leaves_the_old_file_and_nothing_else),
        TEST(values_that_a_file_cannot_keep_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
