/* SPDX-License-Identifier: MIT */
#include <smartrest/error.h>

const char *sr_strerror(int rc)
{
    switch (rc) {
    case 0: return "success";
#define SR_ERROR_TEXT(name, number, text) \
    case number: return text;
        SR_ERRORS(SR_ERROR_TEXT)
#undef SR_ERROR_TEXT
    default: return "unknown error";
    }
}
