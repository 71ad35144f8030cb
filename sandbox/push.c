/* SPDX-License-Identifier: MIT */
#include "push.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

enum { BUCKETS = 4096 };

struct topic {
    struct topic *next; /* in its bucket */
    struct sb_channel channel;
    struct sb_subscription *first;
};

/* A subscription, and what only this file has to know of it. */
struct entry {
    struct sb_subscription public; /* first: one is cast to the other */
    struct entry *next;            /* of the same listener */
    struct topic *topic;
    char *xids[SB_CHANNEL_XIDS_MAX];
};

struct sb_listener {
    struct sb_push *push;
    struct sb_listener *next; /* in its bucket */
    char client_id[SB_CLIENT_ID_SIZE];
    char *user;
    const struct sb_push_form *form;
    bool reliable;
    bool overflow; /* it missed something, and ends */
    bool dirty;    /* in the list of those to be flushed */
    struct sb_listener *next_dirty;
    struct entry *entries;
    size_t entry_count;
    struct sb_note *first, **end;
    size_t note_count, note_bytes;
    int64_t batch;        /* number of the last answer with notes */
    struct sb_poll *poll; /* waiting, or under way to the client */
    /* Without a poll it is in the list of the idle, the longest first. */
    struct sb_listener *idle_next, *idle_before;
    bool idle;
    int64_t idle_since;
};

struct sb_push {
    int64_t grace_ms, timeout_ms;
    struct sb_listener *listeners[BUCKETS];
    struct topic *topics[BUCKETS];
    struct sb_listener *idle_first, *idle_last, *dirty;
    struct sb_push_count count;
};

struct sb_poll {
    struct sb_listener *listener; /* NULL: it is over, or another one came */
    const struct sb_push_form *form;
    struct sb_text body;
    bool answered;
    int64_t timeout_ms;
    int64_t batch; /* of the notes in the answer; 0 for none */
    char tag[SB_POLL_TAG_SIZE];
    void (*ready)(void *arg);
    void *arg;
};

static int64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* --- tables ------------------------------------------------------------------- */

static size_t text_bucket(const char *text)
{
    uint32_t hash = 2166136261u;

    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * 16777619u;
    return hash % BUCKETS;
}

static struct topic **find_topic(struct sb_push *push, struct sb_channel channel)
{
    struct topic **at =
        &push->topics[((uint64_t)channel.id * 8 + channel.kind) % BUCKETS];

    while (*at &&
           ((*at)->channel.id != channel.id || (*at)->channel.kind != channel.kind))
        at = &(*at)->next;
    return at;
}

static struct sb_listener **find_listener(struct sb_push *push, const char *client_id)
{
    struct sb_listener **at = &push->listeners[text_bucket(client_id)];

    while (*at && strcmp((*at)->client_id, client_id) != 0)
        at = &(*at)->next;
    return at;
}

/* --- idle listeners -------------------------------------------------------------- */

static void leave_idle(struct sb_listener *listener)
{
    struct sb_push *push = listener->push;

    if (!listener->idle)
        return;
    listener->idle = false;
    *(listener->idle_before ? &listener->idle_before->idle_next : &push->idle_first) =
        listener->idle_next;
    *(listener->idle_next ? &listener->idle_next->idle_before : &push->idle_last) =
        listener->idle_before;
}

/* The grace begins, or begins again. */
static void become_idle(struct sb_listener *listener)
{
    struct sb_push *push = listener->push;

    leave_idle(listener);
    listener->idle = true;
    listener->idle_since = now_ms();
    listener->idle_next = NULL;
    listener->idle_before = push->idle_last;
    *(push->idle_last ? &push->idle_last->idle_next : &push->idle_first) = listener;
    push->idle_last = listener;
}

/* --- notes ------------------------------------------------------------------------- */

static void drop_first(struct sb_listener *listener)
{
    struct sb_note *note = listener->first;

    listener->first = note->next;
    if (!listener->first)
        listener->end = &listener->first;
    listener->note_count--;
    listener->note_bytes -= note->len;
    listener->push->count.notes--;
    listener->push->count.bytes -= note->len;
    free(note);
}

/* Those that were in answer `batch` or before: they stand in front. */
static void drop_sent(struct sb_listener *listener, int64_t batch)
{
    while (listener->first && listener->first->batch && listener->first->batch <= batch)
        drop_first(listener);
}

static struct sb_note *note_new(const char *xid, size_t rows, const char *text,
                                size_t len)
{
    struct sb_note *note = malloc(sizeof *note + len + strlen(xid) + 1);

    if (!note)
        return NULL;
    *note = (struct sb_note){ .rows = rows, .len = len };
    memcpy(note->text, text, len);
    note->xid = strcpy(note->text + len, xid);
    return note;
}

static bool has_room(const struct sb_listener *listener, size_t len)
{
    return listener->note_count < SB_NOTES_MAX &&
           listener->note_bytes + len <= SB_NOTES_BYTES_MAX &&
           listener->push->count.bytes + len <= SB_NOTES_TOTAL_MAX;
}

void sb_listener_queue(struct sb_listener *listener, const char *xid, size_t rows,
                       const char *text, size_t len)
{
    struct sb_push *push = listener->push;
    struct sb_note *note = NULL;

    if (!listener->overflow && has_room(listener, len))
        note = note_new(xid, rows, text, len);
    if (note) {
        *listener->end = note;
        listener->end = &note->next;
        listener->note_count++;
        listener->note_bytes += len;
        push->count.notes++;
        push->count.bytes += len;
    } else {
        listener->overflow = true;
    }
    if (!listener->dirty) {
        listener->dirty = true;
        listener->next_dirty = push->dirty;
        push->dirty = listener;
    }
}

/* --- answers -------------------------------------------------------------------------- */

static bool uses_several(const struct sb_listener *listener)
{
    const char *first = NULL;
    const struct entry *entry;
    size_t i;

    for (entry = listener->entries; entry; entry = entry->next)
        for (i = 0; i < entry->public.xid_count; i++) {
            if (first && strcmp(first, entry->xids[i]) != 0)
                return true;
            first = entry->xids[i];
        }
    return false;
}

/* Gives notes a batch number, as many as fit into an answer. */
static size_t mark_batch(struct sb_listener *listener)
{
    size_t count = 0, bytes = 0;
    struct sb_note *note;

    listener->batch++;
    for (note = listener->first; note; note = note->next) {
        bytes += note->len;
        if (count && bytes > SB_ANSWER_NOTES_BYTES)
            break;
        if (!note->batch)
            note->batch = listener->batch;
        count++;
    }
    return count;
}

static void detach(struct sb_poll *poll)
{
    struct sb_listener *listener = poll->listener;

    poll->listener = NULL;
    if (!listener)
        return;
    listener->poll = NULL;
    become_idle(listener);
}

static void answer(struct sb_poll *poll, enum sb_answer_kind kind)
{
    struct sb_listener *listener = poll->listener;
    struct sb_answer answer = { .kind = kind,
                                .tag = poll->tag,
                                .timeout_ms = poll->timeout_ms };

    if (kind == SB_ANSWER_NOTES) {
        answer.count = mark_batch(listener);
        answer.first = listener->first;
        answer.several = uses_several(listener);
        answer.batch = listener->reliable ? listener->batch : 0;
        poll->batch = listener->batch;
    }
    poll->form->write(&answer, &poll->body);
    poll->answered = true;
    if (listener)
        listener->push->count.polls--;
    if (poll->ready)
        poll->ready(poll->arg);
}

static void end_listener(struct sb_listener *listener);

void sb_push_flush(struct sb_push *push)
{
    while (push->dirty) {
        struct sb_listener *listener = push->dirty;
        struct sb_poll *poll = listener->poll;

        push->dirty = listener->next_dirty;
        listener->dirty = false;
        if (listener->overflow)
            end_listener(listener);
        else if (poll && !poll->answered && listener->first)
            answer(poll, SB_ANSWER_NOTES);
    }
}

/* --- polls ------------------------------------------------------------------------------ */

int64_t sb_poll_timeout(const struct sb_poll *poll)
{
    return poll->timeout_ms;
}

void sb_poll_await(struct sb_poll *poll, void (*ready)(void *arg), void *arg)
{
    poll->ready = ready;
    poll->arg = arg;
    if (poll->answered)
        ready(arg);
}

void sb_poll_expire(struct sb_poll *poll)
{
    if (!poll->answered)
        answer(poll, SB_ANSWER_TIME_OVER);
}

bool sb_poll_take(struct sb_poll *poll, char **ret_body, size_t *ret_len)
{
    if (!poll->answered)
        return false;
    *ret_body = sb_text_take(&poll->body, ret_len);
    if (!*ret_body)
        *ret_len = 0;
    return true;
}

/* In reliable mode the client says what it got. */
static void settle(struct sb_listener *listener, int64_t batch, bool delivered)
{
    struct sb_note *note;

    if (listener->reliable || !batch)
        return;
    if (delivered)
        drop_sent(listener, batch);
    else
        for (note = listener->first; note; note = note->next)
            note->batch = 0;
}

void sb_poll_close(struct sb_poll *poll, bool delivered)
{
    if (poll->listener) {
        settle(poll->listener, poll->batch, delivered);
        if (!poll->answered)
            poll->listener->push->count.polls--;
    }
    detach(poll);
    sb_text_release(&poll->body);
    free(poll);
}

/* The client is not interested in it any more. */
static void supersede(struct sb_listener *listener)
{
    struct sb_poll *poll = listener->poll;

    if (!poll)
        return;
    settle(listener, poll->batch, true); /* it asks again, so it has read that */
    if (!poll->answered)
        answer(poll, SB_ANSWER_TIME_OVER);
    detach(poll);
}

struct sb_poll *sb_listener_connect(struct sb_listener *listener, int64_t ack,
                                    int64_t timeout_ms, const char *tag)
{
    struct sb_poll *poll = calloc(1, sizeof *poll);
    int64_t usual = listener->push->timeout_ms;

    if (!poll)
        return NULL;
    supersede(listener);
    if (listener->reliable && ack <= listener->batch)
        drop_sent(listener, ack);
    strncpy(poll->tag, tag, sizeof poll->tag - 1);
    poll->form = listener->form;
    poll->timeout_ms = timeout_ms < 0 || timeout_ms > usual ? usual : timeout_ms;
    poll->listener = listener;
    listener->poll = poll;
    listener->push->count.polls++;
    leave_idle(listener);
    if (listener->first)
        answer(poll, SB_ANSWER_NOTES);
    return poll;
}

/* --- channels ------------------------------------------------------------------------------ */

static void clear_xids(struct entry *entry)
{
    size_t i;

    for (i = 0; i < SB_CHANNEL_XIDS_MAX; i++) {
        free(entry->xids[i]);
        entry->xids[i] = NULL;
    }
    entry->public.xid_count = 0;
}

static bool set_xids(struct entry *entry, const char *const xids[], size_t count)
{
    size_t i;

    if (count > SB_CHANNEL_XIDS_MAX)
        return false;
    clear_xids(entry);
    for (i = 0; i < count; i++)
        if (!(entry->xids[i] = strdup(xids[i])))
            return false;
    entry->public.xid_count = count;
    return true;
}

static struct entry **find_entry(struct sb_listener *listener,
                                 struct sb_channel channel)
{
    struct entry **at = &listener->entries;

    while (*at && ((*at)->topic->channel.id != channel.id ||
                   (*at)->topic->channel.kind != channel.kind))
        at = &(*at)->next;
    return at;
}

static struct topic *get_topic(struct sb_push *push, struct sb_channel channel)
{
    struct topic **at = find_topic(push, channel);

    if (!*at && (*at = calloc(1, sizeof **at)))
        (*at)->channel = channel;
    return *at;
}

static void drop_empty(struct sb_push *push, struct topic *topic)
{
    struct topic **at = find_topic(push, topic->channel);

    if (topic->first)
        return;
    *at = topic->next;
    free(topic);
}

static void unhook(struct entry *entry)
{
    struct sb_subscription **at = &entry->topic->first;

    while (*at != &entry->public)
        at = &(*at)->next;
    *at = entry->public.next;
    drop_empty(entry->public.listener->push, entry->topic);
}

static void drop_entry(struct entry **at)
{
    struct entry *entry = *at;

    *at = entry->next;
    entry->public.listener->entry_count--;
    unhook(entry);
    clear_xids(entry);
    free(entry);
}

static struct entry *add_entry(struct sb_listener *listener, struct sb_channel channel)
{
    struct entry *entry = calloc(1, sizeof *entry);

    if (!entry || !(entry->topic = get_topic(listener->push, channel))) {
        free(entry);
        return NULL;
    }
    entry->public = (struct sb_subscription){
        .listener = listener,
        .form = listener->form,
        .xids = (const char *const *)entry->xids,
        .next = entry->topic->first,
    };
    entry->topic->first = &entry->public;
    entry->next = listener->entries;
    listener->entries = entry;
    listener->entry_count++;
    return entry;
}

static void touch(struct sb_listener *listener)
{
    if (listener->idle)
        become_idle(listener);
}

bool sb_listener_subscribe(struct sb_listener *listener, struct sb_channel channel,
                           const char *const xids[], size_t count)
{
    struct entry **at = find_entry(listener, channel), *entry = *at;
    bool fresh = !entry;

    touch(listener);
    if (fresh && listener->entry_count < SB_LISTENER_CHANNELS_MAX)
        entry = add_entry(listener, channel);
    if (!entry)
        return false;
    if (set_xids(entry, xids, count))
        return true;
    if (fresh)
        drop_entry(find_entry(listener, channel));
    return false;
}

void sb_listener_unsubscribe(struct sb_listener *listener, struct sb_channel channel)
{
    struct entry **at = find_entry(listener, channel);

    touch(listener);
    if (*at)
        drop_entry(at);
}

/* --- listeners ------------------------------------------------------------------------------- */

static void leave_dirty(struct sb_listener *listener)
{
    struct sb_listener **at = &listener->push->dirty;

    if (!listener->dirty)
        return;
    while (*at != listener)
        at = &(*at)->next_dirty;
    *at = listener->next_dirty;
}

static void release_listener(struct sb_listener *listener)
{
    leave_idle(listener);
    leave_dirty(listener);
    while (listener->entries)
        drop_entry(&listener->entries);
    while (listener->first)
        drop_first(listener);
    free(listener->user);
    free(listener);
}

static void end_listener(struct sb_listener *listener)
{
    struct sb_push *push = listener->push;
    struct sb_poll *poll = listener->poll;

    if (poll && !poll->answered)
        answer(poll, SB_ANSWER_UNKNOWN);
    if (poll)
        detach(poll);
    *find_listener(push, listener->client_id) = listener->next;
    push->count.listeners--;
    release_listener(listener);
}

void sb_listener_disconnect(struct sb_listener *listener)
{
    end_listener(listener);
}

static void end_overdue(struct sb_push *push)
{
    int64_t before = now_ms() - push->grace_ms;

    while (push->idle_first && push->idle_first->idle_since <= before)
        end_listener(push->idle_first);
}

const struct sb_subscription *sb_push_subscriptions(struct sb_push *push,
                                                    struct sb_channel channel)
{
    struct topic *topic;

    end_overdue(push);
    topic = *find_topic(push, channel);
    return topic ? topic->first : NULL;
}

/* Nobody can guess one, and it needs no quotes. */
static bool make_client_id(char id[SB_CLIENT_ID_SIZE])
{
    static const char letters[] = "0123456789abcdefghijklmnopqrstuvwxyz";
    unsigned char random[SB_CLIENT_ID_SIZE - 1];
    size_t i;

    if (getrandom(random, sizeof random, 0) != sizeof random)
        return false;
    for (i = 0; i < sizeof random; i++)
        id[i] = letters[random[i] % 36];
    id[i] = '\0';
    return true;
}

struct sb_listener *sb_push_handshake(struct sb_push *push, const char *user,
                                      const struct sb_push_form *form, bool reliable)
{
    struct sb_listener *listener = NULL, **at;

    end_overdue(push);
    if (push->count.listeners < SB_LISTENERS_MAX)
        listener = calloc(1, sizeof *listener);
    if (!listener)
        return NULL;
    listener->push = push;
    listener->form = form;
    listener->reliable = reliable;
    listener->end = &listener->first;
    listener->user = strdup(user);
    if (!listener->user || !make_client_id(listener->client_id)) {
        release_listener(listener);
        return NULL;
    }
    at = find_listener(push, listener->client_id);
    *at = listener;
    push->count.listeners++;
    become_idle(listener);
    return listener;
}

struct sb_listener *sb_push_find(struct sb_push *push, const char *client_id,
                                 const char *user, const struct sb_push_form *form)
{
    struct sb_listener *listener;

    end_overdue(push);
    listener = *find_listener(push, client_id);
    if (!listener || listener->form != form || strcmp(listener->user, user) != 0)
        return NULL;
    return listener;
}

const char *sb_listener_client_id(const struct sb_listener *listener)
{
    return listener->client_id;
}

struct sb_push_count sb_push_count(struct sb_push *push)
{
    end_overdue(push);
    return push->count;
}

/* --- life --------------------------------------------------------------------------------------- */

struct sb_push *sb_push_new(int64_t grace_ms, int64_t timeout_ms)
{
    struct sb_push *push = calloc(1, sizeof *push);

    if (!push)
        return NULL;
    push->grace_ms = grace_ms;
    push->timeout_ms = timeout_ms;
    return push;
}

void sb_push_free(struct sb_push *push)
{
    size_t i;

    if (!push)
        return;
    for (i = 0; i < BUCKETS; i++)
        while (push->listeners[i])
            end_listener(push->listeners[i]);
    free(push);
}
