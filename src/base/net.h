/* SPDX-License-Identifier: MIT */
/* Copies of a struct sr_net. */
#ifndef BASE_NET_H
#define BASE_NET_H

#include <smartrest/net.h>
#include <stdint.h>

/* `from` NULL is zeroed. On success *ret is a copy that owns its texts. Returns 0,
 * SR_E_INVAL (certificate without key or the reverse, unknown HTTP version), SR_E_NOMEM. */
int sr_net_copy(const struct sr_net *from, struct sr_net *ret);
enum { SR_NET_WHY_MAX = 800 };
/* Are the files of certificates and keys there, both of a pair, and what they should be? False, and `why` names
 * the setting and the file. Does not block. */
bool sr_net_check(const struct sr_net *net, char *why, size_t size);
/* sr_net_copy() for whoever is given one by an application: checks the files as well; SR_E_INVAL
 * then, and the log says why. */
int sr_net_take(const struct sr_net *from, struct sr_net *ret);
/* Zeroed or released: fine. */
void sr_net_release(struct sr_net *net);

/* With the defaults filled in. */
unsigned sr_net_connect_ms(const struct sr_net *net);
unsigned sr_net_timeout_ms(const struct sr_net *net);
size_t sr_net_receive_max(const struct sr_net *net);
/* A number as libcurl takes it: its options are of type long, of 32 bits on some machines. */
long sr_net_long(uint64_t number);

#endif
