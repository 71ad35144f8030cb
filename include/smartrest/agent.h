/* SPDX-License-Identifier: MIT */
/* The agent: credentials, templates, the loop, and who handles which message.
 *
 *     sr_agent_new -> bootstrap -> integrate -> on_message, send ... loop -> free
 *
 * An agent belongs to the thread that runs its loop. From other threads only
 * sr_agent_send*() and sr_agent_stop() may be called; sr_agent_stop() also from a
 * signal handler. Callbacks run on the loop's thread, one at a time, and may call
 * everything except sr_agent_bootstrap, _integrate, _request, _loop and _dispatch
 * (SR_E_STATE). More than one agent in a process is fine. The library touches no
 * signal disposition, environment, locale or working directory.
 *
 * The wire: docs/protocol/smartrest1.md. */
#ifndef SMARTREST_AGENT_H
#define SMARTREST_AGENT_H

#include <smartrest/error.h>
#include <smartrest/record.h>
#include <smartrest/row.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct sr_agent;
struct sr_loop;

/* An agent for the device `device_id`: 1 to 1000 bytes of UTF-8; no white space, no control
 * character, none of `/ \ $ : + # % ?`; not one or two points alone. Its platform is at
 * `server`: http://host[:port] or https://host[:port]. Both are copied. A bad one is reported
 * by the first call that needs it (SR_E_INVAL), so that sr_agent_error() can say what is wrong
 * with it.
 * On success *ret_agent is the caller's, to be freed with sr_agent_free(); on failure
 * it is untouched. Returns 0, SR_E_NOMEM, SR_E_IO (no file descriptors left). */
SR_API int sr_agent_new(const char *server, const char *device_id,
                        struct sr_agent **ret_agent);

/* Frees the agent, its timers, watches and reporter; connections are closed. Rows that wait
 * are lost, but for those with SR_PRIO_BUF in an outbox on disk (outbox.h), and their delivery
 * callbacks are told which. Returns at once, but for one write of that outbox to its medium: a
 * name look-up or connection attempt that cannot be
 * interrupted is left to end by itself and touches nothing of the agent. From inside a
 * callback it stops the loop, and the agent is freed when the loop returns. Accepts
 * NULL. Returns NULL. */
SR_API struct sr_agent *sr_agent_free(struct sr_agent *agent);

/* What went wrong last, as a sentence without secrets that names what and where; the
 * agent's, valid until its next call that fails. For the thread that made the agent: what
 * fails in another thread's sr_agent_send() is in what that returns. Accepts NULL. */
SR_API const char *sr_agent_error(const struct sr_agent *agent);

/* --- options, before bootstrap ----------------------------------------- */

/* How long bootstrap, integrate and the loop's first connection may go on without
 * reaching the server before they give up with SR_E_UNREACHABLE. 0, the default, is
 * until the agent is stopped: a device comes up before its network does. */
SR_API void sr_agent_set_wait(struct sr_agent *agent, uint64_t wait_ms);

/* sr_agent_set(agent, "ca_file", path): PEM file with the certificates to trust, for
 * https:// and mqtts://; NULL, the default, is the system's. Returns as that does. */
SR_API int sr_agent_set_ca_file(struct sr_agent *agent, const char *path);

/* --- credentials ------------------------------------------------------- */

/* Gets the device's credentials: loads them from `path`, or else asks the platform
 * for them (message 61) until an operator has accepted the device (70), and stores
 * them in `path`: three lines, tenant, user, password; mode 0600, replaced
 * atomically; if `path` is a symbolic link, the file that it points to. A file of the C++ SDK
 * is read as well: words parted by blanks or line ends. A file that is there and damaged is logged,
 * with the line, and asked for anew. That `path` can be written is found out before asking.
 * Credentials that cannot be stored (see sr_agent_set_credentials(); a blank in tenant or user, or
 * at an end of the password) are logged, and asked for again.
 * Runs the loop until done. Returns 0; SR_E_INVAL (server or device_id); SR_E_IO
 * (`path`); SR_E_UNREACHABLE, see sr_agent_set_wait(); SR_E_TIMEOUT, asked as often as
 * sr_agent_set_bootstrap_poll() says; SR_E_AUTH, bootstrap account refused; SR_E_REFUSED,
 * HTTP status 400, 413 or 422 of a server that is proved to be the platform; SR_E_STOPPED;
 * SR_E_NOMEM. What is not the platform's answer (a captive portal's page or status) is an outage, and
 * tried again. */
SR_API int sr_agent_bootstrap(struct sr_agent *agent, const char *path);

/* The account that asks for credentials; the default is the platform's published
 * one. Copied, and checked as by sr_agent_set_credentials(). Returns 0, SR_E_INVAL, SR_E_NOMEM. */
SR_API int sr_agent_set_bootstrap_account(struct sr_agent *agent, const char *tenant,
                                          const char *user, const char *password);

/* Ask every `interval_ms` milliseconds (default 2000; at least 100), at most
 * `attempts` times; 0, the default, is without end. */
SR_API void sr_agent_set_bootstrap_poll(struct sr_agent *agent, uint64_t interval_ms,
                                        unsigned attempts);

/* Instead of sr_agent_bootstrap(), for credentials that live elsewhere, say in a secure
 * element. Copied. Each has 1 to 1024 bytes and no control characters: else SR_E_INVAL, and
 * sr_agent_error() says which and why. Returns 0, SR_E_INVAL, SR_E_STATE (the reporter is started
 * already), SR_E_NOMEM. */
SR_API int sr_agent_set_credentials(struct sr_agent *agent, const char *tenant,
                                    const char *user, const char *password);

/* --- templates and identity -------------------------------------------- */

/* Makes the device known. Registers the templates `srtemplate` (rows 10 and 11, a
 * line each) under the name `srversion` unless the platform has them; then finds the
 * device's managed object by its external id, or creates object and external id.
 * The standard flow uses these templates of the collection:
 *
 *     100,<device id>        GET the external id        -> 500,<line>,<object id>
 *     101[,<device id>]      POST the managed object    -> 501,<line>,<object id>
 *     102,<object id>,<device id>    POST the external id
 *
 * (101 has an argument if its row 10 has a placeholder.) A device is created only when
 * the platform says that it knows none (50,<line>,404).
 * The platform never changes a collection: other templates under a name that it knows have
 * no effect. A warning in the log says so, if the credentials came from a file: what was
 * registered is remembered beside it, in `<path>.templates` (checksums, no secrets).
 * Runs the loop until done; a network that fails is tried again. Returns 0;
 * SR_E_UNREACHABLE; SR_E_AUTH; SR_E_REFUSED, a row or the templates were refused:
 * sr_agent_error() has the platform's text; SR_E_PROTO; SR_E_STATE, no credentials yet;
 * SR_E_STOPPED; SR_E_NOMEM; or what the callback below returned. */
SR_API int sr_agent_integrate(struct sr_agent *agent, const char *srversion,
                              const char *srtemplate);

/* A flow of your own in place of the standard one. It must end with
 * sr_agent_set_xid() and sr_agent_set_id() called, and returns 0 or an error. It may
 * call sr_agent_request() and sr_template_register(). */
typedef int (*sr_integrate_fn)(struct sr_agent *agent, const char *srversion,
                               const char *srtemplate, void *arg);

/* Makes sr_agent_integrate() call `fn`; NULL: the standard flow again. */
SR_API void sr_agent_on_integrate(struct sr_agent *agent, sr_integrate_fn fn,
                                  void *arg);

/* The first half of integrate: is `srversion` known, and if not, register
 * `srtemplate`. On success the agent's X-Id is set. Errors as sr_agent_integrate(). */
SR_API int sr_template_register(struct sr_agent *agent, const char *srversion,
                                const char *srtemplate);

/* Posts `rows` to the platform under the X-Id `xid` (NULL: none) with the agent's
 * credentials, and runs the loop until the answer is there; a network that fails is
 * tried again. *ret_answer is the agent's, valid until the next request, NUL-terminated.
 * Returns 0, or SR_E_UNREACHABLE, SR_E_AUTH, SR_E_REFUSED (HTTP status 400,
 * 413 or 422 of the platform; others are tried again), SR_E_TOOBIG (the answer), SR_E_STATE, SR_E_STOPPED, SR_E_NOMEM. */
SR_API int sr_agent_request(struct sr_agent *agent, const char *xid, const char *rows,
                            const char **ret_answer, size_t *ret_len);

/* What the agent was made with: each is a copy. */
SR_API const char *sr_agent_server(const struct sr_agent *agent);
SR_API const char *sr_agent_device_id(const struct sr_agent *agent);
/* The credentials; each is "" until bootstrap. */
SR_API const char *sr_agent_tenant(const struct sr_agent *agent);
SR_API const char *sr_agent_username(const struct sr_agent *agent);
SR_API const char *sr_agent_password(const struct sr_agent *agent);
/* Numeric id of the template collection, and of the device's managed object; each is
 * decimal text, "" until integrate. */
SR_API const char *sr_agent_xid(const struct sr_agent *agent);
SR_API const char *sr_agent_id(const struct sr_agent *agent);
/* For a flow of your own. Each is copied; 1 to 255 bytes of UTF-8, no blank, control character,
 * `,` `"` `+` `#`. Return 0, SR_E_INVAL, SR_E_NOMEM. */
SR_API int sr_agent_set_xid(struct sr_agent *agent, const char *xid);
SR_API int sr_agent_set_id(struct sr_agent *agent, const char *id);

/* --- sending ----------------------------------------------------------- */

/* Bits that may be combined. */
enum sr_prio {
    SR_PRIO_BUF = 1, /* worth keeping over an outage, and on disk: outbox.h */
    SR_PRIO_XID = 2  /* the row's first value is another X-Id, cut off before sending */
};

/* Queues `row` (one or more rows, without the final line end; copied) for the reporter
 * and returns at once. May be called from any thread, before bootstrap, and before
 * there is a reporter. Rows arrive in the order they were sent. When the outbox is at
 * its bound the oldest waiting rows make room, unless the settings full_volatile and
 * full_buffered say otherwise; see sr_agent_on_loss() and sr_reporter_stats().
 * Returns 0; or, and then nothing was queued: SR_E_SYNTAX, not a row (with SR_PRIO_XID:
 * not an X-Id as in sr_agent_set_xid() and a row); SR_E_TOOBIG, more bytes than the reporter's
 * transport carries (SR_ROW_MAX_HTTP) or than the outbox holds; SR_E_FULL, the outbox is full of rows that are under way, or at its
 * bound when it is to refuse; SR_E_INVAL, NULL or an unknown prio; SR_E_STOPPED, inside of
 * sr_agent_free(); SR_E_NOMEM. */
SR_API int sr_agent_send(struct sr_agent *agent, const char *row, int prio);

/* Bytes of a row that fits into a request of either transport, as it goes out: with its quotes. */
#define SR_ROW_MAX 15360
/* Bytes of the longest row by HTTP. By MQTT a packet has 16,184 bytes, with its header, the topic and, in
 * SmartREST 1.0, a row with the X-Id, and a row has what is left. A longer one is refused when it is
 * sent if the agent has a reporter, and else when the reporter gets it: it is set aside as one that the
 * platform never takes (SR_FATE_POISON, SR_TROUBLE_POISON). */
#define SR_ROW_MAX_HTTP 262144

/* The same with prio 0, and with `prio`, for a row made as sr_row_format() makes it (row.h):
 * each value is quoted when it needs it. For text that a template has inside of JSON
 * (`""%%""`), say an operation's failureReason, there is %pJ:
 *     sr_agent_sendf(agent, "106,%s,FAILED,%pJ", operation, sr_json(strerror(errno)));
 * Errors, too: SR_E_INVAL, `format` is none of a row, or a number is not finite. */
SR_API int sr_agent_sendf(struct sr_agent *agent, const char *format, ...)
    SR_PRINTF(2, 3);
SR_API int sr_agent_sendf_prio(struct sr_agent *agent, int prio, const char *format,
                               ...) SR_PRINTF(3, 4);

/* --- channels ---------------------------------------------------------- */

/* A channel says where rows go: a protocol, and a name in it.
 *
 *     "smartrest1"   SmartREST 1.0; the name is the X-Id of a template collection. SR_PRIO_XID in a
 *                    send is another way to say it. NULL is the agent's own collection
 *
 * Rows of all channels that were sent with the same SR_PRIO_BUF arrive in the order in which they were
 * sent.
 *
 *     uint32_t child;
 *     sr_agent_channel(agent, "smartrest1", "com.acme.child-v1", &child);
 *     sr_agent_send_with(agent, "104,25", &(struct sr_send_options){ .channel = child });
 */

/* The number of the channel, for struct sr_send_options; made at the first call, the same at each, and
 * valid until the agent is freed. Loop thread only. Returns 0; SR_E_NOTFOUND, no such protocol;
 * SR_E_INVAL, NULL, or no name of it; SR_E_FULL, some 64,000 channels are in use; SR_E_NOMEM. */
SR_API int sr_agent_channel(struct sr_agent *agent, const char *protocol,
                            const char *name, uint32_t *ret_channel);

/* --- receiving --------------------------------------------------------- */

/* `record` is the library's and valid during the call. */
typedef void (*sr_message_fn)(struct sr_agent *agent, struct sr_record *record,
                              void *arg);

/* Calls `fn` for each received row with message id `id` of the agent's own collection,
 * built-in rows (40, 50...) included. A later call for the same id replaces the
 * earlier one; NULL removes. Returns 0 or SR_E_NOMEM. */
SR_API int sr_agent_on_message(struct sr_agent *agent, uint32_t id, sr_message_fn fn,
                               void *arg);

/* The same for rows of another collection, as row 87 or the topic names it: `xid` is
 * its numeric id or its name, as in sr_agent_set_xid() (else SR_E_INVAL). Operations of
 * that collection arrive too if this is called before the reporter is started. */
SR_API int sr_agent_on_xmessage(struct sr_agent *agent, const char *xid, uint32_t id,
                                sr_message_fn fn, void *arg);

/* The same for rows from any origin: a protocol, and a name as in sr_agent_channel() (NULL: the agent's own
 * collection). A row with the same message id from another origin is another row: its handler is not
 * called. `id`: text of 1 to 255 bytes; in SmartREST 1.0 a decimal number. Returns 0; SR_E_NOTFOUND, no
 * such protocol; SR_E_INVAL, NULL, or no name or id of it; SR_E_NOMEM. sr_agent_error() has the sentence.
 * By MQTT rows of an origin arrive if this is called before the reporter is started. */
SR_API int sr_agent_on_origin(struct sr_agent *agent, const char *protocol,
                              const char *name, const char *id, sr_message_fn fn,
                              void *arg);

/* A row was refused: `error` is the platform's row 4x or 50, `row` (`len` bytes, no
 * terminator) the row that it speaks of, or NULL if that cannot be told: MQTT does not say
 * which publish an answer is for. Both are valid during the call. An HTTP answer that says of all
 * rows that they were not taken (sr_agent_on_trouble()) is none. */
typedef void (*sr_refused_fn)(struct sr_agent *agent, struct sr_record *error,
                              const char *row, size_t len, void *arg);

/* Calls `fn` for each row that the platform refuses to the reporter, besides the handler
 * of its message id. NULL: such rows are logged unless they have a handler. */
SR_API void sr_agent_on_refused(struct sr_agent *agent, sr_refused_fn fn, void *arg);

/* --- operations -------------------------------------------------------- */

/* The way down is open: see sr_agent_on_connected(). */
typedef void (*sr_connected_fn)(struct sr_agent *agent, void *arg);

/* Calls `fn` each time that the way down is open, first and after each outage: by MQTT when the
 * broker has granted each subscription of this connection (if it refuses one, or grants it only
 * later: SR_TROUBLE_SUBSCRIPTION comes first, this when the last one is granted, and rows go all
 * the while); by device push when a new session is subscribed, and the server is proved to be the
 * platform; by HTTP without a push at the start, and when a request is acknowledged after an outage. An
 * operation made while it was closed is not delivered later: this is the moment to ask the
 * platform for those that are PENDING, by a row of the application's collection. Rows sent from
 * here go at once, in order: behind those that wait, such as the status of operations from
 * before the outage (with `replay_order` live_first: before rows of the outage).
 * A later call replaces the earlier one; NULL: nobody is told. */
SR_API void sr_agent_on_connected(struct sr_agent *agent, sr_connected_fn fn,
                                  void *arg);

/* The same for libraries and parts of an application, beside the function of
 * sr_agent_on_connected() and one another: all are called, in no certain order. One that is
 * added from inside of such a call is called from the next time on. Returns 0, SR_E_INVAL
 * (NULL), SR_E_NOMEM. */
SR_API int sr_agent_add_connected(struct sr_agent *agent, sr_connected_fn fn,
                                  void *arg);
/* Takes back the last one that was added with this `fn` and `arg`; if there is none, nothing
 * happens. May be called from everywhere on the loop, also from inside of `fn`. */
SR_API void sr_agent_remove_connected(struct sr_agent *agent, sr_connected_fn fn,
                                      void *arg);

/* How many operations sr_agent_take_operation() knows. */
enum { SR_OPERATIONS_KEPT = 1024 };

/* Is the operation with this id new? True the first time that it is asked for, false from then on:
 * an operation that is both delivered and fetched is carried out once, also when it was fetched
 * before the platform knew that it is EXECUTING. To be called by each handler of operations.
 * The last SR_OPERATIONS_KEPT ids are known, until the agent is freed. What is no id is
 * never new: NULL, or a text that sr_agent_set_id() would refuse. */
SR_API bool sr_agent_take_operation(struct sr_agent *agent, const char *id);

/* --- running ----------------------------------------------------------- */

/* Runs until sr_agent_stop(). Returns 0 when stopped; SR_E_UNREACHABLE, the reporter
 * never reached its server in the time of sr_agent_set_wait(); SR_E_STATE, called from
 * inside a callback. */
SR_API int sr_agent_loop(struct sr_agent *agent);

/* Makes the running sr_agent_loop, _bootstrap, _integrate or _request return as soon as
 * the callbacks of the moment have; if none runs, the next one returns at once. From any thread
 * or signal handler; the agent must not be freed before this returns. */
SR_API void sr_agent_stop(struct sr_agent *agent);

/* For programs: stop on these signals, say SIGINT. The only call that touches signal
 * dispositions; they are put back when the agent is freed. Returns 0, SR_E_INVAL,
 * SR_E_NOMEM. */
SR_API int sr_agent_stop_on(struct sr_agent *agent, int signal_number);

/* A host with a loop of its own, in place of sr_agent_loop(): wait until the
 * descriptor is readable or the time is over, then dispatch; ask anew each time.
 *
 *     poll(&(struct pollfd){ .fd = sr_agent_fd(agent), .events = POLLIN }, 1,
 *          sr_agent_timeout(agent));
 *     sr_agent_dispatch(agent);
 */
SR_API int sr_agent_fd(const struct sr_agent *agent);
/* Milliseconds, 0 for at once, -1 for as long as you like. */
SR_API int sr_agent_timeout(struct sr_agent *agent);
/* Runs what is due and returns without waiting. Returns 0; SR_E_STOPPED once after
 * sr_agent_stop(); SR_E_UNREACHABLE and SR_E_STATE as sr_agent_loop(). */
SR_API int sr_agent_dispatch(struct sr_agent *agent);

/* The agent's loop, for sr_http, sr_mqtt and sr_socket of the application's: they are
 * freed before the agent. It stays the agent's. NULL for NULL. See loop.h. */
SR_API struct sr_loop *sr_agent_get_loop(struct sr_agent *agent);

/* How often the loop has slept and woken up since the agent was made: what a battery
 * feels. */
SR_API uint64_t sr_agent_wakeups(const struct sr_agent *agent);

#ifdef __cplusplus
}
#endif
#endif
