/* SPDX-License-Identifier: MIT */
#include "world.h"
#include "support/child.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* --- the sandbox ---------------------------------------------------------------- */

static int free_port(void)
{
    struct sockaddr_in a = { .sin_family = AF_INET,
                             .sin_addr = { htonl(INADDR_LOOPBACK) } };
    socklen_t len = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
    close(fd);
    return ntohs(a.sin_port);
}

int listen_on(int port)
{
    struct sockaddr_in a = { .sin_family = AF_INET,
                             .sin_addr = { htonl(INADDR_LOOPBACK) },
                             .sin_port = htons((uint16_t)port) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(fd, 5), 0);
    return fd;
}

void world_prepare(struct world *world)
{
    sandbox_prepare(&world->sandbox);
    world->sandbox.http_port = free_port();
    world->sandbox.mqtt_port = free_port();
    snprintf(world->server, sizeof world->server, "http://127.0.0.1:%d",
             world->sandbox.http_port);
    snprintf(world->broker, sizeof world->broker, "mqtt://127.0.0.1:%d",
             world->sandbox.mqtt_port);
}

void world_start(struct world *world, const char *option)
{
    char http[16], mqtt[16];

    snprintf(http, sizeof http, "%d", world->sandbox.http_port);
    snprintf(mqtt, sizeof mqtt, "%d", world->sandbox.mqtt_port);
    sandbox_start(&world->sandbox, "--http-port", http, "--mqtt-port", mqtt, option,
                  NULL);
}

void world_kill(struct world *world)
{
    int broker = (int)syscall(SYS_pidfd_open, world->sandbox.mosquitto_pid, 0);

    child_signal(world->sandbox.mosquitto_pid, SIGKILL);
    child_signal(world->sandbox.pid, SIGKILL);
    sandbox_await_end(&world->sandbox);
    if (broker >= 0) {
        struct pollfd gone = { .fd = broker, .events = POLLIN };

        assert_int_equal(poll(&gone, 1, PATIENCE_MS), 1);
        close(broker);
    }
}

void world_end(struct world *world)
{
    if (world->sandbox.pid)
        sandbox_stop(&world->sandbox);
    sandbox_remove(&world->sandbox);
}

/* --- waiting -------------------------------------------------------------------- */

/* What is asked for changes in another process, which tells nobody: ask again. */
void await_true(bool (*check)(void *arg), void *arg, const char *what)
{
    int64_t until = test_now_us() + 1000ll * PATIENCE_MS;

    while (!check(arg)) {
        if (test_now_us() > until)
            fail_msg("gave up waiting for %s", what);
        poll(NULL, 0, 20);
    }
}

/* --- programs ------------------------------------------------------------------- */

void program_start(struct program *program, const char *const argv[])
{
    int out[2], err[2];

    *program = (struct program){ 0 };
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    assert_int_equal(pipe2(err, O_CLOEXEC), 0);
    program->pid = fork();
    assert_true(program->pid >= 0);
    if (program->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(out[1], STDOUT_FILENO);
        dup2(err[1], STDERR_FILENO);
        execv(argv[0], (char *const *)(uintptr_t)argv);
        dprintf(STDERR_FILENO, "%s: %s\n", argv[0], strerror(errno));
        _exit(99);
    }
    close(out[1]);
    close(err[1]);
    program->out = out[0];
    program->err = err[0];
}

void example_start(struct program *program, const struct world *world, const char *name,
                   const char *id)
{
    char path[512], credentials[256];
    const char *argv[] = {
        path, "--server",      world->server, "--broker",  world->broker, "--device",
        id,   "--credentials", credentials,   "--verbose", NULL
    };

    snprintf(path, sizeof path, "%s/%s", EXAMPLES, name);
    snprintf(credentials, sizeof credentials, "%s/%s.credentials", world->sandbox.dir,
             id);
    program_start(program, argv);
}

/* Reads what there is to read; false when both pipes are at their end. */
static bool program_read(struct program *program, int within_ms)
{
    struct pollfd fds[2] = {
        {.fd = program->out,  .events = POLLIN},
        { .fd = program->err, .events = POLLIN}
    };
    int *const ends[2] = { &program->out, &program->err };

    if (program->out < 0 && program->err < 0)
        return false;
    poll(fds, 2, within_ms);
    for (int i = 0; i < 2; i++) {
        size_t room = sizeof program->text[i] - 1 - program->len[i];
        ssize_t n;

        if (*ends[i] < 0 || !(fds[i].revents & (POLLIN | POLLHUP)))
            continue;
        assert_true(room > 0);
        n = read(*ends[i], program->text[i] + program->len[i], room);
        if (n > 0) {
            program->len[i] += (size_t)n;
        } else {
            close(*ends[i]);
            *ends[i] = -1;
        }
    }
    return true;
}

bool program_has_said(const struct program *program, const char *text)
{
    return strstr(program->text[0], text) || strstr(program->text[1], text);
}

void program_drain(struct program *program)
{
    program_read(program, 1000);
}

void program_await(struct program *program, const char *text)
{
    int64_t until = test_now_us() + 1000ll * PATIENCE_MS;

    while (!program_has_said(program, text)) {
        if (!program_read(program, 100) || test_now_us() > until)
            fail_msg("waited for '%s'; stdout: %s stderr: %s", text, program->text[0],
                     program->text[1]);
    }
}

int program_await_end(struct program *program, int within_ms)
{
    int64_t until = test_now_us() + 1000ll * within_ms;
    int status;

    while (program_read(program, 50))
        if (test_now_us() > until) {
            child_signal(program->pid, SIGKILL);
            fail_msg("the program still runs after %d ms; stdout: %s stderr: %s",
                     within_ms, program->text[0], program->text[1]);
        }
    assert_int_equal(waitpid(program->pid, &status, 0), program->pid);
    program->pid = 0;
    return status;
}

int program_interrupt(struct program *program)
{
    int64_t start = test_now_us();
    int status;

    child_signal(program->pid, SIGINT);
    status = program_await_end(program, PATIENCE_MS);
    if (!WIFEXITED(status) || WEXITSTATUS(status) > 1)
        fail_msg("ended with %#x; stderr: %s", (unsigned)status, program->text[1]);
    return (int)((test_now_us() - start) / 1000);
}

void program_kill(struct program *program)
{
    if (!program->pid)
        return;
    child_signal(program->pid, SIGKILL);
    program_await_end(program, PATIENCE_MS);
}

/* --- the operator --------------------------------------------------------------- */

struct body {
    char *bytes;
    size_t len;
};

static size_t collect(char *bytes, size_t size, size_t count, void *arg)
{
    struct body *body = arg;

    body->bytes = realloc(body->bytes, body->len + size * count + 1);
    assert_non_null(body->bytes);
    memcpy(body->bytes + body->len, bytes, size * count);
    body->len += size * count;
    body->bytes[body->len] = '\0';
    return size * count;
}

static long call(const struct world *world, const char *method, const char *path,
                 const char *send, struct body *ret_body)
{
    char url[512];
    struct curl_slist *headers = NULL;
    CURL *curl = curl_easy_init();
    long status = 0;

    *ret_body = (struct body){ 0 };
    snprintf(url, sizeof url, "%s%s", world->server, path);
    headers = curl_slist_append(headers, "Content-Type: application/json");
    headers = curl_slist_append(headers, "Accept: application/json");
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
    if (send)
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, send);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_USERPWD, OPERATOR);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, collect);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, ret_body);
    if (!curl_easy_perform(curl))
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    return status;
}

static void call_well(const struct world *world, const char *method, const char *path,
                      const char *send, struct body *ret_body)
{
    long status = call(world, method, path, send, ret_body);

    if (status / 100 != 2)
        fail_msg("%s %s: status %ld: %s", method, path, status,
                 ret_body->bytes ? ret_body->bytes : "");
}

static json_t *parse(struct body *body)
{
    json_t *json = json_loads(body->bytes ? body->bytes : "", 0, NULL);

    assert_non_null(json);
    free(body->bytes);
    return json;
}

json_t *operator_get(const struct world *world, const char *format, ...)
{
    char path[400];
    struct body body;
    va_list args;

    va_start(args, format);
    vsnprintf(path, sizeof path, format, args);
    va_end(args);
    call_well(world, "GET", path, NULL, &body);
    return parse(&body);
}

void operator_post(const struct world *world, const char *path, const char *send)
{
    struct body body;

    call_well(world, "POST", path, send, &body);
    free(body.bytes);
}

void operator_put(const struct world *world, const char *path, const char *send)
{
    struct body body;

    call_well(world, "PUT", path, send, &body);
    free(body.bytes);
}

struct question {
    const struct world *world;
    const char *device, *object, *operation, *status;
    size_t count;
    char *ret_object;
    json_t *ret_json;
};

static bool has_asked(void *arg)
{
    const struct question *q = arg;
    json_t *request =
        operator_get(q->world, "/devicecontrol/newDeviceRequests/%s", q->device);
    const char *status = json_string_value(json_object_get(request, "status"));
    bool asked = status && !strcmp(status, "PENDING_ACCEPTANCE");

    json_decref(request);
    return asked;
}

void operator_accept(const struct world *world, const char *id)
{
    struct question q = { .world = world, .device = id };
    char path[400];

    await_true(has_asked, &q, "the device to ask for credentials");
    snprintf(path, sizeof path, "/devicecontrol/newDeviceRequests/%s", id);
    operator_put(world, path, "{\"status\":\"ACCEPTED\"}");
}

void operator_register(const struct world *world, const char *id)
{
    char body[200];

    snprintf(body, sizeof body, "{\"id\":\"%s\"}", id);
    operator_post(world, "/devicecontrol/newDeviceRequests", body);
    operator_accept(world, id);
}

static bool has_object(void *arg)
{
    const struct question *q = arg;
    char path[300];
    struct body body;
    long status;
    json_t *json;

    snprintf(path, sizeof path, "/identity/externalIds/c8y_Serial/%s", q->device);
    status = call(q->world, "GET", path, NULL, &body);
    if (status != 200) {
        free(body.bytes);
        return false;
    }
    json = parse(&body);
    snprintf(q->ret_object, 32, "%s",
             json_string_value(
                 json_object_get(json_object_get(json, "managedObject"), "id")));
    json_decref(json);
    return true;
}

void operator_find_device(const struct world *world, const char *id,
                          char ret_object[32])
{
    struct question q = { .world = world, .device = id, .ret_object = ret_object };

    await_true(has_object, &q, "the device's managed object");
}

void operator_restart(const struct world *world, const char *object, char ret_id[32])
{
    char send[200];
    struct body body;
    json_t *json;

    snprintf(send, sizeof send, "{\"deviceId\":\"%s\",\"c8y_Restart\":{}}", object);
    call_well(world, "POST", "/devicecontrol/operations", send, &body);
    json = parse(&body);
    snprintf(ret_id, 32, "%s", json_string_value(json_object_get(json, "id")));
    json_decref(json);
}

static bool has_status(void *arg)
{
    const struct question *q = arg;
    json_t *list = operator_get(
        q->world, "/devicecontrol/operations?deviceId=%s&pageSize=100", q->object);
    json_t *operation;
    size_t i;
    bool found = false;

    json_array_foreach(
        json_object_get(list, "operations"), i,
        operation) if (!strcmp(json_string_value(json_object_get(operation, "id")),
                               q->operation)) found =
        !strcmp(json_string_value(json_object_get(operation, "status")), q->status);
    json_decref(list);
    return found;
}

void operator_await_status(const struct world *world, const char *object,
                           const char *operation, const char *status)
{
    struct question q = {
        .world = world, .object = object, .operation = operation, .status = status
    };

    await_true(has_status, &q, status);
}

size_t operator_count_devices(const struct world *world)
{
    json_t *list = operator_get(
        world, "/inventory/managedObjects?fragmentType=c8y_IsDevice&pageSize=2000");
    size_t n = json_array_size(json_object_get(list, "managedObjects"));

    json_decref(list);
    return n;
}

/* All pages, appended. */
static json_t *all_measurements(const struct world *world, const char *object)
{
    json_t *all = json_array();
    size_t page = 1, got;

    do {
        json_t *list = operator_get(
            world, "/measurement/measurements?source=%s&pageSize=2000&currentPage=%zu",
            object, page++);

        got = json_array_size(json_object_get(list, "measurements"));
        json_array_extend(all, json_object_get(list, "measurements"));
        json_decref(list);
    } while (got == 2000);
    return all;
}

static bool has_measurements(void *arg)
{
    struct question *q = arg;

    json_decref(q->ret_json);
    q->ret_json = all_measurements(q->world, q->object);
    return json_array_size(q->ret_json) >= q->count;
}

json_t *operator_await_measurements(const struct world *world, const char *object,
                                    size_t count)
{
    struct question q = { .world = world, .object = object, .count = count };

    await_true(has_measurements, &q, "measurements");
    return q.ret_json;
}

static int by_id(const void *a, const void *b)
{
    long long x = atoll(json_string_value(json_object_get(*(json_t *const *)a, "id")));
    long long y = atoll(json_string_value(json_object_get(*(json_t *const *)b, "id")));

    return (x > y) - (x < y);
}

static long number_of(const json_t *measurement)
{
    return (long)json_number_value(json_object_get(
        json_object_get(json_object_get(measurement, "e2e"), "n"), "value"));
}

size_t operator_await_numbers(const struct world *world, const char *object, long rows)
{
    json_t *all = operator_await_measurements(world, object, (size_t)rows);
    size_t count = json_array_size(all);
    json_t **sorted = calloc(count + 1, sizeof *sorted);
    long next = 0;

    assert_non_null(sorted);
    for (size_t i = 0; i < count; i++)
        sorted[i] = json_array_get(all, i);
    qsort(sorted, count, sizeof *sorted, by_id);
    for (size_t i = 0; i < count; i++) {
        long n = number_of(sorted[i]);

        if (n > next)
            fail_msg("device %s: row %ld arrived before row %ld", object, n, next);
        next += n == next;
    }
    free(sorted);
    json_decref(all);
    assert_int_equal(next, rows);
    return count;
}
