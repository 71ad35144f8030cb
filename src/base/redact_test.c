/* SPDX-License-Identifier: MIT */
#include "base/redact.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
/* after what it needs */
#include <cmocka.h>

static void expect(const char *text, const char *redacted)
{
    char copy[200];

    snprintf(copy, sizeof copy, "%s", text);
    sr_redact(copy);
    assert_string_equal(copy, redacted);
}

static void user_and_password_of_a_url_are_hidden(void **state)
{
    (void)state;
    expect("Unsupported proxy scheme for 'foo://user:secret@proxy:3128'",
           "Unsupported proxy scheme for 'foo://***@proxy:3128'");
    expect("http://user@host/", "http://***@host/");
    expect("http://u@host/", "http://*@host/");
    expect("http://@host/", "http://@host/");
}

static void passwords_with_anything_in_them_are_hidden(void **state)
{
    (void)state;
    expect("'http://user:se@cr et/'x@host:1' is wrong", "'http://***@host:1' is wrong");
    expect("http://user:a://b@host", "http://***@host");
}

static void each_url_of_a_sentence_is_looked_at(void **state)
{
    (void)state;
    expect("http://u:pw1@a and http://b and https://u:pw2@c",
           "http://***@a and http://***@c");
    expect("http://u:pw1@a and https://u:pw2@c", "http://***@a and https://***@c");
}

static void a_url_without_scheme_is_hidden_too(void **state)
{
    (void)state;
    expect("syntax in 'us er:secret@proxy:x'", "syntax in '***@proxy:x'");
    expect("cannot reach user:secret@proxy", "cannot reach ***@proxy");
    expect("user:secret@proxy", "***@proxy");
}

static void other_sentences_stay_as_they_are(void **state)
{
    (void)state;
    expect("", "");
    expect("http://host:80/path refused the request",
           "http://host:80/path refused the request");
    expect("no such thing: 'x'", "no such thing: 'x'");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(user_and_password_of_a_url_are_hidden),
        cmocka_unit_test(passwords_with_anything_in_them_are_hidden),
        cmocka_unit_test(each_url_of_a_sentence_is_looked_at),
        cmocka_unit_test(a_url_without_scheme_is_hidden_too),
        cmocka_unit_test(other_sentences_stay_as_they_are),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
