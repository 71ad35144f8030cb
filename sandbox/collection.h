/* SPDX-License-Identifier: MIT */
/* A collection of SmartREST 1.0 templates: the rows 10 and 11 that were registered
 * under one X-Id. It never changes.
 *
 *     sb_collection_new -> sb_collection_add_row ... -> sb_collection_to_json
 *     sb_collection_from_json -> sb_request_find, responses -> sb_collection_unref
 */
#ifndef SANDBOX_COLLECTION_H
#define SANDBOX_COLLECTION_H

#include "jsonpath.h"
#include "text.h"

#include <smartrest/record.h>

#define SB_COLLECTION_FRAGMENT "com_cumulocity_model_smartrest_SmartRestTemplate"
#define SB_COLLECTION_TYPE     "c8y_SmartRestDeviceIdentifier" /* of its external id */

enum { SB_COLLECTION_ERROR = 200 };

enum sb_value_type {
    SB_UNTYPED,
    SB_STRING,
    SB_UNSIGNED,
    SB_INTEGER,
    SB_NUMBER,
    SB_DATE,
    SB_NOW
};

struct sb_request_template {
    unsigned id;
    char *method, *uri, *content, *accept, *placeholder, *body; /* "" for none */
    size_t n_places; /* where the placeholder stands, in URI and body together */
    size_t n_types;  /* 0, or the types given; as many as places if there are any */
    enum sb_value_type *type;
    size_t n_args; /* that a row has to bring */
};

struct sb_response_template {
    unsigned id;
    char *base_text, *condition_text, **value_text; /* "" for none */
    struct sb_jsonpath *base, *condition, **value;  /* base, condition: NULL for none */
    size_t n_values;
};

struct sb_collection {
    int refs;
    size_t n_requests, n_responses;
    struct sb_request_template *request;
    struct sb_response_template *response;
};

struct sb_collection *sb_collection_new(void);
struct sb_collection *sb_collection_ref(struct sb_collection *collection);
/* Frees it with the last reference. Accepts NULL. */
void sb_collection_unref(struct sb_collection *collection);

/* Adds the template of a row 10 or 11. Returns true, or false with the text of its
 * row 41 in `ret_error` (SB_COLLECTION_ERROR bytes). */
bool sb_collection_add_row(struct sb_collection *collection, struct sr_record *row,
                           char *ret_error);

/* The managed object that a collection of this name is. */
json_t *sb_collection_to_json(const struct sb_collection *collection, const char *name);
/* The collection that managed object `object` is; NULL with an error if it is none. */
struct sb_collection *sb_collection_from_json(const json_t *object, char *ret_error);

const struct sb_request_template *sb_request_find(
    const struct sb_collection *collection, unsigned id);

/* Why an argument does not fit `type`; the name of the type, or NULL if it fits. */
const char *sb_value_misfit(enum sb_value_type type, const char *value, size_t len);

#endif
