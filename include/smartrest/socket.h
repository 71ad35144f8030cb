/* SPDX-License-Identifier: MIT */
/* A TCP or TLS connection on a loop, with or without an agent.
 *
 *     sr_socket_new -> sr_socket_connect -> up ... sr_socket_send, data ... -> down
 *                            ^                                                 |
 *                            +-------------------------------------------------+
 *     sr_socket_free
 *
 * Nothing blocks, name resolution included. Events come from the loop, one at a time, and
 * may call everything here. Loop thread only. */
#ifndef SMARTREST_SOCKET_H
#define SMARTREST_SOCKET_H

#include <smartrest/error.h>
#include <smartrest/net.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct sr_loop;
struct sr_socket;

/* Each may be NULL. */
struct sr_socket_events {
    void (*up)(void *arg); /* connected; with TLS, verified */
    /* Bytes as they came, at most 16 KiB at a time; valid during the call. */
    void (*data)(void *arg, const char *bytes, size_t len);
    void (*drained)(void *arg); /* all that was queued is with the system */
    /* The peer will send no more, and may go on receiving. NULL: then that is the end of
     * the connection, and `down` follows. */
    void (*ended)(void *arg);
    /* The attempt or the connection is over. `rc` is 0, the peer closed it;
     * SR_E_UNREACHABLE; SR_E_TIMEOUT, of connecting; SR_E_NOMEM. `error` is for people and
     * names the peer. What was queued is lost. */
    void (*down)(void *arg, int rc, const char *error);
};

/* `net` may be NULL; `events` are copied. On success *ret_socket is the caller's, to be
 * freed before the loop. Returns 0, SR_E_INVAL (NULL, or `net` makes no sense),
 * SR_E_NOMEM. */
SR_API int sr_socket_new(struct sr_loop *loop, const struct sr_net *net,
                         const struct sr_socket_events *events, void *arg,
                         struct sr_socket **ret_socket);

/* Closes the connection, without `down`. Accepts NULL. Returns NULL. */
SR_API struct sr_socket *sr_socket_free(struct sr_socket *socket);

/* Connects to `host`, a name or an address (IPv6 without brackets); `up` or `down`
 * follows. Returns 0, SR_E_INVAL, SR_E_STATE (not closed), SR_E_NOMEM. */
SR_API int sr_socket_connect(struct sr_socket *socket, const char *host, uint16_t port,
                             bool tls);

/* Queues a copy of `len` bytes; legal while connecting. Returns 0; or, and then nothing was
 * queued: SR_E_FULL, it would be more than sr_socket_set_send_max() says: wait for
 * `drained`; SR_E_STATE, no connection, or finished; SR_E_INVAL; SR_E_NOMEM. */
SR_API int sr_socket_send(struct sr_socket *socket, const void *bytes, size_t len);

/* Bytes that may wait to be sent; the default is 1 MiB. */
SR_API void sr_socket_set_send_max(struct sr_socket *socket, size_t max);
/* Bytes that wait now. */
SR_API size_t sr_socket_queued(const struct sr_socket *socket);

/* While paused nothing is received, so that the peer has to wait. Repeats are harmless;
 * a new connection is not paused. */
SR_API void sr_socket_pause(struct sr_socket *socket, bool paused);

/* Tells the peer, behind what is queued, that nothing more is sent; receiving goes on.
 * Returns 0; SR_E_INVAL; SR_E_STATE without connection and with TLS, which has no such thing. */
SR_API int sr_socket_finish(struct sr_socket *socket);

/* Ends the attempt or the connection at once; `down` is not called, what is queued is lost.
 * Accepts NULL and closed ones. */
SR_API void sr_socket_close(struct sr_socket *socket);

/* What ended the last connection, as `down` was told; "" if nothing has. Valid until the
 * next one ends. */
SR_API const char *sr_socket_error(const struct sr_socket *socket);

#ifdef __cplusplus
}
#endif
#endif
