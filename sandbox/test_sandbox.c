/* SPDX-License-Identifier: MIT */
#include "test_sandbox.h"
#include "support/child.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

int64_t test_now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* --- processes ------------------------------------------------------------------- */

/* stdout goes to `out`, stderr to the file `err`. */
static pid_t spawn(const char *const argv[], int out, const char *err)
{
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid)
        return pid;
    dup2(out, STDOUT_FILENO);
    dup2(open(err, O_WRONLY | O_CREAT | O_TRUNC, 0600), STDERR_FILENO);
    execv(argv[0], (char *const *)(uintptr_t)argv);
    _exit(99);
}

/* pidfd: an end can be awaited like any other event. */
static int await_end(pid_t pid)
{
    struct pollfd fd = { .fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN };
    int status, n;

    assert_true(fd.fd >= 0);
    n = poll(&fd, 1, PATIENCE_MS);
    close(fd.fd);
    if (n != 1)
        child_signal(pid, SIGKILL);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (n != 1)
        fail_msg("process %d did not end", (int)pid);
    return status;
}

static void read_file(const char *path, char *buf, size_t size)
{
    FILE *file = fopen(path, "r");
    size_t n = file ? fread(buf, 1, size - 1, file) : 0;

    buf[n] = '\0';
    if (file)
        fclose(file);
}

/* --- the launcher ------------------------------------------------------------------ */

void sandbox_prepare(struct sandbox *sandbox)
{
    *sandbox = (struct sandbox){ .out = -1 };
    strcpy(sandbox->dir, "/tmp/sandbox-test-XXXXXX");
    assert_non_null(mkdtemp(sandbox->dir));
    snprintf(sandbox->err, sizeof sandbox->err, "%s/stderr", sandbox->dir);
}

static int number_in(const char *lines, const char *name)
{
    const char *found = strstr(lines, name);

    return found ? atoi(found + strlen(name)) : 0;
}

static void text_in(const char *lines, const char *name, char *ret_text, size_t size)
{
    const char *found = strstr(lines, name);

    ret_text[0] = '\0';
    if (!found)
        return;
    found += strlen(name);
    snprintf(ret_text, size, "%.*s", (int)strcspn(found, "\n"), found);
}

static void read_ready_file(struct sandbox *sandbox, const char *path)
{
    char lines[1024];

    read_file(path, lines, sizeof lines);
    sandbox->http_port = number_in(lines, "HTTP_PORT=");
    sandbox->mqtt_port = number_in(lines, "\nMQTT_PORT=");
    sandbox->mqtts_port = number_in(lines, "\nMQTTS_PORT=");
    sandbox->https_port = number_in(lines, "\nHTTPS_PORT=");
    text_in(lines, "\nCA_FILE=", sandbox->ca_file, sizeof sandbox->ca_file);
    sandbox->mosquitto_pid = number_in(lines, "\nMOSQUITTO_PID=");
    assert_int_equal(number_in(lines, "\nPID="), sandbox->pid);
    assert_non_null(strstr(lines, "\nTENANT=t4711\n"));
    assert_true(sandbox->http_port > 0 && sandbox->mqtt_port > 0);
}

/* The start message is printed after the ready file is written. */
static void await_greeting(struct sandbox *sandbox)
{
    struct pollfd fd = { .fd = sandbox->out, .events = POLLIN };
    char text[1024], err[1024];
    size_t len = 0;

    do {
        ssize_t n;

        assert_int_equal(poll(&fd, 1, PATIENCE_MS * 3), 1);
        n = read(sandbox->out, text + len, sizeof text - len - 1);
        if (n <= 0) {
            read_file(sandbox->err, err, sizeof err);
            fail_msg("the sandbox did not start: %s", err);
        }
        len += (size_t)n;
        text[len] = '\0';
    } while (!strstr(text, "Ctrl-C ends it.\n"));
}

void sandbox_start(struct sandbox *sandbox, ...)
{
    char ready[96], data[96];
    const char *argv[32] = { SANDBOX_LAUNCHER, "--ready-file", ready, "--data", data };
    int n = 5, out[2];
    va_list args;

    va_start(args, sandbox);
    while ((argv[n] = va_arg(args, const char *)))
        assert_true(++n < 31);
    va_end(args);
    snprintf(ready, sizeof ready, "%s/ready", sandbox->dir);
    snprintf(data, sizeof data, "%s/data", sandbox->dir);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    sandbox->pid = spawn(argv, out[1], sandbox->err);
    sandbox->out = out[0];
    close(out[1]);
    await_greeting(sandbox);
    read_ready_file(sandbox, ready);
}

int sandbox_await_end(struct sandbox *sandbox)
{
    int status = await_end(sandbox->pid);

    sandbox->pid = 0;
    close(sandbox->out);
    return status;
}

void sandbox_stop(struct sandbox *sandbox)
{
    child_signal(sandbox->pid, SIGTERM);
    assert_int_equal(sandbox_await_end(sandbox), 0);
}

static int remove_entry(const char *path, const struct stat *st, int type,
                        struct FTW *where)
{
    (void)st, (void)type, (void)where;
    return remove(path);
}

void sandbox_remove(struct sandbox *sandbox)
{
    if (sandbox->pid)
        sandbox_stop(sandbox);
    nftw(sandbox->dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

int launcher_fails(struct sandbox *sandbox, const char *const args[], char *ret_err,
                   size_t size)
{
    const char *argv[32] = { SANDBOX_LAUNCHER };
    int status, null = open("/dev/null", O_WRONLY | O_CLOEXEC);

    for (int i = 0; args[i]; i++)
        argv[i + 1] = args[i];
    status = await_end(spawn(argv, null, sandbox->err));
    close(null);
    read_file(sandbox->err, ret_err, size);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}
