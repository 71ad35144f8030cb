/* SPDX-License-Identifier: MIT */
#include "params.h"

#include <string.h>
#include <strings.h>

/* --- kinds of values ------------------------------------------------------ */

static bool is_flag(const char *text)
{
    return !strcmp(text, "true") || !strcmp(text, "false");
}

static bool is_id(const char *text)
{
    return sb_id(text) != 0;
}

static bool is_date(const char *text)
{
    int64_t ms;

    return sb_time_parse(text, &ms);
}

static bool is_number(const char *text)
{
    return sb_id(text) != 0 || !strcmp(text, "0");
}

/* Are all parts of `text`, between commas, among `words`? */
static bool all_among(const char *text, const char *const words[])
{
    for (;; text++) {
        size_t len = strcspn(text, ","), i = 0;

        while (words[i] &&
               (strlen(words[i]) != len || strncasecmp(text, words[i], len)))
            i++;
        if (!words[i])
            return false;
        text += len;
        if (!*text)
            return true;
    }
}

/* None at all are the ids of nothing. */
static bool is_ids(const char *text)
{
    char digits[20];

    while (*text) {
        size_t len = strcspn(text, ",");

        if (len >= sizeof digits)
            return false;
        memcpy(digits, text, len);
        digits[len] = '\0';
        text += len;
        if (!is_number(digits) || (*text && !*++text))
            return false;
    }
    return true;
}

static bool is_alarm_statuses(const char *text)
{
    static const char *const words[] = { "ACTIVE", "ACKNOWLEDGED", "CLEARED", NULL };

    return all_among(text, words);
}

static bool is_severities(const char *text)
{
    static const char *const words[] = { "CRITICAL", "MAJOR", "MINOR", "WARNING",
                                         NULL };

    return all_among(text, words);
}

static bool is_operation_statuses(const char *text)
{
    static const char *const words[] = { "PENDING", "EXECUTING", "SUCCESSFUL", "FAILED",
                                         NULL };

    return all_among(text, words);
}

static bool is_request_status(const char *text)
{
    static const char *const words[] = { "WAITING_FOR_CONNECTION", "PENDING_ACCEPTANCE",
                                         "ACCEPTED", "BLOCKED", NULL };

    return !strchr(text, ',') && all_among(text, words);
}

static const struct sb_value_kind
    flag = { is_flag, "true or false" },
    id = { is_id, "an id of digits" }, ids = { is_ids, "ids, parted by commas" },
    date = { is_date, "a date" }, number = { is_number, "a number" },
    alarm_statuses = { is_alarm_statuses, "of ACTIVE, ACKNOWLEDGED, CLEARED" },
    severities = { is_severities, "of CRITICAL, MAJOR, MINOR, WARNING" },
    operation_statuses = { is_operation_statuses,
                           "of PENDING, EXECUTING, SUCCESSFUL, FAILED" },
    request_status = { is_request_status, "WAITING_FOR_CONNECTION, "
                                          "PENDING_ACCEPTANCE, ACCEPTED or BLOCKED" };

/* --- the tables ----------------------------------------------------------- */

#define PAGING                                                           \
    { "pageSize", SB_GET, &number }, { "currentPage", SB_GET, &number }, \
        { "withTotalPages", SB_GET, &flag },                             \
    {                                                                    \
        "withTotalElements", 0, NULL                                     \
    }

const struct sb_param sb_no_params[] = {
    {NULL, 0, NULL},
};

const struct sb_param sb_page_params[] = {
    PAGING,
    {NULL, 0, NULL},
};

const struct sb_param sb_inventory_params[] = {
    {"type",               SB_GET, NULL},
    { "owner",             SB_GET, NULL},
    { "fragmentType",      SB_GET, NULL},
    { "text",              SB_GET, NULL},
    { "ids",               SB_GET, &ids},
    { "query",             0,      NULL},
    { "q",                 0,      NULL},
    { "childAdditionId",   0,      NULL},
    { "childAssetId",      0,      NULL},
    { "childDeviceId",     0,      NULL},
    { "onlyRoots",         0,      NULL},
    { "skipChildrenNames", 0,      NULL},
    { "withChildren",      0,      NULL},
    { "withChildrenCount", 0,      NULL},
    { "withGroups",        0,      NULL},
    { "withParents",       0,      NULL},
    PAGING,
    { NULL,                0,      NULL},
};

const struct sb_param sb_object_params[] = {
    {"cascade",            SB_DELETE, &flag},
    { "forceCascade",      0,         NULL },
    { "withDeviceUser",    0,         NULL },
    { "skipChildrenNames", 0,         NULL },
    { "withChildren",      0,         NULL },
    { "withChildrenCount", 0,         NULL },
    { "withParents",       0,         NULL },
    { NULL,                0,         NULL },
};

const struct sb_param sb_measurement_params[] = {
    {"source",               SB_GET | SB_DELETE, &id  },
    { "type",                SB_GET | SB_DELETE, NULL },
    { "dateFrom",            SB_GET | SB_DELETE, &date},
    { "dateTo",              SB_GET | SB_DELETE, &date},
    { "fragmentType",        SB_GET | SB_DELETE, NULL },
    { "valueFragmentType",   SB_GET | SB_DELETE, NULL },
    { "valueFragmentSeries", SB_GET | SB_DELETE, NULL },
    { "revert",              SB_GET,             &flag},
    PAGING,
    { NULL,                  0,                  NULL },
};

const struct sb_param sb_event_params[] = {
    {"source",             SB_GET | SB_DELETE, &id  },
    { "type",              SB_GET | SB_DELETE, NULL },
    { "dateFrom",          SB_GET | SB_DELETE, &date},
    { "dateTo",            SB_GET | SB_DELETE, &date},
    { "fragmentType",      SB_GET | SB_DELETE, NULL },
    { "withSourceAssets",  SB_GET | SB_DELETE, &flag},
    { "withSourceDevices", SB_GET | SB_DELETE, &flag},
    { "revert",            SB_GET,             &flag},
    { "createdFrom",       0,                  NULL },
    { "createdTo",         0,                  NULL },
    { "fragmentValue",     0,                  NULL },
    { "lastUpdatedFrom",   0,                  NULL },
    { "lastUpdatedTo",     0,                  NULL },
    PAGING,
    { NULL,                0,                  NULL },
};

#define ALARMS (SB_GET | SB_PUT | SB_DELETE)

const struct sb_param sb_alarm_params[] = {
    {"source",             ALARMS, &id            },
    { "type",              ALARMS, NULL           },
    { "status",            ALARMS, &alarm_statuses},
    { "severity",          ALARMS, &severities    },
    { "resolved",          ALARMS, &flag          },
    { "dateFrom",          ALARMS, &date          },
    { "dateTo",            ALARMS, &date          },
    { "withSourceAssets",  ALARMS, &flag          },
    { "withSourceDevices", ALARMS, &flag          },
    { "revert",            SB_GET, &flag          },
    { "createdFrom",       0,      NULL           },
    { "createdTo",         0,      NULL           },
    { "lastUpdatedFrom",   0,      NULL           },
    { "lastUpdatedTo",     0,      NULL           },
    PAGING,
    { NULL,                0,      NULL           },
};

const struct sb_param sb_operation_params[] = {
    {"agentId",          SB_GET | SB_DELETE, &id                },
    { "deviceId",        SB_GET | SB_DELETE, &id                },
    { "status",          SB_GET | SB_DELETE, &operation_statuses},
    { "dateFrom",        SB_GET | SB_DELETE, &date              },
    { "dateTo",          SB_GET | SB_DELETE, &date              },
    { "fragmentType",    SB_GET | SB_DELETE, NULL               },
    { "revert",          SB_GET,             &flag              },
    { "bulkOperationId", 0,                  NULL               },
    PAGING,
    { NULL,              0,                  NULL               },
};

const struct sb_param sb_request_params[] = {
    {"status", SB_GET, &request_status},
    PAGING,
    { NULL,    0,      NULL           },
};

/* --- checking --------------------------------------------------------------- */

static int method_bit(const char *method)
{
    return !strcmp(method, "GET")      ? SB_GET
           : !strcmp(method, "PUT")    ? SB_PUT
           : !strcmp(method, "DELETE") ? SB_DELETE
                                       : 0;
}

/* Methods with which nothing may stand in the query that is not looked at. */
static bool is_strict(int method)
{
    return method == SB_PUT || method == SB_DELETE;
}

static const struct sb_param *find(const struct sb_param *params, const char *name)
{
    while (params->name && strcmp(params->name, name))
        params++;
    return params->name ? params : NULL;
}

static bool is_repeated(const struct sb_args *args, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (!strcmp(args->query[k].name, args->query[i].name))
            return true;
    return false;
}

/* What is wrong with parameter `i`: a sentence about it; NULL for nothing. */
static const char *wrong_name(const struct sb_param *param, const struct sb_args *args,
                              size_t i, int method)
{
    if (!is_strict(method))
        return NULL;
    if (!param)
        return "is no parameter of";
    if (!(param->served & method))
        return "is not supported by the sandbox with";
    if (!*args->query[i].value) /* it chooses nothing, and what is meant nobody knows */
        return "is empty in";
    return is_repeated(args, i) ? "is there more than once in" : NULL;
}

bool sb_params_check(const struct sb_call *call, const struct sb_param *params,
                     const struct sb_args *args, struct sb_reply *reply)
{
    int method = method_bit(call->method);

    for (size_t i = 0; i < args->n_query; i++) {
        const char *name = args->query[i].name, *value = args->query[i].value;
        const struct sb_param *param = find(params, name);
        const char *wrong = wrong_name(param, args, i, method);

        if (wrong)
            sb_reply_error(reply, 400, "general", "`%.60s` %s %s %s", name, wrong,
                           call->method, call->path);
        else if (param && param->kind && (param->served & method) &&
                 !param->kind->is(value))
            sb_reply_error(reply, 400, "general", "`%s` has to be %s: %.40s", name,
                           param->kind->what, value);
        else
            continue;
        return false;
    }
    return true;
}
