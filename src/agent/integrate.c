/* SPDX-License-Identifier: MIT */
#include "agent/agent_p.h"
#include "agent/known.h"
#include "base/backoff.h"
#include "base/fd.h"
#include <errno.h>
#include <smartrest/row.h>
#include <stdlib.h>
#include <string.h>

#define SR_LOG_COMPONENT "agent"
#include <smartrest/log.h>

/* Templates of the standard flow, and what they answer. */
enum {
    GET_IDENTITY = 100,
    CREATE_DEVICE = 101,
    CREATE_IDENTITY = 102,
    FOUND = 500,
    CREATED = 501
};

/* What the platform's answer to one row comes down to. */
struct outcome {
    unsigned id;     /* message id of the row that decided, 0 if no row came */
    unsigned status; /* HTTP status of a row 50 */
    char value[SR_ID_MAX + 2]; /* value 2 (of row 20: value 1); cut, it is no id */
    char text[256];            /* last value: what the platform says about an error */
};

static bool is_error_row(uint64_t id)
{
    return (id >= 40 && id <= 45) || id == 50;
}

static void copy_text(char *to, size_t size, const char *from)
{
    size_t len = strnlen(from, size - 1);

    memcpy(to, from, len);
    to[len] = '\0';
}

/* A value with a NUL byte in it is none. */
static void copy_value(char *to, size_t size, struct sr_record *record, size_t i)
{
    size_t len;
    const char *bytes = sr_record_bytes(record, i, &len);

    copy_text(to, size,
              bytes && !memchr(bytes, '\0', len) ? sr_record_value(record, i) : "");
}

static void note_row(struct outcome *outcome, struct sr_record *record, uint64_t id)
{
    uint64_t status;

    outcome->id = (unsigned)id;
    if (id == 50 && !sr_record_uint(record, 2, &status) && status < 1000)
        outcome->status = (unsigned)status;
    copy_value(outcome->value, sizeof outcome->value, record, id == 20 ? 1 : 2);
    copy_text(outcome->text, sizeof outcome->text,
              sr_record_value(record, sr_record_size(record) - 1));
}

/* The first row with id `wanted`, or that reports an error. */
static void read_outcome(struct sr_agent *agent, unsigned wanted, struct outcome *ret)
{
    struct sr_parser parser;
    struct sr_record *record;
    uint64_t id;
    int rc;

    *ret = (struct outcome){ 0 };
    sr_parser_init(&parser, agent->answer, agent->answer_len);
    while (!ret->id && (rc = sr_parser_next(&parser, &record)) != SR_E_END) {
        if (rc == SR_E_NOMEM)
            break;
        if (!rc && !sr_record_uint(record, 0, &id) &&
            (id == wanted || is_error_row(id)))
            note_row(ret, record, id);
    }
    sr_parser_release(&parser);
}

static bool may_heal(const struct outcome *outcome)
{
    return outcome->id == 50 &&
           (outcome->status >= 500 || outcome->status == 408 || outcome->status == 429);
}

/* Posts `rows` and reads what became of them; a platform that fails is asked again. */
static int ask(struct sr_agent *agent, const char *xid, const char *rows,
               unsigned wanted, struct outcome *ret)
{
    struct sr_backoff backoff = { 0 };
    uint64_t since = sr_now_ms();
    int rc;

    for (;;) {
        rc = sr_agent_exchange(agent, agent->login, agent->credentials.password, xid,
                               rows);
        if (rc)
            return rc;
        read_outcome(agent, wanted, ret);
        if (!may_heal(ret))
            return 0;
        if (agent->wait_ms && sr_now_ms() - since >= agent->wait_ms)
            return sr_agent_fail(agent, SR_E_UNREACHABLE, "%s: the platform answers %u",
                                 agent->url, ret->status);
        sr_notice("%s: the platform answers %u; trying again", agent->url, ret->status);
        rc = sr_agent_pause(agent, sr_backoff_next(&backoff, sr_random32()));
        if (rc)
            return rc;
    }
}

/* The error that an outcome which is not the wanted one comes down to. */
static int refuse(struct sr_agent *agent, const char *what,
                  const struct outcome *outcome)
{
    if (outcome->id == 50 && (outcome->status == 401 || outcome->status == 403))
        return sr_agent_fail(agent, SR_E_AUTH, "%s refuses user %s (%s: status %u)",
                             agent->url, agent->login, what, outcome->status);
    if (outcome->id)
        return sr_agent_fail(agent, SR_E_REFUSED, "%s refuses the %s: %u %s",
                             agent->url, what, outcome->id, outcome->text);
    return sr_agent_fail(agent, SR_E_PROTO,
                         "%s answers the %s with no row that says what became of it",
                         agent->url, what);
}

/* --- templates ---------------------------------------------------------- */

static int check_templates(struct sr_agent *agent, const char *srversion,
                           struct outcome *ret)
{
    int rc = ask(agent, srversion, "", 20, ret);

    if (!rc && ret->id == 20 && sr_agent_set_xid(agent, ret->value))
        rc = refuse(agent, "template check", &(struct outcome){ 0 });
    return rc;
}

/* The platform has templates under this name: are they ours? `made`: just now by us. Only a
 * file can tell, so without one there is nothing to say; nothing else depends on it. */
static void remember_templates(struct sr_agent *agent, const char *srversion,
                               const char *srtemplate, bool made)
{
    uint32_t sum = sr_known_sum(srtemplate);
    const char *path = agent->known_path;
    enum sr_known known = path ? sr_known_compare(path, srversion, sum) : SR_KNOWN_SAME;

    if (known == SR_KNOWN_OTHER && !made)
        sr_warning("templates %s have changed since they were registered (%s): the "
                   "platform goes on with the old ones; give the new ones another name",
                   srversion, path);
    else if (known != SR_KNOWN_SAME && sr_known_store(path, srversion, sum))
        sr_info("cannot remember the templates in %s: %s", path,
                sr_fd_file_error(errno));
}

static int register_templates(struct sr_agent *agent, const char *srversion,
                              const char *srtemplate)
{
    struct outcome known, made;
    int rc = check_templates(agent, srversion, &known);

    if (rc)
        return rc;
    if (known.id == 20) {
        remember_templates(agent, srversion, srtemplate, false);
        return 0;
    }
    if (known.id != 40)
        return refuse(agent, "template check", &known);
    rc = ask(agent, srversion, srtemplate, 20, &made);
    if (rc)
        return rc;
    if (made.id == 20) {
        if (sr_agent_set_xid(agent, made.value))
            return refuse(agent, "templates", &(struct outcome){ 0 });
        remember_templates(agent, srversion, srtemplate, true);
        return 0;
    }
    /* Another device may have registered the same templates in between. */
    rc = check_templates(agent, srversion, &known);
    if (!rc && known.id == 20)
        remember_templates(agent, srversion, srtemplate, false);
    return rc || known.id == 20 ? rc : refuse(agent, "templates", &made);
}

int sr_template_register(struct sr_agent *agent, const char *srversion,
                         const char *srtemplate)
{
    int rc = sr_agent_enter(agent);

    if (rc)
        return rc;
    if (!srversion || !*srversion || !srtemplate)
        rc = sr_agent_fail(agent, SR_E_INVAL, "no templates to register");
    else if (!agent->login)
        rc = sr_agent_fail(agent, SR_E_STATE,
                           "no credentials yet: bootstrap comes first");
    else if (sr_replace_text(&agent->srversion, srversion))
        rc = sr_agent_fail(agent, SR_E_NOMEM, "out of memory");
    else
        rc = register_templates(agent, srversion, srtemplate);
    return sr_agent_leave(agent, rc);
}

/* --- the device --------------------------------------------------------- */

static unsigned occurrences(const char *text, const char *of)
{
    unsigned n = 0;

    while ((text = strstr(text, of))) {
        text += strlen(of);
        n++;
    }
    return n;
}

/* How many values does request template `record` take? Types NOW take none. */
static unsigned arguments(struct sr_record *record)
{
    const char *placeholder = sr_record_value(record, 6);
    const char *types = sr_record_value(record, 7);
    unsigned n, now = 0;

    if (!*placeholder)
        return 0;
    for (const char *t = types; (t = strstr(t, "NOW")); t += 3)
        now++;
    n = occurrences(sr_record_value(record, 3), placeholder) +
        occurrences(sr_record_value(record, 8), placeholder);
    return n > now ? n - now : 0;
}

/* The arguments of request template `id` in `srtemplate`; 0 if it is not there, since
 * then the platform says so. */
static unsigned arguments_of(const char *srtemplate, uint64_t id)
{
    struct sr_parser parser;
    struct sr_record *record;
    unsigned n = 0;
    uint64_t kind, found;
    int rc;

    sr_parser_init(&parser, srtemplate, strlen(srtemplate));
    while ((rc = sr_parser_next(&parser, &record)) != SR_E_END && rc != SR_E_NOMEM)
        if (!rc && !sr_record_uint(record, 0, &kind) && kind == 10 &&
            !sr_record_uint(record, 1, &found) && found == id)
            n = arguments(record);
    sr_parser_release(&parser);
    return n;
}

static int ask_row(struct sr_agent *agent, struct sr_row *row, unsigned wanted,
                   struct outcome *ret)
{
    int rc = sr_row_error(row);

    if (rc)
        sr_agent_fail(agent, rc, "out of memory");
    else
        rc = ask(agent, agent->xid, sr_row_text(row), wanted, ret);
    sr_row_release(row);
    return rc;
}

static int find_device(struct sr_agent *agent, struct outcome *ret)
{
    struct sr_row row;

    sr_row_init(&row, 0);
    sr_row_start(&row, GET_IDENTITY);
    sr_row_string(&row, agent->device_id);
    return ask_row(agent, &row, FOUND, ret);
}

static int create_device(struct sr_agent *agent, const char *srtemplate)
{
    unsigned count = arguments_of(srtemplate, CREATE_DEVICE);
    struct outcome outcome;
    struct sr_row row;
    int rc;

    if (count > 1)
        return sr_agent_fail(
            agent, SR_E_INVAL,
            "template 101 takes %u values; the standard flow has only the "
            "device id: see sr_agent_on_integrate()",
            count);
    sr_row_init(&row, 0);
    sr_row_start(&row, CREATE_DEVICE);
    if (count)
        sr_row_json(&row, agent->device_id);
    rc = ask_row(agent, &row, CREATED, &outcome);
    if (rc)
        return rc;
    if (outcome.id != CREATED || sr_agent_set_id(agent, outcome.value))
        return refuse(agent, "device (row 101)", &outcome);
    return 0;
}

/* A row without an error row is a row that went well. */
static int bind_device(struct sr_agent *agent, struct outcome *ret)
{
    struct sr_row row;

    sr_row_init(&row, 0);
    sr_row_start(&row, CREATE_IDENTITY);
    sr_row_string(&row, agent->id);
    sr_row_json(&row, agent->device_id);
    return ask_row(agent, &row, 0, ret);
}

static int take_found(struct sr_agent *agent, const struct outcome *found)
{
    if (sr_agent_set_id(agent, found->value))
        return refuse(agent, "look-up (row 100)", &(struct outcome){ 0 });
    return 0;
}

static int identify(struct sr_agent *agent, const char *srtemplate)
{
    struct outcome found, bound;
    int rc = find_device(agent, &found);

    if (rc)
        return rc;
    if (found.id == FOUND)
        return take_found(agent, &found);
    if (found.id != 50 || found.status != 404)
        return refuse(agent, "look-up (row 100)", &found);

    rc = create_device(agent, srtemplate);
    if (!rc)
        rc = bind_device(agent, &bound);
    if (rc || !bound.id)
        return rc;
    /* Refused, perhaps because an answer was lost and the first try had worked. */
    rc = find_device(agent, &found);
    if (rc)
        return rc;
    return found.id == FOUND ? take_found(agent, &found)
                             : refuse(agent, "external id (row 102)", &bound);
}

/* --- integrate ---------------------------------------------------------- */

static int integrate(struct sr_agent *agent, const char *srversion,
                     const char *srtemplate)
{
    int rc;

    if (agent->integrate)
        return agent->integrate(agent, srversion, srtemplate, agent->integrate_arg);
    rc = sr_template_register(agent, srversion, srtemplate);
    if (!rc)
        rc = identify(agent, srtemplate);
    if (!rc)
        sr_info("device '%.300s' is managed object %s, templates %s are %s",
                agent->device_id, agent->id, srversion, agent->xid);
    return rc;
}

int sr_agent_integrate(struct sr_agent *agent, const char *srversion,
                       const char *srtemplate)
{
    int rc = sr_agent_enter(agent);

    if (rc)
        return rc;
    rc = integrate(agent, srversion, srtemplate);
    return sr_agent_leave(agent, rc);
}

void sr_agent_on_integrate(struct sr_agent *agent, sr_integrate_fn fn, void *arg)
{
    if (!agent)
        return;
    agent->integrate = fn;
    agent->integrate_arg = arg;
}
