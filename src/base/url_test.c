/* SPDX-License-Identifier: MIT */
#include "base/device_id.h"
#include "base/url.h"
#include "record/utf8.h"
#include <setjmp.h>
#include <smartrest/error.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* after what it needs */
#include <cmocka.h>

#define LABEL63 "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijk"

static void reads_the_parts_of_a_url(void **state)
{
    static const struct {
        const char *text, *scheme, *host;
        uint16_t port;
        const char *path;
        bool tls, ipv6;
    } good[] = {
        {"http://localhost",           "http",  "localhost",         80,    "",         false, false},
        { "https://t4711.example.com", "https", "t4711.example.com", 443,   "",         true,
         false                                                                                      },
        { "mqtt://broker",             "mqtt",  "broker",            1883,  "",         false, false},
        { "mqtts://broker",            "mqtts", "broker",            8883,  "",         true,  false},
        { "HTTP://Host:8080/",         "http",  "Host",              8080,  "/",        false, false},
        { "http://h:1/a/b%20c",        "http",  "h",                 1,     "/a/b%20c", false, false},
        { "http://h:65535",            "http",  "h",                 65535, "",         false, false},
        { "http://h:00080",            "http",  "h",                 80,    "",         false, false},
        { "http://127.0.0.1:80",       "http",  "127.0.0.1",         80,    "",         false, false},
        { "mqtt://[::1]",              "mqtt",  "::1",               1883,  "",         false, true },
        { "mqtts://[fe80::1]:9/",      "mqtts", "fe80::1",           9,     "/",        true,  true },
        { "http://[::1%25lo]:8080",    "http",  "::1%lo",            8080,  "",         false, true },
        { "mqtt://[::1%lo]:1883",      "mqtt",  "::1%lo",            1883,  "",         false, true },
        { "mqtt://[fe80::1%2525]",     "mqtt",  "fe80::1%25",        1883,  "",         false, true },
        { "mqtt://[fe80::1%25]",       "mqtt",  "fe80::1%25",        1883,  "",         false, true },
        { "http://a_b-c.d.",           "http",  "a_b-c.d.",          80,    "",         false, false},
        { "http://1a.2b",              "http",  "1a.2b",             80,    "",         false, false},
        { "http://" LABEL63 ".x",      "http",  LABEL63 ".x",        80,    "",         false, false},
        { "http://h/a@b:c",            "http",  "h",                 80,    "/a@b:c",   false, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct sr_url url;
        const char *reason = "none";
        if (sr_url_parse(good[i].text, &url, &reason))
            fail_msg("%s %s", good[i].text, reason);
        assert_string_equal(url.scheme, good[i].scheme);
        assert_string_equal(url.host, good[i].host);
        assert_int_equal(url.port, good[i].port);
        assert_string_equal(url.path, good[i].path);
        assert_int_equal(url.tls, good[i].tls);
        assert_int_equal(url.ipv6, good[i].ipv6);
    }
}

static void says_what_is_wrong_with_a_url(void **state)
{
    static const struct {
        const char *text, *reason;
    } bad[] = {
        {"",                                               "is empty"                               },
        { "localhost:8080",                                "has no scheme"                          },
        { "localhost",                                     "has no scheme"                          },
        { "://h",                                          "has no scheme"                          },
        { "//h",                                           "has no scheme"                          },
        { "ht tp://h",                                     "has no scheme"                          },
        { "h?x=http://h",                                  "has no scheme"                          },
        { "tcp://h",                                       "has a scheme other than"                },
        { "ssl://h",                                       "has a scheme other than"                },
        { "httpx://h",                                     "has a scheme other than"                },
        { "htt://h",                                       "has a scheme other than"                },
        { "http://",                                       "has no host"                            },
        { "http:///x",                                     "has no host"                            },
        { "http://:80",                                    "has no host"                            },
        { "http://?x",                                     "has no host"                            },
        { "http://u:p@h",                                  "has a user"                             },
        { "http://@h",                                     "has a user"                             },
        { "http://u:p@[::1]",                              "has a user"                             },
        { "http://u@v@h",                                  "has a user"                             },
        { "http://h h",                                    "has a byte in its host"                 },
        { "http://h\r\nX: y",                              "has a byte in its host"                 },
        { "http://h\xc3\xa9",                              "has a byte in its host"                 },
        { "http://h\x80",                                  "has a byte in its host"                 },
        { "http://h%41",                                   "has a byte in its host"                 },
        { "http://h;rm",                                   "has a byte in its host"                 },
        { "http://h\\x",                                   "has a byte in its host"                 },
        { "http://h]",                                     "has a byte in its host"                 },
        { "http://a..b",                                   "has a host name with an empty part"     },
        { "http://.a",                                     "has a host name with an empty part"     },
        { "http://.",                                      "has a host name with an empty part"     },
        { "http://-a",                                     "has a host name with a part that begins"},
        { "http://a.-b",                                   "has a host name with a part that begins"},
        { "http://" LABEL63 "x",                           "has a host name with a part of more"    },
        { "http://300.1.1.1",                              "has a malformed IPv4"                   },
        { "http://1.2.3",                                  "has a malformed IPv4"                   },
        { "http://127.1",                                  "has a malformed IPv4"                   },
        { "http://4711",                                   "has a malformed IPv4"                   },
        { "http://1.2.3.4.5",                              "has a malformed IPv4"                   },
        { "http://[",                                      "has a '['"                              },
        { "http://[::1",                                   "has a '['"                              },
        { "http://[]",                                     "has no IPv6"                            },
        { "http://[1.2.3.4]",                              "has no IPv6"                            },
        { "http://[::1%]",                                 "has no zone"                            },
        { "http://[::1%et h0]",                            "has no zone"                            },
        { "http://[::1%et/h0]",                            "has no zone"                            },
        { "http://[::1%25eth0%25]",                        "has no zone"                            },
        { "http://[::1%aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbb]", "has no zone"                            },
        { "http://[%25lo]",                                "has no IPv6"                            },
        { "http://[:::1]",                                 "has no IPv6"                            },
        { "http://[::1]x",                                 "has something other"                    },
        { "http://[::1]]",                                 "has something other"                    },
        { "http://h:",                                     "has a port"                             },
        { "http://h:/x",                                   "has a port"                             },
        { "http://h:0",                                    "has a port"                             },
        { "http://h:65536",                                "has a port"                             },
        { "http://h:4294967376",                           "has a port"                             },
        { "http://h:99999999999999999999999999",           "has a port"                             },
        { "http://h:-1",                                   "has a port"                             },
        { "http://h:+80",                                  "has a port"                             },
        { "http://h: 80",                                  "has a port"                             },
        { "http://h:80x",                                  "has a port"                             },
        { "http://h:80:80",                                "has a port"                             },
        { "http://h?q",                                    "has a query"                            },
        { "http://h/p?q",                                  "has a query"                            },
        { "http://h:80#f",                                 "has a query"                            },
        { "http://h/a b",                                  "has a byte in its path"                 },
        { "http://h/a\n",                                  "has a byte in its path"                 },
        { "http://h/\x7f",                                 "has a byte in its path"                 },
        { "http://h/\xc3\xa9",                             "has a byte in its path"                 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct sr_url url = { .port = 7 };
        const char *reason = "none";
        if (sr_url_parse(bad[i].text, &url, &reason) != SR_E_INVAL ||
            strncmp(reason, bad[i].reason, strlen(bad[i].reason)) != 0)
            fail_msg("%s: %s, not %s", bad[i].text, reason, bad[i].reason);
        assert_int_equal(url.port, 7); /* untouched */
        assert_int_equal(sr_url_parse(bad[i].text, &url, NULL), SR_E_INVAL);
    }
}

static int parse_long(const char *head, size_t n, const char *unit, struct sr_url *ret)
{
    size_t wide = strlen(unit);
    char *text = calloc(1, strlen(head) + n * wide + 1);
    int rc;

    strcpy(text, head);
    for (size_t i = 0; i < n; i++)
        strcat(text, unit);
    rc = sr_url_parse(text, ret, NULL);
    free(text);
    return rc;
}

static void parts_are_as_long_as_promised_and_no_longer(void **state)
{
    struct sr_url url;

    (void)state;
    assert_int_equal(parse_long("http://a", 126, ".a", &url), 0);
    assert_int_equal(strlen(url.host), SR_URL_HOST_MAX);
    assert_int_equal(parse_long("http://ab", 126, ".a", &url), SR_E_INVAL);
    assert_int_equal(parse_long("http://h/", 510, "p", &url), 0);
    assert_int_equal(strlen(url.path), SR_URL_PATH_MAX);
    assert_int_equal(parse_long("http://h/", 511, "p", &url), SR_E_INVAL);
    assert_int_equal(parse_long("http://[", 3000, ":", &url), SR_E_INVAL);
    assert_int_equal(parse_long("", 3000, "h", &url), SR_E_INVAL);
}

/* --- device ids --------------------------------------------------------------- */

static void says_what_is_wrong_with_a_device_id(void **state)
{
    static const struct {
        const char *id, *reason; /* NULL: good */
    } cases[] = {
        {"gw-0001",                               NULL                       },
        { "a.b_c~!*'()=,;@&<>|\"[]{}^`",          NULL                       },
        { "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", NULL                       },
        { NULL,                                   "is empty"                 },
        { "",                                     "is empty"                 },
        { "a/b",                                  "holds a '/'"              },
        { "a\\b",                                 "holds a '\\'"             },
        { "$a",                                   "holds a '$'"              },
        { "d:a",                                  "holds a ':'"              },
        { "a+",                                   "holds a '+'"              },
        { "#",                                    "holds a '#'"              },
        { "50%",                                  "holds a '%'"              },
        { "a%20b",                                "holds a '%'"              },
        { "who?",                                 "holds a '?'"              },
        { ".",                                    "is a folder's name"       },
        { "..",                                   "is a folder's name"       },
        { "...",                                  NULL                       },
        { "a b",                                  "holds white space"        },
        { "a\n",                                  "holds white space"        },
        { "a\xc2\xa0",                            "holds white space"        },
        { "\xe3\x80\x80",                         "holds white space"        },
        { "\x01",                                 "holds a control character"},
        { "a\x7f",                                "holds a control character"},
        { "a\xc2\x9b",                            "holds a control character"},
        { "\xff",                                 "is not UTF-8"             },
        { "a\xc3",                                "is not UTF-8"             },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *reason = NULL;
        assert_int_equal(sr_device_id_valid(cases[i].id, &reason), !cases[i].reason);
        if (cases[i].reason)
            assert_string_equal(reason, cases[i].reason);
        else
            assert_null(reason);
        assert_int_equal(sr_device_id_valid(cases[i].id, NULL), !cases[i].reason);
    }
}

static void a_device_id_has_at_most_1000_bytes(void **state)
{
    char id[1002];

    (void)state;
    memset(id, 'x', sizeof id);
    id[1000] = '\0';
    assert_true(sr_device_id_valid(id, NULL));
    id[1000] = 'x';
    id[1001] = '\0';
    assert_false(sr_device_id_valid(id, NULL));
}

static void a_cleaned_name_is_a_device_id(void **state)
{
    char name[] = "my host:1/\xff\xc2\xa0\xc3\xa4\xc3";

    (void)state;
    sr_device_id_clean(name);
    assert_string_equal(name, "my-host-1----\xc3\xa4-");
    assert_true(sr_device_id_valid(name, NULL));
    strcpy(name, "..");
    sr_device_id_clean(name);
    assert_true(sr_device_id_valid(name, NULL));
    strcpy(name, "50%?");
    sr_device_id_clean(name);
    assert_string_equal(name, "50--");
}

/* --- characters ------------------------------------------------------------- */

static void decodes_what_is_utf8_and_nothing_else(void **state)
{
    static const struct {
        const char *text;
        size_t len;
        uint32_t point;
    } cases[] = {
        {"",                  1, 0       },
        { "a",                1, 'a'     },
        { "\x7f",             1, 0x7f    },
        { "\x80",             0, 0       },
        { "\xc1\xbf",         0, 0       },
        { "\xc2\x80",         2, 0x80    },
        { "\xc2\xc0",         0, 0       },
        { "\xdf\xbf",         2, 0x7ff   },
        { "\xe0\x9f\xbf",     0, 0       },
        { "\xe0\xa0\x80",     3, 0x800   },
        { "\xed\x9f\xbf",     3, 0xd7ff  },
        { "\xed\xa0\x80",     0, 0       },
        { "\xef\xbf\xbf",     3, 0xffff  },
        { "\xf0\x8f\xbf\xbf", 0, 0       },
        { "\xf0\x90\x80\x80", 4, 0x10000 },
        { "\xf4\x8f\xbf\xbf", 4, 0x10ffff},
        { "\xf4\x90\x80\x80", 0, 0       },
        { "\xf5\x80\x80\x80", 0, 0       },
        { "\xe2\x82",         0, 0       },
        { "\xf0\x9f\x98",     0, 0       },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint32_t point = 0;
        assert_int_equal(sr_utf8_decode(cases[i].text, &point), cases[i].len);
        assert_int_equal(point, cases[i].point);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_the_parts_of_a_url),
        cmocka_unit_test(says_what_is_wrong_with_a_url),
        cmocka_unit_test(parts_are_as_long_as_promised_and_no_longer),
        cmocka_unit_test(says_what_is_wrong_with_a_device_id),
        cmocka_unit_test(a_device_id_has_at_most_1000_bytes),
        cmocka_unit_test(a_cleaned_name_is_a_device_id),
        cmocka_unit_test(decodes_what_is_utf8_and_nothing_else),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
