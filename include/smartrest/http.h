/* SPDX-License-Identifier: MIT */
/* HTTP on a loop, with or without an agent.
 *
 *     sr_http_new -> sr_http_request ... [sr_http_cancel] -> sr_http_free
 *
 * Nothing blocks. A client keeps connections alive between requests; requests of one
 * client may run side by side. Certificates are verified unless sr_net says otherwise;
 * redirects are answers, not followed. All calls are legal from inside of callbacks. Loop
 * thread only. */
#ifndef SMARTREST_HTTP_H
#define SMARTREST_HTTP_H

#include <smartrest/error.h>
#include <smartrest/net.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct sr_loop;
struct sr_http;
struct sr_http_request;

/* A header line of a request. */
struct sr_http_header {
    const char *name;  /* without the colon */
    const char *value; /* NULL: not even the client's own, say Accept */
};

/* A part of a multipart/form-data body: bytes, or a regular file, streamed from disk. */
struct sr_http_part {
    const char *name;         /* of the form's field */
    const char *filename;     /* as the server sees it; NULL: none */
    const char *content_type; /* NULL: none */
    const char *bytes;        /* copied */
    size_t len;               /* of the bytes */
    const char *file;         /* path of the file, in place of bytes */
};

/* How the bytes of bodies go; a total that is not known is 0. */
struct sr_http_progress {
    uint64_t sent;       /* so far */
    uint64_t to_send;    /* in all */
    uint64_t received;   /* so far */
    uint64_t to_receive; /* in all */
};

/* What came of a request. Its pointers are valid during the call it is handed to. */
struct sr_http_result {
    int rc;      /* 0: there is a status. SR_E_UNREACHABLE, also when the answer broke
                          off; SR_E_TIMEOUT; SR_E_TOOBIG, the answer, or its header (64
                          KiB); SR_E_STOPPED, `data` said so; SR_E_IO, the file of a
                          part; SR_E_NOMEM */
    long status; /* of HTTP, 0 if there is none */
    const char *body;  /* what has come of it; NUL-terminated behind `len` */
    size_t len;        /* bytes */
    const char *error; /* for people, if rc; "" otherwise */
    const struct sr_http_request *request; /* for sr_http_header() */
};

/* Called once for each request, unless it was cancelled. */
typedef void (*sr_http_fn)(void *arg, const struct sr_http_result *result);

/* A request. Everything is copied. Zeroed is the default. */
struct sr_http_call {
    const char *method;                   /* NULL: POST if there is a body, else GET */
    const char *url;                      /* http:// or https:// */
    const char *user;                     /* for Basic authorization; NULL: none */
    const char *password;                 /* goes with it */
    const struct sr_http_header *headers; /* no control bytes */
    size_t header_count;                  /* of them */
    const char *body;                     /* NULL: none */
    size_t len;                           /* of it */
    const struct sr_http_part *parts;     /* in place of a body */
    size_t part_count;                    /* of them */

    /* Gets each piece of the body of a 2xx answer as it comes, in place of it being
     * collected; false ends the request. `so_far` has the status and headers. NULL: no. */
    bool (*data)(void *arg, const struct sr_http_result *so_far, const char *bytes,
                 size_t len);
    /* Told when bytes have gone or come. NULL: no. */
    void (*progress)(void *arg, const struct sr_http_progress *progress);

    unsigned timeout_ms; /* for all of it; 0: that of sr_net; UINT_MAX: none */
    unsigned
        stall_s; /* ends with SR_E_TIMEOUT when nothing moves for that long; 0: no */
    size_t answer_max; /* bytes collected; 0: that of sr_net */
};

/* `net` may be NULL. On success *ret_http is the caller's, to be freed before the loop.
 * Returns 0, SR_E_INVAL (NULL, or `net` makes no sense), SR_E_NOMEM. */
SR_API int sr_http_new(struct sr_loop *loop, const struct sr_net *net,
                       struct sr_http **ret_http);

/* Cancels what is under way, and closes connections. Accepts NULL. Returns NULL. */
SR_API struct sr_http *sr_http_free(struct sr_http *http);

/* Returns 0, and `fn` is called later, from the loop, with `arg`, as are `data` and
 * `progress`; or, and then nothing is called: SR_E_INVAL (no URL, a control byte in a
 * header, a method that is none), SR_E_IO (a part's file cannot be read or is no regular
 * file), SR_E_NOMEM. *ret_request (which may be NULL) is for sr_http_cancel(), valid until
 * `fn` is called. */
SR_API int sr_http_request(struct sr_http *http, const struct sr_http_call *call,
                           sr_http_fn fn, void *arg,
                           struct sr_http_request **ret_request);

/* Ends a request; its functions are not called any more. Accepts NULL. */
SR_API void sr_http_cancel(struct sr_http_request *request);

/* The value of the answer's header `name` (any case; the last one if there are more);
 * NULL if there is none. Valid as long as `result`. */
SR_API const char *sr_http_header(const struct sr_http_result *result,
                                  const char *name);

#ifdef __cplusplus
}
#endif
#endif
