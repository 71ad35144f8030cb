/* SPDX-License-Identifier: MIT */
#include "mailbox.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct sb_mailbox {
    pthread_mutex_t lock;
    struct sb_mail *first, **end; /* end: where the next letter is hung up */
    size_t cap, used, refused;
};

struct sb_mailbox *sb_mailbox_new(size_t cap)
{
    struct sb_mailbox *box = calloc(1, sizeof *box);

    if (!box)
        return NULL;
    box->cap = cap;
    box->end = &box->first;
    pthread_mutex_init(&box->lock, NULL);
    return box;
}

struct sb_mailbox *sb_mailbox_free(struct sb_mailbox *box)
{
    if (!box)
        return NULL;
    for (struct sb_mail *mail = box->first; mail;)
        mail = sb_mail_free(mail);
    pthread_mutex_destroy(&box->lock);
    free(box);
    return NULL;
}

static size_t mail_size(const char *device_id, const char *topic, size_t len)
{
    return sizeof(struct sb_mail) + len + strlen(device_id) + 1 + strlen(topic) + 1;
}

static struct sb_mail *mail_new(const char *device_id, const char *topic,
                                const char *payload, size_t len)
{
    struct sb_mail *mail = malloc(mail_size(device_id, topic, len));

    if (!mail)
        return NULL;
    mail->next = NULL;
    mail->len = len;
    if (len)
        memcpy(mail->payload, payload, len);
    mail->device_id = mail->payload + len;
    mail->topic = stpcpy(mail->device_id, device_id) + 1;
    strcpy(mail->topic, topic);
    return mail;
}

static bool hang_up(struct sb_mailbox *box, struct sb_mail *mail, size_t size)
{
    bool fits = mail && size <= box->cap - box->used;

    if (!fits) {
        box->refused++;
        return false;
    }
    *box->end = mail;
    box->end = &mail->next;
    box->used += size;
    return true;
}

bool sb_mailbox_put(struct sb_mailbox *box, const char *device_id, const char *topic,
                    const char *payload, size_t len)
{
    struct sb_mail *mail = mail_new(device_id, topic, payload, len);
    bool done;

    pthread_mutex_lock(&box->lock);
    done = hang_up(box, mail, mail_size(device_id, topic, len));
    pthread_mutex_unlock(&box->lock);
    if (!done)
        free(mail);
    return done;
}

struct sb_mail *sb_mailbox_take(struct sb_mailbox *box, size_t *ret_refused)
{
    struct sb_mail *all;

    pthread_mutex_lock(&box->lock);
    all = box->first;
    *ret_refused = box->refused;
    box->first = NULL;
    box->end = &box->first;
    box->used = box->refused = 0;
    pthread_mutex_unlock(&box->lock);
    return all;
}

struct sb_mail *sb_mail_free(struct sb_mail *mail)
{
    struct sb_mail *next = mail->next;

    free(mail);
    return next;
}
