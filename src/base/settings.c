/* SPDX-License-Identifier: MIT */
#include "base/settings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_MAX = 4095 };

static const struct text_setting {
    const char *name;
    size_t offset; /* in struct sr_settings */
} texts[] = {
#define SR_SETTING(name, what) { #name, offsetof(struct sr_settings, name) },
    SR_TEXT_SETTINGS(SR_SETTING)
#undef SR_SETTING
};

static const struct number_setting {
    const char *name;
    size_t offset;
    int64_t value, least, most;
} numbers[] = {
#define SR_SETTING(name, value, least, most, unit, what) \
    { #name, offsetof(struct sr_settings, name), value, least, most },
    SR_NUMBER_SETTINGS(SR_SETTING)
#undef SR_SETTING
};

static const struct choice_setting {
    const char *name;
    size_t offset;
    const char *value, *choices; /* "this, that" */
} choices[] = {
#define SR_SETTING(name, value, choices, what) \
    { #name, offsetof(struct sr_settings, name), #value, choices },
    SR_CHOICE_SETTINGS(SR_SETTING)
#undef SR_SETTING
};

enum {
    TEXTS = sizeof texts / sizeof *texts,
    NUMBERS = sizeof numbers / sizeof *numbers,
    CHOICES = sizeof choices / sizeof *choices
};

static void *field(const struct sr_settings *settings, size_t offset)
{
    return (char *)(uintptr_t)settings + offset;
}

/* The name of choice `n`, *ret_len bytes; NULL if there are fewer. */
static const char *nth_choice(const struct choice_setting *setting, int n,
                              size_t *ret_len)
{
    const char *at = setting->choices;

    for (; n > 0; n--) {
        at = strstr(at, ", ");
        if (!at)
            return NULL;
        at += 2;
    }
    *ret_len = strcspn(at, ",");
    return at;
}

/* The place of `value` in the list; -1 if it is not in it. */
static int place_of(const struct choice_setting *setting, const char *value)
{
    const char *choice;
    size_t len;

    for (int n = 0; (choice = nth_choice(setting, n, &len)); n++)
        if (len == strlen(value) && !memcmp(choice, value, len))
            return n;
    return -1;
}

void sr_settings_init(struct sr_settings *settings)
{
    *settings = (struct sr_settings){ 0 };
    for (size_t i = 0; i < CHOICES; i++)
        *(int *)field(settings, choices[i].offset) =
            place_of(&choices[i], choices[i].value);
    for (size_t i = 0; i < NUMBERS; i++)
        *(int64_t *)field(settings, numbers[i].offset) = numbers[i].value;
}

void sr_settings_release(struct sr_settings *settings)
{
    for (size_t i = 0; i < TEXTS; i++)
        free(*(char **)field(settings, texts[i].offset));
    sr_settings_init(settings);
}

static const struct text_setting *find_text(const char *name)
{
    for (size_t i = 0; i < TEXTS; i++)
        if (!strcmp(texts[i].name, name))
            return &texts[i];
    return NULL;
}

static const struct number_setting *find_number(const char *name)
{
    for (size_t i = 0; i < NUMBERS; i++)
        if (!strcmp(numbers[i].name, name))
            return &numbers[i];
    return NULL;
}

static const struct choice_setting *find_choice(const char *name)
{
    for (size_t i = 0; i < CHOICES; i++)
        if (!strcmp(choices[i].name, name))
            return &choices[i];
    return NULL;
}

static int set_text(char **text, const char *value, const char **ret_reason)
{
    char *copy = NULL;

    if (value && strlen(value) > TEXT_MAX) {
        *ret_reason = "it is too long";
        return SR_E_INVAL;
    }
    if (value && !(copy = strdup(value)))
        return SR_E_NOMEM;
    free(*text);
    *text = copy;
    return 0;
}

/* Values between the bounds that are none all the same. */
static bool is_hole(const char *name, long long number)
{
    if (!strcmp(name, "http_version"))
        return number != 10 && number != 11 && number != 20;
    return !strcmp(name, "keepalive") && number > 0 && number < 5;
}

static int set_number(const struct number_setting *setting, int64_t *to,
                      const char *value, const char **ret_reason)
{
    long long number;
    char *end;

    if (!value) {
        *to = setting->value;
        return 0;
    }
    errno = 0;
    number = strtoll(value, &end, 10);
    if (errno || end == value || *end || strspn(value, "0123456789") != strlen(value)) {
        *ret_reason = "it is not a decimal number";
        return SR_E_INVAL;
    }
    if (number < setting->least || number > setting->most ||
        is_hole(setting->name, number)) {
        *ret_reason = "it is out of bounds";
        return SR_E_INVAL;
    }
    *to = number;
    return 0;
}

static int set_choice(const struct choice_setting *setting, int *to, const char *value,
                      const char **ret_reason)
{
    int place = place_of(setting, value ? value : setting->value);

    if (place < 0) {
        *ret_reason = "it is none of the choices";
        return SR_E_INVAL;
    }
    *to = place;
    return 0;
}

int sr_settings_set(struct sr_settings *settings, const char *name, const char *value,
                    const char **ret_reason)
{
    const struct text_setting *text = find_text(name);
    const struct number_setting *number = find_number(name);
    const struct choice_setting *choice = find_choice(name);

    if (text)
        return set_text(field(settings, text->offset), value, ret_reason);
    if (number)
        return set_number(number, field(settings, number->offset), value, ret_reason);
    if (choice)
        return set_choice(choice, field(settings, choice->offset), value, ret_reason);
    return SR_E_NOTFOUND;
}

int sr_settings_get(const struct sr_settings *settings, const char *name, char *text,
                    size_t size)
{
    const struct text_setting *as_text = find_text(name);
    const struct number_setting *number = find_number(name);
    const struct choice_setting *choice = find_choice(name);
    const char *value;
    size_t len = 0;

    if (as_text) {
        value = *(char *const *)field(settings, as_text->offset);
        snprintf(text, size, "%s", value ? value : "");
    } else if (number) {
        snprintf(text, size, "%lld",
                 (long long)*(int64_t *)field(settings, number->offset));
    } else if (choice) {
        value = nth_choice(choice, *(int *)field(settings, choice->offset), &len);
        snprintf(text, size, "%.*s", (int)len, value);
    } else {
        return SR_E_NOTFOUND;
    }
    return 0;
}

struct sr_net sr_settings_net(const struct sr_settings *settings)
{
    return (struct sr_net){
        .ca_file = settings->ca_file,
        .ca_path = settings->ca_path,
        .cert_file = settings->cert_file,
        .key_file = settings->key_file,
        .insecure = !settings->verify,
        .proxy = settings->proxy,
        .connect_ms = (unsigned)settings->connect_timeout,
        .timeout_ms = (unsigned)settings->request_timeout,
        .http_version = (unsigned)settings->http_version,
        .receive_max = (size_t)settings->receive_max,
    };
}
