/* SPDX-License-Identifier: MIT */
/* The real-time endpoints in JSON: handshake, subscribe, connect, unsubscribe and
 * disconnect of Bayeux. */
#include "realtime.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct run {
    const struct sb_realtime *realtime;
    const struct sb_request *request;
    json_t *answers;
    json_t *connect; /* the message, if there was one; the last thing to be done */
};

/* --- answers to /meta/connect --------------------------------------------------------- */

static json_t *advice(const struct sb_answer *answer)
{
    if (answer->kind == SB_ANSWER_UNKNOWN)
        return json_pack("{s:i, s:s}", "interval", 0, "reconnect", "handshake");
    return json_pack("{s:i, s:I, s:s}", "interval", 0, "timeout",
                     (json_int_t)answer->timeout_ms, "reconnect", "retry");
}

static void write_json(const struct sb_answer *answer, struct sb_text *body)
{
    bool known = answer->kind != SB_ANSWER_UNKNOWN;
    json_t *meta = json_pack("{s:s, s:o, s:b}", "channel", "/meta/connect", "advice",
                             advice(answer), "successful", (int)known);
    const struct sb_note *note = answer->first;
    size_t i;

    if (*answer->tag)
        json_object_set_new(meta, "id", json_string(answer->tag));
    if (!known)
        json_object_set_new(meta, "error", json_string("402::Unknown client"));
    sb_text_puts(body, "[");
    for (i = 0; i < answer->count; i++, note = note->next) {
        sb_text_add(body, note->text, note->len);
        sb_text_puts(body, ",");
    }
    sb_json_write(body, meta);
    sb_text_puts(body, "]");
    json_decref(meta);
}

const struct sb_push_form sb_form_json = { write_json };

/* --- notes ------------------------------------------------------------------------------ */

/* Where objects change, it says how; new operations come bare. */
void sb_note_json(struct sb_listener *listener, struct sb_channel channel,
                  const char *action, json_t *json)
{
    struct sb_text text = { 0 };
    char name[64];
    json_t *data, *note;

    sb_channel_name(channel, name, sizeof name);
    if (channel.kind == SB_NEW_OPERATIONS)
        data = json_incref(json);
    else
        data = json_pack("{s:s, s:O}", "realtimeAction", action, "data",
                         strcmp(action, "DELETE") ? json : json_object_get(json, "id"));
    note = json_pack("{s:s, s:o}", "channel", name, "data", data);
    sb_json_write(&text, note);
    json_decref(note);
    if (!text.failed && text.len)
        sb_listener_queue(listener, "", 1, text.data, text.len);
    sb_text_release(&text);
}

/* --- messages ---------------------------------------------------------------------------- */

static json_t *reply(struct run *run, const json_t *message)
{
    json_t *json = json_object();

    json_object_set(json, "channel", json_object_get(message, "channel"));
    if (json_object_get(message, "id"))
        json_object_set(json, "id", json_object_get(message, "id"));
    json_object_set_new(json, "successful", json_true());
    json_array_append_new(run->answers, json);
    return json;
}

static void fail(json_t *json, const char *error, const char *what)
{
    json_object_set_new(json, "successful", json_false());
    json_object_set_new(json, "error", json_sprintf("%s%s", error, what));
}

static const char *text_of(const json_t *message, const char *key)
{
    const char *text = sb_json_text(message, key);

    return text ? text : "";
}

static struct sb_listener *find(struct run *run, const json_t *message)
{
    return sb_push_find(run->realtime->push, text_of(message, "clientId"),
                        run->request->identity.user, &sb_form_json);
}

/* The listener of a message; NULL, and the answer says so, if there is none. */
static struct sb_listener *listener_of(struct run *run, const json_t *message,
                                       json_t *json)
{
    struct sb_listener *listener = find(run, message);

    if (listener)
        return listener;
    fail(json, "402::Unknown client", "");
    json_object_set_new(
        json, "advice",
        json_pack("{s:i, s:s}", "interval", 0, "reconnect", "handshake"));
    return NULL;
}

static void handshake(struct run *run, const json_t *message)
{
    json_t *json = reply(run, message);
    struct sb_listener *listener = sb_push_handshake(
        run->realtime->push, run->request->identity.user, &sb_form_json, false);

    json_object_set_new(json, "version", json_string("1.0"));
    json_object_set_new(json, "minimumVersion", json_string("1.0"));
    json_object_set_new(json, "supportedConnectionTypes",
                        json_pack("[s, s]", "long-polling", "smartrest-long-polling"));
    if (listener)
        json_object_set_new(json, "clientId",
                            json_string(sb_listener_client_id(listener)));
    else
        fail(json, "503::Too many clients", "");
}

static void change_subscription(struct run *run, const json_t *message, bool on)
{
    json_t *json = reply(run, message);
    struct sb_listener *listener = listener_of(run, message, json);
    const char *name = text_of(message, "subscription");
    struct sb_channel channel;
    int status;

    json_object_set(json, "subscription", json_object_get(message, "subscription"));
    if (!listener)
        return;
    status = sb_channel_parse(run->realtime, run->request, name, &channel);
    if (status == 403)
        fail(json, "403::Forbidden channel: ", name);
    else if (status)
        fail(json, "404::Unknown channel: ", name);
    else if (!on)
        sb_listener_unsubscribe(listener, channel);
    else if (!sb_listener_subscribe(listener, channel, NULL, 0))
        fail(json, "422::Too many channels", "");
}

static void disconnect(struct run *run, const json_t *message)
{
    json_t *json = reply(run, message);
    struct sb_listener *listener = listener_of(run, message, json);

    if (listener)
        sb_listener_disconnect(listener);
}

static void execute(struct run *run, json_t *message)
{
    const char *channel = text_of(message, "channel");

    if (!strcmp(channel, "/meta/handshake"))
        handshake(run, message);
    else if (!strcmp(channel, "/meta/subscribe"))
        change_subscription(run, message, true);
    else if (!strcmp(channel, "/meta/unsubscribe"))
        change_subscription(run, message, false);
    else if (!strcmp(channel, "/meta/disconnect"))
        disconnect(run, message);
    else if (!strcmp(channel, "/meta/connect"))
        run->connect = message;
    else
        fail(reply(run, message), "404::Unknown channel: ", channel);
}

/* --- connect ------------------------------------------------------------------------------- */

static int64_t wanted_timeout(const json_t *message)
{
    const json_t *timeout =
        json_object_get(json_object_get(message, "advice"), "timeout");

    return json_is_integer(timeout) && json_integer_value(timeout) >= 0
               ? json_integer_value(timeout)
               : -1;
}

/* Alone it may wait; beside other messages, whose answers must not, it does not. */
static void connect(struct run *run, struct sb_poll **ret_poll)
{
    struct sb_listener *listener = find(run, run->connect);
    const char *tag = text_of(run->connect, "id");

    if (!listener || json_array_size(run->answers))
        listener_of(run, run->connect, reply(run, run->connect));
    else
        *ret_poll = sb_listener_connect(listener, 0, wanted_timeout(run->connect), tag);
}

static int run_messages(struct run *run, json_t *messages, struct sb_text *answer,
                        struct sb_poll **ret_poll)
{
    json_t *message;
    size_t i;

    if (json_is_object(messages))
        execute(run, messages);
    else
        json_array_foreach(messages, i, message) execute(run, message);
    if (run->connect)
        connect(run, ret_poll);
    if (!*ret_poll)
        sb_json_write(answer, run->answers);
    return 200;
}

int sb_realtime_json(const struct sb_realtime *realtime,
                     const struct sb_request *request, struct sb_text *answer,
                     struct sb_poll **ret_poll)
{
    struct run run = { .realtime = realtime, .request = request };
    char wrong[SB_JSON_ERROR];
    json_t *messages;
    int status = 400;

    if (request->identity.role == SB_NOBODY)
        return 401;
    if (request->identity.role == SB_BOOTSTRAP)
        return 403;
    messages = sb_json_read(request->body, request->len, wrong);
    run.answers = json_array();
    if (messages)
        status = run_messages(&run, messages, answer, ret_poll);
    json_decref(run.answers);
    json_decref(messages);
    return status;
}
