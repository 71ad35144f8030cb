/* SPDX-License-Identifier: MIT */
/* Files over HTTP, and the door with TLS. */
#include "test_wire.h"

#include <curl/curl.h>
#include <dirent.h>
#include <glob.h>
#include <mosquitto.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define BINARIES "/inventory/binaries"
#define JSON     "Accept: application/json\r\n"
#define FORM     JSON "Content-Type: multipart/form-data; boundary=B\r\n"
#define MIB      (1u << 20)

static int open_sandbox(void **state)
{
    static struct sandbox sandbox;

    sandbox_prepare(&sandbox);
    sandbox_start(&sandbox, "--http-port", "0", "--https-port", "0", "--mqtt-port", "0",
                  "--mqtts-port", "0", "--binary-max", "300", NULL);
    *state = &sandbox;
    return 0;
}

static int close_sandbox(void **state)
{
    sandbox_stop(*state);
    sandbox_remove(*state);
    return 0;
}

static const char *account_of(const struct device *device)
{
    return say("%s:%s", device->user, device->password);
}

/* --- forms ---------------------------------------------------------------------------- */

#define PART(name, more, content)                                                      \
    "--B\r\nContent-Disposition: form-data; name=\"" name "\"" more "\r\n\r\n" content \
    "\r\n"
#define OBJECT      PART("object", "", "{\"name\":\"a.log\",\"type\":\"text/plain\"}")
#define FILESIZE(n) PART("filesize", "", n)
#define CONTENT(abc) \
    PART("file", "; filename=\"a.log\"\r\nContent-Type: text/plain", abc)
#define END "--B--\r\n"

/* Posts a form; the id of the object that it made. */
static const char *post_file(const struct sandbox *sandbox, const char *account,
                             const char *form)
{
    static char id[32];
    struct reply reply = talk(sandbox, account, "POST", BINARIES, FORM, form);

    if (reply.status != 201)
        fail_msg("%d %s for %s", reply.status, reply.body, form);
    json_member(reply.body, "id", id, sizeof id);
    reply_free(&reply);
    return id;
}

static void expect_refused(const struct sandbox *sandbox, const char *account,
                           const char *method, const char *path, const char *headers,
                           const char *body, int status)
{
    struct reply reply = talk(sandbox, account, method, path, headers, body);

    if (reply.status != status)
        fail_msg("%s %s: %d instead of %d: %s", method, path, reply.status, status,
                 reply.body);
    reply_free(&reply);
}

static void expect_content(const struct sandbox *sandbox, const char *account,
                           const char *path, const char *range, int status,
                           const char *content)
{
    struct reply reply = talk(sandbox, account, "GET", path, range, NULL);

    assert_int_equal(reply.status, status);
    if (content)
        assert_string_equal(reply.body, content);
    reply_free(&reply);
}

static int files_of(const struct sandbox *sandbox)
{
    DIR *dir = opendir(say("%s/data/binaries", sandbox->dir));
    struct dirent *entry;
    int n = 0;

    while (dir && (entry = readdir(dir)))
        n += entry->d_name[0] != '.';
    if (dir)
        closedir(dir);
    return n;
}

static void await_files(const struct sandbox *sandbox, int wanted)
{
    int64_t deadline = test_now_us() + (int64_t)PATIENCE_MS * 1000;

    while (files_of(sandbox) != wanted) {
        if (test_now_us() > deadline)
            fail_msg("%d files, not %d", files_of(sandbox), wanted);
        poll(NULL, 0, 10);
    }
}

/* --- files of the inventory --------------------------------------------------------------- */

static void file_comes_back_whole_whatever_the_order_of_parts(void **state)
{
    static const char *const forms[] = {
        OBJECT FILESIZE("3") CONTENT("abc") END,
        CONTENT("abc") OBJECT FILESIZE("3") END,
        FILESIZE("3\r\n") CONTENT("abc") OBJECT END "epilogue",
        "preamble\r\n" OBJECT CONTENT("abc") END,
        PART("x", "", "--B-\r\n--\r\n") CONTENT("abc") OBJECT END,
    };
    struct device device;

    device_register(&device, *state, "files");
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        const char *id = post_file(*state, account_of(&device), forms[i]);
        struct reply reply = talk(*state, account_of(&device), "GET",
                                  say(BINARIES "/%s", id), NULL, NULL);

        assert_string_equal(reply.body, "abc");
        assert_non_null(strstr(reply.head, "\r\nContent-Length: 3\r\n"));
        assert_non_null(strstr(reply.head, "\r\nContent-Type: text/plain\r\n"));
        assert_non_null(strstr(reply.head, "\r\nAccept-Ranges: bytes\r\n"));
        reply_free(&reply);
    }
}

static void file_is_a_managed_object(void **state)
{
    const char *id = post_file(*state, OPERATOR, OBJECT CONTENT("abcd") END);
    struct reply reply = talk(*state, OPERATOR, "GET",
                              say("/inventory/managedObjects/%s", id), JSON, NULL);

    assert_non_null(strstr(reply.body, "\"name\":\"a.log\""));
    assert_non_null(strstr(reply.body, "\"c8y_IsBinary\":"));
    assert_non_null(strstr(reply.body, "\"length\":4"));
    assert_non_null(strstr(reply.body, "\"contentType\":\"text/plain\""));
    reply_free(&reply);
    reply = talk(*state, OPERATOR, "GET", BINARIES "?pageSize=100", JSON, NULL);
    assert_non_null(strstr(reply.body, say("\"id\":\"%s\"", id)));
    reply_free(&reply);
}

static void empty_file_is_a_file(void **state)
{
    const char *id = post_file(*state, OPERATOR, OBJECT CONTENT("") FILESIZE("0") END);

    expect_content(*state, OPERATOR, say(BINARIES "/%s", id), NULL, 200, "");
    expect_content(*state, OPERATOR, say(BINARIES "/%s", id), "Range: bytes=0-\r\n",
                   416, NULL);
}

static void names_are_never_paths(void **state)
{
    static const char form[] =
        PART("object", "",
             "{}") "--B\r\ncontent-disposition: form-data; filename=\"../../../evil\"; "
                   "name=file\r\n\r\nx\r\n" END;
    int before = files_of(*state);
    const char *id = post_file(*state, OPERATOR, form);
    struct stat st;

    expect_content(*state, OPERATOR, say(BINARIES "/%s", id), NULL, 200, "x");
    assert_int_equal(files_of(*state), before + 1);
    assert_int_not_equal(stat(say("%s/evil", ((struct sandbox *)*state)->dir), &st), 0);
    expect_content(*state, OPERATOR, BINARIES "/../platform.db", NULL, 404, NULL);
}

static void parts_of_a_file_can_be_asked_for(void **state)
{
    static const struct {
        const char *range, *content, *where;
        int status;
    } cases[] = {
        {"bytes=0-0",      "a",          "bytes 0-0/10", 206},
        { "bytes=3-5",     "def",        "bytes 3-5/10", 206},
        { "bytes=7-",      "hij",        "bytes 7-9/10", 206},
        { "bytes=7-999",   "hij",        "bytes 7-9/10", 206},
        { "bytes=-2",      "ij",         "bytes 8-9/10", 206},
        { "bytes=-99",     "abcdefghij", "bytes 0-9/10", 206},
        { "bytes=10-",     NULL,         NULL,           416},
        { "bytes=-0",      NULL,         NULL,           416},
        { "bytes=5-3",     "abcdefghij", NULL,           200},
        { "bytes=0-1,3-4", "abcdefghij", NULL,           200},
        { "lines=1-2",     "abcdefghij", NULL,           200},
        { "bytes=x",       "abcdefghij", NULL,           200},
    };
    char path[64];

    snprintf(path, sizeof path, BINARIES "/%s",
             post_file(*state, OPERATOR, OBJECT CONTENT("abcdefghij") END));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct reply reply = talk(*state, OPERATOR, "GET", path,
                                  say("Range: %s\r\n", cases[i].range), NULL);

        if (reply.status != cases[i].status)
            fail_msg("%s: %d", cases[i].range, reply.status);
        if (cases[i].content)
            assert_string_equal(reply.body, cases[i].content);
        if (cases[i].where)
            assert_non_null(
                strstr(reply.head, say("\r\nContent-Range: %s\r\n", cases[i].where)));
        reply_free(&reply);
    }
}

static void put_replaces_and_delete_removes(void **state)
{
    int before = files_of(*state);
    char path[64];

    snprintf(path, sizeof path, BINARIES "/%s",
             post_file(*state, OPERATOR, OBJECT CONTENT("old") END));
    expect_refused(*state, OPERATOR, "PUT", path, "Content-Type: text/csv\r\n", "newer",
                   201);
    expect_content(*state, OPERATOR, path, NULL, 200, "newer");
    assert_int_equal(files_of(*state), before + 1);
    expect_refused(*state, OPERATOR, "DELETE", path, NULL, NULL, 204);
    assert_int_equal(files_of(*state), before);
    expect_refused(*state, OPERATOR, "GET", path, NULL, NULL, 404);
    expect_refused(*state, OPERATOR, "PUT", path, NULL, "x", 404);
    expect_refused(*state, OPERATOR, "DELETE", path, NULL, NULL, 404);
}

static void deleted_object_takes_its_file_along(void **state)
{
    int before = files_of(*state);
    const char *id = post_file(*state, OPERATOR, OBJECT CONTENT("x") END);

    expect_refused(*state, OPERATOR, "DELETE", say("/inventory/managedObjects/%s", id),
                   NULL, NULL, 204);
    assert_int_equal(files_of(*state), before);
}

static void devices_see_their_own_files_only(void **state)
{
    struct device mine, other;
    char path[64];

    device_register(&mine, *state, "mine");
    device_register(&other, *state, "other");
    snprintf(path, sizeof path, BINARIES "/%s",
             post_file(*state, account_of(&mine), OBJECT CONTENT("x") END));
    expect_content(*state, account_of(&mine), path, NULL, 200, "x");
    expect_refused(*state, account_of(&other), "GET", path, NULL, NULL, 403);
    expect_refused(*state, account_of(&other), "PUT", path, NULL, "y", 403);
    expect_refused(*state, account_of(&other), "DELETE", path, NULL, NULL, 403);
    expect_refused(*state, "nobody:x", "POST", BINARIES, FORM, OBJECT END, 401);
    expect_refused(*state, BOOTSTRAP, "POST", BINARIES, FORM, OBJECT END, 403);
    expect_content(*state, account_of(&mine), path, NULL, 200, "x");
}

static void bad_forms_are_refused_and_leave_nothing(void **state)
{
    static const struct {
        const char *headers, *form;
        int status;
    } cases[] = {
        {FORM,                                     OBJECT CONTENT("abc"),                                      422                                                        },
        { FORM,                                    OBJECT END,                                                 422                                                        },
        { FORM,                                    OBJECT CONTENT("a") CONTENT("b") END,                       422                                                        },
        { FORM,                                    OBJECT FILESIZE("4") CONTENT("abc") END,                    422                                                        },
        { FORM,                                    OBJECT FILESIZE("x") CONTENT("abc") END,                    422                                                        },
        { FORM,                                    PART("object",                                              "",                                                          "[]") CONTENT("a") END, 422 },
        { FORM,                                     PART("object",                                                                                              "",                                                                                                                                                     "{") CONTENT("a") END, 422 },
        { FORM,                                      "--B\r\n\r\nno header--B--",422},
        { FORM,                                    "--Bxyz",                              422                                                                                                        },
        { FORM,                                    "",                                                   422                                                                             },
        { "Content-Type: multipart/form-data\r\n",                                    OBJECT CONTENT("a") END,                                                         415                                                              },
        { "Content-Type: text/plain\r\n", "abc", 415},
        { NULL,          "abc",                                                               415                                                                                                                      },
    };
    int before = files_of(*state);

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect_refused(*state, OPERATOR, "POST", BINARIES, cases[i].headers,
                       cases[i].form, cases[i].status);
    assert_int_equal(files_of(*state), before);
}

static void await_part_of_a_file(const struct sandbox *sandbox)
{
    int64_t deadline = test_now_us() + (int64_t)PATIENCE_MS * 1000;
    const char *pattern = say("%s/data/binaries/upload-*", sandbox->dir);
    struct stat info = { 0 };
    glob_t found;

    while (info.st_size < 900) {
        if (test_now_us() > deadline)
            fail_msg("%ld bytes", (long)info.st_size);
        poll(NULL, 0, 10);
        if (!glob(pattern, 0, NULL, &found))
            stat(found.gl_pathv[0], &info);
        globfree(&found);
    }
}

/* It ends when all that came has been read: an end that comes together with bytes escapes
 * libmicrohttpd until the connection has been silent for too long. */
static void upload_cut_in_the_middle_leaves_nothing(void **state)
{
    int before = files_of(*state);
    char content[1001];
    struct wire wire;

    snprintf(content, sizeof content, "%01000d", 0);
    wire_open(&wire, *state);
    wire_begin(&wire, OPERATOR, "POST", BINARIES, FORM, 100000);
    wire_send(&wire, OBJECT CONTENT(""), strlen(OBJECT CONTENT("")) - 2);
    wire_send(&wire, content, 1000);
    await_part_of_a_file(*state);
    await_files(*state, before + 1);
    wire_close(&wire);
    await_files(*state, before);
}

/* --- sizes ------------------------------------------------------------------------------------ */

/* Sends `mib` MiB of a pattern as an attachment-like raw PUT or POST. */
static struct reply send_large(const struct sandbox *sandbox, const char *method,
                               const char *path, size_t mib)
{
    static char block[MIB];
    struct reply reply;
    struct wire wire;

    for (size_t i = 0; i < sizeof block; i++)
        block[i] = (char)(i * 7 % 251);
    wire_open(&wire, sandbox);
    wire_begin(&wire, OPERATOR, method, path, JSON, mib * MIB);
    for (size_t i = 0; i < mib; i++)
        wire_send(&wire, block, sizeof block);
    reply = wire_read(&wire);
    wire_close(&wire);
    return reply;
}

/* Reads it again and compares, block by block. */
static void expect_large(const struct sandbox *sandbox, const char *path, size_t mib)
{
    static char block[MIB];
    struct wire wire;
    size_t total = 0;

    wire_open(&wire, sandbox);
    wire_request(&wire, OPERATOR, "GET", path, NULL, NULL);
    wire_await(&wire, "\r\n\r\n");
    wire.len -= (size_t)(strstr(wire.in, "\r\n\r\n") + 4 - wire.in);
    memmove(block, strstr(wire.in, "\r\n\r\n") + 4, wire.len);
    for (size_t n = wire.len; total < mib * MIB;) {
        for (size_t i = 0; i < n; i++, total++)
            if (block[i] != (char)(total % MIB * 7 % 251))
                fail_msg("byte %zu is wrong", total);
        if (total == mib * MIB)
            break;
        n = (size_t)recv(wire.fd, block, sizeof block, 0);
        assert_true(n > 0 && n <= sizeof block);
    }
    wire_close(&wire);
}

static void two_hundred_mib_pass_in_little_memory(void **state)
{
    struct sandbox *sandbox = *state;
    long before = memory_kib(sandbox->mosquitto_pid);
    struct reply reply;
    char path[64];

    snprintf(path, sizeof path, BINARIES "/%s",
             post_file(*state, OPERATOR, OBJECT CONTENT("x") END));
    reply = send_large(sandbox, "PUT", path, 200);
    assert_int_equal(reply.status, 201);
    assert_non_null(strstr(reply.body, "\"length\":209715200"));
    reply_free(&reply);
    expect_large(sandbox, path, 200);
    assert_true(memory_kib(sandbox->mosquitto_pid) - before < 32 * 1024);
    expect_refused(sandbox, OPERATOR, "DELETE", path, NULL, NULL, 204);
}

static void file_above_the_limit_is_refused(void **state)
{
    struct wire wire;
    struct reply reply;
    char path[64];

    snprintf(path, sizeof path, BINARIES "/%s",
             post_file(*state, OPERATOR, OBJECT CONTENT("kept") END));
    wire_open(&wire, *state);
    wire_begin(&wire, OPERATOR, "PUT", path, "Expect: 100-continue\r\n", 301ul * MIB);
    reply = wire_read(&wire); /* no byte of it was sent */
    assert_int_equal(reply.status, 413);
    reply_free(&reply);
    wire_close(&wire);
    expect_content(*state, OPERATOR, path, NULL, 200, "kept");
}

/* --- events ---------------------------------------------------------------------------------------- */

static void make_event(const struct sandbox *sandbox, const struct device *device,
                       char path[static 64])
{
    struct reply reply =
        talk(sandbox, account_of(device), "POST", "/event/events",
             JSON "Content-Type: application/json\r\n",
             say("{\"type\":\"c8y_Logfile\",\"text\":\"log\",\"time\":"
                 "\"2026-01-01T00:00:00Z\",\"source\":{\"id\":\"%s\"}}",
                 device->object));
    char id[32];

    assert_int_equal(reply.status, 201);
    json_member(reply.body, "id", id, sizeof id);
    snprintf(path, 64, "/event/events/%s", id);
    reply_free(&reply);
}

static void event_has_one_file(void **state)
{
    struct device device, other;
    const char *account;
    char event[64], path[96];
    struct reply reply;
    int before = files_of(*state);

    device_register(&device, *state, "event");
    device_register(&other, *state, "curious");
    account = strdup(account_of(&device));
    make_event(*state, &device, event);
    snprintf(path, sizeof path, "%s/binaries", event);
    expect_refused(*state, account, "GET", path, NULL, NULL, 404);
    expect_refused(*state, account, "PUT", path, NULL, "x", 404);
    reply = talk(*state, account, "POST", path,
                 JSON "Content-Type: text/plain\r\n"
                      "Content-Disposition: attachment; filename=\"my log\"\r\n",
                 "line\n");
    assert_int_equal(reply.status, 201);
    assert_non_null(strstr(reply.body, "\"length\":5"));
    assert_non_null(strstr(reply.body, "\"name\":\"my log\""));
    assert_non_null(strstr(reply.body, path));
    reply_free(&reply);
    expect_content(*state, account, path, NULL, 200, "line\n");
    expect_refused(*state, account, "POST", path, NULL, "second", 409);
    expect_refused(*state, account_of(&other), "GET", path, NULL, NULL, 403);
    expect_refused(*state, account, "PUT", path, FORM, CONTENT("other") OBJECT END,
                   201);
    expect_content(*state, account, path, "Range: bytes=2-\r\n", 206, "her");
    reply = talk(*state, account, "GET", event, JSON, NULL);
    assert_non_null(
        strstr(reply.body, "\"c8y_IsBinary\":{\"name\":\"a.log\",\"length\":5,"));
    reply_free(&reply);
    expect_refused(*state, account, "DELETE", path, NULL, NULL, 204);
    expect_refused(*state, account, "DELETE", path, NULL, NULL, 404);
    reply = talk(*state, account, "GET", event, JSON, NULL);
    assert_null(strstr(reply.body, "c8y_IsBinary"));
    reply_free(&reply);
    expect_refused(*state, account, "POST", path, FORM, OBJECT CONTENT("z") END, 201);
    expect_refused(*state, account, "DELETE", event, NULL, NULL, 204);
    assert_int_equal(files_of(*state), before);
    expect_refused(*state, account, "POST", "/event/events/1/binaries", NULL, "x", 404);
    free((char *)(uintptr_t)account);
}

/* --- restart ------------------------------------------------------------------------------------------ */

static void files_and_the_ca_survive_a_restart(void **state)
{
    struct sandbox sandbox;
    struct stat before, after;
    char path[64];

    (void)state;
    sandbox_prepare(&sandbox);
    sandbox_start(&sandbox, "--http-port", "0", "--mqtt-port", "0", "--https-port", "0",
                  NULL);
    snprintf(path, sizeof path, BINARIES "/%s",
             post_file(&sandbox, OPERATOR, OBJECT CONTENT("kept") END));
    assert_int_equal(stat(say("%s/data/ca.pem", sandbox.dir), &before), 0);
    sandbox_stop(&sandbox);
    fclose(fopen(say("%s/data/binaries/upload-abcdef", sandbox.dir), "w"));
    sandbox_start(&sandbox, "--http-port", "0", "--mqtt-port", "0", "--https-port", "0",
                  NULL);
    expect_content(&sandbox, OPERATOR, path, NULL, 200, "kept");
    assert_int_equal(files_of(&sandbox), 1); /* the half one of a crash is gone */
    assert_int_equal(stat(say("%s/data/ca.pem", sandbox.dir), &after), 0);
    assert_int_equal(before.st_ino, after.st_ino);
    sandbox_remove(&sandbox);
}

/* --- TLS ----------------------------------------------------------------------------------------------- */

/* curl's code for GET `host`, with the sandbox's CA or without. */
static CURLcode get_https(const struct sandbox *sandbox, const char *host, bool with_ca)
{
    CURL *curl = curl_easy_init();
    long status = 0;
    CURLcode rc;

    curl_easy_setopt(
        curl, CURLOPT_URL,
        say("https://%s:%d/inventory/managedObjects", host, sandbox->https_port));
    curl_easy_setopt(curl, CURLOPT_USERPWD, "operator:operator");
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)PATIENCE_MS);
    curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
    if (with_ca)
        curl_easy_setopt(curl, CURLOPT_CAINFO, sandbox->ca_file);
    rc = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    if (rc == CURLE_OK)
        assert_int_equal(status, 200);
    curl_easy_cleanup(curl);
    return rc;
}

static void https_is_trusted_with_the_ca_only(void **state)
{
    assert_int_equal(get_https(*state, "127.0.0.1", true), CURLE_OK);
    assert_int_equal(get_https(*state, "localhost", true), CURLE_OK);
    assert_int_not_equal(get_https(*state, "127.0.0.1", false), CURLE_OK);
}

static void key_is_private(void **state)
{
    const struct sandbox *sandbox = *state;
    static const char *const names[] = { "ca.pem", "server.pem", "server-key.pem" };
    struct stat st;

    for (int i = 0; i < 3; i++) {
        assert_int_equal(stat(say("%s/data/%s", sandbox->dir, names[i]), &st), 0);
        assert_int_equal(st.st_mode & 0777, 0600);
    }
}

static void on_connect(struct mosquitto *mosq, void *arg, int code)
{
    (void)mosq;
    *(int *)arg = code;
}

static void mqtts_uses_the_same_certificate(void **state)
{
    const struct sandbox *sandbox = *state;
    int64_t deadline = test_now_us() + (int64_t)PATIENCE_MS * 1000;
    struct mosquitto *mosq;
    struct device device;
    int connack = -1;

    device_register(&device, sandbox, "secure");
    mosq = mosquitto_new("d:secure", true, &connack);
    mosquitto_connect_callback_set(mosq, on_connect);
    mosquitto_username_pw_set(mosq, device.user, device.password);
    assert_int_equal(mosquitto_tls_set(mosq, sandbox->ca_file, NULL, NULL, NULL, NULL),
                     MOSQ_ERR_SUCCESS);
    assert_int_equal(mosquitto_connect(mosq, "127.0.0.1", sandbox->mqtts_port, 60),
                     MOSQ_ERR_SUCCESS);
    while (connack < 0 && mosquitto_loop(mosq, 100, 1) == MOSQ_ERR_SUCCESS)
        assert_true(test_now_us() < deadline);
    assert_int_equal(connack, 0);
    mosquitto_destroy(mosq);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(file_comes_back_whole_whatever_the_order_of_parts),
        cmocka_unit_test(file_is_a_managed_object),
        cmocka_unit_test(empty_file_is_a_file),
        cmocka_unit_test(names_are_never_paths),
        cmocka_unit_test(parts_of_a_file_can_be_asked_for),
        cmocka_unit_test(put_replaces_and_delete_removes),
        cmocka_unit_test(deleted_object_takes_its_file_along),
        cmocka_unit_test(devices_see_their_own_files_only),
        cmocka_unit_test(bad_forms_are_refused_and_leave_nothing),
        cmocka_unit_test(upload_cut_in_the_middle_leaves_nothing),
        cmocka_unit_test(two_hundred_mib_pass_in_little_memory),
        cmocka_unit_test(file_above_the_limit_is_refused),
        cmocka_unit_test(event_has_one_file),
        cmocka_unit_test(files_and_the_ca_survive_a_restart),
        cmocka_unit_test(https_is_trusted_with_the_ca_only),
        cmocka_unit_test(key_is_private),
        cmocka_unit_test(mqtts_uses_the_same_certificate),
    };
    int failed;

    mosquitto_lib_init();
    failed = cmocka_run_group_tests(tests, open_sandbox, close_sandbox);
    mosquitto_lib_cleanup();
    return failed;
}
