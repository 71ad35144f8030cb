/* SPDX-License-Identifier: MIT */
/* What outbox_test.c and outbox_agent.c have in common. */
#ifndef E2E_OUTBOX_TEMPLATES_H
#define E2E_OUTBOX_TEMPLATES_H

/* Settings: what can be under way is their product at most. */
#define OUTBOX_BATCH  "50"
#define OUTBOX_WINDOW "4"

static const char outbox_version[] = "e2e_outbox_1";
static const char outbox_template[] =
    "10,100,GET,/identity/externalIds/c8y_Serial/%%,,application/json,%%,STRING,\n"
    "10,101,POST,/inventory/managedObjects,application/json,application/json,%%,,"
    "\"{\"\"name\"\":\"\"Outbox\"\",\"\"c8y_IsDevice\"\":{},"
    "\"\"com_cumulocity_model_Agent\"\":{}}\"\n"
    "10,102,POST,/identity/globalIds/%%/externalIds,application/json,,%%,UNSIGNED STRING,"
    "\"{\"\"type\"\":\"\"c8y_Serial\"\",\"\"externalId\"\":\"\"%%\"\"}\"\n"
    "10,103,POST,/measurement/measurements,application/json,,%%,NOW UNSIGNED NUMBER,"
    "\"{\"\"time\"\":\"\"%%\"\",\"\"source\"\":{\"\"id\"\":\"\"%%\"\"},"
    "\"\"type\"\":\"\"e2e\"\",\"\"e2e\"\":{\"\"n\"\":{\"\"value\"\":%%}}}\"\n"
    "10,108,POST,/measurement/measurements,application/json,,%%,DATE UNSIGNED NUMBER,"
    "\"{\"\"time\"\":\"\"%%\"\",\"\"source\"\":{\"\"id\"\":\"\"%%\"\"},"
    "\"\"type\"\":\"\"e2e\"\",\"\"e2e\"\":{\"\"n\"\":{\"\"value\"\":%%}}}\"\n"
    "11,500,$.managedObject,,$.id\n"
    "11,501,,$.c8y_IsDevice,$.id\n";

#endif
