/* SPDX-License-Identifier: MIT */
/* The files of certificates and keys are looked at where they are named. */
#include "base/net.h"
#include "support/tls_server.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
/* after what it needs */
#include <cmocka.h>

struct fixture {
    struct tls_files one, other;
    char fifo[100], text[100];
};

static int set_up(void **state)
{
    const struct tls_wish wish = { .names = "DNS:x" };
    struct fixture *fx = calloc(1, sizeof *fx);
    FILE *file;

    *state = fx;
    if (!tls_make(&fx->one, &wish) || !tls_make(&fx->other, &wish))
        return -1;
    snprintf(fx->fifo, sizeof fx->fifo, "%s/fifo", fx->one.dir);
    snprintf(fx->text, sizeof fx->text, "%s/text", fx->one.dir);
    file = fopen(fx->text, "w");
    return !file || fputs("no PEM\n", file) < 0 || fclose(file) ||
           mkfifo(fx->fifo, 0600);
}

static int tear_down(void **state)
{
    struct fixture *fx = *state;

    unlink(fx->fifo);
    unlink(fx->text);
    tls_remove(&fx->one);
    tls_remove(&fx->other);
    free(fx);
    return 0;
}

static void is_good(struct sr_net net)
{
    char why[SR_NET_WHY_MAX] = "";

    if (!sr_net_check(&net, why, sizeof why))
        fail_msg("%s", why);
}

static void is_bad(struct sr_net net, const char *setting, const char *path,
                   const char *fault)
{
    char why[SR_NET_WHY_MAX] = "", expected[SR_NET_WHY_MAX];
    struct sr_net copy;

    assert_false(sr_net_check(&net, why, sizeof why));
    snprintf(expected, sizeof expected, "%s '%s'%s", setting, path, fault);
    assert_string_equal(why, expected);
    assert_int_equal(sr_net_take(&net, &copy), SR_E_INVAL);
}

static void good_files_are_taken(void **state)
{
    struct fixture *fx = *state;

    is_good((struct sr_net){ 0 });
    is_good((struct sr_net){ .ca_file = fx->one.ca, .ca_path = "/tmp" });
    is_good((struct sr_net){ .cert_file = fx->one.cert, .key_file = fx->one.key });
}

static void files_that_are_not_there_are_named(void **state)
{
    struct fixture *fx = *state;

    is_bad((struct sr_net){ .ca_file = "/nowhere" }, "ca_file", "/nowhere",
           ": No such file or directory");
    is_bad((struct sr_net){ .cert_file = fx->one.cert }, "cert_file", fx->one.cert,
           " needs the setting key_file, too");
    is_bad((struct sr_net){ .key_file = fx->one.key }, "key_file", fx->one.key,
           " needs the setting cert_file, too");
    is_bad((struct sr_net){ .cert_file = "/nowhere", .key_file = fx->one.key },
           "cert_file", "/nowhere", ": No such file or directory");
    is_bad((struct sr_net){ .cert_file = fx->one.cert, .key_file = "/nowhere" },
           "key_file", "/nowhere", ": No such file or directory");
    is_bad((struct sr_net){ .ca_path = "/nowhere" }, "ca_path", "/nowhere",
           " is no directory");
}

static void what_is_no_file_does_not_block(void **state)
{
    struct fixture *fx = *state;

    is_bad((struct sr_net){ .ca_file = fx->fifo }, "ca_file", fx->fifo,
           ": it is no regular file");
    is_bad((struct sr_net){ .ca_file = "/tmp" }, "ca_file", "/tmp", ": Is a directory");
}

static void files_without_what_should_be_in_them_are_named(void **state)
{
    struct fixture *fx = *state;

    is_bad((struct sr_net){ .ca_file = fx->text }, "ca_file", fx->text,
           ": there is no certificate in PEM in it");
    is_bad((struct sr_net){ .cert_file = fx->one.key, .key_file = fx->one.key },
           "cert_file", fx->one.key, ": there is no certificate in PEM in it");
    is_bad((struct sr_net){ .cert_file = fx->one.cert, .key_file = fx->one.cert },
           "key_file", fx->one.cert,
           ": there is no private key in PEM without passphrase in it");
}

static void the_key_of_another_certificate_is_named(void **state)
{
    struct fixture *fx = *state;
    char fault[200];

    snprintf(fault, sizeof fault, " is not the key of cert_file '%s'", fx->one.cert);
    is_bad((struct sr_net){ .cert_file = fx->one.cert, .key_file = fx->other.key },
           "key_file", fx->other.key, fault);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(good_files_are_taken),
        TEST(files_that_are_not_there_are_named),
        TEST(what_is_no_file_does_not_block),
        TEST(files_without_what_should_be_in_them_are_named),
        TEST(the_key_of_another_certificate_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
