/* SPDX-License-Identifier: MIT */
#include "base/settings.h"

#include "outbox/outbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct sr_settings settings;
static const char *reason;

static int start(void **state)
{
    (void)state;
    sr_settings_init(&settings);
    return 0;
}

static int end(void **state)
{
    (void)state;
    sr_settings_release(&settings);
    return 0;
}

static void assert_is(const char *name, const char *value)
{
    char text[64];

    assert_int_equal(sr_settings_get(&settings, name, text, sizeof text), 0);
    assert_string_equal(text, value);
}

static void has_the_documented_defaults(void **state)
{
    (void)state;
#define SETTING(name, what) assert_is(#name, "");
    SR_TEXT_SETTINGS(SETTING)
#undef SETTING
#define SETTING(name, value, least, most, unit, what) assert_is(#name, #value);
    SR_NUMBER_SETTINGS(SETTING)
#undef SETTING
#define SETTING(name, value, choices, what) assert_is(#name, #value);
    SR_CHOICE_SETTINGS(SETTING)
#undef SETTING
}

static int set(const char *name, const char *value)
{
    return sr_settings_set(&settings, name, value, &reason);
}

static void takes_both_bounds_and_nothing_beyond(void **state)
{
    char text[32];

    (void)state;
#define SETTING(name, value, least, most, unit, what)          \
    assert_int_equal(set(#name, #least), 0);                   \
    assert_int_equal(set(#name, #most), 0);                    \
    snprintf(text, sizeof text, "%lld", (long long)most + 1);  \
    assert_int_equal(set(#name, text), SR_E_INVAL);            \
    snprintf(text, sizeof text, "%lld", (long long)least - 1); \
    assert_int_equal(set(#name, text), SR_E_INVAL);            \
    assert_is(#name, #most);
    SR_NUMBER_SETTINGS(SETTING)
#undef SETTING
}

static void refuses_what_is_no_number(void **state)
{
    static const char *const bad[] = {
        "",    " 5",  "5 ", "+5",  "0x10", "5e3",
        "ten", "5.0", "-1", "--1", "5,0",  "99999999999999999999999"
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(set("linger", bad[i]), SR_E_INVAL);
    assert_is("linger", "400");
}

static void knows_the_values_between_the_bounds_that_are_none(void **state)
{
    (void)state;
    assert_int_equal(set("keepalive", "4"), SR_E_INVAL);
    assert_int_equal(set("keepalive", "5"), 0);
    assert_int_equal(set("http_version", "12"), SR_E_INVAL);
    assert_int_equal(set("http_version", "20"), 0);
}

static void takes_each_choice_by_its_name(void **state)
{
    (void)state;
#define SETTING(name, value, choices, what)                                          \
    for (char *rest, *list = strdup(choices), *choice = strtok_r(list, ", ", &rest); \
         list; choice = strtok_r(NULL, ", ", &rest)) {                               \
        if (!choice) {                                                               \
            free(list);                                                              \
            break;                                                                   \
        }                                                                            \
        assert_int_equal(set(#name, choice), 0);                                     \
        assert_is(#name, choice);                                                    \
    }
    SR_CHOICE_SETTINGS(SETTING)
#undef SETTING
}

static void refuses_what_is_no_choice(void **state)
{
    static const char *const bad[] = { "",      "bat",    "batch,", "batch, interval",
                                       "Batch", " batch", "1",      "drop_oldest" };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(set("outbox_sync", bad[i]), SR_E_INVAL);
        assert_string_equal(reason, "it is none of the choices");
    }
    assert_is("outbox_sync", "batch");
}

static void assert_choice(const char *name, const char *value, const int *in, int place)
{
    assert_int_equal(set(name, value), 0);
    assert_int_equal(*in, place);
}

static void has_a_choice_as_the_code_names_it(void **state)
{
    (void)state;
    assert_choice("outbox_sync", "row", &settings.outbox_sync, SR_SYNC_ROW);
    assert_choice("outbox_sync", "batch", &settings.outbox_sync, SR_SYNC_BATCH);
    assert_choice("outbox_sync", "interval", &settings.outbox_sync, SR_SYNC_INTERVAL);
    assert_choice("full_volatile", "drop_oldest", &settings.full_volatile,
                  SR_DROP_OLDEST);
    assert_choice("full_volatile", "drop_newest", &settings.full_volatile,
                  SR_DROP_NEWEST);
    assert_choice("full_volatile", "refuse", &settings.full_volatile, SR_REFUSE);
    assert_choice("full_buffered", "drop_oldest", &settings.full_buffered,
                  SR_DROP_OLDEST);
    assert_choice("full_buffered", "drop_newest", &settings.full_buffered,
                  SR_DROP_NEWEST);
    assert_choice("full_buffered", "refuse", &settings.full_buffered, SR_REFUSE);
    assert_choice("replay_order", "strict", &settings.replay_order, SR_REPLAY_STRICT);
    assert_choice("replay_order", "live_first", &settings.replay_order,
                  SR_REPLAY_LIVE_FIRST);
}

static void says_that_there_is_no_such_setting(void **state)
{
    char text[8];

    (void)state;
    assert_int_equal(set("lingers", "1"), SR_E_NOTFOUND);
    assert_int_equal(set("", "1"), SR_E_NOTFOUND);
    assert_int_equal(sr_settings_get(&settings, "Linger", text, sizeof text),
                     SR_E_NOTFOUND);
}

static void null_sets_the_default(void **state)
{
    (void)state;
    assert_int_equal(set("linger", "5"), 0);
    assert_int_equal(set("linger", NULL), 0);
    assert_is("linger", "400");
    assert_int_equal(set("ca_file", "/x"), 0);
    assert_is("ca_file", "/x");
    assert_int_equal(set("ca_file", NULL), 0);
    assert_is("ca_file", "");
    assert_int_equal(set("outbox_sync", "row"), 0);
    assert_int_equal(set("outbox_sync", NULL), 0);
    assert_is("outbox_sync", "batch");
}

static void text_has_a_bound(void **state)
{
    char text[4098];

    (void)state;
    memset(text, 'x', sizeof text);
    text[4096] = '\0';
    assert_int_equal(set("proxy", text), SR_E_INVAL);
    text[4095] = '\0';
    assert_int_equal(set("proxy", text), 0);
}

/* --- the page ----------------------------------------------------------- */

static char *read_page(void)
{
    FILE *file = fopen(SETTINGS_PAGE, "r");
    char *page = calloc(1, 65536);

    assert_non_null(file);
    assert_non_null(page);
    assert_true(fread(page, 1, 65535, file) > 0);
    fclose(file);
    return page;
}

static void assert_page_has(const char *page, const char *row)
{
    if (!strstr(page, row))
        fail_msg("docs/settings.md lacks the row: %s", row);
}

static void page_shows_the_same_table(void **state)
{
    char *page = read_page(), row[512];

    (void)state;
#define SETTING(name, what)                                    \
    snprintf(row, sizeof row, "| `%s` | %s |\n", #name, what); \
    assert_page_has(page, row);
    SR_TEXT_SETTINGS(SETTING)
#undef SETTING
#define SETTING(name, value, least, most, unit, what)                               \
    snprintf(row, sizeof row, "| `%s` | %s | %s | %s | %s | %s |\n", #name, #value, \
             #least, #most, unit, what);                                            \
    assert_page_has(page, row);
    SR_NUMBER_SETTINGS(SETTING)
#undef SETTING
#define SETTING(name, value, choices, what)                                        \
    snprintf(row, sizeof row, "| `%s` | %s | %s | %s |\n", #name, #value, choices, \
             what);                                                                \
    assert_page_has(page, row);
    SR_CHOICE_SETTINGS(SETTING)
#undef SETTING
    free(page);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, end)
    const struct CMUnitTest tests[] = {
        TEST(has_the_documented_defaults),
        TEST(takes_both_bounds_and_nothing_beyond),
        TEST(refuses_what_is_no_number),
        TEST(knows_the_values_between_the_bounds_that_are_none),
        TEST(takes_each_choice_by_its_name),
        TEST(refuses_what_is_no_choice),
        TEST(has_a_choice_as_the_code_names_it),
        TEST(says_that_there_is_no_such_setting),
        TEST(null_sets_the_default),
        TEST(text_has_a_bound),
        TEST(page_shows_the_same_table),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
