/* SPDX-License-Identifier: MIT */
/* Device push's state machine between a platform and an application that do as they
 * like. Each byte of the input is an event; answers are made of bytes below 32, which
 * stand for what platforms say, others as they are, and end with a 0. */
#include "fuzz.h"
#include "push/machine.h"
#include <smartrest/record.h>
#include <string.h>

struct world {
    const uint8_t *at;
    size_t left;
    uint64_t now;
    uint32_t dice;
    struct sr_push_machine machine;
    struct sr_push_steps steps;
    bool busy[SR_PUSH_LINES]; /* a request is under way */
    uint64_t sent_ms;         /* the main one */
    enum sr_push_state before;
    bool delivering;
};

static struct world *the_world;

static uint32_t roll(void)
{
    return the_world->dice = the_world->dice * 1664525u + 1013904223u;
}

static uint8_t take(struct world *w)
{
    if (!w->left)
        return 0;
    w->left--;
    return *w->at++;
}

static const char *const words[] = {
    "",
    "\n",
    "\r\n",
    " ",
    ",",
    "86,,5400000,0,retry\n",
    "86,,0,1000,retry\n",
    "86,,,,handshake\n",
    "86,,,,none\n",
    "88,",
    "88,1\n",
    "88,2\n",
    "87,1,other\n",
    "502,1,24902,24871\n",
    "50,1,401\n",
    "50,1,402::Unknown client\n",
    "43,1,Invalid message identifier\n",
    "2s1128n70miv86f189yoto03tp9a",
    "\"",
    "1000000000000",
    "18446744073709551616",
    "<html>",
    "86,",
    "retry",
    "-1",
    "0",
    "x",
    "\xc3\xa9",
    "50",
    "a,b,c\n",
    "\t",
    "40,,/1,no templates\n",
};

/* For free(): exactly as large as the answer. */
static char *take_body(struct world *w, size_t *ret_len)
{
    char body[4096], *exact;
    size_t len = 0;
    uint8_t byte;

    while ((byte = take(w)) != 0 && len < sizeof body - 64) {
        const char *word = byte < 32 ? words[byte] : NULL;
        size_t size = word ? strlen(word) : 1;

        memcpy(body + len, word ? word : (const char *)&byte, size);
        len += size;
    }
    exact = malloc(len ? len : 1);
    must(exact);
    memcpy(exact, body, len);
    *ret_len = len;
    return exact;
}

/* --- what must be ------------------------------------------------------------- */

static void must_be_request(const struct sr_push_step *step)
{
    struct sr_parser parser;
    struct sr_record *record;
    size_t rows = 0;
    uint64_t id;

    must(step->text);
    sr_parser_init(&parser, step->text, step->len);
    while (sr_parser_next(&parser, &record) != SR_E_END) {
        must(!sr_record_uint(record, 0, &id) && id >= 80 && id <= 83);
        must(id == 80 || *sr_record_value(record, 1));
        must((id == 83) == (step->timeout_ms == 0));
        rows++;
    }
    must(rows == 1 || (rows == 2 && step->line == SR_PUSH_SIDE));
    sr_parser_release(&parser);
}

static void must_be_failure(const struct sr_push_failure *failure)
{
    must(failure->id >= 10000 && failure->id <= 10002);
    must(failure->rc <= 0 && failure->len <= SR_PUSH_FAILURE_TEXT_MAX);
    must(failure->text[failure->len] == '\0');
    must(!failure->rc || !failure->len);
}

static void take_step(struct world *w, const struct sr_push_step *step, bool last)
{
    switch (step->what) {
    case SR_PUSH_SEND:
        must(!w->busy[step->line]);
        w->busy[step->line] = true;
        must_be_request(step);
        if (step->line == SR_PUSH_MAIN)
            w->sent_ms = w->now;
        break;
    case SR_PUSH_CANCEL:
        must(w->busy[step->line]);
        w->busy[step->line] = false;
        break;
    case SR_PUSH_DELIVER:
        must(last && !w->delivering && step->text);
        w->delivering = true;
        break;
    case SR_PUSH_REPORT:
        must(last);
        must_be_failure(&w->machine.failure);
        break;
    case SR_PUSH_TELL: must(last && w->machine.subscribed && !w->delivering);
    }
}

static void must_be_well(const struct world *w)
{
    const struct sr_push_machine *m = &w->machine;
    uint64_t due = sr_push_machine_due(m);

    must(m->state == w->before || sr_push_change(w->before, m->state));
    must(w->busy[SR_PUSH_MAIN] ==
         (m->state == SR_PUSH_SHAKING || m->state == SR_PUSH_SUBSCRIBING ||
          m->state == SR_PUSH_HOLDING));
    must(!w->busy[SR_PUSH_SIDE] || m->state == SR_PUSH_HOLDING ||
         m->state == SR_PUSH_DELIVERING || m->state == SR_PUSH_PAUSING);
    must(w->delivering == (m->state == SR_PUSH_DELIVERING));
    must(m->subscribed == m->stats.connected && (!m->subscribed || *m->client_id));
    must(m->state != SR_PUSH_PAUSING || due <= w->now + 3600000);
    must(m->state != SR_PUSH_HOLDING || due <= w->now + 7200000 + 660000);
    must(!m->failed || w->delivering);
}

static void perform(struct world *w)
{
    must(w->steps.count <= SR_PUSH_STEPS_MAX);
    for (size_t i = 0; i < w->steps.count; i++)
        take_step(w, &w->steps.step[i], i == w->steps.count - 1);
    must_be_well(w);
    w->before = w->machine.state;
}

/* --- events ------------------------------------------------------------------------ */

static void answer(struct world *w, enum sr_push_line line, int rc, long status)
{
    struct sr_push_outcome outcome = { .rc = rc, .status = status };
    bool quick = w->now == w->sent_ms && w->machine.state == SR_PUSH_HOLDING;
    char *body = take_body(w, &outcome.len);

    if (w->delivering || !w->busy[line]) {
        free(body);
        return;
    }
    outcome.body = body;
    w->busy[line] = false;
    sr_push_machine_answered(&w->machine, line, &outcome, w->now, &w->steps);
    free(body);
    /* Whoever answers at once, and nothing, is not asked at once again. */
    must(line != SR_PUSH_MAIN || !quick || w->machine.state != SR_PUSH_HOLDING);
    perform(w);
}

static void hear(struct world *w)
{
    size_t len;
    char *bytes = take_body(w, &len);

    if (!w->delivering)
        sr_push_machine_heard(&w->machine, bytes, len, w->now);
    free(bytes);
}

static void pass_time(struct world *w, uint64_t ms)
{
    uint64_t due = sr_push_machine_due(&w->machine);

    if (w->delivering)
        return;
    w->now = ms ? w->now + ms : due == UINT64_MAX || due < w->now ? w->now : due;
    sr_push_machine_time(&w->machine, w->now, &w->steps);
    perform(w);
}

static void change(struct world *w, bool add)
{
    const char xid[] = { (char)('a' + take(w) % 70), '\0' };
    int rc = 0;

    if (add)
        rc = sr_push_machine_subscribe(&w->machine, xid, w->now, &w->steps);
    else
        sr_push_machine_unsubscribe(&w->machine, xid, w->now, &w->steps);
    must(rc == 0 || rc == SR_E_FULL);
    if (!rc)
        perform(w);
}

static void end_delivery(struct world *w)
{
    if (!w->delivering)
        return;
    w->delivering = false;
    sr_push_machine_delivered(&w->machine, w->now, &w->steps);
    perform(w);
}

static void happen(struct world *w, uint8_t event)
{
    static const long statuses[] = { 204, 301, 400, 401, 403, 404, 408, 429, 500, 503 };

    switch (event % 14) {
    case 0: answer(w, SR_PUSH_MAIN, 0, 200); break;
    case 1: answer(w, SR_PUSH_SIDE, 0, 200); break;
    case 2: answer(w, SR_PUSH_MAIN, 0, statuses[take(w) % 10]); break;
    case 3: answer(w, SR_PUSH_SIDE, 0, statuses[take(w) % 10]); break;
    case 4: answer(w, SR_PUSH_MAIN, -1 - take(w) % 16, 0); break;
    case 5: answer(w, SR_PUSH_SIDE, -1 - take(w) % 16, 0); break;
    case 6: hear(w); break;
    case 7: pass_time(w, 0); break;
    case 8: pass_time(w, 1 + (uint64_t)take(w) * 100); break;
    case 9: pass_time(w, (uint64_t)take(w) * 60000); break;
    case 10:
        sr_push_machine_sleep(&w->machine, w->now, &w->steps);
        perform(w);
        break;
    case 11:
        sr_push_machine_resume(&w->machine, w->now, &w->steps);
        perform(w);
        break;
    case 12: change(w, true); break;
    default: change(w, false);
    }
    if (event & 0x80)
        end_delivery(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct world w = { .at = data, .left = len, .now = 1000000 };

    the_world = &w;
    sr_push_machine_init(&w.machine, NULL, roll);
    if (take(&w) % 4 == 0)
        change(&w, true);
    must(!sr_push_machine_start(&w.machine, "24871", w.now, &w.steps));
    perform(&w);
    while (w.left)
        happen(&w, take(&w));
    sr_push_machine_release(&w.machine);
    return 0;
}
