/* SPDX-License-Identifier: MIT */
/* The command line that programs made with this library have in common.
 *
 *     struct sr_options options = { .broker = NULL };
 *
 *     if (sr_options_parse(&options, argc, argv))
 *         return options.exit_status;
 *     sr_agent_new(options.server, options.device_id, &agent) ...
 *     sr_agent_set_wait(agent, options.wait_ms)
 *
 *   -s, --server URL        the platform: http://host[:port] or https://host[:port]
 *   -b, --broker URL        its MQTT broker: mqtt://host[:port] or mqtts://host[:port]
 *   -d, --device ID         who the device is
 *   -c, --credentials FILE  where its credentials are kept
 *       --ca FILE           certificates to trust, PEM
 *   -w, --wait SECONDS      for servers that cannot be reached; `forever` is possible
 *   -v, --verbose           log level info; twice: debug
 *   -q, --quiet             log level error
 *   -h, --help, --version */
#ifndef SMARTREST_OPTIONS_H
#define SMARTREST_OPTIONS_H

#include <smartrest/error.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* To preset in `wait_ms`, whose 0 is the default. */
#define SR_OPTIONS_FOREVER UINT64_MAX

/* The caller presets what it wants by default; NULL and 0 stand for the defaults
 * given here. Strings are the caller's, argv's or `text`'s: not to be freed, and a
 * copy of the struct still points into the original. */
struct sr_options {
    const char *server;      /* http://localhost:8080 */
    const char *broker;      /* mqtt://localhost:1883 */
    const char *device_id;   /* smartrest-<host name> */
    const char *credentials; /* ./<device id>.credentials */
    const char *ca_file;     /* NULL: what the system trusts */
    /* Milliseconds; default 30000. Afterwards as sr_agent_set_wait() takes it: 0 is
     * for ever (`--wait forever`), and 1 not to wait (`--wait 0`). */
    uint64_t wait_ms;
    int exit_status; /* set when sr_options_parse() does not return 0 */
    char text[1200]; /* the library's own */
};

/* Reads the command line, checks every value, and sets the log level.
 * Returns 0: go on. SR_E_STOPPED: help or version was asked for and printed,
 * exit_status is 0 (1 if stdout could not be written). SR_E_INVAL: one line on
 * stderr says what is wrong with which option, exit_status is 2; the strings may be
 * as they were preset. Uses getopt_long() and its globals. */
SR_API int sr_options_parse(struct sr_options *options, int argc, char **argv);

#ifdef __cplusplus
}
#endif
#endif
