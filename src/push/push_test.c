/* SPDX-License-Identifier: MIT */
/* A push of an agent against servers that play parts. */
#include "push/push.h"

#include "push/fake_platform.h"
#include "support/run.h"
#include <pthread.h>
#include <setjmp.h>
#include <smartrest/smartrest.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* after what it needs */
#include <cmocka.h>

#define CID "2s1128n70miv86f189yoto03tp9a"

enum { MAX_OPERATIONS = 10000 };

struct fixture {
    struct sr_agent *agent;
    struct sr_push *push;
    struct sr_reporter *reporter;
    struct platform *platform;
    int (*answers)(struct exchange *exchange, struct fixture *fx); /* to 83 */
    char heard[4096]; /* by handlers: id,value; */
    char log[8192];
    const char *text;  /* of the part */
    size_t at;         /* of the part */
    atomic_int portal; /* requests that a portal takes */
    unsigned tellings; /* that it is connected */
    void (*in_handler)(struct fixture *fx);
    unsigned in_handler_sent;        /* requests that had come when a handler ran */
    uint64_t push_fds, reporter_fds; /* of the platform's connections, bits */
    /* the model of reliable mode */
    pthread_mutex_t lock;
    uint32_t dice;
    unsigned created, acked, batch, in_batch, drops;
    uint8_t seen[MAX_OPERATIONS];
    unsigned seen_count;
};

static void keep_log(enum sr_log_level level, const char *component, const char *text,
                     void *arg)
{
    struct fixture *fx = arg;

    (void)level, (void)component;
    if (strlen(fx->log) + strlen(text) + 2 < sizeof fx->log)
        strcat(strcat(fx->log, text), "\n");
}

static int set_up(void **state)
{
    struct fixture *fx = calloc(1, sizeof *fx);

    no_proxies();
    pthread_mutex_init(&fx->lock, NULL);
    sr_log_set_sink(keep_log, fx);
    *state = fx;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fx = *state;

    sr_agent_free(fx->agent);
    platform_stop(fx->platform);
    sr_log_set_sink(NULL, NULL);
    pthread_mutex_destroy(&fx->lock);
    free(fx);
    return 0;
}

/* --- the platform's part ---------------------------------------------------------- */

/* Handshake and subscriptions go well; each 83 is the test's. */
static bool behave(struct exchange *x, void *arg)
{
    struct fixture *fx = arg;

    if (asks(x, "80,true"))
        return answer(x, CID "\n");
    if (asks(x, "83,"))
        return fx->answers(x, fx);
    return answer(x, "");
}

static int hold_for_ever(struct exchange *x, struct fixture *fx)
{
    (void)fx;
    hold(x);
    return false;
}

/* The first connect is answered by fx->text, the others are held. */
static int answer_first(struct exchange *x, struct fixture *fx)
{
    if (!strcmp(x->body, "83," CID))
        return answer(x, fx->text);
    return hold_for_ever(x, fx);
}

/* --- the agent's ----------------------------------------------------------------------- */

/* Notes what it is called with. */
static void hear(struct sr_agent *agent, struct sr_record *record, void *arg)
{
    struct fixture *fx = arg;
    size_t len = strlen(fx->heard), n = sr_record_size(record);

    assert_ptr_equal(agent, fx->agent);
    for (size_t i = 0; i < n && len < sizeof fx->heard - 1; i++)
        len += (size_t)snprintf(fx->heard + len, sizeof fx->heard - len, "%s%s",
                                sr_record_value(record, i), i + 1 < n ? "," : ";");
    fx->in_handler_sent = platform_requests(fx->platform);
    if (fx->in_handler)
        fx->in_handler(fx);
}

static void make_agent(struct fixture *fx, uint16_t port)
{
    static const unsigned ids[] = { 50, 88, 86, 502, 503, 10000, 10001, 10002 };
    char url[64];

    snprintf(url, sizeof url, "http://127.0.0.1:%u/", (unsigned)port);
    assert_int_equal(sr_agent_new(url, "gw-0001", &fx->agent), 0);
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++)
        sr_agent_on_message(fx->agent, ids[i], hear, fx);
    assert_int_equal(sr_push_new(fx->agent, &fx->push), 0);
}

static void identify(struct fixture *fx)
{
    assert_int_equal(
        sr_agent_set_credentials(fx->agent, "t4711", "device_gw-0001", "s3cr3t9xQ"), 0);
    assert_int_equal(sr_agent_set_xid(fx->agent, "24830"), 0);
    assert_int_equal(sr_agent_set_id(fx->agent, "24871"), 0);
}

/* An agent whose platform plays `part`; the push is not started. */
static void prepare(struct fixture *fx, platform_part part)
{
    fx->platform = platform_start(part, fx);
    make_agent(fx, platform_port(fx->platform));
    identify(fx);
}

static void begin(struct fixture *fx,
                  int (*answers)(struct exchange *exchange, struct fixture *fx))
{
    fx->answers = answers;
    prepare(fx, behave);
    assert_int_equal(sr_push_start(fx->push), 0);
}

static void end(struct fixture *fx)
{
    fx->agent = sr_agent_free(fx->agent);
    platform_stop(fx->platform);
    fx->platform = NULL;
    fx->heard[0] = '\0';
}

static void times(struct fixture *fx, uint64_t quiet_ms)
{
    struct sr_push_times times = sr_push_defaults;

    times.quiet = quiet_ms;
    times.stall = quiet_ms / 2;
    sr_push_set_times(fx->push, &times);
}

static struct sr_push_stats stats_of(const struct fixture *fx)
{
    struct sr_push_stats stats;

    sr_push_stats(fx->push, &stats);
    return stats;
}

static bool has_heard(const struct fixture *fx, const char *text)
{
    return strstr(fx->heard, text) != NULL;
}

#define run_until_asked(fx, body) \
    run_until((fx)->agent, platform_count((fx)->platform, body) > 0)

/* --- the calls ---------------------------------------------------------------------- */

static void wrong_calls_are_refused(void **state)
{
    struct fixture *fx = *state;
    struct sr_push *second = NULL;
    struct sr_push_stats stats;

    make_agent(fx, 9);
    assert_int_equal(sr_push_new(NULL, &second), SR_E_INVAL);
    assert_int_equal(sr_push_new(fx->agent, NULL), SR_E_INVAL);
    assert_int_equal(sr_push_new(fx->agent, &second), SR_E_STATE);
    assert_null(second);
    assert_int_equal(sr_push_start(NULL), SR_E_INVAL);
    assert_int_equal(sr_push_start(fx->push), SR_E_STATE);
    assert_non_null(strstr(sr_agent_error(fx->agent), "after bootstrap and integrate"));
    identify(fx);
    assert_int_equal(sr_push_subscribe(NULL, "x"), SR_E_INVAL);
    assert_int_equal(sr_push_subscribe(fx->push, NULL), SR_E_INVAL);
    assert_int_equal(sr_push_subscribe(fx->push, ""), SR_E_INVAL);
    assert_int_equal(sr_push_subscribe(fx->push, "a,b"), SR_E_INVAL);
    assert_int_equal(sr_push_unsubscribe(fx->push, "a\nb"), SR_E_INVAL);
    assert_int_equal(sr_push_unsubscribe(fx->push, "never"), 0);
    assert_int_equal(sr_push_subscribe(fx->push, "24830"), 0); /* its own */
    assert_int_equal(sr_push_start(fx->push), 0);
    assert_int_equal(sr_push_start(fx->push), SR_E_STATE);
    sr_push_sleep(NULL);
    sr_push_resume(NULL);
    assert_false(sr_push_is_sleeping(NULL));
    assert_null(sr_push_free(NULL));
    sr_push_stats(NULL, &stats);
    assert_false(stats.connected);
    fx->push = sr_push_free(fx->push);
    assert_int_equal(sr_push_new(fx->agent, &fx->push), 0);
}

static void a_bad_server_is_named(void **state)
{
    struct fixture *fx = *state;

    assert_int_equal(sr_agent_new("ftp://host", "gw", &fx->agent), 0);
    assert_int_equal(sr_push_new(fx->agent, &fx->push), 0);
    identify(fx);
    assert_int_equal(sr_push_start(fx->push), SR_E_INVAL);
    assert_non_null(strstr(sr_agent_error(fx->agent), "ftp://host"));
}

/* --- what it does ------------------------------------------------------------------- */

static void operations_reach_their_handlers_and_are_acknowledged_then(void **state)
{
    struct fixture *fx = *state;
    const char *head;

    fx->text = "88,1\n502,1,24902,24871\n86,,5400000,0,retry\n503,1,\"a,b\"\n";
    begin(fx, answer_first);
    run_until_asked(fx, "83," CID ",1");
    assert_string_equal(fx->heard, "502,1,24902,24871;503,1,a,b;");
    assert_int_equal(fx->in_handler_sent, 3); /* the acknowledgement came later */
    assert_string_equal(platform_body(fx->platform, 0), "80,true");
    assert_string_equal(platform_body(fx->platform, 1), "81," CID ",/24871");
    assert_string_equal(platform_body(fx->platform, 2), "83," CID);
    for (unsigned i = 0; i < 4; i++) {
        head = platform_head(fx->platform, i);
        assert_int_equal(
            strncmp(head, "POST /devicecontrol/notifications HTTP/1.1\r\n", 44), 0);
        assert_non_null(strstr(head, "\r\nX-Id: 24830\r\n"));
        assert_non_null(strstr(head, "\r\nAuthorization: Basic "
                                     "dDQ3MTEvZGV2aWNlX2d3LTAwMDE6czNjcjN0OXhR\r\n"));
    }
    assert_true(stats_of(fx).connected);
    assert_int_equal(stats_of(fx).rows_received, 2);
    assert_int_equal(stats_of(fx).rows_malformed, 0);
    assert_int_equal(stats_of(fx).batches, 1);
    assert_int_equal(stats_of(fx).handshakes, 1);
    assert_int_equal(stats_of(fx).connects, 1);
    assert_int_equal(stats_of(fx).failures, 0);
    assert_null(strstr(fx->log, "s3cr3t"));
}

/* --- a captive portal ------------------------------------------------------------- */

/* As `behave`, but empty answers and nothing else are given to 81 and to the question who has
 * answered, until fx->portal is 0. */
static bool say_nothing(struct exchange *x, void *arg)
{
    struct fixture *fx = arg;

    if (asks(x, "81,") && atomic_fetch_sub(&fx->portal, 1) == 1)
        platform_leave_checks(fx->platform, false);
    return *x->body ? behave(x, arg) : answer(x, "");
}

static void an_empty_answer_of_anybody_subscribes_nothing(void **state)
{
    struct fixture *fx = *state;

    fx->answers = hold_for_ever;
    atomic_store(&fx->portal, 3);
    prepare(fx, say_nothing);
    platform_leave_checks(fx->platform, true);
    assert_int_equal(sr_push_start(fx->push), 0);
    run_until(fx->agent, has_heard(fx, "10001,0,-13;10001,0,-13;"));
    assert_int_equal(platform_count(fx->platform, "83," CID), 0);
    assert_int_equal(platform_count(fx->platform, "80,true"), 1);
    assert_non_null(strstr(fx->log, "an empty answer, and nothing shows"));
    run_until_asked(fx, "83," CID); /* the platform again */
    assert_int_equal(platform_count(fx->platform, "81," CID ",/24871"), 3);
    assert_int_equal(platform_checks(fx->platform), 1);
    assert_true(stats_of(fx).connected);
}

/* A batch, then pages of a portal on connections of its own, then the platform again. */
static int be_away(struct exchange *x, struct fixture *fx)
{
    if (!strcmp(x->body, "83," CID)) {
        platform_leave_checks(fx->platform, true);
        answer(x, "88,7\n502,1,24902,24871\n");
        return false;
    }
    if (atomic_fetch_sub(&fx->portal, 1) > 0)
        answer_status(x, 302, "<html>");
    else
        hold(x);
    return false;
}

static void a_page_of_a_portal_costs_no_batch(void **state)
{
    struct fixture *fx = *state;

    atomic_store(&fx->portal, 4);
    begin(fx, be_away);
    run_until(fx->agent, platform_count(fx->platform, "83," CID ",7") == 5);
    assert_true(stats_of(fx).connected);
    assert_int_equal(platform_count(fx->platform, "80,true"), 1);
    assert_non_null(strstr(fx->log, "HTTP status 302"));
}

static int refuse_once(struct exchange *x, struct fixture *fx)
{
    (void)fx;
    if (platform_count(x->platform, "80,true") > 1)
        return hold_for_ever(x, fx);
    return answer_status(x, 404, "");
}

static void a_refusal_by_the_platform_begins_a_new_session(void **state)
{
    struct fixture *fx = *state;

    begin(fx, refuse_once);
    run_until(fx->agent, platform_count(fx->platform, "83," CID) == 2);
    assert_int_equal(platform_count(fx->platform, "80,true"), 2);
    assert_int_equal(platform_checks(fx->platform), 1); /* one for the connection */
}

/* --- handlers and the reporter ------------------------------------------------------ */

static void send_a_row(struct fixture *fx)
{
    assert_int_equal(sr_agent_send(fx->agent, "105,24902,EXECUTING", 0), 0);
}

static void what_a_handler_sends_goes_out_at_once(void **state)
{
    struct fixture *fx = *state;
    uint64_t began;

    fx->answers = answer_first;
    fx->text = "502,1,24902\n";
    fx->in_handler = send_a_row;
    prepare(fx, behave);
    assert_int_equal(sr_reporter_new_http(fx->agent, &fx->reporter), 0);
    assert_int_equal(sr_reporter_set_linger(fx->reporter, 60000), 0);
    assert_int_equal(sr_reporter_start(fx->reporter), 0);
    assert_int_equal(sr_push_start(fx->push), 0);
    began = now_ms();
    run_until_asked(fx, "15,24830\n105,24902,EXECUTING");
    assert_true(now_ms() - began < 50 * 1000);
}

static uint64_t acked(struct fixture *fx)
{
    struct sr_reporter_stats stats;

    sr_reporter_stats(fx->reporter, &stats);
    return stats.rows_acked;
}

static bool note_connections(struct exchange *x, void *arg)
{
    struct fixture *fx = arg;

    pthread_mutex_lock(&fx->lock);
    *(asks(x, "15,") ? &fx->reporter_fds : &fx->push_fds) |= UINT64_C(1) << x->fd % 64;
    pthread_mutex_unlock(&fx->lock);
    return behave(x, arg);
}

/* Or the reporter, which asks on the connection of an empty answer whose that was, would ask on
 * another one and send the rows again. */
static void push_and_reporter_share_no_connection(void **state)
{
    struct fixture *fx = *state;

    fx->answers = answer_first;
    fx->text = "502,1,24902\n";
    fx->in_handler = send_a_row;
    prepare(fx, note_connections);
    assert_int_equal(sr_reporter_new_http(fx->agent, &fx->reporter), 0);
    assert_int_equal(sr_reporter_start(fx->reporter), 0);
    assert_int_equal(sr_push_start(fx->push), 0);
    run_until(fx->agent, acked(fx) == 1);
    pthread_mutex_lock(&fx->lock);
    assert_true(fx->reporter_fds && fx->push_fds);
    assert_false(fx->reporter_fds & fx->push_fds);
    pthread_mutex_unlock(&fx->lock);
}

/* --- told when operations come ------------------------------------------------------ */

static void fetch(struct sr_agent *agent, void *arg)
{
    struct fixture *fx = arg;

    fx->tellings++;
    assert_int_equal(sr_agent_sendf(agent, "107,24871"), 0);
}

/* The first session ends with its first connect, and so on: a new one each time. */
static int forget_twice(struct exchange *x, struct fixture *fx)
{
    if (fx->at++ < 2)
        return answer(x, "86,,,0,handshake\n50,1,402\n");
    return hold_for_ever(x, fx);
}

static void each_new_session_is_told_once_and_its_rows_go_at_once(void **state)
{
    struct fixture *fx = *state;

    fx->answers = forget_twice;
    prepare(fx, behave);
    sr_agent_on_connected(fx->agent, fetch, fx);
    assert_int_equal(sr_reporter_new_http(fx->agent, &fx->reporter), 0);
    assert_int_equal(sr_reporter_set_linger(fx->reporter, 60000), 0);
    assert_int_equal(sr_reporter_start(fx->reporter), 0);
    assert_int_equal(sr_push_start(fx->push), 0);
    assert_int_equal(fx->tellings, 0); /* from the loop only */
    run_until(fx->agent, acked(fx) == 3);
    assert_int_equal(fx->tellings, 3);
    assert_int_equal(stats_of(fx).handshakes, 3);
    run_for(fx->agent, 50);
    assert_int_equal(fx->tellings, 3);
}

static void free_the_agent(struct sr_agent *agent, void *arg)
{
    struct fixture *fx = arg;

    fx->agent = sr_agent_free(agent);
}

static void free_the_push(struct sr_agent *agent, void *arg)
{
    struct fixture *fx = arg;

    (void)agent;
    strcat(fx->heard, "freed;");
    fx->push = sr_push_free(fx->push);
}

static void whoever_is_told_may_free_push_or_agent(void **state)
{
    struct fixture *fx = *state;

    fx->answers = hold_for_ever;
    prepare(fx, behave);
    sr_agent_on_connected(fx->agent, free_the_push, fx);
    assert_int_equal(sr_push_start(fx->push), 0);
    run_until(fx->agent, has_heard(fx, "freed;"));
    assert_int_equal(sr_push_new(fx->agent, &fx->push), 0);
    sr_agent_on_connected(fx->agent, free_the_agent, fx);
    assert_int_equal(sr_push_start(fx->push), 0);
    sr_agent_loop(fx->agent); /* until the callback stops it */
    assert_null(fx->agent);
}

static int heartbeats(struct exchange *x, struct fixture *fx)
{
    if (fx->at++)
        return hold_for_ever(x, fx);
    if (!begin_chunks(x))
        return false;
    for (int i = 0; i < 10; i++)
        if (!chunk(x, " ") || poll(NULL, 0, 50) < 0)
            return false;
    for (const char *c = "88,1\n502,1,24902\n86,,5400000,0,retry\n"; *c; c++)
        if (!chunk(x, (char[]){ *c, '\0' }))
            return false;
    return end_chunks(x);
}

static void heartbeats_and_answers_in_pieces_are_no_matter(void **state)
{
    struct fixture *fx = *state;

    fx->answers = heartbeats;
    prepare(fx, behave);
    times(fx, 300); /* ten blanks take longer */
    assert_int_equal(sr_push_start(fx->push), 0);
    run_until(fx->agent, stats_of(fx).connects == 1);
    assert_string_equal(fx->heard, "502,1,24902;");
    assert_int_equal(stats_of(fx).failures, 0);
}

static int beat_once(struct exchange *x, struct fixture *fx)
{
    return begin_chunks(x) && chunk(x, fx->text) && hold(x);
}

static void a_connection_that_dies_is_noticed_by_its_silence(void **state)
{
    struct fixture *fx = *state;

    for (int in_answer = 0; in_answer < 2; in_answer++) {
        uint64_t began;

        fx->answers = beat_once;
        fx->text = in_answer ? "  88,1\n502,1" : " ";
        prepare(fx, behave);
        times(fx, 300);
        assert_int_equal(sr_push_start(fx->push), 0);
        began = now_ms();
        run_until(fx->agent, has_heard(fx, "10002,0,-12;"));
        assert_in_range(now_ms() - began, in_answer ? 145 : 290, 20 * 1000);
        run_until(fx->agent, platform_count(fx->platform, "83," CID) == 2);
        assert_false(has_heard(fx, "502"));
        end(fx);
    }
}

/* --- other collections ---------------------------------------------------------------- */

static int groups(struct exchange *x, struct fixture *fx)
{
    if (!hold(x))
        return false;
    (void)fx;
    return answer(x, "88,1\n87,1,other\n502,1,of other\n87,1,24830\n502,1,own\n"
                     "87,1,third\n502,1,nobody's\n");
}

static void a_collection_is_added_while_a_connect_is_held(void **state)
{
    struct fixture *fx = *state;

    begin(fx, groups);
    assert_int_equal(sr_agent_on_xmessage(fx->agent, "other", 502, hear, fx), 0);
    run_until_asked(fx, "83," CID);
    assert_int_equal(sr_push_subscribe(fx->push, "other"), 0);
    run_until_asked(fx, "81," CID ",/24871,other");
    platform_release(fx->platform);
    run_until_asked(fx, "83," CID ",1");
    assert_string_equal(fx->heard, "502,1,of other;502,1,own;");
    assert_int_equal(sr_push_unsubscribe(fx->push, "other"), 0);
    run_until_asked(fx, "82," CID ",/24871\n81," CID ",/24871");
    assert_int_equal(stats_of(fx).failures, 0);
}

static bool drop_changes(struct exchange *x, void *arg)
{
    return !asks(x, "82,") && behave(x, arg);
}

static void a_change_whose_connection_drops_is_made_again(void **state)
{
    struct fixture *fx = *state;

    fx->answers = hold_for_ever;
    prepare(fx, drop_changes);
    sr_push_subscribe(fx->push, "other");
    assert_int_equal(sr_push_start(fx->push), 0);
    run_until_asked(fx, "83," CID);
    sr_push_unsubscribe(fx->push, "other");
    run_until(fx->agent, platform_count(fx->platform,
                                        "82," CID ",/24871\n81," CID ",/24871") == 3);
    assert_true(has_heard(fx, "10001,0,-13;"));
    assert_int_equal(platform_count(fx->platform, "83," CID),
                     1); /* held all the time */
}

/* --- failures ------------------------------------------------------------------------- */

/* The answer to request number fx->at is cut. (Without a first line libcurl would ask
 * again by itself, on a new connection.) */
static bool cut_at(struct exchange *x, void *arg)
{
    struct fixture *fx = arg;

    if (x->number == fx->at) {
        raw(x, "HTTP/1.1 200 OK\r\nContent", 24);
        return false;
    }
    return behave(x, arg);
}

static int answer_once(struct exchange *x, struct fixture *fx)
{
    if (strcmp(x->body, "83," CID))
        return hold_for_ever(x, fx);
    return answer(x, "88,1\n502,1,24902\n");
}

static void a_cut_at_any_step_costs_nothing(void **state)
{
    static const char *const told[] = { "10000,0,-13;", "10001,0,-13;", "10002,0,-13;",
                                        "10002,0,-13;" };
    struct fixture *fx = *state;

    for (fx->at = 0; fx->at < 4; fx->at++) {
        fx->answers = answer_once;
        prepare(fx, cut_at);
        assert_int_equal(sr_push_start(fx->push), 0);
        run_until(fx->agent, platform_count(fx->platform, "83," CID ",1") >=
                                 (fx->at == 3 ? 2u : 1u));
        assert_true(has_heard(fx, told[fx->at]));
        assert_non_null(strstr(fx->heard, "502,1,24902;"));
        assert_null(strstr(strstr(fx->heard, "502") + 1, "502"));
        assert_int_equal(stats_of(fx).handshakes, 1);
        end(fx);
    }
}

static const char cut_answer[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                                 "23\r\n88,1\n502,1,24902,24871\n503,1,done\n\r\n"
                                 "0\r\n\r\n";

/* The first connect gets fx->at bytes of its answer, the second all of it. */
static int cut_in_answer(struct exchange *x, struct fixture *fx)
{
    if (strcmp(x->body, "83," CID))
        return hold_for_ever(x, fx);
    if (x->number == 2) {
        raw(x, cut_answer, fx->at);
        return false;
    }
    return raw(x, cut_answer, sizeof cut_answer - 1);
}

static void nothing_half_is_dispatched(void **state)
{
    struct fixture *fx = *state;

    for (fx->at = 20; fx->at < sizeof cut_answer - 1; fx->at += 4) {
        begin(fx, cut_in_answer);
        run_until_asked(fx, "83," CID ",1");
        assert_string_equal(fx->heard, "10002,0,-13;502,1,24902,24871;503,1,done;");
        end(fx);
    }
}

static int speak_garbage(struct exchange *x, struct fixture *fx)
{
    static const char *const garbage[] = {
        "SSH-2.0-OpenSSH\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\nx",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>",
        "HTTP/1.1 500 \r\nContent-Length: 2\r\n\r\n88",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n\"\0\xff\n\r",
    };
    size_t i = fx->at++;

    if (i >= sizeof garbage / sizeof *garbage)
        return answer_once(x, fx);
    raw(x, garbage[i], i == 5 ? 43 : strlen(garbage[i]));
    return false;
}

static void garbage_is_survived(void **state)
{
    struct fixture *fx = *state;

    begin(fx, speak_garbage);
    run_until_asked(fx, "83," CID ",1");
    assert_true(has_heard(fx, "10002,1,<html>;"));
    assert_true(has_heard(fx, "10002,0,-15;"));
    assert_true(has_heard(fx, "502,1,24902;"));
    assert_int_equal(stats_of(fx).failures, 6);
}

static bool refuse(struct exchange *x, void *arg)
{
    struct fixture *fx = arg;

    if (!asks(x, fx->text))
        return behave(x, arg);
    return answer(x, "50,1,401,\"Bad credentials, \"\"sorry\"\"\"\n");
}

static void failures_reach_the_handlers_with_their_ids(void **state)
{
    static const char *const steps[] = { "80", "81", "83" };
    struct fixture *fx = *state;
    char told[100];

    for (int i = 0; i < 3; i++) {
        fx->text = steps[i];
        fx->answers = hold_for_ever;
        prepare(fx, refuse);
        assert_int_equal(sr_push_start(fx->push), 0);
        run_until(fx->agent, stats_of(fx).failures == 2);
        snprintf(told, sizeof told, "%d,1,50,1,401,\"Bad credentials, \"\"sorry\"\"\";",
                 10000 + i);
        assert_int_equal(strncmp(fx->heard, told, strlen(told)), 0);
        assert_false(stats_of(fx).connected && i < 2);
        end(fx);
    }
    assert_non_null(strstr(fx->log, "Bad credentials"));
}

static void nobody_listening_is_tried_again(void **state)
{
    struct fixture *fx = *state;
    uint16_t port = free_port();

    fx->platform = platform_start(behave, fx); /* for hear() only */
    make_agent(fx, port);
    identify(fx);
    assert_int_equal(sr_push_start(fx->push), 0);
    assert_string_equal(fx->heard, ""); /* handlers are called from the loop */
    run_until(fx->agent, stats_of(fx).failures == 3);
    assert_string_equal(fx->heard, "10000,0,-13;10000,0,-13;10000,0,-13;");
}

static int answer_quickly(struct exchange *x, struct fixture *fx)
{
    return answer(x, fx->text);
}

static void a_server_that_answers_nothing_quickly_is_not_flooded(void **state)
{
    static const char *const nothings[] = { "", "86,,0,0,retry\n", "86,,0,0,handshake",
                                            "88,1\n502,1,1\n", "nonsense" };
    struct fixture *fx = *state;

    for (size_t i = 0; i < sizeof nothings / sizeof *nothings; i++) {
        fx->text = nothings[i];
        begin(fx, answer_quickly);
        run_until(fx->agent, platform_requests(fx->platform) >= 3);
        run_for(fx->agent, 600);
        assert_in_range(platform_requests(fx->platform), 3, 20);
        end(fx);
    }
}

static void none_ends_it_and_is_told(void **state)
{
    struct fixture *fx = *state;

    fx->text = "86,,,,none\n";
    begin(fx, answer_quickly);
    run_until(fx->agent, has_heard(fx, "10002,1,86,,,,none;"));
    run_for(fx->agent, 300);
    assert_int_equal(platform_requests(fx->platform), 3);
    assert_int_equal(sr_agent_timeout(fx->agent), -1);
}

/* --- life ------------------------------------------------------------------------------- */

static void free_push(struct fixture *fx)
{
    fx->push = sr_push_free(fx->push);
}

static void free_agent(struct fixture *fx)
{
    sr_agent_free(fx->agent);
}

static void sleep_push(struct fixture *fx)
{
    sr_push_sleep(fx->push);
}

static void stop_agent(struct fixture *fx)
{
    sr_agent_stop(fx->agent);
}

static void change_all(struct fixture *fx)
{
    sr_push_subscribe(fx->push, "other");
    sr_push_sleep(fx->push);
    sr_push_resume(fx->push);
    sr_push_unsubscribe(fx->push, "other");
}

static void a_push_may_be_freed_by_a_handler(void **state)
{
    struct fixture *fx = *state;

    for (int failing = 0; failing < 2; failing++) {
        fx->in_handler = free_push;
        fx->text = failing ? "50,1,500" : "88,1\n502,1,24902\n503,1,too\n";
        begin(fx, answer_first);
        run_until(fx->agent, !fx->push);
        fx->in_handler = NULL;
        run_for(fx->agent, 300);
        assert_int_equal(platform_requests(fx->platform), 3);
        if (!failing)
            assert_string_equal(fx->heard, "502,1,24902;503,1,too;");
        assert_int_equal(sr_push_new(fx->agent, &fx->push), 0);
        assert_int_equal(sr_push_start(fx->push), 0);
        run_until(fx->agent, platform_requests(fx->platform) > 3);
        end(fx);
    }
}

static void an_agent_may_be_freed_by_a_handler(void **state)
{
    struct fixture *fx = *state;

    fx->in_handler = free_agent;
    fx->text = "88,1\n502,1,24902\n503,1,not any more\n";
    begin(fx, answer_first);
    assert_int_equal(sr_agent_loop(fx->agent), 0);
    fx->agent = NULL;
    assert_string_equal(fx->heard, "502,1,24902;");
    assert_int_equal(platform_requests(fx->platform), 3); /* no acknowledgement */
}

static void a_handler_may_stop_the_agent(void **state)
{
    struct fixture *fx = *state;

    fx->in_handler = stop_agent;
    fx->text = "88,1\n502,1,24902\n503,1,too\n";
    begin(fx, answer_first);
    assert_int_equal(sr_agent_loop(fx->agent), 0);
    assert_string_equal(fx->heard, "502,1,24902;503,1,too;");
}

static void a_handler_may_put_the_push_to_sleep(void **state)
{
    struct fixture *fx = *state;

    fx->in_handler = sleep_push;
    fx->text = "88,1\n502,1,24902\n503,1,too\n";
    begin(fx, answer_first);
    run_until(fx->agent, has_heard(fx, "502"));
    assert_true(sr_push_is_sleeping(fx->push));
    run_for(fx->agent, 100);
    assert_int_equal(platform_requests(fx->platform), 3);
    assert_string_equal(fx->heard, "502,1,24902;503,1,too;");
    sr_push_resume(fx->push);
    assert_false(sr_push_is_sleeping(fx->push));
    run_until_asked(fx, "83," CID ",1");
}

static void a_handler_may_change_everything(void **state)
{
    struct fixture *fx = *state;

    fx->in_handler = change_all;
    fx->text = "88,1\n502,1,24902\n";
    begin(fx, answer_first);
    run_until_asked(fx, "83," CID ",1");
    run_until_asked(fx, "82," CID ",/24871\n81," CID ",/24871");
    assert_int_equal(stats_of(fx).failures, 0);
}

static void asleep_nothing_is_held(void **state)
{
    struct fixture *fx = *state;
    uint64_t began;

    begin(fx, hold_for_ever);
    run_until_asked(fx, "83," CID);
    began = now_ms();
    sr_push_sleep(fx->push);
    sr_push_sleep(fx->push);
    assert_true(sr_push_is_sleeping(fx->push));
    run_for(fx->agent, 100);
    assert_int_equal(platform_requests(fx->platform), 3);
    sr_push_resume(fx->push);
    sr_push_resume(fx->push);
    run_until(fx->agent, platform_count(fx->platform, "83," CID) == 2);
    assert_true(now_ms() - began < 15 * 1000);
    assert_int_equal(stats_of(fx).failures, 0);
    assert_string_equal(fx->heard, "");
}

static void freed_at_any_moment_it_is_gone_at_once(void **state)
{
    struct fixture *fx = *state;

    for (unsigned after = 0; after < 4; after++) {
        uint64_t began;

        begin(fx, hold_for_ever);
        run_until(fx->agent, platform_requests(fx->platform) >= after);
        began = now_ms();
        if (after % 2)
            fx->push = sr_push_free(fx->push); /* else by the agent */
        end(fx);
        assert_true(now_ms() - began < 15 * 1000); /* the platform's patience: 20 s */
    }
}

static void an_idle_push_does_not_wake_the_agent(void **state)
{
    struct fixture *fx = *state;
    uint64_t wakeups;

    begin(fx, hold_for_ever);
    run_until_asked(fx, "83," CID);
    run_for(fx->agent, 100);
    wakeups = sr_agent_wakeups(fx->agent);
    for (int i = 0; i < 10; i++) /* run_for() would turn the loop itself */
        if (poll(&(struct pollfd){ .fd = sr_agent_fd(fx->agent), .events = POLLIN }, 1,
                 30) > 0)
            sr_agent_dispatch(fx->agent);
    assert_true(sr_agent_wakeups(fx->agent) - wakeups <= 1);
}

/* --- a burst ---------------------------------------------------------------------------- */

static uint32_t roll(struct fixture *fx)
{
    fx->dice = fx->dice * 1664525u + 1013904223u;
    return fx->dice >> 16;
}

/* Takes the acknowledgement, and chooses the next batch, or the same again. */
static void next_batch(struct fixture *fx, const char *body)
{
    const char *ack = strchr(body + 3, ',');

    if (fx->in_batch && ack && strtoul(ack + 1, NULL, 10) == fx->batch) {
        fx->acked += fx->in_batch;
        fx->in_batch = 0;
    }
    if (!fx->in_batch && fx->acked < fx->created) {
        fx->in_batch = 1 + roll(fx) % 200;
        if (fx->in_batch > fx->created - fx->acked)
            fx->in_batch = fx->created - fx->acked;
        fx->batch++;
    }
}

static char *write_batch(struct fixture *fx)
{
    char *text = malloc(64 + 40 * (size_t)fx->in_batch);
    size_t len = (size_t)sprintf(text, "88,%u\n", fx->batch);

    for (unsigned i = 0; i < fx->in_batch; i++)
        len += (size_t)sprintf(text + len, "502,1,%u,24871\n", fx->acked + i);
    sprintf(text + len, "86,,5400000,0,retry\n");
    return text;
}

/* One answer in eight is lost: before, in the middle, or after its last byte. */
static bool send_or_lose(struct exchange *x, struct fixture *fx, const char *text)
{
    char head[100];
    uint32_t fate = roll(fx) % 8;

    if (fate)
        return answer(x, text);
    fx->drops++;
    sprintf(head, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", strlen(text));
    switch (roll(fx) % 3) {
    case 0: break;
    case 1: raw(x, head, strlen(head)), raw(x, text, strlen(text) / 2); break;
    default: answer(x, text);
    }
    return false;
}

static int reliably(struct exchange *x, struct fixture *fx)
{
    char *text = NULL;
    bool on;

    pthread_mutex_lock(&fx->lock);
    next_batch(fx, x->body);
    if (fx->in_batch)
        text = write_batch(fx);
    on = text && send_or_lose(x, fx, text);
    pthread_mutex_unlock(&fx->lock);
    if (!text)
        return hold_for_ever(x, fx);
    free(text);
    return on;
}

static void count(struct sr_agent *agent, struct sr_record *record, void *arg)
{
    struct fixture *fx = arg;
    uint64_t number;

    (void)agent;
    assert_int_equal(sr_record_uint(record, 2, &number), 0);
    assert_true(number < MAX_OPERATIONS);
    assert_int_equal(fx->seen[number], 0);
    assert_int_equal(number, fx->seen_count); /* in their order, too */
    fx->seen[number] = 1;
    fx->seen_count++;
}

static void of_ten_thousand_operations_none_is_lost_or_doubled(void **state)
{
    struct fixture *fx = *state;

    fx->dice = 4711;
    fx->created = MAX_OPERATIONS;
    fx->answers = reliably;
    prepare(fx, behave);
    sr_agent_on_message(fx->agent, 502, count, fx);
    assert_int_equal(sr_push_start(fx->push), 0);
    while (fx->seen_count < MAX_OPERATIONS) {
        unsigned before = fx->seen_count;

        run_until(fx->agent, fx->seen_count != before);
    }
    run_for(fx->agent, 100);
    assert_int_equal(fx->seen_count, MAX_OPERATIONS);
    assert_int_equal(stats_of(fx).handshakes, 1);
    assert_int_equal(stats_of(fx).rows_received, MAX_OPERATIONS);
    pthread_mutex_lock(&fx->lock);
    assert_int_equal(fx->acked, MAX_OPERATIONS);
    assert_true(fx->drops > 5);
    pthread_mutex_unlock(&fx->lock);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(wrong_calls_are_refused),
        T(a_bad_server_is_named),
        T(operations_reach_their_handlers_and_are_acknowledged_then),
        T(an_empty_answer_of_anybody_subscribes_nothing),
        T(a_page_of_a_portal_costs_no_batch),
        T(a_refusal_by_the_platform_begins_a_new_session),
        T(what_a_handler_sends_goes_out_at_once),
        T(push_and_reporter_share_no_connection),
        T(each_new_session_is_told_once_and_its_rows_go_at_once),
        T(whoever_is_told_may_free_push_or_agent),
        T(heartbeats_and_answers_in_pieces_are_no_matter),
        T(a_connection_that_dies_is_noticed_by_its_silence),
        T(a_collection_is_added_while_a_connect_is_held),
        T(a_change_whose_connection_drops_is_made_again),
        T(a_cut_at_any_step_costs_nothing),
        T(nothing_half_is_dispatched),
        T(garbage_is_survived),
        T(failures_reach_the_handlers_with_their_ids),
        T(nobody_listening_is_tried_again),
        T(a_server_that_answers_nothing_quickly_is_not_flooded),
        T(none_ends_it_and_is_told),
        T(a_push_may_be_freed_by_a_handler),
        T(an_agent_may_be_freed_by_a_handler),
        T(a_handler_may_stop_the_agent),
        T(a_handler_may_put_the_push_to_sleep),
        T(a_handler_may_change_everything),
        T(asleep_nothing_is_held),
        T(freed_at_any_moment_it_is_gone_at_once),
        T(an_idle_push_does_not_wake_the_agent),
        T(of_ten_thousand_operations_none_is_lost_or_doubled),
    };

    return cmocka_run_group_tests_name("push", tests, NULL, NULL);
}
