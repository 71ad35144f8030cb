/* SPDX-License-Identifier: MIT */
/* For tests: a launcher as a real process, real HTTP and MQTT clients. Whatever goes
 * wrong fails the test. */
#ifndef SANDBOX_TEST_SANDBOX_H
#define SANDBOX_TEST_SANDBOX_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/types.h>

#define PATIENCE_MS 20000 /* until an awaited event counts as missing */
#define OPERATOR    "t4711/operator:operator"
#define BOOTSTRAP   "management/devicebootstrap:Fhdt1bb1f"

int64_t test_now_us(void);

/* --- the launcher ------------------------------------------------------------- */

struct sandbox {
    pid_t pid, mosquitto_pid;
    int out;      /* its stdout */
    char dir[64]; /* for the test's files; the data folder is `data` in it */
    char err[96]; /* file with its stderr */
    int http_port, mqtt_port, mqtts_port, https_port;
    char ca_file[128]; /* "" if the sandbox made none */
};

/* A folder for tests, then with further options (NULL at the end) a running sandbox. */
void sandbox_prepare(struct sandbox *sandbox);
void sandbox_start(struct sandbox *sandbox, ...);

/* Waits for the process; returns what waitpid() says. */
int sandbox_await_end(struct sandbox *sandbox);
void sandbox_stop(struct sandbox *sandbox);
void sandbox_remove(struct sandbox *sandbox);

/* Runs a launcher that is expected to give up. Returns its exit status; *ret_err is
 * what it wrote to stderr. */
int launcher_fails(struct sandbox *sandbox, const char *const args[], char *ret_err,
                   size_t size);

/* --- HTTP ------------------------------------------------------------------------ */

struct answer {
    long status;
    char body[65536];
};

/* `account` is user:password or NULL; `x_id` may be NULL. JSON is sent and accepted. */
struct answer http_call(const struct sandbox *sandbox, const char *account,
                        const char *method, const char *path, const char *x_id,
                        const char *body);

/* --- a device ---------------------------------------------------------------------- */

struct message {
    char topic[64], payload[512];
    int qos;
};

struct device {
    const struct sandbox *sandbox;
    struct mosquitto *mosq;
    const char *will; /* rows for s/ul, or NULL */
    char id[32], user[96], password[128], object[32];
    int connack, suback[8], suback_count, published, session_present;
    bool lost;
    struct message inbox[64];
    int read, received;
};

/* Registers and accepts it over HTTP, and makes its object: ready to connect. */
void device_register(struct device *device, const struct sandbox *sandbox,
                     const char *id);

/* Returns the CONNACK code. */
int device_connect_as(struct device *device, const char *client_id, bool clean);
int device_connect(struct device *device);
void device_disconnect(struct device *device); /* a decent DISCONNECT */
void device_release(struct device *device);    /* cuts the line if there is one */

/* Returns the code in the SUBACK. */
int device_subscribe(struct device *device, const char *filter, int qos);

/* With QoS 1 and 2 until it is acknowledged. */
void device_publish(struct device *device, const char *topic, const void *payload,
                    size_t len, int qos, bool retain);
void device_send(struct device *device, const char *topic, const char *rows);

/* The next message; fails if none comes. */
const struct message *device_receive(struct device *device);

/* Exchanges a message with the sandbox: what was under way has come by then. */
void device_settle(struct device *device);
void device_await_loss(struct device *device);

/* Makes an operation c8y_Restart for it over REST; ret_id gets the id. */
void device_operate(struct device *device, char ret_id[32]);

/* The value of a text or number member, cut out of JSON by hand. */
void json_member(const char *json, const char *name, char *ret_value, size_t size);

#endif
