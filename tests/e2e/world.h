/* SPDX-License-Identifier: MIT */
/* For end-to-end tests: a sandbox as it ships, programs as they ship, and the operator
 * who works over REST. Whatever goes wrong fails the test. */
#ifndef E2E_WORLD_H
#define E2E_WORLD_H

#include "../../sandbox/test_sandbox.h"
#include <jansson.h>

/* --- the sandbox, on ports that stay the same over restarts ---------------------- */

struct world {
    struct sandbox sandbox;
    char server[64], broker[64];
};

/* Prepares a folder and picks ports; nothing runs yet. */
void world_prepare(struct world *world);
/* Starts, or starts again with the same data and ports. */
void world_start(struct world *world, const char *option); /* may be NULL */
/* kill -9 for launcher and broker at once; the ports are free when it returns. */
void world_kill(struct world *world);
/* Ends what runs, removes what was written. */
void world_end(struct world *world);

/* A socket that listens there on loopback, and does nothing else. */
int listen_on(int port);

/* --- programs --------------------------------------------------------------------- */

struct program {
    pid_t pid;
    int out, err;        /* -1 once closed */
    char text[2][16384]; /* of stdout and stderr so far */
    size_t len[2];
};

/* Runs `argv` (NULL at the end), with its output on pipes. */
void program_start(struct program *program, const char *const argv[]);
/* Runs an example against the world as device `id`, credentials in the world's folder. */
void example_start(struct program *program, const struct world *world, const char *name,
                   const char *id);
/* Until stderr or stdout has shown `text`. */
void program_await(struct program *program, const char *text);
/* Reads what it says within a second. */
void program_drain(struct program *program);
bool program_has_said(const struct program *program, const char *text);
/* Waits for its end (within `within_ms`); returns what waitpid() says. */
int program_await_end(struct program *program, int within_ms);
/* SIGINT; it must end at once, with status 0 or 1. Returns how long it took, in ms. */
int program_interrupt(struct program *program);
/* kill -9, if it still runs. */
void program_kill(struct program *program);

/* --- the operator ------------------------------------------------------------------ */

/* `path` is printf-like. The status is asserted to be 2xx; the caller owns the JSON. */
json_t *operator_get(const struct world *world, const char *path, ...);
void operator_post(const struct world *world, const char *path, const char *body);
void operator_put(const struct world *world, const char *path, const char *body);

/* Registers device `id`, awaits its asking, accepts it. */
void operator_register(const struct world *world, const char *id);
void operator_accept(const struct world *world, const char *id);
/* Awaits the device's managed object; its id is copied. */
void operator_find_device(const struct world *world, const char *id,
                          char ret_object[32]);
/* Makes a restart operation; its id is copied. */
void operator_restart(const struct world *world, const char *object, char ret_id[32]);
/* Awaits `status` in the operation list of the device. */
void operator_await_status(const struct world *world, const char *object,
                           const char *operation, const char *status);
/* How many managed objects of devices there are. */
size_t operator_count_devices(const struct world *world);
/* Awaits at least `count` measurements of the device, all of them in order of arrival;
 * the caller owns the array. */
json_t *operator_await_measurements(const struct world *world, const char *object,
                                    size_t count);

/* Awaits measurements of the device that have the numbers 0 to `rows` (e2e.n), each of them for the
 * first time in its turn. Returns how many measurements there are, repeats included. */
size_t operator_await_numbers(const struct world *world, const char *object, long rows);

/* Calls `check` until it returns true; fails, naming `what`, when that takes too long. */
void await_true(bool (*check)(void *arg), void *arg, const char *what);

#endif
