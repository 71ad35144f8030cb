/* SPDX-License-Identifier: MIT */
#include "base/device_id.h"
#include "base/redact.h"
#include "base/url.h"
#include "log/line.h"
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <smartrest/options.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WAIT_MS    30000
#define WAIT_MAX_S 4294967 /* milliseconds of it fit 32 bits */

enum { OPT_CA = 256, OPT_VERSION };

static const char short_options[] = ":s:b:d:c:w:vqh";
static const struct option long_options[] = {
    {"server",       required_argument, NULL, 's'        },
    { "broker",      required_argument, NULL, 'b'        },
    { "device",      required_argument, NULL, 'd'        },
    { "credentials", required_argument, NULL, 'c'        },
    { "ca",          required_argument, NULL, OPT_CA     },
    { "wait",        required_argument, NULL, 'w'        },
    { "verbose",     no_argument,       NULL, 'v'        },
    { "quiet",       no_argument,       NULL, 'q'        },
    { "help",        no_argument,       NULL, 'h'        },
    { "version",     no_argument,       NULL, OPT_VERSION},
    { NULL,          0,                 NULL, 0          },
};

/* What is being read: the options so far, and for messages the program's name. */
struct reading {
    struct sr_options *options;
    const char *program;
    char **argv;
    int verbose;
};

static const char *base_name(const char *path)
{
    const char *slash = path ? strrchr(path, '/') : NULL;

    if (slash)
        path = slash + 1;
    return path && *path ? path : "program";
}

/* --- saying what is wrong --------------------------------------------------- */

/* One line, whatever bytes the arguments hold. */
static int refuse(struct reading *reading, const char *format, ...) SR_PRINTF(2, 3);
static int refuse(struct reading *reading, const char *format, ...)
{
    char text[1024], line[1024];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    sr_redact(text);
    sr_log_escape(line, sizeof line, text);
    fprintf(stderr, "%s: %s; try --help\n", reading->program, line);
    reading->options->exit_status = 2;
    return SR_E_INVAL;
}

static const char *long_name(int option)
{
    for (const struct option *known = long_options; known->name; known++)
        if (known->val == option)
            return known->name;
    return NULL;
}

static int refuse_unknown(struct reading *reading)
{
    const char *known = optopt ? long_name(optopt) : NULL;

    if (known)
        return refuse(reading, "option '--%s' takes no argument", known);
    if (optopt)
        return refuse(reading, "unknown option '-%c'", optopt);
    return refuse(reading, "unknown option '%.200s'", reading->argv[optind - 1]);
}

/* A URL with a user in it may have a password in it: that one is not repeated. */
static int refuse_url(struct reading *reading, const char *option, const char *url,
                      const char *reason)
{
    if (strchr(url, '@'))
        return refuse(reading, "the URL given with --%s %s", option, reason);
    return refuse(reading, "--%s: '%.300s' %s", option, url, reason);
}

/* --- help ------------------------------------------------------------------- */

static int stopped(struct reading *reading)
{
    reading->options->exit_status = fflush(stdout) == 0 && !ferror(stdout) ? 0 : 1;
    return SR_E_STOPPED;
}

static int print_version(struct reading *reading)
{
    printf("%s (smartrest %s)\n", reading->program, SR_VERSION);
    return stopped(reading);
}

static int print_help(struct reading *reading)
{
    const struct sr_options *o = reading->options;

    printf("Usage: %s [OPTION]...\n\n", reading->program);
    printf("  -s, --server URL        platform, http:// or https:// (%s)\n", o->server);
    printf("  -b, --broker URL        MQTT broker, mqtt:// or mqtts:// (%s)\n",
           o->broker);
    printf("  -d, --device ID         id of this device (%s)\n", o->device_id);
    printf("  -c, --credentials FILE  where its credentials are kept (%s)\n",
           o->credentials ? o->credentials : "./ID.credentials");
    printf("      --ca FILE           certificates to trust, PEM (the system's)\n");
    printf("  -w, --wait SECONDS      how long to wait for servers that cannot be\n"
           "                          reached, or 'forever' (");
    if (o->wait_ms == SR_OPTIONS_FOREVER)
        printf("forever)\n");
    else
        printf("%" PRIu64 ")\n", o->wait_ms / 1000);
    printf("  -v, --verbose           say more; twice: everything\n"
           "  -q, --quiet             errors only\n"
           "  -h, --help              this text\n"
           "      --version           name and version\n");
    return stopped(reading);
}

/* --- values ----------------------------------------------------------------- */

static int read_wait(struct reading *reading, const char *text)
{
    char *end;
    unsigned long long seconds;

    if (!strcmp(text, "forever")) {
        reading->options->wait_ms = SR_OPTIONS_FOREVER;
        return 0;
    }
    errno = 0;
    seconds = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || errno || seconds > WAIT_MAX_S)
        return refuse(reading,
                      "--wait: '%.40s' is neither 'forever' nor a number of seconds "
                      "from 0 to %d",
                      text, WAIT_MAX_S);
    reading->options->wait_ms = seconds ? seconds * 1000 : 1;
    return 0;
}

static int take_option(struct reading *reading, int option)
{
    struct sr_options *o = reading->options;

    switch (option) {
    case 's': o->server = optarg; return 0;
    case 'b': o->broker = optarg; return 0;
    case 'd': o->device_id = optarg; return 0;
    case 'c': o->credentials = optarg; return 0;
    case OPT_CA: o->ca_file = optarg; return 0;
    case 'w': return read_wait(reading, optarg);
    case 'v': reading->verbose++; return 0;
    case 'q': reading->verbose = -1; return 0;
    case 'h': return print_help(reading);
    case OPT_VERSION: return print_version(reading);
    case ':':
        return refuse(reading, "option '--%s' needs an argument", long_name(optopt));
    default: return refuse_unknown(reading);
    }
}

static int take_options(struct reading *reading, int argc)
{
    int option, rc;

    opterr = 0;
    optind = 0; /* GNU: begin anew */
    for (;;) {
        optopt = 0;
        option = getopt_long(argc, reading->argv, short_options, long_options, NULL);
        if (option < 0)
            break;
        rc = take_option(reading, option);
        if (rc)
            return rc;
    }
    if (optind < argc)
        return refuse(reading, "unexpected argument '%.200s'", reading->argv[optind]);
    return 0;
}

static int check_url(struct reading *reading, const char *option, const char *text,
                     const char *plain_scheme)
{
    struct sr_url url;
    const char *reason;

    if (sr_url_parse(text, &url, &reason))
        return refuse_url(reading, option, text, reason);
    if (strncmp(url.scheme, plain_scheme, strlen(plain_scheme)) != 0)
        return refuse(reading, "--%s: '%.300s' does not begin with %s:// or %ss://",
                      option, text, plain_scheme, plain_scheme);
    if (*url.path && strcmp(url.path, "/") != 0)
        return refuse(reading, "--%s: '%.300s' has a path behind its host", option,
                      text);
    return 0;
}

static int check_files(struct reading *reading)
{
    const struct sr_options *o = reading->options;

    if (o->credentials && !*o->credentials)
        return refuse(reading, "--credentials: no file named");
    if (o->ca_file && access(o->ca_file, R_OK) < 0)
        return refuse(reading, "--ca: cannot read '%.300s': %s", o->ca_file,
                      strerror(errno));
    return 0;
}

static const char suffix[] = ".credentials";

static int check(struct reading *reading)
{
    const struct sr_options *o = reading->options;
    const char *reason;
    int rc = check_url(reading, "server", o->server, "http");

    if (rc == 0)
        rc = check_url(reading, "broker", o->broker, "mqtt");
    if (rc == 0 && !sr_device_id_valid(o->device_id, &reason))
        rc = refuse(reading, "--device: '%.300s' %s", o->device_id, reason);
    if (rc == 0 && !o->credentials && strlen(o->device_id) > NAME_MAX - strlen(suffix))
        rc = refuse(reading,
                    "--device: the id has more than %zu bytes, too many for the "
                    "name of a file: --credentials has to name one",
                    NAME_MAX - strlen(suffix));
    return rc ? rc : check_files(reading);
}

/* --- defaults --------------------------------------------------------------- */

static void preset(struct sr_options *o)
{
    char host[HOST_NAME_MAX + 1] = "";

    if (!o->server)
        o->server = "http://localhost:8080";
    if (!o->broker)
        o->broker = "mqtt://localhost:1883";
    if (!o->wait_ms)
        o->wait_ms = WAIT_MS;
    if (o->device_id)
        return;
    if (gethostname(host, sizeof host - 1) < 0 || !*host)
        strcpy(host, "device");
    sr_device_id_clean(host);
    snprintf(o->text, sizeof o->text, "smartrest-%s", host);
    o->device_id = o->text;
}

/* Behind the device id, which may be in `text`, too. */
static void name_credentials(struct sr_options *o)
{
    size_t used = o->device_id == o->text ? strlen(o->text) + 1 : 0;

    snprintf(o->text + used, sizeof o->text - used, "./%s%s", o->device_id, suffix);
    o->credentials = o->text + used;
}

int sr_options_parse(struct sr_options *options, int argc, char **argv)
{
    struct reading reading = { options, NULL, argv, 0 };
    int rc;

    if (!options || (!argv && argc > 0))
        return SR_E_INVAL;
    reading.program = base_name(argc > 0 ? argv[0] : NULL);
    preset(options);
    rc = argc > 0 ? take_options(&reading, argc) : 0;
    if (rc == 0)
        rc = check(&reading);
    if (rc)
        return rc;
    if (!options->credentials)
        name_credentials(options);
    if (options->wait_ms == SR_OPTIONS_FOREVER)
        options->wait_ms = 0;
    if (reading.verbose)
        sr_log_set_level(reading.verbose < 0    ? SR_LOG_ERROR
                         : reading.verbose == 1 ? SR_LOG_INFO
                                                : SR_LOG_DEBUG);
    return 0;
}
