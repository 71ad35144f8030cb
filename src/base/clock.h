/* SPDX-License-Identifier: MIT */
/* Instants: when something was, by both of the device's clocks. The wall clock may be
 * wrong, and jump; the other counts from boot, goes on while the device is suspended, and
 * means nothing after the next boot. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

/* In place of a moment that is not to come, or has not been. Not 0: a clock that begins with
 * the boot is there in its first millisecond, and near it for long. */
#define SR_NEVER UINT64_MAX

struct sr_instant {
    int64_t wall_ms;   /* since 1970, as the wall clock said */
    uint64_t boot_ms;  /* since boot */
    uint32_t boot_tag; /* of that boot: tells one from another */
};

/* Where time comes from; tests bring their own. `arg` is handed to each. */
struct sr_clock {
    void (*now)(void *arg, struct sr_instant *ret_now);
    void *arg;
};
extern const struct sr_clock sr_system_clock;

struct sr_instant sr_clock_now(const struct sr_clock *clock);

/* Milliseconds from `then` to `now`, 0 at least: by the clock of the boot if both are of
 * one boot, whatever the wall clock did; else by the wall clock. */
uint64_t sr_instant_age(const struct sr_instant *then, const struct sr_instant *now);

/* The wall time of `then`, now that the wall clock is right. Of an earlier boot, all that
 * is known is that it was before this one: the moment of this boot. */
int64_t sr_instant_wall(const struct sr_instant *then, const struct sr_instant *now);

/* "2026-11-22T20:45:00.123Z", 24 bytes and a NUL. Before 1970 is 1970, after 9999 is 9999. */
enum { SR_STAMP_LEN = 24 };
void sr_stamp(int64_t wall_ms, char text[SR_STAMP_LEN + 1]);

#endif
