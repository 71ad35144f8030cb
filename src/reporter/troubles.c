/* SPDX-License-Identifier: MIT */
/* Troubles that do not pass by themselves, told once when they begin and once when they are
 * over. Does the platform still know the collection and the device? Its answers say so, by HTTP
 * to one payload, by MQTT most likely to the last one. While it does not, rows go one at a
 * time, with pauses that grow to `slow_retry`. */
#include "protocol/answer.h"
#include "protocol/blame.h"
#include "reporter/reporter_p.h"
#include <stdio.h>
#include <string.h>

#ifndef SR_ANSWER_MS      /* tests are less patient */
#define SR_ANSWER_MS 5000 /* by MQTT an answer comes within, or there is none */
#endif
enum { STRIKES = 3 };

/* --- begin and end ---------------------------------------------------------- */

/* What a trouble says is not said a second time as the reason why the connection is down. */
static void note_reason(struct sr_reporter *reporter, enum sr_trouble trouble,
                        const char *text)
{
    if (text && trouble == SR_TROUBLE_AUTH)
        snprintf(reporter->reason, sizeof reporter->reason, "%s", text);
    else if (!text && reporter->up)
        reporter->reason[0] = '\0';
}

void sr_reporter_trouble(struct sr_reporter *reporter, enum sr_trouble trouble,
                         const char *text)
{
    const struct sr_reporter_config *config = &reporter->config;
    bool *lasts = &reporter->troubles[trouble];

    if (*lasts == (text != NULL))
        return;
    *lasts = text && trouble != SR_TROUBLE_POISON;
    if (trouble == SR_TROUBLE_AUTH || trouble == SR_TROUBLE_TWIN)
        note_reason(reporter, trouble, text);
    if (config->trouble && !reporter->muted)
        config->trouble(config->arg, trouble, text);
}

uint32_t sr_reporter_pause_max_ms(const struct sr_reporter *reporter)
{
    for (int i = 0; i < SR_TROUBLES; i++)
        if (reporter->troubles[i])
            return 1000 * (uint32_t)reporter->config.settings->slow_retry;
    return SR_BACKOFF_MAX_MS;
}

bool sr_troubles_probing(const struct sr_reporter *reporter)
{
    return reporter->troubles[SR_TROUBLE_XID] || reporter->troubles[SR_TROUBLE_DEVICE];
}

void sr_troubles_pause(struct sr_reporter *reporter)
{
    uint32_t pause = sr_backoff_next_within(
        &reporter->pace_backoff, sr_reporter_pause_max_ms(reporter), sr_random32());

    if (reporter->transport->ops->connects && pause < SR_ANSWER_MS)
        pause = SR_ANSWER_MS;
    sr_deadline_set(&reporter->pace, pause);
}

/* --- doubts ------------------------------------------------------------------- */

static const char *own_id(const struct sr_reporter *reporter)
{
    const struct sr_reporter_config *config = &reporter->config;
    const char *id = config->own_id ? config->own_id(config->arg) : NULL;

    return id && *id ? id : NULL;
}

static size_t rows_naming_device(const struct sr_reporter *reporter)
{
    const char *id = own_id(reporter);

    return id ? sr_rows_naming(reporter->payload, reporter->payload_len, id) : 0;
}

/* The last payload was taken: what does that say about the trouble? */
static void clear_doubts(struct sr_reporter *reporter)
{
    if (!reporter->doubt.no_collection)
        sr_reporter_trouble(reporter, SR_TROUBLE_XID, NULL);
    if (reporter->doubt.strikes && !reporter->doubt.struck &&
        rows_naming_device(reporter)) {
        reporter->doubt.strikes = 0;
        sr_reporter_trouble(reporter, SR_TROUBLE_DEVICE, NULL);
    }
    if (!sr_troubles_probing(reporter))
        sr_backoff_reset(&reporter->pace_backoff);
}

void sr_troubles_settle(struct sr_reporter *reporter)
{
    if (reporter->doubt.strikes)
        clear_doubts(reporter);
}

void sr_troubles_next(struct sr_reporter *reporter, bool foreign)
{
    reporter->doubt.foreign = foreign;
    reporter->doubt.no_collection = reporter->doubt.struck = false;
    reporter->doubt.not_found = 0;
}

static void strike(struct sr_reporter *reporter)
{
    char text[320];

    reporter->doubt.struck = true;
    if (++reporter->doubt.strikes < STRIKES)
        return;
    snprintf(text, sizeof text,
             "the platform has no object %.255s: is the device deleted?",
             own_id(reporter));
    sr_reporter_trouble(reporter, SR_TROUBLE_DEVICE, text);
}

static void doubt_device(struct sr_reporter *reporter, const char *rows, size_t len)
{
    const char *id = own_id(reporter);

    if (!id || reporter->doubt.struck || !memmem(rows, len, "404", 3))
        return;
    reporter->skips_15 = reporter->skips_15 || sr_answer_names_line_1(rows, len);
    reporter->doubt.not_found += sr_rows_not_found(
        rows, len, reporter->payload, reporter->payload_len, !reporter->skips_15, id);
    if (reporter->doubt.not_found &&
        reporter->doubt.not_found >= rows_naming_device(reporter))
        strike(reporter);
}

static void doubt_collection(struct sr_reporter *reporter, const char *rows, size_t len)
{
    char text[320];

    if (reporter->doubt.foreign || !reporter->payload_len ||
        sr_answer_read(rows, len) != SR_ANSWER_NO_COLLECTION)
        return;
    snprintf(text, sizeof text,
             "the platform does not know the template collection %.255s",
             reporter->xid);
    reporter->doubt.no_collection = true;
    sr_reporter_trouble(reporter, SR_TROUBLE_XID, text);
}

void sr_troubles_hear(struct sr_reporter *reporter, const char *rows, size_t len)
{
    doubt_collection(reporter, rows, len);
    doubt_device(reporter, rows, len);
}

void sr_troubles_acked(struct sr_reporter *reporter, bool answered)
{
    if (answered)
        clear_doubts(reporter);
    if (sr_troubles_probing(reporter) &&
        (!answered || reporter->doubt.struck || reporter->doubt.no_collection))
        sr_troubles_pause(reporter);
}

void sr_troubles_resume(struct sr_reporter *reporter)
{
    if (sr_troubles_probing(reporter) && reporter->transport->ops->connects)
        clear_doubts(reporter);
}
