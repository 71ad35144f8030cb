/* SPDX-License-Identifier: MIT */
/* The agent's inside, shared by the files of this folder. */
#ifndef AGENT_AGENT_P_H
#define AGENT_AGENT_P_H

#include "agent/credentials.h"
#include "agent/dispatch.h"
#include "base/backoff.h"
#include "base/clock.h"
#include "base/settings.h"
#include "base/url.h"
#include "http/http.h"
#include "loop/flood.h"
#include "loop/loop.h"
#include "outbox/outbox.h"
#include "reporter/reporter.h"
#include "transport/prover.h"
#include <pthread.h>
#include <smartrest/agent.h>
#include <smartrest/outbox.h>
#include <stdatomic.h>

/* Ids of operations that were taken, the last ones: operations.c. */
struct sr_operations {
    char **ids; /* a ring */
    size_t next;
};

/* The event that tells the platform of lost rows: losses.c. */
struct sr_loss_report {
    struct sr_http_request *request; /* under way */
    struct sr_losses told;           /* in it */
    struct sr_deadline pause;        /* until the next */
    struct sr_backoff backoff;
    bool refused; /* the platform does not want it: only after the pause */
    uint64_t wait_for_clock_until_ms;
};

struct sr_agent {
    struct sr_loop *loop;
    /* Connections, made when first needed, with the options of then. Whose an answer was is asked
     * on the connection of the answer (transport/prover.h), and libcurl picks any that is idle. So
     * each that asks has connections of its own; else it asks a stranger, and sends again. */
    struct sr_http *http;         /* asks: the reporter's rows */
    struct sr_http *request_http; /* asks: bootstrap, integrate, sr_agent_request() */
    struct sr_http
        *side_http; /* asks for device push; the event about losses never does */
    struct sr_outbox *outbox;
    const struct sr_clock *clock;
    struct sr_reporter *reporter;
    struct sr_push *push;
    struct sr_dispatch dispatch;
    sr_connected_fn connected;
    void *connected_arg;
    struct sr_listener *listeners; /* of the same; operations.c */
    bool telling_connected;        /* they are being called */
    struct sr_operations operations;
    sr_refused_fn refused;
    void *refused_arg;
    sr_loss_fn lost;
    void *lost_arg;
    sr_trouble_fn trouble;
    void *trouble_arg;

    bool on_disk;                  /* sr_agent_open_outbox() was called */
    bool telling;                  /* what became of rows: callbacks are on the stack */
    bool closing;                  /* its end has begun: nothing is sent any more */
    struct sr_deadline retry_disk; /* the outbox's disk fails */
    struct sr_deadline log_losses; /* when the log may say more about losses */
    struct sr_loss_report report;
    struct { /* lines of the log that the platform can trigger */
        struct sr_flood refused, malformed, poison;
    } floods;
    struct {
        bool on, done;
        uint64_t rows; /* that were put before it began */
    } flush;

    char *server, *device_id;
    char *url;   /* of /s */
    char *login; /* tenant/user */
    struct sr_credentials credentials, bootstrap_account;
    char *xid, *id, *srversion;
    char *known_path; /* agent/known.h; NULL without a credentials file */
    struct sr_settings settings;
    uint64_t wait_ms, bootstrap_interval_ms;
    unsigned bootstrap_attempts;
    sr_integrate_fn integrate;
    void *integrate_arg;

    bool by_mqtt; /* the reporter's transport */
    atomic_uint
        carrier; /* the same, for all threads: 0 none yet, or enum sr_carrier and 1 */
    struct sr_url broker;
    struct sr_deadline contact; /* the reporter's time to reach its server */
    bool gave_up;               /* it is over */

    struct sr_prover prover; /* that the server of requests is the platform */
    char *answer;            /* of the last request, NUL-terminated */
    size_t answer_len;

    uint64_t stop_signals; /* bit n - 1 for signal n */

    int depth;        /* public calls that run the loop */
    bool doomed;      /* freed from inside a callback */
    pthread_t thread; /* that made it, and has sr_agent_error() */
    char error[768];
};

/* sr_agent_new() with a clock of the caller's, which outlives the agent. */
int sr_agent_make(const char *server, const char *device_id,
                  const struct sr_clock *clock, struct sr_agent **ret_agent);

/* Remembers a sentence for sr_agent_error() and returns `rc`. Control bytes in what the
 * platform says become blanks. */
int sr_agent_fail(struct sr_agent *agent, int rc, const char *format, ...)
    SR_PRINTF(3, 4);

/* Public calls that run the loop stand between these two; sr_agent_leave() returns `rc`
 * and frees an agent that was freed from inside a callback. sr_agent_enter() returns
 * SR_E_STATE from inside a callback, SR_E_INVAL for NULL. */
int sr_agent_enter(struct sr_agent *agent);
int sr_agent_leave(struct sr_agent *agent, int rc);

/* Tells the outbox what the settings say that can be changed at any time. */
void sr_agent_apply(struct sr_agent *agent);

/* Calls the callbacks for what became of rows, and for losses and the disk. On the loop, from
 * where everything may be called. */
void sr_agent_tell(struct sr_agent *agent);
/* The last of it: every row has met its fate. Nothing can be sent afterwards. */
void sr_agent_tell_end(struct sr_agent *agent);
/* Returns 0 or SR_E_NOMEM. */
int sr_agent_init_telling(struct sr_agent *agent);
/* For struct sr_reporter_config; `arg` is the agent. */
void sr_agent_settled(void *arg);
void sr_agent_trouble(void *arg, enum sr_trouble trouble, const char *text);

/* Operations come from now on: tells the application. */
void sr_agent_connected(struct sr_agent *agent);
/* If rows were put since sr_outbox_rows_put() was `before`, what waits goes at once: rows of
 * handlers do not wait for company. */
void sr_agent_hurry_since(struct sr_agent *agent, uint64_t before);
/* Forgets who wants to be told. */
void sr_agent_release_listeners(struct sr_agent *agent);
void sr_operations_release(struct sr_operations *operations);

/* The event about losses: the platform answers; rows were lost while it does. */
int sr_agent_init_report(struct sr_agent *agent);
void sr_agent_report_up(void *arg);
void sr_agent_report_soon(struct sr_agent *agent);
void sr_agent_release_report(struct sr_agent *agent);

/* `path` on the agent's server, once sr_agent_check_setup() was fine. The caller frees it; NULL
 * without memory. */
char *sr_agent_make_url(const struct sr_agent *agent, const char *path);

/* Are server and device id usable? Returns 0 or SR_E_INVAL. */
int sr_agent_check_setup(struct sr_agent *agent);
/* Looks at the files of certificates and keys. 0 or SR_E_INVAL with a text. */
int sr_agent_check_net(struct sr_agent *agent);
/* `http`: one of agent's three. */
int sr_agent_open_http(struct sr_agent *agent, struct sr_http **http);

/* Runs the loop for that long. Returns 0 or SR_E_STOPPED. */
int sr_agent_pause(struct sr_agent *agent, uint64_t ms);

/* As sr_agent_request(), with another login; the answer is in agent->answer. */
int sr_agent_exchange(struct sr_agent *agent, const char *login, const char *password,
                      const char *xid, const char *rows);

/* The protocol of that name, and whether `name` is one of its channels; NULL as a name is the own
 * collection of SmartREST 1.0, and else "". Returns 0 or SR_E_INVAL. */
int sr_agent_find_protocol(struct sr_agent *agent, const char *protocol,
                           const char *name, const struct sr_protocol **ret_protocol);

/* What sr_agent_set_xid() takes no id for: says so, SR_E_INVAL. */
int sr_agent_refuse_id(struct sr_agent *agent, const char *what, const char *id);
/* "server 'http://...': reason"; a URL with a user in it may have a password in it, and is
 * not repeated. Returns SR_E_INVAL. */
int sr_agent_refuse_url(struct sr_agent *agent, const char *what, const char *url,
                        const char *reason);

/* Dispositions that sr_agent_stop_on() changed. When the loop is gone. */
void sr_agent_put_signals_back(struct sr_agent *agent);

/* Can `text` be an X-Id or the id of an object? It goes into rows, header lines and
 * topics: 1 to 255 bytes of UTF-8, no blank, control character, `,`, `"`, `+` or `#`. */
enum { SR_ID_MAX = SR_NAME_MAX };
bool sr_id_valid(const char *text);

/* Replaces *text by a copy of `to` (NULL: by NULL). Returns 0 or SR_E_NOMEM. */
int sr_replace_text(char **text, const char *to);

#endif
