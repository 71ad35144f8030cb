/* SPDX-License-Identifier: MIT */
/* Errors: every call that can fail returns 0 or one of these, all negative.
 *
 *     int rc = sr_agent_bootstrap(agent, path);
 *     if (rc)
 *         fprintf(stderr, "%s\n", sr_strerror(rc));
 */
#ifndef SMARTREST_ERROR_H
#define SMARTREST_ERROR_H

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
/* What the shared library exports. */
#define SR_API __attribute__((visibility("default")))
/* Arguments `fmt` and, from `first` on, those that the compiler checks against it. */
#define SR_PRINTF(fmt, first) __attribute__((format(printf, fmt, first)))
#else
#define SR_API
#define SR_PRINTF(fmt, first)
#endif

/* All of them, to make something of: X(name, number, text) for each. */
#define SR_ERRORS(X)                              \
    X(NOMEM, -1, "out of memory")                 \
    X(INVAL, -2, "invalid argument")              \
    X(IO, -3, "read or write failed")             \
    X(FULL, -4, "no room left")                   \
    X(TOOBIG, -5, "larger than the limit")        \
    X(CORRUPT, -6, "stored data is damaged")      \
    X(SYNTAX, -7, "malformed row")                \
    X(END, -8, "nothing follows")                 \
    X(NOTFOUND, -9, "not found")                  \
    X(STATE, -10, "not possible at this point")   \
    X(STOPPED, -11, "stopped")                    \
    X(TIMEOUT, -12, "timed out")                  \
    X(UNREACHABLE, -13, "server not reachable")   \
    X(AUTH, -14, "credentials refused")           \
    X(REFUSED, -15, "server refused the request") \
    X(PROTO, -16, "peer broke the protocol")      \
    X(BUSY, -17, "in use by another")

/* What calls return; 0 is success. */
enum sr_error {
#define SR_ERROR_ENUM(name, number, text) SR_E_##name = number,
    SR_ERRORS(SR_ERROR_ENUM)
#undef SR_ERROR_ENUM
};

/* What `rc` means, in a few words; a static string, never NULL. 0 is "success". */
SR_API const char *sr_strerror(int rc);

#ifdef __cplusplus
}
#endif
#endif
