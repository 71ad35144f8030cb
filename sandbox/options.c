/* SPDX-License-Identifier: MIT */
#include "options.h"

#include "say.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum kind { TEXT, PORT, FLAG, SECONDS, MEGABYTES };

static const struct option {
    const char *name, *value, *help; /* value: what stands for it in the help */
    enum kind kind;
    size_t offset;
} table[] = {
#define O(field) offsetof(struct sb_options, field)
    {"--http-port",      "N",             "HTTP port, 0 for a free one (8080)",                      PORT,      O(http_port)    },
    { "--https-port",    "N",             "HTTPS port, 0 for a free one (no HTTPS)",                 PORT,
                                                       O(https_port)                                                                                                              },
    { "--mqtt-port",     "N",             "MQTT port, 0 for a free one (1883)",                      PORT,      O(mqtt_port)    },
    { "--bind",          "ADDR",          "address to listen on (127.0.0.1)",                        TEXT,      O(bind)         },
    { "--tenant",        "ID",            "tenant id (t4711)",                                       TEXT,      O(tenant)       },
    { "--data",          "DIR",           "keep data here (a temporary folder, removed at the end)", TEXT,
                                                       O(data)                                                                                                                    },
    { "--auto-accept",   NULL,            "accept every device that asks for credentials",           FLAG,
                                                       O(auto_accept)                                                                                                             },
    { "--operator",      "USER:PASSWORD", "the operator's account (operator:operator)",              TEXT,
                                                       O(operator_account)                                                                                                        },
    { "--tls-cert",      "FILE",          "use this certificate for TLS (one of its own)",           TEXT,
                                                       O(tls_cert)                                                                                                                },
    { "--tls-key",       "FILE",          "and this private key",                                    TEXT,      O(tls_key)      },
    { "--mqtts-port",    "N",             "MQTT port with TLS, 0 for a free one (8883)",             PORT,
                                                       O(mqtts_port)                                                                                                              },
    { "--heartbeat",     "SECONDS",       "a held request gets a blank that often (600)",            SECONDS,
                                                       O(heartbeat_ms)                                                                                                            },
    { "--push-timeout",  "SECONDS",       "how long a request is held (5400)",                       SECONDS,
                                                       O(push_timeout_ms)                                                                                                         },
    { "--push-grace",    "SECONDS",       "how long a client may be away between two (10)",
                                                       SECONDS,                                                                                                   O(push_grace_ms)},
    { "--binary-max",    "MB",            "largest file (500)",                                      MEGABYTES, O(binary_max)   },
    { "--skip-15-lines", NULL,            "rows `15` do not count in line numbers",                  FLAG,
                                                       O(skip_15_lines)                                                                                                           },
    { "--ready-file",    "FILE",          "write ports and process ids here once all is open",       TEXT,
                                                       O(ready_file)                                                                                                              },
    { "--log-level",     "LEVEL",         "error, warning, notice, info or debug (warning)",         TEXT,
                                                       O(log_level)                                                                                                               },
    { "--mosquitto",     "FILE",          "the broker's program (looked for)",                       TEXT,      O(mosquitto)    },
    { "--plugin",        "FILE",          "smartrest-sandbox.so (looked for)",                       TEXT,      O(plugin)       },
    { "--help",          NULL,            "say this and exit",                                       FLAG,      O(help)         },
    { "--version",       NULL,            "say the version and exit",                                FLAG,      O(version)      },
#undef O
};
#define OPTIONS (sizeof table / sizeof *table)

void sb_options_print_help(void)
{
    puts("usage: smartrest-sandbox [option...]\n\n"
         "The platform on your desk: SmartREST over HTTP and MQTT, and REST for "
         "operators.\n");
    for (size_t i = 0; i < OPTIONS; i++)
        printf("  %-14s %-14s %s\n", table[i].name,
               table[i].value ? table[i].value : "", table[i].help);
}

/* --- one option ----------------------------------------------------------------- */

static const struct option *find_option(const char *arg, size_t len)
{
    for (size_t i = 0; i < OPTIONS; i++)
        if (strlen(table[i].name) == len && memcmp(table[i].name, arg, len) == 0)
            return &table[i];
    return NULL;
}

static bool read_port(const struct option *option, const char *text, int *ret_port)
{
    char *end;
    long port;

    errno = 0;
    port = strtol(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || errno || port > 65535) {
        sb_say("%s: \"%s\" is not a port number from 0 to 65535", option->name, text);
        return false;
    }
    *ret_port = (int)port;
    return true;
}

/* A decimal number, with or without a fraction; in the unit of `scale`. */
static bool read_number(const struct option *option, const char *text, double scale,
                        double max, const char *what, int64_t *ret_value)
{
    size_t len = strspn(text, "0123456789.");
    char *end;
    double value = strtod(text, &end);

    if (!len || text[len] || *end || value * scale < 1 || value > max) {
        sb_say("%s: \"%s\" is no number of %s from %g to %g", option->name, text, what,
               1 / scale, max);
        return false;
    }
    *ret_value = (int64_t)(value * scale);
    return true;
}

/* Values end up in the broker's configuration, which is made of lines. */
static bool read_text(const struct option *option, const char *text,
                      const char **ret_text)
{
    size_t len = strlen(text);

    for (size_t i = 0; i < len; i++)
        if ((unsigned char)text[i] < ' ' || text[i] == 0x7f) {
            sb_say("%s: a value with control characters cannot be used", option->name);
            return false;
        }
    if (len == 0 || text[0] == ' ' || text[len - 1] == ' ') {
        sb_say("%s: \"%s\" is empty, or begins or ends with a blank", option->name,
               text);
        return false;
    }
    *ret_text = text;
    return true;
}

static bool set_option(const struct option *option, const char *value,
                       struct sb_options *opts)
{
    char *field = (char *)opts + option->offset;

    switch (option->kind) {
    case FLAG: *(bool *)field = true; return true;
    case PORT: return read_port(option, value, (int *)(void *)field);
    case SECONDS:
        return read_number(option, value, 1000, 7200, "seconds",
                           (int64_t *)(void *)field);
    case MEGABYTES:
        return read_number(option, value, 1 << 20, 1 << 20, "megabytes",
                           (int64_t *)(void *)field);
    case TEXT: return read_text(option, value, (const char **)(void *)field);
    }
    return false;
}

/* `--name value`, `--name=value`, or `--name` alone for a flag. */
static bool take_option(char *argv[], int *i, struct sb_options *opts)
{
    const char *arg = argv[*i];
    size_t len = strcspn(arg, "=");
    const struct option *option = find_option(arg, len);
    const char *value = arg[len] ? arg + len + 1 : NULL;

    if (!option) {
        sb_say("%s: no such option; --help lists them", arg);
        return false;
    }
    if (option->kind == FLAG && value) {
        sb_say("%s takes no value", option->name);
        return false;
    }
    if (option->kind != FLAG && !value)
        value = argv[++*i];
    if (option->kind != FLAG && !value) {
        sb_say("%s needs a value: %s", option->name, option->value);
        return false;
    }
    return set_option(option, value, opts);
}

/* --- what must fit together ------------------------------------------------------- */

static bool check_tenant(const struct sb_options *opts)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
                                  "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";

    if (!opts->tenant[strspn(opts->tenant, allowed)])
        return true;
    sb_say("--tenant: \"%s\" is not made of letters, digits, `-`, `_` and `.`",
           opts->tenant);
    return false;
}

static bool split_operator(struct sb_options *opts)
{
    const char *account = opts->operator_account, *colon = strchr(account, ':');
    size_t len = colon ? (size_t)(colon - account) : 0;

    if (len == 0 || !colon[1] || colon[1] == ' ' || len >= sizeof opts->operator_user ||
        memchr(account, '/', len)) {
        sb_say("--operator: must be USER:PASSWORD, the user without `/`");
        return false;
    }
    memcpy(opts->operator_user, account, len);
    opts->operator_user[len] = '\0';
    opts->operator_password = colon + 1;
    return true;
}

static bool check_log_level(const struct sb_options *opts)
{
    static const char *const levels[] = { "error", "warning", "notice", "info",
                                          "debug" };

    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++)
        if (strcmp(opts->log_level, levels[i]) == 0)
            return true;
    sb_say("--log-level: \"%s\" is none of error, warning, notice, info, debug",
           opts->log_level);
    return false;
}

static bool check_tls(struct sb_options *opts)
{
    if (!opts->tls_cert != !opts->tls_key) {
        sb_say("--tls-cert and --tls-key are needed both");
        return false;
    }
    if (opts->tls_cert && opts->mqtts_port < 0)
        opts->mqtts_port = 8883;
    return true;
}

static bool check_ports(const struct sb_options *opts)
{
    const int ports[] = { opts->http_port, opts->https_port, opts->mqtt_port,
                          opts->mqtts_port };

    for (int i = 0; i < 4; i++)
        for (int j = 0; j < i; j++)
            if (ports[i] > 0 && ports[i] == ports[j]) {
                sb_say("port %d is given twice", ports[i]);
                return false;
            }
    return true;
}

static bool check_bind(struct sb_options *opts)
{
    if (sb_host_resolve(opts->bind, opts->host))
        return true;
    sb_say("--bind: \"%s\" is no address", opts->bind);
    return false;
}

bool sb_options_parse(int argc, char *argv[], struct sb_options *ret_options)
{
    struct sb_options opts = {
        .http_port = 8080,
        .mqtt_port = 1883,
        .https_port = -1,
        .mqtts_port = -1,
        .heartbeat_ms = 600000,
        .push_timeout_ms = 5400000,
        .push_grace_ms = 10000,
        .binary_max = 500ll << 20,
        .bind = "127.0.0.1",
        .tenant = "t4711",
        .operator_account = "operator:operator",
        .log_level = "warning",
    };

    for (int i = 1; i < argc; i++)
        if (!take_option(argv, &i, &opts))
            return false;
    if (!opts.help && !opts.version &&
        !(check_tenant(&opts) && split_operator(&opts) && check_log_level(&opts) &&
          check_tls(&opts) && check_ports(&opts) && check_bind(&opts)))
        return false;
    *ret_options = opts;
    return true;
}
