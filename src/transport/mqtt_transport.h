/* SPDX-License-Identifier: MIT */
/* Payloads over MQTT: topics and who hears what are the protocol's (protocol/protocol.h). */
#ifndef TRANSPORT_MQTT_TRANSPORT_H
#define TRANSPORT_MQTT_TRANSPORT_H

#include "loop/loop.h"
#include "mqtt/mqtt.h"
#include "transport/transport.h"

/* `options`: copied. `origins`: those whose rows to subscribe to; copied.
 * Returns 0 or SR_E_NOMEM. */
int sr_mqtt_transport_new(struct sr_loop *loop,
                          const struct sr_mqtt_link_options *options,
                          const struct sr_origin *origins, size_t count,
                          struct sr_transport **ret_transport);

#endif
