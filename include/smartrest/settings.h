/* SPDX-License-Identifier: MIT */
/* Settings: what can be chosen at run time, by name. One table has them all, with
 * defaults, bounds and units; docs/settings.md shows the same table.
 *
 *     sr_agent_set(agent, "ca_file", "/etc/ssl/plant-ca.pem")
 *     sr_agent_set(agent, "linger", "50")
 *
 * A setting is made before what it is for: those of connections before the agent's first
 * request or its reporter's start, those of the reporter before sr_reporter_start(), those of
 * the outbox's files before sr_agent_open_outbox(). At any time: capacity, outbox_capacity,
 * full_volatile, full_buffered, loss_report, clock_valid_after. */
#ifndef SMARTREST_SETTINGS_H
#define SMARTREST_SETTINGS_H

#include <smartrest/error.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct sr_agent;

/* Texts: name, what it is. None is set by default; at most 4095 bytes. */
#define SR_TEXT_SETTINGS(X)                                                         \
    X(ca_file, "PEM file with the certificates to trust; none: the system's")       \
    X(ca_path, "directory with certificates to trust, hashed as by openssl rehash") \
    X(cert_file, "PEM file with the device's own certificate and its chain")        \
    X(key_file, "PEM file with its private key, without passphrase")                \
    X(proxy, "HTTP proxy, http://host:port; none: as the environment says")

/* Numbers: name, default, least, most, unit, what it is. */
#define SR_NUMBER_SETTINGS(X)                                                          \
    X(verify, 1, 0, 1, "", "verify certificates and host names; 0 is for tests")       \
    X(http_version, 11, 10, 20, "", "10, 11, or 20 (with TLS)")                        \
    X(connect_timeout, 10000, 100, 600000, "ms", "for name, TCP and TLS")              \
    X(request_timeout, 30000, 100, 3600000, "ms",                                      \
      "for a request and its answer, "                                                 \
      "or a publish and its PUBACK")                                                   \
    X(receive_max, 4194304, 1024, 1073741824, "bytes",                                 \
      "of an HTTP answer or an MQTT message")                                          \
    X(keepalive, 60, 0, 65535, "s",                                                    \
      "MQTT: a sign of life when idle; 0 none, or 5 "                                  \
      "and more")                                                                      \
    X(linger, 400, 0, 60000, "ms", "the oldest row waits for company")                 \
    X(batch_rows, 512, 1, 10000, "rows", "in one request")                             \
    X(batch_bytes, 65536, 16384, 65536, "bytes",                                       \
      "in one request; MQTT: 16172 at most")                                           \
    X(window, 4, 1, 16, "publishes", "under way without PUBACK; HTTP has one request") \
    X(retries, 25, 0, 1000000, "times",                                                \
      "a row without SR_PRIO_BUF that reached the server goes again")                  \
    X(capacity, 1048576, 4096, 1073741824, "bytes",                                    \
      "of rows that wait in memory, with what keeping them takes")                     \
    X(outbox_capacity, 16777216, 262144, 1099511627776, "bytes",                       \
      "of the files of an outbox on disk")                                             \
    X(outbox_sync_interval, 1000, 10, 3600000, "ms",                                   \
      "between writes to the medium; outbox_sync interval")                            \
    X(replay_rows, 0, 0, 1000000, "rows/s",                                            \
      "at most, of those that waited for the connection; 0 no limit")                  \
    X(replay_bytes, 0, 0, 1073741824, "bytes/s",                                       \
      "at most, of those that waited for the connection; 0 no limit")                  \
    X(poison_after, 3, 1, 100, "times",                                                \
      "a payload fails in the same way until one of its rows is suspected")            \
    X(quarantine_capacity, 262144, 0, 1073741824, "bytes",                             \
      "of the quarantine file; 0 none")                                                \
    X(slow_retry, 900, 1, 86400, "s",                                                  \
      "the longest pause while a trouble lasts that does not pass by itself")          \
    X(loss_report, 10, 0, 1000000000, "rows",                                          \
      "lost, and the platform gets an event about it; 0 never")                        \
    X(clock_valid_after, 1735689600, 0, 253402300799, "s",                             \
      "since 1970: before that the wall clock is not yet right")                       \
    X(clock_wait, 60, 0, 86400, "s",                                                   \
      "a row with SR_NOW waits for the clock once connected")

/* Choices: name, default, the choices, what it is. */
#define SR_CHOICE_SETTINGS(X)                                         \
    X(outbox_sync, batch, "row, batch, interval",                     \
      "when rows are written to the medium; see outbox.h")            \
    X(full_volatile, drop_oldest, "drop_oldest, drop_newest, refuse", \
      "what gives way at the bound, of rows without SR_PRIO_BUF")     \
    X(full_buffered, drop_oldest, "drop_oldest, drop_newest, refuse", \
      "what gives way at the bound, of rows with SR_PRIO_BUF")        \
    X(replay_order, strict, "strict, live_first",                     \
      "after an outage: what waited before what is new, or the other way round")

/* Sets `name` to `value`: a decimal number within its bounds, one of the choices by name, or a
 * text; NULL sets the default. Copied. Loop thread only.
 * Returns 0; SR_E_NOTFOUND, no such setting; SR_E_INVAL, not such a value; SR_E_STATE, too
 * late for this one; SR_E_NOMEM. sr_agent_error() has the sentence. */
SR_API int sr_agent_set(struct sr_agent *agent, const char *name, const char *value);

/* The value in force as text, cut to `size` bytes with its NUL; "" for a text that is not
 * set. Returns 0 or SR_E_NOTFOUND. */
SR_API int sr_agent_get(const struct sr_agent *agent, const char *name, char *text,
                        size_t size);

#ifdef __cplusplus
}
#endif
#endif
