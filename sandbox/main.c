/* SPDX-License-Identifier: MIT */
/* smartrest-sandbox: finds ports, a folder, the broker and the plugin, runs the broker
 * and ends with it. */
#include "broker.h"
#include "certificate.h"
#include "folder.h"
#include "options.h"
#include "say.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define START_MS    60000 /* generous: it may run under valgrind */
#define CONNECTIONS 16384 /* that may be open: two doors and the broker */
#define ATTEMPTS    8     /* with free MQTT ports that somebody else may snatch */

struct launcher {
    struct sb_options opts;
    struct sb_folder folder;
    struct sb_broker broker;
    struct sb_setup setup;
    struct sb_certificate certificate; /* if we made one */
    int signal_fd, http_port, https_port;
    char mosquitto[PATH_MAX], plugin[PATH_MAX];
};

/* --- finding things ------------------------------------------------------------------ */

static bool is_program(const char *path)
{
    return access(path, X_OK) == 0;
}

static bool find_in(const char *folders, const char *name, char ret_path[PATH_MAX])
{
    for (const char *p = folders; *p;) {
        int len = (int)strcspn(p, ":");

        snprintf(ret_path, PATH_MAX, "%.*s/%s", len, p, name);
        if (len && is_program(ret_path))
            return true;
        p += len + (p[len] == ':');
    }
    return false;
}

static bool find_mosquitto(struct launcher *l)
{
    const char *given = l->opts.mosquitto, *path = getenv("PATH");

    l->setup.mosquitto = given ? given : l->mosquitto;
    if (given && !is_program(given)) {
        sb_say("--mosquitto: cannot run %s: %s", given, strerror(errno));
        return false;
    }
    if (given || (path && find_in(path, "mosquitto", l->mosquitto)) ||
        find_in("/usr/sbin:/usr/local/sbin", "mosquitto", l->mosquitto))
        return true;
    sb_say("mosquitto is neither in PATH nor in /usr/sbin; install it, or name it with "
           "--mosquitto");
    return false;
}

/* Beside this program, as it is built, or where both are installed. */
static bool find_own_plugin(char ret_path[PATH_MAX])
{
    static const char *const places[] = { "smartrest-sandbox.so",
                                          SB_PLUGIN_DIR "/smartrest-sandbox.so" };
    char self[PATH_MAX];
    ssize_t len = readlink("/proc/self/exe", self, sizeof self - 1);

    if (len <= 0)
        return false;
    self[len] = '\0';
    *strrchr(self, '/') = '\0';
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        int n = snprintf(ret_path, PATH_MAX, "%s/%s", self, places[i]);

        if (n < PATH_MAX && access(ret_path, R_OK) == 0)
            return true;
    }
    return false;
}

static bool find_plugin(struct launcher *l)
{
    const char *given = l->opts.plugin;

    l->setup.plugin = given ? given : l->plugin;
    if (given && access(given, R_OK)) {
        sb_say("--plugin: cannot read %s: %s", given, strerror(errno));
        return false;
    }
    if (given || find_own_plugin(l->plugin))
        return true;
    sb_say("the plugin smartrest-sandbox.so is neither beside this program nor in " //
           SB_PLUGIN_DIR "; name it with --plugin");
    return false;
}

static bool can_read_tls(const struct launcher *l)
{
    const char *const files[] = { l->opts.tls_cert, l->opts.tls_key };

    for (int i = 0; i < 2; i++)
        if (files[i] && access(files[i], R_OK)) {
            sb_say("%s: cannot read %s: %s", i ? "--tls-key" : "--tls-cert", files[i],
                   strerror(errno));
            return false;
        }
    return true;
}

/* --- ports ------------------------------------------------------------------------------ */

static void say_why_not(const char *host, int port)
{
    if (errno == EADDRINUSE)
        sb_say("port %d on %s is taken", port, host);
    else
        sb_say("cannot listen on port %d of %s: %s", port, host, strerror(errno));
}

static bool open_door(const struct launcher *l, int wanted, int *ret_fd, int *ret_port)
{
    *ret_fd = sb_listen(l->opts.host, wanted, ret_port);
    if (*ret_fd >= 0)
        return true;
    say_why_not(l->opts.host, wanted);
    return false;
}

static bool open_http(struct launcher *l)
{
    return open_door(l, l->opts.http_port, &l->setup.http_fd, &l->http_port) &&
           (l->opts.https_port < 0 ||
            open_door(l, l->opts.https_port, &l->setup.https_fd, &l->https_port));
}

static void close_http(struct launcher *l)
{
    if (l->setup.http_fd >= 0)
        close(l->setup.http_fd);
    if (l->setup.https_fd >= 0)
        close(l->setup.https_fd);
    l->setup.http_fd = l->setup.https_fd = -1;
}

/* Mosquitto opens its ports itself, and cannot tell which one the kernel chose. */
static bool choose_port(const char *host, int wanted, int *ret_port)
{
    int fd;

    if (wanted < 0) { /* not asked for */
        *ret_port = wanted;
        return true;
    }
    fd = sb_listen(host, wanted, ret_port);
    if (fd >= 0) {
        close(fd);
        return true;
    }
    say_why_not(host, wanted);
    return false;
}

static bool choose_ports(struct launcher *l)
{
    return choose_port(l->opts.host, l->opts.mqtt_port, &l->setup.mqtt_port) &&
           choose_port(l->opts.host, l->opts.mqtts_port, &l->setup.mqtts_port);
}

/* --- what the world is told ----------------------------------------------------------------- */

static void print_url(FILE *out, const char *scheme, const char *host, int port)
{
    const char *reach = sb_host_to_reach(host);

    fprintf(out, strchr(reach, ':') ? "%s://[%s]:%d" : "%s://%s:%d", scheme, reach,
            port);
}

/* Plain as long as a shell reads it as it stands. */
static void write_shell_line(FILE *out, const char *name, const char *value)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                "0123456789/._-+:@%,";
    bool quote = value[strspn(value, plain)] != '\0';

    fprintf(out, quote ? "\n%s='" : "\n%s=", name);
    for (; *value; value++)
        if (*value == '\'')
            fputs("'\\''", out);
        else
            putc(*value, out);
    if (quote)
        putc('\'', out);
}

static void write_ready_lines(FILE *out, const struct launcher *l)
{
    const char *host = l->opts.host;

    fprintf(out, "HTTP_PORT=%d\nMQTT_PORT=%d\n", l->http_port, l->setup.mqtt_port);
    fputs("HTTP_URL=", out);
    print_url(out, "http", host, l->http_port);
    fputs("\nMQTT_URL=", out);
    print_url(out, "mqtt", host, l->setup.mqtt_port);
    if (l->https_port > 0) {
        fprintf(out, "\nHTTPS_PORT=%d\nHTTPS_URL=", l->https_port);
        print_url(out, "https", host, l->https_port);
    }
    if (l->setup.mqtts_port > 0) {
        fprintf(out, "\nMQTTS_PORT=%d\nMQTTS_URL=", l->setup.mqtts_port);
        print_url(out, "mqtts", host, l->setup.mqtts_port);
    }
    if (l->certificate.ca[0])
        write_shell_line(out, "CA_FILE", l->certificate.ca);
    fprintf(out, "\nTENANT=%s\nPID=%d\nMOSQUITTO_PID=%d\n", l->opts.tenant,
            (int)getpid(), (int)l->broker.pid);
}

static bool write_ready_file(const struct launcher *l)
{
    char *text = NULL;
    size_t len;
    FILE *out;
    bool done;

    if (!l->opts.ready_file)
        return true;
    out = open_memstream(&text, &len);
    if (!out)
        return false;
    write_ready_lines(out, l);
    done = fclose(out) == 0 && sb_file_write(l->opts.ready_file, text);
    if (!done)
        sb_say("cannot write %s: %s", l->opts.ready_file, strerror(errno));
    free(text);
    return done;
}

static void greet(const struct launcher *l)
{
    const struct sb_options *opts = &l->opts;

    printf("smartrest-sandbox " SB_VERSION ", tenant %s\n  HTTP       ", opts->tenant);
    print_url(stdout, "http", opts->host, l->http_port);
    if (l->https_port > 0) {
        fputs("\n  HTTPS      ", stdout);
        print_url(stdout, "https", opts->host, l->https_port);
    }
    fputs("\n  MQTT       ", stdout);
    print_url(stdout, "mqtt", opts->host, l->setup.mqtt_port);
    if (l->setup.mqtts_port > 0) {
        fputs("\n  MQTT, TLS  ", stdout);
        print_url(stdout, "mqtts", opts->host, l->setup.mqtts_port);
    }
    if (l->certificate.ca[0])
        printf("\n  CA         %s", l->certificate.ca);
    printf("\n  operator   %s, password %s\n", opts->operator_user,
           opts->operator_password);
    printf("  data       %s%s\n", l->folder.path,
           l->folder.temporary ? " (removed at the end)" : "");
    printf("Ctrl-C ends it.\n");
    fflush(stdout);
}

/* --- life ----------------------------------------------------------------------------------- */

static int run_ready(struct launcher *l)
{
    close_http(l); /* the broker's alone now: with it the ports become free */
    if (!write_ready_file(l)) {
        sb_broker_stop(&l->broker);
        return 1;
    }
    greet(l);
    if (sb_broker_wait(&l->broker, -1) == SB_ENDED)
        return sb_broker_explain(&l->broker);
    return sb_broker_stop(&l->broker);
}

static bool chose_a_port(const struct launcher *l)
{
    return l->opts.mqtt_port == 0 || l->opts.mqtts_port == 0;
}

/* -1: try again with another port. */
static int run_once(struct launcher *l, bool last)
{
    if (!choose_ports(l) || !sb_broker_start(&l->broker, &l->setup, l->signal_fd))
        return 1;
    switch (sb_broker_wait(&l->broker, START_MS)) {
    case SB_READY: return run_ready(l);
    case SB_SIGNAL: return sb_broker_stop(&l->broker);
    case SB_TIMEOUT:
        sb_say("mosquitto was not ready within %d s", START_MS / 1000);
        sb_broker_stop(&l->broker);
        return 1;
    case SB_ENDED: break;
    }
    if (sb_broker_lost_port(&l->broker) && chose_a_port(l) && !last)
        return -1;
    return sb_broker_explain(&l->broker);
}

static int run(struct launcher *l)
{
    int code = -1;

    for (int i = 1; code < 0 && i <= ATTEMPTS; i++)
        code = run_once(l, i == ATTEMPTS);
    return code;
}

/* Before the slow parts, so that Ctrl-C always finds somebody who cleans up. */
static bool catch_signals(struct launcher *l)
{
    sigset_t set;

    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, NULL);
    l->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (l->signal_fd < 0)
        sb_say("cannot catch signals: %s", strerror(errno));
    return l->signal_fd >= 0;
}

/* A waiter must not take a former run's word for this one's. */
static void forget_ready_file(const struct launcher *l)
{
    if (l->opts.ready_file)
        unlink(l->opts.ready_file);
}

/* One of our own, if there is need for one and nobody gave it. */
static bool get_certificate(struct launcher *l)
{
    bool tls = l->opts.https_port >= 0 || l->opts.mqtts_port >= 0;

    if (!tls || l->opts.tls_cert)
        return true;
    if (!sb_certificate_make(l->folder.path, l->opts.host, &l->certificate))
        return false;
    l->setup.tls_cert = l->certificate.cert;
    l->setup.tls_key = l->certificate.key;
    return true;
}

/* Held requests are many, and each has a connection. */
static void allow_connections(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit))
        return;
    if (limit.rlim_cur < CONNECTIONS)
        limit.rlim_cur = limit.rlim_max < CONNECTIONS ? limit.rlim_max : CONNECTIONS;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static int launch(struct launcher *l)
{
    int code = 1;

    l->setup = (struct sb_setup){ .opts = &l->opts,
                                  .http_fd = -1,
                                  .https_fd = -1,
                                  .tls_cert = l->opts.tls_cert,
                                  .tls_key = l->opts.tls_key };
    l->setup.folder = l->folder.path;
    allow_connections();
    if (find_mosquitto(l) && find_plugin(l) && can_read_tls(l) && open_http(l) &&
        catch_signals(l)) {
        if (sb_folder_open(&l->folder, l->opts.data)) {
            forget_ready_file(l);
            code = get_certificate(l) ? run(l) : 1;
            forget_ready_file(l);
        }
        sb_folder_close(&l->folder);
    }
    close_http(l);
    return code;
}

/* Descriptors 0 to 2 are open from here on, so no file of ours becomes stderr. */
static void fill_standard_fds(void)
{
    int fd;

    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= 2);
    if (fd > 2)
        close(fd);
}

int main(int argc, char *argv[])
{
    static struct launcher launcher;

    fill_standard_fds();
    if (!sb_options_parse(argc, argv, &launcher.opts))
        return 2;
    if (launcher.opts.help)
        sb_options_print_help();
    else if (launcher.opts.version)
        puts("smartrest-sandbox " SB_VERSION);
    else
        return launch(&launcher);
    return 0;
}
