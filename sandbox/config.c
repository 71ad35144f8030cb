/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "folder.h"
#include "say.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The platform's bound is 16184 bytes for the whole packet. Mosquitto compares the
 * part behind the length field, plus 1, and at this size the field has two bytes. */
#define PACKET_MAX (16184 - 2)

static const char fixed[] = "# Written by smartrest-sandbox at every start.\n"
                            "allow_anonymous false\n"
                            "allow_zero_length_clientid false\n"
                            "persistence false\n"
                            "sys_interval 0\n"
                            "set_tcp_nodelay true\n"
                            "max_inflight_messages 100\n"
                            "max_queued_messages 100000\n"
                            "log_dest stderr\n"
                            "log_timestamp_format %Y-%m-%dT%H:%M:%S\n";

/* Each level and the ones above it. */
static const struct {
    const char *level, *types;
} log_types[] = {
    {"error",    "log_type error\n"                                                },
    { "warning", "log_type warning\n"                                              },
    { "notice",  "log_type notice\n"                                               },
    { "info",    "log_type information\nlog_type subscribe\nlog_type unsubscribe\n"},
    { "debug",   "log_type debug\n"                                                },
};

static void put_log_types(FILE *out, const char *level)
{
    for (size_t i = 0; i < sizeof log_types / sizeof *log_types; i++) {
        fputs(log_types[i].types, out);
        if (strcmp(log_types[i].level, level) == 0)
            return;
    }
}

static void put_plugin(FILE *out, const struct sb_setup *setup, int ready_fd)
{
    const struct sb_options *opts = setup->opts;

    fprintf(out, "plugin %s\n", setup->plugin);
    fprintf(out, "plugin_opt_tenant %s\n", opts->tenant);
    fprintf(out, "plugin_opt_data_dir %s\n", setup->folder);
    fprintf(out, "plugin_opt_operator_user %s\n", opts->operator_user);
    fprintf(out, "plugin_opt_operator_password %s\n", opts->operator_password);
    fprintf(out, "plugin_opt_auto_accept %s\n", opts->auto_accept ? "true" : "false");
    fprintf(out, "plugin_opt_skip_15_lines %s\n",
            opts->skip_15_lines ? "true" : "false");
    fprintf(out, "plugin_opt_heartbeat_ms %" PRId64 "\n", opts->heartbeat_ms);
    fprintf(out, "plugin_opt_push_timeout_ms %" PRId64 "\n", opts->push_timeout_ms);
    fprintf(out, "plugin_opt_push_grace_ms %" PRId64 "\n", opts->push_grace_ms);
    fprintf(out, "plugin_opt_binary_max %" PRId64 "\n", opts->binary_max);
    fprintf(out, "plugin_opt_http_fd %d\n", setup->http_fd);
    if (setup->https_fd >= 0)
        fprintf(
            out,
            "plugin_opt_https_fd %d\nplugin_opt_tls_cert %s\nplugin_opt_tls_key %s\n",
            setup->https_fd, setup->tls_cert, setup->tls_key);
    fprintf(out, "plugin_opt_ready_fd %d\n", ready_fd);
    fprintf(out, "plugin_opt_mqtt_host %s\n", opts->host);
    fprintf(out, "plugin_opt_mqtt_port %d\n", setup->mqtt_port);
}

static void put_listeners(FILE *out, const struct sb_setup *setup)
{
    const struct sb_options *opts = setup->opts;

    fprintf(out, "listener %d %s\n", setup->mqtt_port, opts->host);
    if (setup->mqtts_port < 0)
        return;
    fprintf(out, "listener %d %s\n", setup->mqtts_port, opts->host);
    fprintf(out, "certfile %s\nkeyfile %s\n", setup->tls_cert, setup->tls_key);
}

static void put_all(FILE *out, const struct sb_setup *setup, int ready_fd)
{
    fputs(fixed, out);
    fprintf(out, "max_packet_size %d\n", PACKET_MAX);
    if (geteuid() == 0) /* else mosquitto becomes somebody who may not read our files */
        fputs("user root\n", out);
    put_log_types(out, setup->opts->log_level);
    put_plugin(out, setup, ready_fd);
    put_listeners(out, setup);
}

/* Options were checked when they were read; paths that we found ourselves were not. */
static bool is_one_line(const char *path)
{
    if (!strpbrk(path, "\r\n"))
        return true;
    sb_say("the path %s holds a line break, which the broker cannot read", path);
    return false;
}

bool sb_config_write(const struct sb_setup *setup, int ready_fd, const char *path)
{
    char *text = NULL;
    size_t len;
    FILE *out;
    bool done;

    if (!is_one_line(setup->folder) || !is_one_line(setup->plugin))
        return false;
    out = open_memstream(&text, &len);
    if (!out) {
        sb_say("out of memory");
        return false;
    }
    put_all(out, setup, ready_fd);
    done = fclose(out) == 0 && sb_file_write(path, text);
    if (!done)
        sb_say("cannot write %s: %s", path, strerror(errno));
    free(text);
    return done;
}
