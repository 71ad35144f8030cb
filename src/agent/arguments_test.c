/* SPDX-License-Identifier: MIT */
/* NULL where an object or text is needed is refused by each function of libsmartrest, and a failing
 * call says in sr_agent_error() what and where. */
#include "support/arguments.h"
#include "support/run.h"
#include <dirent.h>
#include <smartrest/smartrest.h>

struct fixture {
    struct sr_agent *agent;
    struct sr_loop *loop;
    struct sr_binary *binary;
    struct sr_http *http;
    struct sr_reporter *reporter;
    struct sr_push *push;
};

static int set_up(void **state)
{
    struct fixture *fx = calloc(1, sizeof *fx);

    *state = fx;
    no_proxies();
    return sr_agent_new("http://127.0.0.1:9", "gw-0001", &fx->agent) ||
           sr_agent_set_credentials(fx->agent, "t4711", "dev", "s3cr3t") ||
           sr_loop_new(&fx->loop) || sr_binary_new(fx->agent, &fx->binary) ||
           sr_http_new(fx->loop, NULL, &fx->http) ||
           sr_reporter_new_http(fx->agent, &fx->reporter) ||
           sr_push_new(fx->agent, &fx->push);
}

static int tear_down(void **state)
{
    struct fixture *fx = *state;

    sr_http_free(fx->http);
    sr_binary_free(fx->binary);
    sr_loop_free(fx->loop);
    sr_agent_free(fx->agent);
    free(fx);
    return 0;
}

static void nothing(void)
{
}
#define FN(type) ((type)nothing)

static bool is_listed(const char *const *list, const char *name)
{
    while (*list && strcmp(*list, name))
        list++;
    return *list;
}

static void an_agents_functions_refuse_null(void **state)
{
    struct fixture *fx = *state;
    struct sr_agent *agent = fx->agent;
    const char *answer;
    uint32_t channel;
    char text[64];
    size_t len;

    REFUSED(sr_agent_new("http://h", "a", NULL));
    HOLDS(sr_agent_free(NULL) == NULL);
    HOLDS(*sr_agent_error(NULL));
    NOTHING(sr_agent_set_wait(NULL, 1));
    REFUSED(sr_agent_set_ca_file(NULL, "f"));
    REFUSED(sr_agent_bootstrap(NULL, "f"));
    REFUSED(sr_agent_bootstrap(agent, NULL));
    REFUSED(sr_agent_set_bootstrap_account(NULL, "t", "u", "p"));
    REFUSED(sr_agent_set_bootstrap_account(agent, NULL, "u", "p"));
    REFUSED(sr_agent_set_bootstrap_account(agent, "t", NULL, "p"));
    REFUSED(sr_agent_set_bootstrap_account(agent, "t", "u", NULL));
    NOTHING(sr_agent_set_bootstrap_poll(NULL, 1, 1));
    REFUSED(sr_agent_set_credentials(NULL, "t", "u", "p"));
    REFUSED(sr_agent_set_credentials(agent, NULL, "u", "p"));
    REFUSED(sr_agent_set_credentials(agent, "t", NULL, "p"));
    REFUSED(sr_agent_set_credentials(agent, "t", "u", NULL));
    REFUSED(sr_agent_integrate(NULL, "v", "10,100"));
    REFUSED(sr_agent_integrate(agent, NULL, "10,100"));
    NOTHING(sr_agent_on_integrate(NULL, NULL, NULL));
    REFUSED(sr_template_register(NULL, "v", "10,100"));
    REFUSED(sr_template_register(agent, NULL, "10,100"));
    REFUSED(sr_template_register(agent, "v", NULL));
    REFUSED(sr_agent_request(NULL, "x", "1", &answer, &len));
    REFUSED(sr_agent_request(agent, "x", NULL, &answer, &len));
    REFUSED(sr_agent_request(agent, "x", "1", NULL, &len));
    REFUSED(sr_agent_request(agent, "x", "1", &answer, NULL));
    IS_EMPTY(sr_agent_server(NULL));
    IS_EMPTY(sr_agent_device_id(NULL));
    IS_EMPTY(sr_agent_tenant(NULL));
    IS_EMPTY(sr_agent_username(NULL));
    IS_EMPTY(sr_agent_password(NULL));
    IS_EMPTY(sr_agent_xid(NULL));
    IS_EMPTY(sr_agent_id(NULL));
    REFUSED(sr_agent_set_xid(NULL, "x"));
    REFUSED(sr_agent_set_xid(agent, NULL));
    REFUSED(sr_agent_set_id(NULL, "1"));
    REFUSED(sr_agent_set_id(agent, NULL));
    REFUSED(sr_agent_send(NULL, "1", 0));
    REFUSED(sr_agent_send(agent, NULL, 0));
    REFUSED(sr_agent_sendf(NULL, "%s", "1"));
    REFUSED(sr_agent_sendf_prio(NULL, 0, "%s", "1"));
    REFUSED(sr_agent_send_with(NULL, "1", NULL));
    REFUSED(sr_agent_send_with(agent, NULL, NULL));
    REFUSED(sr_agent_on_message(NULL, 1, NULL, NULL));
    REFUSED(sr_agent_on_xmessage(NULL, "x", 1, NULL, NULL));
    REFUSED(sr_agent_on_xmessage(agent, NULL, 1, NULL, NULL));
    NOTHING(sr_agent_on_refused(NULL, NULL, NULL));
    NOTHING(sr_agent_on_connected(NULL, NULL, NULL));
    HOLDS(!sr_agent_take_operation(NULL, "1"));
    NOTHING(sr_agent_take_operation(agent, NULL));
    REFUSED(sr_agent_loop(NULL));
    NOTHING(sr_agent_stop(NULL));
    REFUSED(sr_agent_stop_on(NULL, 15));
    REFUSED(sr_agent_fd(NULL));
    HOLDS(sr_agent_timeout(NULL) < 0);
    REFUSED(sr_agent_dispatch(NULL));
    HOLDS(sr_agent_get_loop(NULL) == NULL);
    HOLDS(sr_agent_wakeups(NULL) == 0);
    REFUSED(sr_agent_set(NULL, "linger", "1"));
    REFUSED(sr_agent_set(agent, NULL, "1"));
    REFUSED(sr_agent_get(NULL, "linger", text, sizeof text));
    REFUSED(sr_agent_get(agent, NULL, text, sizeof text));
    REFUSED(sr_agent_get(agent, "linger", NULL, 1));
    REFUSED(sr_agent_open_outbox(NULL, "d"));
    REFUSED(sr_agent_open_outbox(agent, NULL));
    REFUSED(sr_agent_flush(NULL, 1));
    NOTHING(sr_agent_on_loss(NULL, NULL, NULL));
    NOTHING(sr_agent_on_trouble(NULL, NULL, NULL));
    REFUSED(sr_agent_channel(NULL, "smartrest1", "x", &channel));
    REFUSED(sr_agent_channel(agent, NULL, "x", &channel));
    REFUSED(sr_agent_channel(agent, "smartrest1", "x", NULL));
    REFUSED(sr_agent_on_origin(NULL, "smartrest1", "x", "1", NULL, NULL));
    REFUSED(sr_agent_on_origin(agent, NULL, "x", "1", NULL, NULL));
    REFUSED(sr_agent_on_origin(agent, "smartrest1", "x", NULL, NULL, NULL));
    REFUSED(sr_agent_add_connected(NULL, FN(sr_connected_fn), NULL));
    REFUSED(sr_agent_add_connected(agent, NULL, NULL));
    NOTHING(sr_agent_remove_connected(NULL, FN(sr_connected_fn), NULL));
    NOTHING(sr_agent_remove_connected(agent, NULL, NULL));
    all_hold();
}

static void reporter_and_push_refuse_null(void **state)
{
    struct fixture *fx = *state;
    struct sr_reporter_stats stats;
    struct sr_push_stats push_stats;
    struct sr_reporter *reporter;
    struct sr_push *push;

    REFUSED(sr_reporter_new_http(NULL, &reporter));
    REFUSED(sr_reporter_new_http(fx->agent, NULL));
    REFUSED(sr_reporter_new_mqtt(NULL, "mqtt://h", &reporter));
    REFUSED(sr_reporter_new_mqtt(fx->agent, NULL, &reporter));
    REFUSED(sr_reporter_new_mqtt(fx->agent, "mqtt://h", NULL));
    HOLDS(sr_reporter_free(NULL) == NULL);
    REFUSED(sr_reporter_start(NULL));
    REFUSED(sr_reporter_set_keepalive(NULL, 60));
    REFUSED(sr_reporter_set_linger(NULL, 1));
    REFUSED(sr_reporter_set_batch(NULL, 1));
    REFUSED(sr_reporter_set_window(NULL, 1));
    REFUSED(sr_reporter_set_capacity(NULL, 8192));
    HOLDS(sr_reporter_capacity(NULL) == 0);
    NOTHING(sr_reporter_sleep(NULL));
    NOTHING(sr_reporter_resume(NULL));
    HOLDS(!sr_reporter_is_sleeping(NULL));
    HOLDS((sr_reporter_stats(NULL, &stats), stats.rows_acked == 0));
    NOTHING(sr_reporter_stats(fx->reporter, NULL));
    REFUSED(sr_push_new(NULL, &push));
    REFUSED(sr_push_new(fx->agent, NULL));
    HOLDS(sr_push_free(NULL) == NULL);
    REFUSED(sr_push_start(NULL));
    NOTHING(sr_push_sleep(NULL));
    NOTHING(sr_push_resume(NULL));
    HOLDS(!sr_push_is_sleeping(NULL));
    REFUSED(sr_push_subscribe(NULL, "x"));
    REFUSED(sr_push_subscribe(fx->push, NULL));
    REFUSED(sr_push_unsubscribe(NULL, "x"));
    REFUSED(sr_push_unsubscribe(fx->push, NULL));
    NOTHING(sr_push_stats(NULL, &push_stats));
    NOTHING(sr_push_stats(fx->push, NULL));
    all_hold();
}

static void networking_refuses_null(void **state)
{
    struct fixture *fx = *state;
    const struct sr_binary_options options = { "http://h", "t/u", "p", NULL };
    const struct sr_http_call call = { .url = "http://127.0.0.1:9" };
    const struct sr_mqtt_options mqtt_options = { .host = "h", .client_id = "c" };
    const struct sr_mqtt_message message = { .topic = "a" };
    const char *const filters[] = { "a" };
    struct sr_http_request *request;
    struct sr_binary *binary;
    struct sr_socket *socket;
    struct sr_mqtt *mqtt;
    struct sr_http *http;

    REFUSED(sr_binary_new(NULL, &binary));
    REFUSED(sr_binary_new(fx->agent, NULL));
    REFUSED(sr_binary_new_on(NULL, &options, &binary));
    REFUSED(sr_binary_new_on(fx->loop, NULL, &binary));
    REFUSED(sr_binary_new_on(fx->loop, &options, NULL));
    HOLDS(sr_binary_free(NULL) == NULL);
    REFUSED(sr_binary_post(NULL, "n", NULL, "", 0, FN(sr_binary_fn), NULL));
    REFUSED(sr_binary_post(fx->binary, NULL, NULL, "", 0, FN(sr_binary_fn), NULL));
    REFUSED(sr_binary_post(fx->binary, "n", NULL, NULL, 1, FN(sr_binary_fn), NULL));
    REFUSED(sr_binary_post(fx->binary, "n", NULL, "", 0, NULL, NULL));
    REFUSED(sr_binary_post_file(NULL, "n", NULL, "f", FN(sr_binary_fn), NULL));
    REFUSED(sr_binary_post_file(fx->binary, "n", NULL, NULL, FN(sr_binary_fn), NULL));
    REFUSED(sr_binary_get(NULL, "1", FN(sr_binary_fn), NULL));
    REFUSED(sr_binary_get(fx->binary, NULL, FN(sr_binary_fn), NULL));
    REFUSED(sr_binary_get(fx->binary, "1", NULL, NULL));
    REFUSED(sr_binary_get_file(NULL, "1", "f", FN(sr_binary_fn), NULL));
    REFUSED(sr_binary_get_file(fx->binary, NULL, "f", FN(sr_binary_fn), NULL));
    REFUSED(sr_binary_get_file(fx->binary, "1", NULL, FN(sr_binary_fn), NULL));
    NOTHING(sr_binary_cancel(NULL));
    NOTHING(sr_binary_set_max(NULL, 1));
    NOTHING(sr_binary_set_retries(NULL, 1));
    NOTHING(sr_binary_set_stall(NULL, 1));
    NOTHING(sr_binary_on_progress(NULL, NULL, NULL));
    REFUSED(sr_http_new(NULL, NULL, &http));
    REFUSED(sr_http_new(fx->loop, NULL, NULL));
    HOLDS(sr_http_free(NULL) == NULL);
    REFUSED(sr_http_request(NULL, &call, FN(sr_http_fn), NULL, &request));
    REFUSED(sr_http_request(fx->http, NULL, FN(sr_http_fn), NULL, &request));
    REFUSED(sr_http_request(fx->http, &call, NULL, NULL, &request));
    NOTHING(sr_http_cancel(NULL));
    HOLDS(!sr_http_header(NULL, "a"));
    REFUSED(sr_mqtt_new(NULL, &mqtt_options, NULL, NULL, &mqtt));
    REFUSED(sr_mqtt_new(fx->loop, NULL, NULL, NULL, &mqtt));
    REFUSED(sr_mqtt_new(fx->loop, &mqtt_options, NULL, NULL, NULL));
    HOLDS(sr_mqtt_free(NULL) == NULL);
    REFUSED(sr_mqtt_connect(NULL));
    NOTHING(sr_mqtt_disconnect(NULL));
    HOLDS(!sr_mqtt_is_up(NULL));
    REFUSED(sr_mqtt_publish(NULL, &message, NULL, NULL));
    NOTHING(sr_mqtt_set_send_max(NULL, 1));
    REFUSED(sr_mqtt_subscribe(NULL, "a", 0, NULL, NULL));
    REFUSED(sr_mqtt_subscribe_many(NULL, filters, 1, 0, NULL, NULL));
    REFUSED(sr_mqtt_unsubscribe(NULL, "a"));
    REFUSED(sr_mqtt_unsubscribe_many(NULL, filters, 1));
    HOLDS(!sr_mqtt_matches(NULL, "a"));
    HOLDS(!sr_mqtt_matches("a", NULL));
    REFUSED(sr_socket_new(NULL, NULL, &(struct sr_socket_events){ 0 }, NULL, &socket));
    REFUSED(sr_socket_new(fx->loop, NULL, &(struct sr_socket_events){ 0 }, NULL, NULL));
    HOLDS(sr_socket_free(NULL) == NULL);
    REFUSED(sr_socket_connect(NULL, "h", 1, false));
    REFUSED(sr_socket_send(NULL, "a", 1));
    NOTHING(sr_socket_set_send_max(NULL, 1));
    HOLDS(sr_socket_queued(NULL) == 0);
    NOTHING(sr_socket_pause(NULL, true));
    REFUSED(sr_socket_finish(NULL));
    NOTHING(sr_socket_close(NULL));
    NOTHING(sr_socket_error(NULL));
    all_hold();
}

static void loop_timers_and_watches_refuse_null(void **state)
{
    struct fixture *fx = *state;
    struct sr_watchdog *watchdog;
    struct sr_timer *timer;
    struct sr_watch *watch;

    REFUSED(sr_loop_new(NULL));
    HOLDS(sr_loop_free(NULL) == NULL);
    REFUSED(sr_loop_run(NULL));
    NOTHING(sr_loop_stop(NULL));
    REFUSED(sr_loop_fd(NULL));
    HOLDS(sr_loop_timeout(NULL) < 0);
    REFUSED(sr_loop_dispatch(NULL));
    REFUSED(sr_loop_add_timer(NULL, 1, FN(sr_timer_fn), NULL, &timer));
    REFUSED(sr_loop_add_timer(fx->loop, 1, FN(sr_timer_fn), NULL, NULL));
    REFUSED(sr_loop_add_watch(NULL, 0, 1, FN(sr_watch_fn), NULL, &watch));
    REFUSED(sr_loop_add_watch(fx->loop, 0, 1, NULL, NULL, &watch));
    REFUSED(sr_loop_add_watch(fx->loop, 0, 1, FN(sr_watch_fn), NULL, NULL));
    HOLDS(sr_loop_uv(NULL) == NULL);
    REFUSED(sr_timer_new(NULL, 1, FN(sr_timer_fn), NULL, &timer));
    REFUSED(sr_timer_new(fx->agent, 1, FN(sr_timer_fn), NULL, NULL));
    HOLDS(sr_timer_free(NULL) == NULL);
    REFUSED(sr_timer_start(NULL));
    NOTHING(sr_timer_stop(NULL));
    HOLDS(!sr_timer_is_active(NULL));
    HOLDS(sr_timer_interval(NULL) == 0);
    REFUSED(sr_timer_set_interval(NULL, 1));
    REFUSED(sr_timer_connect(NULL, FN(sr_timer_fn), NULL));
    REFUSED(sr_watch_new(NULL, 0, 1, FN(sr_watch_fn), NULL, &watch));
    REFUSED(sr_watch_new(fx->agent, 0, 1, FN(sr_watch_fn), NULL, NULL));
    REFUSED(sr_watch_set(NULL, 1));
    HOLDS(sr_watch_free(NULL) == NULL);
    HOLDS(sr_watchdog_new(NULL, &watchdog) == 0);
    REFUSED(sr_watchdog_new(fx->agent, NULL));
    HOLDS(sr_watchdog_free(NULL) == NULL);
    REFUSED(sr_watchdog_kick(NULL));
    HOLDS(sr_watchdog_interval(NULL) == 0);
    all_hold();
}

static int no_row(void *arg, const struct sr_stored_row *row)
{
    (void)arg;
    (void)row;
    return 0;
}

static void files_and_settings_refuse_null(void **state)
{
    const struct sr_outbox_visitor visitor = { .row = no_row };
    struct sr_options options = { .broker = NULL };
    struct sr_template_error error;
    struct sr_template template;
    char *no_arguments[] = { NULL };
    char why[64];

    (void)state;
    REFUSED(sr_outbox_scan(NULL, &visitor, why, sizeof why));
    HOLDS(sr_outbox_scan(NULL, &visitor, NULL, 0) == SR_E_INVAL);
    NOTHING(sr_outbox_scan("/", NULL, why, sizeof why));
    REFUSED(sr_outbox_remove(NULL, 0, 0, NULL, why, sizeof why));
    REFUSED(sr_outbox_remove(NULL, SR_OUTBOX_ROWS, 1, NULL, NULL, 0));
    REFUSED(sr_options_parse(NULL, 0, no_arguments));
    REFUSED(sr_options_parse(&options, 1, NULL));
    REFUSED(sr_template_read(NULL, &template, &error));
    REFUSED(sr_template_read("f", NULL, &error));
    REFUSED(sr_template_parse(NULL, "v\n10,1", 6, &template, &error));
    REFUSED(sr_template_parse("f", NULL, 1, &template, &error));
    REFUSED(sr_template_parse("f", "v\n10,1", 6, NULL, &error));
    NOTHING(sr_template_release(NULL));
    REFUSED(sr_template_lint("v", NULL, 1, NULL, NULL));
    REFUSED(sr_template_lint_file(NULL, NULL, NULL));
    all_hold();
}

/* A format that the compiler does not know to be NULL. */
static const char *no_format(void)
{
    static const char *volatile none;

    return none;
}

static void vwrite(const char *component, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    sr_log_vwrite(SR_LOG_CRITICAL, component, format, args);
    va_end(args);
}

static void vformat(struct sr_row *row, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    sr_row_vformat(row, format, args);
    va_end(args);
}

static void the_log_takes_null(void **state)
{
    (void)state;
    HOLDS(sr_log_set_dest(NULL) == 0);
    HOLDS(sr_log_set_sink(NULL, NULL) == 0);
    NOTHING(sr_log_write(SR_LOG_CRITICAL, NULL, "a"));
    NOTHING(sr_log_write(SR_LOG_CRITICAL, "a", no_format(), 1));
    NOTHING((vwrite(NULL, "a"), "sr_log_vwrite()"));
    NOTHING((vwrite("a", no_format(), 1), "sr_log_vwrite()"));
    all_hold();
}

static void records_refuse_null(void **state)
{
    struct sr_record *record, *copy;
    struct sr_parser parser;
    struct sr_lexer lexer;
    struct sr_span span;
    double number;
    int64_t sint;
    uint64_t uint;
    size_t len = 1;

    (void)state;
    sr_lexer_init(&lexer, "1,2", 3);
    sr_parser_init(&parser, "1,2", 3);
    assert_int_equal(sr_parser_next(&parser, &record), 0);
    NOTHING(sr_lexer_init(NULL, "1", 1));
    HOLDS((sr_lexer_init(&lexer, NULL, 1), sr_lexer_next(&lexer, &span)) ==
          SR_TOKEN_END);
    HOLDS(sr_lexer_next(NULL, &span) == SR_TOKEN_END);
    HOLDS(sr_lexer_next(&lexer, NULL) == SR_TOKEN_END);
    NOTHING(sr_parser_init(NULL, "1", 1));
    NOTHING(sr_parser_release(NULL));
    REFUSED(sr_parser_next(NULL, &record));
    REFUSED(sr_parser_next(&parser, NULL));
    IS_ZERO(sr_parser_line(NULL));
    IS_ZERO(sr_parser_error_offset(NULL));
    REFUSED(sr_record_copy(NULL, &copy));
    REFUSED(sr_record_copy(record, NULL));
    NOTHING(sr_record_free(NULL));
    IS_ZERO(sr_record_size(NULL));
    IS_EMPTY(sr_record_value(NULL, 0));
    HOLDS(!sr_record_bytes(NULL, 0, &len) && !len);
    IS_ZERO(sr_record_bytes(NULL, 0, NULL));
    IS_ZERO(sr_record_bytes(record, 0, NULL));
    HOLDS(sr_record_type(NULL, 0) == SR_NONE);
    REFUSED(sr_record_uint(NULL, 0, &uint));
    REFUSED(sr_record_uint(record, 0, NULL));
    REFUSED(sr_record_int(NULL, 0, &sint));
    REFUSED(sr_record_int(record, 0, NULL));
    REFUSED(sr_record_double(NULL, 0, &number));
    REFUSED(sr_record_double(record, 0, NULL));
    HOLDS((sr_record_range(NULL, &len, &len), !len));
    NOTHING(sr_record_range(record, NULL, NULL));
    sr_parser_release(&parser);
    all_hold();
}

static void rows_refuse_null(void **state)
{
    struct sr_row row;

    (void)state;
    sr_row_init(&row, 0);
    NOTHING(sr_row_init(NULL, 0));
    NOTHING(sr_row_clear(NULL));
    NOTHING(sr_row_release(NULL));
    NOTHING(sr_row_start(NULL, 1));
    NOTHING(sr_row_string(NULL, "a"));
    NOTHING(sr_row_bytes(NULL, "a", 1));
    HOLDS((sr_row_bytes(&row, NULL, 1), sr_row_error(&row)) == SR_E_INVAL);
    NOTHING(sr_row_int(NULL, 1));
    NOTHING(sr_row_uint(NULL, 1));
    NOTHING(sr_row_double(NULL, 1));
    NOTHING(sr_row_json(NULL, "a"));
    NOTHING(sr_row_json(&row, NULL));
    NOTHING(sr_row_format(NULL, "1"));
    HOLDS((sr_row_format(&row, no_format(), 1), sr_row_error(&row)) == SR_E_INVAL);
    NOTHING((vformat(NULL, "1"), "sr_row_vformat()"));
    NOTHING((vformat(&row, no_format(), 1), "sr_row_vformat()"));
    REFUSED(sr_row_error(NULL));
    IS_EMPTY(sr_row_text(NULL));
    IS_ZERO(sr_row_len(NULL));
    all_hold();
}

/* Behind all of those above. */
static void no_function_is_forgotten(void **state)
{
    static const char *const headers[] = {
        "agent.h",    "binary.h",   "error.h",   "http.h",     "log.h",
        "loop.h",     "mqtt.h",     "options.h", "outbox.h",   "push.h",
        "record.h",   "reporter.h", "row.h",     "settings.h", "socket.h",
        "template.h", "timer.h",    "watch.h",   "watchdog.h", NULL,
    };
    static const char *const others[] = {
        "lua.h",       /* has a test of its own: src/lua */
        "net.h",       /* a struct */
        "smartrest.h", /* only includes */
        NULL,
    };
    static const char *const exceptions[] = { NULL };
    struct dirent **names;
    int count;

    (void)state;
    expect_all_called(headers, exceptions);
    count = scandir(PUBLIC_HEADERS "/smartrest", &names, NULL, alphasort);
    assert_true(count > 0);
    for (int i = 0; i < count; i++) {
        if (strstr(names[i]->d_name, ".h") && !is_listed(headers, names[i]->d_name) &&
            !is_listed(others, names[i]->d_name))
            fail_msg("%s is a new header", names[i]->d_name);
        free(names[i]);
    }
    free(names);
}

/* --- what the error says -------------------------------------------------------- */

/* The call fails, and what sr_agent_error() says then has `part`. */
#define SAYS(call, part)                                               \
    do {                                                               \
        sr_agent_set_id(agent, "");                                    \
        if (!(call) || !strstr(sr_agent_error(agent), part)) {         \
            print_message("%s: '%s'\n", #call, sr_agent_error(agent)); \
            arguments.wrong++;                                         \
        }                                                              \
    } while (0)

static void each_failing_call_says_what_and_where(void **state)
{
    struct fixture *fx = *state;
    struct sr_agent *agent = fx->agent, *bare;
    struct sr_reporter *reporter;
    struct sr_binary *binary;
    struct sr_watch *watch;
    struct sr_push *push;
    const char *answer;
    char text[64];
    size_t len;

    SAYS(sr_agent_set(agent, NULL, "1"), "setting");
    SAYS(sr_agent_set(agent, "linger", "x"), "linger");
    SAYS(sr_agent_set(agent, "lingr", "1"), "lingr");
    SAYS(sr_agent_get(agent, "lingr", text, sizeof text), "lingr");
    SAYS(sr_agent_get(agent, NULL, text, 1), "setting");
    SAYS(sr_agent_bootstrap(agent, NULL), "credentials file");
    SAYS(sr_agent_set_credentials(agent, NULL, "u", "p"), "credentials");
    SAYS(sr_agent_set_bootstrap_account(agent, NULL, "u", "p"), "bootstrap account");
    SAYS(sr_agent_integrate(agent, NULL, NULL), "templates");
    SAYS(sr_template_register(agent, NULL, NULL), "templates");
    SAYS(sr_agent_request(agent, "x", NULL, &answer, &len), "request");
    SAYS(sr_agent_set_xid(agent, NULL), "X-Id");
    SAYS(sr_agent_on_xmessage(agent, NULL, 1, NULL, NULL), "X-Id");
    SAYS(sr_agent_send(agent, NULL, 0), "row");
    SAYS(sr_agent_open_outbox(agent, NULL), "outbox");
    SAYS(sr_agent_open_outbox(agent, ""), "outbox");
    SAYS(sr_agent_flush(agent, 1), "flush");
    SAYS(sr_agent_stop_on(agent, 0), "signal 0");
    SAYS(sr_binary_new(agent, NULL), "binar");
    SAYS(sr_push_new(agent, &push), "push");
    SAYS(sr_push_start(fx->push), "push");
    SAYS(sr_push_new(agent, NULL), "place for the push");
    SAYS(sr_push_subscribe(fx->push, "a b"), "'a b' is no X-Id");
    SAYS(sr_push_unsubscribe(fx->push, NULL), "X-Id");
    SAYS(sr_reporter_new_http(agent, NULL), "place for the reporter");
    SAYS(sr_reporter_new_mqtt(agent, NULL, &reporter), "broker");
    SAYS(sr_reporter_new_mqtt(agent, "mqtt://h", NULL), "place for the reporter");
    SAYS(sr_timer_new(agent, 1, NULL, NULL, NULL), "timer");
    SAYS(sr_watch_new(agent, 0, SR_READABLE, NULL, NULL, NULL), "watch");
    SAYS(sr_watch_new(agent, -1, SR_READABLE, FN(sr_watch_fn), NULL, &watch),
         "descriptor -1");
    SAYS(sr_reporter_new_http(agent, &reporter), "reporter");
    SAYS(sr_reporter_start(fx->reporter), "reporter");
    assert_int_equal(sr_agent_new("http://127.0.0.1:9", "a", &bare), 0);
    agent = bare;
    SAYS(sr_binary_new(bare, &binary), "no credentials");
    SAYS(sr_agent_request(bare, "x", "1", &answer, &len), "no credentials");
    sr_agent_free(bare);
    all_hold();
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(an_agents_functions_refuse_null),
        T(reporter_and_push_refuse_null),
        T(networking_refuses_null),
        T(loop_timers_and_watches_refuse_null),
        T(files_and_settings_refuse_null),
        T(the_log_takes_null),
        T(records_refuse_null),
        T(rows_refuse_null),
        T(no_function_is_forgotten),
        T(each_failing_call_says_what_and_where),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
