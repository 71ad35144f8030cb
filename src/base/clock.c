/* SPDX-License-Identifier: MIT */
#include "base/clock.h"

#include "base/fd.h"
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

static int64_t ms_of(clockid_t id)
{
    struct timespec t;

    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* FNV-1a: a boot's id is random, so any mixing will do. */
static uint32_t tag_of(const char *text, size_t len)
{
    uint32_t tag = 2166136261u;

    for (size_t i = 0; i < len; i++)
        tag = (tag ^ (unsigned char)text[i]) * 16777619u;
    return tag;
}

static uint32_t boot_tag;

/* Where the kernel does not tell, each process takes itself for the first of a boot; the
 * wall clock then tells the age of what another left. */
static void find_boot_tag(void)
{
    char id[64];
    ssize_t len = -1;
    int fd = sr_fd_open("/proc/sys/kernel/random/boot_id", O_RDONLY, 0);

    if (fd >= 0) {
        len = read(fd, id, sizeof id);
        close(fd);
    }
    if (len <= 0)
        len = getrandom(id, 16, GRND_NONBLOCK);
    if (len <= 0)
        len = snprintf(id, sizeof id, "%ld %lld", (long)getpid(),
                       (long long)ms_of(CLOCK_BOOTTIME));
    boot_tag = tag_of(id, (size_t)len);
}

static void system_now(void *arg, struct sr_instant *ret_now)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    (void)arg;
    pthread_once(&once, find_boot_tag);
    ret_now->wall_ms = ms_of(CLOCK_REALTIME);
    ret_now->boot_ms = (uint64_t)ms_of(CLOCK_BOOTTIME);
    ret_now->boot_tag = boot_tag;
}

const struct sr_clock sr_system_clock = { .now = system_now };

struct sr_instant sr_clock_now(const struct sr_clock *clock)
{
    struct sr_instant now;

    clock->now(clock->arg, &now);
    return now;
}

uint64_t sr_instant_age(const struct sr_instant *then, const struct sr_instant *now)
{
    if (then->boot_tag == now->boot_tag)
        return now->boot_ms > then->boot_ms ? now->boot_ms - then->boot_ms : 0;
    return now->wall_ms > then->wall_ms
               ? (uint64_t)now->wall_ms - (uint64_t)then->wall_ms
               : 0;
}

/* What comes from a file may be any number: no overflow, whatever it is. */
int64_t sr_instant_wall(const struct sr_instant *then, const struct sr_instant *now)
{
    uint64_t back =
        then->boot_tag == now->boot_tag ? sr_instant_age(then, now) : now->boot_ms;

    return (int64_t)((uint64_t)now->wall_ms - back);
}

void sr_stamp(int64_t wall_ms, char text[SR_STAMP_LEN + 1])
{
    const int64_t last = INT64_C(253402300799999); /* of the year 9999 */
    int64_t ms = wall_ms < 0 ? 0 : wall_ms > last ? last : wall_ms;
    time_t seconds = (time_t)(ms / 1000);
    struct tm tm;
    char buffer[64]; /* as long as the compiler thinks that an int may be */

    gmtime_r(&seconds, &tm);
    snprintf(buffer, sizeof buffer, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ",
             tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min,
             tm.tm_sec, (int)(ms % 1000));
    snprintf(text, SR_STAMP_LEN + 1, "%.*s", (int)SR_STAMP_LEN, buffer);
}
