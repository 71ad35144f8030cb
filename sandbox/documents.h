/* SPDX-License-Identifier: MIT */
/* What measurements, events, alarms and operations have in common: they belong to
 * a managed object, have a time, and are stored whole with a few properties drawn
 * out for queries. */
#ifndef SANDBOX_DOCUMENTS_H
#define SANDBOX_DOCUMENTS_H

#include "rest_impl.h"

enum sb_kind { SB_MEASUREMENT, SB_EVENT, SB_ALARM, SB_OPERATION };

struct sb_document {
    int64_t id, source, time; /* time: ms since 1970 */
    json_t *body;             /* type, status and severity are read from it */
};

/* Stores `document`; id 0 makes a new one and sets it, unless the processing mode keeps
 * it out of the store. False with an error. */
bool sb_document_put(struct sb_rest *rest, const struct sb_call *call,
                     enum sb_kind kind, struct sb_document *document,
                     struct sb_reply *reply);
/* Reads the one named by the path's first part, if the caller may, and returns
 * true; else an error. json_decref(document.body). */
bool sb_document_load(struct sb_rest *rest, const struct sb_call *call,
                      const struct sb_args *args, enum sb_kind kind,
                      enum sb_access access, struct sb_document *ret_document,
                      struct sb_reply *reply);
/* As the REST shows it: a new value. */
json_t *sb_document_json(const struct sb_call *call, enum sb_kind kind,
                         const struct sb_document *document);

/* Tells those who listen in real time: CREATE, UPDATE or DELETE. */
void sb_document_notify(struct sb_rest *rest, const struct sb_call *call,
                        enum sb_kind kind, const struct sb_document *document,
                        const char *action);

/* The reply to a POST that stored `document`. */
void sb_document_created(const struct sb_call *call, enum sb_kind kind,
                         const struct sb_document *document, struct sb_reply *reply);

/* The reply to a PUT; those who listen are told. */
void sb_document_changed(struct sb_rest *rest, const struct sb_call *call,
                         enum sb_kind kind, const struct sb_document *document,
                         struct sb_reply *reply);

/* Checks what a client sends: `mandatory` members are there (a list ended by NULL),
 * the source is the caller's to write on, the time is one. Fills *ret_document with
 * a copy of it; false with an error. */
bool sb_document_check(struct sb_rest *rest, const struct sb_call *call,
                       enum sb_kind kind, const json_t *body,
                       const char *const mandatory[], struct sb_document *ret_document,
                       struct sb_reply *reply);

/* Ready-made handlers. */
void sb_document_get(struct sb_rest *rest, const struct sb_call *call,
                     const struct sb_args *args, enum sb_kind kind,
                     struct sb_reply *reply);
void sb_document_list(struct sb_rest *rest, const struct sb_call *call,
                      const struct sb_args *args, enum sb_kind kind,
                      struct sb_reply *reply);
void sb_document_delete(struct sb_rest *rest, const struct sb_call *call,
                        const struct sb_args *args, enum sb_kind kind,
                        struct sb_reply *reply);
/* Does the query choose any? Without, all would be deleted or changed: an error. */
bool sb_document_is_chosen(const struct sb_call *call, const struct sb_args *args,
                           struct sb_reply *reply);
/* Everything the query names; operators only. */
void sb_document_delete_list(struct sb_rest *rest, const struct sb_call *call,
                             const struct sb_args *args, enum sb_kind kind,
                             struct sb_reply *reply);

/* The query's conditions. False with an error if one of them is malformed. */
bool sb_document_select(const struct sb_call *call, const struct sb_args *args,
                        enum sb_kind kind, struct sb_select *select,
                        struct sb_reply *reply);

#endif
