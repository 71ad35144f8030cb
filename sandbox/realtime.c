/* SPDX-License-Identifier: MIT */
#include "realtime.h"

#include "rest_impl.h"

#include <inttypes.h>
#include <smartrest/record.h>
#include <smartrest/row.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- paths and channels -------------------------------------------------------- */

enum sb_endpoint sb_endpoint_of(const char *path)
{
    static const struct {
        const char *path;
        enum sb_endpoint endpoint;
    } endpoints[] = {
        {"/notification/operations",      SB_ENDPOINT_OPERATIONS},
        { "/devicecontrol/notifications", SB_ENDPOINT_OPERATIONS},
        { "/notification/realtime",       SB_ENDPOINT_REALTIME  },
        { "/cep/realtime",                SB_ENDPOINT_REALTIME  },
    };
    size_t i, len;

    for (i = 0; i < sizeof endpoints / sizeof endpoints[0]; i++) {
        len = strlen(endpoints[i].path);
        if (!strncmp(path, endpoints[i].path, len) &&
            (!path[len] || !strcmp(path + len, "/")))
            return endpoints[i].endpoint;
    }
    return SB_NO_ENDPOINT;
}

/* In the order of the kinds. */
static const char *const prefixes[] = {
    "/", "/operations/", "/alarms/", "/events/", "/measurements/", "/managedobjects/"
};

void sb_channel_name(struct sb_channel channel, char *ret_name, size_t size)
{
    snprintf(ret_name, size, "%s%" PRId64, prefixes[channel.kind], channel.id);
}

static bool parse_name(const char *name, enum sb_endpoint endpoint,
                       struct sb_channel *channel)
{
    enum sb_channel_kind first = SB_NEW_OPERATIONS, last = SB_NEW_OPERATIONS, kind;

    if (endpoint == SB_ENDPOINT_REALTIME) {
        first = SB_OPERATIONS;
        last = SB_MANAGED_OBJECTS;
    }
    for (kind = first; kind <= last; kind++) {
        size_t len = strlen(prefixes[kind]);

        if (strncmp(name, prefixes[kind], len))
            continue;
        channel->kind = kind;
        channel->id = sb_id(name + len);
        return channel->id != 0;
    }
    return false;
}

int sb_channel_parse(const struct sb_realtime *realtime,
                     const struct sb_request *request, const char *name,
                     struct sb_channel *ret_channel)
{
    struct sb_call call = { .who = &request->identity, .method = "POST" };
    struct sb_reply reply = { 0 };
    struct sb_channel channel;
    int status = 404;

    if (!parse_name(name, sb_endpoint_of(request->path), &channel))
        return status;
    if (sb_may(realtime->rest, &call, channel.id, SB_WRITE, "notification", &reply)) {
        *ret_channel = channel;
        status = 0;
    } else {
        status = reply.status;
    }
    sb_reply_release(&reply);
    return status;
}

/* --- answers to 83 ----------------------------------------------------------------- */

/* Notes of the same collection that stand together make one group. */
static const struct sb_note *write_group(const struct sb_note *note, size_t *count,
                                         bool several, struct sb_text *body)
{
    const struct sb_note *last = note;
    size_t rows = 0, n = *count;

    for (; n && !strcmp(last->xid, note->xid); last = last->next, n--)
        rows += last->rows;
    if (several)
        sb_text_format(body, "87,%zu,%s\n", rows, note->xid);
    for (; *count > n; note = note->next, --*count)
        sb_text_add(body, note->text, note->len);
    return note;
}

static void write_rows(const struct sb_answer *answer, struct sb_text *body)
{
    const struct sb_note *note = answer->first;
    size_t count = answer->count;

    if (answer->kind == SB_ANSWER_UNKNOWN) {
        sb_text_puts(body, "86,,,0,handshake\n");
        return;
    }
    if (answer->batch)
        sb_text_format(body, "88,%" PRId64 "\n", answer->batch);
    while (count)
        note = write_group(note, &count, answer->several, body);
    sb_text_format(body, "86,,%" PRId64 ",0,retry\n", answer->timeout_ms);
}

const struct sb_push_form sb_form_rows = { write_rows };

/* --- rows ---------------------------------------------------------------------------- */

struct run {
    const struct sb_realtime *realtime;
    const struct sb_request *request;
    struct sb_text *answer;
    size_t line;
    /* Row 83: the last thing to be done. */
    struct sb_listener *connect;
    bool connects, unknown;
    int64_t ack;
};

static void no_arguments(struct run *run)
{
    sb_text_format(run->answer, "45,%zu,Wrong number of arguments\n", run->line);
}

static struct sb_listener *find(struct run *run, struct sr_record *record)
{
    return sb_push_find(run->realtime->push, sr_record_value(record, 1),
                        run->request->identity.user, &sb_form_rows);
}

static bool known_xid(struct run *run, const char *xid)
{
    if (sb_engine_knows(run->realtime->engine, xid))
        return true;
    sb_text_puts(run->answer, "40,\"No template for this X-ID.\"\n");
    return false;
}

static void handshake(struct run *run, struct sr_record *record)
{
    bool reliable = !strcmp(sr_record_value(record, 1), "true");
    struct sb_listener *listener;

    if (sr_record_size(record) > 2) {
        no_arguments(run);
        return;
    }
    if (!known_xid(run, run->request->x_id))
        return;
    listener = sb_push_handshake(run->realtime->push, run->request->identity.user,
                                 &sb_form_rows, reliable);
    if (listener)
        sb_text_format(run->answer, "%s\n", sb_listener_client_id(listener));
    else
        sb_text_format(run->answer, "50,%zu,503,\"too many clients\"\n", run->line);
}

/* The listener and channel of a row 81 or 82; false with an error row. */
static bool parse_target(struct run *run, struct sr_record *record,
                         struct sb_listener **ret_listener,
                         struct sb_channel *ret_channel)
{
    const char *name = sr_record_value(record, 2);
    int status;

    *ret_listener = find(run, record);
    if (!*ret_listener) {
        sb_text_format(run->answer, "50,%zu,402,\"Unknown client\"\n", run->line);
        return false;
    }
    status = sb_channel_parse(run->realtime, run->request, name, ret_channel);
    if (status)
        sb_text_format(run->answer, "50,%zu,%d,\"%s\"\n", run->line, status,
                       status == 403 ? "the channel's object is not yours"
                                     : "there is no such channel");
    return !status;
}

/* The collection of the header, then those of the row. */
static bool take_xids(struct run *run, struct sr_record *record,
                      const char *xids[SB_CHANNEL_XIDS_MAX], size_t *ret_count)
{
    size_t n = sr_record_size(record), i, k, count = 1;

    xids[0] = run->request->x_id;
    for (i = 3; i < n; i++) {
        const char *xid = sr_record_value(record, i);

        for (k = 0; k < count && strcmp(xids[k], xid); k++)
            ;
        if (k < count)
            continue; /* named twice */
        if (count == SB_CHANNEL_XIDS_MAX) {
            sb_text_format(run->answer, "50,%zu,422,\"more than %d X-Ids\"\n",
                           run->line, SB_CHANNEL_XIDS_MAX);
            return false;
        }
        xids[count++] = xid;
    }
    for (i = 0; i < count; i++)
        if (!known_xid(run, xids[i]))
            return false;
    *ret_count = count;
    return true;
}

static void subscribe(struct run *run, struct sr_record *record)
{
    const char *xids[SB_CHANNEL_XIDS_MAX];
    struct sb_listener *listener;
    struct sb_channel channel;
    size_t count;

    if (sr_record_size(record) < 3)
        no_arguments(run);
    else if (parse_target(run, record, &listener, &channel) &&
             take_xids(run, record, xids, &count) &&
             !sb_listener_subscribe(listener, channel, xids, count))
        sb_text_format(run->answer, "50,%zu,422,\"more than %d channels\"\n", run->line,
                       SB_LISTENER_CHANNELS_MAX);
}

static void unsubscribe(struct run *run, struct sr_record *record)
{
    struct sb_listener *listener;
    struct sb_channel channel;

    if (sr_record_size(record) != 3)
        no_arguments(run);
    else if (parse_target(run, record, &listener, &channel))
        sb_listener_unsubscribe(listener, channel);
}

static void connect(struct run *run, struct sr_record *record)
{
    size_t n = sr_record_size(record);

    if (n < 2 || n > 3) {
        no_arguments(run);
        return;
    }
    run->connects = true;
    run->connect = find(run, record);
    run->ack = n == 3 ? strtoll(sr_record_value(record, 2), NULL, 10) : 0;
}

static void disconnect(struct run *run, struct sr_record *record)
{
    struct sb_listener *listener = find(run, record);

    if (sr_record_size(record) != 2)
        no_arguments(run);
    else if (listener)
        sb_listener_disconnect(listener);
    if (listener && listener == run->connect)
        run->connect = NULL;
}

static const struct {
    const char *id;
    void (*execute)(struct run *run, struct sr_record *record);
} commands[] = {
    {"80",  handshake  },
    { "81", subscribe  },
    { "82", unsubscribe},
    { "83", connect    },
    { "84", disconnect },
};

static void row(struct run *run, struct sr_record *record)
{
    const char *id = sr_record_value(record, 0);
    size_t i;

    for (i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (!strcmp(id, commands[i].id)) {
            commands[i].execute(run, record);
            return;
        }
    sb_text_format(run->answer, "43,%zu,Invalid message identifier\n", run->line);
}

static void execute_body(struct run *run)
{
    struct sr_parser parser;
    struct sr_record *record;
    int rc;

    sr_parser_init(&parser, run->request->body, run->request->len);
    while ((rc = sr_parser_next(&parser, &record)) != SR_E_END) {
        run->line = sr_parser_line(&parser);
        if (rc == 0) {
            row(run, record);
        } else if (rc == SR_E_SYNTAX) {
            sb_text_format(run->answer, "42,%zu,Malformed Request\n", run->line);
        } else {
            run->answer->failed = true;
            break;
        }
    }
    sr_parser_release(&parser);
}

/* Nothing is held back behind rows that the client has to see now. */
static void finish(struct run *run, struct sb_poll **ret_poll)
{
    if (!run->connects || run->answer->len || run->answer->failed)
        return;
    if (run->connect)
        *ret_poll = sb_listener_connect(run->connect, run->ack, -1, "");
    else
        write_rows(&(struct sb_answer){ .kind = SB_ANSWER_UNKNOWN }, run->answer);
    if (run->connect && !*ret_poll)
        run->answer->failed = true;
}

void sb_realtime_rows(const struct sb_realtime *realtime,
                      const struct sb_request *request, struct sb_text *answer,
                      struct sb_poll **ret_poll)
{
    struct run run = { .realtime = realtime, .request = request, .answer = answer };

    if (request->identity.role == SB_NOBODY) {
        sb_text_puts(answer, "50,1,401\n");
    } else if (request->identity.role == SB_BOOTSTRAP) {
        sb_text_puts(answer, "50,1,403\n");
    } else {
        execute_body(&run);
        finish(&run, ret_poll);
    }
}

/* --- notes ------------------------------------------------------------------------------- */

static void note_rows(const struct sb_realtime *realtime,
                      const struct sb_subscription *to, json_t *json)
{
    size_t i, rows;

    for (i = 0; i < to->xid_count; i++) {
        struct sb_text text = { 0 };

        rows = sb_engine_apply(realtime->engine, to->xids[i], json, &text);
        if (rows && !text.failed)
            sb_listener_queue(to->listener, to->xids[i], rows, text.data, text.len);
        sb_text_release(&text);
    }
}

void sb_realtime_publish(const struct sb_realtime *realtime, struct sb_channel channel,
                         const char *action, json_t *json)
{
    const struct sb_subscription *to = sb_push_subscriptions(realtime->push, channel);

    for (; to; to = to->next) {
        if (to->form == &sb_form_rows)
            note_rows(realtime, to, json);
        else
            sb_note_json(to->listener, channel, action, json);
    }
}
