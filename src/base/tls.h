/* SPDX-License-Identifier: MIT */
/* What TLS needs before the libraries that use it are initialised. */
#ifndef BASE_TLS_H
#define BASE_TLS_H

/* A connection attempt that was given up may still be in OpenSSL, in its own thread, when the
 * process ends (src/mqtt/connect.h). OpenSSL's clean-up at exit would take away under it what
 * it uses: a crash. So that clean-up is left out; the system takes the memory back anyway. Has
 * no effect if the application has initialised OpenSSL itself. Any thread, any number of times. */
void sr_tls_prepare(void);

#endif
