/* SPDX-License-Identifier: MIT */
/* The whole SDK. An agent's life:
 *
 *     sr_agent_new          the agent: one loop, one device
 *     sr_agent_bootstrap    credentials, from the file or from the platform
 *     sr_agent_integrate    templates and the device's object in the platform
 *     sr_timer_new, sr_agent_on_message ...
 *     sr_reporter_new_mqtt  (or _http) carries what sr_agent_send queues
 *     sr_push_new           operations for an agent that reports by HTTP
 *     sr_agent_loop         until sr_agent_stop
 *     sr_agent_free         and everything that was made for it
 *
 * NULL, in all headers: a function that needs an object, a text, a function to call or a place for
 * its result, and gets NULL, returns SR_E_INVAL; one that returns no error does nothing, and returns
 * 0, false, NULL, or "" as a text. What frees accepts NULL. Where NULL has a meaning, the
 * function says so. */
#ifndef SMARTREST_SMARTREST_H
#define SMARTREST_SMARTREST_H

#include <smartrest/agent.h>
#include <smartrest/binary.h>
#include <smartrest/error.h>
#include <smartrest/http.h>
#include <smartrest/log.h>
#include <smartrest/loop.h>
#include <smartrest/mqtt.h>
#include <smartrest/net.h>
#include <smartrest/options.h>
#include <smartrest/outbox.h>
#include <smartrest/push.h>
#include <smartrest/record.h>
#include <smartrest/reporter.h>
#include <smartrest/row.h>
#include <smartrest/settings.h>
#include <smartrest/socket.h>
#include <smartrest/template.h>
#include <smartrest/timer.h>
#include <smartrest/watch.h>
#include <smartrest/watchdog.h>

#endif
