/* SPDX-License-Identifier: MIT */
/* The reporter carries what sr_agent_send() queued to the platform, and what the
 * platform answers back to the message handlers. HTTP or MQTT is its constructor's
 * business alone.
 *
 *     sr_reporter_new_mqtt (or _http) -> options -> start ... free
 *
 * Rows are joined: a request goes out when it is full, when its oldest row has waited
 * for the linger time, or at once when a message handler has sent a row.
 *
 * Acknowledged. A row is forgotten when the platform has acknowledged it, and never before: by
 * PUBACK for its publish; by HTTP status 200 for its request, unless the answer says that nothing of
 * it was taken (`50,1,401` or `40,...` and no other row), and only if the answer shows that it is the
 * platform's, not a captive portal's or a proxy's. Rows for lines that were sent show it. An empty
 * answer counts if the server's certificate was verified (https); on plain HTTP the reporter asks
 * once for each connection whether the template collection is known, which only the platform can
 * answer (behind a proxy: after each empty answer). So plain HTTP needs connections that stay open
 * for a second request. Any other answer is an outage: it counts for no row's `retries`, and
 * makes none suspect. Until it is acknowledged a row is sent again, after every reconnect, and after a restart if it is on disk. So a row can arrive twice, and what can is
 * bounded: what was under way when the connection or the process ended, which is one request
 * by HTTP, at most `window` publishes of `batch_rows` rows each by MQTT.
 *
 * Outages. A connection that fails is tried again for ever, first after about 0.2 s, later up to
 * 60 s, with jitter; the pauses begin anew when all went well for 10 s. A server's Retry-After is
 * kept, up to `slow_retry`. What waited meanwhile is the backlog: it goes no faster than
 * `replay_rows` and `replay_bytes` say, after a second's worth at once, and before or after
 * rows that are new (`replay_order`). The order of rows with SR_PRIO_BUF is kept, and that of
 * those without.
 *
 * Troubles, sr_agent_on_trouble(): credentials (an HTTP status 401 or 403 of an unproved server is an
 * outage), template collection or device that the platform
 * does not know, or another client with the same id. The reporter goes on trying, with pauses that
 * grow to `slow_retry`.
 *
 * Poison. A payload that HTTP status 400, 413 or 422 refuses is sent in halves until one row is alone.
 * If others get through and that one still does not, it is set aside (SR_FATE_POISON, and the quarantine
 * file of an outbox on disk), and the rest flows. If nothing gets through, no row is to blame. A payload
 * under whose first row the connection ends or the server fails (5xx, but not 503) `poison_after` times
 * in a row, and more often on a line that drops others, too, is searched in the same way; the row that is found
 * is tried again, alone, at random moments between others, until it gets through, or the comparison
 * with the others proves that it is not the line (docs/outbox.md). Others overtake a row meanwhile, and
 * one request is under way at a time.
 *
 * An agent has one reporter. Loop thread only. Wire: docs/protocol/mqtt.md. */
#ifndef SMARTREST_REPORTER_H
#define SMARTREST_REPORTER_H

#include <smartrest/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct sr_agent;
struct sr_reporter;

/* By MQTT to `broker`: mqtt://host[:1883] or mqtts://host[:8883]. Client id d:<device
 * id>, topics s/ul, s/dl, s/ol/<X-Id>, s/e, QoS 1.
 * On success *ret_reporter is the caller's, to be freed before the agent or with it; on
 * failure it is untouched, and sr_agent_error() says why.
 * Returns 0, SR_E_INVAL (broker), SR_E_STATE (the agent has a reporter), SR_E_NOMEM. */
SR_API int sr_reporter_new_mqtt(struct sr_agent *agent, const char *broker,
                                struct sr_reporter **ret_reporter);

/* By HTTP to the agent's server. Returns 0, SR_E_STATE, SR_E_NOMEM. */
SR_API int sr_reporter_new_http(struct sr_agent *agent,
                                struct sr_reporter **ret_reporter);

/* Accepts NULL. Rows that wait stay with the agent. Returns NULL. */
SR_API struct sr_reporter *sr_reporter_free(struct sr_reporter *reporter);

/* Connects, in the background, once the loop runs; after bootstrap and integrate.
 * Returns 0, SR_E_INVAL (NULL), SR_E_STATE (no credentials or no X-Id yet). */
SR_API int sr_reporter_start(struct sr_reporter *reporter);

/* --- options, before start: SR_E_STATE afterwards, SR_E_INVAL out of bounds --------- */

/* Seconds between signs of life on an idle MQTT connection, 5 to 65535; a dead peer
 * is noticed within twice that. 0: none, a dead peer is noticed when a row is not
 * acknowledged. Default 60. Without meaning for HTTP. */
SR_API int sr_reporter_set_keepalive(struct sr_reporter *reporter, unsigned seconds);
/* Milliseconds the oldest row waits for company, 0 to 60000. Default 400. */
SR_API int sr_reporter_set_linger(struct sr_reporter *reporter, unsigned linger_ms);
/* Rows in one request, 1 to 10000. Default 512. */
SR_API int sr_reporter_set_batch(struct sr_reporter *reporter, unsigned rows);
/* Publishes under way without acknowledgement, 1 to 16; HTTP has one. Default 4. */
SR_API int sr_reporter_set_window(struct sr_reporter *reporter, unsigned publishes);

/* Bytes of rows that may wait, 4096 to 1 GiB, with about 40 bytes for each row's
 * keeping. Default 1 MiB. Any time; shrinking drops the oldest. */
SR_API int sr_reporter_set_capacity(struct sr_reporter *reporter, size_t bytes);
/* That bound. 0 for NULL. */
SR_API size_t sr_reporter_capacity(const struct sr_reporter *reporter);

/* --- sleep ------------------------------------------------------------- */

/* Asleep, nothing is sent: rows with SR_PRIO_BUF wait, others are discarded. What is under
 * way stays under way, and a connection stays up. Any time; both accept NULL and repeats. */
SR_API void sr_reporter_sleep(struct sr_reporter *reporter);
SR_API void sr_reporter_resume(struct sr_reporter *reporter);
SR_API bool sr_reporter_is_sleeping(const struct sr_reporter *reporter);

/* --- what it did ------------------------------------------------------- */

/* Numbers since the reporter was made, those of rows since the agent was; as it is now where it
 * says so. HTTP has no connection: there it counts as one until a request fails, and again once
 * a request has been acknowledged. */
struct sr_reporter_stats {
    bool connected;                       /* now: the platform answers */
    uint64_t rows_waiting, bytes_waiting; /* now, those under way included */
    uint64_t rows_queued;                 /* accepted by sr_agent_send*() */
    uint64_t rows_sent;                   /* handed to the network, repeats included */
    uint64_t rows_acked;                  /* and forgotten */
    uint64_t rows_dropped; /* to make room, since the platform never takes them, or
                              since they could not be read back from disk */
    uint64_t
        rows_given_up; /* without SR_PRIO_BUF: after all retries, or while asleep */
    uint64_t requests_sent;  /* publishes, or HTTP requests */
    uint64_t bytes_sent;     /* of their payloads */
    uint64_t rows_received;  /* answers and operations */
    uint64_t rows_malformed; /* received, and not understood */
    uint64_t connects;       /* that succeeded */
    uint64_t disconnects;    /* of these, that were lost */

    uint64_t rows_expired;     /* their time to live was over */
    uint64_t rows_quarantined; /* of rows_dropped: the platform never takes them */
    uint64_t rows_damaged;     /* of rows_dropped: could not be read back from disk */
    uint64_t rows_refused;     /* at the bound, by full_volatile or full_buffered */
    uint64_t rows_on_disk, bytes_on_disk; /* now: of rows_waiting; size of the files */
    bool disk_fails; /* now: an outbox on disk is wanted, and cannot be used */
};
/* Accepts NULL for `reporter`: all zero. */
SR_API void sr_reporter_stats(const struct sr_reporter *reporter,
                              struct sr_reporter_stats *ret_stats);

#ifdef __cplusplus
}
#endif
#endif
