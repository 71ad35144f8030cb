/* SPDX-License-Identifier: MIT */
/* descriptors_host SUBSET HTTP-PORT MQTT-PORT DIR: closes those of descriptors 0 to 2 that SUBSET
 * has a bit for, leads two agents with an outbox on disk each, and prints in between, as a
 * careless daemon does. What its plugin's program finds open is in DIR/listing. Status 0 if all
 * that was open was as it should be, and everything arrived. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <smartrest/lua.h>
#include <smartrest/smartrest.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { ROWS = 10, PATIENCE_MS = 60 * 1000, WRONG = 1 };

static struct {
    const char *server, *dir;
} host;

/* Not on stderr, which is part of the experiment. */
static void check(int good, const char *what)
{
    char path[300];
    int fd;

    if (good)
        return;
    snprintf(path, sizeof path, "%s/wrong", host.dir);
    fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (fd >= 0)
        dprintf(fd, "%s\n", what);
    _exit(WRONG);
}

static void print(void)
{
    for (int i = 0; i < 100; i++) {
        errno = EBADF;
        perror("this goes to a descriptor that may be somebody's");
        printf("and so does this, line by line\n");
    }
    fflush(stdout);
    clearerr(stdout);
}

/* --- agents --------------------------------------------------------------------- */

static struct sr_agent *new_agent(const char *name)
{
    struct sr_agent *agent;
    char box[300];

    check(sr_agent_new(host.server, name, &agent) == 0, "agent");
    snprintf(box, sizeof box, "%s/%s", host.dir, name);
    check(sr_agent_open_outbox(agent, box) == 0, sr_agent_error(agent));
    check(sr_agent_set_credentials(agent, "t1", "device_x", "secret") == 0, "login");
    check(sr_agent_set_xid(agent, "24830") == 0, "X-Id");
    check(sr_agent_set_id(agent, "10042") == 0, "id");
    return agent;
}

static void send_rows(struct sr_agent *agent, const char *name, int from)
{
    for (int i = from; i < from + ROWS; i++)
        check(sr_agent_sendf_prio(agent, SR_PRIO_BUF, "103,%s,%d", name, i) == 0,
              "send");
}

/* Rows of a life that never reached its server, and what was printed after them. */
static void live_offline(const char *name)
{
    struct sr_agent *agent = new_agent(name);

    print();
    send_rows(agent, name, 0);
    print();
    sr_agent_free(agent);
}

static void start(struct sr_agent *agent, const char *broker)
{
    struct sr_reporter *reporter;
    int rc = broker ? sr_reporter_new_mqtt(agent, broker, &reporter)
                    : sr_reporter_new_http(agent, &reporter);

    check(rc == 0 && sr_reporter_start(reporter) == 0, sr_agent_error(agent));
}

/* --- a plugin, and a program of its ---------------------------------------------- */

static struct sr_lua *load_plugin(struct sr_agent *agent)
{
    char path[300];
    struct sr_lua *lua;
    FILE *file;

    snprintf(path, sizeof path, "%s/plugin.lua", host.dir);
    file = fopen(path, "we");
    check(file != NULL, "plugin");
    fprintf(file,
            "function init()\n"
            "  local kept = io.open('%s/kept', 'w')\n"
            "  local popened = io.popen('/bin/true', 'r')\n"
            "  local lines = io.lines('/etc/passwd')\n"
            "  local text = c8y:run({'/bin/ls', '/proc/self/fd'})\n"
            "  local file = io.open('%s/listing', 'w')\n"
            "  file:write(text)\n"
            "  file:close()\n"
            "  return os.execute('test -d /proc/self/fd') and 0 or 1\n"
            "end\n",
            host.dir, host.dir);
    fclose(file);
    check(sr_lua_new(agent, NULL, &lua) == 0, "lua");
    check(sr_lua_load(lua, path) == 0, sr_lua_error(lua));
    return lua;
}

static void run_plugin(struct sr_agent *agent, struct sr_lua *lua)
{
    struct sr_lua_plugin plugin;

    while (sr_lua_plugin(lua, 0, &plugin) == 0 && plugin.state == SR_LUA_STARTING) {
        poll(&(struct pollfd){ .fd = sr_agent_fd(agent), .events = POLLIN }, 1,
             sr_agent_timeout(agent));
        sr_agent_dispatch(agent);
    }
    check(plugin.state == SR_LUA_RUNNING, plugin.error);
}

/* --- what is open ---------------------------------------------------------------- */

/* All but 0 to 2 is the library's, or its libraries': the host has opened nothing. */
static void check_descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    struct dirent *entry;
    int sockets = 0;

    check(dir != NULL, "/proc/self/fd");
    while ((entry = readdir(dir))) {
        int fd = atoi(entry->d_name);
        char what[300], link[200] = "";

        if (*entry->d_name == '.' || fd <= 2 || fd == dirfd(dir))
            continue;
        check(readlinkat(dirfd(dir), entry->d_name, link, sizeof link - 1) > 0, "link");
        snprintf(what, sizeof what, "descriptor %d (%s) would be inherited", fd, link);
        check(fcntl(fd, F_GETFD) == FD_CLOEXEC, what);
        sockets += !strncmp(link, "socket:", 7);
    }
    closedir(dir);
    check(sockets >= 2, "there are too few connections");
}

/* Where the host has closed one there is nothing, which is inherited by nobody. */
static void check_low(unsigned subset)
{
    for (int fd = 0; fd <= 2; fd++) {
        char path[32], link[64] = "";

        if (!(subset & 1u << fd))
            continue;
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        check(readlink(path, link, sizeof link - 1) > 0 && !strcmp(link, "/dev/null") &&
                  fcntl(fd, F_GETFD) == FD_CLOEXEC,
              "a low descriptor is not reserved");
    }
}

int main(int argc, char **argv)
{
    unsigned subset = (unsigned)atoi(argv[argc > 4 ? 1 : 0]);
    char server[64], broker[64], log[300];
    struct sr_agent *http, *mqtt;
    struct sr_lua *lua;

    if (argc != 5 || syscall(SYS_close_range, 3, ~0u, 0))
        return WRONG;
    snprintf(server, sizeof server, "http://127.0.0.1:%s", argv[2]);
    snprintf(broker, sizeof broker, "mqtt://127.0.0.1:%s", argv[3]);
    host.server = server;
    host.dir = argv[4];
    for (int fd = 0; fd <= 2; fd++)
        if (subset & 1u << fd)
            close(fd);
    snprintf(log, sizeof log, "%s/log", host.dir);
    check(sr_log_set_dest(log) == 0, "log");
    live_offline("http");
    live_offline("mqtt");

    http = new_agent("http");
    mqtt = new_agent("mqtt");
    check(sr_agent_stop_on(mqtt, SIGTERM) == 0, "signal");
    start(http, NULL);
    start(mqtt, broker);
    send_rows(http, "http", ROWS);
    send_rows(mqtt, "mqtt", ROWS);
    print();
    check(sr_agent_flush(http, PATIENCE_MS) == 0, "by HTTP");
    check(sr_agent_flush(mqtt, PATIENCE_MS) == 0, "by MQTT");
    lua = load_plugin(mqtt);
    run_plugin(mqtt, lua);
    check_descriptors();
    check_low(subset);
    print();
    sr_lua_free(lua);
    sr_agent_free(mqtt);
    sr_agent_free(http);
    print();
    return 0;
}
