/* SPDX-License-Identifier: MIT */
/* The event that tells the platform how many rows were lost, and of which time. It goes by
 * HTTP with the device's own account, beside the rows and whatever carries them, and is
 * settled by the platform's 201 alone; if that is lost, the event comes twice. */
#include "agent/agent_p.h"
#include "binary/member.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SR_LOG_COMPONENT "agent"
#include <smartrest/log.h>

#define TYPE "c8y_smartrest_RowsLost"

enum {
    SOON_MS = 60 * 1000, /* losses while connected are collected for that long */
    CLOCK_MS = 5 * 1000, /* between looks at a clock that is not right yet */
    ID_TEXT = 6 * SR_ID_MAX + 1,
    BODY_MAX = 1024 + ID_TEXT,
    ANSWER_MAX = 64 * 1024
};

/* `id` as the inside of a JSON string. */
static void escape(const char *id, char text[ID_TEXT])
{
    for (; *id; id++) {
        unsigned char c = (unsigned char)*id;

        if (c < 0x20 || c == '"' || c == '\\')
            text += sprintf(text, "\\u%04x", c);
        else
            *text++ = *id;
    }
    *text = '\0';
}

static size_t make_event(const struct sr_agent *agent, const struct sr_losses *losses,
                         char body[BODY_MAX])
{
    char id[ID_TEXT], now[SR_STAMP_LEN + 1], from[SR_STAMP_LEN + 1],
        to[SR_STAMP_LEN + 1];
    unsigned long long lost[2] = { losses->rows[SR_CLASS_VOLATILE],
                                   losses->rows[SR_CLASS_BUFFERED] };

    escape(agent->id, id);
    sr_stamp(sr_clock_now(agent->clock).wall_ms, now);
    sr_stamp(losses->from_ms, from);
    sr_stamp(losses->to_ms, to);
    return (size_t)snprintf(
        body, BODY_MAX,
        "{\"source\":{\"id\":\"%s\"},\"type\":\"" TYPE "\",\"time\":\"%s\","
        "\"text\":\"Rows lost: %llu (%llu buffered, %llu volatile), sent between %s and "
        "%s\","
        "\"" TYPE "\":{\"buffered\":%llu,\"volatile\":%llu,"
        "\"from\":\"%s\",\"to\":\"%s\"}}",
        id, now, lost[0] + lost[1], lost[1], lost[0], from, to, lost[1], lost[0], from,
        to);
}

/* --- when --------------------------------------------------------------- */

static bool is_connected(const struct sr_agent *agent)
{
    struct sr_reporter_stats stats;

    sr_reporter_stats(agent->reporter, &stats);
    return stats.connected;
}

/* Enough is lost to be told; *ret_losses is what. */
static bool is_wanted(const struct sr_agent *agent, struct sr_losses *ret_losses)
{
    const uint64_t least = (uint64_t)agent->settings.loss_report;

    sr_outbox_losses(agent->outbox, ret_losses);
    return least && ret_losses->rows[0] + ret_losses->rows[1] >= least;
}

/* Milliseconds to wait for the clock to be right, since the event has a time; at most
 * `clock_wait` s from the connect on. */
static uint64_t clock_pause_ms(const struct sr_agent *agent)
{
    const int64_t valid_after = agent->settings.clock_valid_after * 1000;
    const uint64_t until = agent->report.wait_for_clock_until_ms, now = sr_now_ms();

    if (sr_clock_now(agent->clock).wall_ms >= valid_after || now >= until)
        return 0;
    return until - now < CLOCK_MS ? until - now : CLOCK_MS;
}

static void pause_for(struct sr_agent *agent, uint64_t ms)
{
    sr_deadline_set(&agent->report.pause, ms);
}

static void pause_after_failure(struct sr_agent *agent, long status)
{
    struct sr_loss_report *report = &agent->report;

    report->refused = status >= 400 && status < 500 && status != 408 && status != 429;
    if (report->refused)
        pause_for(agent, (uint64_t)agent->settings.slow_retry * 1000);
    else
        pause_for(agent, sr_backoff_next(&report->backoff, sr_random32()));
}

/* --- what comes of it --------------------------------------------------- */

static void settle(struct sr_agent *agent)
{
    struct sr_loss_report *report = &agent->report;
    struct sr_losses more;

    sr_notice("the platform was told of lost rows: %llu",
              (unsigned long long)(report->told.rows[0] + report->told.rows[1]));
    sr_outbox_settle(agent->outbox, &report->told);
    sr_backoff_reset(&report->backoff);
    report->refused = false;
    if (is_wanted(agent, &more))
        pause_for(agent, SOON_MS);
}

/* A captive portal or proxy says 201, too. Has the answer the event that was sent? */
static bool is_created(const struct sr_agent *agent,
                       const struct sr_http_result *result)
{
    char source[ID_TEXT], id[SR_BINARY_ID_MAX + 1];

    escape(agent->id, source);
    return result->status == 201 &&
           sr_json_created(result->body, result->len,
                           sr_http_header(result, "Location"), id, sizeof id) &&
           sr_json_is(result->body, result->len, "type", TYPE) &&
           sr_json_is(result->body, result->len, "source.id", source);
}

static void on_answer(void *arg, const struct sr_http_result *result)
{
    struct sr_agent *agent = arg;

    agent->report.request = NULL;
    if (!result->rc && is_created(agent, result)) {
        settle(agent);
        return;
    }
    if (!result->rc && result->status / 100 == 2)
        sr_warning("the event about lost rows: HTTP status %ld, and not the platform's "
                   "answer; trying again",
                   result->status);
    else if (result->rc)
        sr_warning("the event about lost rows: %s; trying again", result->error);
    else
        sr_warning("the event about lost rows: HTTP status %ld; trying again",
                   result->status);
    pause_after_failure(agent, result->status);
}

static int post(struct sr_agent *agent)
{
    static const struct sr_http_header headers[] = {
        {"Content-Type", "application/json"},
        { "Accept",      "application/json"},
    };
    struct sr_loss_report *report = &agent->report;
    char body[BODY_MAX], *url;
    struct sr_http_call call = {
        .user = agent->login,
        .password = agent->credentials.password,
        .headers = headers,
        .header_count = sizeof headers / sizeof *headers,
        .body = body,
        .answer_max = ANSWER_MAX,
    };
    int rc = sr_agent_open_http(agent, &agent->side_http);

    if (rc)
        return rc;
    url = sr_agent_make_url(agent, "/event/events");
    if (!url)
        return SR_E_NOMEM;
    call.url = url;
    call.len = make_event(agent, &report->told, body);
    rc = sr_http_request(agent->side_http, &call, on_answer, agent, &report->request);
    free(url);
    return rc;
}

static void try(struct sr_agent *agent)
{
    struct sr_loss_report *report = &agent->report;
    uint64_t pause_ms;

    if (agent->doomed || report->request || sr_deadline_is_set(&report->pause) ||
        !agent->login || !agent->id || !is_connected(agent))
        return;
    if (!is_wanted(agent, &report->told))
        return;
    pause_ms = clock_pause_ms(agent);
    if (pause_ms)
        pause_for(agent, pause_ms);
    else if (post(agent))
        pause_after_failure(agent, 0);
}

static void on_pause_over(void *arg)
{
    try(arg);
}

/* --- what the others say ------------------------------------------------ */

int sr_agent_init_report(struct sr_agent *agent)
{
    return sr_deadline_init(&agent->report.pause, agent->loop, on_pause_over, agent);
}

void sr_agent_report_up(void *arg)
{
    struct sr_agent *agent = arg;
    struct sr_loss_report *report = &agent->report;

    report->wait_for_clock_until_ms =
        sr_now_ms() + (uint64_t)agent->settings.clock_wait * 1000;
    if (!report->refused)
        sr_deadline_clear(&report->pause);
    try(agent);
}

void sr_agent_report_soon(struct sr_agent *agent)
{
    struct sr_loss_report *report = &agent->report;

    if (!report->request && !sr_deadline_is_set(&report->pause) && is_connected(agent))
        pause_for(agent, SOON_MS);
}

void sr_agent_release_report(struct sr_agent *agent)
{
    sr_http_cancel(agent->report.request);
    agent->report.request = NULL;
    sr_deadline_release(&agent->report.pause);
}
