/* SPDX-License-Identifier: MIT */
/* Option watch_files: a plugin whose file was written, or replaced, is loaded anew. The
 * folders are watched, since editors and package managers replace files by new ones. */
#include "base/fd.h"
#include "lua/host.h"
#include <errno.h>
#include <limits.h>
#include <smartrest/watch.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

enum { QUIET_MS = 100 }; /* after the last change: there may be more at once */

struct changes {
    struct sr_lua *lua;
    int fd;
    struct sr_watch *watch;
    struct sr_timer *quiet;
};

static const char *base_of(const struct plugin *plugin)
{
    return strrchr(plugin->path, '/') + 1; /* paths are absolute */
}

static void on_event(struct changes *changes, const struct inotify_event *event)
{
    struct sr_lua *lua = changes->lua;

    for (size_t i = 0; i < lua->count; i++) {
        struct plugin *plugin = lua->plugins[i];

        if (plugin->watched == event->wd && event->len &&
            !strcmp(event->name, base_of(plugin))) {
            plugin->changed = true;
            sr_timer_start(changes->quiet);
        }
    }
}

static void on_readable(struct sr_agent *agent, struct sr_watch *watch, int fd,
                        int events, void *arg)
{
    union {
        struct inotify_event event; /* for its alignment */
        char bytes[4096];
    } buffer;
    ssize_t len;

    (void)agent;
    (void)watch;
    (void)events;
    while ((len = read(fd, buffer.bytes, sizeof buffer.bytes)) > 0)
        for (char *at = buffer.bytes; at < buffer.bytes + len;) {
            const struct inotify_event *event = (const void *)at;

            on_event(arg, event);
            at += sizeof *event + event->len;
        }
}

static void on_quiet(struct sr_agent *agent, struct sr_timer *timer, void *arg)
{
    struct sr_lua *lua = ((struct changes *)arg)->lua;

    (void)agent;
    sr_timer_stop(timer);
    lua->depth++;
    for (size_t i = 0; i < lua->count; i++)
        if (lua->plugins[i]->changed) {
            lua->plugins[i]->changed = false;
            sr_lua_reload(lua, lua->plugins[i]->name);
        }
    sr_lua_host_leave(lua);
}

void sr_lua_watch_file(struct plugin *plugin)
{
    struct changes *changes = plugin->lua->changes;
    char folder[PATH_MAX];
    size_t len = (size_t)(base_of(plugin) - plugin->path);

    if (!changes || len >= sizeof folder)
        return;
    memcpy(folder, plugin->path, len);
    folder[len] = '\0';
    plugin->watched =
        inotify_add_watch(changes->fd, folder, IN_CLOSE_WRITE | IN_MOVED_TO);
}

void sr_lua_changes_free(struct changes *changes)
{
    if (!changes)
        return;
    sr_timer_free(changes->quiet);
    sr_watch_free(changes->watch);
    if (changes->fd >= 0)
        close(changes->fd);
    free(changes);
}

int sr_lua_changes_new(struct sr_lua *lua, struct changes **ret_changes)
{
    struct changes *changes = calloc(1, sizeof *changes);
    int rc = 0;

    if (!changes)
        return SR_E_NOMEM;
    changes->lua = lua;
    changes->fd = sr_fd_raise(inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
    if (changes->fd < 0)
        rc = errno == ENOMEM ? SR_E_NOMEM : SR_E_IO;
    if (!rc)
        rc = sr_watch_new(lua->agent, changes->fd, SR_READABLE, on_readable, changes,
                          &changes->watch);
    if (!rc)
        rc = sr_timer_new(lua->agent, QUIET_MS, on_quiet, changes, &changes->quiet);
    if (rc)
        sr_lua_changes_free(changes);
    else
        *ret_changes = changes;
    return rc;
}
