/* SPDX-License-Identifier: MIT */
#include "datetime.h"

#include <stdio.h>
#include <time.h>

/* Exactly `count` digits at *at, as a number not above `max`. */
static bool digits(const char **at, int count, int max, int *ret_number)
{
    int number = 0;

    while (count-- > 0) {
        if (**at < '0' || **at > '9')
            return false;
        number = number * 10 + (*(*at)++ - '0');
    }
    *ret_number = number;
    return number <= max;
}

static bool skip(const char **at, char c)
{
    if (**at != c)
        return false;
    (*at)++;
    return true;
}

/* Days from 1970-01-01 to a date of the Gregorian calendar: years are made to
 * begin in March, so that the leap day is the last one. */
static int64_t days_from_civil(int year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era =
        year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

    return era * 146097 + day_of_era - 719468;
}

static int days_in_month(int year, int month)
{
    static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

    return month == 2 && leap ? 29 : days[month - 1];
}

static bool parse_date(const char **at, int64_t *ret_days)
{
    int year, month, day;

    if (!digits(at, 4, 9999, &year) || !skip(at, '-') || !digits(at, 2, 12, &month) ||
        !skip(at, '-') || !digits(at, 2, 31, &day))
        return false;
    if (month < 1 || day < 1 || day > days_in_month(year, month))
        return false;
    *ret_days = days_from_civil(year, month, day);
    return true;
}

static int fraction_ms(const char **at)
{
    int ms = 0, weight = 100;

    for (; **at >= '0' && **at <= '9'; (*at)++, weight /= 10)
        ms += (**at - '0') * weight;
    return ms;
}

static bool parse_clock(const char **at, int64_t *ret_ms)
{
    int hour, minute, second = 0, ms = 0;

    if (!digits(at, 2, 23, &hour) || !skip(at, ':') || !digits(at, 2, 59, &minute))
        return false;
    if (skip(at, ':')) {
        if (!digits(at, 2, 60, &second)) /* 60: a leap second */
            return false;
        if (**at == '.' || **at == ',') {
            (*at)++;
            if (**at < '0' || **at > '9')
                return false;
            ms = fraction_ms(at);
        }
    }
    *ret_ms = ((hour * 60 + minute) * 60 + second) * INT64_C(1000) + ms;
    return true;
}

static bool parse_zone(const char **at, int64_t *ret_ms)
{
    int sign, hour, minute = 0;

    *ret_ms = 0;
    if (**at == '\0' || skip(at, 'Z'))
        return true;
    if (**at != '+' && **at != '-')
        return false;
    sign = *(*at)++ == '-' ? -1 : 1;
    if (!digits(at, 2, 23, &hour))
        return false;
    skip(at, ':');
    if (**at && !digits(at, 2, 59, &minute))
        return false;
    *ret_ms = sign * (hour * 60 + minute) * INT64_C(60000);
    return true;
}

bool sb_time_parse(const char *text, int64_t *ret_ms)
{
    int64_t days, clock = 0, zone = 0;

    if (!parse_date(&text, &days))
        return false;
    if (*text &&
        (!skip(&text, 'T') || !parse_clock(&text, &clock) || !parse_zone(&text, &zone)))
        return false;
    if (*text)
        return false;
    *ret_ms = days * INT64_C(86400000) + clock - zone;
    return true;
}

const char *sb_time_format(int64_t ms, char *buffer)
{
    time_t seconds = (time_t)(ms / 1000 - (ms % 1000 < 0));
    int rest = (int)(ms - (int64_t)seconds * 1000);
    struct tm tm;

    gmtime_r(&seconds, &tm);
    snprintf(buffer, SB_TIME_SIZE, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ",
             tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min,
             tm.tm_sec, rest);
    return buffer;
}

int64_t sb_time_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}
