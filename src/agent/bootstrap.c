/* SPDX-License-Identifier: MIT */
#include "agent/agent_p.h"

#include "base/fd.h"
#include <errno.h>
#include <smartrest/row.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SR_LOG_COMPONENT "agent"
#include <smartrest/log.h>

enum { INTERVAL_MIN_MS = 100, LOGIN_MAX = 2 * SR_CREDENTIAL_MAX + 2 };

/* Remembered for the end of the attempts, and logged when it is another than before. */
static int ignore(struct sr_agent *agent, const char *reason)
{
    char before[sizeof agent->error];

    strcpy(before, agent->error);
    sr_agent_fail(agent, SR_E_PROTO, "%s answers with credentials (row 70), but %s",
                  agent->url, reason);
    if (strcmp(before, agent->error))
        sr_warning("%s; asking again", agent->error);
    return SR_E_NOTFOUND;
}

/* 70,<line>,<device id>,<tenant>,<user>,<password> */
static int take_credentials(struct sr_agent *agent, struct sr_record *record)
{
    struct sr_credential_text id, texts[3];
    char reason[SR_CREDENTIALS_REASON_MAX];

    id.bytes = sr_record_bytes(record, 2, &id.len);
    if (id.len != strlen(agent->device_id) ||
        memcmp(id.bytes, agent->device_id, id.len))
        return ignore(agent, "they are for another device");
    if (sr_record_size(record) != 6)
        return ignore(agent, "the row has fewer or more than six values");
    for (size_t i = 0; i < 3; i++)
        texts[i].bytes = sr_record_bytes(record, 3 + i, &texts[i].len);
    if (!sr_credentials_storable(texts, reason))
        return ignore(agent, reason);
    return sr_agent_set_credentials(agent, sr_record_value(record, 3),
                                    sr_record_value(record, 4),
                                    sr_record_value(record, 5));
}

/* Returns 0 with credentials; SR_E_NOTFOUND, not yet; SR_E_AUTH. */
static int read_answer(struct sr_agent *agent)
{
    struct sr_parser parser;
    struct sr_record *record;
    int rc, verdict = SR_E_NOTFOUND;

    sr_parser_init(&parser, agent->answer, agent->answer_len);
    while (verdict == SR_E_NOTFOUND &&
           (rc = sr_parser_next(&parser, &record)) != SR_E_END) {
        const char *id = rc ? "" : sr_record_value(record, 0);

        if (rc == SR_E_NOMEM)
            break;
        if (!strcmp(id, "70"))
            verdict = take_credentials(agent, record);
        else if (!strcmp(id, "50") && (!strcmp(sr_record_value(record, 2), "401") ||
                                       !strcmp(sr_record_value(record, 2), "403")))
            verdict = sr_agent_fail(agent, SR_E_AUTH,
                                    "%s refuses the bootstrap account", agent->url);
    }
    sr_parser_release(&parser);
    return verdict;
}

static int ask_once(struct sr_agent *agent)
{
    char login[LOGIN_MAX];
    struct sr_row row;
    int rc;

    snprintf(login, sizeof login, "%s/%s", agent->bootstrap_account.tenant,
             agent->bootstrap_account.user);
    sr_row_init(&row, 0);
    sr_row_format(&row, "61,%s", agent->device_id);
    rc = sr_row_error(&row);
    if (!rc)
        rc = sr_agent_exchange(agent, login, agent->bootstrap_account.password, NULL,
                               sr_row_text(&row));
    sr_row_release(&row);
    return rc ? rc : read_answer(agent);
}

/* Credentials that came and could not be taken are the better reason. */
static int not_accepted(struct sr_agent *agent, unsigned asked)
{
    if (*agent->error)
        return SR_E_TIMEOUT;
    return sr_agent_fail(agent, SR_E_TIMEOUT,
                         "device '%.300s' was not accepted at %s; asked %u times",
                         agent->device_id, agent->server, asked);
}

static int ask(struct sr_agent *agent)
{
    unsigned asked = 0;
    int rc;

    agent->error[0] = '\0'; /* what is said of answers is said of these */
    for (;;) {
        rc = ask_once(agent);
        if (rc != SR_E_NOTFOUND)
            return rc;
        if (asked++ == 0)
            sr_notice("waiting for device '%.300s' to be registered and accepted at %s",
                      agent->device_id, agent->server);
        if (agent->bootstrap_attempts && asked >= agent->bootstrap_attempts)
            return not_accepted(agent, asked);
        rc = sr_agent_pause(agent, agent->bootstrap_interval_ms);
        if (rc)
            return rc;
    }
}

static int file_error(struct sr_agent *agent, const char *what, const char *path)
{
    return sr_agent_fail(agent, SR_E_IO, "cannot %s credentials file %.500s: %s", what,
                         path, sr_fd_file_error(errno));
}

static int load(struct sr_agent *agent, const char *path)
{
    struct sr_credentials found = { 0 };
    char reason[SR_CREDENTIALS_REASON_MAX];
    int rc = sr_credentials_load(path, &found, reason);

    if (!rc)
        rc = sr_agent_set_credentials(agent, found.tenant, found.user, found.password);
    else if (rc == SR_E_CORRUPT)
        sr_warning("credentials file %s is damaged: %s; asking for new credentials",
                   path, reason);
    else if (rc == SR_E_IO)
        file_error(agent, "read", path);
    sr_credentials_release(&found);
    return rc;
}

static int ask_and_store(struct sr_agent *agent, const char *path)
{
    int rc;

    if (sr_credentials_probe(path))
        return file_error(agent, "write", path);
    rc = ask(agent);
    if (rc)
        return rc;
    if (sr_credentials_store(path, &agent->credentials))
        return file_error(agent, "write", path);
    sr_notice("device '%.300s' is accepted as %s; credentials are in %s",
              agent->device_id, agent->login, path);
    return 0;
}

/* Beside the credentials there may be files. */
static int note_path(struct sr_agent *agent, const char *path)
{
    char *known;

    if (asprintf(&known, "%s.templates", path) < 0)
        return sr_agent_fail(agent, SR_E_NOMEM, "out of memory");
    free(agent->known_path);
    agent->known_path = known;
    return 0;
}

int sr_agent_bootstrap(struct sr_agent *agent, const char *path)
{
    int rc = sr_agent_enter(agent);

    if (rc)
        return rc;
    rc = sr_agent_check_setup(agent);
    if (!rc && (!path || !*path))
        rc = sr_agent_fail(agent, SR_E_INVAL, "no path for the credentials file");
    if (!rc) {
        rc = load(agent, path);
        if (rc == SR_E_NOTFOUND || rc == SR_E_CORRUPT)
            rc = ask_and_store(agent, path);
    }
    if (!rc)
        rc = note_path(agent, path);
    return sr_agent_leave(agent, rc);
}

int sr_agent_set_bootstrap_account(struct sr_agent *agent, const char *tenant,
                                   const char *user, const char *password)
{
    char reason[SR_CREDENTIALS_REASON_MAX];

    if (!agent)
        return SR_E_INVAL;
    if (!sr_credentials_valid(tenant, user, password, reason))
        return sr_agent_fail(agent, SR_E_INVAL, "bootstrap account: %s", reason);
    return sr_credentials_set(&agent->bootstrap_account, tenant, user, password);
}

void sr_agent_set_bootstrap_poll(struct sr_agent *agent, uint64_t interval_ms,
                                 unsigned attempts)
{
    if (!agent)
        return;
    agent->bootstrap_interval_ms =
        interval_ms > INTERVAL_MIN_MS ? interval_ms : INTERVAL_MIN_MS;
    agent->bootstrap_attempts = attempts;
}
