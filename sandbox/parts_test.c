/* SPDX-License-Identifier: MIT */
/* The parts of the doors that need no broker. */
#include "account.h"
#include "listen.h"
#include "mailbox.h"
#include "refusals.h"
#include "regular.h"
#include "session.h"
#include "uri.h"
#include "wake.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- client ids --------------------------------------------------------------- */

static void client_id_gives_its_device(void **state)
{
    static const struct {
        const char *client_id, *device; /* NULL: refused */
    } cases[] = {
        {"gw1",         "gw1"    },
        { "d:gw1",      "gw1"    },
        { "d:gw1:tmpl", "gw1"    },
        { "d:gw1:",     "gw1"    },
        { "gw1:tmpl",   NULL     },
        { "x:gw1",      NULL     },
        { "d:",         NULL     },
        { "d::tmpl",    NULL     },
        { "",           NULL     },
        { "d:gw1:a:b",  NULL     },
        { ":gw1",       NULL     },
        { "d",          "d"      },
        { "d:12345678", NULL     },
        { "d:1234567",  "1234567"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char device[8] = "before";
        bool ok = sb_client_id_device(cases[i].client_id, device, sizeof device);

        assert_int_equal(ok, cases[i].device != NULL);
        assert_string_equal(device, ok ? cases[i].device : "before");
    }
}

/* --- filters ---------------------------------------------------------------------- */

static void filters_match_as_mqtt_says(void **state)
{
    static const struct {
        const char *filter, *topic;
        bool matches;
    } cases[] = {
        {"s/dl",    "s/dl",     true },
        { "s/dl",   "s/dl/x",   false},
        { "s/dl/x", "s/dl",     false},
        { "s/ol/#", "s/ol/x",   true },
        { "s/ol/#", "s/ol",     true },
        { "s/ol/#", "s/ol/a/b", true },
        { "s/+",    "s/dl",     true },
        { "s/+",    "s/dl/x",   false},
        { "s/+/x",  "s/ol/x",   true },
        { "+/+",    "s/dl",     true },
        { "#",      "s/dl",     true },
        { "#",      "$SYS/x",   false},
        { "+/x",    "$SYS/x",   false},
        { "$SYS/#", "$SYS/x",   true },
        { "s/d",    "s/dl",     false},
        { "s/dl",   "s/d",      false},
        { "/s",     "/s",       true },
        { "+/s",    "/s",       true },
        { "s/",     "s/",       true },
        { "s/",     "s",        false},
        { "s/+",    "s/",       true },
        { "",       "s",        false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (sb_topic_matches(cases[i].filter, cases[i].topic) != cases[i].matches)
            fail_msg("%s and %s", cases[i].filter, cases[i].topic);
}

/* --- files ------------------------------------------------------------------------------ */

static void a_fifo_is_no_file(void **state)
{
    char path[] = "/tmp/sandbox-parts-XXXXXX";
    int fd;

    (void)state;
    assert_int_equal(close(mkstemp(path)), 0);
    fd = sb_open_regular(path, O_RDWR | O_CREAT);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(unlink(path) | mkfifo(path, 0600), 0);
    assert_int_equal(sb_open_regular(path, O_RDONLY), -1);
    assert_string_equal(sb_regular_error(errno), "it is no regular file");
    assert_int_equal(sb_open_regular(path, O_RDWR | O_CREAT), -1);
    unlink(path);
}

/* --- sessions ------------------------------------------------------------------------- */

#define CLIENT(n) ((const struct mosquitto *)(uintptr_t)(16 * (n)))

static struct sb_session *connects(struct sb_sessions *all, int client,
                                   const char *client_id, const char *device)
{
    struct sb_identity identity = { .role = SB_DEVICE };
    struct sb_session *session;

    strcpy(identity.device_id, device);
    session = sb_sessions_begin(all, CLIENT(client), client_id, &identity);
    assert_non_null(session);
    assert_ptr_equal(sb_sessions_of_client(all, CLIENT(client)), session);
    assert_ptr_equal(sb_sessions_of_device(all, device), session);
    return session;
}

static void late_end_of_the_old_connection_leaves_the_new_one_alone(void **state)
{
    struct sb_sessions all = { 0 };
    struct sb_session *old, *new;

    (void)state;
    old = connects(&all, 1, "d:gw1", "gw1");
    new = connects(&all, 2, "gw1", "gw1");
    sb_sessions_end(&all, old);
    sb_sessions_end(&all, old);
    sb_sessions_sweep(&all);

    assert_ptr_equal(sb_sessions_of_device(&all, "gw1"), new);
    assert_ptr_equal(sb_sessions_of_client(&all, CLIENT(2)), new);
    assert_null(sb_sessions_of_client(&all, CLIENT(1)));
    sb_sessions_clear(&all);
}

static void address_used_again_is_a_new_client(void **state)
{
    struct sb_sessions all = { 0 };

    (void)state;
    connects(&all, 1, "a", "a");
    connects(&all, 1, "b", "b");

    assert_null(sb_sessions_of_device(&all, "a"));
    sb_sessions_clear(&all);
}

static void persistent_session_keeps_its_subscriptions_for_the_same_client_id(
    void **state)
{
    struct sb_sessions all = { 0 };
    struct sb_session *session = connects(&all, 1, "d:gw1", "gw1");

    (void)state;
    session->clean = false;
    assert_true(sb_session_subscribe(session, "s/dl", 1));
    sb_sessions_end(&all, session);
    sb_sessions_sweep(&all);
    assert_int_equal(sb_session_qos(connects(&all, 2, "d:gw1", "gw1"), "s/dl"), 1);

    session = sb_sessions_of_device(&all, "gw1");
    session->clean = false;
    assert_int_equal(sb_session_qos(connects(&all, 3, "gw1", "gw1"), "s/dl"), -1);
    sb_sessions_clear(&all);
}

static void clean_session_leaves_nothing(void **state)
{
    struct sb_sessions all = { 0 };
    struct sb_session *session = connects(&all, 1, "gw1", "gw1");

    (void)state;
    assert_true(sb_session_subscribe(session, "s/dl", 1));
    sb_sessions_end(&all, session);
    sb_sessions_sweep(&all);

    assert_null(sb_sessions_of_device(&all, "gw1"));
    sb_sessions_clear(&all);
}

static void highest_matching_qos_counts(void **state)
{
    struct sb_sessions all = { 0 };
    struct sb_session *session = connects(&all, 1, "gw1", "gw1");

    (void)state;
    sb_session_subscribe(session, "s/dl", 0);
    assert_int_equal(sb_session_qos(session, "s/dl"), 0);
    sb_session_subscribe(session, "s/+", 2);
    sb_session_subscribe(session, "s/dl", 1);
    assert_int_equal(sb_session_qos(session, "s/dl"), 2);
    sb_session_unsubscribe(session, "s/+");
    sb_session_unsubscribe(session, "never");
    assert_int_equal(sb_session_qos(session, "s/dl"), 1);
    assert_int_equal(sb_session_qos(session, "s/ol/x"), -1);
    sb_sessions_clear(&all);
}

static void subscriptions_have_a_bound(void **state)
{
    struct sb_sessions all = { 0 };
    struct sb_session *session = connects(&all, 1, "gw1", "gw1");
    char filter[32];

    (void)state;
    for (int i = 0; i < SB_FILTERS_MAX; i++) {
        snprintf(filter, sizeof filter, "s/ol/%d", i);
        assert_true(sb_session_subscribe(session, filter, 1));
    }
    assert_false(sb_session_subscribe(session, "s/dl", 1));
    assert_true(sb_session_subscribe(session, "s/ol/7", 0));
    sb_sessions_clear(&all);
}

/* --- mailbox ------------------------------------------------------------------------------ */

static void letters_come_in_order(void **state)
{
    struct sb_mailbox *box = sb_mailbox_new(10000);
    struct sb_mail *mail;
    size_t refused;

    (void)state;
    sb_mailbox_put(box, "gw1", "s/dl", "one\0two", 7);
    sb_mailbox_put(box, "gw2", "s/ol/x", NULL, 0);
    mail = sb_mailbox_take(box, &refused);
    assert_int_equal(refused, 0);
    assert_string_equal(mail->device_id, "gw1");
    assert_string_equal(mail->topic, "s/dl");
    assert_int_equal(mail->len, 7);
    assert_memory_equal(mail->payload, "one\0two", 7);
    mail = sb_mail_free(mail);
    assert_string_equal(mail->device_id, "gw2");
    assert_string_equal(mail->topic, "s/ol/x");
    assert_int_equal(mail->len, 0);
    assert_null(sb_mail_free(mail));
    assert_null(sb_mailbox_take(box, &refused));
    sb_mailbox_free(box);
}

static void full_mailbox_refuses_the_new_letter_and_counts_it(void **state)
{
    struct sb_mailbox *box = sb_mailbox_new(200);
    struct sb_mail *mail;
    size_t refused;
    char big[200] = { 0 };

    (void)state;
    assert_true(sb_mailbox_put(box, "gw1", "s/dl", "x", 1));
    assert_false(sb_mailbox_put(box, "gw1", "s/dl", big, sizeof big));
    mail = sb_mailbox_take(box, &refused);
    assert_int_equal(refused, 1);
    assert_null(sb_mail_free(mail));
    assert_true(sb_mailbox_put(box, "gw1", "s/dl", big, 100)); /* room again */
    sb_mailbox_free(box);
}

/* --- refused publishes -------------------------------------------------------------------- */

static void a_topic_is_refused_aloud_once_for_each_client(void **state)
{
    struct sb_refusals refusals = { 0 };
    char topic[1000];

    (void)state;
    assert_true(sb_refusals_first(&refusals, "a", "s/us"));
    assert_false(sb_refusals_first(&refusals, "a", "s/us"));
    assert_true(sb_refusals_first(&refusals, "b", "s/us"));
    assert_true(sb_refusals_first(&refusals, "a", "s/uc/x"));
    assert_false(sb_refusals_first(&refusals, "a", "s/us"));
    memset(topic, 'x', sizeof topic - 1);
    topic[sizeof topic - 1] = '\0';
    assert_true(sb_refusals_first(&refusals, "a", topic));
    assert_false(sb_refusals_first(&refusals, "a", topic));
    for (int i = 0; i < 5000; i++) { /* topics without end are forgotten, not kept */
        snprintf(topic, sizeof topic, "%d", i);
        assert_true(sb_refusals_first(&refusals, "a", topic));
        assert_true(refusals.count <= SB_REFUSALS_MAX);
    }
    sb_refusals_clear(&refusals);
    assert_int_equal(refusals.count, 0);
}

/* --- request targets ---------------------------------------------------------------------- */

static void request_target_is_cut_and_decoded(void **state)
{
    static const struct {
        const char *uri, *path, *query; /* path NULL: refused */
    } cases[] = {
        {"/s",             "/s",            ""       },
        { "/a?b=c%20d",    "/a",            "b=c%20d"},
        { "/a%20b/%C3%bc", "/a b/\xc3\xbc", ""       },
        { "/a+b",          "/a+b",          ""       },
        { "/a%2Fb?",       "/a/b",          ""       },
        { "/a?b?c",        "/a",            "b?c"    },
        { "/a%",           NULL,            NULL     },
        { "/a%2",          NULL,            NULL     },
        { "/a%zz",         NULL,            NULL     },
        { "/a%00b",        NULL,            NULL     },
        { "*",             "*",             ""       },
        { "",              "",              ""       },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *uri = strdup(cases[i].uri);
        struct sb_target target;
        bool ok = sb_uri_split(uri, &target);

        assert_int_equal(ok, cases[i].path != NULL);
        if (ok) {
            assert_string_equal(target.path, cases[i].path);
            assert_string_equal(target.query, cases[i].query);
            assert_null(target.host);
        }
        free(uri);
    }
}

static void absolute_targets_name_their_host(void **state)
{
    static const struct {
        const char *uri, *host, *path, *query; /* host NULL: refused */
    } cases[] = {
        {"http://h/s",              "h",        "/s",   ""      },
        { "HTTPS://h:8443/a%20b?q", "h:8443",   "/a b", "q"     },
        { "http://h",               "h",        "/",    ""      },
        { "http://h?a=b",           "h",        "/",    "a=b"   },
        { "http://h/?a=b//c",       "h",        "/",    "a=b//c"},
        { "http://[::1]:80//s",     "[::1]:80", "/s",   ""      },
        { "http://u:p@h/s",         "h",        "/s",   ""      },
        { "http:///s",              NULL,       NULL,   NULL    },
        { "http://u@/s",            NULL,       NULL,   NULL    },
        { "http://",                NULL,       NULL,   NULL    },
        { "http://h/%zz",           NULL,       NULL,   NULL    },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *uri = strdup(cases[i].uri);
        struct sb_target target;
        bool ok = sb_uri_split(uri, &target);

        assert_int_equal(ok, cases[i].host != NULL);
        if (ok) {
            assert_string_equal(target.host, cases[i].host);
            assert_string_equal(target.path, cases[i].path);
            assert_string_equal(target.query, cases[i].query);
        }
        free(uri);
    }
}

static void empty_segments_are_left_out(void **state)
{
    static const char *const cases[][2] = {
        {"//inventory///managedObjects", "/inventory/managedObjects"},
        { "///s//",                      "/s/"                      },
        { "//",                          "/"                        },
        { "/a/%2F%2Fb",                  "/a///b"                   }, /* a value's own */
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *uri = strdup(cases[i][0]);
        struct sb_target target;

        assert_true(sb_uri_split(uri, &target));
        assert_string_equal(target.path, cases[i][1]);
        free(uri);
    }
}

/* --- accounts ----------------------------------------------------------------------------- */

static void an_account_is_read_in_all_its_forms(void **state)
{
    static const struct {
        const char *header, *user, *password; /* user NULL: none */
    } cases[] = {
        {"Basic dTpw",      "u",   "p"       },
        { "basic dTpw",     "u",   "p"       },
        { "BASIC   dTpw  ", "u",   "p"       },
        { "Basic dTpwOnE=", "u",   "p:q"     },
        { "Basic dTo=",     "u",   ""        },
        { "Basic OnA=",     "",    "p"       },
        { "Basic dC91OsO8", "t/u", "\xc3\xbc"},
        { NULL,             NULL,  NULL      },
        { "",               NULL,  NULL      },
        { "Basic",          NULL,  NULL      },
        { "Basic ",         NULL,  NULL      },
        { "BasicdTpw",      NULL,  NULL      },
        { "Bearer dTpw",    NULL,  NULL      },
        { "Basic dQ==",     NULL,  NULL      }, /* no colon */
        { "Basic dTpwAHE=", NULL,  NULL      }, /* a NUL */
        { "Basic !!!!",     NULL,  NULL      },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *password = NULL;
        char *user = NULL;

        assert_int_equal(sb_account_read(cases[i].header, &user, &password),
                         cases[i].user != NULL);
        if (cases[i].user) {
            assert_string_equal(user, cases[i].user);
            assert_string_equal(password, cases[i].password);
        }
        sb_account_free(user);
    }
}

/* --- ports -------------------------------------------------------------------------------- */

static void taken_port_is_found_out(void **state)
{
    int port, other, fd = sb_listen("127.0.0.1", 0, &port);

    (void)state;
    assert_true(fd >= 0 && port > 0);
    assert_int_equal(sb_listen("127.0.0.1", port, &other), -1);
    assert_int_equal(errno, EADDRINUSE);
    close(fd);
    fd = sb_listen("127.0.0.1", port, &other);
    assert_true(fd >= 0);
    assert_int_equal(port, other);
    close(fd);
}

static void wildcards_are_reached_on_loopback(void **state)
{
    char host[SB_HOST_MAX];

    (void)state;
    assert_string_equal(sb_host_to_reach("0.0.0.0"), "127.0.0.1");
    assert_string_equal(sb_host_to_reach("::"), "::1");
    assert_string_equal(sb_host_to_reach("127.0.0.2"), "127.0.0.2");
    assert_true(sb_host_resolve("127.0.0.1", host));
    assert_string_equal(host, "127.0.0.1");
    assert_false(sb_host_resolve("127.0.0.1.2.3", host));
}

/* --- waking the broker -------------------------------------------------------------------- */

static const unsigned char connect_packet[] = {
    0x10, 0x1a, 0,   4,   'M', 'Q', 'T', 'T', 4,   0xc2, 0,   0, 0,
    4,    'w',  'a', 'k', 'e', 0,   4,   'w', 'a', 'k',  'e', 0, 2,
};

static void await_readable(int fd)
{
    struct pollfd poller = { .fd = fd, .events = POLLIN };

    assert_int_equal(poll(&poller, 1, 30000), 1);
}

static void expect_bytes(int fd, const void *bytes, size_t len)
{
    char got[64];
    size_t n = 0;

    while (n < len) {
        ssize_t more;

        await_readable(fd);
        more = recv(fd, got + n, len - n, 0);
        assert_true(more > 0);
        n += (size_t)more;
    }
    assert_memory_equal(got, bytes, len);
}

static int answer_call(int listener)
{
    int fd;

    await_readable(listener);
    fd = accept(listener, NULL, NULL);
    assert_true(fd >= 0);
    expect_bytes(fd, connect_packet, sizeof connect_packet);
    expect_bytes(fd, "pw", 2);
    return fd;
}

static void wake_pings_and_dials_again_after_a_loss(void **state)
{
    int port, fd, listener = sb_listen("127.0.0.1", 0, &port);
    struct sb_wake *wake = sb_wake_new("127.0.0.1", port, "wake", "pw");

    (void)state;
    assert_non_null(wake);
    for (int i = 0; i < 3; i++) {
        fd = answer_call(listener);
        sb_wake_poke(wake);
        expect_bytes(fd, "\xc0\x00", 2);
        close(fd);
    }
    fd = answer_call(listener);
    close(listener);
    close(fd); /* nobody is there any more: the end comes all the same */
    sb_wake_poke(wake);
    sb_wake_free(wake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fifo_is_no_file),
        cmocka_unit_test(client_id_gives_its_device),
        cmocka_unit_test(filters_match_as_mqtt_says),
        cmocka_unit_test(late_end_of_the_old_connection_leaves_the_new_one_alone),
        cmocka_unit_test(address_used_again_is_a_new_client),
        cmocka_unit_test(
            persistent_session_keeps_its_subscriptions_for_the_same_client_id),
        cmocka_unit_test(clean_session_leaves_nothing),
        cmocka_unit_test(highest_matching_qos_counts),
        cmocka_unit_test(subscriptions_have_a_bound),
        cmocka_unit_test(letters_come_in_order),
        cmocka_unit_test(full_mailbox_refuses_the_new_letter_and_counts_it),
        cmocka_unit_test(a_topic_is_refused_aloud_once_for_each_client),
        cmocka_unit_test(request_target_is_cut_and_decoded),
        cmocka_unit_test(absolute_targets_name_their_host),
        cmocka_unit_test(empty_segments_are_left_out),
        cmocka_unit_test(an_account_is_read_in_all_its_forms),
        cmocka_unit_test(taken_port_is_found_out),
        cmocka_unit_test(wildcards_are_reached_on_loopback),
        cmocka_unit_test(wake_pings_and_dials_again_after_a_loss),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
