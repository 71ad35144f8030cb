/* SPDX-License-Identifier: MIT */
/* The child process: mosquitto with our plugin.
 *
 *     start -> wait until READY -> wait until ENDED or SIGNAL -> stop
 */
#ifndef SANDBOX_BROKER_H
#define SANDBOX_BROKER_H

#include "options.h"

#include <stdbool.h>
#include <sys/types.h>

struct sb_setup {
    const struct sb_options *opts;
    const char *mosquitto, *plugin; /* programs, found */
    const char *folder; /* the data folder; mosquitto.conf is written here */
    const char *tls_cert, *tls_key; /* NULL: no TLS */
    int http_fd, https_fd;     /* listen; handed to the plugin. https_fd < 0: none */
    int mqtt_port, mqtts_port; /* mqtts_port < 0: none */
};

struct sb_broker {
    pid_t pid; /* 0 once it has ended */
    int status;
    int signal_fd; /* the launcher's: SIGINT, SIGTERM, SIGHUP, SIGCHLD */
    int ready_fd, log_fd;
    bool ready;
    char report[1024]; /* what the plugin said instead of `ready` */
    char log[4096];    /* of the time before it was ready; later one unfinished line */
    size_t report_len, log_len;
};

enum sb_news { SB_READY, SB_SIGNAL, SB_ENDED, SB_TIMEOUT };

/* False: a line was written to stderr. */
bool sb_broker_start(struct sb_broker *broker, const struct sb_setup *setup,
                     int signal_fd);

/* Passes the broker's log on to stderr meanwhile, once it is ready. SB_SIGNAL: somebody
 * wants the launcher to end. `timeout_ms` < 0: for ever. */
enum sb_news sb_broker_wait(struct sb_broker *broker, int timeout_ms);

/* Asks, then kills. Returns what the process should exit with. */
int sb_broker_stop(struct sb_broker *broker);

/* After SB_ENDED: did it end because its port was taken? */
bool sb_broker_lost_port(const struct sb_broker *broker);

/* After SB_ENDED: one line on stderr, what to exit with. */
int sb_broker_explain(const struct sb_broker *broker);

#endif
