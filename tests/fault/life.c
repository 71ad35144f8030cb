/* SPDX-License-Identifier: MIT */
#include "life.h"

#include "dice.h"
#include <pthread.h>
#include <signal.h>
#include <smartrest/smartrest.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

const char life_srversion[] = "fault_life_1";
const char life_srtemplate[] =
    "10,100,GET,/identity/externalIds/c8y_Serial/%%,,application/json,%%,STRING,\n"
    "10,101,POST,/inventory/managedObjects,application/json,application/json,%%,,"
    "\"{\"\"name\"\":\"\"Fault\"\",\"\"c8y_IsDevice\"\":{},"
    "\"\"com_cumulocity_model_Agent\"\":{}}\"\n"
    "10,102,POST,/identity/globalIds/%%/externalIds,application/json,,%%,UNSIGNED STRING,"
    "\"{\"\"type\"\":\"\"c8y_Serial\"\",\"\"externalId\"\":\"\"%%\"\"}\"\n"
    "10,103,POST,/measurement/measurements,application/json,,%%,NOW UNSIGNED NUMBER,"
    "\"{\"\"time\"\":\"\"%%\"\",\"\"source\"\":{\"\"id\"\":\"\"%%\"\"},"
    "\"\"type\"\":\"\"e2e\"\",\"\"e2e\"\":{\"\"n\"\":{\"\"value\"\":%%}}}\"\n"
    "11,500,$.managedObject,,$.id\n"
    "11,501,,$.c8y_IsDevice,$.id\n";

void life_set(struct life *life, const char *name, const char *value)
{
    struct life_setting *s = life->settings;

    while (s->name && strcmp(s->name, name))
        s++;
    s->name = name;
    snprintf(s->value, sizeof s->value, "%s", value);
}

void life_set_number(struct life *life, const char *name, unsigned value)
{
    char text[24];

    snprintf(text, sizeof text, "%u", value);
    life_set(life, name, text);
}

char *const *life_words(const struct life *life, const char *ledger)
{
    static char bytes[4096], *words[12 + LIFE_SETTINGS + 2];
    char *at = bytes;
    int n = 0;

#define WORD(...) (words[n++] = at, at += 1 + sprintf(at, __VA_ARGS__))
    WORD("fault_agent");
    WORD("%s", ledger);
    WORD("%s", life->dir);
    WORD("%s", life->server);
    WORD("%s", life->broker ? life->broker : "-");
    WORD("%s", life->device);
    WORD("%s", life->credentials ? life->credentials : "-");
    WORD("%u", life->rows);
    WORD("%u", life->burst);
    WORD("%u", life->pause_us);
    WORD("%u", life->ttl_s);
    WORD("%llu", (unsigned long long)life->seed);
    if (life->may_lose)
        WORD("may-lose");
    for (const struct life_setting *s = life->settings; s->name; s++)
        WORD("%s=%s", s->name, s->value);
#undef WORD
    words[n] = NULL;
    return words;
}

/* --- what must not happen ------------------------------------------------------- */

/* Whoever waits for it sees a status that no kill has. */
static void end(const char *what, const char *text)
{
    fprintf(stderr, "life: %s: %s\n", what, text);
    _exit(1);
}

static void on_loss(struct sr_agent *agent, const struct sr_loss *loss, void *arg)
{
    (void)agent, (void)arg;
    end("rows were lost", sr_fate_name(loss->fate));
}

static void on_trouble(struct sr_agent *agent, enum sr_trouble trouble,
                       const char *text, void *arg)
{
    (void)agent, (void)arg;
    if (text && (trouble == SR_TROUBLE_DISK || trouble == SR_TROUBLE_POISON))
        end("trouble", text);
}

/* --- the application ------------------------------------------------------------ */

struct leading {
    const struct life *life;
    struct sr_agent *agent;
    struct dice dice;
    _Atomic bool over;
};

static int send_row(struct leading *l, uint32_t n)
{
    const struct sr_send_options options = { .prio = SR_PRIO_BUF,
                                             .ttl_s = l->life->ttl_s };
    char text[LEDGER_TEXT];

    if (l->life->credentials)
        snprintf(text, sizeof text, "103,%s,%lu", sr_agent_id(l->agent),
                 (unsigned long)n);
    else
        ledger_text(n, text);
    return sr_agent_send_with(l->agent, text, &options);
}

/* What is not written down when the kill comes was not promised. */
static int send_next(struct leading *l)
{
    struct ledger *ledger = l->life->ledger;
    uint32_t n = atomic_load(&ledger->next);
    int rc;

    if (n >= LEDGER_ROWS)
        end("send", "the ledger is full");
    atomic_store(&ledger->state[n], LEDGER_TRIED);
    atomic_store(&ledger->next, n + 1);
    rc = send_row(l, n);
    if (rc && rc != SR_E_FULL)
        end("send", sr_strerror(rc));
    atomic_store(&ledger->state[n], rc ? LEDGER_REFUSED : LEDGER_ACCEPTED);
    return rc;
}

static void rest(unsigned us)
{
    nanosleep(
        &(struct timespec){ .tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000 },
        NULL);
}

static bool is_halted(const struct ledger *ledger)
{
    uint32_t halt = atomic_load(&ledger->halt);

    return halt && atomic_load(&ledger->next) >= halt;
}

static void *feed(void *arg)
{
    struct leading *l = arg;
    uint32_t left = l->life->rows;

    while (left && !atomic_load(&l->over)) {
        unsigned burst = dice_between(&l->dice, 1, l->life->burst);

        while (burst-- && left && !is_halted(l->life->ledger) && !send_next(l))
            left--;
        rest(dice_below(&l->dice, l->life->pause_us + 1));
    }
    return NULL;
}

/* --- its life ------------------------------------------------------------------- */

static int open_outbox(struct leading *l)
{
    const struct life *life = l->life;
    int rc = sr_agent_new(life->server, life->device, &l->agent);

    if (!rc && !life->may_lose) {
        sr_agent_on_loss(l->agent, on_loss, NULL);
        sr_agent_on_trouble(l->agent, on_trouble, NULL);
    }
    for (const struct life_setting *s = life->settings; !rc && s->name; s++)
        rc = sr_agent_set(l->agent, s->name, s->value);
    if (!rc)
        rc = sr_agent_open_outbox(l->agent, life->dir);
    atomic_store(&life->ledger->phase, LEDGER_OPENED);
    return rc;
}

static int introduce(struct leading *l)
{
    if (l->life->credentials)
        return sr_agent_bootstrap(l->agent, l->life->credentials) ||
               sr_agent_integrate(l->agent, life_srversion, life_srtemplate);
    return sr_agent_set_credentials(l->agent, "t4711", "device_fault", "s3cr3t9xQ") ||
           sr_agent_set_xid(l->agent, "24830") || sr_agent_set_id(l->agent, "10042");
}

static int report(struct leading *l)
{
    struct sr_reporter *reporter;
    int rc = l->life->broker
                 ? sr_reporter_new_mqtt(l->agent, l->life->broker, &reporter)
                 : sr_reporter_new_http(l->agent, &reporter);

    return rc ? rc : sr_reporter_start(reporter);
}

/* Rows may be sent as soon as there is an agent; those of the sandbox need the id of the
 * device's object. */
static int start(struct leading *l, pthread_t *ret_feeder)
{
    bool early = !l->life->credentials;

    if (open_outbox(l) || sr_agent_stop_on(l->agent, SIGINT))
        return 1;
    if (early)
        pthread_create(ret_feeder, NULL, feed, l);
    if (introduce(l) || report(l))
        return 1;
    if (!early)
        pthread_create(ret_feeder, NULL, feed, l);
    return 0;
}

int life_lead(const struct life *life)
{
    struct leading l = { .life = life, .dice = { life->seed } };
    pthread_t feeder;

    atomic_store(&life->ledger->phase, LEDGER_STARTING);
    sr_log_set_level(life->may_lose ? SR_LOG_NOTICE : SR_LOG_ERROR);
    if (start(&l, &feeder))
        end("start", sr_agent_error(l.agent));
    atomic_store(&life->ledger->phase, LEDGER_RUNNING);
    if (sr_agent_loop(l.agent))
        end("loop", sr_agent_error(l.agent));
    atomic_store(&l.over, true);
    pthread_join(feeder, NULL);
    sr_agent_free(l.agent);
    return 0;
}
