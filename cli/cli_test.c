/* SPDX-License-Identifier: MIT */
/* The command `smartrest` as a program: what it prints, whole, and its exit statuses. */
#include "outbox/files_test.h"
#include "store/store.h"
#include <errno.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <smartrest/outbox.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <time.h>

/* --- running it ------------------------------------------------------------- */

enum { OUT, ERR, SEGMENT = 16 * 1024, ARGS_MAX = 16 };

struct fixture {
    char dir[64];
    char text[2][64 * 1024]; /* what it printed; DIR stands for the directory */
    size_t len[2];
    int in;               /* descriptor for its stdin; -1: /dev/null */
    int out;              /* for its stdout; -1: a pipe that is read */
    const char *no_color; /* in its environment; NULL: not */
    struct made_file made;
};

static int set_up(void **state)
{
    struct fixture *fx = calloc(1, sizeof *fx);

    strcpy(fx->dir, "/tmp/cli_test.XXXXXX");
    fx->in = fx->out = -1;
    *state = fx;
    return mkdtemp(fx->dir) ? 0 : -1;
}

static int tear_down(void **state)
{
    struct fixture *fx = *state;

    remove_dir(fx->dir);
    free(fx);
    return 0;
}

static void be_smartrest(const struct fixture *fx, char **argv, int out, int err)
{
    int in = fx->in >= 0 ? fx->in : open("/dev/null", O_RDONLY);

    dup2(in, STDIN_FILENO);
    dup2(fx->out >= 0 ? fx->out : out, STDOUT_FILENO);
    dup2(err, STDERR_FILENO);
    signal(SIGPIPE, SIG_DFL);
    setenv("TERM", "xterm", 1);
    unsetenv("NO_COLOR");
    if (fx->no_color)
        setenv("NO_COLOR", fx->no_color, 1);
    execv(SMARTREST, argv);
    _exit(125);
}

/* The directory's name is another each time: it becomes DIR. */
static void replace_dir(const struct fixture *fx, char *text)
{
    size_t len = strlen(fx->dir);

    while ((text = strstr(text, fx->dir))) {
        memmove(text + 3, text + len, strlen(text + len) + 1);
        memcpy(text, "DIR", 3);
    }
}

static void read_both(struct fixture *fx, const int fd[2])
{
    struct pollfd on[2] = {
        {.fd = fd[OUT],  .events = POLLIN},
        { .fd = fd[ERR], .events = POLLIN}
    };

    fx->len[OUT] = fx->len[ERR] = 0;
    while (on[OUT].fd >= 0 || on[ERR].fd >= 0) {
        assert_true(poll(on, 2, 60000) > 0);
        for (int i = 0; i < 2; i++) {
            size_t room = sizeof fx->text[i] - 1 - fx->len[i];
            ssize_t n =
                on[i].revents ? read(on[i].fd, fx->text[i] + fx->len[i], room) : 0;

            assert_true(n >= 0 && room > 0);
            fx->len[i] += (size_t)n;
            if (on[i].revents && n == 0)
                on[i].fd = -1;
        }
    }
    for (int i = 0; i < 2; i++) {
        fx->text[i][fx->len[i]] = '\0';
        replace_dir(fx, fx->text[i]);
    }
}

/* Runs `smartrest` with words that have blanks between; a word that begins with DIR has the
 * directory there. Returns its exit status. */
static int run(struct fixture *fx, const char *words)
{
    char line[500], *rest = line, *word, path[ARGS_MAX][300];
    char *argv[ARGS_MAX + 2] = { (char[]){ "smartrest" } };
    int out[2], err[2], status, n = 1;
    pid_t pid;

    snprintf(line, sizeof line, "%s", words);
    while ((word = strtok_r(rest, " ", &rest)) && n < ARGS_MAX) {
        if (strncmp(word, "DIR", 3) == 0) {
            snprintf(path[n], sizeof path[n], "%s%s", fx->dir, word + 3);
            word = path[n];
        }
        argv[n++] = word;
    }
    assert_int_equal(pipe2(out, O_CLOEXEC) | pipe2(err, O_CLOEXEC), 0);
    pid = fork();
    if (!pid)
        be_smartrest(fx, argv, out[1], err[1]);
    close(out[1]);
    close(err[1]);
    read_both(fx, (int[2]){ out[0], err[0] });
    close(out[0]);
    close(err[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void expect(struct fixture *fx, const char *words, int status, const char *out,
                   const char *err)
{
    int got = run(fx, words);

    assert_string_equal(fx->text[ERR], err);
    assert_string_equal(fx->text[OUT], out);
    assert_int_equal(got, status);
}

/* --- an outbox ---------------------------------------------------------------- */

/* Rows 1 to 3 in one file, of which 1 is done; 4 and 5 in the next; 2 in quarantine. */
static void make_outbox(struct fixture *fx)
{
    begin_file(&fx->made, 1);
    add_row(&fx->made, 1, "100,one");
    add_row(&fx->made, 2, "100,two");
    add_row(&fx->made, 3, "100,\"thr\nee\"\x1b[31m\\");
    save_file(&fx->made, fx->dir, SEGMENT);
    begin_file(&fx->made, 2);
    add_done(&fx->made, 1, 2);
    add_row(&fx->made, 4, "100,vier \xc3\xa4\xff");
    add_row(&fx->made, 5, "100,five");
    save_file(&fx->made, fx->dir, SEGMENT);
    begin_file(&fx->made, 0);
    add_quarantined(&fx->made, 2, "HTTP 422: \"no\"", "100,two");
    save_file(&fx->made, fx->dir, 0);
}

/* --- the frame ------------------------------------------------------------------ */

static void helps(void **state)
{
    struct fixture *fx = *state;
    static const char *const lines[] = { "--help",           "-h",
                                         "outbox --help",    "outbox -h",
                                         "outbox ls --help", "outbox cat -h",
                                         "outbox verify -h", "outbox drop --help" };

    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        assert_int_equal(run(fx, lines[i]), 0);
        assert_int_equal(strncmp(fx->text[OUT], "Usage: smartrest ", 17), 0);
        assert_string_equal(fx->text[ERR], "");
    }
    expect(
        fx, "outbox --help", 0,
        "Usage: smartrest outbox COMMAND [ARGUMENT]...\n\n"
        "An outbox is the directory where an agent keeps rows until the platform has\n"
        "acknowledged them. Commands:\n\n"
        "  ls         its files, and how many rows wait\n"
        "  cat        rows, oldest first\n"
        "  verify     is all of it as it was written?\n"
        "  drop       take rows away that nobody wants now\n\n"
        "'smartrest outbox COMMAND --help' tells more about one.\n",
        "");
    expect(fx, "--version", 0, "smartrest " CLI_VERSION "\n", "");
}

static void refuses_a_wrong_command_line(void **state)
{
    struct fixture *fx = *state;
    static const struct {
        const char *words, *complaint;
    } cases[] = {
        {"",                                           "a command is missing; try 'smartrest --help'"       },
        { "outbox",                                    "a command is missing; try 'smartrest outbox --help'"},
        { "inbox",                                     "unknown command 'inbox'; try 'smartrest --help'"    },
        { "--frob",                                    "unknown option '--frob'; try 'smartrest --help'"    },
        { "outbox rm DIR",                             "unknown command 'rm'; try 'smartrest outbox --help'"},
        { "outbox ls",
         "outbox ls: a directory is missing; try 'smartrest outbox ls --help'"                              },
        { "outbox ls DIR too",
         "outbox ls: one directory at a time, and not also too; try "
          "'smartrest outbox ls --help'"                                                                    },
        { "outbox ls --frob DIR",
         "outbox ls: unknown option --frob; try 'smartrest outbox ls --help'"                               },
        { "outbox ls -x DIR",
         "outbox ls: unknown option -x; try 'smartrest outbox ls --help'"                                   },
        { "outbox cat DIR --seq",
         "outbox cat: a value is missing behind --seq; try 'smartrest outbox cat --help'"                   },
        { "outbox cat --all=yes DIR",
         "outbox cat: no value can follow --all; try 'smartrest outbox cat --help'"                         },
        { "outbox cat --seq 5-4 DIR",
         "outbox cat: --seq: '5-4' is neither a number nor a range "
          "like 7-9, 7- or -9"                                                                              },
        { "outbox cat --seq - DIR",
         "outbox cat: --seq: '-' is neither a number nor a range "
          "like 7-9, 7- or -9"                                                                              },
        { "outbox cat --seq 18446744073709551616 DIR",
         "outbox cat: --seq: '18446744073709551616' is neither a number nor a range "
          "like 7-9, 7- or -9"                                                                              },
        { "outbox cat --since noon DIR",
         "outbox cat: --since: 'noon' is neither an age like 90s, 10m, 3h or 2d nor a time "
          "like 2026-11-22T20:45"                                                                           },
        { "outbox cat --since 2026-02-30 DIR",
         "outbox cat: --since: '2026-02-30' is neither an age like 90s, 10m, 3h or 2d nor a "
          "time like 2026-11-22T20:45"                                                                      },
        { "outbox cat --raw --json DIR",
         "outbox cat: --long, --json and --raw exclude each other"                                          },
        { "outbox drop --through x DIR",
         "outbox drop: --through: 'x' is no number of a row"                                                },
    };
    char line[300];

    make_outbox(fx);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        snprintf(line, sizeof line, "smartrest: %s\n", cases[i].complaint);
        expect(fx, cases[i].words, 2, "", line);
    }
}

static void says_which_directory_is_no_outbox(void **state)
{
    struct fixture *fx = *state;
    static const char *const commands[] = { "ls", "cat", "verify", "drop" };
    char words[100], line[200];

    save_bytes(fx->dir, "README", "x", 1);
    for (size_t i = 0; i < 4; i++) {
        snprintf(words, sizeof words, "outbox %s DIR", commands[i]);
        snprintf(line, sizeof line, "smartrest: outbox %s: DIR: no outbox is in it\n",
                 commands[i]);
        expect(fx, words, 2, "", line);
        snprintf(words, sizeof words, "outbox %s DIR/none", commands[i]);
        snprintf(line, sizeof line,
                 "smartrest: outbox %s: DIR/none: No such file or directory\n",
                 commands[i]);
        expect(fx, words, 2, "", line);
        snprintf(words, sizeof words, "outbox %s DIR/README", commands[i]);
        snprintf(line, sizeof line,
                 "smartrest: outbox %s: DIR/README: Not a directory\n", commands[i]);
        expect(fx, words, 2, "", line);
    }
    snprintf(words, sizeof words, "%s/none", fx->dir);
    assert_int_equal(access(words, F_OK), -1); /* and it was not made */
}

/* --- ls ---------------------------------------------------------------------- */

static void ls_lists_files_and_the_sum(void **state)
{
    struct fixture *fx = *state;

    make_outbox(fx);
    save_bytes(fx->dir, "0000000001.seg.damaged", "rubbish", 7);
    expect(fx, "outbox ls DIR", 0,
           "FILE                    BYTES  ROWS  WAITING  FROM  TO  STATE\n"
           "0000000001.seg          16384     3        1     1   3  ok\n"
           "0000000002.seg          16384     2        2     4   5  ok\n"
           "0000000001.seg.damaged      7     0        0     -   -  set aside\n"
           "quarantine                104     1        0     2   2  quarantine\n"
           "4 files, 32879 bytes: 3 rows waiting, 2 done, 1 in quarantine; oldest "
           "2026-11-22T12:00:03.000Z, newest 2026-11-22T12:00:05.000Z\n",
           "");
}

static void ls_tells_what_is_damaged_and_what_is_half_written(void **state)
{
    struct fixture *fx = *state;

    begin_file(&fx->made, 1);
    add_row(&fx->made, 1, "100,one");
    add_row(&fx->made, 2, "100,two");
    fx->made.bytes[fx->made.text] ^= 1;
    save_file(&fx->made, fx->dir, SEGMENT);
    begin_file(&fx->made, 2);
    add_row(&fx->made, 3, "100,three");
    add_row(&fx->made, 4, "100,four");
    fx->made.len = fx->made.text + 4;
    save_file(&fx->made, fx->dir, 0);
    expect(
        fx, "outbox ls DIR", 0,
        "FILE            BYTES  ROWS  WAITING  FROM  TO  STATE\n"
        "0000000001.seg  16384     1        1     1   1  damaged at 88\n"
        "0000000002.seg    106     1        1     3   3  half written\n"
        "2 files, 16490 bytes: 2 rows waiting, 0 done, 0 in quarantine; 1 file "
        "damaged; oldest 2026-11-22T12:00:01.000Z, newest 2026-11-22T12:00:03.000Z\n",
        "");
    expect(
        fx, "outbox ls --json DIR", 0,
        "{\"file\":\"0000000001.seg\",\"bytes\":16384,\"rows\":1,\"waiting\":1,"
        "\"from\":1,\"to\":1,\"state\":\"damaged\",\"version\":2,\"damaged_at\":88}\n"
        "{\"file\":\"0000000002.seg\",\"bytes\":106,\"rows\":1,\"waiting\":1,"
        "\"from\":3,\"to\":3,\"state\":\"half written\",\"version\":2}\n"
        "{\"files\":2,\"bytes\":16490,\"waiting\":2,\"done\":0,\"quarantined\":0,"
        "\"damaged\":1,\"oldest\":\"2026-11-22T12:00:01.000Z\","
        "\"newest\":\"2026-11-22T12:00:03.000Z\"}\n",
        "");
}

static void ls_of_an_outbox_without_rows(void **state)
{
    struct fixture *fx = *state;

    save_bytes(fx->dir, SR_STORE_LOCK_NAME, "", 0);
    expect(fx, "outbox ls DIR", 0,
           "FILE  BYTES  ROWS  WAITING  FROM  TO  STATE\n"
           "0 files, 0 bytes: 0 rows waiting, 0 done, 0 in quarantine\n",
           "");
    expect(fx, "outbox ls -j DIR", 0,
           "{\"files\":0,\"bytes\":0,\"waiting\":0,\"done\":0,\"quarantined\":0,"
           "\"damaged\":0}\n",
           "");
}

static void columns_are_as_wide_as_numbers_are(void **state)
{
    struct fixture *fx = *state;

    begin_file(&fx->made, UINT64_C(1234567890123456789));
    add_row(&fx->made, UINT64_MAX - 1, "100,a");
    add_row(&fx->made, UINT64_MAX, "100,b");
    save_file(&fx->made, fx->dir, SEGMENT);
    expect(fx, "outbox ls DIR", 0,
           "FILE                     BYTES  ROWS  WAITING                  FROM"
           "                    TO  STATE\n"
           "1234567890123456789.seg  16384     2        2  18446744073709551614"
           "  18446744073709551615  ok\n"
           "1 file, 16384 bytes: 2 rows waiting, 0 done, 0 in quarantine; oldest "
           "2026-11-22T19:00:14.000Z, newest 2026-11-22T19:00:15.000Z\n",
           "");
}

/* --- cat --------------------------------------------------------------------- */

static void cat_prints_what_waits(void **state)
{
    struct fixture *fx = *state;

    make_outbox(fx);
    expect(fx, "outbox cat DIR", 0,
           "100,\"thr\\nee\"\\x1b[31m\\\\\n"
           "100,vier \xc3\xa4\\xff\n"
           "100,five\n",
           "");
    expect(fx, "outbox cat --all DIR", 0,
           "100,one\n"
           "100,two\n"
           "100,\"thr\\nee\"\\x1b[31m\\\\\n"
           "100,vier \xc3\xa4\\xff\n"
           "100,five\n",
           "");
    expect(fx, "outbox cat --raw DIR", 0,
           "100,\"thr\nee\"\x1b[31m\\\n"
           "100,vier \xc3\xa4\xff\n"
           "100,five\n",
           "");
    expect(fx, "outbox cat --quarantine DIR", 0, "100,two\n", "");
}

static void cat_prints_nothing_that_a_terminal_obeys(void **state)
{
    struct fixture *fx = *state;

    begin_file(&fx->made, 1);
    add_row(&fx->made, 1,
            "\t\r\x7f \xc2\x9b \xd8\x9c \xe2\x80\xa8 \xe2\x80\xae \xe2\x81\xa6");
    add_row(&fx->made, 2, "\xc0\x9b \xed\xa0\x80 \xf4\x90\x80\x80 \xe2\x80");
    add_row(&fx->made, 3, "\xe2\x82\xac \xf0\x9f\x98\x80 \xc2\xa0");
    save_file(&fx->made, fx->dir, SEGMENT);
    expect(fx, "outbox cat DIR", 0,
           "\\t\\r\\x7f \\xc2\\x9b \\xd8\\x9c \\xe2\\x80\\xa8 \\xe2\\x80\\xae "
           "\\xe2\\x81\\xa6\n"
           "\\xc0\\x9b \\xed\\xa0\\x80 \\xf4\\x90\\x80\\x80 \\xe2\\x80\n"
           "\xe2\x82\xac \xf0\x9f\x98\x80 \xc2\xa0\n",
           "");
}

static void cat_prints_numbers_times_and_states(void **state)
{
    struct fixture *fx = *state;

    make_outbox(fx);
    expect(fx, "outbox cat -la --seq 2-4 DIR", 0,
           "2  2026-11-22T12:00:02.000Z  done  100,two\n"
           "3  2026-11-22T12:00:03.000Z  waiting  100,\"thr\\nee\"\\x1b[31m\\\\\n"
           "4  2026-11-22T12:00:04.000Z  waiting  100,vier \xc3\xa4\\xff\n",
           "");
    expect(fx, "outbox cat -lQ DIR", 0,
           "2  2026-11-22T12:00:02.000Z  quarantined (HTTP 422: \"no\")  100,two\n",
           "");
}

static void cat_prints_json(void **state)
{
    struct fixture *fx = *state;

    make_outbox(fx);
    expect(
        fx, "outbox cat --json --seq 3-4 DIR", 0,
        "{\"seq\":3,\"time\":\"2026-11-22T12:00:03.000Z\",\"stamped\":true,"
        "\"state\":\"waiting\",\"xid\":false,\"ttl_s\":0,\"channel\":\"\",\"file\":\"0000000001.seg\","
        "\"offset\":112,\"text\":\"100,\\\"thr\\u000aee\\\"\\u001b[31m\\\\\"}\n"
        "{\"seq\":4,\"time\":\"2026-11-22T12:00:04.000Z\",\"stamped\":true,"
        "\"state\":\"waiting\",\"xid\":false,\"ttl_s\":0,\"channel\":\"\",\"file\":\"0000000002.seg\","
        "\"offset\":124,\"text_hex\":\"3130302c7669657220c3a4ff\"}\n",
        "");
    expect(
        fx, "outbox cat --json --quarantine DIR", 0,
        "{\"seq\":2,\"time\":\"2026-11-22T12:00:02.000Z\",\"stamped\":true,"
        "\"state\":\"quarantined\",\"xid\":false,\"ttl_s\":0,\"channel\":\"\",\"file\":\"quarantine\","
        "\"offset\":64,\"why\":\"HTTP 422: \\\"no\\\"\",\"text\":\"100,two\"}\n",
        "");
}

static void cat_selects_by_number(void **state)
{
    struct fixture *fx = *state;

    make_outbox(fx);
    expect(fx, "outbox cat --all --seq 2 DIR", 0, "100,two\n", "");
    expect(fx, "outbox cat --all --seq -2 DIR", 0, "100,one\n100,two\n", "");
    expect(fx, "outbox cat DIR --seq=5-", 0, "100,five\n", "");
    expect(fx, "outbox cat --seq 6- DIR", 0, "", "");
}

static void cat_selects_by_time(void **state)
{
    struct fixture *fx = *state;
    struct sr_entry entry = entry_of(6, "100,now");
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    make_outbox(fx);
    begin_file(&fx->made, 3);
    entry.put.wall_ms =
        ((int64_t)now.tv_sec + 24 * 3600) * 1000; /* whatever today is */
    add_record(&fx->made, SR_RECORD_ROW, &entry);
    entry = entry_of(7, "100,old");
    entry.put.wall_ms = -1500; /* no clock at all */
    add_record(&fx->made, SR_RECORD_ROW, &entry);
    save_file(&fx->made, fx->dir, SEGMENT);
    expect(fx, "outbox cat --seq 4-5 --since 2026-11-22T12:00:05 DIR", 0, "100,five\n",
           "");
    expect(fx, "outbox cat --seq 4-5 --since 2026-11-22T12:00:04.001Z DIR", 0,
           "100,five\n", "");
    expect(fx, "outbox cat --seq 5 --since 2026-11-22T12:00 DIR", 0, "100,five\n", "");
    expect(fx, "outbox cat --seq 5 --since 2026-11-22 DIR", 0, "100,five\n", "");
    expect(fx, "outbox cat --seq 5 --since 2026-11-23 DIR", 0, "", "");
    expect(fx, "outbox cat --seq 6-7 --since 1h DIR", 0, "100,now\n", "");
    expect(fx, "outbox cat --seq 7 -l DIR", 0,
           "7  1969-12-31T23:59:58.500Z  waiting  100,old\n", "");
}

/* --- verify ----------------------------------------------------------------------- */

static void verify_has_nothing_to_say_against_what_is_whole(void **state)
{
    struct fixture *fx = *state;

    make_outbox(fx);
    expect(fx, "outbox verify DIR", 0,
           "intact: 3 files; 3 rows waiting, 2 done, 1 in quarantine\n", "");
    expect(fx, "outbox verify --quiet DIR", 0, "", "");
}

static void verify_says_where_damage_is(void **state)
{
    struct fixture *fx = *state;

    begin_file(&fx->made, 1);
    add_row(&fx->made, 1, "100,one");
    add_row(&fx->made, 2, "100,two");
    add_row(&fx->made, 3, "100,three");
    fx->made.bytes[88 + 15] ^= 1;
    save_file(&fx->made, fx->dir, SEGMENT);
    save_bytes(fx->dir, "0000000002.seg", "something else altogether", 25);
    expect(fx, "outbox verify DIR", 1,
           "DIR/0000000001.seg:88: wrong checksum of a record\n"
           "DIR/0000000002.seg:0: too short for a header\n"
           "damaged: 2 of 2 files; 2 rows waiting, 0 done, 0 in quarantine\n",
           "");
    expect(fx, "outbox verify -q DIR/", 1,
           "DIR/0000000001.seg:88: wrong checksum of a record\n"
           "DIR/0000000002.seg:0: too short for a header\n",
           "");
}

static void verify_forgives_a_half_written_row_and_what_was_set_aside(void **state)
{
    struct fixture *fx = *state;

    begin_file(&fx->made, 1);
    add_row(&fx->made, 1, "100,one");
    add_row(&fx->made, 2, "100,two");
    fx->made.len -= 4;
    memset(fx->made.bytes + fx->made.len, 0, 4);
    save_file(&fx->made, fx->dir, SEGMENT);
    save_bytes(fx->dir, "0000000001.seg.damaged", "rubbish", 7);
    expect(fx, "outbox verify DIR", 0,
           "DIR/0000000001.seg:88: half written, which is no damage: an agent is "
           "writing, or died while it was\n"
           "DIR/0000000001.seg.damaged: set aside at an earlier start\n"
           "intact: 2 files; 1 row waiting, 0 done, 0 in quarantine\n",
           "");
    expect(fx, "outbox verify -q DIR", 0, "", "");
}

/* --- output ------------------------------------------------------------------------ */

/* 600 rows, more than a pipe holds. */
static void make_many(struct fixture *fx)
{
    static char text[1000];

    memset(text, 'x', sizeof text - 1);
    for (unsigned file = 1; file <= 10; file++) {
        begin_file(&fx->made, file);
        for (unsigned i = 0; i < 60; i++)
            add_row(&fx->made, file * 60 + i, text);
        save_file(&fx->made, fx->dir, 0);
    }
}

static void a_reader_that_goes_away_is_no_failure(void **state)
{
    struct fixture *fx = *state;
    static const char *const lines[] = { "outbox cat DIR", "outbox cat --json DIR",
                                         "outbox ls DIR", "outbox ls --json DIR" };
    int fd[2];

    make_many(fx);
    assert_int_equal(pipe2(fd, O_CLOEXEC), 0);
    close(fd[0]);
    fx->out = fd[1];
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        expect(fx, lines[i], 0, "", "");
    expect(fx, "outbox verify DIR", 0, "", "");
    begin_file(&fx->made, 11);
    fx->made.bytes[0] = 0;
    save_file(&fx->made, fx->dir, 0);
    expect(fx, "outbox verify DIR", 1, "", ""); /* it is the verdict that counts */
    close(fd[1]);
}

static void output_that_cannot_be_written_is_a_failure(void **state)
{
    struct fixture *fx = *state;

    make_many(fx);
    fx->out = open("/dev/full", O_WRONLY | O_CLOEXEC);
    expect(fx, "outbox cat DIR", 2, "",
           "smartrest: cannot write the output: No space left on device\n");
    expect(fx, "--help", 2, "",
           "smartrest: cannot write the output: No space left on device\n");
    close(fx->out);
}

/* What a terminal gets, without its CR. */
static int run_on_terminal(struct fixture *fx, const char *words, const char *keys,
                           char *text, size_t size)
{
    int master, terminal, status;
    size_t len = 0;
    ssize_t n;

    assert_int_equal(openpty(&master, &terminal, NULL, NULL, NULL), 0);
    fcntl(master, F_SETFL, O_NONBLOCK);
    assert_int_equal(write(master, keys, strlen(keys)), strlen(keys));
    fx->in = fx->out = terminal;
    status = run(fx, words);
    fx->in = fx->out = -1;
    while (len + 1 < size && (n = read(master, text + len, size - 1 - len)) > 0)
        len += (size_t)n;
    text[len] = '\0';
    close(master);
    close(terminal);
    return status;
}

static void colours_are_for_terminals_only(void **state)
{
    struct fixture *fx = *state;
    char text[4096];

    save_bytes(fx->dir, "0000000001.seg", "hello", 5);
    run(fx, "outbox ls DIR");
    assert_null(strstr(fx->text[OUT], "\033["));
    assert_int_equal(run_on_terminal(fx, "outbox ls DIR", "", text, sizeof text), 0);
    assert_non_null(strstr(text, "\033[31mdamaged at 0\033[m"));
    fx->no_color = "1";
    run_on_terminal(fx, "outbox ls DIR", "", text, sizeof text);
    assert_null(strstr(text, "\033["));
    assert_non_null(strstr(text, "damaged at 0"));
}

static void runs_without_standard_descriptors(void **state)
{
    struct fixture *fx = *state;
    char *argv[] = { (char[]){ "smartrest" },
                     (char[]){ "outbox" },
                     (char[]){ "drop" },
                     (char[]){ "--yes" },
                     fx->dir,
                     NULL };
    int status;
    pid_t pid;

    make_outbox(fx);
    pid = fork();
    if (!pid) {
        close(0), close(1), close(2);
        execv(SMARTREST, argv);
        _exit(125);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    expect(fx, "outbox verify -q DIR", 0, "", "");
    expect(fx, "outbox cat DIR", 0, "", "");
}

/* --- drop --------------------------------------------------------------------------- */

static void drop_takes_rows_away(void **state)
{
    struct fixture *fx = *state;

    make_outbox(fx);
    expect(fx, "outbox drop --yes --through 4 DIR", 0, "2 rows dropped\n", "");
    expect(fx, "outbox cat DIR", 0, "100,five\n", "");
    expect(fx, "outbox cat -Q DIR", 0, "100,two\n", "");
    expect(fx, "outbox drop -y DIR", 0, "1 row dropped\n", "");
    expect(fx, "outbox cat DIR", 0, "", "");
    expect(fx, "outbox drop DIR", 0, "nothing is there to drop\n", "");
    expect(fx, "outbox verify -q DIR", 0, "", "");
}

static void rows_of_later_times_are_kept(void **state)
{
    struct fixture *fx = *state;
    struct sr_store_options options = { .cap = SR_STORE_CAP_MIN };
    struct sr_store_recovery recovery;
    struct sr_store *store;
    struct sr_entry entry;

    make_outbox(fx);
    expect(fx, "outbox drop --yes --through 99 DIR", 0, "3 rows dropped\n", "");
    assert_int_equal(
        sr_store_open(fx->dir, &options, &store, &recovery, fx->text[ERR], 256), 0);
    entry = entry_of(sr_store_next_seq(store), "100,later");
    assert_int_equal(entry.seq, 6);
    assert_int_equal(sr_store_append(store, &entry), 0);
    sr_store_close(store);
    expect(fx, "outbox cat DIR", 0, "100,later\n", "");
}

static void drop_empties_the_quarantine_and_no_more(void **state)
{
    struct fixture *fx = *state;

    make_outbox(fx);
    expect(fx, "outbox drop --quarantine -y DIR", 0, "1 row dropped\n", "");
    expect(fx, "outbox cat -Q DIR", 0, "", "");
    expect(fx, "outbox cat --seq 5 DIR", 0, "100,five\n", "");
    expect(fx, "outbox drop --quarantine DIR", 0, "nothing is there to drop\n", "");
}

static bool is_there(const struct fixture *fx, const char *name)
{
    char path[300];

    snprintf(path, sizeof path, "%s/%s", fx->dir, name);
    return access(path, F_OK) == 0;
}

static void drop_takes_away_what_was_set_aside(void **state)
{
    struct fixture *fx = *state;

    make_outbox(fx);
    save_bytes(fx->dir, "0000000001.seg.damaged", "rubbish", 7);
    save_bytes(fx->dir, "notes.damaged", "mine", 4);
    save_bytes(fx->dir, "0000000009.seg", "something else altogether", 25);
    expect(fx, "outbox drop --damaged -y DIR", 0, "0 rows dropped\n", "");
    assert_false(is_there(fx, "0000000001.seg.damaged"));
    assert_false(is_there(fx, "0000000009.seg"));
    assert_false(is_there(fx, "0000000009.seg.damaged"));
    assert_true(is_there(fx, "notes.damaged"));
    expect(fx, "outbox verify -q DIR", 0, "", "");
    expect(fx, "outbox cat --seq 5 DIR", 0, "100,five\n", "");
    expect(fx, "outbox drop --all -y DIR", 0, "4 rows dropped\n", "");
    expect(fx, "outbox drop --all DIR", 0, "nothing is there to drop\n", "");
}

static void drop_asks_first(void **state)
{
    struct fixture *fx = *state;
    char text[4096];

    make_outbox(fx);
    expect(fx, "outbox drop DIR", 2, "",
           "smartrest: outbox drop: nobody is there to ask; --yes drops without "
           "asking\n");
    assert_int_equal(
        run_on_terminal(fx, "outbox drop --all DIR", "\n", text, sizeof text), 1);
    assert_string_equal(fx->text[ERR],
                        "To be dropped for good:\n"
                        "  3 rows waiting, numbers 3 to 5, sent "
                        "2026-11-22T12:00:03.000Z to 2026-11-22T12:00:05.000Z\n"
                        "  1 row in quarantine, numbers 2 to 2, sent "
                        "2026-11-22T12:00:02.000Z to 2026-11-22T12:00:02.000Z\n"
                        "Drop? [y/N] "
                        "smartrest: outbox drop: nothing was dropped\n");
    assert_int_equal(
        run_on_terminal(fx, "outbox drop DIR", "yellow\n", text, sizeof text), 1);
    assert_int_equal(run_on_terminal(fx, "outbox drop DIR", "\x04", text, sizeof text),
                     1);
    expect(fx, "outbox cat --seq 5 DIR", 0, "100,five\n", "");
    assert_int_equal(run_on_terminal(fx, "outbox drop DIR", "y\n", text, sizeof text),
                     0);
    assert_non_null(strstr(text, "3 rows dropped"));
    expect(fx, "outbox cat DIR", 0, "", "");
}

static void drop_leaves_an_outbox_alone_that_an_agent_has(void **state)
{
    struct fixture *fx = *state;
    struct sr_store_options options = { .cap = SR_STORE_CAP_MIN };
    struct sr_store_recovery recovery;
    struct sr_store *store;
    struct sr_entry entry = entry_of(1, "100,mine");

    assert_int_equal(
        sr_store_open(fx->dir, &options, &store, &recovery, fx->text[ERR], 256), 0);
    assert_int_equal(sr_store_append(store, &entry), 0);
    expect(fx, "outbox drop --yes DIR", 1, "",
           "smartrest: outbox drop: DIR: an agent runs on it; stop it first. Nothing "
           "was dropped\n");
    expect(fx, "outbox drop DIR", 1, "", /* before it asks */
           "smartrest: outbox drop: DIR: an agent runs on it; stop it first. Nothing "
           "was dropped\n");
    expect(fx, "outbox cat DIR", 0, "100,mine\n", "");
    expect(fx, "outbox verify -q DIR", 0, "", "");
    assert_int_equal(run(fx, "outbox ls DIR"), 0);
    sr_store_close(store);
    expect(fx, "outbox drop --yes DIR", 0, "1 row dropped\n", "");
}

static void what_drop_makes_is_not_for_others_to_read(void **state)
{
    struct fixture *fx = *state;
    DIR *stream;
    struct dirent *entry;
    struct stat stat;

    make_outbox(fx);
    expect(fx, "outbox drop --through 3 -y DIR", 0, "1 row dropped\n", "");
    stream = opendir(fx->dir);
    while ((entry = readdir(stream))) {
        assert_int_equal(fstatat(dirfd(stream), entry->d_name, &stat, 0), 0);
        if (S_ISREG(stat.st_mode))
            assert_int_equal(stat.st_mode & 077, 0);
    }
    closedir(stream);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(helps),
        TEST(refuses_a_wrong_command_line),
        TEST(says_which_directory_is_no_outbox),
        TEST(ls_lists_files_and_the_sum),
        TEST(ls_tells_what_is_damaged_and_what_is_half_written),
        TEST(ls_of_an_outbox_without_rows),
        TEST(columns_are_as_wide_as_numbers_are),
        TEST(cat_prints_what_waits),
        TEST(cat_prints_nothing_that_a_terminal_obeys),
        TEST(cat_prints_numbers_times_and_states),
        TEST(cat_prints_json),
        TEST(cat_selects_by_number),
        TEST(cat_selects_by_time),
        TEST(verify_has_nothing_to_say_against_what_is_whole),
        TEST(verify_says_where_damage_is),
        TEST(verify_forgives_a_half_written_row_and_what_was_set_aside),
        TEST(a_reader_that_goes_away_is_no_failure),
        TEST(output_that_cannot_be_written_is_a_failure),
        TEST(colours_are_for_terminals_only),
        TEST(runs_without_standard_descriptors),
        TEST(drop_takes_rows_away),
        TEST(rows_of_later_times_are_kept),
        TEST(drop_empties_the_quarantine_and_no_more),
        TEST(drop_takes_away_what_was_set_aside),
        TEST(drop_asks_first),
        TEST(drop_leaves_an_outbox_alone_that_an_agent_has),
        TEST(what_drop_makes_is_not_for_others_to_read),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
