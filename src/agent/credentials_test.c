/* SPDX-License-Identifier: MIT */
#include "agent/credentials.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <smartrest/error.h>
#include <stdarg.h>
#include <stdbool.h>
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
    char reason[SR_CREDENTIALS_REASON_MAX] = "none";

    assert_int_equal(sr_credentials_load(fx->path, &fx->found, reason), 0);
    assert_string_equal(fx->found.tenant, tenant);
    assert_string_equal(fx->found.user, user);
    assert_string_equal(fx->found.password, password);
}

static void is_damaged(struct fixture *fx, const char *expected_reason)
{
    char reason[SR_CREDENTIALS_REASON_MAX] = "none";

    assert_int_equal(sr_credentials_load(fx->path, &fx->found, reason), SR_E_CORRUPT);
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
    char reason[SR_CREDENTIALS_REASON_MAX];

    assert_int_equal(sr_credentials_load(fx->path, &fx->found, reason), SR_E_NOTFOUND);
}

static void loads_what_the_cpp_sdk_reads(void **state)
{
    static const char *const forms[] = {
        "t4711 device_1 s3cr3t\n",
        "t4711 device_1 s3cr3t",
        "\tt4711  device_1\ts3cr3t \r\n",
        "t4711 \ndevice_1\t\ns3cr3t \n",
        "  t4711\n\tdevice_1\n s3cr3t\n",
        "t4711 device_1\ns3cr3t\n",
        "\nt4711\n\n \t\ndevice_1\ns3cr3t\n\n\n",
        "\xef\xbb\xbft4711\ndevice_1\ns3cr3t\n",
        "\xef\xbb\xbft4711 device_1 s3cr3t\r\n",
        "t4711\r\ndevice_1\r\ns3cr3t \r\n\r\n",
    };
    struct fixture *fx = *state;

    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        write_text(fx, forms[i]);
        loads(fx, "t4711", "device_1", "s3cr3t");
    }
    write_text(fx, "t4711\ndevice_1\ntwo words\n"); /* ours */
    loads(fx, "t4711", "device_1", "two words");
}

static void damaged_files_are_told_apart_by_a_reason(void **state)
{
    static const struct {
        const char *text, *reason;
    } cases[] = {
        {"",                                 "fewer than three values"             },
        { " \n\t\r\n",                       "fewer than three values"             },
        { "\xef\xbb\xbf",                    "fewer than three values"             },
        { "t4711\ndevice_1",                 "fewer than three values"             },
        { "t4711\n\ns3cr3t\n",               "fewer than three values"             },
        { "t4711\ndevice_1\ns3cr3t\nmore\n", "more than three values"              },
        { "t4711 device_1 s3cr3t more",      "more than three values"              },
        { "t4711\ndevice_1\ns3c\tr3t\n",     "line 3: the password holds a control"},
        { "t4711\n\ndev\x7fice\ns3cr3t\n",   "line 3: the user holds a control"    },
        { "t4711 x\ndevice_1\ns3cr3t\n",     "line 1: the tenant holds a blank"    },
        { "t4711\ndevice 1\ns3cr3t\n",       "line 2: the user holds a blank"      },
    };
    struct fixture *fx = *state;
    char large[5000];

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_text(fx, cases[i].text);
        is_damaged(fx, cases[i].reason);
    }
    write_bytes(fx, "t4711\ndevice_1\ns3c\0r3t\n", 23);
    is_damaged(fx, "line 3: the password holds a NUL byte");
    memset(large, 'x', sizeof large);
    write_bytes(fx, large, sizeof large);
    is_damaged(fx, "too large");
    memcpy(large, "t\nu\n", 4);
    large[1500] = '\n';
    write_bytes(fx, large, 1501);
    is_damaged(fx, "line 3: the password is longer than 1024 bytes");
}

static void the_longest_texts_fit(void **state)
{
    struct fixture *fx = *state;
    struct sr_credentials longest = { 0 };
    char text[SR_CREDENTIAL_MAX + 2];

    memset(text, 'x', sizeof text);
    text[SR_CREDENTIAL_MAX] = '\0';
    assert_int_equal(sr_credentials_set(&longest, text, text, text), 0);
    assert_int_equal(sr_credentials_store(fx->path, &longest), 0);
    loads(fx, text, text, text);
    text[SR_CREDENTIAL_MAX] = 'x';
    text[SR_CREDENTIAL_MAX + 1] = '\0';
    assert_int_equal(sr_credentials_set(&longest, "t", "u", text), SR_E_INVAL);
    assert_int_equal(strlen(longest.password), SR_CREDENTIAL_MAX); /* untouched */
    sr_credentials_release(&longest);
}

/* --- links -------------------------------------------------------------- */

static bool is_link(const char *path)
{
    struct stat st;

    return !lstat(path, &st) && S_ISLNK(st.st_mode);
}

/* fx->path becomes a link, from etc/ to data/, both below the folder. */
static void make_folders(struct fixture *fx, char *ret_target)
{
    char folder[128];

    snprintf(folder, sizeof folder, "%s/etc", fx->dir);
    assert_int_equal(mkdir(folder, 0700), 0);
    snprintf(folder, sizeof folder, "%s/data", fx->dir);
    assert_int_equal(mkdir(folder, 0700), 0);
    snprintf(ret_target, 256, "%s/cred", folder);
    snprintf(fx->path, sizeof fx->path, "%s/etc/cred", fx->dir);
}

static void expect_in_target(struct fixture *fx, const char *target,
                             const char *password)
{
    char link[sizeof fx->path];
    struct stat st;

    assert_true(is_link(fx->path));
    assert_false(is_link(target));
    assert_int_equal(stat(target, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    loads(fx, "t4711", "device_1", password);
    strcpy(link, fx->path);
    strcpy(fx->path, target);
    loads(fx, "t4711", "device_1", password);
    strcpy(fx->path, link);
}

static void a_link_stays_one_and_its_file_is_replaced(void **state)
{
    struct fixture *fx = *state;
    char target[256], data[128];

    make_folders(fx, target);
    snprintf(data, sizeof data, "%s/data", fx->dir);
    assert_int_equal(symlink("../data/cred", fx->path), 0); /* to nothing yet */
    assert_int_equal(sr_credentials_probe(fx->path), 0);
    assert_int_equal(files_in(data), 0);
    assert_int_equal(store(fx, "first"), 0);
    expect_in_target(fx, target, "first");
    assert_int_equal(store(fx, "second"), 0);
    expect_in_target(fx, target, "second");
    unlink(fx->path);
    assert_int_equal(symlink(target, fx->path), 0); /* an absolute one */
    assert_int_equal(store(fx, "third"), 0);
    expect_in_target(fx, target, "third");
    assert_int_equal(files_in(data), 1);
}

static void a_link_to_a_link_stays_one(void **state)
{
    struct fixture *fx = *state;
    char target[256], middle[256];

    make_folders(fx, target);
    snprintf(middle, sizeof middle, "%s/middle", fx->dir);
    assert_int_equal(symlink("../middle", fx->path), 0);
    assert_int_equal(symlink("data/cred", middle), 0);
    assert_int_equal(store(fx, "s3cr3t"), 0);
    assert_true(is_link(middle));
    expect_in_target(fx, target, "s3cr3t");
}

static void links_that_lead_nowhere_are_io_errors(void **state)
{
    struct fixture *fx = *state;
    char target[256];

    make_folders(fx, target);
    assert_int_equal(symlink("../none/cred", fx->path), 0);
    assert_int_equal(sr_credentials_probe(fx->path), SR_E_IO);
    assert_int_equal(errno, ENOENT);
    unlink(fx->path);
    assert_int_equal(symlink("cred", fx->path), 0); /* to itself */
    assert_int_equal(sr_credentials_probe(fx->path), SR_E_IO);
    assert_int_equal(errno, ELOOP);
    assert_int_equal(store(fx, "s3cr3t"), SR_E_IO);
    assert_true(is_link(fx->path));
}

static void a_directory_and_a_path_through_a_file_are_io_errors(void **state)
{
    struct fixture *fx = *state;
    char reason[SR_CREDENTIALS_REASON_MAX];

    mkdir(fx->path, 0700);
    assert_int_equal(sr_credentials_load(fx->path, &fx->found, reason), SR_E_IO);
    assert_int_equal(errno, EISDIR);
    assert_int_equal(sr_credentials_probe(fx->path), SR_E_IO);
    assert_int_equal(errno, EISDIR);
    assert_int_equal(store(fx, "s3cr3t"), SR_E_IO);
    rmdir(fx->path);

    write_text(fx, "a file");
    strcat(fx->path, "/below");
    assert_int_equal(sr_credentials_load(fx->path, &fx->found, reason), SR_E_IO);
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
    char reason[SR_CREDENTIALS_REASON_MAX];

    if (sr_credentials_load(fx->path, &fx->found, reason) != SR_E_IO)
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
    static const char *const passwords[] = {
        "two blanks in it", "\"quoted\"", "a,b;c\\", "\xc3\xbc\xff", "'", "%s%n"
    };
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

static void a_value_that_cannot_be_is_named(void **state)
{
    static const struct {
        const char *texts[3], *reason;
    } cases[] = {
        {{ NULL, "u", "p" },     "the tenant is NULL"                    },
        { { "t", "", "p" },      "the user is empty"                     },
        { { "t", "u", "a\nb" },  "the password holds a control character"},
        { { "t\r", "u", "p" },   "the tenant holds a control character"  },
        { { "t", "u\x7f", "p" }, "the user holds a control character"    },
    };
    struct fixture *fx = *state;
    char reason[SR_CREDENTIALS_REASON_MAX];

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *const *t = cases[i].texts;

        assert_int_equal(sr_credentials_set(&fx->found, t[0], t[1], t[2]), SR_E_INVAL);
        assert_false(sr_credentials_valid(t[0], t[1], t[2], reason));
        assert_string_equal(reason, cases[i].reason);
    }
    assert_null(fx->found.tenant);
}

static void what_a_file_cannot_keep_is_named(void **state)
{
    static const struct {
        struct sr_credential_text texts[3];
        const char *reason;
    } cases[] = {
        {{ { "t", 1 }, { "u", 1 }, { "p\0q", 3 } }, "the password holds a NUL byte"},
        { { { "t\0", 2 }, { "u", 1 }, { "p", 1 } }, "the tenant holds a NUL byte"  },
        { { { "t", 1 }, { NULL, 0 }, { "p", 1 } },  "the user is empty"            },
        { { { "t", 1 }, { "u v", 3 }, { "p", 1 } }, "the user holds a blank"       },
        { { { "t", 1 }, { "u", 1 }, { "p ", 2 } },  "the password begins or ends"  },
        { { { "t", 1 }, { "u", 1 }, { " p", 2 } },  "the password begins or ends"  },
    };
    const struct sr_credential_text fine[3] = {
        {"t",    1},
        { "u",   1},
        { "p q", 3}
    };
    char reason[SR_CREDENTIALS_REASON_MAX] = "none";

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_false(sr_credentials_storable(cases[i].texts, reason));
        assert_non_null(strstr(reason, cases[i].reason));
    }
    assert_true(sr_credentials_storable(fine, reason));
}

/* Not taken for a damaged file, which would be replaced. */
static void a_fifo_is_an_io_error_and_left_alone(void **state)
{
    const struct sr_credentials credentials = { (char[]){ "t" }, (char[]){ "u" },
                                                (char[]){ "p" } };
    struct fixture *fx = *state;
    char reason[SR_CREDENTIALS_REASON_MAX];
    struct stat st;

    assert_int_equal(mkfifo(fx->path, 0600), 0);
    assert_int_equal(sr_credentials_load(fx->path, &fx->found, reason), SR_E_IO);
    assert_int_equal(errno, EINVAL);
    assert_int_equal(sr_credentials_probe(fx->path), SR_E_IO);
    assert_int_equal(errno, EINVAL);
    assert_int_equal(sr_credentials_store(fx->path, &credentials), SR_E_IO);
    assert_int_equal(errno, EINVAL);
    assert_int_equal(stat(fx->path, &st), 0);
    assert_true(S_ISFIFO(st.st_mode));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(loads_three_lines_with_any_line_end),
        TEST(loads_what_the_cpp_sdk_reads),
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
        TEST(a_value_that_cannot_be_is_named),
        TEST(what_a_file_cannot_keep_is_named),
        TEST(a_fifo_is_an_io_error_and_left_alone),
        TEST(a_link_stays_one_and_its_file_is_replaced),
        TEST(a_link_to_a_link_stays_one),
        TEST(links_that_lead_nowhere_are_io_errors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
