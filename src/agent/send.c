/* SPDX-License-Identifier: MIT */
#include "agent/agent_p.h"
#include <smartrest/row.h>
#include <string.h>

/* Is `text` one or more rows, whose first begins with `ids` values that are not empty? */
static bool is_rows(const char *text, size_t len, size_t ids)
{
    struct sr_lexer lexer;
    struct sr_span span;
    enum sr_token token;
    size_t in_first = 0;
    bool first_row = true;

    sr_lexer_init(&lexer, text, len);
    while ((token = sr_lexer_next(&lexer, &span)) != SR_TOKEN_END) {
        if (token == SR_TOKEN_ERROR)
            return false;
        if (token == SR_TOKEN_NEWLINE)
            first_row = false;
        else if (first_row && in_first++ < ids && (!span.len || span.quoted))
            return false; /* no id, no row */
    }
    return in_first >= ids;
}

static size_t without_line_ends(const char *text)
{
    size_t len = strlen(text);

    while (len && (text[len - 1] == '\n' || text[len - 1] == '\r'))
        len--;
    return len;
}

int sr_agent_send(struct sr_agent *agent, const char *row, int prio)
{
    bool due = false;
    size_t len;
    int rc;

    if (!agent || !row || (prio & ~(SR_PRIO_BUF | SR_PRIO_XID)))
        return SR_E_INVAL;
    len = without_line_ends(row);
    if (len > SR_ROW_MAX)
        return SR_E_TOOBIG;
    if (!is_rows(row, len, prio & SR_PRIO_XID ? 2 : 1) ||
        ((prio & SR_PRIO_XID) && strcspn(row, ",") > 255))
        return SR_E_SYNTAX;
    rc = sr_outbox_put(agent->outbox, row, len, prio, sr_now_ms(), &due);
    if (!rc && due)
        sr_loop_wake(agent->loop);
    return rc;
}

static int sendf(struct sr_agent *agent, int prio, const char *format, va_list args)
{
    struct sr_row row;
    int rc;

    sr_row_init(&row, SR_ROW_MAX);
    sr_row_vformat(&row, format, args);
    rc = sr_row_error(&row);
    if (!rc)
        rc = sr_agent_send(agent, sr_row_text(&row), prio);
    sr_row_release(&row);
    return rc;
}

int sr_agent_sendf(struct sr_agent *agent, const char *format, ...)
{
    va_list args;
    int rc;

    va_start(args, format);
    rc = sendf(agent, 0, format, args);
    va_end(args);
    return rc;
}

int sr_agent_sendf_prio(struct sr_agent *agent, int prio, const char *format, ...)
{
    va_list args;
    int rc;

    va_start(args, format);
    rc = sendf(agent, prio, format, args);
    va_end(args);
    return rc;
}
