/* SPDX-License-Identifier: MIT */
/* SmartREST 1.0 over MQTT: rows up on s/ul, answers on s/dl, operations on s/ol/<X-Id>,
 * errors on s/e (docs/protocol/mqtt.md). */
#ifndef TRANSPORT_MQTT_TRANSPORT_H
#define TRANSPORT_MQTT_TRANSPORT_H

#include "mqtt/mqtt.h"
#include "reporter/reporter.h"

/* `options`: copied. `xids`: the collections whose operations to subscribe to, count and texts; copied.
 * Returns 0 or SR_E_NOMEM. */
int sr_mqtt_transport_new(struct sr_reporter *reporter, struct sr_loop *loop,
                          const struct sr_mqtt_link_options *options,
                          const char *const *xids, size_t count,
                          struct sr_transport **ret_transport);

#endif
