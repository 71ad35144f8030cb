/* SPDX-License-Identifier: MIT */
/* What a platform answers to an upload. An id that is found is one, and stands there. */
#include "binary/member.h"
#include "fuzz.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    char *exact = malloc(len ? len : 1); /* so that a byte read behind it is seen */
    char id[SR_BINARY_ID_MAX + 1], small[4];
    bool found;

    must(exact);
    if (len)
        memcpy(exact, data, len);
    found = sr_json_id(exact, len, "id", id, sizeof id);
    if (found) {
        must(sr_binary_id_valid(id));
        must(memmem(exact, len, id, strlen(id)));
        must(memmem(exact, len, "\"id\"", 4));
    }
    if (sr_json_id(exact, len, "id", small, sizeof small))
        must(found && !strcmp(small, id));
    if (found)
        must(sr_json_is(exact, len, "id", id));
    sr_json_is(exact, len, "source.id", "4711");
    if (sr_json_created(exact, len, NULL, small, sizeof small))
        must(found && !strcmp(small, id));
    free(exact);
    return 0;
}
