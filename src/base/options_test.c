/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <setjmp.h>
#include <smartrest/log.h>
#include <smartrest/options.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
/* after what it needs */
#include <cmocka.h>

enum { MAX_ARGS = 16 };

struct fixture {
    struct sr_options options;
    char *args[256]; /* of all calls: the options point into them */
    size_t n_args;
    char out[4096], err[4096]; /* what was printed */
};

static int set_up(void **state)
{
    *state = calloc(1, sizeof(struct fixture));
    sr_log_set_level(SR_LOG_NOTICE);
    return *state ? 0 : -1;
}

static int tear_down(void **state)
{
    struct fixture *fx = *state;

    while (fx->n_args)
        free(fx->args[--fx->n_args]);
    free(*state);
    return 0;
}

/* Puts a file in the place of a stream; returns what was there. */
static int capture(FILE *stream, int fd)
{
    int before;

    fflush(stream);
    before = dup(fileno(stream));
    dup2(fd, fileno(stream));
    return before;
}

static void end_capture(FILE *stream, int before)
{
    fflush(stream);
    dup2(before, fileno(stream));
    close(before);
}

static void read_back(int fd, char *text, size_t cap)
{
    ssize_t len = pread(fd, text, cap - 1, 0);

    assert_true(len >= 0);
    text[len] = '\0';
    close(fd);
}

static char *keep(struct fixture *fx, const char *arg)
{
    assert_true(fx->n_args < sizeof fx->args / sizeof *fx->args);
    return fx->args[fx->n_args++] = strdup(arg);
}

/* The arguments behind the program's name, ended by NULL. */
static int parse(struct fixture *fx, ...)
{
    char *argv[MAX_ARGS + 2] = { keep(fx, "/usr/bin/07-mqtt") };
    int argc = 1, rc, out = open("/tmp", O_TMPFILE | O_RDWR, 0600),
        err = open("/tmp", O_TMPFILE | O_RDWR, 0600), out_before, err_before;
    va_list args;

    va_start(args, fx);
    for (const char *arg; (arg = va_arg(args, const char *)); argc++)
        argv[argc] = keep(fx, arg);
    va_end(args);

    out_before = capture(stdout, out);
    err_before = capture(stderr, err);
    rc = sr_options_parse(&fx->options, argc, argv);
    end_capture(stdout, out_before);
    end_capture(stderr, err_before);
    read_back(out, fx->out, sizeof fx->out);
    read_back(err, fx->err, sizeof fx->err);
    return rc;
}

static void expect_refusal(struct fixture *fx, int rc, const char *message)
{
    char expected[1024];

    snprintf(expected, sizeof expected, "07-mqtt: %s; try --help\n", message);
    assert_string_equal(fx->err, expected);
    assert_int_equal(rc, SR_E_INVAL);
    assert_int_equal(fx->options.exit_status, 2);
    assert_string_equal(fx->out, "");
    fx->options = (struct sr_options){ .text = "" };
}

#define REFUSES(message, ...) \
    expect_refusal(*state, parse(*state, __VA_ARGS__, NULL), message)

static void without_arguments_everything_has_a_default(void **state)
{
    struct fixture *fx = *state;
    char expected[1200];

    assert_int_equal(parse(fx, NULL), 0);
    assert_string_equal(fx->options.server, "http://localhost:8080");
    assert_string_equal(fx->options.broker, "mqtt://localhost:1883");
    assert_int_equal(strncmp(fx->options.device_id, "smartrest-", 10), 0);
    assert_true(strlen(fx->options.device_id) > 10);
    snprintf(expected, sizeof expected, "./%s.credentials", fx->options.device_id);
    assert_string_equal(fx->options.credentials, expected);
    assert_int_equal(fx->options.wait_ms, 30000);
    assert_null(fx->options.ca_file);
    assert_int_equal(sr_log_get_level(), SR_LOG_NOTICE);
    assert_string_equal(fx->err, "");
}

static void what_the_program_presets_is_the_default(void **state)
{
    struct fixture *fx = *state;

    fx->options.server = "https://example.com";
    fx->options.device_id = "pump";
    fx->options.wait_ms = 5;
    assert_int_equal(parse(fx, "-d", "valve", NULL), 0);
    assert_string_equal(fx->options.server, "https://example.com");
    assert_string_equal(fx->options.device_id, "valve");
    assert_string_equal(fx->options.credentials, "./valve.credentials");
    assert_int_equal(fx->options.wait_ms, 5);
}

static void takes_every_long_option(void **state)
{
    struct fixture *fx = *state;

    assert_int_equal(parse(fx, "--server", "https://h:1/", "--broker=mqtts://[::1]",
                           "--device", "x", "--credentials", "/c", "--ca", "/dev/null",
                           "--wait=60", "--quiet", NULL),
                     0);
    assert_string_equal(fx->options.server, "https://h:1/");
    assert_string_equal(fx->options.broker, "mqtts://[::1]");
    assert_string_equal(fx->options.device_id, "x");
    assert_string_equal(fx->options.credentials, "/c");
    assert_string_equal(fx->options.ca_file, "/dev/null");
    assert_int_equal(fx->options.wait_ms, 60000);
    assert_int_equal(sr_log_get_level(), SR_LOG_ERROR);
}

static void takes_every_short_option(void **state)
{
    struct fixture *fx = *state;

    assert_int_equal(parse(fx, "-shttp://h", "-b", "mqtt://b", "-d", "x", "-c", "c",
                           "-w", "forever", "-vv", "-q", "-v", NULL),
                     0);
    assert_string_equal(fx->options.server, "http://h");
    assert_string_equal(fx->options.broker, "mqtt://b");
    assert_string_equal(fx->options.credentials, "c");
    assert_int_equal(fx->options.wait_ms, 0);
    assert_int_equal(sr_log_get_level(), SR_LOG_NOTICE); /* quiet, and louder again */
}

static void verbose_twice_says_everything(void **state)
{
    assert_int_equal(parse(*state, "-v", NULL), 0);
    assert_int_equal(sr_log_get_level(), SR_LOG_INFO);
    assert_int_equal(parse(*state, "-vv", NULL), 0);
    assert_int_equal(sr_log_get_level(), SR_LOG_DEBUG);
}

static void waiting_is_seconds_or_forever(void **state)
{
    struct fixture *fx = *state;

    assert_int_equal(parse(fx, "-w0", NULL), 0);
    assert_int_equal(fx->options.wait_ms, 1);
    assert_int_equal(parse(fx, "-w4294967", NULL), 0);
    assert_int_equal(fx->options.wait_ms, 4294967000);
#define NO_WAIT(text)                                                          \
    REFUSES("--wait: '" text "' is neither 'forever' nor a number of seconds " \
            "from 0 to 4294967",                                               \
            "-w", text)
    NO_WAIT("");
    NO_WAIT("-1");
    NO_WAIT("+1");
    NO_WAIT(" 1");
    NO_WAIT("1s");
    NO_WAIT("1.5");
    NO_WAIT("0x10");
    NO_WAIT("4294968");
    NO_WAIT("99999999999999999999999");
    NO_WAIT("Forever");
}

static void help_goes_to_stdout_and_succeeds(void **state)
{
    struct fixture *fx = *state;

    assert_int_equal(parse(fx, "-d", "gw", "--help", "--nonsense", NULL), SR_E_STOPPED);
    assert_int_equal(fx->options.exit_status, 0);
    assert_string_equal(fx->err, "");
    assert_int_equal(strncmp(fx->out, "Usage: 07-mqtt ", 15), 0);
    for (const char *const *option =
             (const char *const[]){ "--server", "--broker", "--device", "--credentials",
                                    "--ca", "--wait", "--verbose", "--quiet", "--help",
                                    "--version", NULL };
         *option; option++)
        assert_non_null(strstr(fx->out, *option));
}

static void version_names_program_and_library(void **state)
{
    struct fixture *fx = *state;

    assert_int_equal(parse(fx, "--version", NULL), SR_E_STOPPED);
    assert_int_equal(fx->options.exit_status, 0);
    assert_string_equal(fx->out, "07-mqtt (smartrest " SR_VERSION ")\n");
}

static void help_that_cannot_be_written_is_a_failure(void **state)
{
    struct fixture *fx = *state;
    char *argv[] = { (char[]){ "x" }, (char[]){ "--help" }, NULL };
    int before = capture(stdout, open("/dev/full", O_WRONLY));

    assert_int_equal(sr_options_parse(&fx->options, 2, argv), SR_E_STOPPED);
    end_capture(stdout, before);
    clearerr(stdout);
    assert_int_equal(fx->options.exit_status, 1);
}

static void what_it_does_not_know_is_named(void **state)
{
    REFUSES("unknown option '--foo'", "--foo");
    REFUSES("unknown option '--foo=bar'", "--foo=bar");
    REFUSES("unknown option '--ver'", "--ver"); /* verbose or version? */
    REFUSES("unknown option '-x'", "-x");
    REFUSES("unknown option '-x'", "-vxv");
    REFUSES("option '--verbose' takes no argument", "--verbose=3");
    REFUSES("option '--version' takes no argument", "--version=3");
    REFUSES("option '--server' needs an argument", "--server");
    REFUSES("option '--device' needs an argument", "-d");
    REFUSES("option '--ca' needs an argument", "--ca");
    REFUSES("unexpected argument 'host'", "host");
    REFUSES("unexpected argument 'host'", "-v", "host", "-q");
    REFUSES("unexpected argument '-v'", "--", "-v");
    REFUSES("unexpected argument ''", "");
}

static void urls_are_checked(void **state)
{
    REFUSES("--server: 'localhost:8080' has no scheme, such as http:// or mqtt://",
            "-s", "localhost:8080");
    REFUSES("--server: 'mqtt://h' does not begin with http:// or https://", "-s",
            "mqtt://h");
    REFUSES("--broker: 'http://h' does not begin with mqtt:// or mqtts://", "-b",
            "http://h");
    REFUSES("--broker: 'tcp://h' has a scheme other than http, https, mqtt and mqtts",
            "-b", "tcp://h");
    REFUSES("--broker: 'mqtt://h:0' has a port that is not a number from 1 to 65535",
            "-b", "mqtt://h:0");
    REFUSES("--server: 'http://h/tenant' has a path behind its host", "-s",
            "http://h/tenant");
    REFUSES("--server: '' is empty", "-s", "");
}

static void a_password_in_a_url_is_not_repeated(void **state)
{
    struct fixture *fx = *state;

    REFUSES("the URL given with --server has a user in front of its host", "-s",
            "http://u:s3cret@h");
    assert_null(strstr(fx->err, "s3cret"));
}

static void device_ids_are_checked(void **state)
{
    REFUSES("--device: 'a b' holds white space", "-d", "a b");
    REFUSES("--device: '' is empty", "-d", "");
    REFUSES("--device: 'd:x' holds a ':'", "-d", "d:x");
}

static void files_are_checked(void **state)
{
    REFUSES("--credentials: no file named", "-c", "");
    REFUSES("--ca: cannot read '/nowhere/ca.pem': No such file or directory", "--ca",
            "/nowhere/ca.pem");
}

static void a_message_stays_one_line_whatever_was_typed(void **state)
{
    REFUSES("unexpected argument 'a\\nb\\x1b[2J'", "a\nb\033[2J");
    REFUSES("unknown option '--\\n'", "--\n");
    REFUSES("unknown option '-\\n'", "-\n");
    REFUSES("--device: 'a\\nb' holds white space", "-d", "a\nb");
}

/* 255 bytes are the longest name of a file. */
static void a_device_id_that_names_no_file_needs_credentials(void **state)
{
    static const char too_long[] =
        "--device: the id has more than 243 bytes, too many for the name of a file: "
        "--credentials has to name one";
    struct fixture *fx = *state;
    char id[1001], expected[1100];

    memset(id, 'x', 1000);
    id[1000] = '\0';
    REFUSES(too_long, "-d", id);
    id[244] = '\0';
    REFUSES(too_long, "-d", id);
    id[243] = '\0';
    assert_int_equal(parse(fx, "-d", id, NULL), 0);
    snprintf(expected, sizeof expected, "./%s.credentials", id);
    assert_string_equal(fx->options.credentials, expected);
    memset(id, 'x', 1000);
    assert_int_equal(parse(fx, "-d", id, "-c", "mine", NULL), 0);
    assert_string_equal(fx->options.device_id, id);
}

static void a_program_without_a_name_is_served(void **state)
{
    struct fixture *fx = *state;
    char *none[] = { NULL };

    assert_int_equal(sr_options_parse(&fx->options, 0, none), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(without_arguments_everything_has_a_default),
        TEST(what_the_program_presets_is_the_default),
        TEST(takes_every_long_option),
        TEST(takes_every_short_option),
        TEST(verbose_twice_says_everything),
        TEST(waiting_is_seconds_or_forever),
        TEST(help_goes_to_stdout_and_succeeds),
        TEST(version_names_program_and_library),
        TEST(help_that_cannot_be_written_is_a_failure),
        TEST(what_it_does_not_know_is_named),
        TEST(urls_are_checked),
        TEST(a_password_in_a_url_is_not_repeated),
        TEST(device_ids_are_checked),
        TEST(files_are_checked),
        TEST(a_message_stays_one_line_whatever_was_typed),
        TEST(a_device_id_that_names_no_file_needs_credentials),
        TEST(a_program_without_a_name_is_served),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
