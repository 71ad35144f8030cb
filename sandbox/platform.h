/* SPDX-License-Identifier: MIT */
/* The platform behind the sandbox's two doors: store, users, SmartREST engine and
 * REST resources. The doors (http.c, plugin.c) translate to and from these calls
 * and know nothing of what they mean.
 *
 *     open -> authenticate, http, mqtt ... -> close
 *
 * Every call may come from any thread; one lock inside makes them take turns.
 * Callbacks are called with the lock held: they queue, and call nothing here. */
#ifndef SANDBOX_PLATFORM_H
#define SANDBOX_PLATFORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sb_platform;
struct sb_poll;
struct sb_upload;

struct sb_config {
    const char *tenant;   /* id, e.g. "t4711" */
    const char *data_dir; /* exists; NULL keeps everything in memory */
    bool
        auto_accept; /* a device that asks for credentials is registered and accepted */
    const char *operator_user, *operator_password;
    /* Points where the wire is not documented; docs/protocol/smartrest1.md, "Uncertain". */
    bool skip_15_lines;      /* rows `15` do not count as lines */
    int64_t push_timeout_ms; /* how long a connect waits; 0: 5400000 */
    int64_t push_grace_ms;   /* between an answer and the next connect; 0: 10000 */
    uint64_t binary_max;     /* bytes of a file; 0: 500 MiB */
};

/* What the platform does towards devices on its own account: an operation was
 * made for the device whose MQTT client is `device_id`. `rows` are the rows that
 * the response templates of collection `xid` make of it; topic is s/ol/<xid>.
 * Called once for each collection that makes rows and that has been selected by
 * sb_platform_mqtt_subscribed(). */
struct sb_sink {
    void (*publish)(void *arg, const char *device_id, const char *topic,
                    const char *payload, size_t len);
    void *arg;
};

/* On failure *ret_error is a sentence that says what and where; free() it. */
int sb_platform_open(const struct sb_config *config, struct sb_sink sink,
                     struct sb_platform **ret_platform, char **ret_error);
void sb_platform_close(struct sb_platform *platform);

/* --- who is it ---------------------------------------------------------- */

enum sb_role { SB_NOBODY, SB_BOOTSTRAP, SB_DEVICE, SB_OPERATOR };

struct sb_identity {
    enum sb_role role;
    char user[1100];      /* without tenant; "device_<id>" for a device */
    char device_id[1001]; /* of a device; else "" */
};

/* `user` may have a `<tenant>/` in front, and for MQTT must have it; NULL for
 * none given. A wrong tenant or password leaves role SB_NOBODY. */
void sb_platform_authenticate(struct sb_platform *platform, const char *user,
                              const char *password, struct sb_identity *ret_identity);

/* --- HTTP --------------------------------------------------------------- */

struct sb_request {
    struct sb_identity identity;
    const char *method;
    const char *path;                            /* percent-decoded, without query */
    const char *query;                           /* as sent, without `?`; "" if none */
    const char *host;                            /* Host header: makes `self` links */
    const char *accept, *x_id, *processing_mode; /* NULL if absent */
    const char *method_override;                 /* X-HTTP-METHOD */
    const char *range, *content_type;            /* NULL if absent */
    const char *disposition; /* Content-Disposition; NULL if absent */
    bool tls;                /* it came over HTTPS */
    const char *body;
    size_t len;
};

/* A part of a file, or all of it. */
struct sb_file {
    int fd;
    uint64_t offset, len, size; /* bytes `offset` to `offset + len` of `size` */
    bool partial;
    char *type; /* of its content */
};
/* Accepts NULL. */
void sb_file_free(struct sb_file *file);

struct sb_response {
    int status;
    const char *content_type; /* static; NULL for none */
    char *body;               /* malloc'ed; NULL if empty */
    size_t len;
    char *location;       /* malloc'ed, or NULL */
    struct sb_file *file; /* instead of the body; NULL for none */
    struct sb_poll *poll; /* the body comes later; NULL for none */
};

void sb_platform_http(struct sb_platform *platform, const struct sb_request *request,
                      struct sb_response *ret_response);
void sb_response_release(struct sb_response *response);

/* A poll is a response that comes later: await -> take -> close. All of it happens
 * between sb_platform_http() that made the poll and sb_platform_close_poll(). */

/* Milliseconds till it should be told to expire. */
int64_t sb_platform_poll_timeout(struct sb_platform *platform, struct sb_poll *poll);
/* ready(arg) is called once, now or later, with the platform's lock held. */
void sb_platform_await_poll(struct sb_platform *platform, struct sb_poll *poll,
                            void (*ready)(void *arg), void *arg);
/* It has waited long enough: the answer is there when this returns. */
void sb_platform_expire_poll(struct sb_platform *platform, struct sb_poll *poll);
/* False if there is no answer yet. */
bool sb_platform_take_poll(struct sb_platform *platform, struct sb_poll *poll,
                           char **ret_body, size_t *ret_len);
/* The answer was delivered, or the client is gone; ready() is not called any more. */
void sb_platform_close_poll(struct sb_platform *platform, struct sb_poll *poll,
                            bool delivered);

/* An upload is a request whose body goes to disk as it comes:
 *
 *     takes_file? -> begin -> write ... -> end, or abort
 *
 * begin gives NULL and the response if it is refused before its body. end responds;
 * what went wrong in between, it says. Both end and abort free the upload. */
bool sb_platform_takes_file(const struct sb_request *request);
struct sb_upload *sb_platform_begin_upload(struct sb_platform *platform,
                                           const struct sb_request *request,
                                           uint64_t length, /* declared, or 0 */
                                           struct sb_response *ret_response);
/* False: it has failed, the rest of the body matters no more. */
bool sb_upload_write(struct sb_upload *upload, const char *bytes, size_t len);
void sb_platform_end_upload(struct sb_platform *platform, struct sb_upload *upload,
                            const struct sb_request *request,
                            struct sb_response *ret_response);
/* Accepts NULL. */
void sb_upload_abort(struct sb_upload *upload);

/* --- MQTT --------------------------------------------------------------- */

/* A message that client `device_id` published. The answer goes through sink.publish
 * if the client has subscribed to its topic: one message with all rows of it, and one
 * more on s/e with its error rows (docs/protocol/mqtt.md). Returns false if the topic
 * is none that this identity may publish on. */
bool sb_platform_mqtt_message(struct sb_platform *platform,
                              const struct sb_identity *identity, const char *topic,
                              const char *payload, size_t len);
/* What sb_platform_mqtt_message() returned false for is answered: a row on s/e, or for a
 * topic of JSON over MQTT a document on `error`, if the client has subscribed to it. */
void sb_platform_mqtt_refuse(struct sb_platform *platform,
                             const struct sb_identity *identity, const char *topic,
                             const char *payload, size_t len);
bool sb_platform_mqtt_may_subscribe(struct sb_platform *platform,
                                    const struct sb_identity *identity,
                                    const char *filter);
/* The client subscribed to, or unsubscribed from, or (filter NULL) is gone from all. */
void sb_platform_mqtt_subscribed(struct sb_platform *platform, const char *device_id,
                                 const char *filter, bool on);

#endif
