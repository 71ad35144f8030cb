/* SPDX-License-Identifier: MIT */
/* The whole SDK. An agent's life:
 *
 *     sr_agent_new          the agent: one loop, one device
 *     sr_agent_bootstrap    credentials, from the file or from the platform
 *     sr_agent_integrate    templates and the device's object in the platform
 *     sr_timer_new, sr_agent_on_message ...
 *     sr_reporter_new_mqtt  (or _http) carries what sr_agent_send queues
 *     sr_agent_loop         until sr_agent_stop
 *     sr_agent_free         and everything that was made for it
 */
#ifndef SMARTREST_SMARTREST_H
#define SMARTREST_SMARTREST_H

#include <smartrest/agent.h>
#include <smartrest/error.h>
#include <smartrest/log.h>
#include <smartrest/options.h>
#include <smartrest/record.h>
#include <smartrest/reporter.h>
#include <smartrest/row.h>
#include <smartrest/timer.h>
#include <smartrest/watch.h>

#endif
