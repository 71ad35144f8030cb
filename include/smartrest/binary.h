/* SPDX-License-Identifier: MIT */
/* Files to and from the platform's store of binaries (/inventory/binaries).
 *
 *     sr_binary_new -> sr_binary_post_file ... fn, sr_binary_get_file ... fn -> sr_binary_free
 *
 * Nothing is held in memory but what is asked for in memory. A download that breaks off is
 * taken up where it ended; a file appears under its name once it is whole and on disk. One
 * transfer at a time; use more than one sr_binary for more. All calls are legal from inside
 * of callbacks. Loop thread only. */
#ifndef SMARTREST_BINARY_H
#define SMARTREST_BINARY_H

#include <smartrest/error.h>
#include <smartrest/net.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct sr_agent;
struct sr_loop;
struct sr_binary;

/* Where binaries are, without an agent. */
struct sr_binary_options {
    const char *server;       /* http://host[:port] or https://host[:port] */
    const char *user;         /* tenant/user */
    const char *password;     /* goes with it */
    const struct sr_net *net; /* NULL: the defaults */
};

/* What came of a transfer. Its pointers are valid during the call it is handed to. */
struct sr_binary_result {
    int rc;         /* 0; SR_E_UNREACHABLE, SR_E_TIMEOUT; SR_E_AUTH, 401 or 403;
                          SR_E_NOTFOUND, 404; SR_E_TOOBIG, 413 or larger than the limit;
                          SR_E_REFUSED, another status; SR_E_PROTO, the answer makes no
                          sense; SR_E_IO, a file or the disk; SR_E_NOMEM */
    long status;    /* of HTTP, 0 if there was none */
    const char *id; /* of the binary */
    const char
        *bytes;    /* what sr_binary_get() got; NUL-terminated behind `size`; else "" */
    uint64_t size; /* of the binary, bytes */
    const char *error;  /* for people, if rc; "" otherwise */
    const char *answer; /* the platform's to an upload, JSON; NUL-terminated; else "" */
    size_t answer_len;  /* bytes of it */
};

/* Called once for each transfer, unless it was cancelled. */
typedef void (*sr_binary_fn)(void *arg, const struct sr_binary_result *result);

/* Bytes that have gone or come, of `total` (0: not known); of an upload with its envelope.
 * A download that has to begin anew counts from 0 again. */
typedef void (*sr_binary_progress_fn)(void *arg, uint64_t done, uint64_t total);

/* With the server, the credentials and the connection options that `agent` has now, on its
 * loop. On success *ret_binary is the caller's, to be freed before the agent. Returns 0,
 * SR_E_INVAL, SR_E_STATE (no credentials yet), SR_E_NOMEM. */
SR_API int sr_binary_new(struct sr_agent *agent, struct sr_binary **ret_binary);

/* The same without an agent; `options` are copied. */
SR_API int sr_binary_new_on(struct sr_loop *loop,
                            const struct sr_binary_options *options,
                            struct sr_binary **ret_binary);

/* Cancels what is under way. Accepts NULL. Returns NULL. */
SR_API struct sr_binary *sr_binary_free(struct sr_binary *binary);

/* Uploads `len` bytes (copied) as `name` (1 to 255 bytes of UTF-8, no control bytes) with
 * the media type `type` (NULL: application/octet-stream). result->id is the new binary's.
 * An upload is not tried again. Returns 0, and `fn` is called later; or, and then it is not:
 * SR_E_INVAL; SR_E_STATE, a transfer is under way; SR_E_TOOBIG; SR_E_NOMEM. */
SR_API int sr_binary_post(struct sr_binary *binary, const char *name, const char *type,
                          const void *bytes, size_t len, sr_binary_fn fn, void *arg);
/* The same for the regular file `path`, which must not change meanwhile. Also returns
 * SR_E_IO, it cannot be read. */
SR_API int sr_binary_post_file(struct sr_binary *binary, const char *name,
                               const char *type, const char *path, sr_binary_fn fn,
                               void *arg);

/* Downloads the binary `id` into memory. Returns 0, and `fn` is called later; or SR_E_INVAL
 * (letters, digits, `-`, `_` are an id), SR_E_STATE, SR_E_NOMEM. */
SR_API int sr_binary_get(struct sr_binary *binary, const char *id, sr_binary_fn fn,
                         void *arg);
/* The same into the file `path` (mode 0600), replacing it at the end and not before. What
 * has come so far is in `path` with `.part` behind, which is removed if the download fails
 * or is cancelled. If `path` is a symbolic link it stays one: all this goes for the file that it
 * points to. Also returns SR_E_IO, that cannot be written, or `path` is a directory, a FIFO, a
 * device: those are left alone. */
SR_API int sr_binary_get_file(struct sr_binary *binary, const char *id,
                              const char *path, sr_binary_fn fn, void *arg);

/* Ends the transfer under way; `fn` is not called. Accepts NULL and idle ones. */
SR_API void sr_binary_cancel(struct sr_binary *binary);

/* --- options --------------------------------------------------------------- */

/* Bytes of the largest binary, either way; 0, the default, is receive_max of the connection
 * options for sr_binary_get(), and 4 GiB otherwise. */
SR_API void sr_binary_set_max(struct sr_binary *binary, uint64_t max);
/* How often in a row a download may break off or be answered 5xx without a byte gained
 * before it fails; the default is 5. Pauses between are from 250 ms up. */
SR_API void sr_binary_set_retries(struct sr_binary *binary, unsigned retries);
/* Ends an attempt when nothing moves for `seconds`; the default is 30. */
SR_API void sr_binary_set_stall(struct sr_binary *binary, unsigned seconds);
/* Calls `fn` as bytes go or come. NULL: nobody. */
SR_API void sr_binary_on_progress(struct sr_binary *binary, sr_binary_progress_fn fn,
                                  void *arg);

#ifdef __cplusplus
}
#endif
#endif
